//! Metrics of the process, which Linux reports below `/proc`. On other systems they are absent.

use crate::catalogue::{OPEN_FILES, RESIDENT};
use crate::scrape::Scrape;
use crate::values::{count, number};

pub(crate) fn read(scrape: &mut Scrape) {
    if let Some(bytes) = resident() {
        scrape.set(&RESIDENT, count(bytes));
    }
    if let Ok(files) = std::fs::read_dir("/proc/self/fd") {
        // Without the descriptor that reads this folder.
        scrape.set(&OPEN_FILES, number(files.count().saturating_sub(1)));
    }
}

fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}
