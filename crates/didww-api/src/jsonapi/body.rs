//! Request bodies: parsed, and checked in the order in which the framework behind DIDWW's API checks them.
//!
//! Here only the form of a body is checked: JSON, required members, names that the declaration allows. The values of
//! attributes are checked by the rules.

use std::collections::HashSet;
use std::fmt;

use didww_types::{Access, AttributeSpec, ErrorCode, RelationshipSpec, ResourceSpec, Violation, find};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::error::Category;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use trunk_rules::domain::Refusal;

use super::context::RequestContext;
use super::error::ApiError;
use super::target::parse_id;

/// Maximum nesting of objects and arrays in a body.
const MAX_DEPTH: usize = 64;

/// A body that creates or updates a record.
#[derive(Debug, Clone, Default)]
pub(super) struct Body {
    /// The attributes as they were sent, by name.
    pub(super) attributes: Map<String, Value>,
    /// The ids of the related records, by relationship. An empty list clears the relationship.
    pub(super) links: Vec<(&'static RelationshipSpec, Vec<String>)>,
    /// The types that the members of relationships to one of two types have, by relationship.
    pub(super) chosen: Vec<(&'static str, &'static ResourceSpec)>,
}

/// The operation that a body belongs to, which decides what the body may contain.
#[derive(Debug, Clone, Copy)]
pub(super) enum Purpose<'a> {
    Create,
    /// An update of the record with this id, which is that of the path.
    Update(&'a str),
}

/// The members of a JSON object in the order they were sent, because the response reports the first wrong one. Of
/// members with the same name the last one counts.
struct OrderedMembers<T>(Vec<(String, T)>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for OrderedMembers<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OrderedVisitor<T>(std::marker::PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for OrderedVisitor<T> {
            type Value = OrderedMembers<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members: Vec<(String, T)> = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                keep_last(&mut members);
                Ok(OrderedMembers(members))
            }
        }

        deserializer.deserialize_map(OrderedVisitor(std::marker::PhantomData))
    }
}

/// The number of members from which names are compared by their hashes. Most objects have fewer.
const MANY_MEMBERS: usize = 32;

/// Removes the members whose name a later one has too.
fn keep_last<T>(members: &mut Vec<(String, T)>) {
    if members.len() < MANY_MEMBERS {
        let mut at = 0;
        while let Some(((name, _), later)) = members.get(at..).and_then(<[_]>::split_first) {
            if later.iter().any(|(other, _)| other == name) {
                members.remove(at);
            } else {
                at += 1;
            }
        }
        return;
    }
    let mut seen = HashSet::with_capacity(members.len());
    let is_last: Vec<bool> = members.iter().rev().map(|(name, _)| seen.insert(name.as_str())).collect();
    if is_last.contains(&false) {
        let mut is_last = is_last.into_iter().rev();
        members.retain(|_| is_last.next().unwrap_or(true));
    }
}

impl<T> OrderedMembers<T> {
    fn get(&self, name: &str) -> Option<&T> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }
}

fn bad_request(detail: impl Into<String>) -> ApiError {
    ApiError::new(ErrorCode::BadRequest, "Bad Request", detail)
}

fn missing(name: &str) -> ApiError {
    let detail = format!("The required parameter, {name}, is missing.");
    ApiError::new(ErrorCode::MissingParameter, "Missing Parameter", detail)
}

fn not_a_hash() -> ApiError {
    ApiError::new(ErrorCode::InvalidDataFormat, "Invalid data format", "Data must be a hash.")
}

fn invalid_links() -> ApiError {
    ApiError::new(ErrorCode::InvalidLinks, "Invalid Links Object", "Data is not a valid Links Object.")
}

