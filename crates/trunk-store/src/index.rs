//! The index entries of a record: one for every attribute that a list can be filtered or sorted by, or that is unique.
//! An attribute that is a list has one for each of its items.

use didww_types::{FilterTest, Kind, ResourceSpec, Timestamp};
use rust_decimal::Decimal;
use serde_json::{Map, Value};

use crate::StoreError;
use crate::derivation::Derivation;

/// A value in an index. Null sorts after every other value, as in the database of the original service.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum IndexValue {
    /// A number, or a boolean as 0 or 1.
    Integer(i64),
    /// Text, compared byte by byte.
    Text(String),
    /// Null or empty text, which filters treat alike.
    Null,
}

impl IndexValue {
    /// Converts the value of an attribute of a kind. Values of one kind compare as the kind does: decimals by their
    /// amount, instants by their time, texts byte by byte. Arrays and objects have no index value and become
    /// [`Null`](Self::Null): a list is indexed by its items.
    pub fn of(kind: Kind, value: &Value) -> Self {
        match (kind, value) {
            (Kind::Decimal { .. }, Value::String(text)) => {
                decimal_key(text).map_or_else(|| Self::plain(value), Self::Text)
            }
            (Kind::Timestamp, Value::String(text)) => text
                .parse::<Timestamp>()
                .map_or_else(|_| Self::plain(value), |at| Self::Integer(at.as_unix_millis())),
            _ => Self::plain(value),
        }
    }

    fn plain(value: &Value) -> Self {
        match value {
            Value::Bool(flag) => Self::Integer(i64::from(*flag)),
            Value::Number(number) => {
                number.as_i64().map_or_else(|| Self::Text(number.to_string()), Self::Integer)
            }
            Value::String(text) if text.is_empty() => Self::Null,
            Value::String(text) => Self::Text(text.clone()),
            Value::Null | Value::Array(_) | Value::Object(_) => Self::Null,
        }
    }
}

/// An entry of a record in an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct IndexEntry {
    /// The attribute's name, or a dotted path into the attribute.
    pub(crate) path: &'static str,
    pub(crate) value: IndexValue,
    /// Whether no other record of the account may have the value.
    pub(crate) unique: bool,
    /// Whether no other record of the type may have the value, of any account.
    pub(crate) everywhere: bool,
}

impl IndexEntry {
    /// The error for a value that another record has.
    pub(crate) fn taken(&self) -> StoreError {
        StoreError::Taken(self.path.split('@').next().unwrap_or_default().to_owned())
    }
}

/// The name under which the number of an attribute, a path or a relationship of a type is stored. The types that share
/// a path `attribute@name` have one number for it.
pub(crate) fn symbol_name(kind: &str, member: &str) -> String {
    if member.contains('@') { member.to_owned() } else { [kind, "/", member].concat() }
}

/// The attributes and paths by which the records of a type are indexed.
#[derive(Debug)]
pub(crate) struct IndexPlan(Vec<Indexed>);

#[derive(Debug)]
struct Indexed {
    path: &'static str,
    derivation: Derivation,
    kind: Kind,
    unique: bool,
    everywhere: bool,
}

