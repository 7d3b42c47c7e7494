//! Settles everything about a client before it is made.

use std::num::NonZeroU32;
use std::time::Duration;

use client_core::{Settings, SpanFields, base_url};
use didww_types::{API_KEY_HEADER, ApiVersion, MEDIA_TYPE, Secret, VERSION_HEADER};
use reqwest::Url;
use reqwest::header::{ACCEPT, HeaderMap, HeaderName, HeaderValue, USER_AGENT};

use crate::{Client, Error, Reason, RetryPolicy, client};

/// DIDWW's production environment.
pub const PRODUCTION: &str = "https://api.didww.com/v3";
/// DIDWW's sandbox. Keys of one environment do not work in the other.
pub const SANDBOX: &str = "https://sandbox-api.didww.com/v3";

/// Requests a second and key that DIDWW documents.
const DOCUMENTED_RATE: NonZeroU32 = NonZeroU32::new(10).unwrap();

/// Settings of a [`Client`].
///
/// ```
/// use std::time::Duration;
/// use didww_client::{ApiVersion, Client, PRODUCTION, RetryPolicy};
///
/// # #[cfg(feature = "rustls")]
/// let client = Client::builder(PRODUCTION, "your key")
///     .timeout(Duration::from_secs(10))
///     .api_version(ApiVersion::V2022_05_10)
///     .retry(RetryPolicy::default().max_attempts(2))
///     .build()?;
/// # Ok::<(), didww_client::Error>(())
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct ClientBuilder {
    base_url: String,
    key: Secret,
    version: ApiVersion,
    rate: Rate,
    settings: Settings,
}

#[derive(Debug, Clone, Copy)]
enum Rate {
    /// What DIDWW documents, for DIDWW's own hosts.
    Documented,
    PerSecond(NonZeroU32),
    Unlimited,
}

impl ClientBuilder {
    pub(crate) fn new(base_url: impl Into<String>, key: impl Into<Secret>) -> Self {
        Self {
            base_url: base_url.into(),
            key: key.into(),
            version: ApiVersion::NEWEST,
            rate: Rate::Documented,
            settings: Settings::default(),
        }
    }

    /// Sends through this HTTP client, with its proxies, certificates and connections.
    ///
    /// Switch its redirects off (`redirect(Policy::none())`): it would take the key along to wherever it is
    /// sent. Its connect timeout is its own; [`timeout`](Self::timeout) holds in any case.
    pub fn http_client(mut self, client: reqwest::Client) -> Self {
        self.settings.http = Some(client);
        self
    }

    /// The longest time to connect, 10 s unless set; more than zero, at most an hour.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.settings.connect_timeout = timeout;
        self
    }

    /// The longest time of one attempt up to the answer's last byte, 30 s unless set; more than zero, at most an
    /// hour. Waits between attempts come on top: see [`RetryPolicy`].
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.settings.timeout = timeout;
        self
    }

    /// The API version to ask for, the newest unless set.
    ///
    /// An account that has a newer one is served by its own: then answers say so, and are read accordingly.
    pub fn api_version(mut self, version: ApiVersion) -> Self {
        self.version = version;
        self
    }

    /// How requests are repeated.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.settings.retry = policy;
        self
    }

    /// Sends at most so many requests in any second, the clones of the client together.
    ///
    /// Unless set it is 10 for DIDWW's own hosts, which is what DIDWW allows a key, and unlimited for others.
    pub fn rate_limit(mut self, per_second: NonZeroU32) -> Self {
        self.rate = Rate::PerSecond(per_second);
        self
    }

    /// Sends as fast as it is asked to.
    pub fn no_rate_limit(mut self) -> Self {
        self.rate = Rate::Unlimited;
        self
    }

    /// The most bytes of an answer that are read, 64 MiB unless set.
    pub fn max_answer_bytes(mut self, bytes: usize) -> Self {
        self.settings.max_answer = bytes;
        self
    }

    /// Makes the client. Nothing is sent.
    pub fn build(self) -> Result<Client, Error> {
        let base = base_url(&self.base_url).map_err(Reason::from)?;
        let headers = headers(&self.key, self.version)?;
        let rate = match self.rate {
            Rate::Documented => is_didww(&base).then_some(DOCUMENTED_RATE),
            Rate::PerSecond(rate) => Some(rate),
            Rate::Unlimited => None,
        };
        let settings = Settings { rate, ..self.settings };
        let fields = SpanFields { attempts: "didww.attempts", request_id: "didww.request_id" };
        let channel = settings.open(base, headers, None, fields).map_err(Reason::from)?;
        Ok(Client::from_parts(client::Parts { channel, version: self.version }))
    }
}

fn is_didww(base: &Url) -> bool {
    base.host_str().is_some_and(|host| host == "didww.com" || host.ends_with(".didww.com"))
}

fn headers(key: &Secret, version: ApiVersion) -> Result<HeaderMap, Reason> {
    if key.expose().is_empty() {
        return Err(Reason::ApiKey);
    }
    let mut key = HeaderValue::from_str(key.expose()).map_err(|_| Reason::ApiKey)?;
    key.set_sensitive(true);
    Ok(HeaderMap::from_iter([
        (HeaderName::from_static(API_KEY_HEADER), key),
        (HeaderName::from_static(VERSION_HEADER), HeaderValue::from_static(version.as_str())),
        (ACCEPT, HeaderValue::from_static(MEDIA_TYPE)),
        (USER_AGENT, HeaderValue::from_static(concat!("didww-rust/", env!("CARGO_PKG_VERSION")))),
    ]))
}

#[cfg(all(test, feature = "rustls"))]
mod tests {
    use super::*;

    fn reason(builder: ClientBuilder) -> Reason {
        match builder.build() {
            Err(Error::NotSent(error)) => error.reason,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_cannot_be_a_client_is_refused_with_a_reason() {
        for url in
            ["", "api.didww.com", "ftp://x/v3", "http://u:p@x/v3", "http://x/v3?a", "http://x/v3#a", "data:x"]
        {
            assert!(matches!(reason(ClientBuilder::new(url, "key")), Reason::BaseUrl(_)), "{url}");
        }
        for key in ["", "line\nbreak", "\u{0}"] {
            assert!(matches!(reason(ClientBuilder::new(SANDBOX, key)), Reason::ApiKey), "{key:?}");
        }
        for timeout in [Duration::ZERO, Duration::MAX] {
            assert!(matches!(reason(ClientBuilder::new(SANDBOX, "key").timeout(timeout)), Reason::Timeout));
            let builder = ClientBuilder::new(SANDBOX, "key").connect_timeout(timeout);
            assert!(matches!(reason(builder), Reason::Timeout));
        }
    }

    #[test]
    fn the_documented_rate_is_that_of_didwws_own_hosts() {
        let is_didww = |url: &str| is_didww(&base_url(url).unwrap());
        assert!(is_didww(PRODUCTION) && is_didww(SANDBOX));
        assert!(!is_didww("http://127.0.0.1:8080/v3") && !is_didww("https://notdidww.com/v3"));
    }

    #[test]
    fn the_key_is_marked_as_sensitive_and_the_media_type_has_no_parameters() {
        let headers = headers(&Secret::new("k-1"), ApiVersion::V2022_05_10).unwrap();
        assert!(headers[API_KEY_HEADER].is_sensitive());
        assert_eq!(headers[ACCEPT], "application/vnd.api+json");
        assert_eq!(headers[VERSION_HEADER], "2022-05-10");
        assert!(headers[USER_AGENT].to_str().unwrap().starts_with("didww-rust/"));
    }
}
