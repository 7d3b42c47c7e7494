//! Processes that end when nobody needs them any more.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use crate::Outcome;

/// A running process, killed when it is dropped.
#[derive(Debug)]
pub(crate) struct Running(Child);

impl Running {
    /// Starts a command with nothing to read and nothing to say.
    pub(crate) fn silent(command: &mut Command) -> Outcome<Self> {
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        Ok(Self(child.map_err(|error| format!("{} did not start: {error}", name(command)))?))
    }

    /// Starts a command and gives the first line in which `find` finds something.
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
                // Read on, so that the child never finds its pipe full or closed.
                std::thread::spawn(move || lines.for_each(drop));
                return Ok((running, found));
            }
        }
        Err(format!("{} ended before it was ready", name(command)).into())
    }

    /// Waits until it ends by itself; gives whether it succeeded.
    pub(crate) fn ended(&mut self) -> Outcome<bool> {
        Ok(self.0.wait()?.success())
    }

    /// Whether it has ended already, and if so whether it succeeded.
    pub(crate) fn has_ended(&mut self) -> Outcome<Option<bool>> {
        Ok(self.0.try_wait()?.map(|status| status.success()))
    }

    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // One that has ended by itself needs no killing.
        let _ended = self.0.kill();
        let _reaped = self.0.wait();
    }
}

fn name(command: &Command) -> String {
    command.get_program().to_string_lossy().into_owned()
}
