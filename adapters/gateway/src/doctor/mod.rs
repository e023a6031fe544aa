//! `mcp-entra doctor`: what is wrong with the sign-in to an MCP server, whoever made it, and what
//! mends it.
//!
//! | | |
//! |---|---|
//! | `walk`, `web` | what the strictest client would ask, and the only way out |
//! | `seen`, `challenge` | what came, as plain data |
//! | `examine` | from what was seen to findings, each a pure function |
//! | `finding`, `kinds` | a finding, and every kind there is with its texts |
//! | `verdict` | which matters most, and how each client fares |
//! | `report`, `json` | for people, for machines |

#![allow(rustdoc::bare_urls, rustdoc::invalid_html_tags, reason = "clap prints these comments")]

use std::io::{Read as _, Write as _};
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::Args;
use mcp_entra_core::UnixTime;
use mcp_entra_core::known_client::{self, KNOWN_CLIENTS, KnownClient};
use mcp_entra_core::redirect_uri::RedirectUri;
use url::Url;

use crate::app_registration::registration::{MAX_LENGTH, Registration};
use finding::Severity;
use verdict::Verdict;
use walk::Itinerary;
use web::Web;

mod challenge;
mod examine;
mod finding;
mod json;
mod kinds;
mod report;
mod seen;
mod verdict;
mod walk;
mod web;

/// What a usage error is reported with, as by clap.
const USAGE: u8 = 2;
const UNREACHABLE: u8 = 3;

const EXAMPLES: &str = "Examples:
  mcp-entra doctor https://mcp.example.com/mcp
  mcp-entra doctor https://mcp.example.com/mcp --client cursor,vscode
  az ad app show --id <client-id> | mcp-entra doctor https://mcp.example.com/mcp --app-registration -

It signs nobody in and needs no secret. It asks the server, what the server's metadata names, and
Entra's authorization endpoint, up to the sign-in page.

The status is 0 where nothing is wrong, 1 where a client that is asked about cannot sign in, 2 where
the options cannot be read, 3 where the server cannot be reached.";

/// What `doctor` is told.
#[derive(Args, Clone, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct DoctorOptions {
    /// The URL that clients are given, such as https://mcp.example.com/mcp
    #[arg(value_name = "RESOURCE_URL")]
    resource: Url,

    /// Clients to ask as, separated by commas [default: all known]
    #[arg(long = "client", value_name = "CLIENTS", value_delimiter = ',')]
    clients: Vec<String>,

    /// Redirect URI of a client that is not known, or of a connector; repeat it
    #[arg(long = "redirect-uri", value_name = "URI")]
    redirect_uris: Vec<RedirectUri>,

    /// Client id that clients are configured with, for servers that register nobody
    #[arg(long, value_name = "ID")]
    client_id: Option<String>,

    /// The app registration, as `az ad app show` prints it: a file, or - for standard input
    #[arg(long, value_name = "FILE")]
    app_registration: Option<String>,

    /// Register no client on trial; some servers keep what is registered
    #[arg(long)]
    no_registration: bool,

    /// Print JSON
    #[arg(long)]
    json: bool,

    /// Seconds that an answer may take
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=120))]
    timeout: u64,
}

/// Examines, reports, and says by its status whether a client fails.
pub(crate) async fn run(options: DoctorOptions) -> ExitCode {
    let checked = options.check();
    let (itinerary, registration) = match checked {
        Ok(checked) => checked,
        Err(faults) => {
            for fault in faults {
                eprintln!("mcp-entra: {fault}");
            }
            return ExitCode::from(USAGE);
        }
    };
    let timeout = Duration::from_secs(options.timeout);
    let web = match Web::new(&itinerary.resource, timeout).await {
        Ok(web) => web,
        Err(error) => {
            eprintln!("mcp-entra: {error}");
            return ExitCode::from(USAGE);
        }
    };
    let seen = walk::walk(&web, &itinerary).await;
    let mut findings = examine::examine(&seen);
    if let Some(registration) = registration {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        findings.extend(examine::app_registration::examine(
            &seen,
            &registration,
            &itinerary.clients,
            &itinerary.redirect_uris,
            UnixTime(since_1970.as_secs()),
        ));
    }
    let verdict = Verdict::of(findings, &seen, &itinerary.clients);
    let text = match options.json {
        true => format!("{:#}\n", json::json(&verdict, &seen)),
        false => report::report(&verdict, &seen),
    };
    // a reader that has gone away has seen enough
    _ = anstream::stdout().write_all(text.as_bytes());
    match verdict.count(Severity::Fault) {
        _ if !verdict.reached => ExitCode::from(UNREACHABLE),
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

impl DoctorOptions {
    fn check(&self) -> Result<(Itinerary, Option<Registration>), Vec<String>> {
        let mut faults = Vec::new();
        let resource = &self.resource;
        if !matches!(resource.scheme(), "http" | "https") || resource.host().is_none() {
            faults.push(format!(
                "'{resource}': it must be a URL of https, or http on this machine, such as \
                 https://mcp.example.com/mcp"
            ));
        }
        if !resource.username().is_empty() || resource.password().is_some() {
            faults.push("the URL must have no user name and no password".into());
        }
        let mut clients: Vec<&'static KnownClient> = Vec::new();
        for id in self.clients.iter().map(|id| id.trim()).filter(|id| !id.is_empty()) {
            match known_client::find(id) {
                Some(client) if clients.contains(&client) => {}
                Some(client) => clients.push(client),
                None => {
                    let known: Vec<&str> = KNOWN_CLIENTS.iter().map(|client| client.id).collect();
                    faults.push(format!(
                        "--client '{id}': there is no such client; known are {}",
                        known.join(", ")
                    ));
                }
            }
        }
        if self.clients.is_empty() {
            clients = KNOWN_CLIENTS.iter().collect();
        }
        let registration = match &self.app_registration {
            None => None,
            Some(file) => match read(file) {
                Ok(registration) => Some(registration),
                Err(fault) => {
                    faults.push(format!("--app-registration '{file}': {fault}"));
                    None
                }
            },
        };
        if !faults.is_empty() {
            return Err(faults);
        }
        let mut resource = resource.clone();
        resource.set_fragment(None);
        let itinerary = Itinerary {
            resource,
            clients,
            redirect_uris: self.redirect_uris.clone(),
            client_id: self.client_id.clone(),
            register: !self.no_registration,
        };
        Ok((itinerary, registration))
    }
}

/// A file, or `-` for standard input.
fn read(file: &str) -> Result<Registration, String> {
    let most = u64::try_from(MAX_LENGTH).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    let done = match file {
        "-" => std::io::stdin().lock().take(most).read_to_end(&mut bytes),
        path => std::fs::File::open(path).and_then(|file| file.take(most).read_to_end(&mut bytes)),
    };
    done.map_err(|error| {
        format!("{error}; name a file that holds the registration, or - for standard input")
    })?;
    Registration::parse(&bytes).map_err(|error| error.to_string())
}
