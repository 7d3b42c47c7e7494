//! Opens the connections for reads: one of each kind with the database, and further ones when they are first needed.
//! Each uses some hundred kilobytes of memory, and few servers ever need all of them.
//!
//! A further connection is opened only while every file is at its path, which is checked before and after: otherwise it
//! would read another file, or create a new log. If a file is missing, reads use the connections that are open.

use std::path::{Path, PathBuf};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::files::Watched;
use super::mapping::map;
use super::writer::disable_checkpoint_on_close;

/// No two threads use a connection at the same time, so the engine need not lock it.
pub(super) const NO_MUTEX: OpenFlags = OpenFlags::SQLITE_OPEN_NO_MUTEX;

/// Opens further connections to an open database.
#[derive(Debug)]
pub(super) struct Opener {
    path: PathBuf,
    watched: Watched,
}

impl Opener {
    /// An opener for the database at a canonical path, whose files all exist.
    pub(super) fn new(path: PathBuf, watched: Watched) -> Self {
        Self { path, watched }
    }

    /// Opens a connection for reads by a key; `None` if it cannot be opened.
    pub(super) fn reader(&self) -> Option<Connection> {
        self.open(reader)
    }

    /// Opens a connection for long reads; `None` if it cannot be opened.
    pub(super) fn scan_reader(&self) -> Option<Connection> {
        self.open(scan_reader)
    }

    fn open(&self, open: fn(&Path) -> rusqlite::Result<Connection>) -> Option<Connection> {
        let opened = self.watched.check().and_then(|()| open(&self.path).map_err(|error| error.to_string()));
        match opened.and_then(|connection| self.watched.check().map(|()| connection)) {
            Ok(connection) => Some(connection),
            Err(why) => {
                tracing::debug!(why, "no further connection for reads can be opened");
                None
            }
        }
    }
}

/// Opens a connection for reads by a key.
pub(super) fn reader(path: &Path) -> rusqlite::Result<Connection> {
    let connection = read_only(path)?;
    // Pages of the file are read where it is mapped. The cache, of 512 KiB, contains only pages of the log, and each
    // commit empties it.
    connection.execute_batch("PRAGMA cache_size = -512;")?;
    Ok(connection)
}

/// Opens a connection for long reads, which sort in memory and so need no space on a disk. Its thread calls
/// [`size_scan_cache`] when it starts.
pub(super) fn scan_reader(path: &Path) -> rusqlite::Result<Connection> {
    let connection = read_only(path)?;
    connection.execute_batch("PRAGMA temp_store = MEMORY;")?;
    Ok(connection)
}

/// Sets the size of the page cache of a connection for long reads. The engine parses the schema for it, so a start, in
/// which nothing may be read with the connection, leaves it out. If it fails, the first read of the schema fails too.
pub(super) fn size_scan_cache(connection: &Connection) {
    if let Err(error) = connection.execute_batch("PRAGMA cache_size = -1024;") {
        tracing::debug!(%error, "the page cache of a connection for long reads has the engine's size");
    }
}

/// Opens a connection that reads, without parsing the schema, which takes longer than everything else here.
fn read_only(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | NO_MUTEX)?;
    connection.execute_batch("PRAGMA query_only = ON;")?;
    map(&connection)?;
    disable_checkpoint_on_close(&connection);
    // The first read opens the log, so that later reads succeed even if the files are deleted.
    connection.pragma_query_value(None, "schema_version", |row| row.get::<_, i64>(0))?;
    prepare(&connection);
    Ok(connection)
}

/// Makes room in the cache for every statement of the store, so that none is compiled twice.
pub(super) fn prepare(connection: &Connection) {
    // With stable query plans, a statement is not compiled again for other parameters. If the setting fails, statements
    // may be, which only costs time.
    let _is_set = connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true);
    connection.set_prepared_statement_cache_capacity(192);
}

#[cfg(test)]
mod tests {
    use super::super::SqliteStore;
    use super::super::files::Files;
    use super::*;

    #[test]
    fn a_connection_for_long_reads_is_opened_without_the_schema() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("one.db");
        let made = Connection::open(&path).unwrap();
        // The engine refuses this schema when it parses it.
        made.execute_batch(
            "PRAGMA journal_mode = WAL; CREATE TABLE t (a); PRAGMA writable_schema = ON; \
             UPDATE sqlite_schema SET sql = 'CREATE nothing';",
        )
        .unwrap();
        assert!(reader(&path).is_err());
        let connection = scan_reader(&path).unwrap();
        assert!(connection.query_row("SELECT count(*) FROM t", [], |row| row.get::<_, i64>(0)).is_err());
    }

    #[test]
    fn no_further_connection_is_opened_while_a_file_is_not_at_its_path() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("one.db");
        drop(SqliteStore::open(&path).unwrap());
        // It keeps the log and the shared memory at their paths.
        let held = Connection::open(&path).unwrap();
        held.query_row("SELECT count(*) FROM record", [], |row| row.get::<_, i64>(0)).unwrap();
        let mut files = Files::open(&path).unwrap();
        files.watch_companions().unwrap();
        let opener = Opener::new(files.path().to_owned(), files.watched());
        assert!(opener.reader().is_some() && opener.scan_reader().is_some());
        let log = folder.path().join("one.db-wal");
        let aside = folder.path().join("aside");
        std::fs::rename(&log, &aside).unwrap();
        assert!(opener.reader().is_none() && opener.scan_reader().is_none());
        assert!(!log.exists(), "no new log was made");
        std::fs::rename(&aside, &log).unwrap();
        assert!(opener.reader().is_some());
        drop(held);
    }
}
