//! The JSON API of the control listener, which `docs/control.md` documents.
//!
//! A body has at most 4 MiB and must arrive within `Limits::body_deadline`.

mod accounts;
mod clock;
mod deliveries;
mod dids;
mod keys;
mod member;
mod orders;
mod owned_records;
mod records;
mod trunks;
mod verifications;

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::{Extension, Router};
use http::StatusCode;
use http_listener::idempotency::Idempotency;
use http_listener::{BodyError, BodyLimits, Limits, health_router, read_body};
use serde_json::Value;
use service_base::guessing::GuessLimiter;
use service_core::Core;

use crate::auth::{Authenticator, ControlAuth, authenticate, check_page};
use crate::idempotency;
use crate::owners_api::OwnersApi;
use crate::respond::{refused, respond};
use crate::route::{Route, document, router};
use crate::{Control, ControlError};

/// Builds the router of the control listener: the control API below `/control/v1`, the health endpoints, and `pages`,
/// which hold no data and therefore need no token. Requests for records of an account are served by `owners`.
pub fn control_router(
    control: Control,
    auth: ControlAuth,
    limits: Limits,
    owners: OwnersApi,
    pages: Router,
) -> Router {
    let guesses = GuessLimiter::new("control tokens", limits.guesses);
    let authenticator = Arc::new(Authenticator { auth, guesses, clock: control.clock().clone() });
    let health = health_router(Arc::clone(&control.core));
    let operations = Operations {
        limits: BodyLimits { max_bytes: MAX_BODY_BYTES, ..limits.body() },
        core: Arc::clone(&control.core),
        idempotency: Idempotency::default(),
    };
    let routes = router(routes()).with_state(control);
    routes
        .merge(health)
        .fallback(async || {
            respond(Err(ControlError::NotFound("such path; docs/control.md lists them".to_owned())))
        })
        .method_not_allowed_fallback(async || {
            refused(StatusCode::METHOD_NOT_ALLOWED, "this path has other methods; docs/control.md lists them")
        })
        .layer(Extension(owners))
        .layer(from_fn_with_state(Arc::new(operations), run_operation))
        .layer(from_fn_with_state(Arc::clone(&authenticator), authenticate))
        .merge(pages.layer(from_fn_with_state(authenticator, check_page)))
}

/// Every route.
///
/// This is the only file besides `lib.rs` that tests features: `lib.rs` cannot add the routes, because it would then
/// import the files that import its `Control`, which is an import cycle.
fn routes() -> Vec<Route> {
    let described =
        Route::get("/openapi.json", "Returns this document.", show_document).answers::<Value>(200);
    let mut routes = vec![described];
    routes.extend(accounts::routes());
    routes.extend(keys::routes());
    routes.extend(super::callback_secrets::routes());
    routes.extend(super::rates::routes());
    routes.extend(dids::routes());
    routes.extend(orders::routes());
    routes.extend(verifications::routes());
    routes.extend(trunks::routes());
    routes.extend(records::routes());
    routes.extend(owned_records::routes());
    routes.extend(deliveries::routes());
    routes.extend(super::audit::routes());
    routes.extend(clock::routes());
    routes.extend(super::faults::routes());
    routes.extend(super::journal::routes());
    routes.extend(super::nodes::routes());
    routes.extend(super::request_counts::routes());
    routes.extend(super::token_keys::routes());
    routes.extend(super::world::routes());
    #[cfg(feature = "sip")]
    routes.push(super::events::route(super::call_events::of_calls));
    #[cfg(not(feature = "sip"))]
    routes.push(super::events::route(super::events::of_no_calls));
    #[cfg(feature = "sip")]
    routes.extend(super::calls::routes().into_iter().chain(super::attempts::routes()));
    #[cfg(feature = "sip")]
    routes.push(super::messages::route());
    #[cfg(feature = "sip")]
    routes.extend(super::inbound::routes());
    #[cfg(feature = "voipbin")]
    routes.extend(super::customer_routes::routes());
    routes
}

/// The templates of the paths of the control API, for its metrics.
pub fn paths() -> Vec<String> {
    routes().iter().map(Route::path).collect()
}

/// Builds the `OpenAPI` document of the control API.
pub fn openapi() -> Value {
    document(&routes())
}

async fn show_document() -> Response {
    respond(Ok((StatusCode::OK, openapi())))
}

/// Maximum number of bytes of a body: enough for ten thousand DIDs with descriptions.
const MAX_BODY_BYTES: usize = 4 << 20;

/// The state that the operations of the listener share.
#[derive(Debug)]
struct Operations {
    limits: BodyLimits,
    core: Arc<Core>,
    /// The requests with an idempotency key that are in progress.
    idempotency: Idempotency,
}

/// Reads the body within its limits, then runs the handler with it.
async fn run_operation(State(operations): State<Arc<Operations>>, request: Request, next: Next) -> Response {
    let limits = operations.limits;
    let (parts, body) = request.into_parts();
    let bytes = match read_body(body, limits).await {
        Ok(bytes) => bytes,
        Err(error) => return unread(&error, limits),
    };
    let key = match idempotency::key(&parts) {
        Ok(key) => key,
        Err(refusal) => return idempotency::refuse(&refusal),
    };
    // The handler runs in a task of its own: a client that disconnects must not cancel an operation between its write
    // and the steps after it.
    let operation = tokio::spawn(async move {
        let Some(key) = key else { return next.run(Request::from_parts(parts, Body::from(bytes))).await };
        idempotency::run(&operations.idempotency, &operations.core, &key, parts, bytes, next).await
    });
    operation.await.unwrap_or_else(|_| {
        refused(StatusCode::INTERNAL_SERVER_ERROR, "the operation failed; the log contains the cause")
    })
}

/// Builds the response to a request whose body was not read.
fn unread(error: &BodyError, BodyLimits { max_bytes, deadline }: BodyLimits) -> Response {
    match error {
        BodyError::TooLong => {
            let error = format!("the body must have at most {max_bytes} bytes");
            refused(StatusCode::PAYLOAD_TOO_LARGE, &error)
        }
        BodyError::TooSlow => {
            let error = format!("the body did not arrive within {} seconds", deadline.as_secs_f64());
            refused(StatusCode::REQUEST_TIMEOUT, &error)
        }
        BodyError::Broken(cause) => {
            let error = format!("the body did not arrive completely: {cause}");
            refused(StatusCode::BAD_REQUEST, &error)
        }
    }
}
