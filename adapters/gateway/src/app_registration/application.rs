//! The `application` object of Microsoft Graph: what the check compares with, and the form `json`.

use serde_json::{Map, Value, json};

use super::wanted::{AppPlatform, Wanted, WantedAppRole, WantedScope};

impl Wanted {
    /// The whole object, as Graph takes and shows it. Without a client id, which Entra gives, it
    /// has no `appId` and no default identifier URI either.
    pub(crate) fn application(&self) -> Map<String, Value> {
        let mut application = Map::new();
        let mut add = |name: &str, value: Value| application.insert(name.into(), value);
        if let Some(id) = &self.client_id {
            add("appId", id.as_str().into());
        }
        add("displayName", self.display_name.as_str().into());
        add("signInAudience", self.sign_in_audience().into());
        match (&self.app_id_uri, &self.client_id) {
            (Some(uri), _) => add("identifierUris", json!([uri])),
            (None, Some(id)) => add("identifierUris", json!([format!("api://{id}")])),
            (None, None) => None,
        };
        add("isFallbackPublicClient", self.has_public_clients().into());
        for platform in [AppPlatform::MobileAndDesktop, AppPlatform::Web] {
            add(platform.property(), json!({ "redirectUris": self.redirect_uris_on(platform) }));
        }
        add("api", self.api());
        if !self.app_roles.is_empty() {
            add("appRoles", self.app_roles.iter().map(WantedAppRole::object).collect());
        }
        application
    }

    fn api(&self) -> Value {
        let scopes: Value = self.scopes.iter().map(WantedScope::object).collect();
        let mut api = Map::new();
        api.insert("requestedAccessTokenVersion".into(), 2.into());
        api.insert("oauth2PermissionScopes".into(), scopes);
        if !self.pre_authorized.is_empty() {
            let ids: Vec<String> = self.scopes.iter().map(|scope| scope.id.to_string()).collect();
            let clients = self.pre_authorized.iter();
            let clients: Value = clients
                .map(|id| json!({ "appId": id.as_str(), "delegatedPermissionIds": ids }))
                .collect();
            api.insert("preAuthorizedApplications".into(), clients);
        }
        Value::Object(api)
    }
}

impl WantedScope {
    /// Graph's `permissionScope`.
    pub(crate) fn object(&self) -> Value {
        json!({
            "id": self.id.to_string(),
            "value": self.value,
            "type": "User",
            "isEnabled": true,
            "adminConsentDisplayName": self.admin_consent_display_name,
            "adminConsentDescription": self.admin_consent_description,
            "userConsentDisplayName": self.user_consent_display_name,
            "userConsentDescription": self.user_consent_description,
        })
    }
}

impl WantedAppRole {
    /// Graph's `appRole`.
    pub(crate) fn object(&self) -> Value {
        json!({
            "id": self.id.to_string(),
            "value": self.value,
            "isEnabled": true,
            "allowedMemberTypes": ["Application"],
            "displayName": self.display_name,
            "description": self.description,
        })
    }
}
