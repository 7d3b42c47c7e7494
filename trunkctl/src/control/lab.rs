//! `trunkctl lab`: what testers do to a server.

mod faults;
mod journal;

use clap::Subcommand;

use crate::context::Target;
use crate::exit::Failure;

/// What to do in the lab.
#[derive(Debug, Clone, Subcommand)]
#[non_exhaustive]
pub enum LabCommand {
    /// Let requests or callbacks fail on purpose
    #[command(subcommand)]
    Faults(faults::FaultsCommand),
    /// Look at the requests that a server received, and compare them with expected ones
    #[command(subcommand)]
    Journal(journal::JournalCommand),
}

impl LabCommand {
    /// Runs the command.
    ///
    /// # Errors
    /// The failures of requests, and expected requests that did not come.
    pub async fn run(&self, target: &Target) -> Result<(), Failure> {
        match self {
            Self::Faults(command) => command.run(target).await,
            Self::Journal(command) => command.run(target).await,
        }
    }
}
