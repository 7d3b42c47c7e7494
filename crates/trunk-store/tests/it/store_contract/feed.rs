//! The change feed: its contents, their timing, and copies of stored data that follow it.

use std::collections::BTreeMap;
use std::sync::Arc;

use didww_types::Resource as _;
use didww_types::resources::VoiceOutTrunk;
use serde_json::json;
use trunk_store::{
    Accounts, CHANGE_DELAY, Calls, Change, ChangeFeed, Changes, Committed, DocumentKind, Documents, Follower,
    Interest, NewDocument, Records, Writes, for_each_record,
};
#[cfg(feature = "postgres")]
use trunk_store::{NodeCall, Nodes};
use uuid::Uuid;

#[cfg(feature = "postgres")]
use super::calls::running;
use super::calls::{answered, record};
use super::documents;
use crate::support::records::{
    account, commit, did, dids, found, id, insert, key, linked, members, replace, trunk, trunks,
};

/// The effects since a follower's position, as one line each.
fn effects(follower: &mut Follower) -> Vec<String> {
    let Changes::Since(writes) = follower.changes() else { panic!("the follower fell behind") };
    let line = |effect: &Committed| match effect {
        Committed::Stored(stored) => {
            let linked = stored.links.iter().map(|(_, ids)| ids.len()).sum::<usize>();
            let record = &stored.record;
            let (kind, id) = (record.kind, record.id.as_u128());
            format!("{kind} {id} of {} at {} linked to {linked}", stored.account, record.revision)
        }
        Committed::Deleted { account, kind, id } => format!("{kind} {} of {account} deleted", id.as_u128()),
        Committed::Document { id, .. } => format!("document {}", id.as_u128()),
        Committed::Account { account } => format!("account {account}"),
        Committed::Reset { account, accounts } => format!("reset of {account:?}, {accounts}"),
        Committed::CallRunning(call) => format!("call {} runs, {}", call.id.as_u128(), call.acknowledged),
        Committed::CallEnded(charge) => format!("call {} ended for {}", charge.id.as_u128(), charge.price),
        Committed::HangUp(call) => format!("call {} is to be ended", call.as_u128()),
    };
    writes.iter().flat_map(|write| write.iter()).map(line).collect()
}

pub(super) async fn every_effect_of_a_write_is_in_the_feed_when_the_write_is_answered(
    store: &(impl Records + Writes + ChangeFeed),
) {
    commit(
        store,
        vec![insert(dids(1), id(1), did("1", &json!({}))), insert(dids(1), id(2), did("2", &json!({})))],
    )
    .await;
    let mut follower = store.follow(Interest::Everything);
    assert!(follower.is_current(), "a follower begins with what is written after it was made");
    let links = vec![("dids", vec![id(1), id(2)])];
    let made = commit(store, vec![linked(trunks(1), id(10), trunk("a", &json!({})), links)]).await.remove(0);
    assert!(!follower.is_current());
    assert_eq!(effects(&mut follower), ["voice_out_trunks 10 of 1 at 0 linked to 2"]);
    assert!(follower.is_current());
    commit(store, vec![replace(trunks(1), made.clone(), trunk("b", &json!({})))]).await;
    let owner = found(store, trunks(1), id(10)).await;
    commit(store, vec![members(trunks(1), owner, "dids", false, vec![id(2)])]).await;
    let several = vec![
        Change::Delete { scope: trunks(1), id: id(10) },
        insert(trunks(2), id(11), trunk("c", &json!({}))),
    ];
    commit(store, several).await;
    assert_eq!(
        effects(&mut follower),
        [
            "voice_out_trunks 10 of 1 at 1 linked to 2",
            "voice_out_trunks 10 of 1 at 2 linked to 1",
            "voice_out_trunks 11 of 2 at 0 linked to 0",
            "voice_out_trunks 10 of 1 deleted",
        ]
    );
    store.commit(vec![replace(trunks(1), made, trunk("stale", &json!({})))]).await.unwrap_err();
    assert!(follower.is_current(), "a write that failed has no effects");
    store.reset(Some(1), false).await.unwrap();
    store.reset(None, true).await.unwrap();
    assert_eq!(effects(&mut follower), ["reset of Some(1), false", "reset of None, true"]);
}

