//! The platform's own API: reads a request, authenticates its caller, checks the limits, and dispatches it to
//! the handler of its endpoint.
//!
//! Bounds: a body is at most as long, and takes at most as long to arrive, as `http_listener::Limits` permit; that of a
//! login, which is read before its client is known, has limits of its own (`login_bodies`). Wrong credentials and
//! logins of an address, and requests of an address and of a customer, are limited per time. Lists are made in turn, a
//! few at once.

mod access_keys;
mod bounded;
mod call_flow;
mod calls;
mod customer;
mod flows;
mod idempotency;
mod login;
mod numbers;
mod outbound_configs;
mod provider_calls;
mod provider_credentials;
mod providers;
mod request_id;
mod response;
mod routes;
mod texts;
pub(crate) mod timelines;
mod variables;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::any;
use http::request::Parts;
use http::{Method, StatusCode, header};
use http_listener::{Exchange, Panicked, read_body};
use serde_json::json;
use service_base::forwarded::{Client, origin};
use service_base::log_limiter::LogLimiter;
use service_base::trace;
use trunk_store::{Asker, IdempotencyScope};
use voipbin_types::Timestamp;

use self::idempotency::KeyedAnswer;
use self::request_id::REQUEST_IDS;
use self::response::{allow_every_origin, error_response, json_response, preflight, redirect_without_slash};
use crate::caller::Caller;
use crate::contract;
use crate::endpoints::{self, Operation};
use crate::entity::json_text;
use crate::error::{ApiError, ApiResult, Status};
use crate::platform::Platform;
use crate::query::QueryParams;
use crate::records::customers::CustomerStatus;
use crate::request::{RequestContext, check_customer_rate, check_rate};

pub use self::response::refusal;

/// The paths of the platform on the public listener.
const PATHS: &[&str] = &["/v1.0/{*path}", "/v1/{*path}", "/auth/login", "/ping", "/openapi.json"];

/// The time from the freezing of a customer to its deletion, as the error for a frozen customer announces it.
/// This server deletes no frozen customer.
const DELETION_DELAY: Duration = Duration::from_hours(24 * 30);

/// The platform's routes on the public listener.
pub fn router(platform: Arc<Platform>) -> Router {
    PATHS.iter().fold(Router::new(), |router, path| router.route(path, any(handle))).with_state(platform)
}

/// The templates of the paths that the platform serves, for its metrics.
pub fn paths() -> Vec<String> {
    let endpoints = endpoints::ENDPOINTS
        .iter()
        .flat_map(|endpoint| ["/v1.0", "/v1"].map(|base| format!("{base}{}", endpoint.path)));
    let others = PATHS.iter().filter(|path| !path.contains('*')).map(|path| (*path).to_owned());
    endpoints.chain(others).collect()
}

/// Handles a request to one of [`PATHS`].
async fn handle(State(platform): State<Arc<Platform>>, request: Request) -> Response {
    let (exchange, body) = Exchange::begin(request, &platform.core, &REQUEST_IDS);
    let parts = &exchange.parts;
    let from_browser = parts.headers.contains_key(header::ORIGIN);
    let mut response = if from_browser && parts.method == Method::OPTIONS {
        preflight()
    } else {
        let outcome = exchange.run(respond(&platform, parts, body, &exchange.request_id)).await;
        outcome.unwrap_or_else(|error| {
            log_refusal(&platform, &exchange, &error);
            error_response(&error, &exchange.request_id)
        })
    };
    if from_browser {
        allow_every_origin(response.headers_mut());
    }
    exchange.finish(response)
}

/// Maximum number of characters of a message or cause in the log: both can quote a text of the request, which can be as
/// long as its body.
const MAX_LOGGED_CHARS: usize = 500;

/// Counts the refusals that a client without a credential can cause any number of, by its address.
static REFUSED: LogLimiter = LogLimiter::new("requests of the communication platform were refused");

/// Logs why a request was refused. A client without a valid credential has three lines a minute; further ones are
/// counted.
fn log_refusal(platform: &Platform, exchange: &Exchange, error: &ApiError) {
    let Exchange { parts, request_id, .. } = exchange;
    let is_limited = matches!(
        error.http_status(),
        StatusCode::UNAUTHORIZED | StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
    ) || error.reason == "ROUTE_NOT_FOUND";
    if is_limited && !REFUSED.admits(origin(Client::of(&parts.extensions)), platform.core.clock.now()) {
        return;
    }
    let excerpt = |text: &str| text.chars().take(MAX_LOGGED_CHARS).collect::<String>();
    let (message, cause) = (excerpt(&error.message), error.cause.as_deref().map(excerpt));
    // The message can contain a value of the request, and the path an id: both are texts, which the log escapes.
    tracing::info!(
        method = parts.method.as_str(),
        path = parts.uri.path(),
        status = error.http_status().as_u16(),
        request_id,
        reason = error.reason,
        message_sent = &*message,
        cause = cause.as_deref(),
        "request refused"
    );
}

