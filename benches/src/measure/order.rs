//! An order of a hundred numbers, against a bare answer of the same bytes, over one connection.

use reqwest::Method;
use serde_json::{Value, json};

use crate::controlled::Controlled;
use crate::plan::Plan;
use crate::postgres::rows_read;
use crate::report::{Row, Target};
use crate::rounds::{compare, median};
use crate::stock::{self, Kind, id};
use crate::stopwatch::Stopwatch;
use crate::{Outcome, bare};

pub(super) const ORDER: &str = "order of 100 DIDs / bare axum, one connection";

/// Numbers in an order.
const NUMBERS: u64 = 100;
/// Orders in a turn.
const ORDERS_PER_TURN: u32 = 20;
/// Number of orders of which the rows are counted.
const COUNTED: u32 = 10;

pub(super) fn order(plan: &Plan, name: &'static str) -> Outcome<Row> {
    let turns = u64::try_from(plan.rounds)? + 1;
    let in_stock = NUMBERS * (u64::from(ORDERS_PER_TURN) * turns + u64::from(COUNTED) + 1);
    let file = stock::numbers(&plan.work, in_stock)?;
    let file = file.display().to_string();
    let arguments = ["--reference-data", file.as_str()];
    let server = Controlled::start(&plan.work.join("orders.db"), "off", &arguments)?;
    let account = with_money(&server)?;
    let body = body();
    let answer = server.send(Method::POST, "/orders", &body)?;
    complete(&server, &account, &answer)?;
    let file = plan.work.join("order");
    std::fs::write(&file, &answer)?;
    let (_bare, bare) = bare::start(&file)?;
    let bare = format!("{bare}/orders");
    let mut completions = Vec::new();
    let mut ours = || -> Outcome<f64> {
        let mut seconds = 0.0;
        for _ in 0..ORDERS_PER_TURN {
            let watch = Stopwatch::start();
            let answer = server.send(Method::POST, "/orders", &body)?;
            seconds += watch.seconds();
            // Each order is completed before the next one is placed.
            let watch = Stopwatch::start();
            complete(&server, &account, &answer)?;
            completions.push(watch.seconds());
        }
        Ok(f64::from(ORDERS_PER_TURN) / seconds)
    };
    let theirs = || -> Outcome<f64> {
        let watch = Stopwatch::start();
        for _ in 0..ORDERS_PER_TURN {
            server.post_to(&bare, &body)?;
        }
        Ok(f64::from(ORDERS_PER_TURN) / watch.seconds())
    };
    ours()?;
    theirs()?;
    let compared = compare(plan.rounds, ours, theirs)?;
    drop(server);
    let rows = rows_read(
        &arguments,
        |server| with_money(server).map(drop),
        COUNTED,
        |server, _| server.send(Method::POST, "/orders", &body).map(drop),
    )?;
    let row = Row::rates(name, &compared, Target::Reported);
    let ours = format!(
        "{}, {rows:.0} rows read on PostgreSQL; carried out in {:.1} ms",
        row.ours,
        median(completions) * 1e3
    );
    Ok(Row { ours, ..row })
}

/// Adds money to the account. Returns its id.
fn with_money(server: &Controlled) -> Outcome<String> {
    let account = server.account()?;
    let money = json!({ "attributes": { "balance": "1000000.0" } });
    server.ask(Method::POST, &format!("/accounts/{account}/records/balances"), &money)?;
    Ok(account)
}

fn body() -> String {
    let item = json!({
        "type": "did_order_items", "attributes": { "sku_id": id(Kind::Price, 0), "qty": NUMBERS }
    });
    let attributes = json!({ "allow_back_ordering": false, "items": [item] });
    json!({ "data": { "type": "orders", "attributes": attributes } }).to_string()
}

/// Completes an order now instead of after some seconds.
fn complete(server: &Controlled, account: &str, answer: &[u8]) -> Outcome<()> {
    let answer: Value = serde_json::from_slice(answer)?;
    let order = answer.pointer("/data/id").and_then(Value::as_str).ok_or("an order has no id")?;
    server.ask(Method::POST, &format!("/accounts/{account}/orders/{order}/complete"), &Value::Null)?;
    Ok(())
}
