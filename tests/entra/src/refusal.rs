//! A refusal, and the three forms Entra gives it: a page, a redirect, JSON.

use serde_json::{Map, Value, json};

use crate::aadsts::Aadsts;
use crate::application::Application;
use crate::options::Separator;
use crate::random;
use crate::time;

/// An AADSTS code with what its message says about the request.
#[derive(Clone, Debug)]
pub struct Refusal {
    entry: &'static Aadsts,
    details: Vec<(&'static str, String)>,
}

impl Refusal {
    pub(crate) fn new(entry: &'static Aadsts) -> Self {
        Self { entry, details: Vec::new() }
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.details.push((name, value.into()));
        self
    }

    pub(crate) fn about(self, app: &Application) -> Self {
        self.with("client", &*app.app_id).with("app", app.name())
    }

    /// The table's entry.
    #[must_use]
    pub fn aadsts(&self) -> &'static Aadsts {
        self.entry
    }

    /// `AADSTS…: …`, without ids and time.
    #[must_use]
    pub fn message(&self) -> String {
        let mut message = format!("AADSTS{}: {}", self.entry.code, self.entry.message);
        for (name, value) in &self.details {
            message = message.replace(&format!("{{{name}}}"), value);
        }
        message
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message())
    }
}

impl std::error::Error for Refusal {}

/// What every error answer carries besides the refusal.
pub(crate) struct Ids {
    trace: String,
    correlation: String,
    timestamp: String,
}

impl Ids {
    /// The correlation id is the request's `client-request-id` if it sent one. [doc]
    pub(crate) fn new(now: u64, correlation: Option<&str>) -> Self {
        let correlation = correlation.map_or_else(random::guid, str::to_owned);
        Self { trace: random::guid(), correlation, timestamp: time::stamp(now) }
    }

    pub(crate) fn description(&self, refusal: &Refusal, separator: Separator) -> String {
        let between = match separator {
            Separator::Space => " ",
            Separator::CrLf => "\r\n",
        };
        let (trace, correlation, timestamp) = (&self.trace, &self.correlation, &self.timestamp);
        [
            refusal.message(),
            format!("Trace ID: {trace}"),
            format!("Correlation ID: {correlation}"),
            format!("Timestamp: {timestamp}"),
        ]
        .join(between)
    }

    /// The body at the token endpoint. [doc reference-error-codes]
    pub(crate) fn json(&self, refusal: &Refusal, separator: Separator, authority: &str) -> Value {
        let entry = refusal.entry;
        let mut body = Map::from_iter([
            ("error".to_owned(), entry.error.into()),
            ("error_description".to_owned(), self.description(refusal, separator).into()),
            ("error_codes".to_owned(), json!([entry.code])),
            ("timestamp".to_owned(), self.timestamp.as_str().into()),
            ("trace_id".to_owned(), self.trace.as_str().into()),
            ("correlation_id".to_owned(), self.correlation.as_str().into()),
        ]);
        // absent in the one answer on record [wire Softeria#171]
        if entry.code != 700025 {
            body.insert("error_uri".into(), error_uri(entry, authority).into());
        }
        if !entry.suberror.is_empty() {
            body.insert("suberror".into(), entry.suberror.into());
        }
        if entry.challenges {
            let claims = json!({ "access_token": { "capolids": { "essential": true, "values": [random::guid()] } } });
            body.insert("claims".into(), claims.to_string().into());
        }
        Value::Object(body)
    }

    /// The page at the authorize endpoint.
    pub(crate) fn page(&self, refusal: &Refusal) -> String {
        let Self { trace, correlation, timestamp } = self;
        page(
            "Sign in to your account",
            &format!(
                "<h1>Sorry, but we’re having trouble signing you in.</h1>\n<p>{}</p>\n\
                 <p>Request Id: {trace}<br>Correlation Id: {}<br>Timestamp: {timestamp}</p>",
                escape(&refusal.message()),
                escape(correlation),
            ),
        )
    }

    /// The redirect's parameters, without `state`.
    pub(crate) fn redirect(
        &self,
        refusal: &Refusal,
        separator: Separator,
        authority: &str,
    ) -> [(&'static str, String); 3] {
        let entry = refusal.entry;
        // what asks for the user at the token endpoint is named so at authorize [doc v2-oauth2-auth-code-flow]
        let error =
            if entry.error == "invalid_grant" { "interaction_required" } else { entry.error };
        [
            ("error", error.into()),
            ("error_description", self.description(refusal, separator)),
            ("error_uri", error_uri(entry, authority)),
        ]
    }
}

/// A page, for a browser.
pub(crate) fn page(title: &str, body: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title></head>\n<body>\n{body}\n</body></html>\n"
    )
}

pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}

fn error_uri(entry: &Aadsts, authority: &str) -> String {
    format!("{authority}/error?code={}", entry.code)
}
