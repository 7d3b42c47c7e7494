//! The `paths` object: the operations of each resource with their parameters, bodies and responses.

use didww_types::{
    ApiVersion, FilterSpec, FilterTest, FormSpec, Kind, MEDIA_TYPE, RelationshipSpec, ResourceSpec, Verb,
    find,
};
use serde_json::{Map, Value, json};

use super::schemas::{kind_schema, linkage_schema, word_at};

/// Builds the path items of a resource and of its relationships in a version.
pub(super) fn of(spec: &'static ResourceSpec, version: ApiVersion) -> Map<String, Value> {
    let mut paths = Map::new();
    let (name, path) = (spec.name_at(version), spec.path_at(version));
    if spec.singleton.is_some() {
        let answer = document(&json!({ "$ref": format!("#/components/schemas/{name}") }), None);
        let get =
            operation(spec, Verb::Get, shape_parameters(spec, version), &[("200", Some(&answer))], None);
        paths.insert(format!("/{path}"), json!({ "get": get }));
        return paths;
    }
    let one = format!("#/components/schemas/{name}");
    let single = document(&json!({ "$ref": one }), None);
    let counted = with_meta(&json!({ "$ref": one }), "counted_meta", false);
    let mut collection = Map::new();
    if spec.has_at(Verb::List, version) {
        let mut parameters = list_parameters(spec, version);
        parameters.extend(shape_parameters(spec, version));
        let answer = document(&json!({ "type": "array", "items": { "$ref": one } }), Some(spec));
        collection
            .insert("get".into(), operation(spec, Verb::List, parameters, &[("200", Some(&answer))], None));
    }
    if spec.has_at(Verb::Create, version) {
        let (body, single) = match spec.form {
            Some(form) => (form_body(spec, form, version), uploaded(&single, version)),
            None => (body(&format!("{name}_create")), single.clone()),
        };
        let mut parameters = shape_parameters(spec, version);
        parameters.push(idempotency_key());
        collection.insert(
            "post".into(),
            operation(spec, Verb::Create, parameters, &[("201", Some(&single))], Some(&body)),
        );
    }
    if !collection.is_empty() {
        paths.insert(format!("/{path}"), Value::Object(collection));
    }
    let mut record = Map::new();
    let id = || json!({ "name": "id", "in": "path", "required": true, "schema": { "type": "string", "format": "uuid" } });
    for (verb, method, status) in
        [(Verb::Get, "get", "200"), (Verb::Update, "patch", "200"), (Verb::Delete, "delete", "204")]
    {
        if spec.has_at(verb, version) {
            let mut parameters = vec![id()];
            parameters.extend(if verb == Verb::Delete {
                Vec::new()
            } else {
                shape_parameters(spec, version)
            });
            let answer = match verb {
                Verb::Delete => None,
                Verb::Get if spec.at_most.is_some() => Some(&counted),
                _ => Some(&single),
            };
            let sent = (verb == Verb::Update).then(|| body(&format!("{name}_update")));
            record
                .insert(method.into(), operation(spec, verb, parameters, &[(status, answer)], sent.as_ref()));
        }
    }
    if !record.is_empty() {
        paths.insert(format!("/{path}/{{id}}"), Value::Object(record));
    }
    if let Some(ending) = spec.downloads_below(path) {
        let get = download(spec, version);
        paths.insert(format!("/{path}/{{filename}}{ending}"), json!({ "get": get }));
    }
    if spec.has_at(Verb::Get, version) && !spec.unrouted {
        for relationship in spec.relationships_at(version) {
            paths.extend(relationship_paths(spec, version, relationship, &id()));
        }
    }
    paths
}

fn relationship_paths(
    spec: &'static ResourceSpec,
    version: ApiVersion,
    relationship: &'static RelationshipSpec,
    id: &Value,
) -> Map<String, Value> {
    let (kind, name) = (spec.path_at(version), relationship.name_at(version));
    let linkage = linkage_schema(relationship, version);
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
        let parameters = if method == "post" { json!([id, idempotency_key()]) } else { json!([id]) };
        operation.insert("parameters".into(), parameters);
        if let Some(body) = body {
            operation.insert("requestBody".into(), body.clone());
        }
        operation.insert("responses".into(), responses(&[(status, answer)]));
        (method.to_owned(), Value::Object(operation))
    };
    let mut at_linkage = Map::from_iter([entry("get", "linkage", "200", Some(&answer), None)]);
    if relationship.update && spec.has_at(Verb::Update, version) {
        at_linkage.extend([entry("patch", "replace", "204", None, Some(&body))]);
        if relationship.many {
            at_linkage.extend([entry("post", "add", "204", None, Some(&body))]);
            at_linkage.extend([entry("delete", "remove", "204", None, Some(&body))]);
        } else {
            at_linkage.extend([entry("delete", "clear", "204", None, None)]);
        }
    }
    let mut paths = Map::new();
    paths.insert(format!("/{kind}/{{id}}/relationships/{name}"), Value::Object(at_linkage));
    let (related, parameters) = related(spec, version, relationship, id);
    let (method, mut operation) = entry("get", "related", "200", Some(&related), None);
    if let Some(operation) = operation.as_object_mut() {
        operation.insert("parameters".into(), Value::Array(parameters));
    }
    paths.insert(format!("/{kind}/{{id}}/{name}"), Value::Object(Map::from_iter([(method, operation)])));
    paths
}

