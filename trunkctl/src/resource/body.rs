//! The body of a create or an update: checked against the declaration of its version before it is sent.

use std::fmt;

use didww_client::{Access, ApiVersion, AttributeSpec, RelationshipSpec, ResourceSpec};
use serde_json::{Map, Value, json};

use super::words::right;

/// Whether a record is created or changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Write {
    /// A new record.
    Create,
    /// Some members of a record.
    Update,
}

/// A member that cannot be sent, and its correction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The name of the attribute or relationship, with the path into its value if the problem is there.
    pub member: String,
    /// The problem, in words.
    pub what: String,
    /// The correction, in words; empty if there is none.
    pub right: String,
}

/// All problems of a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, problem) in self.0.iter().enumerate() {
            let end = if position == 0 { "" } else { "\n" };
            write!(f, "{end}  {}: {}", problem.member, problem.what)?;
            if !problem.right.is_empty() {
                write!(f, "\n    valid: {}", problem.right)?;
            }
        }
        Ok(())
    }
}

/// The attributes and relationships of a body, in the form of a version.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Body {
    /// The attributes by their names in the version.
    pub attributes: Map<String, Value>,
    /// The linkage by the names of the relationships in the version.
    pub relationships: Map<String, Value>,
}

impl Body {
    /// Makes a body of members, whose relationships are ids, lists of ids, or null. With `is_checked` false only
    /// names are looked up, and the service decides on the values.
    ///
    /// # Errors
    /// Every member that the version does not have, that cannot be written, or whose value is not valid, and those
    /// that a new record needs.
    pub fn build(
        spec: &'static ResourceSpec,
        version: ApiVersion,
        write: Write,
        members: &[(String, Value)],
        is_checked: bool,
    ) -> Result<Self, Problems> {
        let mut body = Self::default();
        let mut problems = Vec::new();
        for (name, value) in members {
            if let Some(relationship) = relationship(spec, version, name) {
                body.link(relationship, version, write, value, &mut problems);
            } else if let Some(attribute) = attribute(spec, version, name) {
                body.set(attribute, version, write, value, is_checked, &mut problems);
            } else {
                problems.push(unknown(spec, version, name));
            }
        }
        body.convert(spec, version, &mut problems);
        if write == Write::Create && is_checked {
            body.require(spec, version, &mut problems);
        }
        if problems.is_empty() { Ok(body) } else { Err(Problems(problems)) }
    }

    fn set(
        &mut self,
        attribute: &AttributeSpec,
        version: ApiVersion,
        write: Write,
        value: &Value,
        is_checked: bool,
        problems: &mut Vec<Problem>,
    ) {
        let is_writable = match write {
            Write::Create => attribute.create.allowed(),
            Write::Update => attribute.update,
        };
        if !is_writable {
            problems.push(not_writable(attribute.name, write));
            return;
        }
        let limits = attribute.value_at(version);
        if is_checked && let Err(flaws) = limits.check(value) {
            problems.extend(flaws.into_iter().map(|flaw| Problem {
                member: format!("{}{}", attribute.name, flaw.pointer),
                what: flaw.violation.to_string(),
                right: if flaw.pointer.is_empty() { right(&limits) } else { String::new() },
            }));
        }
        self.attributes.insert(attribute.name.to_owned(), value.clone());
    }

    fn link(
        &mut self,
        relationship: &RelationshipSpec,
        version: ApiVersion,
        write: Write,
        value: &Value,
        problems: &mut Vec<Problem>,
    ) {
        let is_writable = match write {
            Write::Create => relationship.create.allowed(),
            Write::Update => relationship.update,
        };
        if !is_writable {
            problems.push(not_writable(relationship.name, write));
            return;
        }
        // The record of a relationship to one of two types is named with its type, unless that is the first one.
        let other = |id: &Value| -> Option<Value> {
            let (kind, id) = id.as_str()?.split_once('/')?;
            (relationship.or == Some(kind)).then(|| json!({"type": kind, "id": id}))
        };
        let identifier = |id: &Value| {
            other(id).unwrap_or_else(|| json!({"type": relationship.target_at(version), "id": id}))
        };
        let data = match (relationship.many, value) {
            (true, Value::Array(ids)) if ids.iter().all(Value::is_string) => {
                ids.iter().map(identifier).collect()
            }
            (false, Value::Null) => Value::Null,
            (false, Value::String(_)) => identifier(value),
            (many, _) => {
                let right = if many { "a list of ids or names" } else { "an id or a name, or null" };
                problems.push(Problem {
                    member: relationship.name.to_owned(),
                    what: "is invalid".to_owned(),
                    right: format!("{right} of {}", relationship.target),
                });
                return;
            }
        };
        self.relationships.insert(relationship.name_at(version).to_owned(), json!({"data": data}));
    }

