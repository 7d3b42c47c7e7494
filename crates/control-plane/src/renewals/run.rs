//! A run of the renewals of an account: a part of a pass, which is one transaction.

use std::collections::BTreeMap;

use didww_types::resources::{
    CapacityPool, Did, EmergencyCallingService, EmergencyCallingServiceStatus, QtyBasedPricing,
};
use didww_types::values::Money;
use didww_types::{Id, Resource as _, ResourceSpec, Timestamp};
use serde_json::{Value, json};
use service_core::{Core, Decided};
use trunk_rules::domain::{
    DidRenewal, IS_BILLED, MONTHLY_PRICE, PoolRenewal, Purse, ServiceRenewal, WriteOutcome,
    cancel_emergency_calling, day_start, renew_did, renew_pool, renew_service,
};
use trunk_store::{Change, ListQuery, Order, Record, Scope, StoreError};
use uuid::Uuid;

use super::pass::{Pass, Stage};
use crate::balances::corrupt;
use crate::did_changes;

/// Maximum number of records of a run that change.
const MAX_CHANGED: usize = 200;
/// Maximum number of records that a run decides on.
pub(super) const MAX_READ: usize = 1_000;
/// Maximum number of records that are read at a time.
const PAGE: u64 = 500;

/// The effect of a decision on the position of a record in the order.
enum Position {
    /// The record is not due, and neither are those after it.
    Later,
    /// The record stays at its position.
    Stays,
    /// The record is deleted, or moves to a later position.
    Leaves,
    /// The decisions of the run so far must be stored before this record can be decided.
    Waits,
}

/// The renewals of an account while they are decided.
pub(super) struct Run<'a> {
    core: &'a Core,
    account: i64,
    now: Timestamp,
    pub(super) pass: Pass,
    pub(super) purse: Purse,
    pub(super) changes: Vec<Change>,
    /// The numbers that are in stock again, by their DID group.
    pub(super) released: BTreeMap<Uuid, i64>,
    changed: usize,
    changes_dids: bool,
}

impl<'a> Run<'a> {
    pub(super) fn new(core: &'a Core, account: i64, now: Timestamp, pass: Pass, purse: Purse) -> Self {
        let (changes, released) = (Vec::new(), BTreeMap::new());
        Self { core, account, now, pass, purse, changes, released, changed: 0, changes_dids: false }
    }

    /// Decides on the overdue records. Returns true if the pass has ended.
    pub(super) async fn decide(&mut self) -> Result<bool, StoreError> {
        let mut left = MAX_READ;
        loop {
            if !self.stage(&mut left).await? {
                return Ok(false);
            }
            if !self.pass.end_stage() {
                return Ok(true);
            }
        }
    }

    /// Decides on the records of a stage, beginning with those that are overdue for the longest time. Returns false if
    /// some of them are left to the next run.
    async fn stage(&mut self, left: &mut usize) -> Result<bool, StoreError> {
        let (spec, attribute) = match self.pass.stage {
            Stage::Dids => (Did::SPEC, "expires_at"),
            Stage::Pools => (CapacityPool::SPEC, "renew_date"),
            Stage::Services => (EmergencyCallingService::SPEC, "renew_date"),
        };
        let mut offset = self.pass.passed();
        loop {
            let page = self.page(self.scope(spec), attribute, offset).await?;
            if page.is_empty() {
                return Ok(true);
            }
            offset += PAGE;
            for record in page {
                if *left == 0 || self.changed >= MAX_CHANGED {
                    return Ok(false);
                }
                *left -= 1;
                let position = match self.pass.stage {
                    Stage::Dids => self.did(record).await?,
                    Stage::Pools => self.pool(record).await?,
                    Stage::Services => self.service(record).await?,
                };
                match position {
                    Position::Later => return Ok(true),
                    Position::Stays => self.pass.pass(),
                    Position::Leaves => self.changed += 1,
                    Position::Waits => return Ok(false),
                }
            }
        }
    }

