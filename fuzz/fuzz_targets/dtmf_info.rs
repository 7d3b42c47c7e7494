#![no_main]

libfuzzer_sys::fuzz_target!(
    init: fuzz_targets::write_seeds("dtmf_info").expect("the seeds can be written"),
    |data: &[u8]| fuzz_targets::dtmf_info(data)
);
