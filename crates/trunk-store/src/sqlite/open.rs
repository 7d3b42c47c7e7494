//! Opens a database: creates a new one, migrates an older one, and refuses files that are not databases of this server.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use didww_types::{REGISTRY, ResourceSpec};
use rusqlite::backup::Backup;
use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, ffi};
use service_base::clock::Clock;
use tokio::sync::watch;

use super::accounts;
use super::claims;
use super::commits::{self, CommitCount, Commits};
use super::connections::Connections;
use super::files::{Files, with_suffix};
use super::indexing::{self, Duplicates};
use super::memory::SharedConnection;
use super::open_error::OpenError;
use super::opener::{NO_MUTEX, Opener, prepare, reader, scan_reader};
use super::readers::Readers;
use super::scan::Source;
use super::store::SqliteStore;
use super::symbols::{self, Symbols};
use super::wal::Wal;
use super::writer::Writer;
use crate::directory::SharedDirectory;
use crate::{StoreLimits, WriteHealth};

/// The `application_id` in the header of this server's databases: `TRNK`.
pub(super) const APPLICATION_ID: i32 = 0x5452_4e4b;

/// The `application_id` of a database to which a transfer was begun and that is not complete: `TRNM`.
pub(super) const TRANSFER_ID: i32 = 0x5452_4e4d;

/// The migrations, one for each version of the schema: the version of the schema is the number of the last one.
pub(super) const MIGRATIONS: &[&str] = &[
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
    include_str!("migrations/0011_indexed.sql"),
    include_str!("migrations/0012_jobs.sql"),
    include_str!("migrations/0013_call_ids.sql"),
    include_str!("migrations/0014_idempotency.sql"),
    include_str!("migrations/0015_tokens.sql"),
    include_str!("migrations/0016_callback_secrets.sql"),
    include_str!("migrations/0017_key_digests.sql"),
    include_str!("migrations/0018_rewrite.sql"),
    include_str!("migrations/0019_call_id_column.sql"),
];

/// The tables and rows that the migrations create in an empty database. A new database is created with it, since
/// migrating an empty one takes five times as long. A test compares the two, and rewrites the file.
const SCHEMA: &str = include_str!("schema.sql");

/// The first schema without API keys in any table. Files of this schema and older ones are rewritten, because a rewrite
/// that was interrupted leaves this schema.
const FIRST_SCHEMA_WITHOUT_KEYS: usize = 17;

/// Bytes of the first page of a new database.
const FIRST_PAGE_BYTES: u64 = 4_096;

/// Maximum number of connections for reads by a key.
const READER_CONNECTIONS: usize = 4;

