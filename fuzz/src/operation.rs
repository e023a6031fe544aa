//! Every method with every name that a server could look at is an operation: nothing hides another.

use mcp_entra_core::operation::{OperationRule, Operations};
use serde_json::Value;

use crate::oracle::read;

/// The body of an MCP call.
pub fn check(body: &[u8]) {
    let Some(operations) = Operations::parse(body) else { return };
    let source = read(body);
    if source.is_null() {
        return;
    }
    let messages = match &source {
        Value::Array(messages) => messages.as_slice(),
        message => std::slice::from_ref(message),
    };
    let rule: OperationRule = "tools/call:delete_*=mcp.write".parse().expect("the rule is good");
    let resource: OperationRule = "resources/*:file:///*=mcp.write".parse().expect("it is good");
    let fits = |message: &Value, method: &str, member: &str, start: &str| {
        message["method"].as_str().is_some_and(|m| m.starts_with(method))
            && message["params"][member].as_str().is_some_and(|name| name.starts_with(start))
    };
    let exact = |message: &Value, start| {
        message["method"] == "tools/call" && fits(message, "tools/call", "name", start)
    };
    if messages.iter().any(|message| exact(message, "delete_")) {
        assert!(operations.iter().any(|operation| rule.applies_to(operation)));
    }
    if messages.iter().any(|message| fits(message, "resources/", "uri", "file:///")) {
        assert!(operations.iter().any(|operation| resource.applies_to(operation)));
    }
    let methods = messages.iter().filter(|message| message.get("method").is_some()).count();
    assert!(operations.iter().count() >= methods);
}
