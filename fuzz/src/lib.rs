//! What holds for every input: one module for each translation, each a function that panics where
//! its invariant does not hold. The targets in `fuzz_targets` call them and nothing else.

#![warn(missing_docs)]

pub mod access_token;
pub mod authorize;
pub mod challenge;
pub mod discovery;
pub mod exchange;
pub mod form;
pub mod invocation;
pub mod invocation_result;
pub mod key_set;
pub mod operation;
pub mod principal;
pub mod redirect_uri;
pub mod registration;
pub mod scope;
pub mod token_request;
pub mod token_response;

mod oracle;
mod setting;
