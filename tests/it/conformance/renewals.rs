//! Renewals: the charges of the next months, and the end of a DID.

use std::time::Duration;

use didww_types::Timestamp;
use serde_json::{Value, json};
use trunk_server::control::{DidPatch, NewDid, RecordMembers, SaveOptions, World as WorldFile};

use super::shop::Shop;
use crate::support::months::month_after;
use crate::support::world::*;

const DAY: u64 = 86_400;

impl Shop {
    /// Lets the clock go on to a time, which is whole seconds away.
    fn wait_until(&self, at: Timestamp) {
        self.wait(at.since(self.now()).as_secs());
    }

    /// Lets the clock go on to the end of a period that begins now.
    fn wait_a_month(&self) {
        self.wait_until(month_after(self.now()));
    }

    fn now(&self) -> Timestamp {
        self.world.server.control().clock().now()
    }

    /// Waits until the account has this balance.
    async fn until_balance(&self, expected: &str) {
        self.until_is(expected, async || self.balance().await).await;
    }

    /// Waits until the account has this number of DIDs.
    async fn until_owned(&self, expected: u64) {
        self.until_is(&expected, async || self.owned().await).await;
    }

    async fn until_is<T, E>(&self, expected: &E, read: impl AsyncFn() -> T)
    where
        T: PartialEq<E>,
        E: std::fmt::Debug + ?Sized,
    {
        let reached = async {
            while read().await != *expected {
                // The run that it waits for needs the same database.
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let reached = tokio::time::timeout(Duration::from_secs(30), reached).await;
        reached.unwrap_or_else(|_| panic!("it never was {expected:?}"));
    }

    /// The attributes of the only DID.
    async fn did(&self) -> Value {
        self.api().get(DIDS).await.at("/data/0/attributes")
    }

    async fn stated_stock(&self) -> Value {
        self.api().get(&format!("/did_groups/{}", self.group)).await.at("/data/meta/total_count")
    }
}

fn time(did: &Value) -> Timestamp {
    did["expires_at"].as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_did_is_charged_every_month_while_it_has_cycles_and_is_released_after_the_last_one() {
    let shop = Shop::open(2, "20.00", "0").await;
    shop.buy(json!({ "billing_cycles_count": 1 })).await;
    assert_eq!((shop.balance().await.as_str(), shop.stated_stock().await), ("16.85", json!(1)));
    let bought = time(&shop.did().await);
    assert_eq!(bought, month_after(shop.now()));
    shop.wait(bought.since(shop.now()).as_secs() - 1);
    assert_eq!(
        (shop.balance().await.as_str(), shop.did().await["billing_cycles_count"].clone()),
        ("16.85", json!(1))
    );
    shop.wait(1);
    shop.until_balance("14.80").await;
    let renewed = shop.did().await;
    assert_eq!(renewed["billing_cycles_count"], 0);
    assert_eq!(time(&renewed), month_after(bought));
    shop.wait_a_month();
    shop.until_owned(0).await;
    assert_eq!((shop.balance().await.as_str(), shop.in_stock().await), ("14.80", 2));
    assert_eq!(shop.stated_stock().await, 2);
    shop.buy(json!({ "available_did_id": shop.numbers[0] })).await;
    assert_eq!(shop.owned().await, 1, "another one can have it");
}

#[tokio::test]
async fn every_month_that_a_step_of_the_clock_passes_is_charged() {
    let shop = Shop::open(2, "20.00", "0").await;
    shop.buy(json!({ "qty": 2 })).await;
    assert_eq!(shop.balance().await, "13.70");
    let bought = time(&shop.did().await);
    let third = month_after(month_after(bought));
    shop.wait_until(third);
    shop.until_balance("1.40").await;
    let renewed = shop.did().await;
    assert_eq!(renewed["billing_cycles_count"], Value::Null);
    assert_eq!(time(&renewed), month_after(third));
}

/// A run decides on 200.
#[tokio::test]
async fn more_dids_than_a_run_decides_on_are_charged_by_further_runs() {
    let shop = Shop::open(201, "2000.00", "0").await;
    shop.buy(json!({ "qty": 201 })).await;
    assert_eq!(shop.balance().await, "1366.85");
    shop.wait_a_month();
    shop.until_balance("954.80").await;
    assert_eq!(shop.owned().await, 201);
}

#[tokio::test]
async fn a_did_that_cannot_be_paid_is_tried_every_day_and_ends_a_week_later() {
    let shop = Shop::open(1, "3.15", "0").await;
    shop.buy(json!({})).await;
    assert_eq!(shop.balance().await, "0.00");
    let bought = time(&shop.did().await);
    shop.wait_until(bought);
    shop.wait(3 * DAY);
    assert_eq!((shop.owned().await, time(&shop.did().await)), (1, bought));
    shop.set_money("1.00", "1.05").await;
    shop.wait(DAY);
    shop.until_balance("-1.05").await;
    let renewed = time(&shop.did().await);
    assert_eq!(renewed, month_after(bought), "from the end of the period");
    shop.wait_until(renewed);
    shop.wait(7 * DAY - 1);
    assert_eq!(shop.owned().await, 1);
    shop.wait(1);
    shop.until_owned(0).await;
    assert_eq!((shop.balance().await.as_str(), shop.in_stock().await), ("-1.05", 1));
}

#[tokio::test]
async fn a_did_that_its_owner_terminates_ends_with_its_period_and_one_of_staff_is_left_alone() {
    let shop = Shop::open(2, "20.00", "0").await;
    let (control, owner) = (shop.world.server.control(), shop.world.server.account());
    shop.buy(json!({ "qty": 2 })).await;
    let of_staff = control.add_did(owner, NewDid::new("37061498222")).await.unwrap();
    let dids = shop.api().get(&format!("{DIDS}?sort=number")).await;
    let id = dids.at("/data/0/id");
    let terminated = update("dids", id.as_str().unwrap(), json!({ "terminated": true }));
    let path = format!("{DIDS}/{}", id.as_str().unwrap());
    assert_eq!(shop.api().patch(&path, &terminated).await.status, 200);
    shop.wait_a_month();
    shop.until_owned(2).await;
    assert_eq!(shop.balance().await, "11.65", "the other one is charged");
    assert_eq!(shop.api().get(&path).await.status, 404);
    let of_staff = shop.api().get(&format!("{DIDS}/{of_staff}")).await;
    assert_eq!(of_staff.at("/data/attributes/billing_cycles_count"), Value::Null);
    // It was paid for 30 days.
    assert!(time(&of_staff.at("/data/attributes")) <= shop.now().after(Duration::from_secs(2 * DAY)));
}

#[tokio::test]
async fn a_period_that_staff_shorten_is_renewed_at_its_new_end() {
    let shop = Shop::open(1, "20.00", "0").await;
    let (control, owner) = (shop.world.server.control(), shop.world.server.account());
    shop.buy(json!({})).await;
    let id = shop.api().get(DIDS).await.at("/data/0/id");
    let mut patch = DidPatch::default();
    let end = control.clock().now().after(Duration::from_secs(DAY));
    patch.expires_at = Some(end);
    control.update_did(owner, id.as_str().unwrap().parse().unwrap(), patch).await.unwrap();
    shop.wait(DAY);
    shop.until_balance("14.80").await;
    assert_eq!(time(&shop.did().await), month_after(end));
}

#[tokio::test]
async fn a_period_that_the_file_of_a_world_shortens_is_renewed_at_its_new_end() {
    let shop = Shop::open(1, "20.00", "0").await;
    let (control, owner) = (shop.world.server.control(), shop.world.server.account());
    shop.buy(json!({})).await;
    let saved = control.save_world(SaveOptions::default().account(owner)).await.unwrap().to_json();
    let saved: Value = serde_json::from_str(&saved).unwrap();
    let mut did = saved["accounts"][0]["records"]["dids"][0].clone();
    let end = control.clock().now().after(Duration::from_secs(DAY));
    did["attributes"]["expires_at"] = json!(end);
    let file = json!({ "accounts": [{ "name": "one", "records": { "dids": [did] } }] });
    control.load_world(&WorldFile::from_json(&file.to_string()).unwrap(), Some(owner)).await.unwrap();
    assert_eq!(time(&shop.did().await), end);
    shop.wait(DAY);
    shop.until_balance("14.80").await;
    assert_eq!(time(&shop.did().await), month_after(end));
}

#[tokio::test]
async fn channels_are_charged_every_month_and_leave_their_pool_if_nothing_uses_and_pays_them() {
    let shop = Shop::open(0, "29.00", "0").await;
    let (control, owner) = (shop.world.server.control(), Some(shop.world.server.account()));
    let pool = RecordMembers::default()
        .attribute("name", "Standard")
        .attribute("setup_price", "1.0")
        .attribute("monthly_price", "2.0");
    let pool = control.put_record(owner, "capacity_pools", None, pool).await.unwrap().to_string();
    let read = async |name: &str| {
        let path = format!("/capacity_pools/{pool}");
        shop.api().get(&path).await.at(&format!("/data/attributes/{name}"))
    };
    assert_eq!(read("renew_date").await, Value::Null);
    let attributes = json!({ "capacity_pool_id": pool, "qty": 5 });
    let items = json!({ "items": [{ "type": "capacity_order_items", "attributes": attributes }] });
    let made = shop.post(items).await;
    assert_eq!(made.status, 201, "{}", made.text);
    shop.wait(5);
    shop.until(&made.id(), "completed").await;
    let day = |at: Timestamp| json!(at.to_string()[..10]);
    let first = month_after(shop.now());
    assert_eq!((read("total_channels_count").await, read("renew_date").await), (json!(5), day(first)));
    assert_eq!(shop.balance().await, "14.00");
    shop.wait_until(first);
    shop.until_balance("4.00").await;
    assert_eq!(read("renew_date").await, day(month_after(first)));
    shop.wait_a_month();
    shop.wait(8 * DAY);
    shop.until_is(&json!(0), async || read("total_channels_count").await).await;
    assert_eq!(shop.balance().await, "4.00");
}

/// Buys 5 channels of a pool to which staff gave this date. Returns the path of the pool.
async fn buy_channels(shop: &Shop, renew_date: &str) -> String {
    let (control, owner) = (shop.world.server.control(), Some(shop.world.server.account()));
    let pool = RecordMembers::default()
        .attribute("name", "Standard")
        .attribute("setup_price", "1.0")
        .attribute("monthly_price", "2.0")
        .attribute("renew_date", renew_date);
    let pool = control.put_record(owner, "capacity_pools", None, pool).await.unwrap().to_string();
    let attributes = json!({ "capacity_pool_id": pool, "qty": 5 });
    let items = json!({ "items": [{ "type": "capacity_order_items", "attributes": attributes }] });
    let made = shop.post(items).await;
    assert_eq!(made.status, 201, "{}", made.text);
    shop.wait(5);
    shop.until(&made.id(), "completed").await;
    format!("/capacity_pools/{pool}")
}

#[tokio::test]
async fn channels_of_a_pool_that_has_a_period_already_are_charged_at_its_end() {
    let shop = Shop::open(0, "40.00", "0").await;
    let noon = "2035-05-02T12:00:00Z".parse().unwrap();
    shop.world.server.control().clock().freeze(Some(noon));
    buy_channels(&shop, "2035-05-05").await;
    assert_eq!(shop.balance().await, "34.00", "and for three days of thirty before");
    shop.wait(3 * DAY);
    shop.until_balance("24.00").await;
}

#[tokio::test]
async fn periods_that_were_over_before_a_pool_had_channels_to_pay_are_not_charged() {
    let shop = Shop::open(0, "40.00", "0").await;
    let pool = buy_channels(&shop, "2020-01-01").await;
    let read = async || shop.api().get(&pool).await.at("/data/attributes/renew_date");
    let end = json!(month_after(shop.now()).to_string()[..10]);
    assert_eq!((shop.balance().await.as_str(), read().await), ("25.00", end));
    shop.wait_a_month();
    shop.until_balance("15.00").await;
}
