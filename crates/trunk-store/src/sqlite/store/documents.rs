//! Reads of documents, which run on the caller's thread: each reads a bounded number.

use uuid::Uuid;

use super::super::documents;
use super::SqliteStore;
use crate::{Aged, Answer, Document, DocumentKind, DocumentQuery, Documents, KeyedPage};

impl Documents for SqliteStore {
    fn document(&self, kind: DocumentKind, id: Uuid) -> Answer<'_, Option<Document>> {
        Answer::ready(self.connections.read(|connection| documents::find(connection, kind, id)))
    }

    fn document_by(
        &self,
        kind: DocumentKind,
        name: &'static str,
        value: String,
    ) -> Answer<'_, Option<Document>> {
        let found =
            self.connections.read(|connection| documents::find_unique(connection, kind, name, &value));
        Answer::ready(found)
    }

    fn documents(&self, query: DocumentQuery) -> Answer<'_, Vec<Document>> {
        Answer::ready(self.connections.read(|connection| documents::list(connection, &query)))
    }

    fn documents_after(&self, page: KeyedPage) -> Answer<'_, Vec<Document>> {
        Answer::ready(self.connections.read(|connection| documents::page(connection, &page)))
    }

    fn count_documents(&self, kind: DocumentKind, name: &'static str, value: String) -> Answer<'_, u64> {
        Answer::ready(self.connections.read(|connection| documents::count(connection, kind, name, &value)))
    }

    fn aged_documents(&self, query: Aged) -> Answer<'_, Vec<Document>> {
        Answer::ready(self.connections.read(|connection| documents::aged(connection, query)))
    }

    fn newest_document(&self) -> Answer<'_, i64> {
        Answer::ready(self.connections.read(documents::newest))
    }
}
