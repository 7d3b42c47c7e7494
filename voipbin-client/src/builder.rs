//! The builder of a client.

use std::num::NonZeroU32;
use std::time::Duration;

use client_core::{Backoff, Channel, Service, Settings, SpanFields};
use reqwest::header::{ACCEPT, AUTHORIZATION, COOKIE, HeaderMap, HeaderValue, USER_AGENT};
use reqwest::{Method, Url};

use crate::request::Request;
use crate::types::{Login, LoginBody, Secret};
use crate::{Client, Error, Reason, client};

/// The base URL of VoIPBIN's production environment.
pub const PRODUCTION: &str = "https://api.voipbin.net/v1.0";

const SERVICE: Service = Service {
    production: PRODUCTION,
    domain: "voipbin.net",
    // VoIPBIN documents 16.7 a second for a customer, with all its agents and access keys together.
    rate: NonZeroU32::new(16),
    fields: SpanFields { attempts: "voipbin.attempts", request_id: "voipbin.request_id" },
};

/// The settings of a [`Client`].
///
/// ```
/// use std::time::Duration;
/// use voipbin_client::{Client, RetryPolicy};
///
/// # #[cfg(feature = "rustls")]
/// let client = Client::builder()
///     .access_key("vb_your_key")
///     .timeout(Duration::from_secs(10))
///     .retry(RetryPolicy::default().max_attempts(2))
///     .build()?;
/// # Ok::<(), voipbin_client::Error>(())
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct ClientBuilder {
    base_url: String,
    credentials: Option<Credentials>,
    poll: Backoff,
    settings: Settings,
}

#[derive(Debug, Clone)]
enum Credentials {
    AccessKey(Secret),
    Token(Secret),
}

impl ClientBuilder {
    pub(crate) fn new() -> Self {
        Self {
            base_url: PRODUCTION.to_owned(),
            credentials: None,
            poll: Backoff { first: Duration::from_millis(250), longest: Duration::from_secs(5) },
            settings: Settings::default(),
        }
    }

    /// Sets the base URL, such as `http://127.0.0.1:8080/v1.0`. The default is [`PRODUCTION`].
    ///
    /// Over plain HTTP the credentials are sent unencrypted.
    pub fn base_url(mut self, url: impl Into<String>) -> Self {
        self.base_url = url.into();
        self
    }

    /// Authenticates with an access key, which has the permissions of an administrator of its customer.
    ///
    /// The key is sent in the cookie `accesskey` of every request, as VoIPBIN's own program `voipbin-mcp`
    /// does, and never in a URL, which servers and proxies log. It never appears in an error, a log or a
    /// span.
    pub fn access_key(mut self, key: impl Into<Secret>) -> Self {
        self.credentials = Some(Credentials::AccessKey(key.into()));
        self
    }

    /// Authenticates with a token, such as the one that [`login`](Self::login) obtains.
    pub fn token(mut self, token: impl Into<Secret>) -> Self {
        self.credentials = Some(Credentials::Token(token.into()));
        self
    }

    client_core::builder_settings! {
        /// The default is 16 requests a second for hosts of `voipbin.net`, where VoIPBIN documents a limit of
        /// 16.7 a second for a customer, and no limit for other hosts.
    }

    /// Sets the waits between the requests of [`wait_until_answered`](crate::Calls::wait_until_answered) and
    /// [`wait_until_hung_up`](crate::Calls::wait_until_hung_up). The wait doubles from `first` to `longest`,
    /// 250 ms and 5 s by default. Each wait is multiplied by a random number between 0.5 and 1.0.
    pub fn poll(mut self, first: Duration, longest: Duration) -> Self {
        self.poll = Backoff { first, longest };
        self
    }

    /// Builds the client without sending anything.
    ///
    /// # Errors
    /// Returns [`Error::NotSent`] for an unusable base URL, for missing or unusable credentials, for a
    /// timeout out of range, and when the HTTP client cannot be built.
    pub fn build(self) -> Result<Client, Error> {
        let base = SERVICE.base_url(&self.base_url)?;
        let credentials = self.credentials.as_ref().ok_or(Reason::NoCredentials)?;
        let poll = self.poll;
        let channel = self.settings.open(base, headers(credentials)?, &SERVICE)?;
        Ok(Client::from_parts(client::Parts { channel, poll }))
    }

