//! The subcommand `man`: the manual pages, one for the program and one for each subcommand.

use std::path::PathBuf;

use clap::{Args, CommandFactory as _};

use super::Cli;

/// Write the manual pages to a folder, or print the first one
#[derive(Debug, Clone, Args)]
#[non_exhaustive]
pub struct Man {
    /// The folder, which must exist
    #[arg(value_name = "FOLDER")]
    pub folder: Option<PathBuf>,
}

impl Man {
    /// Writes the pages. Returns the text to print: the first page if there is no folder, else nothing.
    ///
    /// # Errors
    /// If a page cannot be written.
    pub fn run(&self) -> std::io::Result<String> {
        let command = Cli::command();
        let Some(folder) = &self.folder else {
            let mut page = Vec::new();
            clap_mangen::Man::new(command).render(&mut page)?;
            return Ok(String::from_utf8_lossy(&page).into_owned());
        };
        clap_mangen::generate_to(command, folder)?;
        Ok(String::new())
    }
}
