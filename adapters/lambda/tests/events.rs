//! The events of each platform, from the shapes that AWS documents, and the answers in the shape
//! that each platform wants.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use lambda_http::request::LambdaRequest;
use lambda_http::tower::Service as _;
use lambda_http::{Adapter, Body, Context, LambdaEvent, Request, Response, service_fn};
use mcp_entra_lambda::{Entra, Options, Principal};
use mcp_entra_stand_in::{EXAMPLE_CLIENT, EntraStandIn, User};
use serde_json::{Value, json};
use url::Url;
use url::form_urlencoded;

const REDIRECT_URI: &str = "http://localhost:8787/callback";
/// RFC 7636 appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const FORM: &str = "application/x-www-form-urlencoded";

#[derive(Clone, Copy, Debug, PartialEq)]
enum Platform {
    RestApi,
    HttpApi,
    FunctionUrl,
    LoadBalancer,
    LoadBalancerMultiValue,
}
use Platform::{FunctionUrl, HttpApi, LoadBalancer, LoadBalancerMultiValue, RestApi};

impl Platform {
    const ALL: [Self; 5] = [RestApi, HttpApi, FunctionUrl, LoadBalancer, LoadBalancerMultiValue];

    /// An event for `POST /mcp`, from nobody.
    fn event(self) -> Event {
        let text = match self {
            RestApi => include_str!("events/rest_api.json"),
            HttpApi => include_str!("events/http_api.json"),
            FunctionUrl => include_str!("events/function_url.json"),
            LoadBalancer => include_str!("events/load_balancer.json"),
            LoadBalancerMultiValue => include_str!("events/load_balancer_multi_value.json"),
        };
        Event { platform: self, json: serde_json::from_str(text).unwrap() }
    }
}

/// An event, made to differ as the platform would make it.
#[derive(Clone)]
struct Event {
    platform: Platform,
    json: Value,
}

impl Event {
    fn get(platform: Platform, path: &str) -> Self {
        let mut event = platform.event();
        match platform {
            RestApi => event.json["requestContext"]["httpMethod"] = "GET".into(),
            HttpApi | FunctionUrl => event.json["requestContext"]["http"]["method"] = "GET".into(),
            LoadBalancer | LoadBalancerMultiValue => {}
        }
        if !matches!(platform, HttpApi | FunctionUrl) {
            event.json["httpMethod"] = "GET".into();
        }
        event.path(path)
    }

    fn path(mut self, path: &str) -> Self {
        match self.platform {
            // a HTTP API leaves the stage in the path
            HttpApi => self.json["rawPath"] = format!("/prod{path}").into(),
            FunctionUrl => self.json["rawPath"] = path.into(),
            _ => self.json["path"] = path.into(),
        }
        self
    }

    /// The query as it was sent. REST APIs decode it, and load balancers do not.
    fn query(mut self, query: &str) -> Self {
        let mut single = json!({});
        let mut multi = json!({});
        let raw = query.split('&').map(|pair| pair.split_once('=').unwrap());
        let pairs: Vec<(String, String)> = match self.platform {
            RestApi => form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
            _ => raw.map(|(name, value)| (name.into(), value.into())).collect(),
        };
        for (name, value) in pairs {
            single[&name] = value.clone().into();
            if multi[&name].is_null() {
                multi[&name] = json!([]);
            }
            multi[&name].as_array_mut().unwrap().push(value.into());
        }
        match self.platform {
            HttpApi | FunctionUrl => self.json["rawQueryString"] = query.into(),
            RestApi => {
                self.json["queryStringParameters"] = single;
                self.json["multiValueQueryStringParameters"] = multi;
            }
            LoadBalancer => self.json["queryStringParameters"] = single,
            LoadBalancerMultiValue => self.json["multiValueQueryStringParameters"] = multi,
        }
        self
    }

    fn header(mut self, name: &str, value: &str) -> Self {
        match self.platform {
            RestApi => {
                self.json["headers"][name] = value.into();
                self.json["multiValueHeaders"][name] = json!([value]);
            }
            LoadBalancerMultiValue => self.json["multiValueHeaders"][name] = json!([value]),
            HttpApi | FunctionUrl if name == "Cookie" => {
                self.json["cookies"] = value.split("; ").collect();
            }
            _ => self.json["headers"][name.to_ascii_lowercase()] = value.into(),
        }
        self
    }

    fn body(mut self, content_type: &str, body: &str) -> Self {
        self.json["body"] = BASE64.encode(body).into();
        self.json["isBase64Encoded"] = true.into();
        self.header("Content-Type", content_type)
    }
}

struct World {
    entra_id: EntraStandIn,
    entra: Entra,
}

