#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    netify_licensed_fuzz::uci::run(data);
});
