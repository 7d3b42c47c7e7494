//! One request of the API, from its headers to its answer.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use didww_types::{API_KEY_HEADER, ErrorCode, ErrorObject, VERSION_HEADER};
use futures_util::FutureExt as _;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};

use super::state::Api;
use http_listener::drain_body;
use http_listener::request_id;

use super::{headers, negotiate};
use crate::jsonapi::{self, Call, Lasts, Operation, Refused, Reply, Target, View};
use http_listener::Limits;
use service_base::forwarded::{Client, origin};
use service_base::guessing::{NotTaken, Source};
use service_base::summed::Summed;
use trunk_store::Asker;
use trunk_store::account::{Account, KeyDigest};

/// Requests that were refused because something is full: the more of them, the less there is to say of each.
static BUSY: Summed = Summed::new("requests were told to try again later");

/// Serves a request of the API; beside `/v3/` there is nothing to be found.
pub(crate) async fn handle(State(api): State<Arc<Api>>, request: Request<Body>) -> Response {
    let started = api.core.clock.stopwatch();
    let (parts, body) = request.into_parts();
    let request_id = request_id(&parts.headers, &api.core.ids);
    let mut body = Some(body);
    let served = AssertUnwindSafe(serve(&api, &parts, &mut body)).catch_unwind().await;
    if let Some(unread) = body {
        drain_body(unread).await;
    }
    let served = served.unwrap_or_else(|_| Err(Refused::internal("a handler panicked")));
    let runtime = api.core.clock.stopwatch().saturating_sub(started);
    let (method, path) = (&parts.method, parts.uri.path());
    let (status, body, lasts) = match served {
        Ok(Reply { status, body }) => {
            tracing::debug!(%method, path, status = status.as_u16(), request_id, ?runtime, "request");
            (status, body, Lasts::Briefly)
        }
        Err(refused) => {
            let status = refused.status();
            let internal = refused.internal.as_deref().unwrap_or_default();
            let detail = refused.errors.first().and_then(|error| error.detail.as_deref()).unwrap_or_default();
            let summed =
                status == StatusCode::SERVICE_UNAVAILABLE && !BUSY.admits(internal, api.core.clock.now());
            if summed || refused.lasts != Lasts::Briefly {
                tracing::debug!(%method, path, status = status.as_u16(), request_id, ?runtime, internal, "request failed");
            } else if status.is_server_error() {
                tracing::error!(%method, path, status = status.as_u16(), request_id, ?runtime, detail, internal, "request failed");
            } else if !is_flood(&api, status, &parts) {
                tracing::info!(%method, path, status = status.as_u16(), request_id, ?runtime, detail, internal, "request refused");
            }
            (status, Bytes::from(refused.body()), refused.lasts)
        }
    };
    let mut response = headers::answer(status, body, &parts, &request_id, runtime);
    if lasts == Lasts::UntilRestart {
        // To try again would change nothing, or do twice what was done.
        response.headers_mut().remove(header::RETRY_AFTER);
    }
    response
}

async fn serve(api: &Api, parts: &http::request::Parts, body: &mut Option<Body>) -> Result<Reply, Refused> {
    let path = parts.uri.path().strip_prefix("/v3/").unwrap_or_default();
    let target = Target::parse(path).ok_or_else(Refused::no_route)?;
    let (key, account) = authorised(api, parts)?;
    within_rate(api, key, &account)?;
    let asked = parts.headers.get(VERSION_HEADER).and_then(|value| value.to_str().ok());
    let version = account.version.serving(asked);
    let call = Call { core: &api.core, account, version, base: base(api, parts) };
    let operation = Operation::of(&call, &parts.method, &target).ok_or_else(Refused::no_route)?;
    if operation.has_checked_body() {
        negotiate::content_type(&parts.headers)?;
    }
    negotiate::accept(&parts.headers)?;
    let view = View::read(&call, &operation, parts.uri.query().unwrap_or_default())?;
    let body = match body.take() {
        Some(body) if operation.has_body() => read_body(body, api.limits).await?,
        unread => {
            *body = unread;
            Bytes::new()
        }
    };
    let whose = Asker::Account(call.account.number);
    let _turn = if operation.writes() {
        let turn = api.writes.turn(whose).await;
        Some(turn.ok_or_else(|| Refused::busy("too many writes are waiting"))?)
    } else if operation.lists() {
        let turn = api.lists.turn(whose).await;
        Some(turn.ok_or_else(|| Refused::busy("too many lists are waiting"))?)
    } else {
        None
    };
    jsonapi::perform(&call, operation, view, &body).await
}

