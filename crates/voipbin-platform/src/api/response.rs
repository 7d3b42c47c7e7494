//! Responses: JSON, errors, redirects, and the CORS headers for browsers.

use axum::body::Body;
use axum::response::Response;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};

use crate::entity::json_text;
use crate::error::ApiError;

/// A response with a JSON body.
pub(super) fn json_response(status: StatusCode, text: String) -> Response {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("application/json; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

/// The response of an error, with `Retry-After` where the error has one.
pub(super) fn error_response(error: &ApiError, request_id: &str) -> Response {
    let mut response = json_response(error.http_status(), json_text(&error.body(request_id)));
    if let Some(seconds) = error.retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// The API's response with this status, for an injected fault.
pub fn refusal(status: StatusCode, request_id: &str) -> Response {
    let mut response = error_response(&ApiError::nearest_to(status), request_id);
    *response.status_mut() = status;
    response
}

/// The response to a CORS preflight request of a browser.
pub(super) fn preflight() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::ACCESS_CONTROL_ALLOW_METHODS, "POST,GET,PUT,DELETE,PATCH,HEAD,OPTIONS"),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "Origin,X-Requested-With,Content-Type,Accept,Authorization"),
        (header::ACCESS_CONTROL_MAX_AGE, "43200"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Lets scripts of every origin read a response.
pub(super) fn allow_every_origin(headers: &mut HeaderMap) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("Content-Length"));
}

/// A redirect to the same path without the slash at its end.
pub(super) fn redirect_without_slash(parts: &Parts) -> Response {
    let mut location = parts.uri.path().trim_end_matches('/').to_owned();
    if let Some(query) = parts.uri.query() {
        location = format!("{location}?{query}");
    }
    let mut response = Response::new(Body::empty());
    *response.status_mut() = if parts.method == Method::GET {
        StatusCode::MOVED_PERMANENTLY
    } else {
        StatusCode::TEMPORARY_REDIRECT
    };
    // This cannot fail: the path was part of a request line.
    if let Ok(location) = HeaderValue::try_from(location) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}
