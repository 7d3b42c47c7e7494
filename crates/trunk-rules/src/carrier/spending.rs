//! The cost of a trunk's calls: those that ended in the last 24 hours, and those in progress.
//!
//! An answered call is charged from its answer on, by billed time: the initial interval at once, each further
//! interval when it begins. Its price counts as running while the call is in progress, and moves to the
//! rolling window in one step when the call ends. A [`Meter`] belongs to one call and cannot be copied, so no
//! price is counted twice or left out.
//!
//! The price of an answer that the caller has not acknowledged yet counts only against the admission of new
//! calls: the answer may have gone to a forged address, and then the call is free.

use std::time::Duration;

use didww_types::Timestamp;
use rust_decimal::Decimal;

use super::threshold::is_reached;
use super::{Charge, Rate, SpendWindow};

/// The spending of one trunk. Every method takes the current time as an argument.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Spending {
    window: SpendWindow,
    /// The price so far of the acknowledged calls in progress.
    running: Decimal,
    /// The price so far of the calls whose answer is not acknowledged.
    unacknowledged: Decimal,
    /// The owner re-opened the trunk although its spending had reached the limit, and nothing was charged
    /// since.
    pardoned: bool,
}

/// The price so far of one answered call.
#[derive(Debug)]
#[must_use = "a call that is over is charged by `Spending::end`"]
pub struct Meter {
    rate: Option<Rate>,
    answered: Timestamp,
    /// The longest duration observed. A clock that steps back does not reduce it.
    up: Duration,
    price: Decimal,
    acknowledged: bool,
}

impl Meter {
    /// Whether the caller acknowledged the answer.
    pub const fn is_acknowledged(&self) -> bool {
        self.acknowledged
    }

    /// The price so far, up to when the call was last charged; zero unless the caller acknowledged the answer.
    pub const fn price(&self) -> Decimal {
        if self.acknowledged { self.price } else { Decimal::ZERO }
    }

    /// The end of the billed time: until then the call costs no more. `None` if the call is free.
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

    fn observe(&mut self, now: Timestamp) {
        self.up = self.up.max(elapsed(self.answered, now));
    }
}

/// Returns the charge of an answered call whose server process ended unexpectedly. It covers the time to
/// `last_seen`, the last time at which the server is known to have run, and at least the initial interval. A
/// call whose answer was not acknowledged is free.
pub fn charge_of_lost(
    rate: Option<Rate>,
    answered: Timestamp,
    acknowledged: bool,
    last_seen: Timestamp,
) -> Charge {
    if !acknowledged {
        return Charge::NOTHING;
    }
    let up = elapsed(answered, last_seen);
    Meter { rate, answered, up, price: Decimal::ZERO, acknowledged }.charge()
}

impl Spending {
    /// Adds the price of a call that has ended. Calls may be added in any order.
    pub fn add(&mut self, ended: Timestamp, price: Decimal) {
        self.window.add(ended, price);
    }

    /// Starts to charge a call when it is answered, with its initial interval. The price is
    /// [held](Self::held) until the caller acknowledges the answer.
    pub fn begin(&mut self, rate: Option<Rate>, answered: Timestamp) -> Meter {
        let mut meter =
            Meter { rate, answered, up: Duration::ZERO, price: Decimal::ZERO, acknowledged: false };
        self.update_price(&mut meter);
        meter
    }

    /// Records that the caller acknowledged the answer, which was sent at `answered`. Further
    /// acknowledgements have no effect.
    pub fn acknowledge(&mut self, meter: &mut Meter, answered: Timestamp) {
        if std::mem::replace(&mut meter.acknowledged, true) {
            return;
        }
        meter.answered = answered;
        self.unacknowledged = self.unacknowledged.saturating_sub(meter.price);
        self.running = self.running.saturating_add(meter.price);
        self.pardoned &= meter.price.is_zero();
    }

    /// Charges a call in progress up to `now`.
    pub fn grow(&mut self, meter: &mut Meter, now: Timestamp) {
        if meter.acknowledged {
            meter.observe(now);
            self.update_price(meter);
        }
    }

    /// Ends a call: its price moves from the running calls to the window at `ended`. A call whose answer was
    /// not acknowledged is free.
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

    /// Ends a call of another server process, which computed its price: `price` replaces the price so far, in the
    /// window at `ended`. `None` is a call that was not metered here.
    pub fn settle(&mut self, meter: Option<Meter>, ended: Timestamp, price: Decimal) {
        let known = meter.map_or(Decimal::ZERO, |meter| self.drop_meter(&meter));
        self.window.add(ended, price);
        self.pardoned &= price <= known;
    }

    /// Removes the price so far of a call, because it is counted again. Returns the amount that counted as spent.
    fn drop_meter(&mut self, meter: &Meter) -> Decimal {
        if meter.acknowledged {
            self.running = self.running.saturating_sub(meter.price);
            return meter.price;
        }
        self.unacknowledged = self.unacknowledged.saturating_sub(meter.price);
        Decimal::ZERO
    }

    /// Forgets the calls that have ended, and those with these meters, for a caller that reads and counts them again.
    /// Returns whether the trunk was [re-opened](Self::pardon) and not charged since: the caller repeats it after it
    /// has counted.
    pub fn forget_others(&mut self, meters: impl IntoIterator<Item = Meter>) -> bool {
        for meter in meters {
            self.drop_meter(&meter);
        }
        self.forget();
        self.pardoned
    }

    /// Raises the price of a call to that of its billed time, and the sum by the difference.
    fn update_price(&mut self, meter: &mut Meter) {
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

    /// The amount spent in the 24 hours before `now`, in US dollars, including calls in progress. It
    /// decreases only by ageing.
    pub fn spent(&mut self, now: Timestamp) -> Decimal {
        self.window.spent(now).saturating_add(self.running)
    }

    /// The amount spent, plus the price of answers that may still be acknowledged.
    pub fn held(&mut self, now: Timestamp) -> Decimal {
        self.spent(now).saturating_add(self.unacknowledged)
    }

    /// Whether the trunk must be blocked: its spending has reached the limit, and it was charged since its
    /// owner last re-opened it.
    pub fn blocks(&mut self, limit: Option<Decimal>, now: Timestamp) -> bool {
        !self.pardoned && is_reached(limit, self.spent(now))
    }

    /// Whether another call must be refused: as [`blocks`](Self::blocks), but by the [held](Self::held)
    /// amount.
    pub fn is_exhausted(&mut self, limit: Option<Decimal>, now: Timestamp) -> bool {
        !(self.pardoned && self.unacknowledged.is_zero()) && is_reached(limit, self.held(now))
    }

    /// Records that the owner re-opened the trunk. It stays open, whatever its spending, until it is charged
    /// again.
    pub fn pardon(&mut self) {
        self.pardoned = true;
    }

    /// The end time of the oldest call in the window.
    pub fn oldest(&self) -> Option<Timestamp> {
        self.window.oldest()
    }

    /// Forgets the calls that have ended. Calls in progress still count.
    pub fn forget(&mut self) {
        self.window = SpendWindow::default();
    }
}

/// Rounds up to whole seconds.
const fn whole_seconds(up: Duration) -> u64 {
    up.as_secs().saturating_add((up.subsec_nanos() > 0) as u64)
}

fn elapsed(from: Timestamp, to: Timestamp) -> Duration {
    Duration::from_millis(
        u64::try_from(to.as_unix_millis().saturating_sub(from.as_unix_millis())).unwrap_or(0),
    )
}

#[cfg(test)]
mod tests;
