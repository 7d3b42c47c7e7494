//! Active calls, records of completed calls, and explanations of hypothetical calls at the carrier edge.
//!
//! A follower receives records from a queue of bounded length that the edge keeps for all followers. A follower that
//! reads too slowly loses the oldest records.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::response::Response;
use carrier_edge::{ActiveCall, CallCounts, CallRecord, Explanation, Handle, Inner, Question};
use didww_types::Timestamp;
use futures_util::{Stream, StreamExt as _, stream};
use http::{HeaderValue, StatusCode, Uri, header};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::broadcast;
use trunk_store::CallQuery;
use uuid::Uuid;

use crate::attempts::parse_check;
use crate::messages::{Messages, MessagesQuery, show as show_messages};
use crate::respond::{Outcome, parse_body, parse_id, parse_query, respond};
use crate::route::Route;
use crate::{Control, ControlError};

/// Number of records in a listing if the request has no `limit`.
const DEFAULT_CALL_RECORDS: u64 = 100;
/// Maximum number of records in a listing.
const MAX_CALL_RECORDS: u64 = 10_000;

impl Control {
    pub(crate) fn edge(&self) -> Result<Arc<Inner>, ControlError> {
        self.edge
            .as_ref()
            .and_then(Handle::running)
            .ok_or_else(|| ControlError::NotFound("SIP listener; start with --sip-listen".to_owned()))
    }

    /// Returns the active calls of this node, oldest first.
    ///
    /// # Errors
    /// If the server does not listen for SIP.
    pub fn active_calls(&self) -> Result<Vec<ActiveCall>, ControlError> {
        Ok(self.edge()?.active_calls())
    }

    /// Returns the active calls of all nodes of the database, oldest first. Calls of other nodes are listed once they
    /// are answered, in their state at the answer.
    ///
    /// # Errors
    /// If the store cannot be read, or the server does not listen for SIP.
    pub async fn active_calls_of_all(&self) -> Result<Vec<ActiveCall>, ControlError> {
        Ok(self.edge()?.active_calls_of_all().await?)
    }

    /// Ends an active call of any node of the database as if its callee had hung up. One of another node ends within a
    /// second, if it was answered.
    ///
    /// # Errors
    /// If there is no such call, the store fails, or the server does not listen for SIP.
    pub async fn end_call_of_any(&self, id: Uuid) -> Result<(), ControlError> {
        let ended = self.edge()?.end_call_of_any(id).await?;
        if ended { Ok(()) } else { Err(ControlError::NotFound(format!("call {id}"))) }
    }

    /// Ends an active call of this node as if its callee had hung up.
    ///
    /// # Errors
    /// If there is no such call, or the server does not listen for SIP.
    pub fn end_call(&self, id: Uuid) -> Result<(), ControlError> {
        if self.edge()?.end_call(id) { Ok(()) } else { Err(ControlError::NotFound(format!("call {id}"))) }
    }

    /// Returns the records of completed and refused calls as JSON objects, newest first. There are at most 10,000; a
    /// `limit` of 0 selects 100.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn call_records(&self, query: CallQuery) -> Result<Vec<Value>, ControlError> {
        let limit = if query.limit == 0 { DEFAULT_CALL_RECORDS } else { query.limit.min(MAX_CALL_RECORDS) };
        let calls = self.core.store.calls(CallQuery { limit, ..query }).await?;
        Ok(calls.iter().filter_map(|call| serde_json::from_str(&call.attributes).ok()).collect())
    }

    /// Subscribes to the records of calls from now on. A receiver that is too slow loses the oldest records.
    ///
    /// # Errors
    /// If the server does not listen for SIP.
    pub fn follow_calls(&self) -> Result<broadcast::Receiver<Arc<CallRecord>>, ControlError> {
        Ok(self.edge()?.follow())
    }

    /// Explains which check would admit or refuse a call, without placing it.
    ///
    /// # Errors
    /// If the server does not listen for SIP.
    pub fn explain(&self, question: &Question) -> Result<Explanation, ControlError> {
        Ok(self.edge()?.explain(question))
    }

    /// Returns the numbers of call attempts by outcome, and of invalid messages, since the start of the server.
    ///
    /// # Errors
    /// If the server does not listen for SIP.
    pub fn call_counts(&self) -> Result<CallCounts, ControlError> {
        Ok(self.edge()?.counts())
    }
}

