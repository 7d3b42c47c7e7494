//! Parsing of control requests, and their JSON responses.

use axum::body::Bytes;
use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use axum::response::Response;
use http::{StatusCode, Uri};
use http_listener::plain_json;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use trunk_store::StoreError;
use uuid::Uuid;

use crate::ControlError;

/// The status and the JSON body of a control operation that succeeded, or why it failed.
pub(crate) type Outcome = Result<(StatusCode, Value), ControlError>;

/// Builds the response of a control operation. An error becomes `{"error": TEXT}` with 404 for something that does not
/// exist, 409 for a conflict, 422 for a wrong value, 503 for a store that accepts no work, and 500 otherwise.
pub(crate) fn respond(outcome: Outcome) -> Response {
    match outcome {
        Ok((status, value)) => plain_json(status, &value),
        Err(error) => {
            let status = match &error {
                ControlError::NotFound(_) => StatusCode::NOT_FOUND,
                ControlError::Invalid { .. } => StatusCode::UNPROCESSABLE_ENTITY,
                ControlError::Store(
                    StoreError::Overloaded
                    | StoreError::Full
                    | StoreError::Ended
                    | StoreError::Unknown
                    | StoreError::Crowded
                    | StoreError::TooLong,
                ) => StatusCode::SERVICE_UNAVAILABLE,
                ControlError::Store(StoreError::Quota { .. } | StoreError::TooLarge(_)) => {
                    StatusCode::UNPROCESSABLE_ENTITY
                }
                ControlError::Store(StoreError::Conflict) => StatusCode::CONFLICT,
                ControlError::Store(_) => StatusCode::INTERNAL_SERVER_ERROR,
            };
            plain_json(status, &json!({ "error": error.to_string() }))
        }
    }
}

/// Parses a JSON body; an empty one counts as `{}`.
///
/// # Errors
/// An error that names the unknown member or the wrong value.
pub(crate) fn parse_body<T: DeserializeOwned>(body: &Bytes) -> Result<T, ControlError> {
    let text: &[u8] = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(text).map_err(|error| ControlError::invalid("body", error.to_string()))
}

/// Parses the query of a request.
///
/// # Errors
/// An error that names the unknown parameter or the wrong value.
pub(crate) fn parse_query<T: DeserializeOwned>(uri: &Uri) -> Result<T, ControlError> {
    let invalid = |rejection: QueryRejection| ControlError::invalid("query", rejection.body_text());
    Query::try_from_uri(uri).map(|Query(query)| query).map_err(invalid)
}

/// Parses an id from a path or a body.
///
/// # Errors
/// [`ControlError::NotFound`] of `what`, because nothing has an id that is not a UUID.
pub(crate) fn parse_id(text: &str, what: &str) -> Result<Uuid, ControlError> {
    Uuid::try_parse(text).map_err(|_| ControlError::NotFound(format!("{what} {text}")))
}
