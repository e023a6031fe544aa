//! One row a rule: what Entra is documented or was seen to refuse at the token endpoint.

use std::time::Duration;

use mcp_entra_stand_in::{
    Application, CODES, Consent, EXAMPLE_CLIENT, EXAMPLE_TENANT, Endpoint, EntraStandIn,
    SignInAudience, Strictness,
};
use serde_json::Value;

use crate::client::{
    API, NATIVE, Pairs, WEB, authorize, code, get, post_token, redeem, refresh, send,
};
use crate::directory::{OTHER, SPA, app, start};

#[tokio::test]
async fn at_token_with_a_code() {
    let entra = start().await;
    let (known, other) = (format!("{API}/access_as_user"), "api://other/read");
    let unknown = format!("{API}/nope");
    let several = format!("{known} {other}");
    let mixed = format!("{API}/.default {known}");
    let web = ("redirect_uri", WEB);
    let spa = ("redirect_uri", SPA);
    let origin: Pairs<'_> = &[("origin", "https://spa.example")];
    let good_basic = "Basic OTk5OTk5OTktODg4OC00Nzc3LTg2NjYtNTU1NTU1NTU1NTU1Omdvb2Q=";
    // (code, status, changes at authorize, headers at token, changes at token)
    type Row<'a> = (u32, u16, Pairs<'a>, Pairs<'a>, Pairs<'a>);
    let rows: &[Row<'_>] = &[
        (900144, 400, &[], &[], &[("grant_type", "")]),
        (70003, 400, &[], &[], &[("grant_type", "password")]),
        (900144, 400, &[], &[], &[("client_id", "")]),
        (700016, 400, &[], &[], &[("client_id", "99999999-0000-4777-8666-555555555555")]),
        (900144, 400, &[], &[], &[("code", "")]),
        (9002313, 400, &[], &[], &[("code", "1.Agarbage")]),
        (70000, 400, &[], &[], &[("client_id", OTHER)]),
        (9000411, 400, &[], &[], &[("scope", "a"), ("scope", "b")]),
        (900144, 400, &[], &[], &[("redirect_uri", "")]),
        (500112, 400, &[], &[], &[("redirect_uri", "http://localhost:4000/callback")]),
        // platforms
        (700025, 401, &[], &[], &[("client_secret", "good")]),
        (700025, 401, &[], &[], &[("client_secret", "bad")]),
        (700025, 401, &[], &[("authorization", good_basic)], &[]),
        (9002326, 400, &[], origin, &[]),
        (7000218, 401, &[web], &[], &[web]),
        (7000215, 401, &[web], &[], &[web, ("client_secret", "bad")]),
        (7000222, 401, &[web], &[], &[web, ("client_secret", "old")]),
        (9002326, 400, &[web], origin, &[web, ("client_secret", "good")]),
        (9002327, 400, &[spa], &[], &[spa]),
        (700025, 401, &[spa], origin, &[spa, ("client_secret", "good")]),
        // PKCE
        (501481, 400, &[], &[], &[("code_verifier", "x")]),
        (50148, 400, &[], &[], &[("code_verifier", "")]),
        (501481, 400, &[("code_challenge", ""), ("code_challenge_method", "")], &[], &[]),
        // scopes
        (900144, 400, &[], &[], &[("scope", "")]),
        (28003, 400, &[], &[], &[("scope", " ")]),
        (28000, 400, &[("scope", &several)], &[], &[("scope", &several)]),
        (650053, 400, &[], &[], &[("scope", "access_as_user")]),
        (70011, 400, &[], &[], &[("scope", &unknown)]),
        (70011, 400, &[], &[], &[("scope", &mixed)]),
        (500011, 400, &[], &[], &[("scope", "api://nobody/read")]),
        (65001, 400, &[("scope", &known)], &[], &[("scope", &format!("{API}/mcp.write"))]),
        (9010010, 400, &[], &[], &[("resource", "https://mcp.example/")]),
        (9010010, 400, &[], &[], &[("resource", "http://localhost:8080/mcp")]),
    ];
    for (number, status, at_authorize, headers, at_token) in rows {
        entra.revoke_consents();
        let code = code(&entra, at_authorize).await;
        let reply = redeem(&entra, &code, headers, at_token).await;
        assert_eq!(
            (reply.code(), reply.status),
            (Some(*number), *status),
            "{at_authorize:?} {at_token:?} {}",
            reply.text()
        );
        check_body(&reply.json());
    }
}

