//! Orders: their prices, the reserved money and numbers while they are pending, and their ends.

use std::collections::BTreeSet;
use std::time::Duration;

use didww_types::Patch;
use rust_decimal::Decimal;
use serde_json::{Value, json};
use trunk_server::control::{AccountPatch, NewDid, RecordMembers};

use super::shop::{ORDERS, Shop};
use crate::support::api::{NEW, OLD, TOKENS};
use crate::support::world::*;

#[tokio::test]
async fn an_order_is_paid_at_once_and_its_numbers_become_dids_when_it_is_carried_out() {
    let shop = Shop::open(3, "100.00", "0").await;
    let made = shop.order(json!({ "qty": 2, "billing_cycles_count": 5 })).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let attributes = made.at("/data/attributes");
    assert_eq!((&attributes["amount"], &attributes["status"]), (&json!("6.3"), &json!("pending")));
    assert_eq!(attributes["description"], "DID");
    let reference = attributes["reference"].as_str().unwrap();
    let (letters, digits) = reference.split_once('-').unwrap();
    assert!(letters.len() == 3 && letters.bytes().all(|letter| letter.is_ascii_uppercase()), "{reference}");
    assert!(digits.len() == 6 && digits.bytes().all(|digit| digit.is_ascii_digit()), "{reference}");
    let item = json!({
        "type": "did_order_items",
        "attributes": {
            "qty": 2, "nrc": "1.1", "mrc": "2.05", "prorated_mrc": false, "setup_price": "1.1",
            "monthly_price": "2.05", "did_group_id": shop.group.to_string(),
        },
    });
    let shown = &attributes["items"][0];
    for (name, value) in item["attributes"].as_object().unwrap() {
        assert_eq!(shown["attributes"][name], *value, "{name}");
    }
    for hidden in ["sku_id", "billing_cycles_count"] {
        assert_eq!(shown["attributes"].get(hidden), None, "{hidden} is not echoed");
    }
    assert_eq!((attributes.get("allow_back_ordering"), &attributes["callback_url"]), (None, &Value::Null));
    assert_eq!(shop.balance().await, "93.70");
    assert_eq!((shop.in_stock().await, shop.owned().await), (1, 0));

    shop.wait(4);
    assert_eq!(shop.status(&made.id()).await, "pending");
    shop.wait(1);
    shop.until(&made.id(), "completed").await;
    let order = shop.api().get(&format!("{ORDERS}/{}", made.id())).await;
    assert!(order.at("/data/attributes/items/0/attributes/billed_from").is_string(), "{}", order.text);
    assert_eq!((shop.in_stock().await, shop.owned().await), (1, 2));
    for query in [
        format!("filter[order.reference]={reference}"),
        format!("filter[order.id]={}&include=order,did_group", made.id()),
    ] {
        let dids = shop.api().get(&format!("{DIDS}?{query}")).await;
        assert_eq!(dids.at("/meta/total_records"), 2, "{}", dids.text);
        let did = dids.at("/data/0/attributes");
        assert_eq!((&did["billing_cycles_count"], &did["channels_included_count"]), (&json!(5), &json!(2)));
    }
    let other = shop.api().get(&format!("{DIDS}?filter[order.reference]=ABC-000000")).await;
    assert_eq!(other.at("/meta/total_records"), 0);
    let group = shop.api().get(&format!("/did_groups/{}", shop.group)).await;
    assert_eq!(group.at("/data/meta/total_count"), 1);
    assert_eq!(shop.balance().await, "93.70", "it is paid once");
}

#[tokio::test]
async fn a_chosen_number_and_a_reserved_one_are_bought() {
    let shop = Shop::open(3, "100.00", "0").await;
    let body = resource("did_reservations", json!({}));
    let body = linking(body, "available_did", identifier("available_dids", &shop.numbers[1]));
    let reservation = shop.api().post("/did_reservations", &body).await.id();
    let items = [
        shop.item(&json!({ "available_did_id": shop.numbers[2].to_uppercase() })),
        shop.item(&json!({ "did_reservation_id": reservation })),
    ];
    let made = shop.post(json!({ "items": items })).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let gone = shop.api().get(&format!("/did_reservations/{reservation}")).await;
    refused(&gone, &[not_found(&reservation)]);
    shop.wait(5);
    shop.until(&made.id(), "completed").await;
    let dids = shop.api().get(&format!("{DIDS}?sort=number")).await;
    let numbers: Vec<Value> =
        (0..2).map(|index| dids.at(&format!("/data/{index}/attributes/number"))).collect();
    assert_eq!(numbers, ["37061490001", "37061490002"]);
    shop.wait(3600);
    assert_eq!(shop.in_stock().await, 1, "a reservation that was ordered does not come back");
}

