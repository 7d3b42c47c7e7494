//! The builder of a client.

use std::num::NonZeroU32;

use client_core::{Service, Settings, SpanFields};
use didww_types::{API_KEY_HEADER, ApiVersion, MEDIA_TYPE, Secret, VERSION_HEADER};
use reqwest::Url;
use reqwest::header::{ACCEPT, HOST, HeaderMap, HeaderName, HeaderValue, USER_AGENT};

use crate::credentials::{AUDIENCE, Credentials, Tokens};
use crate::{Client, Error, Reason, client, price_services};

/// The base URL of DIDWW's production environment.
pub const PRODUCTION: &str = "https://api.didww.com/v3";
/// The address of the service that mints access tokens for the production environment.
pub const PRODUCTION_TOKENS: &str = "https://auth.didww.com/token";
/// The address of the service that mints access tokens for the sandbox.
pub const SANDBOX_TOKENS: &str = "https://auth-sandbox.didww.com/token";
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
    read_only: bool,
    token_url: Option<String>,
    host: Option<String>,
    settings: Settings,
}

impl ClientBuilder {
    pub(crate) fn new(base_url: impl Into<String>, key: impl Into<Secret>) -> Self {
        Self {
            base_url: base_url.into(),
            key: key.into(),
            version: ApiVersion::NEWEST,
            read_only: false,
            token_url: None,
            host: None,
            settings: Settings::default(),
        }
    }

    client_core::builder_settings! {
        /// The default is 10 requests a second for hosts of `didww.com`, the limit that DIDWW documents for
        /// an API key, and no limit for other hosts.
    }

    /// Sets the API version that requests ask for, 2026-11-19 by default. From it on requests have access tokens; up to
    /// 2026-04-16 they have the API key.
    ///
    /// DIDWW serves an account that is assigned a newer version with that one. Each response states its
    /// version, and is decoded accordingly.
    pub fn api_version(mut self, version: ApiVersion) -> Self {
        self.version = version;
        self
    }

    /// Makes the client read-only: it refuses requests that would change something before they are sent, with
    /// [`Reason::ReadOnlyClient`], and its access tokens have the scope `read`.
    pub fn read_only(mut self) -> Self {
        self.read_only = true;
        self
    }

    /// Sets the URL of the service that mints access tokens, such as [`PRODUCTION_TOKENS`].
    ///
    /// By default it is the one of the environment that the base URL names, and for hosts other than DIDWW's the path
    /// `/token` beside the base URL's `/v3`, where `trunk-server` serves it. Versions before 2026-11-19 need no tokens.
    pub fn token_url(mut self, url: impl Into<String>) -> Self {
        self.token_url = Some(url.into());
        self
    }

    /// Sets the host that requests name, in place of that of the base URL. Requests for access tokens name that of the
    /// token URL.
    ///
    /// `trunk-server` has the price services at the address of its API, for requests that name `api-vin.didww.com`,
    /// `api-vout.didww.com` or `api-sms.didww.com`. An HTTP client of your own must speak HTTP/1.1 to the service:
    /// HTTP/2 has the host of the URL.
    pub fn host(mut self, host: impl Into<String>) -> Self {
        self.host = Some(host.into());
        self
    }

    /// Builds the client without sending anything.
    ///
    /// # Errors
    /// Returns [`Error::NotSent`] for an unusable base URL, token URL, host or API key, for a timeout out of range, and
    /// when the HTTP client cannot be built.
    pub fn build(self) -> Result<Client, Error> {
        self.build_with(AUDIENCE)
    }

    /// Builds the client of a price service, whose requests read and have tokens for its audience.
    pub(crate) fn build_for(mut self, audience: &str) -> Result<Client, Error> {
        if !self.version.uses_tokens() {
            self.version = ApiVersion::NEWEST;
        }
        self.read_only().build_with(audience)
    }

    fn build_with(self, audience: &str) -> Result<Client, Error> {
        let base = SERVICE.base_url(&self.base_url)?;
        let key = key(&self.key)?;
        let host = self.host.as_deref().map(host_header).transpose()?;
        let (version, read_only) = (self.version, self.read_only);
        let parts = if version.uses_tokens() {
            let token_url = SERVICE.base_url(&self.token_url.unwrap_or_else(|| default_token_url(&base)))?;
            // Both channels share connections. If one of the URLs is an https one, the HTTP client must know TLS.
            let secure = if base.scheme() == "https" { &base } else { &token_url };
            let settings = self.settings.with_http(secure)?;
            let minting = settings.clone().open(token_url, headers([key], "application/json"), &SERVICE)?;
            let credentials =
                Credentials::Tokens(Box::new(Tokens::new(minting, audience, version, read_only)));
            let channel = settings.open(base, naming(host, headers([], MEDIA_TYPE)), &SERVICE)?;
            client::Parts { channel, version, read_only, credentials }
        } else {
            let of_version = HeaderValue::from_static(version.as_str());
            let of_version = (HeaderName::from_static(VERSION_HEADER), of_version);
            let headers = naming(host, headers([key, of_version], MEDIA_TYPE));
            let channel = self.settings.open(base, headers, &SERVICE)?;
            client::Parts { channel, version, read_only, credentials: Credentials::Key }
        };
        Ok(Client::from_parts(parts))
    }
}

