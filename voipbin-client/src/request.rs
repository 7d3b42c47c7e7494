//! Construction of requests, without I/O.

use client_core::{Body, Repeatable, url_below};
use reqwest::header::HeaderValue;
use reqwest::{Method, Url};
use serde::Serialize;
use serde_json::Value;
use url::form_urlencoded::Serializer;
use uuid::Uuid;

use crate::error::{NotSent, Reason};
use crate::{Error, Exchange};

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// A request, relative to the client's base URL.
#[derive(Clone)]
pub(crate) struct Request {
    pub(crate) method: Method,
    /// The path below the base URL, beginning with a slash.
    pub(crate) path: String,
    /// The path with `{id}` instead of the record's id, so that spans can be grouped by it.
    pub(crate) template: String,
    pub(crate) query: String,
    pub(crate) body: Option<Body>,
    pub(crate) repeat: Repeatable,
}

impl Request {
    /// A request for a path without ids, such as `/providers`.
    pub(crate) fn new(method: Method, path: &str) -> Self {
        Self {
            repeat: Repeatable::from(&method),
            method,
            path: path.to_owned(),
            template: path.to_owned(),
            query: String::new(),
            body: None,
        }
    }

    /// A request for one record of a collection.
    pub(crate) fn record(method: Method, collection: &str, id: Uuid) -> Self {
        Self::below(method, collection, id, "")
    }

    /// A request for a path below a record; `tail` is that path, such as `/hangup`.
    pub(crate) fn below(method: Method, collection: &str, id: Uuid, tail: &str) -> Self {
        Self {
            path: format!("{collection}/{id}{tail}"),
            template: format!("{collection}/{{id}}{tail}"),
            ..Self::new(method, "")
        }
    }

    /// Marks a POST as safe to retry.
    pub(crate) fn idempotent(self) -> Self {
        Self { repeat: Repeatable::Harmless, ..self }
    }

    /// Sets the query to these parameters, encoded, in place of any that it had.
    pub(crate) fn with_query(mut self, parameters: &[(&'static str, String)]) -> Self {
        self.query = Serializer::new(String::new()).extend_pairs(parameters).finish();
        self
    }

    /// Adds a parameter to the query.
    pub(crate) fn with_parameter(mut self, name: &str, value: &str) -> Self {
        self.query = Serializer::new(self.query).append_pair(name, value).finish();
        self
    }

    /// Sets a body that is JSON already.
    pub(crate) fn with_json(mut self, body: &Value) -> Self {
        self.body = Some(Body { media_type: JSON, bytes: body.to_string().into() });
        self
    }

    /// Sets the body to this value as JSON. A value that cannot be serialised is refused before anything is sent.
    pub(crate) fn with_body<T: Serialize>(mut self, body: &T) -> Result<Self, Error> {
        let bytes = serde_json::to_vec(body).map_err(|error| self.refused(Reason::Body(error)))?;
        self.body = Some(Body { media_type: JSON, bytes: bytes.into() });
        Ok(self)
    }

    /// The URL of the request below a base URL.
    pub(crate) fn url(&self, base: &Url) -> Result<Url, Error> {
        url_below(base, &self.path, &self.query).ok_or_else(|| self.refused(Reason::Path))
    }

    /// The error of this request when it is not sent.
    fn refused(&self, reason: Reason) -> Error {
        let exchange = Exchange::unsent(&self.method, self.path.as_str());
        Error::NotSent(Box::new(NotSent::request(exchange, reason)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_in_the_path_and_not_in_the_template() {
        let id = Uuid::from_u128(7);
        let request = Request::below(Method::POST, "/calls", id, "/hangup").with_query(&[
            ("page_token", "2026-04-21T23:15:00.000000Z".to_owned()),
            ("page_size", "2".to_owned()),
        ]);
        assert_eq!(request.template, "/calls/{id}/hangup");
        let base = "https://api.voipbin.net/v1.0".parse().unwrap();
        assert_eq!(
            request.url(&base).unwrap().as_str(),
            "https://api.voipbin.net/v1.0/calls/00000000-0000-0000-0000-000000000007/hangup\
             ?page_token=2026-04-21T23%3A15%3A00.000000Z&page_size=2"
        );
    }

    #[test]
    fn only_a_post_that_is_not_marked_idempotent_counts_as_creating() {
        let repeat = |method| Request::new(method, "/x").repeat;
        assert_eq!(repeat(Method::POST), Repeatable::Creates);
        assert_eq!(repeat(Method::PUT), Repeatable::Harmless);
        assert_eq!(Request::new(Method::POST, "/x").idempotent().repeat, Repeatable::Harmless);
    }
}
