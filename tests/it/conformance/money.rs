//! The money of an account, as a model: whatever the order of orders, cancellations, repeated requests, reviews and
//! steps of the clock, what left the balance is what orders and renewals cost, and no more than balance and credit is
//! spent.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use didww_types::{Feature, Timestamp};
use http::Method;
use rust_decimal::Decimal;
use serde_json::{Value, json};
use trunk_server::control::Review;

use super::emergency::{Desk, SERVICES, VERIFICATIONS};
use super::shop::{ORDERS, Shop};
use crate::support::engine;
use crate::support::months::month_after;
use crate::support::world::*;

const DAY: u64 = 86_400;
/// The monthly price of a number.
const MONTHLY: &str = "2.05";
/// The monthly price of a channel.
const OF_CHANNEL: &str = "2.00";
/// The monthly price of emergency calling.
const OF_SERVICE: &str = "2.50";
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

/// The time at which a paid period ends: that of a DID, or the day of what has one.
fn end(attributes: &Value, name: &str) -> Option<Timestamp> {
    let text = attributes[name].as_str()?;
    let time = if text.len() == 10 { format!("{text}T00:00:00Z") } else { text.to_owned() };
    Some(time.parse().unwrap())
}

/// A renewable record, as it was last seen.
#[derive(Debug, Clone, Copy)]
struct Seen {
    end: Timestamp,
    renewals: i64,
}

impl Seen {
    /// Sees the end of the period again. Returns how often it was renewed since.
    fn again(&mut self, end: Timestamp) -> i64 {
        let mut times = 0;
        while self.end < end {
            self.end = month_after(self.end);
            times += 1;
        }
        assert_eq!(self.end, end, "it is renewed for whole periods");
        self.renewals += times;
        times
    }
}

/// The state of the account at one time.
struct Snapshot {
    balance: Decimal,
    /// Of each DID the end of its period, and its renewals left.
    dids: BTreeMap<String, (Timestamp, Option<i64>)>,
    /// Of the pool the end of its period, once channels were bought, and its channels.
    pool: (Option<Timestamp>, i64),
    /// Of each service the end of its period, while it is active.
    services: BTreeMap<String, Option<Timestamp>>,
    /// The sum of the orders that were not canceled.
    bought: Decimal,
    /// Whether an order is pending that can be carried out.
    has_due_order: bool,
}

struct Model {
    shop: Shop,
    desk: Desk,
    pool: String,
    start: Decimal,
    /// The number that emergency calling is for, and its verification, if it has one that is not reviewed.
    protected: String,
    verification: Option<String>,
    dids: BTreeMap<String, (Seen, Option<i64>)>,
    services: BTreeMap<String, Seen>,
    channels: i64,
    of_pool: Option<Seen>,
    /// The cost of the renewals of channels so far.
    paid_for_channels: Decimal,
}

impl Model {
    async fn open() -> Self {
        let world =
            World::of(engine::builder().feature(Feature::Emergency).feature(Feature::ProratedBilling));
        let world = Arc::new(world.await);
        let shop = Shop::of(Arc::clone(&world), 12, "60.00", CREDIT).await;
        // Noon, so that the seconds between an order and its delivery end no day.
        shop.world.server.control().clock().freeze(Some("2035-01-01T12:00:00Z".parse().unwrap()));
        let desk = Desk::of(world).await;
        let protected = desk.local("493011111111").await;
        let pool = shop.pool(None).await;
        Self {
            shop,
            desk,
            pool,
            start: decimal("60.00"),
            protected,
            verification: None,
            dids: BTreeMap::new(),
            services: BTreeMap::new(),
            channels: 0,
            of_pool: None,
            paid_for_channels: Decimal::ZERO,
        }
    }

    fn now(&self) -> Timestamp {
        self.shop.world.server.control().clock().now()
    }

    /// Reads everything, between two changes of the balance.
    async fn read(&self) -> Snapshot {
        loop {
            let balance = self.shop.balance().await;
            let read = self.read_all(decimal(&balance)).await;
            if self.shop.balance().await == balance {
                return read;
            }
        }
    }

