//! The server under measurement: the real binary with a durable database in a file.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Outcome;
use crate::child::Running;

/// The API key of every account here.
pub(crate) const KEY: &str = "benchmark";
/// The API version of every request here.
pub(crate) const VERSION: &str = "2026-04-16";

/// A running server.
#[derive(Debug)]
pub(crate) struct Trunk {
    pub(crate) base: String,
    process: Running,
}

/// The path of the server's binary, which the build puts beside this program.
pub(crate) fn binary() -> Outcome<PathBuf> {
    let binary = std::env::current_exe()?.with_file_name("trunk-server");
    if !binary.exists() {
        return Err(format!("{} is missing; scripts/bench builds it", binary.display()).into());
    }
    Ok(binary)
}

/// The command that serves this database, with SIP off.
pub(crate) fn command(database: &Path) -> Outcome<Command> {
    serving(database, "off")
}

/// The command that serves this database with another binary, with SIP off.
pub(crate) fn command_of(binary: &Path, database: &Path) -> Command {
    serving_of(binary, database, "off")
}

/// The command that serves this database, with SIP on this address.
pub(crate) fn serving(database: &Path, sip: &str) -> Outcome<Command> {
    Ok(serving_of(&binary()?, database, sip))
}

fn serving_of(binary: &Path, database: &Path, sip: &str) -> Command {
    let mut command = Command::new(binary);
    command
        .args(["--listen", "127.0.0.1:0", "--control-listen", "off", "--sip-listen", sip])
        .args(["--log", "warn", "--api-key", KEY])
        .arg("--database")
        .arg(database)
        .env_clear();
    command
}

/// The base URL in a line of the server's start-up message.
pub(crate) fn base(line: &str) -> Option<String> {
    line.trim().strip_prefix("API:").map(|base| base.trim().to_owned())
}

impl Trunk {
    /// Starts a server on this database, with the quota of records raised.
    pub(crate) fn start(database: &Path) -> Outcome<Self> {
        Self::of(&binary()?, database)
    }

    /// The same with another binary.
    pub(crate) fn of(binary: &Path, database: &Path) -> Outcome<Self> {
        let config = database.with_extension("toml");
        std::fs::write(&config, "[accounts]\nrecord_quota = 0\n")?;
        let with_quota = Running::announced(command_of(binary, database).arg("--config").arg(&config), base);
        // A build from before quotas refuses the setting, and has no quota.
        let (process, base) =
            with_quota.or_else(|_| Running::announced(&mut command_of(binary, database), base))?;
        Ok(Self { base, process })
    }

    /// Starts a server on this database with further arguments.
    pub(crate) fn with(database: &Path, further: &[&str]) -> Outcome<Self> {
        let (process, base) = Running::announced(command(database)?.args(further), base)?;
        Ok(Self { base, process })
    }

    /// The URL of the list of trunks.
    pub(crate) fn trunks(&self) -> String {
        format!("{}/voice_out_trunks", self.base)
    }

    /// Resident memory in megabytes.
    pub(crate) fn resident(&self) -> Outcome<f64> {
        resident(&self.process)
    }
}

/// Resident memory of a process in megabytes.
pub(crate) fn resident(process: &Running) -> Outcome<f64> {
    memory(process, "VmRSS:")
}

/// The most resident memory that a process had until now, in megabytes.
pub(crate) fn peak(process: &Running) -> Outcome<f64> {
    memory(process, "VmHWM:")
}

fn memory(process: &Running, label: &str) -> Outcome<f64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.id()))?;
    let kilobytes = status
        .lines()
        .find_map(|line| line.strip_prefix(label)?.trim().strip_suffix("kB")?.trim().parse::<f64>().ok());
    Ok(kilobytes.ok_or("the kernel does not report a process's memory")? / 1024.0)
}
