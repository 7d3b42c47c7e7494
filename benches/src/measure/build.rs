//! What a build costs: of the server from an empty target folder, and the crates that users of the SDK compile.
//!
//! The crates are downloaded before, so only compiling is measured. The short run builds nothing.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::Outcome;
use crate::plan::Plan;
use crate::report::{Row, Target};
use crate::stopwatch::Stopwatch;

pub(crate) const RELEASE: &str = "cold build of the server, `--release`";
pub(crate) const DIST: &str = "cold build of the server, `--profile dist`";
pub(crate) const CLIENT: &str = "crates that `didww-client` compiles";

pub(crate) fn release(plan: &Plan, name: &'static str) -> Outcome<Row> {
    cold(plan, name, "release", Target::AtMost(150.0, 90.0))
}

pub(crate) fn dist(plan: &Plan, name: &'static str) -> Outcome<Row> {
    cold(plan, name, "dist", Target::Reported)
}

/// The crates, with the SDK itself, for the default features; build scripts and macros included.
pub(crate) fn client(_plan: &Plan, name: &'static str) -> Outcome<Row> {
    let tree = cargo(&["tree", "--package", "didww-client", "--edges", "normal,build", "--prefix", "none"])
        .output()?;
    let lines = String::from_utf8(tree.stdout)?;
    // A line is a name, a version and sometimes a mark that the crate was listed before.
    let crates: BTreeSet<Vec<&str>> =
        lines.lines().map(|line| line.split_whitespace().take(2).collect()).collect();
    if crates.is_empty() {
        return Err("cargo tree listed nothing".into());
    }
    Ok(row(name, crates.len().to_string(), f64::from(u32::try_from(crates.len())?), "", Target::Reported))
}

fn cold(plan: &Plan, name: &'static str, profile: &str, target: Target) -> Outcome<Row> {
    if plan.quick {
        return Ok(row(name, "not built in a short run".to_owned(), 0.0, " s", Target::Reported));
    }
    if !cargo(&["fetch", "--locked"]).status()?.success() {
        return Err("cargo fetch failed".into());
    }
    let folder = std::path::absolute(plan.work.join(format!("cold-{profile}")))?;
    let (before, watch) = (processor_seconds()?, Stopwatch::start());
    let mut build =
        cargo(&["build", "--locked", "--offline", "--package", "trunk-server", "--profile", profile]);
    if !build.arg("--target-dir").arg(&folder).stdout(Stdio::null()).status()?.success() {
        return Err(format!("the build of the profile {profile} failed").into());
    }
    let (seconds, processor) = (watch.seconds(), processor_seconds()? - before);
    let size = std::fs::metadata(folder.join(profile).join("trunk-server"))?.len() >> 20;
    std::fs::remove_dir_all(&folder)?;
    let ours = format!("{seconds:.0} s, {processor:.0} s of processor time; a binary of {size} MB");
    Ok(row(name, ours, seconds, " s", target))
}

fn row(name: &'static str, ours: String, figure: f64, unit: &'static str, target: Target) -> Row {
    Row { name, ours, reference: "–".to_owned(), figure, unit, target }
}

fn cargo(arguments: &[&str]) -> Command {
    let program = std::env::var_os("CARGO").map_or_else(|| PathBuf::from("cargo"), PathBuf::from);
    let mut command = Command::new(program);
    command.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("..")).args(arguments);
    command
}

/// Processor time of all ended children of this process, in seconds.
fn processor_seconds() -> Outcome<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    // The name of the program, which is in brackets, may contain spaces.
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
    let ticks = |index: usize| fields.get(index).and_then(|text| text.parse::<f64>().ok());
    // `cutime` and `cstime`, in hundredths of a second (USER_HZ of Linux).
    let (user, system) = ticks(13).zip(ticks(14)).ok_or("/proc/self/stat has no times")?;
    Ok((user + system) / 100.0)
}
