//! What a registration exposes as an API: its scopes, its app roles, who needs no consent.

use serde_json::{Map, Value, json};

use super::check::Difference;
use super::registration::Registration;
use super::wanted::Wanted;

const API: &str = "Expose an API";

pub(super) fn check(registration: &Registration, wanted: &Wanted) -> Vec<Difference> {
    let mut differences = scopes(registration, wanted);
    differences.extend(app_roles(registration, wanted));
    differences.extend(pre_authorized(registration, wanted));
    differences
}

fn scopes(registration: &Registration, wanted: &Wanted) -> Vec<Difference> {
    const SETTING: &str = "api.oauth2PermissionScopes";

    let mut all = registration.scopes();
    let (mut missing, mut disabled, mut admin) = (Vec::new(), Vec::new(), Vec::new());
    for scope in &wanted.scopes {
        let Some(known) = all.iter_mut().find(|known| is(known, "value", &scope.value)) else {
            missing.push(scope.value.clone());
            all.extend(object(scope.object()));
            continue;
        };
        if known.get("isEnabled") == Some(&Value::Bool(false)) {
            disabled.push(scope.value.clone());
            known.insert("isEnabled".into(), true.into());
        }
        if is(known, "type", "Admin") && !wanted.admin_consent {
            admin.push(scope.value.clone());
            known.insert("type".into(), "User".into());
        }
    }
    let problems = [
        (missing, "no such scope is exposed, and asking for it fails (AADSTS650053)"),
        (disabled, "the scope is disabled, and asking for it fails (AADSTS650053)"),
        (
            admin,
            "only administrators may consent, and users are sent away (AADSTS90094); where one has \
             consented for all, check with --admin-consent",
        ),
    ];
    let faults = problems.into_iter().filter(|(values, _)| !values.is_empty());
    faults
        .map(|(values, problem)| {
            Difference::fault(SETTING, values, API, problem)
                .set(json!({ "api": { "oauth2PermissionScopes": all } }))
        })
        .collect()
}

fn app_roles(registration: &Registration, wanted: &Wanted) -> Vec<Difference> {
    let mut all = registration.app_roles();
    let (mut missing, mut useless) = (Vec::new(), Vec::new());
    for role in &wanted.app_roles {
        let Some(known) = all.iter_mut().find(|known| is(known, "value", &role.value)) else {
            missing.push(role.value.clone());
            all.extend(object(role.object()));
            continue;
        };
        let types = known.entry("allowedMemberTypes").or_insert_with(|| json!([]));
        let application = Value::from("Application");
        let assignable = types.as_array().is_some_and(|types| types.contains(&application));
        if !assignable && let Some(types) = types.as_array_mut() {
            types.push(application);
        }
        let enabled = known.insert("isEnabled".into(), true.into()) != Some(false.into());
        if !assignable || !enabled {
            useless.push(role.value.clone());
        }
    }
    let problems = [
        (missing, "there is no such app role, so no application can have it"),
        (useless, "the app role is disabled or not for applications, so none can have it"),
    ];
    let faults = problems.into_iter().filter(|(values, _)| !values.is_empty());
    faults
        .map(|(values, problem)| {
            Difference::fault("appRoles", values, "App roles", problem)
                .set(json!({ "appRoles": all }))
        })
        .collect()
}

/// Clients that need no consent: those that are wanted need every scope; others are named.
fn pre_authorized(registration: &Registration, wanted: &Wanted) -> Vec<Difference> {
    const SETTING: &str = "api.preAuthorizedApplications";
    const BLADE: &str = "Expose an API > Authorized client applications";

    let scopes = registration.scopes();
    let id_of = |value: &str| {
        let known = scopes.iter().find(|known| is(known, "value", value));
        known.and_then(|known| known.get("id")).and_then(Value::as_str).map(str::to_owned)
    };
    let wanted_scopes = wanted.scopes.iter();
    let ids: Vec<String> = wanted_scopes
        .map(|scope| id_of(&scope.value).unwrap_or_else(|| scope.id.to_string()))
        .collect();
    let mut all = registration.pre_authorized();
    let mut missing = Vec::new();
    for client in &wanted.pre_authorized {
        let position = all.iter().position(|known| is(known, "appId", client.as_str()));
        let known = position.and_then(|position| all.get(position));
        let known = known.and_then(|known| known.get("delegatedPermissionIds"));
        let mut held: Vec<String> = known
            .and_then(Value::as_array)
            .map(|ids| ids.iter().filter_map(Value::as_str).map(str::to_owned).collect())
            .unwrap_or_default();
        let before = held.len();
        held.extend(ids.iter().filter(|id| !held.contains(id)).cloned().collect::<Vec<_>>());
        if held.len() == before {
            continue;
        }
        missing.push(client.to_string());
        all.retain(|known| !is(known, "appId", client.as_str()));
        all.extend(object(json!({ "appId": client.as_str(), "delegatedPermissionIds": held })));
    }
    let others = registration.pre_authorized().into_iter();
    let others: Vec<String> = others
        .filter_map(|known| known.get("appId").and_then(Value::as_str).map(str::to_owned))
        .filter(|id| !wanted.pre_authorized.iter().any(|w| w.as_str().eq_ignore_ascii_case(id)))
        .collect();
    let mut differences = Vec::new();
    if !missing.is_empty() {
        let problem = "the client is to need no consent, but is not authorized for every scope";
        differences.push(
            Difference::fault(SETTING, missing, BLADE, problem)
                .set(json!({ "api": { "preAuthorizedApplications": all } })),
        );
    }
    if !others.is_empty() {
        let problem = "these clients need nobody's consent; look whether each is one of yours";
        differences.push(Difference::note(SETTING, others, BLADE, problem));
    }
    differences
}

fn is(object: &Map<String, Value>, name: &str, text: &str) -> bool {
    object.get(name).and_then(Value::as_str).is_some_and(|value| match name {
        "appId" => value.eq_ignore_ascii_case(text),
        _ => value == text,
    })
}

fn object(value: Value) -> Option<Map<String, Value>> {
    match value {
        Value::Object(object) => Some(object),
        _ => None,
    }
}
