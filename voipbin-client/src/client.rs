//! The client: what its clones share, and the way of every request.

use std::fmt;
use std::sync::Arc;

use client_core::{Answered, Backoff, Channel, Outgoing, Unreadable};
use serde::de::DeserializeOwned;
use tracing::Instrument as _;
use wire_core::parse_json;

use crate::api::{Calls, OutboundConfigApi, OutboundConfigs, ProviderCalls, Providers, Routes};
use crate::request::Request;
use crate::{ClientBuilder, Error, Exchange, Refusal};

/// A client of one caller, cheap to clone. Clones share connections, rate limit and retry budget.
///
/// `Debug` shows no credentials.
#[derive(Clone)]
pub struct Client(Arc<Parts>);

pub(crate) struct Parts {
    pub(crate) channel: Channel,
    pub(crate) poll: Backoff,
}

impl Client {
    /// Begins a client of VoIPBIN's own service; [`ClientBuilder::base_url`] names another.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::new()
    }

    pub(crate) fn from_parts(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    /// What the caller's own customer may call.
    pub fn outbound_config(&self) -> OutboundConfigApi {
        OutboundConfigApi::new(self.clone())
    }

    /// What each customer may call; for the platform's administrators.
    pub fn outbound_configs(&self) -> OutboundConfigs {
        OutboundConfigs::new(self.clone())
    }

    /// Carriers; for the platform's administrators.
    pub fn providers(&self) -> Providers {
        Providers::new(self.clone())
    }

    /// Which provider takes which calls; for the platform's administrators.
    pub fn routes(&self) -> Routes {
        Routes::new(self.clone())
    }

    /// Calls through one provider; for the platform's administrators.
    pub fn provider_calls(&self) -> ProviderCalls {
        ProviderCalls::new(self.clone())
    }

    /// Calls.
    pub fn calls(&self) -> Calls {
        Calls::new(self.clone())
    }

    /// The base URL.
    pub fn base_url(&self) -> &str {
        self.channel().base().as_str()
    }

    pub(crate) fn channel(&self) -> &Channel {
        &self.0.channel
    }

    pub(crate) fn poll(&self) -> Backoff {
        self.0.poll
    }

    /// Sends, and reads what a success says.
    pub(crate) async fn fetch<T: DeserializeOwned>(&self, request: &Request) -> Result<T, Error> {
        Ok(fetch(self.channel(), request).await?.0)
    }

    /// Sends, and reads what a success says.
    pub(crate) async fn fetch_told<T: DeserializeOwned>(
        &self,
        request: &Request,
    ) -> Result<(T, Exchange), Error> {
        fetch(self.channel(), request).await
    }
}

/// Sends until there is an answer to take or an error to give.
pub(crate) async fn fetch<T: DeserializeOwned>(
    channel: &Channel,
    request: &Request,
) -> Result<(T, Exchange), Error> {
    let span = client_core::request_span!(
        "voipbin",
        "voipbin.attempts",
        "voipbin.request_id",
        request.method,
        request.template,
        request.path,
    );
    let work = async {
        let url = request.url(channel.base())?;
        let outgoing = Outgoing {
            method: &request.method,
            url: &url,
            body: request.body.as_ref(),
            repeat: request.repeat,
        };
        let answered = channel.send(outgoing).await.map_err(|error| Error::Transport(Box::new(error)))?;
        let Answered { exchange, status, retry_after, body, .. } = answered;
        if !status.is_success() {
            return Err(Refusal::read(exchange, status, &body).into_error(retry_after));
        }
        match parse_json(&body) {
            Ok(value) => Ok((value, exchange)),
            Err(error) => Err(Error::Decode(Box::new(Unreadable::new(exchange, error)))),
        }
    };
    work.instrument(span).await
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("base_url", &self.base_url()).finish_non_exhaustive()
    }
}
