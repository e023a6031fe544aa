//! `mcp-entra demo`: a stand-in for Entra ID, a small MCP server and the gateway on loopback, and
//! one client that walks the whole path.
//!
//! | | |
//! |---|---|
//! | `walk` | the steps: what the client sends, what Entra ID alone says, what goes to it instead |
//! | `client` | the client's half: OAuth by the `oauth2` crate, MCP by JSON-RPC |
//! | `mcp_server` | an MCP server that knows who calls |
//! | `report` | how a step is printed |

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use mcp_entra_core::{Options, Settings};
use mcp_entra_hyper::server::{self, Limits};
use mcp_entra_stand_in::{Application, EXAMPLE_CLIENT, EntraStandIn, Strictness};
use tokio::net::TcpListener;

use crate::serve::Gateway;

mod client;
mod mcp_server;
mod report;
mod walk;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// What `demo` is told.
#[derive(Args, Debug)]
pub(crate) struct DemoOptions {
    /// End after the walk; the status is 0 only if every step succeeded
    #[arg(long)]
    once: bool,

    /// Address of the gateway [default: 127.0.0.1:8080, or a free port with --once]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
}

pub(crate) async fn run(options: DemoOptions) -> ExitCode {
    match demonstrate(options).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("mcp-entra: the demo stopped: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn demonstrate(options: DemoOptions) -> Result<(), Failure> {
    // clients of the reader's own use other ports of 127.0.0.1 than the registered one
    let strictness = Strictness { loopback_ip_needs_port: false, ..Strictness::default() };
    let entra = EntraStandIn::builder()
        .application(Application::example())
        .strictness(strictness)
        .start()
        .await?;
    let upstream = mcp_server::start().await?;
    let listener = listen(&options).await?;
    let resource = format!("http://{}/mcp", listener.local_addr()?);
    let settings = Settings::parse(&Options {
        resource: resource.clone(),
        tenant: entra.tenant(),
        client_id: EXAMPLE_CLIENT.into(),
        authority: entra.authority(),
        operation_scopes: vec!["tools/call:delete_*=mcp.write".into()],
        ..Options::default()
    })?;
    let gateway = Gateway::new(settings, &upstream.parse()?, &crate::limits::Limits::default());
    let serving = tokio::spawn(gateway.serve(listener, std::future::pending()));

    report::opening(&entra.authority(), &upstream, &resource);
    walk::walk(&entra, &resource).await?;
    report::closing();
    if !options.once {
        report::invitation(&resource);
        tokio::select! {
            served = serving => served??,
            () = crate::shutdown() => {}
        }
    }
    Ok(())
}

async fn listen(options: &DemoOptions) -> Result<TcpListener, Failure> {
    match (options.listen, options.once) {
        (Some(address), _) => Ok(TcpListener::bind(address)
            .await
            .map_err(|error| format!("--listen '{address}': {error}; choose a free address"))?),
        (None, true) => Ok(TcpListener::bind("127.0.0.1:0").await?),
        (None, false) => match TcpListener::bind("127.0.0.1:8080").await {
            Ok(listener) => Ok(listener),
            Err(_) => Ok(TcpListener::bind("127.0.0.1:0").await?),
        },
    }
}

/// Runs a server of the demo's own until the process ends.
fn spawn_server<S, R>(listener: TcpListener, service: S)
where
    S: hyper::service::Service<http::Request<hyper::body::Incoming>, Response = http::Response<R>>
        + Clone
        + Send
        + 'static,
    S::Future: Send,
    S::Error: Into<Failure>,
    R: http_body::Body<Data = bytes::Bytes> + Send + 'static,
    R::Error: Into<Failure>,
{
    let limits = Limits { drain: Duration::ZERO, ..Limits::default() };
    tokio::spawn(async move {
        server::serve(listener, service, limits, std::future::pending()).await;
    });
}
