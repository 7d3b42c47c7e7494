//! Logging to standard error.

mod fields;

use std::io::{IsTerminal as _, stderr};

use tracing_subscriber::filter::{FilterExt as _, LevelFilter, Targets, filter_fn};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, Registry, fmt, registry, reload};

use crate::config::log_filter::with_all_crates;
use crate::config::{Config, LogFormat};
use fields::EscapedFields;

/// The log target of the SIP library. It is never logged, because the library logs complete messages with digests.
const SILENCED: &str = "rsipstack";

/// What is logged, which can change while the program runs.
#[derive(Debug, Clone)]
pub struct LogLevel(reload::Handle<Targets, Registry>);

impl LogLevel {
    /// Logs from now on what this configuration says. Its format cannot change.
    pub fn set(&self, config: &Config) {
        // It only fails after the subscriber is gone, which then logs nothing.
        let _gone = self.0.reload(targets(config));
    }
}

/// Installs the log output to standard error, with the level and the format of the configuration. If a subscriber is
/// already installed, this has no effect.
pub fn init(config: &Config) -> LogLevel {
    let (filter, level) = reload::Layer::new(targets(config));
    let filter = filter.and(filter_fn(|metadata| !metadata.target().starts_with(SILENCED)));
    let lines = fmt::layer().with_writer(stderr).with_ansi(stderr().is_terminal());
    let _already_set = match config.log_format {
        LogFormat::Json => registry().with(lines.json().with_filter(filter)).try_init(),
        LogFormat::Text => registry().with(lines.fmt_fields(EscapedFields).with_filter(filter)).try_init(),
    };
    LogLevel(level)
}

fn targets(config: &Config) -> Targets {
    // The configuration has refused a filter that cannot be parsed.
    with_all_crates(&config.log).parse().unwrap_or_else(|_| Targets::new().with_default(LevelFilter::INFO))
}
