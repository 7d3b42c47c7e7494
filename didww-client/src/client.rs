//! The client: what its clones share, and the way of every request.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use didww_types::resources::{Did, VoiceOutTrunk, VoiceOutTrunkRegenerateCredentials};
use didww_types::{ApiVersion, MEDIA_TYPE, Resource, Secret};
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Method, StatusCode, Url};
use tracing::Instrument as _;

use crate::answer::Answer;
use crate::api::Api;
use crate::builder::{ClientBuilder, PRODUCTION, SANDBOX};
use crate::limiter::Limiter;
use crate::raw::RawRequest;
use crate::request::Request;
use crate::retry::{Repeated, Repeater};
use crate::{Error, Exchange, Refusal, TransportError, transport};

/// A client of one account, cheap to clone. Clones share connections, rate limit and retry budget.
///
/// `Debug` shows no key.
#[derive(Clone)]
pub struct Client(Arc<Parts>);

pub(crate) struct Parts {
    pub(crate) http: reqwest::Client,
    pub(crate) base: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) timeout: Duration,
    pub(crate) version: ApiVersion,
    pub(crate) repeater: Repeater,
    pub(crate) limiter: Option<Limiter>,
    pub(crate) max_answer: usize,
}

/// Gives each declared resource its method.
macro_rules! accessors {
    ($($(#[$meta:meta])* $name:ident: $resource:ty,)+) => {
        impl Client {
            $($(#[$meta])* pub fn $name(&self) -> Api<$resource> {
                self.api()
            })+

            /// The type names that have a method.
            #[cfg(test)]
            const ACCESSORS: &'static [&'static str] = &[$(stringify!($name)),+];
        }
    };
}

accessors! {
    /// Phone numbers.
    dids: Did,
    /// Acts of giving a trunk new credentials; [`Api::regenerate_credentials`] also reads them.
    voice_out_trunk_regenerate_credentials: VoiceOutTrunkRegenerateCredentials,
    /// Outbound trunks.
    voice_out_trunks: VoiceOutTrunk,
}

impl Client {
    /// A client of the production environment.
    pub fn production(key: impl Into<Secret>) -> Result<Self, Error> {
        Self::builder(PRODUCTION, key).build()
    }

    /// A client of the sandbox.
    pub fn sandbox(key: impl Into<Secret>) -> Result<Self, Error> {
        Self::builder(SANDBOX, key).build()
    }

    /// Begins a client of any base URL, such as [`PRODUCTION`] or `http://127.0.0.1:8080/v3`.
    ///
    /// Over plain http the key is sent in clear.
    pub fn builder(base_url: impl Into<String>, key: impl Into<Secret>) -> ClientBuilder {
        ClientBuilder::new(base_url, key)
    }

    pub(crate) fn from_parts(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    /// What can be done with a resource.
    pub fn api<R: Resource>(&self) -> Api<R> {
        Api::new(self.clone())
    }

    /// A request of something that this crate does not declare yet: a path below the base URL, such as `/pops`.
    pub fn raw(&self, method: Method, path: &str) -> RawRequest {
        RawRequest::new(self.clone(), method, path)
    }

    /// The base URL.
    pub fn base_url(&self) -> &str {
        self.0.base.as_str()
    }

    /// The API version that is asked for.
    pub fn api_version(&self) -> ApiVersion {
        self.0.version
    }

    /// Sends until there is an answer to take or an error to give.
    pub(crate) async fn execute(&self, request: &Request) -> Result<Answer, Error> {
        let span = tracing::info_span!(
            "didww",
            "http.request.method" = request.method.as_str(),
            "url.template" = request.template(),
            "url.path" = request.path,
            "http.response.status_code" = tracing::field::Empty,
            "didww.attempts" = tracing::field::Empty,
            "didww.request_id" = tracing::field::Empty,
        );
        let work = async {
            let url = request.url(&self.0.base)?;
            let repeated = self.0.repeater.run(&request.method, || self.attempt(request, &url)).await;
            self.conclude(&request.method, url.path(), repeated)
        };
        work.instrument(span).await
    }

    async fn attempt(&self, request: &Request, url: &Url) -> Result<transport::Received, transport::Failure> {
        if let Some(limiter) = &self.0.limiter {
            limiter.turn().await;
        }
        transport::send(&self.0.http, self.wire(request, url), self.0.max_answer).await
    }

    /// What one attempt sends.
    fn wire(&self, request: &Request, url: &Url) -> reqwest::Request {
        let mut wire = reqwest::Request::new(request.method.clone(), url.clone());
        *wire.headers_mut() = self.0.headers.clone();
        // On the request, so that it holds for an HTTP client that the user brought, too.
        *wire.timeout_mut() = Some(self.0.timeout);
        if let Some(body) = &request.body {
            wire.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
            *wire.body_mut() = Some(body.clone().into());
        }
        wire
    }

    fn conclude(&self, method: &Method, path: &str, repeated: Repeated) -> Result<Answer, Error> {
        let Repeated { last, attempts, unclear } = repeated;
        let mut exchange = Exchange { attempts, ..Exchange::unsent(method, path) };
        let span = tracing::Span::current();
        span.record("didww.attempts", attempts);
        let received = last.map_err(|failure| {
            let (kind, source) = (failure.kind, failure.source);
            Error::Transport(Box::new(TransportError { exchange: exchange.clone(), kind, source }))
        })?;
        span.record("http.response.status_code", received.status.as_u16());
        if let Some(id) = &received.request_id {
            span.record("didww.request_id", id.as_str());
        }
        exchange.request_id = received.request_id;
        // An earlier attempt did it, though its answer was lost.
        let gone = *method == Method::DELETE && unclear && received.status == StatusCode::NOT_FOUND;
        if received.status.is_success() || gone {
            let (status, body) = if gone {
                (StatusCode::NO_CONTENT, bytes::Bytes::new())
            } else {
                (received.status, received.body)
            };
            return Ok(Answer { exchange, status, body, asked: self.0.version });
        }
        Err(Refusal::read(exchange, received.status, &received.body).into_error(received.retry_after))
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("base_url", &self.base_url())
            .field("api_version", &self.0.version)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_declared_resource_has_its_method() {
        let declared: Vec<&str> = didww_types::REGISTRY.iter().map(|spec| spec.name).collect();
        assert_eq!(Client::ACCESSORS, declared);
    }
}
