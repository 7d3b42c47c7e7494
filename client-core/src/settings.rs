//! Everything about a channel that is settled before it is made.

use std::num::NonZeroU32;
use std::time::Duration;

use reqwest::Url;
use reqwest::header::HeaderMap;
use wire_core::Secret;

use crate::channel::Channel;
use crate::jitter::Jitter;
use crate::limiter::Limiter;
use crate::retry::Repeater;
use crate::{RetryPolicy, Service, tls};

const LONGEST: Duration = Duration::from_hours(1);

/// Why a client cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SetupError {
    /// The base URL cannot be used.
    #[error("the base URL {problem}; it looks like `{example}`")]
    BaseUrl {
        /// What it does wrong.
        problem: &'static str,
        /// One that could be used.
        example: &'static str,
    },
    /// A timeout is none.
    #[error("a timeout is more than zero and at most an hour")]
    Timeout,
    /// The HTTP client cannot be made.
    #[error("the HTTP client cannot be made")]
    HttpClient(#[source] reqwest::Error),
    /// This build has no TLS of its own.
    #[error("without the feature `rustls` the builder needs an HTTP client: `ClientBuilder::http_client`")]
    NoHttpClient,
}

/// How many requests a client sends in any second, the repetitions included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Rate {
    /// What the service documents, to its own hosts; as many as it is asked to send, to others.
    #[default]
    Documented,
    /// So many at most.
    PerSecond(NonZeroU32),
    /// As many as it is asked to send.
    Unlimited,
}

/// The limits of a channel.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The HTTP client to send through; one of the channel's own when there is none.
    pub http: Option<reqwest::Client>,
    /// The longest time to connect, unless the HTTP client was given.
    pub connect_timeout: Duration,
    /// The longest time of one attempt up to the answer's last byte.
    pub timeout: Duration,
    /// How requests are repeated.
    pub retry: RetryPolicy,
    /// The most requests in any second.
    pub rate: Rate,
    /// The most bytes of an answer that are read.
    pub max_answer: usize,
}

impl Default for Settings {
    /// 10 s to connect, 30 s for an attempt, 64 MiB, the rate that the service documents.
    fn default() -> Self {
        Self {
            http: None,
            connect_timeout: Duration::from_secs(10),
            timeout: Duration::from_secs(30),
            retry: RetryPolicy::default(),
            rate: Rate::default(),
            max_answer: 64 << 20,
        }
    }
}

impl Settings {
    /// The settings with an HTTP client, so that several channels share its connections.
    pub fn with_http(mut self, base: &Url) -> Result<Self, SetupError> {
        if self.http.is_none() {
            self.http = Some(tls::http_client(base.scheme() == "https", self.connect_timeout)?);
        }
        Ok(self)
    }

    /// Makes the channel. Nothing is sent.
    ///
    /// `headers` go with every request, and `secret_query`, a whole query such as `key=value`, stands at the
    /// end of every URL, but is never told.
    pub fn open(
        self,
        base: Url,
        headers: HeaderMap,
        secret_query: Option<Secret>,
        service: &Service,
    ) -> Result<Channel, SetupError> {
        if [self.connect_timeout, self.timeout].iter().any(|time| time.is_zero() || *time > LONGEST) {
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
            secret_query,
            fields: service.fields,
            timeout: self.timeout,
            repeater: Repeater::new(self.retry, Jitter::new()),
            max_answer: self.max_answer,
        })
    }
}