#[tokio::test]
async fn items_of_an_order_share_the_stock_without_taking_a_number_twice() {
    let shop = Shop::open(4, "100.00", "0").await;
    let order = async |quantities: [u64; 2]| {
        let mut items = Vec::from(quantities.map(|quantity| shop.item(&json!({ "qty": quantity }))));
        items.push(shop.item(&json!({ "available_did_id": shop.numbers[0] })));
        shop.post(json!({ "items": items, "allow_back_ordering": false })).await
    };
    let refusal = order([2, 2]).await;
    let field = "items/1/qty";
    refused(
        &refusal,
        &[invalid(field, "exceeds available DIDs count", &format!("/data/attributes/{field}"))],
    );
    let made = order([2, 1]).await;
    assert_eq!(made.status, 201, "{}", made.text);
    assert_eq!(shop.in_stock().await, 0);
    shop.wait(5);
    shop.until(&made.id(), "completed").await;
    assert_eq!(shop.owned().await, 4);
}

#[tokio::test]
async fn items_are_refused_with_their_place() {
    let shop = Shop::open(2, "100.00", "0").await;
    let at = |name: &str, message: &str| {
        let field = format!("items/0/{name}");
        invalid(&field, message, &format!("/data/attributes/{field}"))
    };
    for (attributes, expected) in [
        (json!({ "sku_id": UNKNOWN }), at("sku_id", "is invalid")),
        (json!({ "sku_id": null }), at("sku_id", "can't be blank")),
        (json!({ "qty": 0 }), at("qty", "must be greater than or equal to 1")),
        (json!({ "qty": 1001 }), at("qty", "must be less than or equal to 1000")),
        (json!({ "qty": "many" }), at("qty", "is not a number")),
        (json!({ "qty": 1.5 }), at("qty", "must be an integer")),
        (json!({ "qty": 1e30 }), at("qty", "must be less than or equal to 1000")),
        (json!({ "qty": -5_000_000_000_i64 }), at("qty", "must be greater than or equal to 1")),
        (
            json!({ "billing_cycles_count": 1000 }),
            at("billing_cycles_count", "must be less than or equal to 999"),
        ),
        (json!({ "available_did_id": UNKNOWN }), at("available_did_id", "is invalid")),
        (json!({ "did_reservation_id": UNKNOWN }), at("did_reservation_id", "is invalid")),
        (json!({ "available_did_id": 7 }), at("available_did_id", "is invalid")),
        (json!({ "did_reservation_id": {} }), at("did_reservation_id", "is invalid")),
        (json!({ "nanpa_prefix_id": UNKNOWN }), at("nanpa_prefix_id", "is invalid")),
        (json!({ "qty": 1, "available_did_id": shop.numbers[0] }), at("available_did_id", "must be blank")),
        (json!({ "colour": "red" }), error(400, "105", "Param not allowed", "colour is not allowed.")),
    ] {
        refused(&shop.order(attributes).await, &[expected]);
    }
    let of_prefix = json!({ "items": [shop.item(&json!({ "nanpa_prefix_id": UNKNOWN }))] });
    let of_prefix = shop.api().at(Some(OLD)).post(ORDERS, &resource("orders", of_prefix)).await;
    refused(&of_prefix, &[error(400, "105", "Param not allowed", "nanpa_prefix_id is not allowed.")]);
    for (kind, name) in [("did_order_items", "sku_id"), ("capacity_order_items", "capacity_pool_id")] {
        let item = json!({ "type": kind, "attributes": { "qty": 1 } });
        let body = resource("orders", json!({ "items": [item] }));
        let detail = format!("The required parameter, {name}, is missing.");
        let missing = error(400, "106", "Missing Parameter", &detail);
        refused(&shop.api().at(Some(NEW)).post(ORDERS, &body).await, &[missing]);
        refused(&shop.api().at(Some("2022-05-10")).post(ORDERS, &body).await, &[at(name, "can't be blank")]);
    }
    for three in [json!(3), json!(3.0), json!("3")] {
        let item = shop.item(&json!({ "qty": three }));
        let lacking = shop.post(json!({ "items": [item], "allow_back_ordering": false })).await;
        refused(&lacking, &[at("qty", "exceeds available DIDs count")]);
    }
    refused(&shop.post(json!({ "items": [] })).await, &[attribute("items", "can't be blank")]);
    refused(&shop.post(json!({})).await, &[attribute("items", "can't be blank")]);
    // The service makes the items of these types.
    for other in [
        json!({ "type": "generic_order_items", "attributes": {} }),
        json!({ "type": "emergency_order_items", "attributes":
            { "emergency_calling_service_id": UNKNOWN, "qty": 1 } }),
    ] {
        refused(&shop.post(json!({ "items": [other] })).await, &[at("type", "is invalid")]);
    }
    let twice = shop.item(&json!({ "available_did_id": shop.numbers[0] }));
    let refusal = shop.post(json!({ "items": [twice, twice] })).await;
    assert_eq!(refusal.at("/errors/0/source/pointer"), "/data/attributes/items/1/available_did_id");
    assert_eq!((shop.balance().await.as_str(), shop.in_stock().await), ("100.00", 2));
}

