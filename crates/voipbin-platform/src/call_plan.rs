//! The plan of new calls: applies the rules of `trunk_rules` to each destination of a request.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use rust_decimal::Decimal;
use serde_json::{Value, json};
use trunk_rules::outbound::{
    self, Balance, ClosedHosts, Customer, Dialroute, Failure, OutboundConfig, Plan, Request, Routing,
    Snapshot, Source, decide, hides_caller, normalise_address, route_target,
};
use trunk_store::{DocumentKind, DocumentQuery};
use uuid::Uuid;
use voipbin_types::{
    Action, ActionBody, Address, AddressKind, Anonymous, BASIC, Call, CallDirection, CallKind, CallStatus,
    Timestamp,
};

use crate::config::EDGE_HOST;
use crate::entity::Entity;
use crate::error::ApiError;
use crate::platform::Platform;
use crate::records::call_events::{self, CallEvent};
use crate::records::calls::{CallPrivate, Calls};
use crate::records::customers::{CustomerStatus, Customers};
use crate::records::flows::Flows;
use crate::records::numbers::PhoneNumbers;
use crate::records::provider_calls;
use crate::records::providers::Providers;
use crate::records::routes::{self, Routes};

/// The calls of a request.
pub(crate) struct Order<'a> {
    /// The flow that runs once a call is answered; without one the call hangs up.
    pub(crate) flow: Option<&'a Entity<Flows>>,
    pub(crate) source: Option<&'a Address>,
    pub(crate) destinations: &'a [Address],
    pub(crate) anonymous: Option<&'a Anonymous>,
    /// The only provider to try, for a provider call: then routes are ignored, and the source is not checked.
    pub(crate) provider: Option<Uuid>,
}

/// Maximum number of destinations of a request. VoIPBIN documents no limit; without one, a single request could delay
/// all others.
const MAX_DESTINATIONS: usize = 100;

/// The calls to place. A destination that cannot be called is left out, and the reason is logged.
///
/// # Errors
/// When no destination can be called.
pub(crate) async fn plan(
    platform: &Platform,
    owner: &Entity<Customers>,
    order: &Order<'_>,
) -> Result<Vec<Entity<Calls>>, ApiError> {
    if order.destinations.len() > MAX_DESTINATIONS {
        let message = format!("At most {MAX_DESTINATIONS} destinations can be called at once.");
        return Err(ApiError::invalid_argument(message));
    }
    let store = &*platform.core.store;
    // No config is equivalent to an empty one, which permits no destination.
    let found = platform.cache.config(store, owner.id).await?;
    let none = voipbin_types::OutboundConfig::default();
    let config = found.as_ref().map_or(&none, |config| &config.public);
    let default_number = match config.default_outgoing_source_number_id {
        id if id.is_nil() || order.provider.is_some() => None,
        id => Entity::<PhoneNumbers>::find(store, id).await?,
    };
    let source_number = match order.source {
        // The source of a provider call is not checked.
        Some(source) if order.provider.is_none() => {
            Entity::<PhoneNumbers>::find_by(store, "number", &source.target).await?
        }
        _ => None,
    };
    let forced: Vec<Uuid> = order.provider.into_iter().collect();
    let to_uris = order.destinations.iter().any(|destination| destination.kind == AddressKind::Sip);
    let closed_hosts = if to_uris { closed_hosts(platform).await? } else { ClosedHosts::default() };
    let mut stored = StoredRoutes::default();
    let mut outcomes = Vec::with_capacity(order.destinations.len());
    for destination in order.destinations {
        let routes = match order.provider {
            Some(_) => &[][..],
            None => stored.to(platform, owner.id, &destination.target).await?,
        };
        let snapshot = Snapshot {
            customer: Some(customer(owner)),
            balance: Balance { amount: Some(owner.public.balance.amount()), call_price: Decimal::ZERO },
            config: OutboundConfig {
                destination_whitelist: &config.destination_whitelist,
                codecs: &config.codecs,
            },
            routing: if order.provider.is_some() {
                Routing::Forced(&forced)
            } else {
                Routing::Stored(routes)
            },
            closed_hosts: &closed_hosts,
            source: Source {
                requested: order.source,
                unchecked: order.provider.is_some(),
                requested_number: source_number.as_ref().map(Entity::<PhoneNumbers>::as_own_number),
                default_number: default_number.as_ref().map(Entity::<PhoneNumbers>::as_own_number),
            },
        };
        let request = Request { destination, anonymous: order.anonymous };
        let outcome = decide(&snapshot, &request);
        if let Err(failure) = &outcome {
            let step = failure.step();
            let (customer, destination) = (owner.id, &destination.target);
            tracing::info!(%customer, %destination, ?step, %failure, "a destination is not called");
        }
        outcomes.push(outcome);
    }
    if outcomes.iter().all(Result::is_err) {
        return Err(refusal(&outcomes));
    }
    let plans = outcomes.into_iter().filter_map(Result::ok);
    let actions = order.flow.map(actions).unwrap_or_default();
    Ok(plans.map(|plan| call(platform, owner, order, &actions, plan)).collect())
}

/// The actions of a flow, as calls run them.
fn actions(flow: &Entity<Flows>) -> Arc<[ActionBody]> {
    flow.public.actions.iter().cloned().map(ActionBody::from).collect()
}

/// Maximum number of different reasons that the error names when no destination can be called.
const MAX_REASONS: usize = 3;

