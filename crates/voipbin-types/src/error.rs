//! The error envelope of the service.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

wire_core::string_enum! {
    /// The status of an error, which determines the HTTP status of the response.
    ErrorStatus {
        /// HTTP 400: the request is invalid.
        InvalidArgument = "INVALID_ARGUMENT",
        /// HTTP 401: the credentials are missing or wrong.
        Unauthenticated = "UNAUTHENTICATED",
        /// HTTP 402: the customer's balance does not suffice.
        PaymentRequired = "PAYMENT_REQUIRED",
        /// HTTP 403: the credentials do not have the permission.
        PermissionDenied = "PERMISSION_DENIED",
        /// HTTP 404: the record or the path does not exist.
        NotFound = "NOT_FOUND",
        /// HTTP 409: a record exists already.
        AlreadyExists = "ALREADY_EXISTS",
        /// HTTP 409: the state of the record does not allow the request.
        FailedPrecondition = "FAILED_PRECONDITION",
        /// HTTP 429: the rate limit is exceeded.
        ResourceExhausted = "RESOURCE_EXHAUSTED",
        /// HTTP 503: a part of the service is not available.
        Unavailable = "UNAVAILABLE",
        /// HTTP 500: the service failed.
        Internal = "INTERNAL",
    }
}

impl ErrorStatus {
    /// The HTTP status of a response with this status; 500 for an unknown one.
    pub const fn http(&self) -> u16 {
        match self {
            Self::InvalidArgument => 400,
            Self::Unauthenticated => 401,
            Self::PaymentRequired => 402,
            Self::PermissionDenied => 403,
            Self::NotFound => 404,
            Self::AlreadyExists | Self::FailedPrecondition => 409,
            Self::ResourceExhausted => 429,
            Self::Unavailable => 503,
            Self::Internal | Self::Unknown(_) => 500,
        }
    }
}

