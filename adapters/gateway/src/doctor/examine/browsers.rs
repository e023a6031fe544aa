//! CORS, as a browser would ask: for MCP Inspector and playgrounds on the web.

use crate::doctor::finding::Finding;
use crate::doctor::kinds;
use crate::doctor::seen::{Answer, Call, Endpoint, Observations};
use crate::doctor::walk::{BROWSER, requested_headers};

pub(super) fn examine(seen: &Observations) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (endpoint, call) in &seen.preflights {
        if let Some(problem) = refused(*endpoint, call) {
            let finding = Finding::of(&kinds::PREFLIGHT)
                .with("what", name(*endpoint))
                .with("problem", &*problem);
            findings.push(finding.seen(call, problem, "200 or 204 with Access-Control-Allow-*"));
        }
    }
    let mut protected = seen.protected_resource.iter().map(|(_, call)| call);
    let mut server = seen.rungs.iter().map(|(_, call)| call);
    let documents = [
        ("the protected-resource metadata", protected.find(readable)),
        ("the authorization server's metadata", server.find(readable)),
    ];
    for (what, call) in documents {
        let Some(call) = call else { continue };
        let Ok(answer) = &call.answer else { continue };
        if !allows_origin(answer) {
            findings.push(not_exposed(what, call, "Access-Control-Allow-Origin"));
        }
    }
    if let Some(call) = seen.cross_origin.as_ref().filter(|call| call.status() == Some(401))
        && let Ok(answer) = &call.answer
    {
        let exposed = answer.header("access-control-expose-headers").to_ascii_lowercase();
        let exposes = exposed.contains("www-authenticate") || exposed.trim() == "*";
        if !allows_origin(answer) || !exposes {
            let what = "the challenge of the 401";
            findings.push(not_exposed(
                what,
                call,
                "Access-Control-Expose-Headers: WWW-Authenticate",
            ));
        }
    }
    findings
}

pub(super) fn well(seen: &Observations) -> Option<Finding> {
    let (_, call) = seen.preflights.first()?;
    Some(Finding::of(&kinds::BROWSERS_OK).seen(call, call.outcome(), ""))
}

fn readable(call: &&Call) -> bool {
    call.document().is_some()
}

fn not_exposed(what: &str, call: &Call, missing: &str) -> Finding {
    let finding = Finding::of(&kinds::NOT_EXPOSED).with("what", what);
    finding.seen(call, format!("no {missing}"), missing)
}

/// Why a browser would not go on.
fn refused(endpoint: Endpoint, call: &Call) -> Option<String> {
    let answer = match &call.answer {
        Ok(answer) => answer,
        Err(reason) => return Some(reason.to_string()),
    };
    if !(200..300).contains(&answer.status) {
        return Some(format!("OPTIONS gets {}", answer.status));
    }
    if !allows_origin(answer) {
        return Some("no Access-Control-Allow-Origin".into());
    }
    let list = |name: &str| -> Vec<String> {
        let values = answer.headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
        let words = values.flat_map(|value| value.split(','));
        words.map(|word| word.trim().to_ascii_lowercase()).filter(|word| !word.is_empty()).collect()
    };
    // GET and POST need not be named, as the Fetch standard has it
    let allowed = list("access-control-allow-headers");
    let covered = |header: &&str| {
        allowed.iter().any(|it| it == header)
            // the star does not stand for Authorization
            || *header != "authorization" && allowed.iter().any(|it| it == "*")
    };
    let lacks = requested_headers(endpoint).split(',').find(|header| !covered(header))?;
    Some(format!("Access-Control-Allow-Headers lacks {lacks}"))
}

fn allows_origin(answer: &Answer) -> bool {
    matches!(answer.header("access-control-allow-origin"), "*" | BROWSER)
}

fn name(endpoint: Endpoint) -> &'static str {
    match endpoint {
        Endpoint::Mcp => "the MCP endpoint",
        Endpoint::ProtectedResource => "the protected-resource metadata",
        Endpoint::AuthorizationServer => "the authorization server's metadata",
        Endpoint::Registration => "the registration endpoint",
        Endpoint::Token => "the token endpoint",
    }
}
