//! Reads the records that the rules of a type need for a decision.

use std::collections::{HashMap, HashSet};

use didww_types::{FilterTest, ResourceSpec};
use serde_json::{Map, Value};
use trunk_rules::domain::{Found, FoundRecord, Links, Need};
use trunk_store::{Condition, IndexValue, ListQuery, Record, StoreError};
use uuid::Uuid;

use super::context::RequestContext;
use super::target::parse_id;

/// Maximum number of rounds in which rules name further records that they need.
const MAX_ROUNDS: usize = 4;
/// Maximum number of members that are read for the relationships of several records. A decision on a part of them would
/// be wrong, so rules refuse requests with more.
const MAX_MEMBERS: usize = if cfg!(test) { 4 } else { 10_000 };

/// Maximum number of needs that are read together. The store reads as many records without waiting for a turn.
const MAX_TOGETHER: usize = if cfg!(test) { 2 } else { 100 };

/// The records that were read for the rules, and the conditions for the transaction.
#[derive(Debug, Default)]
pub(super) struct Needed {
    pub(super) found: Vec<Found>,
    pub(super) records: Vec<Record>,
}

impl Needed {
    /// Reads the records that the rules of a type need for a write with these attributes, and with links to these
    /// records. `updated` is the record that the write updates.
    pub(super) async fn for_write(
        context: &RequestContext<'_>,
        spec: &'static ResourceSpec,
        updated: Option<&Record>,
        sent: &Map<String, Value>,
        links: &Links,
    ) -> Result<Self, StoreError> {
        let mut needed = Self::default();
        let updated = updated.map(|record| record.id.to_string());
        for _ in 0..MAX_ROUNDS {
            let mut needs = context.rules.needs(spec, sent, &needed.found);
            needs.extend(context.rules.link_needs(spec, links, &needed.found));
            if let Some(id) = &updated {
                needs.extend(context.rules.update_needs(spec, id, links, &needed.found));
            }
            if needs.is_empty() {
                break;
            }
            needed.read_all(context, needs).await?;
        }
        Ok(needed)
    }

    /// Reads the records that these needs name.
    pub(super) async fn of(context: &RequestContext<'_>, needs: &[Need]) -> Result<Self, StoreError> {
        let mut needed = Self::default();
        for need in needs {
            needed.read(context, need.clone()).await?;
        }
        Ok(needed)
    }

    /// Reads the records that these needs name. Needs that are alike are read together: an order can name a hundred
    /// numbers, each with its group.
    async fn read_all(&mut self, context: &RequestContext<'_>, needs: Vec<Need>) -> Result<(), StoreError> {
        let mut rest = needs.into_iter();
        while let Some(first) = rest.next() {
            let (mut alike, others): (Vec<Need>, Vec<Need>) = rest.partition(|need| are_alike(&first, need));
            rest = others.into_iter();
            if alike.is_empty() {
                self.read(context, first).await?;
                continue;
            }
            alike.push(first);
            for some in alike.chunks(MAX_TOGETHER) {
                let records = records_of_alike(context, some).await?;
                for (need, record) in some.iter().zip(records) {
                    self.keep(need.clone(), record.into_iter().collect());
                }
            }
        }
        Ok(())
    }

    async fn read(&mut self, context: &RequestContext<'_>, need: Need) -> Result<(), StoreError> {
        let records = records(context, &need).await?;
        self.keep(need, records);
        Ok(())
    }

    fn keep(&mut self, need: Need, records: Vec<Record>) {
        let record = |record: &Record| FoundRecord {
            id: record.id.to_string(),
            attributes: record.attributes.clone(),
            meta: record.meta.clone(),
        };
        self.found.push(Found { need, records: records.iter().map(record).collect() });
        self.records.extend(records);
    }
}

/// Whether two needs differ in the id of one record alone, and each is one record at most.
fn are_alike(one: &Need, other: &Need) -> bool {
    match (one, other) {
        (Need::ById(spec, ids), Need::ById(of_other, others)) => {
            spec.name == of_other.name && ids.len() == 1 && others.len() == 1
        }
        (Need::Members(spec, _, through), Need::Members(of_other, _, through_other)) => {
            let declared = spec.relationship(through);
            let leads_to_one = declared.is_some_and(|declared| !declared.many && declared.inverse.is_none());
            spec.name == of_other.name && through == through_other && leads_to_one
        }
        _ => false,
    }
}

/// Reads the records of needs that are [alike](are_alike), in the order of the needs.
async fn records_of_alike(
    context: &RequestContext<'_>,
    needs: &[Need],
) -> Result<Vec<Option<Record>>, StoreError> {
    let id = |need: &Need| match need {
        Need::ById(_, ids) => ids.first().and_then(|id| parse_id(id)),
        Need::Members(_, id, _) => parse_id(id),
        _ => None,
    };
    let ids: Vec<Option<Uuid>> = needs.iter().map(id).collect();
    let each_once: HashSet<Uuid> = ids.iter().flatten().copied().collect();
    let each_once: Vec<Uuid> = each_once.into_iter().collect();
    let by_id: HashMap<Uuid, Record> = match needs.first() {
        Some(Need::ById(spec, _)) => {
            let found = find_in_stock(context, spec, each_once).await?;
            found.into_iter().map(|record| (record.id, record)).collect()
        }
        Some(Need::Members(spec, _, relationship)) => {
            only_members(context, spec, relationship, each_once).await?
        }
        _ => HashMap::new(),
    };
    Ok(ids.iter().map(|id| id.as_ref().and_then(|id| by_id.get(id)).cloned()).collect())
}