/// The routes of calls at the carrier edge.
pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::get(
            "/calls",
            "Lists records of ended calls and refused attempts, newest first.",
            list_records,
        )
        .query::<RecordQuery>()
        .answers::<CallRecords>(200)
        .errors(&[404, 422]),
        Route::get("/calls/active", "Lists the active calls, oldest first.", list_active)
            .answers::<ActiveCalls>(200)
            .errors(&[404]),
        Route::delete("/calls/active/{id}", "Ends an active call, as its callee would.", end_call)
            .answers::<Ended>(200)
            .errors(&[404]),
        Route::get("/calls/follow", "Streams each record when its call ends, as a line of JSON.", follow)
            .declare(|operation| operation.answers_with(200, "application/x-ndjson"))
            .errors(&[404]),
        Route::get("/calls/counts", "Counts the attempts and messages since the start.", counts)
            .answers::<CallCounts>(200)
            .errors(&[404]),
        Route::get(
            "/calls/{call_id}/messages",
            "Returns the stored SIP messages of a call: as JSON, text, a ladder diagram or a capture file.",
            show_messages,
        )
        .text_parameter("call_id")
        .query::<MessagesQuery>()
        .answers::<Messages<'_>>(200)
        .declare(|operation| operation.answers_with(200, "text/plain"))
        .declare(|operation| operation.answers_with(200, "application/x-pcapng"))
        .errors(&[404, 422]),
        Route::post("/explain", "Returns the decision on a call without placing it.", explain)
            .body::<Question>()
            .answers::<Explanation>(200)
            .errors(&[404, 422]),
    ]
}

/// Records of ended calls and refused attempts, newest first.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "a schema alone: the store has the records as JSON")]
struct CallRecords {
    calls: Vec<CallRecord>,
}

/// The active calls, oldest first.
#[derive(Serialize, JsonSchema)]
struct ActiveCalls {
    calls: Vec<ActiveCall>,
}

/// The id of the call that was ended, as in the request.
#[derive(Serialize, JsonSchema)]
struct Ended {
    ended: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RecordQuery {
    account: Option<Uuid>,
    trunk: Option<Uuid>,
    cause: Option<u16>,
    call_id: Option<String>,
    source: Option<IpAddr>,
    check: Option<String>,
    number: Option<String>,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    limit: Option<u64>,
}

async fn list_records(State(control): State<Control>, uri: Uri) -> Response {
    let list = async {
        let parameters: RecordQuery = parse_query(&uri)?;
        let check = parameters.check.as_deref().map(parse_check).transpose()?;
        let account = match parameters.account {
            Some(id) => Some(control.account(id).await?.number),
            None => None,
        };
        let query = CallQuery {
            account,
            trunk: parameters.trunk,
            cause: parameters.cause,
            call_id: parameters.call_id,
            source_ip: parameters.source.map(|source| source.to_canonical()),
            check: check.map(|check| check.name().to_owned()),
            number: parameters.number,
            from: parameters.from,
            to: parameters.to,
            limit: parameters.limit.unwrap_or(0),
        };
        Ok((StatusCode::OK, json!({ "calls": control.call_records(query).await? })))
    };
    respond(list.await)
}

async fn list_active(State(control): State<Control>) -> Response {
    let calls = control.active_calls_of_all().await;
    respond(calls.map(|calls| (StatusCode::OK, json!(ActiveCalls { calls }))))
}

async fn end_call(State(control): State<Control>, Path(id): Path<String>) -> Response {
    let end = async {
        control.end_call_of_any(parse_id(&id, "call")?).await?;
        Ok((StatusCode::OK, json!(Ended { ended: id })))
    };
    respond(end.await)
}

async fn counts(State(control): State<Control>) -> Response {
    respond(control.call_counts().map(|counts| (StatusCode::OK, json!(counts))))
}

async fn explain(State(control): State<Control>, body: Bytes) -> Response {
    let explain = || -> Outcome { Ok((StatusCode::OK, json!(control.explain(&parse_body(&body)?)?))) };
    respond(explain())
}

/// Responds with one JSON object per line until the client disconnects.
async fn follow(State(control): State<Control>) -> Response {
    let receiver = match control.follow_calls() {
        Ok(receiver) => receiver,
        Err(error) => return respond(Err(error)),
    };
    let stopping = Box::pin(async move { control.core.stopping().await });
    let lines = ndjson(receiver).take_until(stopping).map(Ok::<_, Infallible>);
    let mut response = Response::new(Body::from_stream(lines));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
    response
}

/// Serializes records as lines of JSON.
fn ndjson(receiver: broadcast::Receiver<Arc<CallRecord>>) -> impl Stream<Item = Bytes> {
    stream::unfold(receiver, |mut receiver| async {
        loop {
            match receiver.recv().await {
                Ok(record) => {
                    let line = serde_json::to_string(&*record).unwrap_or_default() + "\n";
                    return Some((Bytes::from(line), receiver));
                }
                // The follower was too slow: it continues with the oldest record that remains.
                Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    })
}
