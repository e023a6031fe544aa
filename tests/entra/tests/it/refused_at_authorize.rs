//! One row a rule: what Entra is documented or was seen to refuse at the authorize endpoint.

use mcp_entra_stand_in::{
    Consent, EXAMPLE_CLIENT, EXAMPLE_TENANT, EntraStandIn, PreAuthorizedApplication,
};

use crate::client::{API, Pairs, authorize, code, get, post_token, redeem};
use crate::directory::{SERVER, SPA, app, start};

#[tokio::test]
async fn at_authorize() {
    let entra = start().await;
    let api = |name: &str| format!("{API}/{name}");
    let (known, unknown, off, default) =
        (api("access_as_user"), api("nope"), api("off"), api(".default"));
    let mixed = format!("{default} {known}");
    let lonely = format!("{EXAMPLE_CLIENT}/.default profile");
    let several = format!("{known} api://other/read");
    let slash = format!("{SERVER}/");
    let padding = "x".repeat(5000);
    let short = "x".repeat(42);
    let padded = "x".repeat(43) + "=";
    // (code, on a page, changes to a good request)
    let rows: &[(u32, bool, Pairs<'_>)] = &[
        // who asks, and where to answer: pages
        (900144, true, &[("client_id", "")]),
        (700016, true, &[("client_id", "99999999-0000-4777-8666-555555555555")]),
        (700038, true, &[("client_id", "00000000-0000-0000-0000-000000000000")]),
        (90015, true, &[("state", &padding)]),
        (9000411, true, &[("prompt", "login"), ("prompt", "login")]),
        (9000411, true, &[("resource", SERVER), ("resource", SERVER)]),
        (50011, true, &[("redirect_uri", "https://evil.example/callback")]),
        (50011, true, &[("redirect_uri", "http://localhost:3118/Callback")]),
        (50011, true, &[("redirect_uri", "http://localhost:3118/callback/")]),
        (50011, true, &[("redirect_uri", "http://127.0.0.1:3118/callback")]),
        (50011, true, &[("redirect_uri", "http://[::1]/callback")]),
        (50011, true, &[("redirect_uri", "https://claude.ai:444/api/mcp/auth_callback")]),
        // what is asked
        (900144, false, &[("response_type", "")]),
        (700051, false, &[("response_type", "token")]),
        (700054, false, &[("response_type", "code id_token")]),
        (70005, false, &[("response_type", "device")]),
        (70007, false, &[("response_mode", "web_message")]),
        (900144, false, &[("scope", "")]),
        (900144, false, &[("scope", " ")]),
        (90023, false, &[("prompt", "create")]),
        (90023, false, &[("prompt", "login consent")]),
        // PKCE
        (50149, false, &[("code_challenge_method", "S512")]),
        (501491, false, &[("code_challenge", &short)]),
        (501491, false, &[("code_challenge", &padded)]),
        (
            9002325,
            false,
            &[("redirect_uri", SPA), ("code_challenge", ""), ("code_challenge_method", "")],
        ),
        // scopes
        (650053, false, &[("scope", "access_as_user")]),
        (650053, false, &[("scope", "openid address")]),
        (650053, false, &[("scope", &unknown)]),
        (650053, false, &[("scope", &off)]),
        (500011, false, &[("scope", "api://nobody/read")]),
        (500011, false, &[("scope", "https://mcp.example/other/read")]),
        (70011, false, &[("scope", &mixed)]),
        (70011, false, &[("scope", &lonely)]),
        // `resource`, byte for byte and of the scopes' owner
        (9010010, false, &[("resource", "https://mcp.example/")]),
        (9010010, false, &[("resource", &slash)]),
        (9010010, false, &[("resource", EXAMPLE_CLIENT)]),
        (9010010, false, &[("resource", SERVER), ("scope", "mcp.read")]),
        (9010010, false, &[("resource", SERVER), ("scope", "openid profile")]),
        (9010010, false, &[("resource", SERVER), ("scope", &several)]),
    ];
    for (code, page, changes) in rows {
        // a repeated change is a repeated parameter, so the helper must not drop it
        let reply = authorize(&entra, EXAMPLE_TENANT, changes).await;
        assert_eq!(
            reply.code(),
            Some(*code),
            "{changes:?}: {} {:?}",
            reply.text(),
            reply.location()
        );
        if *page {
            assert_eq!((reply.status, reply.location()), (400, None), "{changes:?}");
            assert!(reply.text().contains("trouble signing you in"), "{}", reply.text());
        } else {
            let parameters = reply.redirected();
            assert_eq!(parameters["state"], "s t&", "{changes:?}");
            assert!(
                !parameters["error"].is_empty() && !parameters.contains_key("code"),
                "{changes:?}"
            );
        }
    }
    // several resources are fine here [doc]
    assert_eq!(authorize(&entra, EXAMPLE_TENANT, &[("scope", &several)]).await.code(), None);
}

#[tokio::test]
async fn errors_by_name() {
    let entra = start().await;
    let error = async |changes: Pairs<'_>| {
        authorize(&entra, EXAMPLE_TENANT, changes).await.redirected()["error"].clone()
    };
    assert_eq!(error(&[("resource", "x")]).await, "invalid_target");
    assert_eq!(error(&[("scope", "x")]).await, "invalid_client");
    assert_eq!(error(&[("scope", "api://nobody/read")]).await, "invalid_resource");
    assert_eq!(error(&[("response_type", "token")]).await, "unsupported_response_type");
    entra.set_signed_in(None);
    assert_eq!(error(&[("prompt", "none")]).await, "login_required");
    entra.set_signed_in(Some(Default::default()));
    assert_eq!(error(&[("prompt", "none")]).await, "interaction_required", "not consented to yet");
    code(&entra, &[]).await;
    for prompt in ["none", "login", "consent", "select_account"] {
        code(&entra, &[("prompt", prompt)]).await;
    }
}

