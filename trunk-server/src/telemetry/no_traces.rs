//! The replacement of the exporter of traces in builds without the feature `opentelemetry`.

use std::time::Duration;

use tokio::runtime::Handle;
use tracing::Subscriber;
use tracing_subscriber::util::SubscriberInitExt as _;

use super::error::TracesError;
use crate::config::{Config, ConfigError};

/// An exporter of traces, which this build does not have.
#[derive(Debug)]
pub enum Traces {}

impl Traces {
    /// Refuses a configuration that names a collector. The variables of OpenTelemetry have no effect.
    pub(super) fn start(config: &Config, _runtime: &Handle) -> Result<Option<Self>, TracesError> {
        match &config.otlp_endpoint {
            None => Ok(None),
            Some(endpoint) => {
                let expected = "leave it out, or build trunk-server with its feature `opentelemetry`";
                let given = endpoint.clone();
                Err(ConfigError::Value { name: "otlp-endpoint", given, expected }.into())
            }
        }
    }

    /// Exports the remaining spans, for at most this time.
    pub fn stop(self, _patience: Duration) {
        match self {}
    }
}

/// Installs a subscriber for the process, unless it has one.
pub(super) fn install<S: Subscriber + Send + Sync>(subscriber: S, _no_traces: Option<&Traces>) {
    let _already_set = subscriber.try_init();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_build_without_traces_refuses_a_collector() {
        let start = |endpoint: Option<&str>| {
            let config = Config { otlp_endpoint: endpoint.map(str::to_owned), ..Config::default() };
            Traces::start(&config, &Handle::current()).map(|traces| traces.is_some())
        };
        assert!(matches!(start(None), Ok(false)));
        let said = start(Some("http://127.0.0.1:4318")).unwrap_err().to_string();
        assert!(said.contains("otlp-endpoint is `http://127.0.0.1:4318`; leave it out, or build"), "{said}");
    }
}
