//! What an MCP operation needs beside the scopes that every call needs.
//!
//! A rule is written `method=scope`, or `method:name=scope` where the operation has a name (a
//! tool, a prompt) or a URI (a resource). `*` at the end stands for any rest; several scopes are
//! separated by commas. All rules that fit count together, so that one challenge names everything.

use std::str::FromStr;

use crate::json::Members;
use crate::scope::ScopeName;

/// The most octets of an MCP message that are read to find its operation, if the operator says
/// nothing else.
pub const MAX_MESSAGE_LENGTH: usize = 4 * 1024 * 1024;

/// `tools/call:delete_*=mcp.write`.
///
/// ```
/// use mcp_entra_core::operation::{Operations, OperationRule};
///
/// let rule: OperationRule = "tools/call:delete_*=mcp.write".parse().unwrap();
/// let body = br#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"delete_file"}}"#;
/// let operations = Operations::parse(body).unwrap();
/// assert!(operations.iter().any(|operation| rule.applies_to(operation)));
/// assert_eq!(rule.scopes()[0].as_str(), "mcp.write");
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct OperationRule {
    method: Pattern,
    name: Pattern,
    scopes: Vec<ScopeName>,
}

impl OperationRule {
    /// The scopes that the operation needs.
    pub fn scopes(&self) -> &[ScopeName] {
        &self.scopes
    }

    /// Whether the rule is about this operation.
    pub fn applies_to(&self, operation: &Operation) -> bool {
        self.method.fits(&operation.method) && self.name.fits(&operation.name)
    }
}

impl FromStr for OperationRule {
    type Err = OperationRuleError;

    fn from_str(text: &str) -> Result<Self, OperationRuleError> {
        let (operation, scopes) = text.rsplit_once('=').ok_or(OperationRuleError::Form)?;
        let (method, name) = operation.split_once(':').unwrap_or((operation, "*"));
        if method.is_empty() || name.is_empty() {
            return Err(OperationRuleError::Form);
        }
        let scopes: Result<Vec<_>, _> = scopes.split(',').map(str::parse).collect();
        Ok(Self {
            method: method.parse()?,
            name: name.parse()?,
            scopes: scopes.map_err(|_| OperationRuleError::Scope)?,
        })
    }
}

/// The operations of one request body: one message, or the batch of revision 2025-03-26.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Operations(Vec<Operation>);

impl Operations {
    /// Reads the operations of a JSON-RPC body; `None` where it is not one. Answers of a client
    /// to the server have no method and are no operation.
    pub fn parse(body: &[u8]) -> Option<Self> {
        let messages: Vec<Members<'_>> = match Members::parse(body) {
            Ok(message) => vec![message],
            Err(_) => serde_json::from_slice(body).ok()?,
        };
        let mut operations = Vec::new();
        for message in &messages {
            if disguises(message, &["method", "params"]) {
                return None;
            }
            if message.raw("method").is_none() {
                continue;
            }
            let method = message.text("method")?.into_owned();
            let params = match message.raw("params") {
                None => Members::default(),
                Some(raw) => Members::parse(raw.get().as_bytes()).ok()?,
            };
            if disguises(&params, &["name", "uri"]) {
                return None;
            }
            // whichever of the two the server looks at, the other must not hide it
            let uri = params.get("uri").map(|name| Operation { method: method.clone(), name });
            let name = params.get("name").or_else(|| uri.is_none().then(String::new));
            operations.extend(name.map(|name| Operation { method, name }));
            operations.extend(uri);
        }
        Some(Self(operations))
    }

    /// The operations in their order.
    pub fn iter(&self) -> impl Iterator<Item = &Operation> {
        self.0.iter()
    }
}

/// Whether a member differs from one that counts by case alone: servers whose parser knows no
/// case (Go's) would read another operation than we do.
fn disguises(members: &Members<'_>, names: &[&str]) -> bool {
    members
        .names()
        .any(|member| names.iter().any(|name| *name != member && name.eq_ignore_ascii_case(member)))
}

/// A method, and the name or URI of what it is called on.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Operation {
    method: String,
    name: String,
}

#[derive(Clone, Debug, Eq, PartialEq)]
struct Pattern {
    start: String,
    any_rest: bool,
}

impl Pattern {
    fn fits(&self, text: &str) -> bool {
        if self.any_rest { text.starts_with(&self.start) } else { text == self.start }
    }
}

impl FromStr for Pattern {
    type Err = OperationRuleError;

    fn from_str(text: &str) -> Result<Self, OperationRuleError> {
        let (start, any_rest) = match text.strip_suffix('*') {
            Some(start) => (start, true),
            None => (text, false),
        };
        if start.contains('*') {
            return Err(OperationRuleError::Wildcard);
        }
        Ok(Self { start: start.into(), any_rest })
    }
}

/// Why a rule was refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum OperationRuleError {
    /// No `=`, or nothing before it.
    #[error("it is not of the form method=scope or method:name=scope")]
    Form,
    /// A scope that no API can expose.
    #[error("one of its scopes is not the name of a scope")]
    Scope,
    /// A `*` in the middle.
    #[error("'*' may stand at the end only")]
    Wildcard,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applies(rule: &str, body: &str) -> bool {
        let rule: OperationRule = rule.parse().unwrap();
        Operations::parse(body.as_bytes()).unwrap().iter().any(|o| rule.applies_to(o))
    }

    #[test]
    fn rules() {
        let call = r#"{"method":"tools/call","params":{"name":"delete_all"}}"#;
        assert!(applies("tools/call=w", call));
        assert!(applies("tools/*=w", call));
        assert!(applies("tools/call:delete_all=w", call));
        assert!(!applies("tools/call:delete=w", call));
        assert!(!applies("tools/list=w", call));
        assert!(applies(
            "resources/read:file:///*=w",
            r#"{"method":"resources/read","params":{"uri":"file:///x"}}"#
        ));
        assert!(applies("tools/call=w", &format!("[{{\"method\":\"ping\"}},{call}]")));
        assert!(!applies(
            "tools/call=w",
            r#"{"jsonrpc":"2.0","id":1,"result":{"method":"tools/call"}}"#
        ));
        for bad in ["", "tools/call", "=w", ":x=w", "tools/call=", "tools/call=openid", "a*b=w"] {
            assert!(bad.parse::<OperationRule>().is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_no_message() {
        for body in [
            "",
            "x",
            "1",
            "[1]",
            r#"{"method":1}"#,
            r#"{"method":"a","method":"b"}"#,
            r#"{"method":"tools/call","params":[1]}"#,
            r#"{"method":"ping","Method":"tools/call"}"#,
            r#"{"METHOD":"tools/call"}"#,
            r#"{"method":"tools/call","Params":{"name":"delete_all"}}"#,
            r#"{"method":"tools/call","params":{"name":"a","Name":"delete_all"}}"#,
            r#"{"method":"tools/call","params":{"name":"a","name":"b"}}"#,
        ] {
            assert_eq!(Operations::parse(body.as_bytes()), None, "{body}");
        }
    }
}
