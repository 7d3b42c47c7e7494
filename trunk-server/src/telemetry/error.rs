//! The errors of starting the export of traces.

use crate::config::ConfigError;

/// The error of starting the export of traces.
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
