//! Tokens that no policy could save: each is refused with the reason, and none makes it panic.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Request;
use mcp_entra_core::Options;
use mcp_entra_core::access_token::MAX_TOKEN_LENGTH;
use serde_json::json;

use super::support::{Driver, challenge, options};
use super::tokens::{SIGNER, STRANGER, Token, call, signed_by};

fn refused(token: &str) -> String {
    Driver::new(&options()).run(call(token)).verdict().unwrap_err()
}

fn unreadable(part: &str) -> String {
    format!("the token is malformed: its {part} cannot be read")
}

#[test]
fn what_has_not_the_form_of_a_token() {
    let good = Token::v2().signed();
    let (head, signature) = good.rsplit_once('.').unwrap();
    let (header, payload) = head.split_once('.').unwrap();
    assert_eq!(refused(""), unreadable("form"));
    assert_eq!(refused("x"), unreadable("form"));
    assert_eq!(refused(head), unreadable("form"));
    assert_eq!(refused(&format!("{good}.x")), unreadable("form"));
    assert_eq!(refused(&format!("{good}.x.y")), unreadable("form"));
    assert_eq!(refused(&format!("{good}, Bearer {good}")), unreadable("form"));
    assert_eq!(refused(".."), unreadable("header"));
    assert_eq!(refused(&format!("{header}=.{payload}.{signature}")), unreadable("header"));
    assert_eq!(refused(&format!("!{header}.{payload}.{signature}")), unreadable("header"));
    assert_eq!(refused(&format!("{header}.{payload}+.{signature}")), unreadable("payload"));
    assert_eq!(refused(&format!("{header}..{signature}")), unreadable("payload"));
    assert_eq!(refused(&format!("{header}.{payload}.")), unreadable("signature"));
    assert_eq!(refused(&format!("{header}.{payload}.{signature}=")), unreadable("signature"));
    assert_eq!(refused(&format!("{good} ")), unreadable("signature"));
}

