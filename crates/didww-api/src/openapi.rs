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
    let (scheme_name, scheme) = if version.uses_tokens() {
        ("bearer", json!({ "type": "http", "scheme": "bearer", "bearerFormat": "JWT" }))
    } else {
        ("apiKey", json!({ "type": "apiKey", "in": "header", "name": "Api-Key" }))
    };
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
        "security": [{ (scheme_name): [] }],
        "paths": paths,
        "components": {
            "securitySchemes": { (scheme_name): scheme },
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
