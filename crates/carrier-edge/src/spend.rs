//! What calls cost, and what their trunks spent in the last 24 hours.
//!
//! A call is charged from its answer on ([`Spend::answered`]), as it grows (`tick`), and when it is over
//! ([`Spend::over`], [`Spend::record`]). An answered call has a row in the store until its record takes the row's place
//! (`rows`), so that a server that dies takes no money with it: the next one charges what it left (`lost`). Where the
//! trunk has a threshold the row is written before the caller hears of the answer; where it cannot be written, the
//! call is refused.
//!
//! What is kept here is bounded by the calls that are up, and by [`MOST_UNWRITTEN`] records that wait for a store that
//! takes nothing (`recording`).

mod lost;
mod recording;
mod rows;
mod settle;
mod tick;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use didww_types::resources::VoiceOutTrunk;
use didww_types::values::Money;
use didww_types::{Resource as _, Timestamp};
use rust_decimal::Decimal;
use tokio::sync::{Notify, oneshot};
use trunk_rules::carrier::{Cause, Charge, Funds, Meter, Recording, Spending, TrunkTerms};
use uuid::Uuid;

use super::facts::Facts;
use super::record::CallRecord;
use super::{Counters, Inner};
use recording::Failing;
use rows::{Row, Rows};
use trunk_store::{Committed, Observer, Store, StoreError, StoredCall};

pub(crate) use recording::watch;
pub(crate) use settle::age;

/// The tasks that write what running calls need, and look at what they cost.
pub(crate) fn tasks(inner: &Arc<Inner>) -> [tokio::task::JoinHandle<()>; 4] {
    [
        tokio::spawn(rows::run(Arc::clone(inner))),
        tokio::spawn(tick::run(Arc::clone(inner))),
        tokio::spawn(age(Arc::clone(inner))),
        tokio::spawn(watch(Arc::clone(inner))),
    ]
}

pub(crate) use lost::charge_lost;

/// The spending of each trunk that spent anything in the last 24 hours or has calls that are up.
///
/// Whatever changes a trunk because of its spending is written by one task a trunk at a time: calls that end
/// together share one write, and none of them loses to another.
#[derive(Debug, Default)]
pub(crate) struct Spend {
    accounts: Mutex<HashMap<Uuid, Account>>,
    /// Rings when something could not be written.
    failed: Notify,
    /// Rings when what running calls cost is to be looked at now.
    look: Notify,
    /// Whether it is looked at from second to second.
    ticking: AtomicBool,
    rows: Rows,
    /// How many records wait although their call is gone, because nothing could be written.
    unwritten: AtomicUsize,
    failing: Failing,
}

#[derive(Debug)]
struct Account {
    number: i64,
    spending: Spending,
    /// Calls that were answered, by their ids.
    running: HashMap<Uuid, Running>,
    /// Whether the trunk is blocked by its threshold, as it was written last.
    threshold_reached: bool,
    /// What the API shows as spent, and since when.
    shown: Option<(Decimal, Timestamp)>,
    /// Calls that are over and whose records are to be written.
    waiting: Vec<Waiting>,
    /// When the oldest of those ended whose records are being written.
    writing: Option<Timestamp>,
    /// Whether the trunk is to be decided anew although no call of it ended.
    due: bool,
    /// Whether what the API says of the trunk may be out of date, because of a failure or a time without a server.
    unsettled: bool,
    /// Whether a task writes for the trunk.
    busy: bool,
    /// Rings when what waits must not wait for more.
    hurry: Arc<Notify>,
}

/// A call that was answered.
#[derive(Debug)]
struct Running {
    facts: Arc<Facts>,
    meter: Meter,
    /// What of it is written.
    row: Row,
    /// Whether it was told to end when its paid time is over.
    ends: bool,
}

#[derive(Debug)]
struct Waiting {
    call: Arc<StoredCall>,
    /// Whether the call was answered: then its record is kept until it can be written.
    is_answered: bool,
    /// Whether it counts among the unwritten.
    is_late: bool,
    written: Option<oneshot::Sender<Result<(), StoreError>>>,
}

/// What an answered call cost when it was over.
#[derive(Debug, Clone, Copy)]
pub struct Over {
    pub charge: Charge,
    /// Whether the caller acknowledged the answer.
    pub is_acknowledged: bool,
}

impl Account {
    fn new(number: i64) -> Self {
        Self {
            number,
            spending: Spending::default(),
            running: HashMap::new(),
            threshold_reached: false,
            shown: None,
            waiting: Vec::new(),
            writing: None,
            due: false,
            unsettled: false,
            busy: false,
            hurry: Arc::default(),
        }
    }

    /// Whether nothing of it must be remembered.
    fn is_idle(&self) -> bool {
        !(self.busy || self.due || self.unsettled)
            && self.waiting.is_empty()
            && self.running.is_empty()
            && self.spending.oldest().is_none()
    }

