//! Tests of the audit, on a store in memory.

use didww_types::Resource as _;
use didww_types::resources::{Country, Did, VoiceOutTrunk};
use serde_json::{Map, Value, json};
use trunk_store::{NewDocument, Record, Scope, SqliteStore};

use super::*;
use crate::audit::{Actor, Audit, with_actor};
use crate::jobs::tests::core;

const ACCOUNT_NUMBER: i64 = 7;
const KEY: Uuid = Uuid::from_u128(3);

fn trunks(account: i64) -> Scope {
    Scope { account, spec: VoiceOutTrunk::SPEC }
}

fn attributes(value: &Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

fn insert(scope: Scope, id: u128, value: &Value) -> Change {
    Change::Insert {
        scope,
        id: Uuid::from_u128(id),
        created_at: Timestamp::from_unix_millis(0),
        attributes: attributes(value),
        links: Vec::new(),
        meta: None,
    }
}

fn replace(before: &Record, value: &Value, meta: Option<&str>) -> Change {
    Change::Replace {
        scope: trunks(ACCOUNT_NUMBER),
        before: before.clone(),
        attributes: attributes(value),
        links: Vec::new(),
        meta: meta.map(str::to_owned),
    }
}

/// A server whose audit is on.
fn audited() -> Arc<Core> {
    let core = core(SqliteStore::in_memory().unwrap());
    core.audit.enable();
    core
}

async fn all(core: &Core) -> Vec<AuditEntry> {
    search(core, &AuditQuery { limit: 100, ..AuditQuery::default() }).await.unwrap().entries
}

#[tokio::test]
async fn a_write_names_its_actor_and_members_and_no_value() {
    let core = audited();
    let before = json!({ "name": "One", "capacity_limit": 5, "callback_url": null });
    let created = with_actor(Actor::Key(KEY), core.commit(vec![insert(trunks(ACCOUNT_NUMBER), 1, &before)]));
    let record = created.await.unwrap().remove(0);
    let after = json!({ "name": "a-secret-name", "capacity_limit": 5 });
    let record = core.commit(vec![replace(&record, &after, None)]).await.unwrap().remove(0);
    let deletion = Change::Delete { scope: trunks(ACCOUNT_NUMBER), id: record.id };
    with_actor(Actor::Job("test.delete"), core.commit(vec![deletion])).await.unwrap();

    let entries = all(&core).await;
    let seen: Vec<_> = entries
        .iter()
        .map(|entry| {
            let change = &entry.changes[0];
            assert_eq!((entry.changes.len(), change.account, change.id), (1, ACCOUNT_NUMBER, record.id));
            assert_eq!(change.kind, "voice_out_trunks");
            let by = (entry.by.kind.as_str(), entry.by.id.clone());
            (by, change.action.as_str(), change.members.clone())
        })
        .collect();
    assert_eq!(
        seen,
        [
            (("job", Some("test.delete".to_owned())), "deleted", Vec::<String>::new()),
            (("staff", None), "updated", vec!["name".to_owned()]),
            (("key", Some(KEY.to_string())), "created", Vec::<String>::new()),
        ]
    );
    let documents = core.store.documents(DocumentQuery::all(DocumentKind::AuditEntry)).await.unwrap();
    assert!(documents.iter().all(|document| !document.body.contains("a-secret-name")));
}

#[tokio::test]
async fn what_no_owner_can_see_has_no_entry() {
    let core = audited();
    let value = json!({ "name": "One" });
    let record = core.commit(vec![insert(trunks(ACCOUNT_NUMBER), 1, &value)]).await.unwrap().remove(0);
    core.commit(vec![replace(&record, &value, Some(r#"{"spent_amount":"1.0"}"#))]).await.unwrap();
    let global = Scope { account: ACCOUNT_NUMBER, spec: Country::SPEC };
    core.commit(vec![insert(global, 2, &json!({ "name": "Nowhere" }))]).await.unwrap();
    assert_eq!(all(&core).await.len(), 1, "the creation of the trunk alone");
}

#[tokio::test]
async fn a_write_that_fails_and_an_audit_that_is_off_leave_no_entry() {
    let core = core(SqliteStore::in_memory().unwrap());
    let record =
        core.commit(vec![insert(trunks(ACCOUNT_NUMBER), 1, &json!({ "name": "One" }))]).await.unwrap();
    core.audit.enable();
    let old = Record { revision: 9, ..record[0].clone() };
    let failed = core.commit(vec![replace(&old, &json!({ "name": "Two" }), None)]).await;
    assert_eq!(failed, Err(StoreError::Conflict));
    assert!(all(&core).await.is_empty());
}

#[tokio::test]
async fn entries_are_found_by_account_type_record_and_time_a_page_at_a_time() {
    let core = audited();
    let dids = Scope { account: 8, spec: Did::SPEC };
    for (place, scope) in [trunks(ACCOUNT_NUMBER), trunks(8), dids].into_iter().enumerate() {
        let id = u128::try_from(place).unwrap() + 1;
        let value = if scope.spec.name == "dids" { json!({ "number": "1" }) } else { json!({ "name": "T" }) };
        core.commit(vec![insert(scope, id, &value)]).await.unwrap();
        core.clock.advance(std::time::Duration::from_mins(1));
    }
    let ids = async |query: AuditQuery| {
        let page = search(&core, &AuditQuery { limit: 100, ..query }).await.unwrap();
        assert_eq!(page.next, None);
        page.entries.iter().map(|entry| entry.changes[0].id.as_u128()).collect::<Vec<_>>()
    };
    let none = AuditQuery::default;
    assert_eq!(ids(none()).await, [3, 2, 1]);
    assert_eq!(ids(AuditQuery { account: Some(8), ..none() }).await, [3, 2]);
    let of_type = AuditQuery { account: Some(8), kind: Some("voice_out_trunks".to_owned()), ..none() };
    assert_eq!(ids(of_type).await, [2]);
    assert_eq!(ids(AuditQuery { id: Some(Uuid::from_u128(1)), ..none() }).await, [1]);
    let foreign = AuditQuery { id: Some(Uuid::from_u128(1)), account: Some(8), ..none() };
    assert!(ids(foreign).await.is_empty());
    let middle = search(&core, &AuditQuery { limit: 2, ..none() }).await.unwrap();
    let since = middle.entries[1].at;
    assert_eq!(ids(AuditQuery { since: Some(since), ..none() }).await, [3, 2]);
    assert_eq!(ids(AuditQuery { before: middle.next, ..none() }).await, [1]);
}

#[tokio::test]
async fn entries_of_one_moment_are_ordered_and_old_ones_are_deleted() {
    let core = audited();
    for id in 1..=3 {
        core.commit(vec![insert(trunks(ACCOUNT_NUMBER), id, &json!({ "name": id.to_string() }))])
            .await
            .unwrap();
    }
    let mut seen = Vec::new();
    let mut before = None;
    for _ in 0..3 {
        let page = search(&core, &AuditQuery { before, limit: 1, ..AuditQuery::default() }).await.unwrap();
        seen.push(page.entries[0].changes[0].id.as_u128());
        before = page.next;
    }
    assert_eq!(seen, [3, 2, 1], "the clock stands still, and each has a place of its own");
    let now = core.clock.now();
    assert_eq!(forget_some(Arc::clone(&core), now).await, Ok(0), "they are not older than now");
    let later = now.after(std::time::Duration::from_secs(1));
    assert_eq!(forget_some(Arc::clone(&core), later).await, Ok(3));
    assert!(all(&core).await.is_empty());
}

#[test]
fn entries_of_one_moment_and_of_several_nodes_have_a_time_of_their_own() {
    let at = Timestamp::from_unix_millis(1_000);
    let mut seen = std::collections::BTreeSet::new();
    for node in [0, 1, 2, 63, 127 + 64] {
        let audit = Audit::default();
        let mut last = at.as_unix_micros() - 1;
        for _ in 0..100 {
            let moment = audit.moment(at, node);
            assert!(moment > last, "node {node}: {moment} after {last}");
            last = moment;
            seen.insert(moment);
        }
    }
    // 63 and 191 differ by a multiple of 64: they share their times.
    assert_eq!(seen.len(), 400);
}

/// An entry of other records, which is newer than another entry by this many microseconds.
fn newer(document: &Document, by: i64) -> Change {
    let body = document.body.replace("voice_out_trunks", "dids");
    assert_ne!(body, document.body, "the entry names the type");
    Change::Put {
        revision: None,
        document: Box::new(NewDocument {
            kind: DocumentKind::AuditEntry,
            id: Uuid::from_u128(u128::try_from(by).unwrap()),
            customer: Uuid::nil(),
            created_at: document.created_at + by,
            deleted: false,
            live: false,
            body,
            keyed: true,
            keys: Vec::new(),
            unique: Vec::new(),
        }),
    }
}

#[tokio::test]
async fn a_search_ends_after_ten_thousand_entries_and_goes_on_behind_them() {
    let core = audited();
    core.commit(vec![insert(trunks(ACCOUNT_NUMBER), 1, &json!({ "name": "One" }))]).await.unwrap();
    let all = DocumentQuery::all(DocumentKind::AuditEntry);
    let oldest = core.store.documents(all).await.unwrap().remove(0);
    let of_trunks =
        AuditQuery { kind: Some("voice_out_trunks".to_owned()), limit: 1, ..AuditQuery::default() };
    core.store.commit((1..=9_999).map(|by| newer(&oldest, by)).collect()).await.unwrap();
    assert_eq!(search(&core, &of_trunks).await.unwrap().entries.len(), 1);
    core.store.commit(vec![newer(&oldest, 10_000)]).await.unwrap();
    let none = search(&core, &of_trunks).await.unwrap();
    assert_eq!((none.entries.len(), none.next), (0, Some(oldest.created_at + 1)));
    let behind = AuditQuery { before: none.next, ..of_trunks };
    assert_eq!(search(&core, &behind).await.unwrap().entries.len(), 1);
}

#[tokio::test]
async fn more_entries_than_a_commit_deletes_are_deleted_by_further_ones() {
    let core = audited();
    for id in 1..=101 {
        let name = json!({ "name": id.to_string() });
        core.commit(vec![insert(trunks(ACCOUNT_NUMBER), id, &name)]).await.unwrap();
    }
    let later = core.clock.now().after(std::time::Duration::from_secs(1));
    assert_eq!(forget_some(Arc::clone(&core), later).await, Ok(MAX_PER_COMMIT));
    assert_eq!(forget_some(Arc::clone(&core), later).await, Ok(1));
    assert_eq!(forget_some(Arc::clone(&core), later).await, Ok(0));
}
