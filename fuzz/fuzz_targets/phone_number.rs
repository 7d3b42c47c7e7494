#![no_main]

libfuzzer_sys::fuzz_target!(
    init: fuzz_targets::write_seeds("phone_number").expect("the seeds can be written"),
    |data: &[u8]| fuzz_targets::phone_number(data)
);
