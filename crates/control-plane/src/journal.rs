//! The journal of requests: its methods, its routes, and its stream.
//!
//! Bounds: [`MAX_LISTED`] entries of a list; [`MAX_WAITING`] followers and waiting requests at once; a wait of a
//! minute. A follower reads the journal itself, so that nothing is kept for it: one that is too slow misses the entries
//! that the journal dropped meanwhile, and its next line states how many.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::response::Response;
use didww_types::Timestamp;
use futures_util::{Stream, StreamExt as _, stream};
use http::{HeaderValue, StatusCode, Uri, header};
use lab::{Expectations, Expected, Followed, Journal, JournalEntry, MAX_EXPECTED, Report, Selection};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use uuid::Uuid;

use crate::respond::{parse_body, parse_query, refused, respond, respond_apart, retry_after};
use crate::route::Route;
use crate::{Control, ControlError};

/// Maximum number of entries in a list.
const MAX_LISTED: usize = 1_000;
/// Number of entries in a list if the request has no `limit`.
const DEFAULT_LISTED: usize = 100;
/// Maximum number of followers, and of requests that wait, together.
const MAX_WAITING: usize = 64;
/// Seconds after which a refused client may try again.
const RETRY_AFTER: u64 = 5;
/// The longest wait in milliseconds, and the default for a request that names none.
const MAX_WAIT_MS: u64 = 60_000;
const DEFAULT_WAIT_MS: u64 = 5_000;
/// Number of entries that are read for a follower at a time.
const FOLLOWED_AT_A_TIME: usize = 256;

impl Control {
    /// Returns the journal of the last requests to this node.
    ///
    /// # Errors
    /// If the server keeps none.
    pub fn journal(&self) -> Result<&Arc<Journal>, ControlError> {
        let none = || ControlError::NotFound("journal: start the server with `--journal 1000`".to_owned());
        self.lab.journal().ok_or_else(none)
    }

    /// Returns the entry of the journal with this number.
    ///
    /// # Errors
    /// If there is none, because no request has the number yet or the entry was dropped to make room, or the server
    /// keeps no journal.
    pub fn journal_entry(&self, number: u64) -> Result<JournalEntry, ControlError> {
        self.journal()?.entry(number).ok_or_else(|| absent(number))
    }

    /// Returns all entries of the journal, the oldest first; none if the server keeps no journal.
    pub fn received_requests(&self) -> Vec<JournalEntry> {
        self.lab.journal().map(|journal| journal.entries_after(0, usize::MAX).0).unwrap_or_default()
    }

    /// Compares the journal with the expected requests.
    ///
    /// # Errors
    /// If the server keeps none, or more than 50 requests are expected.
    pub fn verify_journal(&self, expectations: &Expectations) -> Result<Report, ControlError> {
        Ok(self.journal_for(expectations)?.verify(expectations))
    }

    /// Waits until the journal is as expected, and returns the last report.
    ///
    /// # Errors
    /// Those of [`verify_journal`](Self::verify_journal).
    pub async fn wait_for_journal(
        &self,
        expectations: &Expectations,
        longest: Duration,
    ) -> Result<Report, ControlError> {
        Ok(self.journal_for(expectations)?.wait(expectations, longest).await)
    }

    /// Removes all entries, and returns their number.
    ///
    /// # Errors
    /// If the server keeps no journal.
    pub fn clear_journal(&self) -> Result<usize, ControlError> {
        Ok(self.journal()?.clear())
    }

    fn journal_for(&self, expectations: &Expectations) -> Result<&Arc<Journal>, ControlError> {
        if !(1..=MAX_EXPECTED).contains(&expectations.requests.len()) {
            return Err(ControlError::invalid("requests", format!("must have 1 to {MAX_EXPECTED} items")));
        }
        self.journal()
    }
}

fn absent(number: impl std::fmt::Display) -> ControlError {
    ControlError::NotFound(format!("request {number} in the journal: it went to make room, or has not come"))
}

