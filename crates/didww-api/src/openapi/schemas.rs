//! The `components.schemas` object: records, request bodies, errors, and the `meta` and `links` of documents.

use didww_types::{Access, ApiVersion, AttributeSpec, Kind, RelationshipSpec, ResourceSpec, Verb};
use serde_json::{Map, Value, json};

/// Builds the schemas of a resource in a version: the record, and the bodies that create and update one.
pub(super) fn of(spec: &'static ResourceSpec, version: ApiVersion) -> Map<String, Value> {
    let mut schemas = Map::new();
    let all = members(spec, version, Place::Record, |_| true, |_| true);
    let name = spec.name_at(version);
    schemas.insert(name.to_owned(), record(spec, version, &all, false));
    if spec.has_at(Verb::Create, version) && spec.form.is_none() {
        let create = members(spec, version, Place::Create, |a| a.create.allowed(), |r| r.create.allowed());
        let attributes = spec.attributes_at(version).into_iter();
        let relationships = spec.sent_relationships_at(version);
        let required = Required {
            attributes: attributes
                .filter(|attribute| attribute.create == Access::Required)
                .map(|attribute| attribute.name)
                .collect(),
            relationships: relationships
                .filter(|relationship| relationship.create == Access::Required)
                .map(|relationship| relationship.name_at(version))
                .collect(),
        };
        schemas.insert(format!("{name}_create"), body(spec, version, &create, &required, false));
    }
    if spec.has_at(Verb::Update, version) {
        let update = members(spec, version, Place::Update, |a| a.update, |r| r.update);
        schemas.insert(format!("{name}_update"), body(spec, version, &update, &Required::default(), true));
    }
    schemas
}

/// Builds the schemas that the responses of all resources share.
pub(super) fn shared() -> Map<String, Value> {
    let link = json!({ "type": "string", "format": "uri" });
    let error = json!({
        "type": "object",
        "properties": {
            "title": { "type": "string" },
            "detail": { "type": "string" },
            "code": { "type": "string" },
            "source": { "type": "object", "properties": { "pointer": { "type": "string" } } },
            "status": { "type": "string" },
        },
    });
    Map::from_iter([
        (
            "errors".to_owned(),
            json!({
                "type": "object",
                "required": ["errors"],
                "properties": { "errors": { "type": "array", "items": error } },
            }),
        ),
        (
            "meta".to_owned(),
            json!({
                "type": "object",
                "required": ["api_version"],
                "properties": { "api_version": { "type": "string", "format": "date" } },
            }),
        ),
        (
            "list_meta".to_owned(),
            json!({
                "type": "object",
                "required": ["api_version", "total_records"],
                "properties": {
                    "api_version": { "type": "string", "format": "date" },
                    "total_records": { "type": "integer", "minimum": 0 },
                },
            }),
        ),
        counts("sample_meta", &["total_count"]),
        counts("counted_meta", &["available_count"]),
        counts("counted_list_meta", &["total_records", "available_count"]),
        (
            "page_links".to_owned(),
            json!({
                "type": "object",
                "required": ["first", "last"],
                "properties": { "first": link, "prev": link, "next": link, "last": link },
            }),
        ),
    ])
}

/// The schema of a document's `meta` with these numbers.
fn counts(name: &str, numbers: &[&str]) -> (String, Value) {
    let mut properties =
        Map::from_iter([("api_version".to_owned(), json!({ "type": "string", "format": "date" }))]);
    let number = json!({ "type": "integer", "minimum": 0 });
    properties.extend(numbers.iter().map(|name| ((*name).to_owned(), number.clone())));
    let required: Vec<&str> = std::iter::once("api_version").chain(numbers.iter().copied()).collect();
    (name.to_owned(), json!({ "type": "object", "required": required, "properties": properties }))
}

/// The document in which the members of a schema are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// An answer.
    Record,
    /// A request that creates a record.
    Create,
    /// A request that updates one.
    Update,
}

struct Members {
    attributes: Map<String, Value>,
    relationships: Map<String, Value>,
}

fn members(
    spec: &'static ResourceSpec,
    version: ApiVersion,
    place: Place,
    attributes: impl Fn(&AttributeSpec) -> bool,
    relationships: impl Fn(&RelationshipSpec) -> bool,
) -> Members {
    Members {
        attributes: spec
            .attributes_at(version)
            .into_iter()
            .filter(|attribute| attributes(attribute))
            .map(|attribute| (attribute.name.to_owned(), attribute_schema(spec, attribute, version, place)))
            .collect(),
        relationships: spec
            .sent_relationships_at(version)
            .filter(|relationship| relationships(relationship))
            .map(|relationship| {
                let mut schema = relationship_schema(relationship, version, place);
                if let (true, Some(object)) = (relationship.write_only, schema.as_object_mut()) {
                    object.insert("writeOnly".to_owned(), json!(true));
                }
                (relationship.name_at(version).to_owned(), schema)
            })
            .collect(),
    }
}

