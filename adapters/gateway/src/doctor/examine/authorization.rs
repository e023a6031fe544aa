//! The authorization requests, up to Microsoft's door: what Entra reveals before anybody signs in.

use mcp_entra_core::aadsts::explain;
use url::Url;

use super::entra_error;
use super::registration::said;
use crate::doctor::finding::Finding;
use crate::doctor::kinds;
use crate::doctor::seen::{Asking, Authorized, Call, Observations, is_entra};
use crate::doctor::walk::SOME_PORT;

const OPENID_SCOPES: [&str; 6] =
    ["openid", "profile", "email", "offline_access", "address", "phone"];

const WEB: &str = "Web";
const MOBILE_AND_DESKTOP: &str = "Mobile and desktop applications";

/// What became of one request.
enum Came {
    /// As far as Entra's sign-in page.
    ToEntra,
    /// A page of the server's own comes first.
    ToOwnPage,
    /// Entra does not know the redirect URI.
    Unregistered,
    /// Nowhere.
    Nowhere(Finding),
}

pub(super) fn examine(seen: &Observations) -> Vec<Finding> {
    if seen.authorizations.is_empty() {
        return match seen.endpoints.authorization {
            Some(_) if !registers(seen) => vec![Finding::of(&kinds::NOT_AUTHORIZED)],
            _ => Vec::new(),
        };
    }
    let mut findings: Vec<Finding> = Vec::new();
    let mut own_page = None;
    for tried in &seen.authorizations {
        match came(tried, seen) {
            Came::ToEntra => {}
            Came::ToOwnPage => own_page = tried.calls.last(),
            Came::Unregistered => {}
            // a fault of the whole deployment is the same for every redirect URI
            Came::Nowhere(found) => match findings
                .iter()
                .any(|known| known.kind.id == found.kind.id && found.breaks_everybody())
            {
                true => {}
                false => findings.push(found),
            },
        }
    }
    findings.extend(unregistered(seen));
    findings.extend(bare_scope(seen));
    findings.extend(own_page.map(|call| {
        Finding::of(&kinds::OWN_PAGE).seen(call, call.outcome(), "a redirect to Entra")
    }));
    findings
}

pub(super) fn well(seen: &Observations) -> Option<Finding> {
    let mut doors = seen.authorizations.iter().filter_map(door);
    let first = doors.next()?;
    let finding = Finding::of(&kinds::AUTHORIZE_OK)
        .with("count", (doors.count() + 1).to_string())
        .with("client", parameter(&first, "client_id"))
        .with("tenant", tenant(&first));
    Some(finding.seen(seen.authorizations.first()?.calls.last()?, "", ""))
}

/// Whether a request comes as far as Entra's sign-in page.
pub(crate) fn comes_to_entra(tried: &Authorized) -> bool {
    door(tried).is_some()
        && tried.calls.last().and_then(|call| call.answer.as_ref().ok()).is_some_and(|answer| {
            let location = parameter_of(answer.header("location"), "error_description");
            answer.status < 400 && entra_error(&answer.text()).or(entra_error(&location)).is_none()
        })
}

/// Whether any registration gave a client id.
fn registers(seen: &Observations) -> bool {
    !seen.registrations.is_empty()
}

fn came(tried: &Authorized, seen: &Observations) -> Came {
    let Some(last) = tried.calls.last() else { return Came::ToOwnPage };
    let url = Url::parse(&last.url).ok();
    let at_entra = url.clone().filter(is_entra);
    let answer = match &last.answer {
        Ok(answer) => answer,
        Err(reason) => {
            let kind = if at_entra.is_some() {
                &kinds::ENTRA_UNREACHABLE
            } else {
                &kinds::AUTHORIZE_FAILS
            };
            let host = url.map(|url| url.origin().ascii_serialization()).unwrap_or_default();
            return Came::Nowhere(
                Finding::of(kind)
                    .with("host", host)
                    .with("outcome", reason.to_string())
                    .with("reason", reason.to_string())
                    .seen(last, reason.to_string(), "a sign-in page"),
            );
        }
    };
    // an error comes as a page, or on the redirect back to the client
    let text = match last.location() {
        Some(location) => parameter_of(location, "error_description"),
        None => answer.text(),
    };
    if let Some(door) = at_entra {
        return match entra_error(&text) {
            Some((code, _)) if is_unregistered(code) && !is_about_port(tried) => Came::Unregistered,
            Some((code, sentence)) => Came::Nowhere(refusal(tried, &door, code, &sentence, seen)),
            None if answer.status < 400 => Came::ToEntra,
            None => Came::Nowhere(fails(last, &text)),
        };
    }
    let location = last.location().unwrap_or_default();
    if answer.status >= 400 {
        return Came::Nowhere(match seen.endpoints.guessed && answer.status == 404 {
            true => fails(last, "there is no such endpoint"),
            false => not_allowed(tried, last),
        });
    }
    match parameter_of(location, "error").as_str() {
        "" => Came::ToOwnPage,
        _ => Came::Nowhere(fails(last, &text)),
    }
}

