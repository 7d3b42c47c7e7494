//! The items of a new order: the records that their decision needs, and their prices.

use std::collections::HashSet;

use didww_types::resources::{
    AvailableDid, CapacityPool, DidGroup, DidReservation, MAX_ORDER_ITEMS, NanpaPrefix, QtyBasedPricing,
    StockKeepingUnit,
};
use didww_types::values::Money;
use didww_types::{ApiVersion, Attribute as _, DecodeError, Resource as _, Timestamp, Violation};
use rust_decimal::Decimal;
use serde_json::{Map, Value, json};

use crate::domain::needs::{Found, FoundRecord, Need, found};
use crate::domain::proration::{Share, is_billed, pool_share};
use crate::domain::{RecordChange, Refusal};

/// The type of items of numbers.
pub(super) const DIDS: &str = "did_order_items";
const CHANNELS: &str = "capacity_order_items";

/// Maximum number of telephone numbers of an item, and of all items of an order: an order is carried out in one
/// transaction.
const MAX_NUMBERS: i64 = 1_000;
const MAX_CHANNELS: i64 = 10_000;
const MAX_CYCLES: i64 = 999;
/// The most days of the first period that an order can ask for.
const MAX_DAYS: i64 = 30;

/// The members of an item, each with its first version.
type Members = &'static [(&'static str, ApiVersion)];

const DID_MEMBERS: Members = &[
    ("sku_id", ApiVersion::V2017_09_18),
    ("qty", ApiVersion::V2017_09_18),
    ("available_did_id", ApiVersion::V2017_09_18),
    ("did_reservation_id", ApiVersion::V2017_09_18),
    ("nanpa_prefix_id", ApiVersion::V2022_05_10),
    ("billing_cycles_count", ApiVersion::V2021_04_19),
    ("prorate_days_qty", ApiVersion::V2017_09_18),
];
const CHANNEL_MEMBERS: Members =
    &[("capacity_pool_id", ApiVersion::V2017_09_18), ("qty", ApiVersion::V2017_09_18)];

/// The ways to select the numbers of an item, of which it has one at most.
const SELECTORS: [&str; 3] = ["qty", "available_did_id", "did_reservation_id"];

/// The decided items of an order, with their prices.
pub(super) struct Priced {
    /// The description of the order, such as `DID`.
    pub(super) description: &'static str,
    /// The items as answers show them.
    pub(super) shown: Value,
    /// The ids of the numbers that the order takes out of stock.
    pub(super) held: Vec<String>,
    /// The same ids as a set: there can be a thousand, and each number in stock is searched among them.
    is_held: HashSet<String>,
    /// Number of numbers that the items so far buy, including those that are not in stock yet.
    numbers: i64,
    /// The deletions of the reservations that become a part of the order.
    pub(super) reservations: Vec<RecordChange>,
    /// The data for carrying out each item. Answers do not show it.
    pub(super) plan: Value,
    pub(super) amount: Decimal,
}

/// The members of an item, and its place in messages.
#[derive(Clone, Copy)]
struct Item<'a> {
    index: usize,
    attributes: &'a Map<String, Value>,
}

impl<'a> Item<'a> {
    fn text(self, name: &str) -> Option<&'a str> {
        self.attributes.get(name)?.as_str()
    }

    /// Whether a member has a value.
    fn has(self, name: &str) -> bool {
        self.attributes.get(name).is_some_and(|value| !value.is_null())
    }

    fn refuse(self, name: &str, violation: Violation) -> Refusal {
        let field = format!("items/{}/{name}", self.index);
        Refusal::member_at(format!("/data/attributes/{field}"), field, violation)
    }

    /// Why the item lacks a member that it needs; `None` if it has it. From 2026-04-16 on, an item to which it is not
    /// sent at all is malformed.
    fn lacks(self, name: &str, terms: Terms) -> Option<Refusal> {
        if self.has(name) {
            None
        } else if terms.version.has_corrected_rules() && !self.attributes.contains_key(name) {
            Some(Refusal::missing_parameter(name))
        } else {
            Some(self.refuse(name, Violation::Blank))
        }
    }

    /// A whole number within bounds, in each form that such an attribute can have; `None` if it is absent.
    fn number(self, name: &str, least: i64, most: i64) -> Result<Option<i64>, Refusal> {
        let value = self.attributes.get(name).filter(|value| !value.is_null());
        let Some(value) = value else { return Ok(None) };
        let broken = match i64::validate(value) {
            Ok(valid) => match valid.as_i64() {
                Some(number) if number < least => Violation::GreaterOrEqual(least.into()),
                Some(number) if number > most => Violation::LessOrEqual(most.into()),
                number => return Ok(number),
            },
            Err(flaws) => match flaws.into_iter().next().map(|flaw| flaw.violation) {
                // It exceeds the bounds of all whole numbers.
                Some(Violation::GreaterOrEqual(_)) => Violation::GreaterOrEqual(least.into()),
                Some(Violation::LessOrEqual(_)) => Violation::LessOrEqual(most.into()),
                broken => broken.unwrap_or(Violation::NotANumber),
            },
        };
        Err(self.refuse(name, broken))
    }

    fn quantity(self, most: i64) -> i64 {
        self.number("qty", 1, most).ok().flatten().unwrap_or(1)
    }
}

