//! The changes that store the communication platform of a world.

use didww_types::Secret;
use didww_types::values::Money;
use serde_json::{Map, Value};
use service_core::{AttemptError, Core};
use trunk_rules::outbound::{
    ConfigUpdate, Country, ProviderHost, SYSTEM_CUSTOMER, is_route_target, provider_codecs, settle_config,
};
use trunk_store::Change;
use uuid::Uuid;
use voipbin_platform::{
    Customer, CustomerPrivate, CustomerStatus, Customers, Entity, Kind, OutboundConfigs, Platform, Provider,
    ProviderPrivate, Providers, Route, Routes, SipCredentials, Timestamp, empty_config, schedule_probes,
};

use super::Names;
use crate::ControlError;
use crate::customers::check_webhook;
use crate::world::naming::invalid;
use crate::world::platform::{WorldCustomer, WorldPlatform, WorldProvider, WorldRoute};
use crate::world::secrets::{HIDDEN, reveal};

type Attempt<T> = Result<T, AttemptError<ControlError>>;

/// The changes that store the objects of a world, which have these names.
pub(super) async fn changes(
    core: &Core,
    platform: &Platform,
    names: &Names,
    world: &WorldPlatform,
) -> Attempt<Vec<Change>> {
    let mut changes = Vec::with_capacity(world.len());
    for (id, provider) in names.providers.ids.iter().zip(&world.providers) {
        changes.extend(of_provider(core, platform, *id, provider).await?);
    }
    for (id, customer) in names.customers.ids.iter().zip(&world.customers) {
        changes.extend(of_customer(core, platform, *id, customer).await?);
    }
    for (id, route) in names.routes.ids.iter().zip(&world.routes) {
        changes.push(of_route(core, platform, names, *id, route).await?);
    }
    Ok(changes)
}

/// Reads customers, which were stored, into the directory.
pub(super) async fn reload(
    core: &Core,
    platform: &Platform,
    customers: Vec<Uuid>,
) -> Result<(), ControlError> {
    let _turn = platform.changes.lock().await;
    for id in customers {
        if let Some(customer) = Entity::<Customers>::find(&*core.store, id).await? {
            platform.directory.put(customer);
        }
    }
    Ok(())
}

/// The stored object with an id of the file.
///
/// # Errors
/// If it was deleted: a deleted object cannot be restored.
async fn stored<K: Kind>(core: &Core, id: Uuid, what: &str) -> Attempt<Option<Entity<K>>> {
    let found = Entity::<K>::find(&*core.store, id).await?;
    if found.as_ref().is_some_and(|found| found.deleted) {
        let advice = "choose another id or label";
        return Err(invalid(format!("has a {what} with the id {id}, which was deleted; {advice}")).into());
    }
    Ok(found)
}

/// A secret of the file; a hidden one is replaced by the stored one, or else by a new one.
fn revealed(sent: &Secret, stored: Option<Secret>, new: impl FnOnce() -> Secret) -> Secret {
    if sent.expose() == HIDDEN { stored.unwrap_or_else(new) } else { sent.clone() }
}

