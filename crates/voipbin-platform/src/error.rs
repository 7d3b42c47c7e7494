//! What the platform says when it refuses: one envelope, and the catalogue of what goes into it.

use std::borrow::Cow;

use http::StatusCode;
use serde_json::{Value, json};

use trunk_store::StoreError;

/// A refusal. Nothing was changed.
#[derive(Debug, Clone, PartialEq)]
pub struct ApiError {
    pub status: Status,
    pub reason: &'static str,
    pub message: Cow<'static, str>,
    pub details: Vec<Value>,
    /// When it may be tried again, in whole seconds.
    pub retry_after: Option<u64>,
}

/// The canonical status, which decides the HTTP status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    InvalidArgument,
    Unauthenticated,
    PaymentRequired,
    PermissionDenied,
    NotFound,
    FailedPrecondition,
    ResourceExhausted,
    Unavailable,
    Internal,
}

impl Status {
    fn text(self) -> &'static str {
        match self {
            Self::InvalidArgument => "INVALID_ARGUMENT",
            Self::Unauthenticated => "UNAUTHENTICATED",
            Self::PaymentRequired => "PAYMENT_REQUIRED",
            Self::PermissionDenied => "PERMISSION_DENIED",
            Self::NotFound => "NOT_FOUND",
            Self::FailedPrecondition => "FAILED_PRECONDITION",
            Self::ResourceExhausted => "RESOURCE_EXHAUSTED",
            Self::Unavailable => "UNAVAILABLE",
            Self::Internal => "INTERNAL",
        }
    }

    fn http(self) -> StatusCode {
        match self {
            Self::InvalidArgument => StatusCode::BAD_REQUEST,
            Self::Unauthenticated => StatusCode::UNAUTHORIZED,
            Self::PaymentRequired => StatusCode::PAYMENT_REQUIRED,
            Self::PermissionDenied => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::FailedPrecondition => StatusCode::CONFLICT,
            Self::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl ApiError {
    pub fn new(status: Status, reason: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self { status, reason, message: message.into(), details: Vec::new(), retry_after: None }
    }

    pub fn http_status(&self) -> StatusCode {
        self.status.http()
    }

    /// The body, with its keys in the order of the alphabet.
    pub fn body(&self, request_id: &str) -> Value {
        let mut error = json!({
            "message": self.message,
            "reason": self.reason,
            "request_id": request_id,
            "status": self.status.text(),
        });
        if let (false, Some(object)) = (self.details.is_empty(), error.as_object_mut()) {
            object.insert("details".to_owned(), Value::Array(self.details.clone()));
        }
        json!({ "error": error })
    }

    pub fn authentication_required() -> Self {
        Self::new(Status::Unauthenticated, "AUTHENTICATION_REQUIRED", "Authentication is required.")
    }

    pub fn invalid_credentials() -> Self {
        Self::new(Status::Unauthenticated, "INVALID_CREDENTIALS", "The provided credentials are invalid.")
    }

    pub fn permission_denied() -> Self {
        let message = "You do not have permission to access this resource.";
        Self::new(Status::PermissionDenied, "PERMISSION_DENIED", message)
    }

    pub fn direct_access() -> Self {
        let message = "Direct access is not supported for this endpoint.";
        Self::new(Status::PermissionDenied, "DIRECT_ACCESS_NOT_SUPPORTED", message)
    }

    pub fn identity_verification() -> Self {
        let message = "Customer identity verification is required for this operation.";
        Self::new(Status::PermissionDenied, "IDENTITY_VERIFICATION_REQUIRED", message)
    }

    pub fn invalid_json() -> Self {
        Self::new(Status::InvalidArgument, "INVALID_JSON_BODY", "The request body is not valid JSON.")
    }

    pub fn invalid_id() -> Self {
        Self::new(Status::InvalidArgument, "INVALID_ID", "The provided id is not a valid UUID.")
    }

    pub fn invalid_parameter(name: &str) -> Self {
        let message = format!("The parameter \"{name}\" has an invalid format.");
        Self::new(Status::InvalidArgument, "INVALID_REQUEST_PARAMETER", message)
    }

    /// An argument that is not right; the text says what would be.
    pub fn invalid_argument(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Status::InvalidArgument, "INVALID_ARGUMENT", message)
    }

    pub fn invalid_data() -> Self {
        Self::invalid_argument("The request contains invalid data.")
    }

    pub fn insufficient_balance() -> Self {
        let message = "Customer balance is below the minimum required for this operation.";
        Self::new(Status::PaymentRequired, "INSUFFICIENT_BALANCE", message)
    }

    pub fn not_found() -> Self {
        Self::new(Status::NotFound, "RESOURCE_NOT_FOUND", "The requested resource was not found.")
    }

    pub fn no_endpoint() -> Self {
        Self::new(Status::NotFound, "ROUTE_NOT_FOUND", "The requested endpoint does not exist.")
    }

    pub fn state_invalid() -> Self {
        let message = "The operation is invalid for the current resource state.";
        Self::new(Status::FailedPrecondition, "STATE_INVALID", message)
    }

    pub fn unavailable() -> Self {
        let message = "An upstream service is temporarily unavailable.";
        Self::new(Status::Unavailable, "SERVICE_UNAVAILABLE", message)
    }

    fn internal() -> Self {
        Self::new(Status::Internal, "INTERNAL", "An internal error occurred.")
    }

    /// Too many requests; `limited_by` says whose.
    pub fn rate_limited(limited_by: &str, retry_after: u64) -> Self {
        let message = "Too many requests. Please try again later.";
        Self {
            details: vec![json!({ "limited_by": limited_by })],
            retry_after: Some(retry_after),
            ..Self::new(Status::ResourceExhausted, "RATE_LIMIT_EXCEEDED", message)
        }
    }
}

impl ApiError {
    /// A customer has as many calls as it may have, or would have with those that it asks for.
    pub fn too_many_calls(most: usize) -> Self {
        let message = format!("At most {most} calls of a customer can be up or under way at once.");
        Self {
            retry_after: Some(1),
            ..Self::new(Status::ResourceExhausted, "RESOURCE_LIMIT_EXCEEDED", message)
        }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            // Somebody was quicker, with the same: what it is now is another question.
            StoreError::Taken(_) | StoreError::Conflict => Self::state_invalid(),
            StoreError::Overloaded | StoreError::Full | StoreError::Crowded | StoreError::TooLong => {
                Self { retry_after: Some(1), ..Self::unavailable() }
            }
            // Not to be tried again; the store has logged it.
            StoreError::Ended | StoreError::Unknown => {
                Self { message: error.to_string().into(), ..Self::unavailable() }
            }
            error => {
                tracing::error!(%error, "a request of the communication platform failed in the store");
                Self::internal()
            }
        }
    }
}
