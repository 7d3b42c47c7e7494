//! The price of an order for a period that has begun already, and the effect of a reset on the stock.

use std::time::Duration;

use didww_types::{Feature, Timestamp};
use serde_json::{Value, json};
use trunk_server::control::{NewAccount, NewDid, RecordMembers, Review, SaveOptions, World as WorldFile};

use super::shop::{ORDERS, Shop};
use crate::support::api::{Answer, NEW, TOKENS};
use crate::support::engine;
use crate::support::months::month_after;
use crate::support::world::*;

const DAY: u64 = 86_400;

impl Shop {
    /// Sets the frozen clock, which stays frozen.
    fn set_clock(&self, at: &str) {
        self.world.server.control().clock().freeze(Some(at.parse().unwrap()));
    }

    /// Waits until the account has this balance.
    async fn until_spent(&self, balance: &str) {
        let reached = async {
            while self.balance().await != balance {
                tokio::task::yield_now().await;
            }
        };
        let reached = tokio::time::timeout(Duration::from_secs(30), reached).await;
        reached.unwrap_or_else(|_| panic!("the balance never was {balance}"));
    }

    /// The first item of an order.
    async fn item_of(&self, order: &str) -> Value {
        self.api().get(&format!("{ORDERS}/{order}")).await.at("/data/attributes/items/0/attributes")
    }
}

fn amount(order: &Answer) -> Value {
    assert_eq!(order.status, 201, "{}", order.text);
    order.at("/data/attributes/amount")
}

#[tokio::test]
async fn channels_pay_the_days_that_are_left_of_their_pools_period_and_are_renewed_with_the_others() {
    let shop = Shop::open(0, "100.00", "0").await;
    shop.set_clock("2035-05-01T12:00:00Z");
    let pool = shop.pool(None).await;
    let first = shop.order_channels(&pool, 4).await;
    assert_eq!(
        (amount(&first), first.at("/data/attributes/items/0/attributes/prorated_mrc")),
        (json!("12.0"), json!(false))
    );
    shop.wait(5);
    shop.until(&first.id(), "completed").await;
    assert_eq!(shop.read_pool(&pool).await["renew_date"], "2035-06-01");
    let item = shop.item_of(&first.id()).await;
    assert_eq!((&item["billed_from"], &item["billed_to"]), (&json!("2035-05-01"), &json!("2035-05-31")));
    assert_eq!(shop.balance().await, "88.00");

    // 18 days are left, of which one has begun: 3 x 2.00 x 18 / 31.
    shop.set_clock("2035-05-14T18:00:00Z");
    let second = shop.order_channels(&pool, 3).await;
    assert_eq!(amount(&second), "6.48");
    let item = shop.item_of(&second.id()).await;
    assert_eq!(
        (&item["nrc"], &item["mrc"], &item["prorated_mrc"]),
        (&json!("3.0"), &json!("3.48"), &json!(true))
    );
    shop.wait(5);
    shop.until(&second.id(), "completed").await;
    let item = shop.item_of(&second.id()).await;
    assert_eq!((&item["billed_from"], &item["billed_to"]), (&json!("2035-05-14"), &json!("2035-05-31")));
    let read = shop.read_pool(&pool).await;
    assert_eq!((&read["total_channels_count"], &read["renew_date"]), (&json!(7), &json!("2035-06-01")));
    assert_eq!(shop.balance().await, "81.52");

    shop.set_clock("2035-06-01T00:00:00Z");
    shop.until_spent("67.52").await;
    assert_eq!(shop.read_pool(&pool).await["renew_date"], "2035-07-01");
}

#[tokio::test]
async fn what_a_part_of_a_period_costs_is_rounded_to_cents() {
    let shop = Shop::open(0, "100.00", "0").await;
    // A day of a channel costs 2.00 / 31, and 2.00 / 28 where the period began in February.
    for (day, qty, expected) in
        [("2035-06-02", 1, "1.06"), ("2035-06-02", 9, "9.58"), ("2035-06-08", 2, "2.9")]
    {
        shop.set_clock("2035-06-01T09:00:00Z");
        let pool = shop.pool(Some(day)).await;
        assert_eq!(amount(&shop.order_channels(&pool, qty).await), expected, "{qty} until {day}");
    }
    shop.set_clock("2035-03-01T09:00:00Z");
    let pool = shop.pool(Some("2035-03-02")).await;
    assert_eq!(amount(&shop.order_channels(&pool, 1).await), "1.07");
}

