//! Logging to standard error.

use std::io::{IsTerminal as _, stderr};

use tracing_subscriber::filter::{FilterExt as _, filter_fn};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _, fmt, registry};

use crate::config::log_filter::with_all_crates;
use crate::config::{Config, LogFormat};

/// The log target of the SIP library. It is never logged, because the library logs complete messages with digests.
const SILENCED: &str = "rsipstack";

/// Installs the log output to standard error, with the level and the format of the configuration. If a subscriber is
/// already installed, this has no effect.
pub fn init(config: &Config) {
    let filter = EnvFilter::try_new(with_all_crates(&config.log)).unwrap_or_else(|_| EnvFilter::new("info"));
    let filter = filter.and(filter_fn(|metadata| !metadata.target().starts_with(SILENCED)));
    let lines = fmt::layer().with_writer(stderr).with_ansi(stderr().is_terminal());
    let _already_set = match config.log_format {
        LogFormat::Json => registry().with(lines.json().with_filter(filter)).try_init(),
        LogFormat::Text => registry().with(lines.with_filter(filter)).try_init(),
    };
}
