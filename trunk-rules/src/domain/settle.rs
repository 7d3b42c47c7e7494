//! The road that every write takes: check the forms, lift to the canonical form, merge, apply the rules.

use std::collections::BTreeMap;

use didww_types::{Access, AttributeSpec, Kind, ResourceSpec, Violation};
use serde_json::{Map, Value};

use crate::carrier::Gate;

use super::{Act, Case, Refusal, did, regenerate_credentials, voice_out_trunk};

/// What a permitted write does.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// The record is stored with these canonical attributes, and these relationships replace their old members.
    Store {
        /// All attributes, in the canonical form.
        attributes: Map<String, Value>,
        /// Ids by relationship.
        links: BTreeMap<&'static str, Vec<String>>,
        /// What the record's callback URL, if it has one, is told: how the trunk was blocked or unblocked.
        notice: Option<Gate>,
    },
    /// The write is an act upon another record, which is stored with these attributes.
    Change {
        /// Type of the other record.
        kind: &'static str,
        /// Its id.
        id: String,
        /// Its attributes, in the canonical form.
        attributes: Map<String, Value>,
    },
}

/// What is being put together: the canonical attributes and the relationships to replace.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) attributes: Map<String, Value>,
    pub(super) links: BTreeMap<&'static str, Vec<String>>,
    pub(super) notice: Option<Gate>,
    pub(super) refusals: Vec<Refusal>,
}

/// Decides about a write.
///
/// # Errors
/// Every rule that is broken, in the order of the declaration, relationships after attributes.
pub fn settle(spec: &'static ResourceSpec, case: &Case<'_>) -> Result<Effect, Vec<Refusal>> {
    let mut refusals = Vec::new();
    let mut sent = admit(spec, case, &mut refusals);
    spec.lift(case.version, &mut sent);
    let mut draft =
        Draft { attributes: merge(spec, case, &sent), links: BTreeMap::new(), notice: None, refusals };
    for (name, linked) in case.links {
        draft.links.insert(name, linked.records.iter().map(|record| record.id.clone()).collect());
    }
    match spec.name {
        "voice_out_trunks" => voice_out_trunk::apply(case, &sent, &mut draft),
        "dids" => did::apply(case, &mut draft),
        "voice_out_trunk_regenerate_credentials" => return regenerate_credentials::apply(case),
        _ => require_known(case, &mut draft),
    }
    if draft.refusals.is_empty() {
        Ok(Effect::Store { attributes: draft.attributes, links: draft.links, notice: draft.notice })
    } else {
        Err(draft.refusals)
    }
}

/// Checks the form of each attribute and that the required ones are there; keeps those that are right.
fn admit(spec: &'static ResourceSpec, case: &Case<'_>, refusals: &mut Vec<Refusal>) -> Map<String, Value> {
    let creating = matches!(case.act, Act::Create);
    let mut admitted = Map::new();
    for attribute in spec.attributes_at(case.version) {
        let required = attribute.create == Access::Required;
        let Some(value) = case.sent.get(attribute.name) else {
            if creating && required {
                refusals.push(Refusal::attribute(attribute.name, Violation::Blank));
            }
            continue;
        };
        if creating && stands_for_default(attribute, value) {
            continue;
        }
        match (attribute.admit)(value) {
            Ok(value) if required && is_blank(&value) => {
                refusals.push(Refusal::attribute(attribute.name, Violation::Blank));
            }
            Ok(value) => {
                admitted.insert(attribute.name.to_owned(), value);
            }
            Err(flaws) => refusals.extend(flaws.into_iter().map(|flaw| Refusal::flaw(attribute.name, flaw))),
        }
    }
    admitted
}

/// On create, null stands for the default of an enumeration that has one (documented for `status`).
fn stands_for_default(attribute: &AttributeSpec, value: &Value) -> bool {
    value.is_null() && attribute.default.is_some() && matches!(attribute.kind, Kind::Enumeration(_))
}

fn is_blank(value: &Value) -> bool {
    value.is_null() || value.as_str().is_some_and(|text| text.trim().is_empty())
}

fn merge(spec: &'static ResourceSpec, case: &Case<'_>, sent: &Map<String, Value>) -> Map<String, Value> {
    let mut attributes = match case.act {
        Act::Update(before) => before.clone(),
        Act::Create => {
            let default = |attribute: &AttributeSpec| {
                let value = match (attribute.name, attribute.default) {
                    ("created_at", _) => Value::String(case.now.to_string()),
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

/// Refuses a relationship to a record that the account has not.
pub(super) fn require_known(case: &Case<'_>, draft: &mut Draft) {
    for (name, linked) in case.links {
        if let Some(record) = linked.records.iter().find(|record| record.attributes.is_none()) {
            let why = format!("the account has no record {}", record.id);
            draft.refusals.push(Refusal::relationship(name, Violation::Invalid).because(why));
        }
    }
}
