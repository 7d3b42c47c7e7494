//! Paths and what can be done at them.

use didww_types::{
    Access, ApiVersion, FilterSpec, MEDIA_TYPE, Page, RelationshipSpec, ResourceSpec, Verb, find,
};
use serde_json::{Map, Value, json};

pub(super) fn of(spec: &'static ResourceSpec, version: ApiVersion) -> Map<String, Value> {
    let mut paths = Map::new();
    let name = spec.name;
    let one = format!("#/components/schemas/{name}");
    let single = document(&json!({ "$ref": one }), false);
    let mut collection = Map::new();
    if spec.has(Verb::List) {
        let mut parameters = list_parameters(spec, version);
        parameters.extend(shape_parameters(spec, version));
        let answer = document(&json!({ "type": "array", "items": { "$ref": one } }), true);
        collection
            .insert("get".into(), operation(spec, Verb::List, parameters, &[("200", Some(&answer))], None));
    }
    if spec.has(Verb::Create) {
        let body = body(&format!("{name}_create"));
        let parameters = shape_parameters(spec, version);
        collection.insert(
            "post".into(),
            operation(spec, Verb::Create, parameters, &[("201", Some(&single))], Some(&body)),
        );
    }
    if !collection.is_empty() {
        paths.insert(format!("/{name}"), Value::Object(collection));
    }
    let mut record = Map::new();
    let id = || json!({ "name": "id", "in": "path", "required": true, "schema": { "type": "string", "format": "uuid" } });
    for (verb, method, status) in
        [(Verb::Get, "get", "200"), (Verb::Update, "patch", "200"), (Verb::Delete, "delete", "204")]
    {
        if spec.has(verb) {
            let mut parameters = vec![id()];
            parameters.extend(if verb == Verb::Delete {
                Vec::new()
            } else {
                shape_parameters(spec, version)
            });
            let answer = if verb == Verb::Delete { None } else { Some(&single) };
            let sent = (verb == Verb::Update).then(|| body(&format!("{name}_update")));
            record
                .insert(method.into(), operation(spec, verb, parameters, &[(status, answer)], sent.as_ref()));
        }
    }
    if !record.is_empty() {
        paths.insert(format!("/{name}/{{id}}"), Value::Object(record));
    }
    if spec.has(Verb::Get) {
        for relationship in spec.relationships_at(version) {
            paths.extend(relationship_paths(spec, relationship, &id()));
        }
    }
    paths
}

fn relationship_paths(
    spec: &'static ResourceSpec,
    relationship: &'static RelationshipSpec,
    id: &Value,
) -> Map<String, Value> {
    let (kind, name) = (spec.name, relationship.name);
    let linkage = linkage_schema(relationship);
    let answer = json!({ "content": { MEDIA_TYPE: { "schema": {
        "type": "object",
        "required": ["data", "links"],
        "properties": { "data": linkage, "links": { "type": "object" }, "meta": { "type": "object" } },
    } } } });
    let body = json!({ "required": true, "content": { MEDIA_TYPE: { "schema": {
        "type": "object", "required": ["data"], "properties": { "data": linkage },
    } } } });
    let entry = |method: &str, what: &str, status: &str, answer: Option<&Value>, body: Option<&Value>| {
        let mut operation = Map::new();
        operation.insert("operationId".into(), json!(format!("{kind}_{name}_{what}")));
        operation.insert("tags".into(), json!([kind]));
        operation.insert("summary".into(), json!(relationship.doc));
        operation.insert("parameters".into(), json!([id]));
        if let Some(body) = body {
            operation.insert("requestBody".into(), body.clone());
        }
        operation.insert("responses".into(), responses(&[(status, answer)]));
        (method.to_owned(), Value::Object(operation))
    };
    let mut at_linkage = Map::from_iter([entry("get", "linkage", "200", Some(&answer), None)]);
    if relationship.update && spec.has(Verb::Update) {
        at_linkage.extend([entry("patch", "replace", "204", None, Some(&body))]);
        if relationship.many {
            at_linkage.extend([entry("post", "add", "204", None, Some(&body))]);
            at_linkage.extend([entry("delete", "remove", "204", None, Some(&body))]);
        }
    }
    let mut paths = Map::new();
    paths.insert(format!("/{kind}/{{id}}/relationships/{name}"), Value::Object(at_linkage));
    let target = match find(relationship.target) {
        Some(target) => json!({ "$ref": format!("#/components/schemas/{}", target.name) }),
        None => json!({ "type": "object", "nullable": true }),
    };
    let data = if relationship.many { json!({ "type": "array", "items": target }) } else { target };
    let related = document(&data, relationship.many);
    paths.insert(
        format!("/{kind}/{{id}}/{name}"),
        Value::Object(Map::from_iter([entry("get", "related", "200", Some(&related), None)])),
    );
    paths
}

