//! Checks of `Content-Type` and `Accept`, with the results and texts of the framework behind DIDWW's API.
//!
//! Media types are compared without their parameters and without letter case: the framework takes the type of a
//! `Content-Type` alone, and the string bodies of .NET and of `OkHttp` always have a `charset`.

use didww_types::{ErrorCode, MEDIA_TYPE};
use http::{HeaderMap, header};

use crate::jsonapi::ApiError;

/// Refuses a request whose `Content-Type` is not the API's media type.
pub(crate) fn content_type(headers: &HeaderMap) -> Result<(), ApiError> {
    let sent = headers.get(header::CONTENT_TYPE).map_or("", |value| value.to_str().unwrap_or("unreadable"));
    let sent = sent.split([';', ',']).next().unwrap_or_default().trim();
    if sent.eq_ignore_ascii_case(MEDIA_TYPE) {
        return Ok(());
    }
    // The framework puts the full stop inside the quotation marks.
    let detail = format!(
        "All requests that create or update must use the '{MEDIA_TYPE}' Content-Type. \
         This request specified '{sent}.'"
    );
    Err(ApiError::new(ErrorCode::UnsupportedMediaType, "Unsupported media type", detail))
}

/// The boundary of a form of several parts; `None` if the body is of another media type.
pub(crate) fn boundary(headers: &HeaderMap) -> Option<String> {
    let sent = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    let mut parts = sent.split(';').map(str::trim);
    if !parts.next()?.eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let boundary = parts.find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("boundary").then(|| value.trim().trim_matches('"').to_owned())
    })?;
    // RFC 2046 §5.1.1.
    (1..=70).contains(&boundary.len()).then_some(boundary)
}

/// Refuses a request whose `Accept` contains neither the API's media type nor `*/*`. A request without the header, or
/// with an empty one, is accepted.
pub(crate) fn accept(headers: &HeaderMap) -> Result<(), ApiError> {
    let mut texts =
        headers.get_all(header::ACCEPT).iter().map(|value| value.to_str().unwrap_or("unreadable"));
    let Some(first) = texts.next() else { return Ok(()) };
    // Almost every program sends this range first.
    if first == MEDIA_TYPE || first == "*/*" {
        return Ok(());
    }
    let sent = texts.fold(first.to_owned(), |all, text| format!("{all}, {text}"));
    if sent.is_empty() || sent.split(',').any(is_accepted) {
        return Ok(());
    }
    let detail = format!(
        "All requests must use the '{MEDIA_TYPE}' Accept without media type parameters. \
         This request specified '{sent}'."
    );
    Err(ApiError::new(ErrorCode::NotAcceptable, "Not acceptable", detail))
}

/// Returns true for `*/*`, and for the API's media type. Beside a weight and a `charset` it must have no parameters:
/// with an `ext` or `profile` it requests another representation, which DIDWW documents as refused.
fn is_accepted(range: &str) -> bool {
    let mut parts = range.split(';').map(str::trim);
    let media_type = parts.next().unwrap_or_default();
    let changes_nothing = |parameter: &str| {
        let name = parameter.split('=').next().unwrap_or_default().trim();
        name.is_empty() || ["q", "charset"].iter().any(|known| name.eq_ignore_ascii_case(known))
    };
    media_type.starts_with("*/*")
        || (media_type.eq_ignore_ascii_case(MEDIA_TYPE) && parts.all(changes_nothing))
}
