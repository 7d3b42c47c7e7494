//! What a client is told when it does not get what it asked for.

use didww_types::{ErrorCode, ErrorDocument, ErrorObject};
use http::StatusCode;
use trunk_rules::domain::Refusal;

use crate::store::StoreError;

const TOO_MANY_REQUESTS: &str = r#"{"errors":[{"status":"429","detail":"Too Many Requests"}]}"#;

/// A refused request: what is sent, and what the log says beyond it.
#[derive(Debug)]
pub(crate) struct Refused {
    /// The errors; the first one's status is the answer's.
    pub errors: Vec<ErrorObject>,
    /// What the operator may know and the client may not.
    pub internal: Option<String>,
}

impl Refused {
    /// One error.
    pub(crate) fn one(error: ErrorObject) -> Self {
        Self { errors: vec![error], internal: None }
    }

    /// One error with title and detail.
    pub(crate) fn new(code: ErrorCode, title: &str, detail: impl Into<String>) -> Self {
        Self::one(ErrorObject::new(code, title, detail))
    }

    /// An attribute, relationship or member that may not be sent here.
    pub(crate) fn param(name: &str) -> Self {
        Self::new(ErrorCode::ParamNotAllowed, "Param not allowed", format!("{name} is not allowed."))
    }

    /// The record is not there, or belongs to another account.
    pub(crate) fn not_found(id: &str) -> Self {
        Self::new(
            ErrorCode::NotFound,
            "Record not found",
            format!("The record identified by {id} could not be found."),
        )
    }

    /// There is no such path, or it has no such verb.
    pub(crate) fn no_route() -> Self {
        Self::new(ErrorCode::NotFound, "Not Found", "Not Found")
    }

    /// The server failed; why is for the operator alone.
    pub(crate) fn internal(why: impl Into<String>) -> Self {
        let text = "Internal Server Error";
        Self { internal: Some(why.into()), ..Self::new(ErrorCode::Internal, text, text) }
    }

    /// The server is full; the client may try again.
    pub(crate) fn busy(why: impl Into<String>) -> Self {
        Self {
            internal: Some(why.into()),
            ..Self::new(ErrorCode::Unavailable, "Service Unavailable", "Try again later.")
        }
    }

    /// Status of the answer.
    pub(crate) fn status(&self) -> StatusCode {
        let status = self.errors.first().and_then(|error| error.status.as_deref()?.parse().ok());
        status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// The answer's body.
    pub(crate) fn body(&self) -> String {
        if self.status() == StatusCode::TOO_MANY_REQUESTS {
            // The one recorded answer whose members stand in another order.
            return TOO_MANY_REQUESTS.to_owned();
        }
        let document = ErrorDocument { errors: self.errors.clone() };
        // The document holds texts and nothing that could fail to be written.
        serde_json::to_string(&document).unwrap_or_default()
    }
}

impl From<Vec<Refusal>> for Refused {
    fn from(refusals: Vec<Refusal>) -> Self {
        let internal: Vec<String> = refusals.iter().map(ToString::to_string).collect();
        Self { errors: refusals.iter().map(Refusal::to_error).collect(), internal: Some(internal.join("; ")) }
    }
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::Overloaded
            | StoreError::Full
            | StoreError::Conflict
            | StoreError::Crowded
            | StoreError::TooLong => Self::busy(error.to_string()),
            StoreError::TooLarge(what) => {
                let detail = format!("The answer would hold {what}; ask for fewer records with page[size].");
                Self::new(ErrorCode::InvalidPageValue, "Invalid page value", detail)
            }
            StoreError::Quota { kind, most } => {
                let detail = format!("The account has {most} {kind}, as many as it may have.");
                Self::new(ErrorCode::Validation, "Quota exceeded", detail)
            }
            _ => Self::internal(error.to_string()),
        }
    }
}
