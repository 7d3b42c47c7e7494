//! Logging in: a username and a password for a token.

use std::sync::Arc;
use std::time::Duration;

use argon2::Argon2;
use argon2::password_hash::{PasswordHash, PasswordHasher as _, PasswordVerifier as _, SaltString};
use axum::body::{Body, Bytes};
use axum::response::Response;
use didww_types::Secret;
use http::{HeaderValue, StatusCode, header};
use serde::Deserialize;
use voipbin_client::types::{Login as LoginAnswer, from_json};

use super::api::json_response;
use super::customers::Agents;
use super::entity::{Entity, json as to_text};
use super::error::ApiError;
use super::token::{self, AgentClaim, Claims};
use crate::app::App;

/// How long a login lasts.
const AGENT: Duration = Duration::from_hours(24 * 7);

#[derive(Deserialize)]
struct Login {
    username: String,
    password: Secret,
}

/// Gives a token, or 400 without a body: nobody is told which part was wrong.
pub(super) async fn log_in(app: &Arc<App>, body: &Bytes) -> Result<Response, ApiError> {
    if let Some((username, token)) = try_to_log_in(app, body).await? {
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

async fn try_to_log_in(app: &Arc<App>, body: &Bytes) -> Result<Option<(String, String)>, ApiError> {
    let Ok(login) = from_json::<Login>(body) else { return Ok(None) };
    let found = Entity::<Agents>::find_by(&*app.store, "username", login.username).await?;
    let agent =
        found.filter(|agent| !agent.deleted && app.platform.directory.customer(agent.customer).is_some());
    // Somebody who is not there takes as long as somebody with another password.
    let hash = agent.as_ref().map(|agent| agent.own.password.clone());
    if !is_password(app, login.password, hash).await? {
        return Ok(None);
    }
    let Some(agent) = agent else { return Ok(None) };
    let claim = AgentClaim {
        id: agent.id,
        customer_id: agent.customer,
        username: agent.wire.username.clone(),
        permission: agent.wire.permission,
    };
    let claims = Claims::agent(claim, app.platform.moments.now().after(AGENT));
    Ok(Some((agent.wire.username, token::sign(&app.platform.signing, &claims))))
}

async fn is_password(app: &Arc<App>, given: Secret, hash: Option<String>) -> Result<bool, ApiError> {
    let busy = || ApiError { retry_after: Some(1), ..ApiError::unavailable() };
    let _waiting = app.platform.waiting_to_hash.try_acquire().map_err(|_| busy())?;
    let turn = Arc::clone(&app.platform.hashing).acquire_owned().await.map_err(|_| busy())?;
    let check = move || {
        // Held until the processor and the memory are free again, whoever still waits for the outcome.
        let _turn = turn;
        if let Some(Ok(hash)) = hash.as_deref().map(PasswordHash::new) {
            Argon2::default().verify_password(given.expose().as_bytes(), &hash).is_ok()
        } else {
            let _time_taken = hashed(&given, &[0; 16]);
            false
        }
    };
    Ok(tokio::task::spawn_blocking(check).await.unwrap_or(false))
}

fn hashed(password: &Secret, salt: &[u8]) -> Option<String> {
    let salt = SaltString::encode_b64(salt).ok()?;
    let hash = Argon2::default().hash_password(password.expose().as_bytes(), &salt).ok()?;
    Some(hash.to_string())
}

/// The hash that is kept of a password.
pub(crate) async fn hash(app: &Arc<App>, password: Secret) -> Option<String> {
    let turn = Arc::clone(&app.platform.hashing).acquire_owned().await.ok()?;
    let salt = app.ids.salt();
    let make = move || {
        let _turn = turn;
        hashed(&password, &salt)
    };
    tokio::task::spawn_blocking(make).await.ok()?
}
