//! The subcommands `backup`, `restore` and `move`.

mod progress;

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;
use trunk_store::transfer::{Place, Source, Total, TransferError, transfer, write_backup};

use progress::Progress;

/// Write all contents of a database to a new file, also while a server uses the database
#[derive(Debug, Clone, Args)]
#[non_exhaustive]
pub struct Backup {
    /// The file of the backup, which must not exist; only its owner can read it
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// The database: a file, or the URL of one on PostgreSQL
    #[arg(
        long,
        env = "TRUNK_SERVER_DATABASE",
        hide_env_values = true,
        value_name = "FILE|URL",
        default_value = "trunk-server.db"
    )]
    pub database: String,
}

/// Write a backup into a new database that no server uses; repeat the command to continue after an interruption
#[derive(Debug, Clone, Args)]
#[non_exhaustive]
pub struct Restore {
    /// The file of the backup
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// The new database: a file that does not exist, or the URL of an empty one on PostgreSQL
    #[arg(
        long,
        env = "TRUNK_SERVER_DATABASE",
        hide_env_values = true,
        value_name = "FILE|URL",
        default_value = "trunk-server.db"
    )]
    pub database: String,
}

/// Copy a database that no server uses into a new one; repeat the command to continue after an interruption
#[derive(Debug, Clone, Args)]
#[non_exhaustive]
pub struct Move {
    /// The database: a file, or the URL of one on PostgreSQL; it is not changed
    #[arg(long, env = "TRUNK_SERVER_MOVE_FROM", hide_env_values = true, value_name = "FILE|URL")]
    pub from: String,

    /// The new database: a file that does not exist, or the URL of an empty one on PostgreSQL
    #[arg(long, env = "TRUNK_SERVER_MOVE_TO", hide_env_values = true, value_name = "FILE|URL")]
    pub to: String,
}

impl Backup {
    /// Writes the backup. Returns the text to print.
    ///
    /// # Errors
    /// [`TransferError`]; there is no new file then.
    pub async fn run(self) -> Result<String, TransferError> {
        let mut progress = Progress::new();
        let source = Source::database(&Place::parse(&self.database)?)?;
        let totals = write_backup(&source, &self.file, &mut |step| progress.show(step)).await?;
        progress.end();
        Ok(summary(&format!("backed up to {}", self.file.display()), &totals))
    }
}

impl Restore {
    /// Fills the database. Returns the text to print.
    ///
    /// # Errors
    /// [`TransferError`].
    pub async fn run(self) -> Result<String, TransferError> {
        let mut progress = Progress::new();
        let target = Place::parse(&self.database)?;
        let source = Source::backup(&self.file, &mut |step| progress.show(step))?;
        let totals = transfer(&source, &target, &mut |step| progress.show(step)).await?;
        progress.end();
        Ok(summary(&format!("restored to {target}"), &totals))
    }
}

impl Move {
    /// Fills the new database. Returns the text to print.
    ///
    /// # Errors
    /// [`TransferError`].
    pub async fn run(self) -> Result<String, TransferError> {
        let mut progress = Progress::new();
        let (from, to) = (Place::parse(&self.from)?, Place::parse(&self.to)?);
        let source = Source::idle_database(&from).await?;
        let totals = transfer(&source, &to, &mut |step| progress.show(step)).await?;
        progress.end();
        Ok(summary(&format!("moved from {from} to {to}"), &totals))
    }
}

/// The completed action, and the number of rows and the digest of each table, which are equal in both databases.
fn summary(done: &str, totals: &[Total]) -> String {
    let rows: u64 = totals.iter().map(|total| total.rows).sum();
    let mut text = format!("{done}: {rows} rows, compared at both ends\n");
    for Total { table, rows, digest } in totals {
        let _infallible = writeln!(text, "  {:<16}{rows:>10}  sha256 {digest}", table.name());
    }
    text
}
