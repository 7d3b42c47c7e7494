//! One attempt: signed, to a checked address, without redirects or proxies.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use didww_types::callback::{Payload, sign};
use didww_types::{SIGNATURE_HEADER, Secret};
use http::header::{CONTENT_TYPE, HeaderValue};
use reqwest::{Client, Response};
use url::Url;

use super::Settings;
use super::guard::{Forbidden, Guard};
use super::resolve::Checked;

/// Most bytes of an answer's body that are read; they only let the receiver finish.
const BODY: usize = 4 * 1024;
/// Longest time for a connection to one address.
const CONNECT: Duration = Duration::from_secs(10);

/// Sends callbacks.
#[derive(Debug)]
pub(super) struct Sender {
    guard: Guard,
    resolver: Checked,
    timeout: Duration,
    plain: OnceLock<Result<Client, String>>,
    secure: OnceLock<Result<Client, String>>,
}

/// What became of an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Outcome {
    /// The answer's HTTP status, if there was one.
    pub(super) status: Option<u16>,
    /// Why it did not work, if it did not. Never holds the URL, which may hold a password.
    pub(super) error: Option<String>,
}

impl Outcome {
    /// An attempt without an answer.
    pub(super) fn failed(error: impl Into<String>) -> Self {
        Self { status: None, error: Some(error.into()) }
    }
}

impl Sender {
    pub(super) fn new(settings: &Settings) -> Self {
        let guard = Guard { allow_loopback: settings.allow_loopback };
        let resolver = Checked { resolver: Arc::clone(&settings.resolver), guard };
        Self { guard, resolver, timeout: settings.timeout, plain: OnceLock::new(), secure: OnceLock::new() }
    }

    /// Posts a JSON array of events to a URL, signed with a key.
    pub(super) async fn send(&self, key: &Secret, url: &str, body: String) -> Outcome {
        let checked = match self.guard.url(url) {
            Ok(checked) => checked,
            Err(forbidden) => return Outcome::failed(forbidden.to_string()),
        };
        let client = match self.client(checked.scheme() == "https") {
            Ok(client) => client,
            Err(error) => return Outcome::failed(error),
        };
        let Ok(payload) = Payload::from_json(body.as_bytes()) else {
            return Outcome::failed("the stored event is no JSON object");
        };
        // Signed is the URL as it was configured, not as the parser writes it.
        let signature = sign(key, url, &payload);
        let request = client
            .post(checked)
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .header(SIGNATURE_HEADER, signature)
            .body(body);
        match request.send().await {
            Ok(response) => {
                let status = response.status();
                if status.is_success() {
                    finish(response).await;
                }
                let error = (!status.is_success()).then(|| format!("answered {}", status.as_u16()));
                Outcome { status: Some(status.as_u16()), error }
            }
            Err(error) => Outcome::failed(self.reason(&error.without_url())),
        }
    }

    /// Made when it is first needed: without TLS there is no use for certificates, and a bare container has none.
    fn client(&self, secure: bool) -> Result<&Client, String> {
        let cell = if secure { &self.secure } else { &self.plain };
        let client = cell.get_or_init(|| {
            if rustls::crypto::CryptoProvider::get_default().is_none() {
                // When two threads come here at once the second is refused, and the provider is there all the same.
                let _installed = rustls::crypto::ring::default_provider().install_default();
            }
            let builder = Client::builder()
                .dns_resolver(self.resolver.clone())
                .redirect(reqwest::redirect::Policy::none())
                .retry(reqwest::retry::never())
                .no_proxy()
                .referer(false)
                // A kept connection would be to an address that was checked for another attempt.
                .pool_max_idle_per_host(0)
                .http1_only()
                .user_agent(concat!("trunk-server/", env!("CARGO_PKG_VERSION")))
                .connect_timeout(self.timeout.min(CONNECT))
                .timeout(self.timeout);
            let builder = if secure { builder } else { builder.tls_certs_only([]) };
            builder.build().map_err(|error| format!("no HTTP client could be made: {error}"))
        });
        client.as_ref().map_err(Clone::clone)
    }

    fn reason(&self, error: &reqwest::Error) -> String {
        let mut deepest: &dyn std::error::Error = error;
        loop {
            if let Some(forbidden) = deepest.downcast_ref::<Forbidden>() {
                return forbidden.to_string();
            }
            match deepest.source() {
                Some(source) => deepest = source,
                None => break,
            }
        }
        if error.is_connect() {
            format!("no connection: {deepest}")
        } else if error.is_timeout() {
            format!("no answer within {} ms", self.timeout.as_millis())
        } else {
            format!("no answer: {deepest}")
        }
    }
}

/// Lets the receiver finish its answer, up to a limit. The status has decided already.
async fn finish(mut response: Response) {
    let mut read = 0;
    while let Ok(Some(chunk)) = response.chunk().await {
        read += chunk.len();
        if read >= BODY {
            break;
        }
    }
}

/// A URL without its user and password, for a log or a record.
pub(super) fn without_userinfo(text: &str) -> String {
    let Ok(mut url) = Url::parse(text) else { return "(unreadable)".to_owned() };
    if url.username().is_empty() && url.password().is_none() {
        return text.to_owned();
    }
    // Both can be taken away from every URL that has a host, and others are refused before.
    if url.set_username("").is_err() || url.set_password(None).is_err() {
        return "(unreadable)".to_owned();
    }
    url.into()
}

#[cfg(test)]
mod tests;
