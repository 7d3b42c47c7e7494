//! Documents: revisions, lists and keys.

use futures_util::future::join_all;
use trunk_store::{
    Aged, Change, Document, DocumentKind, DocumentQuery, Documents, KeyedPage, NewDocument, StoreError,
    Writes,
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

pub(super) async fn documents_are_counted_and_aged_as_they_are_now(store: &(impl Documents + Writes)) {
    assert_eq!(store.newest_document().await, Ok(0));
    for number in 1..=5 {
        put(store, None, &document(number, &number.to_string())).await.unwrap();
    }
    let customer =
        NewDocument { kind: DocumentKind::Customer, created_at: 9, ..document(6, "of another kind") };
    put(store, None, &customer).await.unwrap();
    assert_eq!(store.newest_document().await, Ok(9));
    for number in [2, 3, 4] {
        let ended =
            NewDocument { live: false, deleted: number == 4, ..document(number, &number.to_string()) };
        put(store, Some(0), &ended).await.unwrap();
    }
    let count = async |value: &str| store.count_documents(KIND, "customer", value.to_owned()).await.unwrap();
    assert_eq!((count("seven").await, count("eight").await), (4, 0), "a deleted document has no index key");
    let aged = async |deleted, from, before, limit| {
        let query = Aged { kind: KIND, deleted, from, before, limit };
        let found = store.aged_documents(query).await.unwrap();
        found.into_iter().map(|document| document.body).collect::<Vec<_>>()
    };
    assert_eq!(aged(false, 0, 9, 9).await, ["2", "3"], "the others are live, or deleted");
    assert_eq!(aged(true, 0, 9, 9).await, ["4"]);
    assert_eq!(
        (aged(false, 3, 9, 9).await, aged(false, 0, 3, 9).await),
        (vec!["3".into()], vec!["2".into()])
    );
    assert_eq!(aged(false, 0, 9, 1).await, ["2"], "the oldest first");
    let before = |before, limit| DocumentQuery { before, limit, ..DocumentQuery::all(KIND) };
    assert_eq!(bodies(store, before(5, 2)).await, ["3", "2"]);
    let keyed =
        |before, limit| DocumentQuery { before, limit, ..DocumentQuery::with(KIND, "customer", "seven") };
    assert_eq!(bodies(store, keyed(5, 2)).await, ["3", "2"]);
    let numbers: Vec<i64> =
        store.documents(DocumentQuery::all(KIND)).await.unwrap().iter().map(|d| d.number).collect();
    assert!(numbers.is_sorted_by(|newer, older| newer > older), "{numbers:?}");
}

pub(super) async fn documents_with_a_key_are_read_a_page_at_a_time_from_the_oldest_on(
    store: &(impl Documents + Writes),
) {
    // Three of the same time, of which a page has not all, and others before and behind them.
    for (number, created_at) in [(1, 1), (2, 5), (3, 5), (4, 5), (5, 6), (6, 9)] {
        let ended = number % 2 == 0;
        let made = NewDocument { created_at, live: !ended, ..document(number, &number.to_string()) };
        put(store, None, &made).await.unwrap();
    }
    let other = NewDocument {
        created_at: 5,
        keys: vec![("customer", "eight".to_owned())],
        ..document(7, "of another value")
    };
    put(store, None, &other).await.unwrap();
    let of_another_kind =
        NewDocument { kind: DocumentKind::Flow, created_at: 5, ..document(8, "of another kind") };
    put(store, None, &of_another_kind).await.unwrap();
    let page = |after: (i64, i64), before: i64, limit: u64| KeyedPage {
        kind: KIND,
        key: ("customer", "seven".to_owned()),
        after,
        before,
        limit,
    };
    let bodies = async |page: KeyedPage| {
        let found = store.documents_after(page).await.unwrap();
        found.into_iter().map(|document| document.body).collect::<Vec<_>>()
    };
    let all = (KeyedPage::beginning_at(0), i64::MAX);
    assert_eq!(bodies(page(all.0, all.1, 9)).await, ["1", "2", "3", "4", "5", "6"]);
    assert_eq!(bodies(page(KeyedPage::beginning_at(5), 9, 9)).await, ["2", "3", "4", "5"], "6 is too late");
    assert_eq!(bodies(page(KeyedPage::beginning_at(6), 6, 9)).await, [""; 0]);
    let (mut after, mut seen) = (KeyedPage::beginning_at(2), Vec::new());
    loop {
        let found = store.documents_after(page(after, i64::MAX, 2)).await.unwrap();
        let Some(last) = found.last() else { break };
        after = (last.created_at, last.number);
        seen.push(found.into_iter().map(|document| document.body).collect::<Vec<_>>().concat());
    }
    assert_eq!(seen, ["23", "45", "6"], "none twice, and none left out");
    let deleted = NewDocument { deleted: true, created_at: 5, ..document(3, "deleted") };
    put(store, Some(0), &deleted).await.unwrap();
    assert_eq!(bodies(page(KeyedPage::beginning_at(5), 6, 9)).await, ["2", "4"]);
}

pub(super) async fn a_forgotten_document_gives_its_keys_back_if_its_revision_matches(
    store: &(impl Documents + Writes),
) {
    let named = |number| NewDocument { unique: vec![("name", "x".to_owned())], ..document(number, "named") };
    let forget = async |number, revision| {
        let forget = Change::Forget { kind: KIND, id: Uuid::from_u128(number), revision };
        store.commit(vec![forget]).await.unwrap();
    };
    put(store, None, &named(1)).await.unwrap();
    forget(1, 1).await;
    forget(2, 0).await;
    assert_eq!(
        put(store, None, &named(2)).await,
        Err(StoreError::Taken("name".to_owned())),
        "nothing changed"
    );
    // A deleted document keeps its unique keys, and gives its index keys back.
    put(store, Some(0), &NewDocument { deleted: true, live: false, ..named(1) }).await.unwrap();
    assert_eq!(put(store, None, &named(2)).await, Err(StoreError::Taken("name".to_owned())));
    assert_eq!(store.document_by(KIND, "name", "x".to_owned()).await.unwrap().map(|d| d.deleted), Some(true));
    assert_eq!(bodies(store, DocumentQuery::with(KIND, "customer", "seven")).await, [""; 0]);
    forget(1, 1).await;
    assert_eq!(store.document(KIND, Uuid::from_u128(1)).await, Ok(None));
    put(store, None, &named(2)).await.unwrap();
    assert_eq!(bodies(store, DocumentQuery::with(KIND, "customer", "seven")).await, ["named"]);
}

pub(super) async fn a_unique_key_is_taken_once_of_many_who_want_it(store: &(impl Documents + Writes)) {
    for number in 1..=4 {
        put(store, None, &document(number, "before")).await.unwrap();
    }
    let named = |number| NewDocument { unique: vec![("name", "x".to_owned())], ..document(number, "named") };
    let writes = (1..=12).map(|number| {
        let revision = (number <= 4).then_some(0);
        store.commit(vec![Change::Put { revision, document: Box::new(named(number)) }])
    });
    let outcomes = join_all(writes).await;
    let taken = Err(StoreError::Taken("name".to_owned()));
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1, "{outcomes:?}");
    assert!(outcomes.iter().all(|outcome| outcome.is_ok() || *outcome == taken), "{outcomes:?}");
    let all = store.documents(DocumentQuery::all(KIND)).await.unwrap();
    assert_eq!(all.iter().filter(|document| document.body == "named").count(), 1);
}

