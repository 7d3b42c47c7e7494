//! `trunkctl completion`: the script that completes commands in a shell.

use clap::Args;
use clap_complete::Shell;

use crate::exit::Failure;
use crate::terminal::print;

/// An addition to the script for bash, because of the way in which bash splits a line into words.
const WORDS_OF_BASH: &[u8] = include_bytes!("words.bash");

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
        if matches!(self.shell, Shell::Bash) {
            script.extend_from_slice(WORDS_OF_BASH);
        }
        print(&String::from_utf8_lossy(&script))
    }
}
