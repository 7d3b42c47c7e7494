//! The response to a request for a resource that this crate does not declare.

use std::fmt;

use bytes::Bytes;
use didww_types::{DecodeError, Document};
use reqwest::StatusCode;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::response::Response;
use crate::{Error, Exchange};

/// A response with a 2xx status. `Debug` does not print the body.
pub struct RawAnswer(pub(crate) Response);

impl RawAnswer {
    /// The HTTP status of the response.
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// The request, with its id and the number of attempts.
    pub fn exchange(&self) -> &Exchange {
        &self.0.exchange
    }

    /// The body as received; empty for a response without one.
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
    /// [`ResourceObject`](didww_types::ResourceObject) or a list of them. Members of `meta` and `links` that this crate
    /// does not know are in their `extra`.
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