impl World {
    async fn new() -> Self {
        let entra_id = EntraStandIn::builder().start().await.unwrap();
        let options = Options {
            resource: "https://mcp.example.com/mcp".into(),
            tenant: entra_id.tenant(),
            client_id: EXAMPLE_CLIENT.into(),
            authority: entra_id.authority(),
            ..Options::default()
        };
        Self { entra: Entra::new(&options).await.unwrap(), entra_id }
    }

    fn authorization(&self) -> String {
        let scope = format!("api://{EXAMPLE_CLIENT}/access_as_user");
        let token = self.entra_id.access_token_for(&User::default(), EXAMPLE_CLIENT, &scope);
        format!("Bearer {}", token.unwrap())
    }

    /// What Lambda gets to see, as the runtime would send it.
    async fn answer(&self, event: Event) -> Answer {
        let request: LambdaRequest = serde_json::from_value(event.json).unwrap();
        let mut lambda = Adapter::from(self.entra.protect(service_fn(echo)));
        let answer = lambda.call(LambdaEvent::new(request, Context::default())).await.unwrap();
        Answer { platform: event.platform, json: serde_json::to_value(answer).unwrap() }
    }
}

/// Says what a handler sees, and sets two cookies.
async fn echo(request: Request) -> Result<Response<Body>, lambda_http::Error> {
    let caller = request.extensions().get::<Arc<Principal>>().unwrap();
    let header = |name| request.headers().get(name).map(|value| value.to_str().unwrap());
    let seen = json!({
        "caller": caller.name,
        "method": request.method().as_str(),
        "path": request.uri().path(),
        "query": request.uri().query(),
        "cookie": header("cookie"),
        "body": String::from_utf8(request.body().to_vec()).unwrap(),
    });
    let response = Response::builder()
        .status(201)
        .header("Content-Type", "application/json")
        .header("Set-Cookie", "a=1; Path=/")
        .header("Set-Cookie", "b=2");
    Ok(response.body(Body::from(seen.to_string()))?)
}

/// An answer in a platform's own shape.
#[derive(Debug)]
struct Answer {
    platform: Platform,
    json: Value,
}

impl Answer {
    fn status(&self) -> u64 {
        self.json["statusCode"].as_u64().unwrap()
    }

    fn body(&self) -> Value {
        assert_eq!(self.json["isBase64Encoded"], false, "text is sent as text");
        serde_json::from_str(self.json["body"].as_str().unwrap()).unwrap()
    }

    fn header(&self, name: &str) -> &str {
        let value = match self.platform {
            RestApi | LoadBalancerMultiValue => &self.json["multiValueHeaders"][name][0],
            _ => &self.json["headers"][name],
        };
        value.as_str().unwrap_or_else(|| panic!("{name} is missing in {self:?}"))
    }
}

#[tokio::test]
async fn a_signed_in_call_reaches_the_handler_and_its_answer_the_platform() {
    let world = World::new().await;
    for platform in Platform::ALL {
        let event = platform.event().header("Authorization", &world.authorization());
        let event = event.header("Cookie", "c=3; d=4").query("note=a%26b").body("text/plain", "é");
        let answer = world.answer(event).await;

        // the path is as lambda_http makes it
        let path = match platform {
            RestApi | HttpApi => "/prod/mcp",
            _ => "/mcp",
        };
        let seen = json!({
            "caller": "Ada", "method": "POST", "path": path, "query": "note=a%26b",
            "cookie": "c=3; d=4", "body": "é",
        });
        assert_eq!(answer.body(), seen, "{platform:?}");
        assert_eq!(answer.status(), 201);
        let cookies = match platform {
            HttpApi | FunctionUrl => &answer.json["cookies"],
            _ => &answer.json["multiValueHeaders"]["set-cookie"],
        };
        assert_eq!(*cookies, json!(["a=1; Path=/", "b=2"]), "{platform:?}");
        if platform == LoadBalancer {
            assert_eq!(answer.json["statusDescription"], "201 Created");
        }
    }
}

#[tokio::test]
async fn nobody_reaches_the_handler_by_any_path() {
    let world = World::new().await;
    for platform in Platform::ALL {
        for path in ["/mcp", "/", "/other", "/mcp/oauth/token", "//mcp"] {
            let answer = world.answer(platform.event().path(path)).await;
            assert_eq!(answer.status(), 401, "{platform:?} {path}");
            let challenge = answer.header("www-authenticate");
            assert!(challenge.contains("/.well-known/oauth-protected-resource/mcp"), "{challenge}");
        }
    }
}

