//! A finding: what was seen, what it breaks, and what mends it.

use super::seen::{Call, Deployment};

/// How bad it is.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Severity {
    /// A client that is known cannot sign in by it.
    Fault,
    /// It may fail, or fails for browsers or later.
    Warning,
    /// Worth knowing.
    Note,
    /// It is as it should be.
    Ok,
}

/// The steps of a sign-in, in their order.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Stage {
    Challenge,
    ProtectedResource,
    AuthorizationServer,
    Registration,
    Authorization,
    Token,
    Browsers,
    AppRegistration,
}

/// A kind of finding, with its texts. `{name}` in a text is filled in by the finding.
#[derive(Debug)]
pub(crate) struct Kind {
    /// Stable: what machines go by.
    pub(crate) id: &'static str,
    pub(crate) stage: Stage,
    pub(crate) severity: Severity,
    /// What is wrong, in one sentence.
    pub(crate) title: &'static str,
    /// What comes of it.
    pub(crate) cause: &'static str,
    /// What mends it where `mcp-entra` answers.
    pub(crate) mend: &'static str,
    /// What mends it where another does; empty if that is the same.
    pub(crate) elsewhere: &'static str,
    /// The option of `mcp-entra`, or the property of the registration.
    pub(crate) setting: &'static str,
    /// The blade of the Entra admin center.
    pub(crate) portal: &'static str,
    pub(crate) command: &'static str,
    /// Who fails, by the id of a known client or by name, and how it shows; `*` is everybody.
    pub(crate) breaks: &'static [(&'static str, &'static str)],
}

/// What [`Kind`]s are made from.
pub(crate) const PLAIN: Kind = Kind {
    id: "",
    stage: Stage::Challenge,
    severity: Severity::Fault,
    title: "",
    cause: "",
    mend: "",
    elsewhere: "",
    setting: "",
    portal: "",
    command: "",
    breaks: &[],
};

/// One finding.
#[derive(Clone, Debug)]
pub(crate) struct Finding {
    pub(crate) kind: &'static Kind,
    values: Vec<(&'static str, String)>,
    pub(crate) evidence: Vec<Evidence>,
    /// Clients that are known by what was seen, beside those of the kind.
    clients: Vec<(&'static str, String)>,
}

/// What was asked, what came, and what should have.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Evidence {
    pub(crate) request: String,
    pub(crate) seen: String,
    pub(crate) expected: String,
}

/// The longest value that is shown; what servers send has no length of its own.
const LONGEST: usize = 400;

impl Finding {
    pub(crate) fn of(kind: &'static Kind) -> Self {
        Self { kind, values: Vec::new(), evidence: Vec::new(), clients: Vec::new() }
    }

    /// Fills in a name of the kind's texts.
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.values.push((name, printable(&value.into())));
        self
    }

    pub(crate) fn seen(
        mut self,
        call: &Call,
        seen: impl Into<String>,
        expected: impl Into<String>,
    ) -> Self {
        self.evidence.push(Evidence {
            request: printable(&call.request()),
            seen: printable(&seen.into()),
            expected: expected.into(),
        });
        self
    }

    pub(crate) fn breaks(mut self, client: &'static str, shows: impl Into<String>) -> Self {
        let effect = (client, printable(&shows.into()));
        if !self.clients.contains(&effect) {
            self.clients.push(effect);
        }
        self
    }

    pub(crate) fn title(&self) -> String {
        self.filled(self.kind.title)
    }

    pub(crate) fn cause(&self) -> String {
        self.filled(self.kind.cause)
    }

    pub(crate) fn mend(&self, deployment: Deployment) -> String {
        self.filled(match (deployment, self.kind.elsewhere) {
            (Deployment::McpEntra, _) | (_, "") => self.kind.mend,
            (_, elsewhere) => elsewhere,
        })
    }

    /// The option or property; nothing where another server answers, which has not our options.
    pub(crate) fn setting(&self, deployment: Deployment) -> String {
        let setting = self.filled(self.kind.setting);
        let ours = deployment == Deployment::McpEntra || !setting.starts_with("--");
        if ours { setting } else { String::new() }
    }

    pub(crate) fn portal(&self) -> String {
        self.filled(self.kind.portal)
    }

    pub(crate) fn command(&self) -> String {
        self.filled(self.kind.command)
    }

    /// Who fails, and how it shows.
    pub(crate) fn broken(&self) -> Vec<(&'static str, String)> {
        let kinds = self.kind.breaks.iter().map(|(who, shows)| (*who, self.filled(shows)));
        kinds.chain(self.clients.iter().cloned()).collect()
    }

    /// Whether no client gets past this.
    pub(crate) fn breaks_everybody(&self) -> bool {
        let fault = self.kind.severity == Severity::Fault;
        fault && self.broken().iter().any(|(who, _)| *who == "*")
    }

    /// The text with its values; a command in it shows the value as it is, so values come last and
    /// are not looked into.
    fn filled(&self, text: &str) -> String {
        let mut filled = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            filled.push_str(before);
            let Some((name, after)) = after.split_once('}') else { break };
            match self.values.iter().find(|(known, _)| *known == name) {
                Some((_, value)) => filled.push_str(value),
                None => filled.push_str(&format!("{{{name}}}")),
            }
            rest = after;
        }
        filled.push_str(rest);
        filled
    }
}

/// Without what would change a terminal, and of a length that can be read. A command keeps its
/// lines.
fn printable(text: &str) -> String {
    let shown = |c: char| if c.is_control() && c != '\n' { ' ' } else { c };
    let mut cut: String = text.chars().map(shown).take(LONGEST).collect();
    if text.chars().nth(LONGEST).is_some() && !text.starts_with("az ") {
        cut.push('…');
    } else if text.starts_with("az ") {
        cut = text.chars().map(shown).collect();
    }
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    static KIND: Kind = Kind { id: "x", title: "a {one} b {two} {tenantid} {one", ..PLAIN };

    #[test]
    fn values_are_filled_in_and_not_looked_into() {
        let finding = Finding::of(&KIND).with("one", "{two}").with("two", "2\u{1b}[31m");
        assert_eq!(finding.title(), "a {two} b 2 [31m {tenantid} one");
    }

    #[test]
    fn what_is_long_is_cut() {
        let finding = Finding::of(&KIND).with("one", "x".repeat(1000)).with("two", "");
        assert!(finding.title().chars().count() < LONGEST + 50);
    }
}
