//! `mcp-entra`: the gateway that lets MCP clients sign in with Microsoft Entra ID, in front of an
//! MCP server in any language.
//!
//! | | |
//! |---|---|
//! | `entra_options` | the flags and variables that `serve` and `app-registration` share |
//! | `options` | the flags and variables of `serve`, checked as a whole |
//! | `limits` | the flags and variables of what clients may cost |
//! | `azure` | what Azure's platforms say of themselves, for options that were left out |
//! | `easy_auth` | whether Easy Auth's word can be taken here |
//! | `serve` | the gateway: the driver in front, the proxy behind |
//! | `child` | the MCP server behind, where the gateway starts it |
//! | `proxy`, `paced_body` | the way to the MCP server |
//! | `rate_limit` | how often one address may ask |
//! | `app_registration` | what the app registration has to be, and whether it is |
//! | `explain` | what an error of Entra's means, for a terminal |
//! | `doctor` | what is wrong with a sign-in, and what mends it |
//! | `demo` | the whole path on loopback, with a stand-in for Entra ID |

use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};
use tracing_subscriber::EnvFilter;

mod app_registration;
mod azure;
mod child;
#[cfg(feature = "demo")]
mod demo;
mod doctor;
mod easy_auth;
mod entra_options;
mod explain;
mod limits;
mod options;
mod paced_body;
mod proxy;
mod rate_limit;
mod serve;

/// Let MCP clients sign in with Microsoft Entra ID
#[derive(Debug, Parser)]
#[command(name = "mcp-entra", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,

    /// How the log is written to standard error
    #[arg(
        long,
        env = "MCP_ENTRA_LOG_FORMAT",
        default_value = "text",
        global = true,
        display_order = 1000
    )]
    log_format: LogFormat,

    /// What is logged: error, warn, info, debug, or a filter such as mcp_entra_driver=debug
    #[arg(long, env = "MCP_ENTRA_LOG", global = true, display_order = 1001, value_name = "FILTER")]
    log: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Sign clients in and pass their calls on to an MCP server
    Serve(Box<options::ServeOptions>),
    /// Become the server behind; `serve` does this by itself
    #[cfg(target_os = "linux")]
    #[command(hide = true)]
    Behind {
        #[arg(last = true)]
        command: Vec<String>,
    },
    /// Print what the app registration in Entra ID has to be, or check one that exists
    AppRegistration(Box<app_registration::AppRegistrationOptions>),
    /// Say what an error of Entra's, such as AADSTS50011, means here and what mends it
    Explain(explain::ExplainOptions),
    /// Find out why clients cannot sign in to an MCP server, whoever made it
    Doctor(Box<doctor::DoctorOptions>),
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
        _ => "off",
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
            #[cfg(target_os = "linux")]
            Command::Behind { command } => child::become_command(&command),
            Command::AppRegistration(options) => app_registration::run(&options),
            Command::Doctor(options) => doctor::run(*options).await,
            Command::Explain(options) => explain::run(&options),
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
    match listen_and_serve(checked).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("mcp-entra: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn listen_and_serve(checked: options::Checked) -> Result<(), String> {
    let options::Checked { listen, mut upstream, settings, limits, command, envelope, .. } =
        checked;
    let resource = settings.resource().to_string();
    let authority = settings.authority().origin().to_owned();
    let tenant = settings.authority().tenant().to_string();
    let bound = tokio::net::TcpListener::bind(listen).await;
    let (listener, address) = bound
        .and_then(|listener| listener.local_addr().map(|address| (listener, address)))
        .map_err(|error| {
            format!("--listen (MCP_ENTRA_LISTEN) '{listen}': {error}; choose a free address")
        })?;
    // once ours is taken, so that they differ
    if upstream.port() == Some(0) {
        let port = child::free_port().map_err(|error| format!("no port is free: {error}"))?;
        _ = upstream.set_port(Some(port));
    }
    let gateway = serve::Gateway::new(settings, &upstream, &limits);
    let gateway = gateway.in_envelopes_of(envelope.as_ref());
    raise_file_limit(limits.server.connections);
    tracing::info!(%address, resource, %upstream, authority, tenant, "listening");
    if command.is_empty() {
        return gateway.serve(listener, shutdown()).await.map_err(|error| error.to_string());
    }

    let mut child = child::Child::start(&command, &upstream)?;
    let gateway = gateway.once(child.accepting());
    let mut ended = None;
    let end = async {
        tokio::select! {
            () = shutdown() => {}
            end = child.ended() => ended = Some(end),
        }
    };
    // what is under way may finish, and needs the server for it
    let served = gateway.serve(listener, end).await;
    child.stop().await;
    served.map_err(|error| error.to_string())?;
    ended.map_or(Ok(()), |end| Err(end.to_string()))
}

/// Each connection is one file, and one more to the server behind. A system that gives less by
/// default than it allows is asked for what it allows.
fn raise_file_limit(connections: usize) {
    let needed = u64::try_from(connections).unwrap_or(u64::MAX).saturating_mul(2);
    match rlimit::increase_nofile_limit(needed.saturating_add(64)) {
        Ok(files) if files < needed => tracing::warn!(
            files,
            "the system allows fewer open files than --max-connections {connections} may need; \
             raise the limit (ulimit -n), or lower the option"
        ),
        Ok(_) => {}
        Err(error) => tracing::warn!(%error, "how many files may be open is not known"),
    }
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