fn fails(call: &Call, reason: &str) -> Finding {
    Finding::of(&kinds::AUTHORIZE_FAILS)
        .with("outcome", call.outcome())
        .with("reason", reason.split('<').next().unwrap_or_default().trim())
        .seen(call, call.outcome(), "a redirect to Entra")
}

/// The server's own refusal comes before Entra, and is about the redirect URI as a rule.
fn not_allowed(tried: &Authorized, call: &Call) -> Finding {
    let said = said(call);
    let reason = if said.is_empty() { call.outcome() } else { said };
    let finding = Finding::of(&kinds::REDIRECT_URI_NOT_ALLOWED)
        .with("uri", &*tried.redirect_uri)
        .with("names", names(&tried.clients))
        .with("reason", reason)
        .seen(call, call.outcome(), "a redirect to Entra");
    broken(finding, tried, "the browser shows an error in place of the sign-in")
}

/// What Entra refuses, by its code.
fn refusal(
    tried: &Authorized,
    door: &Url,
    code: u32,
    sentence: &str,
    seen: &Observations,
) -> Finding {
    let kind = match code {
        50011 => &kinds::LOOPBACK_PORT,
        700016 | 700038 => &kinds::CLIENT_UNKNOWN,
        90002 | 900023 => &kinds::TENANT_UNKNOWN,
        500011 => &kinds::APP_ID_URI_UNKNOWN,
        9010010 | 901002 => &kinds::RESOURCE_FORWARDED,
        900144 if parameter(door, "scope").is_empty() => &kinds::SCOPE_NOT_SENT,
        650053 => &kinds::SCOPE_BARE,
        _ => &kinds::ENTRA_REFUSES,
    };
    let scope = parameter(door, "scope");
    let entras = parameter(door, "redirect_uri");
    let uri = if entras.is_empty() { tried.redirect_uri.clone() } else { entras };
    let host = door.origin().ascii_serialization();
    let mut finding = entra(Finding::of(kind), code, sentence, &parameter(door, "client_id"))
        .with("tenant", tenant(door))
        .with("host", host)
        .with("scope", scope.split(' ').next().unwrap_or_default())
        .with("uri", &*uri)
        .with("names", names(&tried.clients))
        .with("resource", seen.resource.as_str());
    if let Some(call) = tried.calls.last() {
        finding = finding.seen(call, sentence, "a sign-in page");
    }
    if kind.breaks.is_empty() {
        finding = broken(
            finding,
            tried,
            &format!("the browser shows AADSTS{code} in place of the sign-in"),
        );
    }
    finding
}

fn is_unregistered(code: u32) -> bool {
    matches!(code, 50011 | 500113 | 900971)
}

/// Whether the redirect URI is known but for its port.
fn is_about_port(tried: &Authorized) -> bool {
    let portless = tried.without_port.as_ref().and_then(|call| call.answer.as_ref().ok());
    portless.is_some_and(|answer| entra_error(&answer.text()).is_none())
}

/// One finding for each platform, with all that is missing there.
fn unregistered(seen: &Observations) -> Vec<Finding> {
    let tried: Vec<&Authorized> = seen
        .authorizations
        .iter()
        .filter(|tried| matches!(came(tried, seen), Came::Unregistered))
        .collect();
    let mut findings = Vec::new();
    for platform in [WEB, MOBILE_AND_DESKTOP] {
        let here: Vec<(&Authorized, String)> = tried
            .iter()
            .map(|tried| (*tried, as_registered(tried)))
            .filter(|(tried, uri)| platform_of(tried, uri) == platform)
            .collect();
        let Some((first, _)) = here.first() else { continue };
        let mut uris: Vec<&str> = here.iter().map(|(_, uri)| uri.as_str()).collect();
        uris.dedup();
        let mut finding = Finding::of(&kinds::REDIRECT_URI_UNREGISTERED)
            .with("platform", platform)
            .with("uris", uris.join(", "))
            .with("them", if uris.len() == 1 { "it" } else { "them" })
            .with(
                "client",
                door(first).map(|door| parameter(&door, "client_id")).unwrap_or_default(),
            )
            .with("resource", seen.resource.as_str());
        if let Some(call) = first.calls.last()
            && let Ok(answer) = &call.answer
        {
            let sentence = entra_error(&answer.text()).map(|(_, sentence)| sentence);
            finding = finding.seen(call, sentence.unwrap_or_default(), "a sign-in page");
        }
        for (tried, _) in here {
            for client in &tried.clients {
                finding = finding
                    .breaks(client.id(), "the browser shows AADSTS50011 in place of the sign-in");
            }
        }
        findings.push(finding);
    }
    findings
}