#[tokio::test]
async fn n79_a_callback_url_and_its_method_are_sent_together() {
    let shop = Shop::open(2, "100.00", "0").await;
    for version in [NEW, TOKENS] {
        let api = shop.api().at(Some(version));
        let with = async |members: Value| {
            let mut attributes = json!({ "items": [shop.item(&json!({}))] });
            attributes.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
            api.post(ORDERS, &resource("orders", attributes)).await
        };
        let url = "https://example.com/orders";
        let blank = |name: &str| attribute(name, "can't be blank");
        refused(&with(json!({ "callback_url": url })).await, &[blank("callback_method")]);
        refused(&with(json!({ "callback_method": "post" })).await, &[blank("callback_url")]);
        let both = with(json!({ "callback_url": url, "callback_method": "get" })).await;
        assert_eq!(both.at("/data/attributes/callback_method"), "get", "{}", both.text);
    }
}

#[tokio::test]
async fn an_order_that_costs_more_than_balance_and_credit_is_refused_and_changes_nothing() {
    let shop = Shop::open(3, "5.00", "1.25").await;
    let body = resource("orders", json!({ "items": [shop.item(&json!({ "qty": 2 }))] }));
    let refusal = shop.api().at(Some("2022-05-10")).post(ORDERS, &body).await;
    let older = include_str!("../../../fixtures/errors/insufficient_funds.json");
    assert_eq!(
        (refusal.status, refusal.text.as_str()),
        (400, older),
        "amounts are stated from 2026-04-16 on"
    );
    let stated = shop.api().at(Some(NEW)).post(ORDERS, &body).await;
    let meta = json!({ "total_cost": "6.3", "available_balance": "6.25" });
    assert_eq!((stated.status, stated.at("/errors/0/meta")), (400, meta));
    assert_eq!(stated.at("/errors/0/title"), "Insufficient balance");
    assert_eq!((shop.balance().await.as_str(), shop.in_stock().await), ("5.00", 3));
    assert_eq!(shop.api().get(ORDERS).await.at("/meta/total_records"), 0);
    assert_eq!(shop.order(json!({})).await.status, 201);
    assert_eq!(shop.balance().await, "1.85");
    let money = RecordMembers::default().attribute("balance", "1.80").attribute("credit", "1.35");
    let owner = Some(shop.world.server.account());
    shop.world.server.control().put_record(owner, "balances", None, money).await.unwrap();
    assert_eq!(shop.order(json!({})).await.status, 201, "exactly what is left with the credit");
    let left = shop.api().get("/balance").await;
    assert_eq!(left.at("/data/attributes/balance"), "-1.35");
    assert_eq!(left.at("/data/attributes/total_balance"), "0.00");
}