    /// Converts attributes of the canonical form that an older version writes in another one.
    fn convert(&mut self, spec: &ResourceSpec, version: ApiVersion, problems: &mut Vec<Problem>) {
        let of_version = spec.attributes_at(version);
        let is_former = |name: &String| of_version.iter().any(|attribute| attribute.name == *name);
        let (former, mut canonical): (Map<String, Value>, Map<String, Value>) =
            std::mem::take(&mut self.attributes).into_iter().partition(|(name, _)| is_former(name));
        if !canonical.is_empty() {
            if let Some(not) = spec.not_representable(version, &canonical) {
                let (member, what) = (not.attribute.to_owned(), not.reason.to_owned());
                problems.push(Problem { member, what, right: String::new() });
            }
            spec.from_canonical(version, &mut canonical);
        }
        self.attributes = former.into_iter().chain(canonical).collect();
    }

    fn require(&self, spec: &ResourceSpec, version: ApiVersion, problems: &mut Vec<Problem>) {
        for attribute in spec.attributes_at(version) {
            if attribute.create == Access::Required && !self.attributes.contains_key(attribute.name) {
                let limits = attribute.value_at(version);
                problems.push(required(attribute.name, right(&limits)));
            }
        }
        for relationship in spec.sent_relationships_at(version) {
            let name = relationship.name_at(version);
            if relationship.create == Access::Required && !self.relationships.contains_key(name) {
                problems.push(required(name, format!("an id or a name of {}", relationship.target)));
            }
        }
    }

    /// The document to send.
    pub fn document(&self, kind: &str, id: Option<&str>) -> Value {
        let mut data = Map::new();
        data.extend(id.map(|id| ("id".to_owned(), Value::from(id))));
        data.insert("type".to_owned(), kind.into());
        if !self.attributes.is_empty() {
            data.insert("attributes".to_owned(), Value::Object(self.attributes.clone()));
        }
        if !self.relationships.is_empty() {
            data.insert("relationships".to_owned(), Value::Object(self.relationships.clone()));
        }
        json!({ "data": data })
    }
}

/// The attribute of a name in a version: one of the version, or one of the canonical form that is converted to it.
pub(super) fn attribute(
    spec: &'static ResourceSpec,
    version: ApiVersion,
    name: &str,
) -> Option<&'static AttributeSpec> {
    let former = spec.adapter.map_or(&[][..], |adapter| adapter.attributes);
    let mut all = spec.attributes.iter().chain(former);
    let of_version = all.find(|attribute| attribute.name == name && attribute.exists_in(version));
    let is_converted =
        || spec.adapter.is_some_and(|adapter| version <= adapter.until) && converts(spec, version, name);
    of_version.or_else(|| spec.attribute(name).filter(|_| is_converted()))
}

/// Whether the adapter of a type writes a canonical attribute in another form in a version.
fn converts(spec: &ResourceSpec, version: ApiVersion, name: &str) -> bool {
    let Some(attribute) = spec.attribute(name) else { return false };
    if attribute.exists_in(version) {
        return true;
    }
    let mut probe = Map::from_iter([(name.to_owned(), Value::Null)]);
    spec.from_canonical(version, &mut probe);
    !probe.contains_key(name)
}

/// The relationship of a name, canonical or of the version.
pub(super) fn relationship(
    spec: &'static ResourceSpec,
    version: ApiVersion,
    name: &str,
) -> Option<&'static RelationshipSpec> {
    let mut found = spec.sent_relationships_at(version);
    found.find(|relationship| relationship.name == name || relationship.name_at(version) == name)
}

fn not_writable(name: &str, write: Write) -> Problem {
    let what = match write {
        Write::Create => "cannot be set: only the service sets it in a new record",
        Write::Update => "cannot be changed",
    };
    Problem { member: name.to_owned(), what: what.to_owned(), right: String::new() }
}

fn required(name: &str, right: String) -> Problem {
    Problem { member: name.to_owned(), what: "can't be blank".to_owned(), right }
}

/// The problem of a name that the type does not have, or not in the version.
fn unknown(spec: &ResourceSpec, version: ApiVersion, name: &str) -> Problem {
    let since = spec.attribute(name).map(|attribute| attribute.since);
    let since = since.or_else(|| spec.relationship(name).map(|relationship| relationship.since));
    let (what, right) = match since {
        Some(since) if since > version => (
            format!("exists since {since}, and requests ask for {version}"),
            "a newer --api-version".to_owned(),
        ),
        Some(_) => (format!("does not exist in {version}"), String::new()),
        None => (format!("{} have no such member", spec.name), nearest(spec, version, name)),
    };
    Problem { member: name.to_owned(), what, right }
}

