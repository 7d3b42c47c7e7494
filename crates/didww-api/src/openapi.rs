//! The `OpenAPI` document of each API version, generated from the resource registry.
//!
//! The request handlers use the same registry, and no resource has a description of its own here: the document
//! therefore describes exactly what the handlers serve. The price services, which are not in the registry, have
//! documents of their own.

mod paths;
mod prices;
mod schemas;

use std::sync::LazyLock;

use bytes::Bytes;
use didww_types::{ApiVersion, REGISTRY, ResourceSpec};
use serde_json::{Map, Value, json};

use crate::prices::PriceService;

/// The API versions that have a document: those that have outbound trunks.
pub const VERSIONS: [ApiVersion; 4] =
    [ApiVersion::V2021_12_15, ApiVersion::V2022_05_10, ApiVersion::V2026_04_16, ApiVersion::V2026_11_19];

/// The texts of the documents. Requests for them need no credentials, so they are built once.
static TEXTS: LazyLock<[Bytes; VERSIONS.len()]> =
    LazyLock::new(|| VERSIONS.map(|version| Bytes::from(document(version).to_string())));

/// The texts of the documents of the price services.
static PRICE_TEXTS: LazyLock<[Bytes; PriceService::ALL.len()]> =
    LazyLock::new(|| PriceService::ALL.map(|service| Bytes::from(price_document(service).to_string())));

/// The text of the document with a name: the date of a version, or that of a price service.
pub(crate) fn named(name: &str) -> Option<Bytes> {
    if let Some(index) = PriceService::ALL.iter().position(|service| price_document_name(*service) == name) {
        return PRICE_TEXTS.get(index).cloned();
    }
    name.parse::<ApiVersion>().ok().and_then(text)
}

/// The name of the document of a price service, such as `voice-in-prices`.
pub const fn price_document_name(service: PriceService) -> &'static str {
    match service {
        PriceService::VoiceIn => "voice-in-prices",
        PriceService::VoiceOut => "voice-out-prices",
        PriceService::Sms => "sms-prices",
    }
}

/// Builds the document of a price service, whose paths are relative to `/v3`.
pub fn price_document(service: PriceService) -> Value {
    prices::document(service)
}

/// The text of the document of a version; `None` for a version without one.
fn text(version: ApiVersion) -> Option<Bytes> {
    let index = VERSIONS.iter().position(|described| *described == version)?;
    TEXTS.get(index).cloned()
}