fn each(items: &[Value]) -> impl Iterator<Item = (&str, Item<'_>)> {
    static NONE: std::sync::LazyLock<Map<String, Value>> = std::sync::LazyLock::new(Map::new);
    items.iter().take(MAX_ORDER_ITEMS).enumerate().map(|(index, item)| {
        let attributes = item.get("attributes").and_then(Value::as_object).unwrap_or(&NONE);
        (item.get("type").and_then(Value::as_str).unwrap_or_default(), Item { index, attributes })
    })
}

fn unit(item: Item<'_>) -> Option<Need> {
    Some(Need::ById(StockKeepingUnit::SPEC, vec![item.text("sku_id")?.to_owned()]))
}

fn group(item: Item<'_>) -> Option<Need> {
    let unit = item.text("sku_id")?.to_owned();
    Some(Need::Owners(DidGroup::SPEC, vec![(DidGroup::STOCK_KEEPING_UNITS.as_str(), unit)], 1))
}

fn number(id: &str) -> Need {
    Need::ById(AvailableDid::SPEC, vec![id.to_owned()])
}

fn group_of_number(id: &str) -> Need {
    Need::Members(AvailableDid::SPEC, id.to_owned(), AvailableDid::DID_GROUP.as_str())
}

fn reservation(id: &str) -> Need {
    Need::ById(DidReservation::SPEC, vec![id.to_owned()])
}

fn number_of_reservation(id: &str) -> Need {
    Need::Members(DidReservation::SPEC, id.to_owned(), DidReservation::AVAILABLE_DID.as_str())
}

fn prefix(item: Item<'_>) -> Option<Need> {
    Some(Need::ById(NanpaPrefix::SPEC, vec![item.text("nanpa_prefix_id")?.to_owned()]))
}

/// The number of numbers that all items take together, up to the maximum of one read. With so many, an item after
/// others of the same group still finds its own.
fn wanted(items: &[Value]) -> u64 {
    let quantities = each(items).map(|(_, item)| item.quantity(MAX_NUMBERS).unsigned_abs());
    quantities.sum::<u64>().min(MAX_NUMBERS.unsigned_abs())
}

/// Numbers in stock of a group, and of a prefix if the item names one. Several items can share them.
fn stock(item: Item<'_>, group: &str, wanted: u64) -> Need {
    let mut links = vec![(AvailableDid::DID_GROUP.as_str(), group.to_owned())];
    if let Some(prefix) = item.text("nanpa_prefix_id") {
        links.push((AvailableDid::NANPA_PREFIX.as_str(), prefix.to_owned()));
    }
    Need::Owners(AvailableDid::SPEC, links, wanted)
}

fn pool(item: Item<'_>) -> Option<Need> {
    Some(Need::ById(CapacityPool::SPEC, vec![item.text("capacity_pool_id")?.to_owned()]))
}

fn breaks(item: Item<'_>) -> Option<Need> {
    let pool = item.text("capacity_pool_id")?.to_owned();
    Some(Need::Members(CapacityPool::SPEC, pool, CapacityPool::QTY_BASED_PRICINGS.as_str()))
}

