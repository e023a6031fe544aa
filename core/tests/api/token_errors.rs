//! The token endpoint towards the client: every answer of Entra's in terms that clients act on
//! rightly.

use bytes::Bytes;
use http::{Request, Response};
use mcp_entra_core::{Reason, UpstreamError};
use serde_json::{Value, json};

use super::support::{Driver, encoded, json as read, options};

fn answered(answer: Result<Response<Bytes>, UpstreamError>, scope: &str) -> Response<Bytes> {
    let body =
        encoded(&[("grant_type", "refresh_token"), ("refresh_token", "r"), ("scope", scope)]);
    let request = Request::post("/oauth/token")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(body);
    let outcome = Driver::new(&options()).answering([answer]).run(request.unwrap());
    assert_eq!(outcome.sent.len(), 1);
    let response = outcome.response();
    assert_eq!(response.headers()["cache-control"], "no-store");
    assert_eq!(response.headers()["content-type"], "application/json");
    response
}

fn answer(status: u16, body: impl Into<Bytes>) -> Response<Bytes> {
    Response::builder().status(status).body(body.into()).unwrap()
}

#[test]
fn every_error_of_entras() {
    let fixtures: Value =
        serde_json::from_str(include_str!("../fixtures/token_errors.json")).unwrap();
    let told = [
        ("AADSTS7000218", 500, "server_error"),
        ("AADSTS700025", 500, "server_error"),
        ("AADSTS7000215", 500, "server_error"),
        ("AADSTS9002326", 500, "server_error"),
        ("AADSTS9002327", 500, "server_error"),
        ("AADSTS90009", 400, "invalid_request"),
        ("AADSTS9010010", 400, "invalid_target"),
        ("AADSTS901002", 400, "invalid_request"),
        ("AADSTS54005", 400, "invalid_grant"),
        ("AADSTS501481", 400, "invalid_grant"),
        ("AADSTS70008", 400, "invalid_grant"),
        ("AADSTS700082", 400, "invalid_grant"),
        ("AADSTS70011", 400, "invalid_scope"),
        ("AADSTS28000", 400, "invalid_request"),
        ("AADSTS28003", 400, "invalid_request"),
        ("AADSTS65001", 400, "invalid_grant"),
        ("AADSTS50076", 400, "invalid_grant"),
        ("AADSTS900144", 400, "invalid_request"),
        ("AADSTS9002313", 400, "invalid_request"),
        ("throttled", 429, "temporarily_unavailable"),
        ("html_or_empty", 503, "temporarily_unavailable"),
    ];
    assert_eq!(told.len(), fixtures.as_object().unwrap().len(), "one row for each fixture");
    for (name, status, error) in told {
        let fixture = &fixtures[name];
        let body = match &fixture["body"] {
            Value::String(text) => text.clone(),
            body => body.to_string(),
        };
        let mut entras = answer(u16::try_from(fixture["status"].as_u64().unwrap()).unwrap(), body);
        for (name, value) in fixture["headers"].as_object().into_iter().flatten() {
            let name = http::HeaderName::try_from(name.as_str()).unwrap();
            entras.headers_mut().insert(name, value.as_str().unwrap().parse().unwrap());
        }
        let response = answered(Ok(entras), "");
        assert_eq!((response.status().as_u16(), name), (status, name));
        let retry_after = response.headers().get("retry-after").and_then(|v| v.to_str().ok());
        assert_eq!(retry_after, fixture["headers"]["Retry-After"].as_str(), "{name}");
        let told = read(&response);
        assert_eq!(told["error"], error, "{name}");
        if let Some(entras) = fixture["body"].as_object() {
            keeps_entras_text(&told, entras, name);
        }
        assert!(response.extensions().get::<Reason>().is_some());
    }
}

/// Entra's own members, its text first and ours after it.
fn keeps_entras_text(told: &Value, entras: &serde_json::Map<String, Value>, name: &str) {
    for (member, value) in entras.iter().filter(|(name, _)| !name.starts_with("error")) {
        assert_eq!(told[member], *value, "{name} {member}");
    }
    let description = told["error_description"].as_str().unwrap();
    let text = entras["error_description"].as_str().unwrap();
    let explanation = description.strip_prefix(text).unwrap();
    assert!(explanation.starts_with(" [mcp-entra: ") && explanation.ends_with(']'), "{name}");
    assert!(explanation.contains("; "), "a cause and a mend: {explanation}");
}

#[test]
fn a_code_that_nobody_explains_is_passed_on_as_it_came() {
    let body = r#"{"error":"invalid_grant","error_description":"AADSTS4242: x","suberror":"new"}"#;
    let response = answered(Ok(answer(400, body)), "");
    assert_eq!(response.status(), 400);
    assert_eq!(*response.body(), body);
}

