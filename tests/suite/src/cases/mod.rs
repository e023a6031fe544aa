//! The cases, each named by what happens.

mod callers;
mod discovery;
mod passing;
mod sign_in;

use std::pin::Pin;
use std::sync::Arc;

use crate::world::World;

type Running = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Something that has to be so, wherever mcp-entra runs.
pub(crate) struct Case {
    /// As the table names it.
    pub(crate) name: &'static str,
    /// Panics where it is not so.
    pub(crate) run: fn(Arc<World>) -> Running,
}

macro_rules! cases {
    ($($name:literal => $case:path,)*) => {
        &[$(Case { name: $name, run: |world| Box::pin(async move { $case(&world).await }) }),*]
    };
}

/// In this order, one after the other, in one world for each subject.
pub(crate) const CASES: &[Case] = cases! {
    "a call without a token is challenged" => discovery::challenged,
    "protected-resource metadata" => discovery::protected_resource,
    "authorization-server metadata, at every path" => discovery::authorization_server,
    "a client registers" => discovery::registers,
    "authorize goes to Entra ID, or shows a page" => discovery::authorize,
    "a parameter given twice is refused" => discovery::twice,
    "a request that is too long is refused" => discovery::too_long,
    "rmcp signs in and is greeted" => sign_in::signs_in,
    "a refresh that names no scope" => sign_in::refreshes,
    "rmcp steps up for a further scope" => sign_in::steps_up,
    "a bad token is refused" => callers::bad_tokens,
    "a forged identity reaches nobody" => callers::forged,
    "a browser may ask, before it signs in too" => callers::browsers,
    "nothing else is passed on" => callers::elsewhere,
    "methods, paths and queries" => passing::heads,
    "cookies, both ways" => passing::cookies,
    "binary and form bodies" => passing::bodies,
    "the first event before the last is sent" => passing::events,
    "with Entra ID away, metadata all the same" => sign_in::entra_away,
};

/// What an example can show.
pub(crate) const GREETING: &[Case] = cases! {
    "rmcp signs in and is greeted" => sign_in::signs_in,
};
