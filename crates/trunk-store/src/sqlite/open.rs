//! Opening a database: making a new one, bringing an old one up to date, refusing what is not ours.

use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use tokio::sync::watch;

use super::SqliteStore;
use super::accounts::SharedDirectory;
use super::claims;
use super::commits::{self, Commits, Count};
use super::files::{Files, beside};
use super::lane::Lane;
use super::log::Log;
use super::memory::Memory;
use super::scan::Source;
use super::symbols::Symbols;
use super::writer::{Writer, leave_log};
use crate::{StoreLimits, WriteHealth};
use service_base::clock::Clock;

/// Marks a database file as one of this server's.
const APPLICATION_ID: i32 = 0x5452_4e4b;

/// One file for each version of the schema; the number of the last is the version.
const MIGRATIONS: &[&str] = &[
    include_str!("migrations/0001_records.sql"),
    include_str!("migrations/0002_calls.sql"),
    include_str!("migrations/0003_webhooks.sql"),
    include_str!("migrations/0004_documents.sql"),
    include_str!("migrations/0005_backlog.sql"),
    include_str!("migrations/0006_flows.sql"),
    include_str!("migrations/0007_running_calls.sql"),
    include_str!("migrations/0008_claims.sql"),
    include_str!("migrations/0009_commits.sql"),
    include_str!("migrations/0010_quotas.sql"),
];

/// Connections kept open for reads by a key.
const READERS: usize = 4;

/// Says that no two threads are on a connection at once, so that the engine need not lock it.
const ALONE: OpenFlags = OpenFlags::SQLITE_OPEN_NO_MUTEX;

/// Why a database cannot be used. Nothing was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another process has it.
    #[error("the database {} is in use by another trunk-server; stop that one, or name another file with --database", file.display())]
    InUse {
        /// The database.
        file: PathBuf,
    },
    /// It is not a database of this server.
    #[error("the file {} is not a database of trunk-server ({why}); name another file with --database", file.display())]
    Foreign {
        /// The file.
        file: PathBuf,
        /// What it is instead.
        why: String,
    },
    /// It is this server's, and not whole.
    #[error("the database {} is damaged ({why}); put a copy of it in its place, or name another file with --database", file.display())]
    Damaged {
        /// The database.
        file: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A newer server made it.
    #[error(
        "the database {} has schema {schema}, and this trunk-server knows schemas up to {known}; \
         use the newer trunk-server that wrote it", file.display()
    )]
    Newer {
        /// The database.
        file: PathBuf,
        /// Its schema.
        schema: usize,
        /// The newest schema that this server knows.
        known: usize,
    },
    /// The file or its folder cannot be read or written.
    #[error("the database {} cannot be opened for reading and writing: {error}", file.display())]
    Access {
        /// The database.
        file: PathBuf,
        /// Why not.
        error: std::io::Error,
    },
    /// The engine failed.
    #[error("the database {} cannot be used: {error}", file.display())]
    Engine {
        /// The database.
        file: PathBuf,
        /// Why not.
        error: rusqlite::Error,
    },
}

