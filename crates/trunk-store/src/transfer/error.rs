//! The errors of a transfer.

use std::path::PathBuf;

use super::place::NoPlace;
use super::table::Table;
use super::tally::Total;
use crate::{OpenError, StoreError};

/// Why a transfer did not succeed. A target that was begun is not served until the transfer is repeated and succeeds.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransferError {
    /// A database in a file cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A database on a server cannot be opened.
    #[error("{place}: {why}")]
    OpenServer {
        /// The database, without its password.
        place: String,
        /// Why it cannot be opened.
        why: String,
    },
    /// The text is not the address of a database.
    #[error(transparent)]
    Place(#[from] NoPlace),
    /// There is no database to read.
    #[error("there is no database at {}: name the file of an existing one", file.display())]
    Missing {
        /// The path of the file, as the operator wrote it.
        file: PathBuf,
    },
    /// The source has another schema than this server.
    #[error(
        "{place} has schema {schema}, and this trunk-server reads schema {known}; {}",
        if schema < known { "start this trunk-server with it once, which brings it up to date, and stop it" }
        else { "use the newer trunk-server that wrote it" }
    )]
    Schema {
        /// The source, without its password.
        place: String,
        /// The version of its schema.
        schema: i64,
        /// The version that this server reads.
        known: i64,
    },
    /// The source is itself the target of a transfer that did not end.
    #[error(
        "{place} is the target of a move or restore that did not end; repeat that one, or name another source"
    )]
    Unfinished {
        /// The source, without its password.
        place: String,
    },
    /// Nodes still write the source.
    #[error(
        "{place} is in use: node {} had a heartbeat in the last {seconds} seconds; stop every trunk-server of it, and wait \
         that long after a crash", .nodes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    )]
    InUse {
        /// The source, without its password.
        place: String,
        /// The numbers of the nodes.
        nodes: Vec<i64>,
        /// The time in seconds within which a running node has a heartbeat.
        seconds: u64,
    },
    /// The target has rows already.
    #[error("{place} is not empty: it has rows of the table {}; name a new database", table.name())]
    NotEmpty {
        /// The target, without its password.
        place: String,
        /// The first table that has rows.
        table: Table,
    },
    /// The target refuses a text of the source.
    #[error(
        "{place} cannot store the row {row} of the table {}: its `{what}` {flaw}; change that in the source, with the \
         server of it, and repeat the command with a new target", table.name()
    )]
    Unstorable {
        /// The target, without its password.
        place: String,
        /// The table of the row.
        table: Table,
        /// The row's position, and its ids.
        row: String,
        /// The column of the text.
        what: &'static str,
        /// What is wrong with the text.
        flaw: &'static str,
    },
    /// The source has changed since the transfer to this target began.
    #[error(
        "{place} has the first {rows} rows of the table {} of another source, or of this one before it changed; delete the \
         target, and begin again with a new one", table.name()
    )]
    SourceChanged {
        /// The target, without its password.
        place: String,
        /// The table up to which the target was written.
        table: Table,
        /// The number of its rows.
        rows: u64,
    },
    /// Another transfer writes the target.
    #[error("{place} is written by another move or restore; let that one end")]
    Overtaken {
        /// The target, without its password.
        place: String,
    },
    /// The rows of the target differ from those of the source after the transfer.
    #[error(
        "{place} differs from the source in the table {}: it has {written}, and the source has {read}; delete the target, \
         and report this", table.name()
    )]
    Differs {
        /// The target, without its password.
        place: String,
        /// The first table that differs.
        table: Table,
        /// The rows and digest of the source.
        read: String,
        /// The rows and digest of the target.
        written: String,
    },
    /// A file of a backup cannot be read or written.
    #[error("the backup {} cannot be {what}: {error}", file.display())]
    File {
        /// The path of the file, as the operator wrote it.
        file: PathBuf,
        /// The failed operation: `read` or `written`.
        what: &'static str,
        /// The error of the operating system.
        error: std::io::Error,
    },
    /// The file for a backup exists.
    #[error("{} exists; name a new file for the backup, or delete this one first", file.display())]
    Exists {
        /// The path of the file, as the operator wrote it.
        file: PathBuf,
    },
    /// The file is not a backup, or is truncated or altered.
    #[error("the backup {} is not intact: {at}: {why}; nothing was restored from it, use another copy", file.display())]
    Damaged {
        /// The path of the file, as the operator wrote it.
        file: PathBuf,
        /// The line, and its row if it has one.
        at: String,
        /// The damage that was found.
        why: String,
    },
    /// The file has a newer format than this server reads.
    #[error(
        "the backup {} has format {format}, and this trunk-server reads formats up to {known}; use the newer trunk-server \
         that wrote it", file.display()
    )]
    Format {
        /// The path of the file, as the operator wrote it.
        file: PathBuf,
        /// The number of its format.
        format: u64,
        /// The newest format that this server reads.
        known: u64,
    },
    /// The database of the source or of the target failed.
    #[error("{place}: {error}; repeat the command")]
    Store {
        /// The source or the target, without its password.
        place: String,
        /// The error of that database.
        error: StoreError,
    },
}

/// The first table in which two ends differ, with a description of both.
pub(super) fn difference(read: &[Total], written: &[Total]) -> Option<(Table, String, String)> {
    let of = |totals: &[Total], table| totals.iter().find(|total| total.table == table).cloned();
    let describe = |total: Option<Total>| {
        total.map_or_else(
            || "no rows".to_owned(),
            |total| format!("{} rows with the digest {}", total.rows, total.digest),
        )
    };
    Table::ALL.into_iter().find_map(|table| {
        let (read, written) = (of(read, table), of(written, table));
        (read != written).then(|| (table, describe(read), describe(written)))
    })
}
