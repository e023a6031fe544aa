//! An app registration as it is, in the JSON of Microsoft Graph that `az ad app show` prints.
//!
//! Members that are not known are kept or skipped; what is no registration is refused with what it
//! looks like instead.

use chrono::DateTime;
use mcp_entra_core::{Guid, UnixTime};
use serde_json::{Map, Value};

use super::wanted::AppPlatform;

/// The most octets that are read.
pub(crate) const MAX_LENGTH: usize = 1024 * 1024;

/// An app registration.
#[derive(Clone, Debug)]
pub(crate) struct Registration {
    app_id: Guid,
    object: Map<String, Value>,
}

/// A client secret, whose value Graph does not show.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Secret {
    pub(crate) name: String,
    /// `None` where it has no end that can be read.
    pub(crate) expires: Option<UnixTime>,
    /// The end as Graph writes it.
    pub(crate) end: String,
}

impl Registration {
    /// Reads what `az ad app show` prints, with a byte order mark or in UTF-16 as PowerShell
    /// writes it too.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, RegistrationError> {
        if bytes.len() > MAX_LENGTH {
            return Err(RegistrationError::TooLong);
        }
        let text = decode(bytes).ok_or(RegistrationError::NotText)?;
        if text.trim().is_empty() {
            return Err(RegistrationError::Empty);
        }
        let value = serde_json::from_str(&text)
            .map_err(|error| RegistrationError::NotJson(error.to_string()))?;
        Self::of_value(value)
    }

    pub(crate) fn of_value(value: Value) -> Result<Self, RegistrationError> {
        let object = match value {
            Value::Object(object) => object,
            Value::Array(list) => return Self::of_list(list),
            _ => return Err(RegistrationError::NotARegistration),
        };
        if let Some(Value::Array(list)) = object.get("value") {
            return Self::of_list(list.clone());
        }
        if let Some(error) = object.get("error") {
            let text = |name| error.get(name).and_then(Value::as_str).unwrap_or_default();
            return Err(RegistrationError::GraphError(format!(
                "{}: {}",
                text("code"),
                text("message")
            )));
        }
        if object.contains_key("servicePrincipalType") {
            return Err(RegistrationError::ServicePrincipal);
        }
        if object.contains_key("replyUrlsWithType") || object.contains_key("oauth2Permissions") {
            return Err(RegistrationError::OldManifest);
        }
        let app_id = object.get("appId").and_then(Value::as_str);
        let app_id = app_id.and_then(|id| id.parse().ok());
        let app_id = app_id.ok_or(RegistrationError::NotARegistration)?;
        Ok(Self { app_id, object })
    }

    fn of_list(mut list: Vec<Value>) -> Result<Self, RegistrationError> {
        match (list.len(), list.pop()) {
            (1, Some(only)) if only.is_object() => Self::of_value(only),
            (number, _) => Err(RegistrationError::List(number)),
        }
    }

    /// The application (client) id.
    pub(crate) fn app_id(&self) -> &Guid {
        &self.app_id
    }

    pub(crate) fn display_name(&self) -> &str {
        self.text("displayName").unwrap_or("without a name")
    }

    pub(crate) fn sign_in_audience(&self) -> Option<&str> {
        self.text("signInAudience")
    }

    pub(crate) fn identifier_uris(&self) -> Vec<String> {
        strings(self.object.get("identifierUris"))
    }

    /// `None` for `null`, which stands for version 1.
    pub(crate) fn access_token_version(&self) -> Option<u64> {
        self.api("requestedAccessTokenVersion").and_then(Value::as_u64)
    }

    /// "Allow public client flows".
    pub(crate) fn allows_public_clients(&self) -> bool {
        self.object.get("isFallbackPublicClient").and_then(Value::as_bool).unwrap_or(false)
    }

    pub(crate) fn redirect_uris(&self, platform: AppPlatform) -> Vec<String> {
        strings(self.object.get(platform.property()).and_then(|p| p.get("redirectUris")))
    }

    /// The delegated permissions, with all members that Graph gives them.
    pub(crate) fn scopes(&self) -> Vec<Map<String, Value>> {
        objects(self.api("oauth2PermissionScopes"))
    }

    pub(crate) fn app_roles(&self) -> Vec<Map<String, Value>> {
        objects(self.object.get("appRoles"))
    }

    pub(crate) fn pre_authorized(&self) -> Vec<Map<String, Value>> {
        objects(self.api("preAuthorizedApplications"))
    }

    pub(crate) fn secrets(&self) -> Vec<Secret> {
        let secrets = objects(self.object.get("passwordCredentials"));
        let secret = |secret: Map<String, Value>| {
            let text = |name| secret.get(name).and_then(Value::as_str).unwrap_or_default();
            let end = text("endDateTime").to_owned();
            let seconds = DateTime::parse_from_rfc3339(&end).ok().map(|time| time.timestamp());
            let expires = seconds.map(|seconds| UnixTime(seconds.try_into().unwrap_or(0)));
            Secret { name: text("displayName").into(), expires, end }
        };
        secrets.into_iter().map(secret).collect()
    }

    /// Why Microsoft has disabled it, where it has.
    pub(crate) fn disabled_by_microsoft(&self) -> Option<&str> {
        self.text("disabledByMicrosoftStatus").filter(|status| *status != "NotDisabled")
    }

    /// Whether the authorization endpoint gives access tokens away without a code.
    pub(crate) fn grants_implicitly(&self) -> bool {
        let settings = self.object.get("web").and_then(|web| web.get("implicitGrantSettings"));
        let settings = settings.and_then(|all| all.get("enableAccessTokenIssuance"));
        settings.and_then(Value::as_bool).unwrap_or(false)
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.object.get(name).and_then(Value::as_str)
    }

    fn api(&self, name: &str) -> Option<&Value> {
        self.object.get("api").and_then(|api| api.get(name))
    }
}