impl IndexPlan {
    pub(crate) fn of(spec: &'static ResourceSpec) -> Self {
        let mut paths: Vec<(&'static str, bool)> = spec
            .attributes
            .iter()
            // Lists are ordered by `created_at` through the record numbers, which ascend in the order of creation.
            .filter(|attribute| {
                (attribute.sort
                    || attribute.unique
                    || attribute.unique_everywhere
                    || !attribute.sums.is_empty())
                    && attribute.name != "created_at"
            })
            .map(|attribute| (attribute.name, attribute.unique))
            .collect();
        for filter in spec.filters {
            if let FilterTest::Equals(path) | FilterTest::Contains(path) = filter.test
                && !paths.iter().any(|(known, _)| *known == path)
            {
                paths.push((path, false));
            }
        }
        paths.extend(spec.unique_paths.iter().map(|path| (*path, false)));
        let shared = spec.attributes.iter().filter_map(|attribute| attribute.unique_among);
        paths.extend(shared.map(|path| (path, true)));
        let indexed = |(path, unique)| Indexed {
            path,
            derivation: Derivation::of(path),
            kind: kind_of(spec, path),
            unique,
            everywhere: spec.is_unique_everywhere(path),
        };
        Self(paths.into_iter().map(indexed).collect())
    }

    /// Returns the index entries of a record with these attributes.
    pub(crate) fn entries(&self, attributes: &Map<String, Value>) -> Vec<IndexEntry> {
        entries_of(self.0.iter(), attributes)
    }

    /// Returns the index entries that a record loses and those that it gains, if it has these attributes after some
    /// were [replaced](crate::Record::replaced_by). Only paths into replaced attributes are compared.
    pub(crate) fn changed(
        &self,
        replaced: &[(String, Value)],
        attributes: &Map<String, Value>,
    ) -> (Vec<IndexEntry>, Vec<IndexEntry>) {
        let was = |name: &str| replaced.iter().find(|(other, _)| other == name).map(|(_, value)| value);
        let leads_there =
            |indexed: &&Indexed| indexed.derivation.attributes().any(|name| was(name).is_some());
        let affected: Vec<&Indexed> = self.0.iter().filter(leads_there).collect();
        // The attributes before the write, as far as they are compared.
        let mut before = Map::new();
        for name in affected.iter().flat_map(|indexed| indexed.derivation.attributes()) {
            if let Some(value) = was(name).or_else(|| attributes.get(name)) {
                before.insert(name.to_owned(), value.clone());
            }
        }
        let old = entries_of(affected.iter().copied(), &before);
        let new = entries_of(affected.iter().copied(), attributes);
        let released = old.iter().filter(|entry| !new.contains(entry)).cloned().collect();
        let gained = new.into_iter().filter(|entry| !old.contains(entry)).collect();
        (released, gained)
    }
}

/// Returns the entries of these indexed attributes and paths for a record with these attributes.
fn entries_of<'a>(
    indexed: impl ExactSizeIterator<Item = &'a Indexed>,
    attributes: &Map<String, Value>,
) -> Vec<IndexEntry> {
    let mut entries: Vec<IndexEntry> = Vec::with_capacity(indexed.len());
    for Indexed { path, derivation, kind, unique, everywhere } in indexed {
        let (path, kind, unique, everywhere) = (*path, *kind, *unique, *everywhere);
        match (kind, &*derivation.value(attributes)) {
            // A list has one entry for each distinct item; an empty list has the entry of null.
            (Kind::List { of, .. }, Value::Array(items)) if !items.is_empty() => {
                for item in items {
                    let entry = IndexEntry { path, value: IndexValue::of(*of, item), unique, everywhere };
                    if !entries.contains(&entry) {
                        entries.push(entry);
                    }
                }
            }
            (kind, value) => {
                entries.push(IndexEntry { path, value: IndexValue::of(kind, value), unique, everywhere });
            }
        }
    }
    entries
}

/// Returns the index entries of a record of a type with these attributes.
pub(crate) fn index_of(spec: &'static ResourceSpec, attributes: &Map<String, Value>) -> Vec<IndexEntry> {
    IndexPlan::of(spec).entries(attributes)
}

/// The kind of an attribute, or of the value at a dotted path, as a filter declares it.
fn kind_of(spec: &'static ResourceSpec, path: &str) -> Kind {
    let leads_there = |test| matches!(test, FilterTest::Equals(to) | FilterTest::Contains(to) if to == path);
    let of_filter = || spec.filters.iter().find(|filter| leads_there(filter.test)).map(|filter| filter.kind);
    let kind = spec.attribute(path).map(|attribute| attribute.kind).or_else(of_filter);
    kind.unwrap_or(Kind::Text { max: None, pattern: None })
}

/// The form of an attribute's index entries. Entries of different forms cannot be compared, or are in different tables.
pub(crate) fn form_of(spec: &'static ResourceSpec, entry: &IndexEntry) -> String {
    let form = match kind_of(spec, entry.path) {
        Kind::Decimal { .. } => "decimal",
        Kind::Timestamp => "time",
        _ => "plain",
    };
    // A sum whose declaration changed is computed again.
    let sums = spec.attribute(entry.path).map_or(&[][..], |attribute| attribute.sums);
    let sums = sums.iter().map(|sum| format!(" + {}.{}.{}", sum.of, sum.through, sum.attribute));
    let form = [form, if entry.unique { " unique" } else { "" }].into_iter().map(str::to_owned);
    form.chain(sums).collect()
}

