//! `entra-stand-in`: the stand-in as a process of its own, for tests in other languages.
//!
//! ```text
//! entra-stand-in [--listen ADDRESS] [--application FILE.json] [--secret SECRET] [--lenient] [--record FILE]
//! ```
//!
//! Once ready it prints `authority=http://…`. Each line on standard input is then a command, answered by one line, `ok`
//! or `error: …`; the end of standard input ends the process.
//!
//! | command | |
//! |---|---|
//! | `advance SECONDS` | sets the clock forward |
//! | `lifetime SECONDS`, `lifetime any` | life of the access tokens issued from now on |
//! | `roll-keys` | signs with a new key |
//! | `fault ENDPOINT FAULT`, `fault ENDPOINT none` | disturbs `discovery`, `keys`, `authorize` or `token`: `outage`, `status=503`, `html`, `empty`, `slow=SECONDS`, `reset`, `other-tenant` |
//! | `policy-error ENDPOINT CODE`, `policy-error ENDPOINT none` | refuses good requests with this AADSTS code |
//! | `consent user`, `consent admin-only`, `consent never` | who consents |
//! | `admin-consent SCOPE…` | an administrator consents to the application's own scopes, for everybody |
//! | `revoke-consents` | forgets who consented to what |
//! | `sync` | nothing: once it is answered, every request so far is in the record |

use std::fs::File;
use std::io::{BufRead, Write};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use mcp_entra_stand_in::{
    Application, Consent, Endpoint, EntraStandIn, Fault, Form, RecordedRequest, Strictness,
};
use serde_json::json;

#[derive(Default)]
struct Options {
    listen: Option<SocketAddr>,
    application: Option<Application>,
    secret: Option<String>,
    strictness: Strictness,
    record: Option<File>,
}

fn main() -> ExitCode {
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(fault) => {
            eprintln!("entra-stand-in: {fault}");
            return ExitCode::from(2);
        }
    };
    match run(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("entra-stand-in: {error}");
            ExitCode::FAILURE
        }
    }
}

impl Options {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self::default();
        while let Some(flag) = arguments.next() {
            if flag == "--lenient" {
                options.strictness = Strictness::lenient();
                continue;
            }
            let value = arguments.next().ok_or_else(|| format!("{flag} needs a value"))?;
            let fault = |error: &dyn std::fmt::Display| format!("{flag} '{value}': {error}");
            match flag.as_str() {
                "--listen" => options.listen = Some(value.parse().map_err(|e| fault(&e))?),
                "--secret" => options.secret = Some(value),
                "--record" => options.record = Some(File::create(&value).map_err(|e| fault(&e))?),
                "--application" => {
                    let text = std::fs::read_to_string(&value).map_err(|e| fault(&e))?;
                    options.application = Some(serde_json::from_str(&text).map_err(|e| fault(&e))?);
                }
                _ => return Err(format!("{flag} is not known")),
            }
        }
        Ok(options)
    }
}

/// Serves until standard input ends.
fn run(options: Options) -> std::io::Result<()> {
    let mut application = options.application.unwrap_or_else(Application::example);
    if let Some(secret) = options.secret {
        application = application.with_secret(secret);
    }
    let app = application.app_id.clone();
    let mut builder =
        EntraStandIn::builder().application(application).strictness(options.strictness);
    if let Some(address) = options.listen {
        builder = builder.listen(address);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let entra = runtime.block_on(builder.start())?;
    let mut control =
        Control { entra, app, form: Form::default(), record: options.record, recorded: 0 };
    println!("authority={}", control.entra.authority());
    std::thread::scope(|scope| {
        let (ended, wait) = tokio::sync::oneshot::channel::<()>();
        let control = scope.spawn(move || {
            let result = control.serve();
            drop(ended);
            result
        });
        // the server's tasks live on this thread, the commands on the other
        _ = runtime.block_on(wait);
        control.join().unwrap_or_else(|_| Err(std::io::Error::other("the control thread failed")))
    })
}

struct Control {
    entra: EntraStandIn,
    app: String,
    form: Form,
    record: Option<File>,
    recorded: usize,
}

impl Control {
    fn serve(&mut self) -> std::io::Result<()> {
        for line in std::io::stdin().lock().lines() {
            let line = line?;
            let words: Vec<&str> = line.split_whitespace().collect();
            match self.obey(&words) {
                Ok(()) => {
                    self.flush_record()?;
                    println!("ok");
                }
                Err(fault) => println!("error: {fault}"),
            }
        }
        self.flush_record()
    }

    fn obey(&mut self, words: &[&str]) -> Result<(), String> {
        match *words {
            ["advance", time] => self.entra.advance(seconds(time)?),
            ["lifetime", time] => {
                let life = if time == "any" { None } else { Some(seconds(time)?) };
                self.form.access_token_lifetime = life;
                self.entra.set_form(self.form.clone());
            }
            ["roll-keys"] => _ = self.entra.roll_keys(),
            ["fault", at, what] => self.entra.set_fault(endpoint(at)?, fault(what)?),
            ["policy-error", at, code] => {
                let code = match code {
                    "none" => None,
                    code => Some(code.parse().map_err(|error| format!("'{code}': {error}"))?),
                };
                self.entra.set_policy_error(endpoint(at)?, code).map_err(|e| e.to_string())?;
            }
            ["consent", who] => self.entra.set_consent(match who {
                "user" => Consent::User,
                "admin-only" => Consent::AdminOnly,
                "never" => Consent::Never,
                _ => return Err(format!("'{who}' is not user, admin-only or never")),
            }),
            ["admin-consent", ref scopes @ ..] => {
                self.entra.admin_consent(&self.app, &self.app, scopes)
            }
            ["revoke-consents"] => self.entra.revoke_consents(),
            ["sync"] => {}
            _ => return Err(format!("'{}' is no command", words.join(" "))),
        }
        Ok(())
    }

    /// Writes the requests that came since the last time, a line each.
    fn flush_record(&mut self) -> std::io::Result<()> {
        let Some(file) = &mut self.record else { return Ok(()) };
        let requests = self.entra.requests();
        for request in requests.iter().skip(self.recorded) {
            writeln!(file, "{}", line(request))?;
        }
        self.recorded = requests.len();
        file.flush()
    }
}

fn line(request: &RecordedRequest) -> serde_json::Value {
    json!({
        "method": request.method,
        "path": request.path,
        "query": request.query,
        "headers": request.headers,
        "body": request.body,
        "endpoint": request.endpoint.map(|endpoint| format!("{endpoint:?}").to_lowercase()),
    })
}

fn endpoint(name: &str) -> Result<Endpoint, String> {
    Endpoint::ALL
        .into_iter()
        .find(|endpoint| format!("{endpoint:?}").eq_ignore_ascii_case(name))
        .ok_or_else(|| format!("'{name}' is no endpoint"))
}

fn fault(name: &str) -> Result<Option<Fault>, String> {
    let (name, value) = name.split_once('=').unwrap_or((name, ""));
    Ok(Some(match name {
        "none" => return Ok(None),
        "outage" => Fault::Outage,
        "status" => Fault::Status(value.parse().map_err(|e| format!("'{value}': {e}"))?, None),
        "html" => Fault::Html,
        "empty" => Fault::Empty,
        "slow" => Fault::Slow(seconds(value)?),
        "reset" => Fault::Reset,
        "other-tenant" => Fault::OtherTenant,
        _ => return Err(format!("'{name}' is no fault")),
    }))
}

fn seconds(text: &str) -> Result<Duration, String> {
    text.parse().map(Duration::from_secs).map_err(|error| format!("'{text}': {error}"))
}
