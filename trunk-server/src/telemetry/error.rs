//! Why the program does not begin to export traces.

use crate::config::ConfigError;

/// Why traces cannot be exported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TracesError {
    /// The setting or a variable is not valid, or the build cannot export traces.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The exporter cannot be made of the variables of OpenTelemetry. The text names no secret.
    #[error("the exporter of traces: {0}")]
    Exporter(String),
}
