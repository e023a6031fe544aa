//! The form `portal`: the steps in the Entra admin center, for people.

use mcp_entra_core::Tenant;

use super::serve_command::SECRET_FILE;
use super::wanted::{AppPlatform, Wanted};
use super::wrap::wrapped;

pub(super) fn portal(wanted: &Wanted) -> String {
    let mut steps = Steps::default();
    steps.registration(wanted);
    steps.api(wanted);
    steps.authentication(wanted);
    steps.secret(wanted);
    steps.roles_and_consent(wanted);
    steps.serve(wanted);
    let resource = wanted.resource.as_deref().unwrap_or_default();
    let mut page = format!(
        "The app registration of {resource}, in the Entra admin center\n\
         (https://{}), under Entra ID > App registrations.\n",
        admin_center(wanted)
    );
    for (number, (blade, lines)) in steps.0.iter().enumerate() {
        page.push_str(&format!("\n{:2}. {blade}\n", number + 1));
        for line in lines {
            page.push_str(format!("    {line}").trim_end());
            page.push('\n');
        }
    }
    let notes = super::notes(wanted);
    if !notes.is_empty() {
        page.push_str("\nClients with more to see to\n");
        notes.iter().for_each(|note| page.push_str(&format!("\n{}", wrapped(note, "    "))));
    }
    page
}

#[derive(Default)]
struct Steps(Vec<(&'static str, Vec<String>)>);

impl Steps {
    fn add(&mut self, blade: &'static str, lines: Vec<String>) {
        self.0.push((blade, lines));
    }

    fn registration(&mut self, wanted: &Wanted) {
        if let Some(id) = &wanted.client_id {
            return self.add(
                "All applications",
                vec![format!("Open the one whose Application (client) ID is {id}.")],
            );
        }
        let accounts = match wanted.sign_in_audience() {
            "AzureADMultipleOrgs" => "Multiple Entra ID tenants",
            "AzureADandPersonalMicrosoftAccount" => {
                "Any Entra ID tenant + personal Microsoft accounts"
            }
            "PersonalMicrosoftAccount" => "Personal accounts only",
            _ => "Single tenant only",
        };
        self.add(
            "New registration",
            vec![
                format!("Name                     {}", wanted.display_name),
                format!("Supported account types  {accounts}"),
                "Redirect URI             leave it empty".into(),
                "Note the client ID and the tenant ID that the Overview shows then.".into(),
            ],
        );
    }

    fn api(&mut self, wanted: &Wanted) {
        let uri = match (&wanted.app_id_uri, &wanted.client_id) {
            (Some(uri), _) => uri.clone(),
            (None, Some(id)) => format!("api://{id}"),
            (None, None) => "api://<client-id>, which is suggested".into(),
        };
        let mut lines = vec![format!("Application ID URI > Add: {uri}"), String::new()];
        for scope in &wanted.scopes {
            lines.extend([
                "Add a scope".into(),
                format!("    Scope name       {}", scope.value),
                "    Who can consent  Admins and users".into(),
                "    State            Enabled".into(),
                "    Admin consent display name and description".into(),
                format!("        {}", scope.admin_consent_display_name),
            ]);
            let description = wrapped(&scope.admin_consent_description, "        ");
            lines.extend(description.lines().map(str::to_owned));
            lines.push(String::new());
        }
        for client in &wanted.pre_authorized {
            lines.push(format!("Add a client application: {client}, with every scope"));
        }
        if lines.last().is_some_and(String::is_empty) {
            lines.pop();
        }
        self.add("Expose an API", lines);
    }

    fn authentication(&mut self, wanted: &Wanted) {
        let desktop = wanted.redirect_uris_on(AppPlatform::MobileAndDesktop);
        let (by_ip, by_form): (Vec<&str>, Vec<&str>) =
            desktop.into_iter().partition(|uri| uri.starts_with("http://127.0.0.1"));
        if !by_form.is_empty() {
            let mut lines = vec!["Custom redirect URIs:".to_owned()];
            lines.extend(by_form.iter().map(|uri| format!("    {uri}")));
            self.add("Authentication > Add a platform > Mobile and desktop applications", lines);
        }
        let web = wanted.redirect_uris_on(AppPlatform::Web);
        if !web.is_empty() {
            self.add(
                "Authentication > Add a platform > Web",
                web.into_iter().map(str::to_owned).collect(),
            );
        }
        let mut manifest = vec!["\"requestedAccessTokenVersion\": 2, in \"api\"".to_owned()];
        if !by_ip.is_empty() {
            manifest.extend([
                String::new(),
                "In \"redirectUris\" of \"publicClient\", since the form may not take them:".into(),
            ]);
            manifest.extend(by_ip.iter().map(|uri| format!("    \"{uri}\",")));
        }
        self.add("Manifest", manifest);
        if wanted.has_public_clients() {
            self.add("Authentication > Settings", vec!["Allow public client flows: Yes".into()]);
        }
    }

    fn secret(&mut self, wanted: &Wanted) {
        if wanted.needs_secret() {
            self.add(
                "Certificates & secrets > New client secret",
                vec![
                    format!("Copy its Value, which is shown once, into the file {SECRET_FILE}."),
                    "Only clients on the Web platform need it.".into(),
                ],
            );
        }
    }

    fn roles_and_consent(&mut self, wanted: &Wanted) {
        for role in &wanted.app_roles {
            self.add(
                "App roles > Create app role",
                vec![
                    format!("Display name, Value   {}", role.value),
                    "Allowed member types  Applications".into(),
                    format!("Description           {}", role.description),
                ],
            );
        }
        if wanted.admin_consent {
            self.add(
                "API permissions > Add a permission > APIs my organization uses",
                vec![
                    format!(
                        "Choose {}, Delegated permissions, and every scope;",
                        wanted.display_name
                    ),
                    "then Microsoft Graph's openid, profile, email and offline_access;".into(),
                    "then Grant admin consent.".into(),
                ],
            );
        }
    }

    fn serve(&mut self, wanted: &Wanted) {
        let resource = wanted.resource.as_deref().unwrap_or_default();
        let secret = wanted.needs_secret().then_some(SECRET_FILE);
        let tenant = wanted.tenant.as_ref().map_or("<tenant-id>", Tenant::as_str);
        let client_id = wanted.client_id.map_or_else(|| "<client-id>".into(), |id| id.to_string());
        let command = wanted.serve.render(resource, tenant, &client_id, secret);
        self.add(
            "Serve with it, --upstream being your MCP server",
            command.lines().map(str::to_owned).collect(),
        );
    }
}

fn admin_center(wanted: &Wanted) -> &'static str {
    match wanted.graph() {
        "https://graph.microsoft.us" => "entra.microsoft.us",
        "https://microsoftgraph.chinacloudapi.cn" => "entra.microsoftonline.cn",
        _ => "entra.microsoft.com",
    }
}
