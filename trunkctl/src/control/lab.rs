//! `trunkctl lab`: what testers do with a trunk-server.

use clap::Subcommand;

use super::lab_world::{Scenarios, WorldCommand};
use crate::context::Target;
use crate::exit::Failure;

/// What to do with a server that is used for tests.
#[derive(Debug, Clone, Subcommand)]
pub enum LabCommand {
    /// Save what a server holds as a file, and load such a file
    #[command(subcommand)]
    World(WorldCommand),
    /// List the worlds that a server contains
    Scenarios(Scenarios),
}

impl LabCommand {
    /// Runs the command.
    ///
    /// # Errors
    /// The failures of requests.
    pub async fn run(&self, target: &Target) -> Result<(), Failure> {
        match self {
            Self::World(command) => command.run(target).await,
            Self::Scenarios(command) => command.run(target).await,
        }
    }
}
