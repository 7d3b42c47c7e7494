//! The routes of reviews.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use crate::answers::Updated;
use crate::respond::{parse_body, parse_id, respond};
use crate::route::Route;
use crate::{Control, Review};

/// The routes of the verifications of accounts.
pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::post(
            "/accounts/{id}/address_verifications/{verification}/approve",
            "Approves a pending verification of an address.",
            approve_address,
        )
        .answers::<Updated>(200)
        .errors(&[404, 409, 422]),
        Route::post(
            "/accounts/{id}/address_verifications/{verification}/reject",
            "Rejects a pending verification of an address.",
            reject_address,
        )
        .body::<RejectBody>()
        .answers::<Updated>(200)
        .errors(&[404, 409, 422]),
        Route::post(
            "/accounts/{id}/emergency_verifications/{verification}/approve",
            "Approves a pending verification of emergency calling.",
            approve_emergency,
        )
        .answers::<Updated>(200)
        .errors(&[404, 409, 422]),
        Route::post(
            "/accounts/{id}/emergency_verifications/{verification}/reject",
            "Rejects a pending verification of emergency calling.",
            reject_emergency,
        )
        .body::<RejectBody>()
        .answers::<Updated>(200)
        .errors(&[404, 409, 422]),
    ]
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RejectBody {
    /// Why, in words: 1 to 20 texts.
    reasons: Vec<String>,
    /// What the reviewer adds to the reasons.
    #[serde(default)]
    comment: Option<String>,
}

impl RejectBody {
    fn review(self) -> Review {
        Review::Reject { reasons: self.reasons, comment: self.comment }
    }
}

async fn approve_address(
    State(control): State<Control>,
    Path((id, verification)): Path<(String, String)>,
) -> Response {
    let change = async {
        let (account, of) = (parse_id(&id, "account")?, parse_id(&verification, "verification")?);
        control.review_address_verification(account, of, Review::Approve).await?;
        Ok((StatusCode::OK, json!(Updated { updated: verification })))
    };
    respond(change.await)
}

async fn reject_address(
    State(control): State<Control>,
    Path((id, verification)): Path<(String, String)>,
    body: Bytes,
) -> Response {
    let change = async {
        let review = parse_body::<RejectBody>(&body)?.review();
        let (account, of) = (parse_id(&id, "account")?, parse_id(&verification, "verification")?);
        control.review_address_verification(account, of, review).await?;
        Ok((StatusCode::OK, json!(Updated { updated: verification })))
    };
    respond(change.await)
}

async fn approve_emergency(
    State(control): State<Control>,
    Path((id, verification)): Path<(String, String)>,
) -> Response {
    let change = async {
        let (account, of) = (parse_id(&id, "account")?, parse_id(&verification, "verification")?);
        control.review_emergency_verification(account, of, Review::Approve).await?;
        Ok((StatusCode::OK, json!(Updated { updated: verification })))
    };
    respond(change.await)
}

async fn reject_emergency(
    State(control): State<Control>,
    Path((id, verification)): Path<(String, String)>,
    body: Bytes,
) -> Response {
    let change = async {
        let review = parse_body::<RejectBody>(&body)?.review();
        let (account, of) = (parse_id(&id, "account")?, parse_id(&verification, "verification")?);
        control.review_emergency_verification(account, of, review).await?;
        Ok((StatusCode::OK, json!(Updated { updated: verification })))
    };
    respond(change.await)
}
