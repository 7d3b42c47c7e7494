//! Settles everything about a client before it is made.

use std::num::NonZeroU32;
use std::time::Duration;

use client_core::{Backoff, Channel, RetryPolicy, Settings, SpanFields, base_url};
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue, USER_AGENT};
use reqwest::{Method, Url};
use url::form_urlencoded::Serializer;

use crate::request::Request;
use crate::types::{Login, LoginBody, Secret};
use crate::{Client, Error, Reason, client};

/// VoIPBIN's own service.
pub const PRODUCTION: &str = "https://api.voipbin.net/v1.0";

/// Requests a second that VoIPBIN allows a customer, its agents and access keys together: 16.7.
const DOCUMENTED_RATE: NonZeroU32 = NonZeroU32::new(16).unwrap();
const FIELDS: SpanFields = SpanFields { attempts: "voipbin.attempts", request_id: "voipbin.request_id" };

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
    rate: Rate,
    poll: Backoff,
    settings: Settings,
}

#[derive(Debug, Clone)]
enum Credentials {
    AccessKey(Secret),
    Token(Secret),
}

#[derive(Debug, Clone, Copy)]
enum Rate {
    /// What VoIPBIN documents, for VoIPBIN's own hosts.
    Documented,
    PerSecond(NonZeroU32),
    Unlimited,
}

impl ClientBuilder {
    pub(crate) fn new() -> Self {
        Self {
            base_url: PRODUCTION.to_owned(),
            credentials: None,
            rate: Rate::Documented,
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

    /// Sends through this HTTP client, with its proxies, certificates and connections.
    ///
    /// Switch its redirects off (`redirect(Policy::none())`): it would take the credentials along to wherever it
    /// is sent. Its connect timeout is its own; [`timeout`](Self::timeout) holds in any case.
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

    /// How requests are repeated.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.settings.retry = policy;
        self
    }

    /// Sends at most so many requests in any second, the clones of the client together.
    ///
    /// Unless set it is 16 for VoIPBIN's own hosts, which allow a customer 16.7, and unlimited for others.
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

    /// How often a call is asked for while [its end is waited for](crate::Calls::wait_until_hung_up): the wait
    /// doubles from the first to the longest, 250 ms and 5 s unless set.
    pub fn poll(mut self, first: Duration, longest: Duration) -> Self {
        self.poll = Backoff { first, longest };
        self
    }

    /// Makes the client. Nothing is sent.
    pub fn build(self) -> Result<Client, Error> {
        let base = base_url(&self.base_url).map_err(Reason::from)?;
        let credentials = self.credentials.as_ref().ok_or(Reason::NoCredentials)?;
        let poll = self.poll;
        let (headers, query) = carried(credentials)?;
        let channel = self.settings(&base).open(base, headers, query, FIELDS).map_err(Reason::from)?;
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
        let base = base_url(&self.base_url).map_err(Reason::from)?;
        // The client that logs in and the one that comes of it share their connections.
        self.settings = self.settings.with_http(&base).map_err(Reason::from)?;
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
        let settings = self.clone().settings(base);
        Ok(settings.open(beside, common_headers(), None, FIELDS).map_err(Reason::from)?)
    }

    fn settings(self, base: &Url) -> Settings {
        let rate = match self.rate {
            Rate::Documented => is_voipbin(base).then_some(DOCUMENTED_RATE),
            Rate::PerSecond(rate) => Some(rate),
            Rate::Unlimited => None,
        };
        Settings { rate, ..self.settings }
    }
}

fn is_voipbin(base: &Url) -> bool {
    base.host_str().is_some_and(|host| host == "voipbin.net" || host.ends_with(".voipbin.net"))
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
    use super::*;

    fn reason(builder: ClientBuilder) -> Reason {
        match builder.build() {
            Err(Error::NotSent(error)) => error.reason,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_cannot_be_a_client_is_refused_with_a_reason() {
        let builder = || ClientBuilder::new().token("t");
        for url in ["", "api.voipbin.net", "ftp://x/v1.0", "http://u:p@x/v1.0", "http://x/v1.0?accesskey=k"] {
            assert!(matches!(reason(builder().base_url(url)), Reason::BaseUrl(_)), "{url}");
        }
        for token in ["", "line\nbreak"] {
            assert!(matches!(reason(builder().token(token)), Reason::Credentials), "{token:?}");
        }
        assert!(matches!(reason(builder().access_key("")), Reason::Credentials));
        assert!(matches!(reason(builder().timeout(Duration::ZERO)), Reason::Timeout));
        assert!(matches!(reason(ClientBuilder::new()), Reason::NoCredentials));
    }

    #[test]
    fn the_documented_rate_is_that_of_voipbins_own_hosts() {
        let is_voipbin = |url: &str| is_voipbin(&base_url(url).unwrap());
        assert!(is_voipbin(PRODUCTION));
        assert!(!is_voipbin("http://127.0.0.1:8080/v1.0") && !is_voipbin("https://notvoipbin.net/v1.0"));
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
