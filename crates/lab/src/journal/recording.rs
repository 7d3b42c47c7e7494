//! Records a request while it is served, and adds its entry to the journal.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::response::Response;
use bytes::Bytes;
use http::request::Parts;
use http_body_util::BodyExt as _;
use service_base::clock::Clock;
use uuid::Uuid;

use super::Journal;
use super::entry::{Form, MAX_BODY_BYTES, MAX_QUERY_BYTES, RawBody, Stored, start_of_text};
use super::spare;

/// Maximum number of bytes of a response body that is read; a longer one is recorded without its text.
const MAX_LOOKED_INTO: u64 = 4 << 20;

/// A request that is being served. Its entry is added when this is dropped, even if its client disconnected before
/// there was an answer. It is small, because the future of each request holds it.
pub(crate) struct Recording<'a> {
    journal: &'a Journal,
    clock: &'a Clock,
    began: Duration,
    /// The entry so far, which is shared with nothing yet; taken when it is added.
    stored: Option<Arc<Stored>>,
    /// The part of the request's body that is read; `None` for a request without one.
    copied: Option<Arc<Mutex<Copied>>>,
}

/// The bytes of a body that were read so far.
#[derive(Default)]
struct Copied {
    start: Vec<u8>,
    bytes: u64,
}

impl<'a> Recording<'a> {
    /// Begins to record a request. Returns its body, which the caller reads in place of the one that it passed.
    pub(crate) fn begin(
        journal: &'a Journal,
        clock: &'a Clock,
        parts: &Parts,
        account: Option<Uuid>,
        body: Body,
    ) -> (Self, Body) {
        let query = parts.uri.query();
        let mut stored = spare::take();
        if let Some(stored) = Arc::get_mut(&mut stored) {
            stored.time = clock.now();
            stored.account = account;
            stored.method = parts.method.clone();
            stored.has_query = query.is_some();
            let query = start_of_text(query.unwrap_or_default(), MAX_QUERY_BYTES);
            stored.texts.begin(parts.uri.path(), query, &parts.headers);
            stored.request_body = RawBody { bytes: 0, form: Form::of(&parts.headers) };
            stored.status = None;
            stored.response_body = RawBody::default();
            stored.fault = None;
        }
        let (body, copied) = if body.is_end_stream() {
            (body, None)
        } else {
            let copied = Arc::<Mutex<Copied>>::default();
            (Body::new(CopiedBody { body, copied: Arc::clone(&copied) }), Some(copied))
        };
        let began = clock.stopwatch();
        (Self { journal, clock, began, stored: Some(stored), copied }, body)
    }

    /// Records the id of the fault that applies to the request.
    pub(crate) fn note_fault(&mut self, fault: u64) {
        if let Some(stored) = self.stored.as_mut().and_then(Arc::get_mut) {
            stored.fault = Some(fault);
        }
    }

    /// Adds the entry with the response before the client can receive it. Returns the response.
    pub(crate) async fn answered(mut self, response: Response) -> Response {
        let (parts, body) = response.into_parts();
        let body = match body.size_hint().exact() {
            Some(length) if length <= MAX_LOOKED_INTO => {
                let bytes = whole(body, length).await;
                self.note_answer(&parts, bytes.len() as u64, &bytes);
                Body::from(bytes)
            }
            // The length of a stream is not known yet.
            length => {
                self.note_answer(&parts, length.unwrap_or(0), b"");
                body
            }
        };
        drop(self);
        Response::from_parts(parts, body)
    }

    /// Records an answer: `bytes` is the length of its body, and `body` the part that was inspected.
    fn note_answer(&mut self, parts: &http::response::Parts, bytes: u64, body: &[u8]) {
        if let Some(stored) = self.stored.as_mut().and_then(Arc::get_mut) {
            let form = Form::of(&parts.headers);
            stored.status = Some(parts.status.as_u16());
            stored.texts.push_answer(&parts.headers, start_of(body, form));
            stored.response_body = RawBody { bytes, form };
        }
    }
}

impl Drop for Recording<'_> {
    fn drop(&mut self) {
        let Some(mut shared) = self.stored.take() else { return };
        let took = self.clock.stopwatch().saturating_sub(self.began);
        if let Some(stored) = Arc::get_mut(&mut shared) {
            stored.micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
            if let Some(copied) = &self.copied {
                let copied = copied.lock().unwrap_or_else(PoisonError::into_inner);
                stored.request_body.bytes = copied.bytes;
                stored.texts.push_request_body(start_of(&copied.start, stored.request_body.form));
            }
            stored.texts.trim();
        }
        self.journal.add(shared);
    }
}

