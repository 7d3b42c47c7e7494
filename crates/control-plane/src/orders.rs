//! Carries out and cancels orders.
//!
//! An order is carried out by a job, a few seconds after it was made: the numbers that it holds become DIDs of the account, and
//! channels are added to their pool. An order that lacks numbers, because more were ordered than were in stock, takes them
//! from the stock that there is by then, or waits. Staff can carry out an order at once, and cancel it.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use didww_types::resources::{
    AvailableDid, AvailableDidPartial, Balance, CapacityPool, Did, DidGroup, DidHistoryAction,
    DidHistoryMethod, DidPartial, Order, OrderStatus,
};
use didww_types::{DecodeError, FilterTest, Id, Partial as _, Resource as _, Timestamp};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use service_core::jobs::{JobError, JobKind, JobSet, Outcome};
use service_core::{Core, Decided, Retries};
use trunk_rules::domain::{
    CARRY_OUT, FoundRecord, HELD, HistoryEntry, WriteOutcome, cancel_order, with_defaults, with_period,
};
use trunk_store::{
    Change, Condition, IfScheduled, IndexValue, Job, LeasedJob, ListQuery, NO_ACCOUNT, Record, Scope,
    StoreError,
};
use uuid::Uuid;

use crate::{Control, ControlError, history};

/// The period that an order pays for.
const PAID_PERIOD: Duration = Duration::from_hours(30 * 24);
/// How long an order that lacks numbers waits until it looks for them again.
const STOCK_WAIT: Duration = Duration::from_hours(1);
/// The most orders that are carried out at once.
const AT_ONCE: usize = 4;

/// The jobs that carry out orders.
pub fn order_jobs() -> JobSet {
    JobSet::default().handle(JobKind::new(CARRY_OUT, carry_out).at_once(AT_ONCE))
}

impl Control {
    /// Lets a pending order be carried out at once. What it lacks it still waits for.
    ///
    /// # Errors
    /// If there is no such account or order, or it is not pending.
    pub async fn complete_order(&self, account: Uuid, order: Uuid) -> Result<(), ControlError> {
        let scope = Scope { account: self.account(account).await?.number, spec: Order::SPEC };
        pending(&self.core, scope, order).await?;
        let now = self.core.clock.now();
        let job = Job { account: Some(scope.account), ..Job::new(CARRY_OUT, order.to_string(), now) };
        let existing = IfScheduled::KeepEarlier;
        self.core.commit(vec![Change::Schedule { job: Box::new(job), existing }]).await?;
        Ok(())
    }

    /// Cancels a pending order: the account has its money back, and the numbers are in stock again.
    ///
    /// # Errors
    /// If there is no such account or order, or it is not pending.
    pub async fn cancel_order(&self, account: Uuid, order: Uuid) -> Result<(), ControlError> {
        let number = self.account(account).await?.number;
        let orders = Scope { account: number, spec: Order::SPEC };
        let balances = Scope { account: number, spec: Balance::SPEC };
        Retries::REQUEST
            .run(|| async move {
                let (record, found) = pending(&self.core, orders, order).await?;
                let balance = self.core.store.find(balances, account).await?;
                let paid = balance.as_ref().map(|record| FoundRecord {
                    id: record.id.to_string(),
                    attributes: record.attributes.clone(),
                });
                let changes = cancel_order(&found, paid.as_ref()).map_err(|error| corrupt(&error))?;
                let read: Vec<&Record> = std::iter::once(&record).chain(&balance).collect();
                let decided = Decided { account: number, at: self.core.clock.now(), read: &read };
                let outcome = WriteOutcome { changes, events: Vec::new() };
                self.core.commit(decided.changes(outcome, &self.core.ids)?).await?;
                Ok(())
            })
            .await
    }
}

/// Finds a pending order.
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

fn corrupt(error: &DecodeError) -> StoreError {
    StoreError::Corrupt(format!("an order, or what it changes: {error}"))
}

/// What an item of an order needs to be carried out: of numbers, or of channels.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Item {
    Numbers {
        did_group: Uuid,
        nanpa_prefix: Option<String>,
        qty: usize,
        /// How many of the numbers that the order holds are this item's.
        held: usize,
        channels: i64,
        cycles: Option<i64>,
    },
    Channels {
        capacity_pool: Uuid,
        qty: i64,
    },
}