    async fn read_all(&self, balance: Decimal) -> Snapshot {
        let api = self.shop.api();
        // First: the DIDs and channels of an order that is read as carried out are read then.
        let orders = api.get(&format!("{ORDERS}?page[size]=100")).await.at("/data");
        let orders = orders.as_array().unwrap();
        let page = api.get(&format!("{DIDS}?page[size]=100")).await.at("/data");
        let bought_here = |did: &&Value| did["id"].as_str() != Some(self.protected.as_str());
        let did = |did: &Value| {
            let cycles = did["attributes"]["billing_cycles_count"].as_i64();
            (did["id"].as_str().unwrap().to_owned(), (end(&did["attributes"], "expires_at").unwrap(), cycles))
        };
        let dids = page.as_array().unwrap().iter().filter(bought_here).map(did).collect();
        let pool = self.shop.read_pool(&self.pool).await;
        let services = self.desk.api.get(&format!("{SERVICES}?page[size]=100")).await.at("/data");
        let service = |service: &Value| {
            (service["id"].as_str().unwrap().to_owned(), end(&service["attributes"], "renew_date"))
        };
        let now = self.now();
        let has = |order: &Value, status: &str| order["attributes"]["status"] == status;
        let amount = |order: &Value| decimal(order["attributes"]["amount"].as_str().unwrap());
        let is_due = |order: &Value| {
            let made = end(&order["attributes"], "created_at").unwrap();
            has(order, "pending") && made.after(Duration::from_secs(5)) <= now
        };
        Snapshot {
            balance,
            dids,
            pool: (end(&pool, "renew_date"), pool["total_channels_count"].as_i64().unwrap()),
            services: services.as_array().unwrap().iter().map(service).collect(),
            bought: orders.iter().filter(|order| !has(order, "canceled")).map(amount).sum(),
            has_due_order: orders.iter().any(is_due),
        }
    }

    /// Waits until all that became due since `before` has happened: no order that can be carried out is pending, and
    /// what is renewed is only beyond its period if it can neither be paid nor ended, or if the next attempt to pay it,
    /// a day after the last one, is yet to come.
    async fn settled(&self, before: Timestamp) -> Snapshot {
        let now = self.now();
        let is_a_day_later = before.after(Duration::from_secs(DAY)) <= now;
        let settled = async {
            loop {
                let read = self.read().await;
                let spendable = read.balance + decimal(CREDIT);
                let is_waiting = |end: Timestamp, price: Decimal| {
                    let is_over = end.after(Duration::from_secs(7 * DAY)) <= now;
                    let is_tried = is_a_day_later || end > before;
                    end <= now && (is_over || (is_tried && spendable >= price))
                };
                let of_dids = read.dids.values().any(|(end, cycles)| {
                    is_waiting(*end, decimal(MONTHLY)) || (*end <= now && *cycles == Some(0))
                });
                let (of_pool, channels) = read.pool;
                let price = decimal(OF_CHANNEL) * Decimal::from(channels);
                // A pool without channels is renewed for nothing, whenever that is.
                let of_pool = of_pool.is_some_and(|end| channels > 0 && is_waiting(end, price));
                let mut services = read.services.values().copied().flatten();
                let of_services = services.any(|end| is_waiting(end, decimal(OF_SERVICE)));
                if !read.has_due_order && !of_dids && !of_pool && !of_services {
                    return read;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), settled).await.expect("it never settled")
    }

    /// Compares the balance with the costs of purchases and renewals.
    async fn check(&mut self, before: Timestamp, step: &str) {
        let read = self.settled(before).await;
        for (id, (end, cycles)) in &read.dids {
            let new = (Seen { end: *end, renewals: 0 }, *cycles);
            let (seen, left) = self.dids.entry(id.clone()).or_insert(new);
            let times = seen.again(*end);
            *left = left.map(|left| left - times);
            assert_eq!(*left, *cycles, "{step}");
        }
        for (id, end) in &read.services {
            let Some(end) = end else { continue };
            self.services.entry(id.clone()).or_insert(Seen { end: *end, renewals: 0 }).again(*end);
        }
        let times = |seen: i64, price: &str| Decimal::from(seen) * decimal(price);
        let of_dids = times(self.dids.values().map(|(seen, _)| seen.renewals).sum(), MONTHLY);
        let of_services = times(self.services.values().map(|seen| seen.renewals).sum(), OF_SERVICE);
        let spent = self.start - read.balance;
        // What is left was paid for channels: those before the step, or those after it, of which an order brought some
        // or some were lost.
        let of_channels = spent - read.bought - of_dids - of_services - self.paid_for_channels;
        let (end, channels) = read.pool;
        let renewals = match (&mut self.of_pool, end) {
            (Some(seen), Some(end)) if self.channels > 0 => seen.again(end),
            // Channels of a pool without any can begin its period.
            (seen, end) => {
                *seen = end.map(|end| Seen { end, renewals: 0 });
                0
            }
        };
        let possible = [self.channels, channels].map(|channels| times(renewals * channels, OF_CHANNEL));
        assert!(possible.contains(&of_channels), "{step}: {of_channels} for {renewals} of {possible:?}");
        self.paid_for_channels += of_channels;
        self.channels = channels;
        assert!(read.balance + decimal(CREDIT) >= Decimal::ZERO, "{step}");
        let owned = u64::try_from(read.dids.len()).unwrap();
        assert!(self.shop.in_stock().await + owned <= 12, "{step}: a number is in stock and a DID");
    }

    /// Orders numbers or channels, and repeats the request. Returns the id of the order, if the account can pay it.
    async fn order(&self, random: &mut Random, number: usize) -> Option<String> {
        let shop = &self.shop;
        let qty = 1 + random.below(3);
        let item = if random.below(3) == 0 {
            let attributes = json!({ "capacity_pool_id": self.pool, "qty": qty });
            json!({ "type": "capacity_order_items", "attributes": attributes })
        } else {
            let cycles = random.one_of(&[None, Some(0), Some(1), Some(2)]);
            let days = random.one_of(&[None, Some(1), Some(11), Some(30)]);
            shop.item(&json!({ "qty": qty, "billing_cycles_count": cycles, "prorate_days_qty": days }))
        };
        let body = resource("orders", json!({ "items": [item], "allow_back_ordering": false }));
        let request = || {
            let request = shop.api().request(Method::POST, ORDERS).body(body.to_string());
            request.header("Idempotency-Key", format!("\"order-{number}\"")).build().unwrap()
        };
        let order = shop.api().execute(request()).await;
        // There is too little money, or there are too few numbers.
        assert!([201, 400, 422].contains(&order.status), "{}", order.text);
        if order.status != 201 {
            return None;
        }
        for _ in 0..random.below(3) {
            assert_eq!(shop.api().execute(request()).await.id(), order.id(), "it is made once");
        }
        Some(order.id())
    }

    /// Asks for emergency calling, approves it, or cancels it.
    async fn emergency(&mut self, random: &mut Random) -> &'static str {
        if let Some(verification) = self.verification.take() {
            // Without the money the approval is refused, and the verification stays.
            if self.desk.review(&verification, Review::Approve).await.is_err() {
                self.verification = Some(verification);
            }
            return "approval";
        }
        let active = self.desk.api.get(&format!("{SERVICES}?filter[status]=active")).await.at("/data/0");
        if let Some(service) = active["id"].as_str() {
            // One whose renewal is tried at this moment is left, so that it is seen whether it was paid.
            let is_paid = end(&active["attributes"], "renew_date").is_some_and(|end| end > self.now());
            if is_paid && random.below(3) == 0 {
                let status = self.desk.api.delete(&format!("{SERVICES}/{service}")).await.status;
                assert_eq!(status, 204);
            }
            return "emergency calling";
        }
        let asked = self.desk.api.post(VERIFICATIONS, &self.desk.of_numbers(&[&self.protected])).await;
        assert_eq!(asked.status, 201, "{}", asked.text);
        self.verification = Some(asked.id());
        "verification"
    }
}

