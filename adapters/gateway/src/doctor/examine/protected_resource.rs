//! The protected-resource metadata: RFC 9728, at each form of its URL.

use serde_json::Value;
use url::Url;

use crate::doctor::finding::Finding;
use crate::doctor::kinds;
use crate::doctor::seen::{Call, Form, Observations, same_origin};

pub(super) fn examine(seen: &Observations) -> Vec<Finding> {
    let form = |wanted| seen.protected_resource.iter().find(|(form, _)| *form == wanted);
    let readable = |call: &Call| call.document().is_some();
    let mut findings = Vec::new();
    let Some((_, inserted)) = form(Form::PathInserted) else { return findings };
    if !seen.protected_resource.iter().any(|(_, call)| readable(call)) {
        let finding = Finding::of(&kinds::METADATA_MISSING).with("url", &*inserted.url);
        return vec![finding.seen(inserted, inserted.outcome(), "200 and a JSON object")];
    }
    // where it is at another origin, that is the finding
    let here =
        |call: &Call| Url::parse(&call.url).is_ok_and(|url| same_origin(&url, &seen.resource));
    if let Some((_, named)) = form(Form::Challenge).filter(|(_, it)| !readable(it) && here(it)) {
        let finding = Finding::of(&kinds::METADATA_UNREADABLE).with("reason", named.outcome());
        findings.push(finding.seen(named, named.outcome(), "200 and a JSON object"));
    }
    if !readable(inserted) {
        let finding = Finding::of(&kinds::PATH_INSERTED_MISSING).with("url", &*inserted.url);
        findings.push(finding.seen(inserted, inserted.outcome(), "200 and a JSON object"));
    }
    if let Some((_, root)) = form(Form::Root).filter(|(_, call)| !readable(call)) {
        findings.push(Finding::of(&kinds::ROOT_MISSING).seen(root, root.outcome(), "status 200"));
    }
    let first = seen.protected_resource.iter().find_map(|(_, call)| Some((call, call.document()?)));
    if let Some((call, document)) = first {
        findings.extend(document_findings(call, &document, &seen.resource));
    }
    findings
}

pub(super) fn well(seen: &Observations) -> Option<Finding> {
    let call = seen.protected_resource.iter().find(|(_, call)| call.document().is_some());
    let finding = Finding::of(&kinds::METADATA_OK).with("issuer", seen.issuer.as_deref()?);
    Some(finding.seen(&call?.1, "", ""))
}

fn document_findings(call: &Call, document: &Value, resource: &Url) -> Vec<Finding> {
    let mut findings = Vec::new();
    let value = document["resource"].as_str().unwrap_or_default();
    if value != resource.as_str() && format!("{value}/") != resource.as_str() {
        let kind = match is_same(value, resource) {
            true => &kinds::RESOURCE_SPELLED,
            false => &kinds::RESOURCE_DIFFERS,
        };
        let shown = if value.is_empty() { "nothing" } else { value };
        let finding = Finding::of(kind).with("value", shown).with("resource", resource.as_str());
        findings.push(finding.seen(call, format!("resource: {shown}"), resource.as_str()));
    }
    let servers = document["authorization_servers"].as_array().map_or(0, Vec::len);
    if servers != 1 {
        let kind = if servers == 0 { &kinds::SERVERS_MISSING } else { &kinds::SERVERS_SEVERAL };
        let finding = Finding::of(kind).with("count", servers.to_string());
        let seen = format!("authorization_servers: {}", document["authorization_servers"]);
        findings.push(finding.seen(call, seen, "one issuer"));
    }
    let scopes = document["scopes_supported"].as_array().into_iter().flatten();
    if scopes.filter_map(Value::as_str).any(|scope| scope == "offline_access") {
        let finding = Finding::of(&kinds::OFFLINE_ACCESS_IN_METADATA)
            .with("place", "protected-resource metadata");
        let seen = document["scopes_supported"].to_string();
        findings.push(finding.seen(call, seen, "the scopes of the API alone"));
    }
    let content_type = call.answer.as_ref().map(|it| it.header("content-type").to_owned());
    let content_type = content_type.unwrap_or_default();
    if !content_type.to_ascii_lowercase().starts_with("application/json") {
        let finding = Finding::of(&kinds::METADATA_TYPE).with("value", &*content_type);
        findings.push(finding.seen(call, content_type, "application/json"));
    }
    findings
}

/// Whether they differ only as clients that normalise URLs do not see.
fn is_same(value: &str, resource: &Url) -> bool {
    let bare = |url: &Url| {
        let text = url.as_str();
        text.strip_suffix('/').unwrap_or(text).to_owned()
    };
    Url::parse(value).is_ok_and(|url| bare(&url) == bare(resource))
}
