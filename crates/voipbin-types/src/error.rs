//! How the service says no.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

wire_core::string_enum! {
    /// The kind of an error; it decides the HTTP status.
    ErrorStatus {
        /// 400.
        InvalidArgument = "INVALID_ARGUMENT",
        /// 401.
        Unauthenticated = "UNAUTHENTICATED",
        /// 402.
        PaymentRequired = "PAYMENT_REQUIRED",
        /// 403.
        PermissionDenied = "PERMISSION_DENIED",
        /// 404.
        NotFound = "NOT_FOUND",
        /// 409.
        AlreadyExists = "ALREADY_EXISTS",
        /// 409.
        FailedPrecondition = "FAILED_PRECONDITION",
        /// 429.
        ResourceExhausted = "RESOURCE_EXHAUSTED",
        /// 503.
        Unavailable = "UNAVAILABLE",
        /// 500.
        Internal = "INTERNAL",
    }
}

impl ErrorStatus {
    /// The HTTP status that it is sent with.
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
    /// What an error is about.
    ErrorReason {
        /// No credential was found.
        AuthenticationRequired = "AUTHENTICATION_REQUIRED",
        /// The credential is wrong, expired or deleted.
        InvalidCredentials = "INVALID_CREDENTIALS",
        /// The caller may not do this.
        PermissionDenied = "PERMISSION_DENIED",
        /// A direct token cannot do this.
        DirectAccessNotSupported = "DIRECT_ACCESS_NOT_SUPPORTED",
        /// The customer's identity must be verified first.
        IdentityVerificationRequired = "IDENTITY_VERIFICATION_REQUIRED",
        /// The customer is frozen.
        AccountFrozen = "ACCOUNT_FROZEN",
        /// The body is missing, no JSON, or of the wrong types.
        InvalidJsonBody = "INVALID_JSON_BODY",
        /// The id in the path is none.
        InvalidId = "INVALID_ID",
        /// A parameter cannot be read.
        InvalidRequestParameter = "INVALID_REQUEST_PARAMETER",
        /// A parameter is missing.
        MissingRequestParameter = "MISSING_REQUEST_PARAMETER",
        /// A value is not allowed.
        InvalidArgument = "INVALID_ARGUMENT",
        /// The codecs of a provider cannot be read.
        InvalidCodecs = "INVALID_CODECS",
        /// There is no such action.
        InvalidActionType = "INVALID_ACTION_TYPE",
        /// An action's `anonymous` is none of its values.
        InvalidAnonymousValue = "INVALID_ANONYMOUS_VALUE",
        /// The carrier refused the credentials of a setup.
        CarrierCredentialsRejected = "CARRIER_CREDENTIALS_REJECTED",
        /// The customer's balance is too low.
        InsufficientBalance = "INSUFFICIENT_BALANCE",
        /// There is no such record.
        ResourceNotFound = "RESOURCE_NOT_FOUND",
        /// There is no such path or method, or no such route.
        RouteNotFound = "ROUTE_NOT_FOUND",
        /// There is no such provider.
        ProviderNotFound = "PROVIDER_NOT_FOUND",
        /// There is no such provider call.
        ProvidercallNotFound = "PROVIDERCALL_NOT_FOUND",
        /// There is no such outbound config.
        OutboundConfigNotFound = "OUTBOUND_CONFIG_NOT_FOUND",
        /// There is no such call.
        CallNotFound = "CALL_NOT_FOUND",
        /// The record's state does not allow it.
        StateInvalid = "STATE_INVALID",
        /// Too many requests.
        RateLimitExceeded = "RATE_LIMIT_EXCEEDED",
        /// A part of the service did not answer in time.
        RequestTimeout = "REQUEST_TIMEOUT",
        /// The caller went away.
        RequestCanceled = "REQUEST_CANCELED",
        /// A part of the service is not there.
        ServiceUnavailable = "SERVICE_UNAVAILABLE",
        /// Anything else.
        Internal = "INTERNAL",
    }
}

/// The body of every refusal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ErrorEnvelope {
    /// The refusal.
    pub error: ErrorBody,
}

/// Why a request was refused.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// Facts about it.
    #[serde(default, deserialize_with = "super::lenient::or_default", skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<Map<String, Value>>,
    /// A sentence for people.
    #[serde(default)]
    pub message: String,
    /// A word for programs.
    pub reason: ErrorReason,
    /// The service's name for the request.
    #[serde(default)]
    pub request_id: String,
    /// The kind.
    pub status: ErrorStatus,
}
