//! A row of every kind.

use std::sync::Arc;

use didww_types::resources::CapacityPool;
use didww_types::values::IpNetworks;
use didww_types::{REGISTRY, Resource as _, Timestamp};
use serde_json::json;
use trunk_store::account::Environment;
use trunk_store::{
    Attempted, Bounds, Change, Delivery, DocumentKind, Due, EventForm, IdempotencyKey, IdempotencyScope,
    IfScheduled, Job, KeptResponse, KeyUse, NO_ACCOUNT, NewDocument, NewEvent, RunningCall, Scope, Store,
    StoredCall, TakeJobs, TokenKey, TokenKeyRotation, with_key_use,
};
use uuid::Uuid;

use crate::support::records::{
    account, attributes, callback_secret, commit, did, dids, found, id, insert, key, linked, replace, trunk,
    trunks,
};

pub fn at(millis: i64) -> Timestamp {
    Timestamp::from_unix_millis(millis)
}

/// Fills an empty store. It has two accounts afterwards, with the numbers 1 and 2, and had a third one.
pub async fn fill(store: &impl Store) {
    accounts(store).await;
    records(store).await;
    documents(store).await;
    events(store).await;
    calls(store).await;
    jobs(store).await;
    keys(store).await;
    store.reset(Some(3), true).await.unwrap();
}

async fn accounts(store: &impl Store) {
    for (number, name) in [(1, "account one"), (2, "account two"), (3, "account that goes")] {
        let mut account = account(100 + number, name);
        if number == 2 {
            (account.rate_limit, account.record_quota) = (Some(20), Some(1_000));
        }
        store.create_account(account, key(110 + number, name)).await.unwrap();
    }
    let addresses = IpNetworks::parse(["203.0.113.0/24", "2001:db8::1"]).unwrap();
    let limited = trunk_store::account::ApiKey {
        addresses: Some(Arc::new(addresses)),
        environment: Some(Environment::Sandbox),
        ..key(120, "limited")
    };
    store.add_key(1, limited).await.unwrap();
    store.add_callback_secret(1, callback_secret(1, "a secret \"with\" quotes", false)).await.unwrap();
    store.add_callback_secret(1, callback_secret(2, "second secret", true)).await.unwrap();
    let new = TokenKey { id: id(130), secret: [7; 32], created_at: at(5) };
    let rotation = TokenKeyRotation { new, unless_since: None, remove_succeeded_until: None };
    store.rotate_token_keys(rotation).await.unwrap();
}

