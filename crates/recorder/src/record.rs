//! The proxy that records.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::body::Body as ResponseBody;
use axum::extract::{Request, State};
use axum::response::Response;
use http::StatusCode;
use http::uri::PathAndQuery;
use http_listener::{plain_json, read_body};
use serde_json::json;

use crate::client::Answer;
use crate::exchange::{Exchange, RecordedRequest, RecordedResponse};
use crate::folder::Writer;
use crate::listen::{limits, unread};
use crate::upstream::Upstream;

struct Recording {
    upstream: Upstream,
    writer: Writer,
    /// Whether the log states already that nothing more is recorded.
    is_full: AtomicBool,
}

/// Forwards every request to a service, and writes it with its response to the recording. The client receives the
/// response unchanged.
pub fn record(upstream: Upstream, writer: Writer) -> Router {
    Router::new().fallback(forward).with_state(Arc::new(Recording {
        upstream,
        writer,
        is_full: AtomicBool::new(false),
    }))
}

async fn forward(State(recording): State<Arc<Recording>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = match read_body(body, limits().body()).await {
        Ok(body) => body,
        Err(error) => return unread(&error),
    };
    let recorded = RecordedRequest::new(
        parts.method.as_str(),
        parts.uri.path(),
        parts.uri.query(),
        &parts.headers,
        &body,
    );
    let target = parts.uri.path_and_query().map_or("", PathAndQuery::as_str);
    let answer = recording.upstream.send(parts.method, target, parts.headers, body).await;
    let Answer { status, headers, body } = match answer {
        Ok(answer) => answer,
        Err(why) => {
            return plain_json(StatusCode::BAD_GATEWAY, &json!({ "error": format!("the upstream: {why}") }));
        }
    };
    let response = RecordedResponse::new(status.as_u16(), &headers, &body);
    let (writing, exchange) = (Arc::clone(&recording), Exchange::new(recorded, response));
    // A disk can be slow, and the threads that pass requests on must not wait for it.
    let written = tokio::task::spawn_blocking(move || writing.writer.write(&exchange)).await;
    match written.unwrap_or_else(|error| Err(io::Error::other(error))) {
        Ok(true) => {}
        Ok(false) => {
            if !recording.is_full.swap(true, Ordering::Relaxed) {
                tracing::warn!("the recording is full: further exchanges are passed on and not recorded");
            }
        }
        Err(error) => tracing::error!(%error, "an exchange could not be recorded"),
    }
    let mut response = Response::new(ResponseBody::from(body));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}
#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::{HeaderMap, Method};

    use super::*;
    use crate::client::{client, send};
    use crate::listen::Listener;

    /// Answers with the length of the body.
    async fn length(request: Request) -> String {
        let body = axum::body::to_bytes(request.into_body(), usize::MAX).await.unwrap();
        body.len().to_string()
    }

    #[tokio::test]
    async fn a_request_that_is_one_byte_too_long_is_not_passed_on_and_not_recorded() {
        let folder = tempfile::tempdir().unwrap();
        let service = Listener::open("127.0.0.1:0", Router::new().fallback(length)).await.unwrap();
        let upstream = Upstream::new(&format!("http://{}", service.address())).unwrap();
        let router = record(upstream, Writer::create(folder.path(), 10).unwrap());
        let proxy = Listener::open("127.0.0.1:0", router).await.unwrap();
        let (client, origin) = (client(false).unwrap(), format!("http://{}", proxy.address()));
        let most = limits().body_bytes;
        assert_eq!(most, 8 << 20);
        for (bytes, status, recorded) in [(most, 200, 1), (most + 1, 413, 1)] {
            let at = (origin.as_str(), "/v3/a");
            let body = Bytes::from(vec![b' '; bytes]);
            let answer = send(&client, Method::POST, at, HeaderMap::new(), body).await.unwrap();
            assert_eq!(answer.status.as_u16(), status, "{bytes}");
            assert_eq!(answer.body == bytes.to_string(), status == 200, "{:?}", answer.body);
            assert_eq!(crate::folder::read(folder.path()).unwrap().len(), recorded, "{bytes}");
        }
    }
}
