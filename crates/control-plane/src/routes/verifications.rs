//! The routes of reviews.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use service_base::boxed::Boxed;

use crate::answers::Updated;
use crate::respond::{parse_body, parse_id, respond};
use crate::route::Route;
use crate::{Control, ControlError, Review};

/// The routes of the verifications of accounts.
pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::post(
            "/accounts/{id}/address_verifications/{verification}/approve",
            "Approves a pending verification of an address.",
            approve(VerificationKind::Address),
        )
        .answers::<Updated>(200)
        .errors(&[404, 409, 422]),
        Route::post(
            "/accounts/{id}/address_verifications/{verification}/reject",
            "Rejects a pending verification of an address.",
            reject(VerificationKind::Address),
        )
        .body::<RejectBody>()
        .answers::<Updated>(200)
        .errors(&[404, 409, 422]),
        Route::post(
            "/accounts/{id}/emergency_verifications/{verification}/approve",
            "Approves a pending verification of emergency calling.",
            approve(VerificationKind::EmergencyCalling),
        )
        .answers::<Updated>(200)
        .errors(&[404, 409, 422]),
        Route::post(
            "/accounts/{id}/emergency_verifications/{verification}/reject",
            "Rejects a pending verification of emergency calling.",
            reject(VerificationKind::EmergencyCalling),
        )
        .body::<RejectBody>()
        .answers::<Updated>(200)
        .errors(&[404, 409, 422]),
    ]
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RejectBody {
    /// The reasons of a rejection: 1 to 20 texts.
    reasons: Vec<String>,
    /// The reviewer's comment on the reasons.
    #[serde(default)]
    comment: Option<String>,
}

impl RejectBody {
    fn review(self) -> Review {
        Review::Reject { reasons: self.reasons, comment: self.comment }
    }
}

/// The kind of verification.
#[derive(Clone, Copy)]
enum VerificationKind {
    Address,
    EmergencyCalling,
}

/// The ids of the account and of the verification, from the path.
type Ids = Path<(String, String)>;

fn approve(
    kind: VerificationKind,
) -> impl Fn(State<Control>, Ids) -> Boxed<'static, Response> + Clone + Send + Sync {
    move |State(control), Path(ids)| Box::pin(review(control, kind, ids, Ok(Review::Approve)))
}

fn reject(
    kind: VerificationKind,
) -> impl Fn(State<Control>, Ids, Bytes) -> Boxed<'static, Response> + Clone + Send + Sync {
    move |State(control), Path(ids), body| {
        Box::pin(review(control, kind, ids, parse_body::<RejectBody>(&body).map(RejectBody::review)))
    }
}

async fn review(
    control: Control,
    kind: VerificationKind,
    (id, verification): (String, String),
    review: Result<Review, ControlError>,
) -> Response {
    let change = async {
        let review = review?;
        let (account, subject) = (parse_id(&id, "account")?, parse_id(&verification, "verification")?);
        match kind {
            VerificationKind::Address => {
                control.review_address_verification(account, subject, review).await?;
            }
            VerificationKind::EmergencyCalling => {
                control.review_emergency_verification(account, subject, review).await?;
            }
        }
        Ok((StatusCode::OK, json!(Updated { updated: verification })))
    };
    respond(change.await)
}
