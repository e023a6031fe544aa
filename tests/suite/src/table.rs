//! What was found, as the README shows it, and what was expected.

use std::fs;
use std::io;
use std::path::PathBuf;

use serde::Deserialize;

use crate::cases::CASES;
use crate::subjects::{SUBJECTS, root};

const BEGIN: &str = "<!-- adapters: begin -->\n";
const END: &str = "<!-- adapters: end -->\n";
const OK: &str = "ok";
const NO: &str = "no";

/// What was found of one case for one subject.
pub(crate) struct Cell {
    pub(crate) subject: &'static str,
    pub(crate) case: &'static str,
    /// What failed.
    pub(crate) result: Result<(), String>,
}

/// A case that a subject cannot meet.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Exception {
    subject: String,
    case: String,
    /// Part of what the case says then, so that nothing else hides behind it.
    fails_with: String,
    /// For the README.
    why: String,
}

/// The exceptions of `exceptions.json`, each of which names a subject and a case.
pub(crate) fn exceptions() -> Vec<Exception> {
    let exceptions: Vec<Exception> = serde_json::from_str(include_str!("../exceptions.json"))
        .expect("exceptions.json is a list of exceptions");
    for exception in &exceptions {
        let Exception { subject, case, .. } = exception;
        assert!(SUBJECTS.iter().any(|known| known.name == subject), "exceptions.json: {subject}");
        assert!(CASES.iter().any(|known| known.name == case), "exceptions.json: {case}");
    }
    exceptions
}

impl Cell {
    /// What is wrong with it, where it is not what was expected.
    pub(crate) fn surprise(&self, exceptions: &[Exception]) -> Option<String> {
        let exception =
            exceptions.iter().find(|e| e.subject == self.subject && e.case == self.case);
        let problem = match (&self.result, exception) {
            (Ok(()), None) => return None,
            (Err(error), Some(exception)) if error.contains(&exception.fails_with) => return None,
            (Ok(()), Some(_)) => "it works, and exceptions.json says that it cannot",
            (Err(error), _) => error,
        };
        Some(format!("{}: {}\n    {}", self.subject, self.case, problem.replace('\n', "\n    ")))
    }
}

/// The table, and why a cell is not ok.
pub(crate) fn section(cells: &[Cell], exceptions: &[Exception]) -> String {
    let names: Vec<_> = SUBJECTS.iter().map(|subject| subject.name).collect();
    let mut lines = vec![row("", &names), row("---", &vec!["---"; names.len()])];
    for case in CASES {
        let found: Vec<_> = names
            .iter()
            .map(|name| {
                let cell = cells.iter().find(|c| c.subject == *name && c.case == case.name);
                cell.map_or("", |cell| if cell.result.is_ok() { OK } else { NO })
            })
            .collect();
        lines.push(row(case.name, &found));
    }
    if !exceptions.is_empty() {
        lines.push(String::new());
    }
    for Exception { subject, case, why, .. } in exceptions {
        lines.push(format!("- {subject}: *{case}* is *{NO}*. {why}"));
    }
    format!("{BEGIN}\n{}\n\n{END}", lines.join("\n"))
}

fn row(first: &str, rest: &[&str]) -> String {
    format!("| {first} | {} |", rest.join(" | "))
}

/// The README with another section.
pub(crate) fn readme(section: &str) -> io::Result<(PathBuf, String, String)> {
    let path = root().join("README.md");
    let before = fs::read_to_string(&path)?;
    let no_section = || io::Error::other("README.md has no section between the adapters' markers");
    let (head, rest) = before.split_once(BEGIN).ok_or_else(no_section)?;
    let (_, tail) = rest.split_once(END).ok_or_else(no_section)?;
    let after = format!("{head}{section}{tail}");
    Ok((path, before, after))
}
