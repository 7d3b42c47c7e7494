//! Single records: inserted, replaced, linked and deleted.

use didww_types::resources::{
    AvailableDid, Did, DidGroup, DidReservation, NanpaPrefix, Order, VoiceOutTrunk,
};
use didww_types::{Resource as _, ResourceSpec};
use futures_util::future::join;
use serde_json::{Map, json};
use trunk_store::{Change, ListQuery, NO_ACCOUNT, Scope, Store, StoreError};
use uuid::Uuid;

use crate::support::records::{
    commit, did, dids, everything, found, id, insert, linked, members, replace, trunk, trunks,
};

use super::{equals, ids_of};

pub(super) async fn a_record_is_found_as_it_was_inserted_and_only_where_it_belongs(store: &impl Store) {
    let made = commit(store, vec![insert(trunks(1), id(7), trunk("Main", &json!({})))]).await;
    let read = found(store, trunks(1), id(7)).await;
    assert_eq!(made, std::slice::from_ref(&read));
    assert_eq!((read.id, read.kind, read.revision), (id(7), "voice_out_trunks", 0));
    assert_eq!(read.attributes().unwrap(), trunk("Main", &json!({})));
    assert_eq!(store.find(trunks(2), id(7)).await, Ok(None), "another account");
    assert_eq!(store.find(dids(1), id(7)).await, Ok(None), "another type");
    assert_eq!(store.find(trunks(1), id(8)).await, Ok(None), "another id");
}

pub(super) async fn records_are_found_in_the_order_asked_for(store: &impl Store) {
    let inserts = (1..=4).map(|n| insert(dids(1), id(n), did(&n.to_string(), &json!({}))));
    commit(store, inserts.collect()).await;
    let asked = vec![id(3), id(9), id(1), id(4)];
    let all = store.find_all(dids(1), asked).await.unwrap();
    assert_eq!(all.iter().map(|record| record.id).collect::<Vec<_>>(), [id(3), id(1), id(4)]);
}

pub(super) async fn a_replace_counts_and_a_stale_one_changes_nothing(store: &impl Store) {
    let made = commit(store, vec![insert(trunks(1), id(1), trunk("a", &json!({})))]).await.remove(0);
    let blocked = trunk("a", &json!({ "status": "blocked" }));
    let changed = commit(store, vec![replace(trunks(1), made.clone(), blocked.clone())]).await.remove(0);
    assert_eq!(changed.revision, 1);
    assert_eq!(found(store, trunks(1), id(1)).await, changed);
    assert_eq!(changed.attributes().unwrap(), blocked);

    let stale = replace(trunks(1), made.clone(), trunk("b", &json!({})));
    assert_eq!(store.commit(vec![stale]).await, Err(StoreError::Conflict));
    let stale = members(trunks(1), made.clone(), "dids", true, vec![]);
    assert_eq!(store.commit(vec![stale]).await, Err(StoreError::Conflict));
    assert_eq!(found(store, trunks(1), id(1)).await, changed);

    let status =
        |value: &str| ListQuery { conditions: vec![equals("status", value)], ..everything(trunks(1)) };
    assert_eq!(store.list(status("active")).await.unwrap().total, 0, "the index follows");
    assert_eq!(store.list(status("blocked")).await.unwrap().total, 1);
}

pub(super) async fn a_unique_value_is_taken_once_in_an_account(store: &impl Store) {
    commit(store, vec![insert(trunks(1), id(1), trunk("a", &json!({})))]).await;
    let again = insert(trunks(1), id(2), trunk("a", &json!({})));
    assert_eq!(store.commit(vec![again.clone()]).await, Err(StoreError::Taken("name".to_owned())));
    commit(store, vec![insert(trunks(2), id(3), trunk("a", &json!({})))]).await;

    let other = commit(store, vec![insert(trunks(1), id(4), trunk("b", &json!({})))]).await.remove(0);
    let rename = replace(trunks(1), other, trunk("a", &json!({})));
    assert_eq!(store.commit(vec![rename]).await, Err(StoreError::Taken("name".to_owned())));

    let first = found(store, trunks(1), id(1)).await;
    commit(store, vec![replace(trunks(1), first, trunk("c", &json!({})))]).await;
    commit(store, vec![again]).await;
    commit(store, vec![Change::Delete { scope: trunks(1), id: id(1) }]).await;
    commit(store, vec![insert(trunks(1), id(5), trunk("c", &json!({})))]).await;
}

