//! Symbols: the numbers by which the tables refer to types, attributes and relationships.

use std::collections::HashMap;

use didww_types::ResourceSpec;
use foldhash::fast::RandomState;
use rusqlite::{Connection, params};
use serde_json::{Map, Value};

use crate::index::{IndexEntry, IndexPlan, index_of, symbol_name};
use crate::sum_parts::{Part, parts_of};

/// The number for names that are not declared. It is in no table, so a query with it finds nothing.
const UNKNOWN: i64 = -1;

/// The numbers of every declared type, and of its indexed attributes and its relationships.
#[derive(Debug)]
pub(super) struct Symbols {
    registry: &'static [&'static ResourceSpec],
    // A write looks up a number for each of its index entries. The names are declared, so no peer can make them collide.
    kinds: HashMap<&'static str, i64, RandomState>,
    members: HashMap<(&'static str, &'static str), i64, RandomState>,
    /// The sums of which records are a part, by their type.
    parts: HashMap<&'static str, Vec<Part>, RandomState>,
    /// The indexed attributes and paths of each type.
    plans: HashMap<&'static str, IndexPlan, RandomState>,
}

impl Symbols {
    /// Loads the number of every declared name, and inserts the names that are new.
    pub(super) fn intern(
        connection: &Connection,
        registry: &'static [&'static ResourceSpec],
    ) -> rusqlite::Result<Self> {
        let parts = registry.iter().map(|spec| (spec.name, parts_of(registry, spec.name)));
        let parts = parts.filter(|(_, parts)| !parts.is_empty()).collect();
        let plans = registry.iter().map(|spec| (spec.name, IndexPlan::of(spec))).collect();
        let mut symbols =
            Self { registry, kinds: HashMap::default(), members: HashMap::default(), parts, plans };
        // All in one read: looking up each declared name would take a large part of a start.
        let mut select = connection.prepare("SELECT name, number FROM symbol")?;
        let known = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let mut known: HashMap<String, i64> = known.collect::<rusqlite::Result<_>>()?;
        let mut insert = connection.prepare("INSERT INTO symbol (name) VALUES (?1)")?;
        let mut number = |name: &str| -> rusqlite::Result<i64> {
            if let Some(number) = known.get(name) {
                return Ok(*number);
            }
            insert.execute(params![name])?;
            let number = connection.last_insert_rowid();
            known.insert(name.to_owned(), number);
            Ok(number)
        };
        for spec in registry {
            symbols.kinds.insert(spec.name, number(spec.name)?);
            let members = index_of(spec, &Map::new())
                .into_iter()
                .map(|entry| entry.path)
                .chain(spec.relationships.iter().map(|relationship| relationship.name));
            for member in members {
                let number = number(&symbol_name(spec.name, member))?;
                symbols.members.insert((spec.name, member), number);
            }
        }
        Ok(symbols)
    }

    /// The declarations of all types that the store keeps.
    pub(super) fn registry(&self) -> &'static [&'static ResourceSpec] {
        self.registry
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
