//! One directory for all refusals.

use mcp_entra_stand_in::{
    Application, EntraStandIn, PasswordCredential, PermissionScope, Platform,
};

pub(crate) const SERVER: &str = "https://mcp.example/mcp";
pub(crate) const SPA: &str = "https://spa.example/cb";
pub(crate) const OTHER: &str = "33333333-0000-4000-8000-000000000002";

/// One application for all rows: client and API, every platform, one disabled scope, a good and an expired secret.
pub(crate) fn app() -> Application {
    let mut app = Application::example()
        .with_secret("good")
        .with_redirect_uri(Platform::Spa, SPA)
        .with_redirect_uri(Platform::Public, "http://[::1]/callback")
        .with_identifier_uri(SERVER);
    app.password_credentials.push(PasswordCredential {
        secret_text: Some("old".into()),
        end_date_time: Some("2020-01-01T00:00:00Z".into()),
        ..Default::default()
    });
    let scope = PermissionScope { value: "off".into(), is_enabled: false, ..Default::default() };
    app.api.oauth2_permission_scopes.push(scope);
    app
}

pub(crate) async fn start() -> EntraStandIn {
    let mut other = Application::new(OTHER);
    other.identifier_uris.push("api://other".into());
    other
        .api
        .oauth2_permission_scopes
        .push(PermissionScope { value: "read".into(), ..Default::default() });
    EntraStandIn::builder().application(app()).application(other).start().await.expect("a port")
}
