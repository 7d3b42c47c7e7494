//! The builder of a client.

use std::num::NonZeroU32;

use client_core::{Service, Settings, SpanFields};
use didww_types::{API_KEY_HEADER, ApiVersion, MEDIA_TYPE, Secret, VERSION_HEADER};
use reqwest::header::{ACCEPT, HeaderMap, HeaderName, HeaderValue, USER_AGENT};

use crate::{Client, Error, Reason, client};

/// The base URL of DIDWW's production environment.
pub const PRODUCTION: &str = "https://api.didww.com/v3";
/// The base URL of DIDWW's sandbox. API keys of one environment are not valid in the other.
pub const SANDBOX: &str = "https://sandbox-api.didww.com/v3";

const SERVICE: Service = Service {
    production: PRODUCTION,
    domain: "didww.com",
    // DIDWW counts the requests of each API key.
    rate: NonZeroU32::new(10),
    fields: SpanFields { attempts: "didww.attempts", request_id: "didww.request_id" },
};

/// The settings of a [`Client`].
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
    settings: Settings,
}

impl ClientBuilder {
    pub(crate) fn new(base_url: impl Into<String>, key: impl Into<Secret>) -> Self {
        Self {
            base_url: base_url.into(),
            key: key.into(),
            version: ApiVersion::NEWEST,
            settings: Settings::default(),
        }
    }

    client_core::builder_settings! {
        /// The default is 10 requests a second for hosts of `didww.com`, the limit that DIDWW documents for
        /// an API key, and no limit for other hosts.
    }

    /// Sets the API version that requests ask for, [`ApiVersion::NEWEST`] by default.
    ///
    /// DIDWW serves an account that is assigned a newer version with that one. Each response states its
    /// version, and is decoded accordingly.
    pub fn api_version(mut self, version: ApiVersion) -> Self {
        self.version = version;
        self
    }

    /// Builds the client without sending anything.
    ///
    /// # Errors
    /// Returns [`Error::NotSent`] for an unusable base URL or API key, for a timeout out of range, and when
    /// the HTTP client cannot be built.
    pub fn build(self) -> Result<Client, Error> {
        let base = SERVICE.base_url(&self.base_url)?;
        let headers = headers(&self.key, self.version)?;
        let channel = self.settings.open(base, headers, &SERVICE)?;
        Ok(Client::from_parts(client::Parts { channel, version: self.version }))
    }
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
    use std::time::Duration;

    use client_core::Rate;

    use super::*;
    use crate::SetupError;

    fn reason(builder: ClientBuilder) -> Reason {
        match builder.build() {
            Err(Error::NotSent(error)) => error.reason,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn settings_that_cannot_make_a_client_are_refused_with_a_reason() {
        for url in ["", "api.didww.com", "http://u:p@x/v3"] {
            let refused = reason(ClientBuilder::new(url, "key"));
            assert!(matches!(refused, Reason::Setup(SetupError::BaseUrl { .. })), "{url}");
            assert!(refused.to_string().ends_with("it looks like `https://api.didww.com/v3`"), "{refused}");
        }
        for key in ["", "line\nbreak", "\u{0}"] {
            assert!(matches!(reason(ClientBuilder::new(SANDBOX, key)), Reason::ApiKey), "{key:?}");
        }
        let timeout = |reason| matches!(reason, Reason::Setup(SetupError::Timeout));
        for time in [Duration::ZERO, Duration::MAX] {
            assert!(timeout(reason(ClientBuilder::new(SANDBOX, "key").timeout(time))));
            assert!(timeout(reason(ClientBuilder::new(SANDBOX, "key").connect_timeout(time))));
        }
    }

    #[test]
    fn the_documented_rate_applies_to_didwws_own_hosts_only() {
        let limit = |url| SERVICE.limit(Rate::Documented, &SERVICE.base_url(url).unwrap()).map(u32::from);
        assert_eq!([PRODUCTION, SANDBOX].map(limit), [Some(10); 2]);
        assert_eq!(limit("http://127.0.0.1:8080/v3"), None);
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
