//! `trunkctl lab`: what testers do with a trunk-server.

mod faults;
mod journal;
mod world;

use clap::Subcommand;

use crate::context::Target;
use crate::exit::Failure;

/// What to do with a server that is used for tests.
#[derive(Debug, Clone, Subcommand)]
#[non_exhaustive]
pub enum LabCommand {
    /// Save what a server holds as a file, and load such a file
    #[command(subcommand)]
    World(world::WorldCommand),
    /// List the worlds that a server contains
    Scenarios(world::Scenarios),
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
            Self::World(command) => command.run(target).await,
            Self::Scenarios(command) => command.run(target).await,
            Self::Faults(command) => command.run(target).await,
            Self::Journal(command) => command.run(target).await,
        }
    }
}