impl SqliteStore {
    /// Opens the database in a file, or creates one if the file does not exist, with the default limits.
    ///
    /// # Errors
    /// [`OpenError`]; an existing file is unchanged then.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        Self::open_with(path, StoreLimits::default())
    }

    /// Opens or creates a database in a file, with these limits.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_with(path: &Path, limits: StoreLimits) -> Result<Self, OpenError> {
        let engine = |error| unusable(path, error);
        let access = |error| OpenError::Access { file: path.to_owned(), error };
        let mut files = Files::open(path)?;
        let canonical = files.path().to_owned();
        let noted = commits::read_note(&canonical);
        if is_torn_first_page(&files, noted).map_err(access)? {
            files.database().set_len(0).map_err(access)?;
        }
        check_header(&files, noted, path)?;
        let is_new = files.length().map_err(access)? == 0;
        if !is_new {
            identify(&canonical, path, false)?;
            if files.length().map_err(access)? <= FIRST_PAGE_BYTES {
                // The first page alone: its server may have been killed before it was flushed.
                files.database().sync_data().map_err(access)?;
            }
        }
        files.make_private();

        let mut writer =
            Connection::open_with_flags(&canonical, OpenFlags::SQLITE_OPEN_READ_WRITE | NO_MUTEX)
                .map_err(engine)?;
        let abandon = |writer: Connection, error: rusqlite::Error| {
            drop(writer);
            // The next start then finds an empty file. If this fails too, it says what the file is.
            let _is_emptied = files.database().set_len(0);
            Err(engine(error))
        };
        if is_new && let Err(error) = write_first_page(&writer, false) {
            return abandon(writer, error);
        }
        writer
            .execute_batch(
                // The temporary store holds the undo journal of one write of a group: a few pages, which fit in memory.
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; \
                 PRAGMA temp_store = MEMORY;",
            )
            .map_err(engine)?;
        let declared = if is_new {
            declare_unflushed(&mut writer, files.database())
        } else {
            declare(&mut writer, REGISTRY)
        };
        let (symbols, found) = match declared {
            Err(error) if is_failed_flush(&error) && is_new => return abandon(writer, error),
            declared => declared.map_err(engine)?,
        };
        if let Some(Duplicates { attribute, values, records }) = found {
            return Err(OpenError::Duplicates { file: path.to_owned(), attribute, values, records });
        }
        claims::log_shared(&writer).map_err(engine)?;
        let directory = SharedDirectory::new(accounts::load(&writer).map_err(engine)?);

        let log = files.watch_companions().map_err(access)?;
        let opener = Arc::new(Opener::new(canonical.clone(), files.watched()));
        let first = reader(&canonical).map_err(engine)?;
        let sources = sources(&canonical, &opener, limits).map_err(engine)?;
        let readers = Readers::new(first, READER_CONNECTIONS, opener);
        let stored = CommitCount::of(&writer).map_err(engine)?;
        let missing = noted.and_then(|noted| commits::missing(noted, stored));
        if let Some(missing) = missing {
            tracing::error!(
                database = %canonical.display(), commits = missing.commits, since = %missing.since, until = %missing.until,
                "acknowledged commits are missing from the database: its write-ahead log was damaged or deleted, or \
                 the file is an older copy"
            );
        }
        let (health, clock) = (watch::Sender::new(WriteHealth::Writable), Clock::system());
        let commits = Commits::open(&canonical, stored, clock.clone()).map_err(access)?;
        let wal = Wal::new(log, &writer, is_new).map_err(engine)?;
        prepare(&writer);
        let writer = Writer::new(writer, wal, commits, files, health.clone(), clock);
        let connections = Connections::file(writer, readers).map_err(access)?;
        let mut store = Self::new(connections, sources, limits, symbols, directory);
        (store.health, store.missing) = (health, missing);
        Ok(store)
    }

    /// Creates a database in memory, which is deleted when the store is dropped, with the default limits.
    ///
    /// # Errors
    /// [`OpenError::Engine`].
    pub fn in_memory() -> Result<Self, OpenError> {
        Self::in_memory_with(StoreLimits::default())
    }

    /// Creates a database in memory, with these limits.
    ///
    /// # Errors
    /// As [`in_memory`](Self::in_memory).
    pub fn in_memory_with(limits: StoreLimits) -> Result<Self, OpenError> {
        Self::in_memory_of(REGISTRY, limits)
    }

    /// Creates a database in memory that keeps records of these types, which may be other ones than those of DIDWW.
    ///
    /// # Errors
    /// As [`in_memory`](Self::in_memory).
    pub fn in_memory_of(
        registry: &'static [&'static ResourceSpec],
        limits: StoreLimits,
    ) -> Result<Self, OpenError> {
        let engine = |error| OpenError::Engine { file: PathBuf::from(":memory:"), error };
        let is_default = std::ptr::eq(registry, REGISTRY);
        let connection = if is_default { copy_of_empty() } else { Connection::open_in_memory() };
        let mut connection = connection.map_err(engine)?;
        connection
            .execute_batch(
                "PRAGMA foreign_keys = ON; PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY; \
                 PRAGMA temp_store = MEMORY;",
            )
            .map_err(engine)?;
        let (symbols, _none_without_records) = declare(&mut connection, registry).map_err(engine)?;
        prepare(&connection);
        let memory = Arc::new(SharedConnection::new(connection));
        let connections = Connections::memory(Arc::clone(&memory));
        Ok(Self::new(connections, vec![Source::Shared(memory)], limits, symbols, SharedDirectory::default()))
    }
}

