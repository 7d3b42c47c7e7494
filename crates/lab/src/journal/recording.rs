//! Records a request while it is served, and adds its entry to the journal.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::response::Response;
use bytes::Bytes;
use http::HeaderMap;
use http::request::Parts;
use http_body_util::BodyExt as _;
use service_base::clock::Clock;
use uuid::Uuid;

use super::Journal;
use super::entry::{Form, MAX_BODY_BYTES, RawBody, Stored, shortened};

/// Maximum number of bytes that are kept of a query.
const MAX_QUERY_BYTES: usize = 4 << 10;
/// Maximum number of bytes of a response body that is read; a longer one is recorded without its text.
const MAX_LOOKED_INTO: u64 = 4 << 20;

/// A request that is being served. Its entry is added when this is dropped, also if the client closed the connection before the
/// response.
pub(crate) struct Recording {
    journal: Arc<Journal>,
    clock: Clock,
    began: Duration,
    /// The entry so far; taken when it is added.
    stored: Option<Stored>,
    copied: Arc<Mutex<Copied>>,
    /// How the secrets of the request's body are found.
    form: Form,
}

/// The bytes of a body that were read so far.
#[derive(Default)]
struct Copied {
    start: Vec<u8>,
    bytes: u64,
}

impl Recording {
    /// Begins to record a request. Returns the body that must be read instead of the passed one.
    pub(crate) fn begin(
        journal: Arc<Journal>,
        clock: Clock,
        parts: &Parts,
        account: Option<Uuid>,
        body: Body,
    ) -> (Self, Body) {
        let query = parts.uri.query();
        let query = query.map(|query| shortened(query.to_owned(), MAX_QUERY_BYTES).into_boxed_str());
        let stored = Stored {
            number: 0,
            time: clock.now(),
            account,
            method: parts.method.as_str().into(),
            path: parts.uri.path().into(),
            query,
            request_headers: lines(&parts.headers),
            request_body: RawBody::default(),
            status: None,
            response_headers: String::new(),
            response_body: RawBody::default(),
            micros: 0,
            fault: None,
        };
        let copied = Arc::<Mutex<Copied>>::default();
        let body = if body.is_end_stream() {
            body
        } else {
            Body::new(CopiedBody { body, copied: Arc::clone(&copied) })
        };
        let began = clock.stopwatch();
        let form = Form::of(&parts.headers);
        (Self { journal, clock, began, stored: Some(stored), copied, form }, body)
    }

    /// Records the id of the fault that applies to the request.
    pub(crate) fn note_fault(&mut self, fault: u64) {
        if let Some(stored) = self.stored.as_mut() {
            stored.fault = Some(fault);
        }
    }

    /// Adds the entry with the response before the client can receive it. Returns the response.
    pub(crate) async fn answered(mut self, response: Response) -> Response {
        let (parts, body) = response.into_parts();
        let length = body.size_hint().exact();
        let form = Form::of(&parts.headers);
        let (body, raw) = match length {
            Some(length) if length <= MAX_LOOKED_INTO => {
                let bytes = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
                let raw = RawBody { bytes: bytes.len() as u64, start: start_of(&bytes, form), form };
                (Body::from(bytes), raw)
            }
            // The length of a stream is not known yet.
            length => (body, RawBody { bytes: length.unwrap_or(0), start: Bytes::new(), form }),
        };
        if let Some(stored) = self.stored.as_mut() {
            stored.status = Some(parts.status.as_u16());
            stored.response_headers = lines(&parts.headers);
            stored.response_body = raw;
        }
        drop(self);
        Response::from_parts(parts, body)
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        let Some(mut stored) = self.stored.take() else { return };
        let took = self.clock.stopwatch().saturating_sub(self.began);
        stored.micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        {
            let copied = self.copied.lock().unwrap_or_else(PoisonError::into_inner);
            let start = start_of(&copied.start, self.form);
            stored.request_body = RawBody { start, bytes: copied.bytes, form: self.form };
        }
        self.journal.add(stored);
    }
}

/// A copy of the first bytes of a body: a reference would keep the whole received buffer in memory.
fn start_of(body: &[u8], form: Form) -> Bytes {
    if form == Form::Other {
        return Bytes::new();
    }
    Bytes::copy_from_slice(body.get(..MAX_BODY_BYTES).unwrap_or(body))
}

/// Headers as lines. They are copied, because a reference would keep the whole received buffer in memory.
fn lines(headers: &HeaderMap) -> String {
    let mut lines = String::with_capacity(headers.len() * 48);
    for (name, value) in headers {
        lines.push_str(name.as_str());
        lines.push_str(": ");
        match value.to_str() {
            Ok(text) => lines.push_str(text),
            Err(_) => lines.push_str(&String::from_utf8_lossy(value.as_bytes())),
        }
        lines.push('\n');
    }
    lines
}

/// A body whose first bytes are copied while it is read.
struct CopiedBody {
    body: Body,
    copied: Arc<Mutex<Copied>>,
}