/// The needs of the items that follow from the records read so far.
pub(super) fn needs(sent: &Map<String, Value>, read: &[Found]) -> Vec<Need> {
    let mut needs = Vec::new();
    let items = sent.get("items").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    for (kind, item) in each(items) {
        match kind {
            DIDS => {
                needs.extend([unit(item), group(item), prefix(item)].into_iter().flatten());
                // The id as it was sent can be in upper case.
                let group_of = |need| Some(group_of_number(&found(read, &need)?.first()?.id));
                if let Some(id) = item.text("available_did_id") {
                    needs.push(number(id));
                    needs.extend(group_of(number(id)));
                } else if let Some(id) = item.text("did_reservation_id") {
                    needs.extend([reservation(id), number_of_reservation(id)]);
                    needs.extend(group_of(number_of_reservation(id)));
                } else if let Some(group) = group(item).and_then(|need| found(read, &need)?.first()) {
                    needs.push(stock(item, &group.id, wanted(items)));
                }
            }
            CHANNELS => needs.extend([pool(item), breaks(item)].into_iter().flatten()),
            _ => {}
        }
    }
    needs
}

/// The terms of an order, apart from its items.
#[derive(Clone, Copy)]
pub(super) struct Terms {
    /// Whether it can have more numbers than are in stock.
    pub(super) back_ordering: bool,
    /// Whether the account can pay only some days of the first period of numbers.
    pub(super) prorates: bool,
    pub(super) now: Timestamp,
    /// The version of the request.
    pub(super) version: ApiVersion,
}

/// Decides on the items. Adds their broken rules to the refusals; if there are any, the result has no meaning.
pub(super) fn price(
    read: &[Found],
    items: &[Value],
    terms: Terms,
    refusals: &mut Vec<Refusal>,
) -> Result<Priced, DecodeError> {
    let is_of_numbers = each(items).next().is_some_and(|(kind, _)| kind == DIDS);
    let mut priced = Priced {
        description: if is_of_numbers { "DID" } else { "Capacity" },
        shown: Value::Null,
        held: Vec::new(),
        is_held: HashSet::new(),
        numbers: 0,
        reservations: Vec::new(),
        plan: Value::Null,
        amount: Decimal::ZERO,
    };
    let (mut shown, mut plan) = (Vec::new(), Vec::new());
    let first = each(items).next().map(|(kind, _)| kind);
    let chosen = |(_, item): (&str, Item<'_>)| {
        found(read, &number(item.text("available_did_id")?))?.first().map(|number| number.id.as_str())
    };
    let chosen = each(items).filter_map(chosen).collect();
    let requested = RequestedOrder { read, wanted: wanted(items), terms, chosen };
    for (kind, item) in each(items) {
        let members = match kind {
            DIDS => DID_MEMBERS,
            CHANNELS => CHANNEL_MEMBERS,
            // The service creates the other types.
            _ => {
                refusals.push(item.refuse("type", Violation::Invalid));
                continue;
            }
        };
        if Some(kind) != first {
            refusals.push(item.refuse("type", Violation::Invalid).because("all items have one type"));
            continue;
        }
        let is_known =
            |name: &str| members.iter().any(|(known, since)| *known == name && *since <= terms.version);
        if let Some(unknown) = item.attributes.keys().find(|name| !is_known(name)) {
            refusals.push(Refusal::param_not_allowed(unknown));
            continue;
        }
        let decided = if is_of_numbers {
            numbers(&requested, item, &mut priced)?
        } else {
            channels(&requested, item, &mut priced)?
        };
        match decided {
            Ok((attributes, later)) => {
                shown.push(json!({ "type": kind, "attributes": attributes }));
                plan.push(later);
            }
            Err(refusal) => refusals.push(refusal),
        }
    }
    (priced.shown, priced.plan) = (Value::Array(shown), Value::Array(plan));
    Ok(priced)
}

/// An item as answers show it, and the data for carrying it out.
type Decided = Result<(Value, Value), Refusal>;

/// The requested order as a whole, with the records that were read for it.
struct RequestedOrder<'a> {
    read: &'a [Found],
    wanted: u64,
    terms: Terms,
    /// The ids of the numbers that items name. Items without a named number do not take these.
    chosen: HashSet<&'a str>,
}