/// The part of a body that is kept. The journal copies it, so that it does not hold the buffer that the body is a part
/// of.
fn start_of(body: &[u8], form: Form) -> &[u8] {
    if form == Form::Other {
        return b"";
    }
    body.get(..MAX_BODY_BYTES).unwrap_or(body)
}

/// The bytes of a body that has this many; none if it fails. That of almost every answer is in one piece.
async fn whole(mut body: Body, length: u64) -> Bytes {
    let Some(Ok(first)) = body.frame().await else { return Bytes::new() };
    let first = first.into_data().unwrap_or_default();
    if first.len() as u64 == length {
        return first;
    }
    Box::pin(joined(first, body)).await
}

async fn joined(first: Bytes, rest: Body) -> Bytes {
    let Ok(rest) = rest.collect().await else { return Bytes::new() };
    let mut all = first.to_vec();
    all.extend_from_slice(&rest.to_bytes());
    Bytes::from(all)
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
    use super::super::{JournalBody, JournalEntry};
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
        let (journal, clock) = (Journal::new(10), Clock::system());
        let body = Body::from(body);
        let (recording, body) = Recording::begin(&journal, &clock, &parts(media_type), None, body);
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
            let (journal, clock) = (Journal::new(10), Clock::system());
            let (recording, _body) =
                Recording::begin(&journal, &clock, &parts("text/plain"), None, Body::empty());
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
            let (journal, clock) = (Journal::new(10), Clock::system());
            let mut parts = parts("text/plain");
            parts.uri = format!("/v3/dids?page={}", "1".repeat(length - 5)).parse().unwrap();
            drop(Recording::begin(&journal, &clock, &parts, None, Body::empty()));
            let query = journal.entries_after(0, 1).0.remove(0).query.unwrap();
            assert_eq!(query.len(), MAX_QUERY_BYTES);
        }
    }

    #[tokio::test]
    async fn a_request_whose_client_left_has_an_entry_without_a_status() {
        let (journal, clock) = (Journal::new(10), Clock::system());
        let body = Body::from("x");
        let begun = Recording::begin(&journal, &clock, &parts("text/plain"), None, body);
        drop(begun);
        let (entries, _) = journal.entries_after(0, 10);
        assert_eq!(entries.iter().map(|entry| entry.status).collect::<Vec<_>>(), [None]);
    }
    #[tokio::test(start_paused = true)]
    async fn of_an_answer_in_pieces_all_are_kept_and_of_one_that_fails_none() {
        let text = r#"{"a":"b"}"#;
        let (journal, clock) = (Journal::new(10), Clock::system());
        let slow = crate::body::slow(Body::from(text), 4, Duration::ZERO).await;
        let cut = crate::body::cut(Body::from(text), 4).await;
        for (number, body, kept) in [(1, slow, Some(text)), (2, cut, None)] {
            let (recording, _body) =
                Recording::begin(&journal, &clock, &parts("text/plain"), None, Body::empty());
            let answer = recording.answered(Response::new(body)).await;
            let sent = answer.into_body().collect().await.unwrap().to_bytes();
            assert_eq!(sent, kept.unwrap_or_default());
            let entry = journal.entry(number).unwrap();
            assert_eq!(entry.response_body.text.as_deref(), kept);
            assert_eq!(entry.response_body.bytes, sent.len() as u64);
        }
    }

    #[tokio::test]
    async fn an_entry_that_is_overwritten_leaves_nothing_of_its_own() {
        let (journal, clock) = (Journal::new(1), Clock::system());
        let account = Some(Uuid::from_u128(1));
        for _ in 0..2 {
            let (mut recording, body) =
                Recording::begin(&journal, &clock, &parts("application/json"), account, Body::from("[1]"));
            recording.note_fault(7);
            body.collect().await.unwrap();
            let answer = recording.answered(Response::new(Body::from("[2]"))).await;
            assert_eq!(answer.status(), 200);
        }
        let (bare, ()) = http::Request::get("/bare").body(()).unwrap().into_parts();
        drop(Recording::begin(&journal, &clock, &bare, None, Body::empty()));
        let entry = journal.entries_after(0, 1).0.remove(0);
        assert_eq!((entry.number, entry.method.as_str(), entry.path.as_str()), (3, "GET", "/bare"));
        assert_eq!((entry.account, entry.query, entry.status, entry.fault), (None, None, None, None));
        assert!(entry.request_headers.is_empty() && entry.response_headers.is_empty());
        assert_eq!(
            (entry.request_body, entry.response_body),
            (JournalBody::default(), JournalBody::default())
        );
    }
}
