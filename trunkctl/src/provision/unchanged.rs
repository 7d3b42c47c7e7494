//! Finds the declared records that need no change: most of a plan's. This needs no body of a request and no copy of a
//! value. Cases of doubt are left to the comparison of the plan, which reports all errors.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::thread;

use didww_client::{ApiVersion, AttributeSpec, RelationshipSpec, ResourceSpec, ValueSpec};
use serde_json::Value;

use super::declaration::Entry;
use super::existing::{Existing, Ids};
use super::links::relationship_at;
use super::mark::{ATTRIBUTE, Mark, Owner};
use crate::resource::{Handle, identifiers, is_id, linked};

/// From this number of records on, they are compared on several threads.
const MANY: usize = 2_000;
/// The most threads that compare.
const MOST_THREADS: usize = 4;
/// The number of different values of an attribute whose normal form is remembered: trunks share a few policies.
const REMEMBERED: usize = 8;

/// An entry of the declaration, and its record, if it exists.
pub(super) type Pair<'a> = (&'a Entry, Option<&'a Existing>);

/// How the records of a type are compared.
pub(super) struct Comparison<'a> {
    pub spec: &'static ResourceSpec,
    /// The version that served the records.
    pub version: ApiVersion,
    pub owner: Option<&'a Owner>,
    pub ids: &'a Ids,
}

impl Comparison<'_> {
    /// For each pair, whether the record exists and is as declared. False in a case of doubt.
    pub(super) fn unchanged(&self, pairs: &[Pair<'_>]) -> Vec<bool> {
        if self.spec.needs_conversion(self.version) {
            return vec![false; pairs.len()];
        }
        let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get).min(MOST_THREADS);
        if pairs.len() < MANY || threads < 2 {
            return self.of_part(pairs);
        }
        thread::scope(|scope| {
            let parts = pairs.chunks(pairs.len().div_ceil(threads));
            let begun: Vec<_> = parts
                .map(|part| {
                    let thread = thread::Builder::new().spawn_scoped(scope, move || self.of_part(part));
                    (part.len(), thread.ok())
                })
                .collect();
            let ended = begun.into_iter().map(|(length, thread)| {
                let unchanged = thread.and_then(|thread| thread.join().ok());
                unchanged.unwrap_or_else(|| vec![false; length])
            });
            ended.flatten().collect()
        })
    }

    fn of_part(&self, pairs: &[Pair<'_>]) -> Vec<bool> {
        let handle = Handle::of(self.spec, self.version).map(|handle| handle.attribute);
        let mut part = Part {
            of: self,
            handle: handle.filter(|attribute| attribute.update),
            owner: self.owner.filter(|_| Mark::attribute(self.spec, self.version).is_some()),
            members: Vec::new(),
        };
        let mut unchanged = Vec::with_capacity(pairs.len());
        for (entry, existing) in pairs {
            unchanged.push(existing.is_some_and(|existing| part.is_unchanged(entry, existing)));
        }
        unchanged
    }
}

/// What a member is, in an update.
enum Member<'a> {
    /// An attribute, with values that were compared, and their normal forms.
    Attribute { attribute: &'static AttributeSpec, limits: ValueSpec, normal: Vec<(&'a Value, Value)> },
    /// A relationship.
    Relationship(&'static RelationshipSpec),
    /// One that the version does not have, or that cannot be changed.
    Other,
}

impl Member<'_> {
    fn of(spec: &'static ResourceSpec, version: ApiVersion, name: &str) -> Self {
        let mut sent = spec.sent_relationships_at(version);
        let sent = sent.find(|found| found.name == name || found.name_at(version) == name);
        match (sent, relationship_at(spec, version, name), spec.attribute(name)) {
            (Some(sent), Some(named), _) if sent.name == named.name && sent.update => {
                Self::Relationship(sent)
            }
            (None, None, Some(attribute)) if attribute.update && attribute.exists_in(version) => {
                let limits = attribute.value_at(version);
                Self::Attribute { attribute, limits, normal: Vec::new() }
            }
            _ => Self::Other,
        }
    }
}

/// A part of the records, which one thread compares.
struct Part<'a, 'c> {
    of: &'c Comparison<'c>,
    /// The attribute that the name of an entry sets.
    handle: Option<&'static AttributeSpec>,
    /// The owner of the marks, if the type has marks.
    owner: Option<&'c Owner>,
    /// The members so far.
    members: Vec<(&'a str, Member<'a>)>,
}

