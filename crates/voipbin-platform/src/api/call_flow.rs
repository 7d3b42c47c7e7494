//! The flow of new calls: one that the request names, or a temporary one for the actions of the request.

use serde_json::{Number, Value};
use trunk_rules::outbound;
use trunk_store::Change;
use uuid::Uuid;
use voipbin_types::{Action, ActionBody, Flow, FlowKind, to_json};

use super::flows;
use crate::entity::Entity;
use crate::error::{ApiError, Status};
use crate::platform::Platform;
use crate::records::flows::{FlowPrivate, Flows};
use crate::request::RequestContext;

/// Maximum number of actions of a flow. VoIPBIN documents no limit.
const MAX_ACTIONS: usize = 200;
/// Maximum length of the options of an action in bytes of JSON. Each call that runs the action writes a copy of them
/// each time, and so does each event of that. VoIPBIN documents no limit.
const MAX_OPTION_BYTES: usize = 65_535;
/// The same for all actions of a flow. Each request that names the flow has a copy of them for as long as its calls
/// last.
const MAX_FLOW_BYTES: usize = 262_144;

/// The flow that new calls run.
pub(super) struct ChosenFlow {
    /// The flow; none if the calls do nothing after the answer.
    pub(super) flow: Option<Entity<Flows>>,
    /// The change that writes a temporary flow; none for a stored one.
    pub(super) change: Option<Change>,
}

impl ChosenFlow {
    /// No flow.
    pub(super) fn none() -> Self {
        Self { flow: None, change: None }
    }
}

/// Chooses the flow of new calls: the stored flow with this id, or a temporary one if the id is nil, which may have no
/// actions.
///
/// # Errors
/// When the stored flow does not exist, is deleted or belongs to another customer; when an action is invalid.
/// No call may be placed then.
pub(super) async fn choose(
    request: &RequestContext,
    flow_id: Uuid,
    actions: Vec<ActionBody>,
    detail: &str,
) -> Result<ChosenFlow, ApiError> {
    if flow_id.is_nil() {
        let flow = temporary(request, actions, detail)?;
        return Ok(ChosenFlow { change: Some(flow.put()), flow: Some(flow) });
    }
    let flow = flows::existing(request, flow_id).await?;
    // Also for a super admin: a call runs with the rights of its customer.
    if flow.customer != request.caller.customer() {
        return Err(ApiError::permission_denied());
    }
    Ok(ChosenFlow { flow: Some(flow), change: None })
}

/// A new flow with these actions.
fn temporary(
    request: &RequestContext,
    actions: Vec<ActionBody>,
    detail: &str,
) -> Result<Entity<Flows>, ApiError> {
    let actions = checked_actions(&request.platform, actions)?;
    let customer = request.caller.customer();
    let (id, at) = request.platform.new_id_and_time();
    let public = Flow {
        id,
        customer_id: customer,
        kind: Some(FlowKind::Flow),
        name: "tmp".to_owned(),
        detail: detail.to_owned(),
        actions,
        tm_create: Some(at),
        ..Flow::default()
    };
    Ok(Entity::new(id, customer, at, public, FlowPrivate::default()))
}

/// The actions of a new flow. Those without an id receive one.
///
/// # Errors
/// When there are more than [`MAX_ACTIONS`], one of them is invalid, or their options are too long.
pub(super) fn checked_actions(
    platform: &Platform,
    mut actions: Vec<ActionBody>,
) -> Result<Vec<Action>, ApiError> {
    if actions.len() > MAX_ACTIONS {
        let message = format!("A flow has at most {MAX_ACTIONS} actions.");
        return Err(ApiError::invalid_argument(message));
    }
    outbound::Flow::new(&actions)
        .map_err(|error| ApiError::new(Status::InvalidArgument, error.reason(), error.to_string()))?;
    let length = |action: &ActionBody| to_json(&action.option).map_or(0, |options| options.len());
    let lengths: Vec<usize> = actions.iter().map(length).collect();
    let all: usize = lengths.iter().sum();
    if all > MAX_FLOW_BYTES || lengths.iter().any(|length| *length > MAX_OPTION_BYTES) {
        let limits = format!("{MAX_OPTION_BYTES} bytes, and those of a flow {MAX_FLOW_BYTES}");
        return Err(ApiError::invalid_argument(format!("The options of an action have at most {limits}.")));
    }
    for action in &mut actions {
        if action.id.is_nil() {
            action.id = platform.core.ids.request();
        }
        action.option.values_mut().for_each(drop_empty_fractions);
    }
    Ok(actions.into_iter().map(Action::from).collect())
}

/// Replaces `1500.0` by `1500`. VoIPBIN's own platform returns a whole number in this form however it was sent, and
/// programs decode it as an integer.
fn drop_empty_fractions(value: &mut Value) {
    match value {
        Value::Number(number) => {
            if let Some(whole) = without_fraction(number) {
                *number = whole.into();
            }
        }
        Value::Array(values) => values.iter_mut().for_each(drop_empty_fractions),
        Value::Object(members) => members.values_mut().for_each(drop_empty_fractions),
        _ => {}
    }
}

/// The integer that a floating-point number is exactly.
fn without_fraction(number: &Number) -> Option<i64> {
    /// Beyond 2^53, not every integer is a floating-point number.
    const MAX_EXACT: f64 = 9_007_199_254_740_992.0;
    let float = number.as_f64().filter(|_| number.is_f64())?;
    let is_whole = float.fract() == 0.0 && float.abs() <= MAX_EXACT;
    if is_whole { format!("{float:.0}").parse().ok() } else { None }
}
