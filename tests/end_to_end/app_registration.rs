//! `mcp-entra app-registration`: what it prints is enough to sign in with, and it sees what is
//! wrong.

use std::io::Write as _;
use std::process::{Output, Stdio};

use mcp_entra_stand_in::{Application, EXAMPLE_CLIENT, EntraStandIn};
use serde_json::{Value, json};

use crate::harness::{Options, SignIn, World, command};

const RESOURCE: &str = "https://mcp.example.com/mcp";

fn options(arguments: &[&str]) -> Options {
    Options::default().arguments(&["app-registration"]).arguments(arguments)
}

/// Runs the binary with this on its standard input.
fn run(options: &Options, input: &[u8]) -> Output {
    let mut child = command(options)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    // it may be refused before it is read
    _ = child.stdin.take().expect("a pipe").write_all(input);
    child.wait_with_output().expect("it ends")
}

fn printed(arguments: &[&str]) -> String {
    let output = run(&options(arguments), b"");
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{error}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// What was printed to both, and the status.
fn refused(arguments: &[&str], input: &[u8]) -> (Option<i32>, String) {
    let Output { status, stdout, stderr } = run(&options(arguments), input);
    (status.code(), String::from_utf8_lossy(&[stdout, stderr].concat()).into_owned())
}

#[tokio::test]
async fn every_known_client_signs_in_with_the_registration_that_is_printed() {
    let json = printed(&[
        "--resource",
        RESOURCE,
        "--client-id",
        EXAMPLE_CLIENT,
        "--operation-scope",
        "tools/call:delete_*=mcp.write",
        "--as",
        "json",
    ]);
    let application: Application = serde_json::from_str(&json).expect("Graph's application");
    let uris = [&application.web, &application.public_client]
        .map(|platform| platform.redirect_uris.clone())
        .concat();
    assert!(uris.len() > 20 && application.spa.redirect_uris.is_empty(), "{json}");
    let entra = EntraStandIn::builder().application(application.with_secret("the secret"));
    let options = Options::default()
        .variable("MCP_ENTRA_CLIENT_SECRET", "the secret")
        .variable("MCP_ENTRA_OPERATION_SCOPES", "tools/call:delete_*=mcp.write");
    let world = World::with(entra, options).await;
    world.ready().await;
    for registered in uris {
        // clients take a port as they find it
        let uri = registered.replace("http://localhost/", "http://localhost:51234/");
        let tokens = SignIn::new(&world, &uri).tokens().await;
        let answer = world.web.get_as(&tokens.access_token, &world.url("/mcp")).await;
        assert_ne!(answer.status(), 401, "{uri}");
        assert!(!tokens.refresh_token.is_empty(), "{uri}");
    }
}

/// The files of `tests/registration/expected`, which are what a person reads; with
/// `EXPECTED=write` in the environment they are written.
#[test]
fn each_form_is_as_expected() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/registration/expected");
    let few = ["--resource", RESOURCE, "--client", "cursor,vscode,claude,chatgpt"];
    let tenant = ["--tenant", "11111111-2222-4333-8444-555555555555"];
    for (file, form) in [
        ("registration.sh", "az"),
        ("registration.bicep", "bicep"),
        ("registration.tf", "terraform"),
        ("steps.txt", "portal"),
        ("application.json", "json"),
    ] {
        let text = printed(&[&few[..], &tenant, &["--as", form]].concat());
        let path = format!("{folder}/{file}");
        if std::env::var_os("EXPECTED").is_some() {
            std::fs::write(&path, &text).expect("it can be written");
        }
        let expected = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(text, expected, "{file}");
    }
}

