//! The command that serves with a registration.

use mcp_entra_core::Options;
use mcp_entra_core::known_client::KnownClient;

use super::mend::quoted;

/// Where the secret is put, unless `MCP_ENTRA_CLIENT_SECRET_FILE` says otherwise.
pub(crate) const SECRET_FILE: &str = "mcp-entra-client-secret";

/// The flags of `mcp-entra serve` that follow from those of `app-registration`.
#[derive(Clone, Debug, Default)]
pub(crate) struct ServeCommand {
    flags: Vec<(&'static str, String)>,
}

impl ServeCommand {
    /// `clients` are those that the operator named.
    pub(super) fn new(options: &Options, clients: Option<&[&KnownClient]>) -> Self {
        let mut flags = Vec::new();
        let mut add = |flag, value: &str| flags.push((flag, value.to_owned()));
        if !options.authority.is_empty() {
            add("--authority", &options.authority);
        }
        if !matches!(options.platform.as_str(), "" | "auto") {
            add("--platform", &options.platform);
        }
        let scopes = options.scopes.join(" ");
        if !matches!(scopes.as_str(), "" | mcp_entra_core::DEFAULT_SCOPE) {
            add("--scope", &scopes);
        }
        if !options.app_id_uri.is_empty() {
            add("--app-id-uri", &options.app_id_uri);
        }
        for (flag, values) in [
            ("--redirect-uri", &options.redirect_uris),
            ("--operation-scope", &options.operation_scopes),
            ("--app-role", &options.app_roles),
        ] {
            values.iter().for_each(|value| add(flag, value));
        }
        let m365 = |client: &&KnownClient| client.id == "m365-copilot";
        if clients.is_some_and(|clients| clients.iter().any(m365)) {
            add("--issue-client-secret", "");
        }
        Self { flags }
    }

    /// The command for this tenant and client id, a flag on each line. The server behind is an
    /// example.
    pub(super) fn render(
        &self,
        resource: &str,
        tenant: &str,
        client_id: &str,
        secret_file: Option<&str>,
    ) -> String {
        let mut lines = Vec::new();
        if let Some(file) = secret_file {
            lines.push(format!("MCP_ENTRA_CLIENT_SECRET_FILE={file}"));
        }
        lines.push("mcp-entra serve".into());
        lines.push(format!("  --resource {}", quoted(resource)));
        lines.push("  --upstream http://127.0.0.1:9000/mcp".into());
        lines.push(format!("  --tenant {tenant}"));
        lines.push(format!("  --client-id {client_id}"));
        lines.extend(self.flags.iter().map(|(flag, value)| match value.as_str() {
            "" => format!("  {flag}"),
            value => format!("  {flag} {}", quoted(value)),
        }));
        lines.join(" \\\n")
    }
}
