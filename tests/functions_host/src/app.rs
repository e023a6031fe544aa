//! A function app: what `host.json`, each `function.json` and `local.settings.json` say.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::str::FromStr;

use serde_json::{Map, Value};

/// How requests reach the handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// As they come, streamed.
    Proxying,
    /// Built anew, buffered.
    Forwarding,
    /// As JSON.
    Envelope,
}

impl FromStr for Mode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "proxying" => Ok(Self::Proxying),
            "forwarding" => Ok(Self::Forwarding),
            "envelope" => Ok(Self::Envelope),
            _ => Err(format!("'{text}' is not proxying, forwarding or envelope")),
        }
    }
}

/// Who may call a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Everybody.
    Anonymous,
    /// Who has a key; here nobody has one.
    Key,
}

/// A function with an HTTP trigger.
#[derive(Clone, Debug)]
pub struct Function {
    /// Its folder's name; in the envelope mode the path at the handler.
    pub name: String,
    /// The name of its trigger binding, the key in `Data`.
    pub trigger: String,
    /// The name of its `http` output binding, the key in `Outputs`.
    pub output: String,
    /// Its route under the prefix: literal segments, then perhaps `{*name}`.
    pub route: String,
    /// Its methods; all if `None`.
    pub methods: Option<Vec<String>>,
    /// Who may call it.
    pub level: Level,
}

impl Function {
    /// The route's parameter, where the path matches: its name and value.
    pub(crate) fn matches(&self, prefix: &str, path: &str) -> Option<Option<(String, String)>> {
        let route = [prefix, &self.route].map(|part| part.trim_matches('/'));
        let route = route.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/");
        let path = path.strip_prefix('/')?;
        let Some((literal, parameter)) = route.split_once("{*") else {
            return path.trim_end_matches('/').eq_ignore_ascii_case(&route).then_some(None);
        };
        let name = parameter.trim_end_matches('}').to_owned();
        let head = path.get(..literal.len())?;
        let rest = &path[literal.len()..];
        head.eq_ignore_ascii_case(literal).then(|| Some((name, rest.to_owned())))
    }
}

/// A function app as it is deployed.
#[derive(Clone, Debug)]
pub struct App {
    /// How requests reach the handler.
    pub mode: Mode,
    /// What every route begins with, `api` unless `host.json` says otherwise.
    pub route_prefix: String,
    /// The functions.
    pub functions: Vec<Function>,
    /// The port that `host.json` gives to the handler; a free one if `None`.
    pub port: Option<u16>,
    /// Application settings, which are the handler's variables.
    pub settings: Vec<(String, String)>,
    command: Option<(PathBuf, Vec<String>)>,
    root: Option<PathBuf>,
}

impl App {
    /// An app with one function for everything, `mcp`, anonymous, with no route prefix.
    #[must_use]
    pub fn catch_all(mode: Mode) -> Self {
        Self {
            mode,
            route_prefix: String::new(),
            functions: vec![catch_all("mcp", "{*path}", Level::Anonymous)],
            port: None,
            settings: Vec::new(),
            command: None,
            root: None,
        }
    }

    /// Reads the folder of an app.
    ///
    /// # Errors
    /// Where a file is missing or says what the host refuses.
    pub fn read(root: &Path) -> io::Result<Self> {
        let host = json(&root.join("host.json"))?;
        if host["version"] != "2.0" {
            return Err(refused("host.json: version is not 2.0"));
        }
        let handler = &host["customHandler"];
        let executable =
            handler["description"]["defaultExecutablePath"].as_str().ok_or_else(|| {
                refused("host.json: customHandler.description.defaultExecutablePath is missing")
            })?;
        let arguments = handler["description"]["arguments"].as_array().into_iter().flatten();
        let arguments = arguments.filter_map(Value::as_str).map(str::to_owned).collect();
        let profile = host["configurationProfile"].as_str();
        let (mode, functions, default_prefix) = match profile {
            Some("mcp-custom-handler") => (Mode::Proxying, vec![of_profile(handler)], ""),
            Some(other) => {
                return Err(refused(&format!("host.json: profile {other} is not known here")));
            }
            None => (mode(handler), functions(root)?, "api"),
        };
        let prefix = host["extensions"]["http"]["routePrefix"].as_str().unwrap_or(default_prefix);
        let settings = match json(&root.join("local.settings.json")) {
            Ok(settings) => values(&settings["Values"]),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error),
        };
        // a program beside host.json is preferred to one in the PATH
        let beside = root.join(executable);
        let program = if beside.is_file() { beside } else { executable.into() };
        Ok(Self {
            mode,
            route_prefix: prefix.to_owned(),
            functions,
            port: handler["port"].as_str().and_then(|port| port.parse().ok()),
            settings,
            command: Some((program, arguments)),
            root: Some(root.to_owned()),
        })
    }

    /// The handler that `host.json` names, to be started in the app's folder.
    #[must_use]
    pub fn handler(&self) -> Option<Command> {
        let (program, arguments) = self.command.as_ref()?;
        let mut command = Command::new(program);
        command.args(arguments);
        if let Some(root) = &self.root {
            command.current_dir(root);
        }
        Some(command)
    }

    /// Whether `/` shows a page where no function answers there.
    pub(crate) fn has_homepage(&self) -> bool {
        !self.settings.iter().any(|(name, value)| {
            name == "AzureWebJobsDisableHomepage" && value.eq_ignore_ascii_case("true")
        })
    }
}

