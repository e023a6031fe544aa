//! The clients that are known, and where each wants its codes.
//!
//! Their redirect URIs are allowed from the start, and are what an app registration has to list.
//! A client whose redirect URI is made anew for each connector cannot be known beforehand; what
//! the operator has to do for it is said with it.
//!
//! ```
//! use mcp_entra_core::known_client;
//!
//! let cursor = known_client::find("cursor").unwrap();
//! assert_eq!(cursor.redirect_uris[0], "cursor://anysphere.cursor-mcp/oauth/callback");
//! assert!(known_client::find("netscape").is_none());
//! ```

/// A client whose redirect URIs are known.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct KnownClient {
    /// What options call it: lower case, words joined by hyphens.
    pub id: &'static str,
    /// What people call it.
    pub name: &'static str,
    /// Where it wants its codes. Loopback ones have no port: they stand for every port.
    pub redirect_uris: &'static [&'static str],
    /// The port that it takes on `127.0.0.1` where it is free. Entra ignores the port of
    /// `http://localhost`; whether it does so for `http://127.0.0.1` is disputed, so an app
    /// registration lists this one as well.
    pub default_port: Option<u16>,
    /// How the redirect URIs begin that it makes for each connector anew.
    pub connectors: Option<&'static str>,
    /// Why the list is not all of it, and what the operator adds.
    pub note: Option<&'static str>,
}

/// The client of an [`id`](KnownClient::id).
pub fn find(id: &str) -> Option<&'static KnownClient> {
    KNOWN_CLIENTS.iter().find(|client| client.id == id)
}

const fn client(
    id: &'static str,
    name: &'static str,
    redirect_uris: &'static [&'static str],
) -> KnownClient {
    KnownClient { id, name, redirect_uris, default_port: None, connectors: None, note: None }
}

impl KnownClient {
    const fn at_port(self, port: u16) -> Self {
        Self { default_port: Some(port), ..self }
    }

    const fn with_connectors_at(self, prefix: &'static str) -> Self {
        Self { connectors: Some(prefix), ..self }
    }

    const fn noting(self, note: &'static str) -> Self {
        Self { note: Some(note), ..self }
    }
}

/// In the order of their ids.
pub const KNOWN_CLIENTS: &[KnownClient] = &[
    client("chatgpt", "ChatGPT", &["https://chatgpt.com/connector_platform_oauth_redirect"])
        .with_connectors_at("https://chatgpt.com/connector/oauth/")
        .noting(
            "newer connectors have a redirect URI of their own, \
             https://chatgpt.com/connector/oauth/…, which ChatGPT shows when the connector is made",
        ),
    client(
        "claude",
        "Claude",
        &["https://claude.ai/api/mcp/auth_callback", "https://claude.com/api/mcp/auth_callback"],
    ),
    client(
        "claude-code",
        "Claude Code",
        &["http://localhost/callback", "http://127.0.0.1/callback"],
    ),
    client("cline", "Cline", &["http://127.0.0.1/mcp/oauth/callback"])
        .at_port(1456)
        .noting("where its port 1456 is taken, it takes one of those up to 1461"),
    client("codex", "Codex", &[]).noting(
        "its redirect URI, http://127.0.0.1:<port>/callback/…, has a path of its own for each \
         server, which the refusal shows",
    ),
    client("copilot-cli", "GitHub Copilot CLI", &["http://127.0.0.1/"]),
    client("copilot-intellij", "GitHub Copilot for IntelliJ", &["http://127.0.0.1/callback"])
        .at_port(33428),
    client("copilot-studio", "Copilot Studio", &[])
        .with_connectors_at("https://global.consent.azure-apim.net/redirect/")
        .noting(
            "each connector has a redirect URI of its own, \
             https://global.consent.azure-apim.net/redirect/…, which Copilot Studio shows",
        ),
    client(
        "cursor",
        "Cursor",
        &[
            "cursor://anysphere.cursor-mcp/oauth/callback",
            "https://www.cursor.com/agents/mcp/oauth/callback",
            "http://localhost/callback",
        ],
    ),
    client("gemini-cli", "Gemini CLI", &["http://localhost/oauth/callback"]),
    client("goose", "Goose", &["http://127.0.0.1/oauth_callback"]),
    client(
        "inspector",
        "MCP Inspector",
        &[
            "http://localhost/oauth/callback",
            "http://localhost/oauth/callback/debug",
            "http://127.0.0.1/oauth/callback",
        ],
    )
    .at_port(6276),
    client(
        "m365-copilot",
        "Microsoft 365 Copilot",
        &["https://teams.microsoft.com/api/platform/v1.0/oAuthRedirect"],
    )
    .noting("it insists on a client secret at registration: --issue-client-secret"),
    client(
        "mcp-remote",
        "mcp-remote",
        &["http://localhost/oauth/callback", "http://127.0.0.1/oauth/callback"],
    ),
    client("opencode", "OpenCode", &["http://127.0.0.1/mcp/oauth/callback"]).at_port(19876),
    client(
        "vscode",
        "Visual Studio Code",
        &[
            "https://vscode.dev/redirect",
            "https://insiders.vscode.dev/redirect",
            "http://127.0.0.1/",
        ],
    )
    .at_port(33418),
    client("zed", "Zed", &["http://127.0.0.1/callback"]),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redirect_uri::{RedirectKind, RedirectUri};

    #[test]
    fn what_an_operator_has_to_know_beside_the_redirect_uris() {
        let studio = find("copilot-studio").unwrap();
        assert_eq!(studio.name, "Copilot Studio");
        let prefix = "https://global.consent.azure-apim.net/redirect/";
        assert_eq!(studio.connectors, Some(prefix));
        assert_eq!(
            studio.note,
            Some(
                "each connector has a redirect URI of its own, \
                 https://global.consent.azure-apim.net/redirect/…, which Copilot Studio shows"
            )
        );
        let ports: Vec<_> =
            KNOWN_CLIENTS.iter().filter_map(|c| Some((c.id, c.default_port?))).collect();
        assert_eq!(
            ports,
            [
                ("cline", 1456),
                ("copilot-intellij", 33428),
                ("inspector", 6276),
                ("opencode", 19876),
                ("vscode", 33418),
            ]
        );
    }

    #[test]
    fn the_table_is_in_order_and_every_redirect_uri_is_sound() {
        assert!(KNOWN_CLIENTS.is_sorted_by(|a, b| a.id < b.id));
        for client in KNOWN_CLIENTS {
            assert_eq!(find(client.id), Some(client));
            assert!(!client.redirect_uris.is_empty() || client.note.is_some(), "{}", client.id);
            for text in client.redirect_uris.iter().chain(&client.connectors) {
                let uri: RedirectUri = text.parse().unwrap();
                let portless = uri.kind() != RedirectKind::Loopback || uri.url().port().is_none();
                assert!(portless, "{}: {text}", client.id);
            }
        }
    }
}