/// The error when no destination can be called: a lack of balance if that refused any of them, else the different
/// reasons, in the order of the destinations.
fn refusal(outcomes: &[Result<Plan, Failure>]) -> ApiError {
    if outcomes.iter().any(|outcome| matches!(outcome, Err(Failure::Balance))) {
        return ApiError::insufficient_balance();
    }
    let mut reasons: Vec<String> = Vec::new();
    for failure in outcomes.iter().filter_map(|outcome| outcome.as_ref().err()) {
        let reason = failure.to_string();
        if !reasons.contains(&reason) {
            reasons.push(reason);
        }
    }
    if reasons.len() > MAX_REASONS {
        reasons.truncate(MAX_REASONS);
        reasons.push("…".to_owned());
    }
    if reasons.is_empty() {
        return ApiError::invalid_data_because("destinations is empty");
    }
    ApiError::invalid_argument(reasons.join("; "))
}

/// The hosts that calls to SIP URIs must not reach: those of the host map and of all providers.
async fn closed_hosts(platform: &Platform) -> Result<ClosedHosts, ApiError> {
    let all = DocumentQuery::all(DocumentKind::Provider);
    let providers = Entity::<Providers>::list(&*platform.core.store, all).await?;
    // In the dialler's map, `edge` is replaced by the address of the edge.
    let map = platform.dialler.get().map_or(&platform.config.hosts, |dialler| dialler.hosts());
    let configured = map.iter().filter(|(name, _)| *name != EDGE_HOST);
    let configured = configured.map(|(name, host)| (name.as_str(), host.as_str()));
    let providers = providers.iter().map(|provider| provider.public.hostname.as_str());
    let closed = ClosedHosts::new(configured, providers);
    Ok(match map.get(EDGE_HOST) {
        Some(edge) => closed.with_edge(EDGE_HOST, edge),
        None => closed,
    })
}

/// The applicable routes by the target of a destination, so that the destinations of one country need a
/// single read.
#[derive(Default)]
struct StoredRoutes(HashMap<String, Vec<outbound::Route>>);

impl StoredRoutes {
    async fn to(
        &mut self,
        platform: &Platform,
        customer: Uuid,
        destination: &str,
    ) -> Result<&[outbound::Route], ApiError> {
        let target = route_target(destination).unwrap_or_default();
        if !self.0.contains_key(&target) {
            let mut found = Vec::new();
            for customer in [customer, outbound::SYSTEM_CUSTOMER] {
                for target in [target.as_str(), outbound::ALL_TARGETS] {
                    let routes = routes::to_target(&*platform.core.store, customer, target).await?;
                    found.extend(routes.iter().map(route));
                }
            }
            self.0.insert(target.clone(), found);
        }
        Ok(self.0.get(&target).map(Vec::as_slice).unwrap_or_default())
    }
}

fn route(route: &Entity<Routes>) -> outbound::Route {
    outbound::Route {
        id: route.id,
        customer_id: route.public.customer_id,
        provider_id: route.public.provider_id,
        priority: route.public.priority,
        target: route.public.target.clone(),
        created: route.created_at.as_unix_micros(),
    }
}

fn customer(owner: &Entity<Customers>) -> Customer<'_> {
    Customer {
        id: owner.id,
        status: match owner.public.status {
            CustomerStatus::Active => "active",
            CustomerStatus::Frozen => "frozen",
        },
        identity_verification_status: if owner.public.identity_verified { "verified" } else { "unverified" },
    }
}

/// The first event of a call.
fn created_event(at: Timestamp) -> Vec<CallEvent> {
    let mut events = Vec::with_capacity(1);
    call_events::add(&mut events, "call_created", at, None);
    events
}

fn call(
    platform: &Platform,
    owner: &Entity<Customers>,
    order: &Order<'_>,
    actions: &Arc<[ActionBody]>,
    plan: Plan,
) -> Entity<Calls> {
    let (id, at) = platform.new_id_and_time();
    // It is an index key too, and begins with the time for the reason that ids of records do.
    let activeflow_id = platform.core.ids.record(platform.core.clock.now());
    let mut metadata: BTreeMap<String, Value> = BTreeMap::new();
    if let Some(provider) = order.provider {
        metadata.extend(provider_calls::metadata(provider));
    }
    if owner.public.rtp_debug {
        metadata.insert("rtp_debug".to_owned(), json!(true));
    }
    if let Some(codecs) = plan.codecs {
        metadata.insert("codecs".to_owned(), json!(codecs));
    }
    let public = Call {
        id,
        customer_id: owner.id,
        owner_type: String::new(),
        owner_id: Uuid::nil(),
        flow_id: order.flow.map_or(Uuid::nil(), |flow| flow.id),
        activeflow_id,
        kind: Some(CallKind::Flow),
        master_call_id: Uuid::nil(),
        chained_call_ids: Vec::new(),
        recording_id: Uuid::nil(),
        recording_ids: Vec::new(),
        groupcall_id: Uuid::nil(),
        source: normalise_address(&plan.source),
        destination: plan.destination,
        status: CallStatus::Dialing,
        // The action of a call that has not begun its flow.
        action: Action { id: BASIC, ..Action::default() },
        metadata,
        direction: Some(CallDirection::Outgoing),
        mute_direction: None,
        hangup_by: None,
        hangup_reason: None,
        tm_progressing: None,
        tm_ringing: None,
        tm_hangup: None,
        tm_create: Some(at),
        tm_update: None,
        tm_delete: None,
    };
    let private = CallPrivate {
        actions: Arc::clone(actions),
        node: platform.core.store.node(),
        anonymous: hides_caller(&plan.anonymous),
        providers: plan.dialroutes.iter().map(|Dialroute { provider_id, .. }| *provider_id).collect(),
        // A forced provider has no route.
        routes: plan
            .dialroutes
            .iter()
            .map(|Dialroute { id, provider_id }| if id == provider_id { Uuid::nil() } else { *id })
            .collect(),
        events: created_event(at),
        ..CallPrivate::default()
    };
    Entity::new(id, owner.id, at, public, private)
}
