//! A stand-in for Microsoft Entra ID: it refuses what Entra refuses, with the same AADSTS code, and issues tokens of the
//! same shape. For tests, and for trying things out without a tenant.
//!
//! ```no_run
//! # async fn run() -> std::io::Result<()> {
//! use mcp_entra_stand_in::{Application, EntraStandIn, Endpoint, Fault};
//!
//! let entra = EntraStandIn::builder().application(Application::example()).start().await?;
//! println!("{}/v2.0", entra.authority());
//! entra.set_fault(Endpoint::Keys, Some(Fault::Outage));
//! # Ok(()) }
//! ```
//!
//! It serves `/{tenant}/v2.0/.well-known/openid-configuration`, `/{tenant}/discovery/v2.0/keys` (and both of v1),
//! `/{tenant}/oauth2/v2.0/authorize` and `…/token`, where the tenant is its GUID, its domain, `common`, `organizations` or
//! `consumers`. There is no RFC 8414 document, as there is none at Entra.
//!
//! Every rule is written next to the code of its refusal ([`CODES`]) with where it is known from. Where that leaves a
//! doubt, [`Strictness`] decides, and its default is the stricter answer.
//!
//! Not for production: users sign in without a password, and requests are recorded with their secrets.

#![warn(missing_docs)]

mod aadsts;
mod answer;
mod application;
mod authorize;
mod builder;
mod certificate;
mod client_auth;
mod discovery;
mod fault;
mod grants;
mod issue;
mod keys;
mod options;
mod parameters;
mod random;
mod record;
mod redirect;
mod refusal;
mod scope;
mod server;
mod stand_in;
mod tenant;
mod time;
mod token;
mod world;

pub use aadsts::{Aadsts, CODES, Surface};
pub use application::{
    Api, AppRole, Application, EXAMPLE_CLIENT, FederatedIdentityCredential, PasswordCredential,
    PermissionScope, PreAuthorizedApplication, RedirectUris, RequiredResourceAccess,
    ResourceAccess, SignInAudience,
};
pub use builder::{EXAMPLE_TENANT, EntraStandInBuilder};
pub use fault::{Endpoint, Fault};
pub use keys::{SigningKey, UnknownKey};
pub use options::{Cloud, Consent, Form, Granted, Separator, Strictness, User};
pub use record::RecordedRequest;
pub use redirect::Platform;
pub use refusal::Refusal;
pub use stand_in::{EntraStandIn, UnknownCode};
pub use tenant::CONSUMERS as CONSUMERS_TENANT;
