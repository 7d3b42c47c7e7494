//! The subcommand `completion`: the script that completes commands in a shell.

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use super::Cli;

/// Print the script that completes commands in a shell
#[derive(Debug, Clone, Args)]
#[non_exhaustive]
pub struct Completion {
    /// The shell
    pub shell: Shell,
}

impl Completion {
    /// Returns the script.
    pub fn script(&self) -> String {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "trunk-server", &mut script);
        String::from_utf8_lossy(&script).into_owned()
    }
}
