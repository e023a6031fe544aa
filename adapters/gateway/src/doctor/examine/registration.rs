//! The trial registrations: RFC 7591, with each client's own redirect URIs in one body.

use serde_json::Value;

use crate::doctor::finding::Finding;
use crate::doctor::kinds;
use crate::doctor::seen::{Call, Observations, Registered};

pub(super) fn examine(seen: &Observations) -> Vec<Finding> {
    let mut findings: Vec<Finding> = refusals(&seen.registrations);
    // what is wrong with one answer is wrong with each
    let Some(first) = seen.registrations.iter().find(|tried| tried.call.document().is_some())
    else {
        return findings;
    };
    let Some(document) = first.call.document() else { return findings };
    if first.call.status() != Some(201) {
        let finding = Finding::of(&kinds::REGISTRATION_STATUS)
            .with("status", first.call.status().unwrap_or_default().to_string());
        findings.push(finding.seen(&first.call, first.call.outcome(), "status 201"));
    }
    if let Some(problem) = problem(&document, first) {
        let finding = Finding::of(&kinds::REGISTRATION_ANSWER).with("problem", &*problem);
        findings.push(finding.seen(&first.call, problem, "RFC 7591 section 3.2.1"));
    }
    if let Some(grants) = document["grant_types"].as_array()
        && !grants.iter().any(|grant| grant == "refresh_token")
    {
        let value = document["grant_types"].to_string();
        let finding = Finding::of(&kinds::REGISTRATION_REFRESH).with("value", &*value);
        findings.push(finding.seen(&first.call, value, "refresh_token in it"));
    }
    findings
}

pub(super) fn well(seen: &Observations) -> Option<Finding> {
    let names = names(seen.registrations.iter());
    let finding = Finding::of(&kinds::REGISTRATION_OK)
        .with("count", seen.registrations.len().to_string())
        .with("names", names);
    Some(finding.seen(&seen.registrations.first()?.call, "", ""))
}

/// One finding for all that are refused alike, except for the value that is named.
fn refusals(registrations: &[Registered]) -> Vec<Finding> {
    let mut groups: Vec<(String, Vec<&Registered>)> = Vec::new();
    let refused = registrations.iter().filter(|tried| tried.call.document().is_none());
    for tried in refused {
        let key = tried.call.outcome();
        let own = !has_known_client(tried);
        match groups.iter_mut().find(|(known, of)| *known == key && !own && has_known_client(of[0]))
        {
            Some((_, group)) => group.push(tried),
            None => groups.push((key, vec![tried])),
        }
    }
    let finding = |(outcome, group): (String, Vec<&Registered>)| {
        let call = &group.first()?.call;
        let uri = group.first()?.redirect_uris.first()?;
        let said = said(call);
        let reason = if said.is_empty() { outcome } else { said };
        let finding = Finding::of(&kinds::REGISTRATION_REFUSED)
            .with("names", names(group.iter().copied()))
            .with("reason", &*reason)
            .with("uri", &**uri)
            .seen(call, format!("{} {reason}", call.outcome()), "201 and a client_id");
        Some(group.iter().fold(finding, |finding, tried| {
            finding.breaks(tried.client.id(), "registration fails")
        }))
    };
    groups.into_iter().filter_map(finding).collect()
}

fn has_known_client(tried: &Registered) -> bool {
    tried.client.id() != "own"
}

/// What strict parsers stumble over.
fn problem(document: &Value, tried: &Registered) -> Option<String> {
    let members = document.as_object()?;
    if document["client_id"].as_str().is_none_or(str::is_empty) {
        return Some("has no client_id".into());
    }
    if let Some((name, _)) = members.iter().find(|(_, value)| value.is_null()) {
        return Some(format!("has null for {name}"));
    }
    let echoed: Vec<&str> = document["redirect_uris"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let lacks = tried.redirect_uris.iter().find(|uri| !echoed.contains(&uri.as_str()))?;
    Some(format!("does not repeat the redirect URI {lacks}"))
}

/// An OAuth error's description, or the beginning of what came.
pub(super) fn said(call: &Call) -> String {
    let Ok(answer) = &call.answer else { return String::new() };
    let Ok(document) = serde_json::from_slice::<Value>(&answer.body) else {
        let text = answer.text();
        let is_page = text.trim_start().starts_with('<');
        return if is_page {
            String::new()
        } else {
            text.lines().next().unwrap_or_default().into()
        };
    };
    let member = |name: &str| document[name].as_str().map(str::to_owned);
    member("error_description").or_else(|| member("error")).unwrap_or_default()
}

fn names<'r>(tried: impl Iterator<Item = &'r Registered>) -> String {
    tried.map(|tried| tried.client.name()).collect::<Vec<_>>().join(", ")
}
