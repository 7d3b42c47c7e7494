//! The timelines of calls and flows: their events, and of calls their SIP messages, also as a capture file. For the
//! admins and managers of a customer.
//!
//! Events are stored with their call or flow and live as long as it does. The messages are those that the dialler
//! exchanged with the carrier of the last attempt, as long as the process keeps them (`sip_transport::MessageLog`):
//! without any, an analysis has no messages, and a capture file is empty.

use axum::body::Body;
use axum::response::Response;
use http::{HeaderValue, header};
use schemars::JsonSchema;
use serde::Serialize;
use sip_dialler::CallMessages;
use trunk_store::{DocumentKind, DocumentQuery};
use uuid::Uuid;
use voipbin_types::Timestamp;

use crate::entity::{Entity, json_text};
use crate::error::{ApiError, ApiResult, Status};
use crate::records::calls::Calls;
use crate::records::flows::Flows;
use crate::records::{call_events, flow_events};
use crate::request::RequestContext;
use crate::sip_analysis::{Captured, SipAnalysis, without_private};

/// The types of resources that have events. Of these, the server has calls and flows.
const RESOURCE_TYPES: [&str; 4] = ["calls", "conferences", "flows", "activeflows"];

/// An event, as the API sends it.
#[derive(Serialize, JsonSchema)]
struct Event<'a, T> {
    /// With exactly three digits of a second's fraction.
    timestamp: String,
    #[serde(rename = "event_type")]
    kind: &'a str,
    /// The record as it was after the event.
    data: &'a T,
}

/// A page of events, newest first. The token is absent from the last page.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Events<'a, T> {
    result: Vec<Event<'a, T>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

/// The events of a call or of a flow, newest first.
pub(super) async fn events(request: &RequestContext) -> ApiResult {
    let (kind, id) = request.id.split_once('/').unwrap_or_default();
    let id = Uuid::try_parse(id).map_err(|_| ApiError::invalid_parameter("resource_id"))?;
    let (before, size) = request.query.event_page()?;
    if !RESOURCE_TYPES.contains(&kind) {
        let message = "The provided resource_type is not supported.";
        return Err(ApiError::new(Status::InvalidArgument, "INVALID_RESOURCE_TYPE", message));
    }
    if request.caller.is_direct() {
        return Err(ApiError::direct_access());
    }
    let store = &*request.platform.core.store;
    let not_found = |reason, message| ApiError::new(Status::NotFound, reason, message);
    match kind {
        "calls" => {
            let call = Entity::<Calls>::find(store, id).await?;
            let call = call.ok_or_else(|| not_found("CALL_NOT_FOUND", "The call was not found."))?;
            request.require_admin_or_manager(call.customer)?;
            if call.deleted {
                return Err(ApiError::state_invalid());
            }
            Ok(call_events(&call, before, size))
        }
        "flows" => {
            let flow = Entity::<Flows>::find(store, id).await?;
            let flow = flow.ok_or_else(|| not_found("FLOW_NOT_FOUND", "The flow was not found."))?;
            request.require_admin_or_manager(flow.customer)?;
            if flow.deleted {
                return Err(ApiError::not_found());
            }
            let events = &flow.private.events;
            let states = flow_events::states(&flow.public, events);
            let events = events.iter().zip(states);
            Ok(page(events.map(|(event, flow)| (event.kind.as_str(), event.at, flow)), before, size))
        }
        "activeflows" => Err(not_found("ACTIVEFLOW_NOT_FOUND", "The active flow was not found.")),
        _ => Err(ApiError::not_found()),
    }
}

