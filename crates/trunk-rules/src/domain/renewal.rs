//! Renewals of DIDs, capacity pools and emergency calling services: their prices when their paid period ends, and their
//! end.
//!
//! A period is a month. A payment that fails is tried again every day. After [`GRACE_PERIOD`] without payment, a DID
//! and a service end, and a pool loses its unused channels.

use std::time::Duration;

use didww_types::resources::{CapacityPool, Did, EmergencyCallingService, QtyBasedPricing};
use didww_types::values::{BillingCycles, Money};
use didww_types::{DecodeError, Timestamp};
use rust_decimal::Decimal;

use super::months::month_after;
use super::needs::FoundRecord;
use super::outcome::RecordChange;
use super::payment::{pay, spendable};

/// How long a DID or a service stays after its paid period if it cannot be paid.
pub const GRACE_PERIOD: Duration = Duration::from_hours(7 * 24);
/// The time until a renewal that could not be paid is tried again.
pub const PAYMENT_WAIT: Duration = Duration::from_hours(24);
/// The member of the `meta` of a DID, which answers do not show, with the price of a period. A DID without it is not
/// renewed.
pub const MONTHLY_PRICE: &str = "monthly_price";
/// The member of the `meta` of a capacity pool, which answers do not show, that is true once channels of it were
/// ordered. Other pools are not renewed.
pub const IS_BILLED: &str = "is_billed";

/// The remaining funds of an account, while renewals are decided one after the other.
#[derive(Debug, Clone, Copy)]
pub struct Purse {
    spendable: Decimal,
    spent: Decimal,
}

impl Purse {
    /// The purse of an account with this balance; an empty one without.
    ///
    /// # Errors
    /// When the balance does not have the shape of its declaration.
    pub fn of(balance: Option<&FoundRecord>) -> Result<Self, DecodeError> {
        Ok(Self { spendable: spendable(balance)?, spent: Decimal::ZERO })
    }

    /// Takes a price. Returns false if it exceeds the remaining funds; a price of zero is always paid.
    fn take(&mut self, price: Decimal) -> bool {
        let is_paid = price <= Decimal::ZERO || self.spent + price <= self.spendable;
        if is_paid {
            self.spent += price.max(Decimal::ZERO);
        }
        is_paid
    }

    /// The change that subtracts the paid prices from the balance; `None` if they are zero.
    ///
    /// # Errors
    /// When the balance does not have the shape of its declaration.
    pub fn payment(&self, balance: &FoundRecord) -> Result<Option<RecordChange>, DecodeError> {
        pay(balance, self.spent)
    }
}

/// The decision on a DID whose paid period has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DidRenewal {
    /// It is renewed until this time, with this number of renewals left; `None` means no limit.
    Renewed(Timestamp, Option<i64>),
    /// It cannot be paid, and is decided again at this time.
    Unpaid(Timestamp),
    /// The DID is released: it could not be paid, or has no renewals left.
    Ended,
}

/// Decides on a DID whose paid period ended at `expired_at`, and takes its price from the purse.
pub fn renew_did(
    did: &Did,
    price: Money,
    expired_at: Timestamp,
    now: Timestamp,
    purse: &mut Purse,
) -> DidRenewal {
    let cycles = did.billing_cycles_count.map(BillingCycles::get);
    if did.terminated || cycles == Some(0) {
        return DidRenewal::Ended;
    }
    if purse.take(price.amount()) {
        return DidRenewal::Renewed(month_after(expired_at), cycles.map(|cycles| cycles - 1));
    }
    let end = expired_at.after(GRACE_PERIOD);
    if end <= now { DidRenewal::Ended } else { DidRenewal::Unpaid(end.min(now.after(PAYMENT_WAIT))) }
}

/// The decision on a capacity pool whose paid period has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PoolRenewal {
    /// It is paid until this time.
    Renewed(Timestamp),
    /// It cannot be paid, and is decided again at this time.
    Unpaid(Timestamp),
    /// It could not be paid for the grace period: it keeps this number of channels, those in use, and is decided again
    /// at this time.
    Reduced(i64, Timestamp),
}

