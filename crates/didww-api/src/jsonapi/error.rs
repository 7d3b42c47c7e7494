//! Errors: the document that the client receives, and the causes that only the log contains.

use didww_types::{ApiVersion, ErrorCode, ErrorDocument, ErrorObject, Violation};
use http::StatusCode;
use http_listener::Recovery;
use service_core::AttemptError;
use trunk_rules::domain::{Refusal, WriteError};

use trunk_store::StoreError;

const TOO_MANY_REQUESTS: &str = r#"{"errors":[{"status":"429","detail":"Too Many Requests"}]}"#;

/// An error of the API: the errors that the client receives, and the cause for the log.
#[derive(Debug)]
pub(crate) struct ApiError {
    /// The errors of the document; the status of the first one is the status of the response.
    pub errors: Vec<ErrorObject>,
    /// A cause for the log, which the client must not see.
    pub internal: Option<String>,
    /// When a request that received 503, or 409 for its idempotency key, can succeed; `None` with every other error.
    pub recovery: Option<Recovery>,
    /// The number of seconds in the `Retry-After` header of a response that `recovery` does not concern.
    pub retry_after: Option<u64>,
    /// The value of the `WWW-Authenticate` header, if the response has one.
    pub challenge: Option<&'static str>,
    /// True for a response without a body.
    pub is_bare: bool,
    /// True if the request needs no credential, or was refused before its sender was looked up: anyone can cause any
    /// number of such errors.
    pub is_of_anyone: bool,
}

impl ApiError {
    /// A response with one error.
    pub(crate) fn from_object(error: ErrorObject) -> Self {
        Self::from_objects(vec![error])
    }

    /// A response with several errors.
    pub(crate) fn from_objects(errors: Vec<ErrorObject>) -> Self {
        Self {
            errors,
            internal: None,
            recovery: None,
            retry_after: None,
            challenge: None,
            is_bare: false,
            is_of_anyone: false,
        }
    }

    /// A response with one error of this code, title and detail.
    pub(crate) fn new(code: ErrorCode, title: &str, detail: impl Into<String>) -> Self {
        Self::from_object(ErrorObject::new(code, title, detail))
    }

    /// 400: the body contains an attribute, relationship or member that the operation does not accept.
    pub(crate) fn param_not_allowed(name: &str) -> Self {
        Self::new(ErrorCode::ParamNotAllowed, "Param not allowed", format!("{name} is not allowed."))
    }

    /// 404: no record of the account has this id.
    pub(crate) fn not_found(id: &str) -> Self {
        Self::new(
            ErrorCode::NotFound,
            "Record not found",
            format!("The record identified by {id} could not be found."),
        )
    }

    /// 404 of a GET: no record of the account has the id, and the errors of the type name the type.
    pub(crate) fn none_of_type(kind: &str) -> Self {
        Self::new(ErrorCode::NotFound, "Record not found", format!("{kind} - Record not found"))
    }

    /// 404: the registry declares no such path in this version, or not with this method.
    pub(crate) fn no_route() -> Self {
        Self::new(ErrorCode::NotFound, "Not Found", "Not Found")
    }

    /// As [`no_route`](Self::no_route), for a request of any sender, with the cause for the log.
    pub(crate) fn no_path(cause: &str) -> Self {
        Self::no_route().because(cause).of_anyone()
    }

    /// The same error, of a request that needs no credential.
    pub(crate) fn of_anyone(self) -> Self {
        Self { is_of_anyone: true, ..self }
    }

    /// 401 without a body: the version needs an access token, and the request has none.
    pub(crate) fn no_token() -> Self {
        let text = "Unauthorized";
        Self { is_bare: true, ..Self::new(ErrorCode::Unauthorized, text, text) }
    }

    /// 401: the access token is refused for any reason.
    pub(crate) fn invalid_token() -> Self {
        let text = "Invalid token";
        let challenge = Some("Bearer error=\"invalid_token\"");
        Self { challenge, ..Self::new(ErrorCode::Unauthorized, text, text) }
    }

    /// 403: the scope of the access token does not permit a write.
    pub(crate) fn insufficient_scope() -> Self {
        let text = "Insufficient scope";
        let challenge = Some("Bearer error=\"insufficient_scope\"");
        Self { challenge, ..Self::new(ErrorCode::Forbidden, text, text) }
    }

    /// 403: the account lacks a feature.
    pub(crate) fn forbidden() -> Self {
        Self::new(ErrorCode::Forbidden, "Forbidden", "Forbidden")
    }

    /// 429 until 2026-04-16, which has no code and no title.
    pub(crate) fn too_many_requests() -> Self {
        Self::from_object(ErrorObject {
            status: Some(StatusCode::TOO_MANY_REQUESTS.as_str().to_owned()),
            detail: Some("Too Many Requests".to_owned()),
            ..ErrorObject::default()
        })
    }

    /// 429 since 2026-11-19: the budget of the account is spent, for this number of seconds.
    pub(crate) fn over_budget(seconds: u64) -> Self {
        let text = "Too Many Requests";
        Self { retry_after: Some(seconds.max(1)), ..Self::new(ErrorCode::TooManyRequests, text, text) }
    }

    /// Sets the cause for the log.
    #[must_use]
    pub(crate) fn because(self, cause: impl Into<String>) -> Self {
        Self { internal: Some(cause.into()), ..self }
    }

