//! The reasons for which a client or a request is refused before anything is sent.

use client_core::SetupError;
use didww_types::{DecodeError, UndeclaredText, VersionError};

use crate::Error;

/// Why a client or a request could not be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    /// The settings are invalid, or the HTTP client could not be built.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// The API key is empty, or is not a valid value of an HTTP header.
    #[error("the API key is empty or contains characters that a header cannot contain")]
    ApiKey,
    /// The id or the path would make the URL point outside the record or the base URL. An id must not be
    /// empty, `.` or `..`; a path must begin with a slash and be percent-encoded.
    #[error("the path is not valid below the base URL: ids must not be empty, paths must be percent-encoded")]
    Path,
    /// The client's API version does not have the resource, a member of the body, or a name in the query.
    #[error(transparent)]
    Version(#[from] VersionError),
    /// The name or the value of a header is not valid in HTTP, or it is one that the HTTP client sets itself, such as
    /// `Content-Length`. Contains the name.
    #[error("the header `{0}` is not valid, or is set by the HTTP client itself")]
    Header(String),
    /// The body could not be encoded.
    #[error("the body cannot be encoded {0}")]
    Body(#[from] DecodeError),
    /// A new record has a text in this attribute that its enumeration does not declare. An update sends such a text as
    /// it was read, and [`Client::raw`](crate::Client::raw) sends any.
    #[error("the attribute `{0}` has a text that it cannot have: {1}")]
    Undeclared(&'static str, UndeclaredText),
    /// Only the service sets this relationship.
    #[error("the relationship `{0}` is read-only")]
    ReadOnly(&'static str),
    /// The client is read-only, and the request would change something.
    #[error("the client is read-only")]
    ReadOnlyClient,
    /// A page is numbered from 1 and has 1 to 1000 records.
    #[error("pages are numbered from 1 and have 1 to 1000 records")]
    Page,
    /// More than one record matches, so the search is ambiguous. Contains the searched value.
    #[error("several records match: {0}")]
    Several(String),
    /// The body sets neither a name nor an identifier of the customer by which the record could be found, or the type
    /// has no filter for it.
    #[error("the body sets no attribute by which the record can be found: {0}")]
    Unidentified(&'static str),
    /// The record exists, and differs in this attribute or relationship, which only a create request can set.
    #[error("the record exists, and its `{0}` cannot be changed after its creation")]
    Fixed(String),
    /// The export has no file, because it is not completed.
    #[error("the export is not completed, so that it has no file yet")]
    NotCompleted,
    /// The address of a file is not below the base URL, so that a request for it would send credentials to another
    /// host.
    #[error("the file is not below the base URL")]
    Elsewhere,
    /// The two records passed to [`Api::save`](crate::Api::save) have different ids.
    #[error("the two records have different ids")]
    DifferentRecords,
}

/// The client refused a request, or could not be built; nothing was sent.
pub type NotSent = client_core::NotSent<Reason>;

impl From<Reason> for Error {
    fn from(reason: Reason) -> Self {
        Self::NotSent(Box::new(NotSent::client(reason)))
    }
}

impl From<SetupError> for Error {
    fn from(error: SetupError) -> Self {
        Reason::from(error).into()
    }
}
