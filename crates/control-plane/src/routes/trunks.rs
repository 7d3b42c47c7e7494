//! The routes of trunks.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::Response;
use didww_types::values::IpNetworks;
use http::StatusCode;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use crate::answers::{self, UpdatedTrunk};
use crate::respond::{parse_body, parse_id, respond};
use crate::route::Route;
use crate::trunk_survey::OpenTrunk;
use crate::trunks::OPEN_TRUNK;
use crate::{Control, ControlError};

/// The routes of trunks.
pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::post(
            "/accounts/{id}/trunks/{trunk}/ip_only",
            "Lets a trunk accept by address alone.",
            make_ip_only,
        )
        .body::<IpOnlyBody>()
        .answers::<UpdatedTrunk>(200)
        .errors(&[404, 409, 422]),
        Route::get("/trunks/open", "Lists the trunks that take calls from any address.", list_open_trunks)
            .answers::<answers::OpenTrunks>(200),
    ]
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct IpOnlyBody {
    allowed_sip_ips: Vec<String>,
}

async fn make_ip_only(
    State(control): State<Control>,
    Path((id, trunk)): Path<(String, String)>,
    body: Bytes,
) -> Response {
    let change = async {
        let body: IpOnlyBody = parse_body(&body)?;
        let networks = IpNetworks::parse(&body.allowed_sip_ips)
            .map_err(|error| ControlError::invalid("allowed_sip_ips", error.to_string()))?;
        control.make_ip_only(parse_id(&id, "account")?, parse_id(&trunk, "trunk")?, &networks).await?;
        let warning = networks.has_every_address().then_some(OPEN_TRUNK);
        Ok((StatusCode::OK, json!(UpdatedTrunk { updated: trunk, warning })))
    };
    respond(change.await)
}

/// Maximum number of open trunks in a listing.
const MAX_OPEN_TRUNKS: usize = 1_000;

async fn list_open_trunks(State(control): State<Control>) -> Response {
    let list = async {
        let open = control.survey_trunks(MAX_OPEN_TRUNKS).await?.open;
        let trunk = |open: &OpenTrunk| answers::OpenTrunk {
            account: open.account,
            trunk: open.trunk,
            warning: open.notice,
        };
        let open_trunks = open.trunks.iter().map(trunk).collect();
        Ok((StatusCode::OK, json!(answers::OpenTrunks { open_trunks, total: open.total })))
    };
    respond(list.await)
}
