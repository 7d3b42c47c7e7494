//! Moves the contents of a database: to another engine, to a backup file, and from there into a new database.
//!
//! A source is one state of a database, or a backup. It yields logical rows ([`Table`]), a page at a time and always in
//! the same order, so that two ends can be compared by a digest for each table. A target is a new database. Each page
//! is written in one transaction, together with the position of its end and the digest of the table up to there; so an
//! interrupted transfer continues there, after it has checked that the source still begins with the same rows. Derived
//! rows (the index, counts, queues) are built by the target, from the declarations of this server. At the end the
//! target is read back and compared with the source. Until then no server opens it.
//!
//! The clocks, leases and heartbeats of nodes, the change feed and the counts of commits belong to one database, and
//! are not in a transfer.
//!
//! Bounds: `PAGE_ROWS` and `PAGE_BYTES` of a page, `PAGES_AHEAD` pages (`bounds`) that are read before they are
//! written.

mod backup;
pub(crate) mod bounds;
pub(crate) mod error;
pub(crate) mod pages;
pub(crate) mod place;
pub(crate) mod row;
mod source;
mod step;
pub(crate) mod table;
pub(crate) mod tally;
mod write_backup;

pub use backup::BackupHead;
pub use bounds::FORMAT;
pub use error::TransferError;
pub use place::{NoPlace, Place, without_password};
pub use source::Source;
pub use step::{Phase, Report, Step};
pub use table::Table;
pub use tally::Total;
pub use write_backup::write_backup;

use crate::server_transfer::ServerTarget;
use crate::sqlite::transfer::SqliteTarget;
use pages::Pages;
use row::Page;
use tally::{Mark, Tally};

/// The database to which a transfer writes.
#[derive(Debug)]
enum Target {
    Sqlite(Box<SqliteTarget>),
    Server(Box<ServerTarget>),
}

impl Target {
    /// Opens a new database, or the target of an interrupted transfer. Returns the position that the transfer reached.
    async fn open(place: &Place) -> Result<(Self, Mark), TransferError> {
        match place {
            Place::File(file) => {
                let (target, mark) = SqliteTarget::open(file)?;
                Ok((Self::Sqlite(Box::new(target)), mark))
            }
            Place::Server(_) => {
                let (target, mark) = ServerTarget::open(place).await?;
                Ok((Self::Server(Box::new(target)), mark))
            }
        }
    }

    /// Writes a page whose first row is the one at `position`, from 1, of its table.
    async fn write(&mut self, page: &Page, position: u64, mark: &Total) -> Result<(), TransferError> {
        match self {
            Self::Sqlite(target) => target.write(page, position, mark),
            Self::Server(target) => target.write(page, position, mark).await,
        }
    }

    /// Builds all rows that are derived from others, such as the index.
    async fn derive(&mut self) -> Result<(), TransferError> {
        match self {
            Self::Sqlite(target) => target.derive(),
            Self::Server(target) => target.derive().await,
        }
    }

    /// Reads the rows back, to compare them with the source.
    async fn pages(&self) -> Result<Pages, TransferError> {
        match self {
            Self::Sqlite(target) => target.pages().await,
            Self::Server(target) => target.pages().await,
        }
    }

    /// Makes the target a database that a server opens.
    async fn finish(self) -> Result<(), TransferError> {
        match self {
            Self::Sqlite(target) => target.finish(),
            Self::Server(target) => target.finish().await,
        }
    }
}

/// Writes all rows of a source into a new database, or continues an interrupted transfer, and compares the two. Returns
/// the totals of each table. A file is written on the caller's thread.
///
/// # Errors
/// [`TransferError`]. A target that was begun can then only be opened by repeating the transfer.
pub async fn transfer(
    source: &Source,
    target: &Place,
    report: Report<'_>,
) -> Result<Vec<Total>, TransferError> {
    let place = target;
    let (mut target, mark) = Target::open(place).await?;
    let mut pages = source.pages().await?;
    let (of, mut done) = (pages.rows(), 0);
    let mut tally = Tally::default();
    let mut resumption = Resumption(mark);
    report(Step { phase: Phase::Copy, done, of });
    while let Some(Page { table, rows }) = pages.next().await? {
        done += rows.len() as u64;
        let mut missing = Vec::with_capacity(rows.len());
        for row in rows {
            tally.add(table, &row);
            if !resumption.has(&tally, place)? {
                missing.push(row);
            }
        }
        if let Some(mark) = tally.mark().filter(|_| !missing.is_empty()) {
            let position = mark.rows + 1 - missing.len() as u64;
            target.write(&Page { table, rows: missing }, position, &mark).await?;
        }
        report(Step { phase: Phase::Copy, done, of });
        // A caller can stop the transfer between two pages, although a file is written on its thread.
        tokio::task::yield_now().await;
    }
    resumption.end(place)?;
    let read = tally.finish();

    report(Step { phase: Phase::Index, done: 0, of: 0 });
    target.derive().await?;

    let (mut pages, mut tally, mut done) = (target.pages().await?, Tally::default(), 0);
    while let Some(page) = pages.next().await? {
        tally.add_page(&page);
        done += page.rows.len() as u64;
        report(Step { phase: Phase::Verify, done, of });
    }
    let written = tally.finish();
    if let Some((table, read, written)) = error::difference(&read, &written) {
        return Err(TransferError::Differs { place: place.to_string(), table, read, written });
    }
    target.finish().await?;
    Ok(read)
}

/// Finds the rows that a target has already.
struct Resumption(Mark);

impl Resumption {
    /// Whether the target has the last row of the tally.
    fn has(&mut self, tally: &Tally, place: &Place) -> Result<bool, TransferError> {
        let Some(mark) = &self.0 else { return Ok(false) };
        let Some((table, rows)) = tally.place() else { return Ok(false) };
        if (table, rows) < (mark.table, mark.rows) {
            return Ok(true);
        }
        if tally.mark().as_ref() != Some(mark) {
            return Err(changed(mark, place));
        }
        self.0 = None;
        Ok(true)
    }

    /// Fails if the source has fewer rows than the target.
    fn end(self, place: &Place) -> Result<(), TransferError> {
        self.0.map_or(Ok(()), |mark| Err(changed(&mark, place)))
    }
}

fn changed(mark: &Total, place: &Place) -> TransferError {
    TransferError::SourceChanged { place: place.to_string(), table: mark.table, rows: mark.rows }
}
