//! Documents: revisions, lists and keys.

use trunk_store::{
    Change, Document, DocumentKind, DocumentQuery, Documents, NewDocument, StoreError, Writes,
};
use uuid::Uuid;

const KIND: DocumentKind = DocumentKind::Call;

pub(super) fn document(number: u128, body: &str) -> NewDocument {
    NewDocument {
        kind: KIND,
        id: Uuid::from_u128(number),
        customer: Uuid::from_u128(7),
        created_at: i64::try_from(number).unwrap(),
        deleted: false,
        live: true,
        body: body.to_owned(),
        keyed: true,
        keys: vec![("customer", "seven".to_owned())],
        unique: Vec::new(),
    }
}

pub(super) async fn put(
    store: &impl Writes,
    revision: Option<i64>,
    document: &NewDocument,
) -> Result<(), StoreError> {
    let document = Box::new(document.clone());
    store.commit(vec![Change::Put { revision, document }]).await.map(|_| ())
}

pub(super) async fn read(store: &impl Documents, number: u128) -> Document {
    store.document(KIND, Uuid::from_u128(number)).await.unwrap().unwrap()
}

/// The bodies of the documents that match a query.
async fn bodies(store: &impl Documents, query: DocumentQuery) -> Vec<String> {
    store.documents(query).await.unwrap().into_iter().map(|document| document.body).collect()
}

pub(super) async fn a_document_is_replaced_if_its_revision_matches(store: &(impl Documents + Writes)) {
    put(store, None, &document(1, "first")).await.unwrap();
    assert_eq!(put(store, None, &document(1, "twin")).await, Err(StoreError::Taken("id".to_owned())));
    assert_eq!((read(store, 1).await.revision, read(store, 1).await.body), (0, "first".to_owned()));
    for (deleted, live) in [(false, true), (false, false), (true, false)] {
        let revision = read(store, 1).await.revision;
        let next = NewDocument { deleted, live, body: format!("{deleted} {live}"), ..document(1, "") };
        assert_eq!(put(store, Some(revision + 1), &next).await, Err(StoreError::Conflict));
        assert_eq!(put(store, Some(revision - 1), &next).await, Err(StoreError::Conflict));
        put(store, Some(revision), &next).await.unwrap();
        let now = read(store, 1).await;
        assert_eq!((now.revision, now.deleted, now.body), (revision + 1, deleted, next.body));
    }
    assert_eq!(put(store, Some(0), &document(2, "never was")).await, Err(StoreError::Conflict));
}

pub(super) async fn ended_and_deleted_documents_leave_the_lists(store: &(impl Documents + Writes)) {
    for number in 1..=3 {
        put(store, None, &document(number, &number.to_string())).await.unwrap();
    }
    assert_eq!(bodies(store, DocumentQuery::all(KIND)).await, ["3", "2", "1"]);
    assert_eq!(bodies(store, DocumentQuery::live(KIND)).await, ["3", "2", "1"]);
    // An active one, an ended one, and one that is deleted while it is active.
    put(store, Some(0), &document(1, "goes on")).await.unwrap();
    put(store, Some(0), &NewDocument { live: false, ..document(2, "over") }).await.unwrap();
    put(store, Some(0), &NewDocument { deleted: true, ..document(3, "deleted") }).await.unwrap();
    assert_eq!(bodies(store, DocumentQuery::all(KIND)).await, ["over", "goes on"]);
    assert_eq!(bodies(store, DocumentQuery::live(KIND)).await, ["deleted", "goes on"]);
    put(store, Some(1), &NewDocument { deleted: true, live: false, ..document(3, "both") }).await.unwrap();
    assert_eq!(bodies(store, DocumentQuery::live(KIND)).await, ["goes on"]);
    assert_eq!(bodies(store, DocumentQuery::with(KIND, "customer", "seven")).await, ["over", "goes on"]);
}

pub(super) async fn a_document_is_found_by_its_keys_as_they_are_now(store: &(impl Documents + Writes)) {
    let with = |key: &str, unique: &str| NewDocument {
        keys: vec![("customer", key.to_owned())],
        unique: vec![("name", unique.to_owned())],
        ..document(1, "one")
    };
    put(store, None, &with("a", "x")).await.unwrap();
    let other = NewDocument { unique: vec![("name", "x".to_owned())], ..document(2, "two") };
    assert_eq!(put(store, None, &other).await, Err(StoreError::Taken("name".to_owned())));
    put(store, Some(0), &with("b", "y")).await.unwrap();
    let by = async |value: &str| store.document_by(KIND, "name", value.to_owned()).await.unwrap().is_some();
    assert_eq!((by("x").await, by("y").await), (false, true));
    assert!(bodies(store, DocumentQuery::with(KIND, "customer", "a")).await.is_empty());
    assert_eq!(bodies(store, DocumentQuery::with(KIND, "customer", "b")).await, ["one"]);
    // A write with `keyed: false` leaves the index keys unchanged.
    put(store, Some(1), &NewDocument { keyed: false, ..with("c", "z") }).await.unwrap();
    assert_eq!(bodies(store, DocumentQuery::with(KIND, "customer", "b")).await, ["one"]);
}
