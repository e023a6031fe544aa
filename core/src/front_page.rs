//! The page for a person who opens the address of the MCP server in a browser.
//!
//! Clients never see it: they do not ask for HTML. Status and challenge are what they are without.

use http::HeaderMap;
use http::header::ACCEPT;

use crate::explanation;
use crate::page::Page;
use crate::settings::Settings;

pub(crate) fn front_page(settings: &Settings) -> String {
    let page = Page::new("MCP server", "This is an MCP server")
        .text(
            "It is made for MCP clients, such as Cursor, Visual Studio Code, Claude or ChatGPT, \
             and has nothing to show in a browser. Give your client this address:",
        )
        .value(settings.resource().as_str())
        .text(
            "The client then opens a browser, where you sign in with your Microsoft account. You \
             need no key or token.",
        );
    explanation::link_to(page, settings).to_html()
}

/// Whether the request is a browser's that wants to show something: `text/html` by its name, and
/// not by `*/*`, which HTTP libraries send.
pub(crate) fn wants_page(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let mut ranges = accepted.flat_map(|value| value.split(','));
    ranges.any(|range| {
        range.split(';').next().is_some_and(|name| name.trim().eq_ignore_ascii_case("text/html"))
    })
}
