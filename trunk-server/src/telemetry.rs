//! Logs on standard error.

use tracing_subscriber::EnvFilter;

use crate::config::{Config, LogFormat};

const SILENCED: [&str; 1] = ["rsipstack=off"];

/// Sends log lines to standard error. A second call changes nothing.
pub fn init(config: &Config) {
    let filter = EnvFilter::try_new(&config.log).unwrap_or_else(|_| EnvFilter::new("info"));
    // The SIP library logs whole messages, digests and all, so no filter may turn it on.
    let filter =
        SILENCED.iter().filter_map(|target| target.parse().ok()).fold(filter, EnvFilter::add_directive);
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let _already_set = match config.log_format {
        LogFormat::Json => lines.json().try_init(),
        LogFormat::Text => lines.try_init(),
    };
}
