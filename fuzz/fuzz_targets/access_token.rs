#![no_main]

libfuzzer_sys::fuzz_target!(|input: mcp_entra_fuzz::access_token::Token<'_>| {
    mcp_entra_fuzz::access_token::check(input)
});