/// Why what was read is no app registration.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum RegistrationError {
    #[error("it is empty; if az printed an error, that says why")]
    Empty,
    #[error("it is an error of Microsoft Graph, {0}")]
    GraphError(String),
    #[error(
        "it is a list of {0} registrations; take one of them, by az ad app show --id <client-id>"
    )]
    List(usize),
    #[error(
        "it is not an app registration: there is no appId; take what az ad app show --id \
         <client-id> prints"
    )]
    NotARegistration,
    #[error("it is not JSON ({0}); take what az ad app show --id <client-id> --output json prints")]
    NotJson(String),
    #[error("it is neither UTF-8 nor UTF-16")]
    NotText,
    #[error(
        "it is a manifest in the old format of Azure AD Graph; take the Microsoft Graph one, or \
         what az ad app show --id <client-id> prints"
    )]
    OldManifest,
    #[error(
        "it is a service principal (an enterprise application) and not the app registration; take \
         what az ad app show --id <client-id> prints"
    )]
    ServicePrincipal,
    #[error("it is longer than {MAX_LENGTH} bytes; no app registration is")]
    TooLong,
}

/// UTF-8 or UTF-16, as the byte order mark or the first zero says.
fn decode(bytes: &[u8]) -> Option<String> {
    let utf_16 = |bytes: &[u8], unit: fn([u8; 2]) -> u16| {
        let (pairs, rest) = bytes.as_chunks::<2>();
        let units: Vec<u16> = pairs.iter().copied().map(unit).collect();
        rest.is_empty().then(|| String::from_utf16(&units).ok()).flatten()
    };
    match bytes {
        [0xef, 0xbb, 0xbf, rest @ ..] => String::from_utf8(rest.to_vec()).ok(),
        [0xff, 0xfe, rest @ ..] => utf_16(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => utf_16(rest, u16::from_be_bytes),
        [first, 0, ..] if *first != 0 => utf_16(bytes, u16::from_le_bytes),
        [0, first, ..] if *first != 0 => utf_16(bytes, u16::from_be_bytes),
        _ => String::from_utf8(bytes.to_vec()).ok(),
    }
}

fn strings(value: Option<&Value>) -> Vec<String> {
    let list = value.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    list.iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn objects(value: Option<&Value>) -> Vec<Map<String, Value>> {
    let list = value.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    list.iter().filter_map(Value::as_object).cloned().collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::app_registration) fn registration(object: &Value) -> Registration {
        Registration::parse(object.to_string().as_bytes()).unwrap()
    }

    const LITTLE: &str = r#"{"appId":"99999999-8888-4777-8666-555555555555","displayName":"Nöte"}"#;

    #[test]
    fn in_every_encoding_that_a_shell_writes() {
        let utf_16: Vec<u16> = LITTLE.encode_utf16().collect();
        let little: Vec<u8> = utf_16.iter().flat_map(|unit| unit.to_le_bytes()).collect();
        let big: Vec<u8> = utf_16.iter().flat_map(|unit| unit.to_be_bytes()).collect();
        for bytes in [
            LITTLE.as_bytes().to_vec(),
            [&[0xef, 0xbb, 0xbf], LITTLE.as_bytes()].concat(),
            [&[0xff, 0xfe], &*little].concat(),
            [&[0xfe, 0xff], &*big].concat(),
            little,
            big,
            format!("[{LITTLE}]").into_bytes(),
            format!(r#"{{"value":[{LITTLE}]}}"#).into_bytes(),
        ] {
            let read = Registration::parse(&bytes).unwrap();
            assert_eq!(read.display_name(), "Nöte");
        }
        assert_eq!(Registration::parse(b"\xff\xfea").unwrap_err(), RegistrationError::NotText);
        assert_eq!(Registration::parse(b"\"\xff\"").unwrap_err(), RegistrationError::NotText);
    }

    #[test]
    fn what_is_no_registration_is_named_for_what_it_is() {
        use RegistrationError as E;
        let refused = |text: &str| Registration::parse(text.as_bytes()).unwrap_err();
        assert_eq!(refused(" \n"), E::Empty);
        assert!(matches!(refused("ERROR: Please run 'az login'"), E::NotJson(_)));
        assert_eq!(refused("[]"), E::List(0));
        assert_eq!(refused(&format!("[{LITTLE},{LITTLE}]")), E::List(2));
        assert_eq!(refused(r#"{"appId":7}"#), E::NotARegistration);
        assert_eq!(refused(r#"{"issuer":"https://h"}"#), E::NotARegistration);
        assert_eq!(refused("7"), E::NotARegistration);
        assert_eq!(
            refused(r#"{"appId":"x","servicePrincipalType":"Application"}"#),
            E::ServicePrincipal
        );
        assert_eq!(refused(r#"{"appId":"x","replyUrlsWithType":[]}"#), E::OldManifest);
        assert_eq!(
            refused(r#"{"error":{"code":"Request_ResourceNotFound","message":"No such"}}"#),
            E::GraphError("Request_ResourceNotFound: No such".into())
        );
        assert_eq!(refused(&" ".repeat(MAX_LENGTH + 1)), E::TooLong);
    }

    #[test]
    fn members_of_another_type_are_as_if_they_were_not_there() {
        let odd = r#"{"appId":"99999999-8888-4777-8666-555555555555","web":7,"spa":null,
            "publicClient":{"redirectUris":[null,"a"]},"api":[],"appRoles":{},"identifierUris":"x",
            "passwordCredentials":null,"displayName":null,"isFallbackPublicClient":"yes"}"#;
        let read = Registration::parse(odd.as_bytes()).unwrap();
        assert_eq!(read.redirect_uris(AppPlatform::MobileAndDesktop), ["a"]);
        assert!(read.redirect_uris(AppPlatform::Web).is_empty() && read.scopes().is_empty());
        assert!(read.secrets().is_empty() && !read.allows_public_clients());
        assert_eq!((read.access_token_version(), read.display_name()), (None, "without a name"));
    }
}
