//! JSON:API error objects, and the table of DIDWW's error codes.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::tolerant;

/// A JSON:API error object. Every member is optional: the error of an exceeded rate limit has no title and no
/// code.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ErrorObject {
    /// A short description, such as `is invalid`.
    #[serde(default, deserialize_with = "tolerant::optional_text", skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The description with the name of the member, such as `name - is invalid`.
    #[serde(default, deserialize_with = "tolerant::optional_text", skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// DIDWW's error code; see [`ErrorCode`].
    #[serde(default, deserialize_with = "tolerant::optional_text", skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The member of the request body that caused the error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<ErrorSource>,
    /// The HTTP status code as a text, such as `422`.
    #[serde(default, deserialize_with = "tolerant::optional_text", skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// Further facts about the error, such as the balance when it is too low.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub meta: Option<Map<String, Value>>,
}

/// The member of a request body that caused an error.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ErrorSource {
    /// A JSON pointer such as `/data/attributes/name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
}

/// A JSON:API document with errors instead of data.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ErrorDocument {
    /// The errors, at least one: a body with several invalid members has one for each.
    pub errors: Vec<ErrorObject>,
}

impl ErrorObject {
    /// Creates an error; `status` is the HTTP status of the code.
    pub fn new(code: ErrorCode, title: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            title: Some(title.into()),
            detail: Some(detail.into()),
            code: Some(code.as_str().to_owned()),
            source: None,
            status: Some(code.http_status().to_string()),
            meta: None,
        }
    }

    /// Sets the JSON pointer to the member that caused the error.
    #[must_use]
    pub fn at(mut self, pointer: impl Into<String>) -> Self {
        self.source = Some(ErrorSource { pointer: Some(pointer.into()) });
        self
    }

    /// The error's code, if it is one that this crate knows.
    pub fn known_code(&self) -> Option<ErrorCode> {
        self.code.as_deref().and_then(ErrorCode::named)
    }

    /// The JSON pointer to the member that caused the error.
    pub fn pointer(&self) -> Option<&str> {
        self.source.as_ref()?.pointer.as_deref()
    }

    /// The name of the attribute or relationship that caused the error: the last segment of the pointer, or
    /// the relationship's name when the pointer leads into a relationship. `None` without a pointer, and for
    /// a pointer to `data` itself.
    ///
    /// ```
    /// # use didww_types as didww_client;
    /// use didww_client::{ErrorCode, ErrorObject};
    /// let error = ErrorObject::new(ErrorCode::Validation, "is invalid", "name - is invalid")
    ///     .at("/data/attributes/name");
    /// assert_eq!(error.field(), Some("name"));
    /// ```
    pub fn field(&self) -> Option<&str> {
        let pointer = self.pointer()?;
        let name = match pointer.strip_prefix("/data/relationships/") {
            Some(relationship) => relationship.split('/').next(),
            None => pointer.rsplit('/').next(),
        };
        name.filter(|name| !name.is_empty() && *name != "data")
    }
}

macro_rules! error_codes {
    ($($(#[$meta:meta])* $name:ident = $text:literal, $status:literal;)+) => {
        /// The value of an error's `code` member. Codes below 400 are DIDWW's own, and so are names; the others
        /// equal the HTTP status.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum ErrorCode { $($(#[$meta])* $name,)+ }

        impl ErrorCode {
            /// All codes, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The code that is written so on the wire; `None` for one that this crate does not know.
            pub fn named(text: &str) -> Option<Self> {
                match text {
                    $($text => Some(Self::$name),)+
                    _ => None,
                }
            }

            /// The code as it is written on the wire, such as `100`.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }

            /// The HTTP status of a response with this error.
            pub const fn http_status(self) -> u16 {
                match self { $(Self::$name => $status,)+ }
            }
        }
    };
}

error_codes! {
    /// A value is invalid, a rule between several members is broken, or the account's quota is exceeded.
    Validation = "100", 422;
    /// A type name in the body or in `fields` does not exist or is not that of the resource at this path.
    InvalidResource = "101", 400;
    /// The resource has no filter of this name.
    FilterNotAllowed = "102", 400;
    /// An id in the path or in linkage is malformed, and the service does not answer 404 for it.
    InvalidFieldValue = "103", 400;
    /// `fields` names an attribute or relationship that the resource does not have.
    InvalidField = "104", 400;
    /// The request contains an attribute, relationship or parameter that is unknown or cannot be written.
    ParamNotAllowed = "105", 400;
    /// A required member is missing.
    MissingParameter = "106", 400;
    /// The value of a filter is not one of its valid values.
    InvalidFilterValue = "107", 400;
    /// The body of an update has no `data.id`.
    KeyRequired = "109", 400;
    /// The `data.id` of an update differs from the id in the path.
    KeyNotInUrl = "110", 400;
    /// `include` contains a relationship path that does not exist.
    InvalidInclude = "112", 400;
    /// `sort` names an attribute by which the list cannot be sorted.
    InvalidSort = "114", 400;
    /// The `data` of a relationship is not valid linkage.
    InvalidLinks = "115", 400;
    /// Linkage contains a record of the wrong type.
    TypeMismatch = "116", 400;
    /// The page number or size is out of range.
    InvalidPageValue = "118", 400;
    /// `fields` is written without the name of a type.
    InvalidFieldFormat = "119", 400;
    /// `filter` is written without the name of a filter.
    InvalidFiltersSyntax = "120", 400;
    /// `data` is not an object.
    InvalidDataFormat = "122", 400;
    /// The request or its body cannot be read, such as a body that is not JSON.
    BadRequest = "400", 400;
    /// The API key is missing or wrong.
    Unauthorized = "401", 401;
    /// The account is not allowed to make this request.
    Forbidden = "403", 403;
    /// The record or the path does not exist.
    NotFound = "404", 404;
    /// The `Accept` header excludes the API's media type.
    NotAcceptable = "406", 406;
    /// The record cannot be deleted while it is in use.
    Conflict = "409", 409;
    /// The request body is too large.
    ContentTooLarge = "413", 413;
    /// The request body has a media type other than the API's.
    UnsupportedMediaType = "415", 415;
    /// The service failed. A request that changes something may have taken effect.
    Internal = "500", 500;
    /// The service is temporarily overloaded.
    Unavailable = "503", 503;
    /// The account's budget of requests is spent. Since 2026-11-19; older versions send no code.
    TooManyRequests = "too_many_requests", 429;
    /// The account has no price plan. Sent by the price services.
    PricePlanNotAssigned = "price_plan_not_assigned", 404;
    /// The price plan has no price for the number. Sent by the price services.
    PriceNotFound = "price_not_found", 404;
    /// A price file cannot be served now. Sent by the price services.
    ServingFailure = "serving_failure", 503;
}