pub(super) async fn the_feed_names_accounts_whose_data_or_keys_changed(store: &(impl Accounts + ChangeFeed)) {
    let mut follower = store.follow(Interest::Everything);
    let made = store.create_account(account(1, "one"), key(11, "key-1")).await.unwrap();
    let named = vec![format!("account {}", made.number)];
    assert_eq!(effects(&mut follower), named);
    store.save_account(Arc::clone(&made), (*made).clone()).await.unwrap();
    assert_eq!(effects(&mut follower), named);
    store.add_key(made.number, key(12, "key-2")).await.unwrap();
    assert_eq!(effects(&mut follower), named);
    assert!(store.remove_key(made.number, id(12)).await.unwrap());
    assert_eq!(effects(&mut follower), named);
    assert!(!store.remove_key(made.number, id(12)).await.unwrap());
    store.create_account(account(2, "one"), key(13, "key-3")).await.unwrap_err();
    assert!(follower.is_current(), "nothing changed");
}

/// Copies of all trunks: each one's revision.
#[derive(Debug, Default, PartialEq)]
struct Copies(BTreeMap<Uuid, i64>);

impl Copies {
    async fn load(store: &(impl Records + ChangeFeed)) -> (Follower, Self) {
        let (follower, mut copies) = (store.follow(Interest::Everything), Self::default());
        for_each_record(store, VoiceOutTrunk::SPEC, |stored| {
            copies.0.insert(stored.record.id, stored.record.revision);
        })
        .await
        .unwrap();
        (follower, copies)
    }

    /// Returns false if the follower has lost changes, so that the copies must be loaded again.
    #[must_use]
    fn catch_up(&mut self, follower: &mut Follower) -> bool {
        let Changes::Since(writes) = follower.changes() else { return false };
        for effect in writes.iter().flat_map(|write| write.iter()) {
            match effect {
                Committed::Stored(stored) if stored.record.kind == VoiceOutTrunk::SPEC.name => {
                    self.0.insert(stored.record.id, stored.record.revision);
                }
                Committed::Deleted { id, .. } => drop(self.0.remove(id)),
                _ => {}
            }
        }
        true
    }
}

pub(super) async fn copies_that_are_loaded_during_writes_and_then_follow_miss_nothing(
    store: &(impl Records + Writes + ChangeFeed),
) {
    let early = (0..50_u128).map(|n| insert(trunks(1), id(n), trunk(&n.to_string(), &json!({}))));
    let early = commit(store, early.collect()).await;
    // Each trunk is changed or deleted, and each write makes another one, while the copies are loaded.
    let writes = async {
        for (record, n) in early.into_iter().zip(100_u128..) {
            let name = n.to_string();
            let next = insert(trunks(1), id(n), trunk(&name, &json!({})));
            let old = if n % 3 == 0 {
                Change::Delete { scope: trunks(1), id: record.id }
            } else {
                replace(trunks(1), record, trunk(&format!("changed {name}"), &json!({})))
            };
            commit(store, vec![old, next]).await;
        }
    };
    // Without it, a write that is in progress when the first follower of records comes would be lost to that one.
    let _earlier = store.follow(Interest::Everything);
    let ((), (mut follower, mut copies)) = tokio::join!(writes, Copies::load(store));
    assert!(copies.catch_up(&mut follower));
    let mut there = Copies::default();
    for_each_record(store, VoiceOutTrunk::SPEC, |stored| {
        there.0.insert(stored.record.id, stored.record.revision);
    })
    .await
    .unwrap();
    assert_eq!(there.0.len(), 50 + 50 - 16);
    assert_eq!(copies, there);
}

pub(super) async fn the_feed_names_changed_documents_and_not_new_ones(
    store: &(impl Documents + Writes + ChangeFeed),
) {
    let mut follower = store.follow(Interest::Everything);
    documents::put(store, None, &documents::document(1, "new")).await.unwrap();
    documents::put(store, Some(5), &documents::document(1, "stale")).await.unwrap_err();
    assert!(follower.is_current());
    documents::put(store, Some(0), &documents::document(1, "changed")).await.unwrap();
    assert_eq!(effects(&mut follower), ["document 1"]);
    let wakes = store.wakes();
    let customer = NewDocument { kind: DocumentKind::Customer, ..documents::document(2, "new") };
    documents::put(store, None, &customer).await.unwrap();
    assert_eq!(effects(&mut follower), ["document 2"], "every node keeps all customers");
    assert!(wakes.has_changed().unwrap(), "it does not wait for the next write");
    let plan = NewDocument { kind: DocumentKind::PricePlan, ..documents::document(3, "new") };
    documents::put(store, None, &plan).await.unwrap();
    assert_eq!(effects(&mut follower), ["document 3"], "every node keeps all price plans");
    store.reset(None, false).await.unwrap();
    assert_eq!(effects(&mut follower), ["reset of None, false"]);
}

