//! The form `bicep`: the application object, by the Microsoft Graph extension.

use mcp_entra_core::Tenant;
use serde_json::Value;

use super::serve_command::SECRET_FILE;
use super::wanted::Wanted;
use super::wrap::wrapped;

pub(super) fn bicep(wanted: &Wanted) -> String {
    let resource = wanted.resource.as_deref().unwrap_or_default();
    let mut file = String::new();
    let mut line = |text: &str| {
        file.push_str(text);
        file.push('\n');
    };
    line(&format!("// The app registration of the MCP server {resource}, for mcp-entra."));
    line("// Deploy it with: az deployment group create --resource-group <group> --template-file");
    line(
        "// <this file>. Lists are set as they are here: redirect URIs that were added by hand go.",
    );
    for note in super::notes(wanted) {
        line("//");
        line(wrapped(&note, "// ").trim_end());
    }
    for paragraph in afterwards(wanted) {
        line(&format!("//\n// {}", paragraph.replace('\n', "\n// ")));
    }
    line("\nextension 'br:mcr.microsoft.com/bicep/extensions/microsoftgraph/v1.0:1.0.0'\n");

    let mut application = wanted.application();
    application.remove("appId");
    let object = render(&Value::Object(application), 0);
    let object = object.strip_prefix("{\n").unwrap_or(&object);
    line("resource application 'Microsoft.Graph/applications@v1.0' = {");
    line("  // what the deployment knows it by; it can never be changed");
    line(&format!("  uniqueName: {}", string(&unique_name(wanted))));
    line(object);
    if wanted.tenant != Some(Tenant::Consumers) {
        line(
            "\nresource servicePrincipal 'Microsoft.Graph/servicePrincipals@v1.0' = {
  appId: application.appId
}",
        );
        if wanted.admin_consent {
            line(&admin_consent(wanted));
        }
    }
    line("\noutput clientId string = application.appId");
    line("output tenantId string = tenant().tenantId");
    file
}

/// What Bicep cannot do.
fn afterwards(wanted: &Wanted) -> Vec<String> {
    let mut paragraphs = Vec::new();
    let client_id = wanted.client_id.map_or_else(|| "<clientId>".into(), |id| id.to_string());
    if wanted.client_id.is_none() && wanted.app_id_uri.is_none() {
        paragraphs.push(
            "Once, after the first deployment, give it the Application ID URI; a template cannot\n\
             name the client id that it makes. <clientId> is in the outputs.\n\
             az ad app update --id <clientId> --identifier-uris api://<clientId>\n\
             Then print this file again with --client-id <clientId>."
                .into(),
        );
    }
    if wanted.client_id.is_some() {
        paragraphs.push(format!(
            "If the registration was not made by this file, give it its unique name first:\n\
             az rest --method PATCH --headers Content-Type=application/json \\\n  \
             --uri \"{}/v1.0/applications(appId='{client_id}')\" \\\n  \
             --body '{{\"uniqueName\": \"{}\"}}'\n\
             and keep the ids that its scopes have, or Entra refuses to replace them.",
            wanted.graph(),
            unique_name(wanted),
        ));
    }
    if wanted.needs_secret() {
        paragraphs.push(format!(
            "A template cannot make the client secret that redirect URIs on the Web platform need:\n\
             az ad app credential reset --id {client_id} --append \\\n  \
             --display-name mcp-entra --years 1 --query password --output tsv > {SECRET_FILE}"
        ));
    }
    let resource = wanted.resource.as_deref().unwrap_or_default();
    let secret = wanted.needs_secret().then_some(SECRET_FILE);
    let tenant = wanted.tenant.as_ref().map_or("<tenantId>", Tenant::as_str);
    let command = wanted.serve.render(resource, tenant, &client_id, secret);
    paragraphs.push(format!("Serve with it, --upstream being your MCP server:\n{command}"));
    paragraphs
}

fn admin_consent(wanted: &Wanted) -> String {
    let scopes: Vec<&str> = wanted.scopes.iter().map(|scope| scope.value.as_str()).collect();
    format!(
        "
// an administrator's consent, for all users of the tenant
resource consent 'Microsoft.Graph/oauth2PermissionGrants@v1.0' = {{
  clientId: servicePrincipal.id
  resourceId: servicePrincipal.id
  consentType: 'AllPrincipals'
  scope: {}
}}

resource graph 'Microsoft.Graph/servicePrincipals@v1.0' existing = {{
  appId: '00000003-0000-0000-c000-000000000000'
}}

resource graphConsent 'Microsoft.Graph/oauth2PermissionGrants@v1.0' = {{
  clientId: servicePrincipal.id
  resourceId: graph.id
  consentType: 'AllPrincipals'
  scope: 'openid profile email offline_access'
}}",
        string(&scopes.join(" "))
    )
}

/// Letters, digits and hyphens of the resource.
fn unique_name(wanted: &Wanted) -> String {
    let resource = wanted.resource.as_deref().unwrap_or_default();
    let place = resource.split_once("://").map_or(resource, |(_, place)| place);
    let name = place.replace(|c: char| !c.is_ascii_alphanumeric(), "-");
    format!("mcp-entra-{}", name.trim_matches('-'))
}

/// JSON as Bicep.
fn render(value: &Value, depth: usize) -> String {
    let indent = "  ".repeat(depth);
    match value {
        Value::Object(object) => {
            let members = object
                .iter()
                .map(|(name, value)| format!("{indent}  {name}: {}\n", render(value, depth + 1)));
            format!("{{\n{}{indent}}}", members.collect::<String>())
        }
        Value::Array(list) if list.is_empty() => "[]".into(),
        Value::Array(list) => {
            let items =
                list.iter().map(|value| format!("{indent}  {}\n", render(value, depth + 1)));
            format!("[\n{}{indent}]", items.collect::<String>())
        }
        Value::String(text) => string(text),
        other => other.to_string(),
    }
}

fn string(text: &str) -> String {
    let escaped = text.replace('\\', r"\\").replace('\'', r"\'").replace("${", r"\${");
    format!("'{escaped}'")
}
