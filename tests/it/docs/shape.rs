//! The shape of an `OpenAPI` 3.0.3 document: the rules of the specification that handwritten code can break.

use std::collections::BTreeSet;

use serde_json::{Value, json};

/// The methods of a document's paths, as `METHOD /path`.
pub fn operations(document: &Value) -> Vec<(String, String, &Value)> {
    let paths = document["paths"].as_object().unwrap().iter();
    paths
        .flat_map(|(path, methods)| {
            let methods = methods.as_object().unwrap().iter();
            methods.map(move |(method, operation)| (method.to_uppercase(), path.clone(), operation))
        })
        .collect()
}

/// Checks the rules for a Schema Object that handwritten code can break.
fn check_schema(schema: &Value, place: &str) {
    let members = schema.as_object().unwrap_or_else(|| panic!("{place} is no object"));
    if let Some(reference) = members.get("$ref") {
        assert_eq!(members.len(), 1, "{place}: what stands beside $ref is ignored");
        assert!(reference.as_str().unwrap().starts_with("#/components/schemas/"), "{place}");
        return;
    }
    let kind = members.get("type").map(|kind| kind.as_str().unwrap_or_else(|| panic!("{place}: one type")));
    let known = ["array", "boolean", "integer", "number", "object", "string"];
    assert!(kind.is_none_or(|kind| known.contains(&kind)), "{place}: {kind:?}");
    assert_eq!(kind == Some("array"), members.contains_key("items"), "{place}: arrays have items");
    if members.get("nullable") == Some(&json!(true)) {
        assert!(kind.is_some(), "{place}: nullable needs a type beside it");
        let values = members.get("enum").and_then(Value::as_array);
        assert!(
            values.is_none_or(|values| values.contains(&Value::Null)),
            "{place}: null is not in the enum"
        );
    }
    for name in ["items", "additionalProperties"] {
        if let Some(inner) = members.get(name).filter(|inner| inner.is_object()) {
            check_schema(inner, &format!("{place}/{name}"));
        }
    }
    for inner in members.get("anyOf").and_then(Value::as_array).into_iter().flatten() {
        check_schema(inner, &format!("{place}/anyOf"));
    }
    for (name, inner) in members.get("properties").and_then(Value::as_object).into_iter().flatten() {
        check_schema(inner, &format!("{place}/properties/{name}"));
    }
    for name in members.get("required").and_then(Value::as_array).into_iter().flatten() {
        assert!(!members["properties"][name.as_str().unwrap()].is_null(), "{place} requires {name}");
    }
    for name in ["allOf", "anyOf", "oneOf"] {
        for inner in members.get(name).and_then(Value::as_array).into_iter().flatten() {
            check_schema(inner, &format!("{place}/{name}"));
        }
    }
}

fn check_operation(path: &str, operation: &Value, place: &str) {
    let mut seen = BTreeSet::new();
    let mut in_path = BTreeSet::new();
    for parameter in operation["parameters"].as_array().into_iter().flatten() {
        let name = parameter["name"].as_str().unwrap();
        assert!(seen.insert((parameter["in"].to_string(), name)), "{place}: {name} twice");
        match parameter["in"].as_str().unwrap() {
            "path" => {
                assert_eq!(parameter["required"], true, "{place}: {name}");
                in_path.insert(name);
            }
            "query" | "header" => {}
            other => panic!("{place}: a parameter in {other}"),
        }
        check_schema(&parameter["schema"], &format!("{place} {name}"));
    }
    let templated: BTreeSet<&str> =
        path.split('{').skip(1).map(|part| part.split('}').next().unwrap()).collect();
    assert_eq!(in_path, templated, "{place}: the parameters of the path");
    let responses = operation["responses"].as_object().unwrap();
    assert!(!responses.is_empty(), "{place}");
    let bodies = responses.values().chain(operation.get("requestBody"));
    for content in bodies.filter_map(|body| body["content"].as_object()).flatten() {
        check_schema(&content.1["schema"], &format!("{place} {}", content.0));
    }
    for (status, response) in responses {
        assert!(response["description"].is_string(), "{place} {status}");
        assert!(status == "default" || status.parse::<u16>().is_ok(), "{place} {status}");
    }
}

fn references(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            found.extend(members.get("$ref").and_then(Value::as_str).map(str::to_owned));
            members.values().for_each(|value| references(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

/// Checks a whole document; `name` is named in failures.
pub fn check_document(described: &Value, name: &str) {
    assert_eq!(described["openapi"], "3.0.3");
    assert!(described["info"]["title"].is_string() && described["info"]["version"].is_string());
    let mut names = BTreeSet::new();
    for (method, path, operation) in operations(described) {
        let place = format!("{name} {method} {path}");
        assert!(path.starts_with('/'), "{place}");
        let id = operation["operationId"].as_str().unwrap().to_owned();
        assert!(names.insert(id), "{place}: its operationId is another's");
        check_operation(&path, operation, &place);
    }
    for (schema_name, schema) in described["components"]["schemas"].as_object().unwrap() {
        check_schema(schema, &format!("{name} {schema_name}"));
    }
    for requirement in described["security"].as_array().unwrap() {
        for scheme in requirement.as_object().unwrap().keys() {
            assert!(described["components"]["securitySchemes"][scheme].is_object(), "{scheme}");
        }
    }
    let mut found = Vec::new();
    references(described, &mut found);
    for reference in found {
        let target = described.pointer(reference.trim_start_matches('#'));
        assert!(target.is_some(), "{name}: {reference} leads nowhere");
    }
}
