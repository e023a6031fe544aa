//! Only RSA signature keys are read, each as the document has it.

use mcp_entra_core::KeySet;

use crate::oracle::read;

/// A key set, or what came in its place.
pub fn check(document: &[u8]) {
    let Ok(keys) = KeySet::parse(document) else { return };
    let source = read(document);
    if source.is_null() {
        return;
    }
    let source = source["keys"].as_array().expect("a list");
    assert!(keys.iter().next().is_some());
    for key in keys.iter() {
        let found = source.iter().any(|of| {
            of["kid"] == key.kid()
                && of["kty"] == "RSA"
                && of["n"] == key.modulus()
                && of["e"] == key.exponent()
                && matches!(of["use"].as_str(), None | Some("sig"))
                && matches!(of["alg"].as_str(), None | Some("RS256"))
        });
        assert!(found && !key.kid().is_empty());
        assert_eq!(keys.find(key.kid()).map(|key| key.kid()), Some(key.kid()));
    }
}
