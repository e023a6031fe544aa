//! What Entra does when it does not refuse.

use std::collections::BTreeSet;
use std::time::Duration;

use aws_lc_rs::rsa::PublicKeyComponents;
use aws_lc_rs::signature::RSA_PKCS1_2048_8192_SHA256;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mcp_entra_stand_in::{
    Application, EXAMPLE_CLIENT, EXAMPLE_TENANT, EntraStandIn, Form, Granted, Platform,
    SignInAudience, SigningKey, User,
};
use serde_json::{Value, json};

use crate::client::{
    API, NATIVE, WEB, authorize, claims, code, get, post_token, redeem, refresh, send,
};

async fn start(app: Application) -> EntraStandIn {
    EntraStandIn::builder().application(app).start().await.expect("a port")
}

fn names(value: &Value) -> BTreeSet<&str> {
    value
        .as_object()
        .map(|members| members.keys().map(String::as_str).collect())
        .unwrap_or_default()
}

/// Whether a token is signed by the published key it names.
fn verifies(entra: &EntraStandIn, token: &Value) -> bool {
    let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).expect("base64url");
    let (message, signature) =
        token.as_str().and_then(|token| token.rsplit_once('.')).expect("a JWT");
    let header: Value =
        serde_json::from_slice(&decode(message.split('.').next().expect("a header")))
            .expect("JSON");
    let keys = entra.keys();
    let key = keys["keys"]
        .as_array()
        .and_then(|keys| keys.iter().find(|key| key["kid"] == header["kid"]));
    let number =
        |name: &str| decode(key.and_then(|key| key[name].as_str()).expect("a published key"));
    let key = PublicKeyComponents { n: number("n"), e: number("e") };
    key.verify(&RSA_PKCS1_2048_8192_SHA256, message.as_bytes(), &decode(signature)).is_ok()
}

#[tokio::test]
async fn authorize_code_token_refresh() {
    let entra = start(Application::example()).await;
    let reply = authorize(&entra, EXAMPLE_TENANT, &[("nonce", "n")]).await;
    assert_eq!(reply.status, 302);
    assert!(reply.location().unwrap().starts_with(&format!("{NATIVE}?code=1.A")));
    let parameters = reply.redirected();
    assert_eq!(parameters["state"], "s t&");
    assert!(parameters.contains_key("session_state") && !parameters.contains_key("iss"));

    let reply = redeem(&entra, &parameters["code"], &[], &[]).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(reply.headers["cache-control"], "no-store, no-cache");
    assert_eq!(reply.headers["pragma"], "no-cache");
    assert!(reply.headers.get_all("set-cookie").iter().count() > 1);
    let tokens = reply.json();
    let expected = [
        "access_token",
        "expires_in",
        "ext_expires_in",
        "id_token",
        "refresh_token",
        "scope",
        "token_type",
    ];
    assert_eq!(names(&tokens), expected.into());
    assert_eq!(tokens["scope"], format!("{API}/access_as_user"));
    assert_eq!(tokens["token_type"], "Bearer");
    assert!((3599..5400).contains(&tokens["expires_in"].as_u64().unwrap()));

    let fixture: Value =
        serde_json::from_str(include_str!("../../fixtures/access_token_claims_v2.json")).unwrap();
    assert!(verifies(&entra, &tokens["access_token"]) && verifies(&entra, &tokens["id_token"]));
    let access = claims(&tokens["access_token"]);
    assert_eq!(names(&access), names(&fixture));
    for name in ["aud", "azp", "azpacr", "name", "oid", "preferred_username", "scp", "tid", "ver"] {
        assert_eq!(access[name], fixture[name], "{name}");
    }
    assert_eq!(access["iss"], format!("{}/{EXAMPLE_TENANT}/v2.0", entra.authority()));
    let id = claims(&tokens["id_token"]);
    assert_eq!(
        (&id["aud"], &id["nonce"], &id["iss"]),
        (&json!(EXAMPLE_CLIENT), &json!("n"), &access["iss"])
    );
    assert_ne!(id["sub"], access["oid"]);

    let again = refresh(&entra, tokens["refresh_token"].as_str().unwrap(), &[], &[]).await;
    assert_eq!(again.status, 200, "{}", again.text());
    let again = again.json();
    assert_ne!(again["refresh_token"], tokens["refresh_token"]);
    assert_eq!(
        again["scope"],
        format!("{EXAMPLE_CLIENT}/access_as_user"),
        "as the request spells it"
    );
    let old = refresh(&entra, tokens["refresh_token"].as_str().unwrap(), &[], &[]).await;
    assert_eq!(old.status, 200, "the old one is not revoked");

    let paths: Vec<_> = entra.requests().into_iter().map(|request| request.path).collect();
    assert_eq!(paths.len(), 4);
    assert_eq!(
        entra.requests()[1].parameter("code_verifier").as_deref(),
        Some(crate::client::VERIFIER)
    );
    entra.clear_requests();
    assert!(entra.requests().is_empty());
}

