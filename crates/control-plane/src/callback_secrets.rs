//! The secrets that sign the callbacks of an account. DIDWW's customers manage theirs in the user panel, not over the
//! API.
//!
//! At most one secret of an account is enabled. Without an enabled one, the account's events are dropped when they
//! happen, and are not sent later either.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::Response;
use didww_types::{Secret, Timestamp};
use http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use trunk_store::CallbackSecret;
use uuid::Uuid;

use crate::accounts::check_text;
use crate::answers::Deleted;
use crate::respond::{parse_body, parse_id, respond};
use crate::route::Route;
use crate::{Control, ControlError};

/// A callback secret to add to an account.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct NewCallbackSecret {
    /// The secret, 1 to 255 visible ASCII characters; if `None`, a random one.
    pub secret: Option<Secret>,
    /// Whether it signs callbacks from now on, instead of the present one. Default: true.
    pub is_enabled: bool,
}

impl Default for NewCallbackSecret {
    fn default() -> Self {
        Self { secret: None, is_enabled: true }
    }
}

impl NewCallbackSecret {
    /// An enabled secret with this text.
    pub fn of(secret: impl Into<Secret>) -> Self {
        Self { secret: Some(secret.into()), ..Self::default() }
    }

    /// Leaves the secret disabled, so that receivers can learn it before it signs callbacks.
    #[must_use]
    pub fn disabled(self) -> Self {
        Self { is_enabled: false, ..self }
    }
}

impl Control {
    /// Adds a callback secret to an account. Returns it.
    ///
    /// # Errors
    /// If there is no such account, it has 20 secrets, or the secret is not valid.
    pub async fn add_callback_secret(
        &self,
        account: Uuid,
        new: NewCallbackSecret,
    ) -> Result<CallbackSecret, ControlError> {
        let account = self.account(account).await?.number;
        let secret = new.secret.unwrap_or_else(|| self.core.ids.token());
        check_text("secret", &secret)?;
        let now = self.core.clock.now();
        let id = self.core.ids.record(now);
        let added = CallbackSecret { id, secret, is_enabled: new.is_enabled, created_at: now };
        self.core.store.add_callback_secret(account, added.clone()).await?;
        Ok(added)
    }

    /// Returns the callback secrets of an account, oldest first.
    ///
    /// # Errors
    /// If there is no such account.
    pub async fn callback_secrets(&self, account: Uuid) -> Result<Vec<CallbackSecret>, ControlError> {
        Ok(self.core.store.callback_secrets(self.account(account).await?.number).await?)
    }

    /// Enables a callback secret instead of the present one, or disables it. Events that wait are signed with the
    /// secret that is enabled when they are sent, and dropped if none is.
    ///
    /// # Errors
    /// If there is no such account or secret.
    pub async fn enable_callback_secret(
        &self,
        account: Uuid,
        id: Uuid,
        is_enabled: bool,
    ) -> Result<(), ControlError> {
        let account = self.account(account).await?.number;
        exists(self.core.store.enable_callback_secret(account, id, is_enabled).await?, id)
    }

    /// Replaces the text of a callback secret, by a random one if `secret` is `None`. It stays enabled or disabled.
    /// Returns the new text.
    ///
    /// # Errors
    /// If there is no such account or secret, or the text is not valid.
    pub async fn rotate_callback_secret(
        &self,
        account: Uuid,
        id: Uuid,
        secret: Option<Secret>,
    ) -> Result<Secret, ControlError> {
        let account = self.account(account).await?.number;
        let secret = secret.unwrap_or_else(|| self.core.ids.token());
        check_text("secret", &secret)?;
        exists(self.core.store.replace_callback_secret(account, id, secret.clone()).await?, id)?;
        Ok(secret)
    }

    /// Removes a callback secret.
    ///
    /// # Errors
    /// If there is no such account or secret.
    pub async fn remove_callback_secret(&self, account: Uuid, id: Uuid) -> Result<(), ControlError> {
        let account = self.account(account).await?.number;
        exists(self.core.store.remove_callback_secret(account, id).await?, id)
    }

    /// Ensures that an account's callbacks are signed with this secret: the secret is added unless the account has it,
    /// and enabled. Several servers that do this at the same time add it only once.
    ///
    /// # Errors
    /// If there is no such account, it has 20 other secrets, or the secret is not valid.
    pub async fn ensure_callback_secret(&self, account: Uuid, secret: Secret) -> Result<(), ControlError> {
        let account = self.account(account).await?.number;
        check_text("secret", &secret)?;
        // Nothing is written then, so that a server can start while the disk is full.
        if self.core.store.enabled_callback_secret(account).await?.is_some_and(|enabled| enabled == secret) {
            return Ok(());
        }
        let now = self.core.clock.now();
        let id = self.core.ids.record(now);
        let ensured = CallbackSecret { id, secret, is_enabled: true, created_at: now };
        Ok(self.core.store.ensure_callback_secret(account, ensured).await?)
    }
}

fn exists(found: bool, id: Uuid) -> Result<(), ControlError> {
    if found { Ok(()) } else { Err(ControlError::NotFound(format!("callback secret {id}"))) }
}

