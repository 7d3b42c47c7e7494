//! One attempt: a request goes out, an answer of bounded size comes back.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::header::{DATE, HeaderMap, HeaderName, RETRY_AFTER};
use reqwest::{Response, StatusCode};

use crate::{TransportKind, clock, retry_after};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) status: StatusCode,
    pub(crate) request_id: Option<String>,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) body: Bytes,
}

/// No whole answer.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) kind: TransportKind,
    pub(crate) source: Option<reqwest::Error>,
}

impl From<reqwest::Error> for Failure {
    fn from(error: reqwest::Error) -> Self {
        // First of all: a connect that times out has not sent anything.
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

/// Sends and reads at most `limit` bytes of a body.
pub(crate) async fn send(
    http: &reqwest::Client,
    request: reqwest::Request,
    limit: usize,
) -> Result<Received, Failure> {
    let response = http.execute(request).await?;
    let headers = response.headers();
    let received = Received {
        status: response.status(),
        request_id: request_id(headers),
        retry_after: wait(headers),
        body: Bytes::new(),
    };
    Ok(Received { body: read(response, limit).await?, ..received })
}

async fn read(mut response: Response, limit: usize) -> Result<Bytes, Failure> {
    let too_large = || Failure { kind: TransportKind::TooLarge { limit }, source: None };
    let announced = response.content_length().unwrap_or(0);
    let announced =
        usize::try_from(announced).ok().filter(|length| *length <= limit).ok_or_else(too_large)?;
    let Some(first) = response.chunk().await? else { return Ok(Bytes::new()) };
    let Some(second) = response.chunk().await? else {
        // Most answers come in one piece, which needs no copy.
        return if first.len() > limit { Err(too_large()) } else { Ok(first) };
    };
    let mut body = BytesMut::with_capacity(announced.max(first.len() + second.len()));
    body.extend_from_slice(&first);
    let mut next = Some(second);
    while let Some(chunk) = next {
        if chunk.len() > limit.saturating_sub(body.len()) {
            return Err(too_large());
        }
        body.extend_from_slice(&chunk);
        next = response.chunk().await?;
    }
    Ok(body.freeze())
}

/// The service's name for the request, unless it is so long or odd that it is no name.
fn request_id(headers: &HeaderMap) -> Option<String> {
    let id = headers.get(REQUEST_ID)?.to_str().ok()?;
    (!id.is_empty() && id.len() <= 128).then(|| id.to_owned())
}

fn wait(headers: &HeaderMap) -> Option<Duration> {
    let date = headers.get(DATE).and_then(|date| date.to_str().ok());
    retry_after::wait(headers.get(RETRY_AFTER)?.to_str().ok()?, date, clock::unix_millis)
}