#[tokio::test]
async fn openid_and_offline_access_are_asked_for() {
    let entra = start(Application::example()).await;
    let scope = format!("{API}/access_as_user");
    let code = code(&entra, &[("scope", &scope)]).await;
    let tokens = redeem(&entra, &code, &[], &[("scope", &scope)]).await.json();
    assert!(tokens.get("refresh_token").is_none() && tokens.get("id_token").is_none());
}

#[tokio::test]
async fn version_1_tokens_by_the_apis_choice() {
    let mut app = Application::example();
    app.api.requested_access_token_version = None;
    let entra = start(app).await;
    let tokens = redeem(&entra, &code(&entra, &[]).await, &[], &[]).await.json();
    let fixture: Value =
        serde_json::from_str(include_str!("../../fixtures/access_token_claims_v1.json")).unwrap();
    let access = claims(&tokens["access_token"]);
    assert_eq!(names(&access), names(&fixture));
    for name in
        ["aud", "iss", "acr", "amr", "appid", "appidacr", "scp", "unique_name", "upn", "ver"]
    {
        assert_eq!(access[name], fixture[name], "{name}");
    }
    let refreshed =
        refresh(&entra, tokens["refresh_token"].as_str().unwrap(), &[], &[]).await.json();
    assert_eq!(claims(&refreshed["access_token"])["aud"], EXAMPLE_CLIENT, "as requested: by GUID");
}

#[tokio::test]
async fn scp_has_all_that_was_consented_to() {
    let entra = start(Application::example()).await;
    let both = format!("{API}/access_as_user {API}/mcp.write offline_access");
    code(&entra, &[("scope", &both)]).await;
    let tokens = redeem(&entra, &code(&entra, &[]).await, &[], &[]).await.json();
    assert_eq!(claims(&tokens["access_token"])["scp"], "access_as_user mcp.write");
    assert_eq!(tokens["scope"], both.trim_end_matches(" offline_access"));

    entra.set_form(Form {
        granted: Granted::Requested,
        expires_in_as_string: true,
        ..Form::default()
    });
    let tokens = redeem(&entra, &code(&entra, &[]).await, &[], &[]).await.json();
    assert_eq!(claims(&tokens["access_token"])["scp"], "access_as_user");
    assert!(tokens["expires_in"].is_string());
}

#[tokio::test]
async fn default_scope_is_repeated() {
    let entra = start(Application::example()).await;
    let scope = format!("{API}/.default openid");
    let tokens =
        redeem(&entra, &code(&entra, &[("scope", &scope)]).await, &[], &[("scope", &scope)])
            .await
            .json();
    assert_eq!(tokens["scope"], format!("{API}/access_as_user {API}/mcp.write {API}/.default"));
}

#[tokio::test]
async fn web_platform_with_its_secret() {
    let entra = start(Application::example().with_secret("s3cr+t")).await;
    let web = [("redirect_uri", WEB)];
    let posted = [("redirect_uri", WEB), ("client_secret", "s3cr+t")];
    let reply = redeem(&entra, &code(&entra, &web).await, &[], &posted).await;
    assert_eq!(claims(&reply.json()["access_token"])["azpacr"], "1");
    // form-encoded: 99999999-8888-4777-8666-555555555555:s3cr%2Bt
    let basic = "Basic OTk5OTk5OTktODg4OC00Nzc3LTg2NjYtNTU1NTU1NTU1NTU1OnMzY3IlMkJ0";
    let reply = redeem(&entra, &code(&entra, &web).await, &[("authorization", basic)], &web).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
}

#[tokio::test]
async fn single_page_application() {
    let spa = "https://spa.example/";
    let entra = start(Application::example().with_redirect_uri(Platform::Spa, spa)).await;
    let changes = [("redirect_uri", spa)];
    let origin = [("origin", "https://spa.example")];
    let reply = redeem(&entra, &code(&entra, &changes).await, &origin, &changes).await;
    assert_eq!(reply.headers["access-control-allow-origin"], "*");
    let first = reply.json()["refresh_token"].as_str().unwrap().to_owned();
    entra.advance(Duration::from_secs(86_000));
    let second = refresh(&entra, &first, &origin, &[]).await.json()["refresh_token"]
        .as_str()
        .unwrap()
        .to_owned();
    entra.advance(Duration::from_secs(500));
    assert_eq!(
        refresh(&entra, &second, &origin, &[]).await.code(),
        Some(700084),
        "not prolonged by renewal"
    );
}