fn authorised(api: &Api, parts: &http::request::Parts) -> Result<(KeyDigest, Arc<Account>), Refused> {
    let wrong = || Refused::new(ErrorCode::Unauthorized, "Unauthorized", "Authorization failed");
    let key = parts.headers.get(API_KEY_HEADER).and_then(|value| value.to_str().ok()).ok_or_else(wrong)?;
    let digest = KeyDigest::of(key);
    let account = api.core.store.account_by_key(digest);
    let source = Source::of(Client::of(&parts.extensions));
    let mark = api.core.guesses.mark(digest);
    match api.core.guesses.take(source, mark, account.is_some(), api.core.clock.now()) {
        Ok(()) => account.map(|account| (digest, account)).ok_or_else(wrong),
        Err(NotTaken::Wrong) => Err(wrong()),
        Err(NotTaken::TooMany(_)) => Err(too_many_requests()),
    }
}

fn within_rate(api: &Api, key: KeyDigest, account: &Account) -> Result<(), Refused> {
    let within = api.rates.admit(key, account.rate_limit, api.core.clock.now());
    within.then_some(()).ok_or_else(too_many_requests)
}

fn too_many_requests() -> Refused {
    Refused::one(ErrorObject {
        status: Some(StatusCode::TOO_MANY_REQUESTS.as_str().to_owned()),
        detail: Some("Too Many Requests".to_owned()),
        ..ErrorObject::default()
    })
}

/// Requests without a right key, of which there may be any number.
static UNKNOWN: Summed = Summed::new("requests refused for their key or their number");

/// Whether a refusal is one of too many to be written each: those of whoever has no right key, or asks too often.
fn is_flood(api: &Api, status: StatusCode, parts: &http::request::Parts) -> bool {
    let by_anybody = matches!(status, StatusCode::UNAUTHORIZED | StatusCode::TOO_MANY_REQUESTS);
    by_anybody && !UNKNOWN.admits(origin(Client::of(&parts.extensions)), api.core.clock.now())
}

/// What links begin with: the address that the request came to.
fn base(api: &Api, parts: &http::request::Parts) -> String {
    if let Some(url) = &api.public_url {
        return format!("{url}/v3");
    }
    let host = parts.headers.get(header::HOST).and_then(|value| value.to_str().ok());
    let host =
        host.or_else(|| parts.uri.authority().map(http::uri::Authority::as_str)).unwrap_or("localhost");
    format!("http://{host}/v3")
}

async fn read_body(body: Body, limits: Limits) -> Result<Bytes, Refused> {
    let read =
        tokio::time::timeout(limits.body_deadline, Limited::new(body, limits.body_bytes).collect()).await;
    match read {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            let detail = format!("The request body exceeds {} bytes.", limits.body_bytes);
            Err(Refused::new(ErrorCode::ContentTooLarge, "Content too large", detail))
        }
        Ok(Err(error)) => Err(Refused::new(ErrorCode::BadRequest, "Bad Request", error.to_string())),
        Err(_) => {
            let detail = format!(
                "The request body did not come within {} seconds.",
                limits.body_deadline.as_secs_f64()
            );
            Err(Refused::new(ErrorCode::BadRequest, "Bad Request", detail))
        }
    }
}
