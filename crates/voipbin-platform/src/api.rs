//! The platform's own API, from a request's first byte to its answer.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::any;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use http_body_util::{BodyExt as _, Limited};
use serde::de::DeserializeOwned;
use serde_json::json;
use trunk_rules::outbound::Permission;
use uuid::Uuid;
use voipbin_types::from_json;

use super::caller::Caller;
use super::customers::CustomerStatus;
use super::endpoints::{self, Operation};
use super::entity::{json as to_text, wire_text};
use super::error::{ApiError, Status};
use super::moment::Moment;
use super::platform::{Platform, rate};
use super::query::{Query, next_token};
use super::{calls, login, outbound_configs, provider_calls, providers, routes};
use http_listener::drain_body;
use service_base::forwarded::{Client, origin};
use service_base::limiter::Limiter;
use trunk_store::Document;

/// An authorised request.
pub(crate) struct Asked {
    pub platform: Arc<Platform>,
    pub caller: Caller,
    /// The id in the path, as it was sent.
    pub id: String,
    pub query: Query,
    pub body: Bytes,
}

/// What is answered: a JSON text. The status is always 200.
pub(crate) type Answered = Result<String, ApiError>;

impl Asked {
    /// The id in the path of a resource that takes it as a text: nil is none.
    ///
    /// # Errors
    /// When it is no id.
    pub(crate) fn text_id(&self) -> Result<Uuid, ApiError> {
        self.path_id().filter(|id| !id.is_nil()).ok_or_else(ApiError::invalid_id)
    }

    /// The id in the path of a resource that takes nothing else.
    ///
    /// # Errors
    /// When it is no id.
    pub(crate) fn typed_id(&self) -> Result<Uuid, ApiError> {
        self.path_id().ok_or_else(|| ApiError::invalid_parameter("id"))
    }

    /// The id in the path, in any form of it; braces may be escaped there.
    fn path_id(&self) -> Option<Uuid> {
        let id = self.id.replace("%7B", "{").replace("%7b", "{").replace("%7D", "}").replace("%7d", "}");
        Uuid::try_parse(&id).ok()
    }

    /// The body.
    ///
    /// # Errors
    /// When it is missing, or is not what it must be.
    pub(crate) fn read<T: DeserializeOwned>(&self) -> Result<T, ApiError> {
        from_json(&self.body).map_err(|_| ApiError::invalid_json())
    }

    /// Lets whoever manages the calls of a customer.
    ///
    /// # Errors
    /// For everybody else.
    pub(crate) fn must_manage(&self, customer: Uuid) -> Result<(), ApiError> {
        self.caller.must(Permission::CUSTOMER_ADMIN.or(Permission::CUSTOMER_MANAGER), customer)
    }
}

/// A page of documents as the platform writes lists.
pub(crate) fn page(documents: &[Document]) -> Answered {
    let texts = documents.iter().map(wire_text).collect::<Result<Vec<_>, _>>()?;
    Ok(format!("{{\"result\":[{}],\"next_page_token\":\"{}\"}}", texts.join(","), next_token(documents)))
}

/// The paths that the platform serves on the public listener.
const PATHS: &[&str] = &["/v1.0/{*path}", "/v1/{*path}", "/auth/login", "/ping"];

/// The platform's routes on the public listener.
pub fn router(platform: Arc<Platform>) -> Router {
    PATHS.iter().fold(Router::new(), |router, path| router.route(path, any(handle))).with_state(platform)
}

/// Answers a request below the version, or to the unversioned paths of the platform.
async fn handle(State(platform): State<Arc<Platform>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let request_id = request_id(&platform, &parts.headers);
    let from_browser = parts.headers.contains_key(header::ORIGIN);
    let mut body = Some(body);
    let mut response = if from_browser && parts.method == Method::OPTIONS {
        preflight()
    } else {
        match respond(&platform, &parts, &mut body).await {
            Ok(response) => response,
            Err(error) => refuse(&error, &request_id),
        }
    };
    if let Some(unread) = body {
        drain_body(unread).await;
    }
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::try_from(&request_id) {
        headers.insert("x-request-id", value);
    }
    if from_browser {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("Content-Length"));
    }
    response
}