#[test]
fn the_environment_of_serve_does_for_it() {
    let options = Options::default()
        .variable("MCP_ENTRA_RESOURCE", RESOURCE)
        .variable("MCP_ENTRA_TENANT", "organizations")
        .variable("MCP_ENTRA_CLIENT_ID", EXAMPLE_CLIENT)
        .variable("MCP_ENTRA_SCOPE", "mcp.read")
        .variable("MCP_ENTRA_APP_ROLES", "Mcp.Call Mcp.Other")
        .variable("MCP_ENTRA_REDIRECT_URIS", "https://one.example/cb http://127.0.0.1/two")
        .arguments(&["app-registration", "--client", "none", "--as", "json"]);
    let output = run(&options, b"");
    let printed: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(printed["signInAudience"], "AzureADMultipleOrgs");
    assert_eq!(printed["identifierUris"], json!([format!("api://{EXAMPLE_CLIENT}")]));
    assert_eq!(printed["api"]["oauth2PermissionScopes"][0]["value"], "mcp.read");
    assert_eq!(printed["appRoles"][1]["value"], "Mcp.Other");
    assert_eq!(printed["web"]["redirectUris"], json!(["https://one.example/cb"]));
    assert_eq!(printed["publicClient"]["redirectUris"], json!(["http://127.0.0.1/two"]));
}

#[test]
fn the_command_that_serves_is_one_that_serve_takes() {
    let arguments =
        ["--resource", RESOURCE, "--tenant", "contoso.com", "--client-id", EXAMPLE_CLIENT];
    let more = [
        "--client",
        "m365-copilot",
        "--scope",
        "a b",
        "--app-role",
        "Role",
        "--operation-scope",
        "tools/call:delete_*=mcp.write",
        "--redirect-uri",
        "https://one.example/cb",
        "--app-id-uri",
        "https://contoso.com/mcp",
        "--authority",
        "https://login.microsoftonline.us",
    ];
    let page = printed(&[&arguments[..], &more, &["--as", "portal"]].concat());
    let command = page.split("    mcp-entra serve").nth(1).expect("the command");
    let command = command.split("\n\n").next().unwrap_or_default().replace("\\\n", " ");
    let mut words: Vec<&str> = command.split_whitespace().collect();
    // the one value with a space
    let at = words.iter().position(|word| *word == "'a").expect("--scope 'a b'");
    words.splice(at..=at + 1, ["a b"]);
    let words: Vec<&str> = words.iter().map(|word| word.trim_matches('\'')).collect();
    // an address that is taken: it gets as far as that, so every option was taken
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("it is bound").to_string();
    let serve = Options::default().arguments(&["serve"]).arguments(&words);
    let output = run(&serve.arguments(&["--listen", &address]), b"");
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.contains("choose a free address"), "{error}");
    for flag in ["--issue-client-secret", "--app-role", "--authority", "--operation-scope"] {
        assert!(words.contains(&flag), "{flag}: {words:?}");
    }
}

#[test]
fn everything_that_is_wrong_is_named_at_once() {
    let (status, text) = refused(&["--client", "cursor,netscape", "--pre-authorize", "me"], b"");
    assert_eq!(status, Some(2), "{text}");
    assert_eq!(text.lines().count(), 3, "{text}");
    assert!(text.contains("--client 'netscape'") && text.contains("chatgpt, claude, claude-code"));
    assert!(text.contains("--pre-authorize 'me'"), "{text}");
    assert!(text.contains("--resource (MCP_ENTRA_RESOURCE) is missing"), "{text}");

    let right = ["--resource", RESOURCE];
    for (wrong, named) in [
        (["--app-role", "access_as_user"], "--app-role (MCP_ENTRA_APP_ROLES) 'access_as_user'"),
        (["--app-role", "a\"b"], "--app-role (MCP_ENTRA_APP_ROLES) 'a\"b'"),
        (["--name", "$(reboot)"], "--name '$(reboot)'"),
        (["--name", ""], "--name ''"),
        (["--tenant", "con/toso"], "--tenant (MCP_ENTRA_TENANT) 'con/toso'"),
        (["--as", "arm"], "--as"),
        (["--json", "--as=az"], "--check"),
    ] {
        let (status, text) = refused(&[&right[..], &wrong].concat(), b"");
        assert_eq!(status, Some(2), "{text}");
        assert!(text.contains(named), "{named}: {text}");
    }
}

/// The registration of `arguments`, with a secret, as `az ad app show` prints it.
fn registration(arguments: &[&str]) -> Value {
    let json = printed(&[arguments, &["--client-id", EXAMPLE_CLIENT, "--as", "json"]].concat());
    let mut registration: Value = serde_json::from_str(&json).expect("JSON");
    registration["passwordCredentials"] =
        json!([{ "displayName": "mcp-entra", "endDateTime": "2999-01-01T00:00:00Z" }]);
    registration["@odata.context"] = "https://graph.microsoft.com/v1.0/$metadata".into();
    registration
}

