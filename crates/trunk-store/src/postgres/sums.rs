//! Attributes that are sums over the records that refer to a record: a write of a summed record changes them by the
//! difference, in the same transaction, as in the embedded engine.

use std::collections::BTreeMap;

use didww_types::{AttributeSpec, ResourceSpec, Sum};
use serde_json::{Map, Value};
use tokio_postgres::Client;
use tokio_postgres::types::Type;

use super::failure::Done;
use super::symbols::Symbols;
use super::transaction::Transaction;

/// The amounts by which a write changes sums: by the number of the record with the sum, and the sum's attribute.
/// Records are changed in this order, so that writes cannot deadlock.
#[derive(Debug, Default)]
pub(super) struct Differences(BTreeMap<(i64, &'static str), (&'static ResourceSpec, i64)>);

impl Differences {
    /// Adds the contribution of a record, with its present links, to sums; `sign` is 1, or -1 to subtract it.
    pub(super) async fn add(
        &mut self,
        transaction: &Transaction<'_>,
        spec: &'static ResourceSpec,
        number: i64,
        attributes: &Map<String, Value>,
        sign: i64,
    ) -> Done<()> {
        let symbols = &transaction.node.symbols;
        for part in symbols.parts(spec.name) {
            let amount = Sum::amount(part.attribute, attributes);
            if amount == 0 {
                continue;
            }
            let relationship = symbols.member(spec.name, part.through);
            let select = "SELECT target FROM link WHERE owner = $1 AND relationship = $2";
            let targets = transaction
                .query_typed(select, &[(&number, Type::INT8), (&relationship, Type::INT8)])
                .await?;
            for target in targets {
                let key = (target.try_get(0)?, part.sum);
                self.0.entry(key).or_insert((part.target, 0)).1 += sign * amount;
            }
        }
        Ok(())
    }

    /// Adds the contribution of a new record to the sums of a record that it links to.
    pub(super) fn add_link(
        &mut self,
        symbols: &Symbols,
        spec: &'static ResourceSpec,
        relationship: &str,
        target: i64,
        attributes: &Map<String, Value>,
        sign: i64,
    ) {
        for part in symbols.parts(spec.name).iter().filter(|part| part.through == relationship) {
            let amount = Sum::amount(part.attribute, attributes);
            if amount != 0 {
                self.0.entry((target, part.sum)).or_insert((part.target, 0)).1 += sign * amount;
            }
        }
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
pub(super) async fn recompute(
    client: &Client,
    symbols: &Symbols,
    spec: &'static ResourceSpec,
    number: i64,
    attributes: &mut Map<String, Value>,
) -> Done<bool> {
    let mut differs = false;
    for attribute in spec.attributes.iter().filter(|attribute| !attribute.sums.is_empty()) {
        let mut total = 0;
        for sum in attribute.sums {
            let select = "SELECT r.attributes FROM link l JOIN record r ON r.number = l.owner \
                          WHERE l.target = $1 AND l.relationship = $2";
            let relationship = symbols.member(sum.of, sum.through);
            let rows =
                client.query_typed(select, &[(&number, Type::INT8), (&relationship, Type::INT8)]).await?;
            for row in rows {
                let summed: Map<String, Value> = serde_json::from_str(row.try_get(0)?).unwrap_or_default();
                total += Sum::amount(sum.attribute, &summed);
            }
        }
        let value = if attribute.is_referred() { Value::from(total > 0) } else { Value::from(total) };
        differs |= attributes.insert(attribute.name.to_owned(), value.clone()) != Some(value);
    }
    Ok(differs)
}

/// Whether a record refers to this one, which the transaction has locked, by a relationship that the attribute names.
pub(super) async fn is_referred(
    transaction: &Transaction<'_>,
    attribute: &AttributeSpec,
    number: i64,
) -> Done<bool> {
    for sum in attribute.sums {
        let relationship = transaction.node.symbols.member(sum.of, sum.through);
        let select = "SELECT owner FROM link WHERE target = $1 AND relationship = $2 LIMIT 1";
        let found = transaction
            .query_typed_opt(select, &[(&number, Type::INT8), (&relationship, Type::INT8)])
            .await?;
        if found.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}