impl<'a> Part<'a, '_> {
    fn is_unchanged(&mut self, entry: &'a Entry, existing: &'a Existing) -> bool {
        self.has_name(entry, existing)
            && self.has_mark(entry, existing)
            && entry.members.iter().all(|(name, value)| self.has_member(name, value, existing))
    }

    /// Whether the record has the name of the entry, if the entry sets it.
    fn has_name(&mut self, entry: &Entry, existing: &Existing) -> bool {
        let Some(attribute) = self.handle.filter(|_| !is_id(&entry.key)) else { return true };
        if entry.members.contains_key(attribute.name) {
            return true;
        }
        let stored = existing.record.attributes.get(attribute.name);
        stored.is_some_and(|stored| {
            stored.as_str() == Some(entry.key.as_str()) && self.can_be_sent(attribute.name, stored)
        })
    }

    /// Whether the record has the mark of the entry, if the entry sets it.
    fn has_mark(&mut self, entry: &Entry, existing: &Existing) -> bool {
        let Some(owner) = self.owner.filter(|_| !entry.members.contains_key(ATTRIBUTE)) else { return true };
        let is_marked =
            existing.mark.as_ref().is_some_and(|mark| mark.owner == *owner && mark.key == entry.key);
        let stored = existing.record.attributes.get(ATTRIBUTE).filter(|_| is_marked);
        stored.is_some_and(|stored| self.can_be_sent(ATTRIBUTE, stored))
    }

    /// Whether an update can have an attribute with this value.
    fn can_be_sent(&mut self, name: &'static str, value: &Value) -> bool {
        match self.member(name) {
            Some(Member::Attribute { limits, .. }) => limits.check(value).is_ok(),
            _ => false,
        }
    }

    /// Whether a member of the record has a valid value that an entry declares.
    fn has_member(&mut self, name: &'a str, value: &'a Value, existing: &Existing) -> bool {
        let (version, ids) = (self.of.version, self.of.ids);
        match self.member(name) {
            Some(Member::Attribute { attribute, limits, normal }) => {
                let stored = existing.record.attributes.get(name).unwrap_or(&Value::Null);
                let Some(normal) = normal_form(attribute, limits, version, normal, value) else {
                    return false;
                };
                if attribute.merged {
                    has_what_is_sent(value, stored, normal)
                } else {
                    value == stored || *normal == attribute.normal(version, stored)
                }
            }
            Some(Member::Relationship(relationship)) => {
                let linked = linked(&existing.record, relationship, version).map(identifiers);
                let before: BTreeSet<&str> =
                    linked.unwrap_or_default().iter().map(|member| member.id.as_str()).collect();
                ids_of(relationship, value, ids).is_some_and(|after| before == after)
            }
            Some(Member::Other) | None => false,
        }
    }

    /// The kind of a member. The few that the records of a type declare are looked up once.
    fn member(&mut self, name: &'a str) -> Option<&mut Member<'a>> {
        let known = self.members.iter().position(|(known, _)| *known == name);
        let position = known.unwrap_or(self.members.len());
        if known.is_none() {
            self.members.push((name, Member::of(self.of.spec, self.of.version, name)));
        }
        self.members.get_mut(position).map(|(_, member)| member)
    }
}

/// The normal form of a value, which is remembered; `None` if the value is not valid.
fn normal_form<'a, 'm>(
    attribute: &AttributeSpec,
    limits: &ValueSpec,
    version: ApiVersion,
    remembered: &'m mut Vec<(&'a Value, Value)>,
    value: &'a Value,
) -> Option<&'m Value> {
    if let Some(position) = remembered.iter().position(|(known, _)| *known == value) {
        return remembered.get(position).map(|(_, normal)| normal);
    }
    limits.check(value).ok()?;
    if remembered.len() >= REMEMBERED {
        remembered.remove(0);
    }
    remembered.push((value, attribute.normal(version, value)));
    remembered.last().map(|(_, normal)| normal)
}

/// The ids that a relationship is declared with; `None` if it is not valid, or names a record that does not exist.
fn ids_of<'a>(relationship: &RelationshipSpec, value: &'a Value, ids: &'a Ids) -> Option<BTreeSet<&'a str>> {
    let texts = match (relationship.many, value) {
        (true, Value::Array(texts)) => texts.as_slice(),
        (false, Value::Null) => &[],
        (false, Value::String(_)) => std::slice::from_ref(value),
        _ => return None,
    };
    let id = |text: &'a Value| {
        let text = text.as_str()?;
        if is_id(text) {
            return Some(text);
        }
        ids.get(&(relationship.target, text.to_owned())).map(String::as_str)
    };
    texts.iter().map(id).collect()
}

/// Whether an object has the type and each attribute of one that is sent to be merged into it. `normal` is the latter
/// as the service stores it, without the attributes that it sets to null.
pub(super) fn has_what_is_sent(sent: &Value, stored: &Value, normal: &Value) -> bool {
    let is_there = |name: &String| within(normal, name) == within(stored, name);
    let members = sent.get("attributes").and_then(Value::as_object);
    normal.get("type") == stored.get("type") && members.is_none_or(|members| members.keys().all(is_there))
}

/// A member of the attributes of an object; null if it is absent.
fn within<'v>(value: &'v Value, name: &str) -> &'v Value {
    value.get("attributes").and_then(|members| members.get(name)).unwrap_or(&Value::Null)
}

