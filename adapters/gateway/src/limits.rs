//! What clients may cost, as options: each a flag and an environment variable.

#![allow(rustdoc::invalid_html_tags, reason = "clap prints these comments")]

use std::num::NonZeroU32;
use std::ops::RangeInclusive;
use std::time::Duration;

use clap::Args;
use mcp_entra_core::SignInEndpoint;
use mcp_entra_hyper::server;

use crate::entra_options::named;

/// A day, in seconds: longer waits are none.
const DAY: u64 = 24 * 60 * 60;
const SECONDS: &str = "give seconds";

/// What `serve` is told of limits.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Limits")]
pub(crate) struct LimitOptions {
    /// Connections at a time; further ones are answered with 503
    #[arg(long, env = "MCP_ENTRA_MAX_CONNECTIONS", default_value = "10000", value_name = "NUMBER")]
    max_connections: String,

    /// Octets of a request's head; a longer one is answered with 431
    #[arg(
        long,
        env = "MCP_ENTRA_MAX_HEADER_LENGTH",
        default_value = "65536",
        value_name = "OCTETS"
    )]
    max_header_length: String,

    /// Octets of an MCP message, where it has to be read for --operation-scope; a longer one is
    /// answered with 413. What need not be read has no limit
    #[arg(
        long,
        env = "MCP_ENTRA_MAX_MESSAGE_LENGTH",
        default_value = "4194304",
        value_name = "OCTETS"
    )]
    max_message_length: String,

    /// How long the head of a request may take, and how long a connection may stay without a first
    /// one; 408 where it began
    #[arg(long, env = "MCP_ENTRA_HEADER_TIMEOUT", default_value = "15", value_name = "SECONDS")]
    header_timeout: String,

    /// How long a connection may stay open between two requests: longer than a proxy in front keeps
    /// its own
    #[arg(long, env = "MCP_ENTRA_IDLE_TIMEOUT", default_value = "300", value_name = "SECONDS")]
    idle_timeout: String,

    /// How long a body that is read may take, and a pause in one that is passed on; then 408
    #[arg(long, env = "MCP_ENTRA_BODY_TIMEOUT", default_value = "30", value_name = "SECONDS")]
    body_timeout: String,

    /// How long a client may read nothing of what there is to read; then its connection is closed
    #[arg(long, env = "MCP_ENTRA_WRITE_TIMEOUT", default_value = "60", value_name = "SECONDS")]
    write_timeout: String,

    /// How long Entra ID's answer may take; then 503
    #[arg(long, env = "MCP_ENTRA_ENTRA_TIMEOUT", default_value = "8", value_name = "SECONDS")]
    entra_timeout: String,

    /// How long the MCP server behind may take to begin an answer, which may then stream for as
    /// long as it likes; then 504. 0 for no end
    #[arg(long, env = "MCP_ENTRA_UPSTREAM_TIMEOUT", default_value = "300", value_name = "SECONDS")]
    upstream_timeout: String,

    /// How long a shutdown waits for what is under way
    #[arg(long, env = "MCP_ENTRA_DRAIN_TIMEOUT", default_value = "20", value_name = "SECONDS")]
    drain_timeout: String,

    /// Requests a minute from one address, as token=120; for authorize, register and token; repeat
    /// it. More are answered with 429 [default: no limit]
    #[arg(long = "rate-limit", env = "MCP_ENTRA_RATE_LIMITS", value_name = "ENDPOINT=NUMBER")]
    rate_limits: Vec<String>,

    /// How many proxies in front add to X-Forwarded-For; with 0 a client's address is that of its
    /// connection
    #[arg(long, env = "MCP_ENTRA_TRUSTED_PROXIES", default_value = "0", value_name = "NUMBER")]
    trusted_proxies: String,
}

/// The limits, checked.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    pub(crate) server: server::Limits,
    pub(crate) message_length: usize,
    pub(crate) body_timeout: Duration,
    pub(crate) entra_timeout: Duration,
    pub(crate) upstream_timeout: Option<Duration>,
    /// Requests a minute from one address.
    pub(crate) rates: Vec<(SignInEndpoint, NonZeroU32)>,
    pub(crate) trusted_proxies: usize,
}

