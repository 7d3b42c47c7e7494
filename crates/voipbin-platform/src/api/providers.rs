//! The endpoints of providers. Only super admins may use them.

use serde_json::Value;
use service_core::Retries;
use trunk_rules::outbound::{HostnameError, ProviderHost, provider_codecs, unsent_headers};
use trunk_store::{DocumentKind, KeyUse};
use uuid::Uuid;
use voipbin_types::{HealthStatus, Provider, ProviderBody, ProviderKind, ProviderSetup};

use super::texts::{LONG, SHORT, check_lengths};
use crate::entity::Entity;
use crate::error::{ApiError, ApiResult, Status};
use crate::health;
use crate::records::providers::{ProviderPrivate, Providers};
use crate::request::{RequestContext, page_of};
use crate::setup::{self, CarrierError, CarrierTrunk, are_of_one_carrier};

pub(super) fn not_found() -> ApiError {
    ApiError::new(Status::NotFound, "PROVIDER_NOT_FOUND", "The provider was not found.")
}

pub(super) async fn list(request: &RequestContext) -> ApiResult {
    let query = request.query.page(DocumentKind::Provider)?;
    request.caller.require_super_admin()?;
    let documents = request.platform.core.store.documents(query).await?;
    page_of::<Providers, _>(&documents, Entity::<Providers>::shown)
}

pub(super) async fn create(request: &RequestContext) -> ApiResult {
    let body = decode(request)?;
    request.caller.require_super_admin()?;
    check_hostname(&body.hostname)?;
    let codecs = codecs(&body)?;
    check_texts(&body)?;
    let (id, at) = request.platform.new_id_and_time();
    let mut public = Provider { id, tm_create: Some(at), ..Provider::default() };
    replace(&mut public, body, codecs);
    let provider = Entity::<Providers>::new(id, Uuid::nil(), at, public, ProviderPrivate::default());
    let changes = std::iter::once(provider.put()).chain(health::schedule(&request.platform, id));
    request.platform.core.store.commit(changes.collect()).await?;
    Ok(provider.shown_json())
}

/// Reports a missing provider before a missing permission.
pub(super) async fn get(request: &RequestContext) -> ApiResult {
    let id = request.text_id()?;
    if request.caller.is_direct() {
        return Err(ApiError::direct_access());
    }
    let found = request.platform.cache.provider(&*request.platform.core.store, id).await?;
    let provider = found.ok_or_else(not_found)?;
    request.caller.require_super_admin()?;
    Ok(provider.shown_json())
}

/// Replaces the provider: fields that the body leaves out become empty.
pub(super) async fn update(request: &RequestContext) -> ApiResult {
    let id = request.text_id()?;
    let body = decode(request)?;
    request.caller.require_super_admin()?;
    let body = &body;
    Retries::REQUEST
        .run(|| async move {
            let found = Entity::<Providers>::find(&*request.platform.core.store, id).await?;
            let mut provider = found.ok_or_else(not_found)?;
            // A record of an earlier release may keep a hostname that is not accepted any more.
            if provider.public.hostname != body.hostname {
                check_hostname(&body.hostname)?;
            }
            let codecs = codecs(body)?;
            check_texts(body)?;
            if provider.public.hostname != body.hostname {
                // The SIP credentials must not be sent to another carrier.
                let same_carrier = are_of_one_carrier(&provider.public.hostname, &body.hostname);
                if !same_carrier {
                    provider.forget_trunk();
                }
                provider.public.health_status = HealthStatus::NotAsked;
                provider.public.health_checked_at = None;
            }
            replace(&mut provider.public, body.clone(), codecs);
            provider.public.tm_update = Some(request.platform.timestamps.next());
            provider.write(&*request.platform.core.store).await?;
            Ok(provider.shown_json())
        })
        .await
}

/// Sets up a trunk at a carrier, and creates the provider that references it.
pub(super) async fn set_up(request: &RequestContext) -> ApiResult {
    let setup: ProviderSetup = request.decode_body()?;
    request.caller.require_super_admin()?;
    for (member, text) in
        [("name", &*setup.name), ("credentials.api_key", setup.credentials.api_key.expose())]
    {
        if text.is_empty() {
            return Err(ApiError::invalid_data_because(format!("{member} is missing")));
        }
    }
    check_lengths(&[("name", &setup.name, SHORT), ("detail", &setup.detail, LONG)])?;
    let platform = &request.platform;
    if KeyUse::current().is_some() {
        // Stores the use of the key before the carrier creates a trunk: a repetition must not create another one.
        platform.core.store.commit(Vec::new()).await?;
    }
    let trunk = match setup::set_up(&setup, platform).await {
        Some(Ok(trunk)) => trunk,
        Some(Err(error)) => return Err(carrier_error(error, &setup.carrier)),
        None => return Err(ApiError::invalid_data_because("carrier is neither didww nor telnyx")),
    };
    let CarrierTrunk { hostname, tech_prefix, metadata, sip, allowed_sip_ips, undo } = trunk;
    let (id, at) = platform.new_id_and_time();
    let public = Provider {
        id,
        kind: ProviderKind::Sip,
        hostname: hostname.to_owned(),
        tech_prefix,
        name: setup.name,
        detail: setup.detail,
        metadata,
        tm_create: Some(at),
        ..Provider::default()
    };
    let private = ProviderPrivate { sip, allowed_sip_ips };
    let provider = Entity::<Providers>::new(id, Uuid::nil(), at, public, private);
    let changes = std::iter::once(provider.put()).chain(health::schedule(platform, id));
    if let Err(error) = platform.core.store.commit(changes.collect()).await {
        // No record references the trunk, which may cost money.
        undo.await;
        return Err(error.into());
    }
    Ok(provider.shown_json())
}

