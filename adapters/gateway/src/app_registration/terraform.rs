//! The form `terraform`: resources of the azuread provider.

use mcp_entra_core::Tenant;

use super::serve_command::SECRET_FILE;
use super::wanted::{AppPlatform, Wanted, WantedAppRole, WantedScope};
use super::wrap::wrapped;

pub(super) fn terraform(wanted: &Wanted) -> String {
    let mut file = head(wanted);
    file.push_str(&application(wanted));
    file.push_str(&rest(wanted));
    file
}

fn head(wanted: &Wanted) -> String {
    let resource = wanted.resource.as_deref().unwrap_or_default();
    let mut head = format!("# The app registration of the MCP server {resource}, for mcp-entra.\n");
    for note in super::notes(wanted) {
        head.push_str(&format!("#\n{}", wrapped(&note, "# ")));
    }
    if let Some(id) = &wanted.client_id {
        head.push_str(&format!(
            "#\n# {id} is there already, so import it first, and keep the ids that its scopes have:\n\
             # terraform import azuread_application.mcp \\\n\
             #   \"/applications/$(az ad app show --id {id} --query id --output tsv)\"\n"
        ));
    }
    let secret = wanted.needs_secret().then_some(SECRET_FILE);
    if secret.is_some() {
        head.push_str(&format!(
            "#\n# The client secret is in the state, and comes out of it with\n\
             # terraform output -raw client_secret > {SECRET_FILE}\n"
        ));
    }
    let tenant = wanted.tenant.as_ref().map_or("<tenant_id>", Tenant::as_str);
    let command = wanted.serve.render(resource, tenant, "<client_id>", secret);
    head.push_str(&format!(
        "#\n# Serve with it, --upstream being your MCP server:\n# {}\n",
        command.replace('\n', "\n# ")
    ));
    head.push_str(
        r#"
terraform {
  required_providers {
    azuread = {
      source  = "hashicorp/azuread"
      version = "~> 3.0"
    }
  }
}

provider "azuread" {
"#,
    );
    let environment = match wanted.graph() {
        "https://graph.microsoft.us" => Some("usgovernment"),
        "https://microsoftgraph.chinacloudapi.cn" => Some("china"),
        _ => None,
    };
    let tenant = match &wanted.tenant {
        Some(tenant @ (Tenant::Id(_) | Tenant::Domain(_))) => Some(tenant.as_str()),
        _ => None,
    };
    let arguments = [("environment", environment), ("tenant_id", tenant)];
    let arguments = arguments.into_iter().filter_map(|(name, value)| Some((name, string(value?))));
    head.push_str(&attributes(2, &arguments.collect::<Vec<_>>()));
    head.push_str("}\n\ndata \"azuread_client_config\" \"current\" {}\n");
    head
}

fn application(wanted: &Wanted) -> String {
    let mut block = String::from("\nresource \"azuread_application\" \"mcp\" {\n");
    let mut arguments = vec![
        ("display_name", string(&wanted.display_name)),
        ("sign_in_audience", string(wanted.sign_in_audience())),
        ("owners", "[data.azuread_client_config.current.object_id]".into()),
        ("fallback_public_client_enabled", wanted.has_public_clients().to_string()),
    ];
    if let Some(uri) = &wanted.app_id_uri {
        arguments.push(("identifier_uris", format!("[{}]", string(uri))));
    }
    block.push_str(&attributes(2, &arguments));
    for (name, platform) in
        [("public_client", AppPlatform::MobileAndDesktop), ("web", AppPlatform::Web)]
    {
        let uris = wanted.redirect_uris_on(platform);
        if !uris.is_empty() {
            let uris: String = uris.iter().map(|uri| format!("      {},\n", string(uri))).collect();
            block.push_str(&format!("\n  {name} {{\n    redirect_uris = [\n{uris}    ]\n  }}\n"));
        }
    }
    block.push_str("\n  api {\n    requested_access_token_version = 2\n");
    wanted.scopes.iter().for_each(|scope| block.push_str(&scope_block(scope)));
    block.push_str("  }\n");
    wanted.app_roles.iter().for_each(|role| block.push_str(&role_block(role)));
    if wanted.app_id_uri.is_none() {
        block.push_str(
            "\n  lifecycle {\n    # it names the client id, and so is a resource of its own\n    \
             ignore_changes = [identifier_uris]\n  }\n",
        );
    }
    block.push_str("}\n");
    block
}

fn scope_block(scope: &WantedScope) -> String {
    let arguments = attributes(
        6,
        &[
            ("id", string(&scope.id.to_string())),
            ("value", string(&scope.value)),
            ("type", string("User")),
            ("enabled", "true".into()),
            ("admin_consent_display_name", string(&scope.admin_consent_display_name)),
            ("admin_consent_description", string(&scope.admin_consent_description)),
            ("user_consent_display_name", string(&scope.user_consent_display_name)),
            ("user_consent_description", string(&scope.user_consent_description)),
        ],
    );
    format!("\n    oauth2_permission_scope {{\n{arguments}    }}\n")
}

fn role_block(role: &WantedAppRole) -> String {
    let arguments = attributes(
        4,
        &[
            ("id", string(&role.id.to_string())),
            ("value", string(&role.value)),
            ("enabled", "true".into()),
            ("allowed_member_types", "[\"Application\"]".into()),
            ("display_name", string(&role.display_name)),
            ("description", string(&role.description)),
        ],
    );
    format!("\n  app_role {{\n{arguments}  }}\n")
}

fn rest(wanted: &Wanted) -> String {
    let mut blocks = String::new();
    if wanted.app_id_uri.is_none() {
        blocks.push_str(
            r#"
resource "azuread_application_identifier_uri" "mcp" {
  application_id = azuread_application.mcp.id
  identifier_uri = "api://${azuread_application.mcp.client_id}"
}
"#,
        );
    }
    for (number, client) in wanted.pre_authorized.iter().enumerate() {
        let ids: String =
            wanted.scopes.iter().map(|scope| format!("    \"{}\",\n", scope.id)).collect();
        blocks.push_str(&format!(
            r#"
resource "azuread_application_pre_authorized" "client_{number}" {{
  application_id       = azuread_application.mcp.id
  authorized_client_id = "{client}"

  permission_ids = [
{ids}  ]
}}
"#
        ));
    }
    if wanted.tenant != Some(Tenant::Consumers) {
        blocks.push_str(
            r#"
resource "azuread_service_principal" "mcp" {
  client_id = azuread_application.mcp.client_id
}
"#,
        );
        if wanted.admin_consent {
            blocks.push_str(&admin_consent(wanted));
        }
    }
    if wanted.needs_secret() {
        blocks.push_str(
            r#"
resource "azuread_application_password" "mcp" {
  application_id = azuread_application.mcp.id
  display_name   = "mcp-entra"
}

output "client_secret" {
  value     = azuread_application_password.mcp.value
  sensitive = true
}
"#,
        );
    }
    blocks.push_str(
        r#"
output "client_id" {
  value = azuread_application.mcp.client_id
}

output "tenant_id" {
  value = data.azuread_client_config.current.tenant_id
}
"#,
    );
    blocks
}

fn admin_consent(wanted: &Wanted) -> String {
    let scopes: Vec<String> = wanted.scopes.iter().map(|scope| string(&scope.value)).collect();
    format!(
        r#"
# an administrator's consent, for all users of the tenant
resource "azuread_service_principal_delegated_permission_grant" "mcp" {{
  service_principal_object_id          = azuread_service_principal.mcp.object_id
  resource_service_principal_object_id = azuread_service_principal.mcp.object_id
  claim_values                         = [{}]
}}

data "azuread_service_principal" "graph" {{
  client_id = "00000003-0000-0000-c000-000000000000"
}}

resource "azuread_service_principal_delegated_permission_grant" "graph" {{
  service_principal_object_id          = azuread_service_principal.mcp.object_id
  resource_service_principal_object_id = data.azuread_service_principal.graph.object_id
  claim_values                         = ["openid", "profile", "email", "offline_access"]
}}
"#,
        scopes.join(", ")
    )
}

/// Arguments with their equals signs in one column, as `terraform fmt` has them.
fn attributes(indent: usize, arguments: &[(&str, String)]) -> String {
    let width = arguments.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let line = |(name, value): &(&str, String)| format!("{:indent$}{name:width$} = {value}\n", "");
    arguments.iter().map(line).collect()
}

fn string(text: &str) -> String {
    let escaped = text.replace('\\', r"\\").replace('"', "\\\"");
    format!("\"{}\"", escaped.replace("${", "$${").replace("%{", "%%{"))
}
