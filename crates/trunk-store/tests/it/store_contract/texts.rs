//! Texts that not every engine can store, and the longest ones that all can.

use std::sync::Arc;

use serde_json::json;
use trunk_store::{
    CallQuery, Change, DocumentKind, DocumentQuery, NewDocument, Store, StoreError, StoredCall,
};

use crate::support::records::{account, commit, did, dids, id, insert, key};

use super::calls::record;
use super::documents::{document, put};

const HAS_NUL: &str = "contains a NUL character";
const IS_TOO_LONG: &str = "has more than 2048 bytes";

fn refused<T>(what: &'static str, flaw: &'static str) -> Result<T, StoreError> {
    Err(StoreError::Unstorable { what, flaw })
}

/// A text of this many bytes that hardly becomes shorter when an engine compresses it.
fn dense(bytes: usize) -> String {
    let letters = (0..bytes).scan(1_u32, |state, _| {
        *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        char::from_u32(0x21 + (*state >> 16) % 94)
    });
    letters.collect()
}

pub(super) async fn the_name_of_an_account_has_no_nul_and_at_most_2048_bytes(store: &impl Store) {
    let kept = store.create_account(account(1, "first"), key(11, "key-1")).await.unwrap();
    for (name, flaw) in [("a\0b".to_owned(), HAS_NUL), (dense(2_049), IS_TOO_LONG)] {
        let made = store.create_account(account(2, &name), key(12, "key-2")).await;
        assert_eq!(made, refused("name", flaw));
        let mut renamed = (*kept).clone();
        renamed.name = name;
        assert_eq!(store.save_account(Arc::clone(&kept), renamed).await, refused("name", flaw));
    }
    assert_eq!(store.accounts().await.unwrap(), [kept]);
    let longest = dense(2_048);
    let made = store.create_account(account(2, &longest), key(12, "key-2")).await.unwrap();
    assert_eq!(made.name, longest);
}

pub(super) async fn a_key_of_a_document_has_no_nul_and_at_most_2048_bytes(store: &impl Store) {
    let kind = DocumentKind::Call;
    for (text, flaw) in [("a\0b".to_owned(), HAS_NUL), (dense(2_049), IS_TOO_LONG)] {
        let keyed = NewDocument { keys: vec![("customer", text.clone())], ..document(1, "{}") };
        assert_eq!(put(store, None, &keyed).await, refused("customer", flaw));
        let unique = NewDocument { unique: vec![("name", text.clone())], ..document(1, "{}") };
        assert_eq!(put(store, None, &unique).await, refused("name", flaw));
        assert_eq!(store.document_by(kind, "name", text.clone()).await, Ok(None));
        let of_key = DocumentQuery::with(kind, "customer", text.clone());
        assert_eq!(store.documents(of_key).await, Ok(Vec::new()));
        assert_eq!(store.count_documents(kind, "customer", text).await, Ok(0));
    }
    assert_eq!(put(store, None, &document(1, "a\0b")).await, refused("body", HAS_NUL));
    let longest = dense(2_048);
    let keys = vec![("customer", longest.clone())];
    let unique = vec![("name", longest.clone())];
    put(store, None, &NewDocument { keys, unique, ..document(1, "{}") }).await.unwrap();
    assert!(store.document_by(kind, "name", longest).await.unwrap().is_some());
    // The document of an older release whose key is refused by now.
    let keys = vec![("customer", "a\0b".to_owned())];
    let deleted = NewDocument { deleted: true, keys, ..document(1, "{}") };
    assert_eq!(put(store, Some(0), &deleted).await, Ok(()));
}

pub(super) async fn an_indexed_text_of_a_record_has_at_most_2048_bytes(store: &impl Store) {
    let with = |text: String| insert(dids(1), id(1), did("1", &json!({ "description": text })));
    assert_eq!(store.commit(vec![with(dense(2_049))]).await, refused("description", IS_TOO_LONG));
    assert_eq!(store.find(dids(1), id(1)).await, Ok(None));
    // The texts of records are stored as JSON, and their index entries as bytes: neither has a NUL character.
    commit(store, vec![with(format!("a\0b{}", dense(2_045)))]).await;
    assert!(store.find(dids(1), id(1)).await.unwrap().is_some());
}

pub(super) async fn no_record_of_a_call_has_a_nul_or_is_found_by_one(store: &impl Store) {
    let Change::Call(call) = record(1, "0.5") else { unreachable!("a call") };
    let call_ids = [("a\0b".to_owned(), HAS_NUL), (dense(2_049), IS_TOO_LONG)];
    for (call_id, flaw) in call_ids {
        let call = StoredCall { call_id: Some(call_id), ..(*call).clone() };
        assert_eq!(store.commit(vec![Change::Call(Arc::new(call))]).await, refused("call_id", flaw));
    }
    let call = StoredCall { source: "1\0".to_owned(), ..(*call).clone() };
    assert_eq!(store.commit(vec![Change::Call(Arc::new(call))]).await, refused("source", HAS_NUL));
    commit(store, vec![record(1, "0.5")]).await;
    let (all, nul) = (CallQuery { limit: 10, ..CallQuery::default() }, || Some("\0".to_owned()));
    assert_eq!(store.calls(all.clone()).await.unwrap().len(), 1);
    for query in [
        CallQuery { call_id: nul(), ..all.clone() },
        CallQuery { number: nul(), ..all.clone() },
        CallQuery { check: nul(), ..all.clone() },
    ] {
        assert_eq!(store.calls(query.clone()).await, Ok(Vec::new()));
        assert_eq!(store.calls_after(query, i64::MIN).await, Ok(Vec::new()));
    }
}
