//! Requests for endpoints that this crate does not declare, with the credentials, retries, limits and errors of
//! the client.

use std::fmt;
use std::pin::Pin;

use bytes::Bytes;
use client_core::{Answered, Unreadable};
use reqwest::{Method, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::Value;
use wire_core::parse_json;

use crate::request::Request;
use crate::{Client, Error, Exchange, client};

/// A request with a path of the caller's choice. Await it, or call [`send`](Self::send).
///
/// ```
/// # async fn f(client: &voipbin_client::Client) -> Result<(), voipbin_client::Error> {
/// use voipbin_client::Method;
///
/// let body = serde_json::json!({"name": "greeting", "actions": [{"type": "answer"}]});
/// let flow = client.raw(Method::POST, "/flows").body(&body).await?.json()?;
/// println!("{}", flow["id"]);
/// # Ok(())
/// # }
/// ```
#[must_use = "nothing is sent until it is awaited"]
pub struct RawRequest {
    client: Client,
    request: Request,
}

impl RawRequest {
    pub(crate) fn new(client: Client, method: Method, path: &str) -> Self {
        Self { client, request: Request::new(method, path) }
    }

    /// Adds a query parameter. Name and value are percent-encoded by this method.
    pub fn query(mut self, name: &str, value: &str) -> Self {
        self.request = self.request.with_parameter(name, value);
        self
    }

    /// Sets the JSON body, with the media type `application/json`.
    pub fn body(mut self, body: &Value) -> Self {
        self.request = self.request.with_json(body);
        self
    }

    /// Sends the request. As with declared endpoints, a POST is retried only when it cannot have taken effect.
    ///
    /// # Errors
    /// Returns an error for a status outside 2xx, and [`Error::NotSent`] for a path that is not valid below the
    /// base URL.
    pub async fn send(self) -> Result<RawAnswer, Error> {
        Ok(RawAnswer(client::send(self.client.channel(), &self.request, self.client.key()).await?))
    }
}

impl IntoFuture for RawRequest {
    type Output = Result<RawAnswer, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}

impl fmt::Debug for RawRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawRequest")
            .field("method", &self.request.method)
            .field("path", &self.request.path)
            .finish_non_exhaustive()
    }
}

/// A response with a 2xx status. `Debug` does not print the body.
pub struct RawAnswer(Answered);

impl RawAnswer {
    /// The HTTP status of the response.
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// The request, with its id and the number of attempts.
    pub fn exchange(&self) -> &Exchange {
        &self.0.exchange
    }

    /// The body as received; empty for some endpoints, such as that which speaks a text on a call.
    pub fn bytes(&self) -> &Bytes {
        &self.0.body
    }

    /// Decodes the body as JSON.
    ///
    /// # Errors
    /// Returns [`Error::Decode`] when the body is not JSON.
    pub fn json(&self) -> Result<Value, Error> {
        self.decode()
    }

    /// Decodes the body as `T`, such as a [`Page`](crate::types::Page) of the caller's own records.
    ///
    /// # Errors
    /// Returns [`Error::Decode`] with the path when the body does not have this shape.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, Error> {
        let error = |error| Error::Decode(Box::new(Unreadable::new(self.0.exchange.clone(), error)));
        parse_json(&self.0.body).map_err(error)
    }
}

impl fmt::Debug for RawAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawAnswer")
            .field("exchange", &self.0.exchange)
            .field("status", &self.0.status)
            .finish_non_exhaustive()
    }
}
