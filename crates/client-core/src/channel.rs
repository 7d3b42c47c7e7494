//! Sends requests: waits for the rate limit, makes the attempts, and records the result in the current span.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Method, StatusCode, Url};

use crate::idempotency_key::{IDEMPOTENCY_KEY, IdempotencyKey, KeyGenerator};
use crate::limiter::Limiter;
use crate::retry::{Attempts, Retrier};
use crate::transport::{self, Failure, Received};
use crate::{Exchange, Repeatable, SpanFields, TransportError};

/// The HTTP client, base URL, headers and limits that the clones of a client share. `Debug` prints only the
/// base URL.
pub struct Channel {
    pub(crate) http: reqwest::Client,
    pub(crate) base: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) fields: SpanFields,
    pub(crate) timeout: Duration,
    pub(crate) retrier: Retrier,
    pub(crate) limiter: Option<Limiter>,
    /// Generates the keys of requests that create something, if the client sends them.
    pub(crate) keys: Option<KeyGenerator>,
    pub(crate) max_answer: usize,
}

/// The body of a request.
#[derive(Clone)]
pub struct Body {
    /// The value of the `Content-Type` header.
    pub media_type: HeaderValue,
    /// The encoded body, sent as it is. Every retry sends the same bytes.
    pub bytes: Bytes,
}

/// A request, without the headers that the channel adds to each one.
pub struct Outgoing<'a> {
    /// The HTTP method, which each attempt repeats.
    pub method: &'a Method,
    /// The complete URL, with the query: the channel adds nothing to it.
    pub url: &'a Url,
    /// The body; without one, no `Content-Type` is sent.
    pub body: Option<&'a Body>,
    /// Headers of this request alone. They replace those of the channel and of the body; `None` is none.
    pub headers: Option<&'a HeaderMap>,
    /// Whether the request can be retried after it may have taken effect.
    pub repeat: Repeatable,
    /// The key of the request, which replaces a generated one. It is sent with a POST only.
    pub key: Option<&'a IdempotencyKey>,
    /// The value of the `Authorization` header; `None` where the channel's own headers have the credential.
    pub authorization: Option<&'a HeaderValue>,
}

/// A complete response with any status.
#[derive(Debug)]
pub struct Answered {
    /// The request, with its id and the number of attempts.
    pub exchange: Exchange,
    /// The HTTP status of the last attempt.
    pub status: StatusCode,
    /// The wait that the response's `Retry-After` header asks for.
    pub retry_after: Option<Duration>,
    /// The `WWW-Authenticate` header of the response, if it is visible ASCII of at most 512 bytes.
    pub challenge: Option<String>,
    /// The response body, at most as large as the channel's limit.
    pub body: Bytes,
    /// Whether an attempt before the last may have taken effect on the service.
    pub unclear: bool,
}

impl Channel {
    /// The base URL; its path does not end with a slash, unless it is `/`.
    pub fn base(&self) -> &Url {
        &self.base
    }

    /// The time limit of one attempt.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// A random number, 0.0 or more and less than 1.0, for the client's own waits. Not for secrets.
    pub fn jitter(&self) -> f64 {
        self.retrier.jitter()
    }

    /// Sends a request, retrying it as the retry policy allows, and returns the last attempt's response.
    ///
    /// Status, number of attempts and request id are recorded in the current span.
    ///
    /// # Errors
    /// Returns an error when the last attempt did not yield a complete response.
    pub async fn send(&self, request: Outgoing<'_>) -> Result<Answered, TransportError> {
        // One key for all attempts: they are one logical request.
        let key = self.key_of(&request);
        let repeat = match &key {
            Some(_) if request.repeat == Repeatable::Creates => Repeatable::Keyed,
            _ => request.repeat,
        };
        let Attempts { last, count, unclear } =
            self.retrier.run(repeat, || self.attempt(&request, key.as_ref())).await;
        let mut exchange = Exchange::unsent(request.method, request.url.path());
        exchange.attempts = count;
        let span = tracing::Span::current();
        span.record(self.fields.attempts, count);
        match last {
            Ok(Received { status, request_id, retry_after, challenge, body }) => {
                span.record("http.response.status_code", status.as_u16());
                if let Some(id) = &request_id {
                    span.record(self.fields.request_id, id.as_str());
                }
                exchange.request_id = request_id;
                Ok(Answered { exchange, status, retry_after, challenge, body, unclear })
            }
            Err(Failure { kind, source }) => {
                let host = request.url.host_str().unwrap_or_default();
                let port = request.url.port_or_known_default().unwrap_or_default();
                Err(TransportError {
                    exchange,
                    kind,
                    host: format!("{host}:{port}"),
                    source: source.map(Arc::new),
                })
            }
        }
    }

    /// Generates the key of a request; `None` for other methods than POST, or if the channel sends no keys. A request
    /// that is sent again with another credential keeps its key.
    pub fn generated_key(&self, method: &Method) -> Option<IdempotencyKey> {
        self.keys.as_ref().filter(|_| *method == Method::POST).and_then(KeyGenerator::next)
    }

    /// The key that is sent in addition to the headers of the request, which may have one.
    fn key_of(&self, request: &Outgoing<'_>) -> Option<IdempotencyKey> {
        let has_own = request.headers.is_some_and(|headers| headers.contains_key(IDEMPOTENCY_KEY));
        if *request.method != Method::POST || has_own {
            return None;
        }
        let creates = request.repeat == Repeatable::Creates;
        let generated = || self.generated_key(request.method).filter(|_| creates);
        request.key.cloned().or_else(generated)
    }

    async fn attempt(
        &self,
        request: &Outgoing<'_>,
        key: Option<&IdempotencyKey>,
    ) -> Result<Received, Failure> {
        if let Some(limiter) = &self.limiter {
            limiter.acquire().await;
        }
        let mut http_request = self.http_request(request);
        if let Some(key) = key {
            http_request.headers_mut().insert(IDEMPOTENCY_KEY, key.header());
        }
        transport::send(&self.http, http_request, self.max_answer).await
    }

    /// Builds the HTTP request of one attempt.
    fn http_request(&self, request: &Outgoing<'_>) -> reqwest::Request {
        let mut http_request = reqwest::Request::new(request.method.clone(), request.url.clone());
        *http_request.headers_mut() = self.headers.clone();
        // Set on the request, so that it also applies to an HTTP client that the user supplied.
        *http_request.timeout_mut() = Some(self.timeout);
        if let Some(authorization) = request.authorization {
            http_request.headers_mut().insert(AUTHORIZATION, authorization.clone());
        }
        if let Some(body) = request.body {
            http_request.headers_mut().insert(CONTENT_TYPE, body.media_type.clone());
            *http_request.body_mut() = Some(body.bytes.clone().into());
        }
        if let Some(headers) = request.headers {
            // Replaces all values of each name, and keeps several values that the request has of one.
            http_request.headers_mut().extend(headers.clone());
        }
        http_request
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel").field("base", &self.base.as_str()).finish_non_exhaustive()
    }
}
