#![no_main]

libfuzzer_sys::fuzz_target!(|input: &str| mcp_entra_fuzz::scope::check(input));
