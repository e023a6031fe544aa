//! What the core costs: `cargo bench -p mcp-entra-core` times each case, `tests/bench/instructions`
//! counts its instructions under valgrind, which a busy machine does not change.
//!
//! A case is an exchange from the head of a request to its end, or one of a family that grows with
//! one input, named `family/size`.

use std::hint::black_box;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::header::HeaderValue;
use http::request::Parts;
use http::{Request, Response, response};
use mcp_entra_core::scope::ApiName;
use mcp_entra_core::{Context, Facade, KeySet, Options, Settings, Step, UnixTime};

const CLIENT: &str = "99999999-8888-4777-8666-555555555555";
const TENANT: &str = "11111111-2222-4333-8444-555555555555";
const FORM: &str = "application/x-www-form-urlencoded";
const ANSWER: &str = r#"{"token_type":"Bearer","scope":"api://99999999-8888-4777-8666-555555555555/access_as_user","expires_in":3599,"access_token":"a","refresh_token":"r"}"#;
const AUTHORIZE: &str = "/oauth/authorize?response_type=code&client_id=x\
    &redirect_uri=http%3A%2F%2Flocalhost%3A8787%2Fcallback&state=s&code_challenge_method=S256\
    &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&scope=openid+access_as_user";
const CODE: &str = "grant_type=authorization_code&code=c\
    &redirect_uri=http%3A%2F%2Flocalhost%3A8787%2Fcallback\
    &code_verifier=dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

struct Case {
    name: String,
    run: Box<dyn Fn()>,
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["--names"] => names().iter().for_each(|name| println!("{name}")),
        ["--once", name] => {
            for case in cases().into_iter().filter(|case| case.name == *name) {
                (case.run)();
                measured(&*case.run);
            }
        }
        _ => divan::main(),
    }
}

fn names() -> Vec<String> {
    cases().into_iter().map(|case| case.name).collect()
}

#[divan::bench(args = names())]
fn exchange(bencher: divan::Bencher<'_, '_>, name: &str) {
    if let Some(case) = cases().into_iter().find(|case| case.name == name) {
        bencher.bench_local(|| (case.run)());
    }
}

/// The function by whose name valgrind knows what to count.
#[inline(never)]
fn measured(run: &dyn Fn()) {
    run();
}

fn cases() -> Vec<Case> {
    let world = World::new(Options::default());
    let get = |path: &str| head(Request::get(path));
    let post = |path: &str| head(Request::post(path).header("content-type", FORM));
    let mut cases = vec![
        world.case(
            "protected-resource metadata",
            get("/.well-known/oauth-protected-resource/mcp"),
            "",
        ),
        world.case(
            "authorization-server metadata",
            get("/.well-known/oauth-authorization-server"),
            "",
        ),
        world.case("challenge", head(Request::post("/mcp")), ""),
        world.case("authorize", get(AUTHORIZE), ""),
        world.case(
            "register",
            post("/oauth/register"),
            r#"{"redirect_uris":["http://localhost:8787/callback"],"client_name":"Claude Code"}"#,
        ),
        world.case("token, code", post("/oauth/token"), CODE),
        world.case(
            "token, refresh",
            post("/oauth/token"),
            "grant_type=refresh_token&refresh_token=r",
        ),
        world.answering(&long_answer()).case(
            "token, refresh of usual length",
            post("/oauth/token"),
            &format!("grant_type=refresh_token&refresh_token={}", opaque(1000)),
        ),
        world.case("call, token never seen", call(&token("access_as_user")), ""),
        world.remembering(&token("access_as_user")).case(
            "call, token seen",
            call(&token("access_as_user")),
            "",
        ),
        world.passing("call, passed on", call_of_a_client(), answer_of_a_server()),
        world.qualification("qualification".into(), "openid access_as_user".into()),
    ];
    cases.extend([8, 16, 32, 64].map(|size| {
        let scopes: Vec<String> = (0..size).map(|i| format!("scope.{i:03}")).collect();
        world.qualification(format!("scopes asked for/{size}"), scopes.join(" "))
    }));
    cases.extend([8, 16, 32, 64].map(|size| {
        let scopes: Vec<String> = (0..size).map(|i| format!("scope.{i:03}")).collect();
        let token = token(&format!("{} access_as_user", scopes.join(" ")));
        world.remembering(&token).case(&format!("scopes of a token/{size}"), call(&token), "")
    }));
    cases.extend([125, 250, 500, 1000].map(|size| {
        let redirect_uris =
            (0..size).map(|i| format!("https://h{i}.example.com/callback")).collect();
        let world = World::new(Options { redirect_uris, ..Options::default() });
        world.case(&format!("redirect URIs on the list/{size}"), get(AUTHORIZE), "")
    }));
    cases.extend([125, 250, 500, 1000].map(|size| {
        let others = (0..size).map(|i| format!("00000000-0000-4000-8000-{i:012}"));
        let allowed_tenants = others.chain([TENANT.into()]).collect();
        let world = World::new(Options { allowed_tenants, ..Options::default() });
        world.case(&format!("tenants allowed/{size}"), call(&token("access_as_user")), "")
    }));
    cases.extend([8, 16, 32, 64].map(|size| {
        let scope_implies = (0..size).map(|i| format!("s{i}=s{}", i + 1));
        let scope_implies = scope_implies.chain([format!("s{size}=access_as_user")]).collect();
        let world = World::new(Options { scope_implies, ..Options::default() });
        world.remembering(&token("s0")).case(
            &format!("scopes that imply others/{size}"),
            call(&token("s0")),
            "",
        )
    }));
    cases.extend(hostile(&world));
    cases
}