/// Refuses JSON that is nested deeper than [`MAX_DEPTH`], before it is parsed.
fn check_depth(body: &[u8]) -> Result<(), ApiError> {
    // Each level begins with a bracket, so there are enough of them in a body that is too deep, wherever they are.
    if body.iter().filter(|byte| matches!(byte, b'{' | b'[')).count() <= MAX_DEPTH {
        return Ok(());
    }
    let (mut depth, mut in_text, mut escaped) = (0_usize, false, false);
    for byte in body {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b'{' | b'[' if !in_text => {
                depth += 1;
                if depth > MAX_DEPTH {
                    return Err(bad_request(format!("nesting of {depth} is too deep")));
                }
            }
            b'}' | b']' if !in_text => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    Ok(())
}

/// Parses a body as an object. A body of nothing but white space has no members: the framework behind the API parses
/// none.
fn document<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<OrderedMembers<T>, ApiError> {
    let Some(first) = body.iter().find(|byte| !byte.is_ascii_whitespace()) else {
        return Ok(OrderedMembers(Vec::new()));
    };
    check_depth(body)?;
    let syntax_error = |error: serde_json::Error| bad_request(error.to_string());
    if *first != b'{' {
        let _other_than_object: Value = serde_json::from_slice(body).map_err(syntax_error)?;
        return Err(bad_request("Request must be a hash"));
    }
    serde_json::from_slice(body).map_err(syntax_error)
}

/// Parses the value of `attributes` or `relationships`. An empty list has no members: PHP writes an empty object in
/// this way.
fn members<'a, T: Deserialize<'a>>(raw: &'a RawValue) -> Result<OrderedMembers<T>, ApiError> {
    if is_empty_list(raw) {
        return Ok(OrderedMembers(Vec::new()));
    }
    serde_json::from_str(raw.get()).map_err(|error| match error.classify() {
        Category::Data => not_a_hash(),
        _ => bad_request(error.to_string()),
    })
}

fn is_empty_list(raw: &RawValue) -> bool {
    let items = raw.get().strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    items.is_some_and(|items| items.trim_ascii().is_empty())
}

/// Returns the members of the `data` member of a body. Null, false, blank text and empty collections count as missing,
/// as in the framework behind the API.
fn data(body: &[u8]) -> Result<OrderedMembers<&RawValue>, ApiError> {
    let document: OrderedMembers<&RawValue> = document(body)?;
    let Some(raw) = document.get("data") else { return Err(missing("data")) };
    let members = match raw.get().as_bytes().first() {
        Some(b'{') => Some(members(raw)?),
        Some(b'"') => {
            let text: String =
                serde_json::from_str(raw.get()).map_err(|error| bad_request(error.to_string()))?;
            text.trim().is_empty().then(|| OrderedMembers(Vec::new()))
        }
        _ => {
            let is_blank = matches!(raw.get(), "null" | "false") || is_empty_list(raw);
            is_blank.then(|| OrderedMembers(Vec::new()))
        }
    };
    match members {
        None => Err(not_a_hash()),
        Some(members) if members.0.is_empty() => Err(missing("data")),
        Some(members) => Ok(members),
    }
}

impl Body {
    /// Parses a body that creates or updates a record.
    pub(super) fn parse(
        context: &RequestContext<'_>,
        spec: &'static ResourceSpec,
        purpose: Purpose<'_>,
        body: &[u8],
    ) -> Result<Self, ApiError> {
        let data = data(body)?;
        if let Purpose::Update(id) = purpose {
            check_key(&data, id)?;
        }
        check_type(context, &data, spec)?;
        let declared = spec.attributes_at(context.version);
        let mut parsed = Self::default();
        let mut links: OrderedMembers<Value> = OrderedMembers(Vec::new());
        for (name, raw) in &data.0 {
            match name.as_str() {
                "type" => {}
                "id" if matches!(purpose, Purpose::Update(_)) => {}
                "attributes" => {
                    for (name, value) in members::<Value>(raw)?.0 {
                        if !may_write_attribute(&declared, purpose, &name) {
                            return Err(ApiError::param_not_allowed(&name));
                        }
                        parsed.attributes.insert(name, value);
                    }
                }
                "relationships" => {
                    links = members(raw)?;
                    for (name, _) in &links.0 {
                        if !context
                            .sent_relationship(spec, name)
                            .is_some_and(|rel| may_write_relationship(rel, purpose))
                        {
                            return Err(ApiError::param_not_allowed(name));
                        }
                    }
                }
                other => return Err(ApiError::param_not_allowed(other)),
            }
        }
        if let Purpose::Create = purpose
            && let Some(absent) =
                declared.iter().find(|one| one.parameter && !parsed.attributes.contains_key(one.name))
        {
            return Err(missing(absent.name));
        }
        for (name, value) in links.0 {
            let Some(relationship) = context.sent_relationship(spec, &name) else { continue };
            let data = value.get("data").ok_or_else(invalid_links)?;
            let ids = linkage(context, relationship, data)?;
            if relationship.distinct && data.as_array().is_some_and(|sent| sent.len() > ids.len()) {
                let refusal = Refusal::relationship(&name, Violation::Repeated);
                return Err(ApiError::from_object(refusal.to_error()));
            }
            parsed.links.push((relationship, ids));
            let kind = data.get("type").and_then(Value::as_str).filter(|_| relationship.or.is_some());
            let target = kind.and_then(find).map(|target| (relationship.name, target));
            parsed.chosen.extend(target);
        }
        Ok(parsed)
    }

    /// The type of the records that a relationship of the body names; `None` if it is not declared.
    pub(super) fn target(&self, relationship: &RelationshipSpec) -> Option<&'static ResourceSpec> {
        let chosen = self.chosen.iter().find(|(name, _)| *name == relationship.name);
        chosen.map(|(_, target)| *target).or_else(|| find(relationship.target))
    }
}

/// Parses the body of a request to a relationship endpoint. Returns the ids that it names.
pub(super) fn parse_linkage(
    context: &RequestContext<'_>,
    relationship: &'static RelationshipSpec,
    body: &[u8],
) -> Result<Vec<String>, ApiError> {
    let document: OrderedMembers<Value> = document(body)?;
    // Here an empty list and null are valid: they clear the relationship.
    linkage(context, relationship, document.get("data").ok_or_else(|| missing("data"))?)
}

