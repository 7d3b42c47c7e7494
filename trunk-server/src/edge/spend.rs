//! What calls cost, and what their trunks spent in the last 24 hours.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use didww_types::resources::VoiceOutTrunk;
use didww_types::values::Money;
use didww_types::{Resource as _, Timestamp};
use futures_util::{StreamExt as _, stream};
use rust_decimal::Decimal;
use serde_json::{Map, Value, json};
use tokio::sync::{Notify, oneshot};
use trunk_rules::carrier::{Gate, Rate, RateCard, SpendEvent, SpendWindow, TrunkTerms, decide_gate};
use uuid::Uuid;

use super::Inner;
use super::record::CallRecord;
use crate::callbacks::trunk_event;
use crate::store::{Change, Committed, Observer, Scope, Store, StoreError, StoredCall};

/// The spending of each trunk that spent anything in the last 24 hours.
///
/// Whatever changes a trunk because of its spending is written by one task a trunk at a time: calls that end
/// together share one write, and none of them loses to another.
#[derive(Debug, Default)]
pub(super) struct Spend {
    accounts: Mutex<HashMap<Uuid, Account>>,
    /// Rings when something could not be written.
    failed: Notify,
}

#[derive(Debug)]
struct Account {
    number: i64,
    window: SpendWindow,
    /// Calls that are over and whose records are to be written.
    waiting: Vec<Waiting>,
    /// Whether one of them cost something.
    charged: bool,
    /// Rings when what waits must not wait for more.
    hurry: Arc<Notify>,
    /// Whether the trunk is to be decided anew although no call of it ended.
    due: bool,
    /// Whether what the API says of the trunk may be out of date, because of a failure or a time without a server.
    unsettled: bool,
    /// Whether a task writes for the trunk.
    busy: bool,
}

#[derive(Debug)]
struct Waiting {
    call: Arc<StoredCall>,
    written: oneshot::Sender<Result<(), StoreError>>,
}

/// What is to be written for a trunk.
struct Work {
    number: i64,
    /// What happened to the trunk's spending; nothing when calls ended that cost nothing.
    event: Option<SpendEvent>,
    waiting: Vec<Waiting>,
    hurry: Arc<Notify>,
}

impl Account {
    fn new(number: i64) -> Self {
        let window = SpendWindow::default();
        Self {
            number,
            window,
            waiting: Vec::new(),
            charged: false,
            hurry: Arc::default(),
            due: false,
            unsettled: false,
            busy: false,
        }
    }

    fn is_idle(&self) -> bool {
        !(self.busy || self.due || self.unsettled) && self.waiting.is_empty()
    }
}

const DAY: Duration = Duration::from_hours(24);
/// How often a change of a trunk is tried: somebody else may change the trunk meanwhile, or the store be busy.
const ATTEMPTS: u32 = 32;
/// Most calls that one write records.
const TOGETHER: usize = 256;
/// Calls of a trunk that end this soon after a write share the next one. The first waits for nobody.
const GATHER: Duration = Duration::from_millis(20);
/// The wait before what failed is tried again.
const RETRY: Duration = Duration::from_secs(1);
/// Trunks that are settled at the same time after a start or a failure.
const SETTLED_AT_ONCE: usize = 32;

/// A small card: North America, the United Kingdom, mobiles there, and the rest of the world.
pub(super) fn default_rates() -> RateCard {
    let rate = |per_minute: Decimal, initial: u32, next: u32| Rate {
        per_minute,
        initial_interval: NonZeroU32::new(initial).unwrap_or(NonZeroU32::MIN),
        next_interval: NonZeroU32::new(next).unwrap_or(NonZeroU32::MIN),
    };
    let world = (1..=9).map(|first| (first.to_string(), rate(Decimal::new(5, 2), 60, 60)));
    let known = [
        ("1", rate(Decimal::new(1, 2), 6, 6)),
        ("44", rate(Decimal::new(1, 2), 1, 1)),
        ("447", rate(Decimal::new(3, 2), 1, 1)),
    ];
    let known = known.into_iter().map(|(prefix, rate)| (prefix.to_owned(), rate));
    RateCard::new(world.chain(known).filter_map(|(prefix, rate)| Some((prefix.parse().ok()?, rate))))
}

