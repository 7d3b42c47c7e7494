//! The HTTP client that is made when the user brings none.

use std::time::Duration;

use crate::SetupError;

/// A client without redirects, for a key must not follow one to another host.
#[cfg(feature = "rustls")]
pub(crate) fn http_client(secure: bool, connect_timeout: Duration) -> Result<reqwest::Client, SetupError> {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // When two threads come here at once the second is refused, and the provider is there all the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
    let builder = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        // Repetitions are decided and counted here; without its own, reqwest keeps no copy of each request.
        .retry(reqwest::retry::never().max_retries_per_request(0))
        .connect_timeout(connect_timeout);
    // Without TLS there is no use for certificates, and a bare container has none to load.
    let builder = if secure { builder } else { builder.tls_certs_only([]) };
    builder.build().map_err(|error| SetupError::HttpClient(error.without_url()))
}

/// Without TLS of its own this crate makes no client: it would fail on the first request to the service.
#[cfg(not(feature = "rustls"))]
pub(crate) fn http_client(_secure: bool, _connect_timeout: Duration) -> Result<reqwest::Client, SetupError> {
    Err(SetupError::NoHttpClient)
}
