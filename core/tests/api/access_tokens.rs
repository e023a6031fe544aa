//! Which access tokens let a caller in: every version, cloud, tenant policy, audience and key with
//! every other, each accepted or refused for the reason named.

use std::sync::Arc;

use mcp_entra_core::{Options, PERSONAL_ACCOUNTS_TENANT};
use serde_json::{Value, json};

use super::support::{CLIENT, Driver, RESOURCE, TENANT, facade, options};
use super::tokens::{STRANGER, Token, call, jwk, key_set_of};

const OTHER_TENANT: &str = "22222222-3333-4444-8555-666666666666";
const EXTRA_AUDIENCE: &str = "api://contoso/tools";

const NOT_FOR_US: &str = "the token's audience is not this server";
const OTHER_CLOUD: &str = "the token is signed by a key of another cloud";
const OTHER_ISSUER: &str = "the token is signed by a key of another issuer";
const UNKNOWN_KEY: &str = "the token is signed by an unknown key";
const WRONG_ISSUER: &str = "the token's issuer is not that of its tenant";

/// Where tokens come from.
#[derive(Debug)]
struct Cloud {
    origin: &'static str,
    domain: &'static str,
    tenant_document: &'static str,
    /// What its documents and its keys call it.
    name: &'static str,
    /// The issuers of v1 and v2 tokens, with the template.
    v1: &'static str,
    v2: &'static str,
}

const PUBLIC: Cloud = Cloud {
    origin: "https://login.microsoftonline.com",
    domain: "contoso.com",
    tenant_document: include_str!("../fixtures/v2_tenant.json"),
    name: "microsoftonline.com",
    v1: "https://sts.windows.net/{tenantid}/",
    v2: "https://login.microsoftonline.com/{tenantid}/v2.0",
};
const US_GOV: Cloud = Cloud {
    origin: "https://login.microsoftonline.us",
    domain: "contoso.us",
    tenant_document: include_str!("../fixtures/v2_usgov_tenant.json"),
    name: "microsoftonline.us",
    v1: "https://sts.windows.net/{tenantid}/",
    v2: "https://login.microsoftonline.us/{tenantid}/v2.0",
};
const CHINA: Cloud = Cloud {
    origin: "https://login.partner.microsoftonline.cn",
    domain: "contoso.cn",
    tenant_document: include_str!("../fixtures/v2_china_tenant.json"),
    name: "partner.microsoftonline.cn",
    v1: "https://sts.chinacloudapi.cn/{tenantid}/",
    v2: "https://login.partner.microsoftonline.cn/{tenantid}/v2.0",
};
const EXTERNAL_ID: Cloud = Cloud {
    origin: "https://contoso.ciamlogin.com",
    domain: "contoso.onmicrosoft.com",
    tenant_document: include_str!("../fixtures/v2_ciam_external_id.json"),
    name: "microsoftonline.com",
    v1: "https://sts.windows.net/{tenantid}/",
    v2: "https://{tenantid}.ciamlogin.com/{tenantid}/v2.0",
};
const CLOUDS: [&Cloud; 4] = [&PUBLIC, &US_GOV, &CHINA, &EXTERNAL_ID];

impl Cloud {
    fn issuer(&self, version: &str, tenant: &str) -> String {
        let template = if version == "1.0" { self.v1 } else { self.v2 };
        template.replace("{tenantid}", tenant)
    }

    /// The discovery document of a tenant or of a shared audience.
    fn discovery(&self, tenant: &str) -> Vec<u8> {
        let mut document: Value = serde_json::from_str(self.tenant_document).unwrap();
        match tenant {
            "common" | "organizations" => document["issuer"] = self.v2.into(),
            "consumers" => {
                document["issuer"] = self.v2.replace("{tenantid}", PERSONAL_ACCOUNTS_TENANT).into();
            }
            _ => {}
        }
        document.to_string().into_bytes()
    }
}

/// What the operator says about tenants, and a token of which tenant comes.
#[derive(Clone, Debug)]
struct Policy {
    tenant: &'static str,
    allowed: Vec<&'static str>,
    token_of: &'static str,
    good: bool,
}

