//! What the `include` parameter asks for, and the records that answer it.

use std::collections::HashSet;
use std::pin::Pin;

use didww_types::{ErrorCode, ErrorObject, RelationshipSpec, ResourceSpec, find};
use trunk_rules::domain::{Membership, membership};
use uuid::Uuid;

use super::pace::pause;
use super::{Call, Refused};
use trunk_store::{Condition, IndexValue, ListQuery, Record, StoreError};

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

/// Most identifiers that the relationships of one answer hold. With the switches that make all DIDs of an account
/// members of each trunk, a page without a bound would be the product of both.
const IDENTIFIERS: usize = 100_000;

/// Type and id of each member of a relationship.
type Members = Vec<(String, Uuid)>;

/// The members of a record's relationship.
pub(super) async fn members(
    call: &Call<'_>,
    spec: &'static ResourceSpec,
    owner: &Record,
    relationship: &'static RelationshipSpec,
) -> Result<Members, Refused> {
    let owners = std::slice::from_ref(owner);
    let all = members_of(call, spec, owners, relationship, &mut IDENTIFIERS.clone()).await?;
    Ok(all.into_iter().next().unwrap_or_default())
}

/// The members of a relationship of each of these records. `left` is how many the answer may still hold.
async fn members_of(
    call: &Call<'_>,
    spec: &'static ResourceSpec,
    owners: &[Record],
    relationship: &'static RelationshipSpec,
    left: &mut usize,
) -> Result<Vec<Members>, Refused> {
    let store = &call.core.store;
    let mut memberships: Vec<Membership> = Vec::with_capacity(owners.len());
    for (place, owner) in owners.iter().enumerate() {
        memberships.push(membership(owner.kind, relationship.name, &owner.attributes()?));
        pause(place).await;
    }
    let by_link = |(owner, membership): (&Record, &Membership)| {
        matches!(membership, Membership::Linked).then_some(owner.number)
    };
    let linked: Vec<i64> = owners.iter().zip(&memberships).filter_map(by_link).collect();
    let linked = if linked.is_empty() {
        Vec::new()
    } else {
        store.members(call.scope(spec), linked, relationship.name, left.saturating_add(1)).await?
    };
    let mut linked = linked.into_iter().peekable();
    // Those that match are the same for every record.
    let mut matches: Option<Members> = None;
    let mut all = Vec::with_capacity(owners.len());
    for (owner, membership) in owners.iter().zip(memberships) {
        let members = match membership {
            Membership::Linked => {
                let mut members = Members::new();
                while let Some((_, kind, id)) = linked.next_if(|(number, ..)| *number == owner.number) {
                    members.push((kind, id));
                }
                members
            }
            Membership::Matching(values) => match (&matches, find(relationship.target)) {
                (Some(members), _) => members.clone(),
                (None, None) => Members::new(),
                (None, Some(target)) => {
                    let limit = u64::try_from(left.saturating_add(1)).unwrap_or(u64::MAX);
                    let query = ListQuery { limit, ..matching(call, target, values) };
                    let ids = store.list_ids(query).await?;
                    let members: Members = ids.into_iter().map(|id| (target.name.to_owned(), id)).collect();
                    matches.insert(members).clone()
                }
            },
        };
        *left = left.checked_sub(members.len()).ok_or_else(|| {
            StoreError::TooLarge(format!("more than {IDENTIFIERS} identifiers of related records"))
        })?;
        all.push(members);
    }
    Ok(all)
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
    pub(super) members: Vec<(&'static str, Members)>,
}

/// Finds what a forest includes from these records: first the records themselves, then each included one once.
pub(super) async fn gather(
    call: &Call<'_>,
    spec: &'static ResourceSpec,
    records: Vec<Record>,
    forest: &[Node],
) -> Result<(Vec<Shown>, Vec<Shown>), Refused> {
    let seen =
        if forest.is_empty() { HashSet::new() } else { records.iter().map(|record| record.id).collect() };
    let (primary, included): (Vec<Shown>, Vec<Vec<Shown>>) =
        Gathering { call, seen, left: IDENTIFIERS }.expand(spec, records, forest).await?.into_iter().unzip();
    Ok((primary, included.into_iter().flatten().collect()))
}

/// What is gathered for one answer. The store is asked once for each relationship, not for each record.
struct Gathering<'a> {
    call: &'a Call<'a>,
    /// Records that the answer holds already.
    seen: HashSet<Uuid>,
    /// Identifiers that it may still hold.
    left: usize,
}

