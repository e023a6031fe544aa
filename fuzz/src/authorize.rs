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
                let tags = |error: &AuthorizeError| error.to_html().matches('<').count();
                let with_value = AuthorizeError::UnlistedRedirectUri { uri: "https://h".into() };
                // what was sent adds no tag
                let plain = [tags(&AuthorizeError::NoClientId), tags(&with_value)];
                assert!(plain.contains(&tags(&error)), "{}", error.to_html());
            }
        }
    }
}
