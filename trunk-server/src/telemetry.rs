//! Logging to standard error, and in builds with the feature `opentelemetry` the export of traces.

mod error;
mod fields;
mod lines;
// Tests of every build need it.
#[cfg(any(test, not(feature = "opentelemetry")))]
#[cfg_attr(
    feature = "opentelemetry",
    expect(dead_code, unreachable_pub, reason = "only its refusal is tested")
)]
mod no_traces;
#[cfg(feature = "opentelemetry")]
mod traces;

use std::io::{IsTerminal as _, Write as _, stderr};
use std::time::Duration;

use service_base::trace;
use tokio::runtime::Handle;
use tracing_subscriber::filter::{FilterExt as _, LevelFilter, Targets, filter_fn};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::{Layer as _, Registry, fmt, registry, reload};

use crate::config::log_filter::with_all_crates;
use crate::config::{Config, LogFormat};
use fields::EscapedFields;
use lines::Lines;
#[cfg(not(feature = "opentelemetry"))]
use no_traces::install;
#[cfg(feature = "opentelemetry")]
use traces::install;

pub use error::TracesError;
#[cfg(not(feature = "opentelemetry"))]
pub use no_traces::Traces;
#[cfg(feature = "opentelemetry")]
pub use traces::Traces;

/// The log target of the SIP library. It is never logged, because the library logs complete messages with digests.
const SILENCED: &str = "rsipstack";

/// The log, and its level, which can change while the program runs.
#[derive(Debug, Clone)]
pub struct LogLevel {
    level: reload::Handle<Targets, Registry>,
    lines: Lines,
}

impl LogLevel {
    /// Applies the log level of this configuration. The log format cannot change.
    pub fn set(&self, config: &Config) {
        // It only fails after the subscriber was dropped, when nothing is logged.
        let _gone = self.level.reload(targets(config));
    }

    /// Writes a line that is no part of the log to the same place, behind the log.
    pub fn say(&self, line: &str) {
        let _lost = self.lines.clone().write_all(format!("{line}\n").as_bytes());
    }

    /// Waits until everything is written, but no longer than this: nothing may be reading it.
    pub fn finish(&self, within: Duration) {
        self.lines.finish(within);
    }
}

/// Installs the log output to standard error, with the level and the format of the configuration. If a subscriber is
/// already installed, this has no effect.
pub fn init(config: &Config) -> LogLevel {
    init_with(config, None)
}

/// As [`init`], and begins to export traces if the configuration, or else the environment, names a collector.
/// Requests to it are made by tasks of this runtime.
///
/// # Errors
/// If the address of the collector or another variable of OpenTelemetry is not valid, or if the configuration names a
/// collector and this is a build without the feature `opentelemetry`. Nothing is installed then.
pub fn init_with_traces(
    config: &Config,
    runtime: &Handle,
) -> Result<(LogLevel, Option<Traces>), TracesError> {
    let traces = Traces::start(config, runtime)?;
    Ok((init_with(config, traces.as_ref()), traces))
}

fn init_with(config: &Config, traces: Option<&Traces>) -> LogLevel {
    let (filter, level) = reload::Layer::new(targets(config));
    // Spans for an exporter are not part of the log.
    let is_logged = |target: &str| !target.starts_with(SILENCED) && target != trace::TARGET;
    let filter = filter.and(filter_fn(move |metadata| is_logged(metadata.target())));
    let out = Lines::to(stderr());
    let written = out.clone();
    let lines = fmt::layer().with_writer(move || written.clone()).with_ansi(stderr().is_terminal());
    match config.log_format {
        LogFormat::Json => install(registry().with(lines.json().with_filter(filter)), traces),
        LogFormat::Text => {
            install(registry().with(lines.fmt_fields(EscapedFields).with_filter(filter)), traces);
        }
    }
    LogLevel { level, lines: out }
}

fn targets(config: &Config) -> Targets {
    // The configuration has refused a filter that cannot be parsed.
    with_all_crates(&config.log).parse().unwrap_or_else(|_| Targets::new().with_default(LevelFilter::INFO))
}