pub(super) fn carrier_error(error: CarrierError, carrier: &str) -> ApiError {
    match error {
        CarrierError::Credentials => ApiError::new(
            Status::InvalidArgument,
            "CARRIER_CREDENTIALS_REJECTED",
            "The carrier rejected the supplied credentials.",
        ),
        CarrierError::Unfit(sentence) => ApiError::invalid_argument(sentence),
        // The carrier's own text states what is wrong with the request.
        CarrierError::Refused(why) => ApiError::invalid_argument(format!("The carrier refused: {why}.")),
        CarrierError::Failed(why) => {
            tracing::warn!(%why, carrier, "a carrier could not set up a provider");
            // Only the super admin who chose the API's address receives the text.
            ApiError::carrier_failed(why)
        }
    }
}

pub(super) async fn delete(request: &RequestContext) -> ApiResult {
    let id = request.text_id()?;
    request.caller.require_super_admin()?;
    Retries::REQUEST
        .run(|| async move {
            let found = Entity::<Providers>::find(&*request.platform.core.store, id).await?;
            let mut provider = found.ok_or_else(not_found)?;
            let at = Some(request.platform.timestamps.next());
            provider.deleted = true;
            (provider.public.tm_update, provider.public.tm_delete) = (at, at);
            provider.write(&*request.platform.core.store).await?;
            Ok(provider.shown_json())
        })
        .await
}

/// Decodes the body. A value of `tech_headers` that is not a string has its own message; every other mismatch is
/// reported as an invalid JSON body.
fn decode(request: &RequestContext) -> Result<ProviderBody, ApiError> {
    let body: serde_json::Map<String, Value> = request.decode_body()?;
    let headers = body.get("tech_headers").and_then(Value::as_object);
    if headers.is_some_and(|headers| headers.values().any(|value| !value.is_string())) {
        return Err(ApiError::invalid_argument("tech_headers values must be strings."));
    }
    let body: ProviderBody =
        serde_json::from_value(Value::Object(body)).map_err(|_| where_it_is_wrong(request))?;
    warn_of_unsent_headers(&body);
    Ok(body)
}

/// The refusal of a body whose JSON is not a provider. Its cause states the line and column.
fn where_it_is_wrong(request: &RequestContext) -> ApiError {
    request.decode_body::<ProviderBody>().err().unwrap_or_else(ApiError::invalid_json)
}

/// Refuses a hostname that calls could not be dialled with. An empty one is accepted, as on the running platform: the
/// provider cannot be called until it has one.
fn check_hostname(hostname: &str) -> Result<(), ApiError> {
    if hostname.is_empty() {
        return Ok(());
    }
    let refused = |why: HostnameError| ApiError::invalid_argument(format!("{why}."));
    ProviderHost::parse(hostname).map(|_| ()).map_err(refused)
}

/// Checks the lengths of the texts.
fn check_texts(body: &ProviderBody) -> Result<(), ApiError> {
    check_lengths(&[
        ("type", body.kind.as_str(), SHORT),
        ("hostname", &body.hostname, SHORT),
        ("tech_prefix", &body.tech_prefix, SHORT),
        ("tech_postfix", &body.tech_postfix, SHORT),
        ("name", &body.name, SHORT),
        ("detail", &body.detail, LONG),
    ])
}

/// Logs headers that no INVITE will contain. The API accepts every text.
fn warn_of_unsent_headers(body: &ProviderBody) {
    let headers = body.tech_headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    for header in unsent_headers(headers) {
        let hostname = &body.hostname;
        tracing::warn!(
            hostname,
            header,
            "a provider's header is never sent: its name or value is not permitted"
        );
    }
}

fn codecs(body: &ProviderBody) -> Result<String, ApiError> {
    provider_codecs(&body.codecs)
        .map_err(|error| ApiError::new(Status::InvalidArgument, "INVALID_CODECS", error.message()))
}

fn replace(public: &mut Provider, body: ProviderBody, codecs: String) {
    public.kind = body.kind;
    public.hostname = body.hostname;
    public.tech_prefix = body.tech_prefix;
    public.tech_postfix = body.tech_postfix;
    public.tech_headers = body.tech_headers;
    public.name = body.name;
    public.detail = body.detail;
    public.codecs = codecs;
}
