#![no_main]

libfuzzer_sys::fuzz_target!(
    init: fuzz_targets::write_seeds("sip_message").expect("the seeds can be written"),
    |data: &[u8]| fuzz_targets::sip_message(data)
);
