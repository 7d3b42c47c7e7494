//! The `OpenAPI` documents: the files match the server's documents, and the server matches the files.

use std::collections::{BTreeMap, BTreeSet};

use didww_types::{ApiVersion, FilterTest, REGISTRY, ResourceSpec, find};
use http::Method;
use serde_json::{Map, Value, json};
use trunk_server::config::Config;
use trunk_server::openapi::{VERSIONS, document, price_document, price_document_name};
use trunk_server::{PriceService, TestServer, TestServerBuilder};

use super::pages::hold;
use super::shape::{check_document, operations};
use crate::support::api::{Answer, Api, http_client};
use crate::support::engine;
use crate::support::records::Records;

const ABSENT: &str = "00000000-0000-4000-8000-000000000000";
/// A time that no filter refuses.
const LATER: &str = "2126-01-01T00:00:00.000Z";

#[test]
fn the_files_are_the_documents_that_the_server_generates() {
    for version in VERSIONS {
        let text = serde_json::to_string_pretty(&document(version)).unwrap();
        hold(&format!("trunk-server/openapi/{version}.json"), &format!("{text}\n"));
    }
    for service in PriceService::ALL {
        let text = serde_json::to_string_pretty(&price_document(service)).unwrap();
        hold(&format!("trunk-server/openapi/{}.json", price_document_name(service)), &format!("{text}\n"));
    }
}

/// A server whose account has every feature, with a record of every type that can be read.
struct World {
    _server: TestServer,
    api: Api,
    ids: BTreeMap<&'static str, String>,
}

impl World {
    async fn start(version: ApiVersion) -> Self {
        let builder = engine::builder().version(version).control_listener();
        let server = engine::granted().fold(builder, TestServerBuilder::feature).start().await;
        let api = Api::new(server.base_url(), server.api_key()).at(None);
        let ids = Records::of(&server, server.account(), api.clone(), version).create_each().await;
        Self { _server: server, api, ids }
    }

    /// The path of a template with the id of an existing record, if there is one of its type.
    fn path(&self, template: &str) -> String {
        let path = template.split('/').nth(1).unwrap();
        // Only one type was called otherwise: its ids are those of its present name.
        let is_at =
            |spec: &&&ResourceSpec| spec.name == path || spec.former.is_some_and(|(name, _)| name == path);
        let kind = REGISTRY.iter().find(is_at).map_or(path, |spec| spec.name);
        template.replace("{id}", self.ids.get(kind).map_or(ABSENT, String::as_str))
    }

    /// The id to send to a filter that refuses one of a record that the account does not have.
    fn owned(&self, path: &str, parameter: &str) -> Option<&String> {
        let spec = find(path.split('/').nth(1)?)?;
        let name = parameter.strip_prefix("filter[")?.strip_suffix(']')?;
        let filter = spec.filters.iter().find(|filter| filter.name == name && filter.owned)?;
        let FilterTest::Linked(relationship) = filter.test else { return None };
        self.ids.get(spec.relationship(relationship)?.target)
    }
}

/// Whether an answer shows that the route exists and can be written.
fn is_served(answer: &Answer, relationship: &str) -> bool {
    let (code, detail, _) = answer.error();
    let no_route = answer.status == 404 && answer.at("/errors/0/title") == "Not Found";
    let read_only = code == "105" && detail == format!("{relationship} is not allowed.");
    !no_route && !read_only
}

#[tokio::test]
async fn every_operation_of_a_document_is_served_and_no_other() {
    for version in VERSIONS {
        let world = World::start(version).await;
        let described = document(version);
        let documented: BTreeSet<(String, String)> =
            operations(&described).into_iter().map(|(method, path, _)| (method, path)).collect();
        let mut served = BTreeSet::new();
        for spec in REGISTRY {
            let mut templates = Vec::new();
            let paths: BTreeSet<&str> = BTreeSet::from([spec.name, spec.path_at(version)]);
            for path in &paths {
                templates.extend([format!("/{path}"), format!("/{path}/{{id}}")]);
            }
            let names = spec.relationships.iter().flat_map(|one| [one.name, one.name_at(version)]);
            for name in names.chain(["bogus"]) {
                for path in &paths {
                    templates.push(format!("/{path}/{{id}}/{name}"));
                    templates.push(format!("/{path}/{{id}}/relationships/{name}"));
                }
            }
            for path in &paths {
                let Some(ending) = spec.downloads_below(path) else { continue };
                if is_served(&world.api.get(&format!("/{path}/{ABSENT}{ending}")).await, "") {
                    served.insert(("GET".to_owned(), format!("/{path}/{{filename}}{ending}")));
                }
            }
            for template in templates {
                let path = template.replace("{id}", ABSENT);
                let relationship = template.rsplit('/').next().unwrap();
                for method in ["GET", "POST", "PATCH", "PUT", "DELETE", "OPTIONS", "TRACE"] {
                    let verb = Method::from_bytes(method.as_bytes()).unwrap();
                    let answer = world.api.send(verb, &path, "{\"data\":null}").await;
                    if is_served(&answer, relationship) {
                        served.insert((method.to_owned(), template.clone()));
                    }
                }
                let by_put = served.remove(&("PUT".to_owned(), template.clone()));
                let by_patch = served.contains(&("PATCH".to_owned(), template.clone()));
                assert_eq!(by_put, by_patch, "PUT is served as PATCH at {template}");
            }
        }
        assert_eq!(served, documented, "{version}");
    }
}