/// The redirect URI as the registration has to list it: what Entra was asked for, without a port
/// that only this attempt took.
fn as_registered(tried: &Authorized) -> String {
    let entras = door(tried).map(|door| parameter(&door, "redirect_uri")).unwrap_or_default();
    let uri = if entras.is_empty() { tried.redirect_uri.clone() } else { entras };
    let Ok(mut url) = Url::parse(&uri) else { return uri };
    let by_chance = url.port() == Some(SOME_PORT) || url.host_str() == Some("localhost");
    match url.scheme() == "http" && by_chance && url.set_port(None).is_ok() {
        true => url.into(),
        false => uri,
    }
}

/// What is known of a code of Entra's.
pub(super) fn entra(finding: Finding, code: u32, sentence: &str, client: &str) -> Finding {
    let known = explain(code);
    let command = known.and_then(|known| known.command()).unwrap_or_default();
    finding
        .with("code", code.to_string())
        .with("entra", sentence)
        .with("client", client)
        .with("cause", known.map_or("Entra refuses it", |known| known.cause))
        .with(
            "mend",
            known.map_or("look the code up at https://login.microsoftonline.com/error", |known| {
                known.mend
            }),
        )
        .with("blade", known.and_then(|known| known.place.blade()).unwrap_or_default())
        .with("command", command.replace("<client-id>", client))
}

/// A scope without its API is Microsoft Graph's; Entra says so only after the sign-in.
fn bare_scope(seen: &Observations) -> Option<Finding> {
    let tried = seen.authorizations.iter().find(|tried| door(tried).is_some())?;
    let door = door(tried)?;
    let scope = parameter(&door, "scope");
    let bare = scope.split(' ').find(|scope| {
        !scope.is_empty()
            && !scope.contains('/')
            && !OPENID_SCOPES.contains(scope)
            && !is_graphs(scope)
    })?;
    let finding = Finding::of(&kinds::SCOPE_BARE)
        .with("scope", bare)
        .with("client", parameter(&door, "client_id"));
    Some(finding.seen(tried.calls.last()?, format!("scope={scope}"), "api://…/scope"))
}

/// Graph's own names are its to ask for: `User.Read`.
fn is_graphs(scope: &str) -> bool {
    scope.contains('.') && scope.starts_with(|c: char| c.is_ascii_uppercase())
}

fn broken(finding: Finding, tried: &Authorized, shows: &str) -> Finding {
    tried.clients.iter().fold(finding, |finding, client| finding.breaks(client.id(), shows))
}

fn door(tried: &Authorized) -> Option<Url> {
    Url::parse(&tried.calls.last()?.url).ok().filter(is_entra)
}

fn tenant(door: &Url) -> String {
    door.path_segments().and_then(|mut segments| segments.next()).unwrap_or_default().to_owned()
}

/// A callback of the server's own is a web server's, wherever it is.
fn platform_of(tried: &Authorized, uri: &str) -> &'static str {
    let entras = door(tried).map(|door| parameter(&door, "redirect_uri")).unwrap_or_default();
    let of_server = !entras.is_empty() && entras != tried.redirect_uri;
    if uri.starts_with("https://") || of_server { WEB } else { MOBILE_AND_DESKTOP }
}

fn names(clients: &[Asking]) -> String {
    clients.iter().map(Asking::name).collect::<Vec<_>>().join(", ")
}

fn parameter(url: &Url, name: &str) -> String {
    url.query_pairs().find(|(known, _)| known == name).map(|(_, v)| v.into()).unwrap_or_default()
}

fn parameter_of(location: &str, name: &str) -> String {
    Url::parse(location).map(|url| parameter(&url, name)).unwrap_or_default()
}
