//! The document: `OpenAPI` 3.0.3, whose schemas have no construct that version 3.0 does not have.

use http::{Method, StatusCode};
use schemars::generate::SchemaSettings;
use schemars::transform::{RecursiveTransform, Transform as _};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use crate::Operation;
use crate::operation::{Answer, Content, MakeSchema, reference_to};
use crate::prose::without_rust_links;

const JSON: &str = "application/json";

/// The properties that all operations of an API share.
#[derive(Debug, Clone)]
pub struct Contract {
    title: &'static str,
    description: &'static str,
    base: &'static str,
    version: &'static str,
    security: Vec<Security>,
    error: MakeSchema,
    errors: &'static [u16],
    headers: Vec<Header>,
}

/// A way to authenticate; any one of those of a [`Contract`] suffices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Security {
    /// Requests without credentials are served.
    None,
    /// A token in the header `Authorization: Bearer TOKEN`.
    Bearer,
    /// A cookie with this name.
    Cookie(&'static str),
    /// A parameter of the query with this name.
    Query(&'static str),
}

/// An optional header of every operation with a method.
#[derive(Debug, Clone)]
pub struct Header {
    /// The method of the operations.
    pub method: Method,
    /// The name of the header.
    pub name: &'static str,
    /// Its effect, in complete sentences.
    pub description: &'static str,
    /// The regular expression that a value matches.
    pub pattern: &'static str,
    /// The statuses with which a request that has the header can be refused, in addition to those of its operation.
    pub errors: &'static [u16],
}

impl Header {
    /// The `Idempotency-Key` of a POST: a structured string, with which a repeated request has one effect.
    pub const IDEMPOTENCY_KEY: Self = Self {
        method: Method::POST,
        name: "Idempotency-Key",
        description: "A text of the client's own in double quotes, new for each logical request. A request that is \
                      repeated with it has one effect and the same answer.",
        pattern: r#"^"([ !#-\[\]-~]|\\["\\]){1,255}"$"#,
        errors: &[400, 409, 422],
    };
}

impl Security {
    /// The scheme's name in the document, and its definition; `None` for no credentials.
    fn scheme(self) -> Option<(String, Value)> {
        match self {
            Self::None => None,
            Self::Bearer => Some(("bearer".to_owned(), json!({ "type": "http", "scheme": "bearer" }))),
            Self::Cookie(name) => {
                Some((format!("cookie_{name}"), json!({ "type": "apiKey", "in": "cookie", "name": name })))
            }
            Self::Query(name) => {
                Some((format!("query_{name}"), json!({ "type": "apiKey", "in": "query", "name": name })))
            }
        }
    }
}

impl Contract {
    /// Describes an API. Paths of operations are relative to `base`; every refusal has a JSON body of the type `E`.
    pub fn new<E: JsonSchema>(title: &'static str, base: &'static str, description: &'static str) -> Self {
        Self {
            title,
            description,
            base,
            version: env!("CARGO_PKG_VERSION"),
            security: Vec::new(),
            error: reference_to::<E>,
            errors: &[],
            headers: Vec::new(),
        }
    }

    /// Sets the version of the API. The default is that of the server.
    #[must_use]
    pub fn version(self, version: &'static str) -> Self {
        Self { version, ..self }
    }

    /// Adds a way to authenticate.
    #[must_use]
    pub fn security(mut self, security: Security) -> Self {
        self.security.push(security);
        self
    }

    /// Sets the statuses with which every operation can refuse.
    #[must_use]
    pub fn errors(self, errors: &'static [u16]) -> Self {
        Self { errors, ..self }
    }

    /// Adds an optional header, which every operation with its method documents.
    #[must_use]
    pub fn header(mut self, header: Header) -> Self {
        self.headers.push(header);
        self
    }

    /// Builds the document of the operations.
    pub fn document<'a>(&self, operations: impl IntoIterator<Item = &'a Operation>) -> Value {
        let mut schemas = Schemas::new();
        let mut paths = Map::new();
        for operation in operations {
            let described = self.operation(operation, &mut schemas);
            let item = paths.entry(operation.path).or_insert_with(|| json!({}));
            if let Some(item) = item.as_object_mut() {
                item.insert(operation.method.as_str().to_lowercase(), described);
            }
        }
        let ways: Map<String, Value> = self.security.iter().filter_map(|way| way.scheme()).collect();
        let requirement = |way: &Security| match way.scheme() {
            Some((name, _)) => json!({ name: [] }),
            None => json!({}),
        };
        json!({
            "openapi": "3.0.3",
            "info": {
                "title": self.title,
                "version": self.version,
                "description": self.description,
                "license": { "name": "MIT OR Apache-2.0" },
            },
            "servers": [{ "url": self.base }],
            "security": self.security.iter().map(requirement).collect::<Vec<_>>(),
            "paths": paths,
            "components": { "securitySchemes": ways, "schemas": schemas.finish() },
        })
    }

    fn operation(&self, operation: &Operation, schemas: &mut Schemas) -> Value {
        let mut described = Map::from_iter([
            ("operationId".to_owned(), json!(operation.id())),
            ("summary".to_owned(), json!(operation.summary)),
            ("tags".to_owned(), json!([operation.path.split('/').nth(1).unwrap_or_default()])),
            ("parameters".to_owned(), Value::Array(self.parameters(operation, schemas))),
            ("responses".to_owned(), self.responses(operation, schemas)),
        ]);
        if let Some(description) = operation.description {
            described.insert("description".to_owned(), json!(description));
        }
        if operation.is_apart {
            described.insert("servers".to_owned(), json!([{ "url": "/" }]));
            described.insert("security".to_owned(), json!([]));
        }
        if let Some(make) = operation.body {
            let schema = schemas.body(make);
            let is_required = schema.get("required").is_some_and(|names| names != &json!([]));
            let body = json!({ "required": is_required, "content": { JSON: { "schema": schema } } });
            described.insert("requestBody".to_owned(), body);
        }
        Value::Object(described)
    }

    fn parameters(&self, operation: &Operation, schemas: &mut Schemas) -> Vec<Value> {
        let names = operation.path.split('{').skip(1).filter_map(|part| part.split_once('}'));
        let mut parameters: Vec<Value> = names
            .map(|(name, _)| {
                let schema = if operation.text_parameters.contains(&name) {
                    json!({ "type": "string", "minLength": 1 })
                } else {
                    json!({ "type": "string", "format": "uuid" })
                };
                json!({ "name": name, "in": "path", "required": true, "schema": schema })
            })
            .collect();
        if let Some(make) = operation.query {
            parameters.extend(query_parameters(&schemas.body(make)));
        }
        for Header { name, description, pattern, .. } in self.headers_of(operation) {
            let schema = json!({ "type": "string", "pattern": pattern });
            parameters
                .push(json!({ "name": name, "in": "header", "description": description, "schema": schema }));
        }
        parameters
    }

    fn headers_of(&self, operation: &Operation) -> impl Iterator<Item = &Header> {
        let applies = |header: &&Header| !operation.is_apart && header.method == operation.method;
        self.headers.iter().filter(applies)
    }

    fn responses(&self, operation: &Operation, schemas: &mut Schemas) -> Value {
        let mut responses = Map::new();
        for Answer { status, content } in &operation.answers {
            let response = responses
                .entry(status.to_string())
                .or_insert_with(|| json!({ "description": description_of(*status) }));
            let (media_type, schema) = match content {
                Some(Content::Json(make)) => (JSON, schemas.answer(*make)),
                Some(Content::Other(media_type)) => (*media_type, json!({ "type": "string" })),
                None => continue,
            };
            if let Some(response) = response.as_object_mut() {
                let types = response.entry("content").or_insert_with(|| json!({}));
                if let Some(types) = types.as_object_mut() {
                    types.insert(media_type.to_owned(), json!({ "schema": schema }));
                }
            }
        }
        let of_headers = self.headers_of(operation).flat_map(|header| header.errors);
        let of_all = if operation.is_apart { &[] } else { self.errors };
        for status in operation.errors.iter().chain(of_all).chain(of_headers) {
            let content = json!({ JSON: { "schema": schemas.answer(self.error) } });
            let response = json!({ "description": description_of(*status), "content": content });
            responses.insert(status.to_string(), response);
        }
        Value::Object(responses)
    }
}