/// What is recorded of December 2018, 17 years later.
#[tokio::test]
async fn channels_cost_and_last_as_long_as_recorded_ones() {
    let recorded = include_str!("../../../fixtures/2022-05-10/orders.create_channels.response.json");
    let recorded: Value = serde_json::from_str(recorded).unwrap();
    let recorded = &recorded["data"]["attributes"];
    let shop = Shop::open(0, "100.00", "0").await;
    shop.set_clock("2035-12-28T14:08:33Z");
    let pool = RecordMembers::default()
        .attribute("name", "Extended")
        .attribute("setup_price", "25.0")
        .attribute("monthly_price", "25.0")
        .attribute("total_channels_count", 8)
        .attribute("renew_date", "2036-01-21");
    let (control, owner) = (shop.world.server.control(), Some(shop.world.server.account()));
    let pool = control.put_record(owner, "capacity_pools", None, pool).await.unwrap().to_string();
    let made = shop.order_channels(&pool, 1).await;
    assert_eq!(amount(&made), recorded["amount"]);
    shop.wait(5);
    shop.until(&made.id(), "completed").await;
    let (item, recorded) = (shop.item_of(&made.id()).await, &recorded["items"][0]["attributes"]);
    for name in ["qty", "nrc", "mrc", "prorated_mrc"] {
        assert_eq!(item[name], recorded[name], "{name}");
    }
    let years_later = |day: &Value| {
        let (year, rest) = day.as_str().unwrap().split_once('-').unwrap();
        json!(format!("{}-{rest}", year.parse::<u32>().unwrap() + 17))
    };
    for name in ["billed_from", "billed_to"] {
        assert_eq!(item[name], years_later(&recorded[name]), "{name}");
    }
}

/// Two items of a recorded order: one number at 5.60 a month, and two at 0.19.
#[tokio::test]
async fn an_item_of_numbers_shows_what_one_of_them_costs_as_recorded() {
    let recorded = include_str!("../../../fixtures/2026-04-16/orders.create_numbers.response.json");
    let recorded: Value = serde_json::from_str(recorded).unwrap();
    let recorded = &recorded["data"]["attributes"];
    let shop = Shop::open(3, "100.00", "0").await;
    let control = shop.world.server.control();
    let (mut items, mut units) = (Vec::new(), Vec::new());
    for item in recorded["items"].as_array().unwrap() {
        let item = &item["attributes"];
        let unit = RecordMembers::default()
            .attribute("setup_price", item["setup_price"].clone())
            .attribute("monthly_price", item["monthly_price"].clone());
        let unit = control.put_record(None, "stock_keeping_units", None, unit).await.unwrap();
        units.push(unit);
        let attributes = json!({ "sku_id": unit.to_string(), "qty": item["qty"] });
        items.push(json!({ "type": "did_order_items", "attributes": attributes }));
    }
    let group = RecordMembers::default().relationship("stock_keeping_units", units);
    control.put_record(None, "did_groups", Some(shop.group), group).await.unwrap();
    let made = shop.post(json!({ "items": items })).await;
    assert_eq!(amount(&made), recorded["amount"]);
    let shown = made.at("/data/attributes/items");
    for (shown, recorded) in shown.as_array().unwrap().iter().zip(recorded["items"].as_array().unwrap()) {
        for name in
            ["qty", "nrc", "mrc", "prorated_mrc", "billed_from", "billed_to", "setup_price", "monthly_price"]
        {
            assert_eq!(shown["attributes"][name], recorded["attributes"][name], "{name}");
        }
    }
}

#[tokio::test]
async fn channels_of_a_pool_that_was_renewed_before_they_were_added_are_canceled_and_paid_back() {
    let shop = Shop::open(0, "100.00", "0").await;
    shop.set_clock("2035-05-01T12:00:00Z");
    let pool = shop.pool(Some("2035-05-16")).await;
    let first = shop.order_channels(&pool, 5).await;
    assert_eq!(amount(&first), "10.0");
    shop.wait(5);
    shop.until(&first.id(), "completed").await;
    shop.set_clock("2035-05-15T23:59:58Z");
    let late = shop.order_channels(&pool, 3).await;
    assert_eq!(amount(&late), "3.2");
    shop.wait(2);
    shop.until_spent("76.80").await;
    assert_eq!(shop.read_pool(&pool).await["renew_date"], "2035-06-16");
    shop.wait(3);
    shop.until(&late.id(), "canceled").await;
    assert_eq!(shop.balance().await, "80.00");
    assert_eq!(shop.read_pool(&pool).await["total_channels_count"], 5);
    assert_eq!(amount(&shop.order_channels(&pool, 3).await), "9.0", "the whole period is paid now");
}

