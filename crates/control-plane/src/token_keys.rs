//! The keys that sign access tokens.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use token_service::{OldKeys, rotate};
use trunk_store::TokenKey;

use crate::answers::TokenKeys;
use crate::respond::{Outcome, parse_body, respond};
use crate::route::Route;
use crate::{Control, ControlError};

/// The routes of the keys.
pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::get("/token-keys", "Lists the keys that sign access tokens, oldest first.", list)
            .answers::<TokenKeys>(200),
        Route::post("/token-keys/rotate", "Makes a new key that signs access tokens.", rotate_keys)
            .body::<RotateBody>()
            .answers::<TokenKeys>(200)
            .errors(&[422]),
    ]
}

impl Control {
    /// Makes a new key that signs access tokens after two seconds. The old keys remain until their tokens have expired;
    /// with [`OldKeys::Remove`] they are removed, and every token becomes invalid at once. The server makes a new key
    /// every day by itself.
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
    Ok((StatusCode::OK, json!(TokenKeys { token_keys: keys.iter().map(Into::into).collect() })))
}

async fn list(State(control): State<Control>) -> Response {
    respond(shown(&control).await)
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RotateBody {
    /// Whether the old keys are removed, so that every token becomes invalid at once.
    #[serde(default)]
    end_tokens: bool,
}

async fn rotate_keys(State(control): State<Control>, body: Bytes) -> Response {
    let rotate = async {
        let RotateBody { end_tokens } = parse_body(&body)?;
        control.rotate_token_keys(if end_tokens { OldKeys::Remove } else { OldKeys::Keep }).await?;
        shown(&control).await
    };
    respond(rotate.await)
}