fn catch_all(name: &str, route: &str, level: Level) -> Function {
    Function {
        name: name.into(),
        trigger: "req".into(),
        output: "res".into(),
        route: route.into(),
        methods: None,
        level,
    }
}

/// The function that the profile makes: no `function.json` is needed, and a key is, unless
/// `host.json` says otherwise.
fn of_profile(handler: &Value) -> Function {
    let http = &handler["http"];
    let level = http["DefaultAuthorizationLevel"].as_str().unwrap_or("function");
    let route = http["routes"][0]["route"].as_str().unwrap_or("{*route}");
    catch_all("mcp", route, level_of(level))
}

fn level_of(level: &str) -> Level {
    if level.eq_ignore_ascii_case("anonymous") { Level::Anonymous } else { Level::Key }
}

fn mode(handler: &Value) -> Mode {
    if handler["enableProxyingHttpRequest"] == true {
        Mode::Proxying
    } else if handler["enableForwardingHttpRequest"] == true {
        Mode::Forwarding
    } else {
        Mode::Envelope
    }
}

fn functions(root: &Path) -> io::Result<Vec<Function>> {
    let mut functions = Vec::new();
    for entry in std::fs::read_dir(root)? {
        let folder = entry?.path();
        let file = folder.join("function.json");
        if file.is_file() {
            let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
            functions.push(function(&name, &json(&file)?)?);
        }
    }
    functions.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(functions)
}

fn function(name: &str, file: &Value) -> io::Result<Function> {
    let fault = |problem: &str| refused(&format!("{name}/function.json: {problem}"));
    let bindings = || file["bindings"].as_array().into_iter().flatten();
    let trigger = bindings()
        .find(|binding| binding["type"] == "httpTrigger")
        .ok_or_else(|| fault("it has no httpTrigger"))?;
    let output = bindings()
        .find(|binding| binding["type"] == "http" && binding["direction"] == "out")
        .ok_or_else(|| fault("it has no http output"))?;
    let text = |binding: &Value, key: &str| binding[key].as_str().map(str::to_owned);
    let route = text(trigger, "route").unwrap_or_else(|| name.to_owned());
    let first = route.split('/').next().unwrap_or_default();
    if ["admin", "runtime"].iter().any(|reserved| first.eq_ignore_ascii_case(reserved)) {
        return Err(fault("the route is reserved for the host"));
    }
    let methods = trigger["methods"].as_array().map(|methods| {
        methods.iter().filter_map(Value::as_str).map(str::to_ascii_uppercase).collect()
    });
    Ok(Function {
        name: name.to_owned(),
        trigger: text(trigger, "name").ok_or_else(|| fault("the trigger has no name"))?,
        output: text(output, "name").ok_or_else(|| fault("the output has no name"))?,
        route,
        methods,
        level: level_of(trigger["authLevel"].as_str().unwrap_or("function")),
    })
}

fn values(settings: &Value) -> Vec<(String, String)> {
    let none = Map::new();
    let values = settings.as_object().unwrap_or(&none).iter();
    values.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
}

fn json(file: &Path) -> io::Result<Value> {
    let fault =
        |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", file.display()));
    let text = std::fs::read(file).map_err(fault)?;
    serde_json::from_slice(&text).map_err(|error| fault(error.into()))
}

fn refused(problem: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, problem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_is_literal_or_catches_all() {
        let everything = catch_all("mcp", "{*path}", Level::Anonymous);
        let matched = |prefix: &str, path: &str| everything.matches(prefix, path);
        let parameter = |value: &str| Some(Some(("path".to_owned(), value.to_owned())));
        assert_eq!(matched("", "/"), parameter(""));
        assert_eq!(matched("", "/.well-known/x"), parameter(".well-known/x"));
        assert_eq!(matched("api", "/API/mcp"), parameter("mcp"));
        assert_eq!(matched("api", "/mcp"), None);
        let one = catch_all("mcp", "mcp", Level::Anonymous);
        assert_eq!(one.matches("api", "/api/mcp/"), Some(None));
        assert_eq!(one.matches("api", "/api/mcp/x"), None);
    }

    #[test]
    fn a_function_needs_a_key_unless_it_says_otherwise_and_no_reserved_route() {
        let file = |level: Value, route: &str| {
            serde_json::json!({ "bindings": [
                { "type": "httpTrigger", "direction": "in", "name": "req", "authLevel": level, "route": route },
                { "type": "http", "direction": "out", "name": "res" },
            ]})
        };
        let level = |level| function("mcp", &file(level, "x")).unwrap().level;
        assert_eq!(level("anonymous".into()), Level::Anonymous);
        assert_eq!(level(Value::Null), Level::Key);
        for route in ["admin", "runtime/x"] {
            function("mcp", &file("anonymous".into(), route)).unwrap_err();
        }
    }
}
