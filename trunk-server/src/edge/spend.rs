//! What calls cost, and what their trunks spent in the last 24 hours.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use didww_types::resources::VoiceOutTrunk;
use didww_types::values::Money;
use didww_types::{Resource as _, Timestamp};
use rust_decimal::Decimal;
use serde_json::{Map, Value, json};
use trunk_rules::carrier::{Gate, Rate, RateCard, SpendEvent, SpendWindow, TrunkTerms, decide_gate};
use uuid::Uuid;

use super::Inner;
use super::record::CallRecord;
use crate::callbacks::trunk_event;
use crate::store::{Change, Scope, Store, StoreError};

/// The spending of each trunk that spent anything in the last 24 hours.
#[derive(Debug, Default)]
pub(super) struct Spend(Mutex<HashMap<Uuid, Account>>);

#[derive(Debug)]
struct Account {
    number: i64,
    window: SpendWindow,
}

const DAY: Duration = Duration::from_hours(24);
/// How often a change of a trunk is decided anew because somebody else changed it meanwhile.
const ATTEMPTS: usize = 16;

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
    /// Adds up what is recorded.
    pub(super) async fn load(store: &dyn Store, now: Timestamp) -> Result<Self, StoreError> {
        let from =
            Timestamp::from_unix_millis(now.as_unix_millis() - i64::try_from(DAY.as_millis()).unwrap_or(0));
        let mut windows: HashMap<Uuid, Account> = HashMap::new();
        for charge in store.charges_since(from).await? {
            let account = windows
                .entry(charge.trunk)
                .or_insert_with(|| Account { number: charge.account, window: SpendWindow::default() });
            account.window.add(charge.ended_at, charge.price.parse().unwrap_or_default());
        }
        Ok(Self(Mutex::new(windows)))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, Account>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a price; gives what the trunk spent in the last 24 hours.
    fn add(&self, trunk: Uuid, number: i64, ended: Timestamp, price: Decimal, now: Timestamp) -> Decimal {
        let mut windows = self.lock();
        let account =
            windows.entry(trunk).or_insert_with(|| Account { number, window: SpendWindow::default() });
        account.window.add(ended, price);
        account.window.spent(now)
    }

    fn spent(&self, trunk: Uuid, now: Timestamp) -> Decimal {
        self.lock().get_mut(&trunk).map(|account| account.window.spent(now)).unwrap_or_default()
    }

    /// Keeps the record of a call that is over, adds its price to its trunk's spending, and blocks the trunk if
    /// that is too much: all in one write. Then tells whoever follows.
    pub(super) async fn record(&self, inner: &Arc<Inner>, trunk: &TrunkTerms, record: CallRecord) {
        let number: i64 = trunk.account.parse().unwrap_or_default();
        let Some(stored) = record.to_stored(number) else { return };
        let now = inner.app.clock.now();
        let price = record.amount();
        let mut changes = vec![Change::Call(Box::new(stored.clone()))];
        let outcome = if price.is_zero() {
            inner.app.store.commit(changes).await.map(|_| ())
        } else {
            let spent = self.add(stored.trunk, number, record.time_end, price, now);
            let mut outcome = Err(StoreError::Conflict);
            for _ in 0..ATTEMPTS {
                let gate =
                    self.gate_changes(inner, number, stored.trunk, SpendEvent::Charged, spent, now).await;
                outcome = match gate {
                    Ok(gate) => {
                        changes.truncate(1);
                        changes.extend(gate);
                        inner.app.store.commit(changes.clone()).await.map(|_| ())
                    }
                    Err(error) => Err(error),
                };
                if outcome != Err(StoreError::Conflict) {
                    break;
                }
            }
            outcome
        };
        match outcome {
            Ok(()) => inner.app.callbacks.wake(),
            Err(error) => not_written(&error, "the record of a call"),
        }
        record.publish(inner);
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
        let mut changes = Vec::new();
        if let Some(change) = change {
            let status = if change.gate.blocked { "blocked" } else { "active" };
            attributes.insert("status".to_owned(), json!(status));
            attributes.insert("threshold_reached".to_owned(), json!(change.gate.threshold_reached));
            tracing::warn!(trunk = %trunk, status, %spent, "the spending of the last 24 hours changed a trunk");
            if change.callback {
                let event = trunk_event(number, trunk, &attributes, change.gate, now);
                changes.extend(event.map(|event| Change::Emit(Box::new(event))));
            }
        }
        changes.push(Change::Replace { scope, before, attributes, links: Vec::new(), meta: Some(meta) });
        Ok(changes)
    }

    /// The trunks whose spending falls by ageing at this moment or before, and when the next one does.
    fn aged(&self, now: Timestamp) -> (Vec<(Uuid, i64, Decimal)>, Option<Timestamp>) {
        let mut windows = self.lock();
        let mut changed = Vec::new();
        windows.retain(|trunk, account| {
            if account.window.oldest().is_some_and(|oldest| oldest.after(DAY) <= now) {
                changed.push((*trunk, account.number, account.window.spent(now)));
            }
            account.window.oldest().is_some()
        });
        let next = windows.values().filter_map(|account| account.window.oldest()).min();
        (changed, next.map(|oldest| oldest.after(DAY)))
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

/// Follows the clock: spending that is older than 24 hours counts no more, and re-opens what it blocked.
pub(super) async fn age(inner: Arc<Inner>) {
    loop {
        let now = inner.app.clock.now();
        let (changed, next) = inner.spend.aged(now);
        for (trunk, number, _) in changed {
            for _ in 0..ATTEMPTS {
                let spent = inner.spend.spent(trunk, now);
                let gate =
                    inner.spend.gate_changes(&inner, number, trunk, SpendEvent::Aged, spent, now).await;
                let outcome = match gate {
                    Ok(gate) => inner.app.store.commit(gate).await.map(|_| ()),
                    Err(error) => Err(error),
                };
                match outcome {
                    Err(StoreError::Conflict) => {}
                    Err(error) => {
                        not_written(&error, "a trunk whose spending aged");
                        break;
                    }
                    Ok(()) => {
                        inner.app.callbacks.wake();
                        break;
                    }
                }
            }
        }
        inner.app.clock.sleep_until(next.unwrap_or_else(|| now.after(Duration::from_mins(1)))).await;
    }
}
