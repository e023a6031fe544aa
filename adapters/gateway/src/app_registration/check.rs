//! An app registration against what is wanted: every difference, with what mends it.
//!
//! Each mend sets a property to its final value, all differences of that property mended, and so
//! they can be carried out alone or together, in any order.

use mcp_entra_core::UnixTime;
use serde_json::{Value, json};

use super::mend::Mend;
use super::registration::Registration;
use super::wanted::Wanted;
use super::{permissions, redirect_uris};

/// Seconds before the end of a secret at which it is mentioned.
const SOON: u64 = 30 * 24 * 60 * 60;

/// One thing in which a registration is not what is wanted.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Difference {
    pub(crate) weight: Weight,
    /// The property, as Graph calls it.
    pub(crate) setting: &'static str,
    /// What of it is meant: the values that are wrong, or those that are missing.
    pub(crate) values: Vec<String>,
    /// What is the matter and what comes of it.
    pub(crate) problem: String,
    /// Where it is in the portal.
    pub(crate) blade: &'static str,
    /// `None` where somebody has to decide.
    pub(crate) mend: Option<Mend>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Weight {
    /// Sign-ins fail by it, or will.
    Fault,
    /// To be looked at by somebody who knows why it is there.
    Note,
}

/// Every difference, faults first.
pub(crate) fn check(
    registration: &Registration,
    wanted: &Wanted,
    now: UnixTime,
) -> Vec<Difference> {
    let mut differences = identity(registration, wanted);
    differences.extend(redirect_uris::check(registration, wanted));
    differences.extend(public_client_flows(registration, wanted));
    differences.extend(secret(registration, wanted, now));
    differences.extend(token_version(registration));
    differences.extend(permissions::check(registration, wanted));
    differences.sort_by_key(|difference| difference.weight == Weight::Note);
    differences
}

impl Difference {
    pub(crate) fn fault(
        setting: &'static str,
        values: Vec<String>,
        blade: &'static str,
        problem: impl Into<String>,
    ) -> Self {
        Self { weight: Weight::Fault, setting, values, problem: problem.into(), blade, mend: None }
    }

    pub(crate) fn note(
        setting: &'static str,
        values: Vec<String>,
        blade: &'static str,
        problem: impl Into<String>,
    ) -> Self {
        Self { weight: Weight::Note, ..Self::fault(setting, values, blade, problem) }
    }

    /// Mended by setting these properties of the application.
    pub(crate) fn set(self, properties: Value) -> Self {
        Self { mend: Some(Mend::Set(properties)), ..self }
    }
}

/// Which registration it is, and whom it lets in.
fn identity(registration: &Registration, wanted: &Wanted) -> Vec<Difference> {
    let mut differences = Vec::new();
    let app_id = registration.app_id();
    if wanted.client_id.is_some_and(|wanted| wanted != *app_id) {
        differences.push(Difference::fault(
            "appId",
            vec![app_id.to_string()],
            "Overview",
            "this is the registration of another client id than --client-id",
        ));
    }
    if let Some(status) = registration.disabled_by_microsoft() {
        differences.push(Difference::fault(
            "disabledByMicrosoftStatus",
            vec![status.into()],
            "Overview",
            "Microsoft has disabled this application; only its support can enable it",
        ));
    }
    let audience = registration.sign_in_audience().unwrap_or("AzureADMyOrg");
    if let Some(tenant) = wanted.tenant.as_ref().filter(|_| audience != wanted.sign_in_audience()) {
        let right = wanted.sign_in_audience();
        differences.push(
            Difference::fault(
                "signInAudience",
                vec![audience.into()],
                "Authentication > Supported accounts",
                format!("the tenant '{tenant}' asks for {right}"),
            )
            .set(json!({ "signInAudience": right })),
        );
    }
    let mut uris = registration.identifier_uris();
    let uri = wanted.identifier_uri(app_id.as_str());
    if !uris.contains(&uri) {
        let others = match uris.as_slice() {
            [] => "there is none".to_owned(),
            [other] => format!("it is {other}, for which --app-id-uri could be given instead"),
            others => format!("there are others: {}", others.join(", ")),
        };
        uris.push(uri.clone());
        differences.push(
            Difference::fault(
                "identifierUris",
                vec![uri],
                "Expose an API > Application ID URI",
                format!(
                    "the URI by which scopes are asked for is missing (AADSTS500011); {others}"
                ),
            )
            .set(json!({ "identifierUris": uris })),
        );
    }
    differences
}

