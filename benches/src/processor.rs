//! Processor time of a process.

use crate::Outcome;

/// Ticks of the kernel's clock in a second, as `/proc` counts them on every platform of Linux.
const TICKS: f64 = 100.0;

/// Processor time that a process has used, in seconds.
pub(crate) fn seconds(process: u32) -> Outcome<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The name, in parentheses, may contain spaces; user and system time are the twelfth and thirteenth field behind
    // it.
    let (_, fields) = stat.rsplit_once(')').ok_or("the kernel does not report a process's time")?;
    let ticks = fields.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<f64>().ok());
    Ok(ticks.sum::<f64>() / TICKS)
}
