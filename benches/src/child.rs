//! Child processes that are killed when their handle is dropped.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use crate::Outcome;

/// A running process, killed when this value is dropped.
#[derive(Debug)]
pub(crate) struct Running(Child);

impl Running {
    /// Starts a command without input and with its output discarded.
    pub(crate) fn silent(command: &mut Command) -> Outcome<Self> {
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        Ok(Self(child.map_err(|error| format!("{} did not start: {error}", name(command)))?))
    }

    /// Starts a command. Returns the first value that `find` returns for a line of its output.
    pub(crate) fn announced<T>(
        command: &mut Command,
        find: impl Fn(&str) -> Option<T>,
    ) -> Outcome<(Self, T)> {
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn();
        let mut running = Self(child.map_err(|error| format!("{} did not start: {error}", name(command)))?);
        let output = running.0.stdout.take().ok_or("a child has no output")?;
        let mut lines = BufReader::new(output).lines();
        for line in lines.by_ref() {
            if let Some(found) = find(&line?) {
                // Keep reading, so that the child's pipe is never full or closed.
                std::thread::spawn(move || lines.for_each(drop));
                return Ok((running, found));
            }
        }
        Err(format!("{} ended before it was ready", name(command)).into())
    }

    /// Waits until the process ends by itself. Returns true if it succeeded.
    pub(crate) fn ended(&mut self) -> Outcome<bool> {
        Ok(self.0.wait()?.success())
    }

    /// Whether the process succeeded, if it has ended; `None` while it runs.
    pub(crate) fn has_ended(&mut self) -> Outcome<Option<bool>> {
        Ok(self.0.try_wait()?.map(|status| status.success()))
    }

    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Killing a process that has already ended fails, which is fine.
        let _ended = self.0.kill();
        let _reaped = self.0.wait();
    }
}

fn name(command: &Command) -> String {
    command.get_program().to_string_lossy().into_owned()
}
