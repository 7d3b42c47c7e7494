//! The errors of the platform's API: one JSON envelope, and the catalogue of statuses, reasons and messages.

use std::borrow::Cow;

use http::StatusCode;
use http_listener::Recovery;
use serde_json::{Value, json};
use service_core::AttemptError;
use trunk_store::StoreError;

/// The result of an operation: the JSON text of a response with status 200, or an error.
pub(crate) type ApiResult = Result<String, ApiError>;

/// An error response. Unless its message states otherwise, the request changed nothing.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ApiError {
    /// The canonical status, from which the HTTP status follows.
    pub(crate) status: Status,
    /// The reason code, for programs.
    pub(crate) reason: &'static str,
    /// The message, whose text programs should not depend on.
    pub(crate) message: Cow<'static, str>,
    /// The objects of `details`, which the body leaves out when there are none.
    pub(crate) details: Vec<Value>,
    /// The value of `Retry-After`, in seconds.
    pub(crate) retry_after: Option<u64>,
    /// A cause for the log, which the client does not see.
    pub(crate) cause: Option<Cow<'static, str>>,
}

/// A canonical status of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    InvalidArgument,
    Unauthenticated,
    PaymentRequired,
    PermissionDenied,
    NotFound,
    FailedPrecondition,
    ResourceExhausted,
    Unavailable,
    Internal,
    /// An idempotency key with another request. The API has no status of its own for 422.
    Unprocessable,
}