#[tokio::test]
async fn resource_that_owns_the_scopes() {
    let server = "https://mcp.example/mcp";
    let entra = start(Application::example().with_identifier_uri(server)).await;
    let scope = format!("{server}/access_as_user offline_access");
    let changes = [("resource", server), ("scope", &scope)];
    let tokens = redeem(&entra, &code(&entra, &changes).await, &[], &changes).await.json();
    assert_eq!(tokens["scope"], format!("{server}/access_as_user"));
    let token = tokens["refresh_token"].as_str().unwrap();
    assert_eq!(refresh(&entra, token, &[], &[("resource", server)]).await.status, 200);
}

#[tokio::test]
async fn response_modes() {
    let entra = start(Application::example()).await;
    let reply = authorize(&entra, EXAMPLE_TENANT, &[("response_mode", "fragment")]).await;
    assert!(reply.location().unwrap().starts_with("http://localhost:3118/callback#code="));
    let reply = authorize(&entra, EXAMPLE_TENANT, &[("response_mode", "form_post")]).await;
    assert!(reply.text().contains("name=\"code\" value=\"1.A"), "{}", reply.text());
    let reply = authorize(&entra, EXAMPLE_TENANT, &[("redirect_uri", "http://localhost:5")]).await;
    assert!(reply.location().unwrap().starts_with("http://localhost:5/?code="));
}

#[tokio::test]
async fn common_takes_users_of_any_tenant() {
    let mut app = Application::example();
    app.sign_in_audience = SignInAudience::AzureADMultipleOrgs;
    let home = "33333333-2222-4333-8444-555555555555";
    let guest = User { tid: Some(home.into()), ..User::default() };
    let entra = EntraStandIn::builder().application(app).user(guest).start().await.unwrap();
    let code = authorize(&entra, "common", &[]).await.redirected().remove("code").unwrap();
    let form = [
        ("client_id", EXAMPLE_CLIENT),
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", NATIVE),
        ("code_verifier", crate::client::VERIFIER),
        ("scope", &format!("{API}/access_as_user")),
    ];
    let tokens = post_token(&entra, "common", &[], &form).await.json();
    assert_eq!(
        claims(&tokens["access_token"])["iss"],
        format!("{}/{home}/v2.0", entra.authority())
    );
    assert_eq!(authorize(&entra, EXAMPLE_TENANT, &[]).await.code(), Some(50020));
}

#[tokio::test]
async fn app_only() {
    let daemon = "33333333-0000-4000-8000-000000000001";
    let entra = EntraStandIn::builder()
        .application(Application::example())
        .application(Application::new(daemon).with_secret("s"))
        .start()
        .await
        .unwrap();
    entra.assign_app_role(daemon, EXAMPLE_CLIENT, "Mcp.Invoke");
    let scope = format!("{EXAMPLE_CLIENT}/.default");
    let form = [
        ("client_id", daemon),
        ("client_secret", "s"),
        ("grant_type", "client_credentials"),
        ("scope", &*scope),
    ];
    let tokens = post_token(&entra, EXAMPLE_TENANT, &[], &form).await.json();
    assert_eq!(
        names(&tokens),
        ["access_token", "expires_in", "ext_expires_in", "token_type"].into()
    );
    let fixture: Value =
        serde_json::from_str(include_str!("../../fixtures/access_token_claims_v2_app_only.json"))
            .unwrap();
    let access = claims(&tokens["access_token"]);
    assert!(names(&access).is_superset(&names(&fixture)), "{access}");
    assert_eq!((&access["roles"], &access["idtyp"]), (&json!(["Mcp.Invoke"]), &json!("app")));
    assert!(access.get("scp").is_none());
    assert_eq!(claims(&json!(entra.app_token_for(daemon, API).unwrap()))["oid"], access["oid"]);
}