impl Default for Limits {
    /// Those that `--help` names.
    fn default() -> Self {
        Self {
            server: server::Limits::default(),
            message_length: mcp_entra_core::operation::MAX_MESSAGE_LENGTH,
            body_timeout: mcp_entra_driver::BODY_TIMEOUT,
            entra_timeout: mcp_entra_driver::client::TIMEOUT,
            upstream_timeout: Some(Duration::from_secs(300)),
            rates: Vec::new(),
            trusted_proxies: 0,
        }
    }
}

impl LimitOptions {
    /// Checks everything together; each fault is added to those that are there already.
    pub(crate) fn check(&self, faults: &mut Vec<String>) -> Limits {
        let mut number = |option, text: &str, range, mend| {
            within(option, text, range, mend).unwrap_or_else(|fault| {
                faults.push(fault);
                0
            })
        };
        let mut octets = |option, text, range| {
            usize::try_from(number(option, text, range, "give a number of octets"))
                .unwrap_or(usize::MAX)
        };
        let header_length = octets("max-header-length", &self.max_header_length, 8192..=1 << 20);
        let message_length = octets("max-message-length", &self.max_message_length, 1024..=1 << 30);
        let mut seconds =
            |option, text, range| Duration::from_secs(number(option, text, range, SECONDS));
        let server = server::Limits {
            header_length,
            header_timeout: seconds("header-timeout", &self.header_timeout, 1..=DAY),
            idle_timeout: seconds("idle-timeout", &self.idle_timeout, 1..=DAY),
            write_timeout: seconds("write-timeout", &self.write_timeout, 1..=DAY),
            drain: seconds("drain-timeout", &self.drain_timeout, 0..=DAY),
            connections: 0,
        };
        let body_timeout = seconds("body-timeout", &self.body_timeout, 1..=DAY);
        let entra_timeout = seconds("entra-timeout", &self.entra_timeout, 1..=DAY);
        let upstream_timeout = seconds("upstream-timeout", &self.upstream_timeout, 0..=DAY);
        let mut count = |option, text, range| {
            usize::try_from(number(option, text, range, "give a number")).unwrap_or(usize::MAX)
        };
        let connections = count("max-connections", &self.max_connections, 1..=10_000_000);
        let trusted_proxies = count("trusted-proxies", &self.trusted_proxies, 0..=16);
        let mut rates = Vec::new();
        for text in self.rate_limits.iter().flat_map(|text| text.split_whitespace()) {
            match rate(text) {
                Some((endpoint, _)) if rates.iter().any(|(known, _)| *known == endpoint) => {
                    let option = named("rate-limit");
                    faults.push(format!(
                        "{option} '{text}': the endpoint has a limit already; keep one"
                    ));
                }
                Some(rate) => rates.push(rate),
                None => faults.push(format!(
                    "{} '{text}': it must be authorize, register or token, and a number; give for \
                     instance token=120",
                    named("rate-limit")
                )),
            }
        }
        Limits {
            server: server::Limits { connections, ..server },
            message_length,
            body_timeout,
            entra_timeout,
            upstream_timeout: Some(upstream_timeout).filter(|timeout| !timeout.is_zero()),
            rates,
            trusted_proxies,
        }
    }
}

fn within(option: &str, text: &str, range: RangeInclusive<u64>, mend: &str) -> Result<u64, String> {
    match text.parse() {
        Ok(number) if range.contains(&number) => Ok(number),
        _ => Err(format!(
            "{} '{text}': it must be a whole number; {mend}, from {} to {}",
            named(option),
            range.start(),
            range.end()
        )),
    }
}

