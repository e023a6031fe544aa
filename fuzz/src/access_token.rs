//! No token gets as far as its signature that an independent reading of the policy refuses.

use arbitrary::Arbitrary;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Request;
use mcp_entra_core::{Context, PERSONAL_ACCOUNTS_TENANT, Step, UnixTime};
use serde_json::{Value, json};

use crate::oracle::{check_answer, read};
use crate::setting::{CLIENT, SETTINGS, Setting, TENANT};

/// A token, from octets or built of claims.
#[derive(Arbitrary, Clone, Debug)]
pub enum Token<'a> {
    /// The text as it comes.
    Raw(&'a str),
    /// Two parts that are encoded.
    Parts {
        /// The header's JSON.
        header: &'a str,
        /// The payload's JSON.
        payload: &'a str,
    },
    /// A token that is nearly good.
    Claims(Claims<'a>),
}

/// The choices of a token that is nearly good; each number counts as a choice.
#[derive(Arbitrary, Clone, Debug)]
pub struct Claims<'a> {
    algorithm: u8,
    key: u8,
    audience: u8,
    issuer: u8,
    tenant: u8,
    version: u8,
    scopes: Option<&'a str>,
    roles: Option<Vec<&'a str>>,
    identity_type: Option<bool>,
    /// Whether the subject is the object, as an application is.
    is_its_subject: bool,
    not_before: i8,
    expires: i8,
    /// Put in front of the other members.
    member: Option<(&'a str, &'a str)>,
    /// A member that is left out.
    without: u8,
}

const OBJECT: &str = "22222222-0000-4000-8000-000000000001";
const NOW: u64 = 1_767_225_700;

fn choose<'a>(from: &[&'a str], choice: u8) -> &'a str {
    from[usize::from(choice) % from.len()]
}

impl Token<'_> {
    fn text(&self) -> String {
        let encoded = |header: &str, payload: &str| {
            let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
            format!("{}.{}.AA", part(header), part(payload))
        };
        match self {
            Self::Raw(text) => (*text).into(),
            Self::Parts { header, payload } => encoded(header, payload),
            Self::Claims(claims) => encoded(&claims.header(), &claims.payload()),
        }
    }
}

impl Claims<'_> {
    fn header(&self) -> String {
        let algorithm = choose(&["RS256", "RS256", "RS256", "HS256", "none"], self.algorithm);
        let key = choose(&["pub-1", "pub-2", "usgov-1", "msa-1", "gone"], self.key);
        json!({ "typ": "JWT", "alg": algorithm, "kid": key }).to_string()
    }

    fn payload(&self) -> String {
        let tenant = choose(
            &[TENANT, PERSONAL_ACCOUNTS_TENANT, "22222222-3333-4444-8555-666666666666", "common"],
            self.tenant,
        );
        let issuer = choose(
            &[
                "https://login.microsoftonline.com/{}/v2.0",
                "https://sts.windows.net/{}/",
                "https://login.microsoftonline.us/{}/v2.0",
            ],
            self.issuer,
        );
        let audiences = [CLIENT, "https://mcp.example.com/mcp", "https://contoso.com/tools", "x"];
        let mut claims = json!({
            "aud": choose(&audiences, self.audience),
            "iss": issuer.replace("{}", tenant),
            "tid": tenant,
            "oid": OBJECT,
            "sub": if self.is_its_subject { OBJECT } else { "pairwise" },
            "ver": choose(&["1.0", "2.0", "3.0"], self.version),
            "nbf": NOW.saturating_add_signed(i64::from(self.not_before) * 10),
            "exp": NOW.saturating_add_signed(i64::from(self.expires) * 10),
        });
        if let Some(scopes) = self.scopes {
            claims["scp"] = scopes.into();
        }
        if let Some(roles) = &self.roles {
            claims["roles"] = roles.clone().into();
        }
        if let Some(app) = self.identity_type {
            claims["idtyp"] = if app { "app" } else { "user" }.into();
        }
        let without = ["", "", "", "aud", "iss", "tid", "oid", "ver", "nbf", "exp", "sub"];
        claims.as_object_mut().map(|claims| claims.remove(choose(&without, self.without)));
        let text = claims.to_string();
        match self.member {
            None => text,
            Some((name, value)) => {
                text.replacen('{', &format!("{{{}:{},", json!(name), json!(value)), 1)
            }
        }
    }
}