pub(super) async fn a_decision_on_a_record_that_changed_is_a_conflict(store: &impl Store) {
    let made = commit(store, vec![insert(trunks(1), id(1), trunk("a", &json!({})))]).await.remove(0);
    let depending =
        || vec![Change::Unchanged { record: made.clone() }, insert(dids(1), id(2), did("1", &json!({})))];
    commit(store, depending()).await;
    commit(store, vec![Change::Delete { scope: dids(1), id: id(2) }]).await;
    assert_eq!(found(store, trunks(1), id(1)).await, made, "the record was only compared");
    commit(store, vec![replace(trunks(1), made.clone(), trunk("b", &json!({})))]).await;
    assert_eq!(store.commit(depending()).await, Err(StoreError::Conflict));
    assert_eq!(store.find(dids(1), id(2)).await, Ok(None));
}

pub(super) async fn a_decision_on_a_record_that_is_linked_by_now_is_a_conflict(store: &impl Store) {
    commit(store, vec![insert(dids(1), id(1), did("1", &json!({})))]).await;
    let unlinked =
        |account| Change::Unlinked { owners: trunks(account), relationship: "dids", target: id(1) };
    commit(store, vec![unlinked(1)]).await;
    let links = vec![("dids", vec![id(1)])];
    commit(store, vec![linked(trunks(1), id(2), trunk("a", &json!({})), links)]).await;
    let other = Change::Unlinked { owners: trunks(1), relationship: "emergency_dids", target: id(1) };
    commit(store, vec![insert(dids(1), id(3), did("3", &json!({})))]).await;
    let free = Change::Unlinked { owners: trunks(1), relationship: "dids", target: id(3) };
    for before in [Vec::new(), vec![other.clone()], vec![unlinked(2)], vec![free.clone()]] {
        let decision = before.into_iter().chain([unlinked(1), free.clone()]).collect();
        assert_eq!(store.commit(decision).await, Err(StoreError::Conflict));
    }
    commit(store, vec![other, unlinked(2), free]).await;
    commit(store, vec![Change::Delete { scope: trunks(1), id: id(2) }, unlinked(1)]).await;
}

pub(super) async fn a_number_that_all_accounts_share_is_taken_by_one_of_them(store: &impl Store) {
    a_number_is_taken_through_one_of_two(store, store).await;
}

/// Two accounts reserve the same numbers at the same time, each through a node of its own.
pub(super) async fn a_number_is_taken_through_one_of_two(one: &impl Store, other: &impl Store) {
    let reservations = |account| Scope { account, spec: DidReservation::SPEC };
    let take = |account: i64, number: u128| {
        let (owners, relationship, target) = (reservations(account), "available_did", id(number));
        let reservation = id(number * 10 + u128::try_from(account).unwrap());
        vec![
            Change::Unlinked { owners, relationship, target },
            linked(owners, reservation, Map::new(), vec![(relationship, vec![target])]),
        ]
    };
    for number in 1..=8 {
        let attributes = Map::from_iter([("number".to_owned(), json!(number.to_string()))]);
        let numbers = Scope { account: NO_ACCOUNT, spec: AvailableDid::SPEC };
        commit(one, vec![insert(numbers, id(number), attributes)]).await;
        let (first, second) = join(one.commit(take(1, number)), other.commit(take(2, number))).await;
        let (winner, lost) = if first.is_ok() { (1, second) } else { (2, first) };
        assert_eq!(lost, Err(StoreError::Conflict), "number {number}");
        assert_eq!(other.commit(take(3, number)).await, Err(StoreError::Conflict));
        let held = id(number * 10 + u128::try_from(winner).unwrap());
        let mut passed_on = vec![Change::Delete { scope: reservations(winner), id: held }];
        passed_on.extend(take(3, number));
        commit(one, passed_on).await;
    }
}

