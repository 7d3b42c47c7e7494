//! The cost of a first build: of the server from an empty target folder, and of the SDK for DIDWW.
//!
//! The crates are downloaded before, so only compiling is measured.

mod timings;
mod tree;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::page::Part;
use crate::plan::Plan;
use crate::report::{CRATES, Row, TABLE_HEAD, Target};
use crate::stopwatch::Stopwatch;
use crate::{Outcome, against, machine};

const SERVER: &str = "trunk-server";
const CLIENT: &str = "didww-client";
/// Number of crates in the table of those that take longest.
const HEAVIEST: usize = 10;

/// Measures the build of the server that a newcomer makes. With `with_dist` also the one that is distributed, and then
/// compares both binaries. Returns the part of the page, and whether every target was reached.
pub(crate) fn run(plan: &Plan, with_dist: bool) -> Outcome<(String, bool)> {
    let measured = machine::sentence(plan)?;
    fetch()?;
    let release = Build::cold(plan, SERVER, "release")?;
    let dist = with_dist.then(|| Build::cold(plan, SERVER, "dist")).transpose()?;
    let client = client(plan)?;
    let server_crates = tree::crates(SERVER, "normal,build")?;

    let mut rows = vec![release.row("cold build of the server, `--release`", Target::AtMost(150.0, 90.0))];
    rows.extend(
        dist.as_ref().map(|dist| dist.row("cold build of the server, `--profile dist`", Target::Reported)),
    );
    rows.push(count("crates of the server", server_crates.len(), "", Target::Reported)?);
    rows.push(client);
    rows.push(client_crates()?);

    let mut text = format!(
        "{}\n\n{measured} From an empty target folder on all cores, with the crates downloaded.\n\n{TABLE_HEAD}",
        Part::FirstBuild.heading()
    );
    for row in &rows {
        // Writing to a string cannot fail.
        let _infallible = writeln!(text, "{}", row.line());
    }
    text.push_str(&heaviest(&release));
    text.push_str(&duplicates(&tree::duplicates(&server_crates)));
    if let Some(dist) = dist {
        let table = against::builds(plan, ["dist", "release"], [&dist.binary, &release.binary])?;
        let _infallible = write!(text, "\n### What `dist` gains\n\n{table}");
    }
    Ok((text, rows.iter().all(Row::is_reached)))
}

/// The name of the row of [`client`].
pub(crate) const CLIENT_BUILD: &str = "cold debug build of `didww-client`, processor time";
/// The name of the row of [`client_crates`].
pub(crate) const CLIENT_CRATES: &str = "crates of `didww-client`";

/// Measures the debug build of a program that depends on the SDK.
pub(crate) fn client(plan: &Plan) -> Outcome<Row> {
    fetch()?;
    let client = Build::cold(plan, CLIENT, "dev")?;
    Ok(Row {
        ours: format!("{:.0} s from start to end", client.seconds),
        figure: client.processor,
        ..client.row(CLIENT_BUILD, Target::AtMost(50.0, 35.0))
    })
}

/// Counts the dependencies of the SDK.
pub(crate) fn client_crates() -> Outcome<Row> {
    let crates = tree::crates(CLIENT, "normal")?.len();
    let with_build = tree::crates(CLIENT, "normal,build")?.len();
    let scripts = format!("; {with_build} with what build scripts need");
    count(CLIENT_CRATES, crates, &scripts, Target::AtMost(90.0, 70.0))
}

/// Downloads every crate, so that builds need no network.
fn fetch() -> Outcome<()> {
    if cargo(&["fetch", "--locked"]).status()?.success() { Ok(()) } else { Err("cargo fetch failed".into()) }
}

fn heaviest(build: &Build) -> String {
    let mut text = format!(
        "\nThe {HEAVIEST} crates of the `release` build that take longest. The times of a crate's build script, \
         library and binary are added; other crates are compiled at the same time.\n\n| crate | time |\n|---|---|\n"
    );
    for (name, seconds) in &build.heaviest {
        let _infallible = writeln!(text, "| {name} | {seconds:.1} s |");
    }
    text
}

fn duplicates(crates: &[String]) -> String {
    if crates.is_empty() {
        return "\nNo crate of the server is there in more than one version.\n".to_owned();
    }
    format!("\nCrates of the server in more than one version: {}.\n", crates.join("; "))
}

fn count(name: &'static str, crates: usize, more: &str, target: Target) -> Outcome<Row> {
    let figure = f64::from(u32::try_from(crates)?);
    let ours = format!("{crates}{more}");
    Ok(Row { name, ours, reference: "–".to_owned(), figure, spread: None, unit: CRATES, target })
}

/// The cost of a build.
#[derive(Debug)]
struct Build {
    seconds: f64,
    /// Processor time in seconds.
    processor: f64,
    /// The crates that took longest, with seconds.
    heaviest: Vec<(String, f64)>,
    /// The path of the server's binary. For a package without a binary, there is no file.
    binary: PathBuf,
}

impl Build {
    /// Builds a package in an empty target folder, which is deleted afterwards.
    fn cold(plan: &Plan, package: &str, profile: &str) -> Outcome<Self> {
        eprintln!("{package}, profile {profile} …");
        let folder = std::path::absolute(plan.work.join("cold"))?;
        let (before, watch) = (processor_seconds()?, Stopwatch::start());
        let mut build = cargo(&["build", "--locked", "--offline", "--timings"]);
        build.args(["--package", package, "--profile", profile]).arg("--target-dir").arg(&folder);
        // The workspace makes less debug information than a program that depends on the SDK does.
        build.args(["--config", "profile.dev.debug=true"]);
        if !build.stdout(Stdio::null()).status()?.success() {
            return Err(format!("the build of {package} with the profile {profile} failed").into());
        }
        let (seconds, processor) = (watch.seconds(), processor_seconds()? - before);
        let report = std::fs::read_to_string(folder.join("cargo-timings/cargo-timing.html"))?;
        let heaviest = timings::heaviest(&report, HEAVIEST)?;
        let binary = plan.work.join(format!("{package}-{profile}"));
        if package == SERVER {
            std::fs::copy(folder.join(profile).join(package), &binary)?;
        }
        std::fs::remove_dir_all(&folder)?;
        Ok(Self { seconds, processor, heaviest, binary })
    }

    /// A row of the time from start to end.
    fn row(&self, name: &'static str, target: Target) -> Row {
        let size = std::fs::metadata(&self.binary).map_or(0, |binary| binary.len() >> 20);
        Row {
            name,
            ours: format!("{:.0} s of processor time; a binary of {size} MB", self.processor),
            reference: "–".to_owned(),
            figure: self.seconds,
            spread: None,
            unit: " s",
            target,
        }
    }
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