/// The routes of the journal.
pub(crate) fn routes() -> Vec<Route> {
    let places = Arc::new(Semaphore::new(MAX_WAITING));
    let places_of_waits = Arc::clone(&places);
    let follow = move |State(control): State<Control>, uri: Uri| {
        let places = Arc::clone(&places);
        async move { follow_journal(&control, &uri, places) }
    };
    let wait = move |State(control): State<Control>, body: Bytes| {
        let places = Arc::clone(&places_of_waits);
        async move { wait_for_journal(&control, &body, places).await }
    };
    vec![
        Route::get("/journal", "Lists the last requests to the public APIs, newest first.", list_journal)
            .query::<Filters>()
            .answers::<Listed>(200)
            .errors(&[404, 422]),
        Route::get("/journal/{number}", "Returns one request with its answer.", show_entry)
            .text_parameter("number")
            .answers::<JournalEntry>(200)
            .errors(&[404]),
        Route::get("/journal/stream", "Streams each request when it ends, as a line of JSON.", follow)
            .query::<Filters>()
            .declare(|operation| operation.answers_with(200, "application/x-ndjson"))
            .errors(&[404, 422]),
        Route::post("/journal/verify", "Compares the journal with expected requests.", verify_journal)
            .body::<Expectations>()
            .answers::<Report>(200)
            .errors(&[404, 422]),
        Route::post("/journal/wait", "Waits until the journal has the expected requests.", wait)
            .body::<WaitBody>()
            .answers::<Report>(200)
            .errors(&[404, 422]),
        Route::delete("/journal", "Forgets all requests.", clear_journal)
            .answers::<Cleared>(200)
            .errors(&[404]),
    ]
}

/// The selected requests, newest first.
#[derive(Serialize, JsonSchema)]
struct Listed {
    requests: Vec<JournalEntry>,
    /// The number of the oldest request that is kept; one more than `last` if there is none.
    first: u64,
    /// The number of the last request that ended; 0 before the first one.
    last: u64,
}

/// The number of removed requests.
#[derive(Serialize, JsonSchema)]
struct Cleared {
    cleared: usize,
}

/// Selects requests: those that have all of the values.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Filters {
    account: Option<Uuid>,
    method: Option<String>,
    /// The path, in which `*` is any text.
    path: Option<String>,
    /// The type of records, such as `voice_out_trunks`.
    resource: Option<String>,
    status: Option<u16>,
    /// The earliest time of a request, inclusive.
    since: Option<Timestamp>,
    /// Only requests after the one with this number.
    after: Option<u64>,
    /// Whether headers and the texts of bodies are left out.
    brief: Option<bool>,
    limit: Option<usize>,
}

impl Filters {
    fn selection(&self) -> Selection {
        let mut selection = Selection::default();
        selection.since = self.since;
        selection.brief = self.brief.unwrap_or(false);
        let expected = &mut selection.expected;
        (expected.account, expected.status) = (self.account, self.status);
        expected.method.clone_from(&self.method);
        expected.path.clone_from(&self.path);
        expected.resource.clone_from(&self.resource);
        selection
    }
}

async fn list_journal(State(control): State<Control>, uri: Uri) -> Response {
    respond_apart(move || {
        let filters = parse_query::<Filters>(&uri)?;
        let journal = control.journal()?;
        let limit = filters.limit.unwrap_or(DEFAULT_LISTED).min(MAX_LISTED);
        // Before the list, so that a client that continues after `last` misses no request.
        let (first, last) = (journal.first(), journal.last());
        let requests = journal.newest(&filters.selection(), filters.after.unwrap_or(0), limit);
        let last = requests.first().map_or(last, |newest| newest.number.max(last));
        Ok((StatusCode::OK, json!(Listed { requests, first, last })))
    })
    .await
}

async fn show_entry(State(control): State<Control>, Path(number): Path<String>) -> Response {
    let parsed = number.parse::<u64>().map_err(|_| absent(&number));
    let entry = parsed.and_then(|number| control.journal_entry(number));
    respond(entry.map(|entry| (StatusCode::OK, json!(entry))))
}

