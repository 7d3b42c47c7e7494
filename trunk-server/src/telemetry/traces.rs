//! Exports spans to a collector of OpenTelemetry, as protobuf over HTTP.
//!
//! Ended spans wait in a queue of at most 2,048 (`OTEL_BSP_MAX_QUEUE_SIZE`), which a thread of the library empties
//! every five seconds. While it is full, further spans are dropped: no operation of the server waits for the collector.
//! Only spans with the target [`trace::TARGET`] are exported, and no line of the log.

mod collector;
mod environment;
mod propagation;
mod sampling;

use std::time::Duration;

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::trace::SdkTracerProvider;
use service_base::trace;
use tokio::runtime::Handle;
use tracing::Subscriber;
use tracing_opentelemetry::OpenTelemetryLayer;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;
use url::Url;

use super::error::TracesError;
use crate::config::Config;
use collector::Collector;
use sampling::BoundedSampler;

/// The exporter of traces of this process.
#[derive(Debug)]
pub struct Traces {
    provider: SdkTracerProvider,
    endpoint: String,
}

impl Traces {
    /// Prepares the export to the collector of the configuration or of the environment. `None` if neither names one.
    pub(super) fn start(config: &Config, runtime: &Handle) -> Result<Option<Self>, TracesError> {
        let Some(endpoint) = environment::endpoint(config.otlp_endpoint.as_deref())? else { return Ok(None) };
        let timeout = environment::timeout();
        let failed = |error: &dyn std::error::Error| TracesError::Exporter(error.to_string());
        let is_https = endpoint.get(..6).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https:"));
        let collector = Collector::new(runtime.clone(), is_https, timeout);
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(collector.map_err(|error| failed(&error))?)
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(endpoint.as_str())
            .with_timeout(timeout)
            .build()
            .map_err(|error| failed(&error))?;
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_sampler(BoundedSampler::from_environment())
            .with_resource(environment::resource())
            .build();
        Ok(Some(Self { provider, endpoint }))
    }

    /// The layer that hands the server's spans, and nothing else, to the exporter.
    fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        OpenTelemetryLayer::new(self.provider.tracer("trunk-server"))
            // The source location and the thread of a span are of no use to an operator.
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_tracked_inactivity(false)
            // Each span names its parent through `tracing`.
            .with_context_activation(false)
            .with_filter(filter_fn(|metadata| metadata.is_span() && metadata.target() == trace::TARGET))
    }

    /// Exports the remaining spans, for at most this time. Spans that end later are dropped. It blocks the thread,
    /// while the runtime that the export began with must still run.
    pub fn stop(self, patience: Duration) {
        if self.provider.shutdown_with_timeout(patience).is_err() {
            tracing::warn!("the last spans were not exported");
        }
    }
}

/// Scheme, host and port of a URL. The path and the query may contain a key of the collector, which must not be logged.
fn origin(endpoint: &str) -> String {
    Url::parse(endpoint).map(|url| url.origin().ascii_serialization()).unwrap_or_default()
}

/// Installs a subscriber with the exporter for the process, unless it has one.
pub(super) fn install<S>(subscriber: S, traces: Option<&Traces>)
where
    S: Subscriber + for<'span> LookupSpan<'span> + Send + Sync,
{
    let Some(traces) = traces else {
        let _already_set = subscriber.try_init();
        return;
    };
    if subscriber.with(traces.layer::<S>()).try_init().is_ok() {
        trace::install(if environment::propagates() { propagation::W3C } else { propagation::NONE });
        tracing::info!(collector = origin(&traces.endpoint), "traces are exported");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_has_of_a_collector_where_it_is_and_not_its_path() {
        assert_eq!(origin("https://otel.example:4318/canary/v1/traces"), "https://otel.example:4318");
        assert_eq!(origin("HTTP://127.0.0.1/v1/traces"), "http://127.0.0.1");
    }
}
