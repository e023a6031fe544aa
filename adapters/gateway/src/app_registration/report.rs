//! What `--check` says: for people, or as JSON.

use mcp_entra_core::known_client::KNOWN_CLIENTS;
use serde_json::{Value, json};

use super::check::{Difference, Weight};
use super::registration::Registration;
use super::wanted::Wanted;
use super::wrap::wrapped;

/// For people, on 80 columns; commands may be longer.
pub(super) fn text(
    registration: &Registration,
    wanted: &Wanted,
    differences: &[Difference],
) -> String {
    let app_id = registration.app_id().as_str();
    let count = |weight| differences.iter().filter(|d| d.weight == weight).count();
    let (faults, notes) = (count(Weight::Fault), count(Weight::Note));
    let mut report = format!("{} ({app_id})\n", visible(registration.display_name()));
    report.push_str(&match (faults, notes) {
        (0, 0) => "Everything is as it should be.\n".to_owned(),
        (0, notes) => format!("Nothing is wrong; {notes} to look at.\n"),
        (faults, 0) => format!("{faults} to mend.\n"),
        (faults, notes) => format!("{faults} to mend, {notes} to look at.\n"),
    });
    let mut said: Vec<(String, usize)> = Vec::new();
    for (number, difference) in differences.iter().enumerate() {
        let mark = match difference.weight {
            Weight::Fault => "WRONG",
            Weight::Note => "look at",
        };
        report.push_str(&format!("\n{:2}. {mark}: {}\n", number + 1, difference.setting));
        for value in &difference.values {
            report.push_str(&format!("      {}{}\n", visible(value), whose(value, wanted)));
        }
        report.push_str(&wrapped(&visible(&sentence(&difference.problem)), "    "));
        report.push_str(&format!("    In the portal: {}\n", difference.blade));
        let Some(mend) = &difference.mend else { continue };
        let command = mend.command(wanted.graph(), app_id);
        match said.iter().find(|(known, _)| *known == command) {
            Some((_, first)) => {
                report.push_str(&format!("    The command of {first} mends this too.\n"));
            }
            None => {
                report.push_str(&format!("    Or run:\n\n{}", indented(&command)));
                said.push((command, number + 1));
            }
        }
    }
    report
}

/// For machines.
pub(super) fn json(
    registration: &Registration,
    wanted: &Wanted,
    differences: &[Difference],
) -> Value {
    let app_id = registration.app_id().as_str();
    let differences = differences.iter().map(|difference| {
        let mend = difference.mend.as_ref();
        json!({
            "weight": match difference.weight {
                Weight::Fault => "fault",
                Weight::Note => "note",
            },
            "setting": difference.setting,
            "values": difference.values,
            "problem": difference.problem,
            "blade": difference.blade,
            "command": mend.map(|mend| mend.command(wanted.graph(), app_id)),
            "properties": mend.and_then(|mend| mend.properties()),
        })
    });
    json!({
        "appId": app_id,
        "displayName": registration.display_name(),
        "differences": differences.collect::<Value>(),
    })
}

/// The clients that want a redirect URI.
fn whose(value: &str, wanted: &Wanted) -> String {
    let uri = wanted.redirect_uris.iter().find(|wanted| wanted.uri == value);
    let Some(uri) = uri else { return String::new() };
    let names: Vec<&str> = uri.wanted_by.clone();
    match names.len() {
        many if many == KNOWN_CLIENTS.len() => String::new(),
        _ => format!("  ({})", names.join(", ")),
    }
}

/// What somebody else wrote, without what a terminal would obey.
fn visible(text: &str) -> String {
    let escape = |c: char| if c.is_control() { c.escape_unicode().to_string() } else { c.into() };
    text.chars().map(escape).collect()
}

fn sentence(problem: &str) -> String {
    let mut characters = problem.chars();
    let first = characters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(characters).chain(['.']).collect()
}

fn indented(command: &str) -> String {
    command.lines().map(|line| format!("        {line}\n")).collect()
}
