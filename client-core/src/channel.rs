//! The way of every request: its turn, its attempts, its end.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Method, StatusCode, Url};
use wire_core::Secret;

use crate::limiter::Limiter;
use crate::retry::{Repeated, Repeater};
use crate::transport::{self, Failure, Received};
use crate::{Exchange, Repeatable, SpanFields, TransportError};

/// What the clones of a client share. `Debug` shows the base URL alone.
pub struct Channel {
    pub(crate) http: reqwest::Client,
    pub(crate) base: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) secret_query: Option<Secret>,
    pub(crate) fields: SpanFields,
    pub(crate) timeout: Duration,
    pub(crate) repeater: Repeater,
    pub(crate) limiter: Option<Limiter>,
    pub(crate) max_answer: usize,
}

/// A body and what it is.
#[derive(Clone)]
pub struct Body {
    /// Its media type.
    pub media_type: &'static str,
    /// Its bytes.
    pub bytes: Bytes,
}

/// A request as it is sent, without what the channel adds to each.
pub struct Outgoing<'a> {
    /// The method.
    pub method: &'a Method,
    /// The whole URL.
    pub url: &'a Url,
    /// The body.
    pub body: Option<&'a Body>,
    /// Whether it does harm to send it twice.
    pub repeat: Repeatable,
}

/// A whole answer, whatever it says.
#[derive(Debug)]
pub struct Answered {
    /// The request.
    pub exchange: Exchange,
    /// The HTTP status.
    pub status: StatusCode,
    /// The wait that the answer asks for.
    pub retry_after: Option<Duration>,
    /// The body.
    pub body: Bytes,
    /// Whether an attempt before the last may have taken effect.
    pub unclear: bool,
}

impl Channel {
    /// The base URL, without a slash at its end.
    pub fn base(&self) -> &Url {
        &self.base
    }

    /// A random number, from 0.0 up to but not including 1.0, for waits of the client's own.
    pub fn jitter(&self) -> f64 {
        self.repeater.jitter()
    }

    /// Sends until there is an answer to take or none to be had, and tells the current span how it went.
    pub async fn send(&self, request: Outgoing<'_>) -> Result<Answered, TransportError> {
        let Repeated { last, attempts, unclear } =
            self.repeater.run(request.repeat, || self.attempt(&request)).await;
        let mut exchange = Exchange::unsent(request.method, request.url.path());
        exchange.attempts = attempts;
        let span = tracing::Span::current();
        span.record(self.fields.attempts, attempts);
        match last {
            Ok(Received { status, request_id, retry_after, body }) => {
                span.record("http.response.status_code", status.as_u16());
                if let Some(id) = &request_id {
                    span.record(self.fields.request_id, id.as_str());
                }
                exchange.request_id = request_id;
                Ok(Answered { exchange, status, retry_after, body, unclear })
            }
            Err(Failure { kind, source }) => Err(TransportError { exchange, kind, source }),
        }
    }

    async fn attempt(&self, request: &Outgoing<'_>) -> Result<Received, Failure> {
        if let Some(limiter) = &self.limiter {
            limiter.turn().await;
        }
        transport::send(&self.http, self.wire(request), self.max_answer).await
    }

    /// What one attempt sends.
    fn wire(&self, request: &Outgoing<'_>) -> reqwest::Request {
        let mut url = request.url.clone();
        if let Some(secret) = &self.secret_query {
            let query = match url.query() {
                Some(query) => [query, "&", secret.expose()].concat(),
                None => secret.expose().to_owned(),
            };
            url.set_query(Some(&query));
        }
        let mut wire = reqwest::Request::new(request.method.clone(), url);
        *wire.headers_mut() = self.headers.clone();
        // On the request, so that it holds for an HTTP client that the user brought, too.
        *wire.timeout_mut() = Some(self.timeout);
        if let Some(body) = request.body {
            wire.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(body.media_type));
            *wire.body_mut() = Some(body.bytes.clone().into());
        }
        wire
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel").field("base", &self.base.as_str()).finish_non_exhaustive()
    }
}
