//! Carriers that calls go out through. They belong to the platform and not to a customer.

use didww_types::Secret;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use trunk_rules::outbound::provider_codecs;
use uuid::Uuid;
use voipbin_types::{HealthStatus, Provider, ProviderBody};

use super::api::{Answered, Asked, page};
use super::entity::{Entity, Kind, newborn};
use super::error::{ApiError, Status};
use trunk_store::DocumentKind;

use super::setup::are_of_one_carrier;
pub(crate) use super::setup::set_up;

pub(crate) struct Providers;

/// What of a provider is the server's own.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct ProviderOwn {
    /// What the carrier knows a trunk by that was set up there. One that was made by hand has none.
    pub(crate) sip: Option<SipCredentials>,
}

#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct SipCredentials {
    pub(crate) username: String,
    pub(crate) password: Secret,
}

impl Kind for Providers {
    const KIND: DocumentKind = DocumentKind::Provider;
    type Wire = Provider;
    type Own = ProviderOwn;
}

pub(crate) fn not_found() -> ApiError {
    ApiError::new(Status::NotFound, "PROVIDER_NOT_FOUND", "The provider was not found.")
}

pub(crate) async fn list(asked: &Asked) -> Answered {
    let query = asked.query.page(DocumentKind::Provider)?;
    asked.caller.must_run_the_platform()?;
    page(&asked.platform.core.store.documents(query).await?)
}

pub(crate) async fn create(asked: &Asked) -> Answered {
    let body = read(asked)?;
    asked.caller.must_run_the_platform()?;
    let codecs = codecs(&body)?;
    let (id, at) = newborn(&asked.platform);
    let mut wire = Provider { id, tm_create: Some(at), ..Provider::default() };
    replace(&mut wire, body, codecs);
    let provider = Entity::<Providers>::new(id, Uuid::nil(), at, wire, ProviderOwn::default());
    asked.platform.core.store.commit(vec![provider.put()]).await?;
    Ok(provider.text())
}

/// Whether it is there is said before whether it may be seen.
pub(crate) async fn get(asked: &Asked) -> Answered {
    let id = asked.text_id()?;
    if asked.caller.is_direct() {
        return Err(ApiError::direct_access());
    }
    let found = asked.platform.known.provider(&*asked.platform.core.store, id).await?;
    let provider = found.ok_or_else(not_found)?;
    asked.caller.must_run_the_platform()?;
    Ok(provider.text())
}

/// Replaces all of it: what is left out becomes empty.
pub(crate) async fn update(asked: &Asked) -> Answered {
    let id = asked.text_id()?;
    let body = read(asked)?;
    asked.caller.must_run_the_platform()?;
    loop {
        let found = Entity::<Providers>::find(&*asked.platform.core.store, id).await?;
        let mut provider = found.ok_or_else(not_found)?;
        let codecs = codecs(&body)?;
        if provider.wire.hostname != body.hostname {
            // Another carrier must not be shown what this one knows the trunk by.
            let same = are_of_one_carrier(&provider.wire.hostname, &body.hostname);
            provider.own.sip = provider.own.sip.filter(|_| same);
            provider.wire.health_status = HealthStatus::NotAsked;
            provider.wire.health_checked_at = None;
        }
        replace(&mut provider.wire, body.clone(), codecs);
        provider.wire.tm_update = Some(asked.platform.moments.next());
        if provider.try_write(&*asked.platform.core.store).await? {
            return Ok(provider.text());
        }
    }
}

pub(crate) async fn delete(asked: &Asked) -> Answered {
    let id = asked.text_id()?;
    asked.caller.must_run_the_platform()?;
    loop {
        let found = Entity::<Providers>::find(&*asked.platform.core.store, id).await?;
        let mut provider = found.ok_or_else(not_found)?;
        let at = Some(asked.platform.moments.next());
        provider.deleted = true;
        (provider.wire.tm_update, provider.wire.tm_delete) = (at, at);
        if provider.try_write(&*asked.platform.core.store).await? {
            return Ok(provider.text());
        }
    }
}

/// Reads a body. A header that is no text is named; everything else that does not fit is no JSON body.
fn read(asked: &Asked) -> Result<ProviderBody, ApiError> {
    let body: serde_json::Map<String, Value> = asked.read()?;
    let headers = body.get("tech_headers").and_then(Value::as_object);
    if headers.is_some_and(|headers| headers.values().any(|value| !value.is_string())) {
        return Err(ApiError::invalid_argument("tech_headers values must be strings."));
    }
    let body: ProviderBody =
        serde_json::from_value(Value::Object(body)).map_err(|_| ApiError::invalid_json())?;
    warn_of(&body.hostname);
    Ok(body)
}

/// The platform takes any text for a hostname. One that holds more than a host makes calls that cannot be dialled, which
/// is better known before the first of them.
fn warn_of(hostname: &str) {
    let scheme = ["sip:", "sips:", "tel:"]
        .iter()
        .any(|scheme| hostname.get(..scheme.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(scheme)));
    let is_foreign = |character: char| ";@?<>/\"".contains(character) || character.is_whitespace();
    if scheme || hostname.contains(is_foreign) {
        tracing::warn!(hostname, "a provider's hostname is more than a host: its calls will fail");
    }
}

fn codecs(body: &ProviderBody) -> Result<String, ApiError> {
    provider_codecs(&body.codecs)
        .map_err(|error| ApiError::new(Status::InvalidArgument, "INVALID_CODECS", error.message()))
}

fn replace(wire: &mut Provider, body: ProviderBody, codecs: String) {
    wire.kind = body.kind;
    wire.hostname = body.hostname;
    wire.tech_prefix = body.tech_prefix;
    wire.tech_postfix = body.tech_postfix;
    wire.tech_headers = body.tech_headers;
    wire.name = body.name;
    wire.detail = body.detail;
    wire.codecs = codecs;
}