    fn scope(&self, spec: &'static ResourceSpec) -> Scope {
        Scope { account: self.account, spec }
    }

    /// Renews a DID if it is due and can be paid, and releases it after the grace period.
    async fn did(&mut self, record: Record) -> Result<Position, StoreError> {
        let id = Id::new(record.id.to_string());
        let did = Did::from_texts(id, &record.attributes, None).map_err(|error| corrupt(&error))?;
        let Some(expired_at) = did.expires_at else { return Ok(Position::Later) };
        let Some(price) = price(&record)? else { return Ok(Position::Stays) };
        if expired_at > self.now {
            self.pass.note(expired_at);
            return Ok(Position::Later);
        }
        match renew_did(&did, price, expired_at, self.now, &mut self.purse) {
            DidRenewal::Renewed(until, cycles) => {
                self.pass.note(until);
                self.changes.extend(did_changes::renewed(self.core, self.account, record, until, cycles)?);
            }
            DidRenewal::Unpaid(again_at) => {
                self.pass.note(again_at);
                return Ok(Position::Stays);
            }
            DidRenewal::Ended => {
                let (scope, relationship) = (self.scope(Did::SPEC), Did::DID_GROUP.as_str());
                let group = self.core.store.members(scope, vec![record.number], relationship, 1).await?;
                if let Some((_, _, group)) = group.first() {
                    *self.released.entry(*group).or_default() += 1;
                }
                self.changes.extend(did_changes::released(self.core, self.account, record)?);
            }
        }
        self.changes_dids = true;
        Ok(Position::Leaves)
    }

    /// Decides on a capacity pool.
    async fn pool(&mut self, record: Record) -> Result<Position, StoreError> {
        let id = Id::new(record.id.to_string());
        let pool = CapacityPool::from_texts(id, &record.attributes, None).map_err(|error| corrupt(&error))?;
        let Some(expired_at) = pool.renew_date.as_ref().and_then(day_start) else {
            return Ok(Position::Later);
        };
        if record.meta()?.get(IS_BILLED) != Some(&Value::Bool(true)) {
            return Ok(Position::Stays);
        }
        if expired_at > self.now {
            self.pass.note(expired_at);
            return Ok(Position::Later);
        }
        let breaks = self.breaks(&record).await?;
        let mut attributes = record.attributes()?;
        let position = match renew_pool(&pool, &breaks, expired_at, self.now, &mut self.purse) {
            PoolRenewal::Renewed(until) => {
                attributes.insert("renew_date".to_owned(), json!(day(until)));
                self.pass.note(until);
                Position::Leaves
            }
            PoolRenewal::Unpaid(again_at) => {
                self.pass.note(again_at);
                return Ok(Position::Stays);
            }
            // A number that is released has its channels until then.
            PoolRenewal::Reduced(..) if self.changes_dids => return Ok(Position::Waits),
            PoolRenewal::Reduced(channels, again_at) => {
                self.pass.note(again_at);
                if channels == pool.total_channels_count {
                    return Ok(Position::Stays);
                }
                attributes.insert("total_channels_count".to_owned(), json!(channels));
                self.changed += 1;
                // The pool stays overdue.
                Position::Stays
            }
        };
        let (scope, links) = (self.scope(CapacityPool::SPEC), Vec::new());
        self.changes.push(Change::Replace { scope, before: record, attributes, links, meta: None });
        Ok(position)
    }

