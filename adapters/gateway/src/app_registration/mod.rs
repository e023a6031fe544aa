//! `mcp-entra app-registration`: what the app registration has to be, in the form that its operator
//! works with, and whether one that exists is so.
//!
//! | | |
//! |---|---|
//! | `wanted` | what a registration needs, as plain data |
//! | `application` | the same as Microsoft Graph's `application` object |
//! | `registration` | a registration as it is |
//! | `check`, `redirect_uris`, `mend` | every difference between the two, with what mends it |

mod application;
pub(crate) mod check;
pub(crate) mod mend;
mod redirect_uris;
pub(crate) mod registration;
pub(crate) mod wanted;