async fn of_provider(
    core: &Core,
    platform: &Platform,
    id: Uuid,
    sent: &WorldProvider,
) -> Attempt<Vec<Change>> {
    let name = &sent.name;
    if !sent.hostname.is_empty() {
        let parsed = ProviderHost::parse(&sent.hostname);
        parsed.map_err(|why| invalid(format!("has a wrong `hostname` of provider `{name}`: {why}")))?;
    }
    let codecs = provider_codecs(&sent.codecs)
        .map_err(|why| invalid(format!("has wrong `codecs` of provider `{name}`: {why}")))?;
    if sent.username.is_none() && sent.password.is_some() {
        return Err(invalid(format!("has a `password` of provider `{name}` without a `username`")).into());
    }
    let found = stored::<Providers>(core, id, "provider").await?;
    let (is_new, at) = (found.is_none(), platform.timestamps.next());
    let mut provider = if let Some(found) = found {
        found
    } else {
        let public = Provider { id, tm_create: Some(at), ..Provider::default() };
        Entity::<Providers>::new(id, Uuid::nil(), at, public, ProviderPrivate::default())
    };
    if provider.public.hostname != sent.hostname {
        // The credentials of one carrier, which can be in a header, must not be sent to another one, and the metadata
        // of its trunk does not apply to the other one's.
        provider.private = ProviderPrivate::default();
        let unasked = Provider::default();
        provider.public.tech_headers = unasked.tech_headers;
        provider.public.metadata = unasked.metadata;
        provider.public.health_status = unasked.health_status;
        provider.public.health_checked_at = None;
    }
    if let Some(username) = &sent.username {
        let own = provider.private.sip.as_ref().filter(|sip| sip.username == *username);
        let own = own.map(|sip| sip.password.clone());
        let new = || core.ids.carrier_credentials().1;
        let password = match &sent.password {
            Some(password) => revealed(password, own, new),
            None => own.unwrap_or_else(new),
        };
        provider.private.sip = Some(SipCredentials { username: username.clone(), password });
    }
    let mut headers: Vec<(String, String)> = Vec::with_capacity(sent.tech_headers.len());
    for (header, value) in &sent.tech_headers {
        let own = provider.public.tech_headers.get(header).map(|own| Secret::new(own.clone()));
        let value = revealed(value, own, || core.ids.url_safe_token());
        headers.push((header.clone(), value.expose().to_owned()));
    }
    let known: Map<String, Value> =
        provider.public.metadata.iter().map(|(member, value)| (member.clone(), value.clone())).collect();
    let mut metadata = sent.metadata.clone();
    reveal(&mut metadata, Some(&known), &|| core.ids.url_safe_token().expose().to_owned());
    let public = &mut provider.public;
    public.kind = sent.kind.as_str().into();
    public.name.clone_from(name);
    public.detail.clone_from(&sent.detail);
    public.hostname.clone_from(&sent.hostname);
    public.tech_prefix.clone_from(&sent.tech_prefix);
    public.tech_postfix.clone_from(&sent.tech_postfix);
    public.tech_headers = headers.into_iter().collect();
    public.codecs = codecs;
    public.metadata = metadata.into_iter().collect();
    if !is_new {
        public.tm_update = Some(at);
    }
    let probes = if is_new { schedule_probes(platform, id) } else { None };
    Ok(std::iter::once(provider.put()).chain(probes).collect())
}

async fn of_customer(
    core: &Core,
    platform: &Platform,
    id: Uuid,
    sent: &WorldCustomer,
) -> Attempt<Vec<Change>> {
    check_webhook(&sent.webhook_uri)?;
    if sent.webhook_method.contains(char::is_control) {
        let text = format!("has control characters in the `webhook_method` of customer `{}`", sent.name);
        return Err(invalid(text).into());
    }
    let at = platform.timestamps.next();
    let mut customer = match stored::<Customers>(core, id, "customer").await? {
        Some(customer) => customer,
        None => new_customer(id, at, sent.balance),
    };
    if let Some(secret) = &sent.webhook_secret {
        let own = customer.private.webhook_secret.take();
        let secret = revealed(secret, own, || core.ids.url_safe_token());
        customer.private.webhook_secret = Some(secret).filter(|secret| !secret.expose().is_empty());
    }
    customer.private.frozen_at = if sent.frozen {
        Some(customer.private.frozen_at.unwrap_or_else(|| at.as_unix_micros()))
    } else {
        None
    };
    let public = &mut customer.public;
    public.status = if sent.frozen { CustomerStatus::Frozen } else { CustomerStatus::Active };
    public.webhook_signed = customer.private.webhook_secret.is_some();
    public.name.clone_from(&sent.name);
    public.detail.clone_from(&sent.detail);
    public.email.clone_from(&sent.email);
    public.phone_number.clone_from(&sent.phone_number);
    public.address.clone_from(&sent.address);
    public.identity_verified = sent.identity_verified;
    public.balance = sent.balance;
    public.rtp_debug = sent.rtp_debug;
    public.webhook_uri.clone_from(&sent.webhook_uri);
    public.webhook_method.clone_from(&sent.webhook_method);
    let mut changes = vec![customer.put()];
    changes.extend(of_config(core, platform, id, sent).await?);
    Ok(changes)
}

