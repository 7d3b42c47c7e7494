//! Writes the rows of a transfer into a new file.
//!
//! Until the transfer is complete, the file has another application id than a database of this server, so that no
//! server opens it, not even an older one; and a table `transfer` with the position that was reached.

use std::collections::HashSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use didww_types::REGISTRY;
use rusqlite::types::{ToSqlOutput, Value as SqlValue, ValueRef};
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, ToSql, Transaction, params};

use super::super::commits;
use super::super::error::failed;
use super::super::files::Files;
use super::super::indexing::{self, Duplicates};
use super::super::open::{self, APPLICATION_ID, TRANSFER_ID, unusable};
use super::super::opener::prepare;
use super::super::symbols::Symbols;
use super::source::{SqliteSource, store_error};
use super::statements::{DERIVE, inserts, select};
use crate::OpenError;
use crate::transfer::error::TransferError;
use crate::transfer::pages::Pages;
use crate::transfer::row::{Cell, Page, Row};
use crate::transfer::table::Table;
use crate::transfer::tally::{Mark, Total};

/// A new database in a file.
#[derive(Debug)]
pub(crate) struct SqliteTarget {
    /// Declared, and so closed, before the files.
    connection: Connection,
    path: PathBuf,
    symbols: Arc<Symbols>,
    /// The names of types and relationships in the rows so far, which all have a symbol.
    known: HashSet<String>,
    _files: Files,
}

impl SqliteTarget {
    /// Opens a file that does not exist or is empty, or the target of an interrupted transfer. Returns the position
    /// that the transfer reached.
    pub(crate) fn open(path: &Path) -> Result<(Self, Mark), TransferError> {
        let engine = |error| TransferError::from(unusable(path, error));
        let files = Files::open(path)?;
        let path = files.path().to_owned();
        let access = |error| OpenError::Access { file: path.clone(), error };
        if open::is_torn_first_page(&files, commits::read_note(&path)).map_err(access)? {
            files.database().set_len(0).map_err(access)?;
        }
        let is_new = files.length().map_err(access)? == 0;
        if !is_new {
            open::identify(&path, &path, true)?;
            refuse_filled(&path)?;
        }
        files.make_private();
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(&path, flags).map_err(engine)?;
        // Without a journal: if this process is killed meanwhile, a repetition does not find one, which it could not
        // read before it has identified the file.
        if is_new && let Err(error) = open::write_first_page(&connection, true) {
            drop(connection);
            let _is_emptied = files.database().set_len(0);
            return Err(engine(error));
        }
        connection
            .execute_batch(
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; \
                 PRAGMA temp_store = MEMORY; PRAGMA cache_size = -65536;",
            )
            .map_err(engine)?;
        let (symbols, duplicates) = open::declare(&mut connection, REGISTRY).map_err(engine)?;
        refuse(&path, duplicates)?;
        prepare(&connection);
        let mut target = Self { connection, path, symbols, known: HashSet::new(), _files: files };
        let mark = target.begin()?;
        Ok((target, mark))
    }

    /// Reads the position that a transfer reached, or begins one if the database is empty.
    fn begin(&mut self) -> Result<Mark, TransferError> {
        let path = self.path.clone();
        let stop = |error| store_error(&path, failed(error));
        let application: i32 =
            self.connection.pragma_query_value(None, "application_id", |row| row.get(0)).map_err(stop)?;
        let transaction = self.connection.transaction().map_err(stop)?;
        if application == TRANSFER_ID {
            return mark(&transaction).map_err(stop);
        }
        for table in Table::ALL {
            let is_filled = transaction.prepare(select(table)).and_then(|mut rows| rows.exists([]));
            if is_filled.map_err(stop)? {
                return Err(TransferError::NotEmpty { place: path.display().to_string(), table });
            }
        }
        transaction
            .execute_batch(
                "CREATE TABLE transfer (only_row INTEGER PRIMARY KEY CHECK (only_row = 1), name TEXT NOT NULL, \
                 rows INTEGER NOT NULL, digest TEXT NOT NULL, derived INTEGER NOT NULL) STRICT; \
                 INSERT INTO transfer VALUES (1, '', 0, '', 0);",
            )
            .and_then(|()| transaction.pragma_update(None, "application_id", TRANSFER_ID))
            .and_then(|()| transaction.commit())
            .map_err(stop)?;
        Ok(None)
    }

    /// Writes a page whose first row has this position, and where it ends, in one transaction.
    pub(crate) fn write(&mut self, page: &Page, position: u64, mark: &Total) -> Result<(), TransferError> {
        let Self { connection, path, known, .. } = self;
        let written = connection.transaction().and_then(|transaction| {
            intern(&transaction, known, page)?;
            let position = i64::try_from(position).unwrap_or(i64::MAX);
            for (position, row) in (position..).zip(&page.rows) {
                insert(&transaction, page.table, row, position)?;
            }
            let rows = i64::try_from(mark.rows).unwrap_or(i64::MAX);
            transaction
                .prepare_cached("UPDATE transfer SET name = ?1, rows = ?2, digest = ?3")?
                .execute(params![mark.table.name(), rows, mark.digest])?;
            transaction.commit()
        });
        written.map_err(|error| store_error(path, failed(error)))
    }

