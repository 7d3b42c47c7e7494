//! The replacement of the HTTP client's constructor in a build without TLS.

use std::time::Duration;

use crate::SetupError;

/// Without the feature `rustls` there is no client to build: one without TLS would fail on its first request
/// to the service.
pub(crate) fn http_client(_secure: bool, _connect_timeout: Duration) -> Result<reqwest::Client, SetupError> {
    Err(SetupError::NoHttpClient)
}
