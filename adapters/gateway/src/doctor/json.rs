//! The report for machines; `docs/doctor.md` describes its shape.

use serde_json::{Value, json};

use super::finding::{Finding, Severity, Stage};
use super::seen::{Deployment, Observations};
use super::verdict::{Fate, Verdict};

/// Goes up when a member changes its meaning or goes away.
const VERSION: u32 = 1;

pub(crate) fn json(verdict: &Verdict, seen: &Observations) -> Value {
    let clients = verdict.clients.iter().map(|(client, fate)| {
        let (fate, finding, shows) = match fate {
            Fate::Passes => ("passes", None, None),
            Fate::Fails(id, shows) => ("fails", Some(*id), Some(shows)),
            Fate::Partly(id) => ("partly", Some(*id), None),
            Fate::Unknown => ("unseen", None, None),
        };
        json!({"id": client.id, "name": client.name, "fate": fate, "finding": finding, "shows": shows})
    });
    json!({
        "version": VERSION,
        "doctor": env!("CARGO_PKG_VERSION"),
        "resource": seen.resource.as_str(),
        "reached": verdict.reached,
        "deployment": match verdict.deployment {
            Deployment::McpEntra => "mcp-entra",
            Deployment::BareEntra => "entra",
            Deployment::Other => "other",
        },
        "hosts": seen.hosts,
        "sentence": verdict.sentence(),
        "faults": verdict.count(Severity::Fault),
        "warnings": verdict.count(Severity::Warning),
        "notes": verdict.count(Severity::Note),
        "findings": verdict.findings.iter().map(|it| finding(it, verdict.deployment)).collect::<Value>(),
        "clients": clients.collect::<Value>(),
    })
}

fn finding(finding: &Finding, deployment: Deployment) -> Value {
    let text = |text: String| if text.is_empty() { Value::Null } else { text.into() };
    let breaks = finding.broken().into_iter();
    let evidence = finding.evidence.iter().map(|evidence| {
        json!({"request": evidence.request, "seen": evidence.seen, "expected": evidence.expected})
    });
    json!({
        "id": finding.kind.id,
        "severity": match finding.kind.severity {
            Severity::Fault => "fault",
            Severity::Warning => "warning",
            Severity::Note => "note",
            Severity::Ok => "ok",
        },
        "stage": stage(finding.kind.stage),
        "title": finding.title(),
        "cause": text(finding.cause()),
        "breaks": breaks.map(|(client, shows)| json!({"client": client, "shows": shows})).collect::<Value>(),
        "evidence": evidence.collect::<Value>(),
        "mend": text(finding.mend(deployment)),
        "setting": text(finding.setting(deployment)),
        "portal": text(finding.portal()),
        "command": text(finding.command()),
    })
}

fn stage(stage: Stage) -> &'static str {
    match stage {
        Stage::Challenge => "challenge",
        Stage::ProtectedResource => "protected-resource",
        Stage::AuthorizationServer => "authorization-server",
        Stage::Registration => "registration",
        Stage::Authorization => "authorization",
        Stage::Token => "token",
        Stage::Browsers => "browsers",
        Stage::AppRegistration => "app-registration",
    }
}
