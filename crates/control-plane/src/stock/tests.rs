//! The numbers that a reset returns to the stock, while orders and renewals continue.

use std::sync::Arc;

use didww_types::resources::{Balance, DidReservation};

use super::*;
use crate::fixture::{self, ACCOUNT, insert, own, shared};

const GROUP: Uuid = Uuid::from_u128(1);
const OTHER_GROUP: Uuid = Uuid::from_u128(2);
const MONEY: Uuid = Uuid::from_u128(3);
const PENDING: Uuid = Uuid::from_u128(4);
const COMPLETED: Uuid = Uuid::from_u128(5);
const ORDERED: Uuid = Uuid::from_u128(6);
const OF_STAFF: Uuid = Uuid::from_u128(7);

/// An account with a pending and a completed order, of which one DID is left, and another DID. Its group states 5
/// numbers in stock, as another group does.
async fn core() -> Arc<Core> {
    let core = fixture::core();
    let group = |id| {
        let meta = json!({ "total_count": 5, "is_available": true });
        insert(&core, shared(DidGroup::SPEC), id, &json!({ "area_name": "Vilnius" }), Vec::new(), Some(meta))
    };
    let order = |id, status: &str| {
        insert(&core, own(Order::SPEC), id, &json!({ "items": [], "status": status }), Vec::new(), None)
    };
    let did = |id, number: &str, orders: Vec<Uuid>| {
        let links = vec![(Did::DID_GROUP.as_str(), vec![GROUP]), (Did::ORDER.as_str(), orders)];
        insert(&core, own(Did::SPEC), id, &json!({ "number": number }), links, None)
    };
    core.store
        .commit(vec![
            group(GROUP),
            group(OTHER_GROUP),
            insert(&core, own(Balance::SPEC), MONEY, &json!({ "balance": "9.00" }), Vec::new(), None),
            order(PENDING, "pending"),
            order(COMPLETED, "completed"),
            did(ORDERED, "37061498001", vec![COMPLETED]),
            did(OF_STAFF, "37061498002", Vec::new()),
        ])
        .await
        .unwrap();
    core
}

/// Writes a record again, as it is.
async fn touch(core: &Core, scope: Scope, id: Uuid) {
    let before = core.store.find(scope, id).await.unwrap().unwrap();
    let attributes = before.attributes().unwrap();
    let change = Change::Replace { scope, before, attributes, links: Vec::new(), meta: None };
    core.store.commit(vec![change]).await.unwrap();
}

async fn stated(core: &Core, group: Uuid) -> Value {
    let group = core.store.find(shared(DidGroup::SPEC), group).await.unwrap().unwrap();
    group.meta().unwrap()["total_count"].clone()
}

#[tokio::test]
async fn the_numbers_of_orders_are_in_stock_again_and_those_of_staff_never_were() {
    let core = core().await;
    clear(&core, ACCOUNT, false).await.unwrap();
    assert_eq!((stated(&core, GROUP).await, stated(&core, OTHER_GROUP).await), (json!(6), json!(5)));
    assert_eq!(core.store.find(own(Did::SPEC), ORDERED).await, Ok(None));
}

/// The balance represents an order that is made concurrently, of numbers of any group.
#[tokio::test]
async fn what_was_decided_before_an_order_was_paid_or_carried_out_or_a_number_released_does_not_count() {
    for (scope, id, counts) in [
        (own(Balance::SPEC), MONEY, false),
        (own(Order::SPEC), PENDING, false),
        (shared(DidGroup::SPEC), GROUP, false),
        (own(Order::SPEC), COMPLETED, true),
        (shared(DidGroup::SPEC), OTHER_GROUP, true),
    ] {
        let core = core().await;
        let changes = return_to_stock(&core, ACCOUNT).await.unwrap();
        touch(&core, scope, id).await;
        let expected = if counts { Ok(()) } else { Err(StoreError::Conflict) };
        assert_eq!(core.store.reset_with(changes, Some(ACCOUNT), false).await, expected, "{id}");
        let is_left = core.store.find(own(Did::SPEC), ORDERED).await.unwrap().is_some();
        assert_eq!(is_left, !counts, "{id}");
    }
}

#[tokio::test]
async fn a_number_that_was_released_before_its_group_was_read_is_not_counted_twice() {
    let core = core().await;
    let numbers = ordered(&core, ACCOUNT).await.unwrap();
    assert_eq!(numbers, BTreeMap::from([(GROUP, 1)]));
    check_ordered(&core, ACCOUNT, &numbers).await.unwrap();
    core.store.commit(vec![Change::Delete { scope: own(Did::SPEC), id: ORDERED }]).await.unwrap();
    assert_eq!(check_ordered(&core, ACCOUNT, &numbers).await, Err(StoreError::Conflict));
}

#[tokio::test]
async fn the_first_numbers_are_found_again_after_a_reset() {
    let core = core().await;
    let numbers = [20, 21, 22].map(Uuid::from_u128);
    let in_stock = numbers.map(|id| {
        let links = vec![(AvailableDid::DID_GROUP.as_str(), vec![GROUP])];
        let number = json!({ "number": id.as_u128().to_string() });
        insert(&core, shared(AvailableDid::SPEC), id, &number, links, None)
    });
    core.store.commit(in_stock.into()).await.unwrap();
    let first = async || {
        let links = vec![(AvailableDid::DID_GROUP.as_str(), GROUP)];
        let found = core.stock.find(&*core.store, shared(AvailableDid::SPEC), links, 1).await.unwrap();
        found.first().map(|record| record.id)
    };
    for number in numbers {
        assert_eq!(first().await, Some(number));
        let links = vec![(DidReservation::AVAILABLE_DID.as_str(), vec![number])];
        let id = Uuid::from_u128(number.as_u128() + 100);
        let taken = insert(&core, own(DidReservation::SPEC), id, &json!({}), links, None);
        core.store.commit(vec![taken]).await.unwrap();
    }
    clear(&core, ACCOUNT, false).await.unwrap();
    assert_eq!(first().await, Some(numbers[0]));
}