#[tokio::test]
async fn the_server_serves_the_documents() {
    let server = engine::builder().start().await;
    let root = server.base_url().trim_end_matches("/v3").to_owned();
    let public = Api::new(root, "").with_key(None);
    for version in VERSIONS {
        assert_eq!(public.get(&format!("/openapi/{version}.json")).await.json(), document(version));
    }
    for service in PriceService::ALL {
        let path = format!("/openapi/{}.json", price_document_name(service));
        assert_eq!(public.get(&path).await.json(), price_document(service));
    }
    assert_eq!(public.get("/openapi/2017-09-18.json").await.status, 404);
}

/// A price in each plan that is not that of outbound calls, and the same number for all.
const PRICES: &str = r#"
[[prices.voice_in]]
destination = "1800"
source_type = "fixed"
rate = "0.02"

[[prices.sms_out_a2p]]
destination_prefix = "1"
price = "0.05"

[[prices.sms_out_p2p]]
destination_prefix = "1"
reject_sms = true

[[prices.sms_out_otp]]
destination_prefix = "1"
mcc = 310
price = "0.05"

[[prices.sms_in]]
destination_prefix = "1"
price = "0"
"#;

#[tokio::test]
async fn every_operation_of_a_price_service_is_served_and_answers_what_its_document_says() {
    let prices = Config::from_toml(PRICES).unwrap().prices;
    let server = engine::builder().sip().prices(prices).start().await;
    let public = Api::new(server.base_url(), server.api_key());
    for service in PriceService::ALL {
        let described = price_document(service);
        let token = public.token(&json!({ "aud": service.audience(), "scope": "read" })).await;
        for (method, path, operation) in operations(&described) {
            assert_eq!(method, "GET");
            let number = operation["parameters"][0]["name"].as_str();
            let query = number.map(|name| format!("?{name}=18005550123")).unwrap_or_default();
            let request = http_client().get(format!("{}{path}{query}", server.base_url()));
            let request =
                request.header("Host", service.audience()).header("Accept", "application/vnd.api+json");
            let response = request.bearer_auth(&token).send().await.unwrap();
            assert_eq!(response.status(), 200, "{path}");
            let kind = response.headers()["content-type"].to_str().unwrap().to_owned();
            let content = &operation["responses"]["200"]["content"][&kind];
            assert!(content.is_object(), "{path}: {kind}");
            let Some(items) = content.pointer("/schema/properties/data/items/$ref").and_then(Value::as_str)
            else {
                continue;
            };
            let answer = Answer::of(response).await;
            let schema = described.pointer(items.trim_start_matches('#')).unwrap();
            let attributes = &schema["properties"]["attributes"]["properties"];
            let names = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
            assert_eq!(names(&answer.at("/data/0/attributes")), names(attributes), "{path}");
            for (name, value) in answer.at("/data/0/attributes").as_object().unwrap() {
                let nullable = attributes[name]["nullable"] == true;
                assert!(nullable || !value.is_null(), "{path}: {name}");
            }
        }
    }
}

/// Values that a schema permits: all values of a closed set, else one example.
fn samples(schema: &Value) -> Vec<Value> {
    if let Some(values) = schema["enum"].as_array() {
        return values.clone();
    }
    if let Some(alternatives) = schema["anyOf"].as_array() {
        return alternatives.iter().filter(|schema| schema["enum"].is_array()).flat_map(samples).collect();
    }
    match (schema["type"].as_str().unwrap_or_default(), schema["format"].as_str()) {
        ("array", _) => samples(&schema["items"]),
        ("boolean", _) => vec![json!(true), json!(false)],
        ("integer", _) => {
            ["minimum", "maximum"].iter().filter_map(|bound| schema.get(bound)).cloned().collect()
        }
        ("string", Some("uuid")) => vec![json!(ABSENT)],
        ("string", Some("date")) => vec![json!("2026-04-08")],
        ("string", Some("date-time")) => vec![json!("2026-04-08T06:57:33.304Z")],
        ("string", Some("uri")) => vec![json!("https://example.com/callbacks")],
        ("string", None) if schema["example"].is_string() => vec![schema["example"].clone()],
        ("string", None) => vec![json!("x")],
        _ => panic!("no sample of {schema}"),
    }
}