#[tokio::test]
async fn a_pending_order_of_numbers_is_canceled_and_gives_money_and_numbers_back() {
    let shop = Shop::open(2, "100.00", "0").await;
    let made = shop.order(json!({ "qty": 2 })).await.id();
    let path = format!("{ORDERS}/{made}");
    assert_eq!((shop.balance().await.as_str(), shop.in_stock().await), ("93.70", 0));
    assert_eq!(shop.api().delete(&path).await.status, 204);
    assert_eq!(shop.status(&made).await, "canceled");
    assert_eq!((shop.balance().await.as_str(), shop.in_stock().await), ("100.00", 2));
    let base = || invalid("base", "Order not pending", "/data/attributes/base");
    refused(&shop.api().delete(&path).await, &[base()]);
    shop.wait(10);
    let again = shop.order(json!({})).await.id();
    shop.wait(5);
    shop.until(&again, "completed").await;
    assert_eq!(shop.status(&made).await, "canceled", "its job changes nothing");
    refused(&shop.api().delete(&format!("{ORDERS}/{again}")).await, &[base()]);
    assert_eq!((shop.balance().await.as_str(), shop.owned().await), ("96.85", 1));
}

#[tokio::test]
async fn an_order_whose_numbers_the_account_has_no_room_for_is_canceled_in_the_end_and_paid_back() {
    let shop = Shop::open(1, "100.00", "0").await;
    let (control, owner) = (shop.world.server.control(), shop.world.server.account());
    control.add_did(owner, NewDid::new("37061498222")).await.unwrap();
    let before = shop.balance().await;
    let made = shop.order(json!({})).await.id();
    let mut full = AccountPatch::default();
    full.record_quota = Patch::Set(1);
    control.update_account(owner, full).await.unwrap();
    shop.wait(29 * 24 * 60 * 60);
    let canceled = async {
        loop {
            match shop.status(&made).await.as_str() {
                "canceled" => break,
                status => assert_eq!(status, "pending"),
            }
            // Each run that fails waits longer.
            shop.wait(60 * 60);
        }
    };
    tokio::time::timeout(Duration::from_secs(30), canceled).await.unwrap();
    assert_eq!((shop.balance().await, shop.in_stock().await, shop.owned().await), (before, 1, 1));
}

#[tokio::test]
async fn staff_carry_out_an_order_at_once_and_cancel_one() {
    let shop = Shop::open(3, "100.00", "0").await;
    let (control, owner) = (shop.world.server.control(), shop.world.server.account());
    let made = shop.order(json!({})).await.id();
    control.complete_order(owner, made.parse().unwrap()).await.unwrap();
    assert_eq!(shop.status(&made).await, "completed");
    let other = shop.order(json!({ "qty": 2 })).await.id();
    control.cancel_order(owner, other.parse().unwrap()).await.unwrap();
    assert_eq!(shop.status(&other).await, "canceled");
    assert_eq!((shop.balance().await.as_str(), shop.in_stock().await), ("96.85", 2));
    for done in [&made, &other] {
        let (complete, cancel) = (
            control.complete_order(owner, done.parse().unwrap()).await,
            control.cancel_order(owner, done.parse().unwrap()).await,
        );
        for refusal in [complete.unwrap_err(), cancel.unwrap_err()] {
            assert_eq!(refusal.to_string(), "`order` is completed or canceled already");
        }
    }
}

#[tokio::test]
async fn an_order_of_more_than_there_is_waits_for_stock() {
    let mut shop = Shop::open(1, "100.00", "0").await;
    let made = shop.order(json!({ "qty": 3 })).await.id();
    assert_eq!((shop.balance().await.as_str(), shop.in_stock().await), ("90.55", 0));
    shop.wait(5);
    shop.stock().await;
    shop.stock().await;
    shop.wait(3600);
    shop.until(&made, "completed").await;
    assert_eq!((shop.in_stock().await, shop.owned().await), (0, 3));
    assert_eq!(shop.balance().await, "90.55");
}

