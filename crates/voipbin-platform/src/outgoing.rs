//! The way of a call until it is dialled: what is known is put before the rules, for each destination.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use rust_decimal::Decimal;
use serde_json::{Value, json};
use trunk_rules::outbound::{
    self, Address as Endpoint, Balance, ClosedHosts, Customer, Dialroute, Failure, OutboundConfig, Plan,
    Request, Routing, Snapshot, Source, decide, route_target, whitelist_refused_all,
};
use uuid::Uuid;
use voipbin_types::{
    Action, ActionBody, Address, AddressKind, Anonymous, BASIC, Call, CallDirection, CallKind, CallStatus,
};

use super::api::Asked;
use super::calls::{CallOwn, Calls};
use super::customers::{CustomerStatus, Customers, PhoneNumbers};
use super::entity::{Entity, newborn};
use super::error::ApiError;
use super::flows::Flows;
use super::provider_calls;
use super::providers::Providers;
use super::routes;
use trunk_store::{DocumentKind, DocumentQuery};

/// What calls are to be placed.
pub(crate) struct Order<'a> {
    /// What is done once they are answered.
    pub(crate) flow: Option<&'a Entity<Flows>>,
    pub(crate) source: Option<&'a Address>,
    pub(crate) destinations: &'a [Address],
    pub(crate) anonymous: Option<&'a Anonymous>,
    /// The one provider that takes them, whatever the routes say; then the source is taken as it is.
    pub(crate) provider: Option<Uuid>,
}

/// Most destinations of a request. No page of the platform names a limit; without one a request could hold up everybody.
const MOST_DESTINATIONS: usize = 100;

/// The calls that an order makes. A destination that cannot be called is left out; the log says why.
///
/// # Errors
/// When none can be called.
pub(crate) async fn plan(
    asked: &Asked,
    owner: &Entity<Customers>,
    order: &Order<'_>,
) -> Result<Vec<Entity<Calls>>, ApiError> {
    if order.destinations.len() > MOST_DESTINATIONS {
        let message = format!("At most {MOST_DESTINATIONS} destinations can be called at once.");
        return Err(ApiError::invalid_argument(message));
    }
    let store = &*asked.platform.core.store;
    // None is as good as an empty one, which permits nothing.
    let known = asked.platform.known.config(store, owner.id).await?;
    let none = voipbin_types::OutboundConfig::default();
    let config = known.as_ref().map_or(&none, |config| &config.wire);
    let default_number = match config.default_outgoing_source_number_id {
        id if id.is_nil() || order.provider.is_some() => None,
        id => Entity::<PhoneNumbers>::find(store, id).await?,
    };
    let source = order.source.map(endpoint);
    let source_number = match &source {
        // A provider call's source is taken as it is.
        Some(source) if order.provider.is_none() => {
            Entity::<PhoneNumbers>::find_by(store, "number", &source.target).await?
        }
        _ => None,
    };
    let forced: Vec<Uuid> = order.provider.into_iter().collect();
    let to_uris = order.destinations.iter().any(|destination| destination.kind == AddressKind::Sip);
    let closed_hosts = if to_uris { closed_hosts(asked).await? } else { ClosedHosts::default() };
    let mut stored = StoredRoutes::default();
    let mut outcomes = Vec::with_capacity(order.destinations.len());
    for destination in order.destinations {
        let destination = endpoint(destination);
        let routes = match order.provider {
            Some(_) => &[][..],
            None => stored.to(asked, owner.id, &destination.target).await?,
        };
        let snapshot = Snapshot {
            customer: Some(customer(owner)),
            balance: Balance { amount: Some(owner.wire.balance.amount()), call_price: Decimal::ZERO },
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
                requested: source.as_ref(),
                unchecked: order.provider.is_some(),
                requested_number: source_number.as_ref().map(Entity::<PhoneNumbers>::stock),
                default_number: default_number.as_ref().map(Entity::<PhoneNumbers>::stock),
            },
        };
        let request =
            Request { destination: &destination, anonymous: order.anonymous.map(Anonymous::as_str) };
        let outcome = decide(&snapshot, &request);
        if let Err(failure) = &outcome {
            let step = failure.step();
            tracing::info!(customer = %owner.id, destination = %destination.target, ?step, %failure, "a destination is not called");
        }
        outcomes.push(outcome);
    }
    if outcomes.iter().all(Result::is_err) {
        return Err(refusal(&outcomes));
    }
    let plans = outcomes.into_iter().filter_map(Result::ok);
    let actions = order.flow.map(|flow| Arc::from(flow.wire.actions.as_slice())).unwrap_or_default();
    Ok(plans.map(|plan| call(asked, owner, order, &actions, plan)).collect())
}

