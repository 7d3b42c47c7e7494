//! Media types, as the service's framework negotiates them.

use didww_types::{ErrorCode, MEDIA_TYPE};
use http::{HeaderMap, header};

use crate::jsonapi::Refused;

/// Refuses a body of another media type, or of the right one with parameters.
pub(crate) fn content_type(headers: &HeaderMap) -> Result<(), Refused> {
    let sent = headers.get(header::CONTENT_TYPE).map_or("", |value| value.to_str().unwrap_or("unreadable"));
    if sent == MEDIA_TYPE {
        return Ok(());
    }
    // The full stop inside the quotation marks is the framework's.
    let detail = format!(
        "All requests that create or update must use the '{MEDIA_TYPE}' Content-Type. \
         This request specified '{sent}.'"
    );
    Err(Refused::new(ErrorCode::UnsupportedMediaType, "Unsupported media type", detail))
}

/// Refuses a request whose `Accept` leaves out the API's media type without parameters.
pub(crate) fn accept(headers: &HeaderMap) -> Result<(), Refused> {
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
    Err(Refused::new(ErrorCode::NotAcceptable, "Not acceptable", detail))
}
