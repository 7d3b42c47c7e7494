//! One attempt: sends a request and reads a response of limited size.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::header::{DATE, HeaderMap, HeaderName, RETRY_AFTER, WWW_AUTHENTICATE};
use reqwest::{Response, StatusCode};

use crate::{TransportKind, clock, retry_after};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// A response of any status, whose body was read to its end.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) status: StatusCode,
    pub(crate) request_id: Option<String>,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) challenge: Option<String>,
    pub(crate) body: Bytes,
}

/// The reason why there is no complete response.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) kind: TransportKind,
    pub(crate) source: Option<reqwest::Error>,
}

impl From<reqwest::Error> for Failure {
    fn from(error: reqwest::Error) -> Self {
        // Checked first: a connect that times out is both, and nothing was sent.
        let kind = if error.is_connect() {
            TransportKind::Connect
        } else if error.is_timeout() {
            TransportKind::Timeout
        } else {
            TransportKind::Interrupted
        };
        Self { kind, source: Some(error.without_url()) }
    }
}

/// Sends a request and reads a response body of at most `limit` bytes.
///
/// The request is passed to the HTTP client before the future is built: the future would otherwise hold the
/// whole request until it completes.
pub(crate) fn send(
    http: &reqwest::Client,
    request: reqwest::Request,
    limit: usize,
) -> impl Future<Output = Result<Received, Failure>> + Send + use<> {
    let pending = http.execute(request);
    async move {
        let mut response = pending.await?;
        let body = read(&mut response, limit).await?;
        let headers = response.headers();
        Ok(Received {
            status: response.status(),
            request_id: request_id(headers),
            retry_after: wait(headers),
            challenge: challenge(headers),
            body,
        })
    }
}

async fn read(response: &mut Response, limit: usize) -> Result<Bytes, Failure> {
    let too_large = || Failure { kind: TransportKind::TooLarge { limit }, source: None };
    let announced = response.content_length().unwrap_or(0);
    let announced =
        usize::try_from(announced).ok().filter(|length| *length <= limit).ok_or_else(too_large)?;
    let (mut first, mut body) = (Bytes::new(), BytesMut::new());
    while let Some(chunk) = response.chunk().await? {
        let read = first.len().max(body.len());
        if chunk.len() > limit.saturating_sub(read) {
            return Err(too_large());
        }
        // Most bodies arrive in one chunk, which is returned without a copy.
        if read == 0 {
            first = chunk;
            continue;
        }
        if body.is_empty() {
            body.reserve(announced.max(first.len() + chunk.len()));
            body.extend_from_slice(&first);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(if body.is_empty() { first } else { body.freeze() })
}

const MAX_REQUEST_ID_BYTES: usize = 128;

/// The `x-request-id` of the response, if it is visible ASCII of 1 to 128 bytes.
fn request_id(headers: &HeaderMap) -> Option<String> {
    let id = headers.get(REQUEST_ID)?.to_str().ok()?;
    (!id.is_empty() && id.len() <= MAX_REQUEST_ID_BYTES).then(|| id.to_owned())
}

const MAX_CHALLENGE_BYTES: usize = 512;

/// The first `WWW-Authenticate` of the response, if it is visible ASCII of at most 512 bytes.
fn challenge(headers: &HeaderMap) -> Option<String> {
    let challenge = headers.get(WWW_AUTHENTICATE)?.to_str().ok()?;
    (challenge.len() <= MAX_CHALLENGE_BYTES).then(|| challenge.to_owned())
}

fn wait(headers: &HeaderMap) -> Option<Duration> {
    let date = headers.get(DATE).and_then(|date| date.to_str().ok());
    retry_after::wait(headers.get(RETRY_AFTER)?.to_str().ok()?, date, clock::unix_millis)
}