    /// Logs in with the name and password of an agent, and builds a client that authenticates with the token
    /// received.
    ///
    /// The token is valid for seven days. After that, requests return [`Error::Unauthorized`], and the
    /// program must log in again.
    ///
    /// # Errors
    /// Returns [`Error::Unauthorized`] for a wrong name or password, and the errors of
    /// [`build`](Self::build).
    ///
    /// ```
    /// # async fn f() -> Result<(), voipbin_client::Error> {
    /// let client = voipbin_client::Client::builder().login("admin@example.com", "your password").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn login(
        mut self,
        username: impl Into<String> + Send,
        password: impl Into<Secret> + Send,
    ) -> Result<Client, Error> {
        let base = SERVICE.base_url(&self.base_url)?;
        // The login and the client that it returns share one connection pool.
        self.settings = self.settings.with_http(&base)?;
        let channel = self.login_channel(&base)?;
        let body = LoginBody { username: username.into(), password: password.into() };
        let request = Request::new(Method::POST, "/auth/login").with_body(&body)?.idempotent();
        let (login, _) = client::fetch::<Login>(&channel, &request, None).await.map_err(Error::for_login)?;
        self.token(login.token).build()
    }

    /// Opens the channel for the login, whose path is relative to the parent of the versioned base URL.
    fn login_channel(&self, base: &Url) -> Result<Channel, Error> {
        let mut parent = base.clone();
        if let Ok(mut segments) = parent.path_segments_mut() {
            segments.pop_if_empty().pop();
        }
        Ok(self.settings.clone().open(parent, common_headers(), &SERVICE)?)
    }
}

fn common_headers() -> HeaderMap {
    HeaderMap::from_iter([
        (ACCEPT, HeaderValue::from_static("application/json")),
        (USER_AGENT, HeaderValue::from_static(concat!("voipbin-rust/", env!("CARGO_PKG_VERSION")))),
    ])
}

/// The headers of every request. The credentials are one of them, marked as sensitive.
fn headers(credentials: &Credentials) -> Result<HeaderMap, Reason> {
    let (name, prefix, secret) = match credentials {
        Credentials::Token(token) => (AUTHORIZATION, "Bearer ", token),
        Credentials::AccessKey(key) if !is_cookie_value(key.expose()) => return Err(Reason::Credentials),
        Credentials::AccessKey(key) => (COOKIE, "accesskey=", key),
    };
    if secret.expose().is_empty() {
        return Err(Reason::Credentials);
    }
    let text = Secret::new([prefix, secret.expose()].concat());
    let mut value = HeaderValue::from_str(text.expose()).map_err(|_| Reason::Credentials)?;
    value.set_sensitive(true);
    let mut headers = common_headers();
    headers.insert(name, value);
    Ok(headers)
}

/// Whether a cookie can have this value: the characters of RFC 6265, section 4.1.1. VoIPBIN's keys consist of
/// letters, digits, `_` and `-`.
fn is_cookie_value(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b',' | b';' | b'\\'))
}

#[cfg(all(test, feature = "rustls"))]
mod tests {
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
        let builder = || ClientBuilder::new().token("t");
        for url in ["", "api.voipbin.net", "http://x/v1.0?accesskey=k"] {
            let refused = reason(builder().base_url(url));
            assert!(matches!(refused, Reason::Setup(SetupError::BaseUrl { .. })), "{url}");
            assert!(
                refused.to_string().ends_with("it looks like `https://api.voipbin.net/v1.0`"),
                "{refused}"
            );
        }
        for token in ["", "line\nbreak"] {
            assert!(matches!(reason(builder().token(token)), Reason::Credentials), "{token:?}");
        }
        for key in ["", "a b", "a;b=c", "a,b", "a\"b", "a\\b", "line\nbreak", "é"] {
            assert!(matches!(reason(builder().access_key(key)), Reason::Credentials), "{key:?}");
        }
        let timeout = reason(builder().timeout(Duration::ZERO));
        assert!(matches!(timeout, Reason::Setup(SetupError::Timeout)));
        assert!(matches!(reason(ClientBuilder::new()), Reason::NoCredentials));
    }

    #[test]
    fn the_documented_rate_applies_to_voipbins_own_hosts_only() {
        let limit = |url| SERVICE.limit(Rate::Documented, &SERVICE.base_url(url).unwrap()).map(u32::from);
        assert_eq!(limit(PRODUCTION), Some(16));
        assert_eq!(limit("http://127.0.0.1:8080/v1.0"), None);
    }

    #[test]
    fn token_and_access_key_are_sensitive_headers() {
        let token = headers(&Credentials::Token(Secret::new("t"))).unwrap();
        assert!(token[AUTHORIZATION].is_sensitive() && !token.contains_key(COOKIE));
        assert_eq!(token[AUTHORIZATION], "Bearer t");
        let key = headers(&Credentials::AccessKey(Secret::new("vb_a-B_9&=%"))).unwrap();
        assert!(key[COOKIE].is_sensitive() && !key.contains_key(AUTHORIZATION));
        assert_eq!(key[COOKIE], "accesskey=vb_a-B_9&=%");
    }
}
