#![no_main]

libfuzzer_sys::fuzz_target!(|input: mcp_entra_fuzz::challenge::Parts<'_>| {
    mcp_entra_fuzz::challenge::check(&input)
});