fn linkage_schema(relationship: &RelationshipSpec) -> Value {
    let identifier = json!({
        "type": "object",
        "required": ["type", "id"],
        "properties": {
            "type": { "type": "string", "enum": [relationship.target] },
            "id": { "type": "string", "format": "uuid" },
        },
    });
    if relationship.many {
        json!({ "type": "array", "items": identifier })
    } else {
        json!({ "nullable": true, "allOf": [identifier] })
    }
}

fn operation(
    spec: &ResourceSpec,
    verb: Verb,
    parameters: Vec<Value>,
    answers: &[(&str, Option<&Value>)],
    body: Option<&Value>,
) -> Value {
    let mut operation = Map::new();
    operation.insert("operationId".into(), json!(format!("{}_{}", spec.name, verb.as_str())));
    operation.insert("tags".into(), json!([spec.name]));
    operation.insert("summary".into(), json!(spec.doc));
    operation.insert("parameters".into(), Value::Array(parameters));
    if let Some(body) = body {
        operation.insert("requestBody".into(), body.clone());
    }
    operation.insert("responses".into(), responses(answers));
    Value::Object(operation)
}

fn responses(answers: &[(&str, Option<&Value>)]) -> Value {
    let mut responses = Map::new();
    for (status, answer) in answers {
        let mut response = Map::from_iter([("description".to_owned(), json!("Done."))]);
        if let Some(Value::Object(content)) = answer {
            response.extend(content.clone());
        }
        responses.insert((*status).to_owned(), Value::Object(response));
    }
    let errors = json!({
        "description": "Refused; the first error's status is the answer's.",
        "content": { MEDIA_TYPE: { "schema": { "$ref": "#/components/schemas/errors" } } },
    });
    responses.insert("default".to_owned(), errors);
    Value::Object(responses)
}

fn body(schema: &str) -> Value {
    json!({
        "required": true,
        "content": { MEDIA_TYPE: { "schema": {
            "type": "object",
            "required": ["data"],
            "properties": { "data": { "$ref": format!("#/components/schemas/{schema}") } },
        } } },
    })
}

fn document(data: &Value, list: bool) -> Value {
    let mut properties = Map::from_iter([
        ("data".to_owned(), data.clone()),
        ("included".to_owned(), json!({ "type": "array", "items": { "type": "object" } })),
        (
            "meta".to_owned(),
            json!({ "$ref": if list { "#/components/schemas/list_meta" } else { "#/components/schemas/meta" } }),
        ),
    ]);
    if list {
        properties.insert("links".to_owned(), json!({ "$ref": "#/components/schemas/page_links" }));
    }
    let schema = json!({ "type": "object", "required": ["data", "meta"], "properties": properties });
    json!({ "content": { MEDIA_TYPE: { "schema": schema } } })
}

fn query(name: &str, description: &str, schema: &Value) -> Value {
    json!({ "name": name, "in": "query", "description": description, "schema": schema })
}

fn list_parameters(spec: &'static ResourceSpec, version: ApiVersion) -> Vec<Value> {
    let filter = |filter: &'static FilterSpec| {
        let mut words = String::from(if filter.list {
            "One value, or a comma list of which any will do."
        } else {
            "One value."
        });
        if filter.blank {
            words.push_str(" An empty value means null or empty.");
        }
        query(&format!("filter[{}]", filter.name), &words, &json!({ "type": "string" }))
    };
    let mut parameters: Vec<Value> =
        spec.filters_at(version).filter(|filter| !filter.legacy).map(filter).collect();
    let sorts: Vec<&str> = spec
        .attributes_at(version)
        .into_iter()
        .filter(|attribute| attribute.sort)
        .map(|attribute| attribute.name)
        .collect();
    if !sorts.is_empty() {
        let words = format!("A comma list of {}, each with a minus for descending.", sorts.join(", "));
        parameters.push(query("sort", &words, &json!({ "type": "string" })));
    }
    parameters.push(query(
        "page[number]",
        "From 1.",
        &json!({ "type": "integer", "minimum": 1, "default": 1 }),
    ));
    parameters.push(query(
        "page[size]",
        "Records on a page.",
        &json!({ "type": "integer", "minimum": 1, "maximum": Page::MAX_SIZE, "default": Page::DEFAULT_SIZE }),
    ));
    parameters
}

fn shape_parameters(spec: &'static ResourceSpec, version: ApiVersion) -> Vec<Value> {
    let names: Vec<&str> = spec.relationships_at(version).map(|relationship| relationship.name).collect();
    let mut parameters = Vec::new();
    if !names.is_empty()
        && spec.relationships.iter().any(|relationship| relationship.create != Access::Required)
    {
        let words = format!("A comma list of {}.", names.join(", "));
        parameters.push(query("include", &words, &json!({ "type": "string" })));
    }
    let words = "A comma list of attributes and relationships; all others are left out.";
    parameters.push(query(&format!("fields[{}]", spec.name), words, &json!({ "type": "string" })));
    parameters
}
