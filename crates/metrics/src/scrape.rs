//! The values of one scrape, and their text.

use std::collections::HashMap;
use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::exemplar::Exemplar;
use prometheus_client::registry::Registry;

use crate::catalogue::{CATALOGUE, Kind, Metric};

/// The values of one scrape.
#[derive(Debug, Default)]
pub(crate) struct Scrape {
    samples: HashMap<&'static str, Vec<Sample>>,
    errors: u32,
}

#[derive(Debug)]
struct Sample {
    labels: Vec<(&'static str, String)>,
    value: Value,
}

#[derive(Debug)]
enum Value {
    Number(f64),
    /// The upper bounds in seconds with the number of durations within each and above the one before, and the sum.
    Durations(Vec<(f64, u64)>, f64),
}

impl Scrape {
    /// Adds the value of a metric without labels.
    pub(crate) fn set(&mut self, metric: &Metric, value: f64) {
        self.add(metric, &[], value);
    }

    /// Adds a value with those of the labels, in the order of their declaration.
    pub(crate) fn add(&mut self, metric: &Metric, labels: &[&str], value: f64) {
        self.push(metric, labels, Value::Number(value));
    }

    /// Adds the durations of a histogram: the upper bounds in seconds with the number of durations within each and
    /// above the one before, and the sum of all durations in seconds.
    pub(crate) fn add_durations(
        &mut self,
        metric: &Metric,
        labels: &[&str],
        bounds: Vec<(f64, u64)>,
        sum: f64,
    ) {
        self.push(metric, labels, Value::Durations(bounds, sum));
    }

    /// Counts a value that could not be read.
    pub(crate) fn miss(&mut self) {
        self.errors += 1;
    }

    fn push(&mut self, metric: &Metric, labels: &[&str], value: Value) {
        let labels = metric.labels.iter().zip(labels).map(|(name, value)| (*name, (*value).to_owned()));
        self.samples.entry(metric.name).or_default().push(Sample { labels: labels.collect(), value });
    }

    /// Writes the values in the order of the declarations.
    pub(crate) fn into_text(mut self) -> String {
        let errors = f64::from(self.errors);
        self.set(&crate::catalogue::ERRORS, errors);
        let mut registry = Registry::default();
        registry.register_collector(Box::new(self));
        let mut text = String::new();
        if encode(&mut text, &registry).is_err() {
            // Writing to a `String` does not fail.
            tracing::error!("the metrics could not be written");
        }
        text
    }
}

impl Collector for Scrape {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        for metric in CATALOGUE {
            let Some(samples) = self.samples.get(metric.name) else { continue };
            let (kind, suffix) = match metric.kind {
                Kind::Counter => (MetricType::Counter, "_total"),
                Kind::Gauge => (MetricType::Gauge, ""),
                Kind::Histogram => (MetricType::Histogram, ""),
                Kind::Info => (MetricType::Info, "_info"),
            };
            let name = metric.name.strip_suffix(suffix).unwrap_or(metric.name);
            let mut of_metric = encoder.encode_descriptor(name, metric.help, None, kind)?;
            for sample in samples {
                write(&mut of_metric, metric.kind, sample)?;
            }
        }
        Ok(())
    }
}

fn write(encoder: &mut MetricEncoder<'_>, kind: Kind, Sample { labels, value }: &Sample) -> fmt::Result {
    if kind == Kind::Info {
        return encoder.encode_info(labels);
    }
    let mut encoder = encoder.encode_family(labels)?;
    match value {
        Value::Number(value) if kind == Kind::Counter => {
            encoder.encode_counter(value, None::<&Exemplar<NoLabelSet, f64>>)
        }
        Value::Number(value) => encoder.encode_gauge(value),
        Value::Durations(bounds, sum) => {
            let all = bounds.iter().map(|(_, count)| count).sum();
            encoder.encode_histogram::<NoLabelSet>(*sum, all, bounds, None)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::{BUILD, DELIVERIES, REQUEST_DURATION, UPTIME};

    #[test]
    fn values_are_written_as_openmetrics_text_with_their_labels_escaped() {
        let mut scrape = Scrape::default();
        scrape.add(&DELIVERIES, &["a\"b\\c\nd", "done"], 3.0);
        scrape.set(&UPTIME, 1.5);
        scrape.add(&BUILD, &["1"], 1.0);
        scrape.add_durations(&REQUEST_DURATION, &["api", "/x"], vec![(0.5, 2), (f64::INFINITY, 1)], 2.25);
        scrape.miss();
        let text = scrape.into_text();
        for line in [
            "# TYPE trunk_server_deliveries counter",
            "trunk_server_deliveries_total{kind=\"a\\\"b\\\\c\\nd\",outcome=\"done\"} 3.0",
            "trunk_server_uptime_seconds 1.5",
            "trunk_server_build_info{version=\"1\"} 1",
            "trunk_server_http_request_duration_seconds_bucket{le=\"0.5\",listener=\"api\",route=\"/x\"} 2",
            "trunk_server_http_request_duration_seconds_bucket{le=\"+Inf\",listener=\"api\",route=\"/x\"} 3",
            "trunk_server_http_request_duration_seconds_count{listener=\"api\",route=\"/x\"} 3",
            "trunk_server_scrape_errors 1.0",
            "# EOF",
        ] {
            assert!(text.lines().any(|written| written == line), "no `{line}` in:\n{text}");
        }
    }
}
