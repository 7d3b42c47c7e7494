//! Carries out and cancels orders.
//!
//! An order is carried out by a job, a few seconds after it was made: the numbers that it holds become DIDs of the
//! account, and channels are added to their pool. An order that lacks numbers, because more were ordered than were in
//! stock, takes them from the stock at that time, or waits for them up to [`BACK_ORDER_LIFE`]. A number that turns out
//! to be a DID already is replaced by another one; an order that named the number is canceled, as is an order of
//! channels whose pool was deleted. Staff can carry out an order at once, and cancel it.

mod delivery;
mod plan;

use std::sync::Arc;
use std::time::Duration;

use didww_types::resources::{Order, OrderStatus};
use didww_types::{Id, Resource as _, Timestamp};
use serde_json::{Value, json};
use service_base::clock::Clock;
use service_core::jobs::{JobError, JobKind, JobSet, Outcome};
use service_core::{Core, Decided, Retries};
use trunk_rules::domain::{CARRY_OUT, HELD, SHORTEST_PERIOD, WriteOutcome, cancel_order, with_period};
use trunk_store::{Change, IfScheduled, Job, LeasedJob, Record, Scope, StoreError};
use uuid::Uuid;

use crate::balances::{as_found, balance, corrupt};
use crate::{Control, ControlError, renewals};
use delivery::{Delivery, Stocked};
use plan::{Item, plan_of};

/// The interval at which an order that lacks numbers looks for them again.
const STOCK_WAIT: Duration = Duration::from_hours(1);
/// The age at which an order that still lacks numbers is canceled.
const BACK_ORDER_LIFE: Duration = Duration::from_hours(30 * 24);
/// Number of successive failed runs after which such an order is canceled.
const GIVEN_UP_AFTER: u32 = 3;
/// Maximum number of orders that are carried out at once.
const AT_ONCE: usize = 4;

/// The jobs that carry out orders, and those that renew ordered DIDs, pools and services.
pub fn order_jobs(clock: &Clock) -> JobSet {
    JobSet::default().handle(JobKind::new(CARRY_OUT, carry_out).at_once(AT_ONCE)).and(renewals::jobs(clock))
}

impl Control {
    /// Carries out a pending order: when this returns, it is completed, or canceled because a number that it names or
    /// the pool of its channels no longer exists, or because that pool was renewed meanwhile. An order that lacks
    /// numbers still waits for them, and stays pending.
    ///
    /// # Errors
    /// If there is no such account or order, or it is not pending, or the file of a world brought it.
    pub async fn complete_order(&self, account: Uuid, order: Uuid) -> Result<(), ControlError> {
        let scope = Scope { account: self.account(account).await?.number, spec: Order::SPEC };
        Retries::REQUEST
            .run(|| async move {
                let (record, found) = pending(&self.core, scope, order).await?;
                // The plan of an order from before plans were stored is only in its job.
                let items = plan_of(&record, "").ok();
                if items.is_none() && self.core.store.job(CARRY_OUT, order.to_string()).await?.is_none() {
                    let message = "was brought by the file of a world, and can only be canceled";
                    return Err(ControlError::invalid("order", message).into());
                }
                let due_at = match items {
                    None => self.core.clock.now(),
                    Some(items) => match deliver(&self.core, scope, record, &found, &items).await? {
                        Delivered::Ended(changes) => {
                            // Staff stored a DID with one of the numbers meanwhile: the next attempt takes another one.
                            let taken = |error| match error {
                                StoreError::Taken(field) if field == "number" => StoreError::Conflict,
                                other => other,
                            };
                            self.core.commit(changes).await.map_err(taken)?;
                            return Ok(());
                        }
                        Delivered::Waits(until) => until,
                    },
                };
                let job =
                    Job { account: Some(scope.account), ..Job::new(CARRY_OUT, order.to_string(), due_at) };
                let existing = IfScheduled::KeepEarlier;
                self.core.commit(vec![Change::Schedule { job: Box::new(job), existing }]).await?;
                Ok(())
            })
            .await
    }

    /// Cancels a pending order: the amount is added to the account's balance, and the numbers are in stock again.
    ///
    /// # Errors
    /// If there is no such account or order, or it is not pending.
    pub async fn cancel_order(&self, account: Uuid, order: Uuid) -> Result<(), ControlError> {
        let orders = Scope { account: self.account(account).await?.number, spec: Order::SPEC };
        Retries::REQUEST
            .run(|| async move {
                let (record, found) = pending(&self.core, orders, order).await?;
                let changes = cancellation(&self.core, orders, &record, &found, &[]).await?;
                self.core.commit(changes).await?;
                Ok(())
            })
            .await
    }
}

/// Reads an order, and fails unless it is pending.
async fn pending(core: &Core, scope: Scope, id: Uuid) -> Result<(Record, Order), ControlError> {
    let record = core.store.find(scope, id).await?;
    let record = record.ok_or_else(|| ControlError::NotFound(format!("order {id}")))?;
    let order = read(&record)?;
    if order.status != OrderStatus::Pending {
        return Err(ControlError::invalid("order", "is completed or canceled already"));
    }
    Ok((record, order))
}

