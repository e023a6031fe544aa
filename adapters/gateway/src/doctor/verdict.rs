//! What the findings mean: which matters most, and how each client fares.

use mcp_entra_core::known_client::KnownClient;

use super::examine;
use super::finding::{Finding, Severity, Stage};
use super::kinds;
use super::seen::{Deployment, Observations};

/// How a client fares, as far as it can be seen before anybody signs in.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Fate {
    /// As far as Entra's sign-in page.
    Passes,
    /// At the first finding that stops it: its id, and what the client shows.
    Fails(&'static str, String),
    /// Some of its redirect URIs come as far as Entra's sign-in page, others do not.
    Partly(&'static str),
    /// Something could not be seen.
    Unknown,
}

/// The whole.
#[derive(Debug)]
pub(crate) struct Verdict {
    /// Worst first; what breaks everybody before what breaks some, else in the order of the walk.
    pub(crate) findings: Vec<Finding>,
    pub(crate) clients: Vec<(&'static KnownClient, Fate)>,
    pub(crate) deployment: Deployment,
    pub(crate) reached: bool,
}

impl Verdict {
    pub(crate) fn of(
        mut findings: Vec<Finding>,
        seen: &Observations,
        clients: &[&'static KnownClient],
    ) -> Self {
        // metadata that is not there is what follows from what Entra says at its door
        let follows = |finding: &Finding| finding.kind.id == kinds::SERVER_METADATA_MISSING.id;
        findings.sort_by_key(|finding| {
            (finding.kind.severity, !finding.breaks_everybody(), follows(finding))
        });
        let fates = clients.iter().map(|client| (*client, fate(client, &findings, seen)));
        Self {
            clients: fates.collect(),
            deployment: seen.deployment(),
            reached: !findings.iter().any(|it| it.kind.id == kinds::UNREACHABLE.id),
            findings,
        }
    }

    pub(crate) fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.kind.severity == severity).count()
    }

    pub(crate) fn worst(&self) -> Option<&Finding> {
        self.findings.first().filter(|finding| finding.kind.severity <= Severity::Warning)
    }

    /// The one sentence that matters most.
    pub(crate) fn sentence(&self) -> String {
        let Some(worst) = self.worst() else {
            return "Nothing is wrong as far as can be seen without signing in.".into();
        };
        let title = worst.title();
        let title = title.trim_end_matches('.');
        let portal = worst.portal();
        let mend = worst.mend(self.deployment);
        let place =
            if portal.is_empty() || mend.contains(portal.rsplit(" > ").next().unwrap_or("-")) {
                String::new()
            } else {
                format!(" ({portal})")
            };
        format!("{title}: {mend}{place}.")
    }
}

/// Whether Entra takes another redirect URI of the client.
fn passes_too(client: &KnownClient, seen: &Observations) -> bool {
    let tried = seen.authorizations.iter();
    tried
        .filter(|tried| tried.clients.iter().any(|asking| asking.id() == client.id))
        .any(examine::comes_to_entra)
}

fn fate(client: &KnownClient, findings: &[Finding], seen: &Observations) -> Fate {
    for finding in findings.iter().filter(|finding| finding.kind.severity == Severity::Fault) {
        let mut broken = finding.broken().into_iter();
        if let Some((_, shows)) = broken.find(|(who, _)| *who == "*" || *who == client.id) {
            return match finding.kind.stage == Stage::Authorization && passes_too(client, seen) {
                true => Fate::Partly(finding.kind.id),
                false => Fate::Fails(finding.kind.id, shows),
            };
        }
    }
    let own_page = findings.iter().any(|finding| finding.kind.id == kinds::OWN_PAGE.id);
    let tried = seen.authorizations.iter().flat_map(|tried| &tried.clients);
    match tried.clone().any(|asking| asking.id() == client.id) {
        true if !own_page => Fate::Passes,
        _ => Fate::Unknown,
    }
}
