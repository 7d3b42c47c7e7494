//! Logs on standard error.

use std::io::{IsTerminal as _, stderr};

use tracing_subscriber::filter::{FilterExt as _, filter_fn};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _, fmt, registry};

use crate::config::{Config, LogFormat};

/// The SIP library logs whole messages, digests and all, so no filter may turn it on.
const SILENCED: &str = "rsipstack";

/// Sends log lines to standard error. A second call changes nothing.
pub fn init(config: &Config) {
    let filter = EnvFilter::try_new(&config.log).unwrap_or_else(|_| EnvFilter::new("info"));
    let filter = filter.and(filter_fn(|of| !of.target().starts_with(SILENCED)));
    let lines = fmt::layer().with_writer(stderr).with_ansi(stderr().is_terminal());
    let _already_set = match config.log_format {
        LogFormat::Json => registry().with(lines.json().with_filter(filter)).try_init(),
        LogFormat::Text => registry().with(lines.with_filter(filter)).try_init(),
    };
}
