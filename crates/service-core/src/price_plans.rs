//! The rates of outbound calls that single accounts have in place of those of the server.
//!
//! A plan is a document, and every node keeps the plans of all accounts in memory: the carrier edge rates calls by
//! them, and the price services answer from them. A node has a plan that it stored itself at once, and one of another
//! node within [`CHANGE_DELAY`](trunk_store::CHANGE_DELAY) and the time of a read. Until then it uses the plan before.
//!
//! An account that returned to the rates of the server keeps a document without rates: since when it has them is known
//! then.
//!
//! Bounds: [`MAX_RATES`] in a plan, each about 60 bytes in memory; the plans of `PER_PAGE` accounts are read at once.

use std::collections::{BTreeSet, HashMap};
use std::num::NonZeroU32;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use didww_types::Timestamp;
use didww_types::values::Money;
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use trunk_rules::carrier::{Digits, Rate, RateCard};
use trunk_store::account::Account;
use trunk_store::{
    Change, Changes, Committed, Document, DocumentKind, Follower, Interest, KeyedPage, NewDocument, Store,
    StoreError,
};
use uuid::Uuid;

/// Maximum number of rates in the plan of an account.
pub const MAX_RATES: usize = 10_000;

const KIND: DocumentKind = DocumentKind::PricePlan;
/// The index key with the number of the account, and the one that all plans have.
pub(crate) const ACCOUNT: &str = "account";
const ALL: (&str, &str) = ("all", "plans");
/// The most plans that are read at once.
const PER_PAGE: u64 = 16;
/// The time until a read that failed is tried again.
const RETRY_DELAY: Duration = Duration::from_secs(1);
/// The least time between two plans of an account: a file of prices is current by its date alone, which has whole
/// seconds.
const LEAST_AGE: Duration = Duration::from_secs(1);

const fn one() -> NonZeroU32 {
    NonZeroU32::MIN
}

/// The price of calls to a range of numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountRate {
    /// The first digits of the numbers, 1 to 15.
    pub prefix: String,
    /// US dollars a minute, from 0 up; billed seconds are charged in proportion.
    pub per_minute: Money,
    /// The first billing interval in seconds, which every answered call is billed at least.
    #[serde(default = "one")]
    pub initial_interval: NonZeroU32,
    /// The length of each further billing interval in seconds.
    #[serde(default = "one")]
    pub next_interval: NonZeroU32,
}

impl AccountRate {
    /// A rate that is billed by the second.
    pub fn new(prefix: impl Into<String>, per_minute: Money) -> Self {
        Self { prefix: prefix.into(), per_minute, initial_interval: one(), next_interval: one() }
    }

    /// The rate as calls are charged by it; `None` if the prefix is not 1 to 15 digits or the amount is negative.
    fn rate(&self) -> Option<(Digits, Rate)> {
        if self.per_minute < Money::default() {
            return None;
        }
        let rate = Rate {
            per_minute: self.per_minute.amount(),
            initial_interval: self.initial_interval,
            next_interval: self.next_interval,
        };
        Some((Digits::parse(self.prefix.as_bytes())?, rate))
    }
}

/// The stored plan of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredPlan {
    /// The number of the account.
    pub account: i64,
    /// The rates; `None` if the account has those of the server again.
    pub rates: Option<Vec<AccountRate>>,
    /// Since when it has them.
    pub changed_at: Timestamp,
}

/// The plan of an account in memory.
#[derive(Debug)]
pub struct AccountPlan {
    /// The rates; `None` if the account has those of the server again.
    pub rates: Option<RateCard>,
    /// Since when it has them.
    pub changed_at: Timestamp,
}

/// The plans of all accounts that have, or had, one of their own.
#[derive(Debug, Default)]
pub struct PricePlans {
    /// By the number of the account.
    plans: RwLock<HashMap<i64, Arc<AccountPlan>>>,
    /// The plans that are not read yet. The lock is held during a read, so that an older plan does not replace a newer
    /// one.
    reading: Mutex<Reading>,
}

