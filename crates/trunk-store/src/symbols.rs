//! Symbols: the numbers by which the tables of both engines refer to types, attributes and relationships. Each engine
//! numbers the names that are new in its own way.

use std::collections::HashMap;

use didww_types::ResourceSpec;
use foldhash::fast::RandomState;
use serde_json::{Map, Value};

use crate::index::{IndexEntry, IndexPlan, index_of, symbol_name};
use crate::sum_parts::{Part, parts_of};

/// The number for names that are not declared. It is in no table, so a query with it finds nothing.
const UNKNOWN: i64 = -1;

/// A name that has a number: that of a type, or that of an indexed attribute or a relationship of one.
#[derive(Debug)]
pub(crate) struct Declared {
    kind: &'static str,
    member: Option<&'static str>,
    /// The name in the table of symbols.
    pub(crate) name: String,
}

/// Returns every name that has a number, some of them more than once.
pub(crate) fn declared(registry: &'static [&'static ResourceSpec]) -> Vec<Declared> {
    let mut declared = Vec::new();
    for spec in registry {
        declared.push(Declared { kind: spec.name, member: None, name: spec.name.to_owned() });
        let indexed = index_of(spec, &Map::new()).into_iter().map(|entry| entry.path);
        let relationships = spec.relationships.iter().map(|relationship| relationship.name);
        declared.extend(indexed.chain(relationships).map(|member| Declared {
            kind: spec.name,
            member: Some(member),
            name: symbol_name(spec.name, member),
        }));
    }
    declared
}

/// The numbers of every declared type, and of its indexed attributes and its relationships.
#[derive(Debug)]
pub(crate) struct Symbols {
    registry: &'static [&'static ResourceSpec],
    // A write looks up a number for each of its index entries. The names are declared, so no peer can make them
    // collide.
    kinds: HashMap<&'static str, i64, RandomState>,
    members: HashMap<(&'static str, &'static str), i64, RandomState>,
    /// The sums to which records contribute, by the type of the records.
    parts: HashMap<&'static str, Vec<Part>, RandomState>,
    /// The indexed attributes and paths of each type.
    plans: HashMap<&'static str, IndexPlan, RandomState>,
}

impl Symbols {
    /// The symbols of these names, with the numbers that they have in the table.
    pub(crate) fn of(
        registry: &'static [&'static ResourceSpec],
        declared: &[Declared],
        numbers: &HashMap<String, i64>,
    ) -> Self {
        let parts = registry.iter().map(|spec| (spec.name, parts_of(registry, spec.name)));
        let parts = parts.filter(|(_, parts)| !parts.is_empty()).collect();
        let plans = registry.iter().map(|spec| (spec.name, IndexPlan::of(spec))).collect();
        let (mut kinds, mut members) = (HashMap::default(), HashMap::default());
        for Declared { kind, member, name } in declared {
            let number = numbers.get(name).copied().unwrap_or(UNKNOWN);
            if let Some(member) = member {
                members.insert((*kind, *member), number);
            } else {
                kinds.insert(*kind, number);
            }
        }
        Self { registry, kinds, members, parts, plans }
    }

    /// The declarations of all types that the store keeps.
    pub(crate) fn registry(&self) -> &'static [&'static ResourceSpec] {
        self.registry
    }

    /// Returns the index entries of a record of a type with these attributes.
    pub(crate) fn index_of(
        &self,
        spec: &'static ResourceSpec,
        attributes: &Map<String, Value>,
    ) -> Vec<IndexEntry> {
        let plan = self.plans.get(spec.name);
        plan.map_or_else(|| index_of(spec, attributes), |plan| plan.entries(attributes))
    }

    /// Returns the index entries that a record of a type loses and those that it gains, if it has these attributes
    /// after some were [replaced](crate::Record::replaced_by).
    pub(crate) fn changed_index(
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

    /// Returns the sums to which the records of a type contribute.
    pub(crate) fn parts(&self, kind: &str) -> &[Part] {
        self.parts.get(kind).map_or(&[], Vec::as_slice)
    }

    /// Returns the number of a type.
    pub(crate) fn kind(&self, name: &str) -> i64 {
        self.kinds.get(name).copied().unwrap_or(UNKNOWN)
    }

    /// Returns the number of an attribute, a path or a relationship of a type.
    pub(crate) fn member(&self, kind: &'static str, name: &'static str) -> i64 {
        self.members.get(&(kind, name)).copied().unwrap_or(UNKNOWN)
    }

    /// Returns the number of the relationship whose links a relationship of a type has, and whether it has them from
    /// the other side.
    pub(crate) fn link(&self, kind: &'static str, relationship: &'static str) -> (i64, bool) {
        let steps = didww_types::follow(self.registry(), kind, relationship).unwrap_or_default();
        match steps.first().filter(|step| step.inverse) {
            Some(step) => (self.member(step.owner.name, step.relationship.name), true),
            None => (self.member(kind, relationship), false),
        }
    }
}