fn read(record: &Record) -> Result<Order, StoreError> {
    let id = Id::new(record.id.to_string());
    Order::from_texts(id, &record.attributes, None).map_err(|error| corrupt(&error))
}

/// The changes that cancel a pending order. Numbers with the ids `kept` stay out of stock.
async fn cancellation(
    core: &Core,
    scope: Scope,
    record: &Record,
    order: &Order,
    kept: &[Uuid],
) -> Result<Vec<Change>, StoreError> {
    let balance = balance(core, scope.account).await?;
    let paid = balance.as_ref().map(as_found);
    let kept = kept.iter().map(Uuid::to_string).collect();
    let changes = cancel_order(order, kept, paid.as_ref()).map_err(|error| corrupt(&error))?;
    let read: Vec<&Record> = std::iter::once(record).chain(&balance).collect();
    let decided = Decided { account: scope.account, at: core.clock.now(), read: &read };
    decided.changes(WriteOutcome { changes, events: Vec::new() }, &core.ids)
}

async fn carry_out(core: Arc<Core>, leased: LeasedJob) -> Result<Outcome, JobError> {
    let job = &leased.job;
    let (Some(account), Ok(id)) = (job.account, Uuid::try_parse(&job.subject)) else {
        return Ok(Outcome::done());
    };
    let scope = Scope { account, spec: Order::SPEC };
    let Some(record) = core.store.find(scope, id).await? else { return Ok(Outcome::done()) };
    let order = read(&record)?;
    if order.status != OrderStatus::Pending {
        return Ok(Outcome::done());
    }
    let is_over = order.created_at.after(BACK_ORDER_LIFE) <= core.clock.now();
    if is_over && leased.attempts > GIVEN_UP_AFTER {
        // It cannot be stored, for example because of the account's quota of DIDs: the money is paid back.
        return Ok(Outcome::done().with(cancellation(&core, scope, &record, &order, &[]).await?));
    }
    let items = plan_of(&record, &job.payload)?;
    Ok(match deliver(&core, scope, record, &order, &items).await? {
        Delivered::Ended(changes) => Outcome::done().with(changes),
        Delivered::Waits(until) => Outcome::again_at(until),
    })
}

/// The outcome of carrying out a pending order.
enum Delivered {
    /// It is completed or canceled by these changes.
    Ended(Vec<Change>),
    /// It lacks numbers, and looks for them again at this time.
    Waits(Timestamp),
}

/// Decides on a pending order with these items.
async fn deliver(
    core: &Core,
    scope: Scope,
    record: Record,
    order: &Order,
    items: &[Item],
) -> Result<Delivered, StoreError> {
    let (account, now) = (scope.account, core.clock.now());
    let mut delivery = Delivery::new(core, account, record.id, now);
    let mut held = delivery.held(&record).await?;
    let mut taken = held.ids();
    // The numbers that turned out to be DIDs. They stay out of stock with the order.
    let gone = held.gone();
    // When the paid period of each item ends.
    let mut ends = Vec::with_capacity(items.len());
    for item in items {
        let item = match item {
            Item::Channels { capacity_pool, qty, days } => {
                let Some(end) = delivery.add_channels(*capacity_pool, *qty, *days).await? else {
                    return Ok(Delivered::Ended(cancellation(core, scope, &record, order, &gone).await?));
                };
                ends.push(end);
                continue;
            }
            Item::Numbers(item) => item,
        };
        let mut numbers: Vec<Stocked> = held.take(item);
        if numbers.len() < item.qty && item.chosen {
            return Ok(Delivered::Ended(cancellation(core, scope, &record, order, &gone).await?));
        }
        if numbers.len() < item.qty {
            let more = delivery.in_stock(item, item.qty - numbers.len(), &taken).await?;
            taken.extend(more.iter().map(|number| number.id));
            numbers.extend(more);
        }
        if numbers.len() < item.qty {
            let end = order.created_at.after(BACK_ORDER_LIFE);
            if end <= now {
                return Ok(Delivered::Ended(cancellation(core, scope, &record, order, &gone).await?));
            }
            return Ok(Delivered::Waits(end.min(now.after(STOCK_WAIT))));
        }
        ends.push(delivery.add_dids(item, numbers).await?);
    }
    let mut changes = delivery.finish().await?;
    let mut attributes = record.attributes()?;
    let period = with_period(attributes.get("items").unwrap_or(&Value::Null), now, &ends);
    attributes.insert("items".to_owned(), period);
    attributes.insert("status".to_owned(), json!(OrderStatus::Completed));
    // The DIDs hold their numbers from now on.
    changes.push(Change::Replace {
        scope,
        before: record,
        attributes,
        links: vec![(HELD, gone)],
        meta: None,
    });
    // The period of a pool, and one that is paid in part, can end before the time for which a renewal in progress
    // schedules the next run.
    let next = now.after(SHORTEST_PERIOD);
    changes.push(if ends.iter().any(|end| *end < next) {
        renewals::run_now(account, now)
    } else {
        renewals::schedule(account, next)
    });
    Ok(Delivered::Ended(changes))
}

#[cfg(test)]
mod tests;
