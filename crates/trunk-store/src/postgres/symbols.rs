//! Symbols: the numbers by which the tables refer to types, attributes and relationships. All nodes have the same ones.

use std::collections::HashMap;

use didww_types::ResourceSpec;
use foldhash::fast::RandomState;
use serde_json::{Map, Value};
use tokio_postgres::Client;
use tokio_postgres::types::Type;

use super::failure::Done;
use crate::index::{IndexEntry, IndexPlan, index_of, symbol_name};
use crate::sum_parts::{Part, parts_of};

/// The number for names that are not declared. It is in no table, so a query with it finds nothing.
const UNKNOWN: i64 = -1;

/// The numbers of every declared type, and of its indexed attributes and its relationships.
#[derive(Debug)]
pub(super) struct Symbols {
    registry: &'static [&'static ResourceSpec],
    kinds: HashMap<&'static str, i64, RandomState>,
    kind_names: HashMap<i64, &'static str, RandomState>,
    members: HashMap<(&'static str, &'static str), i64, RandomState>,
    parts: HashMap<&'static str, Vec<Part>, RandomState>,
    plans: HashMap<&'static str, IndexPlan, RandomState>,
}

impl Symbols {
    /// Loads the number of every declared name, and inserts the names that are new, while no other node does.
    pub(super) async fn intern(client: &Client, registry: &'static [&'static ResourceSpec]) -> Done<Self> {
        let parts = registry.iter().map(|spec| (spec.name, parts_of(registry, spec.name)));
        let parts = parts.filter(|(_, parts)| !parts.is_empty()).collect();
        let plans = registry.iter().map(|spec| (spec.name, IndexPlan::of(spec))).collect();
        let mut declared: Vec<(&'static str, Option<&'static str>)> = Vec::new();
        for spec in registry {
            declared.push((spec.name, None));
            let members = index_of(spec, &Map::new()).into_iter().map(|entry| entry.path);
            let relationships = spec.relationships.iter().map(|relationship| relationship.name);
            declared.extend(members.chain(relationships).map(|member| (spec.name, Some(member))));
        }
        let name = |(kind, member): &(&'static str, Option<&'static str>)| match member {
            Some(member) => symbol_name(kind, member),
            None => (*kind).to_owned(),
        };
        let names: Vec<String> = declared.iter().map(name).collect();
        let insert = "INSERT INTO symbol (number, name) \
                      SELECT (SELECT coalesce(max(number), 0) FROM symbol) + row_number() OVER (ORDER BY place), name \
                      FROM (SELECT name, min(place) AS place FROM unnest($1::text[]) WITH ORDINALITY AS given (name, place) \
                      GROUP BY name) new WHERE name NOT IN (SELECT name FROM symbol)";
        client.execute_typed(insert, &[(&names, Type::TEXT_ARRAY)]).await?;
        let rows = client.query_typed("SELECT name, number FROM symbol", &[]).await?;
        let mut numbers: HashMap<String, i64> = HashMap::with_capacity(rows.len());
        for row in rows {
            numbers.insert(row.try_get(0)?, row.try_get(1)?);
        }
        let (mut kinds, mut kind_names, mut members) =
            (HashMap::default(), HashMap::default(), HashMap::default());
        for ((kind, member), name) in declared.into_iter().zip(names) {
            let number = numbers.get(&name).copied().unwrap_or(UNKNOWN);
            if let Some(member) = member {
                members.insert((kind, member), number);
            } else {
                kinds.insert(kind, number);
                kind_names.insert(number, kind);
            }
        }
        Ok(Self { registry, kinds, kind_names, members, parts, plans })
    }

    /// The declarations of all types that the store keeps.
    pub(super) fn registry(&self) -> &'static [&'static ResourceSpec] {
        self.registry
    }

    /// Returns the declaration of a type.
    pub(super) fn spec(&self, kind: &str) -> Option<&'static ResourceSpec> {
        self.registry.iter().copied().find(|spec| spec.name == kind)
    }

    /// Returns the index entries of a record of a type with these attributes.
    pub(super) fn index_of(
        &self,
        spec: &'static ResourceSpec,
        attributes: &Map<String, Value>,
    ) -> Vec<IndexEntry> {
        let plan = self.plans.get(spec.name);
        plan.map_or_else(|| index_of(spec, attributes), |plan| plan.entries(attributes))
    }

    /// Returns the index entries that a record of a type loses and those that it gains, if it has these attributes after some
    /// were [replaced](crate::Record::replaced_by).
    pub(super) fn changed_index(
        &self,
        spec: &'static ResourceSpec,
        replaced: &[(String, Value)],
        attributes: &Map<String, Value>,
    ) -> (Vec<IndexEntry>, Vec<IndexEntry>) {
        match self.plans.get(spec.name) {
            Some(plan) => plan.changed(replaced, attributes),
            None => IndexPlan::of(spec).changed(replaced, attributes),
        }
    }

    /// Returns the sums of which the records of a type are a part.
    pub(super) fn parts(&self, kind: &str) -> &[Part] {
        self.parts.get(kind).map_or(&[], Vec::as_slice)
    }

    /// Returns the number of a type.
    pub(super) fn kind(&self, name: &str) -> i64 {
        self.kinds.get(name).copied().unwrap_or(UNKNOWN)
    }

    /// Returns the name of a type that is declared.
    pub(super) fn kind_name(&self, number: i64) -> Option<&'static str> {
        self.kind_names.get(&number).copied()
    }

    /// Returns the number of an attribute, a path or a relationship of a type.
    pub(super) fn member(&self, kind: &'static str, name: &'static str) -> i64 {
        self.members.get(&(kind, name)).copied().unwrap_or(UNKNOWN)
    }

    /// Returns the number of the relationship whose links a relationship of a type has, and whether it has them from the
    /// other side.
    pub(super) fn link(&self, kind: &'static str, relationship: &'static str) -> (i64, bool) {
        let steps = didww_types::follow(self.registry(), kind, relationship).unwrap_or_default();
        match steps.first().filter(|step| step.inverse) {
            Some(step) => (self.member(step.owner.name, step.relationship.name), true),
            None => (self.member(kind, relationship), false),
        }
    }
}
