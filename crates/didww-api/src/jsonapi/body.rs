//! Bodies, checked for their shape in the order in which the service's framework checks it.

use std::fmt;

use didww_types::{Access, ErrorCode, RelationshipSpec, ResourceSpec};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::{Call, Refused};

/// Deepest nesting of a body.
const DEPTH: usize = 64;

/// The members of a body, by name.
#[derive(Debug, Clone, Default)]
pub(super) struct Body {
    /// Attributes as they were sent.
    pub(super) attributes: Map<String, Value>,
    /// Ids by relationship.
    pub(super) links: Vec<(&'static RelationshipSpec, Vec<String>)>,
}

/// Which body it is, and so what may be in it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Purpose<'a> {
    Create,
    /// With the id in the path.
    Update(&'a str),
}

/// The members of an object in the order they came: the first that is wrong is the one that is answered.
struct Members<T>(Vec<(String, T)>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Members<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Ordered<T>(std::marker::PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Ordered<T> {
            type Value = Members<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members: Vec<(String, T)> = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, T>()? {
                    members.retain(|(known, _)| *known != name);
                    members.push((name, value));
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Ordered(std::marker::PhantomData))
    }
}

impl<T> Members<T> {
    fn get(&self, name: &str) -> Option<&T> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }
}

fn bad_request(detail: impl Into<String>) -> Refused {
    Refused::new(ErrorCode::BadRequest, "Bad Request", detail)
}

fn missing(name: &str) -> Refused {
    let detail = format!("The required parameter, {name}, is missing.");
    Refused::new(ErrorCode::MissingParameter, "Missing Parameter", detail)
}

fn not_a_hash() -> Refused {
    Refused::new(ErrorCode::InvalidDataFormat, "Invalid data format", "Data must be a hash.")
}

fn invalid_links() -> Refused {
    Refused::new(ErrorCode::InvalidLinks, "Invalid Links Object", "Data is not a valid Links Object.")
}

/// Refuses JSON that is nested deeper than any document of the API.
fn check_depth(body: &[u8]) -> Result<(), Refused> {
    let (mut depth, mut in_text, mut escaped) = (0_usize, false, false);
    for byte in body {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b'{' | b'[' if !in_text => {
                depth += 1;
                if depth > DEPTH {
                    return Err(bad_request(format!("nesting of {depth} is too deep")));
                }
            }
            b'}' | b']' if !in_text => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    Ok(())
}

/// The `data` member of a body, not blank.
fn data(body: &[u8]) -> Result<Value, Refused> {
    check_depth(body)?;
    let document: Value = serde_json::from_slice(body).map_err(|error| bad_request(error.to_string()))?;
    let Value::Object(mut document) = document else { return Err(bad_request("Request must be a hash")) };
    let data = document.remove("data").unwrap_or(Value::Null);
    let blank = match &data {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.trim().is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        _ => false,
    };
    if blank { Err(missing("data")) } else { Ok(data) }
}

impl Body {
    /// Reads a body that creates or changes a record.
    pub(super) fn read(
        call: &Call<'_>,
        spec: &'static ResourceSpec,
        purpose: Purpose<'_>,
        body: &[u8],
    ) -> Result<Self, Refused> {
        if !data(body)?.is_object() {
            return Err(not_a_hash());
        }
        let parse = |error: serde_json::Error| bad_request(error.to_string());
        let document: Members<&RawValue> = serde_json::from_slice(body).map_err(parse)?;
        let data = document.get("data").map_or("{}", |raw| raw.get());
        let data: Members<&RawValue> = serde_json::from_str(data).map_err(parse)?;
        if let Purpose::Update(id) = purpose {
            check_key(&data, id)?;
        }
        check_type(&data, spec)?;
        let mut read = Self::default();
        let mut links: Members<Value> = Members(Vec::new());
        for (name, raw) in &data.0 {
            match name.as_str() {
                "type" => {}
                "id" if matches!(purpose, Purpose::Update(_)) => {}
                "attributes" => {
                    let members: Members<Value> =
                        serde_json::from_str(raw.get()).map_err(|_| not_a_hash())?;
                    for (name, value) in members.0 {
                        if !may_write_attribute(call, spec, purpose, &name) {
                            return Err(Refused::param(&name));
                        }
                        read.attributes.insert(name, value);
                    }
                }
                "relationships" => {
                    links = serde_json::from_str(raw.get()).map_err(|_| not_a_hash())?;
                    for (name, _) in &links.0 {
                        if !call
                            .relationship(spec, name)
                            .is_some_and(|rel| may_write_relationship(rel, purpose))
                        {
                            return Err(Refused::param(name));
                        }
                    }
                }
                other => return Err(Refused::param(other)),
            }
        }
        for (name, value) in links.0 {
            let Some(relationship) = call.relationship(spec, &name) else { continue };
            let data = value.get("data").ok_or_else(invalid_links)?;
            read.links.push((relationship, linkage(relationship, data)?));
        }
        Ok(read)
    }
}

/// Reads a body that is nothing but linkage.
pub(super) fn read_linkage(
    relationship: &'static RelationshipSpec,
    body: &[u8],
) -> Result<Vec<String>, Refused> {
    check_depth(body)?;
    let document: Value = serde_json::from_slice(body).map_err(|error| bad_request(error.to_string()))?;
    let Value::Object(document) = document else { return Err(bad_request("Request must be a hash")) };
    // Here an empty list and null say something: nobody.
    linkage(relationship, document.get("data").ok_or_else(|| missing("data"))?)
}

fn check_key(data: &Members<&RawValue>, id: &str) -> Result<(), Refused> {
    let sent = data.get("id").and_then(|raw| serde_json::from_str::<Value>(raw.get()).ok());
    let sent = match sent {
        None | Some(Value::Null) => {
            let detail = "The resource object does not contain a key.";
            return Err(Refused::new(ErrorCode::KeyRequired, "A key is required", detail));
        }
        Some(Value::String(text)) => text,
        Some(other) => other.to_string(),
    };
    if sent == id {
        return Ok(());
    }
    let detail = format!("The URL does not support the key {sent}");
    Err(Refused::new(ErrorCode::KeyNotInUrl, "Key is not included in URL", detail))
}

fn check_type(data: &Members<&RawValue>, spec: &ResourceSpec) -> Result<(), Refused> {
    let sent = data.get("type").and_then(|raw| serde_json::from_str::<Value>(raw.get()).ok());
    let sent = match sent {
        None | Some(Value::Null) => return Err(missing("type")),
        Some(Value::String(text)) => text,
        Some(other) => other.to_string(),
    };
    if sent == spec.name {
        return Ok(());
    }
    let detail = format!("{sent} is not a valid resource.");
    Err(Refused::new(ErrorCode::InvalidResource, "Invalid resource", detail))
}

fn may_write_attribute(
    call: &Call<'_>,
    spec: &'static ResourceSpec,
    purpose: Purpose<'_>,
    name: &str,
) -> bool {
    spec.attributes_at(call.version).into_iter().find(|attribute| attribute.name == name).is_some_and(
        |attribute| match purpose {
            Purpose::Create => attribute.create != Access::Never,
            Purpose::Update(_) => attribute.update,
        },
    )
}

fn may_write_relationship(relationship: &RelationshipSpec, purpose: Purpose<'_>) -> bool {
    match purpose {
        Purpose::Create => relationship.create != Access::Never,
        Purpose::Update(_) => relationship.update,
    }
}

/// The ids of linkage, each once, in the order they came.
fn linkage(relationship: &RelationshipSpec, data: &Value) -> Result<Vec<String>, Refused> {
    let members: Vec<&Value> = match (relationship.many, data) {
        (true, Value::Array(members)) => members.iter().collect(),
        (false, Value::Null) => Vec::new(),
        (false, Value::Object(_)) => vec![data],
        _ => return Err(invalid_links()),
    };
    let mut ids: Vec<String> = Vec::with_capacity(members.len());
    for member in members {
        let Some(object) = member.as_object().filter(|object| object.len() == 2) else {
            return Err(invalid_links());
        };
        let (Some(kind), Some(id)) =
            (object.get("type").and_then(Value::as_str), object.get("id").and_then(Value::as_str))
        else {
            return Err(invalid_links());
        };
        if kind != relationship.target {
            // Of a to-many the framework knows no single wrong type, and says so with nothing.
            let named = if relationship.many { "" } else { kind };
            let detail = format!("{named} is not a valid type for this operation.");
            return Err(Refused::new(ErrorCode::TypeMismatch, "Type Mismatch", detail));
        }
        if !ids.iter().any(|known| known == id) {
            ids.push(id.to_owned());
        }
    }
    Ok(ids)
}
