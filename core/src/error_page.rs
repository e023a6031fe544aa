//! The page that a person sees in the browser where a redirect would be wrong.

use crate::authorize::AuthorizeError;
use crate::explanation;
use crate::page::Page;
use crate::redirect_uri::{RedirectKind, RedirectUri};
use crate::settings::Settings;

/// Entra's limit, <https://learn.microsoft.com/entra/identity-platform/reply-url>.
const MAX_LENGTH: usize = 256;

const HEADING: &str = "Sign-in stopped";
const USER: &str = "What you can do";
const OPERATOR: &str = "What the operator of this server can do";

impl AuthorizeError {
    /// The page for the person at the browser: what happened, which value it is about, and who
    /// does what.
    pub fn to_html(&self, settings: &Settings) -> String {
        let page = Page::new(HEADING, HEADING);
        let page = match self {
            Self::UnlistedRedirectUri { uri } => unlisted(page, uri, settings),
            Self::UnsoundRedirectUri { uri, reason } => {
                let text = format!(
                    "Your MCP client wants the sign-in to end at an address that cannot be \
                     allowed: {reason}."
                );
                broken(page.text(&text).value(uri))
            }
            other => broken(page.text(&format!("Your MCP client sent a broken request: {other}."))),
        };
        explanation::link_to(page, settings).to_html()
    }
}

/// The page for a person from whose address too many sign-ins come.
pub(crate) fn too_many_requests(seconds: u64) -> String {
    Page::new(HEADING, HEADING)
        .text(&format!(
            "Too many sign-ins were started from your address. In {seconds} seconds the next one \
             may start."
        ))
        .heading(USER)
        .text("Wait, then start the connection again from your MCP client.")
        .heading(OPERATOR)
        .text(
            "If many people share this address, raise the limit (--rate-limit, \
             MCP_ENTRA_RATE_LIMITS). If this server is behind a proxy, see that --trusted-proxies \
             counts it, since otherwise everybody has the proxy's address.",
        )
        .to_html()
}

fn broken(page: Page) -> Page {
    page.heading(USER)
        .text(
            "Start the connection again from your MCP client. If this page comes back, tell the \
             maker of the client what it says.",
        )
        .heading(OPERATOR)
        .text("Nothing: the client sent a request that no server may accept.")
}

fn unlisted(page: Page, text: &str, settings: &Settings) -> Page {
    let page = page
        .text(
            "Your MCP client wants the sign-in to end at an address that this server does not \
             know, so the sign-in was not started. No data was sent there.",
        )
        .value(text)
        .heading(USER)
        .text(
            "If you started this from your own MCP client, send this page to the person who runs \
             the MCP server. If you followed a link that somebody sent you, close this page.",
        )
        .heading(OPERATOR)
        .text(
            "Add the address only if you know the client that uses it: whoever receives the \
             sign-in there can act for the user. It has to be added in two places.",
        );
    let Ok(uri) = text.parse::<RedirectUri>() else { return page };
    let listed = listed(&uri);
    if listed.len() > MAX_LENGTH {
        return page.text(&format!(
            "But Entra ID takes none of more than {MAX_LENGTH} characters, and this one has {}.",
            listed.len()
        ));
    }
    if !listed.bytes().all(is_plain) {
        return page.text(
            "It has characters that a shell may take for its own, so no command is shown: add it \
             to MCP_ENTRA_REDIRECT_URIS, and in Entra ID under App registrations > Authentication.",
        );
    }
    let client_id = settings.client_id();
    let web = settings.platform().is_web(uri.kind());
    let (platform, list, flag) = if web {
        ("Web", "web.redirectUris", "--web-redirect-uris")
    } else {
        let list = "publicClient.redirectUris";
        ("Mobile and desktop applications", list, "--public-client-redirect-uris")
    };
    let page = page
        .text("1. Here: start mcp-entra with this option, or add it to MCP_ENTRA_REDIRECT_URIS.")
        .value(&format!("--redirect-uri '{listed}'"))
        .text(&format!(
            "2. In Entra ID: under App registrations > Authentication, on the platform {platform}, \
             or by this command, which keeps the addresses that are there."
        ))
        .value(&format!(
            "az ad app update --id {client_id} {flag} $(az ad app show --id {client_id} --query \
             {list} --output tsv) '{listed}'"
        ));
    match (web, settings.client_secret()) {
        (true, None) => page.text(
            "The platform Web needs a client secret: create one under Certificates & secrets, and \
             give its Value as MCP_ENTRA_CLIENT_SECRET.",
        ),
        _ => page,
    }
}