#[tokio::test]
async fn channels_that_were_ordered_before_a_renewal_are_renewed_in_the_same_step_of_the_clock() {
    let shop = Shop::open(0, "100.00", "0").await;
    shop.set_clock("2035-05-01T12:00:00Z");
    let pool = shop.pool(Some("2035-05-16")).await;
    let first = shop.order_channels(&pool, 5).await;
    assert_eq!(amount(&first), "10.0");
    shop.wait(5);
    shop.until(&first.id(), "completed").await;
    let second = shop.order_channels(&pool, 3).await;
    assert_eq!(amount(&second), "6.0");
    shop.set_clock("2035-06-01T12:00:00Z");
    shop.until(&second.id(), "completed").await;
    shop.until_spent("68.00").await;
    let read = shop.read_pool(&pool).await;
    assert_eq!((&read["total_channels_count"], &read["renew_date"]), (&json!(8), &json!("2035-06-16")));
}

#[tokio::test]
async fn a_pool_whose_renewal_is_not_paid_has_no_further_channels_until_it_is_or_loses_all() {
    let shop = Shop::open(0, "17.00", "0").await;
    shop.set_clock("2035-05-01T12:00:00Z");
    let pool = shop.pool(None).await;
    let first = shop.order_channels(&pool, 5).await;
    assert_eq!(amount(&first), "15.0");
    shop.wait(5);
    shop.until(&first.id(), "completed").await;
    // The renewal of 10.00 cannot be paid from 2.00.
    shop.set_clock("2035-06-01T12:00:00Z");
    let late = async || shop.order_channels(&pool, 1).await;
    let (field, pointer) = ("items/0/capacity_pool_id", "/data/attributes/items/0/capacity_pool_id");
    refused(&late().await, &[invalid(field, "is invalid", pointer)]);
    shop.set_money("13.00", "0").await;
    shop.wait(DAY);
    shop.until_spent("3.00").await;
    assert_eq!(shop.read_pool(&pool).await["renew_date"], "2035-07-01");
    // 1.00, and 2.00 x 29 / 30.
    let paid = late().await;
    assert_eq!(amount(&paid), "2.93");
    shop.wait(5);
    shop.until(&paid.id(), "completed").await;

    shop.set_clock("2035-07-08T12:00:00Z");
    let lost = async {
        while shop.read_pool(&pool).await["total_channels_count"] != 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), lost).await.expect("it keeps its channels");
    shop.set_money("13.00", "0").await;
    let anew = late().await;
    assert_eq!(
        (amount(&anew), anew.at("/data/attributes/items/0/attributes/prorated_mrc")),
        (json!("3.0"), json!(false))
    );
    shop.wait(5);
    shop.until(&anew.id(), "completed").await;
    let read = shop.read_pool(&pool).await;
    assert_eq!((&read["total_channels_count"], &read["renew_date"]), (&json!(1), &json!("2035-08-08")));
    assert_eq!(shop.balance().await, "10.00");
}