/// What somebody sends to make us work, by its length in octets.
fn hostile(world: &World) -> Vec<Case> {
    let post = |path: &str| head(Request::post(path).header("content-type", FORM));
    let mut cases = Vec::new();
    let mut add = |name: &str, size: usize, head: Parts, body: String| {
        cases.push(world.case(&format!("hostile {name}/{size}"), head, &body));
    };
    for size in [8_000, 16_000, 32_000, 64_000] {
        add(
            "form, percent signs",
            size,
            post("/oauth/token"),
            format!("a={}", "%41".repeat(size / 3)),
        );
        add("form, separators", size, post("/oauth/token"), "&".repeat(size));
        add(
            "form, one scope after the other",
            size,
            post("/oauth/token"),
            format!("grant_type=refresh_token&refresh_token=r&scope={}", "+a".repeat(size / 2)),
        );
        let members =
            |size: usize| (0..size / 16).map(|i| format!("\"n{i:08}\":0")).collect::<Vec<_>>();
        add(
            "registration, members",
            size,
            post("/oauth/register"),
            format!("{{{}}}", members(size).join(",")),
        );
        add(
            "registration, nesting",
            size,
            post("/oauth/register"),
            format!("{{\"a\":{}", "[".repeat(size)),
        );
        let uris = vec!["\"http://localhost/callback\""; size / 28];
        add(
            "registration, redirect URIs",
            size,
            post("/oauth/register"),
            format!("{{\"redirect_uris\":[{}]}}", uris.join(",")),
        );
    }
    for size in [2_000, 4_000, 8_000, 16_000] {
        add(
            "path",
            size,
            head(Request::post(format!("/mcp/{}", "%2".repeat(size / 2)))),
            String::new(),
        );
        add(
            "query of a call",
            size,
            head(Request::post(format!("/mcp?{}", "access_tokem&".repeat(size / 13)))),
            String::new(),
        );
        add(
            "query of an authorization",
            size,
            head(Request::get(format!("{AUTHORIZE}&x={}", "%20".repeat(size / 3)))),
            String::new(),
        );
        add("token", size, call(&"a.".repeat(size / 2)), String::new());
        add("token, payload", size, call(&format!("e30.{}.AA", "A".repeat(size))), String::new());
    }
    cases
}

#[derive(Clone)]
struct World {
    facade: Facade,
    cx: Context,
    /// Entra's, to a token request.
    answer: Bytes,
}

impl World {
    fn new(options: Options) -> Self {
        let settings = Settings::parse(&Options {
            resource: "https://mcp.example.com/mcp".into(),
            tenant: if options.allowed_tenants.is_empty() { TENANT } else { "organizations" }
                .into(),
            client_id: CLIENT.into(),
            ..options
        });
        let facade = Facade::new(settings.unwrap_or_else(|error| panic!("{error}")));
        let documents: [&[u8]; 2] = [
            include_bytes!("../tests/fixtures/v2_tenant.json"),
            include_bytes!("../tests/fixtures/v2_organizations.json"),
        ];
        let discovery = documents.iter().find_map(|document| facade.read_discovery(document).ok());
        let keys = KeySet::parse(include_bytes!("../tests/fixtures/jwks_v2_common.json"));
        let now = UnixTime(1_767_225_700);
        let (discovery, keys) = (discovery.map(Arc::new), keys.ok().map(Arc::new));
        Self {
            facade,
            cx: Context { now, discovery, keys, ..Context::default() },
            answer: Bytes::from_static(ANSWER.as_bytes()),
        }
    }

    fn answering(&self, answer: &str) -> Self {
        Self { answer: Bytes::copy_from_slice(answer.as_bytes()), ..self.clone() }
    }