/// Returns a database in memory without records: for the first caller in a process an empty one, which [`declare`]
/// fills, as it does for a server that has no other; for all further ones a copy of one that is created once. Copying
/// its pages takes a tenth of the time of creating them, and a suite of tests may start a server for each test.
fn copy_of_empty() -> rusqlite::Result<Connection> {
    static IS_FIRST: AtomicBool = AtomicBool::new(true);
    static EMPTY: Mutex<Option<Connection>> = Mutex::new(None);
    if IS_FIRST.swap(false, Ordering::Relaxed) {
        return Connection::open_in_memory();
    }
    let mut empty = EMPTY.lock().unwrap_or_else(PoisonError::into_inner);
    let empty = if let Some(empty) = &mut *empty {
        empty
    } else {
        let mut made = Connection::open_in_memory()?;
        declare(&mut made, REGISTRY)?;
        empty.insert(made)
    };
    let mut copy = Connection::open_in_memory()?;
    // All pages in one step.
    Backup::new(empty, &mut copy)?.step(-1)?;
    Ok(copy)
}

/// Writes the first page of an empty file, which says that the database has a write-ahead log, and flushes it unless
/// the caller does. In the other modes the engine would first write a journal from which the empty file can be
/// restored: three more flushes and a file that is deleted again, on a start that is all flushes, for a page that says
/// nothing else. Everything after it is written through the log, once the page is flushed.
pub(super) fn write_first_page(writer: &Connection, flushes: bool) -> rusqlite::Result<()> {
    writer.execute_batch(if flushes { "PRAGMA synchronous = FULL;" } else { "PRAGMA synchronous = OFF;" })?;
    writer.execute_batch("PRAGMA journal_mode = MEMORY; PRAGMA journal_mode = WAL;")
}

/// Converts an error of the engine, which may mean that the file is not a database or is damaged.
pub(super) fn unusable(path: &Path, error: rusqlite::Error) -> OpenError {
    let file = path.to_owned();
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => OpenError::Foreign { file, why: error.to_string() },
        Some(ErrorCode::DatabaseCorrupt) => OpenError::Damaged { file, why: error.to_string() },
        _ => OpenError::Engine { file, error },
    }
}

/// Whether a file is what a power cut may leave of the first page of a new database that was written and not flushed
/// yet: some of its sectors, and nothing or zeros in place of the others. Nothing is stored in such a file.
pub(super) fn is_torn_first_page(files: &Files, noted: Option<CommitCount>) -> std::io::Result<bool> {
    let length = files.length()?;
    if !(1..=FIRST_PAGE_BYTES).contains(&length)
        || noted.is_some_and(|noted| noted.made > 0)
        || has_log(files)
    {
        return Ok(false);
    }
    let mut bytes = vec![0_u8; usize::try_from(length).unwrap_or_default()];
    files.database().read_exact_at(&mut bytes, 0)?;
    let is_zero = |bytes: &[u8]| bytes.iter().all(|byte| *byte == 0);
    // Of a database without tables, all that is not zero is in the first sector: the header, and that of a leaf of the
    // schema that has no cells. A page that is complete needs no care.
    let is_without_tables = |(header, rest): (&[u8], &[u8])| {
        header.starts_with(b"SQLite format 3\0")
            // `user_version` and `application_id`.
            && header.get(60..64).is_some_and(is_zero)
            && header.get(68..72).is_some_and(is_zero)
            && header.get(100..105) == Some(&[13, 0, 0, 0, 0][..])
            && is_zero(rest)
    };
    let is_begun = length < FIRST_PAGE_BYTES && bytes.split_at_checked(108).is_some_and(is_without_tables);
    Ok(is_zero(&bytes) || is_begun)
}

/// Whether the write-ahead log has any bytes.
fn has_log(files: &Files) -> bool {
    std::fs::metadata(with_suffix(files.path(), "-wal")).is_ok_and(|log| log.len() > 0)
}

