//! `mcp-entra`: the gateway that lets MCP clients sign in with Microsoft Entra ID, in front of an
//! MCP server in any language.
//!
//! | | |
//! |---|---|
//! | `options` | the flags and variables of `serve`, checked as a whole |
//! | `azure` | what Azure's platforms say of themselves, for options that were left out |
//! | `easy_auth` | whether Easy Auth's word can be taken here |
//! | `serve` | the gateway: the driver in front, the proxy behind |
//! | `proxy` | the way to the MCP server |
//! | `demo` | the whole path on loopback, with a stand-in for Entra ID |

use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};
use tracing_subscriber::EnvFilter;

mod azure;
#[cfg(feature = "demo")]
mod demo;
mod easy_auth;
mod options;
mod proxy;
mod serve;

/// Let MCP clients sign in with Microsoft Entra ID
#[derive(Debug, Parser)]
#[command(name = "mcp-entra", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,

    /// How the log is written to standard error
    #[arg(long, env = "MCP_ENTRA_LOG_FORMAT", default_value = "text", global = true)]
    log_format: LogFormat,

    /// What is logged: error, warn, info, debug, or a filter such as mcp_entra_driver=debug
    #[arg(long, env = "MCP_ENTRA_LOG", global = true, value_name = "FILTER")]
    log: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Sign clients in and pass their calls on to an MCP server
    Serve(Box<options::ServeOptions>),
    /// Walk through a whole sign-in on this machine, without Entra ID
    #[cfg(feature = "demo")]
    Demo(demo::DemoOptions),
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum LogFormat {
    /// One JSON object for each line
    Json,
    /// For people
    Text,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let default = match cli.command {
        Command::Serve(_) => "info",
        #[cfg(feature = "demo")]
        Command::Demo(_) => "off",
    };
    start_log(cli.log_format, cli.log.as_deref().unwrap_or(default));
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("mcp-entra: the operating system gives no threads or no polling: {error}");
            return ExitCode::FAILURE;
        }
    };
    runtime.block_on(async {
        match cli.command {
            Command::Serve(options) => serve(*options).await,
            #[cfg(feature = "demo")]
            Command::Demo(options) => demo::run(options).await,
        }
    })
}

/// One core needs no second thread to hand work to, as a small container or a function has it.
fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    let mut runtime = match std::thread::available_parallelism() {
        Ok(cores) if cores.get() == 1 => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    runtime.enable_all().build()
}

async fn serve(options: options::ServeOptions) -> ExitCode {
    let checked = match options.check() {
        Ok(checked) => checked,
        Err(faults) => {
            for fault in faults {
                eprintln!("mcp-entra: {fault}");
            }
            return ExitCode::from(2);
        }
    };
    for azure::Derived { option, value, variable } in &checked.derived {
        tracing::info!("--{option} {value}, from {variable}");
    }
    if let Some(warning) = checked.warning {
        tracing::warn!("--trust easy-auth: {warning}");
    }
    let resource = checked.settings.resource().to_string();
    let authority = checked.settings.authority().origin().to_owned();
    let tenant = checked.settings.authority().tenant().to_string();
    let gateway = match serve::Gateway::new(checked.settings, &checked.upstream) {
        Ok(gateway) => gateway,
        Err(error) => {
            eprintln!("mcp-entra: {error}");
            return ExitCode::FAILURE;
        }
    };
    let bound = tokio::net::TcpListener::bind(checked.listen).await;
    let (listener, address) = match bound.and_then(|l| l.local_addr().map(|address| (l, address))) {
        Ok(bound) => bound,
        Err(error) => {
            eprintln!(
                "mcp-entra: --listen (MCP_ENTRA_LISTEN) '{}': {error}; choose a free address",
                checked.listen
            );
            return ExitCode::FAILURE;
        }
    };
    tracing::info!(%address, resource, upstream = %checked.upstream, authority, tenant, "listening");
    gateway.serve(listener, shutdown()).await;
    ExitCode::SUCCESS
}

/// Completes at SIGTERM, as platforms send it, or at Ctrl-C.
async fn shutdown() {
    let interrupted = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    #[cfg(unix)]
    let terminated = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => _ = signal.recv().await,
            Err(_) => std::future::pending().await,
        }
    };
    #[cfg(not(unix))]
    let terminated = std::future::pending::<()>();
    tokio::select! {
        () = interrupted => {}
        () = terminated => {}
    }
}

fn start_log(format: LogFormat, filter: &str) {
    let filter = EnvFilter::new(filter);
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()));
    match format {
        LogFormat::Json => builder.json().init(),
        LogFormat::Text => builder.init(),
    }
}