async fn run(seed: u64) {
    let mut model = Model::open().await;
    let mut random = Random(seed);
    let begin = model.now();
    for expected in ["verification", "approval"] {
        assert_eq!(model.emergency(&mut random).await, expected);
    }
    let mut made = vec![model.shop.order_channels(&model.pool, 3).await.id()];
    model.shop.wait(5);
    model.check(begin, &format!("seed {seed}: what it begins with")).await;
    for number in 0..STEPS {
        let before = model.now();
        let step = match random.below(8) {
            0..=2 => {
                made.extend(model.order(&mut random, number).await);
                "order".to_owned()
            }
            3 if !made.is_empty() => {
                // One of channels, or that is completed or canceled already, is refused, and changes nothing.
                let id = random.one_of(&made);
                for _ in 0..=random.below(2) {
                    let status = model.shop.api().delete(&format!("{ORDERS}/{id}")).await.status;
                    assert!([204, 422].contains(&status), "{status}");
                }
                "cancellation".to_owned()
            }
            4 if !made.is_empty() => {
                let id = random.one_of(&made).parse().unwrap();
                let (control, owner) = (model.shop.world.server.control(), model.shop.world.server.account());
                let _refused_if_done = control.complete_order(owner, id).await;
                "completion".to_owned()
            }
            5 => model.emergency(&mut random).await.to_owned(),
            6 => {
                model.shop.wait(5);
                "some seconds".to_owned()
            }
            _ => {
                // Pending orders are completed before, so that the channels that a renewal pays are known.
                model.shop.wait(5);
                model.check(before, &format!("seed {seed}, step {number}: before some days")).await;
                let before = model.now();
                // Shorter than a period, so that none passes unseen.
                let days = 1 + random.below(20);
                model.shop.wait(days * DAY);
                model.check(before, &format!("seed {seed}, step {number}: {days} days")).await;
                continue;
            }
        };
        model.check(before, &format!("seed {seed}, step {number}: {step}")).await;
    }
    assert!(!model.dids.is_empty(), "seed {seed}: nothing was bought");
    assert!(model.of_pool.is_some(), "seed {seed}: no channels were bought");
    assert!(!model.services.is_empty(), "seed {seed}: nothing was approved");
}

#[tokio::test]
async fn what_left_the_balance_is_what_orders_and_renewals_cost() {
    for seed in [1, 7, 42] {
        run(seed).await;
    }
}