#[tokio::test]
async fn at_token_with_a_refresh_token() {
    let entra = start().await;
    let tokens = redeem(&entra, &code(&entra, &[]).await, &[], &[]).await.json();
    let token = tokens["refresh_token"].as_str().unwrap();
    let secret = [("redirect_uri", WEB), ("client_secret", "good")];
    let web =
        redeem(&entra, &code(&entra, &[("redirect_uri", WEB)]).await, &[], &secret).await.json();
    let web = web["refresh_token"].as_str().unwrap();
    let (by_uri, by_guid) =
        (format!("{API}/access_as_user"), format!("{EXAMPLE_CLIENT}/access_as_user"));
    let several = format!("{by_guid} api://other/read");
    let mixed = format!("{by_guid} {EXAMPLE_CLIENT}/.default");
    let origin: Pairs<'_> = &[("origin", "https://spa.example")];
    let rows: &[(u32, u16, &str, Pairs<'_>, Pairs<'_>)] = &[
        (900144, 400, "", &[], &[]),
        (9002313, 400, "1.Agarbage", &[], &[]),
        (70000, 400, token, &[], &[("client_id", OTHER)]),
        // client and API are one application
        (90009, 400, token, &[], &[("scope", "")]),
        (90009, 400, token, &[], &[("scope", &by_uri)]),
        (700025, 401, token, &[], &[("client_secret", "good")]),
        (9002326, 400, token, origin, &[]),
        (7000218, 401, web, &[], &[]),
        (7000215, 401, web, &[], &[("client_secret", "bad")]),
        (28000, 400, token, &[], &[("scope", &several)]),
        (70011, 400, token, &[], &[("scope", &mixed)]),
        (650053, 400, token, &[], &[("scope", "access_as_user offline_access")]),
        (65001, 400, token, &[], &[("scope", &format!("{EXAMPLE_CLIENT}/mcp.write"))]),
        (9010010, 400, token, &[], &[("resource", "https://mcp.example/")]),
        (9010010, 400, token, &[], &[("resource", "https://mcp.example/"), ("scope", "")]),
    ];
    for (number, status, token, headers, changes) in rows {
        let token = if token.is_empty() {
            &[("refresh_token", "")][..]
        } else {
            &[("refresh_token", *token)]
        };
        let changes: Vec<_> = changes.iter().chain(token).copied().collect();
        let reply = refresh(&entra, "", headers, &changes).await;
        assert_eq!(
            (reply.code(), reply.status),
            (Some(*number), *status),
            "{changes:?} {}",
            reply.text()
        );
        check_body(&reply.json());
    }
    entra.advance(Duration::from_secs(91 * 86_400));
    assert_eq!(refresh(&entra, token, &[], &[]).await.code(), Some(700082));
}

