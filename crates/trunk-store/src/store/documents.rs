//! Reads of documents, the entities of the communication platform.

use uuid::Uuid;

use crate::answer::Answer;
use crate::document::{Aged, Document, DocumentKind, DocumentQuery, KeyedPage};

/// Reads documents. They are written by [`Writes::commit`](crate::Writes::commit).
pub trait Documents: Send + Sync + std::fmt::Debug {
    /// Returns a document by its id, even if it is deleted.
    fn document(&self, kind: DocumentKind, id: Uuid) -> Answer<'_, Option<Document>>;

    /// Returns the document with a unique key, even if it is deleted.
    fn document_by(
        &self,
        kind: DocumentKind,
        name: &'static str,
        value: String,
    ) -> Answer<'_, Option<Document>>;

    /// Returns documents, the newest first.
    fn documents(&self, query: DocumentQuery) -> Answer<'_, Vec<Document>>;

    /// Returns a page of the documents with an index key, the oldest first. Pages that each begin after the last
    /// document of the previous one repeat no document, and leave out none that was stored when the first page was
    /// read.
    fn documents_after(&self, page: KeyedPage) -> Answer<'_, Vec<Document>>;

    /// Counts the documents with an index key. Deleted documents have none.
    fn count_documents(&self, kind: DocumentKind, name: &'static str, value: String) -> Answer<'_, u64>;

    /// Returns documents that are not live, the oldest first: either deleted ones or those that are not deleted.
    fn aged_documents(&self, query: Aged) -> Answer<'_, Vec<Document>>;

    /// Returns when the newest document of any kind was created, in microseconds since 1970; zero if there is none.
    fn newest_document(&self) -> Answer<'_, i64>;
}
