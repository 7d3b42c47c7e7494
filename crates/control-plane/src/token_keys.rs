//! The keys that sign access tokens.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use axum::routing::{get, post};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use token_service::{OldKeys, rotate};
use trunk_store::TokenKey;

use crate::respond::{Outcome, parse_body, respond};
use crate::{Control, ControlError};

/// The routes of the keys.
pub(crate) fn routes() -> Router<Control> {
    Router::new()
        .route("/control/v1/token-keys", get(list))
        .route("/control/v1/token-keys/rotate", post(rotate_keys))
}

impl Control {
    /// Makes a new key that signs access tokens from two seconds on. The old keys remain until their tokens have expired;
    /// with [`OldKeys::Remove`] they do not, and every token ends at once. The server makes a new key every day by itself.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn rotate_token_keys(&self, old: OldKeys) -> Result<(), ControlError> {
        Ok(rotate(&self.core, old).await?)
    }

    /// Returns the keys, the oldest first. `Debug` does not print their secrets.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn token_keys(&self) -> Result<Arc<[TokenKey]>, ControlError> {
        Ok(self.core.store.token_keys().await?)
    }
}

/// Renders the keys without their secrets.
async fn shown(control: &Control) -> Outcome {
    let keys = control.token_keys().await?;
    let keys: Vec<Value> =
        keys.iter().map(|key| json!({ "id": key.id.to_string(), "created_at": key.created_at })).collect();
    Ok((StatusCode::OK, json!({ "token_keys": keys })))
}

async fn list(State(control): State<Control>) -> Response {
    respond(shown(&control).await)
}

async fn rotate_keys(State(control): State<Control>, body: Bytes) -> Response {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct RotateBody {
        #[serde(default)]
        end_tokens: bool,
    }
    let rotate = async {
        let RotateBody { end_tokens } = parse_body(&body)?;
        control.rotate_token_keys(if end_tokens { OldKeys::Remove } else { OldKeys::Keep }).await?;
        shown(&control).await
    };
    respond(rotate.await)
}
