//! A description of the machine that the figures were measured on.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::Outcome;
use crate::plan::Plan;
use crate::stopwatch::Stopwatch;

/// One entry for each property of the machine that matters when figures are compared.
pub(crate) fn describe(plan: &Plan) -> Outcome<Vec<(&'static str, String)>> {
    let memory: f64 = field("/proc/meminfo", "MemTotal")
        .and_then(|text| text.split_whitespace().next()?.parse().ok())
        .unwrap_or(f64::NAN);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    Ok(vec![
        ("Measured at", plan.measured_at.clone()),
        ("Processor", format!("{}; the load generator runs on the same ones", cores()?)),
        // A busy machine slows the raw inserts, which wait for the disk and then for a core, more than the
        // server.
        ("Busy before", format!("{:.0} % of the cores; near 0 on a machine that does nothing else", busy()?)),
        ("Memory", format!("{:.0} GB", memory / 1024.0 / 1024.0)),
        ("Kernel", format!("Linux {}", kernel.trim())),
        ("Compiler", first_line_of("rustc", &["--version"])),
        ("Load generator", first_line_of("wrk", &["-v"])),
        ("Callers", first_line_of("sipp", &["-v"])),
        ("Node", first_line_of("node", &["--version"])),
        (
            "Disk",
            format!(
                "{:.0} times a second 4 kB appended and made durable (fdatasync)",
                syncs(plan, &plan.work)?
            ),
        ),
    ])
}

/// A sentence for a part of the page that is measured on its own: which revision, when, and where.
pub(crate) fn sentence(plan: &Plan) -> Outcome<String> {
    Ok(format!(
        "Measured at {}, on {}, of which other programs took {:.0} % before.",
        plan.measured_at,
        cores()?,
        busy()?
    ))
}

fn cores() -> Outcome<String> {
    let processor = field("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown".to_owned());
    Ok(format!("{} cores ({processor})", std::thread::available_parallelism()?))
}

/// The share of all cores' time that other programs take during one second, in percent. The load average would still
/// contain what was built before.
fn busy() -> Outcome<f64> {
    let times = || -> Outcome<(f64, f64)> {
        let stat = fs::read_to_string("/proc/stat")?;
        // Since the start of the system: user, nice, system, idle, waiting for the disk, interrupts (two), stolen.
        let times = stat.lines().next().unwrap_or_default().split_whitespace().skip(1).take(8);
        let times: Vec<f64> = times.filter_map(|time| time.parse().ok()).collect();
        Ok((times.iter().sum(), times.iter().skip(3).take(2).sum()))
    };
    let (total, idle) = times()?;
    std::thread::sleep(Duration::from_secs(1));
    let (later, later_idle) = times()?;
    Ok(100.0 * (1.0 - (later_idle - idle) / (later - total)))
}

fn field(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    text.lines().find_map(|line| Some(line.strip_prefix(name)?.split_once(':')?.1.trim().to_owned()))
}

/// The first line of a program's output.
fn first_line_of(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("unknown").to_owned()
}

/// How many times a second the disk of this folder can sync 4 kB.
pub(crate) fn syncs(plan: &Plan, folder: &Path) -> Outcome<f64> {
    let path = folder.join("syncs");
    let mut file = File::create(&path)?;
    let (watch, mut done) = (Stopwatch::start(), 0.0);
    while watch.elapsed() < plan.turn / 2 {
        file.write_all(&[7; 4096])?;
        file.sync_data()?;
        done += 1.0;
    }
    let rate = done / watch.seconds();
    fs::remove_file(path)?;
    Ok(rate)
}
