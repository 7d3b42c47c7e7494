//! The client, which sends the requests of every resource.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use client_core::{Answered, Channel, Outgoing, Repeatable};
use didww_types::{ApiVersion, Resource, Secret};
use reqwest::{Method, StatusCode};
use tracing::Instrument as _;

use crate::api::Api;
use crate::builder::{ClientBuilder, PRODUCTION, SANDBOX};
use crate::raw::RawRequest;
use crate::request::Request;
use crate::response::Response;
use crate::{Error, Refusal};

/// A client of one account. It is cheap to clone; clones share connections, rate limit and retry budget.
///
/// `Debug` does not print the API key.
#[derive(Clone)]
pub struct Client(Arc<Parts>);

pub(crate) struct Parts {
    pub(crate) channel: Channel,
    pub(crate) version: ApiVersion,
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

    pub(crate) fn from_parts(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    /// The operations of the resource `R`.
    pub fn api<R: Resource>(&self) -> Api<R> {
        Api::new(self.clone())
    }

    /// Creates a request for a resource that this crate does not declare. `path` is relative to the base URL,
    /// begins with a slash and is percent-encoded, such as `/pops`.
    pub fn raw(&self, method: Method, path: &str) -> RawRequest {
        RawRequest::new(self.clone(), method, path)
    }

    /// The base URL without a slash at its end.
    pub fn base_url(&self) -> &str {
        self.0.channel.base().as_str()
    }

    /// The API version that requests ask for.
    pub fn api_version(&self) -> ApiVersion {
        self.0.version
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
        let exchange = async {
            let url = request.url(self.0.channel.base())?;
            let repeat = Repeatable::from(&request.method);
            let outgoing =
                Outgoing { method: &request.method, url: &url, body: request.body.as_ref(), repeat };
            let response = self.0.channel.send(outgoing).await;
            self.conclude(response.map_err(|error| Error::Transport(Box::new(error)))?)
        };
        exchange.instrument(span).await
    }

    fn conclude(&self, response: Answered) -> Result<Response, Error> {
        let Answered { exchange, status, retry_after, body, unclear } = response;
        let requested = self.0.version;
        if status.is_success() {
            return Ok(Response { exchange, status, body, requested });
        }
        // An earlier attempt deleted the record, and its response was lost.
        if exchange.method == Method::DELETE && unclear && status == StatusCode::NOT_FOUND {
            return Ok(Response { exchange, status: StatusCode::NO_CONTENT, body: Bytes::new(), requested });
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