    /// Has the trunk decided anew where it is to be blocked, or what the API shows as spent is older than a step.
    /// Returns whether a task is to be started for it.
    fn look(&mut self, limit: Option<Decimal>, now: Timestamp, step: Duration) -> bool {
        let blocks = self.spending.blocks(limit, now) && !self.threshold_reached;
        let spent = self.spending.spent(now);
        let is_stale = match self.shown {
            Some((shown, at)) => shown != spent && (now >= at.after(step) || now < at),
            None => !spent.is_zero(),
        };
        if blocks {
            // Every call that is let through from here on is one too many.
            self.hurry.notify_one();
        }
        self.due |= blocks || is_stale;
        self.due && !std::mem::replace(&mut self.busy, true)
    }
}

/// The money of trunks at a moment.
pub(crate) struct FundsAt<'a> {
    pub inner: &'a Inner,
    pub now: Timestamp,
}

impl Funds for FundsAt<'_> {
    fn exhausted(&self, trunk: &TrunkTerms) -> Option<Money> {
        let id = trunk.id.as_str().parse().ok()?;
        let mut accounts = self.inner.spend.lock();
        let account = accounts.get_mut(&id)?;
        let limit = trunk.threshold.map(Money::amount);
        let exhausted = account.spending.is_exhausted(limit, self.now);
        exhausted.then(|| Money::new(account.spending.held(self.now)))
    }

    fn are_recorded(&self, trunk: &TrunkTerms) -> bool {
        let Inner { spend, config, .. } = self.inner;
        spend.recording(self.now).admits(trunk.threshold.is_some(), config.unrecorded_grace)
    }
}

const DAY: Duration = Duration::from_hours(24);

/// Most records that wait for a store that takes nothing. Beyond it no call comes in but emergency calls, and theirs,
/// which cost nothing, are not kept.
const MOST_UNWRITTEN: usize = 65_536;

