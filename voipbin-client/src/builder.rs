//! Settles everything about a client before it is made.

use std::num::NonZeroU32;
use std::time::Duration;

use client_core::{Backoff, Channel, Service, Settings, SpanFields};
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue, USER_AGENT};
use reqwest::{Method, Url};
use url::form_urlencoded::Serializer;

use crate::request::Request;
use crate::types::{Login, LoginBody, Secret};
use crate::{Client, Error, Reason, client};

/// VoIPBIN's own service.
pub const PRODUCTION: &str = "https://api.voipbin.net/v1.0";

const SERVICE: Service = Service {
    production: PRODUCTION,
    domain: "voipbin.net",
    // 16.7 for a customer, its agents and access keys together.
    rate: NonZeroU32::new(16),
    fields: SpanFields { attempts: "voipbin.attempts", request_id: "voipbin.request_id" },
};

/// Settings of a [`Client`].
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

    /// Speaks to another service, such as `http://127.0.0.1:8080/v1.0`; [`PRODUCTION`] unless set.
    ///
    /// Over plain http the credentials are sent in clear.
    pub fn base_url(mut self, url: impl Into<String>) -> Self {
        self.base_url = url.into();
        self
    }

    /// Calls with an access key. It is sent in the query of every request, the one place where VoIPBIN's own
    /// programs put it, and is told nowhere else. It can do what an administrator of its customer can.
    pub fn access_key(mut self, key: impl Into<Secret>) -> Self {
        self.credentials = Some(Credentials::AccessKey(key.into()));
        self
    }

    /// Calls with a token, as [`login`](Self::login) gives one.
    pub fn token(mut self, token: impl Into<Secret>) -> Self {
        self.credentials = Some(Credentials::Token(token.into()));
        self
    }

    client_core::builder_settings! {
        /// Unless set it is 16 for VoIPBIN's own hosts, which allow a customer 16.7, and unlimited for others.
    }

    /// How often a call is asked for while [its end is waited for](crate::Calls::wait_until_hung_up): the wait
    /// doubles from the first to the longest, 250 ms and 5 s unless set.
    pub fn poll(mut self, first: Duration, longest: Duration) -> Self {
        self.poll = Backoff { first, longest };
        self
    }

    /// Makes the client. Nothing is sent.
    pub fn build(self) -> Result<Client, Error> {
        let base = SERVICE.base_url(&self.base_url)?;
        let credentials = self.credentials.as_ref().ok_or(Reason::NoCredentials)?;
        let poll = self.poll;
        let (headers, query) = carried(credentials)?;
        let channel = self.settings.open(base, headers, query, &SERVICE)?;
        Ok(Client::from_parts(client::Parts { channel, poll }))
    }

    /// Exchanges a name and a password for a token, and makes a client that calls with it.
    ///
    /// The token is good for seven days. After that, requests are refused with [`Error::Unauthorized`], as
    /// here a wrong password is; log in again then.
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
        // The client that logs in and the one that comes of it share their connections.
        self.settings = self.settings.with_http(&base)?;
        let channel = self.login_channel(&base)?;
        let body = LoginBody { username: username.into(), password: password.into() };
        let request = Request::new(Method::POST, "/auth/login").with_body(&body)?.harmless();
        let (login, _) = client::fetch::<Login>(&channel, &request).await.map_err(Error::of_login)?;
        self.token(login.token).build()
    }

    /// The login lies beside the version and not below it.
    fn login_channel(&self, base: &Url) -> Result<Channel, Error> {
        let mut beside = base.clone();
        if let Ok(mut segments) = beside.path_segments_mut() {
            segments.pop_if_empty().pop();
        }
        Ok(self.settings.clone().open(beside, common_headers(), None, &SERVICE)?)
    }
}

fn common_headers() -> HeaderMap {
    HeaderMap::from_iter([
        (ACCEPT, HeaderValue::from_static("application/json")),
        (USER_AGENT, HeaderValue::from_static(concat!("voipbin-rust/", env!("CARGO_PKG_VERSION")))),
    ])
}

/// Where the credentials travel: in a header, or in the query.
fn carried(credentials: &Credentials) -> Result<(HeaderMap, Option<Secret>), Reason> {
    let mut headers = common_headers();
    match credentials {
        Credentials::Token(token) | Credentials::AccessKey(token) if token.expose().is_empty() => {
            Err(Reason::Credentials)
        }
        Credentials::AccessKey(key) => {
            let query = Serializer::new(String::new()).append_pair("accesskey", key.expose()).finish();
            Ok((headers, Some(Secret::new(query))))
        }
        Credentials::Token(token) => {
            let bearer = Secret::new(["Bearer ", token.expose()].concat());
            let mut value = HeaderValue::from_str(bearer.expose()).map_err(|_| Reason::Credentials)?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
            Ok((headers, None))
        }
    }
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
    fn what_cannot_be_a_client_is_refused_with_a_reason() {
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
        assert!(matches!(reason(builder().access_key("")), Reason::Credentials));
        let timeout = reason(builder().timeout(Duration::ZERO));
        assert!(matches!(timeout, Reason::Setup(SetupError::Timeout)));
        assert!(matches!(reason(ClientBuilder::new()), Reason::NoCredentials));
    }

    #[test]
    fn the_documented_rate_is_that_of_voipbins_own_hosts() {
        let limit = |url| SERVICE.limit(Rate::Documented, &SERVICE.base_url(url).unwrap()).map(u32::from);
        assert_eq!(limit(PRODUCTION), Some(16));
        assert_eq!(limit("http://127.0.0.1:8080/v1.0"), None);
    }

    #[test]
    fn the_token_is_a_sensitive_header_and_the_access_key_an_encoded_query() {
        let (headers, query) = carried(&Credentials::Token(Secret::new("t"))).unwrap();
        assert!(headers[AUTHORIZATION].is_sensitive() && query.is_none());
        assert_eq!(headers[AUTHORIZATION], "Bearer t");
        let (headers, query) = carried(&Credentials::AccessKey(Secret::new("a&b=c d"))).unwrap();
        assert_eq!(query.unwrap().expose(), "accesskey=a%26b%3Dc+d");
        assert!(!headers.contains_key(AUTHORIZATION));
    }
}
