//! The version of the request that created a record, for types whose files and callbacks keep the form of it.

use didww_types::ApiVersion;
use serde_json::{Value, json};

const API_VERSION: &str = "api_version";

/// The internal data of a record that is created in a version, as JSON text.
pub(super) fn internal_data(version: ApiVersion) -> String {
    json!({ API_VERSION: version.as_str() }).to_string()
}

/// The version in which a record was created, by its internal data as JSON text. It is the newest one for a record
/// without such data: a type that never had another form, or a record of an older server, which had the present form
/// alone.
pub fn created_in(internal: Option<&str>) -> ApiVersion {
    let data = internal.and_then(|text| serde_json::from_str::<Value>(text).ok());
    let version = data.as_ref().and_then(|data| data.get(API_VERSION)).and_then(Value::as_str);
    version.and_then(|text| text.parse().ok()).unwrap_or(ApiVersion::NEWEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_read_from_the_data_and_is_the_newest_one_without_it() {
        for version in ApiVersion::ALL {
            assert_eq!(created_in(Some(&internal_data(version))), version);
        }
        for other in [None, Some(""), Some("{}"), Some(r#"{"api_version":"2016-01-01"}"#)] {
            assert_eq!(created_in(other), ApiVersion::NEWEST, "{other:?}");
        }
    }
}