/// Each record, with those that are included for its sake.
type Expanded = Vec<(Shown, Vec<Shown>)>;

impl Gathering<'_> {
    fn expand<'s>(
        &'s mut self,
        spec: &'static ResourceSpec,
        records: Vec<Record>,
        forest: &'s [Node],
    ) -> Pin<Box<dyn Future<Output = Result<Expanded, Refused>> + Send + 's>> {
        Box::pin(async move {
            // By relationship, then by record.
            let mut members = Vec::with_capacity(forest.len());
            for node in forest {
                let of = members_of(self.call, spec, &records, node.relationship, &mut self.left).await?;
                members.push(of);
            }
            let new = self.unseen(records.len(), forest, &members);
            let mut included: Vec<Vec<Shown>> = records.iter().map(|_| Vec::new()).collect();
            for (node, new) in forest.iter().zip(new) {
                if let Some(target) = find(node.relationship.target) {
                    let groups = self.groups(target, new, &node.children).await?;
                    for (group, included) in groups.into_iter().zip(&mut included) {
                        included.extend(group);
                    }
                }
            }
            let mut members: Vec<_> = members.into_iter().map(Vec::into_iter).collect();
            let shown = |record| {
                let own = members
                    .iter_mut()
                    .zip(forest)
                    .filter_map(|(members, node)| Some((node.relationship.name, members.next()?)));
                Shown { record, spec, members: own.collect() }
            };
            Ok(records.into_iter().map(shown).zip(included).collect())
        })
    }

    /// The ids that come into the answer, by relationship and then by record. Which record one comes in for is decided
    /// record by record.
    fn unseen(&mut self, records: usize, forest: &[Node], members: &[Vec<Members>]) -> Vec<Vec<Vec<Uuid>>> {
        let mut new: Vec<Vec<Vec<Uuid>>> = forest.iter().map(|_| Vec::with_capacity(records)).collect();
        let mut members: Vec<_> = members.iter().map(|of| of.iter()).collect();
        for _ in 0..records {
            for ((members, new), node) in members.iter_mut().zip(&mut new).zip(forest) {
                let declared = find(node.relationship.target).is_some();
                let ids = members.next().into_iter().flatten().map(|(_, id)| *id);
                new.push(ids.filter(|id| declared && self.seen.insert(*id)).collect());
            }
        }
        new
    }

    /// Each group of records by their ids, with what is included from them after it.
    async fn groups(
        &mut self,
        target: &'static ResourceSpec,
        groups: Vec<Vec<Uuid>>,
        forest: &[Node],
    ) -> Result<Vec<Vec<Shown>>, Refused> {
        let ids: Vec<Uuid> = groups.iter().flatten().copied().collect();
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let found = self.call.core.store.find_all(self.call.scope(target), ids).await?;
        let there: HashSet<Uuid> = found.iter().map(|record| record.id).collect();
        let mut expanded = self.expand(target, found, forest).await?.into_iter();
        let group = |ids: Vec<Uuid>| {
            let length = ids.iter().filter(|id| there.contains(id)).count();
            let (mut shown, below): (Vec<Shown>, Vec<Vec<Shown>>) = expanded.by_ref().take(length).unzip();
            shown.extend(below.into_iter().flatten());
            shown
        };
        Ok(groups.into_iter().map(group).collect())
    }
}