/// A text that compares with others as the decimals do, and is the same for equal amounts; `None` if the text is not a
/// decimal.
///
/// A sign (0 below zero, 1 zero, 2 above), the number of digits before the point, and the digits. Below zero the last
/// two are complemented, and a mark that is greater than every digit ends them.
fn decimal_key(text: &str) -> Option<String> {
    let amount: Decimal = text.parse().ok()?;
    if amount.is_zero() {
        return Some("1".to_owned());
    }
    let digits = amount.mantissa().unsigned_abs().to_string();
    let before_point = i64::try_from(digits.len()).ok()? - i64::from(amount.scale());
    let digits = digits.trim_end_matches('0');
    // At most 29 digits before the point, and at most 28 zeros after it.
    if amount.is_sign_positive() {
        return Some(format!("2{:02}{digits}", before_point + 50));
    }
    let complement = digits.bytes().map(|digit| char::from(b'0' + (b'9' - digit)));
    Some(format!("0{:02}{}~", 49 - before_point, complement.collect::<String>()))
}

/// Selects the entries whose values must be unique among the records of all accounts.
pub(crate) fn claims_of(entries: &[IndexEntry]) -> impl Iterator<Item = &IndexEntry> {
    entries.iter().filter(|entry| entry.everywhere && entry.value != IndexValue::Null)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn decimals_sort_by_their_amount_and_not_by_their_text() {
        let ascending = [
            "-1000.5", "-1000", "-9.99", "-0.5", "-0.05", "0.0", "0.05", "0.5", "9", "9.99", "10.0", "100",
            "3000.0",
        ];
        let keys: Vec<String> = ascending.iter().map(|text| decimal_key(text).unwrap()).collect();
        assert!(keys.is_sorted(), "{keys:?}");
        assert_eq!(decimal_key("5"), decimal_key("5.00"));
        assert_eq!(decimal_key("five"), None);
    }

    #[test]
    fn what_an_index_loses_and_gains_by_a_change_is_the_difference_between_before_and_after() {
        let values = [
            Value::Null,
            Value::from("A"),
            Value::from("b"),
            serde_json::json!(["A", "b"]),
            serde_json::json!({ "type": "x", "attributes": { "twilio_account_sid": "AC1" } }),
        ];
        let mut changes = 0;
        for spec in didww_types::REGISTRY {
            let plan = IndexPlan::of(spec);
            let all = |value: &str| -> Map<String, Value> {
                spec.attributes.iter().map(|of| (of.name.to_owned(), Value::from(value))).collect()
            };
            for attribute in spec.attributes {
                for (was, is) in values.iter().flat_map(|was| values.iter().map(move |is| (was, is))) {
                    let (mut before, mut after) = (all("z"), all("z"));
                    before.insert(attribute.name.to_owned(), was.clone());
                    after.insert(attribute.name.to_owned(), is.clone());
                    let replaced: Vec<(String, Value)> =
                        if was == is { Vec::new() } else { vec![(attribute.name.to_owned(), was.clone())] };
                    let (old, new) = (plan.entries(&before), plan.entries(&after));
                    let of = |some: &[IndexEntry], others: &[IndexEntry]| -> Vec<IndexEntry> {
                        some.iter().filter(|entry| !others.contains(entry)).cloned().collect()
                    };
                    let expected = (of(&old, &new), of(&new, &old));
                    changes += usize::from(!expected.0.is_empty());
                    let found = plan.changed(&replaced, &after);
                    assert_eq!(found, expected, "{} {}: {was} {is}", spec.name, attribute.name);
                }
            }
        }
        assert!(changes > 100, "{changes}");
    }

    #[test]
    fn instants_sort_by_their_time_however_they_are_written() {
        let at = |text: &str| IndexValue::of(Kind::Timestamp, &Value::from(text));
        assert!(at("2026-04-08T06:57:33Z") < at("2026-04-08T06:57:33.304Z"));
    }

    proptest! {
        #[test]
        fn keys_of_decimals_compare_as_the_decimals_do(a in any::<(i64, u8)>(), b in any::<(i64, u8)>()) {
            let decimal = |(mantissa, scale): (i64, u8)| Decimal::new(mantissa, u32::from(scale % 29));
            let key = |decimal: Decimal| decimal_key(&decimal.to_string()).unwrap();
            prop_assert_eq!(key(decimal(a)).cmp(&key(decimal(b))), decimal(a).cmp(&decimal(b)));
        }
    }
}
