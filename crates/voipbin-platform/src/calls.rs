//! Calls: what is asked of them. Whoever wants to know what they do looks into `engine`.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;
use voipbin_types::{ActionBody, AddressKind, Call, CallCreate, CallStatus, CallsCreated};

use super::api::{Answered, Asked, page};
use super::engine;
use super::entity::{Entity, Kind, json};
use super::error::{ApiError, Status};
use super::flows;
use super::live::Command;
use super::outgoing::{self, Order};
use super::variables;
use super::webhooks::event;
use trunk_store::{Change, DocumentKind};

pub(crate) struct Calls;

/// What of a call is the server's own.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct CallOwn {
    /// What is done once it is answered. Not written: its flow is, and no call outlives its server.
    #[serde(skip)]
    pub(crate) actions: Arc<[ActionBody]>,
    /// Whether the caller's number is hidden.
    pub(crate) anonymous: bool,
    /// The providers that are tried, in this order; none for a call to a SIP URI.
    pub(crate) providers: Vec<Uuid>,
    /// Which of them is tried now.
    pub(crate) current: usize,
}

impl Kind for Calls {
    const KIND: DocumentKind = DocumentKind::Call;
    type Wire = Call;
    type Own = CallOwn;

    const KEYS_STAY: bool = true;

    fn is_live(call: &Call) -> bool {
        call.status != CallStatus::Hangup
    }

    fn keys(call: &Entity<Self>) -> Vec<(&'static str, String)> {
        let mut keys = vec![("customer", call.customer.to_string())];
        if !call.wire.flow_id.is_nil() {
            keys.push(("flow", call.wire.flow_id.to_string()));
        }
        keys
    }
}

fn not_found() -> ApiError {
    ApiError::new(Status::NotFound, "CALL_NOT_FOUND", "The call was not found.")
}

pub(crate) async fn list(asked: &Asked) -> Answered {
    let mut query = asked.query.page(DocumentKind::Call)?;
    let customer = asked.caller.customer();
    asked.must_manage(customer)?;
    query.key = Some(("customer", customer.to_string()));
    page(&asked.platform.core.store.documents(query).await?)
}

pub(crate) async fn create(asked: &Asked) -> Answered {
    let body: CallCreate = asked.read()?;
    variables::check(&body.variables)?;
    let customer = asked.caller.customer();
    asked.must_manage(customer)?;
    let owner = asked.platform.directory.customer(customer).ok_or_else(ApiError::not_found)?;
    let to_numbers = body.destinations.iter().any(|address| address.kind == AddressKind::Tel);
    if to_numbers && !owner.wire.identity_verified {
        return Err(ApiError::identity_verification());
    }
    let Chosen { flow, made } = flow_of(asked, body.flow_id, body.actions, "tmp outbound flow").await?;
    let order = Order {
        flow: flow.as_ref(),
        source: body.source.as_ref(),
        destinations: &body.destinations,
        anonymous: body.anonymous.as_ref(),
        provider: None,
    };
    let planned = outgoing::plan(asked, &owner, &order).await?;
    let mut changes: Vec<_> = made.into_iter().collect();
    changes.extend(created(asked, &planned));
    let created = CallsCreated {
        calls: planned.iter().map(|call| call.wire.clone()).collect(),
        groupcalls: Vec::new(),
    };
    engine::place(&asked.platform, planned, changes).await?;
    Ok(json(&created))
}

/// The changes that write new calls and tell of them.
pub(crate) fn created<'a>(asked: &'a Asked, calls: &'a [Entity<Calls>]) -> impl Iterator<Item = Change> + 'a {
    calls
        .iter()
        .flat_map(|call| std::iter::once(call.put()).chain(event(&asked.platform, call, "call_created")))
}

/// The flow that calls run.
pub(crate) struct Chosen {
    /// The flow; none where there is nothing to do after the answer.
    pub(crate) flow: Option<Entity<flows::Flows>>,
    /// What writes it, where it was made for these calls.
    pub(crate) made: Option<Change>,
}

/// The flow that is named, or else one that is made for the actions.
///
/// # Errors
/// When the named flow is not there, is deleted, or is another customer's: nothing may be dialled then. When an action
/// is not right.
pub(crate) async fn flow_of(
    asked: &Asked,
    named: Uuid,
    actions: Vec<ActionBody>,
    detail: &str,
) -> Result<Chosen, ApiError> {
    if named.is_nil() {
        let flow = flows::temporary(asked, actions, detail)?;
        return Ok(Chosen { made: flow.as_ref().map(Entity::put), flow });
    }
    let flow = Entity::<flows::Flows>::find(&*asked.platform.core.store, named)
        .await?
        .ok_or_else(flows::not_found)?;
    if flow.customer != asked.caller.customer() {
        return Err(ApiError::permission_denied());
    }
    if flow.deleted {
        return Err(ApiError::not_found());
    }
    Ok(Chosen { flow: Some(flow), made: None })
}

/// A call that is not deleted and that the caller may see. Whether it is there is said first.
async fn seen(asked: &Asked) -> Result<Entity<Calls>, ApiError> {
    let id = asked.text_id()?;
    if asked.caller.is_direct() {
        return Err(ApiError::direct_access());
    }
    let call = Entity::<Calls>::find(&*asked.platform.core.store, id).await?.ok_or_else(not_found)?;
    asked.must_manage(call.customer)?;
    if call.deleted { Err(ApiError::state_invalid()) } else { Ok(call) }
}

pub(crate) async fn get(asked: &Asked) -> Answered {
    Ok(seen(asked).await?.text())
}

pub(crate) async fn hang_up(asked: &Asked) -> Answered {
    let call = seen(asked).await?;
    match asked.platform.live.ask(call.id, Command::HangUp).await {
        Some(answer) => answer,
        // It is over: it stays as it is.
        None => Ok(seen(asked).await?.text()),
    }
}

pub(crate) async fn delete(asked: &Asked) -> Answered {
    let call = seen(asked).await?;
    if let Some(answer) = asked.platform.live.ask(call.id, Command::Delete).await {
        return answer;
    }
    let mut call = seen(asked).await?;
    mark_deleted(&asked.platform, &mut call);
    let told = event(&asked.platform, &call, "call_deleted");
    asked.platform.core.store.commit(std::iter::once(call.put()).chain(told).collect()).await?;
    asked.platform.core.outbox.wake();
    Ok(call.text())
}

/// Marks a call as deleted.
pub(crate) fn mark_deleted(platform: &super::platform::Platform, call: &mut Entity<Calls>) {
    let at = Some(platform.moments.next());
    call.deleted = true;
    (call.wire.tm_update, call.wire.tm_delete) = (at, at);
}
