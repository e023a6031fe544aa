//! `functions-host-stand-in`: the stand-in as a process of its own, for tests in other languages.
//!
//! ```text
//! functions-host-stand-in [--mode proxying|forwarding|envelope | --app FOLDER] [--listen ADDRESS] [-- HANDLER ARGS…]
//! ```
//!
//! With `--mode` the app is one function for everything, `mcp`. With `--app` it is what the folder
//! says, the handler too. The handler inherits the environment and standard error, where its output
//! goes too. Once it answers, `origin=http://…` is printed. The end of standard input, or SIGTERM,
//! ends both.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use mcp_entra_functions_host_stand_in::{App, FunctionsHost, Mode};

struct Options {
    app: App,
    listen: SocketAddr,
    handler: Command,
}

fn main() -> ExitCode {
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(fault) => {
            eprintln!("functions-host-stand-in: {fault}");
            return ExitCode::from(2);
        }
    };
    match run(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("functions-host-stand-in: {error}");
            ExitCode::FAILURE
        }
    }
}

impl Options {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut app = None;
        let mut listen = (Ipv4Addr::LOCALHOST, 0).into();
        let mut handler = None;
        while let Some(flag) = arguments.next() {
            let value = arguments.next().ok_or_else(|| format!("{flag} needs a value"))?;
            let fault = |error: &dyn std::fmt::Display| format!("{flag} '{value}': {error}");
            match flag.as_str() {
                "--mode" => {
                    let mode = value.parse::<Mode>().map_err(|e| fault(&e))?;
                    app = Some(App::catch_all(mode));
                }
                "--app" => app = Some(App::read(Path::new(&value)).map_err(|e| fault(&e))?),
                "--listen" => listen = value.parse().map_err(|e| fault(&e))?,
                "--" => {
                    let mut command = Command::new(&value);
                    command.args(arguments.by_ref());
                    handler = Some(command);
                }
                _ => return Err(format!("{flag} is not known")),
            }
        }
        let app = app.unwrap_or_else(|| App::catch_all(Mode::Proxying));
        let handler = handler.or_else(|| app.handler());
        let mut handler = handler.ok_or("no handler: give one after --, or an --app with one")?;
        handler.stdin(Stdio::null()).stdout(std::io::stderr());
        Ok(Self { app, listen, handler })
    }
}

/// Serves until standard input ends, a termination, or the end of the handler.
fn run(options: Options) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut host = FunctionsHost::start(options.app, options.handler, options.listen).await?;
        println!("origin=http://{}", host.address());
        let (ended, mut input) = tokio::sync::oneshot::channel::<()>();
        std::thread::spawn(move || {
            _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
            drop(ended);
        });
        let mut terminated =
            tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        loop {
            tokio::select! {
                _ = &mut input => return Ok(()),
                _ = terminated.recv() => return Ok(()),
                _ = tokio::signal::ctrl_c() => return Ok(()),
                () = tokio::time::sleep(Duration::from_millis(100)) => {}
            }
            if let Some(status) = host.handler_ended()? {
                return Err(std::io::Error::other(format!("the handler ended: {status}")));
            }
        }
    })
}