wire_core::string_enum! {
    /// The machine-readable reason of an error.
    ErrorReason {
        /// The request has no credentials.
        AuthenticationRequired = "AUTHENTICATION_REQUIRED",
        /// The credentials are wrong, expired or deleted.
        InvalidCredentials = "INVALID_CREDENTIALS",
        /// The credentials do not have the permission for the request.
        PermissionDenied = "PERMISSION_DENIED",
        /// The request cannot be made with a direct token.
        DirectAccessNotSupported = "DIRECT_ACCESS_NOT_SUPPORTED",
        /// The customer's identity must be verified first.
        IdentityVerificationRequired = "IDENTITY_VERIFICATION_REQUIRED",
        /// The request needs the token of an agent, not an access key.
        AgentAuthRequired = "AGENT_AUTH_REQUIRED",
        /// The customer's account is frozen.
        AccountFrozen = "ACCOUNT_FROZEN",
        /// The body is missing, is not JSON, or has members of the wrong type.
        InvalidJsonBody = "INVALID_JSON_BODY",
        /// The id in the path is malformed.
        InvalidId = "INVALID_ID",
        /// A request parameter is malformed.
        InvalidRequestParameter = "INVALID_REQUEST_PARAMETER",
        /// A request parameter is missing.
        MissingRequestParameter = "MISSING_REQUEST_PARAMETER",
        /// A value is not allowed.
        InvalidArgument = "INVALID_ARGUMENT",
        /// The codecs of a provider are malformed.
        InvalidCodecs = "INVALID_CODECS",
        /// The type of an action does not exist.
        InvalidActionType = "INVALID_ACTION_TYPE",
        /// The `anonymous` member has an invalid value.
        InvalidAnonymousValue = "INVALID_ANONYMOUS_VALUE",
        /// The variables of a call are too many, or one or all of them are too long.
        InvalidVariables = "INVALID_VARIABLES",
        /// The type of a resource has no timeline.
        InvalidResourceType = "INVALID_RESOURCE_TYPE",
        /// The carrier refused the credentials of a provider setup.
        CarrierCredentialsRejected = "CARRIER_CREDENTIALS_REJECTED",
        /// The customer's balance is too low.
        InsufficientBalance = "INSUFFICIENT_BALANCE",
        /// The record does not exist.
        ResourceNotFound = "RESOURCE_NOT_FOUND",
        /// The path or method does not exist, or the route (a record) does not exist.
        RouteNotFound = "ROUTE_NOT_FOUND",
        /// The provider does not exist.
        ProviderNotFound = "PROVIDER_NOT_FOUND",
        /// The provider call does not exist.
        ProvidercallNotFound = "PROVIDERCALL_NOT_FOUND",
        /// The outbound config does not exist.
        OutboundConfigNotFound = "OUTBOUND_CONFIG_NOT_FOUND",
        /// The call does not exist.
        CallNotFound = "CALL_NOT_FOUND",
        /// The group of calls does not exist.
        GroupcallNotFound = "GROUPCALL_NOT_FOUND",
        /// The flow does not exist.
        FlowNotFound = "FLOW_NOT_FOUND",
        /// The execution of a flow does not exist.
        ActiveflowNotFound = "ACTIVEFLOW_NOT_FOUND",
        /// The telephone number does not exist.
        NumberNotFound = "NUMBER_NOT_FOUND",
        /// The customer does not exist.
        CustomerNotFound = "CUSTOMER_NOT_FOUND",
        /// The access key does not exist.
        AccesskeyNotFound = "ACCESSKEY_NOT_FOUND",
        /// The agent does not exist.
        AgentNotFound = "AGENT_NOT_FOUND",
        /// The call has ended, so the operation has nothing to act on.
        CallAlreadyHangup = "CALL_ALREADY_HANGUP",
        /// The state of the call does not allow the request.
        CallStateInvalid = "CALL_STATE_INVALID",
        /// The state of the flow does not allow the request.
        FlowStateInvalid = "FLOW_STATE_INVALID",
        /// The state of the record does not allow the request.
        StateInvalid = "STATE_INVALID",
        /// The idempotency key is malformed.
        InvalidIdempotencyKey = "INVALID_IDEMPOTENCY_KEY",
        /// The idempotency key was used by a different request.
        IdempotencyKeyReused = "IDEMPOTENCY_KEY_REUSED",
        /// A request with the idempotency key is in progress.
        IdempotencyKeyInUse = "IDEMPOTENCY_KEY_IN_USE",
        /// The request with the idempotency key was carried out, and its response was not kept.
        IdempotencyResponseLost = "IDEMPOTENCY_RESPONSE_LOST",
        /// The rate limit is exceeded.
        RateLimitExceeded = "RATE_LIMIT_EXCEEDED",
        /// The customer has as many records, or active calls, as it may have.
        ResourceLimitExceeded = "RESOURCE_LIMIT_EXCEEDED",
        /// A part of the service did not respond in time.
        RequestTimeout = "REQUEST_TIMEOUT",
        /// The client closed the connection before the response.
        RequestCanceled = "REQUEST_CANCELED",
        /// A part of the service is not available.
        ServiceUnavailable = "SERVICE_UNAVAILABLE",
        /// The service failed for any other reason.
        Internal = "INTERNAL",
    }
}

/// The body of every response with an error.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ErrorEnvelope {
    /// The error.
    pub error: ErrorBody,
}

/// An error of the service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ErrorBody {
    /// Further facts about the error.
    #[serde(default, deserialize_with = "super::lenient::or_default", skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<Map<String, Value>>,
    /// The human-readable message.
    #[serde(default)]
    pub message: String,
    /// The machine-readable reason.
    pub reason: ErrorReason,
    /// The id that the service assigned to the request.
    #[serde(default)]
    pub request_id: String,
    /// The status, which determines the HTTP status.
    pub status: ErrorStatus,
}
