#![no_main]

libfuzzer_sys::fuzz_target!(
    init: fuzz_targets::write_seeds("export_rows").expect("the seeds can be written"),
    |data: &[u8]| fuzz_targets::export_rows(data)
);
