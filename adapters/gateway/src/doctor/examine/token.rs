//! What the token endpoint says to a code and a refresh token that are none: RFC 6749 section 5.2.

use serde_json::Value;

use super::authorization::entra;
use super::entra_error;
use super::registration::said;
use crate::doctor::finding::Finding;
use crate::doctor::kinds;
use crate::doctor::seen::{Answer, Call, Grant, Observations};

/// Entra's ways to say that a grant is none: what was sent is what it says.
const EXPECTED: [u32; 4] = [70000, 70002, 70008, 9_002_313];

pub(super) fn examine(seen: &Observations) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    for (grant, call) in &seen.tokens {
        let known = |finding: &Finding| findings.iter().any(|it| it.kind.id == finding.kind.id);
        let found: Vec<Finding> =
            refusal(*grant, call).into_iter().chain(stored(call)).filter(|it| !known(it)).collect();
        findings.extend(found);
    }
    findings
}

pub(super) fn well(seen: &Observations) -> Option<Finding> {
    let (_, call) = seen.tokens.first()?;
    Some(Finding::of(&kinds::TOKEN_OK).seen(call, call.outcome(), ""))
}

fn refusal(grant: Grant, call: &Call) -> Option<Finding> {
    let name = match grant {
        Grant::Code => "code",
        Grant::Refresh => "refresh token",
    };
    let of = |kind| Finding::of(kind).with("grant", name).with("reason", said(call));
    let expected = "400 and invalid_grant";
    let answer = match &call.answer {
        Ok(answer) => answer,
        Err(reason) => {
            let finding = of(&kinds::TOKEN_FAILS).with("outcome", reason.to_string());
            return Some(finding.seen(call, reason.to_string(), expected));
        }
    };
    if let Some((code, sentence)) =
        entra_error(&said(call)).filter(|(code, _)| !EXPECTED.contains(code))
    {
        let finding = entra(of(&kinds::TOKEN_ENTRA), code, &sentence, "<client-id>");
        return Some(finding.seen(call, sentence, expected));
    }
    let Some(error) = error(answer) else {
        return Some(of(&kinds::TOKEN_NOT_JSON).seen(call, call.outcome(), expected));
    };
    let seen = format!("{} {error}", call.outcome());
    match error.as_str() {
        "invalid_grant" if answer.status == 400 => None,
        "server_error" | "temporarily_unavailable" => {
            Some(of(&kinds::TOKEN_FAILS).with("outcome", seen.clone()).seen(call, seen, expected))
        }
        _ => Some(of(&kinds::TOKEN_ERROR).with("error", seen.clone()).seen(call, seen, expected)),
    }
}

fn stored(call: &Call) -> Option<Finding> {
    let value = call.answer.as_ref().ok()?.header("cache-control");
    let sound = value.to_ascii_lowercase().contains("no-store");
    let shown = if value.is_empty() { "missing" } else { value };
    let finding = Finding::of(&kinds::TOKEN_STORED).with("value", shown);
    (!sound).then(|| finding.seen(call, format!("Cache-Control: {shown}"), "no-store"))
}

fn error(answer: &Answer) -> Option<String> {
    let document: Value = serde_json::from_slice(&answer.body).ok()?;
    document["error"].as_str().map(str::to_owned)
}
