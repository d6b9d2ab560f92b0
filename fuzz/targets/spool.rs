#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| properties::spool::holds(data));
