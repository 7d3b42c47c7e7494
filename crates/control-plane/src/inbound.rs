//! Calls to DIDs: a request here represents a caller in the telephone network.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::Response;
use didww_types::Timestamp;
use http::{StatusCode, Uri};
use inbound_calls::{InboundCall, InboundCalls, InboundError, InboundQuery, NewInboundCall};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use trunk_store::StoreError;
use uuid::Uuid;

use crate::respond::{parse_body, parse_id, parse_query, respond};
use crate::route::Route;
use crate::{Control, ControlError};

/// Number of calls in a listing if the request has no `limit`.
const DEFAULT_CALLS: u64 = 100;
/// Maximum number of calls in a listing.
const MAX_CALLS: u64 = 1_000;

impl From<InboundError> for ControlError {
    fn from(error: InboundError) -> Self {
        let text = error.to_string();
        match error {
            InboundError::From => Self::invalid("from", format!("must be {text}")),
            InboundError::To => Self::invalid("to", format!("must be {text}")),
            InboundError::Store(error) => error.into(),
            InboundError::Full(_) | InboundError::FullOfAccount(_) | InboundError::Stopping => {
                Self::Busy(text)
            }
            _ => Self::Store(StoreError::Failed(text)),
        }
    }
}

impl Control {
    fn inbound(&self) -> Result<&Arc<InboundCalls>, ControlError> {
        self.inbound.as_ref().ok_or_else(|| ControlError::NotFound("service for inbound calls".to_owned()))
    }

    /// Places a call to a DID, to the inbound trunks that it is routed to. Returns its record when it is stored: for a
    /// call that the DID does not take, with the reason; for any other call, before the first trunk is called.
    ///
    /// # Errors
    /// If there is no such account, a number is not valid, as many calls are live as the server permits, or the store
    /// fails.
    pub async fn place_inbound_call(&self, new: NewInboundCall) -> Result<InboundCall, ControlError> {
        if let Some(account) = new.account {
            self.account(account).await?;
        }
        Ok(self.inbound()?.place(new).await?)
    }

    /// Returns calls to DIDs, live and ended ones, newest first: at most 1,000; a `limit` of 0 selects 100.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn inbound_calls(&self, query: InboundQuery) -> Result<Vec<InboundCall>, ControlError> {
        let limit = if query.limit == 0 { DEFAULT_CALLS } else { query.limit.min(MAX_CALLS) };
        Ok(self.inbound()?.list(&InboundQuery { limit, ..query }).await?)
    }

    /// Returns the call to a DID with this id. One that is live is as it was at its last change.
    ///
    /// # Errors
    /// If there is no such call, or the store cannot be read.
    pub async fn inbound_call(&self, id: Uuid) -> Result<InboundCall, ControlError> {
        let found = self.inbound()?.find(id).await?;
        found.ok_or_else(|| ControlError::NotFound(format!("inbound call {id}")))
    }

    /// Ends a live call to a DID as its caller would. Its record ends soon after.
    ///
    /// # Errors
    /// If there is no such call that is live, or the store fails.
    pub async fn end_inbound_call(&self, id: Uuid) -> Result<(), ControlError> {
        let ended = self.inbound()?.hang_up(id).await?;
        if ended { Ok(()) } else { Err(ControlError::NotFound(format!("live inbound call {id}"))) }
    }
}

/// The routes of calls to DIDs.
pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::post("/inbound_calls", "Places a call to a DID, to its inbound trunks.", place)
            .body::<InboundCallBody>()
            .answers::<InboundCall>(201)
            .errors(&[404, 422]),
        Route::get("/inbound_calls", "Lists calls to DIDs, newest first.", list)
            .query::<InboundFilters>()
            .answers::<InboundCallList>(200)
            .errors(&[404, 422]),
        Route::get("/inbound_calls/{id}", "Returns a call to a DID with its attempts.", show)
            .answers::<InboundCall>(200)
            .errors(&[404]),
        Route::delete("/inbound_calls/{id}", "Ends a live call to a DID, as its caller would.", end)
            .answers::<InboundCallEnded>(200)
            .errors(&[404]),
    ]
}

/// A call to a DID to place.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct InboundCallBody {
    /// The caller's number as the network has it, at most 64 characters.
    from: String,
    /// The called DID in E.164 form, with or without a plus sign.
    to: String,
    /// The account that the DID must belong to.
    account: Option<Uuid>,
}

/// Selects calls to DIDs: those that match all of the values.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct InboundFilters {
    account: Option<Uuid>,
    /// True for calls that have not ended.
    live: Option<bool>,
    /// Only calls that were placed before this time.
    before: Option<Timestamp>,
    limit: Option<u64>,
}

/// Calls to DIDs, newest first.
#[derive(Serialize, JsonSchema)]
struct InboundCallList {
    inbound_calls: Vec<InboundCall>,
}

/// The id of the call that ends, as in the request.
#[derive(Serialize, JsonSchema)]
struct InboundCallEnded {
    ended: String,
}

async fn place(State(control): State<Control>, body: Bytes) -> Response {
    let placing = async {
        let InboundCallBody { from, to, account } = parse_body(&body)?;
        let mut new = NewInboundCall::new(from, to);
        new.account = account;
        Ok((StatusCode::CREATED, json!(control.place_inbound_call(new).await?)))
    };
    respond(placing.await)
}

async fn list(State(control): State<Control>, uri: Uri) -> Response {
    let listing = async {
        let InboundFilters { account, live, before, limit } = parse_query(&uri)?;
        if let Some(account) = account {
            control.account(account).await?;
        }
        let (live, limit) = (live.unwrap_or_default(), limit.unwrap_or_default());
        let inbound_calls = control.inbound_calls(InboundQuery { account, live, before, limit }).await?;
        Ok((StatusCode::OK, json!(InboundCallList { inbound_calls })))
    };
    respond(listing.await)
}

async fn show(State(control): State<Control>, Path(id): Path<String>) -> Response {
    let showing = async {
        let call = control.inbound_call(parse_id(&id, "inbound call")?).await?;
        Ok((StatusCode::OK, json!(call)))
    };
    respond(showing.await)
}

async fn end(State(control): State<Control>, Path(id): Path<String>) -> Response {
    let ending = async {
        control.end_inbound_call(parse_id(&id, "inbound call")?).await?;
        Ok((StatusCode::OK, json!(InboundCallEnded { ended: id })))
    };
    respond(ending.await)
}