/// The events of the call that runs an activeflow, or of a call by its own id, newest first. An activeflow here is a
/// call's only: nothing else has events with its id.
pub(super) async fn aggregated_events(request: &RequestContext) -> ApiResult {
    let (activeflow, call) = (request.query.id("activeflow_id")?, request.query.id("call_id")?);
    let (before, size) = request.query.event_page()?;
    let store = &*request.platform.core.store;
    let found = match (activeflow, call) {
        (None, None) | (Some(_), Some(_)) => return Err(ApiError::invalid_request()),
        _ if request.caller.is_direct() => return Err(ApiError::direct_access()),
        (Some(id), None) => {
            let query = DocumentQuery::with(DocumentKind::Call, "activeflow", id.to_string());
            Entity::<Calls>::list(store, DocumentQuery { limit: 1, ..query }).await?.into_iter().next()
        }
        (None, Some(id)) => Entity::<Calls>::find(store, id).await?,
    };
    let call = found.filter(|call| !call.deleted);
    let call = call.ok_or_else(ApiError::not_found)?;
    request.require_admin_or_manager(call.customer)?;
    Ok(call_events(&call, before, size))
}

fn call_events(call: &Entity<Calls>, before: Timestamp, size: usize) -> String {
    let events = &call.private.events;
    let states = call_events::states(&call.public, events);
    let events = events.iter().zip(&states);
    page(events.map(|(event, call)| (event.kind.as_str(), event.at, call)), before, size)
}

/// A page of events, which are in the order of their times: newest first, and before a time.
fn page<'a, T: Serialize + 'a>(
    events: impl DoubleEndedIterator<Item = (&'a str, Timestamp, &'a T)>,
    before: Timestamp,
    size: usize,
) -> String {
    let mut matching = events.rev().filter(|(_, at, _)| *at < before);
    let page: Vec<_> = matching.by_ref().take(size).collect();
    let has_more = matching.next().is_some();
    let last = page.last().filter(|_| has_more).map(|(_, at, _)| at.to_page_token());
    let event = |(kind, at, data)| Event { timestamp: with_milliseconds(at), kind, data };
    json_text(&Events { result: page.into_iter().map(event).collect(), next_page_token: last })
}

/// A time with exactly three digits of a second's fraction.
fn with_milliseconds(at: Timestamp) -> String {
    let mut text = at.to_page_token();
    // Three digits and the `Z` go.
    text.truncate(text.len().saturating_sub(4));
    text + "Z"
}

/// The id of the call of a path, if it was dialled, and the `Call-ID` of its last attempt. A deleted call is not found.
async fn dialled_call(request: &RequestContext) -> Result<(Uuid, String), ApiError> {
    let id = Uuid::try_parse(&request.id).map_err(|_| ApiError::invalid_parameter("call_id"))?;
    if request.caller.is_direct() {
        return Err(ApiError::direct_access());
    }
    let found = request.platform.call_with_tries(id).await?;
    let (call, tries) = found.filter(|(call, _)| !call.deleted).ok_or_else(ApiError::not_found)?;
    request.require_admin_or_manager(call.customer)?;
    let dialled = tries.into_iter().rev().find(|tried| tried.sent_at.is_some());
    let call_id = dialled.map(|tried| tried.call_id).ok_or_else(ApiError::not_found)?;
    Ok((id, call_id))
}

/// The SIP messages of the dialler with a `Call-ID`, oldest first.
fn messages(request: &RequestContext, call_id: &str) -> Option<CallMessages> {
    request.platform.dialler.get()?.messages(call_id)
}

/// The SIP messages of the last attempt of a call, oldest first.
pub(super) async fn sip_analysis(request: &RequestContext) -> ApiResult {
    let (_, call_id) = dialled_call(request).await?;
    let found = messages(request, &call_id).map(|found| found.messages).unwrap_or_default();
    Ok(json_text(&SipAnalysis::of(found.iter().map(Captured::from).collect())))
}

/// The SIP messages of the last attempt of a call as a capture file.
pub(super) async fn capture_file(request: &RequestContext) -> Result<Response, ApiError> {
    let (id, call_id) = dialled_call(request).await?;
    let file = messages(request, &call_id).map(|found| without_private(found).classic_capture_file());
    let file = file.unwrap_or_default();
    let mut response = Response::new(Body::from(file));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/vnd.tcpdump.pcap"));
    // This cannot fail: an id is a header value.
    if let Ok(name) = HeaderValue::try_from(format!("attachment; filename=\"call-{id}.pcap\"")) {
        headers.insert(header::CONTENT_DISPOSITION, name);
    }
    Ok(response)
}
