//! The effects of a review of a verification of emergency calling on its service, its numbers and the balance.

use didww_types::resources::{
    Did, EmergencyCallingService, EmergencyCallingServiceStatus, EmergencyVerification, Order, OrderStatus,
};
use didww_types::values::Money;
use didww_types::{DecodeError, Resource as _, Timestamp};
use rust_decimal::Decimal;
use serde_json::{Map, json};

use super::address_verification::Review;
use super::decide_write::with_defaults;
use super::months::month_after;
use super::needs::FoundRecord;
use super::order::{reference, with_period};
use super::payment::{pay, spendable};
use super::{CREATED, Links, RecordChange, UNDER_REVIEW};

type Status = EmergencyCallingServiceStatus;

/// The records that a review of a verification of emergency calling changes.
#[derive(Debug, Clone)]
pub struct EmergencyReviewed {
    /// The service, with its `meta`.
    pub service: FoundRecord,
    /// The ids of the numbers of the service.
    pub dids: Vec<String>,
    /// The balance of the account, if it has one.
    pub balance: Option<FoundRecord>,
}

/// Why a review cannot be carried out.
#[derive(Debug, thiserror::Error)]
pub enum EmergencyReviewError {
    /// The account cannot pay the price of the service.
    #[error("{0} cannot be paid from {1}")]
    Unpaid(Money, Money),
    /// A stored record does not have the shape of its declaration.
    #[error("a stored record cannot be decoded: {0}")]
    Undecodable(#[from] DecodeError),
}

/// The changes that a review of a pending verification of emergency calling makes. The first approval of a service is
/// an order, which is completed and paid at once. `random` makes the number of the order.
///
/// # Errors
/// If the account cannot pay the order, or a stored record cannot be decoded.
pub fn review_emergency(
    verification: &str,
    reviewed: &EmergencyReviewed,
    review: &Review,
    now: Timestamp,
    random: &[u8],
) -> Result<Vec<RecordChange>, EmergencyReviewError> {
    let service: EmergencyCallingService = reviewed.service.decode()?;
    // The service stays; named here, it is in the callback about the review.
    let service_of = EmergencyVerification::EMERGENCY_CALLING_SERVICE.as_str();
    let done = Links::from([(UNDER_REVIEW, Vec::new()), (service_of, vec![reviewed.service.id.clone()])]);
    let spec = EmergencyVerification::SPEC;
    let mut changes = vec![RecordChange::update(spec, verification, review.attributes(), done)];
    if service.status == Status::Canceled {
        return Ok(changes);
    }
    let mut attributes = Map::new();
    let mut links = Links::new();
    if *review == Review::Approve {
        attributes.insert("status".to_owned(), json!(Status::Active));
        if service.activated_at.is_none() {
            let day = month_after(now).to_string();
            attributes.insert("activated_at".to_owned(), json!(now.to_string()));
            attributes.insert("renew_date".to_owned(), json!(day.get(..10)));
            let price = |price: Option<Money>| price.map_or(Decimal::ZERO, Money::amount);
            let prices = (price(service.meta.setup_price), price(service.meta.monthly_price));
            changes.push(order(&reviewed.service.id, prices, now, random));
            links.insert(EmergencyCallingService::ORDER.as_str(), vec![CREATED.to_owned()]);
            changes.extend(charge(reviewed.balance.as_ref(), prices.0 + prices.1)?);
        }
        let enabled = || Map::from_iter([("emergency_enabled".to_owned(), json!(true))]);
        let dids = reviewed.dids.iter();
        changes.extend(dids.map(|id| RecordChange::update(Did::SPEC, id, enabled(), Links::new())));
    } else {
        attributes.insert("status".to_owned(), json!(Status::ChangesRequired));
    }
    let spec = EmergencyCallingService::SPEC;
    changes.push(RecordChange::update(spec, &reviewed.service.id, attributes, links));
    Ok(changes)
}

/// The order of a service, which is completed at once.
fn order(service: &str, (once, monthly): (Decimal, Decimal), now: Timestamp, random: &[u8]) -> RecordChange {
    let item = json!({
        "type": "emergency_order_items",
        "attributes": {
            "emergency_calling_service_id": service,
            "qty": 1,
            "nrc": Money::new(once),
            "mrc": Money::new(monthly),
            "prorated_mrc": false,
        },
    });
    let attributes = Map::from_iter([
        ("amount".to_owned(), json!(Money::new(once + monthly))),
        ("status".to_owned(), json!(OrderStatus::Completed)),
        ("description".to_owned(), json!("Emergency")),
        ("reference".to_owned(), json!(reference(random))),
        ("items".to_owned(), with_period(&json!([item]), now, &[month_after(now)])),
    ]);
    let spec = Order::SPEC;
    let attributes = with_defaults(spec, now, attributes);
    RecordChange::Create { spec, attributes, links: Links::new(), meta: None, later: None }
}

/// Takes an amount from the balance.
fn charge(
    balance: Option<&FoundRecord>,
    amount: Decimal,
) -> Result<Option<RecordChange>, EmergencyReviewError> {
    let available = spendable(balance)?;
    if amount > available {
        return Err(EmergencyReviewError::Unpaid(Money::new(amount), Money::new(available)));
    }
    Ok(balance.map(|record| pay(record, amount)).transpose()?.flatten())
}
