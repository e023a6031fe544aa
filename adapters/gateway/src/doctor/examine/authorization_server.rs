//! The authorization server's metadata: RFC 8414 and OpenID Connect Discovery, on each rung.

use serde_json::Value;
use url::Url;

use super::challenge::is_loopback;
use crate::doctor::challenge::Challenge;
use crate::doctor::finding::Finding;
use crate::doctor::kinds;
use crate::doctor::seen::{Call, Deployment, NoAnswer, Observations, Rung, is_entra};

const OPENID_SCOPES: [&str; 6] =
    ["openid", "profile", "email", "offline_access", "address", "phone"];

pub(super) fn examine(seen: &Observations) -> Vec<Finding> {
    let Some(issuer) = seen.issuer.as_deref() else { return Vec::new() };
    let mut findings = Vec::new();
    let found = seen.rungs.iter().find_map(|(rung, call)| Some((rung, call, call.document()?)));
    if seen.deployment() == Deployment::BareEntra {
        let finding = Finding::of(&kinds::SERVER_IS_ENTRA)
            .with("issuer", issuer)
            .with("resource", seen.resource.as_str());
        let rung = seen.rungs.first().map(|(_, call)| call);
        findings.push(match rung {
            Some(call) => finding.seen(call, call.outcome(), "RFC 8414 metadata"),
            None => finding,
        });
    }
    let Some((_, call, document)) = found else {
        if let Some((_, call)) = seen.rungs.first() {
            findings.push(match call.answer {
                Err(NoAnswer::Private) => private_host(call),
                _ => Finding::of(&kinds::SERVER_METADATA_MISSING)
                    .with("issuer", issuer)
                    .with("url", &*call.url)
                    .with("reason", call.outcome())
                    .seen(call, call.outcome(), "200 and a JSON object"),
            });
        }
        return findings;
    };
    findings.extend(ladder(seen));
    findings.extend(issuers(call, &document, issuer));
    findings.extend(lists(call, &document));
    findings.extend(endpoints(call, &document));
    findings.extend(scopes(call, &document, seen));
    if document["registration_endpoint"].as_str().is_none() {
        let finding = Finding::of(&kinds::REGISTRATION_MISSING);
        findings.push(finding.seen(call, "no registration_endpoint", "an https URL"));
    }
    let promised = document["authorization_response_iss_parameter_supported"] == true;
    if promised && passes_through(seen) {
        let text = "authorization_response_iss_parameter_supported: true";
        findings.push(Finding::of(&kinds::ISS_PROMISED).seen(call, text, "left out"));
    }
    findings
}

pub(super) fn well(seen: &Observations) -> Option<Finding> {
    let call = seen.rungs.iter().find(|(_, call)| call.document().is_some());
    Some(Finding::of(&kinds::SERVER_OK).seen(&call?.1, "", ""))
}

fn private_host(call: &Call) -> Finding {
    Finding::of(&kinds::PRIVATE_HOST).with("url", &*call.url).seen(
        call,
        call.outcome(),
        "a public host",
    )
}

fn ladder(seen: &Observations) -> Vec<Finding> {
    let rung = |wanted| seen.rungs.iter().find(|(rung, _)| *rung == wanted).map(|(_, call)| call);
    let mut findings = Vec::new();
    let missing = |call: &&Call| call.document().is_none();
    if let Some(call) = rung(Rung::OAuth).filter(missing) {
        let finding = Finding::of(&kinds::RFC_8414_MISSING).with("url", &*call.url);
        findings.push(finding.seen(call, call.outcome(), "200 and the metadata"));
    }
    if let Some(call) = rung(Rung::McpOrigin).filter(missing) {
        let finding = Finding::of(&kinds::MCP_ORIGIN_MISSING).with("url", &*call.url);
        findings.push(finding.seen(call, call.outcome(), "200 and the metadata"));
    }
    findings
}

fn issuers(call: &Call, document: &Value, issuer: &str) -> Vec<Finding> {
    let value = document["issuer"].as_str().unwrap_or("missing");
    if value.contains("{tenantid}") {
        return vec![Finding::of(&kinds::TEMPLATE).seen(call, format!("issuer: {value}"), issuer)];
    }
    if value == issuer {
        return Vec::new();
    }
    let finding = Finding::of(&kinds::ISSUER_DIFFERS).with("value", value).with("issuer", issuer);
    vec![finding.seen(call, format!("issuer: {value}"), issuer)]
}

fn lists(call: &Call, document: &Value) -> Vec<Finding> {
    [
        (&kinds::S256_MISSING, "code_challenge_methods_supported", "S256"),
        (&kinds::CODE_MISSING, "response_types_supported", "code"),
        (&kinds::REFRESH_MISSING, "grant_types_supported", "refresh_token"),
        (&kinds::NONE_MISSING, "token_endpoint_auth_methods_supported", "none"),
    ]
    .into_iter()
    .filter(|(_, name, value)| !list(document, name).contains(value))
    .map(|(kind, name, value)| {
        let seen = match document.get(name) {
            Some(list) => format!("{name}: {list}"),
            None => format!("no {name}"),
        };
        Finding::of(kind).seen(call, seen, format!("a list with {value}"))
    })
    .collect()
}

fn endpoints(call: &Call, document: &Value) -> Vec<Finding> {
    let mut findings = Vec::new();
    for name in ["authorization_endpoint", "token_endpoint", "registration_endpoint"] {
        let value = document[name].as_str();
        let sound = value.and_then(|value| Url::parse(value).ok()).is_some_and(|url| {
            url.scheme() == "https" || url.scheme() == "http" && is_loopback(&url)
        });
        let optional = name == "registration_endpoint" && value.is_none();
        if !sound && !optional {
            let value = value.unwrap_or("it is missing");
            let finding = Finding::of(&kinds::ENDPOINT_MISSING).with("name", name);
            findings.push(finding.with("value", value).seen(call, value, "an https URL"));
        }
    }
    findings
}

/// Gemini CLI and Cursor ask for what is listed here, so an API's scope has to be among it.
fn scopes(call: &Call, document: &Value, seen: &Observations) -> Option<Finding> {
    let listed = list(document, "scopes_supported");
    let of_openid = listed.iter().all(|scope| OPENID_SCOPES.contains(scope));
    let needs = Challenge::of(&seen.calls).and_then(|challenge| challenge.scope);
    let needs_more =
        needs.is_none_or(|needs| needs.split(' ').any(|s| !OPENID_SCOPES.contains(&s)));
    (of_openid && !listed.is_empty() && needs_more).then(|| {
        let seen = format!("scopes_supported: {}", document["scopes_supported"]);
        Finding::of(&kinds::SCOPES_OF_OPENID).seen(call, seen, "the API's scopes among them")
    })
}

/// Whether Entra answers the client itself, so that no `iss` is ours.
fn passes_through(seen: &Observations) -> bool {
    seen.authorizations.iter().any(|tried| {
        let door = tried.calls.last().and_then(|call| Url::parse(&call.url).ok());
        door.filter(is_entra).is_some_and(|door| {
            door.query_pairs()
                .any(|(name, value)| name == "redirect_uri" && value == *tried.redirect_uri)
        })
    })
}

fn list<'d>(document: &'d Value, name: &str) -> Vec<&'d str> {
    document[name].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}
