//! The `include` parameter: the relationships that it names, and the records that the response includes for them.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::pin::Pin;

use didww_types::{ErrorCode, ErrorObject, NestedInclude, RelationshipSpec, ResourceSpec, find};
use serde_json::{Map, Value};
use trunk_rules::domain::{Counted, Membership};
use uuid::Uuid;

use super::context::RequestContext;
use super::cooperative::yield_periodically;
use super::error::ApiError;
use super::target::parse_id;
use trunk_store::{Condition, IndexValue, ListQuery, Record, StoreError};

/// A relationship whose records the response includes, with the relationships of those records to include in turn.
#[derive(Debug, Clone)]
pub(crate) struct IncludeNode {
    /// The relationship, declared by the resource of the parent node or of the operation.
    pub relationship: &'static RelationshipSpec,
    /// Relationships of the relationship's target.
    pub children: Vec<IncludeNode>,
}

impl IncludeNode {
    /// Adds a dotted path such as `dids.order` to a forest whose roots are relationships of `specs`, the types that the
    /// records can have. A name is that of the first of them which has it.
    ///
    /// # Errors
    /// An error object if the path has more than [`MAX_PATH_LENGTH`] names, or names an unknown relationship.
    pub(super) fn add(
        context: &RequestContext<'_>,
        specs: &[&'static ResourceSpec],
        forest: &mut Vec<Self>,
        path: &str,
    ) -> Result<(), Box<ErrorObject>> {
        if path.split('.').count() > MAX_PATH_LENGTH {
            return Err(invalid(format!("{path} has more than {MAX_PATH_LENGTH} relationships")));
        }
        Self::add_below(context, specs, forest, path)
    }

    fn add_below(
        context: &RequestContext<'_>,
        specs: &[&'static ResourceSpec],
        forest: &mut Vec<Self>,
        path: &str,
    ) -> Result<(), Box<ErrorObject>> {
        let (name, rest) = path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
        let found = specs.iter().find_map(|&spec| Some((spec, context.relationship(spec, name)?)));
        let Some((spec, relationship)) = found else {
            let owner = specs.first().map(|spec| spec.name_at(context.version)).unwrap_or_default();
            return Err(invalid(format!("{name} is not a valid relationship of {owner}")));
        };
        let index =
            forest.iter().position(|node| node.relationship.name == relationship.name).unwrap_or_else(|| {
                forest.push(Self { relationship, children: Vec::new() });
                forest.len() - 1
            });
        let (Some(rest), Some(node)) = (rest, forest.get_mut(index)) else { return Ok(()) };
        let targets = relationship_targets(relationship);
        if !targets.is_empty() {
            return Self::add_below(context, &targets, &mut node.children, rest);
        }
        // This server does not declare the target, so there are no records. DIDWW documents some paths through such a
        // target; they are accepted in versions that have them, and include no records.
        let is_documented = |include: &NestedInclude| {
            let below = include.path.strip_prefix(relationship.name).and_then(|path| path.strip_prefix('.'));
            include.exists_in(context.version) && below == Some(rest)
        };
        if spec.nested_includes.iter().any(is_documented) {
            return Ok(());
        }
        // As in the framework behind the API, the error names one relationship and not the rest of the path.
        let named = rest.split('.').next().unwrap_or(rest);
        Err(invalid(format!(
            "{named} is not a valid relationship of {}",
            relationship.target_at(context.version)
        )))
    }

    /// Sorts a forest by the order of declaration, in which recorded responses list the included records.
    pub(super) fn sort(forest: &mut [Self], specs: &[&'static ResourceSpec]) {
        forest.sort_by_key(|node| {
            let mut declared = specs.iter().flat_map(|spec| spec.relationships);
            declared.position(|relationship| relationship.name == node.relationship.name)
        });
        for node in forest {
            Self::sort(&mut node.children, &relationship_targets(node.relationship));
        }
    }
}

/// The declared types that the records of a relationship can have.
pub(super) fn relationship_targets(relationship: &RelationshipSpec) -> Vec<&'static ResourceSpec> {
    relationship.targets().filter_map(find).collect()
}

fn invalid(detail: String) -> Box<ErrorObject> {
    ErrorObject::new(ErrorCode::InvalidInclude, "Invalid field", detail).into()
}

/// Maximum number of relationships in one include path. Types can refer to each other, so that paths could be
/// endless.
const MAX_PATH_LENGTH: usize = 8;

/// Maximum number of bytes of the attributes of all records that are read to include them in one response. A record
/// that several paths reach is read, and counts, once for each of them that includes further records from it.
const MAX_INCLUDED_BYTES: usize = 16 << 20;

/// Maximum number of resource identifiers in the relationships of one response. A trunk can be configured to have all
/// DIDs of its account, so that the size of a page would otherwise be the product of both numbers.
const MAX_IDENTIFIERS: usize = 100_000;

/// The resource identifiers of a relationship: type and id.
type Identifiers = Vec<(String, Uuid)>;

/// Reads the identifiers of a relationship of one record.
pub(super) async fn related_identifiers(
    context: &RequestContext<'_>,
    spec: &'static ResourceSpec,
    owner: &Record,
    relationship: &'static RelationshipSpec,
) -> Result<Identifiers, ApiError> {
    let owners = std::slice::from_ref(owner);
    let all = related_identifiers_of_each(context, spec, owners, relationship, &mut MAX_IDENTIFIERS.clone())
        .await?;
    Ok(all.into_iter().next().unwrap_or_default())
}

/// Reads the identifiers of a relationship of each owner. `left` is the number of identifiers that the response may
/// still contain.
///
/// # Errors
/// 400 if there are more than `left`.
async fn related_identifiers_of_each(
    context: &RequestContext<'_>,
    spec: &'static ResourceSpec,
    owners: &[Record],
    relationship: &'static RelationshipSpec,
    left: &mut usize,
) -> Result<Vec<Identifiers>, ApiError> {
    if find(relationship.target).is_none() {
        // A type that this server does not declare has no records.
        return Ok(owners.iter().map(|_| Identifiers::new()).collect());
    }
    let store = &context.core.store;
    let mut memberships: Vec<Membership> = Vec::with_capacity(owners.len());
    for (index, owner) in owners.iter().enumerate() {
        memberships.push(membership(context, spec, owner, relationship)?);
        yield_periodically(index).await;
    }
    let by_link = |(owner, membership): (&Record, &Membership)| {
        matches!(membership, Membership::Linked).then_some(owner.number)
    };
    let linked: Vec<i64> = owners.iter().zip(&memberships).filter_map(by_link).collect();
    let linked = if linked.is_empty() {
        Vec::new()
    } else {
        store.members(context.scope(spec), linked, relationship.name, left.saturating_add(1)).await?
    };
    let mut linked = linked.into_iter().peekable();
    // Records that match are the same for every owner.
    let mut matches: Option<Identifiers> = None;
    let mut all = Vec::with_capacity(owners.len());
    for (owner, membership) in owners.iter().zip(memberships) {
        let mut members = match membership {
            Membership::Linked => {
                let mut members = Identifiers::new();
                while let Some((_, kind, id)) = linked.next_if(|(number, ..)| *number == owner.number) {
                    members.push((kind, id));
                }
                members
            }
            Membership::Fixed(id) => {
                id.and_then(parse_id).map(|id| (relationship.target.to_owned(), id)).into_iter().collect()
            }
            Membership::Matching(values) => match (&matches, find(relationship.target)) {
                (Some(members), _) => members.clone(),
                (None, None) => Identifiers::new(),
                (None, Some(target)) => {
                    let limit = u64::try_from(left.saturating_add(1)).unwrap_or(u64::MAX);
                    let query = ListQuery { limit, ..matching(context, target, values) };
                    let ids = store.list_ids(query).await?;
                    let members: Identifiers =
                        ids.into_iter().map(|id| (target.name.to_owned(), id)).collect();
                    matches.insert(members).clone()
                }
            },
        };
        // If several records refer to the owner, the newest one is the member of a to-one relationship.
        if !relationship.many && members.len() > 1 {
            members = members.split_off(members.len() - 1);
        }
        *left = left.checked_sub(members.len()).ok_or_else(|| {
            StoreError::TooLarge(format!("more than {MAX_IDENTIFIERS} identifiers of related records"))
        })?;
        all.push(members);
    }
    Ok(all)
}

/// Sets the members of the records' `meta` that are numbers of members of a relationship.
///
/// # Errors
/// 400 if the members of all records are more than [`MAX_IDENTIFIERS`].
async fn count_members(
    context: &RequestContext<'_>,
    spec: &'static ResourceSpec,
    records: &mut [Record],
) -> Result<(), ApiError> {
    let counted = context.rules.counted(spec);
    if counted.is_empty() || records.is_empty() {
        return Ok(());
    }
    let mut metas: Vec<Map<String, Value>> =
        records.iter().map(Record::meta).collect::<Result<_, StoreError>>()?;
    for Counted { member, relationship } in counted {
        let numbers: Vec<i64> = records.iter().map(|record| record.number).collect();
        let scope = context.scope(spec);
        let members = context
            .core
            .store
            .members(scope, numbers, relationship, MAX_IDENTIFIERS.saturating_add(1))
            .await?;
        if members.len() > MAX_IDENTIFIERS {
            return Err(StoreError::TooLarge(format!("counts of more than {MAX_IDENTIFIERS} records")).into());
        }
        let mut counts: HashMap<i64, u64> = HashMap::with_capacity(records.len());
        for (owner, ..) in members {
            *counts.entry(owner).or_default() += 1;
        }
        for (record, meta) in records.iter().zip(&mut metas) {
            let count = counts.get(&record.number).copied().unwrap_or_default();
            meta.insert((*member).to_owned(), Value::from(count));
        }
    }
    for (record, meta) in records.iter_mut().zip(metas) {
        record.meta = Some(Value::Object(meta).to_string());
    }
    Ok(())
}

/// Returns how the members of a relationship of a record are determined.
pub(super) fn membership(
    context: &RequestContext<'_>,
    spec: &ResourceSpec,
    owner: &Record,
    relationship: &RelationshipSpec,
) -> Result<Membership, ApiError> {
    let membership = context.rules.membership(spec, relationship.name, &owner.attributes);
    membership
        .map_err(|error| ApiError::internal(format!("attributes of {} {}: {error}", spec.name, owner.id)))
}

/// Builds the query for all records of a resource that have these values.
pub(super) fn matching(
    context: &RequestContext<'_>,
    spec: &'static ResourceSpec,
    values: &'static [(&'static str, bool)],
) -> ListQuery {
    let condition = |(path, flag): &(&'static str, bool)| Condition {
        test: didww_types::FilterTest::Equals(path),
        values: vec![IndexValue::Integer(i64::from(*flag))],
    };
    ListQuery {
        scope: context.scope(spec),
        linked_from: None,
        conditions: values.iter().map(condition).collect(),
        order: Vec::new(),
        offset: 0,
        limit: u64::MAX,
    }
}