/// The standard's phrase for a status, as a description.
fn description_of(status: u16) -> String {
    let code = StatusCode::from_u16(status).ok().filter(|code| !code.is_success());
    match code {
        Some(code) => format!("{}.", code.canonical_reason().unwrap_or("Refused")),
        None => "Success.".to_owned(),
    }
}

/// The members of a query's type, as parameters.
fn query_parameters(schema: &Value) -> Vec<Value> {
    let required = schema.get("required").and_then(Value::as_array);
    let is_required =
        |name: &str| required.is_some_and(|names| names.iter().any(|required| required == name));
    let properties = schema.get("properties").and_then(Value::as_object);
    let parameter = |(name, member): (&String, &Value)| {
        let mut member = member.clone();
        let mut parameter = json!({ "name": name, "in": "query" });
        if let (Some(member), Some(parameter)) = (member.as_object_mut(), parameter.as_object_mut()) {
            // A parameter is left out instead of null.
            member.remove("nullable");
            if let Some(description) = member.remove("description") {
                parameter.insert("description".to_owned(), description);
            }
            if is_required(name) {
                parameter.insert("required".to_owned(), json!(true));
            }
            parameter.insert("schema".to_owned(), Value::Object(std::mem::take(member)));
        }
        parameter
    };
    properties.into_iter().flatten().map(parameter).collect()
}