/// What is said when no destination can be called.
fn refusal(outcomes: &[Result<Plan, Failure>]) -> ApiError {
    match outcomes.first() {
        Some(Err(failure)) if whitelist_refused_all(outcomes) => {
            ApiError::invalid_argument(failure.to_string())
        }
        Some(Err(Failure::Balance)) => ApiError::insufficient_balance(),
        _ => ApiError::invalid_data(),
    }
}

/// The hosts that only providers lead to: those of the host map, and of the providers that there are.
async fn closed_hosts(asked: &Asked) -> Result<ClosedHosts, ApiError> {
    let all = DocumentQuery::all(DocumentKind::Provider);
    let providers = Entity::<Providers>::list(&*asked.platform.core.store, all).await?;
    let platform = &asked.platform;
    // The dialler's says where the edge is.
    let map = platform.dialler.get().map_or(&platform.config.hosts, |dialler| dialler.hosts());
    let map = map.iter().map(|(name, place)| (name.as_str(), place.as_str()));
    Ok(ClosedHosts::new(map, providers.iter().map(|provider| provider.wire.hostname.as_str())))
}

/// The routes that take part, by the target of a destination: read once for all destinations of a country.
#[derive(Default)]
struct StoredRoutes(HashMap<String, Vec<outbound::Route>>);

impl StoredRoutes {
    async fn to(
        &mut self,
        asked: &Asked,
        customer: Uuid,
        destination: &str,
    ) -> Result<&[outbound::Route], ApiError> {
        let target = route_target(destination).unwrap_or_default();
        if !self.0.contains_key(&target) {
            let mut found = Vec::new();
            for of in [customer, outbound::SYSTEM_CUSTOMER] {
                for target in [target.as_str(), outbound::ALL_TARGETS] {
                    let routes = routes::to(&*asked.platform.core.store, of, target).await?;
                    found.extend(routes.iter().map(route));
                }
            }
            self.0.insert(target.clone(), found);
        }
        Ok(self.0.get(&target).map(Vec::as_slice).unwrap_or_default())
    }
}

fn route(route: &Entity<routes::Routes>) -> outbound::Route {
    outbound::Route {
        id: route.id,
        customer_id: route.wire.customer_id,
        provider_id: route.wire.provider_id,
        priority: route.wire.priority,
        target: route.wire.target.clone(),
        created: route.created_at.as_unix_micros(),
    }
}

fn customer(owner: &Entity<Customers>) -> Customer<'_> {
    Customer {
        id: owner.id,
        status: match owner.wire.status {
            CustomerStatus::Active => "active",
            CustomerStatus::Frozen => "frozen",
        },
        identity_verification_status: if owner.wire.identity_verified { "verified" } else { "unverified" },
    }
}

/// An address as the rules read it.
pub(crate) fn endpoint(address: &Address) -> Endpoint {
    Endpoint {
        kind: address.kind.as_str().to_owned(),
        target: address.target.clone(),
        target_name: address.target_name.clone(),
        name: address.name.clone(),
        detail: address.detail.clone(),
    }
}

fn address(endpoint: Endpoint) -> Address {
    Address {
        kind: endpoint.kind.as_str().into(),
        target: endpoint.target,
        target_name: endpoint.target_name,
        name: endpoint.name,
        detail: endpoint.detail,
    }
}

fn call(
    asked: &Asked,
    owner: &Entity<Customers>,
    order: &Order<'_>,
    actions: &Arc<[ActionBody]>,
    plan: Plan,
) -> Entity<Calls> {
    let (id, at) = newborn(&asked.platform);
    let mut metadata: BTreeMap<String, Value> = BTreeMap::new();
    if let Some(provider) = order.provider {
        metadata.extend(provider_calls::metadata(provider));
    }
    if owner.wire.rtp_debug {
        metadata.insert("rtp_debug".to_owned(), json!(true));
    }
    if let Some(codecs) = plan.codecs {
        metadata.insert("codecs".to_owned(), json!(codecs));
    }
    let wire = Call {
        id,
        customer_id: owner.id,
        owner_type: String::new(),
        owner_id: Uuid::nil(),
        flow_id: order.flow.map_or(Uuid::nil(), |flow| flow.id),
        activeflow_id: asked.platform.core.ids.request(),
        kind: Some(CallKind::Flow),
        master_call_id: Uuid::nil(),
        chained_call_ids: Vec::new(),
        recording_id: Uuid::nil(),
        recording_ids: Vec::new(),
        groupcall_id: Uuid::nil(),
        source: address(plan.source.normalised()),
        destination: address(plan.destination),
        status: CallStatus::Dialing,
        // The mark of a beginning.
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
    let own = CallOwn {
        actions: Arc::clone(actions),
        anonymous: plan.anonymous.hides(),
        providers: plan.dialroutes.iter().map(|Dialroute { provider_id, .. }| *provider_id).collect(),
        current: 0,
    };
    Entity::new(id, owner.id, at, wire, own)
}
