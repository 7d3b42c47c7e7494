#![no_main]

libfuzzer_sys::fuzz_target!(
    init: fuzz_targets::write_seeds("world").expect("the seeds can be written"),
    |data: &[u8]| fuzz_targets::world(data)
);