fn public_client_flows(registration: &Registration, wanted: &Wanted) -> Option<Difference> {
    let needed = wanted.has_public_clients() && !registration.allows_public_clients();
    needed.then(|| {
        Difference::fault(
            "isFallbackPublicClient",
            vec!["false".into()],
            "Authentication > Allow public client flows",
            "clients with loopback and private-scheme redirect URIs have no secret, and Entra may \
             ask for one (AADSTS7000218)",
        )
        .set(json!({ "isFallbackPublicClient": true }))
    })
}

fn secret(registration: &Registration, wanted: &Wanted, now: UnixTime) -> Option<Difference> {
    const SETTING: &str = "passwordCredentials";
    const BLADE: &str = "Certificates & secrets > Client secrets";

    if !wanted.needs_secret() {
        return None;
    }
    let secrets = registration.secrets();
    let valid = |until: u64| {
        let later = secrets.iter().any(|s| s.expires.is_none_or(|end| end.0 > until));
        later.then_some(())
    };
    let ends = || secrets.iter().map(|s| format!("{} until {}", s.name, s.end)).collect();
    let difference = if secrets.is_empty() {
        Difference::fault(
            SETTING,
            Vec::new(),
            BLADE,
            "there is no client secret, which redirect URIs on the Web platform need \
             (AADSTS7000218)",
        )
    } else if valid(now.0).is_none() {
        Difference::fault(
            SETTING,
            ends(),
            BLADE,
            "no client secret is valid any more (AADSTS7000222)",
        )
    } else if valid(now.0 + SOON).is_none() {
        Difference::note(SETTING, ends(), BLADE, "the last client secret ends within 30 days")
    } else {
        return None;
    };
    Some(Difference { mend: Some(Mend::NewSecret), ..difference })
}

fn token_version(registration: &Registration) -> Option<Difference> {
    let version = registration.access_token_version();
    (version != Some(2)).then(|| {
        Difference::fault(
            "api.requestedAccessTokenVersion",
            vec![version.map_or_else(|| "null".into(), |version| version.to_string())],
            "Manifest > requestedAccessTokenVersion",
            "access tokens are of version 1, whose issuer and audience differ; it should be 2",
        )
        .set(json!({ "api": { "requestedAccessTokenVersion": 2 } }))
    })
}

#[cfg(test)]
pub(super) mod tests {
    use mcp_entra_core::known_client::KNOWN_CLIENTS;
    use mcp_entra_core::{Options, Settings};

    use super::*;
    use crate::app_registration::registration::tests::registration;

    /// 2026-11-25
    pub(in crate::app_registration) const NOW: UnixTime = UnixTime(1_795_564_800);

    pub(in crate::app_registration) fn wanted() -> Wanted {
        let settings = Settings::parse(&Options {
            resource: "https://mcp.example.com/mcp".into(),
            tenant: "contoso.com".into(),
            client_id: "99999999-8888-4777-8666-555555555555".into(),
            operation_scopes: vec!["tools/call=mcp.write".into()],
            app_roles: vec!["Mcp.Call".into()],
            ..Options::default()
        });
        let clients: Vec<_> = KNOWN_CLIENTS.iter().collect();
        let pre_authorized = vec!["04b07795-8ddb-461a-bbee-02f9e1bf7b46".parse().unwrap()];
        Wanted { pre_authorized, ..Wanted::new(&settings.unwrap(), &clients) }
    }

    /// The registration that is wanted, with a secret.
    pub(in crate::app_registration) fn right() -> Value {
        let mut right = Value::Object(wanted().application());
        merge(
            &mut right,
            &json!({ "passwordCredentials":
                [{ "displayName": "mcp-entra", "endDateTime": "2027-11-25T00:00:00.123Z" }] }),
        );
        right
    }