impl Spend {
    /// Adds up what is recorded. Trunks that ever spent are looked at once: their spending may have aged while no
    /// server ran.
    pub(crate) async fn load(&self, store: &dyn Store, now: Timestamp) -> Result<(), StoreError> {
        let from =
            Timestamp::from_unix_millis(now.as_unix_millis() - i64::try_from(DAY.as_millis()).unwrap_or(0));
        let charges = store.charges_since(from).await?;
        let mut accounts = self.lock();
        for charge in charges {
            let account = accounts.entry(charge.trunk).or_insert_with(|| Account::new(charge.account));
            account.spending.add(charge.ended_at, charge.price.parse().unwrap_or_default());
        }
        store.visit(VoiceOutTrunk::SPEC, &mut |committed| {
            if let Committed::Stored { account, record, .. } = committed
                && record.meta.is_some()
            {
                let account = accounts.entry(record.id).or_insert_with(|| Account::new(*account));
                account.unsettled = true;
                account.threshold_reached = is_threshold_reached(&record.attributes);
                if !account.threshold_reached {
                    // Open, whatever it spent: its owner opened it.
                    account.spending.pardon();
                }
            }
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, Account>> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Charges a call that is about to be answered, and keeps it where a later server finds it: before this returns
    /// back where the trunk has a threshold, alongside otherwise.
    ///
    /// # Errors
    /// Why the call must not be answered. Whoever asked ends it with [`Self::over`] all the same.
    pub(crate) async fn answered(
        &self,
        inner: &Inner,
        facts: &Arc<Facts>,
        at: Timestamp,
    ) -> Result<(), Cause> {
        let Some(trunk) = facts.trunk_number() else { return Ok(()) };
        let limit = limit_of(inner, facts);
        {
            let mut accounts = self.lock();
            let account = accounts.entry(trunk).or_insert_with(|| Account::new(facts.account()));
            if !facts.is_exempt(inner) && account.spending.is_exhausted(limit, at) {
                return Err(Cause::RejectedByAuthRecord);
            }
            let meter = account.spending.begin(facts.rate, at);
            let running = Running { facts: Arc::clone(facts), meter, row: Row::None, ends: false };
            account.running.insert(facts.origin.id, running);
        }
        if limit.is_none() || facts.is_emergency {
            self.rows.want(trunk, facts.origin.id);
            return Ok(());
        }
        self.rows.write(trunk, facts.origin.id).await.map_err(|error| {
            self.not_written(&error, "a call that was to be answered");
            Cause::NotRecorded
        })
    }

    /// The caller acknowledged the answer, which went out at this moment: from here on the call is charged.
    pub(crate) fn acknowledged(&self, inner: &Arc<Inner>, facts: &Facts, answered: Timestamp) {
        let Some(trunk) = facts.trunk_number() else { return };
        let limit = limit_of(inner, facts);
        let (blocks, settles) = {
            let mut accounts = self.lock();
            let Some(account) = accounts.get_mut(&trunk) else { return };
            let Some(running) = account.running.get_mut(&facts.origin.id) else { return };
            account.spending.acknowledge(&mut running.meter, answered);
            let settles = account.look(limit, answered, inner.config.cost_step);
            (account.spending.blocks(limit, answered), settles)
        };
        self.rows.want(trunk, facts.origin.id);
        if settles {
            tokio::spawn(settle::settle(Arc::clone(inner), trunk));
        }
        if blocks || !self.ticking.load(Ordering::Acquire) {
            self.look.notify_one();
        }
    }

    /// A call is over, at this moment. Returns what it cost, if it was answered.
    pub(crate) fn over(&self, facts: &Facts, ended: Timestamp) -> Option<Over> {
        let mut accounts = self.lock();
        let account = accounts.get_mut(&facts.trunk_number()?)?;
        let Running { meter, .. } = account.running.remove(&facts.origin.id)?;
        let is_acknowledged = meter.is_acknowledged();
        Some(Over { charge: account.spending.end(meter, ended), is_acknowledged })
    }

    /// Keeps the record of a call that is over, and blocks the trunk if it spent too much: all in one write. Then
    /// tells whoever follows. What an answered call cost is kept until it can be written; a refused or unanswered
    /// one, which costs nothing, is not.
    pub(crate) async fn record(
        &self,
        inner: &Arc<Inner>,
        trunk: &TrunkTerms,
        record: Box<CallRecord>,
        is_answered: bool,
    ) {
        if !is_answered && self.recording(inner.core.clock.now()) != Recording::Works {
            Counters::count(&inner.counters.unrecorded);
            return record.publish(inner);
        }
        let number: i64 = trunk.account.parse().unwrap_or_default();
        let Some(stored) = record.to_stored(number) else { return };
        let limit = trunk.threshold.map(Money::amount);
        if let Err(error) = self.keep(inner, stored, is_answered, limit).await {
            self.not_written(&error, "the record of a call");
        }
        record.publish(inner);
    }

    /// Has a record written, and waits until it is, or until that failed for the first time.
    async fn keep(
        &self,
        inner: &Arc<Inner>,
        call: StoredCall,
        is_answered: bool,
        limit: Option<Decimal>,
    ) -> Result<(), StoreError> {
        let (trunk, ended) = (call.trunk, call.ended_at);
        let (written, outcome) = oneshot::channel();
        let idle = {
            let mut accounts = self.lock();
            let account = accounts.entry(trunk).or_insert_with(|| Account::new(call.account));
            if account.spending.blocks(limit, ended) && !account.threshold_reached {
                account.hurry.notify_one();
            }
            let written = Some(written);
            account.waiting.push(Waiting { call: Arc::new(call), is_answered, is_late: false, written });
            !std::mem::replace(&mut account.busy, true)
        };
        if idle {
            // A task of its own: the call may be given up, the others must not wait in vain.
            tokio::spawn(settle::settle(Arc::clone(inner), trunk));
        }
        outcome.await.unwrap_or_else(|_| Err(StoreError::Failed("the server stopped".to_owned())))
    }
}

impl Spend {
    /// Says what could not be written. While nothing can be, that is known, and callers must not fill the log with it.
    fn not_written(&self, error: &StoreError, what: &str) {
        if self.is_failing() {
            tracing::debug!(%error, what, "the edge could not write");
        } else {
            tracing::error!(%error, what, "the edge could not write");
        }
    }
}

/// What is deleted spent nothing. A trunk that is opened after its threshold blocked it is its owner's pardon.
impl Observer for Spend {
    fn committed(&self, committed: &Committed) {
        match committed {
            Committed::Stored { record, .. } if record.kind == VoiceOutTrunk::SPEC.name => {
                let mut accounts = self.lock();
                let Some(account) = accounts.get_mut(&record.id) else { return };
                let reached = is_threshold_reached(&record.attributes);
                if std::mem::replace(&mut account.threshold_reached, reached) && !reached {
                    account.spending.pardon();
                }
            }
            Committed::Reset { account: of } => self.lock().retain(|_, account| {
                if of.is_none_or(|of| of == account.number) {
                    account.spending.forget();
                    account.shown = None;
                    for running in account.running.values_mut() {
                        running.row = Row::None;
                    }
                }
                !account.is_idle()
            }),
            Committed::Stored { .. } | Committed::Deleted { .. } => {}
        }
    }
}

/// Looked for in the text, which is canonical: this is asked of every write of a trunk.
fn is_threshold_reached(attributes: &str) -> bool {
    attributes.contains("\"threshold_reached\":true")
}

/// The threshold of a call's trunk as it is now. One that was deleted meanwhile keeps the one that it had.
fn limit_of(inner: &Inner, facts: &Facts) -> Option<Decimal> {
    let trunks = inner.trunks.read();
    trunks.index.get(&facts.trunk.id).unwrap_or(&facts.trunk).threshold.map(Money::amount)
}
