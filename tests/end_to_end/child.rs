//! `serve -- COMMAND`: the server behind as the gateway's own process. The commands here are
//! shells; where somebody has to listen at their port, the test does.

use std::time::Duration;

use bytes::Bytes;
use http::Response;
use mcp_entra_stand_in::EntraStandIn;
use tokio::net::TcpListener;

use crate::harness::{Options, Server, World, header, text, within};

/// A gateway that starts a shell script, with no upstream named.
async fn world(script: &str) -> World {
    world_with(script, Options::default()).await
}

async fn world_with(script: &str, options: Options) -> World {
    let options = options
        .or(&Options::default().variable("MCP_ENTRA_UPSTREAM", ""))
        .arguments(&["--", "sh", "-c", script]);
    let world = World::with(EntraStandIn::builder(), options).await;
    within("Entra's documents", async {
        // ready but for the server behind
        while !String::from_utf8_lossy(world.get("/readyz").await.body()).contains("behind") {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    world
}

/// What follows `name` in a line of the log.
async fn said(world: &World, name: &str) -> String {
    let find = || {
        let lines = world.gateway.log().lines();
        lines.iter().find_map(|line| line.strip_prefix(name).map(str::to_owned))
    };
    let said = async {
        loop {
            match find() {
                Some(rest) => return rest,
                None => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    };
    within(name, said).await
}

async fn call(world: &World) -> Response<Bytes> {
    world.web.get_as(&world.token(), &world.url("/mcp/x?y=z")).await
}

#[tokio::test]
async fn a_call_waits_until_the_command_listens_at_the_port_that_it_was_given() {
    let world = world("echo port=$PORT >&2; exec sleep 1000").await;
    let port = said(&world, "port=").await;
    let ready = world.get("/readyz").await;
    assert_eq!(ready.status(), 503);
    assert_eq!(header(ready.headers(), "retry-after"), "5");
    assert_eq!(world.get("/healthz").await.status(), 200);
    // who has not signed in waits for nothing
    assert_eq!(world.get("/mcp").await.status(), 401);

    let calling = call(&world);
    let server = async {
        let listener = TcpListener::bind(format!("127.0.0.1:{port}")).await.expect("it is free");
        Server::at(listener, |request| async move {
            text(http::StatusCode::OK, request.uri().to_string())
        })
    };
    let (answer, _server) = tokio::join!(calling, server);
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.body(), "/mcp/x?y=z");
    assert_eq!(world.get("/readyz").await.status(), 200);
    world.gateway.log().says("the MCP server behind listens").await;
}

#[tokio::test]
async fn the_path_behind_may_be_another() {
    let options = Options::default().arguments(&["--upstream", "http://127.0.0.1:0/api/v1"]);
    let world = world_with("echo port=$PORT >&2; exec sleep 1000", options).await;
    let port = said(&world, "port=").await;
    let listener = TcpListener::bind(format!("127.0.0.1:{port}")).await.expect("it is free");
    let _server = Server::at(listener, |request| async move {
        text(http::StatusCode::OK, request.uri().to_string())
    });
    assert_eq!(call(&world).await.body(), "/api/v1/x?y=z");
}

#[tokio::test]
async fn the_command_gets_the_variables_that_are_its_own() {
    let options = Options::default()
        .variable("MCP_ENTRA_CLIENT_SECRET", "canary-of-a-secret")
        .variable("FUNCTIONS_HTTPWORKER_PORT", "7")
        .variable("FUNCTIONS_CUSTOMHANDLER_PORT", "7");
    let script =
        "env | grep -E '^(PORT|FUNCTIONS|MCP_ENTRA)' >&2; echo shown= >&2; exec sleep 1000";
    let world = world_with(script, options).await;
    said(&world, "shown=").await;
    let log = world.gateway.log().lines();
    let value = |name: &str| log.iter().find_map(|line| line.strip_prefix(name));
    let port = value("PORT=").expect("a port");
    assert_ne!(port, "0");
    // a server that was written for the Functions host listens there too
    assert_eq!(value("FUNCTIONS_CUSTOMHANDLER_PORT="), Some(port));
    assert_eq!(value("FUNCTIONS_HTTPWORKER_PORT="), Some(port));
    assert!(!world.gateway.log().text().contains("canary"));
    assert!(!world.gateway.origin().ends_with(&format!(":{port}")));
}

#[tokio::test]
async fn the_gateway_ends_when_the_command_does_and_says_so() {
    for (script, status) in
        [("sleep 0.5; exit 3", "exit status: 3"), ("sleep 0.5", "exit status: 0")]
    {
        let mut world = world(script).await;
        assert_eq!(world.gateway.ended().await.code(), Some(1), "{script}");
        let message = format!("mcp-entra: the MCP server behind, 'sh', ended: {status}");
        world.gateway.log().says(&message).await;
    }
}

#[tokio::test]
async fn a_command_that_does_not_exist_is_named() {
    let options = Options::default().variable("MCP_ENTRA_UPSTREAM", "").arguments(&[
        "--",
        "no-such-server",
        "--port",
    ]);
    let mut world = World::with(EntraStandIn::builder(), options).await;
    assert_eq!(world.gateway.ended().await.code(), Some(1));
    world.gateway.log().says("'no-such-server': No such file").await;
}

#[tokio::test]
async fn a_termination_reaches_the_command_and_waits_for_its_end() {
    let script = "trap 'sleep 0.2; echo told to end >&2; exit 0' TERM; \
                  echo at work >&2; while :; do sleep 0.05; done";
    let mut world = world(script).await;
    world.gateway.log().says("at work").await;
    world.gateway.terminate();
    assert_eq!(world.gateway.ended().await.code(), Some(0));
    world.gateway.log().says("told to end").await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn nothing_of_the_command_outlives_the_gateway() {
    // it does not end when it is asked to, and has started another process
    let script = "trap '' TERM; sleep 1000 & echo other=$! >&2; echo own=$$ >&2; \
                  while :; do sleep 0.05; done";
    let mut world = world(script).await;
    let (own, other) = (said(&world, "own=").await, said(&world, "other=").await);
    world.gateway.terminate();
    assert_eq!(world.gateway.ended().await.code(), Some(0));
    world.gateway.log().says("and is killed").await;
    for process in [own, other] {
        within("its end", gone(&process)).await;
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_command_ends_when_the_gateway_is_killed_outright() {
    let world = world("echo own=$$ >&2; while :; do sleep 0.05; done").await;
    let own = said(&world, "own=").await;
    drop(world);
    within("its end", gone(&own)).await;
}

/// Waits until a process has ended, whether or not somebody has asked for its status.
#[cfg(target_os = "linux")]
async fn gone(process: &str) {
    let ended = || match std::fs::read_to_string(format!("/proc/{process}/stat")) {
        Ok(stat) => stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('Z')),
        Err(_) => true,
    };
    while !ended() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn without_a_command_there_is_no_free_port_behind() {
    let options = Options::default()
        .arguments(&["serve", "--upstream", "http://127.0.0.1:0/mcp"])
        .variable("MCP_ENTRA_TENANT", "contoso.com");
    let output = crate::harness::command(&options).output().expect("it runs");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("--upstream (MCP_ENTRA_UPSTREAM) 'http://127.0.0.1:0/mcp'"), "{text}");
}
