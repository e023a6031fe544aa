//! Whatever Entra answers, the client gets JSON that is kept by nobody, a token only with a
//! success, and at most one further request is made.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode};
use mcp_entra_core::token::{TokenRequest, TokenStep};

use crate::oracle::{check_answer, check_upstream, knows_our_secret, read};
use crate::setting::SETTINGS;

/// The status of Entra's answer in the first line, and its body.
pub fn check(answer: &[u8]) {
    if knows_our_secret(answer) {
        return;
    }
    let at = answer.iter().position(|&byte| byte == b'\n').unwrap_or(answer.len());
    let (status, body) = answer.split_at(at);
    let body = Bytes::copy_from_slice(body.get(1..).unwrap_or_default());
    let Ok(status) = StatusCode::from_bytes(status) else { return };
    let answer = || {
        let mut response = Response::new(body.clone());
        *response.status_mut() = status;
        Ok(response)
    };
    let form = HeaderValue::from_static("application/x-www-form-urlencoded");
    for setting in SETTINGS.iter() {
        let settings = setting.settings();
        let body = b"grant_type=refresh_token&refresh_token=r&scope=openid+access_as_user";
        let request = TokenRequest::parse(Some(&form), body, settings).expect("it is good");
        let first = request.resume(answer(), settings);
        let last = match first {
            TokenStep::Respond(response) => response,
            TokenStep::Send(again) => {
                check_upstream(&again.to_upstream(settings), settings);
                match again.resume(answer(), settings) {
                    TokenStep::Respond(response) => response,
                    TokenStep::Send(_) => panic!("a third request"),
                }
            }
        };
        check_answer(&last, settings);
        assert_eq!(last.headers()["cache-control"], "no-store");
        let told = read(last.body());
        if told.is_null() {
            continue;
        }
        if last.status() == 200 {
            assert!(status.is_success());
            assert!(told["access_token"].as_str().is_some_and(|token| !token.is_empty()));
        } else {
            assert!(last.status().is_client_error() || last.status().is_server_error());
            let error = told["error"].as_str().expect("an error");
            assert!(!matches!(error, "invalid_client" | "unauthorized_client"));
            let description = told["error_description"].as_str().expect("a description");
            assert!(
                description.bytes().all(|b| matches!(b, 0x20..=0x7e) && b != b'"' && b != b'\\')
            );
        }
    }
}
