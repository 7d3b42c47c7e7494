//! Decides on a write: validates the forms, converts to the canonical form, merges with the stored record and
//! applies the rules of the resource.

use std::collections::BTreeMap;

use didww_types::{Access, AttributeSpec, Kind, ResourceSpec, Violation};
use serde_json::{Map, Value};

use super::draft::{Draft, WriteOutcome};
use super::{Refusal, WriteContext, WriteKind, capacity_pool, did, regenerate_credentials, voice_out_trunk};

/// Decides on a write.
///
/// # Errors
/// Every broken rule: those of attributes in the order of the declaration, then those of relationships.
pub fn decide_write(
    spec: &'static ResourceSpec,
    context: &WriteContext<'_>,
) -> Result<WriteOutcome, Vec<Refusal>> {
    let mut refusals = Vec::new();
    let mut sent = validate(spec, context, &mut refusals);
    spec.to_canonical(context.version, &mut sent);
    let mut draft =
        Draft { attributes: merge(spec, context, &sent), links: BTreeMap::new(), notice: None, refusals };
    for (name, linked) in context.links {
        draft.links.insert(name, linked.records.iter().map(|record| record.id.clone()).collect());
    }
    match spec.name {
        "voice_out_trunks" => voice_out_trunk::apply(context, &sent, &mut draft),
        "dids" => did::apply(context, &mut draft),
        "capacity_pools" => capacity_pool::apply(context, &mut draft),
        "voice_out_trunk_regenerate_credentials" => return regenerate_credentials::apply(context),
        _ => draft.require_linked_records(context),
    }
    if draft.refusals.is_empty() {
        Ok(WriteOutcome::Store { attributes: draft.attributes, links: draft.links, notice: draft.notice })
    } else {
        Err(draft.refusals)
    }
}

/// Validates the form of each attribute and that the required ones were sent. Returns the valid ones.
fn validate(
    spec: &'static ResourceSpec,
    context: &WriteContext<'_>,
    refusals: &mut Vec<Refusal>,
) -> Map<String, Value> {
    let creating = matches!(context.kind, WriteKind::Create);
    let mut valid = Map::new();
    for attribute in spec.attributes_at(context.version) {
        let required = attribute.create == Access::Required;
        let Some(value) = context.sent.get(attribute.name) else {
            if creating && required {
                refusals.push(Refusal::attribute(attribute.name, Violation::Blank));
            }
            continue;
        };
        if creating && stands_for_default(attribute, value) {
            continue;
        }
        match (attribute.validate)(value) {
            Ok(value) if required && is_blank(&value) => {
                refusals.push(Refusal::attribute(attribute.name, Violation::Blank));
            }
            Ok(value) => {
                valid.insert(attribute.name.to_owned(), value);
            }
            Err(flaws) => refusals.extend(flaws.into_iter().map(|flaw| Refusal::flaw(attribute.name, flaw))),
        }
    }
    let required =
        spec.relationships_at(context.version).filter(|one| creating && one.create == Access::Required);
    for relationship in required {
        if context.links.get(relationship.name).is_none_or(|linked| linked.records.is_empty()) {
            refusals.push(Refusal::relationship(relationship.name, Violation::Blank));
        }
    }
    valid
}

/// Whether null stands for the default, as it does on create for an enumeration with a default (documented
/// for `status`).
fn stands_for_default(attribute: &AttributeSpec, value: &Value) -> bool {
    value.is_null() && attribute.default.is_some() && matches!(attribute.kind, Kind::Enumeration(_))
}

fn is_blank(value: &Value) -> bool {
    value.is_null() || value.as_str().is_some_and(|text| text.trim().is_empty())
}

fn merge(
    spec: &'static ResourceSpec,
    context: &WriteContext<'_>,
    sent: &Map<String, Value>,
) -> Map<String, Value> {
    let mut attributes = match context.kind {
        WriteKind::Update(stored) => stored.clone(),
        WriteKind::Create => {
            let default = |attribute: &AttributeSpec| {
                let value = match (attribute.name, attribute.default) {
                    ("created_at", _) => Value::String(context.now.to_string()),
                    (_, Some(default)) => default.to_json(),
                    (_, None) => Value::Null,
                };
                (attribute.name.to_owned(), value)
            };
            spec.attributes.iter().map(default).collect()
        }
    };
    attributes.extend(sent.iter().map(|(name, value)| (name.clone(), value.clone())));
    attributes
}

#[cfg(test)]
mod tests {
    use didww_types::resources::VoiceOutTrunk;
    use didww_types::{ApiVersion, Features, RelationshipSpec, Resource as _, Secret, Timestamp};

    use super::*;
    use crate::domain::{Credentials, Linked, LinkedRecord};

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

    fn create(links: &BTreeMap<&'static str, Linked>) -> Result<WriteOutcome, Vec<Refusal>> {
        let fresh = Credentials { username: String::new(), password: Secret::new("") };
        let context = WriteContext {
            kind: WriteKind::Create,
            version: ApiVersion::V2026_04_16,
            features: Features::NONE,
            now: Timestamp::from_unix_millis(0),
            sent: &Map::new(),
            links,
            fresh: &fresh,
            meta: &Map::new(),
            callback_on_manual_block: false,
        };
        decide_write(notes(), &context)
    }

    #[test]
    fn a_required_relationship_must_be_sent_and_have_a_record() {
        let trunk = || LinkedRecord { id: "1".to_owned(), attributes: Some(Map::new()) };
        for records in [None, Some(Vec::new())] {
            let links = records.into_iter().map(|records| ("voice_out_trunk", Linked { records })).collect();
            let refusals = create(&links).unwrap_err();
            assert_eq!(refusals.len(), 1);
            let error = serde_json::to_value(refusals[0].to_error()).unwrap();
            assert_eq!(error["source"]["pointer"], "/data/relationships/voice_out_trunk");
            assert_eq!(error["detail"], "voice_out_trunk - can't be blank");
        }
        let links = BTreeMap::from([("voice_out_trunk", Linked { records: vec![trunk()] })]);
        assert!(create(&links).is_ok());
    }
}
