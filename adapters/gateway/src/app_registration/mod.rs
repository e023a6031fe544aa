//! `mcp-entra app-registration`: what the app registration has to be, in the form that its operator
//! works with, and whether one that exists is so.
//!
//! | | |
//! |---|---|
//! | `options` | the flags, checked as a whole |
//! | `wanted` | what a registration needs, as plain data |
//! | `application` | the same as Microsoft Graph's `application` object |
//! | `az`, `bicep`, `terraform`, `portal` | the same in each form |
//! | `serve_command` | the command that serves with it |
//! | `registration` | a registration as it is |
//! | `check`, `permissions`, `redirect_uris`, `mend` | every difference between the two, with what mends it |
//! | `report`, `wrap` | how differences are printed |

use std::io::{Read as _, Write as _};
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use mcp_entra_core::UnixTime;
use serde_json::Value;

mod application;
mod az;
mod bicep;
pub(crate) mod check;
pub(crate) mod mend;
mod options;
mod permissions;
mod portal;
mod redirect_uris;
pub(crate) mod registration;
mod report;
mod serve_command;
mod terraform;
pub(crate) mod wanted;
mod wrap;

use check::Weight;
use options::Form;
use registration::{Registration, RegistrationError};
use wanted::Wanted;

pub(crate) use options::AppRegistrationOptions;

/// Prints the registration, or what is wrong with one. 2 is for what cannot be read.
pub(crate) fn run(options: &AppRegistrationOptions) -> ExitCode {
    let wanted = match options.wanted() {
        Ok(wanted) => wanted,
        Err(faults) => {
            for fault in faults {
                eprintln!("mcp-entra: {fault}");
            }
            return ExitCode::from(2);
        }
    };
    match &options.check {
        Some(file) => compare(file, &wanted, options.json),
        None => {
            print(&wanted, options.form);
            ExitCode::SUCCESS
        }
    }
}

fn print(wanted: &Wanted, form: Form) {
    match form {
        Form::Az => say(&az::az(wanted)),
        Form::Bicep => say(&bicep::bicep(wanted)),
        Form::Portal => say(&portal::portal(wanted)),
        Form::Terraform => say(&terraform::terraform(wanted)),
        Form::Json => {
            say(&format!("{:#}\n", Value::Object(wanted.application())));
            // JSON has no place for them
            notes(wanted).iter().for_each(|note| eprint!("{}", wrap::wrapped(note, "")));
        }
    }
}

fn compare(file: &str, wanted: &Wanted, json: bool) -> ExitCode {
    let registration = match read(file) {
        Ok(registration) => registration,
        Err(fault) => {
            eprintln!("mcp-entra: --check '{file}': {fault}");
            return ExitCode::from(2);
        }
    };
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let differences = check::check(&registration, wanted, UnixTime(since_1970.as_secs()));
    if json {
        say(&format!("{:#}\n", report::json(&registration, wanted, &differences)));
    } else {
        say(&report::text(&registration, wanted, &differences));
    }
    let wrong = differences.iter().any(|difference| difference.weight == Weight::Fault);
    if wrong { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// To standard output; whoever closes it has seen enough.
fn say(text: &str) {
    _ = std::io::stdout().lock().write_all(text.as_bytes());
}

/// A file, or `-` for standard input.
fn read(file: &str) -> Result<Registration, ReadError> {
    let most = u64::try_from(registration::MAX_LENGTH).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    match file {
        "-" => std::io::stdin().lock().take(most).read_to_end(&mut bytes)?,
        path => std::fs::File::open(path)?.take(most).read_to_end(&mut bytes)?,
    };
    Ok(Registration::parse(&bytes)?)
}

#[derive(Debug, thiserror::Error)]
enum ReadError {
    #[error("{0}; name a file that holds the registration, or - for standard input")]
    Io(#[from] std::io::Error),
    #[error("{0}")]
    Registration(#[from] RegistrationError),
}

/// What the operator has to see to for some of the clients, in a sentence each.
fn notes(wanted: &Wanted) -> Vec<String> {
    let noted = wanted.clients.iter().filter_map(|client| client.note.zip(Some(client.name)));
    noted.map(|(note, name)| format!("{name}: {note}.")).collect()
}
