//! The client, which sends the requests of every resource.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use client_core::{Answered, Channel, IdempotencyKey, Outgoing, Repeatable};
use didww_types::{ApiVersion, Resource, Secret};
use reqwest::{Method, StatusCode};
use tracing::Instrument as _;

use crate::api::Api;
use crate::builder::{ClientBuilder, PRODUCTION, SANDBOX};
use crate::credentials::{Credentials, Token};
use crate::raw::RawRequest;
use crate::request::Request;
use crate::response::Response;
use crate::{Error, Reason, Refusal};

/// A client of one account. It is cheap to clone; clones share connections, rate limit, retry budget and access token.
///
/// `Debug` prints neither the API key nor a token.
#[derive(Clone)]
pub struct Client {
    parts: Arc<Parts>,
    /// The idempotency key of this client's POSTs; `None` if they have none.
    key: Option<IdempotencyKey>,
}

pub(crate) struct Parts {
    pub(crate) channel: Channel,
    pub(crate) version: ApiVersion,
    pub(crate) read_only: bool,
    pub(crate) credentials: Credentials,
}

/// Defines the method of each declared resource.
macro_rules! accessors {
    ($($name:ident: $resource:ident,)+) => {
        impl Client {
            $(
                #[doc = concat!("The operations of `", stringify!($name), "`: see [`", stringify!($resource), "`].")]
                ///
                #[doc = concat!("[`", stringify!($resource), "`]: didww_types::resources::", stringify!($resource))]
                pub fn $name(&self) -> Api<didww_types::resources::$resource> {
                    self.api()
                }
            )+

            /// The type names for which there is a method.
            #[cfg(test)]
            const ACCESSORS: &'static [&'static str] = &[$(stringify!($name)),+];
        }
    };
}

didww_types::for_each_resource!(accessors);

impl Client {
    /// Creates a client of the production environment with default settings.
    ///
    /// # Errors
    /// Returns the errors of [`ClientBuilder::build`].
    pub fn production(key: impl Into<Secret>) -> Result<Self, Error> {
        Self::builder(PRODUCTION, key).build()
    }

    /// Creates a client of the sandbox with default settings.
    ///
    /// # Errors
    /// Returns the errors of [`ClientBuilder::build`].
    pub fn sandbox(key: impl Into<Secret>) -> Result<Self, Error> {
        Self::builder(SANDBOX, key).build()
    }

    /// Creates a builder for any base URL, such as [`PRODUCTION`] or `http://127.0.0.1:8080/v3`.
    ///
    /// Over plain HTTP the API key is sent unencrypted.
    pub fn builder(base_url: impl Into<String>, key: impl Into<Secret>) -> ClientBuilder {
        ClientBuilder::new(base_url, key)
    }

    /// Returns a client whose POSTs have this idempotency key, and are therefore retried as reads are: for one logical
    /// request, also one that was sent before a restart of the program. Connections, rate limit and retry budget are
    /// shared.
    ///
    /// Only for a service that knows the header `Idempotency-Key`, as `trunk-server` does. With
    /// [`ClientBuilder::idempotency_keys`] the client generates a key for each request.
    ///
    /// ```
    /// # async fn f(client: &didww_client::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// use didww_client::resources::VoiceOutTrunkRegenerateCredentials as Rotation;
    /// use didww_client::IdempotencyKey;
    ///
    /// let client = client.with_idempotency_key(IdempotencyKey::new("rotation-2026-11")?);
    /// let rotation = Rotation::create("0a161808-bb05-42b1-8398-7888abdfa9ef");
    /// client.voice_out_trunk_regenerate_credentials().create(rotation).await?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn with_idempotency_key(&self, key: IdempotencyKey) -> Self {
        Self { parts: Arc::clone(&self.parts), key: Some(key) }
    }

    pub(crate) fn from_parts(parts: Parts) -> Self {
        Self { parts: Arc::new(parts), key: None }
    }

    /// The operations of the resource `R`.
    pub fn api<R: Resource>(&self) -> Api<R> {
        Api::new(self.clone())
    }

    /// Creates a request for a resource that this crate does not declare. A program can also declare such a resource
    /// itself: see [`derive@didww_types::Resource`].
    /// `path` is relative to the base URL,
    /// begins with a slash and is percent-encoded, such as `/pops`.
    pub fn raw(&self, method: Method, path: &str) -> RawRequest {
        RawRequest::new(self.clone(), method, path)
    }

    /// The base URL without a slash at its end.
    pub fn base_url(&self) -> &str {
        self.parts.channel.base().as_str()
    }

    /// The API version that requests ask for.
    pub fn api_version(&self) -> ApiVersion {
        self.parts.version
    }

    /// The time limit of one attempt.
    pub(crate) fn timeout(&self) -> Duration {
        self.parts.channel.timeout()
    }

    /// Sends a request with retries, and returns a response with a 2xx status or an error.
    pub(crate) async fn execute(&self, request: &Request) -> Result<Response, Error> {
        let span = client_core::request_span!(
            "didww",
            "didww.attempts",
            "didww.request_id",
            request.method,
            request.template(),
            request.path,
        );
        self.send(request).instrument(span).await
    }

    async fn send(&self, request: &Request) -> Result<Response, Error> {
        let url = request.url(self.parts.channel.base())?;
        if self.parts.read_only && !matches!(request.method, Method::GET | Method::HEAD) {
            return Err(request.refused(Reason::ReadOnlyClient));
        }
        let credentials = &self.parts.credentials;
        let generated = match &self.key {
            Some(_) => None,
            None => self.parts.channel.generated_key(&request.method),
        };
        let key = self.key.as_ref().or(generated.as_ref());
        let send = async |token: Option<&Token>| {
            let outgoing = Outgoing {
                method: &request.method,
                url: &url,
                body: request.body.as_ref(),
                headers: (!request.headers.is_empty()).then_some(&request.headers),
                repeat: Repeatable::from(&request.method),
                key,
                authorization: token.map(|token| &token.value),
            };
            let response = self.parts.channel.send(outgoing).await;
            response.map_err(|error| Error::Transport(Box::new(error)))
        };
        let started = client_core::now();
        let token = credentials.token().await?;
        let mut response = send(token.as_ref()).await?;
        // A token can end before its time, for example because the service rotated its keys. A request that was refused
        // had no effect. A token that was minted for this request would be refused again, unless it ended while the
        // request waited.
        if response.status == StatusCode::UNAUTHORIZED
            && let Some(token) = token.filter(|token| token.has_ended() || !token.is_since(started))
        {
            credentials.refused(&token);
            let (attempts, unclear) = (response.exchange.attempts, response.unclear);
            response = send(credentials.token().await?.as_ref()).await?;
            response.exchange.attempts += attempts;
            response.unclear |= unclear;
        }
        self.conclude(response)
    }

    fn conclude(&self, response: Answered) -> Result<Response, Error> {
        let requested = self.parts.version;
        let status = response.status;
        // An earlier attempt deleted the record, and its response was lost.
        let is_deleted =
            response.exchange.method == Method::DELETE && response.unclear && status == StatusCode::NOT_FOUND;
        let Answered { exchange, body, .. } = match response {
            response if status.is_success() || is_deleted => response,
            refused => return Err(Refusal::read(refused).into_error()),
        };
        if is_deleted {
            return Ok(Response { exchange, status: StatusCode::NO_CONTENT, body: Bytes::new(), requested });
        }
        Ok(Response { exchange, status, body, requested })
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("base_url", &self.base_url())
            .field("api_version", &self.parts.version)
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