impl Status {
    fn text(self) -> &'static str {
        match self {
            Self::InvalidArgument | Self::Unprocessable => "INVALID_ARGUMENT",
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
            Self::Unprocessable => StatusCode::UNPROCESSABLE_ENTITY,
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
    /// Creates an error without details, without a wait and without a cause for the log.
    pub(crate) fn new(status: Status, reason: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self { status, reason, message: message.into(), details: Vec::new(), retry_after: None, cause: None }
    }

    /// Adds a cause for the log.
    pub(crate) fn because(self, cause: impl Into<Cow<'static, str>>) -> Self {
        Self { cause: Some(cause.into()), ..self }
    }

    /// The HTTP status of the response.
    pub(crate) fn http_status(&self) -> StatusCode {
        self.status.http()
    }

    /// An error with the status that is nearest to a status of HTTP, for an injected fault.
    pub(crate) fn nearest_to(status: StatusCode) -> Self {
        let (status, reason) = match status {
            StatusCode::UNAUTHORIZED => (Status::Unauthenticated, "INVALID_CREDENTIALS"),
            StatusCode::PAYMENT_REQUIRED => (Status::PaymentRequired, "INSUFFICIENT_BALANCE"),
            StatusCode::FORBIDDEN => (Status::PermissionDenied, "PERMISSION_DENIED"),
            StatusCode::NOT_FOUND => (Status::NotFound, "RESOURCE_NOT_FOUND"),
            StatusCode::CONFLICT => (Status::FailedPrecondition, "STATE_INVALID"),
            StatusCode::TOO_MANY_REQUESTS => (Status::ResourceExhausted, "RATE_LIMIT_EXCEEDED"),
            StatusCode::SERVICE_UNAVAILABLE => (Status::Unavailable, "SERVICE_UNAVAILABLE"),
            other if other.is_server_error() => (Status::Internal, "INTERNAL_ERROR"),
            _ => (Status::InvalidArgument, "INVALID_REQUEST_PARAMETER"),
        };
        Self::new(status, reason, "The request was refused on purpose.")
    }

    /// The body of the response, with its keys in alphabetical order.
    pub(crate) fn body(&self, request_id: &str) -> Value {
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

    /// The request has no credential.
    pub(crate) fn authentication_required() -> Self {
        Self::new(Status::Unauthenticated, "AUTHENTICATION_REQUIRED", "Authentication is required.")
    }

    /// The credential is wrong or expired.
    pub(crate) fn invalid_credentials() -> Self {
        Self::new(Status::Unauthenticated, "INVALID_CREDENTIALS", "The provided credentials are invalid.")
    }

    /// The caller lacks the permission.
    pub(crate) fn permission_denied() -> Self {
        let message = "You do not have permission to access this resource.";
        Self::new(Status::PermissionDenied, "PERMISSION_DENIED", message)
    }

    /// The endpoint does not accept direct tokens.
    pub(crate) fn direct_access() -> Self {
        let message = "Direct access is not supported for this endpoint.";
        Self::new(Status::PermissionDenied, "DIRECT_ACCESS_NOT_SUPPORTED", message)
    }

    /// The customer is not verified, and the destination is a phone number.
    pub(crate) fn identity_verification() -> Self {
        let message = "Customer identity verification is required for this operation.";
        Self::new(Status::PermissionDenied, "IDENTITY_VERIFICATION_REQUIRED", message)
    }

    /// The body is not JSON, not of the expected shape, too long, or incomplete.
    pub(crate) fn invalid_json() -> Self {
        Self::new(Status::InvalidArgument, "INVALID_JSON_BODY", "The request body is not valid JSON.")
    }

    /// The id in the path is not a UUID.
    pub(crate) fn invalid_id() -> Self {
        Self::new(Status::InvalidArgument, "INVALID_ID", "The provided id is not a valid UUID.")
    }

    /// A parameter of the path or the query has the wrong form.
    pub(crate) fn invalid_parameter(name: &str) -> Self {
        let message = format!("The parameter \"{name}\" has an invalid format.");
        Self::new(Status::InvalidArgument, "INVALID_REQUEST_PARAMETER", message)
    }

    /// An argument is invalid; the message states what is permitted.
    pub(crate) fn invalid_argument(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Status::InvalidArgument, "INVALID_ARGUMENT", message)
    }

    /// The data is invalid, for this reason.
    pub(crate) fn invalid_data_because(reason: impl std::fmt::Display) -> Self {
        Self::invalid_argument(format!("The request contains invalid data: {reason}."))
    }

    /// A required value is missing or out of its range.
    pub(crate) fn invalid_request() -> Self {
        Self::invalid_argument("The request is invalid.")
    }

    /// The customer has no positive balance.
    pub(crate) fn insufficient_balance() -> Self {
        let message = "Customer balance is below the minimum required for this operation.";
        Self::new(Status::PaymentRequired, "INSUFFICIENT_BALANCE", message)
    }

    /// The record does not exist; the message does not state its kind.
    pub(crate) fn not_found() -> Self {
        Self::new(Status::NotFound, "RESOURCE_NOT_FOUND", "The requested resource was not found.")
    }

    /// No endpoint has this method and path.
    pub(crate) fn no_endpoint() -> Self {
        Self::new(Status::NotFound, "ROUTE_NOT_FOUND", "The requested endpoint does not exist.")
    }

    /// The record is deleted, or was changed by a concurrent request.
    pub(crate) fn state_invalid() -> Self {
        let message = "The operation is invalid for the current resource state.";
        Self::new(Status::FailedPrecondition, "STATE_INVALID", message)
    }

    /// The operation cannot be done now.
    pub(crate) fn unavailable() -> Self {
        let message = "An upstream service is temporarily unavailable.";
        Self::new(Status::Unavailable, "SERVICE_UNAVAILABLE", message)
    }

    /// A carrier's API failed, for this reason.
    pub(crate) fn carrier_failed(reason: impl std::fmt::Display) -> Self {
        Self::new(Status::Unavailable, "SERVICE_UNAVAILABLE", format!("The carrier's API failed: {reason}."))
    }

    /// The operation can be done after a retry.
    pub(crate) fn busy() -> Self {
        Self { retry_after: Some(1), ..Self::unavailable() }
    }

    /// The store failed or holds a corrupt document, or a handler panicked.
    pub(crate) fn internal() -> Self {
        Self::new(Status::Internal, "INTERNAL", "An internal error occurred.")
    }

    /// Too many requests. `limited_by` names the limit, `ip` or `customer`; `retry_after` is in seconds.
    pub(crate) fn rate_limited(limited_by: &str, retry_after: u64) -> Self {
        let message = "Too many requests. Please try again later.";
        Self {
            details: vec![json!({ "limited_by": limited_by })],
            retry_after: Some(retry_after),
            ..Self::new(Status::ResourceExhausted, "RATE_LIMIT_EXCEEDED", message)
        }
    }
}

impl ApiError {
    /// With the requested calls, the customer would have more active calls than it may have.
    pub(crate) fn too_many_calls(max_calls: usize) -> Self {
        let message = format!("At most {max_calls} calls of a customer can be up or under way at once.");
        Self {
            retry_after: Some(1),
            ..Self::new(Status::ResourceExhausted, "RESOURCE_LIMIT_EXCEEDED", message)
        }
    }
}

impl From<ApiError> for AttemptError<ApiError> {
    fn from(error: ApiError) -> Self {
        Self::Other(error)
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        if let Some(recovery) = Recovery::of(&error) {
            let unavailable = Self { retry_after: recovery.retry_after(), ..Self::unavailable() };
            return match recovery {
                Recovery::Retry | Recovery::FreeSpace => unavailable,
                Recovery::NotByRepetition => Self { message: error.to_string().into(), ..unavailable },
            };
        }
        match error {
            // A concurrent request wrote the same record, or took the same unique value. The client has to
            // look again.
            StoreError::Taken(_) | StoreError::Conflict => Self::state_invalid(),
            StoreError::Unstorable { what, flaw } => Self::invalid_data_because(format!("{what} {flaw}")),
            error => {
                tracing::error!(%error, "a request of the communication platform failed in the store");
                Self::internal()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_cannot_be_stored_is_an_error_of_the_request() {
        let error = ApiError::from(StoreError::Unstorable { what: "name", flaw: "contains a NUL character" });
        assert_eq!(error.status, Status::InvalidArgument);
        assert_eq!(error.message, "The request contains invalid data: name contains a NUL character.");
    }
}
