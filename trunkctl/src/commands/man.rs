//! `trunkctl man`: the manual pages, one for each command.

use std::path::PathBuf;

use clap::Args;

use crate::exit::{Exit, Failure};
use crate::terminal::print;

/// Writes `trunkctl.1` and a page for each command to a folder, or the first one to standard output.
#[derive(Debug, Clone, Args)]
pub struct Man {
    /// Write all pages to this folder, which must exist
    #[arg(value_name = "FOLDER")]
    pub folder: Option<PathBuf>,
}

impl Man {
    /// Writes the pages.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn run(&self, command: clap::Command) -> Result<(), Failure> {
        let failed = |error: std::io::Error| {
            Failure::new(Exit::Failed, format!("the manual pages cannot be written: {error}"))
        };
        let Some(folder) = &self.folder else {
            let mut page = Vec::new();
            clap_mangen::Man::new(command).render(&mut page).map_err(failed)?;
            return print(&String::from_utf8_lossy(&page));
        };
        clap_mangen::generate_to(command, folder).map_err(failed)
    }
}