/// Refuses an empty or truncated file, which the engine would replace by a new database or take for a complete one.
fn check_header(files: &Files, noted: Option<CommitCount>, path: &Path) -> Result<(), OpenError> {
    let access = |error| OpenError::Access { file: path.to_owned(), error };
    let damaged = |why: &str| Err(OpenError::Damaged { file: path.to_owned(), why: why.to_owned() });
    let logged = has_log(files);
    let length = files.length().map_err(access)?;
    let mut header = vec![0; usize::try_from(length).unwrap_or(usize::MAX).min(100)];
    files.database().read_exact_at(&mut header, 0).map_err(access)?;
    if header.is_empty() {
        let made = noted.map_or(0, |noted| noted.made);
        if logged {
            return damaged("it is empty, and its write-ahead log is not");
        } else if made > 0 && files.existed() {
            let note = commits::note_path(path);
            let why = format!(
                "it is empty, and {made} commits were in it; to start with a new one, delete {}",
                note.display()
            );
            return damaged(&why);
        }
        return Ok(());
    }
    if !header.starts_with(b"SQLite format 3\0") {
        let why = "not an SQLite database".to_owned();
        return Err(OpenError::Foreign { file: path.to_owned(), why });
    }
    let (&[high, low], 100) = (header.get(16..18).unwrap_or_default(), header.len()) else {
        return damaged("its header is truncated");
    };
    // The page size in bytes. 1 means 65,536, which does not fit in two bytes.
    let page_bytes = match u64::from(high) << 8 | u64::from(low) {
        0 | 1 => 65_536,
        size => size,
    };
    // After a power cut during a checkpoint the file may be incomplete, and the log completes it. Without a log, there
    // was no such checkpoint.
    if !logged && !length.is_multiple_of(page_bytes) { damaged("its end is truncated") } else { Ok(()) }
}

/// Refuses a database of another program or of a newer server, and a damaged one. The target of an unfinished transfer
/// is accepted only to continue that transfer.
///
/// The connection is read-only, because merely closing a writable one could checkpoint a log into the file.
pub(super) fn identify(canonical: &Path, path: &Path, is_target: bool) -> Result<(), OpenError> {
    let engine = |error| unusable(path, error);
    let connection =
        Connection::open_with_flags(canonical, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(engine)?;
    let number = |pragma: &str| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    let application = number("application_id").map_err(engine)?;
    let schema = number("user_version").map_err(engine)?;
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).map_err(engine)?;
    if application == 0 && schema == 0 && tables == 0 {
        // A server was stopped while it was creating the file.
        return Ok(());
    }
    if application == i64::from(TRANSFER_ID) && !is_target {
        return Err(OpenError::Unfinished { file: path.to_owned() });
    }
    if application != i64::from(APPLICATION_ID) && application != i64::from(TRANSFER_ID) {
        let why = "another program's SQLite database".to_owned();
        return Err(OpenError::Foreign { file: path.to_owned(), why });
    }
    let schema = usize::try_from(schema).unwrap_or(usize::MAX);
    if schema > MIGRATIONS.len() {
        return Err(OpenError::Newer { file: path.to_owned(), schema, known: MIGRATIONS.len() });
    }
    Ok(())
}

/// The symbols, and duplicates of an attribute that became unique.
type Declared = (Arc<Symbols>, Option<Duplicates>);

/// Brings the schema, the symbols and the index in line with this server's, in one transaction as far as no stored
/// record is involved. Returns the symbols, and duplicates of an attribute that became unique.
pub(super) fn declare(
    connection: &mut Connection,
    registry: &'static [&'static ResourceSpec],
) -> rusqlite::Result<Declared> {
    declare_once(connection, registry, || Ok(()))
}

/// As [`declare`], and commits once `may_commit` has returned.
fn declare_once(
    connection: &mut Connection,
    registry: &'static [&'static ResourceSpec],
    may_commit: impl FnOnce() -> rusqlite::Result<()>,
) -> rusqlite::Result<Declared> {
    let transaction = migrate(connection)?;
    let symbols = symbols::intern(&transaction, registry)?;
    let unfinished = indexing::begin(&transaction, &symbols)?;
    may_commit()?;
    transaction.commit()?;
    let duplicates = indexing::finish(connection, &symbols, unfinished)?;
    Ok((Arc::new(symbols), duplicates))
}

/// As [`declare`], for a new database whose first page is written, and without a flush of the log: the flush of the
/// first commit after it is one of the whole log, and nothing is answered before that one. After a power cut in
/// between, the next start finds an empty database, as this one did.
///
/// The first page is flushed while the schema is made in memory. It is flushed before anything is in the log: behind a
/// page that a power cut may take, the log would be lost too.
fn declare_unflushed(writer: &mut Connection, database: &File) -> rusqlite::Result<Declared> {
    writer.execute_batch("PRAGMA synchronous = OFF;")?;
    let flush = || database.sync_data();
    let declared = std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("store-flush".to_owned()).spawn_scoped(scope, flush);
        let flushed = move || match thread {
            Ok(thread) => thread.join().unwrap_or_else(|_| Err(std::io::Error::other("the flush panicked"))),
            Err(_no_thread) => flush(),
        };
        declare_once(writer, REGISTRY, || flushed().map_err(|error| failed_flush(&error)))
    })?;
    writer.execute_batch("PRAGMA synchronous = FULL;")?;
    Ok(declared)
}

