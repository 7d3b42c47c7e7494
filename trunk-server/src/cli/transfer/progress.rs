//! The progress of a transfer: a bar if standard error is a terminal, else a line for each tenth.

use std::io::{IsTerminal as _, Write as _};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use trunk_store::transfer::{Phase, Step};

/// The bar of a phase with a known number of rows.
const BAR: &str = "{msg:<9} [{bar:30}] {human_pos}/{human_len} rows, {per_sec}, {eta} left";
/// The line of a phase with an unknown one.
const LINE: &str = "{msg:<9} {spinner} {human_pos} rows, {elapsed}";

/// Shows the steps of a transfer.
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    phase: Option<Phase>,
    /// The tenths of the phase that were printed.
    tenths: u64,
}

impl Progress {
    pub(super) fn new() -> Self {
        let is_terminal = std::io::stderr().is_terminal();
        let bar = || ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr_with_hz(10));
        Self { bar: is_terminal.then(bar), phase: None, tenths: 0 }
    }

    pub(super) fn show(&mut self, step: Step) {
        let begins = self.phase != Some(step.phase);
        self.phase = Some(step.phase);
        let Some(bar) = &self.bar else { return self.print(step, begins) };
        if begins {
            // Both templates are constants of this file; with an invalid one, the default style would be shown.
            if let Ok(style) = ProgressStyle::with_template(if step.of > 0 { BAR } else { LINE }) {
                bar.set_style(style);
            }
            bar.reset();
            bar.set_message(name(step.phase));
        }
        bar.set_length(step.of);
        bar.set_position(step.done);
    }

    /// Prints a line when a phase begins, and at each further tenth of its rows.
    fn print(&mut self, Step { phase, done, of }: Step, begins: bool) {
        if begins {
            self.tenths = 0;
            line(&format!("{} …", name(phase)));
        }
        let tenths = done.saturating_mul(10).checked_div(of).unwrap_or(0);
        if tenths > self.tenths {
            self.tenths = tenths;
            line(&format!("{}: {done} of {of} rows", name(phase)));
        }
    }

    /// Removes the bar.
    pub(super) fn end(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Writes a line to standard error. The transfer goes on if nothing takes it, such as the closed pipe of a scheduler, where
/// `eprintln!` would panic.
fn line(text: &str) {
    let _lost = writeln!(std::io::stderr(), "{text}");
}

const fn name(phase: Phase) -> &'static str {
    match phase {
        Phase::Check => "checking",
        Phase::Index => "indexing",
        Phase::Verify => "comparing",
        _ => "copying",
    }
}
