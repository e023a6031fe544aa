//! What a test wants of the stand-in for Entra ID.

use mcp_entra_stand_in::{EXAMPLE_CLIENT, Endpoint, EntraStandIn, RecordedRequest, User};

/// A user's access token with these scopes, separated by spaces.
pub fn access_token(entra: &EntraStandIn, user: &User, scopes: &str) -> String {
    let scopes = scopes.split(' ').map(|scope| format!("api://{EXAMPLE_CLIENT}/{scope}"));
    let scopes = scopes.collect::<Vec<_>>().join(" ");
    entra.access_token_for(user, EXAMPLE_CLIENT, &scopes).expect("a token")
}

/// What the stand-in was asked at an endpoint.
pub fn asked(entra: &EntraStandIn, endpoint: Endpoint) -> Vec<RecordedRequest> {
    let requests = entra.requests().into_iter();
    requests.filter(|request| request.endpoint == Some(endpoint)).collect()
}

/// Every request that came to Entra ID, against what users of other layers ran into.
pub fn assert_it_saw_nothing_that_it_refuses(entra: &EntraStandIn) {
    let requests = entra.requests();
    assert!(!requests.is_empty());
    for request in requests {
        assert_eq!(request.parameter("resource"), None, "{request:?}");
        for name in ["origin", "cookie", "authorization"] {
            assert_eq!(request.header(name), None, "{name} in {request:?}");
        }
        for name in ["client_secret", "client_assertion"] {
            assert_eq!(request.parameter(name), None, "{name} in {request:?}");
        }
        match request.endpoint {
            Some(Endpoint::Authorize | Endpoint::Token) => {
                assert_eq!(request.parameter("client_id").as_deref(), Some(EXAMPLE_CLIENT));
                assert!(request.parameter("scope").is_some(), "{request:?}");
            }
            Some(_) => assert_eq!(request.query, "", "{request:?}"),
            None => panic!("Entra ID serves no such thing: {request:?}"),
        }
    }
}
