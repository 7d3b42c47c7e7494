//! Queries for old documents, the deletion of documents with their keys, and the search for the newest document.

use super::*;
use crate::sqlite::open::declare;
use crate::sqlite::plan::assert_seeks;
use crate::{Change, Documents as _, SqliteStore, Writes as _};

/// A document whose id, time of creation and keys are this number.
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
async fn the_oldest_documents_come_first_and_live_ones_are_left_out() {
    let store = SqliteStore::in_memory().unwrap();
    let live = NewDocument { live: true, ..call(2) };
    let deleted = NewDocument { deleted: true, ..call(4) };
    write(&store, [call(5), call(1), live, call(3), deleted, document(DocumentKind::Flow, 6)]).await;
    assert_eq!(aged(&store, false, i64::MIN, 9, 9).await, [1, 3, 5]);
    assert_eq!(aged(&store, false, i64::MIN, 5, 9).await, [1, 3], "`before` is exclusive");
    assert_eq!(aged(&store, false, 3, 9, 9).await, [3, 5], "`from` is inclusive");
    assert_eq!(aged(&store, false, i64::MIN, 9, 2).await, [1, 3]);
    assert_eq!(aged(&store, true, i64::MIN, 9, 9).await, [4]);
}

#[tokio::test]
async fn a_document_is_deleted_with_its_keys_if_its_revision_matches() {
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
    assert_eq!(found(1).await, [true; 3], "it has another revision");
    store.commit(forget(1, 0)).await.unwrap();
    assert_eq!((found(1).await, found(2).await), ([false; 3], [true; 3]));
    store.commit(forget(1, 0)).await.unwrap();
    // Its unique key is available again.
    let successor = NewDocument { unique: vec![("unique", "1".to_owned())], ..call(3) };
    write(&store, [successor]).await;
    let found = store.document_by(DocumentKind::Call, "unique", "1".to_owned()).await.unwrap();
    assert_eq!(found.map(|found| found.created_at), Some(3));
}

#[test]
fn a_unique_key_that_is_taken_fails_before_anything_is_changed() {
    let mut connection = Connection::open_in_memory().unwrap();
    declare(&mut connection, didww_types::REGISTRY).unwrap();
    put(&connection, None, &call(1)).unwrap();
    let changes = connection.total_changes();
    let second = NewDocument { unique: vec![("unique", "1".to_owned())], ..call(2) };
    assert_eq!(put(&connection, None, &second), Err(StoreError::Taken("unique".to_owned())));
    assert_eq!(put(&connection, None, &call(1)), Err(StoreError::Taken("id".to_owned())));
    assert_eq!(connection.total_changes(), changes);
    put(&connection, None, &call(2)).unwrap();
}

#[tokio::test]
async fn the_newest_document_of_any_kind_is_found() {
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
fn the_oldest_and_the_newest_documents_are_found_by_an_index() {
    let store = SqliteStore::in_memory().unwrap();
    store
        .connections
        .read(|connection| {
            for (sql, index) in [
                (AGED, "document_list (kind=? AND deleted=? AND created_at>? AND created_at<?)"),
                (PAGE, "(kind=? AND name=? AND value=? AND (created_at,document)>(?,?) AND created_at<?)"),
                (NEXT_KIND, "(kind>?)"),
                (NEWEST, "document_list (kind=? AND deleted=?)"),
            ] {
                assert_seeks(connection, sql, index);
            }
            Ok(())
        })
        .unwrap();
}

#[tokio::test]
async fn a_document_with_many_keys_is_found_by_each_and_one_with_a_key_twice_is_refused() {
    let store = SqliteStore::in_memory().unwrap();
    let keys: Vec<_> = (0..40).map(|key: u32| ("key", key.to_string())).collect();
    write(&store, [NewDocument { keys: keys.clone(), ..call(1) }]).await;
    for (name, value) in keys {
        let found = store.documents(DocumentQuery::with(DocumentKind::Call, name, value)).await.unwrap();
        assert_eq!(found.len(), 1);
    }
    let key = |name: &'static str, value: &str| (name, value.to_owned());
    let twice = NewDocument { keys: vec![key("a", "1"), key("b", "2"), key("b", "2")], ..call(2) };
    let refused = store.commit(vec![Change::Put { revision: None, document: Box::new(twice) }]).await;
    assert_eq!(refused, Err(StoreError::Taken("b".to_owned())));
    assert_eq!(store.document(DocumentKind::Call, Uuid::from_u128(2)).await, Ok(None));
}
