//! The routes of accounts.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::Response;
use didww_types::{ApiVersion, Feature, Secret, UnknownFeature};
use http::StatusCode;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::member::Member;
use crate::answers::{self, Accounts, Deleted};
use crate::respond::{Outcome, parse_body, parse_id, respond};
use crate::route::Route;
use crate::{AccountPatch, Control, ControlError, NewAccount};

/// The routes of accounts.
pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::get("/accounts", "Lists the accounts, oldest first.", list_accounts).answers::<Accounts>(200),
        Route::post("/accounts", "Creates an account with its first API key.", create_account)
            .body::<AccountBody>()
            .answers::<answers::NewAccount>(201)
            .errors(&[409, 422]),
        Route::get("/accounts/{id}", "Returns one account.", show_account)
            .answers::<answers::Account>(200)
            .errors(&[404]),
        Route::patch("/accounts/{id}", "Changes an account from the next request on.", update_account)
            .body::<AccountBody>()
            .answers::<answers::Account>(200)
            .errors(&[404, 409, 422]),
        Route::delete("/accounts/{id}", "Deletes an account with its keys and records.", delete_account)
            .answers::<Deleted>(200)
            .errors(&[404]),
    ]
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct AccountBody {
    name: Option<String>,
    version: Option<String>,
    features: Option<Vec<String>>,
    #[serde(default)]
    rate_limit: Member<u32>,
    #[serde(default)]
    record_quota: Member<u64>,
    api_key: Option<Secret>,
}

fn version(text: &str) -> Result<ApiVersion, ControlError> {
    text.parse()
        .map_err(|error: didww_types::UnknownVersion| ControlError::invalid("version", error.to_string()))
}

fn features(names: &[String]) -> Result<Vec<Feature>, ControlError> {
    let invalid = |error: UnknownFeature| ControlError::invalid("features", error.to_string());
    names.iter().map(|name| name.parse::<Feature>().map_err(invalid)).collect()
}

async fn list_accounts(State(control): State<Control>) -> Response {
    let list = async {
        let accounts = control.accounts().await?;
        let accounts = accounts.iter().map(|account| answers::Account::from(&**account)).collect();
        Ok((StatusCode::OK, json!(Accounts { accounts })))
    };
    respond(list.await)
}

async fn create_account(State(control): State<Control>, body: Bytes) -> Response {
    respond(async { new_account(&control, parse_body(&body)?).await }.await)
}

async fn new_account(control: &Control, body: AccountBody) -> Outcome {
    let mut new = NewAccount::named(body.name.unwrap_or_default());
    if let Some(text) = body.version {
        new.version = version(&text)?;
    }
    if let Some(names) = body.features {
        new.features = features(&names)?;
    }
    new.rate_limit = body.rate_limit.value();
    new.record_quota = body.record_quota.value();
    new.api_key = body.api_key;
    let (account, key) = control.create_account(new).await?;
    let created = answers::NewAccount { account: (&*account).into(), api_key: key.expose().to_owned() };
    Ok((StatusCode::CREATED, json!(created)))
}

async fn show_account(State(control): State<Control>, Path(id): Path<String>) -> Response {
    let show = async {
        let account = control.account(parse_id(&id, "account")?).await?;
        Ok((StatusCode::OK, json!(answers::Account::from(&*account))))
    };
    respond(show.await)
}

async fn update_account(State(control): State<Control>, Path(id): Path<String>, body: Bytes) -> Response {
    let change = async {
        let body: AccountBody = parse_body(&body)?;
        if body.api_key.is_some() {
            return Err(ControlError::invalid("api_key", "is added with POST to the account's keys"));
        }
        let patch = AccountPatch {
            name: body.name,
            version: body.version.as_deref().map(version).transpose()?,
            features: body.features.as_deref().map(features).transpose()?,
            rate_limit: body.rate_limit.into(),
            record_quota: body.record_quota.into(),
        };
        let account = control.update_account(parse_id(&id, "account")?, patch).await?;
        Ok((StatusCode::OK, json!(answers::Account::from(&*account))))
    };
    respond(change.await)
}

async fn delete_account(State(control): State<Control>, Path(id): Path<String>) -> Response {
    let delete = async {
        control.delete_account(parse_id(&id, "account")?).await?;
        Ok((StatusCode::OK, json!(Deleted { deleted: id })))
    };
    respond(delete.await)
}
