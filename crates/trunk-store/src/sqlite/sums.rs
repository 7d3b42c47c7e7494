//! Attributes that are sums over the records that refer to a record, such as the assigned channels of a pool.
//!
//! A sum is stored in the record, so that lists can be sorted and filtered by it. A write of a summed record changes it
//! by the difference, in the same transaction: its cost does not depend on how many records are summed. The revision of
//! the record with the sum ascends, so that a write that was decided on an older sum is decided again.

use std::collections::BTreeMap;

use didww_types::{AttributeSpec, ResourceSpec, Sum};
use rusqlite::{Connection, params};
use serde_json::{Map, Value};

use super::error::failed;
use super::symbols::Symbols;
use crate::StoreError;

/// The amounts by which a write changes sums: by the number of the record with the sum, and the sum's attribute.
#[derive(Debug, Default)]
pub(super) struct Differences(BTreeMap<(i64, &'static str), (&'static ResourceSpec, i64)>);

impl Differences {
    /// Adds the contribution of a record, with its present links, to sums; `sign` is 1, or -1 to subtract it.
    pub(super) fn add(
        &mut self,
        connection: &Connection,
        symbols: &Symbols,
        spec: &'static ResourceSpec,
        number: i64,
        attributes: &Map<String, Value>,
        sign: i64,
    ) -> Result<(), StoreError> {
        for part in symbols.parts(spec.name) {
            let amount = Sum::amount(part.attribute, attributes);
            if amount == 0 {
                continue;
            }
            let mut select = connection
                .prepare_cached("SELECT target FROM link WHERE owner = ?1 AND relationship = ?2")
                .map_err(failed)?;
            let targets = select
                .query_map(params![number, symbols.member(spec.name, part.through)], |row| row.get(0))
                .map_err(failed)?;
            for target in targets {
                let key = (target.map_err(failed)?, part.sum);
                self.0.entry(key).or_insert((part.target, 0)).1 += sign * amount;
            }
        }
        Ok(())
    }

    /// Returns the changes: the number of the record with the sum, its type, the sum's attribute and the difference.
    pub(super) fn changes(self) -> impl Iterator<Item = (i64, &'static ResourceSpec, &'static str, i64)> {
        self.0
            .into_iter()
            .filter(|(_, (_, difference))| *difference != 0)
            .map(|((number, sum), (spec, difference))| (number, spec, sum, difference))
    }
}

/// Computes the sums of a record from the records that refer to it. Returns true if one of them was different.
pub(super) fn recompute(
    connection: &Connection,
    symbols: &Symbols,
    spec: &'static ResourceSpec,
    number: i64,
    attributes: &mut Map<String, Value>,
) -> rusqlite::Result<bool> {
    let mut differs = false;
    for attribute in spec.attributes.iter().filter(|attribute| !attribute.sums.is_empty()) {
        if attribute.is_referred() {
            let referred = Value::from(is_referred(connection, symbols, attribute, number)?);
            differs |= attributes.insert(attribute.name.to_owned(), referred.clone()) != Some(referred);
            continue;
        }
        let mut total = 0;
        for sum in attribute.sums {
            let mut select = connection.prepare_cached(
                "SELECT coalesce(sum(r.attributes ->> ?3), 0) FROM link l JOIN record r ON r.number = l.owner \
                 WHERE l.target = ?1 AND l.relationship = ?2",
            )?;
            let relationship = symbols.member(sum.of, sum.through);
            total +=
                select.query_row(params![number, relationship, sum.attribute], |row| row.get::<_, i64>(0))?;
        }
        let before = attributes.insert(attribute.name.to_owned(), Value::from(total));
        differs |= before != Some(Value::from(total));
    }
    Ok(differs)
}

/// Whether a record refers to this one by a relationship that the attribute names.
pub(super) fn is_referred(
    connection: &Connection,
    symbols: &Symbols,
    attribute: &AttributeSpec,
    number: i64,
) -> rusqlite::Result<bool> {
    for sum in attribute.sums {
        let mut select = connection
            .prepare_cached("SELECT EXISTS(SELECT 1 FROM link WHERE target = ?1 AND relationship = ?2)")?;
        if select.query_row(params![number, symbols.member(sum.of, sum.through)], |row| row.get(0))? {
            return Ok(true);
        }
    }
    Ok(false)
}