#[tokio::test]
async fn tenants() {
    let entra = start().await;
    for (tenant, number) in [
        ("common", 50194),
        ("organizations", 50194),
        ("consumers", 9002332),
        ("11111111-0000-4333-8444-555555555555", 90002),
        ("fabrikam.example", 90002),
        ("nonsense", 900023),
    ] {
        let reply = authorize(&entra, tenant, &[]).await;
        assert_eq!((reply.code(), reply.status), (Some(number), 400), "{tenant}");
        let form = [
            ("client_id", EXAMPLE_CLIENT),
            ("grant_type", "refresh_token"),
            ("refresh_token", "x"),
        ];
        assert_eq!(post_token(&entra, tenant, &[], &form).await.code(), Some(number), "{tenant}");
    }
    let unknown = get(&entra, "/fabrikam.example/v2.0/.well-known/openid-configuration").await;
    assert_eq!((unknown.status, unknown.json()["error"].as_str()), (400, Some("invalid_tenant")));

    let reply = authorize(&entra, "contoso.onmicrosoft.com", &[]).await;
    let code = reply.redirected().remove("code").unwrap();
    assert_eq!(
        redeem(&entra, &code, &[], &[]).await.code(),
        Some(700005),
        "by GUID, not by domain as before"
    );
}

#[tokio::test]
async fn consent_by_administrators_only() {
    let entra = EntraStandIn::builder()
        .application(app())
        .consent(Consent::AdminOnly)
        .start()
        .await
        .unwrap();
    let code_of =
        async |changes: Pairs<'_>| authorize(&entra, EXAMPLE_TENANT, changes).await.code();
    assert_eq!(code_of(&[]).await, Some(90094));
    assert_eq!(
        code_of(&[("prompt", "none")]).await,
        Some(65001),
        "to the client: nobody sees a page"
    );
    entra.admin_consent(EXAMPLE_CLIENT, EXAMPLE_CLIENT, &["access_as_user"]);
    assert_eq!(code_of(&[]).await, None);
    assert_eq!(code_of(&[("prompt", "consent")]).await, Some(90094), "though consented");
    assert_eq!(code_of(&[("scope", &format!("{API}/mcp.write"))]).await, Some(90094));

    let mut pre_authorized = app();
    pre_authorized.api.oauth2_permission_scopes[1].kind = "Admin".into();
    entra.set_consent(Consent::User);
    entra.set_application(pre_authorized.clone());
    assert_eq!(code_of(&[("scope", &format!("{API}/mcp.write"))]).await, Some(90094), "type Admin");
    let delegated_permission_ids = vec![pre_authorized.api.oauth2_permission_scopes[1].id.clone()];
    let client =
        PreAuthorizedApplication { app_id: EXAMPLE_CLIENT.into(), delegated_permission_ids };
    pre_authorized.api.pre_authorized_applications.push(client);
    entra.set_application(pre_authorized);
    assert_eq!(code_of(&[("scope", &format!("{API}/mcp.write"))]).await, None);
}
