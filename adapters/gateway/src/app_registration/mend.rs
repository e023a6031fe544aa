//! What mends a difference, as a command for a POSIX shell.

use serde_json::Value;

use super::serve_command::SECRET_FILE;

/// What mends a difference.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Mend {
    /// A client secret beside those that are there.
    NewSecret,
    /// These properties of the application object, by Graph's PATCH: objects are merged, lists are
    /// replaced.
    Set(Value),
}

impl Mend {
    /// The command, over several lines where it is long. `az ad app update` where it can say it,
    /// else Graph by `az rest`.
    pub(crate) fn command(&self, graph: &str, app_id: &str) -> String {
        match self {
            Self::NewSecret => format!(
                "az ad app credential reset --id {app_id} --append \\\n    \
                 --display-name mcp-entra --years 1 --query password --output tsv >{SECRET_FILE}"
            ),
            Self::Set(properties) => update(properties, app_id)
                .unwrap_or_else(|| patch(&pretty(properties), graph, app_id)),
        }
    }

    /// What Graph's PATCH would be sent.
    pub(crate) fn properties(&self) -> Option<&Value> {
        match self {
            Self::NewSecret => None,
            Self::Set(properties) => Some(properties),
        }
    }
}

/// A text as one word of a POSIX shell.
pub(crate) fn quoted(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:=@%+,".contains(&byte);
    if !text.is_empty() && text.bytes().all(plain) {
        return text.into();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// `az ad app update`, where it has an option for every property. Its lists must not be empty, and
/// what a terminal would obey is for JSON.
fn update(properties: &Value, app_id: &str) -> Option<String> {
    let mut arguments = Vec::new();
    for (name, value) in properties.as_object()? {
        let version = value.get("requestedAccessTokenVersion").and_then(Value::as_u64);
        let only = value.as_object().is_some_and(|object| object.len() == 1);
        let list = |value: &Value| {
            let words = value.as_array().filter(|list| !list.is_empty())?;
            let words: Vec<_> = words.iter().filter_map(Value::as_str).collect();
            if words.iter().any(|word| word.contains(char::is_control)) {
                return None;
            }
            let words: Vec<_> = words.into_iter().map(quoted).collect();
            Some(words.join(" \\\n        "))
        };
        let uris = value.get("redirectUris").filter(|_| only).and_then(list);
        arguments.push(match (name.as_str(), version.filter(|_| only), uris) {
            ("api", Some(version), _) => format!("--requested-access-token-version {version}"),
            ("identifierUris", ..) => format!("--identifier-uris {}", list(value)?),
            ("isFallbackPublicClient", ..) => {
                format!("--is-fallback-public-client {}", value.as_bool()?)
            }
            ("publicClient", _, Some(uris)) => {
                format!("--public-client-redirect-uris \\\n        {uris}")
            }
            ("signInAudience", ..) => format!("--sign-in-audience {}", value.as_str()?),
            ("web", _, Some(uris)) => format!("--web-redirect-uris \\\n        {uris}"),
            _ => return None,
        });
    }
    Some(format!("az ad app update --id {app_id} \\\n    {}", arguments.join(" \\\n    ")))
}

/// Graph's PATCH of an application.
pub(crate) fn patch(body: &str, graph: &str, app_id: &str) -> String {
    format!(
        "az rest --method PATCH --headers Content-Type=application/json \\\n    \
         --uri \"{graph}/v1.0/applications(appId='{app_id}')\" \\\n    \
         --body {}",
        quoted(body)
    )
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ID: &str = "99999999-8888-4777-8666-555555555555";

    #[test]
    fn the_azure_cli_has_an_option_or_graph_is_patched() {
        let command =
            |properties: Value| Mend::Set(properties).command("https://graph.microsoft.com", ID);
        let version = command(json!({ "api": { "requestedAccessTokenVersion": 2 } }));
        assert_eq!(
            version,
            format!("az ad app update --id {ID} \\\n    --requested-access-token-version 2")
        );
        // the option takes no empty list, and there is none for single-page applications
        for only_graph in [
            json!({ "web": { "redirectUris": [] } }),
            json!({ "spa": { "redirectUris": ["https://h/"] } }),
            json!({ "web": { "redirectUris": ["https://h/\u{1b}[2J"] } }),
            json!({ "api": { "requestedAccessTokenVersion": 2, "acceptMappedClaims": true } }),
            json!({ "web": { "redirectUris": ["https://h/"], "logoutUrl": "https://h/" } }),
        ] {
            let command = command(only_graph);
            assert!(command.starts_with("az rest --method PATCH"), "{command}");
        }
    }

    #[test]
    fn words() {
        assert_eq!(quoted("https://h/a?b=c"), "'https://h/a?b=c'");
        assert_eq!(quoted("https://h/a"), "https://h/a");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
    }
}