/// Reads the member of a to-one relationship of records with these ids, by the id of its owner.
async fn only_members(
    context: &RequestContext<'_>,
    spec: &'static ResourceSpec,
    relationship: &'static str,
    owners: Vec<Uuid>,
) -> Result<HashMap<Uuid, Record>, StoreError> {
    let (store, scope) = (&context.core.store, context.scope(spec));
    let target = spec.relationship(relationship).and_then(|one| didww_types::find(one.target));
    let Some(target) = target else { return Ok(HashMap::new()) };
    let owners = store.find_all(scope, owners).await?;
    let owners: HashMap<i64, Uuid> = owners.into_iter().map(|owner| (owner.number, owner.id)).collect();
    let members = store.members(scope, owners.keys().copied().collect(), relationship, usize::MAX).await?;
    let ids: HashSet<Uuid> = members.iter().map(|(_, _, member)| *member).collect();
    let found = store.find_all(context.scope(target), ids.into_iter().collect()).await?;
    let found: HashMap<Uuid, Record> = found.into_iter().map(|record| (record.id, record)).collect();
    let of_owner =
        |(owner, _, member): &(i64, String, Uuid)| Some((*owners.get(owner)?, found.get(member)?.clone()));
    Ok(members.iter().filter_map(of_owner).collect())
}

