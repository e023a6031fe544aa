//! `mcp-entra explain`: what an error of Entra's means here, for a terminal.

use std::process::ExitCode;

use clap::Args;
use mcp_entra_core::aadsts::{self, Aadsts, Action, Place};

/// What is to be explained.
#[derive(Args, Clone, Debug)]
pub(crate) struct ExplainOptions {
    /// Numbers such as AADSTS50011, or the text that Microsoft's page shows
    #[arg(required = true, value_name = "CODE")]
    text: Vec<String>,
}

/// Prints what is known; fails where nothing is.
pub(crate) fn run(options: &ExplainOptions) -> ExitCode {
    let text = options.text.join(" ");
    let mut codes: Vec<u32> = aadsts::codes_in(&text).collect();
    if codes.is_empty() {
        codes.extend(text.split_whitespace().filter_map(|word| word.parse::<u32>().ok()));
    }
    codes.dedup();
    if codes.is_empty() {
        eprintln!("mcp-entra: there is no code such as AADSTS50011 in '{text}'");
        return ExitCode::from(2);
    }
    let mut all_known = true;
    for code in codes {
        match aadsts::explain(code) {
            Some(known) => print!("{}", explanation(known)),
            None => {
                all_known = false;
                println!(
                    "AADSTS{code} is not among the codes that this path is known to meet; see\n  \
                     https://login.microsoftonline.com/error?code={code}"
                );
            }
        }
    }
    if all_known { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn explanation(known: &Aadsts) -> String {
    let Aadsts { code, cause, mend, .. } = known;
    let mut text = format!("AADSTS{code}: {cause}\n  mend     {mend}\n");
    let place = match known.place {
        Place::Options => Some("the options of mcp-entra"),
        place => place.blade(),
    };
    text.extend(place.map(|place| format!("  where    {place}\n")));
    let command = known.command().filter(|_| known.action != Action::Retry);
    text.extend(command.map(|command| format!("  command  {command}\n")));
    text
}
