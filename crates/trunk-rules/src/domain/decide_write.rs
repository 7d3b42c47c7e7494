//! Decides on a write: validates the forms, converts to the canonical form, applies the rules of the type and lists the
//! changes.

use didww_types::{Access, AttributeSpec, Feature, ResourceSpec, Timestamp, Violation, find};
use serde_json::{Map, Value};

use super::draft::require_linked_records;
use super::outcome::{CREATED, RecordChange, WriteOutcome};
use super::rules::{Rulebook, UntypedDraft};
use super::{Refusal, WriteContext, WriteError, WriteKind};

impl Rulebook {
    /// Decides on a create or an update.
    ///
    /// # Errors
    /// Every broken rule: those of attributes in the order of the declaration, then those of relationships.
    pub fn decide_write(
        self,
        spec: &'static ResourceSpec,
        context: &WriteContext<'_>,
    ) -> Result<WriteOutcome, WriteError> {
        let mut draft = UntypedDraft::default();
        draft.changes = validate(spec, context, &mut draft.refusals);
        spec.to_canonical(context.version, &mut draft.changes);
        if context.is_create() && !spec.callback_on.is_empty() {
            draft.refusals.extend(callback_pair(&draft.changes));
        }
        for (name, records) in context.links {
            draft.links.insert(name, records.iter().map(|record| record.id.clone()).collect());
        }
        mirrored(spec, context, &mut draft);
        let rules = self.of(spec.name);
        match rules {
            Some(rules) => draft = (rules.write)(context, draft)?,
            None => require_linked_records(context, &mut draft.refusals),
        }
        let owner = match context.kind {
            WriteKind::Create => CREATED,
            WriteKind::Update(stored) => stored.id,
        };
        self.write_through_members(spec, context, owner, &mut draft)?;
        let UntypedDraft { changes, links, first, also, events, meta, later, refusals } = draft;
        if !refusals.is_empty() {
            return Err(WriteError::Refused(refusals));
        }
        let change = match context.kind {
            WriteKind::Create if rules.is_some_and(|rules| rules.is_operation) => None,
            WriteKind::Create => {
                let attributes = with_defaults(spec, context.now, changes);
                Some(RecordChange::Create { spec, attributes, links, meta, later })
            }
            WriteKind::Update(stored) => {
                let id = stored.id.to_owned();
                Some(RecordChange::Update { spec, id, attributes: changes, links, meta: None })
            }
        };
        Ok(WriteOutcome { changes: first.into_iter().chain(change).chain(also).collect(), events })
    }

    /// Decides on members to add to a to-many relationship, or to remove from it. `context` is an update that names
    /// only these members; without `add` its links are ignored.
    ///
    /// # Errors
    /// As [`decide_write`](Self::decide_write) for an update with the members to add. Removing members breaks no rule.
    pub fn decide_members(
        self,
        spec: &'static ResourceSpec,
        relationship: &'static str,
        add: bool,
        members: Vec<String>,
        owner: &str,
        context: &WriteContext<'_>,
    ) -> Result<WriteOutcome, WriteError> {
        if add {
            // Only its refusals count: the members that the relationship has stay.
            self.decide_write(spec, context)?;
        }
        if let Some(inverse) = spec.relationship(relationship).filter(|one| one.inverse.is_some()) {
            return self.decide_inverse_members(spec, inverse, add, &members, owner, context);
        }
        let change = RecordChange::Members { spec, id: owner.to_owned(), relationship, add, members };
        Ok(WriteOutcome { changes: vec![change], events: Vec::new() })
    }
}

/// The URL and the method of the callbacks about a status are sent together.
fn callback_pair(changes: &Map<String, Value>) -> Option<Refusal> {
    const URL: &str = "callback_url";
    const METHOD: &str = "callback_method";
    let is_set = |name: &str| changes.get(name).is_some_and(|value| !value.is_null());
    let missing = match (is_set(URL), is_set(METHOD)) {
        (true, false) => METHOD,
        (false, true) => URL,
        _ => return None,
    };
    Some(Refusal::attribute(missing, Violation::Blank))
}

/// Converts a relationship that represents an attribute into the attribute. A record without a text, which staff
/// stored, is refused.
fn mirrored(spec: &'static ResourceSpec, context: &WriteContext<'_>, draft: &mut UntypedDraft) {
    for relationship in spec.relationships {
        let Some(attribute) = relationship.mirrors else { continue };
        let Some(ids) = draft.links.remove(relationship.name) else { continue };
        let records = find(relationship.target).map_or(&[][..], |target| target.fixed);
        let record = records.iter().find(|record| ids.iter().any(|id| id == record.id));
        let linked = context.linked(relationship.name).unwrap_or_default();
        if record.is_none() && linked.iter().any(|linked| linked.attributes.is_some()) {
            let refusal = Refusal::relationship(relationship.name, Violation::Invalid);
            draft.refusals.push(refusal.because(format!("no text of {attribute} refers to the record")));
        }
        draft.changes.insert(attribute.to_owned(), record.map_or(Value::Null, |record| record.key.into()));
    }
}

