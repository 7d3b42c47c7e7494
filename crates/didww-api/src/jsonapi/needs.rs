//! Reads the records that the rules of a type need for a decision.

use std::collections::HashSet;

use didww_types::{FilterTest, ResourceSpec};
use serde_json::{Map, Value};
use trunk_rules::domain::{Found, FoundRecord, Links, Need};
use trunk_store::{Condition, IndexValue, ListQuery, Record, StoreError};

use super::context::RequestContext;
use super::target::parse_id;

/// Maximum number of rounds in which rules name further records that they need.
const MAX_ROUNDS: usize = 4;
/// Maximum number of members that are read for the relationships of several records. A decision on a part of them would
/// be wrong, so rules refuse requests with more.
const MAX_MEMBERS: usize = if cfg!(test) { 4 } else { 10_000 };

/// The records that were read for the rules, and the conditions for the transaction.
#[derive(Debug, Default)]
pub(super) struct Needed {
    pub(super) found: Vec<Found>,
    pub(super) records: Vec<Record>,
}

impl Needed {
    /// Reads the records that the rules of a type need for a write with these attributes, and with links to these
    /// records.
    pub(super) async fn for_write(
        context: &RequestContext<'_>,
        spec: &'static ResourceSpec,
        sent: &Map<String, Value>,
        links: &Links,
    ) -> Result<Self, StoreError> {
        let mut needed = Self::default();
        for _ in 0..MAX_ROUNDS {
            let mut needs = context.rules.needs(spec, sent, &needed.found);
            needs.extend(context.rules.link_needs(spec, links, &needed.found));
            if needs.is_empty() {
                break;
            }
            for need in needs {
                needed.read(context, need).await?;
            }
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

    async fn read(&mut self, context: &RequestContext<'_>, need: Need) -> Result<(), StoreError> {
        let records = records(context, &need).await?;
        let record = |record: &Record| FoundRecord {
            id: record.id.to_string(),
            attributes: record.attributes.clone(),
            meta: record.meta.clone(),
        };
        self.found.push(Found { need, records: records.iter().map(record).collect() });
        self.records.extend(records);
        Ok(())
    }
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

/// Finds the records that exist among these ids, that no other record has taken, and that have the price that they
/// need.
pub(super) async fn find_in_stock(
    context: &RequestContext<'_>,
    target: &'static ResourceSpec,
    ids: Vec<uuid::Uuid>,
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
    use didww_types::resources::{Did, VoiceOutTrunk};
    use trunk_rules::domain::Rulebook;
    use uuid::Uuid;

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
}
