//! Every client gets the one client id and no real secret, nothing is null, and the same again.

use mcp_entra_core::UnixTime;
use mcp_entra_core::redirect_uri::RedirectUri;
use mcp_entra_core::registration::{PLACEHOLDER_SECRET, register};
use serde_json::Value;

use crate::oracle::read;
use crate::setting::{CLIENT, SECRET, SETTINGS};

/// The body of a registration.
pub fn check(body: &[u8]) {
    for setting in SETTINGS.iter() {
        let settings = setting.settings();
        let Ok(answer) = register(body, settings, UnixTime(1)) else { continue };
        let asked = read(body);
        if asked.is_null() {
            continue;
        }
        let told: Value = serde_json::from_slice(&answer).expect("the answer is JSON");
        let told = told.as_object().expect("an object");
        assert_eq!(told["client_id"], CLIENT);
        assert_eq!(told["redirect_uris"], asked["redirect_uris"]);
        assert!(told.values().all(|value| !value.is_null()));
        assert!(!String::from_utf8_lossy(&answer).contains(SECRET) || body_has_secret(body));
        if let Some(secret) = told.get("client_secret") {
            assert!(settings.issues_client_secret());
            assert_eq!(secret, PLACEHOLDER_SECRET);
        }
        let uris = told["redirect_uris"].as_array().expect("a list");
        let uris: Vec<RedirectUri> = uris
            .iter()
            .map(|uri| uri.as_str().and_then(|u| u.parse().ok()).expect("sound"))
            .collect();
        assert!(uris.iter().any(|uri| settings.redirect_policy().allows(uri)));
        assert_eq!(register(body, settings, UnixTime(1)), Ok(answer.clone()));
        let again = register(&answer, settings, UnixTime(1)).expect("what we answer is sound");
        assert_eq!(read(&again)["redirect_uris"], told["redirect_uris"]);
    }
}

fn body_has_secret(body: &[u8]) -> bool {
    serde_json::from_slice::<Value>(body).is_ok_and(|v| v.to_string().contains(SECRET))
}
