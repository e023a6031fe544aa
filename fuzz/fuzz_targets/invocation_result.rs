#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| mcp_entra_fuzz::invocation_result::check(input));
