//! `trunkctl completion`: the script that completes commands in a shell.

use clap::Args;
use clap_complete::Shell;

use crate::exit::Failure;
use crate::terminal::print;

/// Prints a script to standard output.
///
/// bash: `source <(trunkctl completion bash)`; zsh: `trunkctl completion zsh > "${fpath[1]}/_trunkctl"`; fish:
/// `trunkctl completion fish | source`.
#[derive(Debug, Clone, Args)]
pub struct Completion {
    /// The shell
    pub shell: Shell,
}

impl Completion {
    /// Prints the script.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn run(&self, mut command: clap::Command) -> Result<(), Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut command, "trunkctl", &mut script);
        print(&String::from_utf8_lossy(&script))
    }
}