fn new_customer(id: Uuid, at: Timestamp, balance: Money) -> Entity<Customers> {
    let public = Customer {
        id,
        name: String::new(),
        detail: String::new(),
        email: String::new(),
        phone_number: String::new(),
        address: String::new(),
        status: CustomerStatus::Active,
        identity_verified: false,
        balance,
        rtp_debug: false,
        webhook_method: String::new(),
        webhook_uri: String::new(),
        webhook_signed: false,
        tm_create: at.to_string(),
    };
    Entity::<Customers>::new(id, id, at, public, CustomerPrivate::default())
}

/// The changes that store the outbound config of a customer. The default source number of one that exists stays.
async fn of_config(
    core: &Core,
    platform: &Platform,
    customer: Uuid,
    sent: &WorldCustomer,
) -> Attempt<Vec<Change>> {
    let wanted = sent.outbound_config.clone().unwrap_or_default();
    let update = ConfigUpdate {
        destination_whitelist: Some(wanted.destination_whitelist.as_slice()),
        codecs: Some(wanted.codecs.as_str()),
        default_number: None,
    };
    let settled = settle_config(&update, customer).map_err(|error| {
        invalid(format!("has a wrong `outbound_config` of customer `{}`: {error}", sent.name))
    })?;
    let mut changes = Vec::new();
    let found = Entity::<OutboundConfigs>::find_by(&*core.store, "customer", customer.to_string()).await?;
    let mut config = match found {
        Some(config) if !config.deleted => config,
        deleted => {
            // Writing it again frees its key.
            changes.extend(deleted.as_ref().map(Entity::put));
            let (id, at) = platform.new_id_and_time();
            empty_config(id, customer, at)
        }
    };
    let countries = settled.destination_whitelist.unwrap_or_default();
    config.public.destination_whitelist =
        countries.into_iter().map(Country::as_str).map(str::to_owned).collect();
    config.public.codecs = settled.codecs.unwrap_or_default();
    (config.public.name, config.public.detail) = (wanted.name, wanted.detail);
    config.public.tm_update = Some(platform.timestamps.next());
    changes.push(config.put());
    Ok(changes)
}

async fn of_route(
    core: &Core,
    platform: &Platform,
    names: &Names,
    id: Uuid,
    sent: &WorldRoute,
) -> Attempt<Change> {
    let absent = |what: &str, name: &str| {
        invalid(format!("has a route to `{}` with `{name}`, which is no {what}", sent.target))
    };
    if !is_route_target(&sent.target) {
        let right = "valid: `all`, or a calling code such as +82";
        return Err(invalid(format!("has a route to `{}`; {right}", sent.target)).into());
    }
    let provider = names.providers.id(&sent.provider).ok_or_else(|| absent("provider", &sent.provider))?;
    if !names.providers.known.contains(&provider) {
        let found = Entity::<Providers>::find(&*core.store, provider).await?;
        if found.is_none_or(|found| found.deleted) {
            return Err(absent("provider", &sent.provider).into());
        }
    }
    let customer = match &sent.customer {
        None => SYSTEM_CUSTOMER,
        Some(name) => {
            let id = names.customers.id(name).ok_or_else(|| absent("customer", name))?;
            if !names.customers.known.contains(&id) && platform.directory.customer(id).is_none() {
                return Err(absent("customer", name).into());
            }
            id
        }
    };
    let at = platform.timestamps.next();
    let mut route = match stored::<Routes>(core, id, "route").await? {
        Some(route) if route.customer == customer => route,
        Some(_) => {
            let message = format!("has a route with the id {id}, which is that of another customer");
            return Err(invalid(message).into());
        }
        None => {
            let public = Route { id, customer_id: customer, tm_create: Some(at), ..Route::default() };
            Entity::<Routes>::new(id, customer, at, public, ())
        }
    };
    if route.revision.is_some() {
        route.public.tm_update = Some(at);
    }
    route.public.provider_id = provider;
    route.public.priority = sent.priority;
    route.public.target.clone_from(&sent.target);
    route.public.name.clone_from(&sent.name);
    route.public.detail.clone_from(&sent.detail);
    Ok(route.put())
}
