//! The report for people: 80 columns, worst first, ending in the one sentence that matters most.
//!
//! It is written with colours, which whoever prints it leaves out where there is no terminal.

use anstyle::{AnsiColor, Style};

use super::finding::{Finding, Severity};
use super::seen::{Deployment, Observations};
use super::verdict::{Fate, Verdict};

const WIDTH: usize = 80;
const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();

pub(crate) fn report(verdict: &Verdict, seen: &Observations) -> String {
    let mut text = String::new();
    text.push_str(&format!("{}\n", paint(BOLD, seen.resource.as_str())));
    let answers = match verdict.deployment {
        _ if !verdict.reached => "nobody answers",
        Deployment::McpEntra => "mcp-entra answers",
        Deployment::BareEntra => "it sends clients to Entra ID itself",
        Deployment::Other => "another server than mcp-entra answers",
    };
    paragraph(&mut text, &format!("{answers}; asked: {}", seen.hosts.join(", ")), "");
    for finding in verdict.findings.iter().filter(|it| it.kind.severity != Severity::Ok) {
        text.push('\n');
        show(&mut text, finding, verdict.deployment);
    }
    let sound: Vec<&Finding> =
        verdict.findings.iter().filter(|it| it.kind.severity == Severity::Ok).collect();
    if !sound.is_empty() {
        text.push('\n');
    }
    for finding in sound {
        marked(&mut text, Severity::Ok, &finding.title());
    }
    if verdict.reached {
        clients(&mut text, verdict);
    }
    closing(&mut text, verdict);
    text
}

fn show(text: &mut String, finding: &Finding, deployment: Deployment) {
    marked(text, finding.kind.severity, &finding.title());
    let cause = finding.cause();
    if !cause.is_empty() {
        paragraph(text, &sentence(&cause), "        ");
    }
    for evidence in &finding.evidence {
        field(text, "asked", &evidence.request);
        field(text, "seen", &evidence.seen);
        field(text, "expected", &evidence.expected);
    }
    let broken = finding.broken();
    let mut shown: Vec<(String, Vec<&str>)> = Vec::new();
    for (who, shows) in &broken {
        match shown.iter_mut().find(|(known, _)| known == shows) {
            Some((_, names)) => names.push(name(who)),
            None => shown.push((shows.clone(), vec![name(who)])),
        }
    }
    for (shows, names) in shown {
        field(text, "breaks", &format!("{}: {shows}", names.join(", ")));
    }
    field(text, "mend", &sentence(&finding.mend(deployment)));
    field(text, "setting", &finding.setting(deployment));
    field(text, "portal", finding.portal().trim_end_matches(" > "));
    let command = finding.command();
    if !command.is_empty() {
        // as it is, so that it can be copied
        text.push_str("        run       ");
        text.push_str(&command.replace('\n', "\n                  "));
        text.push('\n');
    }
    text.push_str(&format!("        {}\n", paint(DIM, finding.kind.id)));
}

fn clients(text: &mut String, verdict: &Verdict) {
    text.push_str(&format!("\n{}\n", paint(BOLD, "Clients")));
    for (client, fate) in &verdict.clients {
        let (style, word, why) = match fate {
            Fate::Passes => (colour(AnsiColor::Green), "passes", String::new()),
            Fate::Fails(id, shows) => (colour(AnsiColor::Red), "fails ", format!("{shows} ({id})")),
            Fate::Partly(id) => {
                let why = format!("with some of its redirect URIs only ({id})");
                (colour(AnsiColor::Yellow), "partly", why)
            }
            Fate::Unknown => {
                let why = client.note.unwrap_or("the sign-in could not be tried");
                (colour(AnsiColor::Yellow), "unseen", why.to_owned())
            }
        };
        let lines = wrapped(&why, WIDTH - 38);
        let mut lines = lines.iter();
        let first = lines.next().map(String::as_str).unwrap_or_default();
        let line = format!("  {:<28} {} {first}", client.name, paint(style, word));
        text.push_str(line.trim_end());
        text.push('\n');
        lines.for_each(|line| text.push_str(&format!("{:38}{line}\n", "")));
    }
}

fn closing(text: &mut String, verdict: &Verdict) {
    let count = |severity, one: &str| match verdict.count(severity) {
        0 => format!("no {one}s"),
        1 => format!("1 {one}"),
        many => format!("{many} {one}s"),
    };
    text.push_str(&format!(
        "\n{}, {}, {}\n\n",
        count(Severity::Fault, "fault"),
        count(Severity::Warning, "warning"),
        count(Severity::Note, "note")
    ));
    let style = match verdict.worst().map(|worst| worst.kind.severity) {
        Some(Severity::Fault) => colour(AnsiColor::Red),
        Some(_) => colour(AnsiColor::Yellow),
        None => colour(AnsiColor::Green),
    };
    for line in wrapped(&verdict.sentence(), WIDTH) {
        text.push_str(&format!("{}\n", paint(style.bold(), &line)));
    }
}

fn marked(text: &mut String, severity: Severity, title: &str) {
    let (style, word) = match severity {
        Severity::Fault => (colour(AnsiColor::Red), "FAULT  "),
        Severity::Warning => (colour(AnsiColor::Yellow), "warning"),
        Severity::Note => (colour(AnsiColor::Cyan), "note   "),
        Severity::Ok => (colour(AnsiColor::Green), "ok     "),
    };
    let bold = if severity == Severity::Ok { Style::new() } else { BOLD };
    for (number, line) in wrapped(title, WIDTH - 8).iter().enumerate() {
        let mark = if number == 0 { paint(style, word) } else { "       ".into() };
        text.push_str(&format!("{mark} {}\n", paint(bold, line)));
    }
}

fn field(text: &mut String, name: &str, value: &str) {
    if value.is_empty() {
        return;
    }
    for (number, line) in wrapped(value, WIDTH - 18).iter().enumerate() {
        let name = if number == 0 { name } else { "" };
        text.push_str(&format!("        {name:<9} {line}\n"));
    }
}

fn paragraph(text: &mut String, words: &str, indent: &str) {
    for line in wrapped(words, WIDTH - indent.len()) {
        text.push_str(&format!("{indent}{line}\n"));
    }
}

/// Words over lines; a word that is longer than a line stays whole, so that a URL can be copied.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

fn sentence(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().map(|first| first.to_uppercase().to_string());
    let rest = characters.as_str().trim_end_matches('.');
    first.map(|first| format!("{first}{rest}.")).unwrap_or_default()
}

/// A client's name, from its id.
pub(crate) fn name<'i>(who: &'i str) -> &'i str {
    match who {
        "*" => "every client",
        "copilot-cli" => "GitHub Copilot CLI",
        "inspector in a browser" => "MCP Inspector in a browser",
        "own" => "your client",
        id => mcp_entra_core::known_client::find(id).map_or(id, |client| client.name),
    }
}

fn colour(colour: AnsiColor) -> Style {
    colour.on_default()
}

fn paint(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_filled_and_long_words_stay_whole() {
        assert_eq!(wrapped("a bb ccc", 4), ["a bb", "ccc"]);
        assert_eq!(wrapped("a https://long.example", 4), ["a", "https://long.example"]);
        assert!(wrapped("", 4).is_empty());
    }
}