#[derive(Debug, Default)]
struct Reading {
    /// The position in the store's change feed. Absent until the plans are loaded.
    follower: Option<Follower>,
    /// The documents that changed and were not read since.
    unread: BTreeSet<Uuid>,
    /// Whether all plans must be read.
    must_load: bool,
}

/// Checks the rates of a plan.
///
/// # Errors
/// What is wrong with them, as the continuation of a sentence that begins with `rates`.
pub fn check(rates: &[AccountRate]) -> Result<(), String> {
    if !(1..=MAX_RATES).contains(&rates.len()) {
        return Err(format!("must be 1 to {MAX_RATES}, and are {}", rates.len()));
    }
    let mut known = BTreeSet::new();
    for rate in rates {
        let prefix = &rate.prefix;
        if Digits::parse(prefix.as_bytes()).is_none() {
            return Err(format!("have the prefix {prefix:?}, which must be 1 to 15 digits"));
        }
        if rate.rate().is_none() {
            return Err(format!("have {} for {prefix}, which must be US dollars from 0 up", rate.per_minute));
        }
        if !known.insert(prefix.as_str()) {
            return Err(format!("have the prefix {prefix} twice"));
        }
    }
    Ok(())
}

/// Returns the stored plan of an account, with its document; `None` if it never had a plan of its own.
///
/// # Errors
/// If the store fails, or the stored document is not a plan.
pub async fn stored(
    store: &dyn Store,
    account: &Account,
) -> Result<Option<(Document, StoredPlan)>, StoreError> {
    let Some(document) = store.document(KIND, account.id).await? else { return Ok(None) };
    let mut plan: StoredPlan = document.read()?;
    if plan.account != account.number {
        // It is left over from a deleted account, whose id a world assigned to another one.
        plan = StoredPlan { account: account.number, rates: None, changed_at: account.created_at };
    }
    Ok(Some((document, plan)))
}

/// The change that sets the rates of an account, or with `None` returns it to those of the server. `before` is the
/// stored plan.
///
/// # Errors
/// If the plan cannot be written as text.
pub fn change(
    account: &Account,
    before: Option<&(Document, StoredPlan)>,
    rates: Option<Vec<AccountRate>>,
    now: Timestamp,
) -> Result<Change, StoreError> {
    let earlier = before.map_or(account.created_at, |(_, plan)| plan.changed_at.max(account.created_at));
    let changed_at = now.max(earlier.after(LEAST_AGE));
    let plan = StoredPlan { account: account.number, rates, changed_at };
    let body = serde_json::to_string(&plan).map_err(|error| StoreError::Failed(error.to_string()))?;
    let created_at = before
        .map_or_else(|| now.as_unix_millis().saturating_mul(1_000), |(document, _)| document.created_at);
    let document = NewDocument {
        kind: KIND,
        id: account.id,
        customer: account.id,
        created_at,
        deleted: false,
        live: false,
        body,
        keyed: true,
        keys: vec![(ACCOUNT, account.number.to_string()), (ALL.0, ALL.1.to_owned())],
        unique: Vec::new(),
    };
    let revision = before.map(|(document, _)| document.revision);
    Ok(Change::Put { revision, document: Box::new(document) })
}

/// Deletes the stored plan of a deleted account.
///
/// # Errors
/// If the store fails.
pub async fn forget(store: &dyn Store, account: Uuid) -> Result<(), StoreError> {
    if let Some(document) = store.document(KIND, account).await? {
        store.commit(vec![Change::Forget { kind: KIND, id: account, revision: document.revision }]).await?;
    }
    Ok(())
}

impl PricePlans {
    /// Returns the plan that an account has, or had, in place of the rates of the server; `None` if it always had
    /// these.
    pub fn of(&self, account: i64) -> Option<Arc<AccountPlan>> {
        self.read().get(&account).cloned()
    }