fn rate(text: &str) -> Option<(SignInEndpoint, NonZeroU32)> {
    let (endpoint, number) = text.split_once('=')?;
    let endpoint = match endpoint {
        "authorize" => SignInEndpoint::Authorize,
        "register" => SignInEndpoint::Register,
        "token" => SignInEndpoint::Token,
        _ => return None,
    };
    Some((endpoint, number.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        limits: LimitOptions,
    }

    fn checked(arguments: &[&str]) -> Result<Limits, Vec<String>> {
        let cli = Cli::parse_from([&["mcp-entra"][..], arguments].concat());
        let mut faults = Vec::new();
        let limits = cli.limits.check(&mut faults);
        if faults.is_empty() { Ok(limits) } else { Err(faults) }
    }

    #[test]
    fn what_the_help_names_is_what_the_libraries_do() {
        let limits = checked(&[]).unwrap();
        assert_eq!(format!("{limits:?}"), format!("{:?}", Limits::default()));
    }

    #[test]
    fn every_limit_is_taken() {
        let limits = checked(&[
            "--max-connections=1",
            "--max-header-length=8192",
            "--max-message-length=2048",
            "--header-timeout=2",
            "--body-timeout=3",
            "--idle-timeout=6",
            "--write-timeout=4",
            "--entra-timeout=5",
            "--upstream-timeout=0",
            "--drain-timeout=0",
            "--rate-limit=token=7 register=8",
            "--rate-limit=authorize=9",
            "--trusted-proxies=2",
        ])
        .unwrap();
        assert_eq!(limits.server.connections, 1);
        assert_eq!(limits.server.header_length, 8192);
        assert_eq!(limits.message_length, 2048);
        let seconds = [
            limits.server.header_timeout,
            limits.body_timeout,
            limits.server.idle_timeout,
            limits.server.write_timeout,
            limits.entra_timeout,
            limits.server.drain,
        ];
        assert_eq!(seconds.map(|timeout| timeout.as_secs()), [2, 3, 6, 4, 5, 0]);
        assert_eq!(limits.upstream_timeout, None);
        let rates = limits.rates.iter().map(|(endpoint, rate)| (*endpoint, rate.get()));
        assert_eq!(
            rates.collect::<Vec<_>>(),
            [
                (SignInEndpoint::Token, 7),
                (SignInEndpoint::Register, 8),
                (SignInEndpoint::Authorize, 9)
            ]
        );
        assert_eq!(limits.trusted_proxies, 2);
    }

    #[test]
    fn every_fault_is_named_with_its_value() {
        let faults = checked(&[
            "--max-connections=0",
            "--max-header-length=100",
            "--max-message-length=many",
            "--header-timeout=0",
            "--body-timeout=-1",
            "--idle-timeout=0",
            "--write-timeout=1.5",
            "--entra-timeout=",
            "--upstream-timeout=86401",
            "--drain-timeout=x",
            "--trusted-proxies=17",
            "--rate-limit=token=0 login=5 token token=1 token=2",
        ])
        .unwrap_err();
        for (fault, value) in [
            ("--max-connections (MCP_ENTRA_MAX_CONNECTIONS)", "'0'"),
            ("--max-header-length (MCP_ENTRA_MAX_HEADER_LENGTH)", "'100'"),
            ("--max-message-length (MCP_ENTRA_MAX_MESSAGE_LENGTH)", "'many'"),
            ("--header-timeout (MCP_ENTRA_HEADER_TIMEOUT)", "'0'"),
            ("--body-timeout (MCP_ENTRA_BODY_TIMEOUT)", "'-1'"),
            ("--idle-timeout (MCP_ENTRA_IDLE_TIMEOUT)", "'0'"),
            ("--write-timeout (MCP_ENTRA_WRITE_TIMEOUT)", "'1.5'"),
            ("--entra-timeout (MCP_ENTRA_ENTRA_TIMEOUT)", "''"),
            ("--upstream-timeout (MCP_ENTRA_UPSTREAM_TIMEOUT)", "'86401'"),
            ("--drain-timeout (MCP_ENTRA_DRAIN_TIMEOUT)", "'x'"),
            ("--trusted-proxies (MCP_ENTRA_TRUSTED_PROXIES)", "'17'"),
            ("--rate-limit (MCP_ENTRA_RATE_LIMITS)", "'token=0'"),
            ("--rate-limit (MCP_ENTRA_RATE_LIMITS)", "'login=5'"),
            ("--rate-limit (MCP_ENTRA_RATE_LIMITS)", "'token'"),
            ("--rate-limit (MCP_ENTRA_RATE_LIMITS)", "'token=2'"),
        ] {
            let named = faults.iter().filter(|text| text.starts_with(&format!("{fault} {value}")));
            assert_eq!(named.count(), 1, "{fault} {value} in {faults:#?}");
        }
        assert_eq!(faults.len(), 15, "{faults:#?}");
    }
}
