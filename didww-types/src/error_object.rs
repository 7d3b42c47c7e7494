//! Error objects and the table of their codes.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// One error of an answer. Every member is optional: the answer to a full rate limit has neither title nor code.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ErrorObject {
    /// The error in few words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The error with the member it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The code; see [`ErrorCode`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The place in the body that was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<ErrorSource>,
    /// The HTTP status as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// Further facts, such as the balance that did not suffice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub meta: Option<Map<String, Value>>,
}

/// Where an error lies in the body that was sent.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ErrorSource {
    /// A JSON pointer such as `/data/attributes/name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
}

/// A document that carries errors and nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ErrorDocument {
    /// The errors, at least one.
    pub errors: Vec<ErrorObject>,
}

impl ErrorObject {
    /// An error with title, detail, code and HTTP status.
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

    /// The same error with the place it is about.
    #[must_use]
    pub fn at(mut self, pointer: impl Into<String>) -> Self {
        self.source = Some(ErrorSource { pointer: Some(pointer.into()) });
        self
    }

    /// The place it is about.
    pub fn pointer(&self) -> Option<&str> {
        self.source.as_ref()?.pointer.as_deref()
    }

    /// The attribute or relationship that it is about: the last segment of the pointer, or the relationship's
    /// name when the pointer goes on to one of its members.
    ///
    /// ```
    /// use didww_types::{ErrorCode, ErrorObject};
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
        /// What the `code` member says. It is an HTTP status only where it repeats one.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum ErrorCode { $($(#[$meta])* $name,)+ }

        impl ErrorCode {
            /// The text on the wire.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }

            /// The HTTP status that it comes with.
            pub const fn http_status(self) -> u16 {
                match self { $(Self::$name => $status,)+ }
            }
        }
    };
}

error_codes! {
    /// A value breaks a rule.
    Validation = "100", 422;
    /// A type is not the one that belongs here.
    InvalidResource = "101", 400;
    /// A filter does not exist.
    FilterNotAllowed = "102", 400;
    /// An id has not the form of one.
    InvalidFieldValue = "103", 400;
    /// A name in `fields` does not exist.
    InvalidField = "104", 400;
    /// An attribute, relationship or parameter may not be sent here.
    ParamNotAllowed = "105", 400;
    /// A required member is missing.
    MissingParameter = "106", 400;
    /// A filter's value is none of its values.
    InvalidFilterValue = "107", 400;
    /// An update has no `data.id`.
    KeyRequired = "109", 400;
    /// An update's `data.id` is not the one in the path.
    KeyNotInUrl = "110", 400;
    /// A path in `include` does not exist.
    InvalidInclude = "112", 400;
    /// A name in `sort` does not exist.
    InvalidSort = "114", 400;
    /// Linkage has not the form of linkage.
    InvalidLinks = "115", 400;
    /// Linkage names the wrong type.
    TypeMismatch = "116", 400;
    /// A page number or size is out of range.
    InvalidPageValue = "118", 400;
    /// `fields` names no type.
    InvalidFieldFormat = "119", 400;
    /// `filter` names no filter.
    InvalidFiltersSyntax = "120", 400;
    /// `data` is not an object.
    InvalidDataFormat = "122", 400;
    /// The request cannot be read.
    BadRequest = "400", 400;
    /// The key is missing or wrong.
    Unauthorized = "401", 401;
    /// The account may not do this.
    Forbidden = "403", 403;
    /// There is no such record or path.
    NotFound = "404", 404;
    /// `Accept` leaves out the API's media type.
    NotAcceptable = "406", 406;
    /// The body is too large.
    ContentTooLarge = "413", 413;
    /// The body is of another media type.
    UnsupportedMediaType = "415", 415;
    /// The service failed.
    Internal = "500", 500;
    /// The service is full for the moment.
    Unavailable = "503", 503;
}