    /// The driver has verified this token before.
    fn remembering(&self, token: &str) -> Self {
        let mut known = self.clone();
        match self.facade.begin(&call(token), &self.cx) {
            Step::Verify(verify) => known.cx.remembered = Some(verify.verified().0),
            other => panic!("the token is not verified: {other:?}"),
        }
        known
    }

    fn case(&self, name: &str, head: Parts, body: &str) -> Case {
        let (world, body) = (self.clone(), Bytes::copy_from_slice(body.as_bytes()));
        Case {
            name: name.into(),
            run: Box::new(move || drop(black_box(world.exchange(&head, &body)))),
        }
    }

    /// A call by a caller who is known, amended on its way there and back; copies of both heads are
    /// in the count.
    fn passing(&self, name: &str, request: Parts, answer: response::Parts) -> Case {
        let token = self.facade.bearer_token(&request.headers).unwrap_or_default();
        let passing = match self.remembering(token).exchange(&request, &Bytes::new()) {
            Step::Pass(passing) => passing,
            other => panic!("the call does not pass: {other:?}"),
        };
        Case {
            name: name.into(),
            run: Box::new(move || {
                let (mut request, mut answer) = (request.clone(), answer.clone());
                passing.amend_request(&mut request);
                passing.amend_response(&mut answer);
                black_box((request, answer));
            }),
        }
    }

    fn qualification(&self, name: String, asked: String) -> Case {
        let api = self.facade.settings().api().clone();
        Case {
            name,
            run: Box::new(move || drop(black_box(api.qualify(Some(&asked), ApiName::AppIdUri)))),
        }
    }

    fn exchange(&self, head: &Parts, body: &Bytes) -> Step {
        let mut step = self.facade.begin(head, &self.cx);
        loop {
            step = match step {
                Step::Read(read) => read.resume(Ok(body.clone())),
                Step::Send(_, awaiting) => awaiting.resume(Ok(Response::new(self.answer.clone()))),
                Step::Verify(verify) => verify.verified().1,
                end => return end,
            };
        }
    }
}

fn head(request: http::request::Builder) -> Parts {
    request.body(()).unwrap_or_else(|error| panic!("{error}")).into_parts().0
}

fn call(token: &str) -> Parts {
    head(Request::post("/mcp").header("authorization", format!("Bearer {token}")))
}

/// With the headers that the Python SDK sends.
fn call_of_a_client() -> Parts {
    let mut call = call(&token("access_as_user"));
    for (name, value) in [
        ("host", "mcp.example.com"),
        ("accept", "application/json, text/event-stream"),
        ("accept-encoding", "gzip, deflate"),
        ("connection", "keep-alive"),
        ("user-agent", "python-httpx/0.28.1"),
        ("content-type", "application/json"),
        ("content-length", "110"),
        ("mcp-protocol-version", "2025-11-25"),
        ("mcp-session-id", "3f1a6c0e2b7d4c5f9a8e7d6c5b4a3f2e"),
    ] {
        call.headers.insert(name, HeaderValue::from_static(value));
    }
    call
}

fn answer_of_a_server() -> response::Parts {
    let answer = Response::builder()
        .header("content-type", "text/event-stream")
        .header("cache-control", "no-cache, no-transform")
        .header("date", "Thu, 01 Jan 2026 00:00:00 GMT")
        .header("mcp-session-id", "3f1a6c0e2b7d4c5f9a8e7d6c5b4a3f2e")
        .header("transfer-encoding", "chunked");
    answer.body(()).unwrap_or_else(|error| panic!("{error}")).into_parts().0
}

/// What Entra answers, as long as its own are.
fn long_answer() -> String {
    format!(
        r#"{{"token_type":"Bearer","scope":"api://{CLIENT}/access_as_user","expires_in":3599,"ext_expires_in":3599,"access_token":"{}.{}","refresh_token":"1.{}"}}"#,
        opaque(1000),
        opaque(342),
        opaque(1000)
    )
}

/// Text of the octets that tokens have.
fn opaque(length: usize) -> String {
    (0..length).map(|i| char::from(b"0AwQ-bT7x_Zk3PvR"[i * 7 % 16])).collect()
}

/// A token with a key of the fixtures; nobody asks for its signature.
fn token(scopes: &str) -> String {
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let claims = include_str!("../tests/fixtures/access_token_claims_v2.json");
    // Entra writes them on one line
    let claims: String = claims.lines().map(str::trim).collect();
    let claims = claims.replacen("access_as_user", scopes, 1);
    format!("{}.{}.AA", part(r#"{"typ":"JWT","alg":"RS256","kid":"pub-1"}"#), part(&claims))
}