/// Decides on a pool whose paid period ended at `expired_at`, and takes its price from the purse: that of an order of
/// all its channels.
pub fn renew_pool(
    pool: &CapacityPool,
    breaks: &[QtyBasedPricing],
    expired_at: Timestamp,
    now: Timestamp,
    purse: &mut Purse,
) -> PoolRenewal {
    let channels = pool.total_channels_count;
    let at_most = breaks.iter().filter(|pricing| pricing.qty <= channels);
    let of_break = at_most.max_by_key(|pricing| pricing.qty).map(|pricing| pricing.monthly_price);
    let price = of_break.unwrap_or(pool.monthly_price).amount() * Decimal::from(channels);
    if purse.take(price) {
        return PoolRenewal::Renewed(month_after(expired_at));
    }
    let (again, end) = (now.after(PAYMENT_WAIT), expired_at.after(GRACE_PERIOD));
    if end > now {
        PoolRenewal::Unpaid(end.min(again))
    } else {
        PoolRenewal::Reduced(channels.min(pool.assigned_channels_count), again)
    }
}

/// The decision on an emergency calling service whose paid period has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServiceRenewal {
    /// It is paid until this time.
    Renewed(Timestamp),
    /// It cannot be paid, and is decided again at this time.
    Unpaid(Timestamp),
    /// The service is canceled: it could not be paid for the grace period.
    Ended,
}

/// Decides on a service whose paid period ended at `expired_at`, and takes its price from the purse.
pub fn renew_service(
    service: &EmergencyCallingService,
    expired_at: Timestamp,
    now: Timestamp,
    purse: &mut Purse,
) -> ServiceRenewal {
    let price = service.meta.monthly_price.map_or(Decimal::ZERO, Money::amount);
    if purse.take(price) {
        return ServiceRenewal::Renewed(month_after(expired_at));
    }
    let end = expired_at.after(GRACE_PERIOD);
    if end <= now { ServiceRenewal::Ended } else { ServiceRenewal::Unpaid(end.min(now.after(PAYMENT_WAIT))) }
}

#[cfg(test)]
mod tests {
    use didww_types::{Id, Resource as _};
    use serde_json::{Value, json};

    use super::*;

    const HOUR: i64 = 3_600_000;

    fn at(hours: i64) -> Timestamp {
        Timestamp::from_unix_millis(hours * HOUR)
    }

    fn money(text: &str) -> Money {
        text.parse().unwrap()
    }

    fn purse(balance: &str, credit: &str) -> (FoundRecord, Purse) {
        let attributes = json!({ "balance": balance, "credit": credit, "total_balance": "0.00" }).to_string();
        let record = FoundRecord { id: "1".to_owned(), attributes, meta: None };
        let purse = Purse::of(Some(&record)).unwrap();
        (record, purse)
    }

    fn did(members: &Value) -> Did {
        let mut attributes = json!({
            "number": "37061498222", "created_at": "1970-01-01T00:00:00.000Z", "blocked": false, "terminated": false,
            "awaiting_registration": false, "channels_included_count": 0, "dedicated_channels_count": 0,
            "emergency_enabled": false,
        });
        attributes.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        Did::from_texts(Id::new("1"), &attributes.to_string(), None).unwrap()
    }

    fn left(record: &FoundRecord, purse: &Purse) -> Option<String> {
        match purse.payment(record).unwrap() {
            Some(RecordChange::Update { attributes, .. }) => Some(attributes["balance"].as_str()?.to_owned()),
            _ => None,
        }
    }

    #[test]
    fn a_did_is_renewed_as_often_as_its_cycles_say_and_then_ends() {
        let (record, mut purse) = purse("5.00", "1.00");
        for (members, expected) in [
            (json!({ "billing_cycles_count": 2 }), DidRenewal::Renewed(at(744), Some(1))),
            (json!({ "billing_cycles_count": 1 }), DidRenewal::Renewed(at(744), Some(0))),
            (json!({ "billing_cycles_count": 0 }), DidRenewal::Ended),
            (json!({ "billing_cycles_count": null }), DidRenewal::Renewed(at(744), None)),
            (json!({ "terminated": true }), DidRenewal::Ended),
        ] {
            let renewal = renew_did(&did(&members), money("2.0"), at(0), at(0), &mut purse);
            assert_eq!(renewal, expected, "{members}");
        }
        assert_eq!(left(&record, &purse).as_deref(), Some("-1.00"), "to the last of the credit");
    }