pub(super) async fn a_reset_keeps_who_is_known_and_deletes_what_happened(store: &(impl Documents + Writes)) {
    use DocumentKind::{AccessKey, Agent, Call, Customer, Flow, Number, OutboundConfig, Platform};
    use DocumentKind::{PricePlan, Provider};
    let kinds =
        [Platform, Customer, Agent, AccessKey, Number, OutboundConfig, PricePlan, Provider, Call, Flow];
    let named = |kind| NewDocument { kind, unique: vec![("name", "x".to_owned())], ..document(1, "kept") };
    for kind in kinds {
        put(store, None, &named(kind)).await.unwrap();
    }
    store.reset(Some(7), true).await.unwrap();
    let stored = async || {
        let found = join_all(kinds.map(|kind| store.document_by(kind, "name", "x".to_owned()))).await;
        found.into_iter().filter_map(|found| found.unwrap()).map(|document| document.kind).collect::<Vec<_>>()
    };
    assert_eq!(stored().await, kinds);
    store.reset(None, false).await.unwrap();
    assert_eq!(stored().await, kinds[..7]);
    put(store, None, &named(Call)).await.unwrap();
    store.reset(None, true).await.unwrap();
    assert_eq!(stored().await, kinds[..6], "a price plan belongs to its account");
}