/// The generators of schemas. Bodies are described in place, because the same type can require other members when it is
/// decoded than it has when it is encoded; answers refer to named schemas.
struct Schemas {
    bodies: SchemaGenerator,
    answers: SchemaGenerator,
}

impl Schemas {
    fn new() -> Self {
        let in_place = |settings: &mut SchemaSettings| {
            settings.inline_subschemas = true;
            settings.meta_schema = None;
        };
        let bodies = SchemaSettings::openapi3().for_deserialize().with(in_place).into_generator();
        Self { bodies, answers: SchemaSettings::openapi3().for_serialize().into_generator() }
    }

    fn body(&mut self, make: MakeSchema) -> Value {
        let mut schema = make(&mut self.bodies);
        schema.remove("title");
        tidied(schema)
    }

    fn answer(&mut self, make: MakeSchema) -> Value {
        let mut schema = make(&mut self.answers);
        for transform in self.answers.transforms_mut() {
            transform.transform(&mut schema);
        }
        tidied(schema)
    }

    /// The schemas that others refer to, by name.
    fn finish(mut self) -> Map<String, Value> {
        let named = self.answers.take_definitions(true);
        named
            .into_iter()
            .map(|(name, schema)| match Schema::try_from(schema) {
                Ok(schema) => (name, tidied(schema)),
                Err(_) => (name, json!({})),
            })
            .collect()
    }
}

/// A schema without keywords that version 3.0 ignores or interprets differently, and with descriptions for readers.
fn tidied(mut schema: Schema) -> Value {
    RecursiveTransform(tidy).transform(&mut schema);
    schema.to_value()
}