    /// As Graph's PATCH: objects are merged, everything else is replaced.
    fn merge(target: &mut Value, patch: &Value) {
        match (target, patch) {
            (Value::Object(target), Value::Object(patch)) => {
                for (name, value) in patch {
                    merge(target.entry(name).or_insert(Value::Null), value);
                }
            }
            (target, patch) => *target = patch.clone(),
        }
    }

    pub(in crate::app_registration) fn differences(object: &Value) -> Vec<Difference> {
        check(&registration(object), &wanted(), NOW)
    }

    #[test]
    fn what_is_printed_is_right() {
        assert_eq!(differences(&right()), []);
    }

    #[test]
    fn each_breakage_is_named_alone_and_its_mend_mends_it() {
        let without = |pointer: &str, unwanted: &str| {
            let list = right().pointer(pointer).and_then(Value::as_array).cloned().unwrap();
            let text = |item: &Value| item.get("value").unwrap_or(item).as_str() == Some(unwanted);
            let left: Value = list.iter().filter(|item| !text(item)).cloned().collect();
            assert_ne!(left.as_array().map(Vec::len), Some(list.len()), "{unwanted}");
            left
        };
        let with = |pointer: &str, more: &str| {
            let mut list = right().pointer(pointer).and_then(Value::as_array).cloned().unwrap();
            list.push(more.into());
            Value::from(list)
        };
        let scope = |change: Value| {
            let mut scopes = right()["api"]["oauth2PermissionScopes"].clone();
            merge(&mut scopes[0], &change);
            json!({ "api": { "oauth2PermissionScopes": scopes } })
        };
        let role = |change: Value| {
            let mut roles = right()["appRoles"].clone();
            merge(&mut roles[0], &change);
            json!({ "appRoles": roles })
        };
        let (web, native) = ("/web/redirectUris", "/publicClient/redirectUris");
        let claude = "https://claude.ai/api/mcp/auth_callback";
        let vscode = "http://127.0.0.1:33418/";
        let cases = [
            (
                "signInAudience",
                "AzureADMultipleOrgs",
                json!({ "signInAudience": "AzureADMultipleOrgs" }),
            ),
            (
                "identifierUris",
                "api://99999999-8888-4777-8666-555555555555",
                json!({ "identifierUris": ["api://notes"] }),
            ),
            ("isFallbackPublicClient", "false", json!({ "isFallbackPublicClient": null })),
            (
                "api.requestedAccessTokenVersion",
                "null",
                json!({ "api": { "requestedAccessTokenVersion": null } }),
            ),
            (
                "api.requestedAccessTokenVersion",
                "1",
                json!({ "api": { "requestedAccessTokenVersion": 1 } }),
            ),
            (
                "api.oauth2PermissionScopes",
                "mcp.write",
                json!({ "api": {
                    "oauth2PermissionScopes": without("/api/oauth2PermissionScopes", "mcp.write")
                } }),
            ),
            ("api.oauth2PermissionScopes", "access_as_user", scope(json!({ "isEnabled": false }))),
            ("api.oauth2PermissionScopes", "access_as_user", scope(json!({ "type": "Admin" }))),
            ("appRoles", "Mcp.Call", json!({ "appRoles": [] })),
            ("appRoles", "Mcp.Call", role(json!({ "isEnabled": false }))),
            ("appRoles", "Mcp.Call", role(json!({ "allowedMemberTypes": ["User"] }))),
            (
                "api.preAuthorizedApplications",
                "04b07795-8ddb-461a-bbee-02f9e1bf7b46",
                json!({ "api": { "preAuthorizedApplications": [] } }),
            ),
            (
                "web.redirectUris",
                claude,
                json!({ "web": { "redirectUris": without(web, claude) } }),
            ),
            (
                "publicClient.redirectUris",
                vscode,
                json!({ "publicClient": { "redirectUris": without(native, vscode) } }),
            ),
            (
                "spa.redirectUris",
                vscode,
                json!({
                    "publicClient": { "redirectUris": without(native, vscode) },
                    "spa": { "redirectUris": [vscode] },
                }),
            ),
            (
                "web.redirectUris",
                vscode,
                json!({
                    "publicClient": { "redirectUris": without(native, vscode) },
                    "web": { "redirectUris": with(web, vscode) },
                }),
            ),
            (
                "publicClient.redirectUris",
                claude,
                json!({
                    "publicClient": { "redirectUris": with(native, claude) },
                    "web": { "redirectUris": without(web, claude) },
                }),
            ),
            (
                "web.redirectUris",
                "https://*.example.com/cb",
                json!({ "web": { "redirectUris": with(web, "https://*.example.com/cb") } }),
            ),
        ];
        for (setting, value, breakage) in cases {
            let mut broken = right();
            merge(&mut broken, &breakage);
            let found = differences(&broken);
            assert_eq!(found.len(), 1, "{breakage}: {found:#?}");
            assert_eq!((found[0].setting, found[0].weight), (setting, Weight::Fault));
            assert_eq!(found[0].values, [value], "{breakage}");
            let Some(Mend::Set(properties)) = &found[0].mend else { panic!("{setting}: no mend") };
            merge(&mut broken, properties);
            assert_eq!(differences(&broken), [], "{setting}");
        }
    }

