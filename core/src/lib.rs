//! Sign MCP clients in with Microsoft Entra ID: the translations and the policy.
//!
//! MCP clients sign users in by the MCP authorization specification; Entra ID speaks none of what
//! it asks for as clients need it. This crate decides what to answer in between. It opens no
//! socket, reads no clock and draws no random number: compiled to WebAssembly it has no import.
//!
//! # The run loop
//!
//! A driver, one of the `mcp-entra` adapters or ten lines of your own, does what the core asks. A whole
//! server with such lines, and nothing of ours beside this crate, is [`examples/embed.rs`]; a Worker is
//! [`examples/worker`].
//!
//! [`examples/embed.rs`]: https://github.com/mcp-entra/mcp-entra/blob/main/core/examples/embed.rs
//! [`examples/worker`]: https://github.com/mcp-entra/mcp-entra/tree/main/core/examples/worker
//!
//! 1. [`Facade::begin`] takes the head of a request and gives a [`Step`].
//! 2. [`Step::Respond`]: send the answer. Done.
//! 3. [`Step::Pass`]: the request is not ours, or the caller may pass; hand it on. Done.
//! 4. [`Step::Read`]: buffer the body up to its limit; resume.
//! 5. [`Step::Load`], [`Step::Verify`]: fetch Entra's documents, check a signature; resume.
//! 6. [`Step::Send`]: ask Entra; resume.
//!
//! ```
//! use mcp_entra_core::{Context, Facade, Options, Settings, Step};
//!
//! let settings = Settings::parse(&Options {
//!     resource: "https://mcp.example.com/mcp".into(),
//!     tenant: "11111111-2222-4333-8444-555555555555".into(),
//!     client_id: "99999999-8888-4777-8666-555555555555".into(),
//!     ..Options::default()
//! })?;
//! let facade = Facade::new(settings);
//!
//! let (head, _body) = http::Request::post("/mcp").body(()).unwrap().into_parts();
//! let Step::Respond(response) = facade.begin(&head, &Context::default()) else { panic!() };
//! assert_eq!(response.status(), 401);
//! assert_eq!(
//!     response.headers()["www-authenticate"],
//!     "Bearer resource_metadata=\"https://mcp.example.com/.well-known/oauth-protected-resource/mcp\", \
//!      scope=\"access_as_user\""
//! );
//! # Ok::<(), mcp_entra_core::SettingsError>(())
//! ```
//!
//! # The map
//!
//! Every arrow points downwards. Each translation is public on its own.
//!
//! ```text
//! facade                  the one door: head of a request -> Step
//! exchange                the effects and their continuations
//! access_token  authorization_server  authorize  challenge  protected_resource  registration  token
//! entra_error  error_page  explanation  front_page      what clients and people are told
//! settings  discovery  key_set                   what the translations know
//! authority  resource  operation  principal  redirect_uri  scope  aadsts  form  oauth_error
//! known_client            the clients that are known, as data
//! ```
//!
//! # Panics, errors
//!
//! No input makes it panic; a panic is a bug. Errors name what happened, which value, and what to
//! do, and show nothing secret: no token, code, verifier, secret or state is in any `Debug`,
//! error or [`Reason`].

#![cfg_attr(not(test), warn(clippy::indexing_slicing))]

pub mod aadsts;
pub mod access_token;
mod authority;
pub mod authorization_server;
pub mod authorize;
pub mod challenge;
pub mod discovery;
mod entra_error;
mod error_page;
pub mod exchange;
pub mod explanation;
mod facade;
pub mod form;
mod front_page;
mod guid;
mod json;
pub mod key_set;
pub mod known_client;
#[cfg(feature = "oauth2")]
mod oauth2;
pub mod oauth_error;
pub mod operation;
mod options;
mod page;
mod platform;
pub mod principal;
pub mod protected_resource;
pub mod redirect_uri;
pub mod registration;
mod resource;
mod response;
pub mod scope;
mod settings;
mod time;
pub mod token;
mod upstream;

pub use authority::{Authority, AuthorityError, PERSONAL_ACCOUNTS_TENANT, Tenant};
pub use discovery::Discovery;
pub use exchange::{Context, Step};
pub use facade::{Facade, SignInEndpoint};
pub use guid::{Guid, GuidError};
pub use http;
pub use key_set::KeySet;
pub use options::{Fault, Options, SettingsError};
pub use platform::{Platform, Trust, UnknownWord};
pub use principal::Principal;
pub use resource::{Resource, ResourceError};
pub use response::Reason;
pub use settings::{DEFAULT_AUTHORITY, DEFAULT_SCOPE, MAX_CLOCK_SKEW, Settings};
pub use time::UnixTime;
pub use upstream::UpstreamError;