impl SqliteStore {
    /// Opens the database in a file, or makes one there.
    ///
    /// # Errors
    /// [`OpenError`]; an existing file is then as it was.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        Self::open_with(path, StoreLimits::default())
    }

    /// The same, with other limits of what is read at once.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_with(path: &Path, limits: StoreLimits) -> Result<Self, OpenError> {
        let engine = |error| unusable(path, error);
        let access = |error| OpenError::Access { file: path.to_owned(), error };
        let mut files = Files::claim(path)?;
        let place = files.path().to_owned();
        let noted = commits::noted(&place);
        check_header(&files, noted, path)?;
        if files.length().map_err(access)? > 0 {
            identify(&place, path)?;
        }
        files.make_private();

        let mut writer =
            Connection::open_with_flags(&place, OpenFlags::SQLITE_OPEN_READ_WRITE | ALONE).map_err(engine)?;
        writer
            .execute_batch(
                // What one write of a group would take back is kept in memory, for it is no more than a few pages.
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; \
                 PRAGMA temp_store = MEMORY;",
            )
            .map_err(engine)?;
        migrate(&mut writer).map_err(engine)?;
        let symbols = Arc::new(intern(&mut writer).map_err(engine)?);
        claims::name_shared(&writer).map_err(engine)?;
        let directory = SharedDirectory::load(&writer).map_err(engine)?;
        let readers: Result<Vec<Connection>, _> = (0..READERS).map(|_| reader(&place)).collect();
        let readers = readers.map_err(engine)?;
        let scanning: Result<Vec<Source>, _> =
            (0..limits.reads.max(1)).map(|_| scanner(&place).map(Source::Own)).collect();
        let scanning = scanning.map_err(engine)?;

        let log = files.settle().map_err(access)?;
        let there = Count::of(&writer).map_err(engine)?;
        let missing = noted.and_then(|noted| commits::missing(noted, there));
        if let Some(missing) = missing {
            tracing::error!(
                database = %place.display(), commits = missing.commits, since = %missing.since, until = %missing.until,
                "acknowledged commits are missing from the database: its write-ahead log was damaged or is gone, or \
                 this is an older copy of it"
            );
        }
        let (health, clock) = (watch::Sender::new(WriteHealth::Writable), Clock::system());
        let commits = Commits::open(&place, there, clock.clone()).map_err(access)?;
        let log = Log::new(log, &writer).map_err(engine)?;
        prepare(&writer);
        let writer = Writer::new(writer, log, commits, files, health.clone(), clock);
        let lane = Lane::file(writer, readers).map_err(access)?;
        let store = Self::of(lane, scanning, limits, symbols, directory);
        Ok(Self { health, missing, ..store })
    }

    /// A new database in memory, gone when the store is dropped.
    ///
    /// # Errors
    /// [`OpenError::Engine`].
    pub fn in_memory() -> Result<Self, OpenError> {
        Self::in_memory_with(StoreLimits::default())
    }

    /// The same, with other limits of what is read at once.
    ///
    /// # Errors
    /// As [`in_memory`](Self::in_memory).
    pub fn in_memory_with(limits: StoreLimits) -> Result<Self, OpenError> {
        let engine = |error| OpenError::Engine { file: PathBuf::from(":memory:"), error };
        let mut connection = Connection::open_in_memory().map_err(engine)?;
        connection
            .execute_batch(
                "PRAGMA foreign_keys = ON; PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY; \
                 PRAGMA temp_store = MEMORY;",
            )
            .map_err(engine)?;
        migrate(&mut connection).map_err(engine)?;
        let symbols = Arc::new(intern(&mut connection).map_err(engine)?);
        prepare(&connection);
        let memory = Arc::new(Memory::new(connection));
        let lane = Lane::memory(Arc::clone(&memory));
        Ok(Self::of(lane, vec![Source::Shared(memory)], limits, symbols, SharedDirectory::default()))
    }
}

/// Says what the engine's error means for the file.
fn unusable(path: &Path, error: rusqlite::Error) -> OpenError {
    let file = path.to_owned();
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => OpenError::Foreign { file, why: error.to_string() },
        Some(ErrorCode::DatabaseCorrupt) => OpenError::Damaged { file, why: error.to_string() },
        _ => OpenError::Engine { file, error },
    }
}

