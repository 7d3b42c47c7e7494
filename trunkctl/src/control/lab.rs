//! `trunkctl lab`: the commands for testers.

mod faults;
mod journal;
mod world;

use clap::Subcommand;

use crate::context::Target;
use crate::exit::Failure;

/// The subcommands of `trunkctl lab`.
#[derive(Debug, Clone, Subcommand)]
#[non_exhaustive]
pub enum LabCommand {
    /// Save the accounts and records of a server to a file, and load such a file
    #[command(subcommand)]
    World(world::WorldCommand),
    /// List the built-in worlds of a server
    Scenarios(world::Scenarios),
    /// Inject faults into requests, callbacks and calls
    #[command(subcommand)]
    Faults(faults::FaultsCommand),
    /// Inspect the requests that a server received, and compare them with expected ones
    #[command(subcommand)]
    Journal(journal::JournalCommand),
}

impl LabCommand {
    /// Runs the command.
    ///
    /// # Errors
    /// The failures of requests, and missing expected requests.
    pub async fn run(&self, target: &Target) -> Result<(), Failure> {
        match self {
            Self::World(command) => command.run(target).await,
            Self::Scenarios(command) => command.run(target).await,
            Self::Faults(command) => command.run(target).await,
            Self::Journal(command) => command.run(target).await,
        }
    }
}
