//! One HTTP request of a subcommand to a running server.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, Method, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

/// Maximum time until the response is complete.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// Maximum number of bytes of the response's body.
const MAX_RESPONSE_BYTES: usize = 4 << 20;

/// Sends a request to `HOST:PORT` and returns the status and the JSON of the response; a body that is not JSON is null.
/// Without a `body` the request is a GET, else a POST.
///
/// # Errors
/// The reason why no complete response arrived within 10 seconds.
pub(super) async fn exchange(
    at: &str,
    path: &str,
    headers: &[(HeaderName, String)],
    body: Option<&Value>,
) -> Result<(StatusCode, Value), String> {
    let (status, body) = exchange_bytes(at, path, headers, body).await?;
    Ok((status, serde_json::from_slice(&body).unwrap_or_default()))
}

/// Sends a GET to `HOST:PORT` and returns the status and the text of the response.
///
/// # Errors
/// As [`exchange`].
pub(super) async fn exchange_text(
    at: &str,
    path: &str,
    headers: &[(HeaderName, String)],
) -> Result<(StatusCode, String), String> {
    let (status, body) = exchange_bytes(at, path, headers, None).await?;
    Ok((status, String::from_utf8_lossy(&body).into_owned()))
}

async fn exchange_bytes(
    at: &str,
    path: &str,
    headers: &[(HeaderName, String)],
    body: Option<&Value>,
) -> Result<(StatusCode, Bytes), String> {
    let uri = Uri::builder().scheme("http").authority(at).path_and_query(path).build();
    let uri = uri.map_err(|error| error.to_string())?;
    let mut request =
        Request::builder().method(if body.is_some() { Method::POST } else { Method::GET }).uri(uri);
    for (name, value) in headers {
        request = request.header(name, value);
    }
    if body.is_some() {
        request = request.header(header::CONTENT_TYPE, "application/json");
    }
    let body = body.map(ToString::to_string).unwrap_or_default();
    let request = request.body(Full::from(Bytes::from(body))).map_err(|error| error.to_string())?;
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let exchange = async {
        let response = client.request(request).await.map_err(|error| root_cause(&error))?;
        let status = response.status();
        let body = Limited::new(response.into_body(), MAX_RESPONSE_BYTES).collect().await;
        Ok((status, body.map_err(|error| error.to_string())?.to_bytes()))
    };
    let answer = tokio::time::timeout(REQUEST_TIMEOUT, exchange).await;
    let slow = || format!("no response within {} seconds", REQUEST_TIMEOUT.as_secs());
    answer.unwrap_or_else(|_| Err(slow()))
}

/// Percent-encodes the reserved characters of a text for a path or a query.
pub(super) fn escaped(text: &str) -> String {
    // `byte_serialize` encodes a space as a plus sign, which is a literal plus sign in a path.
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}

/// The header with a token of the control API, if there is one.
pub(super) fn bearer(token: Option<&String>) -> Vec<(HeaderName, String)> {
    token.map(|token| (header::AUTHORIZATION, format!("Bearer {token}"))).into_iter().collect()
}

/// Returns the text of an error's root cause, because the text of the outermost error contains no detail.
fn root_cause(error: &dyn std::error::Error) -> String {
    std::iter::successors(error.source(), |error| error.source())
        .last()
        .map_or_else(|| error.to_string(), ToString::to_string)
}
