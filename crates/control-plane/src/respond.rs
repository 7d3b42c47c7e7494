//! Parsing of control requests, and their JSON responses.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use axum::response::Response;
use http::{HeaderValue, StatusCode, Uri, header};
use http_listener::{Recovery, plain_json};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use trunk_store::StoreError;
use uuid::Uuid;

use crate::ControlError;

/// Seconds after which a client may repeat a request for which the server had no capacity.
const BUSY_SECONDS: u64 = 1;
/// The field of an error in a body as a whole.
const BODY: &str = "body";

/// The status and the JSON body of a control operation that succeeded, or why it failed.
pub(crate) type Outcome = Result<(StatusCode, Value), ControlError>;

/// Builds the response of a control operation. An error becomes `{"error": TEXT}` with 404 for something that does not
/// exist, 409 for a conflict, 422 for a wrong value, 503 for a store that accepts no work, and 500 otherwise. A 503
/// that a retry can help has `Retry-After`.
pub(crate) fn respond(outcome: Outcome) -> Response {
    match outcome {
        Ok((status, value)) => plain_json(status, &value),
        Err(error) => {
            let recovery = match &error {
                ControlError::Store(error) => Recovery::of(error),
                _ => None,
            };
            let status = match &error {
                _ if recovery.is_some() => StatusCode::SERVICE_UNAVAILABLE,
                ControlError::Busy(_) => StatusCode::SERVICE_UNAVAILABLE,
                ControlError::NotFound(_) => StatusCode::NOT_FOUND,
                ControlError::Invalid { .. }
                | ControlError::Store(StoreError::Quota { .. } | StoreError::TooLarge(_)) => {
                    StatusCode::UNPROCESSABLE_ENTITY
                }
                ControlError::Store(StoreError::Conflict) => StatusCode::CONFLICT,
                ControlError::Store(_) => StatusCode::INTERNAL_SERVER_ERROR,
            };
            retry_after(
                refused_because(status, &error.to_string(), &logged(&error)),
                match error {
                    ControlError::Busy(_) => Some(BUSY_SECONDS),
                    _ => recovery.and_then(Recovery::retry_after),
                },
            )
        }
    }
}

/// Responds with the outcome of a function that runs on a thread for blocking work: it reads a lot of stored data.
pub(crate) async fn respond_apart(outcome: impl FnOnce() -> Outcome + Send + 'static) -> Response {
    match tokio::task::spawn_blocking(outcome).await {
        Ok(outcome) => respond(outcome),
        Err(error) => respond(Err(StoreError::Failed(error.to_string()).into())),
    }
}

/// Builds the response `{"error": TEXT}`, whose text is also for the log.
pub(crate) fn refused(status: StatusCode, error: &str) -> Response {
    refused_because(status, error, error)
}

/// Builds the response `{"error": TEXT}`, with another text for the log.
fn refused_because(status: StatusCode, error: &str, logged: &str) -> Response {
    let mut response = plain_json(status, &json!({ "error": error }));
    response.extensions_mut().insert(RefusedBecause(logged.into()));
    response
}

/// Why a request was refused, for the log: an extension of the response.
#[derive(Debug, Clone)]
pub(crate) struct RefusedBecause(pub(crate) Arc<str>);

/// The text of an error for the log. That of a body can quote a value, which may be a secret.
fn logged(error: &ControlError) -> String {
    match error {
        ControlError::Invalid { field, .. } if field == BODY => {
            "`body` is not as the operation needs it; the response states where".to_owned()
        }
        error => error.to_string(),
    }
}

/// Adds the number of seconds after which the client may try again, if there is one.
pub(crate) fn retry_after(mut response: Response, seconds: Option<u64>) -> Response {
    let value = seconds.map(|seconds| (header::RETRY_AFTER, HeaderValue::from(seconds)));
    response.headers_mut().extend(value);
    response
}

/// Parses a JSON body; an empty one counts as `{}`.
///
/// # Errors
/// An error that names the unknown member or the wrong value.
pub(crate) fn parse_body<T: DeserializeOwned>(body: &Bytes) -> Result<T, ControlError> {
    let text: &[u8] = if body.is_empty() { b"{}" } else { body };
    // A list would be read as the members of an object in the order of their declaration.
    if text.trim_ascii_start().starts_with(b"[") {
        return Err(ControlError::invalid(BODY, "must be an object"));
    }
    let mut decoder = serde_json::Deserializer::from_slice(text);
    let value = serde_path_to_error::deserialize(&mut decoder).map_err(|error| {
        let path = error.path().to_string();
        let error = error.into_inner();
        let message = if path == "." { error.to_string() } else { format!("has a wrong `{path}`: {error}") };
        ControlError::invalid(BODY, message)
    })?;
    decoder.end().map_err(|error| ControlError::invalid(BODY, error.to_string()))?;
    Ok(value)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_no_body() {
        #[derive(Debug, serde::Deserialize)]
        struct Named {
            name: Option<String>,
        }
        let of = |body: &'static str| parse_body::<Named>(&Bytes::from_static(body.as_bytes()));
        assert_eq!(of(r#" {"name":"a"}"#).unwrap().name.as_deref(), Some("a"));
        assert_eq!(of("").unwrap().name, None);
        for list in [r#"["a"]"#, " []", "\n[null]"] {
            assert!(of(list).unwrap_err().to_string().contains("must be an object"), "{list}");
        }
    }

    #[test]
    fn a_store_that_accepts_no_work_names_the_time_of_a_retry_that_can_help() {
        let of = |error| {
            let response = respond(Err(ControlError::Store(error)));
            let wait =
                response.headers().get(header::RETRY_AFTER).map(|value| value.to_str().unwrap().to_owned());
            (response.status().as_u16(), wait)
        };
        let soon = || Some("1".to_owned());
        assert_eq!([of(StoreError::Overloaded), of(StoreError::Full)], [(503, soon()), (503, soon())]);
        assert_eq!(of(StoreError::Unavailable), (503, soon()));
        assert_eq!([of(StoreError::Ended), of(StoreError::Unknown)], [(503, None), (503, None)]);
        assert_eq!([of(StoreError::Conflict).0, of(StoreError::TooLarge(String::new())).0], [409, 422]);
        assert_eq!(of(StoreError::Failed(String::new())), (500, None));
    }

    #[test]
    fn what_the_server_has_no_room_for_can_be_tried_again() {
        let response = respond(Err(ControlError::Busy("full".to_owned())));
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers()["retry-after"], "1");
    }
}