/// Returns the response that holds the records of a relationship, and the parameters of a request for it.
fn related(
    spec: &'static ResourceSpec,
    version: ApiVersion,
    relationship: &RelationshipSpec,
    id: &Value,
) -> (Value, Vec<Value>) {
    let mut parameters = vec![id.clone()];
    let Some(target) = find(relationship.target).filter(|target| target.exists_in(version)) else {
        let none = if relationship.many {
            json!({ "type": "array", "maxItems": 0, "items": { "type": "object" } })
        } else {
            json!({ "type": "object", "nullable": true })
        };
        let pages = relationship.many.then_some(spec);
        return (document(&none, pages), parameters);
    };
    let record = format!("#/components/schemas/{}", target.name_at(version));
    let data = if relationship.many {
        parameters.extend(list_parameters(target, version));
        json!({ "type": "array", "items": { "$ref": record } })
    } else {
        let other = relationship.or.map(|kind| json!({ "$ref": format!("#/components/schemas/{kind}") }));
        let mut one_of = vec![json!({ "$ref": record })];
        one_of.extend(other);
        // OpenAPI 3.0 ignores `nullable` beside `$ref`.
        one_of.push(json!({ "type": "object", "nullable": true, "enum": [null] }));
        json!({ "oneOf": one_of })
    };
    parameters.extend(shape_parameters(target, version));
    (document(&data, relationship.many.then_some(target)), parameters)
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
    if spec.open {
        // No credential is needed.
        operation.insert("security".into(), json!([]));
    }
    Value::Object(operation)
}

/// The download of a file, whose address is in the `url` of its record. It takes either credential.
fn download(spec: &ResourceSpec, version: ApiVersion) -> Value {
    let parameter = json!({
        "name": "filename", "in": "path", "required": true, "schema": { "type": "string", "format": "uuid" },
    });
    let file =
        json!({ "content": { "application/gzip": { "schema": { "type": "string", "format": "binary" } } } });
    let mut operation = Map::from_iter([
        ("operationId".to_owned(), json!(format!("{}_download", spec.name))),
        ("tags".to_owned(), json!([spec.name])),
        ("summary".to_owned(), json!("The file of a record, which the record has in `url` once it is made.")),
        ("parameters".to_owned(), json!([parameter])),
        ("responses".to_owned(), responses(&[("200", Some(&file))])),
    ]);
    if version.uses_tokens() {
        operation.insert("security".to_owned(), json!([{ "bearer": [] }, { "apiKey": [] }]));
    }
    Value::Object(operation)
}

fn responses(answers: &[(&str, Option<&Value>)]) -> Value {
    let mut responses = Map::new();
    for (status, answer) in answers {
        let mut response = Map::from_iter([("description".to_owned(), json!("Success."))]);
        if let Some(Value::Object(content)) = answer {
            response.extend(content.clone());
        }
        responses.insert((*status).to_owned(), Value::Object(response));
    }
    let errors = json!({
        "description": "The request was refused; the status is that of the first error.",
        "content": { MEDIA_TYPE: { "schema": { "$ref": "#/components/schemas/errors" } } },
    });
    responses.insert("default".to_owned(), errors);
    Value::Object(responses)
}

/// The request body of a create that takes a form.
fn form_body(spec: &'static ResourceSpec, form: &FormSpec, version: ApiVersion) -> Value {
    let part = |name: &str| format!("{}[{name}]", spec.name);
    let mut properties = Map::new();
    for attribute in spec.attributes_at(version).into_iter().filter(|attribute| attribute.create.allowed()) {
        properties.insert(part(attribute.name), kind_schema(&attribute.kind));
    }
    properties.insert(part(form.check.name), json!({ "type": "string" }));
    properties.insert(part(form.file), json!({ "type": "string", "format": "binary" }));
    let required = [part(form.check.name), part(form.file)];
    json!({ "required": true, "content": { "multipart/form-data": { "schema": {
        "type": "object", "required": required, "properties": properties, "additionalProperties": false,
    } } } })
}