/// The names that are similar to a name, or all of them.
fn nearest(spec: &ResourceSpec, version: ApiVersion, name: &str) -> String {
    let attributes = spec.attributes_at(version).into_iter().map(|attribute| attribute.name);
    let relationships = spec.sent_relationships_at(version).map(|found| found.name);
    let all: Vec<&str> = attributes.chain(relationships).collect();
    let like: Vec<&str> = all.iter().copied().filter(|known| crate::near::is_like(known, name)).collect();
    if like.is_empty() { format!("one of {}", all.join(", ")) } else { like.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_of_the_second_of_two_types_is_named_with_its_type() {
        let spec = didww_client::find("proofs").unwrap();
        let entity = relationship(spec, ApiVersion::NEWEST, "entity").unwrap();
        for (text, kind, id) in [("7", "identities", "7"), ("addresses/7", "addresses", "7")] {
            let (mut body, mut problems) = (Body::default(), Vec::new());
            body.link(entity, ApiVersion::NEWEST, Write::Create, &json!(text), &mut problems);
            assert!(problems.is_empty());
            assert_eq!(body.relationships["entity"], json!({"data": {"type": kind, "id": id}}));
        }
    }

    fn trunks() -> &'static ResourceSpec {
        didww_client::find("voice_out_trunks").unwrap()
    }

    fn build(version: ApiVersion, write: Write, members: Value) -> Result<Body, Problems> {
        let Value::Object(members) = members else { panic!("{members} is no object") };
        let members: Vec<(String, Value)> = members.into_iter().collect();
        Body::build(trunks(), version, write, &members, true)
    }

    #[test]
    fn every_problem_is_named_with_what_would_be_right() {
        let members = json!({"capacity_limit": 40000, "created_at": "x", "nmae": "Berlin", "dids": "x",
            "authentication_method": {"type": "credentials_and_ip", "attributes": {"allowed_sip_ips": ["x"]}}});
        let problems = build(ApiVersion::NEWEST, Write::Create, members).unwrap_err();
        let text = problems.to_string();
        for part in [
            "capacity_limit: must be less than or equal to 32767\n    valid: a whole number from 1 to 32767",
            "created_at: cannot be set",
            "nmae: voice_out_trunks have no such member\n    valid: name",
            "dids: is invalid\n    valid: a list of ids or names of dids",
            "authentication_method/attributes/allowed_sip_ips: is invalid",
            "on_cli_mismatch_action: can't be blank\n    valid: one of send_original_cli",
        ] {
            assert!(text.contains(part), "no {part} in\n{text}");
        }
    }

    #[test]
    fn the_canonical_form_is_sent_in_that_of_an_older_version() {
        let method = json!({"type": "credentials_and_ip", "attributes": {"allowed_sip_ips": ["10.0.0.1"]}});
        let members =
            json!({"name": "a", "on_cli_mismatch_action": "reject_call", "authentication_method": method});
        let body = build(ApiVersion::V2022_05_10, Write::Create, members).unwrap();
        assert_eq!(body.attributes["allowed_sip_ips"], json!(["10.0.0.1"]));
        assert!(!body.attributes.contains_key("authentication_method"));
        let twilio = json!({"authentication_method": {"type": "twilio",
            "attributes": {"twilio_account_sid": "AC00000000000000000000000000000000"}}});
        let refused = build(ApiVersion::V2022_05_10, Write::Update, twilio).unwrap_err().to_string();
        assert!(refused.contains("only `credentials_and_ip` exists before 2026-04-16"), "{refused}");
    }

    #[test]
    fn a_member_of_a_newer_version_is_named_as_such() {
        let refused = build(ApiVersion::V2022_05_10, Write::Update, json!({"rtp_timeout": 30})).unwrap_err();
        assert!(refused.to_string().contains("exists since 2026-04-16"), "{refused}");
    }

    #[test]
    fn relationships_are_named_as_in_the_version() {
        let spec = didww_client::find("dids").unwrap();
        let id = "0a161808-bb05-42b1-8398-7888abdfa9ef";
        let members = [("voice_in_trunk".to_owned(), json!(id))];
        let body = Body::build(spec, ApiVersion::V2021_04_19, Write::Update, &members, true).unwrap();
        assert_eq!(body.relationships["trunk"], json!({"data": {"type": "trunks", "id": id}}));
    }
}