async fn carry_out(core: Arc<Core>, leased: LeasedJob) -> Result<Outcome, JobError> {
    let job = &leased.job;
    let (Some(account), Ok(id)) = (job.account, Uuid::try_parse(&job.subject)) else {
        return Ok(Outcome::done());
    };
    let scope = Scope { account, spec: Order::SPEC };
    let Some(record) = core.store.find(scope, id).await? else { return Ok(Outcome::done()) };
    if read(&record)?.status != OrderStatus::Pending {
        return Ok(Outcome::done());
    }
    let items: Vec<Item> =
        serde_json::from_str(&job.payload).map_err(|error| JobError::Failed(error.to_string()))?;
    let now = core.clock.now();
    let mut delivery =
        Delivery { core: &core, account, order: id, now, changes: Vec::new(), sold: BTreeMap::new() };
    let mut held = delivery.held(&record).await?;
    let mut taken: Vec<Uuid> = held.iter().map(|number| number.id).collect();
    for item in &items {
        let (group, wanted) = match item {
            Item::Channels { capacity_pool, qty } => {
                delivery.add_channels(*capacity_pool, *qty).await?;
                continue;
            }
            Item::Numbers { did_group, qty, .. } => (*did_group, *qty),
        };
        let mut numbers: Vec<Record> = item.held(&mut held);
        if numbers.len() < wanted {
            let more = delivery.in_stock(item, group, wanted - numbers.len(), &taken).await?;
            taken.extend(more.iter().map(|number| number.id));
            numbers.extend(more);
        }
        if numbers.len() < wanted {
            return Ok(Outcome::again_at(now.after(STOCK_WAIT)));
        }
        delivery.add_dids(item, group, &numbers).await?;
    }
    delivery.count_sold().await?;
    let mut changes = delivery.changes;
    let mut attributes = record.attributes()?;
    let period = with_period(attributes.get("items").unwrap_or(&Value::Null), now, now.after(PAID_PERIOD));
    attributes.insert("items".to_owned(), period);
    attributes.insert("status".to_owned(), json!(OrderStatus::Completed));
    let links = if taken.is_empty() { Vec::new() } else { vec![(HELD, taken)] };
    changes.push(Change::Replace { scope, before: record, attributes, links, meta: None });
    Ok(Outcome::done().with(changes))
}

impl Item {
    /// Takes the item's numbers from those that its order holds.
    fn held(&self, held: &mut VecDeque<Record>) -> Vec<Record> {
        let count = if let Self::Numbers { held, .. } = self { *held } else { 0 };
        held.drain(..count.min(held.len())).collect()
    }
}

/// An order that is being carried out.
struct Delivery<'a> {
    core: &'a Core,
    account: i64,
    order: Uuid,
    now: Timestamp,
    changes: Vec<Change>,
    /// The numbers that leave the stock, by their DID group.
    sold: BTreeMap<Uuid, i64>,
}

