#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| properties::gate_http1::holds(data));