#[tokio::test]
async fn an_account_with_prorated_billing_pays_some_days_of_the_first_period_of_numbers() {
    let world = World::of(engine::builder().feature(Feature::ProratedBilling)).await;
    let shop = Shop::of(world, 3, "20.00", "0").await;
    shop.set_clock("2035-04-10T12:00:00Z");
    for (days, message) in [(json!(0), "greater than or equal to 1"), (json!(31), "less than or equal to 30")]
    {
        let wrong = shop.order(json!({ "qty": 2, "prorate_days_qty": days })).await;
        let (field, pointer) = ("items/0/prorate_days_qty", "/data/attributes/items/0/prorate_days_qty");
        refused(&wrong, &[invalid(field, &format!("must be {message}"), pointer)]);
    }
    // 2 x 1.10, and 2 x 2.05 x 7 / 30.
    let made = shop.order(json!({ "qty": 2, "prorate_days_qty": 7 })).await;
    assert_eq!(amount(&made), "3.16");
    let item = shop.item_of(&made.id()).await;
    for (name, expected) in [("nrc", json!("1.1")), ("mrc", json!("0.48")), ("prorated_mrc", json!(true))] {
        assert_eq!(item[name], expected, "{name}");
    }
    shop.wait(5);
    shop.until(&made.id(), "completed").await;
    assert_eq!(shop.balance().await, "16.84");
    let now = shop.world.server.control().clock().now();
    let ends = async || -> Timestamp {
        shop.api().get(DIDS).await.at("/data/0/attributes/expires_at").as_str().unwrap().parse().unwrap()
    };
    let first_end = now.after(Duration::from_secs(7 * DAY));
    assert_eq!(ends().await, first_end);
    assert_eq!(shop.item_of(&made.id()).await["billed_to"], "2035-04-16", "its last day");
    shop.wait(7 * DAY - 1);
    assert_eq!(shop.balance().await, "16.84");
    shop.wait(1);
    shop.until_spent("12.74").await;
    assert_eq!(ends().await, month_after(first_end), "a renewal is of a whole period");
    let whole = shop.order(json!({ "prorate_days_qty": 30 })).await;
    assert_eq!(amount(&whole), "3.15");
    assert_eq!(shop.item_of(&whole.id()).await["prorated_mrc"], false);
}

#[tokio::test]
async fn days_of_numbers_are_ignored_without_prorated_billing() {
    let shop = Shop::open(2, "20.00", "0").await;
    for days in [json!(7), json!(0), json!("many")] {
        let made = shop.order(json!({ "prorate_days_qty": days })).await;
        assert_eq!(amount(&made), "3.15", "{days}");
        assert_eq!(shop.item_of(&made.id()).await["prorated_mrc"], false);
        assert_eq!(shop.api().delete(&format!("{ORDERS}/{}", made.id())).await.status, 204);
    }
}

#[tokio::test]
async fn a_reset_and_a_deletion_of_an_account_give_back_the_stock_that_its_orders_took() {
    let shop = Shop::open(3, "20.00", "0").await;
    let (control, owner) = (shop.world.server.control(), shop.world.server.account());
    let (_, key) = control.create_account(NewAccount::named("other")).await.unwrap();
    let other = shop.api().with_key(Some(key.expose()));
    let path = format!("/did_groups/{}", shop.group);
    let stated = async || {
        let group = other.get(&path).await;
        (group.at("/data/meta/total_count"), group.at("/data/meta/is_available"))
    };
    shop.buy(json!({ "qty": 3 })).await;
    // It was not in the stock.
    control.add_did(owner, NewDid::new("37061498222").did_group(shop.group)).await.unwrap();
    assert_eq!(stated().await, (json!(0), json!(false)));
    control.reset(Some(owner)).await.unwrap();
    assert_eq!(stated().await, (json!(3), json!(true)));
    assert_eq!((shop.in_stock().await, shop.owned().await), (3, 0));

    shop.set_money("20.00", "0").await;
    shop.buy(json!({ "qty": 2 })).await;
    // The number of a pending order still counts.
    assert_eq!(shop.order(json!({})).await.status, 201);
    assert_eq!(stated().await, (json!(1), json!(true)));
    control.delete_account(owner).await.unwrap();
    assert_eq!(stated().await, (json!(3), json!(true)));
    assert_eq!(other.get("/available_dids").await.at("/meta/total_count"), 3);
}