#[tokio::test]
async fn an_order_that_waits_for_stock_for_thirty_days_is_canceled_and_paid_back() {
    let shop = Shop::open(1, "100.00", "0").await;
    let made = shop.order(json!({ "qty": 3 })).await.id();
    shop.wait(30 * 86_400 - 1);
    assert_eq!((shop.status(&made).await.as_str(), shop.in_stock().await), ("pending", 0));
    shop.wait(1);
    shop.until(&made, "canceled").await;
    assert_eq!((shop.balance().await.as_str(), shop.in_stock().await), ("100.00", 1));
    assert_eq!(shop.owned().await, 0);
}

#[tokio::test]
async fn an_order_has_at_most_a_thousand_numbers_in_all_its_items() {
    let shop = Shop::open(1, "9000.00", "0").await;
    let items = |quantities: &[u64]| -> Vec<Value> {
        quantities.iter().map(|quantity| shop.item(&json!({ "qty": quantity }))).collect()
    };
    let chosen = shop.item(&json!({ "available_did_id": shop.numbers[0] }));
    for (items, index, left) in [
        (items(&[600, 401]), 1, 400),
        ([items(&[999, 1]), vec![chosen]].concat(), 2, 0),
        (items(&[1000, 1, 1000]), 1, 0),
    ] {
        let refusal = shop.post(json!({ "items": items })).await;
        assert_eq!(refusal.status, 422, "{}", refusal.text);
        assert_eq!(refusal.at("/errors/0/title"), format!("must be less than or equal to {left}"));
        let pointer = format!("/data/attributes/items/{index}/qty");
        assert_eq!(refusal.at("/errors/0/source/pointer"), pointer);
    }
    let most = shop.post(json!({ "items": items(&[600, 400]) })).await;
    assert_eq!((most.status, most.at("/data/attributes/amount")), (201, json!("3150.0")), "{}", most.text);
}

/// What the items need to be carried out is then longer than the payload of a job can be, which is 16 KiB.
#[tokio::test]
async fn an_order_of_as_many_items_as_there_can_be_is_carried_out() {
    let shop = Shop::open(100, "1000.00", "0").await;
    let control = shop.world.server.control();
    let prefix = RecordMembers::default().attribute("npa", "212").attribute("nxx", "555");
    let prefix = control.put_record(None, "nanpa_prefixes", None, prefix).await.unwrap();
    for id in &shop.numbers {
        let linked = RecordMembers::default().relationship("nanpa_prefix", [prefix]);
        control.put_record(None, "available_dids", Some(id.parse().unwrap()), linked).await.unwrap();
    }
    let item = json!({ "qty": 1, "billing_cycles_count": 999, "nanpa_prefix_id": prefix.to_string() });
    let items = vec![shop.item(&item); 100];
    let body = resource("orders", json!({ "items": items }));
    let made = shop.api().at(Some("2022-05-10")).post(ORDERS, &body).await;
    assert_eq!(made.status, 201, "{}", made.text);
    shop.wait(5);
    shop.until(&made.id(), "completed").await;
    assert_eq!((shop.in_stock().await, shop.owned().await), (0, 100));
}

#[tokio::test]
async fn a_number_that_staff_make_a_did_is_not_offered_and_an_order_takes_another_one() {
    let shop = Shop::open(3, "100.00", "0").await;
    let (control, owner) = (shop.world.server.control(), shop.world.server.account());
    let add = async |number: &str| control.add_did(owner, NewDid::new(number)).await;
    let stored = RecordMembers::default().attribute("number", "37061490002");
    control.put_record(Some(owner), "dids", None, stored).await.unwrap();
    assert_eq!(shop.in_stock().await, 2);
    let gone = shop.item(&json!({ "available_did_id": shop.numbers[2] }));
    assert_eq!(shop.post(json!({ "items": [gone] })).await.status, 422);
    let twice = RecordMembers::default().attribute("number", "37061490002");
    let twice = control.put_record(None, "available_dids", None, twice).await.unwrap_err();
    assert_eq!(twice.to_string(), "`number` `37061490002` is a DID of an account already");

    // The order holds the first number, and takes the other one.
    let made = shop.order(json!({ "qty": 1 })).await.id();
    add("37061490000").await.unwrap();
    shop.wait(5);
    shop.until(&made, "completed").await;
    let bought = shop.api().get(&format!("{DIDS}?filter[order.id]={made}")).await;
    assert_eq!(bought.at("/data/0/attributes/number"), "37061490001", "{}", bought.text);
    assert_eq!((shop.in_stock().await, shop.owned().await), (0, 3));
}

