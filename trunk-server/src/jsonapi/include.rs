//! What the `include` parameter asks for, and the records that answer it.

use std::collections::HashSet;

use didww_types::{ErrorCode, ErrorObject, RelationshipSpec, ResourceSpec, find};
use trunk_rules::domain::{Membership, membership};
use uuid::Uuid;

use super::{Call, Refused};
use crate::store::{Condition, IndexValue, ListQuery, Record};

/// A relationship to include, with those to include from there.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    /// The relationship.
    pub relationship: &'static RelationshipSpec,
    /// Further ones.
    pub children: Vec<Node>,
}

impl Node {
    /// Adds a dotted path to a forest.
    pub(super) fn add(
        call: &Call<'_>,
        spec: &'static ResourceSpec,
        forest: &mut Vec<Self>,
        path: &str,
    ) -> Result<(), Box<ErrorObject>> {
        let (name, rest) = path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
        let Some(relationship) = call.relationship(spec, name) else {
            let detail = format!("{name} is not a valid relationship of {}", spec.name);
            return Err(ErrorObject::new(ErrorCode::InvalidInclude, "Invalid field", detail).into());
        };
        let place = forest.iter().position(|node| node.relationship.name == name).unwrap_or_else(|| {
            forest.push(Self { relationship, children: Vec::new() });
            forest.len() - 1
        });
        let (Some(rest), Some(node)) = (rest, forest.get_mut(place)) else { return Ok(()) };
        if let Some(target) = find(relationship.target) {
            return Self::add(call, target, &mut node.children, rest);
        }
        // The target is not declared here, so it has no records: the documented paths through it lead nowhere.
        if spec.nested_includes.contains(&path) {
            return Ok(());
        }
        let detail = format!("{rest} is not a valid relationship of {}", relationship.target);
        Err(ErrorObject::new(ErrorCode::InvalidInclude, "Invalid field", detail).into())
    }

    /// Brings a forest into the order of the declaration, in which recorded answers list what they include.
    pub(super) fn sort(forest: &mut [Self], spec: &'static ResourceSpec) {
        forest.sort_by_key(|node| {
            spec.relationships.iter().position(|relationship| relationship.name == node.relationship.name)
        });
        for node in forest {
            if let Some(target) = find(node.relationship.target) {
                Self::sort(&mut node.children, target);
            }
        }
    }
}

/// The members of a relationship, as type and id.
pub(super) async fn members(
    call: &Call<'_>,
    owner: &Record,
    relationship: &'static RelationshipSpec,
) -> Result<Vec<(String, Uuid)>, Refused> {
    match membership(owner.kind, relationship.name, &owner.attributes()?) {
        Membership::Linked => Ok(call.app.store.members(owner, relationship.name).await?),
        Membership::Matching(values) => {
            let Some(spec) = find(relationship.target) else { return Ok(Vec::new()) };
            let listing = call.app.store.list(matching(call, spec, values)).await?;
            Ok(listing.records.into_iter().map(|record| (spec.name.to_owned(), record.id)).collect())
        }
    }
}

/// The list of all records of a type with these values.
pub(super) fn matching(
    call: &Call<'_>,
    spec: &'static ResourceSpec,
    values: &'static [(&'static str, bool)],
) -> ListQuery {
    let condition = |(path, flag): &(&'static str, bool)| Condition {
        test: didww_types::FilterTest::Equals(path),
        values: vec![IndexValue::Integer(i64::from(*flag))],
    };
    ListQuery {
        scope: call.scope(spec),
        linked_from: None,
        conditions: values.iter().map(condition).collect(),
        order: Vec::new(),
        offset: 0,
        limit: u64::MAX,
    }
}

/// A record with the members of the relationships that are included from it.
#[derive(Debug)]
pub(super) struct Shown {
    pub(super) record: Record,
    pub(super) spec: &'static ResourceSpec,
    pub(super) members: Vec<(&'static str, Vec<(String, Uuid)>)>,
}

/// Finds what a forest includes from these records: first the records themselves, then each included one once.
pub(super) async fn gather(
    call: &Call<'_>,
    spec: &'static ResourceSpec,
    records: Vec<Record>,
    forest: &[Node],
) -> Result<(Vec<Shown>, Vec<Shown>), Refused> {
    if forest.is_empty() {
        let alone = |record| Shown { record, spec, members: Vec::new() };
        return Ok((records.into_iter().map(alone).collect(), Vec::new()));
    }
    let mut seen: HashSet<Uuid> = records.iter().map(|record| record.id).collect();
    let mut included = Vec::new();
    let mut level = vec![(spec, records, forest)];
    let mut primary = None;
    while let Some((spec, records, forest)) = level.pop() {
        let mut shown = Vec::with_capacity(records.len());
        for record in records {
            let mut linked = Vec::with_capacity(forest.len());
            for node in forest {
                let members = members(call, &record, node.relationship).await?;
                if let Some(target) = find(node.relationship.target) {
                    let new = members.iter().map(|(_, id)| *id).filter(|id| seen.insert(*id)).collect();
                    let found = call.app.store.find_all(call.scope(target), new).await?;
                    level.push((target, found, node.children.as_slice()));
                }
                linked.push((node.relationship.name, members));
            }
            shown.push(Shown { record, spec, members: linked });
        }
        if primary.is_none() {
            primary = Some(shown);
            // Taken from the end, so the first relationship's records come first.
            level.reverse();
        } else {
            included.extend(shown);
        }
    }
    Ok((primary.unwrap_or_default(), included))
}
