//! The options of `mcp-entra app-registration`, beside those that it shares with `serve`.

#![allow(rustdoc::bare_urls, rustdoc::invalid_html_tags, reason = "clap prints these comments")]

use clap::{Args, ValueEnum};
use mcp_entra_core::known_client::{self, KNOWN_CLIENTS, KnownClient};
use mcp_entra_core::scope::ScopeName;
use mcp_entra_core::{Guid, Options, Settings};

use super::serve_command::ServeCommand;
use super::wanted::{LONGEST_NAME, UNFIT_FOR_NAMES, Wanted};
use crate::entra_options::{EntraOptions, named, sentences};

const EXAMPLES: &str = "Examples:
  mcp-entra app-registration --resource https://mcp.example.com/mcp > registration.sh
  mcp-entra app-registration --resource https://mcp.example.com/mcp --as portal
  az ad app show --id <client-id> | mcp-entra app-registration --check -

The status of --check is 0 where nothing is wrong, 1 where something is, 2 where
the options or the registration cannot be read.";

/// What `app-registration` is told.
#[derive(Args, Clone, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct AppRegistrationOptions {
    /// Clients that are to sign in, separated by commas; none for only those of --redirect-uri
    /// [default: all that are known]
    #[arg(long = "client", value_name = "CLIENTS", value_delimiter = ',')]
    clients: Vec<String>,

    /// The form in which the registration is printed
    #[arg(long = "as", value_name = "FORM", default_value = "az")]
    pub(super) form: Form,

    /// Compare the registration in this file with what is needed; - for standard input. It is what
    /// az ad app show --id <client-id> prints
    #[arg(long, value_name = "FILE", conflicts_with = "form")]
    pub(super) check: Option<String>,

    /// Print the differences as JSON
    #[arg(long, requires = "check", conflicts_with = "form")]
    pub(super) json: bool,

    #[command(flatten)]
    entra: EntraOptions,

    /// Name of the registration, which users see when they sign in [default: MCP server, and the resource]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,

    /// A client with a registration of its own that needs no consent, such as the Azure CLI,
    /// 04b07795-8ddb-461a-bbee-02f9e1bf7b46; repeat it
    #[arg(long = "pre-authorize", value_name = "GUID")]
    pre_authorize: Vec<String>,

    /// An administrator consents for every user of the tenant
    #[arg(long)]
    admin_consent: bool,
}

/// How a registration is written down.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(super) enum Form {
    /// A bash script of Azure CLI commands, which can be run again
    Az,
    /// Bicep with the Microsoft Graph extension
    Bicep,
    /// The application object of Microsoft Graph
    Json,
    /// Steps in the Entra admin center
    Portal,
    /// Terraform with the azuread provider
    Terraform,
}

impl AppRegistrationOptions {
    /// What is wanted, or every fault at once.
    pub(super) fn wanted(&self) -> Result<Wanted, Vec<String>> {
        let mut faults = Vec::new();
        let clients = clients(&self.clients).unwrap_or_else(|mut unknown| {
            faults.append(&mut unknown);
            Vec::new()
        });
        let given = self.entra.options();
        let checks = self.check.is_some();
        let or = |text: &str, default: &str| match text {
            "" => default.to_owned(),
            text => text.to_owned(),
        };
        let nobody = "00000000-0000-0000-0000-000000000000";
        let parsed = Settings::parse(&Options {
            resource: if checks {
                or(&given.resource, "https://mcp.example.com/mcp")
            } else {
                given.resource.clone()
            },
            tenant: or(&given.tenant, nobody),
            client_id: or(&given.client_id, nobody),
            // a registration is there before its secret is
            client_secret: Some("none yet".into()),
            ..given.clone()
        });
        let settings = match parsed {
            Ok(settings) => Some(settings),
            Err(error) => {
                faults.extend(sentences(&error));
                None
            }
        };
        let pre_authorized: Vec<Guid> = read_guids(&self.pre_authorize, &mut faults);
        if let Some(name) = &self.name {
            faults.extend(name_fault(name));
        }
        let Some(settings) = settings else { return Err(faults) };
        faults.extend(permission_faults(&settings));
        if !faults.is_empty() {
            return Err(faults);
        }

        let mut wanted = match given.resource.as_str() {
            "" => Wanted { resource: None, ..Wanted::of(&settings, &clients, "the MCP server") },
            _ => Wanted::new(&settings, &clients),
        };
        if given.tenant.is_empty() {
            wanted.tenant = None;
        }
        if given.client_id.is_empty() {
            wanted.client_id = None;
        }
        if let Some(name) = &self.name {
            wanted.display_name.clone_from(name);
        }
        let named = !self.clients.is_empty();
        wanted.serve = ServeCommand::new(&given, named.then_some(clients.as_slice()));
        Ok(Wanted { pre_authorized, admin_consent: self.admin_consent, ..wanted })
    }
}

fn clients(ids: &[String]) -> Result<Vec<&'static KnownClient>, Vec<String>> {
    let ids: Vec<&str> = ids.iter().map(|id| id.trim()).filter(|id| !id.is_empty()).collect();
    match ids.as_slice() {
        [] => return Ok(KNOWN_CLIENTS.iter().collect()),
        ["none"] => return Ok(Vec::new()),
        _ => {}
    }
    let (mut clients, mut unknown) = (Vec::new(), Vec::new());
    for id in ids {
        match known_client::find(id) {
            Some(client) if clients.contains(&client) => {}
            Some(client) => clients.push(client),
            None => unknown.push(unknown_client(id)),
        }
    }
    if unknown.is_empty() { Ok(clients) } else { Err(unknown) }
}

fn unknown_client(id: &str) -> String {
    let known: Vec<&str> = KNOWN_CLIENTS.iter().map(|client| client.id).collect();
    format!(
        "--client '{id}': there is no such client; known are {}. For another client give its \
         redirect URIs with --redirect-uri",
        known.join(", ")
    )
}

fn read_guids(texts: &[String], faults: &mut Vec<String>) -> Vec<Guid> {
    let mut guids = Vec::new();
    for text in texts.iter().flat_map(|text| text.split([',', ' '])).filter(|t| !t.is_empty()) {
        match text.parse() {
            Ok(guid) if guids.contains(&guid) => {}
            Ok(guid) => guids.push(guid),
            Err(error) => faults.push(format!(
                "--pre-authorize '{text}': {error}; give the client id of the client's own \
                 registration"
            )),
        }
    }
    guids
}

fn name_fault(name: &str) -> Option<String> {
    let problem = if name.trim().is_empty() {
        "it is empty"
    } else if name.chars().count() > LONGEST_NAME {
        "it is longer than 120 characters"
    } else if name.chars().any(|c| c.is_control() || UNFIT_FOR_NAMES.contains(c)) {
        "it has a control character or one of <>;&%\"'\\`$"
    } else {
        return None;
    };
    Some(format!("--name '{name}': {problem}; give a name as users should see it"))
}

/// Scopes and app roles share the names of one registration, and their rules.
fn permission_faults(settings: &Settings) -> Vec<String> {
    let api = settings.api();
    let mut faults = Vec::new();
    for role in settings.app_roles() {
        let option = named("app-role");
        if role.parse::<ScopeName>().is_err() {
            faults.push(format!(
                "{option} '{role}': Entra does not take this name; give letters, digits, dots and \
                 underscores"
            ));
        } else if api.required().iter().chain(api.optional()).any(|s| s.as_str() == role) {
            faults.push(format!(
                "{option} '{role}': there is a scope of this name, and a registration has each \
                 name once; choose another"
            ));
        }
    }
    faults
}
