//! The source of a transfer: a database, or a backup file.

use std::path::Path;

use super::backup::{BackupFile, BackupHead};
use super::error::TransferError;
use super::pages::Pages;
use super::place::Place;
use super::step::Report;
use crate::server_transfer::ServerSource;
use crate::sqlite::transfer::SqliteSource;

/// The source of the rows of a transfer.
#[derive(Debug)]
pub struct Source(Inner);

#[derive(Debug)]
enum Inner {
    Sqlite(SqliteSource),
    Server(ServerSource),
    Backup(BackupFile),
}

impl Source {
    /// A database, which may be in use: the rows are those of one state, which contains each write completely or not at
    /// all.
    ///
    /// # Errors
    /// [`TransferError`] if there is none.
    pub fn database(place: &Place) -> Result<Self, TransferError> {
        Ok(Self(match place {
            Place::File(file) => Inner::Sqlite(SqliteSource::open(file)?),
            Place::Server(_) => Inner::Server(ServerSource::open(place)?),
        }))
    }

    /// A database that no server uses, so that no write is missing in the target. A file is locked against servers as
    /// long as the source exists. In a database on a server, no node may have a recent heartbeat.
    ///
    /// # Errors
    /// [`TransferError::InUse`], or as [`database`](Self::database).
    pub async fn idle_database(place: &Place) -> Result<Self, TransferError> {
        Ok(Self(match place {
            Place::File(file) => Inner::Sqlite(SqliteSource::open_locked(file)?),
            Place::Server(_) => {
                let source = ServerSource::open(place)?;
                source.refuse_running_nodes().await?;
                Inner::Server(source)
            }
        }))
    }

    /// A backup. It is read completely, to check that it is intact.
    ///
    /// # Errors
    /// [`TransferError::Damaged`], [`TransferError::Format`], or [`TransferError::File`].
    pub fn backup(file: &Path, report: Report<'_>) -> Result<Self, TransferError> {
        BackupFile::check(file, report).map(|backup| Self(Inner::Backup(backup)))
    }

    pub(super) async fn pages(&self) -> Result<Pages, TransferError> {
        match &self.0 {
            Inner::Sqlite(source) => source.pages().await,
            Inner::Server(source) => source.pages().await,
            Inner::Backup(backup) => backup.pages().await,
        }
    }

    /// The head of a backup of this source: the engine, its schema, and the server.
    pub(super) fn head(&self) -> BackupHead {
        match &self.0 {
            Inner::Sqlite(_) => BackupHead::of("sqlite", SqliteSource::SCHEMA),
            Inner::Server(source) => BackupHead::of("postgresql", source.schema()),
            Inner::Backup(backup) => backup.head().clone(),
        }
    }
}
