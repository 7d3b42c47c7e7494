//! How the newest document is found.

use crate::store::sqlite::plan::seeks;
use crate::store::{Change, SqliteStore, Store as _};

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
fn the_newest_is_not_looked_for_among_all() {
    let store = SqliteStore::in_memory().unwrap();
    store
        .lane
        .read(|connection| {
            for (sql, index) in [
                (NEXT_KIND, "USING COVERING INDEX"),
                (NEWEST, "USING COVERING INDEX document_list"),
            ] {
                seeks(connection, sql, index);
            }
            Ok(())
        })
        .unwrap();
}
