//! Opening a database: making a new one, bringing an old one up to date, refusing what is not ours.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};

use rusqlite::{Connection, OpenFlags};

use super::SqliteStore;
use super::accounts::Directory;
use super::lane::{Lane, Watch};
use super::symbols::Symbols;

/// Marks a database file as one of this server's.
const APPLICATION_ID: i32 = 0x5452_4e4b;

/// One file for each version of the schema; the number of the last is the version.
const MIGRATIONS: &[&str] =
    &[include_str!("migrations/0001_records.sql"), include_str!("migrations/0002_calls.sql")];

/// Connections kept open for reading.
const READERS: usize = 4;

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
        let engine = |error| OpenError::Engine { file: path.to_owned(), error };
        let access = |error| OpenError::Access { file: path.to_owned(), error };
        let lock = lock(path)?;
        // Made by hand so that nobody else can read the keys, not even for a moment.
        let file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path);
        let file = file.map_err(access)?;
        let new = file.metadata().map_err(access)?.len() == 0;
        if new {
            file.set_permissions(std::fs::Permissions::from_mode(0o600)).map_err(access)?;
        }
        drop(file);

        let mut writer =
            Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(engine)?;
        if !new {
            identify(&writer, path)?;
        }
        writer
            .execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;")
            .map_err(engine)?;
        migrate(&mut writer).map_err(engine)?;
        let symbols = Arc::new(Symbols::intern(&writer).map_err(engine)?);
        let directory = Directory::load(&writer).map_err(engine)?;
        let readers: Result<Vec<Connection>, _> = (0..READERS).map(|_| reader(path)).collect();
        let watch = Watch::default();
        let lane = Lane::file(writer, readers.map_err(engine)?, lock, Arc::clone(&watch)).map_err(access)?;
        Ok(Self { lane, symbols, directory: RwLock::new(directory), watch })
    }

    /// A new database in memory, gone when the store is dropped.
    ///
    /// # Errors
    /// [`OpenError::Engine`].
    pub fn in_memory() -> Result<Self, OpenError> {
        let engine = |error| OpenError::Engine { file: PathBuf::from(":memory:"), error };
        let mut connection = Connection::open_in_memory().map_err(engine)?;
        connection
            .execute_batch(
                "PRAGMA foreign_keys = ON; PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY;",
            )
            .map_err(engine)?;
        migrate(&mut connection).map_err(engine)?;
        let symbols = Arc::new(Symbols::intern(&connection).map_err(engine)?);
        prepare(&connection);
        let watch = Watch::default();
        let lane = Lane::memory(connection, Arc::clone(&watch));
        Ok(Self { lane, symbols, directory: RwLock::default(), watch })
    }
}

/// Two servers on one file would each believe their own memory of accounts.
fn lock(path: &Path) -> Result<File, OpenError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let file =
        OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(PathBuf::from(name));
    let file = file.map_err(|error| OpenError::Access { file: path.to_owned(), error })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse { file: path.to_owned() }),
        Err(TryLockError::Error(error)) => Err(OpenError::Access { file: path.to_owned(), error }),
    }
}

/// Refuses a file that is no database, another program's, damaged, or a newer server's.
fn identify(connection: &Connection, path: &Path) -> Result<(), OpenError> {
    let number = |pragma: &str| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    let foreign = |why: String| OpenError::Foreign { file: path.to_owned(), why };
    let application = number("application_id").map_err(|error| foreign(error.to_string()))?;
    let schema = number("user_version").map_err(|error| foreign(error.to_string()))?;
    let tables: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(|error| foreign(error.to_string()))?;
    if application == 0 && schema == 0 && tables == 0 {
        // A server that was stopped while it made the file.
        return Ok(());
    }
    if application != i64::from(APPLICATION_ID) {
        return Err(foreign("another program's SQLite database".to_owned()));
    }
    let schema = usize::try_from(schema).unwrap_or(usize::MAX);
    if schema > MIGRATIONS.len() {
        return Err(OpenError::Newer { file: path.to_owned(), schema, known: MIGRATIONS.len() });
    }
    Ok(())
}

fn migrate(connection: &mut Connection) -> rusqlite::Result<()> {
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
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    connection.execute_batch("PRAGMA query_only = ON; PRAGMA mmap_size = 268435456;")?;
    prepare(&connection);
    Ok(connection)
}

/// Room for every statement that the store makes, so that none is compiled twice.
pub(super) fn prepare(connection: &Connection) {
    connection.set_prepared_statement_cache_capacity(128);
}