#[tokio::test]
async fn a_whole_sign_in_by_events() {
    let world = World::new().await;
    // what a browser encodes, and what it does not
    let state = "a+b/c=d&e %25 é;'~(!)*-_.\\";
    for platform in Platform::ALL {
        for document in ["oauth-protected-resource/mcp", "oauth-authorization-server"] {
            let path = format!("/.well-known/{document}");
            let answer = world.answer(Event::get(platform, &path)).await;
            assert_eq!(answer.status(), 200, "{platform:?} {path}");
            assert_eq!(answer.header("content-type"), "application/json");
        }

        let query = form_urlencoded::Serializer::new(String::new())
            .extend_pairs([
                ("response_type", "code"),
                ("client_id", EXAMPLE_CLIENT),
                ("redirect_uri", REDIRECT_URI),
                ("code_challenge", CHALLENGE),
                ("code_challenge_method", "S256"),
                ("state", state),
                ("resource", "https://mcp.example.com/mcp"),
            ])
            .finish();
        let event = Event::get(platform, "/oauth/authorize").query(&query);
        let answer = world.answer(event).await;
        assert_eq!(answer.status(), 302, "{platform:?} {answer:?}");
        let callback = browse(answer.header("location")).await;
        let returned = |name: &str| {
            callback.query_pairs().find(|(known, _)| known == name).unwrap().1.into_owned()
        };
        assert_eq!(returned("state"), state, "{platform:?}");

        let form = form_urlencoded::Serializer::new(String::new())
            .extend_pairs([
                ("grant_type", "authorization_code"),
                ("code", &returned("code")),
                ("redirect_uri", REDIRECT_URI),
                ("code_verifier", VERIFIER),
            ])
            .finish();
        let event = platform.event().path("/oauth/token").body(FORM, &form);
        let tokens = world.answer(event).await;
        assert_eq!(tokens.status(), 200, "{platform:?} {tokens:?}");

        let token = tokens.body()["access_token"].as_str().unwrap().to_owned();
        let call = platform.event().header("Authorization", &format!("Bearer {token}"));
        assert_eq!(world.answer(call).await.body()["caller"], "Ada");
    }
}

#[tokio::test]
async fn a_parameter_twice_is_refused_where_the_platform_tells() {
    let world = World::new().await;
    for platform in Platform::ALL {
        let query = "response_type=code&response_type=code";
        let answer = world.answer(Event::get(platform, "/oauth/authorize").query(query)).await;
        let page = answer.json["body"].as_str().unwrap();
        assert_eq!(answer.status(), 400, "{platform:?}");
        // a load balancer without multi-value headers passes the last one on, alone
        assert_eq!(
            page.contains("more than once"),
            platform != LoadBalancer,
            "{platform:?} {page}"
        );

        // a comma is no second value
        let query = "response_type=code&state=a,b";
        let answer = world.answer(Event::get(platform, "/oauth/authorize").query(query)).await;
        assert!(!answer.json["body"].as_str().unwrap().contains("more than once"), "{platform:?}");

        let form = "grant_type=refresh_token&refresh_token=a&%67rant_type=refresh_token";
        let event = platform.event().path("/oauth/token").body(FORM, form);
        let answer = world.answer(event).await;
        assert_eq!(answer.body()["error"], "invalid_request", "{platform:?}");
    }
}

#[tokio::test]
async fn endpoints_are_found_with_and_without_a_stage() {
    let world = World::new().await;
    let metadata = "/.well-known/oauth-protected-resource";
    for platform in Platform::ALL {
        // HTTP APIs are asked with the stage above; behind some domains they are not
        let mut event = Event::get(platform, metadata);
        if platform == HttpApi {
            event.json["rawPath"] = metadata.into();
        }
        assert_eq!(world.answer(event).await.status(), 200, "{platform:?}");

        // no stage is left away that is not there
        let mut event = Event::get(platform, &format!("/other{metadata}"));
        if platform == HttpApi {
            event.json["rawPath"] = format!("/other{metadata}").into();
        }
        assert_eq!(world.answer(event).await.status(), 401, "{platform:?}");
    }
}

#[tokio::test]
async fn a_preflight_is_answered() {
    let world = World::new().await;
    for platform in Platform::ALL {
        for path in ["/mcp", "/oauth/token"] {
            let mut event = Event::get(platform, path);
            match platform {
                HttpApi | FunctionUrl => {
                    event.json["requestContext"]["http"]["method"] = "OPTIONS".into();
                }
                _ => event.json["httpMethod"] = "OPTIONS".into(),
            }
            let answer = world.answer(event).await;
            assert_eq!(answer.status(), 204, "{platform:?}");
            assert_eq!(answer.header("access-control-allow-origin"), "*");
        }
    }
}

/// Follows redirects as a browser does, to the one that goes to the client.
async fn browse(url: &str) -> Url {
    let browser = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
    let browser = browser.build().unwrap();
    let mut url: Url = url.parse().unwrap();
    while !url.as_str().starts_with(REDIRECT_URI) {
        let answer = browser.get(url.clone()).send().await.unwrap();
        let location = answer.headers().get("location").expect("a redirect").to_str().unwrap();
        url = url.join(location).unwrap();
    }
    url
}