#[test]
fn what_is_no_json_object() {
    let claims = r#"{"aud":"x"}"#;
    let header = r#"{"alg":"RS256","kid":"good"}"#;
    let deep = format!(r#"{{"aud":{}}}"#, "[".repeat(10_000));
    for text in ["", "null", "[]", "\"x\"", "{", "{}x", "\u{feff}{}", "<html>"] {
        assert_eq!(refused(&signed_by(&SIGNER, text, claims)), unreadable("header"), "{text}");
        assert_eq!(refused(&signed_by(&SIGNER, header, text)), unreadable("payload"), "{text}");
    }
    assert_eq!(refused(&signed_by(&SIGNER, header, &deep)), unreadable("payload"));
    let latin_1 = URL_SAFE_NO_PAD.encode(b"{\"aud\":\"\xe9\"}");
    let token = format!("{}.{latin_1}.AA", URL_SAFE_NO_PAD.encode(header));
    assert_eq!(refused(&token), unreadable("payload"));
}

#[test]
fn a_token_longer_than_any_of_entras() {
    let longer = format!("the token is longer than {MAX_TOKEN_LENGTH} bytes");
    assert_eq!(refused(&"x".repeat(1024 * 1024)), longer);
    assert_eq!(refused(&"x".repeat(MAX_TOKEN_LENGTH + 1)), longer);
    assert_eq!(refused(&"x".repeat(MAX_TOKEN_LENGTH)), unreadable("form"));
}

#[test]
fn an_algorithm_that_entra_does_not_sign_with() {
    let algorithm = "the token is not signed with RS256";
    for name in ["none", "HS256", "RS512", "RS384", "PS256", "ES256", "rs256", "RS256 ", ""] {
        assert_eq!(refused(&Token::v2().header("alg", name).signed()), algorithm, "{name}");
    }
    assert_eq!(refused(&Token::v2().header("alg", json!(["RS256"])).signed()), algorithm);
    assert_eq!(refused(&Token::v2().without_header("alg").signed()), algorithm);
}

#[test]
fn a_header_that_brings_its_own_key_or_must_be_understood() {
    for name in ["crit", "jku", "jwk", "x5c", "x5u"] {
        let expected = format!("the token's header has '{name}', which is not accepted");
        for value in [json!("https://attacker.example"), json!([]), json!(null)] {
            assert_eq!(refused(&Token::v2().header(name, value).signed()), expected);
        }
    }
    let kid = "the token has no usable 'kid'";
    assert_eq!(refused(&Token::v2().without_header("kid").signed()), kid);
    assert_eq!(refused(&Token::v2().header("kid", 1).signed()), kid);
}

#[test]
fn what_is_there_twice() {
    let claims = |members: &str| refused(&Token::v2().signed_with_raw_claims(members));
    for name in ["aud", "iss", "tid", "scp", "exp", "ver", "x\":1,\"x"] {
        assert_eq!(claims(&format!(r#""{name}":1"#)), unreadable("payload"), "{name}");
    }
    assert_eq!(claims(r#""\u0074id":1"#), unreadable("payload"));
    assert_eq!(claims(r#""TID":"11111111-2222-4333-8444-555555555555""#), unreadable("payload"));
    assert_eq!(claims(r#""Tid":null"#), unreadable("payload"));
    let header = |members: &str| refused(&Token::v2().signed_with_raw_header(members));
    assert_eq!(header(r#""alg":"none""#), unreadable("header"));
    assert_eq!(header(r#""\u0061lg":"none""#), unreadable("header"));
    assert_eq!(header(r#""kid":"other""#), unreadable("header"));
}

#[test]
fn a_claim_that_is_missing_or_of_another_shape() {
    for claim in ["aud", "iss", "tid", "oid", "nbf", "exp"] {
        let missing = format!("the token has no usable '{claim}'");
        assert_eq!(refused(&Token::v2().without(claim).signed()), missing);
        assert_eq!(refused(&Token::v2().with(claim, json!(null)).signed()), missing);
        assert_eq!(refused(&Token::v2().with(claim, json!({ "x": 1 })).signed()), missing);
    }
    for claim in ["tid", "oid"] {
        let shape = format!("the token's '{claim}' is not a GUID");
        for value in [
            "",
            "common",
            "{tenantid}",
            "contoso.com",
            "11111111222243338444555555555555",
            "11111111-2222-4333-8444-555555555555/v2.0/../x",
        ] {
            assert_eq!(refused(&Token::v2().with(claim, value).signed()), shape, "{value}");
        }
    }
    for claim in ["nbf", "exp"] {
        let missing = format!("the token has no usable '{claim}'");
        for value in [json!("1767225600"), json!(-1), json!(1e30), json!(true)] {
            assert_eq!(refused(&Token::v2().with(claim, value).signed()), missing);
        }
    }
}

#[test]
fn time_at_the_edge_of_the_skew() {
    let (nbf, exp) = (1_767_225_600, 1_767_230_100);
    for skew in [0, 1, 300] {
        let mut driver = Driver::new(&Options { clock_skew: Some(skew), ..options() });
        let mut at = |now| {
            driver.now = now;
            driver.run(call(&Token::v2().signed())).verdict().map(|_| ())
        };
        assert_eq!(at(nbf - skew), Ok(()));
        assert_eq!(at(nbf - skew - 1), Err("the token is not valid yet".into()));
        assert_eq!(at(exp + skew - 1), Ok(()));
        assert_eq!(at(exp + skew), Err("the token has expired".into()));
        assert_eq!(at(0), Err("the token is not valid yet".into()));
        assert_eq!(at(u64::MAX), Err("the token has expired".into()));
    }
    let forever = Token::v2().with("exp", u64::MAX).with("nbf", 0);
    let mut driver = Driver::new(&options());
    driver.now = u64::MAX - 1;
    assert!(driver.run(call(&forever.signed())).verdict().is_ok());
}

#[test]
fn an_id_token_has_our_audience_and_grants_no_access() {
    let options = Options { app_roles: vec!["Mcp.Invoke".into()], ..options() };
    let refused = |token: Token| Driver::new(&options).run(call(&token.signed())).verdict();
    let no_access =
        "the token grants no access: it has neither scp nor roles, or both of an app".to_owned();
    let id_token = Token::v2().without("scp").without("azp").without("azpacr");
    assert_eq!(refused(id_token.clone()).unwrap_err(), no_access);
    // Entra puts the roles of the user in it, and what a user may do an application may not
    let with_roles = id_token.with("roles", json!(["Mcp.Invoke"]));
    assert_eq!(refused(with_roles).unwrap_err(), no_access);
    let both = Token::app_only().with("scp", "access_as_user");
    assert_eq!(refused(both).unwrap_err(), no_access);
    let neither = Token::app_only().with("roles", json!([]));
    assert_eq!(refused(neither).unwrap_err(), no_access);
}

#[test]
fn a_signature_that_does_not_fit() {
    let wrong = "the token's signature is not valid";
    assert_eq!(refused(&Token::v2().signed_by(&STRANGER)), wrong);
    let good = Token::v2().signed();
    let (input, signature) = good.rsplit_once('.').unwrap();
    assert_eq!(refused(&format!("{input}.AA")), wrong);
    let mut octets = URL_SAFE_NO_PAD.decode(signature).unwrap();
    octets[100] ^= 1;
    assert_eq!(refused(&format!("{input}.{}", URL_SAFE_NO_PAD.encode(&octets))), wrong);
    let (header, _) = input.split_once('.').unwrap();
    let claims = Token::v2().with("oid", "22222222-0000-4000-8000-000000000002").signed();
    let claims = claims.split('.').nth(1).unwrap();
    assert_eq!(refused(&format!("{header}.{claims}.{signature}")), wrong);
}

#[test]
fn where_a_token_has_no_place() {
    let driver = Driver::new(&options());
    let good = Token::v2().signed();
    let bearer = format!("Bearer {good}");
    let query = "a token in the query string is not accepted; use the Authorization header";
    for uri in [
        format!("/mcp?access_token={good}"),
        format!("/mcp?x=y&access%5Ftoken={good}"),
        format!("/mcp?%61ccess_token={good}"),
        "/mcp?access_token".into(),
        "/mcp/below?a&access_token=&b".into(),
    ] {
        let request = Request::get(&uri).header("authorization", &bearer).body("").unwrap();
        assert_eq!(driver.run(request).verdict().unwrap_err(), query, "{uri}");
    }
    let harmless = Request::get("/mcp?access_tokens=x&token=y&x=access_token")
        .header("authorization", &bearer)
        .body("");
    assert!(driver.run(harmless.unwrap()).verdict().is_ok());

    let twice = Request::post("/mcp")
        .header("authorization", &bearer)
        .header("authorization", &bearer)
        .body("");
    let reason = driver.run(twice.unwrap()).verdict().unwrap_err();
    assert_eq!(reason, "the request has two Authorization headers");
}

#[test]
fn another_scheme_is_as_good_as_no_token() {
    let driver = Driver::new(&options());
    let good = Token::v2().signed();
    for value in ["Basic YTpi", "Bearer", "", "DPoP x.y.z", &good, &format!("Token {good}")] {
        let request = Request::post("/mcp").header("authorization", value).body("").unwrap();
        let response = driver.run(request).response();
        assert_eq!(response.status(), 401, "{value}");
        assert_eq!(challenge(response.headers()).get("error"), None, "{value}");
    }
    for scheme in ["bearer", "BEARER", "BeArEr"] {
        let value = format!("{scheme}   {good}");
        let request = Request::post("/mcp").header("authorization", value).body("").unwrap();
        assert!(driver.run(request).verdict().is_ok(), "{scheme}");
    }
}