fn preflight() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::ACCESS_CONTROL_ALLOW_METHODS, "POST,GET,PUT,DELETE,PATCH,HEAD,OPTIONS"),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "Origin,X-Requested-With,Content-Type,Accept,Authorization"),
        (header::ACCESS_CONTROL_MAX_AGE, "43200"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

fn refuse(error: &ApiError, request_id: &str) -> Response {
    let mut response = json_response(error.http_status(), to_text(&error.body(request_id)));
    if let Some(seconds) = error.retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

pub(crate) fn json_response(status: StatusCode, text: String) -> Response {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("application/json; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

/// The id that the client gave, if it is harmless, else a new one.
fn request_id(platform: &Platform, headers: &HeaderMap) -> String {
    let harmless = |text: &&str| {
        (1..=64).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    let given = headers.get("x-request-id").and_then(|value| value.to_str().ok()).filter(harmless);
    given.map_or_else(|| format!("req_{}", base32(platform.core.ids.request().as_bytes())), str::to_owned)
}

/// The alphabet of RFC 4648, without padding.
fn base32(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let (mut text, mut buffer, mut bits) = (String::new(), 0_u32, 0);
    let mut push = |five: u32| {
        let letter = usize::try_from(five & 31).ok().and_then(|at| ALPHABET.get(at));
        text.extend(letter.map(|letter| char::from(*letter)));
    };
    for byte in bytes {
        (buffer, bits) = (buffer << 8 | u32::from(*byte), bits + 8);
        while bits >= 5 {
            bits -= 5;
            push(buffer >> bits);
        }
    }
    if bits > 0 {
        push(buffer << (5 - bits));
    }
    text
}

/// Takes the body out where it is read.
async fn respond(
    platform: &Arc<Platform>,
    parts: &Parts,
    body: &mut Option<Body>,
) -> Result<Response, ApiError> {
    let path = parts.uri.path();
    match path {
        "/ping" if parts.method == Method::GET => {
            return Ok(json_response(StatusCode::OK, to_text(&json!({ "message": "pong" }))));
        }
        "/auth/login" if parts.method == Method::POST => {
            // A body that does not come is as wrong as one that is not right.
            let body = whole(platform, body.take().unwrap_or_default()).await.unwrap_or_default();
            return login::log_in(platform, Client::of(&parts.extensions), &body).await;
        }
        _ => {}
    }
    let below = path.strip_prefix("/v1.0").or_else(|| path.strip_prefix("/v1")).unwrap_or_default();
    if leads_on(&parts.method, below) {
        return Ok(redirect(parts));
    }
    // Whoever is answered that a call is placed finds it placed.
    if !platform.core.is_ready() && parts.method != Method::GET {
        return Err(ApiError { retry_after: Some(1), ..ApiError::unavailable() });
    }
    let (endpoint, id) = endpoints::find(&parts.method, below).ok_or_else(ApiError::no_endpoint)?;
    let query = Query::parse(parts.uri.query().unwrap_or_default());
    let address = Client::of(&parts.extensions);
    admitted(&platform.by_address, origin(address), platform.config.ip_rate, platform, "ip")?;
    let caller = Caller::of(platform, address, &parts.headers, &query)?;
    admitted(&platform.by_customer, caller.customer(), platform.config.customer_rate, platform, "customer")?;
    thawed(platform, &caller)?;
    let body = whole(platform, body.take().unwrap_or_default()).await?;
    let operation = endpoint.operation;
    let asked = Asked { platform: Arc::clone(platform), caller, id: id.to_owned(), query, body };
    let text = if endpoint.may_be_left() {
        perform(operation, &asked).await?
    } else {
        // A task of its own: a client that goes away must not stop it between what is written and what follows.
        let done = tokio::spawn(async move { perform(operation, &asked).await });
        done.await.unwrap_or_else(|_| Err(ApiError::unavailable()))?
    };
    Ok(json_response(StatusCode::OK, text))
}

pub(crate) fn admitted<K: Eq + std::hash::Hash + Clone>(
    limiter: &Limiter<K>,
    key: K,
    limit: (u32, u32),
    platform: &Platform,
    limited_by: &str,
) -> Result<(), ApiError> {
    limiter
        .admit(key, rate(limit), platform.moments.now().as_unix_micros())
        .map_err(|wait| ApiError::rate_limited(limited_by, wait))
}

/// Whether a path is an endpoint's but for the slash at its end.
fn leads_on(method: &Method, below: &str) -> bool {
    below.strip_suffix('/').is_some_and(|path| endpoints::find(method, path).is_some())
}

/// Sends whoever asked to the same path without the slash at its end.
fn redirect(parts: &Parts) -> Response {
    let mut location = parts.uri.path().trim_end_matches('/').to_owned();
    if let Some(query) = parts.uri.query() {
        location = format!("{location}?{query}");
    }
    let mut response = Response::new(Body::empty());
    *response.status_mut() = if parts.method == Method::GET {
        StatusCode::MOVED_PERMANENTLY
    } else {
        StatusCode::TEMPORARY_REDIRECT
    };
    // It came in a request's line, so it fits into a header.
    if let Ok(location) = HeaderValue::try_from(location) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

/// A customer that is frozen does nothing. Super admins and whoever has a direct token are not asked.
fn thawed(platform: &Platform, caller: &Caller) -> Result<(), ApiError> {
    if caller.is_super_admin() || caller.is_direct() {
        return Ok(());
    }
    let Some(customer) = platform.directory.customer(caller.customer()) else { return Ok(()) };
    if customer.wire.status != CustomerStatus::Frozen {
        return Ok(());
    }
    let since = customer.own.frozen_at.map_or(customer.created_at, Moment::from_unix_micros);
    let details = json!({
        "deletion_scheduled_at": since,
        "deletion_effective_at": since.after(std::time::Duration::from_hours(24 * 30)),
        "recovery_endpoint": "DELETE /auth/unregister",
    });
    let message = "This account is frozen. Contact support.";
    Err(ApiError {
        details: vec![details],
        ..ApiError::new(Status::PermissionDenied, "ACCOUNT_FROZEN", message)
    })
}

async fn whole(platform: &Platform, body: Body) -> Result<Bytes, ApiError> {
    let limits = platform.limits;
    let read =
        tokio::time::timeout(limits.body_deadline, Limited::new(body, limits.body_bytes).collect()).await;
    match read {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        // Too long, too slow or cut off: it is no JSON body.
        Ok(Err(_)) | Err(_) => Err(ApiError::invalid_json()),
    }
}

async fn perform(operation: Operation, asked: &Asked) -> Answered {
    // What takes many steps has its own place on the heap: else every request would carry room for the largest of them.
    match operation {
        Operation::OwnConfig => outbound_configs::own(asked).await,
        Operation::UpdateOwnConfig => outbound_configs::update_own(asked).await,
        Operation::ListConfigs => outbound_configs::list(asked).await,
        Operation::CreateConfig => outbound_configs::create(asked).await,
        Operation::GetConfig => outbound_configs::get(asked).await,
        Operation::UpdateConfig => outbound_configs::update(asked).await,
        Operation::DeleteConfig => outbound_configs::delete(asked).await,
        Operation::ListProviders => providers::list(asked).await,
        Operation::CreateProvider => providers::create(asked).await,
        Operation::SetUpProvider => Box::pin(providers::set_up(asked)).await,
        Operation::GetProvider => providers::get(asked).await,
        Operation::UpdateProvider => providers::update(asked).await,
        Operation::DeleteProvider => providers::delete(asked).await,
        Operation::ListRoutes => routes::list(asked).await,
        Operation::CreateRoute => routes::create(asked).await,
        Operation::GetRoute => routes::get(asked).await,
        Operation::UpdateRoute => routes::update(asked).await,
        Operation::DeleteRoute => routes::delete(asked).await,
        Operation::ListProviderCalls => provider_calls::list(asked).await,
        Operation::CreateProviderCall => Box::pin(provider_calls::create(asked)).await,
        Operation::GetProviderCall => provider_calls::get(asked).await,
        Operation::DeleteProviderCall => provider_calls::delete(asked).await,
        Operation::ListCalls => calls::list(asked).await,
        Operation::CreateCalls => Box::pin(calls::create(asked)).await,
        Operation::GetCall => calls::get(asked).await,
        Operation::DeleteCall => calls::delete(asked).await,
        Operation::HangUpCall => calls::hang_up(asked).await,
    }
}

#[cfg(test)]
mod tests {
    use super::base32;

    #[test]
    fn sixteen_bytes_are_twenty_six_letters() {
        assert_eq!(base32(&[0; 16]), "A".repeat(26));
        assert_eq!(base32(b"foobar"), "MZXW6YTBOI");
        assert_eq!(base32(&[255; 16]).len(), 26);
    }
}
