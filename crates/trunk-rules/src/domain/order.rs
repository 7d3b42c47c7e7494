//! The rules of orders: their items, their prices, and the money and the numbers that they hold while they are pending.
//!
//! A new order is paid at once, from the prepaid balance and the credit, and takes its numbers out of stock; both
//! happen in the transaction that stores it. When it is carried out the numbers become DIDs; when it is canceled, the
//! amount is paid back, and the numbers are in stock again.

mod items;

use didww_types::resources::{Balance, Order, OrderStatus};
use didww_types::values::Money;
use didww_types::{DecodeError, Feature, Resource as _, Timestamp, Violation};
use serde_json::{Map, Value, json};

use super::draft::Draft;
use super::needs::{Found, FoundRecord, Need, found};
use super::outcome::{Later, Links, RecordChange};
use super::payment::{pay, spendable};
use super::{DeleteContext, Refusal, Rules, WriteContext, WriteError, WriteOutcome};

use items::{Priced, Terms};

/// The kind of the job that carries out an order.
pub const CARRY_OUT: &str = "orders.carry_out";
/// The member of an order's `meta`, which answers do not show, with the data for carrying out each item.
pub const PLAN: &str = "plan";
/// How long an order is pending.
const PENDING: std::time::Duration = std::time::Duration::from_secs(5);
/// The relationship to the numbers that a pending order has taken out of stock, which no version shows.
pub const HELD: &str = "available_dids";

const ITEMS: &str = Order::SPEC.attribute_name("items");

impl Rules for Order {
    const DELETE_NEEDS: &'static [Need] = &[Need::Own(Balance::SPEC)];

    fn needs(sent: &Map<String, Value>, read: &[Found]) -> Vec<Need> {
        let mut needs = items::needs(sent, read);
        if sent.contains_key(ITEMS) {
            needs.push(Need::Own(Balance::SPEC));
        }
        needs
    }

    fn write(context: &WriteContext<'_>, draft: &mut Draft<Self>) -> Result<(), DecodeError> {
        if !context.is_create() {
            return Ok(());
        }
        if context.features.has(Feature::ReadOnly) {
            draft.refusals = vec![Refusal::forbidden().because("the account is in read-only mode")];
            return Ok(());
        }
        let back_ordering = draft.changes.allow_back_ordering.take().flatten().unwrap_or(true);
        let Some(items) = context.sent.get(ITEMS).and_then(Value::as_array) else { return Ok(()) };
        if draft.changes.items.is_none() {
            return Ok(());
        }
        let prorates = context.features.has(Feature::ProratedBilling);
        let terms = Terms { back_ordering, prorates, now: context.now, version: context.version };
        let priced = items::price(context.found, items, terms, &mut draft.refusals)?;
        if !draft.refusals.is_empty() {
            return Ok(());
        }
        charge(context, &priced, draft)?;
        let Priced { description, shown, held, reservations, plan, amount, .. } = priced;
        draft.changes.amount = Some(Money::new(amount));
        draft.changes.status = Some(OrderStatus::Pending);
        draft.changes.description = Some(description.to_owned());
        draft.changes.reference = Some(reference(context.fresh.username.as_bytes()));
        draft.changes.items = Some(serde_json::from_value(shown).map_err(|e| DecodeError::new(ITEMS, e))?);
        if !held.is_empty() {
            draft.links.insert(HELD, held);
        }
        draft.also.extend(reservations);
        // The job names only the order: a plan can be longer than the payload of a job, and outlives it.
        draft.meta = Some(json!({ PLAN: plan }).to_string());
        let due_at = context.now.after(PENDING);
        draft.later = Some(Later { kind: CARRY_OUT, due_at, payload: Value::Null.to_string() });
        Ok(())
    }

    /// A customer can cancel a pending order of numbers. The record stays.
    fn delete(context: &DeleteContext<'_>) -> Result<WriteOutcome, WriteError> {
        if context.features.has(Feature::ReadOnly) {
            return Err(Refusal::forbidden().because("the account is in read-only mode").into());
        }
        let order: Order = context.record.decode()?;
        let is_of_numbers = order.items.as_slice().iter().all(|item| item.kind() == items::DIDS);
        if order.status != OrderStatus::Pending || !is_of_numbers {
            return Err(base(Violation::NotPending).into());
        }
        let balance = found(context.found, &Need::Own(Balance::SPEC)).unwrap_or_default().first();
        Ok(WriteOutcome { changes: cancel(&order, Vec::new(), balance)?, events: Vec::new() })
    }
}

/// The changes that cancel a pending order: its status, the numbers that it held, and the money. Numbers with the ids
/// `kept` stay out of stock, because they turned out to be DIDs.
///
/// # Errors
/// When the balance does not have the shape of its declaration.
pub fn cancel(
    order: &Order,
    kept: Vec<String>,
    balance: Option<&FoundRecord>,
) -> Result<Vec<RecordChange>, DecodeError> {
    let canceled = Map::from_iter([("status".to_owned(), json!("canceled"))]);
    let held = Links::from([(HELD, kept)]);
    let mut changes = vec![RecordChange::update(Order::SPEC, order.id.as_str(), canceled, held)];
    if let Some(record) = balance {
        changes.extend(pay(record, -order.amount.amount())?);
    }
    Ok(changes)
}

