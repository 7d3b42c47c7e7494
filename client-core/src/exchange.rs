//! What is told of a request: enough to find it in a log, nothing that must stay secret.

use std::fmt;

use reqwest::Method;

/// A request, named without its query, headers or body.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Exchange {
    /// The method.
    pub method: Method,
    /// The path, such as `/v3/dids`. It may hold ids.
    pub path: String,
    /// The service's own name for the request (`x-request-id`), which its support asks for.
    pub request_id: Option<String>,
    /// How often it was sent.
    pub attempts: u32,
}

impl Exchange {
    /// One that has not been sent.
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