fn policies(cloud: &Cloud) -> Vec<Policy> {
    let policy = |tenant, allowed: &[&'static str], token_of, good| Policy {
        tenant,
        allowed: allowed.to_vec(),
        token_of,
        good,
    };
    let mut policies = Vec::new();
    for tenant in [TENANT, cloud.domain] {
        policies.extend([
            policy(tenant, &[], TENANT, true),
            policy(tenant, &[], OTHER_TENANT, false),
            policy(tenant, &[TENANT], TENANT, true),
            policy(tenant, &[OTHER_TENANT], TENANT, false),
            policy(tenant, &[OTHER_TENANT], OTHER_TENANT, false),
        ]);
    }
    // a customer directory is one tenant
    if cloud.origin == EXTERNAL_ID.origin {
        return policies;
    }
    for tenant in ["common", "organizations"] {
        policies.extend([
            policy(tenant, &[], TENANT, true),
            policy(tenant, &[], OTHER_TENANT, true),
            policy(tenant, &[TENANT, OTHER_TENANT], OTHER_TENANT, true),
            policy(tenant, &[TENANT], OTHER_TENANT, false),
            policy(tenant, &[], PERSONAL_ACCOUNTS_TENANT, tenant == "common"),
            policy(
                tenant,
                &[PERSONAL_ACCOUNTS_TENANT],
                PERSONAL_ACCOUNTS_TENANT,
                tenant == "common",
            ),
        ]);
    }
    // personal accounts are in the public cloud only
    if cloud.origin == PUBLIC.origin {
        policies.extend([
            policy("consumers", &[], PERSONAL_ACCOUNTS_TENANT, true),
            policy("consumers", &[], TENANT, false),
            policy("consumers", &[TENANT], PERSONAL_ACCOUNTS_TENANT, false),
            policy("consumers", &[TENANT], TENANT, false),
        ]);
    }
    policies
}

/// Where the token's key comes from, by its id, and why it may not sign.
fn keys(cloud: &Cloud, token_of: &str) -> Vec<(Value, Result<(), &'static str>)> {
    let another = if cloud.name == US_GOV.name { PUBLIC.name } else { US_GOV.name };
    let personal = PUBLIC.v2.replace("{tenantid}", PERSONAL_ACCOUNTS_TENANT);
    let is_personal = token_of == PERSONAL_ACCOUNTS_TENANT && cloud.origin == PUBLIC.origin;
    vec![
        (jwk("right", Some(cloud.v2), Some(cloud.name)), Ok(())),
        (jwk("another-cloud", Some(cloud.v2), Some(another)), Err(OTHER_CLOUD)),
        (
            jwk("personal", Some(&personal), Some(cloud.name)),
            if is_personal { Ok(()) } else { Err(OTHER_ISSUER) },
        ),
        (jwk("bare", None, None), Ok(())),
        (json!({ "kid": "unknown" }), Err(UNKNOWN_KEY)),
    ]
}

const AUDIENCES: [(&str, Result<(), &str>); 9] = [
    (CLIENT, Ok(())),
    ("api://99999999-8888-4777-8666-555555555555", Ok(())),
    (RESOURCE, Ok(())),
    (EXTRA_AUDIENCE, Ok(())),
    ("00000003-0000-0000-c000-000000000000", Err(NOT_FOR_US)),
    ("https://mcp.example.com", Err(NOT_FOR_US)),
    ("https://mcp.example.com/mcp.attacker.example", Err(NOT_FOR_US)),
    ("api://99999999-8888-4777-8666-555555555556", Err(NOT_FOR_US)),
    ("", Err(NOT_FOR_US)),
];

#[test]
fn every_version_cloud_tenant_policy_audience_and_key() {
    let mut accepted = Vec::new();
    for cloud in CLOUDS {
        for policy in policies(cloud) {
            for version in ["1.0", "2.0"] {
                accepted.extend(walk(cloud, &policy, version));
            }
        }
    }
    // nothing was skipped: 80 policies, 2 versions, 5 keys, 9 audiences
    assert_eq!(accepted.len(), 80 * 2 * 5 * 9);
    // 41 good policies, 2 good keys and for 3 of the policies a third, 4 good audiences
    let accepted = accepted.into_iter().filter(|accepted| *accepted).count();
    assert_eq!(accepted, (41 * 2 + 3) * 2 * 4);
}

/// Every key with every audience; which were accepted.
fn walk(cloud: &Cloud, policy: &Policy, version: &str) -> Vec<bool> {
    let driver = driver(cloud, policy);
    let mut walked = Vec::new();
    for (key, may_sign) in keys(cloud, policy.token_of) {
        for (audience, for_us) in AUDIENCES {
            let tenant = match policy.good {
                true => Ok(()),
                false => Err(format!("tokens of the tenant {} are not accepted", policy.token_of)),
            };
            // a key that nobody knows says nothing about a token; then the claims, then the key
            let expected = match may_sign {
                Err(UNKNOWN_KEY) => Err(UNKNOWN_KEY.to_owned()),
                _ => tenant
                    .and_then(|()| may_sign.map_err(Into::into))
                    .and_then(|()| for_us.map_err(Into::into)),
            };
            let token = token(cloud, policy.token_of, version)
                .with("aud", audience)
                .header("kid", key["kid"].clone());
            // a signature takes its time, and a token that is refused for a claim needs none
            let token = if expected.is_ok() { token.signed() } else { token.unsigned() };
            let verdict = driver.run(call(&token)).verdict();
            let row = format!("{} {policy:?} {version} {audience} {}", cloud.origin, key["kid"]);
            if let Ok(passing) = &verdict {
                let principal = passing.principal().unwrap();
                assert_eq!(principal.tenant_id.as_str(), policy.token_of, "{row}");
                assert_eq!(principal.scopes, ["access_as_user"], "{row}");
            }
            walked.push(verdict.is_ok());
            assert_eq!(verdict.map(|_| ()), expected, "{row}");
        }
    }
    walked
}