#[tokio::test]
async fn an_order_of_a_number_that_staff_make_a_did_is_canceled_and_paid_back() {
    let shop = Shop::open(2, "100.00", "0").await;
    let (control, owner) = (shop.world.server.control(), shop.world.server.account());
    let reserve = resource("did_reservations", json!({}));
    let reserve = linking(reserve, "available_did", identifier("available_dids", &shop.numbers[0]));
    let reservation = shop.api().post("/did_reservations", &reserve).await.id();
    // The number is reserved when it becomes a DID.
    control.add_did(owner, NewDid::new("37061490000")).await.unwrap();
    let items = [
        shop.item(&json!({ "available_did_id": shop.numbers[1] })),
        shop.item(&json!({ "did_reservation_id": reservation })),
    ];
    let made = shop.post(json!({ "items": items })).await;
    assert_eq!(made.status, 201, "{}", made.text);
    assert_eq!(shop.balance().await, "93.70");
    let made = made.id();
    shop.wait(5);
    shop.until(&made, "canceled").await;
    assert_eq!(
        (shop.balance().await.as_str(), shop.in_stock().await),
        ("100.00", 1),
        "the DID is not offered"
    );
    assert_eq!(shop.owned().await, 1);
}

#[tokio::test]
async fn channels_are_added_to_their_pool_at_the_price_of_the_quantity() {
    let shop = Shop::open(0, "100.00", "0").await;
    let (control, owner) = (shop.world.server.control(), Some(shop.world.server.account()));
    let lower = RecordMembers::default()
        .attribute("qty", 10)
        .attribute("setup_price", "0.5")
        .attribute("monthly_price", "1.5");
    let lower = control.put_record(None, "qty_based_pricings", None, lower).await.unwrap();
    let pool = RecordMembers::default()
        .attribute("name", "Standard")
        .attribute("total_channels_count", 4)
        .attribute("minimum_qty_per_order", 5)
        .attribute("setup_price", "1.0")
        .attribute("monthly_price", "2.0")
        .relationship("qty_based_pricings", [lower]);
    let pool = control.put_record(owner, "capacity_pools", None, pool).await.unwrap().to_string();
    let order = async |qty: i64| {
        let attributes = json!({ "capacity_pool_id": pool, "qty": qty });
        shop.post(json!({ "items": [{ "type": "capacity_order_items", "attributes": attributes }] })).await
    };
    refused(
        &order(4).await,
        &[invalid("items/0/qty", "should be at least 5", "/data/attributes/items/0/qty")],
    );
    let many = "must be less than or equal to 10000";
    refused(&order(10_001).await, &[invalid("items/0/qty", many, "/data/attributes/items/0/qty")]);
    let few = order(5).await;
    assert_eq!(
        (few.at("/data/attributes/amount"), few.at("/data/attributes/description")),
        (json!("15.0"), json!("Capacity"),)
    );
    assert_eq!(order(10).await.at("/data/attributes/amount"), "20.0");
    assert_eq!(shop.api().delete(&format!("{ORDERS}/{}", few.id())).await.status, 422, "not of numbers");
    shop.wait(5);
    shop.until(&few.id(), "completed").await;
    let total = async {
        let path = format!("/capacity_pools/{pool}");
        while shop.api().get(&path).await.at("/data/attributes/total_channels_count") != 19 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), total).await.unwrap();
    assert_eq!(shop.balance().await, "65.00");
}