/// The header with the API key.
fn key(key: &Secret) -> Result<(HeaderName, HeaderValue), Reason> {
    if key.expose().is_empty() {
        return Err(Reason::ApiKey);
    }
    let mut key = HeaderValue::from_str(key.expose()).map_err(|_| Reason::ApiKey)?;
    key.set_sensitive(true);
    Ok((HeaderName::from_static(API_KEY_HEADER), key))
}

/// The header with the host that requests name.
fn host_header(host: &str) -> Result<HeaderValue, Reason> {
    let invalid = || Reason::Header(HOST.as_str().to_owned());
    if host.is_empty() || !host.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(invalid());
    }
    HeaderValue::from_str(host).map_err(|_| invalid())
}

/// Adds the host that requests name, if it is not that of their URL.
fn naming(host: Option<HeaderValue>, mut headers: HeaderMap) -> HeaderMap {
    headers.extend(host.map(|host| (HOST, host)));
    headers
}

/// The headers of every request of a channel.
fn headers<const N: usize>(own: [(HeaderName, HeaderValue); N], accept: &'static str) -> HeaderMap {
    let common = [
        (ACCEPT, HeaderValue::from_static(accept)),
        (USER_AGENT, HeaderValue::from_static(concat!("didww-rust/", env!("CARGO_PKG_VERSION")))),
    ];
    own.into_iter().chain(common).collect()
}

/// The token service that belongs to a base URL. A host of DIDWW's has that of its environment, also if the path of the
/// URL is wrong: the answer to a request then says so, and not one to a mint.
fn default_token_url(base: &Url) -> String {
    let is_host_of = |known: &&str| Url::parse(known).is_ok_and(|known| known.host_str() == base.host_str());
    if [PRODUCTION].iter().chain(&price_services::PRODUCTIONS).any(is_host_of) {
        PRODUCTION_TOKENS.to_owned()
    } else if [SANDBOX].iter().chain(&price_services::SANDBOXES).any(is_host_of) {
        SANDBOX_TOKENS.to_owned()
    } else {
        let base = base.as_str();
        format!("{}/token", base.strip_suffix("/v3").unwrap_or(base).trim_end_matches('/'))
    }
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
    fn a_host_that_no_header_can_have_is_refused() {
        for host in ["", "api vout", "line\nbreak"] {
            let refused = reason(ClientBuilder::new(SANDBOX, "key").host(host));
            assert!(matches!(&refused, Reason::Header(name) if name == "host"), "{host:?}: {refused}");
        }
        assert!(ClientBuilder::new(SANDBOX, "key").host("api-vout.didww.com:8080").build().is_ok());
    }

    #[test]
    fn the_documented_rate_applies_to_didwws_own_hosts_only() {
        let limit = |url| SERVICE.limit(Rate::Documented, &SERVICE.base_url(url).unwrap()).map(u32::from);
        assert_eq!([PRODUCTION, SANDBOX].map(limit), [Some(10); 2]);
        assert_eq!(limit("http://127.0.0.1:8080/v3"), None);
    }

    #[test]
    fn the_token_service_is_that_of_the_environment_or_beside_the_api() {
        for (base, tokens) in [
            (PRODUCTION, PRODUCTION_TOKENS),
            (SANDBOX, SANDBOX_TOKENS),
            ("https://api.didww.com/v3/", PRODUCTION_TOKENS),
            ("https://api-vout.didww.com/v3", PRODUCTION_TOKENS),
            ("https://api-sms-sandbox.didww.com/v3", SANDBOX_TOKENS),
            ("https://api.didww.com", PRODUCTION_TOKENS),
            ("https://sandbox-api.didww.com/", SANDBOX_TOKENS),
            ("https://api-vin.didww.com", PRODUCTION_TOKENS),
            ("https://api.didww.com.example.com/v3", "https://api.didww.com.example.com/token"),
            ("http://127.0.0.1:8080/v3", "http://127.0.0.1:8080/token"),
            ("https://trunks.example.com/didww/v3", "https://trunks.example.com/didww/token"),
            ("https://trunks.example.com", "https://trunks.example.com/token"),
        ] {
            assert_eq!(default_token_url(&SERVICE.base_url(base).unwrap()), tokens, "{base}");
        }
    }

    #[test]
    fn the_key_is_marked_as_sensitive_and_the_media_type_has_no_parameters() {
        let headers = headers([key(&Secret::new("k-1")).unwrap()], MEDIA_TYPE);
        assert!(headers[API_KEY_HEADER].is_sensitive());
        assert_eq!(headers[ACCEPT], "application/vnd.api+json");
        assert!(headers[USER_AGENT].to_str().unwrap().starts_with("didww-rust/"));
    }
}
