//! Writes through an inverse relationship, whose members are the records that have the owner in a relationship of their
//! own.
//!
//! Nothing is stored for the inverse relationship: a new member is updated as by a request about the member, so that
//! the rules of the member's type decide, and a removed one is unlinked.

use std::collections::{BTreeMap, HashSet};

use didww_types::{RelationshipSpec, ResourceSpec, Timestamp, find};
use serde_json::{Map, Value};

use super::outcome::{Links, RecordChange, WriteOutcome};
use super::rules::{Rulebook, UntypedDraft};
use super::write_context::{LinkedRecord, RecordText};
use super::{WriteContext, WriteError, WriteKind};

impl Rulebook {
    /// Takes the inverse relationships out of a draft, and adds the changes to their members, or why one is refused.
    /// `owner` is the id of the record that the write is about.
    pub(super) fn write_through_members(
        self,
        spec: &'static ResourceSpec,
        context: &WriteContext<'_>,
        owner: &str,
        draft: &mut UntypedDraft,
    ) -> Result<(), WriteError> {
        for relationship in spec.relationships.iter().filter(|one| one.inverse.is_some()) {
            let Some(ids) = draft.links.remove(relationship.name) else { continue };
            self.add(relationship, context, owner, &ids, draft)?;
            let kept: HashSet<&str> = ids.iter().map(String::as_str).collect();
            let stored = context.stored(relationship.name).iter();
            let lost = stored.filter(|member| !kept.contains(member.id.as_str()));
            draft.also.extend(lost.filter_map(|member| unlink(relationship, &member.id, context.now)));
        }
        Ok(())
    }

    /// Decides on members to add to an inverse relationship, or to remove from it. The decision depends on the owner,
    /// whose revision is incremented.
    pub(super) fn decide_inverse_members(
        self,
        spec: &'static ResourceSpec,
        relationship: &'static RelationshipSpec,
        add: bool,
        members: &[String],
        owner: &str,
        context: &WriteContext<'_>,
    ) -> Result<WriteOutcome, WriteError> {
        let mut draft = UntypedDraft::default();
        if add {
            self.add(relationship, context, owner, members, &mut draft)?;
        } else {
            let stored = context.stored(relationship.name).iter();
            let named: HashSet<&str> = members.iter().map(String::as_str).collect();
            let lost = stored.filter(|member| named.contains(member.id.as_str()));
            draft.also.extend(lost.filter_map(|member| unlink(relationship, &member.id, context.now)));
        }
        if !draft.refusals.is_empty() {
            return Err(WriteError::Refused(draft.refusals));
        }
        let touched = RecordChange::touched(spec, owner);
        let changes = std::iter::once(touched).chain(draft.also).collect();
        Ok(WriteOutcome { changes, events: draft.events })
    }

    /// Updates those of the members that are new, each by the rules of its type.
    fn add(
        self,
        relationship: &'static RelationshipSpec,
        context: &WriteContext<'_>,
        owner: &str,
        ids: &[String],
        draft: &mut UntypedDraft,
    ) -> Result<(), WriteError> {
        let (Some(inverse), Some(target)) = (own_relationship(relationship), find(relationship.target))
        else {
            return Ok(());
        };
        // There can be thousands of both.
        let requested: HashSet<&str> = ids.iter().map(String::as_str).collect();
        let stored = ids_of(context.stored(relationship.name));
        for (place, member) in context.linked(relationship.name).unwrap_or_default().iter().enumerate() {
            let id = member.id.as_str();
            let is_new = requested.contains(id) && !stored.contains(id);
            let Some(attributes) = member.attributes.filter(|_| is_new) else { continue };
            let to_owner = LinkedRecord { id: owner.to_owned(), attributes: Some("{}") };
            let write = WriteContext {
                kind: WriteKind::Update(RecordText { id, attributes, meta: None }),
                sent: &Map::new(),
                links: &BTreeMap::from([(inverse, vec![to_owner])]),
                stored_members: &BTreeMap::new(),
                adds: false,
                ..*context
            };
            match self.decide_write(target, &write) {
                Ok(outcome) => {
                    draft.also.extend(outcome.changes);
                    draft.events.extend(outcome.events);
                }
                Err(WriteError::Refused(refusals)) => draft
                    .refusals
                    .extend(refusals.into_iter().map(|refusal| refusal.of_member(relationship.name, place))),
                Err(error @ WriteError::Undecodable(_)) => return Err(error),
            }
        }
        Ok(())
    }
}

/// The ids of these records.
pub(super) fn ids_of<'a>(records: &'a [LinkedRecord<'_>]) -> HashSet<&'a str> {
    records.iter().map(|record| record.id.as_str()).collect()
}

/// The name of the relationship that the members have to the owner.
fn own_relationship(relationship: &RelationshipSpec) -> Option<&'static str> {
    Some(find(relationship.target)?.relationship(relationship.inverse?)?.name)
}

/// The change of a member that leaves. As a request about the member does, it sets the time of the last change.
fn unlink(relationship: &RelationshipSpec, member: &str, now: Timestamp) -> Option<RecordChange> {
    let links = Links::from([(own_relationship(relationship)?, Vec::new())]);
    let spec = find(relationship.target)?;
    let time = spec.attribute("updated_at").map(|time| time.name.to_owned());
    let attributes: Map<String, Value> =
        time.into_iter().map(|name| (name, Value::String(now.to_string()))).collect();
    Some(RecordChange::update(spec, member, attributes, links))
}

#[cfg(test)]
mod tests {
    use didww_types::Resource as _;
    use didww_types::resources::SmsTrunkGroup;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_trunk_that_leaves_a_group_by_a_request_about_the_group_was_changed_then() {
        let (spec, trunks) = (SmsTrunkGroup::SPEC, SmsTrunkGroup::SMS_TRUNKS.as_str());
        let (before, now) = ("2026-11-01T00:00:00.000Z", "2026-11-19T08:00:00.000Z");
        let group = json!({ "name": "G", "created_at": before, "updated_at": before }).to_string();
        let trunk = LinkedRecord { id: "7".to_owned(), attributes: Some("{}") };
        let (links, stored) =
            (BTreeMap::from([(trunks, Vec::new())]), BTreeMap::from([(trunks, vec![trunk])]));
        let context = WriteContext {
            kind: WriteKind::Update(RecordText { id: "1", attributes: &group, meta: None }),
            links: &links,
            stored_members: &stored,
            now: now.parse().unwrap(),
            ..WriteContext::of_nothing()
        };
        let emptied = Rulebook::DIDWW.decide_write(spec, &context).unwrap();
        let named = vec!["7".to_owned()];
        let removed = Rulebook::DIDWW.decide_members(spec, trunks, false, named, "1", &context).unwrap();
        for outcome in [emptied, removed] {
            let change = outcome.changes.iter().find(|change| change.id() == Some("7"));
            let Some(RecordChange::Update { attributes, links, .. }) = change else { panic!("{change:?}") };
            assert_eq!(json!(attributes), json!({ "updated_at": now }));
            assert_eq!(json!(links), json!({ "sms_trunk_group": [] }));
        }
    }
}