#[test]
fn what_is_no_oauth_error_is_a_fault_that_passes() {
    for status in [300, 301, 302, 307, 400, 401, 403, 404, 429, 500, 502, 503, 504] {
        for body in
            ["<html>Service Unavailable</html>", "", "[]", "{}", "\u{feff}{}", "{\"error\":1}"]
        {
            let mut entras = answer(status, body);
            let elsewhere = "https://attacker.example/".parse().unwrap();
            entras.headers_mut().insert("location", elsewhere);
            entras.headers_mut().insert("retry-after", "9".parse().unwrap());
            let response = answered(Ok(entras), "");
            let expected = if status == 429 { 429 } else { 503 };
            assert_eq!(response.status(), expected, "{status} {body}");
            assert_eq!(read(&response)["error"], "temporarily_unavailable");
            assert_eq!(response.headers()["retry-after"], "9");
            assert!(!response.headers().contains_key("location"));
        }
    }
}

#[test]
fn a_server_that_is_busy_costs_no_sign_in() {
    for error in ["invalid_grant", "invalid_client", "server_error", "interaction_required"] {
        let body = json!({ "error": error, "error_codes": [70008] }).to_string();
        for status in [429, 500, 503] {
            let response = answered(Ok(answer(status, body.clone())), "");
            assert_eq!(read(&response)["error"], "temporarily_unavailable", "{status} {error}");
        }
    }
}

#[test]
fn a_success_without_a_token_is_a_fault_that_passes() {
    for status in [200, 201, 204, 206] {
        for body in [
            "",
            "<html>",
            "{}",
            "[]",
            "null",
            r#"{"access_token":""}"#,
            r#"{"access_token":null}"#,
            r#"{"access_token":["a"]}"#,
            r#"{"access_token":"a","access_token":"b"}"#,
            r#"{"access_token":"a""#,
        ] {
            let response = answered(Ok(answer(status, body)), "");
            assert_eq!(response.status(), 503, "{status} {body}");
            assert_eq!(read(&response)["error"], "temporarily_unavailable");
        }
    }
}

#[test]
fn no_answer_is_a_fault_that_passes() {
    for (error, text) in [
        (UpstreamError::Incomplete, "Entra ID's answer broke off; try again"),
        (UpstreamError::Timeout, "Entra ID did not answer in time; try again"),
        (UpstreamError::TooLong, "Entra ID's answer was too long; try again"),
        (UpstreamError::Unreachable, "Entra ID cannot be reached; try again"),
    ] {
        let response = answered(Err(error), "");
        assert_eq!(response.status(), 503);
        let expected = json!({ "error": "temporarily_unavailable", "error_description": text });
        assert_eq!(read(&response), expected);
    }
}

#[test]
fn the_scope_is_given_back_in_the_clients_words() {
    let granted = |scope: &str, asked: &str, refresh_token: bool| {
        let mut body = json!({ "token_type": "Bearer", "access_token": "a", "scope": scope });
        if refresh_token {
            body["refresh_token"] = "r".into();
        }
        let response = answered(Ok(answer(200, body.to_string())), asked);
        read(&response)["scope"].as_str().map(str::to_owned)
    };
    let entras = "api://99999999-8888-4777-8666-555555555555/access_as_user";
    assert_eq!(granted(entras, "", true), None, "what was asked at the authorization is not known");
    assert_eq!(granted(entras, "access_as_user", true).as_deref(), Some("access_as_user"));
    assert_eq!(granted(entras, entras, true).as_deref(), Some(entras));
    let asked = "openid profile access_as_user offline_access";
    assert_eq!(granted(entras, asked, true).as_deref(), Some(asked));
    let without = "openid profile access_as_user";
    assert_eq!(granted(entras, asked, false).as_deref(), Some(without));
    let by_guid = "99999999-8888-4777-8666-555555555555/access_as_user";
    assert_eq!(granted(by_guid, "access_as_user", true).as_deref(), Some("access_as_user"));
    let lacking = granted(entras, "access_as_user mcp.write", true);
    assert_eq!(lacking.as_deref(), Some("access_as_user"), "what was not granted is not claimed");
}

#[test]
fn the_rest_of_a_grant_passes_byte_for_byte() {
    let body = r#"{"token_type":"Bearer","expires_in":"3599","ext_expires_in":3599.0,"access_token":"\u0061","id_token":"i","foci":"1","client_info":null}"#;
    let response = answered(Ok(answer(200, body)), "");
    assert_eq!(response.status(), 200);
    assert_eq!(*response.body(), body.replace(r#""3599""#, "3599"));
    for strange in [r#""soon""#, "-1", "null", "3599"] {
        let body = format!(r#"{{"access_token":"a","expires_in":{strange}}}"#);
        assert_eq!(*answered(Ok(answer(200, body.clone())), "").body(), body);
    }
}

#[test]
fn nothing_of_entras_head_reaches_the_client() {
    let mut entras = answer(200, r#"{"access_token":"a"}"#);
    for name in ["set-cookie", "x-ms-request-id", "strict-transport-security", "p3p", "location"] {
        entras.headers_mut().insert(name, "entras".parse().unwrap());
    }
    let response = answered(Ok(entras), "");
    assert!(response.headers().values().all(|value| value != "entras"), "{response:?}");
}