#[cfg(test)]
mod tests {
    use super::*;
    use didww_client::ResourceObject;
    use serde_json::{Map, json};

    fn object(value: Value) -> Map<String, Value> {
        let Value::Object(members) = value else { panic!("{value} is no object") };
        members
    }

    fn entry(members: Value) -> Entry {
        let spec = didww_client::find("voice_out_trunks").unwrap();
        Entry { spec, key: "Berlin".to_owned(), members: object(members) }
    }

    fn existing() -> Existing {
        let method = json!({"type": "credentials_and_ip", "attributes": {"username": "u", "password": "p",
            "tech_prefix": null, "allowed_sip_ips": ["203.0.113.7/32"]}});
        let mut record: ResourceObject =
            serde_json::from_value(json!({"id": "1", "type": "voice_out_trunks",
            "relationships": {"dids": {"data": [{"type": "dids", "id": "7"}, {"type": "dids", "id": "8"}]}}}))
            .unwrap();
        record.attributes = object(json!({"name": "Berlin", "status": "active", "capacity_limit": 10,
            "external_reference_id": "trunkctl:netops:Berlin", "authentication_method": method}));
        Existing::of(record)
    }

    fn is_unchanged(version: ApiVersion, owner: Option<&str>, entry: &Entry, existing: &Existing) -> bool {
        let owner: Option<Owner> = owner.map(|owner| owner.parse().unwrap());
        let known = [("37061498222", "7"), ("442079460018", "8")];
        let ids: Ids =
            known.into_iter().map(|(name, id)| (("dids", name.to_owned()), id.to_owned())).collect();
        let of = Comparison { spec: entry.spec, version, owner: owner.as_ref(), ids: &ids };
        let few = of.unchanged(&[(entry, Some(existing)), (entry, None)]);
        let many = of.unchanged(&vec![(entry, Some(existing)); MANY + 1]);
        assert!(!few[1], "a record that does not exist is not as declared");
        assert!(many.len() == MANY + 1 && many.iter().all(|same| *same == few[0]), "threads say the same");
        few[0]
    }

    #[test]
    fn values_are_the_same_in_every_form_that_the_service_takes_for_the_same() {
        let existing = existing();
        let method =
            |ip: &str| json!({"type": "credentials_and_ip", "attributes": {"allowed_sip_ips": [ip]}});
        for (members, expected) in [
            (json!({}), true),
            (json!({"capacity_limit": 10, "status": "active"}), true),
            (json!({"capacity_limit": "10"}), true),
            (json!({"capacity_limit": 11}), false),
            (json!({"capacity_limit": 40_000}), false),
            (json!({"authentication_method": method("203.0.113.7")}), true),
            (json!({"authentication_method": method("203.0.113.8")}), false),
            (json!({"dids": ["442079460018", "37061498222"]}), true),
            (json!({"dids": ["442079460018"]}), false),
            (json!({"dids": ["442079460018", "12025550143"]}), false),
            (json!({"dids": "442079460018"}), false),
            (json!({"name": "Paris"}), false),
            (json!({"nmae": "Berlin"}), false),
            (json!({"created_at": null}), false),
        ] {
            let entry = entry(members.clone());
            assert_eq!(is_unchanged(ApiVersion::NEWEST, None, &entry, &existing), expected, "{members}");
        }
    }

    #[test]
    fn a_mark_is_the_owners_or_left_to_the_plan() {
        let (entry, existing) = (entry(json!({})), existing());
        assert!(is_unchanged(ApiVersion::NEWEST, Some("netops"), &entry, &existing));
        assert!(!is_unchanged(ApiVersion::NEWEST, Some("others"), &entry, &existing));
        let renamed = Entry { key: "Paris".to_owned(), ..entry };
        assert!(!is_unchanged(ApiVersion::NEWEST, Some("netops"), &renamed, &existing));
    }

    #[test]
    fn a_version_with_other_names_is_left_to_the_plan() {
        assert!(!is_unchanged(ApiVersion::V2022_05_10, None, &entry(json!({})), &existing()));
    }

    #[test]
    fn more_values_than_are_remembered_are_compared_as_well() {
        let existing = existing();
        let entries: Vec<Entry> = (1..=REMEMBERED * 3)
            .flat_map(|limit| [limit, 10].map(|limit| entry(json!({"capacity_limit": limit.to_string()}))))
            .collect();
        let ids = Ids::new();
        let spec = entries[0].spec;
        let of = Comparison { spec, version: ApiVersion::NEWEST, owner: None, ids: &ids };
        let pairs: Vec<Pair<'_>> = entries.iter().map(|entry| (entry, Some(&existing))).collect();
        let expected: Vec<bool> =
            entries.iter().map(|entry| entry.members["capacity_limit"] == json!("10")).collect();
        assert_eq!(of.unchanged(&pairs), expected);
    }
}