/// Validates the form of each attribute and that the required ones were sent. Returns the valid ones.
fn validate(
    spec: &'static ResourceSpec,
    context: &WriteContext<'_>,
    refusals: &mut Vec<Refusal>,
) -> Map<String, Value> {
    let creating = context.is_create();
    let mut valid = Map::new();
    for attribute in spec.attributes_at(context.version) {
        let required = attribute.create == Access::Required;
        let Some(value) = context.sent.get(attribute.name) else {
            if creating && required {
                refusals.push(Refusal::attribute(attribute.name, Violation::Blank));
            }
            continue;
        };
        let limits = attribute.value_at(context.version);
        if creating && value.is_null() && attribute.null_is_default(context.version) {
            continue;
        }
        match limits.check(value) {
            Ok(value) if required && is_blank(&value) => {
                refusals.push(Refusal::attribute(attribute.name, Violation::Blank));
            }
            Ok(value) if let Some(feature) = missing_feature(attribute, context, &value) => {
                let why = format!("the account does not have the feature {}", feature.as_str());
                let refusal = Refusal::attribute(attribute.name, Violation::NotIncluded);
                refusals.push(refusal.because(why));
            }
            Ok(value) => {
                valid.insert(attribute.name.to_owned(), value);
            }
            Err(flaws) => refusals.extend(flaws.into_iter().map(|flaw| Refusal::flaw(attribute.name, flaw))),
        }
    }
    let required =
        spec.sent_relationships_at(context.version).filter(|one| creating && one.create == Access::Required);
    for relationship in required {
        if context.linked(relationship.name).is_none_or(<[_]>::is_empty) {
            refusals.push(Refusal::relationship(relationship.name, Violation::Blank));
        }
    }
    valid
}

/// The feature that a valid value needs, if the account does not have it.
fn missing_feature(attribute: &AttributeSpec, context: &WriteContext<'_>, value: &Value) -> Option<Feature> {
    attribute.missing_feature(value.as_str()?, context.features)
}

fn is_blank(value: &Value) -> bool {
    value.is_null() || value.as_str().is_some_and(|text| text.trim().is_empty())
}

/// Adds the attributes of a new record that need not be sent, in canonical form: defaults, and its creation at `now`.
/// An attribute without a default stays absent, which means null in a stored record.
pub fn with_defaults(
    spec: &ResourceSpec,
    now: Timestamp,
    mut attributes: Map<String, Value>,
) -> Map<String, Value> {
    for attribute in spec.attributes {
        let default = match (attribute.name, attribute.default) {
            ("created_at", _) => Value::String(now.to_string()),
            (_, Some(default)) => default.to_json(),
            (_, None) => continue,
        };
        if !attributes.contains_key(attribute.name) {
            attributes.insert(attribute.name.to_owned(), default);
        }
    }
    attributes
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use didww_types::resources::VoiceOutTrunk;
    use didww_types::{ApiVersion, RelationshipSpec, Resource as _};

    use super::*;
    use crate::domain::LinkedRecord;

    /// A resource without attributes and rules of its own.
    fn notes() -> &'static ResourceSpec {
        let about = RelationshipSpec::of(
            "voice_out_trunk",
            "The trunk that the note is about.",
            "voice_out_trunks",
            false,
        );
        let mut spec = *VoiceOutTrunk::SPEC;
        (spec.name, spec.attributes, spec.adapter) = ("notes", &[], None);
        spec.relationships = Vec::leak(vec![about.create(Access::Required)]);
        Box::leak(Box::new(spec))
    }

    fn create(links: &BTreeMap<&'static str, Vec<LinkedRecord<'_>>>) -> Result<WriteOutcome, WriteError> {
        let context = WriteContext { version: ApiVersion::V2026_04_16, links, ..WriteContext::of_nothing() };
        Rulebook::DIDWW.decide_write(notes(), &context)
    }

    #[test]
    fn a_required_relationship_must_be_sent_and_have_a_record() {
        let trunk = || LinkedRecord { id: "1".to_owned(), attributes: Some("{}") };
        for records in [None, Some(Vec::new())] {
            let links = records.into_iter().map(|records| ("voice_out_trunk", records)).collect();
            let Err(WriteError::Refused(refusals)) = create(&links) else { panic!("not refused") };
            assert_eq!(refusals.len(), 1);
            let error = serde_json::to_value(refusals[0].to_error()).unwrap();
            assert_eq!(error["source"]["pointer"], "/data/relationships/voice_out_trunk");
            assert_eq!(error["detail"], "voice_out_trunk - can't be blank");
        }
        let links = BTreeMap::from([("voice_out_trunk", vec![trunk()])]);
        assert!(create(&links).is_ok());
    }
}