fn tidy(schema: &mut Schema) {
    if let Some(description) = schema.get("description").and_then(Value::as_str) {
        let plain = without_rust_links(&description.replace('\n', " "));
        schema.insert("description".to_owned(), json!(plain));
    }
    // Formats of Rust's types: no validator knows them, and `minimum` and `maximum` state the range.
    let format = schema.get("format").and_then(Value::as_str);
    if format.is_some_and(|format| format.starts_with(['u', 'i']) && format.ends_with(char::is_numeric))
        || format == Some("uint")
    {
        schema.remove("format");
    }
    // `nullable` has an effect only beside `type`.
    if schema.get("nullable") == Some(&json!(true)) && schema.get("type").is_none() {
        let null = json!({ "type": "object", "nullable": true, "enum": [null] });
        if schema.get("enum") == Some(&json!([null])) {
            schema.insert("type".to_owned(), json!("object"));
        } else {
            schema.remove("nullable");
        }
        if let Some(alternatives) = schema.get_mut("anyOf").and_then(Value::as_array_mut) {
            if !alternatives.iter().any(|alternative| alternative.get("nullable").is_some()) {
                alternatives.push(null);
            }
        } else if let Some(parts) = schema.remove("allOf") {
            schema.insert("anyOf".to_owned(), json!([{ "allOf": parts }, null]));
        }
    }
    // A nullable enumeration names null among its values.
    if schema.get("nullable") == Some(&json!(true))
        && let Some(values) = schema.get_mut("enum").and_then(Value::as_array_mut)
        && !values.contains(&Value::Null)
    {
        values.push(Value::Null);
    }
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};

    use super::*;

    #[derive(Serialize, JsonSchema)]
    struct Refused {
        error: String,
    }

    /// A thing; see [`Refused`].
    #[derive(Serialize, Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct Thing {
        name: String,
        size: Option<u16>,
        part: Option<Box<Part>>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        parts: Vec<Part>,
    }

    #[derive(Serialize, Deserialize, JsonSchema)]
    #[serde(rename_all = "snake_case")]
    enum Part {
        Wheel,
        Door,
    }

    #[derive(Deserialize, JsonSchema)]
    #[expect(dead_code, reason = "a schema alone")]
    struct Page {
        /// At most 10.
        limit: Option<u8>,
        kind: String,
    }

    fn document() -> Value {
        let operations = [
            Operation::new(Method::GET, "/things", "Lists.").query::<Page>().answers::<Vec<Thing>>(200),
            Operation::new(Method::PUT, "/things/{id}/{kind}", "Replaces.")
                .text_parameter("kind")
                .body::<Thing>()
                .answers::<Thing>(201)
                .answers_empty(204)
                .errors(&[404]),
        ];
        let contract = Contract::new::<Refused>("things", "/t", "").security(Security::Bearer).errors(&[500]);
        contract.document(&operations)
    }

    #[test]
    fn an_operation_is_described_with_what_it_accepts_and_answers() {
        let document = document();
        let list = &document["paths"]["/things"]["get"];
        assert_eq!(
            list["parameters"],
            json!([
                { "name": "kind", "in": "query", "required": true, "schema": { "type": "string" } },
                { "name": "limit", "in": "query", "description": "At most 10.",
                    "schema": { "type": "integer", "minimum": 0, "maximum": 255 } },
            ])
        );
        let items = json!({ "type": "array", "items": { "$ref": "#/components/schemas/Thing" } });
        assert_eq!(list["responses"]["200"]["content"][JSON]["schema"], items);
        let put = &document["paths"]["/things/{id}/{kind}"]["put"];
        assert_eq!(put["operationId"], "put_things_id_kind");
        let statuses: Vec<&String> = put["responses"].as_object().unwrap().keys().collect();
        assert_eq!(statuses, ["201", "204", "404", "500"]);
        assert_eq!(put["requestBody"]["required"], true);
        let body = &put["requestBody"]["content"][JSON]["schema"];
        assert_eq!((&body["required"], &body["additionalProperties"]), (&json!(["name"]), &json!(false)));
        assert_eq!(document["security"], json!([{ "bearer": [] }]));
    }

    #[test]
    fn an_operation_apart_has_its_own_server_and_statuses_and_no_credentials() {
        let login = Operation::new(Method::POST, "/login", "Logs in.")
            .apart()
            .answers::<String>(200)
            .answers_empty(400)
            .errors(&[429]);
        let contract = Contract::new::<Refused>("things", "/t", "").security(Security::Bearer).errors(&[500]);
        let document = contract.header(Header::IDEMPOTENCY_KEY).document([&login]);
        let login = &document["paths"]["/login"]["post"];
        assert_eq!((&login["servers"], &login["security"]), (&json!([{ "url": "/" }]), &json!([])));
        assert_eq!(login["parameters"], json!([]));
        assert_eq!(login["responses"]["400"], json!({ "description": "Bad Request." }));
        let statuses: Vec<&String> = login["responses"].as_object().unwrap().keys().collect();
        assert_eq!(statuses, ["200", "400", "429"]);
    }

    #[test]
    fn schemas_have_the_form_of_version_3_0() {
        let document = document();
        let thing = &document["components"]["schemas"]["Thing"];
        assert_eq!(thing["description"], "A thing; see `Refused`.");
        assert_eq!(thing["required"], json!(["name", "size", "part"]));
        assert_eq!(
            thing["properties"]["size"],
            json!({ "type": "integer", "nullable": true, "minimum": 0, "maximum": 65535 })
        );
        assert_eq!(
            thing["properties"]["part"]["anyOf"],
            json!([{ "$ref": "#/components/schemas/Part" }, { "type": "object", "nullable": true, "enum": [null] }])
        );
        assert_eq!(document["components"]["schemas"]["Part"]["enum"], json!(["wheel", "door"]));
    }
}
