//! The stable stand-in for `scripts/fuzz`: every target with its seeds, and with the same mutations of them in every
//! run.

mod lock_file;

use std::time::{Duration, Instant};

use fuzz_targets::{TARGETS, Target, mutations};

/// Mutations of each target's seeds, unless the time is up.
const MUTATIONS: usize = 2_000;
/// Time for the mutations of a target, so that a slow machine only tries fewer.
const MAX_TIME: Duration = Duration::from_millis(500);

fn run(target: &Target, input: &[u8]) {
    let outcome = std::panic::catch_unwind(|| (target.run)(input));
    assert!(outcome.is_ok(), "{} fails for {:?}", target.name, String::from_utf8_lossy(input));
}

#[test]
fn every_fuzz_target_takes_its_seeds() {
    for target in TARGETS {
        let seeds = (target.seeds)();
        assert!(seeds.len() >= 5, "{} has {} seeds", target.name, seeds.len());
        for seed in &seeds {
            run(&target, seed);
        }
        run(&target, b"");
    }
}

#[test]
fn every_fuzz_target_takes_mutations_of_its_seeds() {
    for target in TARGETS {
        let (seeds, since) = ((target.seeds)(), Instant::now());
        let inputs = mutations(&seeds, MUTATIONS).take_while(|_| since.elapsed() < MAX_TIME);
        for input in inputs {
            run(&target, &input);
        }
    }
}

#[test]
fn every_fuzz_target_is_a_program_for_libfuzzer() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz");
    let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).unwrap();
    let programs = std::fs::read_dir(folder.join("fuzz_targets")).unwrap().count();
    assert_eq!((programs, manifest.matches("[[bin]]").count()), (TARGETS.len(), TARGETS.len()));
    for Target { name, .. } in TARGETS {
        assert!(
            manifest.contains(&format!("name = \"{name}\"\npath = \"fuzz_targets/{name}.rs\"")),
            "{name}"
        );
        let program = std::fs::read_to_string(folder.join(format!("fuzz_targets/{name}.rs"))).unwrap();
        assert!(program.contains(&format!("write_seeds(\"{name}\")")), "{name}");
        assert!(program.contains(&format!("fuzz_targets::{name}(data)")), "{name}");
    }
}