    #[test]
    fn what_cannot_be_paid_is_tried_every_day_for_a_week() {
        let (record, mut purse) = purse("1.99", "0");
        let mut renew = |now| renew_did(&did(&json!({})), money("2.0"), at(0), at(now), &mut purse);
        assert_eq!(renew(0), DidRenewal::Unpaid(at(24)));
        assert_eq!(renew(6 * 24 + 1), DidRenewal::Unpaid(at(7 * 24)));
        assert_eq!(renew(7 * 24), DidRenewal::Ended);
        assert_eq!(left(&record, &purse), None, "nothing was taken");
        let free = renew_did(&did(&json!({})), money("0.0"), at(0), at(0), &mut purse);
        assert_eq!(free, DidRenewal::Renewed(at(744), None));
    }

    #[test]
    fn a_pool_pays_for_all_its_channels_or_loses_those_that_nothing_uses() {
        let pool = json!({
            "name": "Standard", "total_channels_count": 10, "assigned_channels_count": 4, "minimum_limit": 0,
            "minimum_qty_per_order": 0, "setup_price": "1.0", "monthly_price": "2.0", "metered_rate": "0.0",
        });
        let pool = CapacityPool::from_texts(Id::new("1"), &pool.to_string(), None).unwrap();
        let pricing = |qty: i64, monthly: &str| {
            let text = json!({ "qty": qty, "setup_price": "0.0", "monthly_price": monthly }).to_string();
            QtyBasedPricing::from_texts(Id::new("1"), &text, None).unwrap()
        };
        let breaks = [pricing(11, "0.5"), pricing(10, "1.5"), pricing(5, "1.8")];
        let (record, mut purse) = purse("20.00", "0");
        let mut renew =
            |breaks: &[QtyBasedPricing], now| renew_pool(&pool, breaks, at(0), at(now), &mut purse);
        assert_eq!(renew(&breaks, 0), PoolRenewal::Renewed(at(744)));
        assert_eq!(renew(&[], 0), PoolRenewal::Unpaid(at(24)));
        assert_eq!(renew(&[], 7 * 24), PoolRenewal::Reduced(4, at(8 * 24)));
        assert_eq!(left(&record, &purse).as_deref(), Some("5.00"));
    }

    #[test]
    fn a_service_is_paid_every_month_and_ends_a_week_after_it_could_not_be() {
        let service = |meta: &str| {
            let attributes = json!({
                "name": "Emergency calling", "reference": "ABC-123456", "status": "active", "renew_date": "1970-01-01",
                "created_at": "1970-01-01T00:00:00.000Z",
            });
            EmergencyCallingService::from_texts(Id::new("1"), &attributes.to_string(), Some(meta)).unwrap()
        };
        let (record, mut purse) = purse("5.00", "0");
        let mut renew = |meta: &str, now| renew_service(&service(meta), at(0), at(now), &mut purse);
        let priced = r#"{"setup_price":"1.5","monthly_price":"2.5"}"#;
        assert_eq!(renew(priced, 0), ServiceRenewal::Renewed(at(744)));
        assert_eq!(
            renew(priced, 7 * 24),
            ServiceRenewal::Renewed(at(744)),
            "late, and from the end of the period"
        );
        assert_eq!(renew(priced, 0), ServiceRenewal::Unpaid(at(24)));
        assert_eq!(renew(priced, 6 * 24 + 1), ServiceRenewal::Unpaid(at(7 * 24)));
        assert_eq!(renew(priced, 7 * 24), ServiceRenewal::Ended);
        let free = r#"{"setup_price":null,"monthly_price":null}"#;
        assert_eq!(renew(free, 7 * 24), ServiceRenewal::Renewed(at(744)));
        assert_eq!(left(&record, &purse).as_deref(), Some("0.00"));
    }
}
