//! What a client is told when it does not get what it asked for.

use didww_types::{ErrorCode, ErrorDocument, ErrorObject};
use http::StatusCode;
use trunk_rules::domain::Refusal;

use trunk_store::StoreError;

const TOO_MANY_REQUESTS: &str = r#"{"errors":[{"status":"429","detail":"Too Many Requests"}]}"#;

/// A refused request: what is sent, and what the log says beyond it.
#[derive(Debug)]
pub(crate) struct Refused {
    /// The errors; the first one's status is the answer's.
    pub errors: Vec<ErrorObject>,
    /// What the operator may know and the client may not.
    pub internal: Option<String>,
    /// How long a 503 lasts, and who logs it.
    pub lasts: Lasts,
}

/// How long it lasts that requests are refused for want of something, and who logs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lasts {
    /// It passes, and each request that meets it is logged.
    Briefly,
    /// It passes, and the store logs it once and summed.
    UntilRoom,
    /// It lasts until the server is started again; the store has logged it.
    UntilRestart,
}

impl Refused {
    /// One error.
    pub(crate) fn one(error: ErrorObject) -> Self {
        Self::all(vec![error])
    }

    /// Errors.
    pub(crate) fn all(errors: Vec<ErrorObject>) -> Self {
        Self { errors, internal: None, lasts: Lasts::Briefly }
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

    /// No write is taken until the server is started again.
    fn ended(why: &str) -> Self {
        Self {
            internal: Some(why.to_owned()),
            lasts: Lasts::UntilRestart,
            ..Self::new(ErrorCode::Unavailable, "Service Unavailable", why)
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
        let errors = refusals.iter().map(Refusal::to_error).collect();
        Self { internal: Some(internal.join("; ")), ..Self::all(errors) }
    }
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::Full => Self { lasts: Lasts::UntilRoom, ..Self::busy(error.to_string()) },
            StoreError::Overloaded | StoreError::Conflict | StoreError::Crowded | StoreError::TooLong => {
                Self::busy(error.to_string())
            }
            StoreError::Ended => Self::ended("No writes are taken until the server is started again."),
            StoreError::Unknown => Self::ended(
                "Whether the request was done is not known, and no writes are taken any more. Read before you repeat it.",
            ),
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
