//! Calls: those that are up, those that are over, and those that were never placed.
//!
//! A follower of records is sent what it reads: nothing waits for it but the records that the edge keeps for all, and of
//! those it loses the oldest.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::{delete, get, post};
use didww_types::Timestamp;
use futures_util::{Stream, StreamExt as _, stream};
use http::{HeaderValue, StatusCode, Uri, header};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::broadcast;
use uuid::Uuid;

use super::routes::{Outcome, answer, query, read, uuid};
use super::{Control, ControlError};
use carrier_edge::{ActiveCall, CallCounts, CallRecord, Explanation, Handle, Inner, Question};
use trunk_store::CallQuery;

/// Records on a page when the request says nothing.
const USUAL: u64 = 100;
/// Most records on a page.
const MOST: u64 = 10_000;

impl Control {
    fn edge(&self) -> Result<Arc<Inner>, ControlError> {
        self.edge
            .as_ref()
            .and_then(Handle::running)
            .ok_or_else(|| ControlError::NotFound("SIP listener; start with --sip-listen".to_owned()))
    }

    /// The calls that are up, oldest first.
    ///
    /// # Errors
    /// When no edge runs.
    pub fn active_calls(&self) -> Result<Vec<ActiveCall>, ControlError> {
        Ok(self.edge()?.active_calls())
    }

    /// Ends a call, as its callee would.
    ///
    /// # Errors
    /// When there is no such call.
    pub fn end_call(&self, id: Uuid) -> Result<(), ControlError> {
        if self.edge()?.end_call(id) { Ok(()) } else { Err(ControlError::NotFound(format!("call {id}"))) }
    }

    /// The records of calls that are over, newest first, as JSON objects.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn call_records(&self, query: CallQuery) -> Result<Vec<Value>, ControlError> {
        let limit = if query.limit == 0 { USUAL } else { query.limit.min(MOST) };
        let calls = self.core.store.calls(CallQuery { limit, ..query }).await?;
        Ok(calls.iter().filter_map(|call| serde_json::from_str(&call.attributes).ok()).collect())
    }

    /// Every record from now on. A follower that is too slow loses the oldest.
    ///
    /// # Errors
    /// When no edge runs.
    pub fn follow_calls(&self) -> Result<broadcast::Receiver<Arc<CallRecord>>, ControlError> {
        Ok(self.edge()?.follow())
    }

    /// What would become of a call, without placing it.
    ///
    /// # Errors
    /// When no edge runs.
    pub fn explain(&self, question: &Question) -> Result<Explanation, ControlError> {
        Ok(self.edge()?.explain(question))
    }

    /// What became of attempts at calls since the start, and of messages that were none.
    ///
    /// # Errors
    /// When no edge runs.
    pub fn call_counts(&self) -> Result<CallCounts, ControlError> {
        Ok(self.edge()?.counts())
    }
}

/// The routes of calls.
pub(crate) fn routes() -> Router<Control> {
    Router::new()
        .route("/control/v1/calls", get(list_records))
        .route("/control/v1/calls/active", get(list_active))
        .route("/control/v1/calls/active/{id}", delete(end_call))
        .route("/control/v1/calls/follow", get(follow))
        .route("/control/v1/calls/counts", get(counts))
        .route("/control/v1/explain", post(explain))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RecordQuery {
    account: Option<Uuid>,
    trunk: Option<Uuid>,
    cause: Option<u16>,
    number: Option<String>,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    limit: Option<u64>,
}

async fn list_records(State(control): State<Control>, uri: Uri) -> Response {
    let list = async {
        let RecordQuery { account, trunk, cause, number, from, to, limit } = query(&uri)?;
        let account = account.map(|id| control.account(id)).transpose()?.map(|account| account.number);
        let query = CallQuery { account, trunk, cause, number, from, to, limit: limit.unwrap_or(0) };
        Ok((StatusCode::OK, json!({ "calls": control.call_records(query).await? })))
    };
    answer(list.await)
}

async fn list_active(State(control): State<Control>) -> Response {
    answer(control.active_calls().map(|calls| (StatusCode::OK, json!({ "calls": calls }))))
}

async fn end_call(State(control): State<Control>, Path(id): Path<String>) -> Response {
    let end = || -> Outcome {
        control.end_call(uuid(&id, "call")?)?;
        Ok((StatusCode::OK, json!({ "ended": id })))
    };
    answer(end())
}

async fn counts(State(control): State<Control>) -> Response {
    answer(control.call_counts().map(|counts| (StatusCode::OK, json!(counts))))
}

async fn explain(State(control): State<Control>, body: Bytes) -> Response {
    let explain = || -> Outcome { Ok((StatusCode::OK, json!(control.explain(&read(&body)?)?))) };
    answer(explain())
}

/// One JSON object a line, until the client goes.
async fn follow(State(control): State<Control>) -> Response {
    let receiver = match control.follow_calls() {
        Ok(receiver) => receiver,
        Err(error) => return answer(Err(error)),
    };
    let lines = lines(receiver).map(Ok::<_, Infallible>);
    let mut response = Response::new(Body::from_stream(lines));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
    response
}

fn lines(receiver: broadcast::Receiver<Arc<CallRecord>>) -> impl Stream<Item = Bytes> {
    stream::unfold(receiver, |mut receiver| async {
        loop {
            match receiver.recv().await {
                Ok(record) => {
                    let line = serde_json::to_string(&*record).unwrap_or_default() + "\n";
                    return Some((Bytes::from(line), receiver));
                }
                // The reader was too slow: it goes on with what is still there.
                Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    })
}
