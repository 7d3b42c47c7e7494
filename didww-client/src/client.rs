//! The client: what its clones share, and the way of every request.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use client_core::{Answered, Channel, Outgoing, Repeatable};
use didww_types::resources::{Did, VoiceOutTrunk, VoiceOutTrunkRegenerateCredentials};
use didww_types::{ApiVersion, Resource, Secret};
use reqwest::{Method, StatusCode};
use tracing::Instrument as _;

use crate::answer::Answer;
use crate::api::Api;
use crate::builder::{ClientBuilder, PRODUCTION, SANDBOX};
use crate::raw::RawRequest;
use crate::request::Request;
use crate::{Error, Refusal};

/// A client of one account, cheap to clone. Clones share connections, rate limit and retry budget.
///
/// `Debug` shows no key.
#[derive(Clone)]
pub struct Client(Arc<Parts>);

pub(crate) struct Parts {
    pub(crate) channel: Channel,
    pub(crate) version: ApiVersion,
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
        self.0.channel.base().as_str()
    }

    /// The API version that is asked for.
    pub fn api_version(&self) -> ApiVersion {
        self.0.version
    }

    /// Sends until there is an answer to take or an error to give.
    pub(crate) async fn execute(&self, request: &Request) -> Result<Answer, Error> {
        let span = client_core::request_span!(
            "didww",
            "didww.attempts",
            "didww.request_id",
            request.method,
            request.template(),
            request.path,
        );
        let work = async {
            let url = request.url(self.0.channel.base())?;
            let repeat = Repeatable::from(&request.method);
            let outgoing =
                Outgoing { method: &request.method, url: &url, body: request.body.as_ref(), repeat };
            let answered = self.0.channel.send(outgoing).await;
            self.conclude(answered.map_err(|error| Error::Transport(Box::new(error)))?)
        };
        work.instrument(span).await
    }

    fn conclude(&self, answered: Answered) -> Result<Answer, Error> {
        let Answered { exchange, status, retry_after, body, unclear } = answered;
        let asked = self.0.version;
        if status.is_success() {
            return Ok(Answer { exchange, status, body, asked });
        }
        // An earlier attempt did it, though its answer was lost.
        if exchange.method == Method::DELETE && unclear && status == StatusCode::NOT_FOUND {
            return Ok(Answer { exchange, status: StatusCode::NO_CONTENT, body: Bytes::new(), asked });
        }
        Err(Refusal::read(exchange, status, &body).into_error(retry_after))
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
