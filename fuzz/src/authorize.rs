//! No query leads anywhere but to Entra, or to a listed URI; a page runs nothing.

use mcp_entra_core::authorize::{Authorization, AuthorizeError, authorize};

use crate::oracle::check_location;
use crate::setting::SETTINGS;

/// The query of an authorization request.
pub fn check(query: &str) {
    for setting in SETTINGS.iter() {
        match authorize(query, setting.settings()) {
            Authorization::Entra { location } | Authorization::Client { location, .. } => {
                check_location(&location, setting.settings());
            }
            Authorization::Page(error) => {
                let tags =
                    |error: &AuthorizeError| error.to_html(setting.settings()).matches('<').count();
                // what was sent adds no tag: with commands, without, without a value
                let plain = ["https://h", "http://localhost", "https://h/'"]
                    .map(|uri| AuthorizeError::UnlistedRedirectUri { uri: uri.into() });
                let plain = plain.iter().chain([&AuthorizeError::NoClientId]).map(tags);
                let with_a_value = tags(&AuthorizeError::NoClientId) + 4;
                let mut plain = plain.chain([with_a_value]);
                assert!(plain.any(|count| count == tags(&error)), "{error}");
            }
        }
    }
}