#[tokio::test]
async fn managed_identity_instead_of_a_secret() {
    let identity = "55555555-0000-4000-8000-000000000001";
    let entra = start(Application::example()).await;
    let mut app = Application::example();
    app.federated_identity_credentials.push(mcp_entra_stand_in::FederatedIdentityCredential {
        issuer: entra.issuer(),
        subject: identity.into(),
        audiences: vec!["api://AzureADTokenExchange".into()],
    });
    entra.set_application(app);
    let assertion = |key, subject: &str, more: &Value| {
        let mut claims = json!({ "iss": entra.issuer(), "sub": subject, "aud": "api://AzureADTokenExchange", "exp": entra.now() + 60 });
        claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        entra.sign(&key, &json!({}), &claims).unwrap()
    };
    let current = SigningKey::Current;
    for (assertion, refused) in [
        (assertion(current.clone(), identity, &json!({})), None),
        (assertion(current.clone(), "else", &json!({})), Some(700213)),
        (assertion(current.clone(), identity, &json!({ "aud": "x" })), Some(700212)),
        (assertion(current.clone(), identity, &json!({ "iss": "x" })), Some(700211)),
        (assertion(current.clone(), identity, &json!({ "exp": 1 })), Some(700027)),
        (assertion(current, identity, &json!({ "scp": "x" })), Some(700229)),
        (assertion(SigningKey::Foreign, identity, &json!({})), Some(700027)),
    ] {
        let form = [
            ("redirect_uri", WEB),
            ("client_assertion", &assertion),
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ];
        let reply = redeem(&entra, &code(&entra, &[("redirect_uri", WEB)]).await, &[], &form).await;
        assert_eq!(reply.code(), refused, "{}", reply.text());
        if refused.is_none() {
            assert_eq!(claims(&reply.json()["access_token"])["azpacr"], "2");
        }
    }
}

#[tokio::test]
async fn page_to_pick_a_user() {
    let entra = EntraStandIn::builder().signed_out().start().await.unwrap();
    let page = authorize(&entra, EXAMPLE_TENANT, &[]).await;
    assert_eq!(page.status, 200);
    let text = page.text();
    let (_, link) = text.split_once("href=\"").unwrap();
    let query = link.split('"').next().unwrap().replace("&amp;", "&");
    let reply = get(&entra, &format!("/{EXAMPLE_TENANT}/oauth2/v2.0/authorize{query}")).await;
    assert!(reply.redirected().contains_key("code"));
}

#[tokio::test]
async fn documents() {
    let entra = start(Application::example()).await;
    let path = "/contoso.onmicrosoft.com/v2.0/.well-known/openid-configuration";
    let reply = get(&entra, path).await;
    assert_eq!(reply.headers["cache-control"], "max-age=86400, private");
    assert_eq!(reply.headers["access-control-allow-origin"], "*");
    assert!(reply.headers.get_all("set-cookie").iter().count() > 1);
    let document = reply.json();
    assert_eq!(document["issuer"], entra.issuer(), "a domain is answered with the GUID");
    assert_eq!(document, entra.discovery_document(EXAMPLE_TENANT).unwrap());
    let keys_path =
        document["jwks_uri"].as_str().unwrap().strip_prefix(&entra.authority()).unwrap().to_owned();
    assert_eq!(get(&entra, &keys_path).await.json(), entra.keys());

    let common = get(&entra, "/common/v2.0/.well-known/openid-configuration").await.json();
    assert_eq!(common["issuer"], format!("{}/{{tenantid}}/v2.0", entra.authority()));
    let v1 =
        get(&entra, &format!("/{EXAMPLE_TENANT}/.well-known/openid-configuration")).await.json();
    assert_eq!(v1["issuer"], format!("https://sts.windows.net/{EXAMPLE_TENANT}/"));
    let v1_keys = get(&entra, "/common/discovery/keys").await.json();
    assert!(v1_keys["keys"][0].get("issuer").is_none());

    for path in [
        "/.well-known/oauth-authorization-server",
        &format!("/.well-known/oauth-authorization-server/{EXAMPLE_TENANT}/v2.0"),
        &format!("/{EXAMPLE_TENANT}/v2.0/.well-known/oauth-authorization-server"),
        "/",
    ] {
        assert_eq!(get(&entra, path).await.status, 404, "{path}");
    }
    assert_eq!(send(&entra, "OPTIONS", path, &[], "").await.unwrap().status, 200);
}

#[tokio::test]
async fn keys_roll() {
    let entra = start(Application::example()).await;
    let first = entra.current_key();
    let second = entra.roll_keys();
    let kids = |entra: &EntraStandIn| -> Vec<String> {
        entra.keys()["keys"]
            .as_array()
            .unwrap()
            .iter()
            .map(|key| key["kid"].as_str().unwrap().to_owned())
            .collect()
    };
    assert!(kids(&entra).contains(&first) && kids(&entra).contains(&second));
    assert!(entra.withdraw_key(&first));
    assert!(!kids(&entra).contains(&first));
    let token = entra
        .access_token_for(&User::default(), EXAMPLE_CLIENT, &format!("{API}/mcp.write"))
        .unwrap();
    assert_eq!(claims(&json!(token))["scp"], "mcp.write");
    assert!(entra.access_token_for(&User::default(), EXAMPLE_CLIENT, "api://x/y").is_err());
}
