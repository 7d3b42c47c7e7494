//! The variables that OpenTelemetry defines for every program.
//!
//! The libraries read further ones: `OTEL_EXPORTER_OTLP_HEADERS` and `OTEL_EXPORTER_OTLP_COMPRESSION`, each with the
//! form for traces alone, `OTEL_TRACES_SAMPLER` with `OTEL_TRACES_SAMPLER_ARG`, `OTEL_BSP_MAX_QUEUE_SIZE`,
//! `OTEL_BSP_MAX_EXPORT_BATCH_SIZE` and `OTEL_BSP_SCHEDULE_DELAY`.

use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::resource::{EnvResourceDetector, ResourceDetector, TelemetryResourceDetector};

use crate::config::ConfigError;
use crate::config::otlp::check_endpoint;

/// The path of traces below the address of a collector.
const PATH: &str = "/v1/traces";
/// The default timeout of an export.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

/// An empty variable counts as none, as OpenTelemetry requires.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The URL that spans are sent to: that of the setting, else that of the environment. `None` if there is none, or if
/// the environment disables traces.
pub(super) fn endpoint(setting: Option<&str>) -> Result<Option<String>, ConfigError> {
    endpoint_of(setting, variable)
}

fn endpoint_of(
    setting: Option<&str>,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Option<String>, ConfigError> {
    const ALL: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
    const TRACES: &str = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
    let is = |name: &str, value: &str| variable(name).is_some_and(|set| set.eq_ignore_ascii_case(value));
    if is("OTEL_SDK_DISABLED", "true") || is("OTEL_TRACES_EXPORTER", "none") {
        return Ok(None);
    }
    if let Some(base) = setting {
        // The configuration has validated the URL.
        return Ok(Some(format!("{base}{PATH}")));
    }
    if let Some(whole) = variable(TRACES) {
        // Unchanged, including a trailing slash.
        return check_endpoint(TRACES, &whole).map(|_| Some(whole));
    }
    let base = variable(ALL).map(|base| check_endpoint(ALL, &base)).transpose()?;
    Ok(base.map(|base| format!("{base}{PATH}")))
}

/// Whether ids of traces are exchanged with other services: unless `OTEL_PROPAGATORS` is `none`, or names only formats
/// other than that of W3C.
pub(super) fn propagates() -> bool {
    has_tracecontext(variable("OTEL_PROPAGATORS").as_deref())
}

fn has_tracecontext(propagators: Option<&str>) -> bool {
    propagators.is_none_or(|names| names.split(',').any(|name| name.trim() == "tracecontext"))
}

/// The timeout of an export, including all its attempts.
pub(super) fn timeout() -> Duration {
    let set =
        variable("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT").or_else(|| variable("OTEL_EXPORTER_OTLP_TIMEOUT"));
    let millis = set.and_then(|millis| millis.parse::<u64>().ok()).filter(|millis| *millis > 0);
    millis.map_or(DEFAULT_TIMEOUT, Duration::from_millis)
}

/// The attributes of this process, which are sent with its spans: `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES`
/// override its own name.
pub(super) fn resource() -> Resource {
    let own = [("service.name", "trunk-server"), ("service.version", env!("CARGO_PKG_VERSION"))];
    let detectors: [Box<dyn ResourceDetector>; 2] =
        [Box::new(TelemetryResourceDetector), Box::new(EnvResourceDetector::new())];
    let resource = Resource::builder_empty()
        .with_attributes(own.map(|(name, value)| KeyValue::new(name, value)))
        .with_detectors(&detectors);
    let resource = match variable("OTEL_SERVICE_NAME") {
        Some(name) => resource.with_service_name(name),
        None => resource,
    };
    resource.build()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(setting: Option<&str>, variables: &[(&str, &str)]) -> Result<Option<String>, String> {
        let find = |name: &str| variables.iter().find(|(known, _)| *known == name);
        endpoint_of(setting, |name| find(name).map(|(_, value)| (*value).to_owned()))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn the_setting_goes_before_the_variable_of_traces_and_that_before_the_one_of_all_signals() {
        let all = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://all:4318/");
        let traces = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://traces:4318/elsewhere/");
        let is = |url: &str| Ok(Some(url.to_owned()));
        assert_eq!(chosen(None, &[]), Ok(None));
        assert_eq!(chosen(None, &[all]), is("http://all:4318/v1/traces"));
        assert_eq!(chosen(None, &[all, traces]), is("http://traces:4318/elsewhere/"));
        assert_eq!(chosen(Some("http://own"), &[all, traces]), is("http://own/v1/traces"));
    }

    #[test]
    fn ids_are_exchanged_unless_the_environment_names_other_formats() {
        let exchanged = [None, Some("tracecontext"), Some("baggage, tracecontext")];
        assert!(exchanged.into_iter().all(has_tracecontext));
        assert!([Some("none"), Some("b3,baggage")].into_iter().all(|names| !has_tracecontext(names)));
    }

    #[test]
    fn the_environment_can_disable_traces_and_its_mistakes_are_named() {
        let disabled = [("OTEL_SDK_DISABLED", "TRUE"), ("OTEL_TRACES_EXPORTER", "none")];
        for variable in disabled {
            assert_eq!(chosen(Some("http://own"), &[variable]), Ok(None));
        }
        let said = chosen(None, &[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://me:canary@all")]).unwrap_err();
        assert!(said.starts_with("OTEL_EXPORTER_OTLP_ENDPOINT is") && !said.contains("canary"), "{said}");
    }
}
