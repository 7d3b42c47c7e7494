//! Validation of the collector's address, to which traces are sent.

use url::Url;

use super::error::ConfigError;

/// Checks the setting `otlp_endpoint`.
pub(super) fn check_otlp(text: Option<String>) -> Result<Option<String>, ConfigError> {
    text.map(|text| check_endpoint("otlp-endpoint", &text)).transpose()
}

/// Checks the URL of a collector, and returns it without a trailing slash. A URL with a password is refused, because it
/// would be printed.
pub(crate) fn check_endpoint(name: &'static str, text: &str) -> Result<String, ConfigError> {
    let refused = |expected| {
        // The part before the host can be a password.
        let given = if text.contains('@') { "(hidden)" } else { text };
        Err(ConfigError::value(name, given, expected))
    };
    let parsed = Url::parse(text).ok();
    let Some(url) = parsed.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host()) else {
        return refused(
            "give the http or https URL of a collector that takes OTLP over HTTP, such as http://127.0.0.1:4318",
        );
    };
    if !url.username().is_empty() || url.password().is_some() {
        return refused("give it without a user and a password: put them into OTEL_EXPORTER_OTLP_HEADERS");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return refused("give it without a query or fragment: the path of traces is appended");
    }
    Ok(text.trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_collector_is_an_http_url_without_what_must_not_be_printed() {
        let check = |text| check_endpoint("otlp-endpoint", text).map_err(|error| error.to_string());
        assert_eq!(check("http://127.0.0.1:4318/").as_deref(), Ok("http://127.0.0.1:4318"));
        assert_eq!(check("https://otel.example/base").as_deref(), Ok("https://otel.example/base"));
        for (text, why) in [
            ("127.0.0.1:4318", "otlp-endpoint is `127.0.0.1:4318`; give the http or https URL"),
            ("grpc://127.0.0.1:4317", "give the http or https URL"),
            ("http://me:canary@otel.example", "`(hidden)`; give it without a user and a password"),
            ("ftp://me:canary@otel.example", "`(hidden)`; give the http or https URL"),
            ("http://otel.example?key=1", "without a query"),
        ] {
            let said = check(text).unwrap_err();
            assert!(said.contains(why) && !said.contains("canary"), "{text}: {said}");
        }
    }
}
