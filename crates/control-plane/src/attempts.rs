//! The recent attempts of calls at the carrier edge: a list, and a stream of new ones.
//!
//! A follower receives entries from a queue of bounded length that the edge keeps for all followers. A follower that
//! reads too slowly loses the oldest entries, and its next line states how many: `{"missed":12}`.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::Response;
use carrier_edge::{AttemptEvent, AttemptOutcome, AttemptQuery};
use didww_types::Timestamp;
use futures_util::{Stream, StreamExt as _, stream};
use http::{HeaderValue, StatusCode, Uri, header};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::broadcast;
use trunk_rules::carrier::Check;
use uuid::Uuid;

use crate::respond::{parse_query, respond};
use crate::route::Route;
use crate::{Control, ControlError};

impl Control {
    /// Returns the recent attempts of calls that match a query, newest first: those that were admitted, refused or
    /// challenged, ends of calls, and messages that could not be read. They are kept in memory, up to 10,000 whose
    /// trunk is proven and as many others.
    ///
    /// # Errors
    /// If the server does not listen for SIP.
    pub fn attempts(&self, query: &AttemptQuery) -> Result<Vec<Arc<AttemptEvent>>, ControlError> {
        Ok(self.edge()?.recent_attempts(query))
    }

    /// Subscribes to the attempts from now on. A receiver that is more than 1,024 entries behind loses the oldest, and
    /// learns how many.
    ///
    /// # Errors
    /// If the server does not listen for SIP.
    pub fn follow_attempts(&self) -> Result<broadcast::Receiver<Arc<AttemptEvent>>, ControlError> {
        Ok(self.edge()?.follow_attempts())
    }
}

/// The routes of recent attempts.
pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::get("/attempts", "Lists the recent attempts of calls, newest first.", list_attempts)
            .query::<Filters>()
            .answers::<Attempts<'_>>(200)
            .errors(&[404, 422]),
        Route::get(
            "/attempts/stream",
            "Streams each attempt from now on, as a line of JSON.",
            stream_attempts,
        )
        .query::<Filters>()
        .declare(|operation| operation.answers_with(200, "application/x-ndjson"))
        .errors(&[404, 422]),
    ]
}

/// The selected attempts, newest first.
#[derive(Serialize, JsonSchema)]
struct Attempts<'a> {
    attempts: Vec<Attempt<'a>>,
}

/// An attempt with the id of its account.
#[derive(Serialize, JsonSchema)]
struct Attempt<'a> {
    #[serde(flatten)]
    event: &'a AttemptEvent,
    /// The account that owns the attempt; null if none does, or it was deleted.
    account: Option<Uuid>,
}

/// Selects attempts: those that have all of the values.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Filters {
    call_id: Option<String>,
    source: Option<IpAddr>,
    check: Option<String>,
    cause: Option<u16>,
    trunk: Option<Uuid>,
    account: Option<Uuid>,
    outcome: Option<AttemptOutcome>,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    limit: Option<usize>,
}

impl Filters {
    async fn query(self, control: &Control) -> Result<AttemptQuery, ControlError> {
        let Self { call_id, source, check, cause, trunk, account, outcome, since, until, limit } = self;
        let account = match account {
            Some(id) => Some(control.account(id).await?.number),
            None => None,
        };
        let check = check.as_deref().map(parse_check).transpose()?;
        Ok(AttemptQuery { call_id, source, check, cause, trunk, account, outcome, since, until, limit })
    }
}

/// Parses the name of a check.
///
/// # Errors
/// An error that lists the names.
pub(crate) fn parse_check(name: &str) -> Result<Check, ControlError> {
    let found = Check::ALL.into_iter().find(|check| check.name() == name);
    found.ok_or_else(|| {
        let names = Check::ALL.map(Check::name).join(", ");
        ControlError::invalid("check", format!("`{name}` is not one of {names}"))
    })
}

async fn list_attempts(State(control): State<Control>, uri: Uri) -> Response {
    let list = async {
        let query = parse_query::<Filters>(&uri)?.query(&control).await?;
        let found = control.attempts(&query)?;
        let mut accounts = Accounts::default();
        let mut attempts = Vec::with_capacity(found.len());
        for event in &found {
            attempts.push(accounts.attempt(&control, event).await);
        }
        Ok((StatusCode::OK, json!(Attempts { attempts })))
    };
    respond(list.await)
}

/// Responds with one JSON object per line until the client disconnects.
async fn stream_attempts(State(control): State<Control>, uri: Uri) -> Response {
    let start = async {
        let query = parse_query::<Filters>(&uri)?.query(&control).await?;
        Ok((query, control.follow_attempts()?))
    };
    let (query, receiver) = match start.await {
        Ok(start) => start,
        Err(error) => return respond(Err(error)),
    };
    let core = Arc::clone(&control.core);
    let stopping = Box::pin(async move { core.stopping().await });
    let lines = selected(control, query, receiver).take_until(stopping).map(|entry| {
        let line = entry.unwrap_or_else(|missed| json!({ "missed": missed }));
        Ok::<_, Infallible>(Bytes::from(format!("{line}\n")))
    });
    let mut response = Response::new(Body::from_stream(lines));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
    response
}

/// All entries from now on as JSON, and the numbers of those that were lost.
pub(crate) fn entries(
    control: Control,
    receiver: broadcast::Receiver<Arc<AttemptEvent>>,
) -> impl Stream<Item = Result<Value, u64>> {
    selected(control, AttemptQuery::default(), receiver)
}

/// Responds with the selected attempts.
fn selected(
    control: Control,
    query: AttemptQuery,
    receiver: broadcast::Receiver<Arc<AttemptEvent>>,
) -> impl Stream<Item = Result<Value, u64>> {
    let state = (control, query, receiver, Accounts::default());
    stream::unfold(state, |(control, query, mut receiver, mut accounts)| async move {
        let entry = loop {
            match receiver.recv().await {
                Ok(event) if query.matches(&event) => {
                    break Ok(json!(accounts.attempt(&control, &event).await));
                }
                Ok(_) => {}
                Err(broadcast::error::RecvError::Lagged(missed)) => break Err(missed),
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        };
        Some((entry, (control, query, receiver, accounts)))
    })
}

/// The ids of accounts by their numbers, read from the store when an entry names a new one.
#[derive(Default)]
struct Accounts(HashMap<i64, Option<Uuid>>);

impl Accounts {
    /// Adds the id of its account to an entry.
    async fn attempt<'a>(&mut self, control: &Control, event: &'a AttemptEvent) -> Attempt<'a> {
        let account = match event.account {
            Some(number) => self.id(control, number).await,
            None => None,
        };
        Attempt { event, account }
    }

    async fn id(&mut self, control: &Control, number: i64) -> Option<Uuid> {
        if !self.0.contains_key(&number)
            && let Ok(accounts) = control.accounts().await
        {
            self.0.extend(accounts.iter().map(|account| (account.number, Some(account.id))));
            // An account that was deleted: its number is never used again.
            self.0.entry(number).or_insert(None);
        }
        self.0.get(&number).copied().flatten()
    }
}
