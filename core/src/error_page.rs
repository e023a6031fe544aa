//! The page that a person sees in the browser where a redirect would be wrong.
//!
//! No scripts, nothing loaded from elsewhere, readable on a phone, in light and dark.

use crate::authorize::AuthorizeError;

impl AuthorizeError {
    /// The page for the person at the browser.
    pub fn to_html(&self) -> String {
        let broken = "Start the connection again from your MCP client. If this page comes back, tell \
            the maker of the client what it says.";
        let nothing = "Nothing: the client sent a request that no server may accept.";
        let reason;
        let page = match self {
            Self::UnlistedRedirectUri { uri } => ErrorPage {
                happened: "Your MCP client wants the sign-in to end at an address that this server \
                    does not know, so the sign-in was not started. No data was sent there.",
                value: Some(uri),
                user: "If you started this from your own MCP client, send this page to the person \
                    who runs the MCP server. If you followed a link that somebody sent you, close \
                    this page.",
                operator: "If you know the client, add this address with --redirect-uri (or in \
                    MCP_ENTRA_REDIRECT_URIS), and in Entra ID under App registrations > \
                    Authentication: https addresses on the platform Web, http://localhost, \
                    http://127.0.0.1 and private schemes on Mobile and desktop applications.",
            },
            Self::UnsoundRedirectUri { uri, reason: why } => {
                reason = format!(
                    "Your MCP client wants the sign-in to end at an address that cannot be allowed: {why}."
                );
                ErrorPage { happened: &reason, value: Some(uri), user: broken, operator: nothing }
            }
            other => {
                reason = format!("Your MCP client sent a broken request: {other}.");
                ErrorPage { happened: &reason, value: None, user: broken, operator: nothing }
            }
        };
        page.to_html()
    }
}

/// The page for a person from whose address too many sign-ins come.
pub(crate) fn too_many_requests(seconds: u64) -> String {
    let happened = format!(
        "Too many sign-ins were started from your address. In {seconds} seconds the next one may start."
    );
    ErrorPage {
        happened: &happened,
        value: None,
        user: "Wait, then start the connection again from your MCP client.",
        operator: "If many people share this address, raise the limit (--rate-limit, \
            MCP_ENTRA_RATE_LIMITS). If this server is behind a proxy, see that --trusted-proxies \
            counts it, since otherwise everybody has the proxy's address.",
    }
    .to_html()
}

/// What a page says: what happened, which value it is about, and who does what.
#[derive(Clone, Copy, Debug)]
struct ErrorPage<'a> {
    happened: &'a str,
    value: Option<&'a str>,
    user: &'a str,
    operator: &'a str,
}

impl ErrorPage<'_> {
    fn to_html(self) -> String {
        let value = self.value.map_or_else(String::new, |value| {
            format!("<p class=\"value\"><code>{}</code></p>\n", escape(value))
        });
        format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <title>Sign-in stopped</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n\
             <h1>Sign-in stopped</h1>\n<p>{}</p>\n{value}<h2>What you can do</h2>\n<p>{}</p>\n\
             <h2>What the operator of this server can do</h2>\n<p>{}</p>\n</main>\n</body>\n</html>\n",
            escape(self.happened),
            escape(self.user),
            escape(self.operator),
        )
    }
}

const STYLE: &str = "\
:root{color-scheme:light dark}\
body{margin:0;font:1rem/1.5 system-ui,sans-serif;background:#fff;color:#1b1b1b}\
main{max-width:38rem;margin:0 auto;padding:2rem 1.25rem}\
h1{font-size:1.5rem;line-height:1.25}h2{font-size:1.05rem;margin-top:1.75rem}\
.value{padding:.75rem 1rem;border-radius:.4rem;background:#f1f1f1;overflow-wrap:anywhere}\
code{font-family:ui-monospace,monospace;font-size:.95em}\
@media(prefers-color-scheme:dark){body{background:#161616;color:#ececec}.value{background:#2a2a2a}}";

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars().take(512) {
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
        let value = Some("https://h/<script>alert('x')</script>\"&");
        let page = ErrorPage { happened: "a", value, user: "b", operator: "c" }.to_html();
        assert!(!page.contains("<script"));
        assert!(page.contains("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&quot;&amp;"));
    }
}
