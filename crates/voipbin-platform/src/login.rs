//! Logging in: a username and a password for a token.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use argon2::Argon2;
use argon2::password_hash::{PasswordHash, PasswordHasher as _, PasswordVerifier as _, SaltString};
use axum::body::{Body, Bytes};
use axum::response::Response;
use didww_types::Secret;
use http::{HeaderValue, StatusCode, header};
use serde::Deserialize;
use voipbin_types::{Login as LoginAnswer, from_json};

use super::api::{admitted, json_response};
use super::customers::Agents;
use super::entity::{Entity, json as to_text};
use super::error::ApiError;
use super::hashing::{Busy, Line};
use super::platform::Platform;
use super::token::{self, AgentClaim, Claims};
use service_base::forwarded::origin;
use service_base::guessing::Source;

/// How long a login lasts.
const AGENT: Duration = Duration::from_hours(24 * 7);

#[derive(Deserialize)]
struct Login {
    username: String,
    password: Secret,
}

/// Gives a token, or 400 without a body: nobody is told which part was wrong.
///
/// # Errors
/// When there were too many from this address, or too many wait.
pub(crate) async fn log_in(
    platform: &Arc<Platform>,
    address: IpAddr,
    body: &Bytes,
) -> Result<Response, ApiError> {
    if let Some((username, token)) = try_to_log_in(platform, address, body).await? {
        let cookie =
            format!("token={token}; Path=/; Max-Age={}; HttpOnly; Secure; SameSite=Strict", AGENT.as_secs());
        let text = to_text(&LoginAnswer { username, token: Secret::new(token) });
        let mut response = json_response(StatusCode::OK, text);
        if let Ok(cookie) = HeaderValue::try_from(cookie) {
            response.headers_mut().insert(header::SET_COOKIE, cookie);
        }
        Ok(response)
    } else {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::BAD_REQUEST;
        Ok(response)
    }
}

async fn try_to_log_in(
    platform: &Arc<Platform>,
    address: IpAddr,
    body: &Bytes,
) -> Result<Option<(String, String)>, ApiError> {
    let (guesses, source) = (&platform.logins, Source::of(address));
    let login = from_json::<Login>(body).ok();
    let name = login.as_ref().map(|login| guesses.mark(&login.username));
    let too_many = |wait| ApiError::rate_limited("ip", wait);
    let may = name.map(|name| guesses.may_log_in(source, name, platform.core.clock.now()));
    let proven = may.transpose().map_err(too_many)?.unwrap_or_default();
    // Who was right from there before is not held up by who else logs in from there.
    if !proven {
        admitted(&platform.login_rates, origin(address), platform.config.login_rate, platform, "ip")?;
    }
    let (Some(login), Some(name)) = (login, name) else { return Ok(None) };
    let found = Entity::<Agents>::find_by(&*platform.core.store, "username", login.username).await?;
    let agent = found.filter(|agent| !agent.deleted && platform.directory.customer(agent.customer).is_some());
    // Somebody who is not there takes as long as somebody with another password.
    let hash = agent.as_ref().map(|agent| agent.own.password.clone());
    let line = if proven { Line::Proven(source, name) } else { Line::Unknown(source) };
    let right = platform.hashing.run(line, move || is_password(&login.password, hash.as_deref())).await;
    let right = right.map_err(|Busy| ApiError { retry_after: Some(1), ..ApiError::unavailable() })?;
    let Some(agent) = agent.filter(|_| right) else {
        guesses.login_failed(source, name, platform.core.clock.now());
        return Ok(None);
    };
    guesses.logged_in(source, name);
    let claim = AgentClaim {
        id: agent.id,
        customer_id: agent.customer,
        username: agent.wire.username.clone(),
        permission: agent.wire.permission,
    };
    let claims = Claims::agent(claim, platform.moments.now().after(AGENT));
    Ok(Some((agent.wire.username, token::sign(&platform.signing, &claims))))
}

fn is_password(given: &Secret, hash: Option<&str>) -> bool {
    if let Some(Ok(hash)) = hash.map(PasswordHash::new) {
        Argon2::default().verify_password(given.expose().as_bytes(), &hash).is_ok()
    } else {
        let _time_taken = hashed(given, &[0; 16]);
        false
    }
}

fn hashed(password: &Secret, salt: &[u8]) -> Option<String> {
    let salt = SaltString::encode_b64(salt).ok()?;
    let hash = Argon2::default().hash_password(password.expose().as_bytes(), &salt).ok()?;
    Some(hash.to_string())
}

/// The hash that is kept of a password.
pub async fn hash(platform: &Arc<Platform>, password: Secret) -> Option<String> {
    let salt = platform.core.ids.salt();
    platform.hashing.run(Line::Operator, move || hashed(&password, &salt)).await.ok()?
}
