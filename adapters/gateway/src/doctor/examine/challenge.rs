//! The 401 and its challenge: RFC 6750 section 3, RFC 9728 section 5.1.

use url::{Host, Url};

use crate::doctor::challenge::Challenges;
use crate::doctor::finding::Finding;
use crate::doctor::kinds;
use crate::doctor::seen::{Call, Form, Observations, same_origin};

pub(super) fn examine(seen: &Observations) -> Vec<Finding> {
    let mut findings = Vec::new();
    if seen.resource.scheme() != "https" && !is_loopback(&seen.resource) {
        findings.push(Finding::of(&kinds::INSECURE));
    }
    let Some(post) = seen.calls.first() else { return findings };
    let Ok(answer) = &post.answer else {
        return findings;
    };
    let expected = "401 with WWW-Authenticate";
    let status = answer.status.to_string();
    let wrong = |kind| {
        Finding::of(kind)
            .with("status", status.as_str())
            .with("path", seen.resource.path())
            .with("location", answer.header("location"))
            .seen(post, post.outcome(), expected)
    };
    match answer.status {
        200..=299 => findings.push(wrong(&kinds::ANONYMOUS)),
        300..=399 => findings.push(wrong(&kinds::REDIRECTED)),
        401 => {
            findings.extend(challenge(post, seen));
            findings.extend(other_methods(seen));
        }
        404 => findings.push(wrong(&kinds::ENDPOINT_NOT_FOUND)),
        _ => findings.push(wrong(&kinds::NOT_401)),
    }
    findings
}

pub(super) fn well(seen: &Observations) -> Option<Finding> {
    let post = seen.calls.first()?;
    let challenge = post.answer.as_ref().ok()?.header("www-authenticate");
    Some(Finding::of(&kinds::CHALLENGE_OK).seen(post, challenge, ""))
}

fn other_methods(seen: &Observations) -> impl Iterator<Item = Finding> {
    seen.calls.iter().skip(1).filter(|call| call.status() != Some(401)).map(|call| {
        Finding::of(&kinds::METHOD_NOT_401)
            .with("method", call.method)
            .with("status", call.outcome())
            .seen(call, call.outcome(), "status 401")
    })
}

fn challenge(post: &Call, seen: &Observations) -> Vec<Finding> {
    let Ok(answer) = &post.answer else { return Vec::new() };
    let header = answer.header("www-authenticate");
    let expected = "Bearer resource_metadata=\"https://…\", scope=\"…\"";
    let of = |kind| Finding::of(kind).with("resource", seen.resource.as_str());
    let (challenge, count) = match Challenges::of(answer) {
        Challenges::Missing => {
            return vec![of(&kinds::CHALLENGE_MISSING).seen(post, "no WWW-Authenticate", expected)];
        }
        Challenges::Others(schemes) => {
            return vec![of(&kinds::CHALLENGE_MISSING).seen(post, schemes.join(", "), expected)];
        }
        Challenges::Unparseable(text, reason) => {
            let finding = of(&kinds::CHALLENGE_UNPARSEABLE).with("reason", reason);
            return vec![finding.seen(post, text, expected)];
        }
        Challenges::Bearer(challenge, count) => (challenge, count),
    };
    let mut findings = Vec::new();
    if count > 1 {
        let finding = of(&kinds::CHALLENGES_SEVERAL).with("count", count.to_string());
        findings.push(finding.seen(post, header, "one"));
    }
    match challenge.resource_metadata.as_deref() {
        None => {
            findings.push(of(&kinds::RESOURCE_METADATA_MISSING).seen(post, header, expected));
        }
        Some(value) => {
            let kind = match Url::parse(value) {
                Ok(url) if !matches!(url.scheme(), "http" | "https") => {
                    Some(&kinds::RESOURCE_METADATA_RELATIVE)
                }
                Ok(url) if same_origin(&url, &seen.resource) => None,
                Ok(_) => Some(&kinds::RESOURCE_METADATA_ELSEWHERE),
                Err(_) => Some(&kinds::RESOURCE_METADATA_RELATIVE),
            };
            findings.extend(kind.map(|kind| {
                let origin = seen.resource.origin().ascii_serialization();
                let finding =
                    of(kind).with("value", value).seen(post, value, format!("a URL at {origin}"));
                match named_metadata(seen).is_none_or(|call| call.document().is_some()) {
                    true => finding,
                    false => finding.breaks("*", "finds no metadata there"),
                }
            }));
        }
    }
    match challenge.scope.as_deref() {
        None | Some("") => findings.push(of(&kinds::CHALLENGE_SCOPE_MISSING)),
        Some(scope) if scope.split(' ').any(|scope| scope == "offline_access") => {
            let finding = of(&kinds::OFFLINE_ACCESS).with("place", "challenge");
            findings.push(finding.seen(post, scope, "the scopes of the API alone"));
        }
        Some(_) => {}
    }
    findings
}

/// What is at the URL that the challenge names.
fn named_metadata(seen: &Observations) -> Option<&Call> {
    let named = seen.protected_resource.iter().find(|(form, _)| *form == Form::Challenge);
    named.map(|(_, call)| call)
}

pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}