/// A record to render, with the identifiers of those of its relationships that are included.
#[derive(Debug)]
pub(super) struct RecordWithLinkage {
    pub(super) record: Record,
    pub(super) spec: &'static ResourceSpec,
    pub(super) linkage: Vec<(&'static str, Identifiers)>,
}

/// Reads the records that a forest includes. Returns the given records with their linkage, then the included records,
/// each once.
pub(super) async fn collect_included(
    context: &RequestContext<'_>,
    spec: &'static ResourceSpec,
    records: Vec<Record>,
    forest: &[IncludeNode],
) -> Result<(Vec<RecordWithLinkage>, Vec<RecordWithLinkage>), ApiError> {
    collect_within(context, spec, records, forest, MAX_INCLUDED_BYTES).await
}

/// As [`collect_included`], with this limit of bytes.
async fn collect_within(
    context: &RequestContext<'_>,
    spec: &'static ResourceSpec,
    mut records: Vec<Record>,
    forest: &[IncludeNode],
    max_bytes: usize,
) -> Result<(Vec<RecordWithLinkage>, Vec<RecordWithLinkage>), ApiError> {
    count_members(context, spec, &mut records).await?;
    if forest.is_empty() {
        // Most requests include nothing.
        let alone = |record| RecordWithLinkage { record, spec, linkage: Vec::new() };
        return Ok((records.into_iter().map(alone).collect(), Vec::new()));
    }
    let seen = records.iter().map(|record| record.id).collect();
    let mut collector = Collector { context, seen, left: MAX_IDENTIFIERS, bytes_left: max_bytes };
    let (primary, included): (Vec<RecordWithLinkage>, Vec<Vec<RecordWithLinkage>>) =
        Box::pin(collector.expand(spec, records, forest)).await?.into_iter().unzip();
    let length = primary.len();
    let mut all = merge(primary.into_iter().chain(included.into_iter().flatten()));
    let included = all.split_off(length.min(all.len()));
    Ok((all, included))
}

/// Merges the linkage of a record that several paths reach into the first of its occurrences, and drops the others.
fn merge(records: impl Iterator<Item = RecordWithLinkage>) -> Vec<RecordWithLinkage> {
    let mut merged: Vec<RecordWithLinkage> = Vec::with_capacity(records.size_hint().0);
    let mut positions = HashMap::new();
    for entry in records {
        match positions.entry(entry.record.id) {
            Entry::Vacant(position) => {
                position.insert(merged.len());
                merged.push(entry);
            }
            Entry::Occupied(position) => {
                let Some(first) = merged.get_mut(*position.get()) else { continue };
                for (name, identifiers) in entry.linkage {
                    if !first.linkage.iter().any(|(known, _)| *known == name) {
                        first.linkage.push((name, identifiers));
                    }
                }
            }
        }
    }
    merged
}

/// Collects the records of one response. It queries the store once for each relationship, not for each record.
struct Collector<'a> {
    context: &'a RequestContext<'a>,
    /// The ids of records that the response already contains.
    seen: HashSet<Uuid>,
    /// The number of identifiers that the response may still contain.
    left: usize,
    /// The number of bytes that further included records may still have.
    bytes_left: usize,
}

