//! The options of `mcp-entra serve`: every one is a flag and an environment variable.

#![allow(rustdoc::bare_urls, rustdoc::invalid_html_tags, reason = "clap prints these comments")]

use std::net::SocketAddr;

use clap::Args;
use mcp_entra_core::{Options, Settings};
use mcp_entra_functions::FunctionName;
use url::Url;

use crate::azure::{self, Derived};
use crate::easy_auth;
use crate::entra_options::{EntraOptions, named, sentences, words};
use crate::limits::{LimitOptions, Limits};

const DEFAULT_LISTEN: &str = "127.0.0.1:8080";

/// Where a server that we start listens: at a free port.
const BESIDE: &str = "http://127.0.0.1:0/mcp";

const SECRET_HELP: &str =
    "The client secret, for redirect URIs on the Web platform, has no flag, since every user of
the machine can read command lines. Set one of
  MCP_ENTRA_CLIENT_SECRET       the secret's value
  MCP_ENTRA_CLIENT_SECRET_FILE  a file that holds it";

/// What `serve` is told.
#[derive(Args, Clone, Debug)]
#[command(after_help = SECRET_HELP)]
pub(crate) struct ServeOptions {
    /// Address to listen on; port 0 takes a free one, and the log names it [default: 127.0.0.1:8080,
    /// or the port that the Azure Functions host gives]
    #[arg(
        long,
        env = "MCP_ENTRA_LISTEN",
        default_value = "",
        hide_default_value = true,
        value_name = "ADDRESS"
    )]
    listen: String,

    /// The MCP server behind, such as http://127.0.0.1:9000/mcp. With a COMMAND port 0 takes a free one
    /// [default with a COMMAND: http://127.0.0.1:0/mcp]
    #[arg(
        long,
        env = "MCP_ENTRA_UPSTREAM",
        default_value = "",
        hide_default_value = true,
        value_name = "URL"
    )]
    upstream: String,

    #[command(flatten)]
    entra: EntraOptions,

    /// Give clients that insist on a secret (Microsoft 365 Copilot) a placeholder; it is never the
    /// real one and opens nothing
    #[arg(long, env = "MCP_ENTRA_ISSUE_CLIENT_SECRET")]
    issue_client_secret: bool,

    /// Tenant whose users may call, where --tenant stands for several; repeat it
    #[arg(long = "allowed-tenant", env = "MCP_ENTRA_ALLOWED_TENANTS", value_name = "GUID")]
    allowed_tenants: Vec<String>,

    /// Further audience of access tokens; repeat it
    #[arg(long = "audience", env = "MCP_ENTRA_AUDIENCES", value_name = "AUDIENCE")]
    audiences: Vec<String>,

    /// A scope that includes others, as mcp.write=mcp.read; repeat it
    #[arg(long = "scope-implies", env = "MCP_ENTRA_SCOPE_IMPLIES", value_name = "SCOPE=SCOPES")]
    scope_implies: Vec<String>,

    /// Seconds by which clocks may differ, 300 at most
    #[arg(long, env = "MCP_ENTRA_CLOCK_SKEW", default_value_t = mcp_entra_core::MAX_CLOCK_SKEW, value_name = "SECONDS")]
    clock_skew: u64,

    /// Whose word on the caller is taken: token, or easy-auth (only behind App Service's or
    /// Container Apps' authentication, with every other way to this port closed)
    #[arg(long, env = "MCP_ENTRA_TRUST", default_value = "token")]
    trust: String,

    /// Pass the caller's access token on to the MCP server, for servers that exchange it on behalf
    /// of the user
    #[arg(long, env = "MCP_ENTRA_FORWARD_TOKEN")]
    forward_token: bool,

    /// Name of the Azure Functions function whose invocations come as JSON, for apps that neither proxy nor
    /// forward; nobody but the Functions host may reach this port then [default: no JSON is believed]
    #[arg(
        long,
        env = "MCP_ENTRA_FUNCTIONS_ENVELOPE",
        default_value = "",
        hide_default_value = true,
        value_name = "FUNCTION"
    )]
    functions_envelope: String,

    #[command(flatten)]
    limits: LimitOptions,

    /// Starts the MCP server behind: a program and its arguments, after --. It is told its port in the
    /// variable PORT, and ends with the gateway, as the gateway ends with it
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<String>,
}

/// The options, checked.
#[derive(Debug)]
pub(crate) struct Checked {
    pub(crate) listen: SocketAddr,
    pub(crate) upstream: Url,
    pub(crate) settings: Settings,
    pub(crate) limits: Limits,
    /// What the operator has to see to, since nothing here can.
    pub(crate) warning: Option<&'static str>,
    /// What was left out and is known from the platform.
    pub(crate) derived: Vec<Derived>,
    /// What starts the server behind, if we do: a program and its arguments.
    pub(crate) command: Vec<String>,
    /// The function whose invocations come in the envelope, if they do.
    pub(crate) envelope: Option<FunctionName>,
}