/// The routes of callback secrets.
pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::get("/accounts/{id}/callback_secrets", "Lists the callback secrets of an account.", list)
            .answers::<SecretList>(200)
            .errors(&[404]),
        Route::post("/accounts/{id}/callback_secrets", "Adds a callback secret to an account.", add)
            .body::<SecretBody>()
            .answers::<NewSecret>(201)
            .errors(&[404, 409, 422]),
        Route::patch(
            "/accounts/{id}/callback_secrets/{secret}",
            "Enables a callback secret instead of the present one, or disables it.",
            enable,
        )
        .body::<SecretPatch>()
        .answers::<ShownSecret>(200)
        .errors(&[404, 409, 422]),
        Route::post(
            "/accounts/{id}/callback_secrets/{secret}/rotate",
            "Replaces the text of a callback secret.",
            rotate,
        )
        .body::<RotateBody>()
        .answers::<NewSecret>(200)
        .errors(&[404, 409, 422]),
        Route::delete("/accounts/{id}/callback_secrets/{secret}", "Removes a callback secret.", remove)
            .answers::<Deleted>(200)
            .errors(&[404, 409]),
    ]
}

/// The callback secrets of an account, oldest first.
#[derive(Serialize, JsonSchema)]
struct SecretList {
    callback_secrets: Vec<ShownSecret>,
}

/// A callback secret without its text.
#[derive(Serialize, JsonSchema)]
struct ShownSecret {
    /// The id of the secret.
    id: Uuid,
    /// Whether it signs callbacks.
    enabled: bool,
    /// When the secret was added.
    created_at: Timestamp,
}

/// A callback secret with its text, which is shown only here.
#[derive(Serialize, JsonSchema)]
struct NewSecret {
    #[serde(flatten)]
    shown: ShownSecret,
    /// The text of the secret.
    secret: String,
}

impl From<&CallbackSecret> for ShownSecret {
    fn from(secret: &CallbackSecret) -> Self {
        Self { id: secret.id, enabled: secret.is_enabled, created_at: secret.created_at }
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct SecretBody {
    /// 1 to 255 visible ASCII characters; without it, a random one.
    secret: Option<Secret>,
    /// Whether it signs callbacks instead of the present one.
    #[serde(default = "enabled")]
    enabled: bool,
}

fn enabled() -> bool {
    true
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct SecretPatch {
    /// Whether it signs callbacks; absent for no change.
    enabled: Option<bool>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RotateBody {
    /// 1 to 255 visible ASCII characters; without it, a random one.
    secret: Option<Secret>,
}

async fn list(State(control): State<Control>, Path(id): Path<String>) -> Response {
    let list = async {
        let secrets = control.callback_secrets(parse_id(&id, "account")?).await?;
        let callback_secrets = secrets.iter().map(Into::into).collect();
        Ok((StatusCode::OK, json!(SecretList { callback_secrets })))
    };
    respond(list.await)
}

async fn add(State(control): State<Control>, Path(id): Path<String>, body: Bytes) -> Response {
    let add = async {
        let SecretBody { secret, enabled } = parse_body(&body)?;
        let account = parse_id(&id, "account")?;
        let new = NewCallbackSecret { secret, is_enabled: enabled };
        let added = control.add_callback_secret(account, new).await?;
        let secret = added.secret.expose().to_owned();
        Ok((StatusCode::CREATED, json!(NewSecret { shown: (&added).into(), secret })))
    };
    respond(add.await)
}

async fn enable(
    State(control): State<Control>,
    Path((id, secret)): Path<(String, String)>,
    body: Bytes,
) -> Response {
    let enable = async {
        let SecretPatch { enabled } = parse_body(&body)?;
        let (account, id) = (parse_id(&id, "account")?, parse_id(&secret, "callback secret")?);
        if let Some(enabled) = enabled {
            control.enable_callback_secret(account, id, enabled).await?;
        }
        Ok((StatusCode::OK, json!(shown(&control, account, id).await?)))
    };
    respond(enable.await)
}

async fn rotate(
    State(control): State<Control>,
    Path((id, secret)): Path<(String, String)>,
    body: Bytes,
) -> Response {
    let rotate = async {
        let RotateBody { secret: text } = parse_body(&body)?;
        let (account, id) = (parse_id(&id, "account")?, parse_id(&secret, "callback secret")?);
        // Before the write: the response has the only copy of a random text, and must not fail after it.
        let shown = shown(&control, account, id).await?;
        let text = control.rotate_callback_secret(account, id, text).await?;
        Ok((StatusCode::OK, json!(NewSecret { shown, secret: text.expose().to_owned() })))
    };
    respond(rotate.await)
}

async fn remove(State(control): State<Control>, Path((id, secret)): Path<(String, String)>) -> Response {
    let remove = async {
        let account = parse_id(&id, "account")?;
        control.remove_callback_secret(account, parse_id(&secret, "callback secret")?).await?;
        Ok((StatusCode::OK, json!(Deleted { deleted: secret })))
    };
    respond(remove.await)
}

/// A callback secret as it is stored now, without its text.
async fn shown(control: &Control, account: Uuid, id: Uuid) -> Result<ShownSecret, ControlError> {
    let secrets = control.callback_secrets(account).await?;
    let found = secrets.iter().find(|secret| secret.id == id).map(Into::into);
    found.ok_or_else(|| ControlError::NotFound(format!("callback secret {id}")))
}
