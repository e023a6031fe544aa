//! The form `az`: a bash script of Azure CLI commands.
//!
//! It can be run again at any time: what is there and not known to it stays, permissions keep the
//! ids that they have, and so nothing that is enabled is replaced, which Graph refuses. The Azure
//! CLI itself merges, by JMESPath, so that no other tool is needed. It can be pasted too: it is one
//! subshell, and has no `!` for which an interactive bash would look into its history.

use mcp_entra_core::Tenant;
use serde_json::{Value, json};

use super::mend::quoted;
use super::serve_command::SECRET_FILE;
use super::wanted::{AppPlatform, Wanted};
use super::wrap::wrapped;

/// Microsoft Graph's own application id, the owner of the OpenID Connect scopes.
const GRAPH_APP_ID: &str = "00000003-0000-0000-c000-000000000000";

pub(super) fn az(wanted: &Wanted) -> String {
    let mut script = Script::default();
    script.head(wanted);
    script.application(wanted);
    script.properties(wanted);
    script.pre_authorized(wanted);
    script.service_principal(wanted);
    script.secret(wanted);
    script.admin_consent(wanted);
    script.tail(wanted);
    script.0
}

#[derive(Default)]
struct Script(String);

impl Script {
    fn line(&mut self, line: &str) {
        self.0.push_str(line);
        self.0.push('\n');
    }

    fn head(&mut self, wanted: &Wanted) {
        let resource = wanted.resource.as_deref().unwrap_or_default();
        self.line(&format!("# The app registration of the MCP server {resource}, for mcp-entra."));
        self.line(
            "# It needs the Azure CLI, signed in as somebody who may register applications, and",
        );
        self.line(
            "# may be run again: it adds what is missing, moves what is on the wrong platform",
        );
        self.line("# and takes nothing else away.");
        for note in super::notes(wanted) {
            self.line("#");
            self.0.push_str(&wrapped(&note, "# "));
        }
        self.line("(");
        self.line("set -euo pipefail\n");
        self.line(&format!("graph={}", wanted.graph()));
        if let Some(cloud) = cloud(wanted) {
            self.line(&format!(
                r#"if [ "$(az cloud show --query name --output tsv)" != {cloud} ]; then
    echo "az is set to another cloud; set it to the right one with" >&2
    echo "az cloud set --name {cloud}" >&2
    exit 1
fi"#
            ));
        }
        if matches!(&wanted.tenant, None | Some(Tenant::Id(_))) {
            self.line("tenant=$(az account show --query tenantId --output tsv)");
        }
        if let Some(Tenant::Id(id)) = &wanted.tenant {
            self.line(&format!(
                r#"if [ "$tenant" != {id} ]; then
    echo "az is signed in to tenant $tenant; sign in to the right one with" >&2
    echo "az login --allow-no-subscriptions --tenant {id}" >&2
    exit 1
fi"#
            ));
        }
    }

