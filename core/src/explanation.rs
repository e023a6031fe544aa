//! The page that explains an error of Entra's to a person.
//!
//! Entra shows most of what stops a sign-in on a page of its own, and tells it neither to the
//! client nor to us. So there is a page here that whoever reads `AADSTS50011` can open, or be led
//! to by the `error_uri` of a token error (RFC 6749 section 5.2): what it means in this setting,
//! which setting that is, and what mends it. Of the request it shows the number and nothing else.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderValue};
use http::{Response, StatusCode};

use crate::aadsts::{self, Aadsts, Action, Place};
use crate::page::Page;
use crate::response;
use crate::settings::Settings;

/// Where the page is.
pub const EXPLANATION_PAGE: &str = "/oauth/error";

/// The most octets of a query that are read: a pasted error has a few hundred.
const MAX_QUERY_LENGTH: usize = 8 * 1024;

/// It changes with the settings and with nothing else.
const AN_HOUR: HeaderValue = HeaderValue::from_static("public, max-age=3600");
const WITH_A_FORM: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
);

/// The page for a query such as `code=50011`, `code=AADSTS50011`, or Entra's whole text in
/// `error_description` or `code`; without any, it asks for one.
pub(crate) fn page(query: &str, settings: &Settings) -> Response<Bytes> {
    let codes = codes(query);
    let page = match (aadsts::explain_last(&codes), codes.last()) {
        (Some(known), _) => explained(known, settings),
        (None, Some(&code)) => unknown(code, settings),
        (None, None) => asking(),
    };
    let mut response = response::page(StatusCode::OK, page.to_html());
    response.headers_mut().insert(CACHE_CONTROL, AN_HOUR);
    response.headers_mut().insert(CONTENT_SECURITY_POLICY, WITH_A_FORM);
    response
}

/// The page's URL for a code.
pub(crate) fn url(code: u32, settings: &Settings) -> String {
    settings.resource().join(&format!("{EXPLANATION_PAGE}?code={code}"))
}

/// For the foot of other pages.
pub(crate) fn link_to(page: Page, settings: &Settings) -> Page {
    let url = settings.resource().join(EXPLANATION_PAGE);
    page.heading("Did Microsoft show an error?").link(
        "What a number such as AADSTS50011 means here:",
        &url,
        "look it up",
    )
}

/// The codes that a query asks about. What is no code is not looked at.
fn codes(query: &str) -> Vec<u32> {
    if query.len() > MAX_QUERY_LENGTH {
        return Vec::new();
    }
    let asked = ["code", "error_codes", "error_description"];
    let mut codes = Vec::new();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        if asked.contains(&&*name) {
            codes.extend(aadsts::codes_in(&value));
            codes.extend(value.trim().parse::<u32>());
        }
    }
    codes
}

fn explained(known: &Aadsts, settings: &Settings) -> Page {
    let name = format!("AADSTS{}", known.code);
    let title = format!("{name}: what it means here");
    let mut page = Page::new(&title, &name)
        .text(&sentence(known.cause))
        .heading("What mends it")
        .text(&sentence(known.mend))
        .heading("Who can do that")
        .text(match known.action {
            Action::Client => {
                "Whoever makes or configures the MCP client: it sent something that Entra ID does \
                 not take. Clients that sign in through this server are spared most of these, so \
                 first see whether the client goes to Entra ID directly."
            }
            Action::Operator => {
                "The operator of this MCP server, together with whoever may edit its app \
                 registration."
            }
            Action::Retry => "Nobody has to: it passes.",
            Action::SignIn => "You, at the next sign-in; your administrator, if it comes back.",
        });
    if known.place != Place::Nowhere {
        page = page.heading("Where");
    }
    page = match (known.place.blade(), known.place) {
        (Some(blade), _) => page.text(&format!("In the Entra admin center: {blade}.")),
        (None, Place::Options) => page.text("In the options of this server, mcp-entra."),
        (None, _) => page,
    };
    if let Some(command) = known.command() {
        let command = command.replace("<client-id>", settings.client_id().as_str());
        page = page.text("Or by command, signed in to Azure:").value(&command);
    }
    microsoft(page, known.code, settings)
}

fn unknown(code: u32, settings: &Settings) -> Page {
    let name = format!("AADSTS{code}");
    let page = Page::new(&name, &name).text(
        "This number is not among those that a sign-in through this server is known to meet, so \
         there is no explanation of ours.",
    );
    microsoft(page, code, settings)
}

fn asking() -> Page {
    let label = "Its number, or the whole text that Microsoft's page shows";
    Page::new("AADSTS: what it means here", "An error of Microsoft Entra ID")
        .text("What its number means depends on the setting. This is what it means for this MCP server.")
        .question(EXPLANATION_PAGE, "code", label, "Explain")
}