/// Refuses a file in whose place the engine would make a new database, or which it would take for a whole one.
fn check_header(files: &Files, noted: Option<Count>, path: &Path) -> Result<(), OpenError> {
    let access = |error| OpenError::Access { file: path.to_owned(), error };
    let damaged = |why: &str| Err(OpenError::Damaged { file: path.to_owned(), why: why.to_owned() });
    let logged = std::fs::metadata(beside(files.path(), "-wal")).is_ok_and(|log| log.len() > 0);
    let length = files.length().map_err(access)?;
    let mut header = vec![0; usize::try_from(length).unwrap_or(usize::MAX).min(100)];
    files.database().read_exact_at(&mut header, 0).map_err(access)?;
    if header.is_empty() {
        let made = noted.map_or(0, |noted| noted.made);
        if logged {
            return damaged("it is empty, and its write-ahead log is not");
        } else if made > 0 && files.existed() {
            let note = commits::note_of(path);
            let why = format!(
                "it is empty, and {made} commits were in it; a new one needs {} gone",
                note.display()
            );
            return damaged(&why);
        }
        return Ok(());
    }
    if !header.starts_with(b"SQLite format 3\0") {
        let why = "no SQLite database".to_owned();
        return Err(OpenError::Foreign { file: path.to_owned(), why });
    }
    let (&[high, low], 100) = (header.get(16..18).unwrap_or_default(), header.len()) else {
        return damaged("its header is cut off");
    };
    // The size of a page; 1 stands for 65,536, which two bytes cannot hold.
    let page = match u64::from(high) << 8 | u64::from(low) {
        0 | 1 => 65_536,
        size => size,
    };
    // What a power cut left unfinished is in the log; without a log, nothing is unfinished.
    if !logged && !length.is_multiple_of(page) { damaged("its end is cut off") } else { Ok(()) }
}

/// Refuses a file that is another program's, damaged, or a newer server's.
///
/// It looks on a connection that cannot write: merely closing another kind could fold a log into the file.
fn identify(place: &Path, path: &Path) -> Result<(), OpenError> {
    let engine = |error| unusable(path, error);
    let connection = Connection::open_with_flags(place, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(engine)?;
    let number = |pragma: &str| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    let application = number("application_id").map_err(engine)?;
    let schema = number("user_version").map_err(engine)?;
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).map_err(engine)?;
    if application == 0 && schema == 0 && tables == 0 {
        // A server that was stopped while it made the file.
        return Ok(());
    }
    if application != i64::from(APPLICATION_ID) {
        let why = "another program's SQLite database".to_owned();
        return Err(OpenError::Foreign { file: path.to_owned(), why });
    }
    let schema = usize::try_from(schema).unwrap_or(usize::MAX);
    if schema > MIGRATIONS.len() {
        return Err(OpenError::Newer { file: path.to_owned(), schema, known: MIGRATIONS.len() });
    }
    Ok(())
}

/// In one transaction, for a new database has many names.
fn intern(connection: &mut Connection) -> rusqlite::Result<Symbols> {
    let transaction = connection.transaction()?;
    let symbols = Symbols::intern(&transaction)?;
    transaction.commit()?;
    Ok(symbols)
}

pub(super) fn migrate(connection: &mut Connection) -> rusqlite::Result<()> {
    let schema: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let pending = (1_i64..).zip(MIGRATIONS).filter(|(number, _)| *number > schema);
    for (number, migration) in pending {
        let transaction = connection.transaction()?;
        transaction.execute_batch(migration)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", number)?;
        transaction.commit()?;
    }
    Ok(())
}

fn reader(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | ALONE)?;
    connection.execute_batch("PRAGMA query_only = ON; PRAGMA mmap_size = 268435456;")?;
    leave_log(&connection);
    // Opens the log, so that reading goes on although the files are gone.
    connection.query_row("SELECT count(*) FROM symbol", [], |row| row.get::<_, i64>(0))?;
    prepare(&connection);
    Ok(connection)
}

/// A connection for reads that take long. What they sort does not depend on room on a disk.
fn scanner(path: &Path) -> rusqlite::Result<Connection> {
    let connection = reader(path)?;
    connection.execute_batch("PRAGMA temp_store = MEMORY;")?;
    Ok(connection)
}

/// Room for every statement that the store makes, so that none is compiled twice.
pub(super) fn prepare(connection: &Connection) {
    // A plan that depends on what is bound would be made anew each time something is. Without this there may be such
    // plans, which costs time and nothing else.
    let _kept = connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true);
    connection.set_prepared_statement_cache_capacity(128);
}