/// A call with the token.
pub fn check(token: Token<'_>) {
    let text = token.text();
    let Ok(request) =
        Request::post("/mcp").header("authorization", format!("Bearer {text}")).body(())
    else {
        return;
    };
    let (head, ()) = request.into_parts();
    for setting in SETTINGS.iter() {
        let cx = Context {
            now: UnixTime(NOW),
            discovery: Some(setting.discovery.clone()),
            keys: Some(setting.keys.clone()),
            ..Context::default()
        };
        let mut step = setting.facade.begin(&head, &cx);
        if let Step::Load(load) = step {
            step = load.resume(&cx);
        }
        match step {
            Step::Respond(response) => {
                assert!(response.status().is_client_error());
                check_answer(&response, setting.settings());
            }
            Step::Verify(verify) => {
                assert_eq!(verify.token(), text);
                assert_eq!(format!("{}.{}", verify.signing_input(), verify.signature()), text);
                let kid = verify.key().kid().to_owned();
                let claims = policy(&text, &kid, setting);
                let (remembered, _) = verify.verified();
                let (principal, Some(claims)) = (remembered.principal(), claims) else { continue };
                let tenant = claims["tid"].as_str().map(str::to_ascii_lowercase);
                assert_eq!(tenant.as_deref(), Some(principal.tenant_id.as_str()));
                assert_eq!(principal.app_only, claims["scp"].as_str().is_none());
            }
            other => panic!("{other:?}"),
        }
    }
}

/// The policy, read from the token by another parser.
fn policy(text: &str, kid: &str, setting: &Setting) -> Option<Value> {
    let parts: Vec<&str> = text.split('.').collect();
    let [header, payload, _] = parts.as_slice() else { panic!("{} parts", parts.len()) };
    let part = |part: &str| read(&URL_SAFE_NO_PAD.decode(part).expect("base64"));
    let (header, claims) = (part(header), part(payload));
    if header.is_null() || claims.is_null() {
        return None;
    }
    assert_eq!((&header["alg"], &header["kid"]), (&json!("RS256"), &json!(kid)));
    for name in ["crit", "jku", "jwk", "x5c", "x5u"] {
        assert!(header.get(name).is_none());
    }
    let settings = setting.settings();
    let tenant = claims["tid"].as_str().expect("a tenant").to_ascii_lowercase();
    assert!(tenant == TENANT, "{tenant}");
    let issuers = [
        format!("https://login.microsoftonline.com/{tenant}/v2.0"),
        format!("https://sts.windows.net/{tenant}/"),
    ];
    assert!(issuers.iter().any(|issuer| claims["iss"] == **issuer), "{}", claims["iss"]);
    assert!(matches!(kid, "pub-1" | "pub-2"), "{kid} may not sign for a work account");
    let api = settings.api().app_id_uri().as_str();
    let is_ours = |audience: &Value| {
        audience.as_str().is_some_and(|audience| {
            audience.eq_ignore_ascii_case(CLIENT)
                || [api, settings.resource().as_str()].contains(&audience)
        })
    };
    let audiences = claims["aud"].as_array();
    assert!(is_ours(&claims["aud"]) || audiences.is_some_and(|list| list.iter().any(is_ours)));
    let (nbf, exp) = (claims["nbf"].as_u64().expect("nbf"), claims["exp"].as_u64().expect("exp"));
    assert!(nbf <= NOW + settings.clock_skew() && NOW < exp.saturating_add(settings.clock_skew()));
    let app = claims["idtyp"] == "app";
    match claims["scp"].as_str() {
        Some(_) => assert!(!app),
        None => {
            assert!(claims["roles"].as_array().is_some_and(|roles| !roles.is_empty()));
            assert!(app || claims["idtyp"].as_str().is_none() && claims["sub"] == claims["oid"]);
        }
    }
    Some(claims)
}
