//! The `OpenAPI` documents of the price services: one for each, as DIDWW has them.
//!
//! The schema of a price is made from two samples of its type, one with every attribute and one whose nullable
//! attributes are null, so that no attribute is described beside its declaration.

use didww_types::MEDIA_TYPE;
use didww_types::prices::{PRICES, SmsInPrice, SmsOutPrice, VoiceInPrice, VoiceOutPrice};
use didww_types::values::Money;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::schemas;
use crate::prices::{Domain, PriceService, accepted, domains};

/// Builds the document of a service, whose paths are relative to `/v3`.
pub(super) fn document(service: PriceService) -> Value {
    let mut schemas: Map<String, Value> =
        schemas::shared().into_iter().filter(|(name, _)| name == "errors").collect();
    let mut paths = Map::new();
    for domain in domains(service) {
        let name = schema_name(domain);
        schemas.insert(name.to_owned(), schema(domain));
        let base = domain.base();
        paths.insert(format!("{base}{}", Domain::LOOK_UP), json!({ "get": look_up(domain, name) }));
        paths.insert(format!("{base}{}", Domain::FILE), json!({ "get": file(domain) }));
    }
    json!({
        "openapi": "3.0.3",
        "info": {
            "title": format!("trunk-server, prices at {}", service.audience()),
            "version": "2026-11-19",
            "description": "Prices, compatible with DIDWW's price service and not affiliated with DIDWW. Requests name the \
                            host of the service, or are sent to a listener of its own. HEAD is served as GET.",
            "license": { "name": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": "/v3" }],
        "security": [{ "bearer": [] }],
        "paths": paths,
        "components": {
            "securitySchemes": { "bearer": { "type": "http", "scheme": "bearer", "bearerFormat": "JWT" } },
            "schemas": schemas,
        },
    })
}

/// The name of the schema of a domain's prices.
const fn schema_name(domain: Domain) -> &'static str {
    match domain {
        Domain::VoiceIn => "voice_in_price",
        Domain::VoiceOut => "voice_out_price",
        Domain::SmsOut(_) => "sms_out_price",
        Domain::SmsIn => "sms_in_price",
    }
}

/// The operation of look-ups.
fn look_up(domain: Domain, schema: &str) -> Value {
    let filters = accepted(domain);
    let parameter = |name: &str, required: bool, pattern: &str, description: &str| {
        json!({ "name": format!("filter[{name}]"), "in": "query", "required": required, "description": description,
                "schema": { "type": "string", "pattern": pattern } })
    };
    let number =
        parameter(filters.number, filters.by_number, "^[1-9][0-9]{7,14}$", "A called or receiving number.");
    let country =
        filters.country.map(|name| parameter(name, false, "^[A-Z]{2}$", "A code of ISO 3166-1 alpha-2."));
    let parameters: Vec<Value> = std::iter::once(number).chain(country).collect();
    let summary = if filters.by_number {
        "Looks up the prices of a number."
    } else {
        "Looks up the prices of a number, of a country, or of both: one of the filters is required."
    };
    let content = json!({ MEDIA_TYPE: { "schema": {
        "type": "object",
        "required": ["data", "meta"],
        "properties": {
            "data": { "type": "array", "items": { "$ref": format!("#/components/schemas/{schema}") } },
            "meta": {
                "type": "object",
                "required": ["total_records"],
                "properties": { "total_records": { "type": "integer", "minimum": 1 } },
            },
        },
    } } });
    json!({
        "operationId": format!("{}_look_up", operation_name(domain)),
        "tags": [operation_name(domain)],
        "summary": summary,
        "parameters": parameters,
        "responses": { "200": { "description": "Success.", "content": content }, "default": refused() },
    })
}

/// The operation of the file.
fn file(domain: Domain) -> Value {
    let content = json!({ "application/gzip": { "schema": { "type": "string", "format": "binary" } } });
    json!({
        "operationId": format!("{}_file", operation_name(domain)),
        "tags": [operation_name(domain)],
        "summary": "Returns all prices of the plan as CSV, compressed with gzip.",
        "parameters": [],
        "responses": {
            "200": { "description": "Success.", "content": content },
            "304": { "description": "The file did not change since the time in If-Modified-Since." },
            "default": refused(),
        },
    })
}

fn operation_name(domain: Domain) -> String {
    match domain {
        Domain::VoiceIn => "voice_in".to_owned(),
        Domain::VoiceOut => "voice_out".to_owned(),
        // Such as `sms_out_a2p`.
        Domain::SmsOut(_) | Domain::SmsIn => domain.base().trim_start_matches('/').replace('/', "_"),
    }
}

fn refused() -> Value {
    json!({
        "description": "The request was refused; the status is that of the first error.",
        "content": { MEDIA_TYPE: { "schema": { "$ref": "#/components/schemas/errors" } } },
    })
}

/// The schema of a domain's prices.
fn schema(domain: Domain) -> Value {
    match domain {
        Domain::VoiceIn => voice_in_price(),
        Domain::VoiceOut => voice_out_price(),
        Domain::SmsOut(_) => sms_out_price(),
        Domain::SmsIn => sms_in_price(),
    }
}

/// The sample of a text that may be null.
const TEXT: Option<String> = Some(String::new());
/// The sample of an amount that may be null.
const AMOUNT: Option<Money> = Some(Money::ZERO);

fn voice_in_price() -> Value {
    let price = VoiceInPrice {
        destination: String::new(),
        country: TEXT,
        src_country_name: TEXT,
        source_type: String::new(),
        rate: AMOUNT,
        connection_fee: AMOUNT,
        initial_interval: 1,
        next_interval: 1,
        reject_calls: false,
    };
    let least = VoiceInPrice {
        country: None,
        src_country_name: None,
        rate: None,
        connection_fee: None,
        ..price.clone()
    };
    of_samples(&price, &least)
}

fn voice_out_price() -> Value {
    let price = VoiceOutPrice {
        category: String::new(),
        country: TEXT,
        network: TEXT,
        prefix: String::new(),
        rate: AMOUNT,
        connection_fee: AMOUNT,
        initial_increment: Some(1),
        recurring_increment: Some(1),
        reject_calls: false,
        next_rate: AMOUNT,
        next_connection_fee: AMOUNT,
        next_initial_increment: Some(1),
        next_recurring_increment: Some(1),
        next_reject_calls: Some(false),
        effective_at: TEXT,
        comment: TEXT,
    };
    let least = VoiceOutPrice {
        category: String::new(),
        country: None,
        network: None,
        prefix: String::new(),
        rate: None,
        connection_fee: None,
        initial_increment: None,
        recurring_increment: None,
        reject_calls: false,
        next_rate: None,
        next_connection_fee: None,
        next_initial_increment: None,
        next_recurring_increment: None,
        next_reject_calls: None,
        effective_at: None,
        comment: None,
    };
    of_samples(&price, &least)
}

fn sms_out_price() -> Value {
    let price = SmsOutPrice {
        source_prefix: TEXT,
        destination_prefix: TEXT,
        country: TEXT,
        mcc: Some(1),
        mcc_name: TEXT,
        mnc: Some(1),
        mnc_name: TEXT,
        reject_sms: false,
        price: AMOUNT,
    };
    let least = SmsOutPrice {
        source_prefix: None,
        destination_prefix: None,
        country: None,
        mcc: None,
        mcc_name: None,
        mnc: None,
        mnc_name: None,
        reject_sms: false,
        price: None,
    };
    of_samples(&price, &least)
}

fn sms_in_price() -> Value {
    let price = SmsInPrice {
        source_prefix: TEXT,
        source_number_length_min: 1,
        source_number_length_max: 1,
        destination_prefix: TEXT,
        destination_number_length_min: 1,
        destination_number_length_max: 1,
        country: TEXT,
        price: Money::ZERO,
    };
    let least = SmsInPrice { source_prefix: None, destination_prefix: None, country: None, ..price.clone() };
    of_samples(&price, &least)
}

/// The schema of a price with the attributes of two samples: the types are those of the first one, and an attribute
/// that is null in the second one is nullable.
fn of_samples<P: Serialize>(price: &P, least: &P) -> Value {
    // A price is an object of scalars, which can always be written.
    let (price, least) =
        (serde_json::to_value(price).unwrap_or_default(), serde_json::to_value(least).unwrap_or_default());
    let mut attributes = Map::new();
    for (name, value) in price.as_object().into_iter().flatten() {
        let mut schema = match value {
            Value::Bool(_) => json!({ "type": "boolean" }),
            Value::Number(_) => json!({ "type": "integer", "minimum": 0 }),
            _ => json!({ "type": "string" }),
        };
        if least.get(name).is_none_or(Value::is_null)
            && let Some(schema) = schema.as_object_mut()
        {
            schema.insert("nullable".to_owned(), Value::Bool(true));
        }
        attributes.insert(name.clone(), schema);
    }
    let required: Vec<&String> = attributes.keys().collect();
    let required = json!(required);
    json!({
        "type": "object",
        "required": ["id", "type", "attributes"],
        "properties": {
            "id": { "type": "string", "format": "uuid" },
            "type": { "type": "string", "enum": [PRICES] },
            "attributes": { "type": "object", "required": required, "properties": attributes },
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attribute_is_nullable_where_a_price_may_leave_it_out() {
        let schema = schema(Domain::VoiceIn);
        let attributes = &schema["properties"]["attributes"]["properties"];
        assert_eq!(attributes["rate"], json!({ "type": "string", "nullable": true }));
        assert_eq!(attributes["source_type"], json!({ "type": "string" }));
        assert_eq!(attributes["reject_calls"], json!({ "type": "boolean" }));
        assert_eq!(attributes["next_interval"], json!({ "type": "integer", "minimum": 0 }));
        assert_eq!(schema["properties"]["attributes"]["required"].as_array().unwrap().len(), 9);
    }

    #[test]
    fn every_attribute_of_a_price_is_described() {
        for (domain, count) in [(Domain::VoiceIn, 9), (Domain::VoiceOut, 16), (Domain::SmsIn, 8)] {
            let schema = schema(domain);
            let attributes = schema["properties"]["attributes"]["properties"].as_object().unwrap();
            assert_eq!(attributes.len(), count, "{domain:?}");
        }
    }

    #[test]
    fn a_document_has_the_look_up_and_the_file_of_each_plan() {
        let document = document(PriceService::Sms);
        let paths: Vec<&String> = document["paths"].as_object().unwrap().keys().collect();
        assert_eq!(paths.len(), 8);
        let look_up = &document["paths"]["/sms_out/a2p/lookup/prices"]["get"];
        assert_eq!(look_up["operationId"], "sms_out_a2p_look_up");
        assert_eq!(look_up["parameters"][1]["name"], "filter[dst_country_iso]");
        assert_eq!(look_up["parameters"][0]["required"], false);
        assert!(document["paths"]["/sms_in/prices.csv.gz"]["get"]["responses"]["304"].is_object());
    }
}
