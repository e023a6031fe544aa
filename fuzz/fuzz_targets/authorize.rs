#![no_main]

libfuzzer_sys::fuzz_target!(|input: &str| mcp_entra_fuzz::authorize::check(input));
