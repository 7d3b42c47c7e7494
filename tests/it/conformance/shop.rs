//! A shop of numbers, for tests of orders and renewals.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use trunk_server::control::RecordMembers;
use uuid::Uuid;

use crate::support::api::{Answer, Api};
use crate::support::world::*;

/// Path of the orders.
pub(super) const ORDERS: &str = "/orders";

/// A shop: a DID group with numbers in stock, at a price, and an account with money.
pub(super) struct Shop {
    pub(super) world: Arc<World>,
    pub(super) group: Uuid,
    pub(super) sku: String,
    pub(super) numbers: Vec<String>,
}

impl Shop {
    pub(super) async fn open(numbers: usize, balance: &str, credit: &str) -> Self {
        Self::of(World::start().await, numbers, balance, credit).await
    }

    /// The shop of a server with a frozen clock.
    pub(super) async fn of(
        world: impl Into<Arc<World>>,
        numbers: usize,
        balance: &str,
        credit: &str,
    ) -> Self {
        let world = world.into();
        world.server.control().clock().freeze(None);
        let sku = RecordMembers::default()
            .attribute("setup_price", "1.1")
            .attribute("monthly_price", "2.05")
            .attribute("channels_included_count", 2);
        let control = world.server.control();
        let sku = control.put_record(None, "stock_keeping_units", None, sku).await.unwrap();
        let group = RecordMembers::default()
            .attribute("area_name", "Vilnius")
            .relationship("stock_keeping_units", [sku])
            .meta("is_available", true)
            .meta("total_count", numbers);
        let group = control.put_record(None, "did_groups", None, group).await.unwrap();
        let mut shop = Self { world, group, sku: sku.to_string(), numbers: Vec::new() };
        shop.set_money(balance, credit).await;
        for _ in 0..numbers {
            shop.stock().await;
        }
        shop
    }

    /// Sets the balance and the credit of the account.
    pub(super) async fn set_money(&self, balance: &str, credit: &str) {
        let money = RecordMembers::default().attribute("balance", balance).attribute("credit", credit);
        let owner = Some(self.world.server.account());
        self.world.server.control().put_record(owner, "balances", None, money).await.unwrap();
    }

    /// Orders, and waits until it is carried out. Returns the id of the order.
    pub(super) async fn buy(&self, attributes: Value) -> String {
        let made = self.order(attributes).await;
        assert_eq!(made.status, 201, "{}", made.text);
        self.wait(5);
        self.until(&made.id(), "completed").await;
        made.id()
    }

    /// Stores a capacity pool of the account: a channel costs 1.00 once and 2.00 a month. Returns its id.
    pub(super) async fn pool(&self, renew_date: Option<&str>) -> String {
        let mut pool = RecordMembers::default()
            .attribute("name", "Standard")
            .attribute("setup_price", "1.0")
            .attribute("monthly_price", "2.0");
        if let Some(day) = renew_date {
            pool = pool.attribute("renew_date", day);
        }
        let (control, owner) = (self.world.server.control(), Some(self.world.server.account()));
        control.put_record(owner, "capacity_pools", None, pool).await.unwrap().to_string()
    }

    /// Orders channels of a pool.
    pub(super) async fn order_channels(&self, pool: &str, qty: u64) -> Answer {
        let attributes = json!({ "capacity_pool_id": pool, "qty": qty });
        self.post(json!({ "items": [{ "type": "capacity_order_items", "attributes": attributes }] })).await
    }

    /// The attributes of a pool.
    pub(super) async fn read_pool(&self, pool: &str) -> Value {
        self.api().get(&format!("/capacity_pools/{pool}")).await.at("/data/attributes")
    }

    /// Adds a number to the stock.
    pub(super) async fn stock(&mut self) {
        let number = RecordMembers::default()
            .attribute("number", format!("3706149{:04}", self.numbers.len()))
            .relationship("did_group", [self.group]);
        let id = self.world.server.control().put_record(None, "available_dids", None, number).await.unwrap();
        self.numbers.push(id.to_string());
    }

    pub(super) fn api(&self) -> &Api {
        &self.world.api
    }

    pub(super) fn item(&self, attributes: &Value) -> Value {
        let mut item = json!({ "type": "did_order_items", "attributes": { "sku_id": self.sku } });
        let members = item["attributes"].as_object_mut().unwrap();
        members.extend(attributes.as_object().unwrap().clone());
        item
    }

    pub(super) async fn order(&self, attributes: Value) -> Answer {
        let item = self.item(&attributes);
        self.post(json!({ "items": [item] })).await
    }

    pub(super) async fn post(&self, attributes: Value) -> Answer {
        self.api().post(ORDERS, &resource("orders", attributes)).await
    }

    pub(super) async fn balance(&self) -> String {
        self.api().get("/balance").await.at("/data/attributes/balance").as_str().unwrap().to_owned()
    }

    pub(super) async fn status(&self, id: &str) -> String {
        let order = self.api().get(&format!("{ORDERS}/{id}")).await;
        order.at("/data/attributes/status").as_str().unwrap().to_owned()
    }

    /// Waits until an order has a status.
    pub(super) async fn until(&self, id: &str, status: &str) {
        let reached = async {
            while self.status(id).await != status {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), reached).await.unwrap();
    }

    pub(super) fn wait(&self, seconds: u64) {
        self.world.server.control().clock().advance(Duration::from_secs(seconds));
    }

    pub(super) async fn in_stock(&self) -> u64 {
        self.api().get("/available_dids").await.at("/meta/total_count").as_u64().unwrap()
    }

    pub(super) async fn owned(&self) -> u64 {
        self.api().get(DIDS).await.at("/meta/total_records").as_u64().unwrap()
    }
}
