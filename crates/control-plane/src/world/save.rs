//! Makes a world from the store.
//!
//! The reads are not one state of the database: a server that is written to meanwhile can be saved in a state that it
//! never had.

use std::collections::{BTreeMap, BTreeSet};

use didww_types::ResourceSpec;
use serde_json::{Map, Value};
use service_core::price_plans;
use trunk_rules::domain::Rulebook;
use trunk_store::account::Account;
use trunk_store::{NO_ACCOUNT, Record, Scope, StoreError, StoredRecord, for_each_record};
use uuid::Uuid;

use super::digest::HexDigest;
use super::model::{World, WorldAccount, WorldKey};
use super::naming::{MAX_RECORDS, in_order};
use super::record::{Related, WorldRecord, is_set, is_stored};
use super::records::{Records, types};
use super::secrets::hide;
use crate::{Control, ControlError};

/// Maximum number of ids that are looked up at once: more are a long read.
const AT_ONCE: usize = 100;
/// Maximum number of members of relationships that are read at once.
const MAX_MEMBERS: usize = 100_000;

/// The selection of the data that is saved.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SaveOptions {
    /// The only account; if `None`, all of them.
    pub account: Option<Uuid>,
    /// Whether passwords and secrets are saved, and the digests of keys. Without it they are hidden, and keys are left
    /// out.
    pub secrets: bool,
    /// Whether all records are saved that accounts share, and not only those that the accounts' records refer to.
    pub all_shared: bool,
}

impl SaveOptions {
    /// Saves only the account with this id.
    #[must_use]
    pub fn account(mut self, id: Uuid) -> Self {
        self.account = Some(id);
        self
    }

    /// Saves passwords and secrets, and the digests of keys.
    #[must_use]
    pub fn secrets(mut self) -> Self {
        self.secrets = true;
        self
    }

    /// Saves all records that accounts share.
    #[must_use]
    pub fn all_shared(mut self) -> Self {
        self.all_shared = true;
        self
    }
}

/// The ids of records that all accounts share, by their types.
type Wanted = BTreeMap<&'static str, BTreeSet<Uuid>>;

impl Control {
    /// Makes a world from the store: at most 10,000 records. It has no times of creation. The communication platform is
    /// only part of a world of all accounts.
    ///
    /// # Errors
    /// If there is no such account, there are more records, or the store fails.
    pub async fn save_world(&self, options: SaveOptions) -> Result<World, ControlError> {
        let accounts = match options.account {
            Some(id) => vec![self.account(id).await?],
            None => self.accounts().await?,
        };
        let mut wanted = Wanted::new();
        let numbers: BTreeSet<i64> = accounts.iter().map(|account| account.number).collect();
        let mut owned = self.records_of(&numbers, false, options, &mut wanted).await?;
        let mut world = World::default();
        for account in &accounts {
            let records = owned.remove(&account.number).unwrap_or_default();
            world.accounts.push(self.saved_account(account, records, options).await?);
        }
        world.shared = if options.all_shared {
            let owners = BTreeSet::from([NO_ACCOUNT]);
            let mut all = self.records_of(&owners, true, options, &mut wanted).await?;
            all.remove(&NO_ACCOUNT).unwrap_or_default()
        } else {
            self.shared_records(wanted, options).await?
        };
        if options.account.is_none() {
            world.platform = self.saved_platform().await?;
            if !options.secrets {
                world.platform.hide();
            }
        }
        check_size(world.record_count())?;
        Ok(world)
    }

    /// The records of these owners by the owners: the numbers of accounts, or [`NO_ACCOUNT`] for records that all
    /// accounts share. Adds the shared ones that they refer to.
    async fn records_of(
        &self,
        owners: &BTreeSet<i64>,
        is_shared: bool,
        options: SaveOptions,
        wanted: &mut Wanted,
    ) -> Result<BTreeMap<i64, Records>, ControlError> {
        let mut owned: BTreeMap<i64, Records> = BTreeMap::new();
        let mut count = 0;
        for spec in types(is_shared) {
            let mut found: Vec<StoredRecord> = Vec::new();
            for_each_record(&*self.core.store, spec, |stored| {
                if owners.contains(&stored.account) && found.len() <= MAX_RECORDS {
                    found.push(stored);
                }
            })
            .await?;
            count += found.len();
            check_size(count)?;
            let mut by_owner: BTreeMap<i64, Vec<WorldRecord>> = BTreeMap::new();
            for StoredRecord { account, record, links } in found {
                want(wanted, spec, &links);
                by_owner.entry(account).or_default().push(saved(spec, &record, &links, options.secrets)?);
            }
            for (owner, records) in by_owner {
                owned.entry(owner).or_default().0.push((spec, records));
            }
        }
        Ok(owned)
    }

    async fn saved_account(
        &self,
        account: &Account,
        records: Records,
        options: SaveOptions,
    ) -> Result<WorldAccount, ControlError> {
        let mut saved = WorldAccount::named(account.name.clone());
        saved.id = Some(account.id);
        saved.version = Some(account.version);
        saved.features = Some(account.features.iter().collect());
        (saved.rate_limit, saved.record_quota) = (account.rate_limit, account.record_quota);
        let plan = price_plans::stored(&*self.core.store, account).await?;
        let rates = plan.and_then(|(_, plan)| plan.rates).unwrap_or_default();
        saved.rates = rates.into_iter().map(Into::into).collect();
        saved.records = records;
        if options.secrets {
            let keys = self.core.store.keys(account.number).await?;
            saved.keys = keys
                .into_iter()
                .map(|key| WorldKey {
                    api_key: None,
                    sha256: Some(HexDigest(key.digest)),
                    allowed_addresses: key.addresses.as_deref().cloned(),
                    environment: key.environment,
                })
                .collect();
        }
        Ok(saved)
    }