/// A relationship in a document: in answers its links, and its members if they are included; in requests the members.
fn relationship_schema(relationship: &RelationshipSpec, version: ApiVersion, place: Place) -> Value {
    let (doc, data) = (relationship.doc, linkage_schema(relationship, version));
    if place != Place::Record {
        let members = json!({ "data": data });
        return json!({ "type": "object", "description": doc, "required": ["data"], "properties": members });
    }
    let link = || json!({ "type": "string", "format": "uri" });
    let links = json!({ "type": "object", "properties": { "self": link(), "related": link() } });
    json!({ "type": "object", "description": doc, "properties": { "links": links, "data": data } })
}

fn record(spec: &ResourceSpec, version: ApiVersion, members: &Members, writable: bool) -> Value {
    let mut properties = identity(spec, version, !writable);
    properties.insert("attributes".to_owned(), json!({ "type": "object", "properties": members.attributes }));
    properties
        .insert("relationships".to_owned(), json!({ "type": "object", "properties": members.relationships }));
    if spec.has_meta {
        properties.insert("meta".to_owned(), json!({ "type": "object" }));
    }
    json!({ "type": "object", "description": spec.doc, "required": ["id", "type"], "properties": properties })
}

/// The members that a create request must contain.
#[derive(Default)]
struct Required {
    attributes: Vec<&'static str>,
    relationships: Vec<&'static str>,
}

fn body(
    spec: &ResourceSpec,
    version: ApiVersion,
    members: &Members,
    required: &Required,
    keyed: bool,
) -> Value {
    let mut properties = identity(spec, version, keyed);
    let mut needed = if keyed { vec!["id", "type"] } else { vec!["type"] };
    for (name, members, required) in [
        ("attributes", &members.attributes, &required.attributes),
        ("relationships", &members.relationships, &required.relationships),
    ] {
        let mut schema = json!({ "type": "object", "additionalProperties": false, "properties": members });
        if let (false, Some(object)) = (required.is_empty(), schema.as_object_mut()) {
            object.insert("required".to_owned(), json!(required));
            needed.push(name);
        }
        properties.insert(name.to_owned(), schema);
    }
    json!({ "type": "object", "additionalProperties": false, "required": needed, "properties": properties })
}

fn identity(spec: &ResourceSpec, version: ApiVersion, keyed: bool) -> Map<String, Value> {
    let mut properties = Map::new();
    if keyed {
        properties.insert("id".to_owned(), json!({ "type": "string", "format": "uuid" }));
    }
    properties.insert("type".to_owned(), json!({ "type": "string", "enum": [spec.name_at(version)] }));
    properties
}

fn attribute_schema(
    spec: &ResourceSpec,
    attribute: &AttributeSpec,
    version: ApiVersion,
    place: Place,
) -> Value {
    let value = attribute.value_at(version);
    let (mut schema, is_nullable) = if place == Place::Record {
        let kind = shown_kind(attribute, version);
        (shown_schema(spec, attribute.name, version, kind), value.nullable || attribute.nullable)
    } else {
        (sent_schema(attribute, version), attribute.takes_null(version, place == Place::Create))
    };
    if let Some(object) = schema.as_object_mut() {
        object.insert("description".to_owned(), json!(attribute.doc));
        if is_nullable {
            object.insert("nullable".to_owned(), json!(true));
            // OpenAPI 3.0 permits null only if the enumeration has it too.
            if let Some(values) = object.get_mut("enum").and_then(Value::as_array_mut) {
                values.push(Value::Null);
            }
        }
        if attribute.create == Access::Never && !attribute.update {
            object.insert("readOnly".to_owned(), json!(true));
        }
        if !attribute.is_shown_in(version) {
            object.insert("writeOnly".to_owned(), json!(true));
        }
        // Programs send the default of a schema for what is not set: in an update it would replace the value.
        let is_sent = place == Place::Create && attribute.create == Access::Optional;
        if let Some(default) = attribute.default_at(version).filter(|_| is_sent) {
            object.insert("default".to_owned(), default.to_json());
        }
    }
    schema
}

/// The schema of the values that requests of a version can have, apart from null.
fn sent_schema(attribute: &AttributeSpec, version: ApiVersion) -> Value {
    let value = attribute.value_at(version);
    let mut schema = kind_schema(&value.kind);
    let needs_one = match value.kind {
        Kind::List { .. } if value.check(&json!([])).is_err() => Some("minItems"),
        Kind::Text { .. } if attribute.create == Access::Required => Some("minLength"),
        _ => None,
    };
    if let (Some(name), Some(object)) = (needs_one, schema.as_object_mut()) {
        object.insert(name.to_owned(), json!(1));
    }
    let types = if matches!(value.kind, Kind::List { .. }) { "/items" } else { "" };
    let types = schema.pointer_mut(&format!("{types}/properties/type/enum")).and_then(Value::as_array_mut);
    if let Some(types) = types {
        types.retain(|name| !attribute.answered.iter().any(|answered| name == answered));
    }
    schema
}

/// The kind of the values that answers of a version can have: also of those that requests of another version stored.
fn shown_kind(attribute: &AttributeSpec, version: ApiVersion) -> Kind {
    let revised = attribute.revision.map(|revision| revision.value.kind);
    std::iter::once(attribute.kind).chain(revised).fold(attribute.value_at(version).kind, wider)
}

