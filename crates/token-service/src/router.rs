//! The endpoint `POST /token`.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use axum::routing::post;
use http::request::Parts;
use http::{HeaderMap, Request, StatusCode, header};
use http_listener::{BodyError, Exchange, RequestIds, read_body};
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

/// Builds the router of the token service: `POST /token`. Any other method receives 405.
pub fn token_router(tokens: Arc<TokenService>) -> Router {
    Router::new().route("/token", post(handle)).with_state(tokens)
}

async fn handle(State(tokens): State<Arc<TokenService>>, request: Request<Body>) -> Response {
    let (exchange, body) = Exchange::begin(request, &tokens.core, &REQUEST_IDS);
    if !is_for(tokens.settings.host.as_deref(), &exchange.parts) {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NOT_FOUND;
        return exchange.finish(response);
    }
    let outcome = exchange.run(serve(&tokens, &exchange.parts, body)).await;
    let runtime = exchange.runtime(&tokens.core);
    let request_id = &exchange.request_id;
    let response = match outcome {
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
    };
    exchange.finish(response)
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
    named_host(&parts.headers).is_some_and(|named| named.eq_ignore_ascii_case(expected))
}

/// The host that a request names, without its port.
fn named_host(headers: &HeaderMap) -> Option<&str> {
    let host = headers.get(header::HOST)?.to_str().ok()?;
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
    Some(host.rsplit_once(':').filter(|(_, port)| is_port(port)).map_or(host, |(name, _)| name))
}

#[cfg(test)]
mod tests;
