//! The `OpenAPI` document of each version, made from the registry.
//!
//! Nothing here is written by hand for a resource, so the document cannot say what the handlers do not do.

mod paths;
mod schemas;

use didww_types::{ApiVersion, REGISTRY, ResourceSpec};
use serde_json::{Map, Value, json};

/// The versions that are described: those that have a resource with outbound trunks.
pub const VERSIONS: [ApiVersion; 3] =
    [ApiVersion::V2021_12_15, ApiVersion::V2022_05_10, ApiVersion::V2026_04_16];

/// The document of a version.
pub fn document(version: ApiVersion) -> Value {
    let mut paths = Map::new();
    let mut schemas = schemas::shared();
    for spec in resources(version) {
        paths.extend(paths::of(spec, version));
        schemas.extend(schemas::of(spec, version));
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
        "security": [{ "apiKey": [] }],
        "paths": paths,
        "components": {
            "securitySchemes": { "apiKey": { "type": "apiKey", "in": "header", "name": "Api-Key" } },
            "schemas": schemas,
        },
    })
}

/// The resources of a version.
fn resources(version: ApiVersion) -> impl Iterator<Item = &'static ResourceSpec> {
    REGISTRY.iter().copied().filter(move |spec| version >= spec.since)
}