/// The response to a form, which has the media type of JSON up to 2026-04-16.
fn uploaded(single: &Value, version: ApiVersion) -> Value {
    let schema =
        single.get("content").and_then(|content| content.get(MEDIA_TYPE)).cloned().unwrap_or_default();
    let media_type = if version <= ApiVersion::V2026_04_16 { "application/json" } else { MEDIA_TYPE };
    json!({ "content": { (media_type): schema } })
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

/// A document with a record, or with a list of records of a type.
fn document(data: &Value, list_of: Option<&ResourceSpec>) -> Value {
    if list_of.is_some_and(|spec| spec.open) {
        let schema = json!({ "type": "object", "required": ["data"], "properties": { "data": data } });
        return json!({ "content": { MEDIA_TYPE: { "schema": schema } } });
    }
    let is_paged = list_of.is_some_and(|spec| !spec.unpaged);
    let meta = match list_of {
        Some(spec) if spec.sample.is_some() => "sample_meta",
        Some(spec) if spec.at_most.is_some() => "counted_list_meta",
        Some(_) if is_paged => "list_meta",
        _ => "meta",
    };
    with_meta(data, meta, is_paged)
}

/// A document with a schema of its `meta`, and the links of a page.
fn with_meta(data: &Value, meta: &str, is_paged: bool) -> Value {
    let mut properties = Map::from_iter([
        ("data".to_owned(), data.clone()),
        ("included".to_owned(), json!({ "type": "array", "items": { "type": "object" } })),
        ("meta".to_owned(), json!({ "$ref": format!("#/components/schemas/{meta}") })),
    ]);
    if is_paged {
        properties.insert("links".to_owned(), json!({ "$ref": "#/components/schemas/page_links" }));
    }
    let schema = json!({ "type": "object", "required": ["data", "meta"], "properties": properties });
    json!({ "content": { MEDIA_TYPE: { "schema": schema } } })
}

/// The header with which a repeated POST has one effect. DIDWW's own API has none.
fn idempotency_key() -> Value {
    json!({
        "name": "Idempotency-Key",
        "in": "header",
        "description": "A text of the client's own in double quotes, new for each logical request. A request that is \
                        repeated with it has one effect and the same answer. DIDWW's own API ignores it.",
        "schema": { "type": "string", "pattern": r#"^"([ !#-\[\]-~]|\\["\\]){1,255}"$"# },
    })
}

fn query(name: &str, description: &str, schema: &Value) -> Value {
    json!({ "name": name, "in": "query", "description": description, "schema": schema })
}

/// Builds a query parameter whose value is a comma-separated list.
fn comma_list(name: &str, description: &str, item: &Value) -> Value {
    let mut parameter = query(name, description, &json!({ "type": "array", "items": item }));
    if let Some(parameter) = parameter.as_object_mut() {
        parameter.insert("style".to_owned(), json!("form"));
        parameter.insert("explode".to_owned(), json!(false));
    }
    parameter
}

fn filter_parameter(spec: &ResourceSpec, filter: &FilterSpec, version: ApiVersion) -> Value {
    let (is_list, takes_blank) = (filter.list.contain(version), filter.blank.contain(version));
    let name = format!("filter[{}]", filter.name);
    let mut value = kind_schema(&filter.kind);
    if let Some(texts) = value.get_mut("enum") {
        *texts = filter_texts(spec, filter, version);
    }
    if let (Some((least, _)), Some(value)) = (filter.least, value.as_object_mut()) {
        value.insert("minLength".to_owned(), json!(least));
        value.insert("example".to_owned(), json!("1".repeat(least)));
    }
    let words = match (is_list, filter.test_at(version)) {
        (true, _) if filter.every.contain(version) => "The attribute has every one of these values.",
        (true, _) => "The attribute has one of these values.",
        (false, FilterTest::MetaAtLeast(_)) => "The attribute has this value or a greater one.",
        (false, FilterTest::Contains(_)) => "The attribute contains this value.",
        (false, _) => "The attribute has this value.",
    };
    let words = if filter.unapplied { "Accepted and not applied." } else { words };
    let mut words = words.to_owned();
    if let Some((_, unless)) = filter.least {
        words.push_str(" It may be shorter beside one of the filters ");
        words.push_str(&unless.join(", "));
        words.push('.');
    }
    if takes_blank {
        words.push_str(" An empty parameter matches null and empty text.");
    }
    let mut parameter =
        if is_list { comma_list(&name, &words, &value) } else { query(&name, &words, &value) };
    if let (true, Some(parameter)) = (takes_blank, parameter.as_object_mut()) {
        parameter.insert("allowEmptyValue".to_owned(), json!(true));
    }
    parameter
}

/// The texts that a filter of an enumeration takes in a version: in the words of its answers, and the one that no record
/// has any more.
fn filter_texts(spec: &ResourceSpec, filter: &FilterSpec, version: ApiVersion) -> Value {
    let Kind::Enumeration(texts) = filter.kind else { return Value::Null };
    let word = |text: &&str| match filter.test {
        FilterTest::Equals(path) => word_at(spec, path.trim_end_matches('~'), version, text, false),
        _ => json!(text),
    };
    let former = filter.former_text.map(|(text, _)| text);
    let former = former.filter(|text| filter.is_former_text(version, text)).map(|text| json!(text));
    texts.iter().map(word).chain(former).collect()
}

fn list_parameters(spec: &'static ResourceSpec, version: ApiVersion) -> Vec<Value> {
    // A filter through a type that is not declared is accepted, because DIDWW has it, but finds nothing.
    let filters = spec.filters_at(version).filter(|filter| !filter.legacy && spec.resolves(filter));
    let mut parameters: Vec<Value> = filters.map(|filter| filter_parameter(spec, filter, version)).collect();
    let sorts = spec.sorts_at(version).flat_map(|name| [name.to_owned(), format!("-{name}")]);
    let sorts: Vec<String> = sorts.collect();
    if !sorts.is_empty() {
        let words = "Sort criteria, the primary one first; a leading minus sorts in descending order.";
        parameters.push(comma_list("sort", words, &json!({ "type": "string", "enum": sorts })));
    }
    if spec.unpaged {
        return parameters;
    }
    parameters.push(query(
        "page[number]",
        "The number of the page, from 1.",
        &json!({ "type": "integer", "minimum": 1, "default": 1 }),
    ));
    parameters.push(query(
        "page[size]",
        "The number of records on a page.",
        &json!({ "type": "integer", "minimum": 1, "maximum": spec.max_page_size_at(version), "default": spec.page_size }),
    ));
    parameters
}

fn shape_parameters(spec: &'static ResourceSpec, version: ApiVersion) -> Vec<Value> {
    let relationships = || spec.relationships_at(version).map(|relationship| relationship.name_at(version));
    let mut parameters = Vec::new();
    parameters.extend(include_parameter(spec, version));
    let attributes = spec.attributes_at(version).into_iter().map(|attribute| attribute.name);
    let fields: Vec<&str> = std::iter::once("id").chain(attributes).chain(relationships()).collect();
    let words = "Attributes and relationships that the response contains; it omits all others.";
    let name = format!("fields[{}]", spec.name_at(version));
    parameters.push(comma_list(&name, words, &json!({ "type": "string", "enum": fields })));
    parameters
}

/// Builds the `include` parameter: the relationships and the paths of two of them are listed, and longer paths are
/// described by a pattern.
fn include_parameter(spec: &'static ResourceSpec, version: ApiVersion) -> Option<Value> {
    let mut paths: Vec<String> =
        spec.relationships_at(version).map(|relationship| relationship.name_at(version).to_owned()).collect();
    let roots = paths.join("|");
    for relationship in spec.relationships_at(version) {
        let targets = relationship.targets().filter_map(find).filter(|target| target.exists_in(version));
        for further in targets.flat_map(|target| target.relationships_at(version)) {
            let path = format!("{}.{}", relationship.name_at(version), further.name_at(version));
            // Both types of one relationship can have a relationship with this name.
            if !paths.contains(&path) {
                paths.push(path);
            }
        }
    }
    let listed = json!({ "type": "string", "enum": paths });
    let (words, item) = if paths.iter().any(|path| path.contains('.')) {
        let longer = json!({ "type": "string", "pattern": format!("^({roots})(\\.[a-z_]+)+$") });
        let words = "Relationships whose records the response includes. A dotted path includes relationships of \
                     those records too.";
        (words, json!({ "anyOf": [listed, longer] }))
    } else {
        ("Relationships whose records the response includes.", listed)
    };
    (!paths.is_empty()).then(|| comma_list("include", words, &item))
}

#[cfg(test)]
mod tests {
    use didww_types::Resource as _;
    use didww_types::resources::Proof;

    use super::*;

    #[test]
    fn the_include_paths_through_both_types_of_a_relationship_are_listed_once() {
        let parameter = include_parameter(Proof::SPEC, ApiVersion::NEWEST).unwrap().to_string();
        for path in ["entity.identity", "entity.addresses", "entity.country"] {
            assert_eq!(parameter.matches(&format!("\"{path}\"")).count(), 1, "{path}: {parameter}");
        }
    }
}