/// The paid days and the renewals of an item of numbers.
struct Lasts {
    /// The paid share of the first period.
    share: Share,
    /// The number of renewals; `None` is without end.
    cycles: Option<i64>,
}

/// Reads the members of an item of numbers that are numbers themselves.
fn lasts(item: Item<'_>, terms: Terms) -> Result<Lasts, Refusal> {
    let cycles = item.number("billing_cycles_count", 0, MAX_CYCLES)?;
    item.number("qty", 1, MAX_NUMBERS)?;
    // Without prorated billing the member is ignored, whatever it is.
    let days = if terms.prorates { item.number("prorate_days_qty", 1, MAX_DAYS)? } else { None };
    Ok(Lasts { share: Share::first_days(days, terms.now), cycles })
}

fn numbers(
    requested: &RequestedOrder<'_>,
    item: Item<'_>,
    priced: &mut Priced,
) -> Result<Decided, DecodeError> {
    let &RequestedOrder { read, wanted, terms, ref chosen } = requested;
    let one = |need: Option<Need>| need.and_then(|need| found(read, &need)?.first());
    if let Some(refusal) = item.lacks("sku_id", terms) {
        return Ok(Err(refusal));
    }
    let (Some(unit), Some(group)) = (one(unit(item)), one(group(item))) else {
        return Ok(Err(item.refuse("sku_id", Violation::Invalid)));
    };
    let mut selectors = SELECTORS.into_iter().filter(|name| item.has(name));
    if let (Some(_), Some(second)) = (selectors.next(), selectors.next()) {
        return Ok(Err(item.refuse(second, Violation::MustBeBlank)));
    }
    let Lasts { share, cycles } = match lasts(item, terms) {
        Ok(lasts) => lasts,
        Err(refusal) => return Ok(Err(refusal)),
    };
    if item.has("nanpa_prefix_id") && one(prefix(item)).is_none() {
        return Ok(Err(item.refuse("nanpa_prefix_id", Violation::Invalid)));
    }
    let is_of_group = |number: &FoundRecord| {
        one(Some(group_of_number(&number.id))).is_some_and(|of_number| of_number.id == group.id)
    };
    let is_free = |number: &&FoundRecord, held: &HashSet<String>| !held.contains(&number.id);
    let quantity = if item.has("qty") { item.quantity(MAX_NUMBERS) } else { 1 };
    let left = MAX_NUMBERS - priced.numbers;
    if quantity > left {
        let refusal = item.refuse("qty", Violation::LessOrEqual(left.into()));
        return Ok(Err(refusal.because(format!("an order has at most {MAX_NUMBERS} numbers"))));
    }
    priced.numbers += quantity;
    let chosen_one = item.has("available_did_id") || item.has("did_reservation_id");
    let mut taken: Vec<String> = Vec::new();
    if item.has("available_did_id") {
        let id = item.text("available_did_id").unwrap_or_default();
        let number =
            one(Some(number(id))).filter(|number| is_free(number, &priced.is_held) && is_of_group(number));
        let Some(number) = number else {
            return Ok(Err(item.refuse("available_did_id", Violation::Invalid)));
        };
        taken.push(number.id.clone());
    } else if item.has("did_reservation_id") {
        let id = item.text("did_reservation_id").unwrap_or_default();
        let number = one(Some(number_of_reservation(id)))
            .filter(|number| is_free(number, &priced.is_held) && is_of_group(number));
        let (Some(number), Some(reservation)) = (number, one(Some(reservation(id)))) else {
            return Ok(Err(item.refuse("did_reservation_id", Violation::Invalid)));
        };
        // The job that deletes it can be a little late.
        let end = reservation.decode_partial::<DidReservation>()?.expires_at;
        if end.is_some_and(|end| end <= terms.now) {
            let refusal = item.refuse("did_reservation_id", Violation::Invalid);
            return Ok(Err(refusal.because("the reservation has ended")));
        }
        taken.push(number.id.clone());
        let id = reservation.id.clone();
        priced.reservations.push(RecordChange::Delete { spec: DidReservation::SPEC, id });
    } else {
        let stock = found(read, &stock(item, &group.id, wanted)).unwrap_or_default();
        let free = stock
            .iter()
            .filter(|number| is_free(number, &priced.is_held) && !chosen.contains(number.id.as_str()));
        taken
            .extend(free.take(usize::try_from(quantity).unwrap_or_default()).map(|number| number.id.clone()));
        let lacks = i64::try_from(taken.len()).is_ok_and(|taken| taken < quantity);
        if lacks && !terms.back_ordering {
            return Ok(Err(item.refuse("qty", Violation::ExceedsStock)));
        }
    }
    let unit: StockKeepingUnit = unit.decode()?;
    // An item of numbers shows what one of them costs.
    let (setup, monthly) = (unit.setup_price.amount(), share.price(unit.monthly_price.amount()));
    priced.amount += (setup + monthly) * Decimal::from(quantity);
    let later = json!({
        "did_group": group.id,
        "nanpa_prefix": item.text("nanpa_prefix_id"),
        "qty": quantity,
        "held": taken,
        "chosen": chosen_one,
        "channels": unit.channels_included_count,
        "cycles": cycles,
        "days": share.part(),
        "monthly_price": unit.monthly_price,
    });
    priced.is_held.extend(taken.iter().cloned());
    priced.held.extend(taken);
    let mut shown = prices(quantity, (setup, monthly), share);
    shown.insert("setup_price".to_owned(), json!(Money::new(setup)));
    shown.insert("monthly_price".to_owned(), json!(Money::new(monthly)));
    shown.insert("did_group_id".to_owned(), json!(group.id));
    Ok(Ok((Value::Object(shown), later)))
}

