//! Where the rows of a transfer come from.

use std::path::Path;

use super::backup::{BackupFile, BackupHead};
use super::error::TransferError;
use super::pages::Pages;
use super::place::Place;
use super::step::Report;
use crate::server_transfer::ServerSource;
use crate::sqlite::transfer::SqliteSource;

/// Where the rows of a transfer come from.
#[derive(Debug)]
pub struct Source(Inner);

#[derive(Debug)]
enum Inner {
    Sqlite(SqliteSource),
    Server(ServerSource),
    Backup(BackupFile),
}

impl Source {
    /// A database, which may be in use: what is read is one state of it, and a write is wholly in that or not at all.
    ///
    /// # Errors
    /// [`TransferError`] if there is none.
    pub fn database(place: &Place) -> Result<Self, TransferError> {
        Ok(Self(match place {
            Place::File(file) => Inner::Sqlite(SqliteSource::open(file)?),
            Place::Server(_) => Inner::Server(ServerSource::open(place)?),
        }))
    }

    /// A database that no server uses: nothing is written to it that the target would lack. A file is locked against servers
    /// as long as the source lives. On a server, the heartbeats of nodes tell.
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

    /// A backup. It is read completely, to find out whether it is intact.
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

    /// What wrote the source.
    pub(super) fn head(&self) -> BackupHead {
        match &self.0 {
            Inner::Sqlite(_) => BackupHead::of("sqlite", SqliteSource::SCHEMA),
            Inner::Server(source) => BackupHead::of("postgresql", source.schema()),
            Inner::Backup(backup) => backup.head().clone(),
        }
    }
}