/// Responds to a request: dispatches it to its endpoint, after the caller and the limits were checked.
async fn respond(
    platform: &Arc<Platform>,
    parts: &Parts,
    body: Body,
    request_id: &str,
) -> Result<Response, ApiError> {
    let path = parts.uri.path();
    match path {
        "/ping" if parts.method == Method::GET => {
            return Ok(json_response(StatusCode::OK, json_text(&json!({ "message": "pong" }))));
        }
        "/openapi.json" if parts.method == Method::GET => {
            return Ok(json_response(StatusCode::OK, contract::OPENAPI_TEXT.clone()));
        }
        "/auth/login" if parts.method == Method::POST => {
            // A login with a body that cannot be read fails like one with wrong credentials.
            let body = platform.login_bodies.read(body, platform.limits.body()).await;
            let body = body.ok_or_else(ApiError::busy)?;
            return login::log_in(platform, Client::of(&parts.extensions), &body).await;
        }
        _ => {}
    }
    let below_version = path.strip_prefix("/v1.0").or_else(|| path.strip_prefix("/v1")).unwrap_or_default();
    if is_endpoint_with_slash(&parts.method, below_version) {
        return Ok(redirect_without_slash(parts));
    }
    // A server that stops accepts no writes: a call that it acknowledged would not be placed.
    if !platform.core.is_ready() && parts.method != Method::GET {
        return Err(ApiError::busy());
    }
    let (endpoint, id) = endpoints::find(&parts.method, below_version).ok_or_else(ApiError::no_endpoint)?;
    let query = QueryParams::parse(parts.uri.query().unwrap_or_default());
    let address = Client::of(&parts.extensions);
    let config = &platform.config;
    check_rate(&platform.address_limiter, origin(address), config.ip_rate, platform, "ip")?;
    let caller = Caller::authenticate(platform, address, &parts.headers, &query)?;
    trace::record("customer.id", caller.customer());
    check_customer_rate(platform, &caller).await?;
    refuse_frozen(platform, &caller)?;
    // A body that is too long, too slow or cut off is reported as invalid JSON.
    let body = read_body(body, platform.limits.body()).await.map_err(|_| {
        ApiError::invalid_json().because("the body is too long, arrived too slowly or was cut off")
    })?;
    let operation = endpoint.operation;
    let _turn = if endpoint.is_list() {
        let turn = platform.lists.turn(Asker::Customer(caller.customer())).await;
        Some(turn.ok_or_else(|| ApiError::busy().because("too many lists of the customer are waiting"))?)
    } else {
        None
    };
    let key = idempotency::key(parts)?;
    let identity = idempotency::identity(parts, &caller, body.clone());
    let request = RequestContext { platform: Arc::clone(platform), caller, id: id.to_owned(), query, body };
    if operation == Operation::CaptureFile {
        return timelines::capture_file(&request).await;
    }
    if let Some(key) = key {
        let scope = IdempotencyScope::Customer(caller.customer());
        let request_id = request_id.to_owned();
        let handler = async move { KeyedAnswer::new(dispatch(operation, &request).await, request_id) };
        let answered =
            platform.idempotency.run(&platform.core, scope, &key, &identity.parts(), handler).await?;
        return answered.into_response();
    }
    let text = if endpoint.is_cancel_safe() {
        dispatch(operation, &request).await?
    } else {
        // A separate task: a client that disconnects must not cancel it between a write and the steps that must
        // follow.
        let done = tokio::spawn(async move { dispatch(operation, &request).await });
        done.await.unwrap_or_else(|error| match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(ApiError::unavailable()),
        })?
    };
    Ok(json_response(StatusCode::OK, text))
}

/// Whether a path is that of an endpoint with a slash at its end.
fn is_endpoint_with_slash(method: &Method, below_version: &str) -> bool {
    below_version.strip_suffix('/').is_some_and(|path| endpoints::find(method, path).is_some())
}