    /// The registration itself, by its client id or else by its name.
    fn application(&mut self, wanted: &Wanted) {
        self.line("\n# 1. the registration");
        if let Some(id) = &wanted.client_id {
            self.line(&format!("client_id={id}"));
            self.line("az ad app show --id \"$client_id\" --output none");
            return;
        }
        let name = quoted(&wanted.display_name);
        let body = json!({
            "displayName": wanted.display_name,
            "signInAudience": wanted.sign_in_audience(),
            "api": { "requestedAccessTokenVersion": 2 },
        });
        let body = quoted(&body.to_string());
        self.line(&format!(
            r#"name={name}
client_id=$(az ad app list --filter "displayName eq '$name'" --query '[].appId' --output tsv)
case $client_id in
*[[:space:]]*)
    echo "there are several registrations of the name '$name'; choose one with --client-id:" >&2
    echo "$client_id" >&2
    exit 1
    ;;
'')
    client_id=$(az rest --method POST --uri "$graph/v1.0/applications" \
        --headers Content-Type=application/json --query appId --output tsv \
        --body {body})
    # it takes a while until every part of Entra knows it
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        if az ad app show --id "$client_id" --output none 2>/dev/null; then break; fi
        sleep 3
    done
    ;;
esac"#
        ));
    }

    /// Everything that one PATCH sets: what is there, and what is missing.
    fn properties(&mut self, wanted: &Wanted) {
        self.line("\n# 2. its properties: what it has, with what is missing");
        for (name, platform) in
            [("web", AppPlatform::Web), ("native", AppPlatform::MobileAndDesktop)]
        {
            self.line(&format!("{name}={}", literal(&json!(wanted.redirect_uris_on(platform)))));
        }
        let mut scopes = Vec::new();
        for (number, scope) in wanted.scopes.iter().enumerate() {
            let variable = format!("scope_{number}");
            self.line(&format!("{variable}={}", literal(&scope.object())));
            let usable = match wanted.admin_consent {
                true => json!({ "isEnabled": true }),
                false => json!({ "isEnabled": true, "type": "User" }),
            };
            let present = "api.oauth2PermissionScopes";
            scopes.push(merged(present, &scope.value, &variable, &usable));
        }
        let mut roles = Vec::new();
        for (number, role) in wanted.app_roles.iter().enumerate() {
            let variable = format!("role_{number}");
            self.line(&format!("{variable}={}", literal(&role.object())));
            let usable = json!({ "isEnabled": true });
            roles.push(merged("appRoles", &role.value, &variable, &usable));
        }

        let uri = match &wanted.app_id_uri {
            Some(uri) => raw_string(uri),
            None => "join('', ['api://', appId])".into(),
        };
        let names = |names: Vec<&String>| in_query(&json!(names));
        let scope_names = names(wanted.scopes.iter().map(|scope| &scope.value).collect());
        let unwanted = r"?contains([\`$web\`, \`$native\`][], @) == \`false\`";
        let mut query = format!(
            r"signInAudience: '{audience}',
    isFallbackPublicClient: \`{public}\`,
    identifierUris: contains(identifierUris, {uri}) && identifierUris
        || [identifierUris, [{uri}]][],
    web: {{redirectUris: [web.redirectUris[{unwanted}], \`$web\`][]}},
    spa: {{redirectUris: spa.redirectUris[{unwanted}] || \`[]\`}},
    publicClient: {{redirectUris: [publicClient.redirectUris[{unwanted}], \`$native\`][]}},
    api: {{
        requestedAccessTokenVersion: \`2\`,
        oauth2PermissionScopes: [
            api.oauth2PermissionScopes[?contains({scope_names}, value) == \`false\`],
            [
                {scopes}
            ]
        ][]
    }}",
            audience = wanted.sign_in_audience(),
            public = wanted.has_public_clients(),
            scopes = scopes.join(",\n                "),
        );
        if !roles.is_empty() {
            let role_names = names(wanted.app_roles.iter().map(|role| &role.value).collect());
            query.push_str(&format!(
                r",
    appRoles: [
        appRoles[?contains({role_names}, value) == \`false\`],
        [
            {roles}
        ]
    ][]",
                roles = roles.join(",\n            "),
            ));
        }
        self.line(&format!(
            "body=$(az ad app show --id \"$client_id\" --output json --query \"{{\n    {query}\n}}\")"
        ));
        self.patch();
    }

    fn patch(&mut self) {
        self.line(
            r#"az rest --method PATCH --uri "$graph/v1.0/applications(appId='$client_id')" \
    --headers Content-Type=application/json --body "$body""#,
        );
    }

    /// After the scopes, whose ids they name.
    fn pre_authorized(&mut self, wanted: &Wanted) {
        if wanted.pre_authorized.is_empty() {
            return;
        }
        let ids: Vec<&str> = wanted.pre_authorized.iter().map(|id| id.as_str()).collect();
        let values: Vec<&String> = wanted.scopes.iter().map(|scope| &scope.value).collect();
        let values = in_query(&json!(values));
        let clients = ids.iter().map(|id| {
            format!(
                "{{appId: '{id}', delegatedPermissionIds: \
                 api.oauth2PermissionScopes[?contains({values}, value)].id}}"
            )
        });
        let clients: Vec<String> = clients.collect();
        self.line("\n# clients with registrations of their own, which need no consent");
        self.line(&format!(
            r#"body=$(az ad app show --id "$client_id" --output json --query "{{
    api: {{
        preAuthorizedApplications: [
            api.preAuthorizedApplications[?contains({ids}, appId) == \`false\`],
            [
                {clients}
            ]
        ][]
    }}
}}")"#,
            ids = in_query(&json!(ids)),
            clients = clients.join(",\n                "),
        ));
        self.patch();
    }

    /// Personal accounts alone need none.
    fn service_principal(&mut self, wanted: &Wanted) {
        if wanted.tenant == Some(Tenant::Consumers) {
            return;
        }
        self.line("\n# 3. the enterprise application: the registration's presence in the tenant");
        self.line(
            r#"az ad sp show --id "$client_id" --output none 2>/dev/null ||
    az ad sp create --id "$client_id" --output none"#,
        );
    }

    fn secret(&mut self, wanted: &Wanted) {
        if !wanted.needs_secret() {
            return;
        }
        self.line("\n# 4. a client secret, for the redirect URIs on the Web platform");
        self.line(&format!(
            r#"secret_file=${{MCP_ENTRA_CLIENT_SECRET_FILE:-{SECRET_FILE}}}
secrets=$(az ad app show --id "$client_id" --output tsv \
    --query "length(passwordCredentials[?displayName=='mcp-entra'])")
if [ "$secrets" = 0 ]; then
    (
        umask 077
        az ad app credential reset --id "$client_id" --append --display-name mcp-entra --years 1 \
            --query password --output tsv >"$secret_file"
    )
elif [ ! -s "$secret_file" ]; then
    echo "there is a secret 'mcp-entra', but it is not in $secret_file and Entra shows it once only;" >&2
    echo "put it there, or delete it in the portal and run this again" >&2
fi"#
        ));
    }

    /// For the API's scopes and for the OpenID Connect ones, which are Microsoft Graph's.
    fn admin_consent(&mut self, wanted: &Wanted) {
        if !wanted.admin_consent {
            return;
        }
        let scopes: Vec<&str> = wanted.scopes.iter().map(|scope| scope.value.as_str()).collect();
        self.line("\n# 5. an administrator's consent, for all users of the tenant");
        self.line(&format!(
            r#"client=$(az ad sp show --id "$client_id" --query id --output tsv)
consent() {{
    local api=$1 scopes=$2 tab=$'\t' filter grants held scope
    filter="clientId eq '$client' and resourceId eq '$api' and consentType eq 'AllPrincipals'"
    grants=$(az rest --uri "$graph/v1.0/oauth2PermissionGrants" --url-parameters "\$filter=$filter" \
        --query 'value[].[id, scope]' --output tsv)
    if [ -z "$grants" ]; then
        az rest --method POST --uri "$graph/v1.0/oauth2PermissionGrants" --output none \
            --headers Content-Type=application/json --body "{{\"clientId\": \"$client\", \
\"resourceId\": \"$api\", \"consentType\": \"AllPrincipals\", \"scope\": \"$scopes\"}}"
    else
        held=${{grants#*"$tab"}}
        for scope in $scopes; do
            case " $held " in
            *" $scope "*) ;;
            *) held="$held $scope" ;;
            esac
        done
        az rest --method PATCH --uri "$graph/v1.0/oauth2PermissionGrants/${{grants%%"$tab"*}}" \
            --headers Content-Type=application/json --body "{{\"scope\": \"$held\"}}"
    fi
}}
consent "$client" {scopes}
consent "$(az ad sp show --id {GRAPH_APP_ID} --query id --output tsv)" \
    'openid profile email offline_access'"#,
            scopes = quoted(&scopes.join(" ")),
        ));
    }

    fn tail(&mut self, wanted: &Wanted) {
        let resource = wanted.resource.as_deref().unwrap_or_default();
        let secret = wanted.needs_secret().then_some("\u{1}secret_file");
        let tenant = wanted.tenant.as_ref().map_or("\u{1}tenant", Tenant::as_str);
        let command = wanted.serve.render(resource, tenant, "\u{1}client_id", secret);
        // the here-document expands three variables and nothing else
        let command = command.replace('\\', r"\\").replace('$', r"\$").replace('`', r"\`");
        let command = command.replace('\u{1}', "$");
        self.line("\ncat <<SERVE");
        self.line("The registration is there. Serve with it, --upstream being your MCP server:\n");
        self.line(&command);
        self.line("SERVE");
        self.line(")");
    }
}

