//! The routes of records of any declared type.

use std::collections::BTreeMap;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::answers::{self, StoredRecord};
use crate::respond::{Outcome, parse_body, parse_id, respond};
use crate::route::Route;
use crate::{Control, RecordMembers};

/// The routes of records.
pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::post("/accounts/{id}/records/{type}", "Stores a record of an account.", put_owned_record)
            .text_parameter("type")
            .body::<RecordBody>()
            .answers::<StoredRecord>(200)
            .answers::<StoredRecord>(201)
            .errors(&[404, 409, 422]),
        Route::post("/records/{type}", "Stores a record that belongs to no account.", put_global_record)
            .text_parameter("type")
            .body::<RecordBody>()
            .answers::<StoredRecord>(200)
            .answers::<StoredRecord>(201)
            .errors(&[404, 409, 422]),
        Route::post("/reset", "Deletes every record of one account or of all.", reset)
            .body::<ResetBody>()
            .answers::<answers::Reset>(200)
            .errors(&[404, 409, 422]),
    ]
}

/// The members of a relationship: null, an id, or a list of ids.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
enum Related {
    One(Option<Uuid>),
    Many(Vec<Uuid>),
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RecordBody {
    id: Option<Uuid>,
    #[serde(default)]
    attributes: Map<String, Value>,
    #[serde(default)]
    relationships: BTreeMap<String, Related>,
    #[serde(default)]
    meta: Map<String, Value>,
}

async fn put_owned_record(
    State(control): State<Control>,
    Path((id, kind)): Path<(String, String)>,
    body: Bytes,
) -> Response {
    let put = async { put_record(&control, Some(parse_id(&id, "account")?), &kind, &body).await };
    respond(put.await)
}

async fn put_global_record(
    State(control): State<Control>,
    Path(kind): Path<String>,
    body: Bytes,
) -> Response {
    respond(put_record(&control, None, &kind, &body).await)
}

async fn put_record(control: &Control, account: Option<Uuid>, kind: &str, body: &Bytes) -> Outcome {
    let RecordBody { id, attributes, relationships, meta } = parse_body(body)?;
    let ids = |related| match related {
        Related::One(id) => id.into_iter().collect(),
        Related::Many(ids) => ids,
    };
    let relationships = relationships.into_iter().map(|(name, related)| (name, ids(related))).collect();
    let members = RecordMembers { attributes, relationships, meta };
    let stored = control.store_record(account, kind, id, members).await?;
    let status = if stored.is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, json!(StoredRecord { id: stored.id, kind: kind.to_owned() })))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ResetBody {
    account: Option<String>,
}

async fn reset(State(control): State<Control>, body: Bytes) -> Response {
    let reset = async {
        let body: ResetBody = parse_body(&body)?;
        let account = body.account.as_deref().map(|id| parse_id(id, "account")).transpose()?;
        control.reset(account).await?;
        Ok((
            StatusCode::OK,
            json!(answers::Reset { reset: body.account.unwrap_or_else(|| "all".to_owned()) }),
        ))
    };
    respond(reset.await)
}