fn channels(
    requested: &RequestedOrder<'_>,
    item: Item<'_>,
    priced: &mut Priced,
) -> Result<Decided, DecodeError> {
    let read = requested.read;
    if let Some(refusal) = item.lacks("capacity_pool_id", requested.terms) {
        return Ok(Err(refusal));
    }
    let pool = pool(item).and_then(|need| found(read, &need)?.first());
    let Some(pool) = pool else { return Ok(Err(item.refuse("capacity_pool_id", Violation::Invalid))) };
    if let Err(refusal) = item.number("qty", 1, MAX_CHANNELS) {
        return Ok(Err(refusal));
    }
    let (quantity, id, is_billed) =
        (item.quantity(MAX_CHANNELS), pool.id.clone(), is_billed(pool.meta.as_deref()));
    let pool: CapacityPool = pool.decode()?;
    if quantity < pool.minimum_qty_per_order {
        return Ok(Err(item.refuse("qty", Violation::AtLeast(pool.minimum_qty_per_order))));
    }
    let (mut setup, mut monthly, mut from) = (pool.setup_price, pool.monthly_price, 0);
    for record in breaks(item).and_then(|need| found(read, &need)).unwrap_or_default() {
        let pricing: QtyBasedPricing = record.decode()?;
        if pricing.qty <= quantity && pricing.qty > from {
            (setup, monthly, from) = (pricing.setup_price, pricing.monthly_price, pricing.qty);
        }
    }
    let count = Decimal::from(quantity);
    // The next renewal of the pool pays its new channels with the others.
    let share = pool_share(&pool, is_billed, requested.terms.now);
    if share.days() == 0 {
        let refusal = item.refuse("capacity_pool_id", Violation::Invalid);
        return Ok(Err(refusal.because("the renewal of the pool is not paid yet")));
    }
    let (once, monthly) = (setup.amount() * count, share.price(monthly.amount() * count));
    priced.amount += once + monthly;
    let mut shown = prices(quantity, (once, monthly), share);
    shown.insert("capacity_pool_id".to_owned(), json!(id));
    Ok(Ok((Value::Object(shown), json!({ "capacity_pool": id, "qty": quantity, "days": share.part() }))))
}

/// The members that answers show of every item: among them the amounts that are paid once, and for the days of its
/// first period, for one number or for all channels.
fn prices(quantity: i64, (once, monthly): (Decimal, Decimal), share: Share) -> Map<String, Value> {
    let members = [
        ("qty", json!(quantity)),
        ("nrc", json!(Money::new(once))),
        ("mrc", json!(Money::new(monthly))),
        ("prorated_mrc", json!(!share.is_whole())),
        ("billed_from", Value::Null),
        ("billed_to", Value::Null),
    ];
    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
