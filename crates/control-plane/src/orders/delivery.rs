//! Delivers an order to its account: DIDs, and channels of pools.

use std::collections::{BTreeMap, HashMap, VecDeque};

use didww_types::resources::{
    AvailableDid, AvailableDidPartial, CapacityPool, Did, DidGroup, DidPartial, Order,
};
use didww_types::{Id, Partial as _, Resource as _, ResourceSpec, Timestamp};
use serde_json::{Map, Value, json};
use service_core::Core;
use trunk_rules::domain::{HELD, IS_BILLED, begins_period, month_after, pool_share};
use trunk_store::{Change, Record, Scope, StoreError};
use uuid::Uuid;

use super::plan::NumbersItem;
use crate::balances::corrupt;
use crate::did_changes::{self, Assigned};
use crate::stock;

/// Maximum number of numbers in stock that are read at a time.
const PAGE: u64 = 200;

/// A number in stock, or one that an order holds.
pub(super) struct Stocked {
    pub(super) id: Uuid,
    /// The telephone number, as digits without a plus sign.
    number: String,
    /// Whether it is a DID already, of any account.
    pub(super) is_gone: bool,
}

/// The numbers that an order has taken out of stock.
pub(super) struct HeldNumbers {
    /// The ids, in the order of the order's items.
    ids: VecDeque<Uuid>,
    /// The numbers that still exist and are not assigned to an item yet.
    found: HashMap<Uuid, Stocked>,
}

impl HeldNumbers {
    /// The ids of all held numbers.
    pub(super) fn ids(&self) -> Vec<Uuid> {
        self.ids.iter().copied().collect()
    }

    /// The ids of the numbers that turned out to be DIDs.
    pub(super) fn gone(&self) -> Vec<Uuid> {
        let is_gone = |id: &&Uuid| self.found.get(*id).is_some_and(|number| number.is_gone);
        self.ids.iter().filter(is_gone).copied().collect()
    }

    /// Takes the numbers of an item that can become DIDs. Each item receives the numbers that were bought for it, even
    /// if others are no longer available.
    pub(super) fn take(&mut self, item: &NumbersItem) -> Vec<Stocked> {
        let ids = item.held.iter().filter_map(|id| id.or_else(|| self.ids.pop_front()));
        let found = ids.filter_map(|id| self.found.remove(&id));
        found.filter(|number| !number.is_gone).collect()
    }
}

/// An order that is being carried out.
pub(super) struct Delivery<'a> {
    core: &'a Core,
    account: i64,
    order: Uuid,
    now: Timestamp,
    changes: Vec<Change>,
    /// The numbers that leave the stock, by their DID group.
    sold: BTreeMap<Uuid, i64>,
    /// Whether numbers need a registration, by the DID groups that were read: an order can have a hundred items of one.
    need_registration: HashMap<Uuid, bool>,
}

impl<'a> Delivery<'a> {
    pub(super) fn new(core: &'a Core, account: i64, order: Uuid, now: Timestamp) -> Self {
        let (changes, sold, need_registration) = (Vec::new(), BTreeMap::new(), HashMap::new());
        Self { core, account, order, now, changes, sold, need_registration }
    }

    /// Returns the changes that deliver the order, with those of the stock.
    pub(super) async fn finish(mut self) -> Result<Vec<Change>, StoreError> {
        let sold = self.sold.into_iter().map(|(group, sold)| (group, -sold)).collect();
        self.changes.extend(stock::count(self.core, sold).await?);
        Ok(self.changes)
    }

    fn scope(&self, spec: &'static ResourceSpec) -> Scope {
        Scope { account: self.account, spec }
    }

    /// The numbers that an order holds.
    pub(super) async fn held(&self, order: &Record) -> Result<HeldNumbers, StoreError> {
        let scope = self.scope(Order::SPEC);
        let members = self.core.store.members(scope, vec![order.number], HELD, usize::MAX).await?;
        let ids: Vec<Uuid> = members.into_iter().map(|(_, _, id)| id).collect();
        let found = self.core.store.find_all(self.scope(AvailableDid::SPEC), ids.clone()).await?;
        let found = self.stocked(found).await?;
        let found = found.into_iter().map(|number| (number.id, number)).collect();
        Ok(HeldNumbers { ids: ids.into(), found })
    }

    /// Reads the numbers of records, and which of them are DIDs.
    async fn stocked(&self, records: Vec<Record>) -> Result<Vec<Stocked>, StoreError> {
        let mut numbers = Vec::with_capacity(records.len());
        for record in records {
            let read =
                AvailableDidPartial::from_attributes(&record.attributes).map_err(|error| corrupt(&error))?;
            numbers.push(Stocked { id: record.id, number: read.number.unwrap_or_default(), is_gone: false });
        }
        let texts = numbers.iter().map(|stocked| stocked.number.clone()).collect();
        let dids = self.core.store.claimed(Did::SPEC, "number", texts).await?;
        for stocked in &mut numbers {
            stocked.is_gone = dids.contains(&stocked.number);
        }
        Ok(numbers)
    }

