//! The HTTP client that the channel builds when the user does not supply one.

use std::time::Duration;

use crate::SetupError;

/// Builds a client that does not follow redirects: a redirect would send the API key to another host. It does
/// TLS only if `secure` is true.
pub(crate) fn http_client(secure: bool, connect_timeout: Duration) -> Result<reqwest::Client, SetupError> {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // If two threads install it at once, the second call fails, and the provider is installed all the
        // same.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
    let builder = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        // This crate decides and counts the retries. With reqwest's own retries off, it keeps no copy of each request.
        .retry(reqwest::retry::never().max_retries_per_request(0))
        .connect_timeout(connect_timeout);
    // Plain HTTP needs no root certificates, and a minimal container has none to load.
    let builder = if secure { builder } else { builder.tls_certs_only([]) };
    builder.build().map_err(|error| SetupError::HttpClient(error.without_url()))
}
