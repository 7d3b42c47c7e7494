//! The routes of an account's records, as its owner reads and changes them.

use std::sync::Arc;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::Response;
use http::Method;
use http::request::Parts;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use trunk_store::account::Account;

use crate::owners_api::{OwnerRequest, OwnersApi, forward};
use crate::respond::{parse_body, parse_id, respond};
use crate::route::Route;
use crate::{Control, ControlError};

/// The routes of an account's records.
pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::get(
            "/accounts/{id}/records/{type}",
            "Lists records of an account as DIDWW's API does at its newest version.",
            list_records,
        )
        .text_parameter("type")
        .query::<ListQuery>()
        .answers::<Value>(200)
        .errors(&[404, 409, 422]),
        Route::get(
            "/accounts/{id}/records/{type}/{record}",
            "Returns a record of an account as DIDWW's API does at its newest version.",
            show_record,
        )
        .text_parameter("type")
        .query::<ShowQuery>()
        .answers::<Value>(200)
        .errors(&[404, 409, 422]),
        Route::patch(
            "/accounts/{id}/records/{type}/{record}",
            "Changes a record under the rules for requests of its owner.",
            change_record,
        )
        .text_parameter("type")
        .body::<ChangeBody>()
        .answers::<Value>(200)
        .errors(&[404, 409, 422]),
    ]
}

/// Parameters of DIDWW's API for lists, which also have `filter[…]` and `fields[…]`.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "a schema alone: the API parses the query")]
struct ListQuery {
    /// The criterion, such as `-created_at`.
    sort: Option<String>,
    /// The related records to include, such as `dids`.
    include: Option<String>,
    /// The number of the page, from 1.
    #[schemars(rename = "page[number]")]
    number: Option<String>,
    /// The number of records of a page.
    #[schemars(rename = "page[size]")]
    size: Option<String>,
}

#[derive(JsonSchema)]
#[expect(dead_code, reason = "a schema alone: the API parses the query")]
struct ShowQuery {
    /// The related records to include, such as `dids`.
    include: Option<String>,
}

/// Attributes to change, by name, in the form of the newest API version. Those that are not named keep their values.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ChangeBody {
    attributes: Map<String, Value>,
}

async fn list_records(
    State(control): State<Control>,
    Extension(api): Extension<OwnersApi>,
    Path((id, kind)): Path<(String, String)>,
    parts: Parts,
) -> Response {
    let query = parts.uri.query();
    let request = OwnerRequest { method: Method::GET, kind: &kind, record: None, query, body: Bytes::new() };
    match owner(&control, &id).await {
        Ok(account) => forward(&api, account, parts.extensions.get().copied(), request).await,
        Err(error) => respond(Err(error)),
    }
}

async fn show_record(
    State(control): State<Control>,
    Extension(api): Extension<OwnersApi>,
    Path((id, kind, record)): Path<(String, String, String)>,
    parts: Parts,
) -> Response {
    let query = parts.uri.query();
    let request =
        OwnerRequest { method: Method::GET, kind: &kind, record: Some(&record), query, body: Bytes::new() };
    match owner(&control, &id).await {
        Ok(account) => forward(&api, account, parts.extensions.get().copied(), request).await,
        Err(error) => respond(Err(error)),
    }
}

async fn change_record(
    State(control): State<Control>,
    Extension(api): Extension<OwnersApi>,
    Path((id, kind, record)): Path<(String, String, String)>,
    parts: Parts,
    body: Bytes,
) -> Response {
    let change = async {
        let ChangeBody { attributes } = parse_body(&body)?;
        let document = json!({ "data": { "type": kind, "id": record, "attributes": attributes } });
        Ok((owner(&control, &id).await?, Bytes::from(document.to_string())))
    };
    let (account, body) = match change.await {
        Ok(change) => change,
        Err(error) => return respond(Err(error)),
    };
    let request =
        OwnerRequest { method: Method::PATCH, kind: &kind, record: Some(&record), query: None, body };
    forward(&api, account, parts.extensions.get().copied(), request).await
}

async fn owner(control: &Control, id: &str) -> Result<Arc<Account>, ControlError> {
    control.account(parse_id(id, "account")?).await
}
