//! The money of an account, as a model: whatever the order of orders, cancellations, repeated requests and steps of the clock,
//! what left the balance is what orders and renewals cost, and no more than balance and credit is spent.

use std::collections::BTreeMap;
use std::time::Duration;

use didww_types::Timestamp;
use http::Method;
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::shop::{ORDERS, Shop};
use crate::support::world::*;

const DAY: u64 = 86_400;
/// What a number costs for a month.
const MONTHLY: &str = "2.05";
const CREDIT: &str = "3.30";
const STEPS: usize = 60;

/// Random numbers that are the same for a seed.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    fn one_of<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        let index = self.below(u64::try_from(items.len()).unwrap());
        &items[usize::try_from(index).unwrap()]
    }
}

fn decimal(text: &str) -> Decimal {
    text.parse().unwrap()
}

/// A DID as it was last seen.
#[derive(Debug, Clone, Copy)]
struct Seen {
    expires_at: Timestamp,
    cycles: Option<i64>,
    renewals: i64,
}

struct Model {
    shop: Shop,
    start: Decimal,
    dids: BTreeMap<String, Seen>,
}

impl Model {
    async fn spendable(&self) -> Decimal {
        decimal(&self.shop.balance().await) + decimal(CREDIT)
    }

    /// The DIDs that the account has: the end of their period, and their renewals left.
    async fn read_dids(&self) -> BTreeMap<String, (Timestamp, Option<i64>)> {
        let page = self.shop.api().get(&format!("{DIDS}?page[size]=100")).await.at("/data");
        let read = |did: &Value| {
            let end = did["attributes"]["expires_at"].as_str().unwrap().parse().unwrap();
            let cycles = did["attributes"]["billing_cycles_count"].as_i64();
            (did["id"].as_str().unwrap().to_owned(), (end, cycles))
        };
        page.as_array().unwrap().iter().map(read).collect()
    }

    fn now(&self) -> Timestamp {
        self.shop.world.server.control().clock().now()
    }

    /// Waits until all that became due since `before` has happened: no order that can be carried out is pending, and a DID is only
    /// beyond its period if it can neither be paid nor ended, or if the next attempt to pay it, a day after the last one, is yet
    /// to come.
    async fn settle(&self, before: Timestamp) {
        let now = self.now();
        let is_a_day_later = before.after(Duration::from_secs(DAY)) <= now;
        let settled = async {
            loop {
                let dids = self.read_dids().await;
                let spendable = self.spendable().await;
                let is_waiting = |(end, cycles): &(Timestamp, Option<i64>)| {
                    let is_over = end.after(Duration::from_secs(7 * DAY)) <= now;
                    let is_tried = is_a_day_later || *end > before;
                    let is_payable = is_tried && spendable >= decimal(MONTHLY);
                    *end <= now && (*cycles == Some(0) || is_over || is_payable)
                };
                let pending = self.shop.api().get(&format!("{ORDERS}?filter[status]=pending")).await;
                let made = |order: &Value| -> Timestamp {
                    order["attributes"]["created_at"].as_str().unwrap().parse().unwrap()
                };
                let is_due = |order: &Value| made(order).after(Duration::from_secs(5)) <= now;
                let orders = pending.at("/data");
                if !dids.values().any(is_waiting) && !orders.as_array().unwrap().iter().any(is_due) {
                    return;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), settled).await.expect("it never settled");
    }

    /// Compares the balance with what was bought and renewed.
    async fn check(&mut self, before: Timestamp, step: &str) {
        self.settle(before).await;
        let month = Duration::from_secs(30 * DAY);
        for (id, (end, cycles)) in self.read_dids().await {
            let seen = self.dids.entry(id).or_insert(Seen { expires_at: end, cycles, renewals: 0 });
            while seen.expires_at < end {
                seen.expires_at = seen.expires_at.after(month);
                seen.renewals += 1;
                seen.cycles = seen.cycles.map(|cycles| cycles - 1);
            }
            assert_eq!((seen.expires_at, seen.cycles), (end, cycles), "{step}");
        }
        let renewals: i64 = self.dids.values().map(|seen| seen.renewals).sum();
        let orders = self.shop.api().get(&format!("{ORDERS}?page[size]=100")).await.at("/data");
        let paid = |order: &&Value| order["attributes"]["status"] != "canceled";
        let amount = |order: &Value| decimal(order["attributes"]["amount"].as_str().unwrap());
        let bought: Decimal = orders.as_array().unwrap().iter().filter(paid).map(amount).sum();
        let spent = self.start - decimal(&self.shop.balance().await);
        assert_eq!(spent, bought + decimal(MONTHLY) * Decimal::from(renewals), "{step}");
        assert!(self.spendable().await >= Decimal::ZERO, "{step}");
        let owned = self.shop.owned().await;
        assert!(self.shop.in_stock().await + owned <= 12, "{step}: a number is in stock and a DID");
    }
}

async fn run(seed: u64) {
    let shop = Shop::open(12, "60.00", CREDIT).await;
    let mut model = Model { shop, start: decimal("60.00"), dids: BTreeMap::new() };
    let mut random = Random(seed);
    let mut made: Vec<String> = Vec::new();
    for number in 0..STEPS {
        let (shop, before) = (&model.shop, model.now());
        let step = match random.below(6) {
            0 | 1 => {
                let cycles = random.one_of(&[None, Some(0), Some(1), Some(2)]);
                let qty = 1 + random.below(3);
                let item = shop.item(&json!({ "qty": qty, "billing_cycles_count": cycles }));
                let body = resource("orders", json!({ "items": [item], "allow_back_ordering": false }));
                let request = || {
                    let request = shop.api().request(Method::POST, ORDERS).body(body.to_string());
                    request.header("Idempotency-Key", format!("\"order-{number}\"")).build().unwrap()
                };
                let order = shop.api().execute(request()).await;
                // There is too little money, or there are too few numbers.
                assert!([201, 400, 422].contains(&order.status), "{}", order.text);
                if order.status == 201 {
                    made.push(order.id());
                    for _ in 0..random.below(3) {
                        assert_eq!(shop.api().execute(request()).await.id(), order.id(), "it is made once");
                    }
                }
                format!("order of {qty}")
            }
            2 if !made.is_empty() => {
                // One that is completed or canceled already is refused, and changes nothing.
                let id = random.one_of(&made);
                for _ in 0..=random.below(2) {
                    let status = shop.api().delete(&format!("{ORDERS}/{id}")).await.status;
                    assert!([204, 422].contains(&status), "{status}");
                }
                "cancellation".to_owned()
            }
            3 if !made.is_empty() => {
                let id = random.one_of(&made);
                let (control, owner) = (shop.world.server.control(), shop.world.server.account());
                let _refused_if_done = control.complete_order(owner, id.parse().unwrap()).await;
                "completion".to_owned()
            }
            4 => {
                shop.wait(5);
                "some seconds".to_owned()
            }
            _ => {
                // Shorter than a period, so that none passes unseen.
                let days = 1 + random.below(20);
                shop.wait(days * DAY);
                format!("{days} days")
            }
        };
        model.check(before, &format!("seed {seed}, step {number}: {step}")).await;
    }
    assert!(!model.dids.is_empty(), "seed {seed}: nothing was bought");
}

#[tokio::test]
async fn what_left_the_balance_is_what_orders_and_renewals_cost() {
    for seed in [1, 7, 42] {
        run(seed).await;
    }
}
