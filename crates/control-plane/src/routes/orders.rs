//! The routes of orders.

use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;
use serde_json::json;

use crate::Control;
use crate::answers::Updated;
use crate::respond::{parse_id, respond};
use crate::route::Route;

/// The routes of the orders of accounts.
pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::post(
            "/accounts/{id}/orders/{order}/complete",
            "Carries out a pending order at once.",
            complete,
        )
        .answers::<Updated>(200)
        .errors(&[404, 409, 422]),
        Route::post("/accounts/{id}/orders/{order}/cancel", "Cancels a pending order.", cancel)
            .answers::<Updated>(200)
            .errors(&[404, 409, 422]),
    ]
}

async fn complete(State(control): State<Control>, Path((id, order)): Path<(String, String)>) -> Response {
    let change = async {
        control.complete_order(parse_id(&id, "account")?, parse_id(&order, "order")?).await?;
        Ok((StatusCode::OK, json!(Updated { updated: order })))
    };
    respond(change.await)
}

async fn cancel(State(control): State<Control>, Path((id, order)): Path<(String, String)>) -> Response {
    let change = async {
        control.cancel_order(parse_id(&id, "account")?, parse_id(&order, "order")?).await?;
        Ok((StatusCode::OK, json!(Updated { updated: order })))
    };
    respond(change.await)
}
