//! The login: a username and a password for a token.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::response::Response;
use didww_types::Secret;
use http::{HeaderValue, StatusCode, header};
use serde::Deserialize;
use service_base::forwarded::origin;
use service_base::guessing::Source;
use service_base::log_limiter::LogLimiter;
use voipbin_types::{Login as LoginResponse, from_json};

use super::response::json_response;
use crate::entity::{Entity, json_text};
use crate::error::ApiError;
use crate::hashing::{Busy, Queue};
use crate::passwords::is_password;
use crate::platform::Platform;
use crate::records::customers::Agents;
use crate::request::check_rate;
use crate::token::{self, AgentClaim, Claims};

/// Counts the refused logins by the address of the client.
static FAILED_LOGINS: LogLimiter = LogLimiter::new("logins were refused");

/// How long the token of a login is valid.
const TOKEN_LIFETIME: Duration = Duration::from_hours(24 * 7);

#[derive(Deserialize)]
struct Login {
    username: String,
    password: Secret,
}

/// Responds with a token, or with status 400 and no body if the username or the password is wrong. The
/// response does not reveal which of them.
///
/// # Errors
/// When too many logins came from this address or failed, or when too many wait to be checked.
pub(super) async fn log_in(
    platform: &Arc<Platform>,
    address: IpAddr,
    body: &Bytes,
) -> Result<Response, ApiError> {
    if let Some((username, token)) = check_credentials(platform, address, body).await? {
        let max_age = TOKEN_LIFETIME.as_secs();
        let cookie = format!("token={token}; Path=/; Max-Age={max_age}; HttpOnly; Secure; SameSite=Strict");
        let text = json_text(&LoginResponse { username, token: Secret::new(token) });
        let mut response = json_response(StatusCode::OK, text);
        if let Ok(cookie) = HeaderValue::try_from(cookie) {
            response.headers_mut().insert(header::SET_COOKIE, cookie);
        }
        Ok(response)
    } else {
        // Which of the two was wrong is in the line that `check_credentials` logs.
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::BAD_REQUEST;
        Ok(response)
    }
}

/// The username and a new token, or none if the credentials are wrong.
async fn check_credentials(
    platform: &Arc<Platform>,
    address: IpAddr,
    body: &Bytes,
) -> Result<Option<(String, String)>, ApiError> {
    let (guesses, source) = (&platform.failed_logins, Source::of(address));
    let login = from_json::<Login>(body).ok();
    let name = login.as_ref().map(|login| guesses.hash(&login.username));
    let too_many = |wait| ApiError::rate_limited("ip", wait);
    let may = name.map(|name| guesses.may_log_in(source, name, platform.core.clock.now()));
    let proven = may.transpose().map_err(too_many)?.unwrap_or_default();
    // A username that logged in from this address before is not delayed by the other logins from there.
    if !proven {
        let limit = platform.config.login_rate;
        check_rate(&platform.login_limiter, origin(address), limit, platform, "ip")?;
    }
    let log_failure = |why: &'static str| {
        let address = origin(address);
        if FAILED_LOGINS.admits(address, platform.core.clock.now()) {
            tracing::info!(%address, why, "a login was refused");
        }
    };
    let (Some(login), Some(name)) = (login, name) else {
        log_failure("the body is no JSON object with the texts `username` and `password`");
        return Ok(None);
    };
    let found = Entity::<Agents>::find_by(&*platform.core.store, "username", login.username).await?;
    let agent = found.filter(|agent| !agent.deleted && platform.directory.customer(agent.customer).is_some());
    let hash = agent.as_ref().map(|agent| agent.private.password.clone());
    let is_known = agent.is_some();
    let queue = if proven { Queue::Proven(source, name) } else { Queue::Unknown(source) };
    let right = platform.hashing.run(queue, move || is_password(&login.password, hash.as_deref())).await;
    let right = right.map_err(|Busy| ApiError::busy())?;
    let Some(agent) = agent.filter(|_| right) else {
        guesses.login_failed(source, name, platform.core.clock.now());
        // The name is not logged: it may be a password in the wrong field.
        log_failure(if is_known { "the password is wrong" } else { "no agent has the username" });
        return Ok(None);
    };
    guesses.logged_in(source, name);
    let claim = AgentClaim {
        id: agent.id,
        customer_id: agent.customer,
        username: agent.public.username.clone(),
        permission: agent.public.permission,
    };
    let claims = Claims::agent(claim, platform.timestamps.now().after(TOKEN_LIFETIME));
    Ok(Some((agent.public.username, token::sign(&platform.signing, &claims))))
}