    /// 500: the server failed. The cause is logged and not sent.
    pub(crate) fn internal(why: impl Into<String>) -> Self {
        let text = "Internal Server Error";
        Self { internal: Some(why.into()), ..Self::new(ErrorCode::Internal, text, text) }
    }

    /// 503: the server is overloaded and the client may retry. The cause is logged and not sent.
    pub(crate) fn busy(why: impl Into<String>) -> Self {
        Self {
            internal: Some(why.into()),
            recovery: Some(Recovery::Retry),
            ..Self::new(ErrorCode::Unavailable, "Service Unavailable", "Try again later.")
        }
    }

    /// 503: a repetition of the request would be refused again, or could have its effect twice. The cause is logged and
    /// sent.
    fn not_to_repeat(why: &str) -> Self {
        Self {
            internal: Some(why.to_owned()),
            recovery: Some(Recovery::NotByRepetition),
            ..Self::new(ErrorCode::Unavailable, "Service Unavailable", why)
        }
    }

    /// Adds to the log which version served the request, if the client may have expected another one. Members, paths
    /// and parameters that a version lacks are refused with the same text as unknown ones.
    pub(crate) fn with_version_note(mut self, served: ApiVersion, was_sent: bool) -> Self {
        let codes = [
            ErrorCode::InvalidResource,
            ErrorCode::FilterNotAllowed,
            ErrorCode::InvalidField,
            ErrorCode::ParamNotAllowed,
            ErrorCode::InvalidInclude,
            ErrorCode::InvalidSort,
            ErrorCode::NotFound,
        ]
        .map(ErrorCode::as_str);
        let code = self.errors.first().and_then(|error| error.code.as_deref()).unwrap_or_default();
        if codes.contains(&code) {
            let cause =
                if was_sent { "the version header was ignored" } else { "no version header was sent" };
            let note = format!("{cause}, so the account's version {served} served the request");
            self.internal =
                Some(self.internal.map_or_else(|| note.clone(), |cause| format!("{cause}; {note}")));
        }
        self
    }

    /// Returns the status of the response.
    pub(crate) fn status(&self) -> StatusCode {
        let status = self.errors.first().and_then(|error| error.status.as_deref()?.parse().ok());
        status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// Renders the error document as JSON text; empty for a bare response.
    pub(crate) fn body(&self) -> String {
        if self.is_bare {
            return String::new();
        }
        let has_code = self.errors.iter().any(|error| error.code.is_some());
        if self.status() == StatusCode::TOO_MANY_REQUESTS && !has_code {
            // The only recorded error with its members in another order.
            return TOO_MANY_REQUESTS.to_owned();
        }
        let document = ErrorDocument { errors: self.errors.clone() };
        // Serialization cannot fail: the document contains only text.
        serde_json::to_string(&document).unwrap_or_default()
    }
}

impl From<WriteError> for ApiError {
    fn from(error: WriteError) -> Self {
        let refusals = match error {
            WriteError::Refused(refusals) => refusals,
            error @ WriteError::Undecodable(_) => return Self::internal(error.to_string()),
        };
        let internal: Vec<String> = refusals.iter().map(ToString::to_string).collect();
        let errors = refusals.iter().map(Refusal::to_error).collect();
        Self { internal: Some(internal.join("; ")), ..Self::from_objects(errors) }
    }
}

impl From<ApiError> for AttemptError<ApiError> {
    fn from(error: ApiError) -> Self {
        Self::Other(error)
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        if let Some(recovery @ (Recovery::Retry | Recovery::FreeSpace)) = Recovery::of(&error) {
            return Self { recovery: Some(recovery), ..Self::busy(error.to_string()) };
        }
        match &error {
            StoreError::Taken(name) => {
                let pointer = format!("/data/attributes/{}", name.replace('.', "/"));
                let field = name.rsplit('.').next().unwrap_or(name);
                Self::from_object(Refusal::member_at(pointer, field, Violation::Taken).to_error())
            }
            StoreError::Unstorable { what, .. } => {
                let pointer = format!("/data/attributes/{}", what.replace('.', "/"));
                let field = what.rsplit('.').next().unwrap_or(what);
                Self::from_object(Refusal::member_at(pointer, field, Violation::Invalid).to_error())
            }
            StoreError::Conflict => Self::busy(error.to_string()),
            StoreError::Ended => {
                Self::not_to_repeat("No writes are taken until the server is started again.")
            }
            StoreError::Unknown => {
                Self::not_to_repeat("Whether the write was stored is not known. Read before you repeat it.")
            }
            StoreError::TooLarge(what) => {
                let detail =
                    format!("The response would contain {what}; ask for fewer records with page[size].");
                Self::new(ErrorCode::InvalidPageValue, "Invalid page value", detail)
            }
            StoreError::Quota { kind, most } => {
                let detail = format!("The account has {most} {kind}, the maximum for this account.");
                Self::new(ErrorCode::Validation, "Quota exceeded", detail)
            }
            _ => Self::internal(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_cannot_be_stored_is_an_error_of_its_attribute() {
        let flaw = "has more than 2048 bytes";
        let error = ApiError::from(StoreError::Unstorable { what: "description", flaw });
        let [shown] = error.errors.as_slice() else { panic!("{error:?}") };
        assert_eq!(shown.detail.as_deref(), Some("description - is invalid"));
        assert_eq!(shown.status.as_deref(), Some("422"));
    }
}
