//! What each effect says of itself: to the driver that performs it, and in a log.

use http::Request;
use mcp_entra_core::exchange::Step;
use mcp_entra_core::{Context, UnixTime};

use super::support::{Driver, challenge, facade, options};
use super::tokens::{Token, call};

#[test]
fn each_step_shows_which_it_is() {
    let mut driver = Driver::new(&options());
    driver.warm = false;
    let outcome = driver.run(call(&Token::v2().signed()));
    assert_eq!(outcome.shown[0], "Load(Discovery)");
    let shown = driver.run(call(&Token::v2().signed())).shown.join("\n");
    assert!(shown.contains("Load(Keys)"), "{shown}");

    let shown = Driver::new(&options()).run(call(&Token::v2().signed())).shown;
    assert_eq!(shown[0], "Verify(…)");
    assert!(shown.join("\n").contains("Passing(caller known)"), "{shown:?}");
    let shown = Driver::new(&options()).run(Request::get("/other").body("").unwrap()).shown;
    assert_eq!(shown, ["Passing(not for us)"]);
}

#[test]
fn a_verification_shows_its_key_alone() {
    let driver = Driver::new(&options());
    let (head, _) = call(&Token::v2().signed()).into_parts();
    let cx = Context {
        now: UnixTime(driver.now),
        discovery: driver.discovery.clone(),
        keys: driver.keys.clone(),
        ..Context::default()
    };
    let Step::Verify(verify) = driver.facade.begin(&head, &cx) else { panic!("not verified") };
    assert_eq!(format!("{verify:?}"), "Verify { kid: \"good\", .. }");
}

#[test]
fn entras_answer_is_read_as_far_as_a_token_response_goes() {
    let form = "application/x-www-form-urlencoded";
    let request = Request::post("/oauth/token").header("content-type", form).body(()).unwrap();
    let (head, ()) = request.into_parts();
    let Step::Read(read) = facade(&options()).begin(&head, &Context::default()) else {
        panic!("the body is not read")
    };
    assert_eq!(read.limit(), 64 * 1024);
    let body = "grant_type=refresh_token&refresh_token=r";
    let Step::Send(_, awaiting) = read.resume(Ok(body.into())) else { panic!("not sent") };
    assert_eq!(awaiting.limit(), 256 * 1024);
}

#[test]
fn every_path_that_is_listed_is_answered_and_no_other_is() {
    let facade = facade(&options());
    let paths: Vec<&str> = facade.paths().collect();
    for known in [
        "/.well-known/oauth-protected-resource/mcp",
        "/.well-known/oauth-authorization-server",
        "/mcp/.well-known/openid-configuration",
        "/oauth/authorize",
        "/oauth/register",
        "/token",
    ] {
        assert!(paths.contains(&known), "{known}");
    }
    for path in paths {
        let (head, ()) = Request::options(path).body(()).unwrap().into_parts();
        let step = facade.begin(&head, &Context::default());
        assert!(matches!(step, Step::Respond(_)), "{path}");
    }
}

#[test]
fn a_route_may_ask_for_scopes_of_its_own() {
    let passing = |scopes: &str| {
        let driver = Driver::new(&options());
        driver.run(call(&Token::v2().with("scp", scopes).signed())).passing()
    };
    let wanted = ["mcp.write".parse().unwrap(), "mcp.audit".parse().unwrap()];
    assert!(passing("access_as_user mcp.write mcp.audit").lacks(&wanted).is_none());
    let refused = passing("access_as_user mcp.write").lacks(&wanted).unwrap();
    assert_eq!(refused.status(), 403);
    let challenge = challenge(refused.headers());
    assert_eq!(challenge.get("error"), Some("insufficient_scope"));
    assert_eq!(challenge.get("scope"), Some("access_as_user mcp.write mcp.audit"));
}
