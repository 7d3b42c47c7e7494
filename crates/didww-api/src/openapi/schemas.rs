//! The `components.schemas` object: records, request bodies, errors, and the `meta` and `links` of documents.

use didww_types::{Access, ApiVersion, AttributeSpec, Kind, RelationshipSpec, ResourceSpec, Verb};
use serde_json::{Map, Value, json};

/// Builds the schemas of a resource in a version: the record, and the bodies that create and update one.
pub(super) fn of(spec: &'static ResourceSpec, version: ApiVersion) -> Map<String, Value> {
    let mut schemas = Map::new();
    let all = members(spec, version, |_| true, |_| true);
    let name = spec.name_at(version);
    schemas.insert(name.to_owned(), record(spec, version, &all, false));
    if spec.has_at(Verb::Create, version) && spec.form.is_none() {
        let create = members(spec, version, |a| a.create != Access::Never, |r| r.create != Access::Never);
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
        let update = members(spec, version, |a| a.update, |r| r.update);
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

struct Members {
    attributes: Map<String, Value>,
    relationships: Map<String, Value>,
}

fn members(
    spec: &'static ResourceSpec,
    version: ApiVersion,
    attributes: impl Fn(&AttributeSpec) -> bool,
    relationships: impl Fn(&RelationshipSpec) -> bool,
) -> Members {
    Members {
        attributes: spec
            .attributes_at(version)
            .into_iter()
            .filter(|attribute| attributes(attribute))
            .map(|attribute| (attribute.name.to_owned(), attribute_schema(attribute, version)))
            .collect(),
        relationships: spec
            .sent_relationships_at(version)
            .filter(|relationship| relationships(relationship))
            .map(|relationship| {
                let mut schema = json!({ "type": "object", "description": relationship.doc });
                if let (true, Some(object)) = (relationship.write_only, schema.as_object_mut()) {
                    object.insert("writeOnly".to_owned(), json!(true));
                }
                (relationship.name_at(version).to_owned(), schema)
            })
            .collect(),
    }
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

fn attribute_schema(attribute: &AttributeSpec, version: ApiVersion) -> Value {
    let value = attribute.value_at(version);
    let mut schema = kind_schema(&value.kind);
    if let Some(object) = schema.as_object_mut() {
        object.insert("description".to_owned(), json!(attribute.doc));
        if value.nullable {
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
        let default = attribute.default_at(version).filter(|_| attribute.create == Access::Optional);
        if let Some(default) = default {
            object.insert("default".to_owned(), default.to_json());
        }
    }
    schema
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
        Kind::Url => json!({ "type": "string", "format": "uri", "maxLength": 2048 }),
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