impl Delivery<'_> {
    fn scope(&self, spec: &'static didww_types::ResourceSpec) -> Scope {
        Scope { account: self.account, spec }
    }

    /// The numbers that an order holds, in the order of its items.
    async fn held(&self, order: &Record) -> Result<VecDeque<Record>, StoreError> {
        let scope = self.scope(Order::SPEC);
        let members = self.core.store.members(scope, vec![order.number], HELD, usize::MAX).await?;
        let ids: Vec<Uuid> = members.into_iter().map(|(_, _, id)| id).collect();
        let found = self.core.store.find_all(self.scope(AvailableDid::SPEC), ids.clone()).await?;
        let mut found: HashMap<Uuid, Record> = found.into_iter().map(|number| (number.id, number)).collect();
        Ok(ids.into_iter().filter_map(|id| found.remove(&id)).collect())
    }

    /// Further numbers in stock for an item, at most this many, and the conditions that they still are when the order is
    /// stored.
    async fn in_stock(
        &mut self,
        item: &Item,
        group: Uuid,
        most: usize,
        taken: &[Uuid],
    ) -> Result<Vec<Record>, StoreError> {
        let linked = |relationship, id: String| Condition {
            test: FilterTest::Linked(relationship),
            values: vec![IndexValue::Text(id)],
        };
        let mut conditions: Vec<Condition> = Condition::in_stock(AvailableDid::SPEC).collect();
        conditions.push(linked(AvailableDid::DID_GROUP.as_str(), group.to_string()));
        if let Item::Numbers { nanpa_prefix: Some(prefix), .. } = item {
            conditions.push(linked(AvailableDid::NANPA_PREFIX.as_str(), prefix.clone()));
        }
        let scope = self.scope(AvailableDid::SPEC);
        let limit = (most + taken.len()) as u64;
        let query = ListQuery { scope, linked_from: None, conditions, order: Vec::new(), offset: 0, limit };
        let found = self.core.store.list(query).await?.records.into_iter();
        let numbers: Vec<Record> = found.filter(|number| !taken.contains(&number.id)).take(most).collect();
        for path in AvailableDid::SPEC.taken_by {
            let Some((relationship, owners)) = path.split_once('<') else { continue };
            let Some(owners) = didww_types::find(owners).map(|owners| self.scope(owners)) else { continue };
            let unlinked = |number: &Record| Change::Unlinked { owners, relationship, target: number.id };
            self.changes.extend(numbers.iter().map(unlinked));
        }
        Ok(numbers)
    }

    /// Adds DIDs of an item to the account.
    async fn add_dids(&mut self, item: &Item, group: Uuid, numbers: &[Record]) -> Result<(), StoreError> {
        let Item::Numbers { channels, cycles, .. } = item else { return Ok(()) };
        let found = self.core.store.find(self.scope(DidGroup::SPEC), group).await?;
        let needs_registration = found
            .map(|group| group.meta())
            .transpose()?
            .and_then(|meta| meta.get("needs_registration")?.as_bool())
            .unwrap_or(false);
        let mut entries = Vec::with_capacity(numbers.len());
        for number in numbers {
            let text =
                AvailableDidPartial::from_attributes(&number.attributes).map_err(|error| corrupt(&error))?;
            let mut did = DidPartial::empty();
            did.number = text.number;
            did.channels_included_count = Some(*channels);
            did.awaiting_registration = Some(needs_registration);
            did.expires_at = Some(Some(self.now.after(PAID_PERIOD)));
            let mut attributes = did.attributes().map_err(|error| corrupt(&error))?;
            attributes.insert("billing_cycles_count".to_owned(), json!(cycles));
            let attributes = with_defaults(Did::SPEC, self.now, attributes);
            let links = vec![(Did::DID_GROUP.as_str(), vec![group]), (Did::ORDER.as_str(), vec![self.order])];
            let (scope, id) = (self.scope(Did::SPEC), self.core.ids.record(self.now));
            let number = attributes.get("number").and_then(Value::as_str).unwrap_or_default();
            let entry =
                HistoryEntry::new(number, &DidHistoryAction::Assigned, &DidHistoryMethod::Api3, self.now);
            entries.push(history::insert(self.core, self.account, entry, self.now));
            self.changes.push(Change::Insert {
                scope,
                id,
                created_at: self.now,
                attributes,
                links,
                meta: None,
            });
        }
        self.changes.extend(entries);
        *self.sold.entry(group).or_default() += i64::try_from(numbers.len()).unwrap_or(i64::MAX);
        Ok(())
    }

    /// Subtracts what was sold from the stock of the groups.
    async fn count_sold(&mut self) -> Result<(), StoreError> {
        let scope = Scope { account: NO_ACCOUNT, spec: DidGroup::SPEC };
        for (group, sold) in std::mem::take(&mut self.sold) {
            let Some(before) = self.core.store.find(scope, group).await? else { continue };
            let mut meta = before.meta()?;
            let Some(stock) = meta.get("total_count").and_then(Value::as_i64) else { continue };
            let left = (stock - sold).max(0);
            meta.insert("total_count".to_owned(), json!(left));
            meta.insert("is_available".to_owned(), json!(left > 0));
            let (attributes, meta) = (before.attributes()?, Some(Value::Object(meta).to_string()));
            self.changes.push(Change::Replace { scope, before, attributes, links: Vec::new(), meta });
        }
        Ok(())
    }

    /// Adds channels to a pool.
    async fn add_channels(&mut self, pool: Uuid, qty: i64) -> Result<(), StoreError> {
        let scope = self.scope(CapacityPool::SPEC);
        let found = self
            .changes
            .iter()
            .position(|change| matches!(change, Change::Replace { before, .. } if before.id == pool));
        if let Some(Change::Replace { attributes, .. }) = found.and_then(|at| self.changes.get_mut(at)) {
            add(attributes, qty);
            return Ok(());
        }
        let Some(before) = self.core.store.find(scope, pool).await? else { return Ok(()) };
        let mut attributes = before.attributes()?;
        add(&mut attributes, qty);
        self.changes.push(Change::Replace { scope, before, attributes, links: Vec::new(), meta: None });
        Ok(())
    }
}

fn add(pool: &mut Map<String, Value>, qty: i64) {
    let total = pool.get("total_channels_count").and_then(Value::as_i64).unwrap_or_default();
    pool.insert("total_channels_count".to_owned(), json!(total.saturating_add(qty)));
}
