//! What cannot be seen from outside: the app registration, against what the server was seen to ask
//! Entra for.

use mcp_entra_core::known_client::KnownClient;
use mcp_entra_core::redirect_uri::RedirectUri;
use mcp_entra_core::{Options, Settings, UnixTime};
use url::Url;

use crate::app_registration::check::{Difference, Weight, check};
use crate::app_registration::registration::Registration;
use crate::app_registration::wanted::Wanted;
use crate::doctor::finding::Finding;
use crate::doctor::kinds;
use crate::doctor::seen::{Observations, is_entra};

/// Compares.
pub(crate) fn examine(
    seen: &Observations,
    registration: &Registration,
    clients: &[&'static KnownClient],
    redirect_uris: &[RedirectUri],
    now: UnixTime,
) -> Vec<Finding> {
    let wanted = match settings(seen, registration, redirect_uris) {
        Ok(settings) => Wanted::new(&settings, clients),
        Err(reason) => {
            return vec![Finding::of(&kinds::REGISTRATION_NOT_COMPARED).with("reason", reason)];
        }
    };
    let findings: Vec<Finding> = check(registration, &wanted, now)
        .iter()
        .map(|difference| finding(difference, registration, &wanted))
        .collect();
    if findings.is_empty() { vec![Finding::of(&kinds::REGISTRATION_CHECKED)] } else { findings }
}

/// The settings with which `mcp-entra` would ask Entra as the server was seen to ask it.
fn settings(
    seen: &Observations,
    registration: &Registration,
    redirect_uris: &[RedirectUri],
) -> Result<Settings, String> {
    let doors = seen.authorizations.iter().filter_map(|tried| tried.calls.last());
    let door = doors.filter_map(|call| Url::parse(&call.url).ok()).find(is_entra);
    let parameter = |name: &str| {
        let pair = door.as_ref()?.query_pairs().find(|(known, _)| known == name)?;
        Some(pair.1.into_owned())
    };
    let asked = parameter("scope").unwrap_or_default();
    let qualified = asked.split(' ').filter_map(|scope| scope.rsplit_once('/'));
    let (apis, scopes): (Vec<&str>, Vec<&str>) = qualified.unzip();
    let client_id = parameter("client_id").unwrap_or_else(|| registration.app_id().to_string());
    let own = format!("api://{client_id}");
    let app_id_uri = apis.first().filter(|api| **api != own && **api != client_id);
    let authority = door.as_ref().map(|door| door.origin().ascii_serialization());
    let tenant = door.as_ref().and_then(|door| door.path_segments()?.next().map(str::to_owned));
    Settings::parse(&Options {
        resource: seen.resource.to_string(),
        tenant: tenant.ok_or("the sign-in did not come as far as Entra")?,
        client_id,
        // a secret cannot be seen, and https redirect URIs are on Web with one
        client_secret: Some("there may be one".into()),
        scopes: match scopes.is_empty() {
            true => vec![mcp_entra_core::DEFAULT_SCOPE.into()],
            false => scopes.into_iter().map(str::to_owned).collect(),
        },
        app_id_uri: app_id_uri.map(|uri| (*uri).to_owned()).unwrap_or_default(),
        authority: authority.unwrap_or_default(),
        redirect_uris: redirect_uris.iter().map(|uri| uri.as_str().to_owned()).collect(),
        ..Options::default()
    })
    .map_err(|error| error.to_string())
}

fn finding(difference: &Difference, registration: &Registration, wanted: &Wanted) -> Finding {
    let kind = match difference.weight {
        Weight::Fault => &kinds::REGISTRATION_DIFFERS,
        Weight::Note => &kinds::REGISTRATION_NOTE,
    };
    let values = match difference.values.as_slice() {
        [] => String::new(),
        values => format!(": {}", values.join(", ")),
    };
    let app_id = registration.app_id().as_str();
    let command = difference.mend.as_ref().map(|mend| mend.command(wanted.graph(), app_id));
    let finding = Finding::of(kind)
        .with("setting", difference.setting)
        .with("values", values)
        .with("problem", &*difference.problem)
        .with("blade", difference.blade)
        .with("command", command.unwrap_or_default());
    let about = |uri: &String| wanted.redirect_uris.iter().find(|wanted| wanted.uri == *uri);
    let names = difference.values.iter().filter_map(about).flat_map(|wanted| &wanted.wanted_by);
    let mut names: Vec<&'static str> = names.copied().collect();
    names.sort_unstable();
    names.dedup();
    let fault = difference.weight == Weight::Fault;
    match names.is_empty() {
        _ if !fault => finding,
        true => finding.breaks("*", "the sign-in fails, or the token is refused"),
        false => wanted
            .clients
            .iter()
            .filter(|client| names.contains(&client.name))
            .fold(finding, |finding, client| finding.breaks(client.id, "the sign-in fails")),
    }
}