/// The address as the list and the app registration have it: a loopback one stands for every port.
fn listed(uri: &RedirectUri) -> String {
    let mut url = uri.url().clone();
    if uri.kind() == RedirectKind::Loopback && url.set_port(None).is_ok() {
        return url.into();
    }
    uri.as_str().to_owned()
}

/// What means nothing to a shell between single quotes, nor to people who leave these out.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~:/?=%+@,[]".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::Options;

    fn page(uri: &str, platform: &str, client_secret: Option<&str>) -> String {
        let settings = Settings::parse(&Options {
            resource: "https://mcp.example.com/mcp".into(),
            tenant: "contoso.com".into(),
            client_id: "99999999-8888-4777-8666-555555555555".into(),
            platform: platform.into(),
            client_secret: client_secret.map(Into::into),
            ..Options::default()
        })
        .unwrap();
        AuthorizeError::UnlistedRedirectUri { uri: uri.into() }.to_html(&settings)
    }

    #[test]
    fn the_operator_is_told_what_to_run_for_this_address_on_its_platform() {
        for (uri, platform, listed, flag) in [
            ("https://c.example/cb", "auto", "https://c.example/cb", "--web-redirect-uris"),
            (
                "https://c.example/cb",
                "native",
                "https://c.example/cb",
                "--public-client-redirect-uris",
            ),
            (
                "http://localhost:9/cb",
                "auto",
                "http://localhost/cb",
                "--public-client-redirect-uris",
            ),
            ("http://127.0.0.1:9/cb", "web", "http://127.0.0.1/cb", "--web-redirect-uris"),
            ("app.example:/cb", "auto", "app.example:/cb", "--public-client-redirect-uris"),
        ] {
            let page = page(uri, platform, Some("s"));
            let ours = format!("--redirect-uri &#39;{listed}&#39;");
            assert!(page.contains(&ours), "{ours} in {page}");
            let entras =
                format!("az ad app update --id 99999999-8888-4777-8666-555555555555 {flag} ");
            assert!(page.contains(&entras), "{entras} in {page}");
            assert!(page.contains(&format!("tsv) &#39;{listed}&#39;")), "{page}");
        }
    }

    #[test]
    fn the_web_platform_needs_a_secret() {
        let uri = "https://c.example/cb";
        assert!(page(uri, "auto", None).contains("MCP_ENTRA_CLIENT_SECRET"));
        assert!(!page(uri, "auto", Some("s")).contains("MCP_ENTRA_CLIENT_SECRET"));
        assert!(!page(uri, "native", None).contains("MCP_ENTRA_CLIENT_SECRET"));
    }

    #[test]
    fn a_command_is_whole_or_not_there() {
        let of = |length: usize| format!("https://h/{}", "a".repeat(length - "https://h/".len()));
        assert!(page(&of(256), "auto", None).contains("a&#39;</code></pre>\n<p>The platform Web"));
        assert!(!page(&of(257), "auto", None).contains("az ad app"));
    }

    #[test]
    fn no_address_is_a_command_of_its_own() {
        for uri in ["https://h/';id;'", "https://h/$(id)", "https://h/?a=b&id"] {
            assert!(uri.parse::<RedirectUri>().is_ok(), "{uri}");
            assert!(!page(uri, "auto", None).contains("az ad app"), "{uri}");
        }
    }
}