/// The refusal of the order as a whole, in its recorded form.
fn base(violation: Violation) -> Refusal {
    Refusal::member_at("/data/attributes/base", "base", violation)
}

/// Takes the price from the balance, or refuses the order if the account cannot spend as much.
fn charge(context: &WriteContext<'_>, priced: &Priced, draft: &mut Draft<Order>) -> Result<(), DecodeError> {
    let record = found(context.found, &Need::Own(Balance::SPEC)).unwrap_or_default().first();
    let available = spendable(record)?;
    if priced.amount > available {
        let (cost, available) = (Money::new(priced.amount), Money::new(available));
        let states = context.version.has_corrected_rules();
        draft.refusals.push(Refusal::insufficient_balance(cost, available, states));
        return Ok(());
    }
    if let Some(record) = record {
        draft.also.extend(pay(record, priced.amount)?);
    }
    Ok(())
}

/// The number of an order or of a verification, from random letters and digits.
pub(super) fn reference(random: &[u8]) -> String {
    let mut seed =
        random.iter().fold(0_u64, |seed, byte| seed.wrapping_mul(131).wrapping_add(u64::from(*byte)));
    let mut take = |bound: u64| {
        let part = seed % bound;
        seed /= bound;
        part
    };
    let letters: String =
        (0..3).filter_map(|_| char::from_u32(u32::from(b'A') + u32::try_from(take(26)).ok()?)).collect();
    format!("{letters}-{:06}", take(1_000_000))
}

/// The attributes of an order's items when it is carried out: with the days of the period that is paid, which ends at
/// the time in `ends` that has the place of the item. The day of that time is the first one that is not paid, as
/// recorded.
pub fn with_period(items: &Value, from: Timestamp, ends: &[Timestamp]) -> Value {
    let day = |at: Timestamp| at.to_string().get(..10).map(str::to_owned);
    let mut items = items.clone();
    for (item, end) in items.as_array_mut().into_iter().flatten().zip(ends) {
        if let Some(attributes) = item.get_mut("attributes").and_then(Value::as_object_mut) {
            attributes.insert("billed_from".to_owned(), json!(day(from)));
            attributes.insert("billed_to".to_owned(), json!(day(day_before(*end).max(from))));
        }
    }
    items
}

/// The same time of the day before.
fn day_before(at: Timestamp) -> Timestamp {
    Timestamp::from_unix_millis(at.as_unix_millis().saturating_sub(86_400_000))
}

#[cfg(test)]
mod tests {
    use didww_types::ApiVersion;
    use didww_types::resources::{AvailableDid, DidGroup, DidReservation, StockKeepingUnit};

    use super::*;

    #[test]
    fn a_reservation_buys_its_number_until_it_ends() {
        let (unit, group, number, reservation) = ("1", "2", "3", "4");
        let of = |need, id: &str, attributes: Value| {
            let (id, attributes) = (id.to_owned(), attributes.to_string());
            Found { need, records: vec![FoundRecord { id, attributes, meta: None }] }
        };
        let by_id = |spec, id: &str| Need::ById(spec, vec![id.to_owned()]);
        let of_unit = vec![(DidGroup::STOCK_KEEPING_UNITS.as_str(), unit.to_owned())];
        let members = |spec, id: &str, through| Need::Members(spec, id.to_owned(), through);
        let reserved = DidReservation::AVAILABLE_DID.as_str();
        let of_reservation = members(DidReservation::SPEC, reservation, reserved);
        let of_number = members(AvailableDid::SPEC, number, AvailableDid::DID_GROUP.as_str());
        let prices = json!({ "setup_price": "1.0", "monthly_price": "2.0", "channels_included_count": 0 });
        let end = json!({ "expires_at": "2035-05-01T12:00:00.000Z" });
        let read = [
            of(by_id(StockKeepingUnit::SPEC, unit), unit, prices),
            of(Need::Owners(DidGroup::SPEC, of_unit, 1), group, json!({})),
            of(of_reservation, number, json!({})),
            of(of_number, group, json!({})),
            of(by_id(DidReservation::SPEC, reservation), reservation, end),
        ];
        let attributes = json!({ "sku_id": unit, "did_reservation_id": reservation });
        let sent = [json!({ "type": items::DIDS, "attributes": attributes })];
        for (now, is_held) in [("2035-05-01T11:59:59.999Z", true), ("2035-05-01T12:00:00.000Z", false)] {
            let now = now.parse().unwrap();
            let terms = Terms { back_ordering: true, prorates: false, now, version: ApiVersion::NEWEST };
            let mut refusals = Vec::new();
            let order = items::price(&read, &sent, terms, &mut refusals).unwrap();
            assert_eq!((order.held == [number], refusals.is_empty()), (is_held, is_held), "{now}");
        }
    }
}
