//! What the calls of a trunk cost: those of the last 24 hours that are over, and those that are up.
//!
//! An answered call costs from its answer on, by the time that is billed for it: the initial interval at once, each
//! further interval when it begins. Its price counts as running while it is up and enters the rolling window when it
//! ends, in one step. A [`Meter`] belongs to one call and cannot be copied, so no price is counted twice or left out.
//!
//! An answer that the caller has not acknowledged yet is held against new calls and counts for nothing else: it may
//! be an answer to a forged address, and then the call costs nothing.

use std::time::Duration;

use didww_types::Timestamp;
use rust_decimal::Decimal;

use super::threshold::is_reached;
use super::{Charge, Rate, SpendWindow};

/// The money of one trunk. The moments of its questions are brought by the caller.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Spending {
    window: SpendWindow,
    /// What acknowledged calls that are up have cost so far.
    running: Decimal,
    /// The same of calls whose answer is not acknowledged.
    unacknowledged: Decimal,
    /// The owner opened the trunk although it had spent too much, and nothing was charged since.
    pardoned: bool,
}

/// What one answered call has cost so far.
#[derive(Debug)]
#[must_use = "a call that is over is charged by `Spending::end`"]
pub struct Meter {
    rate: Option<Rate>,
    answered: Timestamp,
    /// The longest time that the call was seen to be up: a clock that steps back takes nothing away.
    up: Duration,
    price: Decimal,
    acknowledged: bool,
}

impl Meter {
    /// Whether the caller acknowledged the answer.
    pub const fn is_acknowledged(&self) -> bool {
        self.acknowledged
    }

    /// Until when the call has been charged by now: it can be up so long and cost no more. `None` when it costs
    /// nothing.
    pub fn paid_until(&self) -> Option<Timestamp> {
        let billed = self.rate?.charge(Some(self.up)).billed;
        Some(self.answered.after(Duration::from_secs(billed)))
    }

    fn charge(&self) -> Charge {
        match self.rate {
            Some(rate) => rate.charge(Some(self.up)),
            None => Charge { duration: whole_seconds(self.up), billed: 0, price: Decimal::ZERO },
        }
    }

    fn see(&mut self, now: Timestamp) {
        self.up = self.up.max(between(self.answered, now));
    }
}

/// What an answered call costs whose server died: it is charged up to the last moment at which that server is known
/// to have lived, by the initial interval at least, and not at all when its answer was never acknowledged.
pub fn charge_of_lost(
    rate: Option<Rate>,
    answered: Timestamp,
    acknowledged: bool,
    last_seen: Timestamp,
) -> Charge {
    if !acknowledged {
        return Charge::NOTHING;
    }
    let up = between(answered, last_seen);
    Meter { rate, answered, up, price: Decimal::ZERO, acknowledged }.charge()
}

impl Spending {
    /// Adds what a call cost that was over before. Calls may be added in any order.
    pub fn add(&mut self, ended: Timestamp, price: Decimal) {
        self.window.add(ended, price);
    }

    /// A call is answered: its first interval is charged. It is [held](Self::held) until the caller acknowledges
    /// the answer.
    pub fn begin(&mut self, rate: Option<Rate>, answered: Timestamp) -> Meter {
        let mut meter =
            Meter { rate, answered, up: Duration::ZERO, price: Decimal::ZERO, acknowledged: false };
        self.raise(&mut meter);
        meter
    }

    /// The caller acknowledged the answer, which went out at this moment. A second time changes nothing.
    pub fn acknowledge(&mut self, meter: &mut Meter, answered: Timestamp) {
        if std::mem::replace(&mut meter.acknowledged, true) {
            return;
        }
        meter.answered = answered;
        self.unacknowledged = self.unacknowledged.saturating_sub(meter.price);
        self.running = self.running.saturating_add(meter.price);
        self.pardoned &= meter.price.is_zero();
    }

    /// Charges a call that is up for the time until this moment.
    pub fn grow(&mut self, meter: &mut Meter, now: Timestamp) {
        if meter.acknowledged {
            meter.see(now);
            self.raise(meter);
        }
    }

    /// A call is over: what it cost leaves the running calls and enters the window at this moment. One whose answer
    /// was not acknowledged costs nothing.
    pub fn end(&mut self, mut meter: Meter, ended: Timestamp) -> Charge {
        if !meter.acknowledged {
            self.unacknowledged = self.unacknowledged.saturating_sub(meter.price);
            return Charge::NOTHING;
        }
        self.grow(&mut meter, ended);
        self.running = self.running.saturating_sub(meter.price);
        self.window.add(ended, meter.price);
        meter.charge()
    }

    /// Brings the price of a call up to what is billed for it, and the sum with it.
    fn raise(&mut self, meter: &mut Meter) {
        let price = meter.charge().price.max(meter.price);
        let more = price.saturating_sub(meter.price);
        meter.price = price;
        if meter.acknowledged {
            self.running = self.running.saturating_add(more);
            self.pardoned &= more.is_zero();
        } else {
            self.unacknowledged = self.unacknowledged.saturating_add(more);
        }
    }

    /// What was spent in the 24 hours before a moment, running calls included. It falls by ageing alone.
    pub fn spent(&mut self, now: Timestamp) -> Decimal {
        self.window.spent(now).saturating_add(self.running)
    }

    /// The same with what is held for answers that may yet be acknowledged.
    pub fn held(&mut self, now: Timestamp) -> Decimal {
        self.spent(now).saturating_add(self.unacknowledged)
    }

    /// Whether the trunk is to be blocked: it spent as much as its limit, and was charged since its owner last
    /// opened it.
    pub fn blocks(&mut self, limit: Option<Decimal>, now: Timestamp) -> bool {
        !self.pardoned && is_reached(limit, self.spent(now))
    }

    /// Whether one more call would be one too many: the same, with what is held.
    pub fn is_exhausted(&mut self, limit: Option<Decimal>, now: Timestamp) -> bool {
        !(self.pardoned && self.unacknowledged.is_zero()) && is_reached(limit, self.held(now))
    }

    /// The owner opened the trunk: it stays open, whatever it spent, until it is charged again.
    pub fn pardon(&mut self) {
        self.pardoned = true;
    }

    /// When the oldest price of the window that may still count was spent.
    pub fn oldest(&self) -> Option<Timestamp> {
        self.window.oldest()
    }

    /// Forgets the calls that are over. Those that are up go on to count.
    pub fn forget(&mut self) {
        self.window = SpendWindow::default();
    }
}

/// A begun second is counted whole.
const fn whole_seconds(up: Duration) -> u64 {
    up.as_secs().saturating_add((up.subsec_nanos() > 0) as u64)
}

fn between(from: Timestamp, to: Timestamp) -> Duration {
    Duration::from_millis(
        u64::try_from(to.as_unix_millis().saturating_sub(from.as_unix_millis())).unwrap_or(0),
    )
}

#[cfg(test)]
mod tests;