fn check_key(data: &OrderedMembers<&RawValue>, id: &str) -> Result<(), ApiError> {
    let sent = data.get("id").and_then(|raw| serde_json::from_str::<Value>(raw.get()).ok());
    let sent = match sent {
        None | Some(Value::Null) => {
            let detail = "The resource object does not contain a key.";
            return Err(ApiError::new(ErrorCode::KeyRequired, "A key is required", detail));
        }
        Some(Value::String(text)) => text,
        Some(other) => other.to_string(),
    };
    if sent == id {
        return Ok(());
    }
    let detail = format!("The URL does not support the key {sent}");
    Err(ApiError::new(ErrorCode::KeyNotInUrl, "Key is not included in URL", detail))
}

fn check_type(
    context: &RequestContext<'_>,
    data: &OrderedMembers<&RawValue>,
    spec: &ResourceSpec,
) -> Result<(), ApiError> {
    let sent = data.get("type").and_then(|raw| serde_json::from_str::<Value>(raw.get()).ok());
    let sent = match sent {
        None | Some(Value::Null) => return Err(missing("type")),
        Some(Value::String(text)) => text,
        Some(other) => other.to_string(),
    };
    if sent == spec.name_at(context.version) {
        return Ok(());
    }
    let detail = format!("{sent} is not a valid resource.");
    Err(ApiError::new(ErrorCode::InvalidResource, "Invalid resource", detail))
}

fn may_write_attribute(declared: &[&AttributeSpec], purpose: Purpose<'_>, name: &str) -> bool {
    declared.iter().find(|attribute| attribute.name == name).is_some_and(|attribute| match purpose {
        Purpose::Create => attribute.create != Access::Never,
        Purpose::Update(_) => attribute.update,
    })
}

fn may_write_relationship(relationship: &RelationshipSpec, purpose: Purpose<'_>) -> bool {
    match purpose {
        Purpose::Create => relationship.create != Access::Never,
        Purpose::Update(_) => relationship.update,
    }
}

/// Returns the ids of resource identifier objects in the order they were sent, without duplicates.
fn linkage(
    context: &RequestContext<'_>,
    relationship: &RelationshipSpec,
    data: &Value,
) -> Result<Vec<String>, ApiError> {
    let members: Vec<&Value> = match (relationship.many, data) {
        (true, Value::Array(members)) => members.iter().collect(),
        (false, Value::Null) => Vec::new(),
        (false, Value::Object(_)) => vec![data],
        _ => return Err(invalid_links()),
    };
    let mut ids: Vec<String> = Vec::with_capacity(members.len());
    let mut seen = HashSet::with_capacity(members.len());
    for member in members {
        let Some(object) = member.as_object().filter(|object| object.len() == 2) else {
            return Err(invalid_links());
        };
        let (Some(kind), Some(id)) =
            (object.get("type").and_then(Value::as_str), object.get("id").and_then(Value::as_str))
        else {
            return Err(invalid_links());
        };
        if !relationship.targets_at(context.version).any(|target| target == kind) {
            // For a to-many relationship the framework leaves the name of the type empty.
            let named = if relationship.many { "" } else { kind };
            let detail = format!("{named} is not a valid type for this operation.");
            return Err(ApiError::new(ErrorCode::TypeMismatch, "Type Mismatch", detail));
        }
        // As records have it: letter case makes no difference between two ids.
        let id = parse_id(id).map_or_else(|| id.to_owned(), |id| id.to_string());
        if seen.insert(id.clone()) {
            ids.push(id);
        }
    }
    Ok(ids)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(body: &str) -> Vec<(String, u32)> {
        serde_json::from_str::<OrderedMembers<u32>>(body).unwrap().0
    }

    #[test]
    fn brackets_inside_a_text_are_no_levels() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        let many_in_a_text = format!("{{\"name\":\"{}\"}}", "[".repeat(2 * MAX_DEPTH));
        for body in [nested(MAX_DEPTH), many_in_a_text, "[]".repeat(2 * MAX_DEPTH)] {
            assert!(check_depth(body.as_bytes()).is_ok(), "{body}");
        }
        assert!(check_depth(nested(MAX_DEPTH + 1).as_bytes()).is_err());
    }

    #[test]
    fn long_objects_keep_the_last_member_of_a_name_too() {
        let members: Vec<String> =
            (0..100).map(|n| format!("\"{}\":{n}", if n % 7 == 0 { n % 3 } else { n })).collect();
        let kept = names(&format!("{{{}}}", members.join(",")));
        assert_eq!(kept.len(), 100 - 15 + 3 - 2, "0, 1 and 2 have several members; 1 and 2 of their own too");
        assert_eq!(kept.iter().find(|(name, _)| name == "2").map(|(_, n)| *n), Some(98));
    }

    #[test]
    fn of_members_with_the_same_name_the_last_one_counts_where_it_stands() {
        let pair = |name: &str, value| (name.to_owned(), value);
        assert_eq!(names(r#"{"a":1,"b":2}"#), [pair("a", 1), pair("b", 2)]);
        assert_eq!(
            names(r#"{"a":1,"b":2,"a":3,"c":4,"b":5,"b":6}"#),
            [pair("a", 3), pair("c", 4), pair("b", 6)]
        );
    }
}