#[tokio::test]
async fn every_parameter_of_a_document_is_accepted_with_every_value_that_it_names() {
    for version in VERSIONS {
        let world = World::start(version).await;
        let described = document(version);
        for (method, path, operation) in operations(&described) {
            if method != "GET" {
                continue;
            }
            for parameter in operation["parameters"].as_array().unwrap() {
                if parameter["in"] != "query" {
                    continue;
                }
                let name = parameter["name"].as_str().unwrap();
                let mut values = samples(&parameter["schema"]);
                if parameter["allowEmptyValue"] == true {
                    values.push(json!(""));
                }
                for value in values {
                    let mut value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                    if let Some(owned) = world.owned(&path, name).filter(|_| value == ABSENT) {
                        value.clone_from(owned);
                    }
                    if name.contains("created_at_") && !value.is_empty() {
                        // Some types refuse a time before they keep records.
                        LATER.clone_into(&mut value);
                    }
                    let asked = format!("{}?{name}={value}", world.path(&path));
                    let answer = world.api.get(&asked).await;
                    assert_eq!(answer.status, 200, "{version} GET {asked}: {}", answer.text);
                }
            }
        }
    }
}

/// Whether a body with only this member is refused because of the member's name.
async fn is_foreign(world: &World, kind: &str, update: bool, place: &str, name: &str, value: &Value) -> bool {
    let mut data =
        Map::from_iter([("type".to_owned(), json!(kind)), (place.to_owned(), json!({ name: value }))]);
    let answer = if update {
        data.insert("id".to_owned(), json!(world.ids[kind]));
        world.api.patch(&world.path(&format!("/{kind}/{{id}}")), &json!({ "data": data })).await
    } else {
        world.api.post(&format!("/{kind}"), &json!({ "data": data })).await
    };
    let (code, detail, _) = answer.error();
    code == "105" && detail == format!("{name} is not allowed.")
}

#[tokio::test]
async fn a_body_may_hold_the_members_of_its_schema_and_no_others_of_the_record() {
    for version in VERSIONS {
        let world = World::start(version).await;
        let described = document(version);
        let schemas = &described["components"]["schemas"];
        for spec in REGISTRY {
            for (update, schema) in [(false, "create"), (true, "update")] {
                let body = &schemas[format!("{}_{schema}", spec.name)];
                if body.is_null() {
                    continue;
                }
                for place in ["attributes", "relationships"] {
                    let writable = body["properties"][place]["properties"].as_object().unwrap();
                    let all = schemas[spec.name]["properties"][place]["properties"].as_object().unwrap();
                    assert!(writable.keys().all(|name| all.contains_key(name)));
                    for name in all.keys() {
                        let foreign = is_foreign(&world, spec.name, update, place, name, &Value::Null).await;
                        let named = writable.contains_key(name);
                        assert_eq!(foreign, !named, "{version} {schema} {} {place} {name}", spec.name);
                    }
                }
            }
        }
    }
}

#[tokio::test]
async fn an_answer_holds_the_members_of_its_schema_and_no_others() {
    for version in VERSIONS {
        let world = World::start(version).await;
        let described = document(version);
        for (kind, id) in &world.ids {
            let spec = find(kind).unwrap();
            let path = spec.path_at(version);
            let one = if spec.singleton.is_some() { format!("/{path}") } else { format!("/{path}/{id}") };
            let answer = world.api.get(&one).await;
            let properties = &described["components"]["schemas"][spec.name_at(version)]["properties"];
            for place in ["attributes", "relationships"] {
                let names = |value: &Value| {
                    value.as_object().into_iter().flat_map(Map::keys).cloned().collect::<BTreeSet<_>>()
                };
                let answered = names(&answer.at(&format!("/data/{place}")));
                let described = &properties[place]["properties"];
                let mut expected = names(described);
                expected.retain(|name| described[name]["writeOnly"] != true);
                assert_eq!(answered, expected, "{version} {kind}");
            }
        }
    }
}

#[test]
fn every_document_has_the_shape_of_openapi_3_0_3() {
    for version in VERSIONS {
        check_document(&document(version), version.as_str());
    }
    for service in PriceService::ALL {
        check_document(&price_document(service), price_document_name(service));
    }
}
