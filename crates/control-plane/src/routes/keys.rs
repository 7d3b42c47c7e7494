//! The routes of API keys.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::Response;
use didww_types::Secret;
use didww_types::values::IpNetworks;
use http::StatusCode;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use trunk_store::account::Environment;

use super::member::Member;
use crate::answers::{self, Deleted, Keys, NewKey};
use crate::respond::{parse_body, parse_id, respond};
use crate::route::Route;
use crate::{Control, ControlError};

/// The routes of the API keys of accounts.
pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::get("/accounts/{id}/keys", "Lists the API keys of an account.", list_keys)
            .answers::<Keys>(200)
            .errors(&[404]),
        Route::post("/accounts/{id}/keys", "Adds an API key to an account.", add_key)
            .body::<KeyBody>()
            .answers::<NewKey>(201)
            .errors(&[404, 409, 422]),
        Route::patch(
            "/accounts/{id}/keys/{key}",
            "Sets where an API key may be used from the next request on.",
            update_key,
        )
        .body::<KeyChange>()
        .answers::<answers::Key>(200)
        .errors(&[404, 422]),
        Route::delete(
            "/accounts/{id}/keys/{key}",
            "Removes an API key from the next request on.",
            remove_key,
        )
        .answers::<Deleted>(200)
        .errors(&[404]),
    ]
}

async fn list_keys(State(control): State<Control>, Path(id): Path<String>) -> Response {
    let list = async {
        let keys = control.keys(parse_id(&id, "account")?).await?;
        Ok((StatusCode::OK, json!(Keys { keys: keys.iter().map(Into::into).collect() })))
    };
    respond(list.await)
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct KeyBody {
    /// The key; without it, a random one.
    api_key: Option<Secret>,
    /// The addresses and networks from which the key may be used, at most 60; without them, from anywhere.
    allowed_addresses: Option<Vec<String>>,
    /// `production` or `sandbox`; without it, the server's.
    environment: Option<String>,
}

fn environment(name: &str) -> Result<Environment, ControlError> {
    let unknown = || ControlError::invalid("environment", "must be production or sandbox");
    Environment::named(name).ok_or_else(unknown)
}

/// Parses the networks from which a key may be used.
fn addresses(texts: &[String]) -> Result<IpNetworks, ControlError> {
    IpNetworks::parse(texts).map_err(|error| ControlError::invalid("allowed_addresses", error.to_string()))
}

async fn add_key(State(control): State<Control>, Path(id): Path<String>, body: Bytes) -> Response {
    let add = async {
        let body: KeyBody = parse_body(&body)?;
        let new = crate::NewKey {
            api_key: body.api_key,
            addresses: body.allowed_addresses.as_deref().map(addresses).transpose()?,
            environment: body.environment.as_deref().map(environment).transpose()?,
        };
        let (id, key) = control.add_key_with(parse_id(&id, "account")?, new).await?;
        Ok((StatusCode::CREATED, json!(NewKey { id, api_key: key.expose().to_owned() })))
    };
    respond(add.await)
}

/// Changes to an API key. A member that is absent leaves the value unchanged.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct KeyChange {
    /// The addresses and networks from which the key may be used, at most 60; null is anywhere.
    #[serde(default)]
    allowed_addresses: Member<Vec<String>>,
}

async fn update_key(
    State(control): State<Control>,
    Path((id, key)): Path<(String, String)>,
    body: Bytes,
) -> Response {
    let update = async {
        let (account, id) = (parse_id(&id, "account")?, parse_id(&key, "key")?);
        if let KeyChange { allowed_addresses: Member::Present(texts) } = parse_body(&body)? {
            let addresses = texts.as_deref().map(addresses).transpose()?;
            control.set_key_addresses(account, id, addresses).await?;
        }
        let key = control.keys(account).await?.into_iter().find(|key| key.id == id);
        let key = key.ok_or_else(|| ControlError::NotFound(format!("key {id}")))?;
        Ok((StatusCode::OK, json!(answers::Key::from(&key))))
    };
    respond(update.await)
}

async fn remove_key(State(control): State<Control>, Path((id, key)): Path<(String, String)>) -> Response {
    let remove = async {
        control.remove_key(parse_id(&id, "account")?, parse_id(&key, "key")?).await?;
        Ok((StatusCode::OK, json!(Deleted { deleted: key })))
    };
    respond(remove.await)
}
