//! How the demo speaks: a numbered step, who said what, and what came of it.

use std::io::IsTerminal as _;
use std::sync::LazyLock;

static COLOUR: LazyLock<bool> =
    LazyLock::new(|| std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none());

/// The parties that speak.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Party {
    Client,
    /// Entra ID, if the client's own words had reached it.
    EntraAlone,
    Entra,
    McpEntra,
    McpServer,
}

impl Party {
    fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::EntraAlone => "Entra ID alone",
            Self::Entra => "Entra ID",
            Self::McpEntra => "mcp-entra",
            Self::McpServer => "MCP server",
        }
    }

    fn colour(self) -> &'static str {
        match self {
            Self::Client => "36",
            Self::EntraAlone => "31",
            Self::Entra => "34",
            Self::McpEntra => "32",
            Self::McpServer => "35",
        }
    }
}

pub(crate) fn opening(entra: &str, mcp_server: &str, resource: &str) {
    println!("{}\n", bold("A sign-in with Entra ID, on this machine"));
    println!("  Entra ID stand-in  {entra}  refuses what Entra ID refuses");
    println!("  MCP server         {mcp_server}  knows nothing of OAuth");
    println!("  mcp-entra          {resource}  stands between");
}

pub(crate) fn step(number: usize, title: &str) {
    println!("\n{}", bold(&format!("{number:>2}  {title}")));
}

pub(crate) fn said(party: Party, text: &str) {
    let mut lines = text.lines();
    let name = paint(party.colour(), &format!("{:<15}", party.name()));
    println!("    {name} {}", lines.next().unwrap_or_default());
    for line in lines {
        println!("    {:15} {line}", "");
    }
}

pub(crate) fn done(text: &str) {
    println!("    {} {text}", paint("32", "ok"));
}

pub(crate) fn closing() {
    println!("\n{}", bold("Every step succeeded."));
}

pub(crate) fn invitation(resource: &str) {
    println!("\nNow connect your own client; Ctrl-C ends the demo.\n");
    println!("  Claude Code         claude mcp add --transport http entra-demo {resource}");
    println!(
        "  Cursor, mcp.json    {{\"mcpServers\":{{\"entra-demo\":{{\"url\":\"{resource}\"}}}}}}"
    );
    println!(
        "  VS Code, mcp.json   {{\"servers\":{{\"entra-demo\":{{\"type\":\"http\",\"url\":\"{resource}\"}}}}}}"
    );
    println!(
        "  MCP Inspector       npx @modelcontextprotocol/inspector, then Streamable HTTP and {resource}"
    );
}

fn bold(text: &str) -> String {
    paint("1", text)
}

fn paint(code: &str, text: &str) -> String {
    if *COLOUR { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
}