impl ServeOptions {
    /// Checks everything together and reports every fault at once.
    pub(crate) fn check(mut self) -> Result<Checked, Vec<String>> {
        let mut faults = Vec::new();
        if self.upstream.is_empty() && !self.command.is_empty() {
            self.upstream = BESIDE.into();
        }
        let derived = self.derive();
        let client_secret = client_secret().unwrap_or_else(|fault| {
            faults.push(fault);
            None
        });
        let listen = self.listen.parse::<SocketAddr>().map_err(|error| {
            faults.push(format!(
                "{} '{}': {error}; give an address and a port, such as 0.0.0.0:8080",
                named("listen"),
                self.listen
            ));
        });
        let upstream = upstream(&self.upstream, self.command.is_empty());
        let upstream = upstream.map_err(|fault| faults.push(fault));
        let envelope = envelope(&self.functions_envelope, listen.as_ref().ok());
        let envelope = envelope.map_err(|fault| faults.push(fault));
        let mut warning = None;
        if self.trust == "easy-auth" {
            match easy_auth::check(|name| std::env::var(name).ok()) {
                Ok(text) => warning = text,
                Err(fault) => faults.push(fault),
            }
        }
        let limits = self.limits.check(&mut faults);
        let settings = Settings::parse(&Options {
            client_secret,
            issue_client_secret: self.issue_client_secret,
            allowed_tenants: words(&self.allowed_tenants),
            audiences: words(&self.audiences),
            scope_implies: words(&self.scope_implies),
            clock_skew: Some(self.clock_skew),
            // what is too short is told already
            max_message_length: Some(limits.message_length.max(1)),
            trust: self.trust,
            forward_token: self.forward_token,
            ..self.entra.options()
        })
        .map_err(|error| faults.extend(sentences(&error)));
        match (listen, upstream, settings, envelope) {
            (Ok(listen), Ok(upstream), Ok(settings), Ok(envelope)) if faults.is_empty() => {
                let command = self.command;
                Ok(Checked {
                    listen,
                    upstream,
                    settings,
                    limits,
                    warning,
                    derived,
                    command,
                    envelope,
                })
            }
            _ => Err(faults),
        }
    }
}

impl ServeOptions {
    /// Fills in what the operator left out, and says what it was.
    fn derive(&mut self) -> Vec<Derived> {
        let mut derived = azure::derive(|name| std::env::var(name).ok(), &self.upstream);
        derived.retain(|known| {
            let option = match known.option {
                "authority" => &mut self.entra.authority,
                "client-id" => &mut self.entra.client_id,
                "listen" => &mut self.listen,
                "resource" => &mut self.entra.resource,
                _ => &mut self.entra.tenant,
            };
            let left_out = option.is_empty();
            if left_out {
                option.clone_from(&known.value);
            }
            left_out
        });
        if self.listen.is_empty() {
            self.listen = DEFAULT_LISTEN.into();
        }
        derived
    }
}

/// The secret has no flag, since command lines are there for every user of the machine to read.
fn client_secret() -> Result<Option<String>, String> {
    const VARIABLE: &str = "MCP_ENTRA_CLIENT_SECRET";
    const FILE: &str = "MCP_ENTRA_CLIENT_SECRET_FILE";

    let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    match (variable(VARIABLE), variable(FILE)) {
        (Some(_), Some(_)) => Err(format!("{VARIABLE} and {FILE} are both set: keep one of them")),
        (secret, None) => Ok(secret),
        (None, Some(path)) => {
            std::fs::read_to_string(&path).map(|secret| Some(secret.trim_end().to_owned())).map_err(
                |error| format!("{FILE} '{path}': {error}; name a file that holds the secret"),
            )
        }
    }
}

fn upstream(text: &str, runs_already: bool) -> Result<Url, String> {
    let mend = "give the URL of the MCP server behind, such as http://127.0.0.1:9000/mcp";
    let fault = |problem: &str| format!("{} '{text}': {problem}; {mend}", named("upstream"));
    if text.is_empty() {
        return Err(format!("{} is missing: {mend}", named("upstream")));
    }
    let url = Url::parse(text).map_err(|error| fault(&error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err(fault("it must be http or https"));
    }
    if url.query().is_some()
        || url.fragment().is_some()
        || !url.username().is_empty()
        || url.password().is_some()
    {
        return Err(fault("it must have no query, fragment or user name"));
    }
    if runs_already && url.port() == Some(0) {
        return Err(fault("port 0 is for a server that is started here, by a command after --"));
    }
    Ok(url)
}

/// An envelope says who has signed in, so only the host on this machine may hand us one.
fn envelope(name: &str, listen: Option<&SocketAddr>) -> Result<Option<FunctionName>, String> {
    if name.is_empty() {
        return Ok(None);
    }
    let fault = |problem: &str| format!("{} '{name}': {problem}", named("functions-envelope"));
    if let Some(listen) = listen.filter(|listen| !listen.ip().is_loopback()) {
        return Err(fault(&format!(
            "whoever reaches {listen} could say who they are; listen on 127.0.0.1, where the Functions host \
             alone calls, or leave this option out"
        )));
    }
    name.parse()
        .map(Some)
        .map_err(|error| fault(&format!("{error}; give the name of the folder with function.json")))
}
