//! What holds for every request and every answer. The other side of the envelope is the stand-in
//! for the host, which knows nothing of this crate.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Response};
use http_body_util::BodyExt as _;
use mcp_entra_functions::request::from_invocation;
use mcp_entra_functions::response::to_result;
use mcp_entra_functions_host_stand_in::{App, Mode, envelope};
use proptest::collection::vec;
use proptest::prelude::*;

fn headers() -> impl Strategy<Value = Vec<(String, String)>> {
    let name = prop_oneof![
        "[a-z][a-z0-9-]{0,8}",
        Just("accept".to_owned()),
        Just("authorization".to_owned()),
        Just("x-ms-client-principal".to_owned()),
    ];
    vec((name, "[!-~]([ -~]{0,20}[!-~])?"), 0..8)
}

fn request() -> impl Strategy<Value = Request<Bytes>> {
    let method = prop_oneof![Just("GET"), Just("POST"), Just("DELETE"), Just("OPTIONS")];
    let path = "/[a-zA-Z0-9._~/-]{0,20}(%20|%C3%A9|%2F)?";
    let query = proptest::option::of("([a-c]=[a-zA-Z0-9%+,:/-]{0,5}&?){0,4}");
    let kind = prop_oneof![
        Just("application/json"),
        Just("application/octet-stream"),
        Just("multipart/form-data; boundary=b"),
    ];
    (method, path, query, headers(), kind, any::<Vec<u8>>(), "\\PC{0,40}").prop_map(
        |(method, path, query, headers, kind, octets, text)| {
            let uri = query.map_or_else(|| path.clone(), |query| format!("{path}?{query}"));
            let is_text = kind == "application/json";
            let body = if is_text { Bytes::from(text) } else { Bytes::from(octets) };
            let mut request = Request::builder().method(method).uri(uri).header("host", "h");
            for (name, value) in headers.iter().filter(|(name, _)| !name.starts_with("content-")) {
                request = request.header(name, value);
            }
            request = request.header("content-type", kind);
            if !body.is_empty() {
                request = request.header("content-length", body.len());
            }
            request.body(body).expect("a request")
        },
    )
}

fn invocation(request: &Request<Bytes>) -> Vec<u8> {
    let (head, body) = request.clone().into_parts();
    let function = &App::catch_all(Mode::Envelope).functions[0];
    let body = Some(&body).filter(|body| !body.is_empty());
    envelope::invocation(&head, body, function, None).to_string().into_bytes()
}

proptest! {
    #[test]
    fn a_request_comes_out_as_it_went_in(request in request()) {
        let mut back = from_invocation(&invocation(&request), "req").unwrap();
        prop_assert_eq!(back.method(), request.method());
        prop_assert_eq!(back.uri(), request.uri());
        prop_assert_eq!(back.body(), request.body());
        let mut headers = request.headers().clone();
        for headers in [&mut headers, back.headers_mut()] {
            headers.remove("transfer-encoding");
        }
        prop_assert_eq!(back.headers(), &headers);
    }

    /// Whatever a client puts in its URL, body or headers, no header appears that it did not send.
    #[test]
    fn no_header_is_invented(request in request(), forged in "\\PC{0,60}") {
        let forged = format!("{forged}\",\"Headers\":{{\"X-MS-CLIENT-PRINCIPAL-ID\":[\"me\"]}},\"x\":\"");
        let request = request.map(|_| Bytes::from(forged));
        let mut request = request;
        let length = request.body().len();
        request.headers_mut().insert("content-type", HeaderValue::from_static("application/json"));
        request.headers_mut().insert("content-length", HeaderValue::from(length));
        let back = from_invocation(&invocation(&request), "req").unwrap();
        for name in back.headers().keys() {
            prop_assert!(request.headers().contains_key(name), "{}", name);
        }
        prop_assert_eq!(back.body(), request.body());
    }

    #[test]
    fn octets_of_any_kind_are_refused_or_a_request(octets in any::<Vec<u8>>(), text in "\\PC*") {
        _ = from_invocation(&octets, "req");
        let request = serde_json::json!({ "Data": { "req": {
            "Url": text, "Method": text, "Query": text, "Headers": { &text: text }, "Body": text } } });
        _ = from_invocation(request.to_string().as_bytes(), "req");
    }

    #[test]
    fn an_answer_comes_out_as_it_went_in(
        status in 200u16..600,
        headers in headers(),
        body in "\\PC{0,60}",
    ) {
        let mut response = Response::new(Bytes::from(body));
        *response.status_mut() = status.try_into().unwrap();
        response.headers_mut().insert("content-type", HeaderValue::from_static("a/b; charset=utf-8"));
        let own = ["connection", "content-length", "keep-alive", "te", "trailer", "upgrade", "set-cookie"];
        for (name, value) in headers.iter().filter(|(name, _)| !own.contains(&name.as_str())) {
            let name: HeaderName = name.parse().unwrap();
            response.headers_mut().append(name, value.parse().unwrap());
        }
        let result = serde_json::from_slice(&to_result(&response, "res")).unwrap();
        let back = envelope::answer(&result, "res").unwrap();

        prop_assert_eq!(back.status(), response.status());
        for name in response.headers().keys() {
            let values: Vec<&str> =
                response.headers().get_all(name).iter().map(|v| v.to_str().unwrap()).collect();
            let values = values.join(", ");
            prop_assert_eq!(back.headers()[name].to_str().unwrap(), values);
        }
        prop_assert_eq!(back.headers().keys_len(), response.headers().keys_len());
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let body = runtime.block_on(back.into_body().collect()).unwrap().to_bytes();
        prop_assert_eq!(&body, response.body());
    }
}

#[test]
fn the_methods_of_mcp_pass() {
    for method in [Method::GET, Method::POST, Method::DELETE, Method::OPTIONS] {
        let request = Request::builder().method(method.clone()).uri("/mcp").header("host", "h");
        let request = request.body(Bytes::new()).unwrap();
        assert_eq!(from_invocation(&invocation(&request), "req").unwrap().method(), method);
    }
}