impl Spend {
    /// Adds up what is recorded. Trunks that ever spent are looked at once: their spending may have aged while no
    /// server ran.
    pub(super) async fn load(&self, store: &dyn Store, now: Timestamp) -> Result<(), StoreError> {
        let from =
            Timestamp::from_unix_millis(now.as_unix_millis() - i64::try_from(DAY.as_millis()).unwrap_or(0));
        let charges = store.charges_since(from).await?;
        let mut accounts = self.lock();
        for charge in charges {
            let account = accounts.entry(charge.trunk).or_insert_with(|| Account::new(charge.account));
            account.window.add(charge.ended_at, charge.price.parse().unwrap_or_default());
        }
        store.visit(VoiceOutTrunk::SPEC, &mut |committed| {
            if let Committed::Stored { account, record, .. } = committed
                && record.meta.is_some()
            {
                accounts.entry(record.id).or_insert_with(|| Account::new(*account)).unsettled = true;
            }
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, Account>> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn spent(&self, trunk: Uuid, now: Timestamp) -> Decimal {
        self.lock().get_mut(&trunk).map(|account| account.window.spent(now)).unwrap_or_default()
    }

    /// Keeps the record of a call that is over, adds its price to its trunk's spending, and blocks the trunk if
    /// that is too much: all in one write. Then tells whoever follows.
    pub(super) async fn record(&self, inner: &Arc<Inner>, trunk: &TrunkTerms, record: Box<CallRecord>) {
        let number: i64 = trunk.account.parse().unwrap_or_default();
        let Some(stored) = record.to_stored(number) else { return };
        let limit = trunk.threshold.map(Money::amount);
        if let Err(error) = self.keep(inner, stored, record.amount(), limit).await {
            not_written(&error, "the record of a call");
        }
        record.publish(inner);
    }

    /// Adds a price, and waits until the call's record is written.
    async fn keep(
        &self,
        inner: &Arc<Inner>,
        call: StoredCall,
        price: Decimal,
        limit: Option<Decimal>,
    ) -> Result<(), StoreError> {
        let (trunk, ended) = (call.trunk, call.ended_at);
        let (written, outcome) = oneshot::channel();
        let idle = {
            let mut accounts = self.lock();
            let account = accounts.entry(trunk).or_insert_with(|| Account::new(call.account));
            if !price.is_zero() {
                account.window.add(ended, price);
                account.charged = true;
                if limit.is_some_and(|limit| account.window.spent(ended) >= limit) {
                    // Every call that is let through from here on is one too many.
                    account.hurry.notify_one();
                }
            }
            account.waiting.push(Waiting { call: Arc::new(call), written });
            !std::mem::replace(&mut account.busy, true)
        };
        if idle {
            // A task of its own: the call may be given up, the others must not wait in vain.
            tokio::spawn(settle(Arc::clone(inner), trunk));
        }
        outcome.await.unwrap_or_else(|_| Err(StoreError::Failed("the server stopped".to_owned())))
    }

    /// What a trunk's task does next; none ends it.
    fn next(&self, trunk: Uuid) -> Option<Work> {
        let mut accounts = self.lock();
        let account = accounts.get_mut(&trunk)?;
        let (number, hurry) = (account.number, Arc::clone(&account.hurry));
        if !account.waiting.is_empty() {
            let most = account.waiting.len().min(TOGETHER);
            let waiting = account.waiting.drain(..most).collect();
            let event = std::mem::take(&mut account.charged).then_some(SpendEvent::Charged);
            return Some(Work { number, event, waiting, hurry });
        }
        if std::mem::take(&mut account.due) {
            return Some(Work { number, event: Some(SpendEvent::Aged), waiting: Vec::new(), hurry });
        }
        account.busy = false;
        None
    }

    /// Writes calls with what they change about their trunk.
    async fn write(
        &self,
        inner: &Inner,
        trunk: Uuid,
        number: i64,
        event: Option<SpendEvent>,
        calls: Vec<Change>,
    ) -> Result<(), StoreError> {
        let Some(event) = event else { return inner.app.store.commit(calls).await.map(|_| ()) };
        for attempt in 0..ATTEMPTS {
            let now = inner.app.clock.now();
            let spent = self.spent(trunk, now);
            let outcome = match self.gate_changes(inner, number, trunk, event, spent, now).await {
                Ok(gate) if gate.is_empty() && calls.is_empty() => return Ok(()),
                Ok(mut changes) => {
                    let tells = changes.iter().any(|change| matches!(change, Change::Emit(_)));
                    changes.extend(calls.iter().cloned());
                    let outcome = inner.app.store.commit(changes).await.map(|_| ());
                    if tells && outcome.is_ok() {
                        inner.app.callbacks.wake();
                    }
                    outcome
                }
                Err(error) => Err(error),
            };
            match outcome {
                // The owner changed the trunk meanwhile: it is decided anew.
                Err(StoreError::Conflict) => {}
                Err(StoreError::Overloaded) => {
                    tokio::time::sleep(Duration::from_millis(5 << attempt.min(6))).await;
                }
                outcome => return outcome,
            }
        }
        self.unsettle(trunk);
        // The record is the money; what the API says of the trunk is put right from it.
        if calls.is_empty() {
            Err(StoreError::Conflict)
        } else {
            inner.app.store.commit(calls).await.map(|_| ())
        }
    }

    /// Has a trunk decided anew, soon.
    fn unsettle(&self, trunk: Uuid) {
        if let Some(account) = self.lock().get_mut(&trunk) {
            account.unsettled = true;
        }
        self.failed.notify_one();
    }

    /// What an event changes about a trunk: its spent amount, and perhaps its status, with an event to tell.
    async fn gate_changes(
        &self,
        inner: &Inner,
        number: i64,
        trunk: Uuid,
        event: SpendEvent,
        spent: Decimal,
        now: Timestamp,
    ) -> Result<Vec<Change>, StoreError> {
        let scope = Scope { account: number, spec: VoiceOutTrunk::SPEC };
        // A trunk that was deleted while a call was up has nothing to change.
        let Some(before) = inner.app.store.find(scope, trunk).await? else { return Ok(Vec::new()) };
        let mut attributes = before.attributes()?;
        let limit =
            attributes.get("threshold_amount").and_then(Value::as_str).and_then(|text| text.parse().ok());
        let settings = &inner.config.settings;
        let change = decide_gate(gate(&attributes), event, limit, spent, settings.callback_on_manual_block);
        let meta = json!({ "spent_amount": Money::new(spent) }).to_string();
        if change.is_none() && before.meta.as_deref() == Some(&meta) {
            return Ok(Vec::new());
        }
        let mut event_to_tell = None;
        if let Some(change) = change {
            let status = if change.gate.blocked { "blocked" } else { "active" };
            attributes.insert("status".to_owned(), json!(status));
            attributes.insert("threshold_reached".to_owned(), json!(change.gate.threshold_reached));
            tracing::warn!(trunk = %trunk, status, %spent, "the spending of the last 24 hours changed a trunk");
            if change.callback {
                event_to_tell = trunk_event(number, trunk, &attributes, change.gate, now);
            }
        }
        // First what may conflict: then nothing was written that must be undone.
        let replace = Change::Replace { scope, before, attributes, links: Vec::new(), meta: Some(meta) };
        let emit = event_to_tell.map(|event| Change::Emit(Box::new(event)));
        Ok(std::iter::once(replace).chain(emit).collect())
    }

    /// The trunks that are to be settled at this moment, and when the spending of the next one ages. Whoever asks
    /// settles them.
    fn aged(&self, now: Timestamp) -> (Vec<Uuid>, Option<Timestamp>) {
        let mut accounts = self.lock();
        let mut idle = Vec::new();
        accounts.retain(|trunk, account| {
            let aged = account.window.oldest().is_some_and(|oldest| oldest.after(DAY) <= now);
            if aged {
                // What is old is forgotten.
                let _spent = account.window.spent(now);
            }
            account.due |= aged | std::mem::take(&mut account.unsettled);
            if account.due && !std::mem::replace(&mut account.busy, true) {
                idle.push(*trunk);
            }
            account.window.oldest().is_some() || !account.is_idle()
        });
        let next = accounts.values().filter_map(|account| account.window.oldest()).min();
        (idle, next.map(|oldest| oldest.after(DAY)))
    }
}

/// What is deleted spent nothing.
impl Observer for Spend {
    fn committed(&self, committed: &Committed) {
        let Committed::Reset { account: of } = committed else { return };
        self.lock().retain(|_, account| {
            if of.is_none_or(|of| of == account.number) {
                account.window = SpendWindow::default();
            }
            account.window.oldest().is_some() || !account.is_idle()
        });
    }
}

/// Writes for one trunk until there is nothing left to write.
async fn settle(inner: Arc<Inner>, trunk: Uuid) {
    while let Some(Work { number, event, waiting, hurry }) = inner.spend.next(trunk) {
        let calls: Vec<Change> =
            waiting.iter().map(|waiting| Change::Call(Arc::clone(&waiting.call))).collect();
        let is_call = !calls.is_empty();
        let outcome = inner.spend.write(&inner, trunk, number, event, calls).await;
        if let Err(error) = &outcome {
            not_written(error, "what a trunk spent");
            inner.spend.unsettle(trunk);
        }
        for waiting in waiting {
            // Whoever waits may be gone.
            let _gone = waiting.written.send(outcome.clone());
        }
        if is_call {
            let _hurried = tokio::time::timeout(GATHER, hurry.notified()).await;
        }
    }
}

fn gate(attributes: &Map<String, Value>) -> Gate {
    Gate {
        blocked: attributes.get("status").and_then(Value::as_str) == Some("blocked"),
        threshold_reached: attributes.get("threshold_reached") == Some(&Value::Bool(true)),
    }
}

/// The call goes on without what could not be written.
fn not_written(error: &StoreError, what: &str) {
    tracing::error!(%error, what, "the edge could not write; calls go on");
}

/// Follows the clock: spending that is older than 24 hours counts no more, and re-opens what it blocked. What could
/// not be written is tried again.
pub(super) async fn age(inner: Arc<Inner>) {
    let clock = &inner.app.clock;
    loop {
        let now = clock.now();
        let (idle, next) = inner.spend.aged(now);
        stream::iter(idle)
            .for_each_concurrent(SETTLED_AT_ONCE, |trunk| settle(Arc::clone(&inner), trunk))
            .await;
        let failed = async {
            inner.spend.failed.notified().await;
            tokio::time::sleep(RETRY).await;
        };
        tokio::select! {
            () = clock.sleep_until(next.unwrap_or_else(|| now.after(Duration::from_mins(1)))) => {}
            () = failed => {}
        }
    }
}