#[tokio::test]
async fn client_credentials() {
    let entra = start().await;
    let good = format!("{EXAMPLE_CLIENT}/.default");
    let named = format!("{EXAMPLE_CLIENT}/access_as_user");
    let with_oidc = format!("{good} openid");
    let rows: &[(u32, &str, Pairs<'_>, &str, &str)] = &[
        (7000216, EXAMPLE_TENANT, &[], "", &good),
        (7000215, EXAMPLE_TENANT, &[], "bad", &good),
        (9002326, EXAMPLE_TENANT, &[("origin", "https://x.example")], "good", &good),
        (90014, EXAMPLE_TENANT, &[], "good", ""),
        (1002012, EXAMPLE_TENANT, &[], "good", &named),
        (1002012, EXAMPLE_TENANT, &[], "good", &with_oidc),
        (1002012, EXAMPLE_TENANT, &[], "good", "openid"),
        (500011, EXAMPLE_TENANT, &[], "good", "api://nobody/.default"),
        (50194, "common", &[], "good", &good),
    ];
    for (number, tenant, headers, secret, scope) in rows {
        let form = [
            ("client_id", EXAMPLE_CLIENT),
            ("grant_type", "client_credentials"),
            ("client_secret", secret),
            ("scope", scope),
        ];
        let reply = post_token(&entra, tenant, headers, &form).await;
        assert_eq!(reply.code(), Some(*number), "{scope} {}", reply.text());
    }
    entra.set_application(Application {
        sign_in_audience: SignInAudience::AzureADMultipleOrgs,
        ..app()
    });
    let form =
        [("client_id", EXAMPLE_CLIENT), ("grant_type", "client_credentials"), ("scope", &good)];
    assert_eq!(post_token(&entra, "common", &[], &form).await.code(), Some(9001023));
}

#[tokio::test]
async fn a_code_is_good_once_and_for_ten_minutes() {
    let entra = start().await;
    let spent = code(&entra, &[]).await;
    assert_eq!(redeem(&entra, &spent, &[], &[]).await.status, 200);
    assert_eq!(redeem(&entra, &spent, &[], &[]).await.code(), Some(54005));

    let failed = code(&entra, &[]).await;
    assert_eq!(redeem(&entra, &failed, &[], &[("client_secret", "x")]).await.code(), Some(700025));
    assert_eq!(
        redeem(&entra, &failed, &[], &[]).await.code(),
        Some(54005),
        "a failed attempt spends it"
    );

    let late = code(&entra, &[]).await;
    entra.advance(Duration::from_secs(601));
    assert_eq!(redeem(&entra, &late, &[], &[]).await.code(), Some(70008));
}

#[tokio::test]
async fn nobody_consents() {
    let entra = EntraStandIn::builder().consent(Consent::Never).start().await.unwrap();
    let reply = redeem(&entra, &code(&entra, &[]).await, &[], &[]).await;
    assert_eq!(
        (reply.code(), reply.json()["suberror"].as_str()),
        (Some(65001), Some("consent_required"))
    );
}

#[tokio::test]
async fn requests_that_are_no_forms() {
    let entra = start().await;
    let path = format!("/{EXAMPLE_TENANT}/oauth2/v2.0/token");
    let json =
        send(&entra, "POST", &path, &[("content-type", "application/json")], "{}").await.unwrap();
    assert_eq!(json.code(), Some(900144));
    assert!(json.text().contains("'grant_type'"));
    assert_eq!(get(&entra, &path).await.code(), Some(900561));
}

#[tokio::test]
async fn every_policy_can_be_ordered() {
    let entra = start().await;
    for entry in CODES {
        entra.set_policy_error(Endpoint::Token, Some(entry.code)).unwrap();
        let reply = redeem(&entra, &code(&entra, &[]).await, &[], &[]).await;
        let body = reply.json();
        assert_eq!((reply.code(), reply.status), (Some(entry.code), entry.status));
        assert_eq!(body["error"], entry.error);
        assert_eq!(body.get("suberror").is_some(), !entry.suberror.is_empty());
        assert_eq!(body.get("claims").is_some(), entry.challenges);
        check_body(&body);
    }
    entra.set_policy_error(Endpoint::Token, None).unwrap();
    entra.set_policy_error(Endpoint::Authorize, Some(53003)).unwrap();
    let reply = authorize(&entra, EXAMPLE_TENANT, &[]).await;
    assert_eq!(
        (reply.code(), &*reply.redirected()["error"]),
        (Some(53003), "interaction_required")
    );
    entra.set_policy_error(Endpoint::Authorize, Some(50105)).unwrap();
    assert_eq!(authorize(&entra, EXAMPLE_TENANT, &[]).await.location(), None, "a page");
}

#[tokio::test]
async fn lenient_answers() {
    let entra = EntraStandIn::builder()
        .application(app())
        .strictness(Strictness::lenient())
        .start()
        .await
        .unwrap();
    let loopback = ("redirect_uri", "http://127.0.0.1:3118/callback");
    let tokens = redeem(&entra, &code(&entra, &[loopback]).await, &[], &[loopback, ("scope", "")])
        .await
        .json();
    let token = tokens["refresh_token"].as_str().expect("offline_access of the authorization");
    assert_eq!(
        refresh(&entra, token, &[], &[("scope", &format!("{API}/access_as_user"))]).await.status,
        200
    );
    assert_eq!(
        refresh(&entra, token, &[], &[("scope", "")]).await.code(),
        Some(90009),
        "in any case"
    );
    assert_eq!(refresh(&entra, token, &[], &[("client_secret", "x")]).await.status, 400);
    let code = code(&entra, &[]).await;
    assert_eq!(
        redeem(&entra, &code, &[], &[("redirect_uri", "http://localhost/")]).await.code(),
        Some(500112)
    );
    assert_eq!(
        redeem(&entra, &code, &[], &[("redirect_uri", NATIVE)]).await.status,
        200,
        "a failed attempt does not spend it"
    );
    assert_eq!(authorize(&entra, EXAMPLE_TENANT, &[("client_id", "x")]).await.status, 200);
}

/// The members of the fixtures' bodies, in their form.
fn check_body(body: &Value) {
    let code = body["error_codes"][0].as_u64().expect("a code");
    let description = body["error_description"].as_str().expect("a description");
    let text = |name: &str| body[name].as_str().unwrap_or_else(|| panic!("{name} in {body}"));
    let (trace, correlation, time) = (text("trace_id"), text("correlation_id"), text("timestamp"));
    assert!(description.starts_with(&format!("AADSTS{code}: ")), "{description}");
    let end = format!(" Trace ID: {trace} Correlation ID: {correlation} Timestamp: {time}");
    assert!(description.ends_with(&end), "{description}");
    assert_eq!((trace.len(), time.len()), (36, 20));
    if code != 700025 {
        assert!(text("error_uri").ends_with(&format!("/error?code={code}")));
    }
}