    /// Computes all rows that are derived from others. The index is built in batches, each of which records its
    /// progress.
    pub(crate) fn derive(&mut self) -> Result<(), TransferError> {
        let Self { connection, path, symbols, .. } = self;
        let derive = |transaction: Transaction<'_>| {
            let select = "SELECT derived FROM transfer";
            if !transaction.query_row(select, [], |row| row.get::<_, bool>(0))? {
                DERIVE.iter().try_for_each(|sql| transaction.execute(sql, []).map(|_| ()))?;
            }
            let unfinished = indexing::begin(&transaction, symbols)?;
            transaction.commit()?;
            Ok(unfinished)
        };
        let unfinished = connection.transaction().and_then(derive);
        let duplicates = unfinished.and_then(|unfinished| indexing::finish(connection, symbols, unfinished));
        refuse(path, duplicates.map_err(|error| store_error(path, failed(error)))?)
    }

    /// Reads the rows back, to compare them with the source.
    pub(crate) async fn pages(&self) -> Result<Pages, TransferError> {
        SqliteSource::of_target(&self.path).pages().await
    }

    /// Makes the file a database of this server. The commit count of another database that was at this path is removed:
    /// the next start would report those commits as missing.
    pub(crate) fn finish(mut self) -> Result<(), TransferError> {
        match std::fs::remove_file(commits::note_path(&self.path)) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(OpenError::Access { file: commits::note_path(&self.path), error }.into());
            }
            _ => {}
        }
        let finished = self.connection.transaction().and_then(|transaction| {
            transaction.execute_batch("DROP TABLE transfer")?;
            transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
            transaction.commit()
        });
        let folded =
            finished.and_then(|()| self.connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE);"));
        folded.map_err(|error| store_error(&self.path, failed(error)))
    }
}

/// Refuses a database that has an account before it is changed: opening it as a target would migrate the schema of an
/// older server.
fn refuse_filled(path: &Path) -> Result<(), TransferError> {
    let engine = |error| TransferError::from(unusable(path, error));
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(engine)?;
    let application: i32 =
        connection.pragma_query_value(None, "application_id", |row| row.get(0)).map_err(engine)?;
    if application != APPLICATION_ID {
        return Ok(());
    }
    let is_filled = connection.prepare("SELECT 1 FROM account").and_then(|mut rows| rows.exists([]));
    if is_filled.map_err(engine)? {
        let place = path.display().to_string();
        return Err(TransferError::NotEmpty { place, table: Table::Account });
    }
    Ok(())
}

fn refuse(path: &Path, duplicates: Option<Duplicates>) -> Result<(), TransferError> {
    duplicates.map_or(Ok(()), |Duplicates { attribute, values, records }| {
        Err(OpenError::Duplicates { file: path.to_owned(), attribute, values, records }.into())
    })
}

fn mark(connection: &Connection) -> rusqlite::Result<Mark> {
    let read = |row: &rusqlite::Row<'_>| {
        let name: String = row.get(0)?;
        let rows: i64 = row.get(1)?;
        let rows = u64::try_from(rows).unwrap_or_default();
        Ok(Table::named(&name).map(|table| (table, rows)).zip(row.get(2).ok()))
    };
    let found = connection.query_row("SELECT name, rows, digest FROM transfer", [], read).optional()?;
    Ok(found.flatten().map(|((table, rows), digest)| Total { table, rows, digest }))
}

/// Adds the symbols of names that this server does not declare: types and relationships of another release.
fn intern(connection: &Connection, known: &mut HashSet<String>, page: &Page) -> rusqlite::Result<()> {
    for name in page.rows.iter().filter_map(|row| row.symbol(page.table)) {
        if !known.contains(name) {
            connection
                .prepare_cached("INSERT INTO symbol (name) VALUES (?1) ON CONFLICT DO NOTHING")?
                .execute([name])?;
            known.insert(name.to_owned());
        }
    }
    Ok(())
}

fn insert(connection: &Connection, table: Table, row: &Row, position: i64) -> rusqlite::Result<()> {
    for sql in inserts(table) {
        let mut statement = connection.prepare_cached(sql)?;
        for (index, cell) in (1..).zip(&row.0) {
            statement.raw_bind_parameter(index, cell)?;
        }
        if statement.parameter_count() > row.0.len() {
            statement.raw_bind_parameter(row.0.len() + 1, position)?;
        }
        statement.raw_execute()?;
    }
    Ok(())
}

impl ToSql for Cell {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self {
            Self::Null => ToSqlOutput::Owned(SqlValue::Null),
            Self::Integer(number) => ToSqlOutput::from(*number),
            Self::Flag(flag) => ToSqlOutput::from(*flag),
            Self::Text(text) => ToSqlOutput::from(text.as_str()),
            Self::Id(id) => ToSqlOutput::Borrowed(ValueRef::Blob(id.as_bytes())),
            Self::Bytes(bytes) => ToSqlOutput::Borrowed(ValueRef::Blob(bytes)),
        })
    }
}