async fn verify_journal(State(control): State<Control>, body: Bytes) -> Response {
    respond_apart(move || {
        let expected = parse_body::<Expectations>(&body)?;
        Ok((StatusCode::OK, json!(control.verify_journal(&expected)?)))
    })
    .await
}

async fn clear_journal(State(control): State<Control>) -> Response {
    respond(control.clear_journal().map(|cleared| (StatusCode::OK, json!(Cleared { cleared }))))
}

/// The expected requests, and the longest wait for them.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct WaitBody {
    /// The expected requests, 1 to 50.
    requests: Vec<Expected>,
    /// Whether they must be in this order.
    #[serde(default)]
    in_order: bool,
    /// Regards only the requests after the one with this number.
    #[serde(default)]
    after: u64,
    /// The longest wait in milliseconds of real time, at most a minute; 5,000 by default.
    #[schemars(range(max = 60_000))]
    timeout_ms: Option<u64>,
}

async fn wait_for_journal(control: &Control, body: &Bytes, places: Arc<Semaphore>) -> Response {
    let Ok(_place) = places.try_acquire_owned() else { return too_many() };
    let wait = async {
        let WaitBody { requests, in_order, after, timeout_ms } = parse_body(body)?;
        let timeout = timeout_ms.unwrap_or(DEFAULT_WAIT_MS);
        if timeout > MAX_WAIT_MS {
            return Err(ControlError::invalid("timeout_ms", format!("must be at most {MAX_WAIT_MS}")));
        }
        let mut expectations = Expectations::default();
        (expectations.requests, expectations.in_order, expectations.after) = (requests, in_order, after);
        let waited = control.wait_for_journal(&expectations, Duration::from_millis(timeout));
        let report = tokio::select! {
            report = waited => report?,
            // A stopping server answers with the last report.
            () = control.core.stopping() => control.verify_journal(&expectations)?,
        };
        Ok((StatusCode::OK, json!(report)))
    };
    respond(wait.await)
}

fn too_many() -> Response {
    let error = format!("{MAX_WAITING} requests follow the journal or wait for it already; try again");
    retry_after(refused(StatusCode::SERVICE_UNAVAILABLE, &error), Some(RETRY_AFTER))
}

/// Responds with one JSON object per line until the client disconnects.
fn follow_journal(control: &Control, uri: &Uri, places: Arc<Semaphore>) -> Response {
    let start =
        || -> Result<_, ControlError> { Ok((parse_query::<Filters>(uri)?, Arc::clone(control.journal()?))) };
    let (filters, journal) = match start() {
        Ok(start) => start,
        Err(error) => return respond(Err(error)),
    };
    let Ok(place) = places.try_acquire_owned() else { return too_many() };
    let core = Arc::clone(&control.core);
    let stopping = Box::pin(async move { core.stopping().await });
    let from = filters.after.unwrap_or_else(|| journal.last());
    let lines = followed(journal, filters.selection(), from, place).take_until(stopping);
    let lines = lines.map(|line| Ok::<_, Infallible>(Bytes::from(format!("{line}\n"))));
    let mut response = Response::new(Body::from_stream(lines));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
    response
}

/// The selected entries after a number, and how many were missed. The place is taken for as long as the stream lives.
fn followed(
    journal: Arc<Journal>,
    selection: Selection,
    from: u64,
    place: OwnedSemaphorePermit,
) -> impl Stream<Item = Value> {
    let state = (journal, selection, place, from);
    let pieces = stream::unfold(state, |(journal, selection, place, from)| async move {
        journal.added_after(from).await;
        let Followed { entries, last, missed, .. } = journal.follow(&selection, from, FOLLOWED_AT_A_TIME);
        let gap = (missed > 0).then(|| json!({ "missed": missed }));
        let lines: Vec<Value> = gap.into_iter().chain(entries.iter().map(|entry| json!(entry))).collect();
        Some((stream::iter(lines), (journal, selection, place, last)))
    });
    pieces.flatten()
}
