//! The declaration: a file with the wanted records.
//!
//! ```toml
//! owner = "netops"
//!
//! [voice_out_trunks.Berlin]
//! on_cli_mismatch_action = "reject_call"
//! ```

use didww_client::{ApiVersion, Kind, ResourceSpec, Verb, find};
use serde_json::{Map, Value};

use super::mark::Owner;
use super::part::{Part, PartEntry};
use crate::exit::{Exit, Failure};
use crate::near::is_like;
use crate::{mask, resource};

/// The records that should exist.
#[derive(Debug, Clone, Default)]
pub struct Declaration {
    /// The owner of the declaration. Without an owner, records are identified only by their names, and none is deleted.
    pub owner: Option<Owner>,
    /// The records in the order of their types and names.
    pub entries: Vec<Entry>,
    /// The providers and routes of the communication platform.
    pub platform: Vec<PartEntry>,
}

/// A record that should exist.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its type.
    pub spec: &'static ResourceSpec,
    /// Its name in the file: the record's name or number, or its id.
    pub key: String,
    /// The members that should have these values. Other members are not changed.
    pub members: Map<String, Value>,
}

impl Entry {
    /// The name or number that the entry declares, if it is another one than its name in the file.
    pub(super) fn other_name(&self, version: ApiVersion) -> Option<&str> {
        let handle = resource::Handle::of(self.spec, version)?;
        self.members.get(handle.attribute.name)?.as_str().filter(|name| *name != self.key)
    }
}

impl Declaration {
    /// Reads a file.
    ///
    /// # Errors
    /// When it cannot be read, or is not a valid declaration.
    pub fn read(path: &str) -> Result<Self, Failure> {
        Self::parse(path, &crate::file::text(path)?)
    }

    /// Reads the text of a file, whose name determines the format.
    ///
    /// # Errors
    /// When it is not a valid declaration.
    pub fn parse(path: &str, text: &str) -> Result<Self, Failure> {
        let members = crate::file::members(path, text)?;
        Self::of(members).map_err(|problem| Failure::usage(format!("{path}: {problem}")))
    }

    /// Reads the members of a file.
    ///
    /// # Errors
    /// A description of the invalid members.
    pub fn of(mut members: Map<String, Value>) -> Result<Self, String> {
        let owner = match members.remove("owner") {
            None => None,
            Some(Value::String(text)) => Some(text.parse()?),
            Some(_) => return Err("`owner` should be a text".to_owned()),
        };
        let (mut entries, mut platform) = (Vec::new(), Vec::new());
        for (name, records) in members {
            let part = Part::ALL.into_iter().find(|part| part.as_str() == name);
            let spec = if part.is_some() { None } else { Some(named(&name)?) };
            let Value::Object(records) = records else {
                return Err(format!("`{name}` should be a table of records by name"));
            };
            for (key, members) in records {
                let Value::Object(members) = members else {
                    return Err(format!("`{name}.{key}` should be a table of members"));
                };
                if let Some(path) = mask::first_hidden(&members) {
                    let hidden = mask::HIDDEN;
                    return Err(format!(
                        "`{name}.{key}`: `{path}` is {hidden}: leave it out, and what is stored stays"
                    ));
                }
                if let Some(part) = part {
                    platform.push(PartEntry { part, key, members });
                } else if let Some(spec) = spec {
                    quoted(spec, &members).map_err(|problem| format!("`{name}.{key}`: {problem}"))?;
                    entries.push(Entry { spec, key, members });
                }
            }
        }
        Ok(Self { owner, entries, platform })
    }
}

fn named(name: &str) -> Result<&'static ResourceSpec, String> {
    let can_be_declared = |spec: &&ResourceSpec| {
        spec.has(Verb::List)
            && (spec.has(Verb::Create) || spec.has(Verb::Update))
            && spec.form.is_none()
            && !resource::is_operation(spec)
    };
    find(name).filter(can_be_declared).ok_or_else(|| {
        let known = didww_client::REGISTRY.iter().copied().filter(can_be_declared);
        let parts = Part::ALL.map(Part::as_str);
        let known: Vec<&str> = known.map(|spec| spec.name).chain(parts).collect();
        let like: Vec<&str> = known.iter().copied().filter(|known| is_like(known, name)).collect();
        let right = if like.is_empty() { known } else { like };
        format!("`{name}` is not a type that can be declared; known: owner, {}", right.join(", "))
    })
}

