//! Checks of `Content-Type` and `Accept`, with the results and texts of the framework behind DIDWW's API.

use didww_types::{ErrorCode, MEDIA_TYPE};
use http::{HeaderMap, header};

use crate::jsonapi::ApiError;

/// Refuses a request whose `Content-Type` is not exactly the API's media type, without parameters.
pub(crate) fn content_type(headers: &HeaderMap) -> Result<(), ApiError> {
    let sent = headers.get(header::CONTENT_TYPE).map_or("", |value| value.to_str().unwrap_or("unreadable"));
    if sent == MEDIA_TYPE {
        return Ok(());
    }
    // The framework puts the full stop inside the quotation marks.
    let detail = format!(
        "All requests that create or update must use the '{MEDIA_TYPE}' Content-Type. \
         This request specified '{sent}.'"
    );
    Err(ApiError::new(ErrorCode::UnsupportedMediaType, "Unsupported media type", detail))
}

/// Refuses a request whose `Accept` contains neither the API's media type without parameters nor `*/*`. A request
/// without the header, or with an empty one, is accepted.
pub(crate) fn accept(headers: &HeaderMap) -> Result<(), ApiError> {
    let mut texts =
        headers.get_all(header::ACCEPT).iter().map(|value| value.to_str().unwrap_or("unreadable"));
    let Some(first) = texts.next() else { return Ok(()) };
    let sent = texts.fold(first.to_owned(), |all, text| format!("{all}, {text}"));
    let accepted =
        sent.split(',').map(str::trim).any(|range| range == MEDIA_TYPE || range.starts_with("*/*"));
    if accepted || sent.is_empty() {
        return Ok(());
    }
    let detail = format!(
        "All requests must use the '{MEDIA_TYPE}' Accept without media type parameters. \
         This request specified '{sent}'."
    );
    Err(ApiError::new(ErrorCode::NotAcceptable, "Not acceptable", detail))
}
