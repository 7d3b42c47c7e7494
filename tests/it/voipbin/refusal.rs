//! The expected errors, byte for byte.

use serde_json::{Value, json};

use super::caller::Answer;

/// An error of the platform's catalogue.
#[derive(Debug, Clone)]
pub struct Refusal {
    code: u16,
    status: &'static str,
    reason: &'static str,
    message: String,
    details: Option<Value>,
}

const fn http(status: &str) -> u16 {
    match status.as_bytes() {
        b"INVALID_ARGUMENT" => 400,
        b"UNAUTHENTICATED" => 401,
        b"PAYMENT_REQUIRED" => 402,
        b"PERMISSION_DENIED" => 403,
        b"NOT_FOUND" => 404,
        b"ALREADY_EXISTS" | b"FAILED_PRECONDITION" => 409,
        b"RESOURCE_EXHAUSTED" => 429,
        b"UNAVAILABLE" => 503,
        _ => 500,
    }
}

/// An error with any message.
pub fn error(status: &'static str, reason: &'static str, message: impl Into<String>) -> Refusal {
    Refusal { code: http(status), status, reason, message: message.into(), details: None }
}

pub fn authentication_required() -> Refusal {
    error("UNAUTHENTICATED", "AUTHENTICATION_REQUIRED", "Authentication is required.")
}

pub fn invalid_credentials() -> Refusal {
    error("UNAUTHENTICATED", "INVALID_CREDENTIALS", "The provided credentials are invalid.")
}

pub fn permission_denied() -> Refusal {
    let message = "You do not have permission to access this resource.";
    error("PERMISSION_DENIED", "PERMISSION_DENIED", message)
}

pub fn direct_access() -> Refusal {
    let message = "Direct access is not supported for this endpoint.";
    error("PERMISSION_DENIED", "DIRECT_ACCESS_NOT_SUPPORTED", message)
}

pub fn identity_required() -> Refusal {
    let message = "Customer identity verification is required for this operation.";
    error("PERMISSION_DENIED", "IDENTITY_VERIFICATION_REQUIRED", message)
}

pub fn insufficient_balance() -> Refusal {
    let message = "Customer balance is below the minimum required for this operation.";
    error("PAYMENT_REQUIRED", "INSUFFICIENT_BALANCE", message)
}

pub fn flow_not_found() -> Refusal {
    error("NOT_FOUND", "FLOW_NOT_FOUND", "The flow was not found.")
}

pub fn invalid_variables(message: &str) -> Refusal {
    error("INVALID_ARGUMENT", "INVALID_VARIABLES", message)
}

pub fn invalid_body() -> Refusal {
    error("INVALID_ARGUMENT", "INVALID_JSON_BODY", "The request body is not valid JSON.")
}

pub fn invalid_id() -> Refusal {
    error("INVALID_ARGUMENT", "INVALID_ID", "The provided id is not a valid UUID.")
}

pub fn invalid_parameter(name: &str) -> Refusal {
    let message = format!("The parameter \"{name}\" has an invalid format.");
    error("INVALID_ARGUMENT", "INVALID_REQUEST_PARAMETER", message)
}

/// `INVALID_ARGUMENT` with this message.
pub fn invalid(message: impl Into<String>) -> Refusal {
    error("INVALID_ARGUMENT", "INVALID_ARGUMENT", message)
}

/// `INVALID_ARGUMENT` for a required value that is missing or out of its range.
pub fn invalid_request() -> Refusal {
    invalid("The request is invalid.")
}

pub fn no_number() -> Refusal {
    error("NOT_FOUND", "NUMBER_NOT_FOUND", "The phone number was not found.")
}

pub fn no_access_key() -> Refusal {
    error("NOT_FOUND", "ACCESSKEY_NOT_FOUND", "The access key was not found.")
}

pub fn invalid_codecs(detail: &str) -> Refusal {
    error("INVALID_ARGUMENT", "INVALID_CODECS", format!("Invalid codecs value: {detail}"))
}

pub fn not_found() -> Refusal {
    error("NOT_FOUND", "RESOURCE_NOT_FOUND", "The requested resource was not found.")
}

pub fn no_endpoint() -> Refusal {
    error("NOT_FOUND", "ROUTE_NOT_FOUND", "The requested endpoint does not exist.")
}

pub fn no_provider() -> Refusal {
    error("NOT_FOUND", "PROVIDER_NOT_FOUND", "The provider was not found.")
}

pub fn no_provider_call() -> Refusal {
    error("NOT_FOUND", "PROVIDERCALL_NOT_FOUND", "The provider call was not found.")
}

pub fn no_route() -> Refusal {
    error("NOT_FOUND", "ROUTE_NOT_FOUND", "The route was not found.")
}

pub fn no_config() -> Refusal {
    error("NOT_FOUND", "OUTBOUND_CONFIG_NOT_FOUND", "The outbound config was not found.")
}

pub fn no_call() -> Refusal {
    error("NOT_FOUND", "CALL_NOT_FOUND", "The call was not found.")
}

pub fn wrong_state() -> Refusal {
    let message = "The operation is invalid for the current resource state.";
    error("FAILED_PRECONDITION", "STATE_INVALID", message)
}

pub fn too_many(limited_by: &str) -> Refusal {
    let message = "Too many requests. Please try again later.";
    let details = Some(json!([{ "limited_by": limited_by }]));
    Refusal { details, ..error("RESOURCE_EXHAUSTED", "RATE_LIMIT_EXCEEDED", message) }
}

impl Refusal {
    /// The body, with the request id of the answer's header.
    fn text(&self, id: &str) -> String {
        let Self { status, reason, message, details, .. } = self;
        let details = details.as_ref().map(|details| format!("\"details\":{details},")).unwrap_or_default();
        // The platform's JSON library escapes these characters.
        let escaped = [('<', "\\u003c"), ('>', "\\u003e"), ('&', "\\u0026")];
        let message = escaped.iter().fold(json!(message).to_string(), |text, (c, to)| text.replace(*c, to));
        format!(
            r#"{{"error":{{{details}"message":{message},"reason":"{reason}","request_id":"{id}","status":"{status}"}}}}"#
        )
    }
}

impl Answer {
    /// Checks a refusal byte for byte.
    #[track_caller]
    pub fn refused(&self, refusal: &Refusal) {
        let id = self.header("x-request-id").unwrap_or_default();
        assert_eq!((self.status, self.text.as_str()), (refusal.code, refusal.text(id).as_str()));
        let kind = self.header("content-type").unwrap_or_default();
        // The platform's framework sends this one as text.
        let text = refusal.reason == "INVALID_JSON_BODY" && kind == "text/plain; charset=utf-8";
        assert!(text || kind == "application/json; charset=utf-8", "{kind}");
    }

    /// Checks a refusal with `INVALID_ARGUMENT` whose message contains these words.
    #[track_caller]
    pub fn refused_because(&self, words: &str) {
        let message = self.refused_somehow("INVALID_ARGUMENT", "INVALID_ARGUMENT");
        assert!(message.contains(words), "{message}");
    }

    /// Checks a refusal's status and reason. Returns its message, which is not fixed.
    #[track_caller]
    pub fn refused_somehow(&self, status: &str, reason: &str) -> String {
        let expected = json!([http(status), status, reason]);
        let found = json!([self.status, self.at("/error/status"), self.at("/error/reason")]);
        assert_eq!(found, expected, "{}", self.text);
        self.at("/error/message").as_str().unwrap().to_owned()
    }
}
