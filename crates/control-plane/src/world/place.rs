//! The records of a world with their ids and the ids of their members, in an order in which they can be created.

use didww_types::{AttributeSpec, ResourceSpec, find};
use uuid::Uuid;

use super::model::World;
use super::naming::{Labels, in_order, invalid, name};
use super::record::{Related, UPDATED_AT, WorldRecord, is_set, is_stored};
use crate::ControlError;

/// A record of a world that can be stored.
#[derive(Debug, Clone)]
pub(super) struct Placed<'a> {
    pub(super) spec: &'static ResourceSpec,
    /// The position of its account in the world; `None` for a record that all accounts share.
    pub(super) owner: Option<usize>,
    pub(super) id: Uuid,
    pub(super) record: &'a WorldRecord,
    /// The ids of the members of each relationship that is stored with the record, also of those without members.
    pub(super) links: Vec<(&'static str, Vec<Uuid>)>,
}

/// Places the records of a world, whose accounts have these ids.
///
/// # Errors
/// If ids or labels repeat, a relationship has a member that is neither a label nor an id, or a required attribute is
/// missing.
pub(super) fn place<'a>(world: &'a World, accounts: &[Uuid]) -> Result<Vec<Placed<'a>>, ControlError> {
    let (shared_ids, shared_labels) = name(Uuid::nil(), &world.shared)?;
    let mut groups = vec![(None, &world.shared, shared_ids, Labels::default())];
    for (position, (account, id)) in world.accounts.iter().zip(accounts).enumerate() {
        let (ids, labels) = name(*id, &account.records)?;
        groups.push((Some(position), &account.records, ids, labels));
    }
    let mut placed = Vec::with_capacity(world.record_count());
    for spec in in_order() {
        for (owner, records, ids, labels) in &groups {
            let lists = records.0.iter().zip(ids).filter(|((kind, _), _)| kind.name == spec.name);
            for ((_, records), ids) in lists {
                for (record, id) in records.iter().zip(ids) {
                    check_required(spec, record, *id)?;
                    let links = links(spec, record, labels, &shared_labels)?;
                    placed.push(Placed { spec, owner: *owner, id: *id, record, links });
                }
            }
        }
    }
    Ok(placed)
}

/// Refuses a record without an attribute that has no default.
fn check_required(spec: &ResourceSpec, record: &WorldRecord, id: Uuid) -> Result<(), ControlError> {
    let is_missing = |attribute: &&AttributeSpec| {
        is_set(attribute)
            && attribute.default.is_none()
            && attribute.name != UPDATED_AT
            && !record.attributes.contains_key(attribute.name)
    };
    match spec.attributes.iter().find(is_missing) {
        None => Ok(()),
        Some(missing) => {
            let named = record.label.clone().unwrap_or_else(|| id.to_string());
            Err(invalid(format!("lacks `{}` of {} `{named}`, which has no default", missing.name, spec.name)))
        }
    }
}

fn links(
    spec: &'static ResourceSpec,
    record: &WorldRecord,
    labels: &Labels,
    shared: &Labels,
) -> Result<Vec<(&'static str, Vec<Uuid>)>, ControlError> {
    let mut links = Vec::new();
    for relationship in spec.relationships.iter().filter(|one| is_stored(one)) {
        let names = record.relationships.get(relationship.name).map_or(&[][..], Related::names);
        if names.is_empty() && find(relationship.target).is_none() {
            continue;
        }
        let mut members = Vec::with_capacity(names.len());
        for name in names {
            let id = labels.id(shared, relationship.targets(), name).ok_or_else(|| {
                invalid(format!(
                    "has `{name}` in `{}` of {}, which is neither an id nor a label of {}",
                    relationship.name,
                    spec.name,
                    relationship.targets().collect::<Vec<_>>().join(" or ")
                ))
            })?;
            members.push(id);
        }
        links.push((relationship.name, members));
    }
    Ok(links)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn placed(text: &str) -> Result<Vec<(String, usize)>, String> {
        let world = World::from_json(text).map_err(|error| error.to_string())?;
        let ids: Vec<Uuid> = (1..).map(Uuid::from_u128).take(world.accounts.len()).collect();
        let placed = place(&world, &ids).map_err(|error| error.to_string())?;
        Ok(placed
            .iter()
            .map(|one| (one.spec.name.to_owned(), one.links.iter().map(|(_, ids)| ids.len()).sum()))
            .collect())
    }

    #[test]
    fn a_record_comes_after_those_that_it_refers_to_whatever_their_order_in_the_file_is() {
        let text = r#"{ "accounts": [{ "name": "A", "records": {
            "dids": [{ "label": "main", "attributes": { "number": "12025550143" },
                       "relationships": { "did_group": "local" } }] } }],
            "shared": { "did_groups": [{ "label": "local", "attributes": { "area_name": "Washington" } }] } }"#;
        assert_eq!(placed(text).unwrap(), [("did_groups".to_owned(), 0), ("dids".to_owned(), 1)]);
    }

    #[test]
    fn what_a_relationship_does_not_find_is_named() {
        let of = |member: &str| {
            format!(
                r#"{{ "accounts": [{{ "name": "A", "records": {{ "dids": [{{ "attributes": {{ "number": "1" }},
                "relationships": {{ "did_group": "{member}" }} }}] }} }}] }}"#
            )
        };
        let error = placed(&of("nowhere")).unwrap_err();
        assert!(error.contains("has `nowhere` in `did_group` of dids, which is neither"), "{error}");
        assert!(placed(&of("6d6e0d4f-7c1c-4f6a-9b7c-0a3b4f3c2d10")).is_ok());
    }

    #[test]
    fn a_required_attribute_and_a_label_of_its_own_are_asked_for() {
        let missing = placed(r#"{ "shared": { "did_groups": [{ "label": "a" }] } }"#).unwrap_err();
        assert!(missing.contains("lacks `area_name` of did_groups `a`"), "{missing}");
        let group = r#"{ "label": "a", "attributes": { "area_name": "X" } }"#;
        let twice =
            placed(&format!(r#"{{ "shared": {{ "did_groups": [{group}, {group}] }} }}"#)).unwrap_err();
        assert!(twice.contains("two"), "{twice}");
    }
}
