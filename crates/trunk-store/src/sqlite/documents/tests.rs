//! Which documents are old, what goes with one that is forgotten, and how the newest is found.

use crate::sqlite::plan::seeks;
use crate::{Change, SqliteStore, Store as _};

use super::*;

/// A document whose number is its id and the time when it was made.
fn document(kind: DocumentKind, number: u128) -> NewDocument {
    NewDocument {
        kind,
        id: Uuid::from_u128(number),
        customer: Uuid::nil(),
        created_at: i64::try_from(number).unwrap(),
        deleted: false,
        live: false,
        body: "{}".to_owned(),
        keyed: true,
        keys: vec![("key", number.to_string())],
        unique: vec![("unique", number.to_string())],
    }
}

fn call(number: u128) -> NewDocument {
    document(DocumentKind::Call, number)
}

async fn write(store: &SqliteStore, documents: impl IntoIterator<Item = NewDocument>) {
    let put = |document| Change::Put { revision: None, document: Box::new(document) };
    store.commit(documents.into_iter().map(put).collect()).await.unwrap();
}

fn forget(number: u128, revision: i64) -> Vec<Change> {
    vec![Change::Forget { kind: DocumentKind::Call, id: Uuid::from_u128(number), revision }]
}

async fn aged(store: &SqliteStore, deleted: bool, from: i64, before: i64, limit: u64) -> Vec<i64> {
    let query = Aged { kind: DocumentKind::Call, deleted, from, before, limit };
    store.aged_documents(query).await.unwrap().iter().map(|document| document.created_at).collect()
}

#[tokio::test]
async fn the_oldest_come_first_and_none_that_something_is_under_way_with() {
    let store = SqliteStore::in_memory().unwrap();
    let live = NewDocument { live: true, ..call(2) };
    let deleted = NewDocument { deleted: true, ..call(4) };
    write(&store, [call(5), call(1), live, call(3), deleted, document(DocumentKind::Flow, 6)]).await;
    assert_eq!(aged(&store, false, i64::MIN, 9, 9).await, [1, 3, 5]);
    assert_eq!(aged(&store, false, i64::MIN, 5, 9).await, [1, 3], "before is not at");
    assert_eq!(aged(&store, false, 3, 9, 9).await, [3, 5], "from is at");
    assert_eq!(aged(&store, false, i64::MIN, 9, 2).await, [1, 3]);
    assert_eq!(aged(&store, true, i64::MIN, 9, 9).await, [4]);
}

#[tokio::test]
async fn a_document_is_forgotten_with_its_keys_if_it_is_still_as_it_was_read() {
    let store = SqliteStore::in_memory().unwrap();
    write(&store, [call(1), call(2)]).await;
    let found = async |number: u128| {
        let id = store.document(DocumentKind::Call, Uuid::from_u128(number)).await.unwrap();
        let unique = store.document_by(DocumentKind::Call, "unique", number.to_string()).await.unwrap();
        let key = DocumentQuery::with(DocumentKind::Call, "key", number.to_string());
        let key = store.documents(key).await.unwrap();
        [id.is_some(), unique.is_some(), !key.is_empty()]
    };
    store.commit(forget(1, 1)).await.unwrap();
    assert_eq!(found(1).await, [true; 3], "it was never changed");
    store.commit(forget(1, 0)).await.unwrap();
    assert_eq!((found(1).await, found(2).await), ([false; 3], [true; 3]));
    store.commit(forget(1, 0)).await.unwrap();
    // Its unique key is free again.
    let heir = NewDocument { unique: vec![("unique", "1".to_owned())], ..call(3) };
    write(&store, [heir]).await;
    let heir = store.document_by(DocumentKind::Call, "unique", "1".to_owned()).await.unwrap();
    assert_eq!(heir.map(|heir| heir.created_at), Some(3));
}

#[tokio::test]
async fn the_newest_is_found_whatever_it_is() {
    let store = SqliteStore::in_memory().unwrap();
    assert_eq!(store.newest_document().await.unwrap(), 0);
    write(&store, [document(DocumentKind::Platform, 7)]).await;
    assert_eq!(store.newest_document().await.unwrap(), 7);
    write(&store, [call(8), NewDocument { deleted: true, ..call(9) }]).await;
    assert_eq!(store.newest_document().await.unwrap(), 9);
    write(&store, [document(DocumentKind::Flow, 10), NewDocument { live: true, ..call(11) }]).await;
    assert_eq!(store.newest_document().await.unwrap(), 11);
}

#[test]
fn neither_the_oldest_nor_the_newest_is_looked_for_among_all() {
    let store = SqliteStore::in_memory().unwrap();
    store
        .lane
        .read(|connection| {
            for (sql, index) in [
                (AGED, "document_list (kind=? AND deleted=? AND created_at>? AND created_at<?)"),
                (NEXT_KIND, "(kind>?)"),
                (NEWEST, "document_list (kind=? AND deleted=?)"),
            ] {
                seeks(connection, sql, index);
            }
            Ok(())
        })
        .unwrap();
}