/// Builds the document of a version, whose paths are relative to `/v3`.
pub fn document(version: ApiVersion) -> Value {
    let mut paths = Map::new();
    let mut schemas = schemas::shared();
    for spec in resources(version) {
        paths.extend(paths::of(spec, version));
        schemas.extend(schemas::of(spec, version));
    }
    let mut ways_to_authenticate = Map::new();
    // From 2026-11-19 on, files alone can be downloaded with a key.
    ways_to_authenticate
        .insert("apiKey".to_owned(), json!({ "type": "apiKey", "in": "header", "name": "Api-Key" }));
    let scheme = if version.uses_tokens() { "bearer" } else { "apiKey" };
    if version.uses_tokens() {
        let bearer = json!({ "type": "http", "scheme": "bearer", "bearerFormat": "JWT" });
        ways_to_authenticate.insert(scheme.to_owned(), bearer);
    }
    json!({
        "openapi": "3.0.3",
        "info": {
            "title": "trunk-server",
            "version": version.as_str(),
            "description": "Outbound trunk provisioning, compatible with DIDWW's API v3 and not affiliated with \
                            DIDWW. Made from the server's own registry of resources. PUT is served as PATCH, HEAD as GET.",
            "license": { "name": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": "/v3" }],
        "security": [{ (scheme): [] }],
        "paths": paths,
        "components": {
            "securitySchemes": ways_to_authenticate,
            "schemas": schemas,
        },
    })
}

/// The resources that exist in a version.
fn resources(version: ApiVersion) -> impl Iterator<Item = &'static ResourceSpec> {
    REGISTRY.iter().copied().filter(move |spec| spec.exists_in(version))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_found_by_a_version_or_the_name_of_a_price_service() {
        for service in PriceService::ALL {
            let text = named(price_document_name(service)).unwrap();
            assert_eq!(serde_json::from_slice::<Value>(&text).unwrap(), price_document(service));
        }
        assert_eq!(named("2026-11-19"), text(ApiVersion::V2026_11_19));
        assert_eq!((named("2017-09-18"), named("prices")), (None, None));
    }

    #[test]
    fn a_document_states_the_defaults_of_its_version() {
        let defaults = |kind: &str, attribute: &str| {
            let of_create = format!("/components/schemas/{kind}_create/properties/attributes/properties");
            VERSIONS.map(|version| {
                document(version).pointer(&format!("{of_create}/{attribute}/default")).cloned()
            })
        };
        let threshold = Some(json!("3000.0"));
        let expected = [Some(Value::Null), Some(Value::Null), threshold.clone(), threshold];
        assert_eq!(defaults("voice_out_trunks", "threshold_amount"), expected);
        // Older versions permit null, and have the same default.
        let none = [0, 0, 0, 0].map(|channels| Some(json!(channels)));
        assert_eq!(defaults("shared_capacity_groups", "metered_channels_count"), none);
    }

    /// The schema of an attribute in the schema of this name: that of a record, or of a body.
    fn of_attribute(described: &Value, schema: &str, attribute: &str) -> Value {
        let schema = &described["components"]["schemas"][schema];
        schema["properties"]["attributes"]["properties"][attribute].clone()
    }

    /// The values that a query parameter of a list takes.
    fn texts_of(described: &Value, path: &str, parameter: &str) -> Vec<String> {
        let parameters = described["paths"][path]["get"]["parameters"].as_array().unwrap();
        let schema = &parameters.iter().find(|one| one["name"] == parameter).unwrap()["schema"];
        let texts = if schema["enum"].is_array() { &schema["enum"] } else { &schema["items"]["enum"] };
        serde_json::from_value(texts.clone()).unwrap()
    }

    #[test]
    fn a_body_may_have_null_exactly_where_a_request_may() {
        let takes_null = |described: &Value, schema: &str, attribute: &str| {
            of_attribute(described, schema, attribute)["nullable"] == true
        };
        let all = VERSIONS.map(document);
        for (version, described) in VERSIONS.into_iter().zip(&all) {
            for (schema, creates) in [("create", true), ("update", false)] {
                for spec in resources(version) {
                    let name = format!("{}_{schema}", spec.name_at(version));
                    for attribute in spec.attributes_at(version) {
                        if of_attribute(described, &name, attribute.name).is_null() {
                            continue;
                        }
                        let expected = attribute.takes_null(version, creates);
                        let is_nullable = takes_null(described, &name, attribute.name);
                        assert_eq!(is_nullable, expected, "{version} {name} {}", attribute.name);
                    }
                }
            }
            for schema in ["voice_in_trunks_create", "voice_in_trunks_update"] {
                assert!(takes_null(described, schema, "cli_format"), "null is e164");
            }
            assert!(!takes_null(described, "voice_in_trunks", "cli_format"), "no answer has null");
        }
        let of_status =
            |schema: &str| all.each_ref().map(|described| takes_null(described, schema, "status"));
        assert_eq!(of_status("voice_out_trunks_create"), [true, true, false, false]);
        assert_eq!(of_status("voice_out_trunks_update"), [false; 4]);
    }

    #[test]
    fn the_limits_of_a_body_are_those_of_the_validation() {
        for version in VERSIONS {
            let described = document(version);
            let mut seen = 0;
            for spec in resources(version) {
                for attribute in spec.attributes_at(version) {
                    let limits = attribute.value_at(version);
                    for verb in ["create", "update"] {
                        let name = format!("{}_{verb}", spec.name_at(version));
                        let schema = of_attribute(&described, &name, attribute.name);
                        let place = format!("{version} {name} {}", attribute.name);
                        let texts = schema["enum"].as_array().into_iter().flatten();
                        for text in texts.filter(|text| !text.is_null()) {
                            assert!(limits.check(text).is_ok(), "{place}: {text}");
                            seen += 1;
                        }
                        for (name, beyond) in [("minimum", -1), ("maximum", 1)] {
                            let Some(bound) = schema[name].as_i64() else { continue };
                            assert!(limits.check(&json!(bound)).is_ok(), "{place}: {bound}");
                            assert!(limits.check(&json!(bound + beyond)).is_err(), "{place}: {bound}");
                            seen += 1;
                        }
                        if let Some(most) = schema["maxLength"].as_u64() {
                            let long = "x".repeat(usize::try_from(most).unwrap() + 1);
                            assert!(limits.check(&json!(long)).is_err(), "{place}");
                            seen += 1;
                        }
                    }
                }
            }
            assert!(seen > 50, "{version}: {seen}");
        }
    }

    #[test]
    fn a_record_may_have_what_another_version_stored() {
        let (older, newer) = (document(ApiVersion::V2022_05_10), document(ApiVersion::V2026_04_16));
        let of_record = |attribute| of_attribute(&newer, "voice_out_trunks", attribute);
        let of_create = |attribute| of_attribute(&newer, "voice_out_trunks_create", attribute);
        for (name, member, shown, sent) in [
            ("threshold_amount", "nullable", json!(true), Value::Null),
            ("capacity_limit", "minimum", json!(0), json!(1)),
        ] {
            assert_eq!((&of_record(name)[member], &of_create(name)[member]), (&shown, &sent), "{name}");
        }
        // A text without a scheme is accepted since 2026-04-16, and is no URI.
        for (described, schema, format) in [
            (&older, "voice_out_trunks_create", json!("uri")),
            (&older, "voice_out_trunks", Value::Null),
            (&newer, "voice_out_trunks_create", Value::Null),
            (&newer, "voice_out_trunks", Value::Null),
        ] {
            assert_eq!(of_attribute(described, schema, "callback_url")["format"], format, "{schema}");
        }
    }

    #[test]
    fn a_schema_has_the_words_of_its_version() {
        let all = VERSIONS.map(document);
        let [_, older, newer, _] = &all;
        let of_requirement = |attribute| of_attribute(older, "requirements", attribute);
        assert_eq!(of_requirement("identity_type")["enum"], json!(["Any", "Personal", "Business"]));
        assert_eq!(of_requirement("personal_area_level")["enum"][0], "WorldWide");
        assert_eq!(of_requirement("personal_mandatory_fields")["items"]["enum"][0], "Birth Date");
        let level = of_attribute(newer, "address_requirements", "address_area_level");
        assert_eq!(level["enum"][0], "world_wide");
        let statuses = |described| texts_of(described, "/orders", "filter[status]");
        assert_eq!(statuses(older), ["Pending", "Completed", "Canceled"]);
        assert_eq!(statuses(newer), ["pending", "completed", "canceled"]);
        for (path, parameter) in
            [("/did_groups", "filter[features]"), ("/dids", "filter[did_group.features]")]
        {
            let has_former =
                |described: &Value| texts_of(described, path, parameter).iter().any(|text| text == "sms_out");
            assert_eq!(all.each_ref().map(has_former), [true, true, false, false], "{parameter}");
        }
    }

    #[test]
    fn an_update_has_no_defaults_and_the_id_is_a_field() {
        for version in VERSIONS {
            let described = document(version);
            for spec in resources(version) {
                let name = format!("{}_update", spec.name_at(version));
                for attribute in spec.attributes_at(version) {
                    let schema = of_attribute(&described, &name, attribute.name);
                    assert_eq!(schema.get("default"), None, "{version} {name} {}", attribute.name);
                }
            }
            assert_eq!(texts_of(&described, "/dids", "fields[dids]")[0], "id");
        }
    }

    #[test]
    fn a_list_or_a_text_that_must_have_something_says_so() {
        let newest = document(ApiVersion::NEWEST);
        let minimum = |schema, attribute, name: &str| of_attribute(&newest, schema, attribute)[name].clone();
        assert_eq!(minimum("voice_out_trunks_create", "allowed_rtp_ips", "minItems"), 1);
        assert_eq!(minimum("voice_out_trunks_create", "dst_prefixes", "minItems"), Value::Null);
        assert_eq!(minimum("voice_out_trunks_update", "name", "minLength"), 1);
        assert_eq!(minimum("orders_create", "items", "minItems"), 1);
    }

    #[test]
    fn a_body_has_the_types_of_objects_that_a_request_may_send() {
        let newest = document(ApiVersion::NEWEST);
        let of = |schema, attribute, place| of_attribute(&newest, schema, attribute).pointer(place).cloned();
        let method = "/properties/type/enum";
        let sent = Some(json!(["credentials_and_ip", "twilio"]));
        for schema in ["voice_out_trunks_create", "voice_out_trunks_update"] {
            let mut types = of(schema, "authentication_method", method);
            types.as_mut().and_then(Value::as_array_mut).unwrap().sort_by_key(Value::to_string);
            assert_eq!(types, sent, "{schema}");
        }
        let shown = of("voice_out_trunks", "authentication_method", method).unwrap();
        assert!(shown.as_array().unwrap().contains(&json!("ip_only")));
        let items = "/items/properties/type/enum";
        let bought = of("orders_create", "items", items).unwrap();
        assert_eq!(bought.as_array().unwrap().len(), 2, "{bought}");
        assert_eq!(of("orders", "items", items).unwrap().as_array().unwrap().len(), 4);
    }

    #[test]
    fn a_relationship_has_the_identifiers_of_its_records() {
        for (version, name, kind) in [
            (ApiVersion::V2021_12_15, "voice_in_trunk", "voice_in_trunks"),
            (ApiVersion::NEWEST, "sms_trunk_group", "sms_trunk_groups"),
        ] {
            let described = document(version);
            let of = |schema: &str| {
                let relationships =
                    &described["components"]["schemas"][schema]["properties"]["relationships"];
                relationships["properties"][name].clone()
            };
            for schema in ["dids", "dids_update"] {
                let data = &of(schema)["properties"]["data"];
                assert_eq!(data["properties"]["type"]["enum"], json!([kind]), "{version} {schema}");
                assert_eq!(data["nullable"], true, "{version} {schema}");
            }
            assert_eq!(of("dids_update")["required"], json!(["data"]));
            assert_eq!(of("dids")["properties"]["links"]["type"], "object");
        }
        let described = document(ApiVersion::NEWEST);
        let body = &described["components"]["schemas"]["voice_out_trunks_create"]["properties"];
        let dids = &body["relationships"]["properties"]["dids"]["properties"]["data"];
        assert_eq!((&dids["type"], &dids["items"]["required"]), (&json!("array"), &json!(["type", "id"])));
    }

    #[test]
    fn the_text_of_a_document_is_built_once() {
        for version in ApiVersion::ALL {
            let first = text(version);
            assert_eq!(first.is_some(), VERSIONS.contains(&version), "{version}");
            let Some(first) = first else { continue };
            assert_eq!(serde_json::from_slice::<Value>(&first).unwrap(), document(version));
            assert_eq!(text(version).unwrap().as_ptr(), first.as_ptr(), "{version}");
        }
    }
}
