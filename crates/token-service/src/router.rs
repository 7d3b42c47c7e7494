//! The endpoint `POST /token`.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use http::request::Parts;
use http::{HeaderValue, Method, Request, StatusCode, header};
use http_listener::{BodyError, Exchange, RequestIds, cors, named_host, read_body};
use service_base::forwarded::{Client, origin};
use service_base::log_limiter::LogLimiter;

use crate::mint_error::{MintError, answer};
use crate::mint_request::MintRequest;
use crate::service::{Minted, TokenService};

/// An id of a client has up to 255 letters, digits, `-`, `_` and `@`; a generated one is a UUID.
const REQUEST_IDS: RequestIds =
    RequestIds { max_bytes: 255, punctuation: b"-_@", generate: |ids| ids.request().to_string() };

/// Counts the refusals by the address of the client, which can send any number of requests.
static REFUSED: LogLimiter = LogLimiter::new("requests for tokens were refused");

/// The methods of the endpoint.
const METHODS: HeaderValue = HeaderValue::from_static("POST");

/// Builds the router of a token service with a listener of its own. Any path but `/token` receives 404.
pub fn token_router(tokens: Arc<TokenService>) -> Router {
    Router::new().fallback(handle).with_state(tokens)
}

async fn handle(State(tokens): State<Arc<TokenService>>, request: Request<Body>) -> Response {
    respond_to_token_request(&tokens, request).await
}

/// The path of the token service.
pub const TOKEN_PATH: &str = "/token";

/// Whether a path is that of the token service, `/token`. As in the paths of the API, repeated slashes are one, and one
/// at the end makes no difference.
pub fn is_token_path(path: &str) -> bool {
    path.split('/').filter(|segment| !segment.is_empty()).eq(["token"])
}

/// Responds to a request to the token service. POST mints a token, a preflight of a browser receives 200, and any other
/// method receives 405. A request that is not for the path or the host of the service receives 404.
pub async fn respond_to_token_request(tokens: &TokenService, request: Request<Body>) -> Response {
    let (exchange, body) = Exchange::begin(request, &tokens.core, &REQUEST_IDS);
    let parts = &exchange.parts;
    let is_elsewhere = !is_token_path(parts.uri.path()) || !is_for(tokens.settings.host.as_deref(), parts);
    let mut response = if is_elsewhere {
        empty(StatusCode::NOT_FOUND)
    } else if parts.method == Method::POST {
        mint(tokens, &exchange, body).await
    } else if cors::is_preflight(parts) {
        let mut response = empty(StatusCode::OK);
        response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
        response
    } else {
        let mut response = empty(StatusCode::METHOD_NOT_ALLOWED);
        response.headers_mut().insert(header::ALLOW, METHODS);
        response
    };
    cors::allow_origin(parts, &mut response);
    exchange.finish(response)
}

/// Builds a response without a body.
fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// Mints a token, and logs the outcome.
async fn mint(tokens: &TokenService, exchange: &Exchange, body: Body) -> Response {
    let outcome = exchange.run(serve(tokens, &exchange.parts, body)).await;
    let runtime = exchange.runtime(&tokens.core);
    let request_id = &exchange.request_id;
    match outcome {
        Ok(minted) => {
            tracing::debug!(status = 200, request_id, ?runtime, "a token was minted");
            answer(StatusCode::OK, &minted)
        }
        Err(error) => {
            let (status, cause) = (error.status().as_u16(), error.cause());
            let client = origin(Client::of(&exchange.parts.extensions));
            if error.status() == StatusCode::INTERNAL_SERVER_ERROR {
                tracing::error!(status, request_id, ?runtime, cause, "no token was minted");
            } else if REFUSED.admits(client, tokens.core.clock.now()) {
                tracing::info!(status, request_id, ?runtime, cause, "a request for a token was refused");
            }
            error.response()
        }
    }
}

async fn serve(tokens: &TokenService, parts: &Parts, body: Body) -> Result<Minted, MintError> {
    let key = tokens.authenticate(&parts.headers, Client::of(&parts.extensions)).await?;
    let body = read_body(body, tokens.limits.body()).await.map_err(|error| {
        MintError::InvalidRequest(match error {
            BodyError::TooLong => "the body is too long".to_owned(),
            BodyError::TooSlow => "the body did not arrive in time".to_owned(),
            BodyError::Broken(cause) => cause,
        })
    })?;
    tokens.mint(&key, MintRequest::parse(&body)?).await
}

/// Whether a request names the host of the token service, with any port.
fn is_for(host: Option<&str>, parts: &Parts) -> bool {
    let Some(expected) = host else { return true };
    named_host(&parts.headers, &parts.uri).is_some_and(|named| named.eq_ignore_ascii_case(expected))
}

#[cfg(test)]
mod tests;
