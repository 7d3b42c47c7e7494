//! The settings of a channel, and the errors of creating one.

use std::num::NonZeroU32;
use std::time::Duration;

use reqwest::Url;
use reqwest::header::HeaderMap;

use crate::channel::Channel;
use crate::idempotency_key::KeyGenerator;
use crate::jitter::Jitter;
use crate::limiter::Limiter;
use crate::retry::Retrier;
use crate::{RetryPolicy, Service, tls};

const MAX_TIMEOUT: Duration = Duration::from_hours(1);

/// Why a client cannot be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SetupError {
    /// The base URL is not an http or https URL without credentials, query and fragment.
    #[error("the base URL {problem}; it looks like `{example}`")]
    BaseUrl {
        /// The problem, such as `is not a URL`.
        problem: &'static str,
        /// The base URL of the production environment.
        example: &'static str,
    },
    /// A timeout is zero or longer than one hour.
    #[error("a timeout must be more than zero and at most one hour")]
    Timeout,
    /// The HTTP client could not be built, for example because no root certificates could be loaded.
    #[error("the HTTP client cannot be built")]
    HttpClient(#[source] reqwest::Error),
    /// The crate was compiled without the feature `rustls`, and the builder received no HTTP client.
    #[error("without the feature `rustls` the builder needs an HTTP client: `ClientBuilder::http_client`")]
    NoHttpClient,
}

/// The limit of the requests that a client sends in any period of one second, retries included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Rate {
    /// The limit that the service documents, for the service's own hosts; no limit for other hosts.
    #[default]
    Documented,
    /// At most this many requests a second.
    PerSecond(NonZeroU32),
    /// No limit in the client; the service may still answer 429.
    Unlimited,
}

/// The settings of a channel.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The HTTP client to send through; without one, the channel builds its own.
    pub http: Option<reqwest::Client>,
    /// The time limit for establishing a connection. It does not apply to a supplied HTTP client.
    pub connect_timeout: Duration,
    /// The time limit of one attempt, from sending to the last byte of the response.
    pub timeout: Duration,
    /// How often and after which wait a request is retried.
    pub retry: RetryPolicy,
    /// The limit of requests a second.
    pub rate: Rate,
    /// The size limit of a response body, in bytes.
    pub max_answer: usize,
    /// Whether each request that creates something has an idempotency key.
    pub idempotency_keys: bool,
}

impl Default for Settings {
    /// 10 s to connect, 30 s for one attempt, 64 MiB for a response body, the rate that the service documents, and no
    /// idempotency keys.
    fn default() -> Self {
        Self {
            http: None,
            connect_timeout: Duration::from_secs(10),
            timeout: Duration::from_secs(30),
            retry: RetryPolicy::default(),
            rate: Rate::default(),
            max_answer: 64 << 20,
            idempotency_keys: false,
        }
    }
}

impl Settings {
    /// Builds the HTTP client now, unless one is set, so that the channels opened from clones of these
    /// settings share its connections.
    ///
    /// # Errors
    /// Returns an error when the HTTP client cannot be built.
    pub fn with_http(mut self, base: &Url) -> Result<Self, SetupError> {
        if self.http.is_none() {
            self.http = Some(tls::http_client(base.scheme() == "https", self.connect_timeout)?);
        }
        Ok(self)
    }

    /// Creates the channel without sending anything.
    ///
    /// Every request carries `headers`.
    ///
    /// # Errors
    /// Returns an error for a timeout out of range, and when the HTTP client cannot be built.
    pub fn open(self, base: Url, headers: HeaderMap, service: &Service) -> Result<Channel, SetupError> {
        if [self.connect_timeout, self.timeout].iter().any(|time| time.is_zero() || *time > MAX_TIMEOUT) {
            return Err(SetupError::Timeout);
        }
        let http = match self.http {
            Some(http) => http,
            None => tls::http_client(base.scheme() == "https", self.connect_timeout)?,
        };
        Ok(Channel {
            limiter: service.limit(self.rate, &base).map(Limiter::new),
            http,
            base,
            headers,
            fields: service.fields,
            timeout: self.timeout,
            retrier: Retrier::new(self.retry, Jitter::new()),
            keys: self.idempotency_keys.then(KeyGenerator::default),
            max_answer: self.max_answer,
        })
    }
}