/// Of a recorded number of 25 February 2026 that was registered on 27 February, the paid period ends a month after
/// that.
#[tokio::test]
async fn the_first_month_of_a_number_that_waits_for_its_registration_begins_with_the_approval() {
    let shop = Shop::open(2, "100.00", "0").await;
    shop.set_clock("2035-02-25T15:01:01Z");
    let group = RecordMembers::default().meta("needs_registration", true);
    let control = shop.world.server.control();
    control.put_record(None, "did_groups", Some(shop.group), group).await.unwrap();
    shop.buy(json!({ "qty": 2 })).await;
    let api = shop.api().at(Some(NEW));
    let expiries = async || -> Vec<Value> {
        let dids = api.get(&format!("{DIDS}?sort=number")).await.at("/data");
        dids.as_array().unwrap().iter().map(|did| did["attributes"]["expires_at"].clone()).collect()
    };
    assert_eq!(expiries().await, ["2035-03-25T15:01:06.000Z", "2035-03-25T15:01:06.000Z"]);

    let country = RecordMembers::default().attribute("name", "Lithuania").attribute("iso", "LT");
    let country = control.put_record(None, "countries", None, country).await.unwrap().to_string();
    let create = async |path: &str, body: Value| {
        let answer = api.post(path, &body).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        answer.id()
    };
    let person = json!({
        "identity_type": "personal", "first_name": "Ada", "last_name": "Lovelace", "phone_number": "442071234567",
    });
    let identity = create("/identities", resource("identities", person)).await;
    let place = json!({ "address": "Gedimino 1", "city_name": "Vilnius", "postal_code": "01103" });
    let place = linking(resource("addresses", place), "identity", identifier("identities", &identity));
    let address = create("/addresses", linking(place, "country", identifier("countries", &country))).await;
    let first = api.get(&format!("{DIDS}?sort=number")).await.at("/data/0/id");
    let verification = resource("address_verifications", json!({}));
    let verification = linking(verification, "address", identifier("addresses", &address));
    let verification = linking(verification, "dids", dids(&[first.as_str().unwrap()]));
    let verification = create("/address_verifications", verification).await;
    shop.set_clock("2035-02-27T13:48:55.974Z");
    let (owner, verification) = (shop.world.server.account(), verification.parse().unwrap());
    control.review_address_verification(owner, verification, Review::Approve).await.unwrap();
    assert_eq!(expiries().await, ["2035-03-27T13:48:55.974Z", "2035-03-25T15:01:06.000Z"]);
    assert_eq!(shop.balance().await, "93.70");
    shop.set_clock("2035-03-27T13:48:55Z");
    shop.until_spent("91.65").await;
    shop.set_clock("2035-03-27T13:48:56Z");
    shop.until_spent("89.60").await;
    assert_eq!(expiries().await, ["2035-04-27T13:48:55.974Z", "2035-04-25T15:01:06.000Z"]);
}

#[tokio::test]
async fn a_pending_order_that_the_file_of_a_world_brings_can_only_be_canceled() {
    let shop = Shop::open(1, "100.00", "0").await;
    let (control, owner) = (shop.world.server.control(), shop.world.server.account());
    let made = shop.order(json!({})).await;
    assert_eq!(amount(&made), "3.15");
    let saved = control.save_world(SaveOptions::default().account(owner)).await.unwrap().to_json();
    let saved: Value = serde_json::from_str(&saved).unwrap();
    let order = &saved["accounts"][0]["records"]["orders"][0];
    let order = json!({ "id": UNKNOWN, "attributes": order["attributes"] });
    let file = json!({ "accounts": [{ "name": "one", "records": { "orders": [order] } }] });
    control.load_world(&WorldFile::from_json(&file.to_string()).unwrap(), Some(owner)).await.unwrap();
    let loaded = UNKNOWN.parse().unwrap();
    let refused = control.complete_order(owner, loaded).await.unwrap_err();
    assert_eq!(refused.to_string(), "`order` was brought by the file of a world, and can only be canceled");
    assert_eq!(shop.status(UNKNOWN).await, "pending");
    control.cancel_order(owner, loaded).await.unwrap();
    assert_eq!((shop.status(UNKNOWN).await.as_str(), shop.balance().await.as_str()), ("canceled", "100.00"));
}

#[tokio::test]
async fn a_number_that_needs_a_registration_is_blocked_until_it_has_one() {
    let shop = Shop::open(1, "100.00", "0").await;
    let group = RecordMembers::default().meta("needs_registration", true);
    let control = shop.world.server.control();
    control.put_record(None, "did_groups", Some(shop.group), group).await.unwrap();
    shop.buy(json!({ "qty": 1 })).await;
    for version in [NEW, TOKENS] {
        let api = shop.api().at(Some(version));
        let dids = api.get("/dids?filter[blocked]=true&filter[awaiting_registration]=true").await;
        assert_eq!(dids.at("/meta/total_records"), 1, "{}", dids.text);
        assert_eq!(dids.at("/data/0/attributes/blocked"), true);
    }
}