pub(super) async fn the_feed_has_who_is_to_hang_up_and_no_calls_of_this_node(
    store: &(impl Writes + ChangeFeed + Calls),
) {
    let mut follower = store.follow(Interest::Everything);
    let mut wakes = store.wakes();
    commit(store, vec![answered(1, false)]).await;
    commit(store, vec![Change::Acknowledged(id(1))]).await;
    assert!(follower.is_current());
    commit(store, vec![Change::HangUp(id(1))]).await;
    assert!(wakes.has_changed().unwrap(), "it does not wait for the next write");
    wakes.mark_unchanged();
    assert_eq!(effects(&mut follower), ["call 1 is to be ended"]);
    commit(store, vec![record(1, "0.5")]).await;
    assert!(follower.is_current());
    assert_eq!(store.calls_of_others(None).await.unwrap(), []);
}

/// The calls of one node are in the feed of the other.
#[cfg(feature = "postgres")]
pub(super) async fn another_node_sees_the_calls_of_this_one(
    runs: &(impl Calls + Nodes + Writes),
    reader: &(impl ChangeFeed + Calls),
) {
    let mut follower = reader.follow(Interest::Everything);
    let arrived = async |follower: &mut Follower| {
        while follower.is_current() {
            tokio::task::yield_now().await;
        }
        effects(follower)
    };
    let call = |acknowledged| NodeCall { node: runs.node(), call: running(1, acknowledged) };
    commit(runs, vec![answered(1, false)]).await;
    assert_eq!(reader.calls_of_others(None).await.unwrap(), [call(false)]);
    assert_eq!(arrived(&mut follower).await, ["call 1 runs, false"]);
    commit(runs, vec![Change::Acknowledged(id(1)), Change::Acknowledged(id(8))]).await;
    assert_eq!(arrived(&mut follower).await, ["call 1 runs, true"]);
    assert_eq!(reader.calls_of_others(Some(id(1))).await.unwrap(), [call(true)]);
    assert_eq!(reader.calls_of_others(Some(id(2))).await.unwrap(), []);
    assert_eq!(runs.calls_of_others(None).await.unwrap(), [], "they are its own");
    // A call that was never answered and costs nothing is in no feed.
    commit(runs, vec![record(7, "0")]).await;
    commit(runs, vec![record(1, "0.5")]).await;
    assert_eq!(arrived(&mut follower).await, ["call 1 ended for 0.5"]);
    assert_eq!(reader.calls_of_others(None).await.unwrap(), []);
    // A call whose answer was never stored has a price nevertheless; one that costs nothing is over.
    commit(runs, vec![record(2, "0.7")]).await;
    assert_eq!(arrived(&mut follower).await, ["call 2 ended for 0.7"]);
    commit(runs, vec![answered(3, false)]).await;
    assert_eq!(arrived(&mut follower).await, ["call 3 runs, false"]);
    commit(runs, vec![record(3, "0")]).await;
    assert_eq!(arrived(&mut follower).await, ["call 3 ended for 0"]);
    let hang_up = Change::HangUp(id(9));
    commit(runs, vec![hang_up]).await;
    assert_eq!(arrived(&mut follower).await, ["call 9 is to be ended"]);
}

/// What one node writes is read by the other at once, and is in its feed in time, once, and in order. Only engines with
/// several nodes can be held to it.
#[cfg_attr(not(feature = "postgres"), expect(dead_code, reason = "no other engine has several nodes"))]
pub(super) async fn another_node_sees_each_change_in_time_and_once(
    writer: &(impl Documents + Writes),
    reader: &(impl Documents + ChangeFeed),
) {
    let mut follower = reader.follow(Interest::AllButRecords);
    let mut seen = Vec::new();
    for number in 1..=3 {
        documents::put(writer, None, &documents::document(number, "new")).await.unwrap();
        documents::put(writer, Some(0), &documents::document(number, "changed")).await.unwrap();
        assert_eq!(documents::read(reader, number).await.body, "changed");
        let arrived = async {
            while follower.is_current() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(CHANGE_DELAY, arrived).await.unwrap();
        // What the polls for the next document read once more must not appear again.
        seen.extend(effects(&mut follower));
    }
    assert_eq!(seen, ["document 1", "document 2", "document 3"]);
}