#[tokio::test]
async fn orders_are_filtered_by_status_and_day_and_older_versions_capitalise() {
    let shop = Shop::open(2, "100.00", "0").await;
    let made = shop.order(json!({})).await;
    let canceled = shop.order(json!({})).await.id();
    assert_eq!(shop.api().delete(&format!("{ORDERS}/{canceled}")).await.status, 204);
    let count = async |version: &str, query: &str| {
        let answer = shop.api().at(Some(version)).get(&format!("{ORDERS}?{query}")).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.at("/meta/total_records").as_u64().unwrap()
    };
    let day = made.at("/data/attributes/created_at").as_str().unwrap()[..10].to_owned();
    for (query, expected) in [
        ("filter[status]=pending".to_owned(), 1),
        ("filter[status]=pending,canceled".to_owned(), 2),
        (format!("filter[created_at_gteq]={day}&filter[created_at_lteq]={day}"), 2),
        (format!("filter[created_at_lteq]={day}T00:00:00.000Z"), 2),
        ("filter[created_at_lteq]=2001-02-03".to_owned(), 0),
        ("filter[created_at_gteq]=2101-02-03T04:05:06.000Z".to_owned(), 0),
    ] {
        assert_eq!(count("2026-04-16", &query).await, expected, "{query}");
    }
    assert_eq!(count("2022-05-10", "filter[status]=Canceled").await, 1);
    let old = shop.api().at(Some("2022-05-10")).get(&format!("{ORDERS}/{canceled}")).await;
    assert_eq!(old.at("/data/attributes/status"), "Canceled");
    let wrong = shop.api().get(&format!("{ORDERS}?filter[created_at_gteq]=soon")).await;
    assert_eq!((wrong.status, wrong.at("/errors/0/code")), (400, json!("107")));
}

/// Whatever the order of orders, cancellations and clock steps: balance = start - what was not canceled, never below
/// zero, and no number has two owners.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_balance_is_the_start_less_the_orders_that_were_not_canceled_whatever_races() {
    let shop = std::sync::Arc::new(Shop::open(40, "31.50", "0").await);
    let buyers = (0..12_u64).map(|buyer| {
        let shop = std::sync::Arc::clone(&shop);
        tokio::spawn(async move {
            let mut outcomes = Vec::new();
            for round in 0..3 {
                let made = shop.order(json!({ "qty": 1 + (buyer + round) % 2 })).await;
                match made.status {
                    201 if (buyer + round) % 3 == 0 => {
                        let path = format!("{ORDERS}/{}", made.id());
                        let canceled = shop.api().delete(&path).await.status;
                        assert!(canceled == 204 || canceled == 422 || canceled == 503, "{canceled}");
                    }
                    201 => {}
                    status => assert!(status == 400 || status == 503, "{}", made.text),
                }
                if buyer == 0 {
                    shop.wait(3);
                }
                outcomes.push(made.status);
            }
            outcomes
        })
    });
    let outcomes: Vec<u16> =
        futures_util::future::join_all(buyers).await.into_iter().flat_map(Result::unwrap).collect();
    assert!(outcomes.contains(&201) && outcomes.contains(&400), "{outcomes:?}");
    shop.wait(10);
    let settled = async {
        let path = format!("{ORDERS}?filter[status]=pending");
        while shop.api().get(&path).await.at("/meta/total_records") != 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), settled).await.unwrap();
    let orders = shop.api().get(&format!("{ORDERS}?filter[status]=completed&page[size]=100")).await;
    let amount =
        |order: &Value| -> Decimal { order["attributes"]["amount"].as_str().unwrap().parse().unwrap() };
    let orders = orders.at("/data");
    let spent: Decimal = orders.as_array().unwrap().iter().map(amount).sum();
    let left: Decimal = shop.balance().await.parse().unwrap();
    assert_eq!(left + spent, "31.50".parse().unwrap());
    assert!(left >= Decimal::ZERO, "{left}");
    let dids = shop.api().get(&format!("{DIDS}?page[size]=100")).await.at("/data");
    let numbers: Vec<String> =
        dids.as_array().unwrap().iter().map(|did| did["attributes"]["number"].to_string()).collect();
    assert_eq!(numbers.iter().collect::<BTreeSet<_>>().len(), numbers.len());
    let bought: i64 = orders
        .as_array()
        .unwrap()
        .iter()
        .map(|order| order["attributes"]["items"][0]["attributes"]["qty"].as_i64().unwrap())
        .sum();
    assert_eq!(i64::try_from(numbers.len()).unwrap(), bought);
    assert_eq!(shop.in_stock().await + numbers.len() as u64, 40);
}