fn microsoft(page: Page, code: u32, settings: &Settings) -> Page {
    let url = format!("{}/error?code={code}", settings.authority().origin());
    page.heading("What Microsoft says")
        .link("In general, for every application:", &url, &format!("Microsoft on AADSTS{code}"))
        .text(
            "About this very sign-in: in the Entra admin center under Sign-in logs, by the \
             correlation ID that the error came with.",
        )
}

fn sentence(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().map(|c| c.to_ascii_uppercase());
    first.into_iter().chain(characters).chain(['.']).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use proptest::prelude::*;

    use super::*;
    use crate::options::Options;

    static SETTINGS: LazyLock<Settings> = LazyLock::new(|| {
        Settings::parse(&Options {
            resource: "https://mcp.example.com/mcp".into(),
            tenant: "contoso.com".into(),
            client_id: "99999999-8888-4777-8666-555555555555".into(),
            ..Options::default()
        })
        .unwrap()
    });

    fn html(query: &str) -> String {
        String::from_utf8(page(query, &SETTINGS).into_body().to_vec()).unwrap()
    }

    #[test]
    fn a_number_a_name_or_the_whole_text() {
        for query in [
            "code=50011",
            "code=AADSTS50011",
            "code=+50011+",
            "error_codes=50011&state=1",
            "error=invalid_request&error_description=AADSTS50011%3A+The+redirect+URI+%27x%27",
            "code=AADSTS50011:%20The%20redirect%20URI%20'https://a/?b=c'%20%ff%",
            "code=AADSTS4242:+x+AADSTS50011:+y+AADSTS4343:+z",
        ] {
            assert_eq!(html(query), html("code=50011"), "{query}");
        }
        let page = html("code=50055");
        assert!(page.contains("<h1>AADSTS50055</h1>\n<p>The password has expired.</p>"), "{page}");
        assert!(html("code=7000215").contains(
            "az ad app credential reset --id 99999999-8888-4777-8666-555555555555 --append"
        ));
    }

    #[test]
    fn where_there_is_a_setting_the_page_says_where() {
        for (code, place) in [
            (
                50105,
                "<p>In the Entra admin center: Enterprise applications &gt; Users and groups.</p>",
            ),
            (50011, "<p>In the Entra admin center: App registrations &gt; Authentication.</p>"),
            (90002, "<p>In the options of this server, mcp-entra.</p>"),
        ] {
            let page = html(&format!("code={code}"));
            assert!(page.contains(&format!("<h2>Where</h2>\n{place}")), "{page}");
        }
        let page = html("code=54005");
        assert!(!page.contains("<h2>Where</h2>"), "{page}");
    }

    #[test]
    fn a_query_is_read_up_to_a_length() {
        let of =
            |length: usize| format!("code=50011&x={}", "y".repeat(length - "code=50011&x=".len()));
        assert_eq!(html(&of(8192)), html("code=50011"));
        assert!(html(&of(8193)).contains("<input"));
    }

    #[test]
    fn an_unknown_number_leads_to_microsoft_and_nothing_to_the_question() {
        let page = html("code=4242");
        assert!(page.contains("https://login.microsoftonline.com/error?code=4242"), "{page}");
        for query in ["", "code=", "code=x", "code=99999999999", "other=50011", "code=-1"] {
            assert!(html(query).contains("<input"), "{query}");
        }
    }

    #[test]
    fn every_code_has_a_page_that_says_all_that_the_table_says() {
        let text = |html: &str| {
            let unescaped = html.replace("&gt;", ">").replace("&#39;", "'").replace("&lt;", "<");
            unescaped.replace("&amp;", "&")
        };
        // every page is made by the same code, and Miri takes seconds for one
        for known in aadsts::CODES.iter().step_by(if cfg!(miri) { 16 } else { 1 }) {
            let page = text(&html(&format!("code={}", known.code)));
            let blade = known.place.blade().unwrap_or_default();
            for said in [&sentence(known.cause), &sentence(known.mend), blade] {
                assert!(page.contains(said), "{}: {said}", known.code);
            }
            assert!(!page.contains("<client-id>"), "{}", known.code);
        }
    }

    proptest! {
        #[test]
        fn nothing_of_a_query_is_shown_but_a_number(
            name in "code|error_description|[a-z]{1,8}",
            value in "(AADSTS)?[0-9]{0,10}(<script>|canary|%3Cimg|'|\"|\\PC){1,9}",
        ) {
            let query: String =
                form_urlencoded::Serializer::new(String::new()).append_pair(&name, &value).finish();
            let numbers = value.split(|c: char| !c.is_ascii_digit()).chain([""]);
            let mut pages = numbers.map(|number| html(&format!("code={number}")));
            let page = html(&query);
            prop_assert!(pages.any(|of_a_number| of_a_number == page), "{}", query);
        }
    }
}
