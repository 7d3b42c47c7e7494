//! The description of a request in errors: enough to find it in a log, and nothing secret.

use std::fmt;

use reqwest::Method;

/// A request as errors name it: without query, headers and body, which may hold secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Exchange {
    /// The HTTP method, such as `GET` or `PATCH`.
    pub method: Method,
    /// The path, such as `/v3/dids`. It may contain ids.
    pub path: String,
    /// The `x-request-id` of the response, by which the service's support finds the request.
    pub request_id: Option<String>,
    /// The number of attempts; 0 when the request was not sent.
    pub attempts: u32,
}

impl Exchange {
    /// Describes a request that has not been sent.
    pub fn unsent(method: &Method, path: impl Into<String>) -> Self {
        Self { method: method.clone(), path: path.into(), request_id: None, attempts: 0 }
    }
}

impl fmt::Display for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.path)?;
        if let Some(id) = &self.request_id {
            write!(f, " (request {id})")?;
        }
        if self.attempts > 1 {
            write!(f, " after {} attempts", self.attempts)?;
        }
        Ok(())
    }
}
