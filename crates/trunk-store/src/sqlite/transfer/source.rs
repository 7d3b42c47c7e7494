//! Reads a database in a file, also while a server writes it: in one read transaction, which sees one state, on a
//! connection that cannot write. The write-ahead log cannot restart meanwhile, and grows with each write of the server.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags, Row as SqlRow};
use uuid::Uuid;

use super::super::error::failed;
use super::super::files::Files;
use super::super::open::{APPLICATION_ID, MIGRATIONS, TRANSFER_ID, unusable};
use super::statements::select;
use crate::transfer::error::TransferError;
use crate::transfer::pages::{PageSender, Pages, pages};
use crate::transfer::row::{Cell, Row};
use crate::transfer::table::{Column, Kind, Table};
use crate::{OpenError, StoreError};

/// A database in a file.
#[derive(Debug)]
pub(crate) struct SqliteSource {
    path: PathBuf,
    is_target: bool,
    /// Keeps servers from opening it.
    _files: Option<Files>,
}

/// Why reading ended.
enum Stop {
    /// The reader of the pages has ended.
    Unread,
    Failed(TransferError),
}

impl SqliteSource {
    /// The version of the schema.
    #[expect(clippy::cast_possible_wrap, reason = "there are few migrations")]
    pub(crate) const SCHEMA: i64 = MIGRATIONS.len() as i64;

    pub(crate) fn open(path: &Path) -> Result<Self, TransferError> {
        if !path.exists() {
            return Err(TransferError::Missing { file: path.to_owned() });
        }
        let path = path.canonicalize().map_err(|error| OpenError::Access { file: path.to_owned(), error })?;
        Ok(Self { path, is_target: false, _files: None })
    }

    /// As [`open`](Self::open), and locks it against servers.
    pub(crate) fn open_locked(path: &Path) -> Result<Self, TransferError> {
        let source = Self::open(path)?;
        Ok(Self { _files: Some(Files::open(path)?), ..source })
    }

    /// The target of a transfer, which is read back.
    pub(super) fn of_target(path: &Path) -> Self {
        Self { path: path.to_owned(), is_target: true, _files: None }
    }

    /// Reads the rows, on a thread of their own.
    pub(crate) async fn pages(&self) -> Result<Pages, TransferError> {
        let (mut sender, pages) = pages(self.path.display().to_string());
        let (path, is_target) = (self.path.clone(), self.is_target);
        let runtime = tokio::runtime::Handle::current();
        tokio::task::spawn_blocking(move || {
            runtime.block_on(async {
                let outcome = match read(&path, is_target, &mut sender).await {
                    Ok(()) => Ok(()),
                    Err(Stop::Failed(error)) => Err(error),
                    Err(Stop::Unread) => return,
                };
                let _unread = sender.end(outcome).await;
            });
        });
        pages.begin().await
    }
}

async fn read(path: &Path, is_target: bool, sender: &mut PageSender) -> Result<(), Stop> {
    let open = |error| Stop::Failed(unusable(path, error).into());
    let stop = |error| Stop::Failed(store_error(path, failed(error)));
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(open)?;
    connection.execute_batch("PRAGMA query_only = ON; BEGIN").map_err(open)?;
    identify(&connection, path, is_target)?;
    let mut rows: u64 = 0;
    for table in Table::ALL {
        let count = format!("SELECT count(*) FROM ({})", select(table));
        let count: i64 = connection.query_row(&count, [], |row| row.get(0)).map_err(stop)?;
        rows += u64::try_from(count).unwrap_or_default();
    }
    sender.begin(rows).await.map_err(|_| Stop::Unread)?;
    for table in Table::ALL {
        let mut statement = connection.prepare(select(table)).map_err(stop)?;
        let mut rows = statement.query([]).map_err(stop)?;
        while let Some(row) = rows.next().map_err(stop)? {
            let row = self::row(table, row).map_err(stop)?;
            sender.add(table, row).await.map_err(|_| Stop::Unread)?;
        }
    }
    Ok(())
}

/// Refuses a database of another program or schema. The first read determines the state that the transaction sees.
fn identify(connection: &Connection, path: &Path, is_target: bool) -> Result<(), Stop> {
    let number = |pragma: &str| {
        let read = connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
        read.map_err(|error| Stop::Failed(unusable(path, error).into()))
    };
    let place = || path.display().to_string();
    let application = number("application_id")?;
    if application == i64::from(TRANSFER_ID) && !is_target {
        return Err(Stop::Failed(TransferError::Unfinished { place: place() }));
    }
    if application != i64::from(APPLICATION_ID) && application != i64::from(TRANSFER_ID) {
        let why = "another program's SQLite database".to_owned();
        return Err(Stop::Failed(OpenError::Foreign { file: path.to_owned(), why }.into()));
    }
    let (schema, known) = (number("user_version")?, SqliteSource::SCHEMA);
    if schema != known {
        return Err(Stop::Failed(TransferError::Schema { place: place(), schema, known }));
    }
    Ok(())
}

fn row(table: Table, row: &SqlRow<'_>) -> rusqlite::Result<Row> {
    let cell = |(index, column): (usize, &Column)| {
        let cell = match column.kind {
            Kind::Integer => row.get::<_, Option<i64>>(index)?.map(Cell::Integer),
            Kind::Flag => row.get::<_, Option<bool>>(index)?.map(Cell::Flag),
            Kind::Text => row.get::<_, Option<String>>(index)?.map(Cell::Text),
            Kind::Id => row.get::<_, Option<[u8; 16]>>(index)?.map(Uuid::from_bytes).map(Cell::Id),
            Kind::Bytes => row.get::<_, Option<Vec<u8>>>(index)?.map(Cell::Bytes),
        };
        Ok(cell.unwrap_or(Cell::Null))
    };
    table.columns().iter().enumerate().map(cell).collect::<Result<_, _>>().map(Row)
}

pub(super) fn store_error(path: &Path, error: StoreError) -> TransferError {
    TransferError::Store { place: path.display().to_string(), error }
}
