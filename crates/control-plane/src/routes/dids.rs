//! The routes of DIDs.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::Response;
use didww_types::Timestamp;
use didww_types::resources::DidFeature;
use http::StatusCode;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::answers::{Did, Dids, Updated};
use crate::respond::{parse_body, parse_id, respond};
use crate::route::Route;
use crate::{Control, ControlError, DidPatch, NewDid};

/// The routes of the DIDs of accounts.
pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::post("/accounts/{id}/dids", "Adds DIDs to an account, one or all of a list.", add_dids)
            .body::<DidsBody>()
            .answers::<Dids>(201)
            .errors(&[404, 409, 422]),
        Route::patch("/accounts/{id}/dids/{did}", "Changes what the owner of a DID cannot.", update_did)
            .body::<DidPatchBody>()
            .answers::<Updated>(200)
            .errors(&[404, 409, 422]),
    ]
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct DidBody {
    number: String,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    emergency_enabled: bool,
    #[serde(default)]
    expires_at: Option<Timestamp>,
    /// The id of its DID group.
    #[serde(default)]
    did_group: Option<Uuid>,
    /// The possible uses of the number, if no DID group is named.
    #[serde(default)]
    features: Option<Vec<String>>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct DidList {
    dids: Vec<DidBody>,
}

/// The schema of the body of [`add_dids`], which decodes one of the two by the presence of `dids`.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "a schema alone")]
enum DidsBody {
    One(DidBody),
    List(DidList),
}

impl From<DidBody> for NewDid {
    fn from(body: DidBody) -> Self {
        let DidBody { number, description, emergency_enabled, expires_at, did_group, features } = body;
        let features =
            features.map(|texts| texts.iter().map(|text| DidFeature::from(text.as_str())).collect());
        Self { number, description, emergency_enabled, expires_at, did_group, features }
    }
}

async fn add_dids(State(control): State<Control>, Path(id): Path<String>, body: Bytes) -> Response {
    let add = async {
        let value: Value = parse_body(&body)?;
        let parse = |error: serde_json::Error| ControlError::invalid("body", error.to_string());
        let dids = if value.get("dids").is_some() {
            serde_json::from_value::<DidList>(value).map_err(parse)?.dids
        } else {
            vec![serde_json::from_value::<DidBody>(value).map_err(parse)?]
        };
        let numbers: Vec<String> = dids.iter().map(|did| did.number.clone()).collect();
        let ids = control.add_dids(parse_id(&id, "account")?, dids.into_iter().map(NewDid::from)).await?;
        let number = |number: String| number.trim_start_matches('+').to_owned();
        let dids = ids.into_iter().zip(numbers).map(|(id, text)| Did { id, number: number(text) }).collect();
        Ok((StatusCode::CREATED, json!(Dids { dids })))
    };
    respond(add.await)
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct DidPatchBody {
    emergency_enabled: Option<bool>,
    blocked: Option<bool>,
    awaiting_registration: Option<bool>,
    expires_at: Option<Timestamp>,
}

async fn update_did(
    State(control): State<Control>,
    Path((id, did)): Path<(String, String)>,
    body: Bytes,
) -> Response {
    let change = async {
        let DidPatchBody { emergency_enabled, blocked, awaiting_registration, expires_at } =
            parse_body(&body)?;
        let patch = DidPatch { emergency_enabled, blocked, awaiting_registration, expires_at };
        control.update_did(parse_id(&id, "account")?, parse_id(&did, "DID")?, patch).await?;
        Ok((StatusCode::OK, json!(Updated { updated: did })))
    };
    respond(change.await)
}