    /// Further numbers in stock for an item, at most this many, that are not DIDs, and the conditions that they are
    /// still in stock when the order is stored.
    pub(super) async fn in_stock(
        &mut self,
        item: &NumbersItem,
        most: usize,
        taken: &[Uuid],
    ) -> Result<Vec<Stocked>, StoreError> {
        let mut links = vec![(AvailableDid::DID_GROUP.as_str(), item.did_group)];
        if let Some(prefix) = &item.nanpa_prefix {
            // No number has a prefix whose id is none.
            let Ok(prefix) = Uuid::try_parse(prefix) else { return Ok(Vec::new()) };
            links.push((AvailableDid::NANPA_PREFIX.as_str(), prefix));
        }
        let scope = self.scope(AvailableDid::SPEC);
        let (mut numbers, mut after) = (Vec::new(), 0);
        while numbers.len() < most {
            let page = self.core.store.first_in_stock(scope, links.clone(), after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = last.number;
            let free = page.into_iter().filter(|number| !taken.contains(&number.id)).collect();
            let free = self.stocked(free).await?.into_iter().filter(|number| !number.is_gone);
            numbers.extend(free.take(most - numbers.len()));
        }
        for path in AvailableDid::SPEC.taken_by {
            let Some((relationship, owners)) = path.split_once('<') else { continue };
            let Some(owners) = didww_types::find(owners).map(|owners| self.scope(owners)) else { continue };
            let unlinked = |number: &Stocked| Change::Unlinked { owners, relationship, target: number.id };
            self.changes.extend(numbers.iter().map(unlinked));
        }
        Ok(numbers)
    }

    /// Adds DIDs of an item to the account. Returns when their first period ends.
    pub(super) async fn add_dids(
        &mut self,
        item: &NumbersItem,
        numbers: Vec<Stocked>,
    ) -> Result<Timestamp, StoreError> {
        let (group, paid_until) = (item.did_group, item.paid_until(self.now));
        let needs_registration = self.needs_registration(group).await?;
        let count = i64::try_from(numbers.len()).unwrap_or(i64::MAX);
        for number in numbers {
            let mut did = DidPartial::empty();
            did.number = Some(number.number);
            did.channels_included_count = Some(item.channels);
            did.awaiting_registration = Some(needs_registration);
            // It carries no traffic until it is registered.
            did.blocked = Some(needs_registration);
            did.expires_at = Some(Some(paid_until));
            let mut attributes = did.attributes().map_err(|error| corrupt(&error))?;
            attributes.insert("billing_cycles_count".to_owned(), json!(item.cycles));
            let did = Assigned {
                id: self.core.ids.record(self.now),
                attributes,
                group,
                order: self.order,
                number: number.id,
                monthly_price: item.monthly_price.map(|price| price.to_string()),
            };
            self.changes.extend(did_changes::assigned(self.core, self.account, self.now, did));
        }
        *self.sold.entry(group).or_default() += count;
        Ok(paid_until)
    }

    /// Whether the numbers of a group need a registration.
    async fn needs_registration(&mut self, group: Uuid) -> Result<bool, StoreError> {
        if let Some(known) = self.need_registration.get(&group) {
            return Ok(*known);
        }
        let found = self.core.store.find(self.scope(DidGroup::SPEC), group).await?;
        let meta = found.map(|group| group.meta()).transpose()?;
        let is_needed = meta.and_then(|meta| meta.get("needs_registration")?.as_bool()).unwrap_or(false);
        self.need_registration.insert(group, is_needed);
        Ok(is_needed)
    }

    /// Adds channels to a pool, paid for this many days of its period, or for the whole of it. A period begins now if
    /// the pool has none, if the last one is over and no channel has to pay for it, and if the pool has no channels and
    /// a whole period is paid. Returns the end of the period; `None` if the pool is gone, or has more days left than
    /// are paid, because it was renewed since the order was made.
    pub(super) async fn add_channels(
        &mut self,
        pool: Uuid,
        qty: i64,
        days: Option<i64>,
    ) -> Result<Option<Timestamp>, StoreError> {
        let scope = self.scope(CapacityPool::SPEC);
        let found = self
            .changes
            .iter()
            .position(|change| matches!(change, Change::Replace { before, .. } if before.id == pool));
        if let Some(Change::Replace { attributes, .. }) = found.and_then(|at| self.changes.get_mut(at)) {
            add(attributes, qty);
            return Ok(Some(end(attributes, self.now)));
        }
        let Some(before) = self.core.store.find(scope, pool).await? else { return Ok(None) };
        let is_billed = before.meta()?.get(IS_BILLED) == Some(&Value::Bool(true));
        let read = CapacityPool::from_texts(Id::new(before.id.to_string()), &before.attributes, None)
            .map_err(|error| corrupt(&error))?;
        let left = pool_share(&read, is_billed, self.now);
        if days.is_some_and(|days| left.days() > days) {
            return Ok(None);
        }
        // A pool without channels is renewed free of charge, which must not shorten a period that was paid meanwhile.
        let is_cut_short = read.total_channels_count <= 0 && !left.is_whole() && days.is_none();
        let mut attributes = before.attributes()?;
        add(&mut attributes, qty);
        // The renewal date of a pool that was never charged can be long past.
        if is_cut_short || begins_period(&read, is_billed, self.now) {
            attributes.insert("renew_date".to_owned(), json!(day(month_after(self.now))));
        }
        let (meta, end) = (Some(json!({ IS_BILLED: true }).to_string()), end(&attributes, self.now));
        self.changes.push(Change::Replace { scope, before, attributes, links: Vec::new(), meta });
        Ok(Some(end))
    }
}

/// The end of the period of a pool with these attributes; now, if it is over.
fn end(pool: &Map<String, Value>, now: Timestamp) -> Timestamp {
    let day = pool.get("renew_date").and_then(Value::as_str);
    let end = day.and_then(|day| format!("{day}T00:00:00Z").parse::<Timestamp>().ok());
    end.map_or(now, |end| end.max(now))
}

/// The day of a time, as dates are written.
fn day(at: Timestamp) -> String {
    at.to_string().chars().take(10).collect()
}

fn add(pool: &mut Map<String, Value>, qty: i64) {
    let total = pool.get("total_channels_count").and_then(Value::as_i64).unwrap_or_default();
    pool.insert("total_channels_count".to_owned(), json!(total.saturating_add(qty)));
}