/// The kind with the values of both, if they are alike; else the first one.
fn wider(one: Kind, other: Kind) -> Kind {
    match (one, other) {
        (Kind::Integer { min, max }, Kind::Integer { min: least, max: most }) => {
            Kind::Integer { min: min.min(least), max: max.max(most) }
        }
        (Kind::Text { max, pattern }, Kind::Text { max: most, pattern: other }) => Kind::Text {
            max: max.zip(most).map(|(max, most)| max.max(most)),
            pattern: pattern.filter(|pattern| other == Some(*pattern)),
        },
        (Kind::Url { absolute }, Kind::Url { absolute: other }) => Kind::Url { absolute: absolute && other },
        (Kind::Enumeration(texts), Kind::Enumeration(others))
            if texts.iter().all(|text| others.contains(text)) =>
        {
            Kind::Enumeration(others)
        }
        (one, _) => one,
    }
}

/// The schema of values of a kind in the answers of a version, which can have other words for those of an enumeration.
fn shown_schema(spec: &ResourceSpec, name: &str, version: ApiVersion, kind: Kind) -> Value {
    let mut schema = kind_schema(&kind);
    let (pointer, texts, is_listed) = match kind {
        Kind::Enumeration(texts) => ("/enum", texts, false),
        Kind::List { of: Kind::Enumeration(texts), .. } => ("/items/enum", *texts, true),
        _ => return schema,
    };
    if let Some(shown) = schema.pointer_mut(pointer) {
        *shown = texts.iter().map(|text| word_at(spec, name, version, text, is_listed)).collect();
    }
    schema
}

/// The word of a version for a value of an attribute, or for an item of its list.
pub(super) fn word_at(
    spec: &ResourceSpec,
    name: &str,
    version: ApiVersion,
    text: &str,
    is_listed: bool,
) -> Value {
    let value = if is_listed { json!([text]) } else { json!(text) };
    let mut attributes = Map::from_iter([(name.to_owned(), value)]);
    spec.from_canonical(version, &mut attributes);
    match attributes.remove(name) {
        Some(Value::Array(items)) => items.into_iter().next().unwrap_or_else(|| json!(text)),
        Some(word) => word,
        None => json!(text),
    }
}

/// Builds the schema of the resource identifiers of a relationship.
pub(super) fn linkage_schema(relationship: &RelationshipSpec, version: ApiVersion) -> Value {
    let mut identifier = json!({
        "type": "object",
        "required": ["type", "id"],
        "properties": {
            "type": { "type": "string", "enum": relationship.targets_at(version).collect::<Vec<_>>() },
            "id": { "type": "string", "format": "uuid" },
        },
    });
    if relationship.many {
        return json!({ "type": "array", "items": identifier });
    }
    if let Some(identifier) = identifier.as_object_mut() {
        identifier.insert("nullable".to_owned(), json!(true));
    }
    identifier
}

/// Builds the schema of an attribute's or filter's value.
pub(super) fn kind_schema(kind: &Kind) -> Value {
    match kind {
        Kind::Text { max, pattern } => {
            let mut schema = Map::from_iter([("type".to_owned(), json!("string"))]);
            schema.extend(max.map(|max| ("maxLength".to_owned(), json!(max))));
            schema.extend(pattern.map(|pattern| ("pattern".to_owned(), json!(pattern))));
            Value::Object(schema)
        }
        Kind::Integer { min, max } => json!({ "type": "integer", "minimum": min, "maximum": max }),
        Kind::Decimal { min, max } => json!({
            "type": "string",
            "pattern": if *min < 0 { "^-?[0-9]+(\\.[0-9]+)?$" } else { "^[0-9]+(\\.[0-9]+)?$" },
            "example": "0.0",
            "x-minimum": min,
            "x-maximum": max,
        }),
        Kind::Boolean => json!({ "type": "boolean" }),
        Kind::Enumeration(texts) => json!({ "type": "string", "enum": texts }),
        Kind::Timestamp => json!({ "type": "string", "format": "date-time" }),
        Kind::Date => json!({ "type": "string", "format": "date" }),
        Kind::Url { absolute: true } => json!({ "type": "string", "format": "uri", "maxLength": 2048 }),
        // Without a scheme it is no URI.
        Kind::Url { absolute: false } => json!({ "type": "string", "maxLength": 2048 }),
        Kind::Uuid => json!({ "type": "string", "format": "uuid" }),
        Kind::List { of, max } => {
            let mut schema =
                Map::from_iter([("type".to_owned(), json!("array")), ("items".to_owned(), kind_schema(of))]);
            schema.extend(max.map(|max| ("maxItems".to_owned(), json!(max))));
            Value::Object(schema)
        }
        Kind::Variant(names) => json!({
            "type": "object",
            "required": ["type", "attributes"],
            "properties": { "type": { "type": "string", "enum": names }, "attributes": { "type": "object" } },
        }),
        Kind::Object => json!({ "type": "object" }),
        _ => json!({}),
    }
}