fn driver(cloud: &Cloud, policy: &Policy) -> Driver {
    let options = Options {
        authority: cloud.origin.into(),
        tenant: policy.tenant.into(),
        allowed_tenants: policy.allowed.iter().map(|t| (*t).into()).collect(),
        audiences: vec![EXTRA_AUDIENCE.into()],
        ..options()
    };
    let facade = facade(&options);
    let discovery = facade.read_discovery(&cloud.discovery(policy.tenant)).unwrap();
    let known = keys(cloud, policy.token_of).into_iter().map(|(key, _)| key);
    let known: Vec<_> = known.filter(|key| key["kid"] != "unknown").collect();
    Driver {
        facade,
        discovery: Some(Arc::new(discovery)),
        keys: Some(key_set_of(&known)),
        ..Driver::new(&options)
    }
}

fn token(cloud: &Cloud, tenant: &str, version: &str) -> Token {
    let token = if version == "1.0" { Token::v1() } else { Token::v2() };
    token.with("tid", tenant).with("iss", cloud.issuer(version, tenant))
}

#[test]
fn the_issuer_is_that_of_the_tokens_tenant_version_and_cloud() {
    let policy = Policy { tenant: TENANT, allowed: vec![], token_of: TENANT, good: true };
    for cloud in CLOUDS {
        let driver = driver(cloud, &policy);
        let verdict = |token: Token| {
            let token = token.header("kid", "bare").signed();
            driver.run(call(&token)).verdict().map(|_| ())
        };
        for (version, other_version) in [("1.0", "2.0"), ("2.0", "1.0")] {
            let token = token(cloud, TENANT, version);
            assert_eq!(verdict(token.clone()), Ok(()));
            assert_eq!(verdict(token.clone().without("ver")), Ok(()));
            let mut wrong = vec![
                cloud.issuer(version, OTHER_TENANT),
                cloud.issuer(version, "{tenantid}"),
                cloud.issuer(version, "common"),
                cloud.issuer(other_version, TENANT),
                cloud.issuer(version, TENANT).to_ascii_uppercase(),
                format!("{}x", cloud.issuer(version, TENANT)),
                String::new(),
            ];
            let others = CLOUDS.iter().filter(|other| other.origin != cloud.origin);
            wrong.extend(others.map(|other| other.issuer("2.0", TENANT)));
            for issuer in wrong {
                let verdict = verdict(token.clone().with("iss", issuer.as_str()));
                assert_eq!(verdict, Err(WRONG_ISSUER.into()), "{version} {issuer}");
            }
            let unheard_of = verdict(token.with("ver", "3.0"));
            assert_eq!(unheard_of, Err(WRONG_ISSUER.into()));
        }
    }
}

#[test]
fn an_app_id_uri_of_the_operators_own_is_an_audience_and_the_default_one_is_not_then() {
    let driver =
        Driver::new(&Options { app_id_uri: "https://contoso.com/tools".into(), ..options() });
    let verdict = |audience: Value| {
        driver.run(call(&Token::v1().with("aud", audience).signed())).verdict().map(|_| ())
    };
    assert_eq!(verdict("https://contoso.com/tools".into()), Ok(()));
    assert_eq!(verdict(CLIENT.into()), Ok(()));
    assert_eq!(verdict(CLIENT.to_ascii_uppercase().into()), Ok(()));
    assert_eq!(verdict(json!(["x", CLIENT])), Ok(()));
    assert_eq!(verdict(format!("api://{CLIENT}").into()), Err(NOT_FOR_US.into()));
    assert_eq!(verdict("https://contoso.com/tools/".into()), Err(NOT_FOR_US.into()));
    assert_eq!(verdict(json!(["x", 1])), Err(NOT_FOR_US.into()));
    assert_eq!(verdict(json!([])), Err(NOT_FOR_US.into()));
}

/// The cases of the MCP conformance draft for the validation of audiences.
#[test]
fn the_six_cases_of_the_mcp_conformance_draft() {
    let driver = Driver::new(&options());
    let verdict = |token: &str| driver.run(call(token)).verdict().map(|_| ());
    let refused = |text: &str| Err(text.to_owned());

    let without_a_token = http::Request::post("/mcp").body("").unwrap();
    assert_eq!(driver.run(without_a_token).verdict().map(|_| ()), refused(""));
    assert_eq!(verdict(&Token::v2().signed()), Ok(()));
    assert_eq!(verdict(&Token::v2().with("aud", "https://other").signed()), refused(NOT_FOR_US));
    let missing = "the token has no usable 'aud'";
    assert_eq!(verdict(&Token::v2().without("aud").signed()), refused(missing));
    let expired = "the token has expired";
    assert_eq!(verdict(&Token::v2().with("exp", 1_767_225_000).signed()), refused(expired));
    let untrusted = "the token's signature is not valid";
    assert_eq!(verdict(&Token::v2().signed_by(&STRANGER)), refused(untrusted));
    assert_eq!(verdict(&Token::v2().header("kid", "none").signed()), refused(UNKNOWN_KEY));
}