    /// Decides on an emergency calling service.
    async fn service(&mut self, record: Record) -> Result<Position, StoreError> {
        let (id, meta) = (Id::new(record.id.to_string()), record.meta.as_deref().unwrap_or("{}"));
        let service = EmergencyCallingService::from_texts(id, &record.attributes, Some(meta))
            .map_err(|error| corrupt(&error))?;
        let Some(expired_at) = service.renew_date.as_ref().and_then(day_start) else {
            return Ok(Position::Later);
        };
        let scope = self.scope(EmergencyCallingService::SPEC);
        let order = EmergencyCallingService::ORDER.as_str();
        let is_ordered = !self.core.store.members(scope, vec![record.number], order, 1).await?.is_empty();
        if !is_ordered || service.status == EmergencyCallingServiceStatus::Canceled {
            return Ok(Position::Stays);
        }
        if expired_at > self.now {
            self.pass.note(expired_at);
            return Ok(Position::Later);
        }
        match renew_service(&service, expired_at, self.now, &mut self.purse) {
            ServiceRenewal::Renewed(until) => {
                self.pass.note(until);
                let mut attributes = record.attributes()?;
                attributes.insert("renew_date".to_owned(), json!(day(until)));
                let links = Vec::new();
                self.changes.push(Change::Replace { scope, before: record, attributes, links, meta: None });
                Ok(Position::Leaves)
            }
            ServiceRenewal::Unpaid(again_at) => {
                self.pass.note(again_at);
                Ok(Position::Stays)
            }
            // Its numbers are detached from it, so they must be read as stored.
            ServiceRenewal::Ended if self.changes_dids => Ok(Position::Waits),
            ServiceRenewal::Ended => {
                self.cancel(&record).await?;
                Ok(Position::Leaves)
            }
        }
    }

    /// Cancels an emergency calling service.
    async fn cancel(&mut self, record: &Record) -> Result<(), StoreError> {
        let (scope, through) =
            (self.scope(EmergencyCallingService::SPEC), EmergencyCallingService::DIDS.as_str());
        let members = self.core.store.members(scope, vec![record.number], through, usize::MAX).await?;
        let ids = members.into_iter().map(|(_, _, id)| id).collect();
        let dids = self.core.store.find_all(self.scope(Did::SPEC), ids).await?;
        let ids: Vec<String> = dids.iter().map(|did| did.id.to_string()).collect();
        let (id, of_dids) = (record.id.to_string(), ids.iter().map(String::as_str));
        let changes = cancel_emergency_calling(&id, of_dids, self.now);
        let read: Vec<&Record> = std::iter::once(record).chain(&dids).collect();
        let decided = Decided { account: self.account, at: self.now, read: &read };
        let outcome = WriteOutcome { changes, events: Vec::new() };
        self.changes.extend(decided.changes(outcome, &self.core.ids)?);
        self.changed += dids.len();
        Ok(())
    }

    /// The prices of larger quantities of a pool.
    async fn breaks(&self, pool: &Record) -> Result<Vec<QtyBasedPricing>, StoreError> {
        let relationship = CapacityPool::QTY_BASED_PRICINGS.as_str();
        let scope = self.scope(CapacityPool::SPEC);
        let members = self.core.store.members(scope, vec![pool.number], relationship, usize::MAX).await?;
        let ids = members.into_iter().map(|(_, _, id)| id).collect();
        let records = self.core.store.find_all(self.scope(QtyBasedPricing::SPEC), ids).await?;
        let read = |record: Record| {
            let id = Id::new(record.id.to_string());
            QtyBasedPricing::from_texts(id, &record.attributes, None).map_err(|error| corrupt(&error))
        };
        records.into_iter().map(read).collect()
    }

    /// A page of records in the order of an attribute, those without it at the end.
    async fn page(
        &self,
        scope: Scope,
        attribute: &'static str,
        offset: u64,
    ) -> Result<Vec<Record>, StoreError> {
        let order = vec![Order { attribute, descending: false }];
        let query =
            ListQuery { scope, linked_from: None, conditions: Vec::new(), order, offset, limit: PAGE };
        Ok(self.core.store.list(query).await?.records)
    }
}

/// The day of a time, as dates are written.
fn day(at: Timestamp) -> String {
    at.to_string().chars().take(10).collect()
}

/// The price of a DID; `None` if no order brought it.
fn price(record: &Record) -> Result<Option<Money>, StoreError> {
    let meta = record.meta()?;
    Ok(meta.get(MONTHLY_PRICE).and_then(Value::as_str).and_then(|text| text.parse().ok()))
}