    /// Loads the plans, and follows their changes from here on.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn begin(&self, store: &dyn Store) -> Result<(), StoreError> {
        let mut reading = self.reading.lock().await;
        reading.follower = Some(store.follow(Interest::AllButRecords));
        reading.must_load = true;
        self.catch_up(&mut reading, store).await
    }

    /// Applies the changes that were committed before this call.
    ///
    /// # Errors
    /// If the store fails. The next call tries again.
    pub async fn refresh(&self, store: &dyn Store) -> Result<(), StoreError> {
        let mut reading = self.reading.lock().await;
        self.catch_up(&mut reading, store).await
    }

    /// Applies changes as they are committed, also those of other nodes, for as long as the store lives.
    pub async fn run(&self, store: &dyn Store) {
        let mut wakes = store.wakes();
        loop {
            while let Err(error) = self.refresh(store).await {
                tracing::error!(%error, "the price plans of accounts could not be read");
                tokio::time::sleep(RETRY_DELAY).await;
            }
            if wakes.changed().await.is_err() {
                return;
            }
        }
    }

    async fn catch_up(&self, reading: &mut Reading, store: &dyn Store) -> Result<(), StoreError> {
        let Reading { follower, unread, must_load } = reading;
        let Some(follower) = follower.as_mut() else { return Ok(()) };
        if !follower.is_current() {
            match follower.changes() {
                Changes::Since(writes) => {
                    for effect in writes.iter().flat_map(|write| write.iter()) {
                        self.note(effect, unread);
                    }
                }
                Changes::Reload => *must_load = true,
            }
        }
        if *must_load {
            let plans = load(store).await?;
            *self.write() = plans;
            unread.clear();
            *must_load = false;
        }
        while let Some(id) = unread.first().copied() {
            if let Some(document) = store.document(KIND, id).await? {
                let (account, plan) = in_memory(&document)?;
                self.write().insert(account, Arc::new(plan));
            }
            unread.remove(&id);
        }
        Ok(())
    }

    fn note(&self, effect: &Committed, unread: &mut BTreeSet<Uuid>) {
        match effect {
            Committed::Document { kind: DocumentKind::PricePlan, id, .. } => {
                unread.insert(*id);
            }
            Committed::Reset { account: Some(account), accounts: true } => {
                self.write().remove(account);
            }
            Committed::Reset { account: None, accounts: true } => self.write().clear(),
            _ => {}
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, HashMap<i64, Arc<AccountPlan>>> {
        self.plans.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, HashMap<i64, Arc<AccountPlan>>> {
        self.plans.write().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn load(store: &dyn Store) -> Result<HashMap<i64, Arc<AccountPlan>>, StoreError> {
    let (mut plans, mut after) = (HashMap::new(), KeyedPage::beginning_at(i64::MIN));
    loop {
        let key = (ALL.0, ALL.1.to_owned());
        let page = KeyedPage { kind: KIND, key, after, before: i64::MAX, limit: PER_PAGE };
        let page = store.documents_after(page).await?;
        let Some(last) = page.last() else { return Ok(plans) };
        after = (last.created_at, last.number);
        for document in &page {
            let (account, plan) = in_memory(document)?;
            plans.insert(account, Arc::new(plan));
        }
    }
}

/// The number of the account of a document, and its plan.
fn in_memory(document: &Document) -> Result<(i64, AccountPlan), StoreError> {
    let StoredPlan { account, rates, changed_at } = document.read()?;
    let corrupt = |rate: &AccountRate| {
        StoreError::Corrupt(format!("the price plan of {}: its rate of {:?}", document.id, rate.prefix))
    };
    let card = |rates: Vec<AccountRate>| -> Result<RateCard, StoreError> {
        let rates = rates.iter().map(|rate| rate.rate().ok_or_else(|| corrupt(rate)));
        Ok(RateCard::new(rates.collect::<Result<Vec<(Digits, Rate)>, StoreError>>()?))
    };
    Ok((account, AccountPlan { rates: rates.map(card).transpose()?, changed_at }))
}

#[cfg(test)]
mod tests;