/// Each record with the records that are included because of it.
type Expanded = Vec<(RecordWithLinkage, Vec<RecordWithLinkage>)>;

/// A relationship of the type of some records, with the nodes below it.
pub(super) type OwnNode<'n> = (&'static RelationshipSpec, &'n [IncludeNode]);

/// The nodes whose relationships a type declares. If the records of a relationship can have one of two types, its node
/// has children for the relationships of both.
pub(super) fn own_nodes<'n>(
    context: &RequestContext<'_>,
    spec: &'static ResourceSpec,
    forest: &'n [IncludeNode],
) -> Vec<OwnNode<'n>> {
    let own = |node: &'n IncludeNode| {
        let mut relationships = context.relationships(spec);
        let relationship = relationships.find(|one| one.name == node.relationship.name)?;
        Some((relationship, node.children.as_slice()))
    };
    forest.iter().filter_map(own).collect()
}

impl Collector<'_> {
    fn expand<'s>(
        &'s mut self,
        spec: &'static ResourceSpec,
        records: Vec<Record>,
        forest: &'s [IncludeNode],
    ) -> Pin<Box<dyn Future<Output = Result<Expanded, ApiError>> + Send + 's>> {
        Box::pin(async move {
            let forest: Vec<OwnNode<'s>> = own_nodes(self.context, spec, forest);
            // Indexed by relationship, then by record.
            let mut members = Vec::with_capacity(forest.len());
            for &(relationship, _) in &forest {
                let of =
                    related_identifiers_of_each(self.context, spec, &records, relationship, &mut self.left)
                        .await?;
                members.push(of);
            }
            let new = self.select_unread(records.len(), &forest, &members);
            let mut included: Vec<Vec<RecordWithLinkage>> = records.iter().map(|_| Vec::new()).collect();
            for ((relationship, children), new) in forest.iter().zip(new) {
                for target in relationship_targets(relationship) {
                    let groups = self.groups(target, &new, children).await?;
                    for (group, included) in groups.into_iter().zip(&mut included) {
                        included.extend(group);
                    }
                }
            }
            let mut members: Vec<_> = members.into_iter().map(Vec::into_iter).collect();
            let shown = |record| {
                let linkage = members
                    .iter_mut()
                    .zip(&forest)
                    .filter_map(|(members, (relationship, _))| Some((relationship.name, members.next()?)));
                RecordWithLinkage { record, spec, linkage: linkage.collect() }
            };
            Ok(records.into_iter().map(shown).zip(included).collect())
        })
    }

    /// Returns the ids of the records to read, by relationship and then by record: those that the response does not
    /// contain yet, and those from which the relationship's node includes further records. An id that several records
    /// lead to is returned for the first of these records.
    fn select_unread(
        &mut self,
        records: usize,
        forest: &[OwnNode<'_>],
        members: &[Vec<Identifiers>],
    ) -> Vec<Vec<Vec<Uuid>>> {
        let mut new: Vec<Vec<Vec<Uuid>>> = forest.iter().map(|_| Vec::with_capacity(records)).collect();
        // Including the ids that were returned for this node. Each node is expanded once, so no other call returns
        // them.
        let mut members: Vec<_> = members.iter().map(|of| (of.iter(), HashSet::new())).collect();
        for _ in 0..records {
            for (((members, expanded), new), (_, children)) in members.iter_mut().zip(&mut new).zip(forest) {
                let ids = members.next().into_iter().flatten().map(|(_, id)| *id);
                let is_read = |id: &Uuid| {
                    let is_new = self.seen.insert(*id);
                    if children.is_empty() { is_new } else { expanded.insert(*id) }
                };
                new.push(ids.filter(is_read).collect());
            }
        }
        new
    }

    /// Reads groups of records by id. In the result each group is followed by the records that are included from it.
    async fn groups(
        &mut self,
        target: &'static ResourceSpec,
        groups: &[Vec<Uuid>],
        forest: &[IncludeNode],
    ) -> Result<Vec<Vec<RecordWithLinkage>>, ApiError> {
        let ids: Vec<Uuid> = groups.iter().flatten().copied().collect();
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut found = self.context.core.store.find_all(self.context.scope(target), ids).await?;
        count_members(self.context, target, &mut found).await?;
        let bytes: usize = found.iter().map(|record| record.attributes.len()).sum();
        self.bytes_left = self
            .bytes_left
            .checked_sub(bytes)
            .ok_or_else(|| StoreError::TooLarge("included records of too many bytes".to_owned()))?;
        let existing: HashSet<Uuid> = found.iter().map(|record| record.id).collect();
        let mut expanded = self.expand(target, found, forest).await?.into_iter();
        let group = |ids: &Vec<Uuid>| {
            let length = ids.iter().filter(|id| existing.contains(id)).count();
            let (mut shown, below): (Vec<RecordWithLinkage>, Vec<Vec<RecordWithLinkage>>) =
                expanded.by_ref().take(length).unzip();
            shown.extend(below.into_iter().flatten());
            shown
        };
        Ok(groups.iter().map(group).collect())
    }
}

#[cfg(test)]
mod tests;
