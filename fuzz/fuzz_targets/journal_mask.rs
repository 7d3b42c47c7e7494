#![no_main]

libfuzzer_sys::fuzz_target!(
    init: fuzz_targets::write_seeds("journal_mask").expect("the seeds can be written"),
    |data: &[u8]| fuzz_targets::journal_mask(data)
);
