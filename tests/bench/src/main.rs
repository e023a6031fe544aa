//! The parts of the bench, each a process: `tests/bench/run` starts, loads and compares them.
//!
//! | | |
//! |---|---|
//! | `bench behind CERT KEY TOKENS DELAY_MS` | an MCP server, and an Entra ID of fixed answers over TLS |
//! | `bench fixed FILE` | bare hyper that answers what the file says |
//! | `bench proxy UPSTREAM CERT POOL` | bare hyper that streams to an upstream |
//! | `bench verify UPSTREAM CERT KEYS` | the same, with an RS256 check of every call |
//! | `bench load FILE` | 32 connections that ask, and a line of JSON when they are done |
//! | `bench idle ADDRESS COUNT TOKEN` | streams that stay open until standard input ends |
//!
//! A server prints `listening=ADDRESS` once it is ready.

mod bare;
mod behind;
mod load;
mod server;

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match *arguments.as_slice() {
        ["behind", certificate, key, tokens, delay] => {
            behind::run(certificate, key, tokens.parse()?, delay.parse()?).await
        }
        ["fixed", answers] => bare::fixed(answers).await,
        ["proxy", upstream, certificate, pool] => {
            bare::proxy(upstream, certificate, pool.parse()?, None).await
        }
        ["verify", upstream, certificate, keys] => {
            bare::proxy(upstream, certificate, true, Some(keys)).await
        }
        ["load", plan] => load::run(plan).await,
        ["idle", address, count, token] => load::idle(address, count.parse()?, token).await,
        _ => Err("see the documentation of tests/bench/src/main.rs".into()),
    }
}
