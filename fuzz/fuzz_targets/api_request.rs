#![no_main]

libfuzzer_sys::fuzz_target!(
    init: fuzz_targets::write_seeds("api_request").expect("the seeds can be written"),
    |data: &[u8]| fuzz_targets::api_request(data)
);
