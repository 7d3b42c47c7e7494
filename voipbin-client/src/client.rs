//! The client, which sends the requests of every endpoint.

use std::fmt;
use std::sync::Arc;

use client_core::{Answered, Backoff, Channel, IdempotencyKey, Outgoing, Unreadable};
use reqwest::Method;
use serde::de::DeserializeOwned;
use tracing::Instrument as _;
use wire_core::parse_json;

use crate::api::{Calls, OutboundConfigApi, OutboundConfigs, ProviderCalls, Providers, Routes};
use crate::raw::RawRequest;
use crate::request::Request;
use crate::{ClientBuilder, Error, Exchange, Refusal};

/// A client with the credentials of one user. It is cheap to clone; clones share connections, rate limit and
/// retry budget.
///
/// `Debug` does not print the credentials.
#[derive(Clone)]
pub struct Client {
    parts: Arc<Parts>,
    /// The key of the POST that this client is for.
    key: Option<IdempotencyKey>,
}

pub(crate) struct Parts {
    pub(crate) channel: Channel,
    pub(crate) poll: Backoff,
}

impl Client {
    /// Creates a builder for VoIPBIN's production environment. [`ClientBuilder::base_url`] selects another
    /// service.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::new()
    }

    /// Returns a client whose POSTs have this idempotency key, and are therefore retried as reads are: for one logical
    /// request, also one that was sent before a restart of the program. Connections, rate limit and retry budget are
    /// shared.
    ///
    /// Only for a service that knows the header `Idempotency-Key`, as `trunk-server` does. With
    /// [`ClientBuilder::idempotency_keys`] the client generates a key for each request.
    ///
    /// ```
    /// # async fn f(client: &voipbin_client::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// use voipbin_client::IdempotencyKey;
    /// use voipbin_client::types::CallCreate;
    ///
    /// let client = client.with_idempotency_key(IdempotencyKey::new("reminder-4711")?);
    /// client.calls().create(CallCreate::default()).await?;
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

    /// The outbound config of the credentials' own customer; for administrators of the customer.
    pub fn outbound_config(&self) -> OutboundConfigApi {
        OutboundConfigApi::new(self.clone())
    }

    /// The outbound configs of all customers; for administrators of the platform.
    pub fn outbound_configs(&self) -> OutboundConfigs {
        OutboundConfigs::new(self.clone())
    }

    /// The carriers through which the platform sends calls; for administrators of the platform.
    pub fn providers(&self) -> Providers {
        Providers::new(self.clone())
    }

    /// The routes, which assign calls to providers; for administrators of the platform.
    pub fn routes(&self) -> Routes {
        Routes::new(self.clone())
    }

    /// The calls through one provider; for administrators of the platform.
    pub fn provider_calls(&self) -> ProviderCalls {
        ProviderCalls::new(self.clone())
    }

    /// The calls of the credentials' own customer.
    pub fn calls(&self) -> Calls {
        Calls::new(self.clone())
    }

    /// A request for an endpoint that this crate does not declare, with the client's credentials, retries,
    /// limits and errors. `path` is percent-encoded, begins with a slash and is relative to the base URL, such
    /// as `/flows`.
    ///
    /// ```
    /// # async fn f(client: &voipbin_client::Client) -> Result<(), voipbin_client::Error> {
    /// use voipbin_client::Method;
    ///
    /// let flows = client.raw(Method::GET, "/flows").query("page_size", "10").await?.json()?;
    /// println!("{}", flows["result"][0]["name"]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn raw(&self, method: Method, path: &str) -> RawRequest {
        RawRequest::new(self.clone(), method, path)
    }

    /// The base URL without a slash at its end.
    pub fn base_url(&self) -> &str {
        self.channel().base().as_str()
    }

    pub(crate) fn channel(&self) -> &Channel {
        &self.parts.channel
    }

    /// The idempotency key of the requests of this handle.
    pub(crate) fn key(&self) -> Option<&IdempotencyKey> {
        self.key.as_ref()
    }

    pub(crate) fn poll(&self) -> Backoff {
        self.parts.poll
    }

    /// Sends a request and decodes the body of a 2xx response.
    pub(crate) async fn fetch<T: DeserializeOwned>(&self, request: &Request) -> Result<T, Error> {
        Ok(fetch(self.channel(), request, self.key.as_ref()).await?.0)
    }

    /// Like [`fetch`](Self::fetch), but also returns the description of the request for errors.
    pub(crate) async fn fetch_with_exchange<T: DeserializeOwned>(
        &self,
        request: &Request,
    ) -> Result<(T, Exchange), Error> {
        fetch(self.channel(), request, self.key.as_ref()).await
    }
}

/// Sends a request with retries, and decodes the body of a 2xx response.
pub(crate) async fn fetch<T: DeserializeOwned>(
    channel: &Channel,
    request: &Request,
    key: Option<&IdempotencyKey>,
) -> Result<(T, Exchange), Error> {
    let Answered { exchange, body, .. } = send(channel, request, key).await?;
    match parse_json(&body) {
        Ok(value) => Ok((value, exchange)),
        Err(error) => Err(Error::Decode(Box::new(Unreadable::new(exchange, error)))),
    }
}

/// Sends a request with retries, and returns a 2xx response.
pub(crate) async fn send(
    channel: &Channel,
    request: &Request,
    key: Option<&IdempotencyKey>,
) -> Result<Answered, Error> {
    let span = client_core::request_span!(
        "voipbin",
        "voipbin.attempts",
        "voipbin.request_id",
        request.method,
        request.template,
        request.path,
    );
    let exchange = async {
        let url = request.url(channel.base())?;
        let outgoing = Outgoing {
            method: &request.method,
            url: &url,
            body: request.body.as_ref(),
            headers: None,
            repeat: request.repeat,
            key,
            authorization: None,
        };
        let response = channel.send(outgoing).await.map_err(|error| Error::Transport(Box::new(error)))?;
        if response.status.is_success() {
            return Ok(response);
        }
        let Answered { exchange, status, retry_after, body, .. } = response;
        Err(Refusal::read(exchange, status, &body).into_error(retry_after))
    };
    exchange.instrument(span).await
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("base_url", &self.base_url()).finish_non_exhaustive()
    }
}