    #[test]
    fn what_nobody_can_mend_by_a_command_is_named_too() {
        let with_uris = |number: usize| {
            let uris: Vec<_> = (0..number).map(|n| format!("https://h{n}.example.com/")).collect();
            json!({ "spa": { "redirectUris": uris } })
        };
        for (setting, breakage) in [
            ("appId", json!({ "appId": "11111111-8888-4777-8666-555555555555" })),
            ("disabledByMicrosoftStatus", json!({ "disabledByMicrosoftStatus": "Disabled" })),
            ("redirectUris", with_uris(250)),
        ] {
            let mut broken = right();
            merge(&mut broken, &breakage);
            let found = differences(&broken);
            let faults: Vec<_> = found.iter().filter(|d| d.weight == Weight::Fault).collect();
            assert_eq!(faults[0].setting, setting, "{faults:#?}");
            assert_eq!(faults[0].mend, None);
        }
        assert!(differences(&right()).is_empty());
    }

    #[test]
    fn a_secret_is_missing_expired_or_about_to() {
        let cases = [
            (json!([]), Some((Weight::Fault, "there is no client secret"))),
            (
                json!([{ "displayName": "a", "endDateTime": "2026-11-24T23:59:59Z" }]),
                Some((Weight::Fault, "no client secret is valid any more")),
            ),
            (
                json!([{ "displayName": "a", "endDateTime": "2026-12-01T00:00:00+00:00" }]),
                Some((Weight::Note, "the last client secret ends within 30 days")),
            ),
            (
                json!([{ "endDateTime": "2000-01-01T00:00:00Z" }, { "endDateTime": "2028-01-01T00:00:00Z" }]),
                None,
            ),
            (json!([{ "endDateTime": "when it rains" }]), None),
        ];
        for (secrets, expected) in cases {
            let mut object = right();
            object["passwordCredentials"] = secrets.clone();
            let found = differences(&object);
            match expected {
                None => assert_eq!(found, [], "{secrets}"),
                Some((weight, problem)) => {
                    assert_eq!((found.len(), found[0].weight), (1, weight), "{secrets}");
                    assert!(found[0].problem.starts_with(problem), "{secrets}: {found:?}");
                    assert_eq!(found[0].mend, Some(Mend::NewSecret));
                }
            }
        }
        let settings = Settings::parse(&Options {
            resource: "https://mcp.example.com/mcp".into(),
            tenant: "contoso.com".into(),
            client_id: "99999999-8888-4777-8666-555555555555".into(),
            platform: "native".into(),
            ..Options::default()
        });
        let native = Wanted::new(&settings.unwrap(), &[]);
        let mut object = Value::Object(native.application());
        object["passwordCredentials"] = json!([]);
        assert_eq!(check(&registration(&object), &native, NOW), []);
    }

    #[test]
    fn with_an_administrators_consent_scopes_may_be_for_administrators() {
        let mut object = right();
        object["api"]["oauth2PermissionScopes"][0]["type"] = "Admin".into();
        let wanted = Wanted { admin_consent: true, ..wanted() };
        assert_eq!(check(&registration(&object), &wanted, NOW), []);
    }
}
