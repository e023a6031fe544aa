//! A token that was found good is not checked again, until it expires or its key goes.

use http::Request;
use mcp_entra_core::{Facade, Options};

use super::support::{Driver, facade, options};
use super::tokens::{Token, call, jwk, key_set_of};

/// A driver that remembers what it found out about a token.
fn remembering(token: &Token) -> (Driver, String) {
    let mut driver = Driver::new(&options());
    let token = token.signed();
    driver.remembered = driver.run(call(&token)).verified;
    assert!(driver.remembered.is_some());
    (driver, token)
}

fn verifies(driver: &Driver, token: &str) -> bool {
    driver.run(call(token)).shown.iter().any(|step| step.starts_with("Verify"))
}

#[test]
fn it_is_honoured_without_another_signature() {
    let (driver, token) = remembering(&Token::v2());
    assert!(!verifies(&driver, &token));
    let passing = driver.run(call(&token)).passing();
    assert_eq!(passing.principal(), driver.remembered.as_ref().map(|token| token.principal()));
    let remembered = driver.remembered.unwrap();
    assert_eq!((remembered.kid(), remembered.expires().0), ("good", 1_767_230_100));
}

#[test]
fn not_out_of_its_time() {
    let (mut driver, token) = remembering(&Token::v2());
    let mut at = |now| {
        driver.now = now;
        driver.run(call(&token)).verdict().map(|_| ())
    };
    assert_eq!(at(1_767_230_100 + 299), Ok(()));
    assert_eq!(at(1_767_230_100 + 300), Err("the token has expired".into()));
    assert_eq!(at(1_767_225_600 - 301), Err("the token is not valid yet".into()));
}

#[test]
fn not_once_its_key_is_gone() {
    let (mut driver, token) = remembering(&Token::v2());
    driver.keys = Some(key_set_of(&[jwk("next", None, None)]));
    let reason = driver.run(call(&token)).verdict().unwrap_err();
    assert_eq!(reason, "the token is signed by an unknown key");
    driver.keys_are_stale = true;
    let response = driver.run(call(&token)).response();
    assert_eq!(response.status(), 503, "the key may be one of those that could not be fetched");
    assert_eq!(response.headers()["retry-after"], "5");
    assert!(!response.headers().contains_key("www-authenticate"), "a sign-in would not help");
    driver.keys = None;
    assert_eq!(driver.run(call(&token)).response().status(), 503);
    driver.keys = Some(super::tokens::key_set());
    driver.warm = false;
    assert!(verifies(&driver, &token), "a driver without keys knows of no token");
}

#[test]
fn not_for_more_than_the_caller_may_do() {
    let (mut driver, token) = remembering(&Token::v2());
    let stricter = Options { scopes: vec!["mcp.read".into()], ..options() };
    driver.facade = facade(&stricter);
    let reason = driver.run(call(&token)).verdict().unwrap_err();
    assert_eq!(reason, "the token lacks the scope mcp.read");
}

#[test]
fn a_driver_looks_it_up_by_the_one_bearer_token_of_a_request() {
    let looked_up = |facade: &Facade, values: &[&str]| {
        let mut request = Request::new(());
        for value in values {
            request.headers_mut().append("authorization", value.parse().unwrap());
        }
        facade.bearer_token(request.headers()).map(str::to_owned)
    };
    let facade = facade(&options());
    assert_eq!(looked_up(&facade, &["Bearer a.b.c"]).as_deref(), Some("a.b.c"));
    assert_eq!(looked_up(&facade, &["bEARER  a.b.c"]).as_deref(), Some("a.b.c"));
    assert_eq!(looked_up(&facade, &[]), None);
    assert_eq!(looked_up(&facade, &["Basic a"]), None);
    assert_eq!(looked_up(&facade, &["Bearer a", "Bearer a"]), None);
    let trusting = Options { trust: "easy-auth".into(), ..options() };
    assert_eq!(looked_up(&super::support::facade(&trusting), &["Bearer a"]), None);
}

#[test]
fn documents_are_loaded_once_each_and_only_where_they_are_needed() {
    use mcp_entra_core::exchange::Document::{Discovery, Keys};

    let token = Token::v2().signed();
    let mut driver = Driver::new(&options());
    assert_eq!(driver.run(call(&token)).loaded, []);
    driver.warm = false;
    let outcome = driver.run(call(&token));
    assert_eq!(outcome.loaded, [Discovery, Keys]);
    assert!(outcome.verdict().is_ok());
    // what cannot be read is refused before anything is fetched
    assert_eq!(driver.run(call("x.y.z")).loaded, []);

    let unknown = Token::v2().header("kid", "next").signed();
    driver.warm = true;
    assert_eq!(driver.run(call(&unknown)).loaded, [Keys]);

    let keys = driver.keys.take();
    let outcome = driver.run(call(&token));
    assert_eq!(outcome.loaded, [Keys]);
    assert_eq!(outcome.response().status(), 503);
    (driver.keys, driver.discovery) = (keys, None);
    let outcome = driver.run(call(&token));
    assert_eq!(outcome.loaded, [Discovery]);
    let response = outcome.response();
    assert_eq!(super::support::json(&response)["error"], "temporarily_unavailable");
    assert!(!response.headers().contains_key("www-authenticate"), "nobody has to sign in again");
}