/// Refuses a number where a text belongs: `0044` without quotes has lost its zeros when it is read.
fn quoted(spec: &ResourceSpec, members: &Map<String, Value>) -> Result<(), String> {
    for (name, value) in members {
        let is_text = |kind: &Kind| matches!(kind, Kind::Text { .. });
        let attribute = spec.attribute(name);
        let kind = attribute.map(|attribute| attribute.value_at(ApiVersion::NEWEST).kind);
        let is_merged = attribute.is_some_and(|attribute| attribute.merged);
        let has_number = match (kind, value) {
            (Some(kind), Value::Number(_)) => is_text(&kind),
            (Some(Kind::List { of, .. }), Value::Array(items)) => {
                is_text(of) && items.iter().any(Value::is_number)
            }
            // Merged objects can have numbers, which the service validates.
            (Some(Kind::Variant(_)), Value::Object(_)) => !is_merged && has_number_at_depth(value),
            // A related record is declared by its name or number.
            (None, value) => spec.relationship(name).is_some() && has_number_at_depth(value),
            _ => false,
        };
        if has_number {
            return Err(format!(
                "write the digits of `{name}` in quotes: as a number they lose leading zeros"
            ));
        }
    }
    Ok(())
}

fn has_number_at_depth(value: &Value) -> bool {
    match value {
        Value::Object(members) => members.values().any(has_number_at_depth),
        Value::Array(items) => items.iter().any(has_number_at_depth),
        other => other.is_number(),
    }
}

/// The failure of a declaration whose records are not valid.
pub(super) fn invalid(problems: &[String]) -> Failure {
    Failure::new(Exit::Invalid, format!("the declaration is not valid:\n{}", problems.join("\n")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(value: Value) -> Result<Declaration, String> {
        let Value::Object(members) = value else { panic!("{value} is no object") };
        Declaration::of(members)
    }

    #[test]
    fn types_have_records_by_name() {
        let read = of(json!({"owner": "netops", "dids": {"37061498222": {"description": "Sales"}},
            "voice_out_trunks": {"Berlin": {}, "Paris": {"rtp_ping": true}}}))
        .unwrap();
        assert_eq!(read.owner.unwrap().as_str(), "netops");
        let keys: Vec<(&str, &str)> =
            read.entries.iter().map(|entry| (entry.spec.name, entry.key.as_str())).collect();
        let expected =
            [("dids", "37061498222"), ("voice_out_trunks", "Berlin"), ("voice_out_trunks", "Paris")];
        assert_eq!(keys, expected);
    }

    #[test]
    fn what_is_wrong_is_said_with_what_is_right() {
        for (value, part) in [
            (json!({"voice_out_trunk": {}}), "known: owner, voice_out_trunks"),
            (json!({"did_groups": {}}), "not a type that can be declared"),
            (json!({"owner": "A B"}), "1 to 32 of the characters"),
            (json!({"dids": []}), "a table of records by name"),
            (json!({"dids": {"1": 1}}), "a table of members"),
            (json!({"voice_out_trunks": {"a": {"dst_prefixes": [44]}}}), "in quotes"),
            (
                json!({"voice_in_trunks": {"a": {"configuration": {"auth_password": "(hidden)"}}}}),
                "leave it out",
            ),
            (json!({"providers": {"a": {"password": "(hidden)"}}}), "`password` is (hidden)"),
            (json!({"voice_out_trunks": {"a": {"name": 44}}}), "in quotes"),
            (json!({"voice_out_trunks": {"a": {"dids": [12_025_550_143_u64]}}}), "`dids` in quotes"),
            (json!({"voice_out_trunks": {"a": {"default_did": 12_025_550_143_u64}}}), "in quotes"),
            (
                json!({"voice_out_trunks": {"a": {"authentication_method": {"attributes": {"tech_prefix": 11}}}}}),
                "in quotes",
            ),
        ] {
            let problem = of(value.clone()).unwrap_err();
            assert!(problem.contains(part), "{value}: {problem}");
        }
    }
}