/// Even numbers have no prefix, and 12 is of another group.
pub(super) async fn the_first_numbers_in_stock_are_those_that_no_account_has_taken(store: &impl Store) {
    let shared = |spec: &'static ResourceSpec| Scope { account: NO_ACCOUNT, spec };
    let of = |account: i64, spec: &'static ResourceSpec| Scope { account, spec };
    let (group, other, prefix) = (id(1), id(2), id(3));
    let named = |name: &str, text: &str| Map::from_iter([(name.to_owned(), json!(text))]);
    commit(
        store,
        vec![
            insert(shared(DidGroup::SPEC), group, named("area_name", "A")),
            insert(shared(DidGroup::SPEC), other, named("area_name", "B")),
            insert(shared(NanpaPrefix::SPEC), prefix, named("npa", "201")),
        ],
    )
    .await;
    let numbers = shared(AvailableDid::SPEC);
    for number in 10..20_u128 {
        let mut links = vec![("did_group", vec![if number == 12 { other } else { group }])];
        links.extend((number % 2 == 1).then(|| ("nanpa_prefix", vec![prefix])));
        commit(store, vec![linked(numbers, id(number), named("number", &number.to_string()), links)]).await;
    }
    let first = async |links: &[(&'static str, Uuid)], after: i64, most: u64| -> Vec<u128> {
        let found = store.first_in_stock(numbers, links.to_vec(), after, most).await.unwrap();
        found.iter().map(|record| record.id.as_u128()).collect()
    };
    let in_group = [("did_group", group)];
    assert_eq!(first(&in_group, 0, 3).await, [10, 11, 13]);
    let held = |number| vec![("available_dids", vec![id(number)])];
    let reserved = vec![("available_did", vec![id(10)])];
    commit(store, vec![linked(of(1, DidReservation::SPEC), id(30), Map::new(), reserved)]).await;
    commit(store, vec![linked(of(2, Order::SPEC), id(31), Map::new(), held(13))]).await;
    commit(store, vec![linked(dids(1), id(32), did("14", &json!({})), held(14))]).await;

    assert_eq!(first(&in_group, 0, 9).await, [11, 15, 16, 17, 18, 19]);
    assert_eq!(first(&in_group, 0, 2).await, [11, 15]);
    let after = found(store, numbers, id(15)).await.number;
    assert_eq!(first(&in_group, after, 2).await, [16, 17]);
    assert_eq!(first(&[("did_group", group), ("nanpa_prefix", prefix)], 0, 9).await, [11, 15, 17, 19]);
    assert_eq!(first(&[("nanpa_prefix", prefix), ("did_group", group)], after, 9).await, [17, 19]);
    assert_eq!(first(&[("did_group", other)], 0, 9).await, [12]);
    for nothing in [&[("did_group", other), ("nanpa_prefix", prefix)][..], &[("did_group", id(99))], &[]] {
        assert!(first(nothing, 0, 9).await.is_empty(), "{nothing:?}");
    }
    commit(store, vec![Change::Delete { scope: of(1, DidReservation::SPEC), id: id(30) }]).await;
    assert_eq!(first(&in_group, 0, 2).await, [10, 11]);
}

pub(super) async fn which_of_many_numbers_are_dids_is_known_for_all_accounts(store: &impl Store) {
    let of = |account: u128| dids(i64::try_from(account).unwrap());
    commit(
        store,
        vec![insert(of(1), id(1), did("1", &json!({}))), insert(of(2), id(2), did("2", &json!({})))],
    )
    .await;
    let claimed = async |texts: Vec<String>| {
        let mut found: Vec<String> =
            store.claimed(Did::SPEC, "number", texts).await.unwrap().into_iter().collect();
        found.sort_unstable();
        found
    };
    let few = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<String>>();
    assert_eq!(claimed(few(&["3", "2", "1", "2", "12", ""])).await, ["1", "2"]);
    assert_eq!(claimed((2..500).map(|number| number.to_string()).collect()).await, ["2"], "a long read");
    assert_eq!(claimed(Vec::new()).await, Vec::<String>::new());
    let numbers = store.claimed(AvailableDid::SPEC, "number", few(&["1"])).await.unwrap();
    assert!(numbers.is_empty(), "of another type");
    commit(store, vec![Change::Delete { scope: of(2), id: id(2) }]).await;
    assert_eq!(claimed(few(&["1", "2"])).await, ["1"]);
}

pub(super) async fn the_did_with_a_number_is_found_whatever_account_has_it(store: &impl Store) {
    let two =
        vec![insert(dids(1), id(1), did("1", &json!({}))), insert(dids(2), id(2), did("2", &json!({})))];
    commit(store, two).await;
    let claimant = async |text: &str| store.claimant(Did::SPEC, "number", text.to_owned()).await.unwrap();
    let second = found(store, dids(2), id(2)).await;
    assert_eq!(claimant("2").await, Some((2, second.clone())));
    assert_eq!(claimant("1").await.map(|(account, record)| (account, record.id)), Some((1, id(1))));
    assert_eq!(claimant("12").await, None);
    let of_another_type = store.claimant(AvailableDid::SPEC, "number", "1".to_owned()).await.unwrap();
    assert_eq!(of_another_type, None);
    commit(store, vec![replace(dids(2), second, did("3", &json!({})))]).await;
    assert_eq!(claimant("2").await, None);
    assert_eq!(claimant("3").await.map(|(account, record)| (account, record.revision)), Some((2, 1)));
    commit(store, vec![Change::Delete { scope: dids(2), id: id(2) }]).await;
    assert_eq!(claimant("3").await, None);
}

pub(super) async fn an_attribute_that_is_not_declared_is_kept(store: &impl Store) {
    let attributes = trunk("a", &json!({ "of_a_later_release": { "x": [1, "\"" ] } }));
    let made = commit(store, vec![insert(trunks(1), id(1), attributes.clone())]).await.remove(0);
    assert_eq!(made.attributes().unwrap(), attributes);
    assert!(made.attributes.ends_with(r#","of_a_later_release":{"x":[1,"\""]}}"#), "{}", made.attributes);
}

pub(super) async fn an_id_is_taken_once_in_the_whole_store(store: &impl Store) {
    commit(store, vec![insert(trunks(1), id(1), trunk("a", &json!({})))]).await;
    for scope in [trunks(1), trunks(2)] {
        let again = insert(scope, id(1), trunk("b", &json!({})));
        assert_eq!(store.commit(vec![again]).await, Err(StoreError::Taken("id".to_owned())));
    }
}

pub(super) async fn a_deleted_record_is_gone_with_its_links_and_its_number(store: &impl Store) {
    let two =
        vec![insert(dids(1), id(1), did("1", &json!({}))), insert(dids(1), id(2), did("2", &json!({})))];
    commit(store, two).await;
    let both = vec![("dids", vec![id(1), id(2)])];
    let owner = commit(store, vec![linked(trunks(1), id(3), trunk("a", &json!({})), both)]).await.remove(0);

    let delete = |scope, id| vec![Change::Delete { scope, id }];
    assert_eq!(store.commit(delete(dids(2), id(1))).await, Err(StoreError::Conflict), "another account's");
    commit(store, delete(dids(1), id(1))).await;
    assert_eq!(
        store.commit(delete(dids(1), id(1))).await,
        Err(StoreError::Conflict),
        "it was deleted already"
    );
    assert_eq!(ids_of(store, &owner, "dids").await, [id(2)]);
    assert_eq!(store.list(everything(dids(1))).await.unwrap().total, 1);

    commit(store, delete(trunks(1), id(3))).await;
    let next = commit(store, vec![insert(trunks(2), id(4), trunk("a", &json!({})))]).await.remove(0);
    assert!(next.number > owner.number, "a reader with the deleted record must not find another one");
    assert_eq!(ids_of(store, &owner, "dids").await, Vec::<Uuid>::new());
    let stale = replace(trunks(1), owner, trunk("b", &json!({})));
    assert_eq!(store.commit(vec![stale]).await, Err(StoreError::Conflict));
}

pub(super) async fn a_number_belongs_to_one_did_of_all_accounts_until_that_is_deleted(store: &impl Store) {
    let taken = Err(StoreError::Taken("number".to_owned()));
    let one = |account, at| vec![insert(dids(account), id(at), did("37061498222", &json!({})))];
    commit(store, one(1, 1)).await;
    assert_eq!(store.commit(one(1, 2)).await, taken);
    assert_eq!(store.commit(one(2, 2)).await, taken);
    assert_eq!(store.commit([one(2, 2), one(2, 3)].concat()).await, taken, "and not twice in one write");
    commit(store, vec![Change::Delete { scope: dids(1), id: id(1) }]).await;
    commit(store, one(2, 2)).await;
    assert_eq!(store.commit(one(1, 1)).await, taken);
    store.reset(Some(2), false).await.unwrap();
    commit(store, one(1, 1)).await;
}

pub(super) async fn a_reset_applies_its_changes_or_deletes_nothing(store: &impl Store) {
    let made = commit(store, vec![insert(dids(2), id(2), did("2", &json!({})))]).await.remove(0);
    commit(store, vec![insert(dids(1), id(1), did("1", &json!({})))]).await;
    commit(store, vec![replace(dids(2), made.clone(), did("3", &json!({})))]).await;
    let stale = replace(dids(2), made, did("4", &json!({})));
    assert_eq!(store.reset_with(vec![stale], Some(1), false).await, Err(StoreError::Conflict));
    assert_eq!(found(store, dids(1), id(1)).await.id, id(1));
    let current = found(store, dids(2), id(2)).await;
    store.reset_with(vec![replace(dids(2), current, did("5", &json!({})))], Some(1), false).await.unwrap();
    assert_eq!(store.find(dids(1), id(1)).await, Ok(None));
    assert_eq!(found(store, dids(2), id(2)).await.attributes().unwrap(), did("5", &json!({})));
}

pub(super) async fn members_keep_the_order_in_which_they_were_linked(store: &impl Store) {
    let inserts = (1..=5).map(|n| insert(dids(1), id(n), did(&n.to_string(), &json!({}))));
    commit(store, inserts.collect()).await;
    let links = vec![("dids", vec![id(3), id(1)]), ("emergency_dids", vec![id(5)])];
    commit(store, vec![linked(trunks(1), id(9), trunk("a", &json!({})), links)]).await;

    let add =
        members(trunks(1), found(store, trunks(1), id(9)).await, "dids", true, vec![id(2), id(3), id(4)]);
    commit(store, vec![add]).await;
    let owner = found(store, trunks(1), id(9)).await;
    assert_eq!(owner.revision, 1);
    assert_eq!(ids_of(store, &owner, "dids").await, [id(3), id(1), id(2), id(4)], "known ones stay in place");

    let remove = members(trunks(1), owner.clone(), "dids", false, vec![id(1), id(5), id(77)]);
    commit(store, vec![remove]).await;
    assert_eq!(ids_of(store, &owner, "dids").await, [id(3), id(2), id(4)]);
    assert_eq!(ids_of(store, &owner, "emergency_dids").await, [id(5)], "the other relationship is untouched");

    let owner = found(store, trunks(1), id(9)).await;
    let attributes = owner.attributes().unwrap();
    let links = vec![("dids", vec![id(4), id(3)])];
    commit(
        store,
        vec![Change::Replace { scope: trunks(1), before: owner.clone(), attributes, links, meta: None }],
    )
    .await;
    assert_eq!(ids_of(store, &owner, "dids").await, [id(4), id(3)]);
    assert_eq!(ids_of(store, &owner, "emergency_dids").await, [id(5)], "what is not named keeps its members");
    let members = store.members(trunks(1), vec![owner.number, owner.number], "dids", 3).await.unwrap();
    let members: Vec<(i64, &str, Uuid)> =
        members.iter().map(|(of, kind, id)| (*of, kind.as_str(), *id)).collect();
    let of = |n| (owner.number, "dids", id(n));
    assert_eq!(members, [of(4), of(3), of(4)], "of several owners, and no more than asked for");
}

pub(super) async fn a_link_to_nothing_or_to_another_account_is_a_conflict(store: &impl Store) {
    commit(store, vec![insert(dids(2), id(1), did("1", &json!({})))]).await;
    for target in [id(1), id(2)] {
        let links = vec![("dids", vec![target])];
        let made = store.commit(vec![linked(trunks(1), id(3), trunk("a", &json!({})), links)]).await;
        assert_eq!(made, Err(StoreError::Conflict));
    }
    assert_eq!(store.find(trunks(1), id(3)).await, Ok(None));
}

pub(super) async fn every_record_of_a_type_is_read_in_order_a_page_at_a_time(store: &impl Store) {
    commit(store, vec![insert(dids(1), id(1), did("1", &json!({})))]).await;
    for number in 10..15 {
        let account = if number % 2 == 0 { 1 } else { 2 };
        let links = if account == 1 { vec![("dids", vec![id(1)])] } else { Vec::new() };
        let made = linked(trunks(account), id(number), trunk(&number.to_string(), &json!({})), links);
        commit(store, vec![made]).await;
    }
    let (mut after, mut seen) = (0, Vec::new());
    loop {
        let page = store.records_after(VoiceOutTrunk::SPEC, after, 2).await.unwrap();
        let Some(last) = page.last() else { break };
        assert!(page.len() <= 2);
        after = last.record.number;
        seen.extend(page);
    }
    let of = seen.iter().map(|stored| (stored.record.id.as_u128(), stored.account)).collect::<Vec<_>>();
    assert_eq!(of, [(10, 1), (11, 2), (12, 1), (13, 2), (14, 1)]);
    let links = |at: usize| seen[at].links.iter().find(|(name, _)| *name == "dids").unwrap().1.clone();
    assert_eq!((links(0), links(1)), (vec![id(1)], vec![]));
}

pub(super) async fn a_record_behind_many_of_another_type_is_read_too(store: &impl Store) {
    let many = (0..10_500_u128).map(|n| insert(dids(1), id(100 + n), did(&n.to_string(), &json!({}))));
    commit(store, many.collect()).await;
    commit(store, vec![insert(trunks(1), id(1), trunk("behind them", &json!({})))]).await;
    let read = store.records_after(VoiceOutTrunk::SPEC, 0, 5).await.unwrap();
    assert_eq!(read.iter().map(|stored| stored.record.id).collect::<Vec<_>>(), [id(1)]);
}

pub(super) async fn a_record_behind_many_numbers_of_records_that_are_gone_is_read_too(store: &impl Store) {
    commit(store, vec![insert(trunks(1), id(1), trunk("before them", &json!({})))]).await;
    let many = (0..10_500_u128).map(|n| insert(dids(2), id(100 + n), did(&n.to_string(), &json!({}))));
    commit(store, many.collect()).await;
    store.reset(Some(2), false).await.unwrap();
    let read = async |spec: &'static ResourceSpec, after: i64| {
        let read = store.records_after(spec, after, 5).await.unwrap();
        read.iter().map(|stored| (stored.record.id, stored.record.number)).collect::<Vec<_>>()
    };
    let first = read(VoiceOutTrunk::SPEC, 0).await;
    assert!(read(VoiceOutTrunk::SPEC, first[0].1).await.is_empty(), "there is nothing behind the gap");
    commit(store, vec![insert(trunks(1), id(2), trunk("behind them", &json!({})))]).await;
    let ids = |read: Vec<(Uuid, i64)>| read.into_iter().map(|(id, _)| id).collect::<Vec<_>>();
    assert_eq!(ids(read(VoiceOutTrunk::SPEC, 0).await), [id(1), id(2)]);
    assert_eq!(ids(read(VoiceOutTrunk::SPEC, first[0].1).await), [id(2)]);
    assert!(read(Did::SPEC, 0).await.is_empty(), "no account has one any more");
    let numbers = Scope { account: NO_ACCOUNT, spec: AvailableDid::SPEC };
    let attributes = Map::from_iter([("number".to_owned(), json!("1"))]);
    commit(store, vec![insert(numbers, id(3), attributes)]).await;
    assert_eq!(ids(read(AvailableDid::SPEC, 0).await), [id(3)], "a type that belongs to no account");
}

pub(super) async fn the_records_of_a_page_have_their_own_members_in_the_order_of_their_links(
    store: &impl Store,
) {
    let inserts = (1..=5).map(|n| insert(dids(1), id(n), did(&n.to_string(), &json!({}))));
    commit(store, inserts.collect()).await;
    let of = |numbers: &[u128]| numbers.iter().map(|n| id(*n)).collect::<Vec<Uuid>>();
    let links = vec![("dids", of(&[5, 3, 4])), ("default_did", of(&[3])), ("emergency_dids", of(&[4, 1]))];
    commit(store, vec![linked(trunks(1), id(11), trunk("a", &json!({})), links)]).await;
    // A record of another type, with a number between theirs.
    commit(store, vec![insert(dids(1), id(6), did("6", &json!({})))]).await;
    commit(store, vec![insert(trunks(1), id(12), trunk("b", &json!({})))]).await;
    let links = vec![("dids", of(&[2, 5]))];
    commit(store, vec![linked(trunks(1), id(13), trunk("c", &json!({})), links)]).await;
    let add = members(trunks(1), found(store, trunks(1), id(11)).await, "dids", true, of(&[6, 1]));
    commit(store, vec![add]).await;
    commit(store, vec![Change::Delete { scope: dids(1), id: id(4) }]).await;
    let read = store.records_after(VoiceOutTrunk::SPEC, 0, 9).await.unwrap();
    let names = ["dids", "default_did", "emergency_dids"];
    let found: Vec<_> = read
        .iter()
        .map(|stored| {
            let members =
                |name: &str| stored.links.iter().find(|(known, _)| *known == name).unwrap().1.clone();
            (stored.record.id, names.map(members))
        })
        .collect();
    let expected = [
        (id(11), [of(&[5, 3, 6, 1]), of(&[3]), of(&[1])]),
        (id(12), [of(&[]), of(&[]), of(&[])]),
        (id(13), [of(&[2, 5]), of(&[]), of(&[])]),
    ];
    assert_eq!(found, expected);
}

pub(super) async fn the_check_succeeds_until_the_store_is_closed(store: &impl Store) {
    assert_eq!(store.check().await, Ok(()));
    assert_eq!(store.close().await, Ok(()));
    assert_eq!(store.close().await, Ok(()), "closing twice is harmless");
}
