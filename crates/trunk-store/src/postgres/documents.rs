//! Documents. A stub.

use uuid::Uuid;

use super::PostgresStore;
use super::failure::Done;
use super::transaction::Transaction;
use crate::{Aged, Answer, Document, DocumentKind, DocumentQuery, Documents, NewDocument, StoreError};

/// Creates a document, or replaces it and announces that
/// ([`Announcement::Document`](super::transaction::Announcement::Document)).
pub(super) async fn put(
    _transaction: &Transaction<'_>,
    _revision: Option<i64>,
    _document: &NewDocument,
) -> Done<()> {
    left_out()
}

/// Deletes a document if its revision matches; else nothing changes.
pub(super) async fn forget(
    _transaction: &Transaction<'_>,
    _kind: DocumentKind,
    _id: Uuid,
    _revision: i64,
) -> Done<()> {
    left_out()
}

/// Deletes all documents but those that a reset of everything leaves.
pub(super) async fn reset(_transaction: &Transaction<'_>) -> Done<()> {
    Ok(())
}

fn left_out<T>() -> Done<T> {
    Err(StoreError::Failed("this part is not written".to_owned()).into())
}

fn unwritten<'a, T>() -> Answer<'a, T> {
    Answer::ready(Err(StoreError::Failed("this part is not written".to_owned())))
}

impl Documents for PostgresStore {
    fn document(&self, _kind: DocumentKind, _id: Uuid) -> Answer<'_, Option<Document>> {
        unwritten()
    }

    fn document_by(
        &self,
        _kind: DocumentKind,
        _name: &'static str,
        _value: String,
    ) -> Answer<'_, Option<Document>> {
        unwritten()
    }

    fn documents(&self, _query: DocumentQuery) -> Answer<'_, Vec<Document>> {
        unwritten()
    }

    fn count_documents(&self, _kind: DocumentKind, _name: &'static str, _value: String) -> Answer<'_, u64> {
        unwritten()
    }

    fn aged_documents(&self, _query: Aged) -> Answer<'_, Vec<Document>> {
        unwritten()
    }

    fn newest_document(&self) -> Answer<'_, i64> {
        unwritten()
    }
}