impl HttpBody for CopiedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Some(data) = frame.data_ref()
        {
            let mut copied = self.copied.lock().unwrap_or_else(PoisonError::into_inner);
            copied.bytes += data.len() as u64;
            let room = MAX_BODY_BYTES.saturating_sub(copied.start.len()).min(data.len());
            copied.start.extend_from_slice(data.get(..room).unwrap_or_default());
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::super::JournalEntry;
    use super::*;

    fn parts(media_type: &str) -> Parts {
        let request = http::Request::builder()
            .method("POST")
            .uri("/v3/dids?filter[password]=planted&page=1")
            .header("content-type", media_type)
            .header("api-key", "planted")
            .header("authorization", "Bearer planted")
            .header("x-plain", "seen");
        request.body(()).unwrap().into_parts().0
    }

    /// Records a request with a body that is read whole, and an answer.
    async fn recorded(media_type: &str, body: Vec<u8>, answer: &'static str) -> JournalEntry {
        let journal = Arc::new(Journal::new(10));
        let body = Body::from(body);
        let (recording, body) =
            Recording::begin(Arc::clone(&journal), Clock::system(), &parts(media_type), None, body);
        body.collect().await.unwrap();
        let mut response = Response::new(Body::from(answer));
        response.headers_mut().insert("set-cookie", http::HeaderValue::from_static("planted"));
        let response = recording.answered(response).await;
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), answer);
        journal.entries_after(0, 1).0.remove(0)
    }

    #[tokio::test]
    async fn no_secret_of_a_request_or_of_its_answer_is_shown() {
        let json = br#"{"password":"planted","name":"seen"}"#.to_vec();
        let entry = recorded("application/vnd.api+json", json, r#"{"token":"planted","id":"seen"}"#).await;
        let text = format!("{entry:?}");
        assert!(!text.contains("planted"), "{text}");
        assert_eq!(entry.query.as_deref(), Some("filter[password]=(hidden)&page=1"));
        assert_eq!(entry.request_headers["x-plain"], "seen");
        assert_eq!(entry.request_body.text.as_deref(), Some(r#"{"password":"(hidden)","name":"seen"}"#));
        assert_eq!(entry.response_body.text.as_deref(), Some(r#"{"token":"(hidden)","id":"seen"}"#));
        assert_eq!((entry.status, entry.request_body.bytes), (Some(200), 36));
        let form = recorded("application/x-www-form-urlencoded", b"secret=planted&a=1".to_vec(), "").await;
        assert_eq!(form.request_body.text.as_deref(), Some("secret=(hidden)&a=1"));
        let other = recorded("multipart/form-data; boundary=x", b"planted".to_vec(), "").await;
        assert_eq!((other.request_body.text, other.request_body.bytes), (None, 7));
    }

    #[tokio::test]
    async fn of_a_body_that_is_one_byte_too_long_the_start_is_kept() {
        let body = |length: usize| format!("[\"{}\"]", "a".repeat(length - 4)).into_bytes();
        let whole = recorded("application/json", body(MAX_BODY_BYTES), "").await.request_body;
        assert_eq!((whole.is_cut, whole.text.unwrap().len()), (false, MAX_BODY_BYTES));
        let cut = recorded("application/json", body(MAX_BODY_BYTES + 1), "").await.request_body;
        assert_eq!((cut.is_cut, cut.text.unwrap().len()), (true, MAX_BODY_BYTES));
        assert_eq!(cut.bytes, (MAX_BODY_BYTES + 1) as u64);
    }

    #[tokio::test]
    async fn of_an_answer_that_is_too_long_to_look_into_the_length_is_kept() {
        let longest = usize::try_from(MAX_LOOKED_INTO).unwrap();
        for (length, is_shown) in [(longest, true), (longest + 1, false)] {
            let journal = Arc::new(Journal::new(10));
            let (recording, _body) = Recording::begin(
                Arc::clone(&journal),
                Clock::system(),
                &parts("text/plain"),
                None,
                Body::empty(),
            );
            let answer = Response::new(Body::from(format!("[\"{}\"]", "a".repeat(length - 4))));
            let answer = recording.answered(answer).await;
            assert_eq!(answer.into_body().collect().await.unwrap().to_bytes().len(), length);
            let kept = journal.entries_after(0, 1).0.remove(0).response_body;
            assert_eq!((kept.bytes, kept.text.is_some()), (length as u64, is_shown));
            assert!(kept.is_cut);
        }
    }

    #[tokio::test]
    async fn of_a_query_that_is_one_byte_too_long_the_start_is_kept() {
        for length in [MAX_QUERY_BYTES, MAX_QUERY_BYTES + 1] {
            let journal = Arc::new(Journal::new(10));
            let mut parts = parts("text/plain");
            parts.uri = format!("/v3/dids?page={}", "1".repeat(length - 5)).parse().unwrap();
            drop(Recording::begin(Arc::clone(&journal), Clock::system(), &parts, None, Body::empty()));
            let query = journal.entries_after(0, 1).0.remove(0).query.unwrap();
            assert_eq!(query.len(), MAX_QUERY_BYTES);
        }
    }

    #[tokio::test]
    async fn a_request_whose_client_left_has_an_entry_without_a_status() {
        let journal = Arc::new(Journal::new(10));
        let body = Body::from("x");
        let begun = Recording::begin(Arc::clone(&journal), Clock::system(), &parts("text/plain"), None, body);
        drop(begun);
        let (entries, _) = journal.entries_after(0, 10);
        assert_eq!(entries.iter().map(|entry| entry.status).collect::<Vec<_>>(), [None]);
    }
}