/// Refuses the callers of a frozen customer. Super admins are exempt; direct tokens are refused elsewhere,
/// with another reason.
fn refuse_frozen(platform: &Platform, caller: &Caller) -> Result<(), ApiError> {
    if caller.is_super_admin() || caller.is_direct() {
        return Ok(());
    }
    let Some(customer) = platform.directory.customer(caller.customer()) else { return Ok(()) };
    if customer.public.status != CustomerStatus::Frozen {
        return Ok(());
    }
    let since = customer.private.frozen_at.map_or(customer.created_at, Timestamp::from_unix_micros);
    let details = json!({
        "deletion_scheduled_at": since,
        "deletion_effective_at": since.after(DELETION_DELAY),
        "recovery_endpoint": "DELETE /auth/unregister",
    });
    let message = "This account is frozen. Contact support.";
    Err(ApiError {
        details: vec![details],
        ..ApiError::new(Status::PermissionDenied, "ACCOUNT_FROZEN", message)
    })
}

impl From<Panicked> for ApiError {
    fn from(_: Panicked) -> Self {
        Self::internal()
    }
}

async fn dispatch(operation: Operation, request: &RequestContext) -> ApiResult {
    // The largest futures are boxed: else the future of every request would be as large as the largest of
    // them.
    match operation {
        Operation::OwnConfig => outbound_configs::own(request).await,
        Operation::UpdateOwnConfig => outbound_configs::update_own(request).await,
        Operation::ListConfigs => outbound_configs::list(request).await,
        Operation::CreateConfig => outbound_configs::create(request).await,
        Operation::GetConfig => outbound_configs::get(request).await,
        Operation::UpdateConfig => outbound_configs::update(request).await,
        Operation::DeleteConfig => outbound_configs::delete(request).await,
        Operation::ListProviders => providers::list(request).await,
        Operation::CreateProvider => providers::create(request).await,
        Operation::SetUpProvider => Box::pin(providers::set_up(request)).await,
        Operation::GetProvider => providers::get(request).await,
        Operation::UpdateProvider => providers::update(request).await,
        Operation::DeleteProvider => providers::delete(request).await,
        Operation::SetCredentials => Box::pin(provider_credentials::set(request)).await,
        Operation::ForgetCredentials => provider_credentials::forget(request).await,
        Operation::ListRoutes => routes::list(request).await,
        Operation::CreateRoute => routes::create(request).await,
        Operation::GetRoute => routes::get(request).await,
        Operation::UpdateRoute => routes::update(request).await,
        Operation::DeleteRoute => routes::delete(request).await,
        Operation::ListProviderCalls => provider_calls::list(request).await,
        Operation::CreateProviderCall => Box::pin(provider_calls::create(request)).await,
        Operation::GetProviderCall => provider_calls::get(request).await,
        Operation::DeleteProviderCall => provider_calls::delete(request).await,
        Operation::ListCalls => calls::list(request).await,
        Operation::CreateCalls => Box::pin(calls::create(request)).await,
        Operation::GetCall => calls::get(request).await,
        Operation::DeleteCall => calls::delete(request).await,
        Operation::HangUpCall => calls::hang_up(request).await,
        Operation::ListEvents => timelines::events(request).await,
        Operation::AnalyseSip => timelines::sip_analysis(request).await,
        Operation::AggregateEvents => timelines::aggregated_events(request).await,
        // Answered with a file, not with JSON.
        Operation::CaptureFile => Err(ApiError::internal()),
        Operation::ListFlows => flows::list(request).await,
        Operation::CreateFlow => flows::create(request).await,
        Operation::GetFlow => flows::get(request).await,
        Operation::UpdateFlow => flows::update(request).await,
        Operation::DeleteFlow => flows::delete(request).await,
        Operation::RegenerateDirectHash => flows::regenerate_direct_hash(request).await,
        Operation::ListNumbers => numbers::list(request).await,
        Operation::GetNumber => numbers::get(request).await,
        Operation::UpdateNumber => numbers::update(request).await,
        Operation::UpdateNumberFlows => numbers::update_flows(request).await,
        Operation::UpdateNumberMetadata => numbers::update_metadata(request).await,
        Operation::OwnCustomer => customer::get(request).await,
        Operation::UpdateOwnCustomer => customer::update(request).await,
        Operation::UpdateOwnMetadata => customer::update_metadata(request).await,
        Operation::ListAccessKeys => access_keys::list(request).await,
        Operation::CreateAccessKey => access_keys::create(request).await,
        Operation::GetAccessKey => access_keys::get(request).await,
        Operation::UpdateAccessKey => access_keys::update(request).await,
        Operation::DeleteAccessKey => access_keys::delete(request).await,
    }
}

#[cfg(test)]
mod tests;
