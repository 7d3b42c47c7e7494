//! Writing what calls did to their trunk: records, what the trunk spent, and whether that blocks or re-opens it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use didww_types::resources::VoiceOutTrunk;
use didww_types::values::Money;
use didww_types::{Resource as _, Timestamp};
use futures_util::{StreamExt as _, stream};
use rust_decimal::Decimal;
use serde_json::{Map, Value, json};
use tokio::sync::Notify;
use trunk_rules::carrier::{Gate, SpendEvent, decide_gate};
use uuid::Uuid;

use super::{DAY, Inner, MOST_UNWRITTEN, Spend, Waiting};
use callbacks::trunk_event;
use trunk_store::{Change, Scope, StoreError};

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

/// What is to be written for a trunk.
struct Work {
    number: i64,
    /// Whether its spending may have changed; not when calls ended that were never answered.
    decides: bool,
    waiting: Vec<Waiting>,
    hurry: Arc<Notify>,
}

impl Spend {
    /// What a trunk's task does next; none ends it.
    fn next(&self, trunk: Uuid) -> Option<Work> {
        let mut accounts = self.lock();
        let account = accounts.get_mut(&trunk)?;
        let (number, hurry) = (account.number, Arc::clone(&account.hurry));
        let most = account.waiting.len().min(TOGETHER);
        let waiting: Vec<Waiting> = account.waiting.drain(..most).collect();
        account.writing = waiting.iter().map(|waiting| waiting.call.ended_at).min();
        let decides = std::mem::take(&mut account.due) | waiting.iter().any(|waiting| waiting.is_answered);
        if decides || !waiting.is_empty() {
            return Some(Work { number, decides, waiting, hurry });
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
        decides: bool,
        calls: Vec<Change>,
    ) -> Result<(), StoreError> {
        if !decides {
            return inner.core.store.commit(calls).await.map(|_| ());
        }
        for attempt in 0..ATTEMPTS {
            let now = inner.core.clock.now();
            let outcome = match self.gate_changes(inner, number, trunk, now).await {
                Ok((spent, gate)) if gate.is_empty() && calls.is_empty() => {
                    self.shown(trunk, spent, now);
                    return Ok(());
                }
                Ok((spent, mut changes)) => {
                    let tells = changes.iter().any(|change| matches!(change, Change::Emit(_)));
                    changes.extend(calls.iter().cloned());
                    let outcome = inner.core.store.commit(changes).await.map(|_| ());
                    if outcome.is_ok() {
                        self.shown(trunk, spent, now);
                        if tells {
                            inner.core.outbox.wake();
                        }
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
            inner.core.store.commit(calls).await.map(|_| ())
        }
    }

    fn shown(&self, trunk: Uuid, spent: Decimal, now: Timestamp) {
        if let Some(account) = self.lock().get_mut(&trunk) {
            account.shown = Some((spent, now));
        }
    }

    /// Has a trunk decided anew, soon.
    fn unsettle(&self, trunk: Uuid) {
        if let Some(account) = self.lock().get_mut(&trunk) {
            account.unsettled = true;
        }
        self.failed.notify_one();
    }

    /// What a trunk spent, and whether that is to block it.
    fn state(&self, trunk: Uuid, limit: Option<Decimal>, now: Timestamp) -> (Decimal, bool) {
        let mut accounts = self.lock();
        let state = accounts
            .get_mut(&trunk)
            .map(|account| (account.spending.spent(now), account.spending.blocks(limit, now)));
        state.unwrap_or_default()
    }

    /// What a trunk spent, and what that changes about it: its spent amount, and perhaps its status, with an event
    /// to tell.
    async fn gate_changes(
        &self,
        inner: &Inner,
        number: i64,
        trunk: Uuid,
        now: Timestamp,
    ) -> Result<(Decimal, Vec<Change>), StoreError> {
        let scope = Scope { account: number, spec: VoiceOutTrunk::SPEC };
        // A trunk that was deleted while a call was up has nothing to change.
        let Some(before) = inner.core.store.find(scope, trunk).await? else {
            return Ok((Decimal::ZERO, Vec::new()));
        };
        let mut attributes = before.attributes()?;
        let limit =
            attributes.get("threshold_amount").and_then(Value::as_str).and_then(|text| text.parse().ok());
        let (spent, blocks) = self.state(trunk, limit, now);
        // What ages re-opens a trunk, and what does not block it now cannot keep it blocked.
        let event = if blocks { SpendEvent::Charged } else { SpendEvent::Aged };
        let settings = &inner.config.settings;
        let change = decide_gate(gate(&attributes), event, limit, spent, settings.callback_on_manual_block);
        let meta = json!({ "spent_amount": Money::new(spent) }).to_string();
        if change.is_none() && before.meta.as_deref() == Some(&meta) {
            return Ok((spent, Vec::new()));
        }
        let mut event_to_tell = None;
        if let Some(change) = change {
            let status = if change.gate.blocked { "blocked" } else { "active" };
            attributes.insert("status".to_owned(), json!(status));
            attributes.insert("threshold_reached".to_owned(), json!(change.gate.threshold_reached));
            tracing::warn!(trunk = %trunk, status, %spent, "the spending of the last 24 hours changed a trunk");
            if change.callback {
                let state = (change.gate.blocked, change.gate.threshold_reached);
                event_to_tell = trunk_event(number, trunk, &attributes, state, now);
            }
        }
        // First what may conflict: then nothing was written that must be undone.
        let replace = Change::Replace { scope, before, attributes, links: Vec::new(), meta: Some(meta) };
        let emit = event_to_tell.map(|event| Change::Emit(Box::new(event)));
        Ok((spent, std::iter::once(replace).chain(emit).collect()))
    }

    /// A write of calls is over. What could not be written of answered calls waits for the next one.
    fn written(&self, trunk: Uuid, waiting: Vec<Waiting>, outcome: &Result<(), StoreError>) {
        let mut accounts = self.lock();
        let Some(account) = accounts.get_mut(&trunk) else { return };
        account.writing = None;
        let mut again = Vec::new();
        for mut waiting in waiting {
            if let Some(written) = waiting.written.take() {
                // Whoever waits may be gone.
                let _gone = written.send(outcome.clone());
            }
            match outcome {
                Ok(()) if waiting.is_late => {
                    self.unwritten.fetch_sub(1, Ordering::Relaxed);
                }
                Err(_) if waiting.is_late => again.push(waiting),
                Err(_) if waiting.is_answered && self.unwritten.load(Ordering::Relaxed) < MOST_UNWRITTEN => {
                    self.unwritten.fetch_add(1, Ordering::Relaxed);
                    again.push(Waiting { is_late: true, ..waiting });
                }
                _ => {}
            }
        }
        if !again.is_empty() {
            // The oldest first, and not before the store takes something again.
            again.append(&mut account.waiting);
            account.waiting = again;
        }
    }

    /// A write failed: the trunk's task ends, and what waits is written by a later one.
    fn pause(&self, trunk: Uuid) {
        if let Some(account) = self.lock().get_mut(&trunk) {
            account.busy = false;
            account.unsettled = true;
        }
        self.failed.notify_one();
    }

    /// The trunks that are to be settled at this moment, and when the spending of the next one ages. Whoever asks
    /// settles them.
    fn aged(&self, now: Timestamp) -> (Vec<Uuid>, Option<Timestamp>) {
        let mut accounts = self.lock();
        let mut idle = Vec::new();
        accounts.retain(|trunk, account| {
            let aged = account.spending.oldest().is_some_and(|oldest| oldest.after(DAY) <= now);
            if aged {
                // What is old is forgotten.
                let _spent = account.spending.spent(now);
            }
            account.due |= aged | std::mem::take(&mut account.unsettled);
            if account.due && !std::mem::replace(&mut account.busy, true) {
                idle.push(*trunk);
            }
            !account.is_idle()
        });
        let next = accounts.values().filter_map(|account| account.spending.oldest()).min();
        (idle, next.map(|oldest| oldest.after(DAY)))
    }
}

/// Writes for one trunk until there is nothing left to write, or a write fails.
pub(super) async fn settle(inner: Arc<Inner>, trunk: Uuid) {
    while let Some(Work { number, decides, waiting, hurry }) = inner.spend.next(trunk) {
        let calls: Vec<Change> =
            waiting.iter().map(|waiting| Change::Call(Arc::clone(&waiting.call))).collect();
        let is_call = !calls.is_empty();
        let outcome = inner.spend.write(&inner, trunk, number, decides, calls).await;
        inner.spend.written(trunk, waiting, &outcome);
        if let Err(error) = outcome {
            inner.spend.not_written(&error, "what a trunk spent");
            return inner.spend.pause(trunk);
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

/// Follows the clock: spending that is older than 24 hours counts no more, and re-opens what it blocked. What could
/// not be written is tried again.
pub(crate) async fn age(inner: Arc<Inner>) {
    let clock = &inner.core.clock;
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
