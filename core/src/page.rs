//! What every page for a person is made of.
//!
//! No scripts, nothing loaded from elsewhere, readable on a phone, in light and dark; whatever is
//! shown is escaped.

/// Values from a request are shown up to here.
const MAX_SHOWN: usize = 512;

/// A page, from its top to its bottom.
#[derive(Debug)]
pub(crate) struct Page {
    title: String,
    main: String,
}

impl Page {
    /// A page with this heading, and `title` in the browser's tab.
    pub(crate) fn new(title: &str, heading: &str) -> Self {
        Self { title: escape(title), main: format!("<h1>{}</h1>\n", escape(heading)) }
    }

    /// A heading below the first.
    pub(crate) fn heading(self, text: &str) -> Self {
        self.element("h2", text)
    }

    /// A paragraph.
    pub(crate) fn text(self, text: &str) -> Self {
        self.element("p", text)
    }

    /// Something to copy: a value, a command.
    pub(crate) fn value(mut self, text: &str) -> Self {
        let shown: String = text.chars().take(MAX_SHOWN).collect();
        self.main.push_str(&format!("<pre><code>{}</code></pre>\n", escape(&shown)));
        self
    }

    /// A paragraph that ends in a link.
    pub(crate) fn link(mut self, before: &str, url: &str, label: &str) -> Self {
        let [before, url, label] = [before, url, label].map(escape);
        self.main.push_str(&format!("<p>{before} <a href=\"{url}\">{label}</a></p>\n"));
        self
    }

    /// A field that asks the page at `path` about what is written into it.
    pub(crate) fn question(mut self, path: &str, name: &str, label: &str, button: &str) -> Self {
        let [path, name, label, button] = [path, name, label, button].map(escape);
        self.main.push_str(&format!(
            "<form action=\"{path}\">\n<label for=\"{name}\">{label}</label>\n\
             <input id=\"{name}\" name=\"{name}\" autocomplete=\"off\" required>\n\
             <button>{button}</button>\n</form>\n"
        ));
        self
    }

    pub(crate) fn to_html(&self) -> String {
        let Self { title, main } = self;
        format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n\
             {main}</main>\n</body>\n</html>\n"
        )
    }

    fn element(mut self, name: &str, text: &str) -> Self {
        self.main.push_str(&format!("<{name}>{}</{name}>\n", escape(text)));
        self
    }
}

const STYLE: &str = "\
:root{color-scheme:light dark;--paper:#fff;--ink:#1b1b1b;--shade:#f0f1f3;--line:#767676;--link:#0a58b5}\
@media(prefers-color-scheme:dark){\
:root{--paper:#161616;--ink:#ececec;--shade:#292929;--line:#8f8f8f;--link:#8cbcff}}\
body{margin:0;font:1rem/1.5 system-ui,sans-serif;background:var(--paper);color:var(--ink)}\
main{max-width:38rem;margin:0 auto;padding:2rem 1.25rem 3rem;overflow-wrap:anywhere}\
h1{font-size:1.5rem;line-height:1.25;margin:0 0 1rem}\
h2{font-size:1.05rem;margin:2rem 0 .5rem}p{margin:.5rem 0}\
pre{margin:.75rem 0;padding:.75rem 1rem;border-radius:.4rem;background:var(--shade);white-space:pre-wrap}\
code{font:.875rem/1.5 ui-monospace,monospace}a{color:var(--link)}\
label{display:block;margin:.5rem 0}\
input,button{font:inherit;box-sizing:border-box;min-height:2.75rem;padding:.5rem .75rem;\
border:1px solid var(--line);border-radius:.4rem;background:var(--paper);color:var(--ink)}\
input{display:block;width:100%;margin-bottom:.75rem}button{background:var(--shade)}\
:focus-visible{outline:3px solid var(--link);outline-offset:2px}";

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_is_shown_and_never_run() {
        let text = "https://h/<script>alert('x')</script>\"&";
        let page = Page::new(text, text).heading(text).text(text).value(text);
        let page = page.link(text, text, text).question(text, text, text, text).to_html();
        assert!(!page.contains("<script") && !page.contains("'x'") && !page.contains("\"&"));
        assert_eq!(
            page.matches("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&quot;&amp;").count(),
            14
        );
    }
}