#[test]
fn a_registration_is_checked_by_file_and_by_pipe() {
    let mut object = registration(&["--resource", RESOURCE]);
    let (status, text) = refused(&["--check", "-"], object.to_string().as_bytes());
    assert_eq!(status, Some(0), "{text}");
    assert!(text.contains("Everything is as it should be."), "{text}");

    object["api"]["requestedAccessTokenVersion"] = Value::Null;
    object["spa"]["redirectUris"] = json!(["https://who.example/cb"]);
    let file = std::env::temp_dir().join(format!("mcp-entra-registration-{}", std::process::id()));
    let utf_16 = object.to_string().encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>();
    std::fs::write(&file, [&[0xff, 0xfe], &*utf_16].concat()).expect("it can be written");
    let path = file.to_string_lossy();
    let (status, text) = refused(&["--check", &path], b"");
    assert_eq!(status, Some(1), "{text}");
    assert!(text.contains("1 to mend, 1 to look at."), "{text}");
    for said in [
        "api.requestedAccessTokenVersion",
        "Manifest > requestedAccessTokenVersion",
        "--requested-access-token-version 2",
        "https://who.example/cb",
    ] {
        assert!(text.contains(said), "{said}: {text}");
    }

    let (status, text) = refused(&["--check", &path, "--json"], b"");
    assert_eq!(status, Some(1), "{text}");
    let report: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(report["appId"], EXAMPLE_CLIENT);
    assert_eq!(report["differences"][0]["weight"], "fault");
    assert_eq!(report["differences"][0]["setting"], "api.requestedAccessTokenVersion");
    assert_eq!(
        report["differences"][0]["properties"],
        json!({ "api": { "requestedAccessTokenVersion": 2 } })
    );
    assert_eq!(report["differences"][1]["weight"], "note");
    _ = std::fs::remove_file(file);
}

#[test]
fn nothing_that_somebody_wrote_is_obeyed_by_the_terminal() {
    let mut object = registration(&["--resource", RESOURCE]);
    object["displayName"] = "\u{1b}[2JNotes".into();
    object["identifierUris"] = json!(["api://\u{1b}]0;x\u{7}"]);
    object["web"]["redirectUris"] = json!(["https://who.example/\u{1b}[31m"]);
    let (status, text) = refused(&["--check", "-"], object.to_string().as_bytes());
    assert_eq!(status, Some(1), "{text}");
    assert!(!text.contains(['\u{1b}', '\u{7}']), "{text:?}");
    assert!(text.contains("\\u{1b}[2JNotes"), "{text}");
}

#[test]
fn a_note_alone_is_a_success() {
    let mut object = registration(&["--resource", RESOURCE]);
    object["spa"]["redirectUris"] = json!(["https://who.example/cb"]);
    let (status, text) = refused(&["--check", "-"], object.to_string().as_bytes());
    assert_eq!(status, Some(0), "{text}");
    assert!(text.contains("Nothing is wrong; 1 to look at."), "{text}");
}

#[test]
fn what_cannot_be_read_is_another_status() {
    for (input, said) in [
        ("", "it is empty; if az printed an error"),
        ("ERROR: Please run 'az login'", "it is not JSON"),
        ("[]", "it is a list of 0 registrations"),
        ("{}", "it is not an app registration"),
    ] {
        let (status, text) = refused(&["--check", "-"], input.as_bytes());
        assert_eq!(status, Some(2), "{text}");
        assert!(text.contains("--check '-': ") && text.contains(said), "{said}: {text}");
    }
    let (status, text) = refused(&["--check", "-"], &vec![b' '; 2 << 20]);
    assert_eq!(status, Some(2), "{text}");
    assert!(text.contains("it is longer than"), "{text}");
    let (status, text) = refused(&["--check", "/no/such/file"], b"");
    assert_eq!(status, Some(2), "{text}");
    assert!(text.contains("--check '/no/such/file'"), "{text}");
}
