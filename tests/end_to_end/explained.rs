//! Every error of Entra's, explained wherever somebody meets it.

use mcp_entra_core::aadsts::{self, Aadsts};
use mcp_entra_stand_in::{CODES, Endpoint};
use serde_json::Value;
use url::Url;

use crate::harness::{Options, SignIn, World, command, header, json_body, query, within};

const REDIRECT_URI: &str = "http://localhost:8787/callback";

/// A page's text as a person reads it.
fn text(page: &[u8]) -> String {
    let mut text = String::new();
    for part in String::from_utf8_lossy(page).split('<') {
        text.push_str(part.split_once('>').map_or(part, |(_, after)| after));
    }
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&#39;", "'").replace("&amp;", "&")
}

/// Whether a page says all that the table says of a code.
fn explains(page: &str, known: &Aadsts) {
    // a sentence there begins with a capital
    for said in [&known.cause[1..], &known.mend[1..], &format!("AADSTS{}", known.code)] {
        assert!(page.contains(said), "{}: {said} in {page}", known.code);
    }
}

#[test]
fn what_entra_says_and_what_is_explained_are_the_same_codes() {
    let mut entras: Vec<u32> = CODES.iter().map(|entry| entry.code).collect();
    entras.sort_unstable();
    let explained: Vec<u32> = aadsts::CODES.iter().map(|known| known.code).collect();
    assert_eq!(entras, explained);
}

#[tokio::test]
async fn at_the_token_endpoint_in_the_log_and_on_the_page_that_the_error_leads_to() {
    let world = World::new(&[]).await;
    let client = SignIn::new(&world, REDIRECT_URI);
    let refresh_token = client.tokens().await.refresh_token;
    for known in aadsts::CODES {
        let code = known.code;
        world.entra.refuse_next(Endpoint::Token, code).unwrap();
        let told = json_body(&client.refresh(&refresh_token).await);

        let description = told["error_description"].as_str().unwrap();
        let ours = format!(" [mcp-entra: {}; {}]", known.cause, known.mend);
        let entras = description.strip_suffix(&ours).unwrap_or_else(|| panic!("{description}"));
        assert!(entras.starts_with(&format!("AADSTS{code}: ")), "{entras}");
        assert!(entras.contains("Trace ID: ") && entras.contains("Timestamp: "), "{entras}");

        let page: Url = told["error_uri"].as_str().unwrap().parse().unwrap();
        assert_eq!(page.as_str(), world.url(&format!("/oauth/error?code={code}")));
        let page = world.web.get(page.as_str()).await;
        assert_eq!(page.status(), 200);
        explains(&text(page.body()), known);
        let microsoft = format!("{}/error?code={code}", world.entra.authority());
        assert!(String::from_utf8_lossy(page.body()).contains(&microsoft), "Entra's own error_uri");

        let ids = [&told["trace_id"], &told["correlation_id"]].map(|id| id.as_str().unwrap());
        world.gateway.log().says(ids[0]).await;
        let lines = world.gateway.log().lines();
        let line = lines.iter().find(|line| line.contains(ids[0])).unwrap();
        let line: Value = serde_json::from_str(line).unwrap();
        let logged = line["fields"].to_string();
        for said in [ids[1], known.cause, known.mend, &format!("AADSTS{code}")] {
            assert!(logged.contains(said), "{said} in {logged}");
        }
    }
}

/// Entra shows its own page, or tells the client; the person has the text alone.
#[tokio::test]
async fn to_a_person_who_pastes_what_microsoft_shows() {
    let world = World::new(&[]).await;
    let url = SignIn::new(&world, REDIRECT_URI).authorize_url("a state");
    let entras = header(world.web.get(url.as_str()).await.headers(), "location").to_owned();
    for known in aadsts::CODES {
        world.entra.refuse_next(Endpoint::Authorize, known.code).unwrap();
        let shown = world.web.get(&entras).await;
        let shown = match Url::parse(header(shown.headers(), "location")) {
            Ok(to_the_client) => query(&to_the_client, "error_description").unwrap(),
            Err(_) => text(shown.body()),
        };
        let mut page: Url = world.url("/oauth/error").parse().unwrap();
        page.query_pairs_mut().append_pair("code", &shown);
        explains(&text(world.web.get(page.as_str()).await.body()), known);
    }
}

#[tokio::test]
async fn by_the_doctor() {
    let world = World::new(&[]).await;
    let doctor = ["doctor", "--json", "--client", "gemini-cli"];
    let options = Options::default().arguments(&doctor).arguments(&[&world.url("/mcp")]);
    for known in aadsts::CODES {
        world.entra.set_policy_error(Endpoint::Authorize, Some(known.code)).unwrap();
        let options = options.clone();
        let output = tokio::task::spawn_blocking(move || command(&options).output());
        let output = within("the doctor", output).await.unwrap().unwrap();
        assert_eq!(output.status.code(), Some(1), "AADSTS{}", known.code);
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        let of_it = |finding: &&Value| {
            let named = finding.to_string().contains(&format!("AADSTS{}", known.code));
            finding["severity"] == "fault" && named
        };
        let findings = report["findings"].as_array().unwrap();
        let finding = findings.iter().find(of_it).unwrap_or_else(|| panic!("{report}"));
        let told = |what: &str| finding[what].as_str().unwrap_or_default().to_owned();
        if told("id") == "entra-refuses" {
            assert_eq!([told("cause"), told("mend")], [known.cause, known.mend]);
        } else {
            // what it found out by itself is more than the code says
            assert!(!told("mend").is_empty(), "{finding}");
        }
    }
}

#[test]
fn in_a_terminal() {
    let explain = |codes: &[String]| {
        let codes: Vec<&str> = codes.iter().map(String::as_str).collect();
        let options = Options::default().arguments(&["explain"]).arguments(&codes);
        let output = command(&options).output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let names: Vec<String> = aadsts::CODES.iter().map(|k| format!("AADSTS{}:", k.code)).collect();
    let (status, printed) = explain(&names);
    assert_eq!(status, Some(0));
    for (name, known) in names.iter().zip(aadsts::CODES) {
        let (_, block) = printed.split_once(&format!("{name} ")).unwrap();
        let block = block.split("AADSTS").next().unwrap();
        let said = [Some(known.cause), Some(known.mend), known.place.blade()];
        for said in said.into_iter().flatten() {
            assert!(block.contains(said), "{name} {said} in {block}");
        }
    }
    let (status, printed) = explain(&["4242".to_owned()]);
    assert_eq!(status, Some(1));
    assert!(printed.contains("https://login.microsoftonline.com/error?code=4242"), "{printed}");
    assert_eq!(explain(&["no code".to_owned()]), (Some(2), String::new()));
}

#[tokio::test]
async fn a_browser_at_the_front_door_is_told_where_it_is() {
    let world = World::new(&[]).await;
    let page = world.get("/").await;
    assert_eq!(page.status(), 200);
    assert!(text(page.body()).contains(&world.url("/mcp")));
    assert_eq!(world.get("/other").await.status(), 404);
}