/// What the Azure CLI calls a cloud that is not the public one.
fn cloud(wanted: &Wanted) -> Option<&'static str> {
    match wanted.graph() {
        "https://graph.microsoft.us" => Some("AzureUSGovernment"),
        "https://microsoftgraph.chinacloudapi.cn" => Some("AzureChinaCloud"),
        _ => None,
    }
}

/// A permission of this name as it is, or else the new one; usable in any case.
fn merged(list: &str, value: &str, variable: &str, usable: &Value) -> String {
    let value = raw_string(value);
    let usable = in_query(usable);
    format!(r"merge(\`${variable}\`, {list}[?value=={value}] | [0] || \`{{}}\`, {usable})")
}

/// JSON as a variable of the script, to stand between backticks in a query.
fn literal(value: &Value) -> String {
    let json = serde_json::to_string_pretty(value).unwrap_or_default();
    quoted(&json.replace('`', r"\u0060"))
}

/// A JSON literal in a query that stands in double quotes.
fn in_query(value: &Value) -> String {
    let json = value.to_string().replace('`', r"\u0060");
    format!(r"\`{}\`", in_double_quotes(&json))
}

/// A raw string of JMESPath in a query that stands in double quotes.
fn raw_string(text: &str) -> String {
    in_double_quotes(&format!("'{}'", text.replace('\\', r"\\").replace('\'', r"\'")))
}

fn in_double_quotes(text: &str) -> String {
    let mut escaped = String::new();
    for character in text.chars() {
        if matches!(character, '\\' | '"' | '$' | '`') {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}
