//! Requests for resources that this crate does not declare, with the API key, retries, limits and errors of
//! the client.

use std::fmt;
use std::pin::Pin;

use bytes::Bytes;
use didww_types::{DecodeError, Document, encode_component};
use reqwest::{Method, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::request::Request;
use crate::response::Response;
use crate::{Client, Error, Exchange};

/// A request with a path of the caller's choice. Await it, or call [`send`](Self::send).
///
/// ```
/// # async fn f(client: &didww_client::Client) -> Result<(), didww_client::Error> {
/// use didww_client::Method;
///
/// let pops = client.raw(Method::GET, "/pops").query("sort", "name").await?.json()?;
/// println!("{}", pops["data"][0]["attributes"]["name"]);
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
        Self { client, request: Request::raw(method, path) }
    }

    /// Adds a query parameter. Name and value are percent-encoded by this method.
    pub fn query(mut self, name: &str, value: &str) -> Self {
        if !self.request.query.is_empty() {
            self.request.query.push('&');
        }
        self.request.query.push_str(&encode_component(name));
        self.request.query.push('=');
        self.request.query.push_str(&encode_component(value));
        self
    }

    /// Sets the JSON body, with the media type `application/vnd.api+json`.
    pub fn body(mut self, body: &Value) -> Self {
        self.request = self.request.with_body(body);
        self
    }

    /// Sends the request. As with declared resources, a POST is retried only when it cannot have taken
    /// effect.
    ///
    /// # Errors
    /// Returns an error for a status outside 2xx.
    pub async fn send(self) -> Result<RawAnswer, Error> {
        Ok(RawAnswer(self.client.execute(&self.request).await?))
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
pub struct RawAnswer(Response);

impl RawAnswer {
    /// The HTTP status of the response.
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// The request, with its id and the number of attempts.
    pub fn exchange(&self) -> &Exchange {
        &self.0.exchange
    }

    /// The body as received.
    pub fn bytes(&self) -> &Bytes {
        &self.0.body
    }

    /// Decodes the body as JSON.
    ///
    /// # Errors
    /// Returns [`Error::Decode`] when the body is not JSON.
    pub fn json(&self) -> Result<Value, Error> {
        serde_json::from_slice(&self.0.body)
            .map_err(|error| Error::decode(&self.0.exchange, DecodeError::new(".", error)))
    }

    /// Decodes the body as a JSON:API document whose primary data is `T`, such as a
    /// [`ResourceObject`](didww_types::ResourceObject) or a list of them.
    ///
    /// # Errors
    /// Returns [`Error::Decode`] with the path when the body does not have this shape.
    pub fn document<T: DeserializeOwned>(&self) -> Result<Document<T>, Error> {
        self.0.document()
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