async fn records(context: &RequestContext<'_>, need: &Need) -> Result<Vec<Record>, StoreError> {
    let store = &context.core.store;
    match need {
        Need::ById(spec, ids) => {
            let ids = ids.iter().filter_map(|id| parse_id(id)).collect();
            find_in_stock(context, spec, ids).await
        }
        Need::Own(spec) => {
            Ok(store.find(context.scope(spec), context.account.id).await?.into_iter().collect())
        }
        Need::Owners(spec, of, most) if is_searched(spec, of) => {
            let link = |(relationship, id): &(&'static str, String)| Some((*relationship, parse_id(id)?));
            let links: Option<Vec<_>> = of.iter().map(link).collect();
            // No record links to what is no id.
            let Some(links) = links else { return Ok(Vec::new()) };
            context.core.stock.find(&*context.core.store, context.scope(spec), links, *most).await
        }
        Need::Owners(spec, of, most) => {
            let linked = |(relationship, id): &(&'static str, String)| Condition {
                test: FilterTest::Linked(relationship),
                values: vec![IndexValue::Text(id.clone())],
            };
            let query = ListQuery {
                scope: context.scope(spec),
                linked_from: None,
                conditions: of.iter().map(linked).chain(Condition::in_stock(spec)).collect(),
                order: Vec::new(),
                offset: 0,
                limit: *most,
            };
            Ok(store.list(query).await?.records)
        }
        Need::MembersOf(spec, ids, relationship) => {
            let ids = ids.iter().filter_map(|id| parse_id(id)).collect();
            let owners = store.find_all(context.scope(spec), ids).await?;
            let target = spec.relationship(relationship).and_then(|one| didww_types::find(one.target));
            let Some(target) = target else { return Ok(Vec::new()) };
            let numbers = owners.iter().map(|owner| owner.number).collect();
            let members = store.members(context.scope(spec), numbers, relationship, MAX_MEMBERS + 1).await?;
            if members.len() > MAX_MEMBERS {
                let what = format!("a decision would need more than {MAX_MEMBERS} members of {relationship}");
                return Err(StoreError::Failed(what));
            }
            let mut seen = HashSet::with_capacity(members.len());
            let ids = members.into_iter().map(|(_, _, id)| id).filter(|id| seen.insert(*id)).collect();
            store.find_all(context.scope(target), ids).await
        }
        Need::Members(spec, id, relationship) => {
            let Some(id) = parse_id(id) else { return Ok(Vec::new()) };
            let Some(owner) = store.find(context.scope(spec), id).await? else { return Ok(Vec::new()) };
            let target = spec.relationship(relationship).and_then(|one| didww_types::find(one.target));
            let Some(target) = target else { return Ok(Vec::new()) };
            let members =
                store.members(context.scope(spec), vec![owner.number], relationship, usize::MAX).await?;
            let ids = members.into_iter().map(|(_, _, id)| id).collect();
            store.find_all(context.scope(target), ids).await
        }
    }
}

/// Whether the owners of these links are found by the links: no account has records of its own among them, and the
/// links are stored with them.
fn is_searched(spec: &ResourceSpec, of: &[(&'static str, String)]) -> bool {
    let is_stored = |(relationship, _): &(&'static str, String)| {
        spec.relationship(relationship).is_some_and(|declared| declared.inverse.is_none())
    };
    spec.global && spec.priced_by.is_none() && !of.is_empty() && of.iter().all(is_stored)
}

/// Finds the records that exist among these ids, that no other record has taken, and that have the price that they
/// need.
pub(super) async fn find_in_stock(
    context: &RequestContext<'_>,
    target: &'static ResourceSpec,
    ids: Vec<Uuid>,
) -> Result<Vec<Record>, StoreError> {
    let (store, scope) = (&context.core.store, context.scope(target));
    let found = store.find_all(scope, ids).await?;
    let are_all_in_stock = target.taken_by.is_empty() && target.priced_by.is_none();
    if are_all_in_stock || found.is_empty() {
        return Ok(found);
    }
    let values = found.iter().map(|record| IndexValue::Text(record.id.to_string())).collect();
    let named = Condition { test: FilterTest::Id, values };
    let query = ListQuery {
        scope,
        linked_from: None,
        conditions: std::iter::once(named).chain(Condition::in_stock(target)).collect(),
        order: Vec::new(),
        offset: 0,
        limit: found.len() as u64,
    };
    let free = store.list_ids(query).await?;
    Ok(found.into_iter().filter(|record| free.contains(&record.id)).collect())
}

#[cfg(test)]
mod tests {
    use didww_types::Resource as _;
    use didww_types::resources::{AvailableDid, Did, DidGroup, DidReservation, VoiceOutTrunk};
    use trunk_rules::domain::Rulebook;

    use super::super::fixture::Fixture;
    use super::*;

    #[tokio::test]
    async fn a_decision_is_made_on_all_members_of_several_records_or_on_none() {
        let fixture = Fixture::start(Rulebook::new(&[])).await;
        let mut dids: Vec<Uuid> = Vec::new();
        for number in 0..=MAX_MEMBERS {
            let number = format!("3706149822{number}");
            dids.push(fixture.insert(Did::SPEC, ("number", number.as_str()), Vec::new()).await.id);
        }
        let last = dids.split_off(MAX_MEMBERS);
        let many = fixture.insert(VoiceOutTrunk::SPEC, ("name", "A"), vec![("dids", dids)]).await.id;
        let one = fixture.insert(VoiceOutTrunk::SPEC, ("name", "B"), vec![("dids", last)]).await.id;
        let members = async |trunks: &[Uuid]| {
            let trunks = trunks.iter().map(Uuid::to_string).collect();
            let read =
                records(&fixture.context(), &Need::MembersOf(VoiceOutTrunk::SPEC, trunks, "dids")).await;
            read.map(|records| records.len())
        };
        assert_eq!(members(&[many]).await, Ok(MAX_MEMBERS));
        assert!(matches!(members(&[many, one]).await, Err(StoreError::Failed(_))));
    }

    #[tokio::test]
    async fn needs_that_are_alike_find_together_what_each_finds_alone() {
        let fixture = Fixture::start(Rulebook::new(&[])).await;
        let context = fixture.context();
        let (mut needs, mut in_stock) = (Vec::new(), Vec::new());
        for number in 1..=5 {
            let group = fixture.insert(DidGroup::SPEC, ("area_name", "Vilnius"), Vec::new()).await.id;
            let (text, links) = (format!("3706149822{number}"), vec![("did_group", vec![group])]);
            let stocked = fixture.insert(AvailableDid::SPEC, ("number", text.as_str()), links).await.id;
            if number == 4 {
                let links = vec![("available_did", vec![stocked])];
                fixture.insert(DidReservation::SPEC, ("description", "taken"), links).await;
            }
            needs.push(Need::ById(AvailableDid::SPEC, vec![stocked.to_string()]));
            needs.push(Need::Members(AvailableDid::SPEC, stocked.to_string(), "did_group"));
            let of_group = Need::Owners(AvailableDid::SPEC, vec![("did_group", group.to_string())], 9);
            in_stock.push(records(&context, &of_group).await.unwrap().len());
        }
        assert_eq!(in_stock, [1, 1, 1, 0, 1]);
        needs.push(Need::ById(AvailableDid::SPEC, vec!["none".to_owned()]));
        let nothing = Need::Owners(AvailableDid::SPEC, vec![("did_group", "none".to_owned())], 9);
        assert!(records(&context, &nothing).await.unwrap().is_empty());
        let mut together = Needed::default();
        together.read_all(&context, needs.clone()).await.unwrap();
        assert_eq!(together.found.len(), needs.len());
        for need in &needs {
            let alone = records(&context, need).await.unwrap();
            let alone: Vec<String> = alone.iter().map(|record| record.id.to_string()).collect();
            let found = together.found.iter().find(|found| found.need == *need).unwrap();
            let found: Vec<&str> = found.records.iter().map(|record| record.id.as_str()).collect();
            assert_eq!(found, alone, "{need:?}");
        }
    }
}