    /// The shared records with these ids, and those that they refer to.
    async fn shared_records(
        &self,
        mut wanted: Wanted,
        options: SaveOptions,
    ) -> Result<Records, ControlError> {
        let mut found: BTreeMap<&'static str, Vec<WorldRecord>> = BTreeMap::new();
        // Each type comes before those that it refers to.
        for spec in in_order().into_iter().rev().filter(|spec| types(true).any(|one| one.name == spec.name)) {
            let ids: Vec<Uuid> = wanted.remove(spec.name).unwrap_or_default().into_iter().collect();
            check_size(ids.len())?;
            let mut records: Vec<StoredRecord> = Vec::with_capacity(ids.len());
            for some in ids.chunks(AT_ONCE) {
                records.extend(self.with_links(spec, some.to_vec()).await?);
            }
            records.sort_by_key(|stored| stored.record.number);
            for StoredRecord { record, links, .. } in records {
                want(&mut wanted, spec, &links);
                found.entry(spec.name).or_default().push(saved(spec, &record, &links, options.secrets)?);
            }
        }
        let in_registry = types(true).filter_map(|spec| Some((spec, found.remove(spec.name)?)));
        Ok(Records(in_registry.collect()))
    }

    /// Reads shared records with the members of their relationships.
    async fn with_links(
        &self,
        spec: &'static ResourceSpec,
        ids: Vec<Uuid>,
    ) -> Result<Vec<StoredRecord>, StoreError> {
        let scope = Scope { account: NO_ACCOUNT, spec };
        let records = self.core.store.find_all(scope, ids).await?;
        let numbers: Vec<i64> = records.iter().map(|record| record.number).collect();
        let mut links: BTreeMap<i64, Vec<(&'static str, Vec<Uuid>)>> = BTreeMap::new();
        for relationship in spec.relationships.iter().filter(|one| is_stored(one)) {
            let name = relationship.name;
            let members = self.core.store.members(scope, numbers.clone(), name, MAX_MEMBERS).await?;
            for (owner, _, id) in members {
                let of_owner = links.entry(owner).or_default();
                match of_owner.iter_mut().find(|(known, _)| *known == name) {
                    Some((_, ids)) => ids.push(id),
                    None => of_owner.push((name, vec![id])),
                }
            }
        }
        let stored = records.into_iter().map(|record| StoredRecord {
            account: NO_ACCOUNT,
            links: links.remove(&record.number).unwrap_or_default(),
            record,
        });
        Ok(stored.collect())
    }
}

/// Adds the shared records that a record refers to.
fn want(wanted: &mut Wanted, spec: &ResourceSpec, links: &[(&'static str, Vec<Uuid>)]) {
    for (name, members) in links {
        let Some(target) = spec.relationship(name).filter(|one| is_stored(one)).map(|one| one.target) else {
            continue;
        };
        if !members.is_empty() && types(true).any(|one| one.name == target) {
            wanted.entry(target).or_default().extend(members.iter().copied());
        }
    }
}

/// A record in the form of a world: without defaults, and without values that the server computes.
fn saved(
    spec: &'static ResourceSpec,
    record: &Record,
    links: &[(&'static str, Vec<Uuid>)],
    secrets: bool,
) -> Result<WorldRecord, StoreError> {
    // The account's only record has the account's id.
    let id = Some(record.id).filter(|_| spec.singleton.is_none());
    let mut saved = WorldRecord { id, ..WorldRecord::default() };
    let stored = record.attributes()?;
    for attribute in spec.attributes.iter().filter(|attribute| is_set(attribute)) {
        let Some(value) = stored.get(attribute.name) else { continue };
        let is_default = attribute.default.is_some_and(|default| default.to_json() == *value);
        if !is_default {
            saved.attributes.insert(attribute.name.to_owned(), value.clone());
        }
    }
    if !secrets {
        hide(&mut saved.attributes);
    }
    for (name, members) in links {
        let Some(relationship) = spec.relationship(name).filter(|one| is_stored(one)) else { continue };
        let mut texts: Vec<String> = members.iter().map(ToString::to_string).collect();
        let related =
            if relationship.many { Some(Related::Many(texts)) } else { texts.pop().map(Related::One) };
        if let Some(related) = related.filter(|related| !related.names().is_empty()) {
            saved.relationships.insert(relationship.name.to_owned(), related);
        }
    }
    saved.meta = saved_meta(spec, record)?;
    Ok(saved)
}

/// The members of `meta` that differ from those of a new record and that staff set: booleans, numbers and prices, which
/// a new record has as null. An amount that was spent follows from calls.
fn saved_meta(spec: &ResourceSpec, record: &Record) -> Result<Map<String, Value>, StoreError> {
    let initial = Rulebook::DIDWW.initial_meta(spec).and_then(|text| serde_json::from_str(text).ok());
    let initial: Map<String, Value> = initial.unwrap_or_default();
    let mut meta = record.meta()?;
    meta.retain(|name, value| {
        let is_staffs = |initial: &Value| initial.is_boolean() || initial.is_number() || initial.is_null();
        initial.get(name).is_some_and(|initial| is_staffs(initial) && initial != value)
    });
    Ok(meta)
}

fn check_size(count: usize) -> Result<(), ControlError> {
    if count > MAX_RECORDS {
        let message = format!("more than {MAX_RECORDS} records; save one account, or make a backup");
        return Err(ControlError::Store(StoreError::TooLarge(message)));
    }
    Ok(())
}