async fn records(store: &impl Store) {
    let global = REGISTRY.iter().find(|spec| spec.name == "countries").unwrap();
    let global = Scope { account: NO_ACCOUNT, spec: global };
    commit(store, vec![insert(global, id(9), attributes(global.spec, &json!({ "name": "Lithuania" })))])
        .await;
    let pools = Scope { account: 1, spec: CapacityPool::SPEC };
    let pool = attributes(CapacityPool::SPEC, &json!({ "name": "pool", "total_channels_count": 5 }));
    let with_channels = did("37061498221", &json!({ "dedicated_channels_count": 4 }));
    let made = vec![
        insert(pools, id(10), pool),
        linked(dids(1), id(11), with_channels, vec![("capacity_pool", vec![id(10)])]),
        insert(dids(1), id(12), did("37061498222", &json!({}))),
        linked(trunks(1), id(13), trunk("first", &json!({})), vec![("dids", vec![id(12), id(11)])]),
        Change::Insert {
            scope: trunks(1),
            id: id(14),
            created_at: at(1_234),
            attributes: trunk("zweite Strecke, größer", &json!({ "of_a_later_release": [1, { "a": null }] })),
            links: Vec::new(),
            meta: Some(r#"{"spending":"1.5"}"#.to_owned()),
        },
        insert(trunks(2), id(15), trunk("first", &json!({}))),
        insert(trunks(2), id(16), trunk("deleted", &json!({}))),
        insert(trunks(3), id(17), trunk("goes", &json!({}))),
    ];
    commit(store, made).await;
    let first = found(store, trunks(1), id(13)).await;
    commit(store, vec![replace(trunks(1), first, trunk("first", &json!({ "capacity_limit": 3 })))]).await;
    commit(store, vec![Change::Delete { scope: trunks(2), id: id(16) }]).await;
}

async fn documents(store: &impl Store) {
    let document = |number: u128, kind| NewDocument {
        kind,
        id: id(number),
        customer: id(20),
        created_at: i64::try_from(number).unwrap(),
        deleted: false,
        live: false,
        body: format!("{{\"number\": {number}}}"),
        keyed: true,
        keys: vec![("customer", "twenty".to_owned()), ("activeflow", number.to_string())],
        unique: vec![("name", format!("unique {number}"))],
    };
    let put = |revision, document| Change::Put { revision, document: Box::new(document) };
    let customer = document(20, DocumentKind::Customer);
    let call = document(21, DocumentKind::Call);
    let live = NewDocument { live: true, unique: Vec::new(), ..document(22, DocumentKind::Call) };
    // The same id in two kinds.
    let flow = NewDocument { customer: Uuid::nil(), keys: Vec::new(), ..document(21, DocumentKind::Flow) };
    commit(store, [customer, call.clone(), live, flow].map(|new| put(None, new)).into()).await;
    commit(store, vec![put(Some(0), NewDocument { deleted: true, ..call })]).await;
}

async fn events(store: &impl Store) {
    let event = |form: &EventForm, subject: u128, body: &str| {
        Change::Emit(Box::new(NewEvent {
            form: form.clone(),
            subject: id(subject),
            url: "https://example.com/hook?a=1".to_owned(),
            body: body.to_owned(),
            created_at: at(1_000),
        }))
    };
    let trunk = EventForm::Trunk { account: 1 };
    let webhook = |customer: u128| EventForm::Webhook {
        customer: id(customer),
        method: "PUT".to_owned(),
        signature: Some("sha256=00".to_owned()),
    };
    commit(store, vec![event(&trunk, 13, "repeated"), event(&trunk, 13, "behind it")]).await;
    let due = Due { node: 1, now: at(2_000), until: at(3_000), limit: 10, of_owner: 10 };
    let first = store.due_events(due).await.unwrap().remove(0);
    let delivery = Delivery {
        owner: first.event.form.owner(),
        subject: first.event.subject,
        url: first.event.url.clone(),
        events: 1,
        attempt: 1,
        at: at(2_000),
        status: Some(503),
        error: Some("503 Service Unavailable".to_owned()),
    };
    let failed = Attempted { numbers: vec![first.number], delivery, again_at: Some(at(60_000)) };
    store.attempted(1, failed).await.unwrap();
    commit(store, vec![event(&webhook(20), 21, "too old"), event(&webhook(30), 31, "delivered")]).await;
    store.drop_surplus(Bounds { most: 100, before: at(1_001) }, 1).await.unwrap();
    let due = Due { node: 1, now: at(2_000), until: at(3_000), limit: 10, of_owner: 10 };
    for pending in store.due_events(due).await.unwrap() {
        let delivery = Delivery {
            owner: pending.event.form.owner(),
            subject: pending.event.subject,
            url: pending.event.url.clone(),
            events: 1,
            attempt: 1,
            at: at(2_500),
            status: Some(200),
            error: None,
        };
        let delivered = Attempted { numbers: vec![pending.number], delivery, again_at: None };
        store.attempted(1, delivered).await.unwrap();
    }
    commit(store, vec![event(&webhook(20), 21, "webhook")]).await;
}

async fn calls(store: &impl Store) {
    let running = |number: u128, acknowledged| {
        Change::Answered(Arc::new(RunningCall {
            id: id(number),
            account: 1,
            trunk: id(13),
            answered_at: at(1_000),
            acknowledged,
            attributes: "{\"running\":true}".to_owned(),
        }))
    };
    let ended = |number: u128, call_id: Option<&str>, attributes: &str| {
        Change::Call(Arc::new(StoredCall {
            id: id(number),
            account: 1,
            trunk: id(13),
            ended_at: at(5_000),
            cause: 200,
            code: 486,
            source: "12025550143".to_owned(),
            destination: "442079460018".to_owned(),
            price: "0.5".to_owned(),
            call_id: call_id.map(str::to_owned),
            attributes: attributes.to_owned(),
        }))
    };
    commit(store, vec![running(40, true), running(41, false), Change::Step(at(3_000))]).await;
    let attributes = r#"{"source_ip":"203.0.113.5","check":"cli"}"#;
    commit(store, vec![ended(42, Some("a@b"), attributes), ended(43, None, "no json")]).await;
}

async fn jobs(store: &impl Store) {
    let job = |subject: &str, account| Job {
        account,
        payload: "{\"a\":1}".to_owned(),
        ..Job::new("test", subject, at(9_000))
    };
    let schedule = |job| Change::Schedule { job: Box::new(job), existing: IfScheduled::Replace };
    commit(store, vec![schedule(job("held", None)), schedule(job("waits", Some(1)))]).await;
    let take = TakeJobs { node: 7, now: at(9_000), until: at(99_000), kinds: vec![("test", 1)] };
    assert_eq!(store.take_jobs(take).await.unwrap().len(), 1);
}

async fn keys(store: &impl Store) {
    let used = |scope, digest: u8| KeyUse {
        key: IdempotencyKey { scope, digest: [digest; 32] },
        fingerprint: [9; 32],
        request: id(50 + u128::from(digest)),
        used_at: at(1_000),
        expired_at: at(0),
    };
    let answered = used(IdempotencyScope::Account(1), 1);
    let response =
        KeptResponse { status: 201, content_type: "text/plain".to_owned(), body: vec![0, 1, 0xFF, b'"'] };
    store.keep_response(answered, response).await.unwrap();
    let empty = KeptResponse { status: 204, content_type: String::new(), body: Vec::new() };
    store.keep_response(used(IdempotencyScope::Customer(id(20)), 2), empty).await.unwrap();
    let unanswered = used(IdempotencyScope::Control, 3);
    with_key_use(Some(unanswered), async { store.commit(vec![Change::Step(at(3_000))]).await })
        .await
        .unwrap();
}