/// The engine's error for a flush of the database that failed.
fn failed_flush(error: &std::io::Error) -> rusqlite::Error {
    let code = ffi::Error::new(ffi::SQLITE_IOERR_FSYNC);
    rusqlite::Error::SqliteFailure(code, Some(format!("its first page could not be flushed: {error}")))
}

fn is_failed_flush(error: &rusqlite::Error) -> bool {
    error.sqlite_error().is_some_and(|error| error.extended_code == ffi::SQLITE_IOERR_FSYNC)
}

/// Brings the schema up to date. Returns the transaction, so that the caller's changes become durable with it.
/// Migrations are applied in one transaction: one that fails leaves the database as it was. A file of a server that
/// stored API keys in clear text is rewritten once, which needs as much free space as the file has, beside it and in
/// the folder for temporary files: deleted text remains in a file's free pages until they are used again. If the
/// rewriting is interrupted, the next start repeats it.
pub(super) fn migrate(connection: &mut Connection) -> rusqlite::Result<Transaction<'_>> {
    let mut schema = schema(connection)?;
    if schema == 0 {
        let transaction = connection.transaction()?;
        transaction.execute_batch(SCHEMA)?;
        mark(&transaction, MIGRATIONS.len())?;
        return Ok(transaction);
    }
    if schema <= FIRST_SCHEMA_WITHOUT_KEYS {
        apply(connection, schema, FIRST_SCHEMA_WITHOUT_KEYS)?.commit()?;
        rewrite(connection)?;
        schema = FIRST_SCHEMA_WITHOUT_KEYS;
    }
    apply(connection, schema, MIGRATIONS.len())
}

/// Rewrites the file and empties its log, so that nothing that was deleted remains in them.
fn rewrite(connection: &Connection) -> rusqlite::Result<()> {
    tracing::info!("the database is rewritten once, so that no API key remains in it");
    // The copy of the file may not fit in memory, unlike the usual temporary data.
    connection.execute_batch("PRAGMA temp_store = FILE; VACUUM; PRAGMA temp_store = MEMORY;")?;
    // The write-ahead log has pages with keys too.
    let is_busy: bool = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    if is_busy {
        let why =
            "another program reads the database, so that its log cannot be emptied; stop it and start again";
        let code = ffi::Error::new(ffi::SQLITE_BUSY);
        return Err(rusqlite::Error::SqliteFailure(code, Some(why.to_owned())));
    }
    Ok(())
}

fn schema(connection: &Connection) -> rusqlite::Result<usize> {
    let schema = connection.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0))?;
    Ok(usize::try_from(schema).unwrap_or(usize::MAX))
}

/// Applies the migrations from one schema to another in a transaction, which is returned.
fn apply(connection: &mut Connection, from: usize, to: usize) -> rusqlite::Result<Transaction<'_>> {
    let transaction = connection.transaction()?;
    if from < to {
        for migration in MIGRATIONS.iter().take(to).skip(from) {
            transaction.execute_batch(migration)?;
        }
        mark(&transaction, to)?;
    }
    Ok(transaction)
}

/// Marks the database as one of this server with this schema.
fn mark(transaction: &Transaction<'_>, schema: usize) -> rusqlite::Result<()> {
    transaction.pragma_update(None, "user_version", i64::try_from(schema).unwrap_or(i64::MAX))?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)
}

/// The connections of the threads for long reads: the last one, which is used first, is open.
fn sources(path: &Path, opener: &Arc<Opener>, limits: StoreLimits) -> rusqlite::Result<Vec<Source>> {
    let mut sources: Vec<Source> =
        (1..limits.running).map(|_| Source::Unopened(Arc::clone(opener))).collect();
    sources.push(Source::Own(scan_reader(path)?));
    Ok(sources)
}
