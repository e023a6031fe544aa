//! The options that say what Entra ID knows of the gateway: `serve` and `app-registration` share
//! them, and so one environment does for both.

#![allow(rustdoc::bare_urls, rustdoc::invalid_html_tags, reason = "clap prints these comments")]

use clap::Args;
use mcp_entra_core::{Options, SettingsError};

/// What the gateway and its app registration agree on.
#[derive(Args, Clone, Debug)]
pub(crate) struct EntraOptions {
    /// Public URL of the MCP endpoint, such as https://mcp.example.com/mcp; its origin is the issuer
    #[arg(
        long,
        env = "MCP_ENTRA_RESOURCE",
        default_value = "",
        hide_default_value = true,
        value_name = "URL"
    )]
    pub(crate) resource: String,

    /// Tenant GUID or domain, organizations, common or consumers
    #[arg(long, env = "MCP_ENTRA_TENANT", default_value = "", hide_default_value = true)]
    pub(crate) tenant: String,

    /// Application (client) ID of the app registration
    #[arg(
        long,
        env = "MCP_ENTRA_CLIENT_ID",
        default_value = "",
        hide_default_value = true,
        value_name = "GUID"
    )]
    pub(crate) client_id: String,

    /// Where a client secret is set: which redirect URIs are on the Web platform and need it.
    /// auto: https is Web, loopback and private schemes are Mobile and desktop; or web, native
    #[arg(long, env = "MCP_ENTRA_PLATFORM", default_value = "auto")]
    pub(crate) platform: String,

    /// Scopes that every call needs, separated by spaces, as "Expose an API" names them
    #[arg(long, env = "MCP_ENTRA_SCOPE", default_value = mcp_entra_core::DEFAULT_SCOPE, value_name = "SCOPES")]
    pub(crate) scope: String,

    /// Application ID URI of the API [default: api://<client-id>]
    #[arg(
        long,
        env = "MCP_ENTRA_APP_ID_URI",
        default_value = "",
        hide_default_value = true,
        value_name = "URI"
    )]
    pub(crate) app_id_uri: String,

    /// Origin of the Microsoft cloud [default: https://login.microsoftonline.com]
    #[arg(
        long,
        env = "MCP_ENTRA_AUTHORITY",
        default_value = "",
        hide_default_value = true,
        value_name = "URL"
    )]
    pub(crate) authority: String,

    /// Redirect URI beside those of the known clients; repeat it, or separate by white space. A
    /// loopback address without a port stands for every port
    #[arg(long = "redirect-uri", env = "MCP_ENTRA_REDIRECT_URIS", value_name = "URI")]
    pub(crate) redirect_uris: Vec<String>,

    /// What an operation needs beside --scope, as tools/call:delete_*=mcp.write; repeat it
    #[arg(
        long = "operation-scope",
        env = "MCP_ENTRA_OPERATION_SCOPES",
        value_name = "OPERATION=SCOPES"
    )]
    pub(crate) operation_scopes: Vec<String>,

    /// App role with which an application may call without a user; repeat it [default: none may]
    #[arg(long = "app-role", env = "MCP_ENTRA_APP_ROLES", value_name = "ROLE")]
    pub(crate) app_roles: Vec<String>,
}

impl EntraOptions {
    /// The texts for the core; what is not said here is as by default.
    pub(crate) fn options(&self) -> Options {
        Options {
            resource: self.resource.clone(),
            tenant: self.tenant.clone(),
            client_id: self.client_id.clone(),
            platform: self.platform.clone(),
            scopes: self.scope.split_whitespace().map(str::to_owned).collect(),
            app_id_uri: self.app_id_uri.clone(),
            authority: self.authority.clone(),
            redirect_uris: words(&self.redirect_uris),
            operation_scopes: words(&self.operation_scopes),
            app_roles: words(&self.app_roles),
            ..Options::default()
        }
    }
}

/// The values of an option that may be repeated, or separated by white space in its variable.
pub(crate) fn words(list: &[String]) -> Vec<String> {
    list.iter().flat_map(|text| text.split_whitespace()).map(str::to_owned).collect()
}

/// The faults of the core, by flag and variable.
pub(crate) fn sentences(error: &SettingsError) -> Vec<String> {
    let sentence = |fault: &mcp_entra_core::Fault| {
        let text = fault.to_string();
        let rest = text.strip_prefix(fault.option()).unwrap_or(&text);
        format!("{}{rest}", named(fault.option()))
    };
    error.faults().iter().map(sentence).collect()
}

/// The flag and the variable of an option, for a message.
pub(crate) fn named(option: &str) -> String {
    let plural =
        ["redirect-uri", "allowed-tenant", "audience", "operation-scope", "app-role", "rate-limit"];
    let s = if plural.contains(&option) { "S" } else { "" };
    let variable = format!("MCP_ENTRA_{}{s}", option.to_ascii_uppercase().replace('-', "_"));
    match option {
        "client-secret" => variable,
        _ => format!("--{option} ({variable})"),
    }
}
