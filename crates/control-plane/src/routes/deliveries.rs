//! The route of delivery attempts.

use axum::extract::State;
use axum::response::Response;
use http::{StatusCode, Uri};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use trunk_store::Backlog;
use uuid::Uuid;

use crate::answers::{Deliveries, DeliveryAttempt};
use crate::respond::{parse_query, respond};
use crate::route::Route;
use crate::{Control, ControlError};

/// The route of delivery attempts.
pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::get(
            "/deliveries",
            "Lists attempts to deliver callbacks and webhooks, newest first.",
            list_deliveries,
        )
        .query::<DeliveryQuery>()
        .answers::<Deliveries>(200)
        .errors(&[404, 422]),
    ]
}

/// Number of attempts that are listed if the request has no `limit`.
const DEFAULT_DELIVERIES: u64 = 100;

/// Selects the deliveries of one account, of one customer, or all.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct DeliveryQuery {
    account: Option<Uuid>,
    customer: Option<Uuid>,
    limit: Option<u64>,
}

async fn list_deliveries(State(control): State<Control>, uri: Uri) -> Response {
    let list = async {
        let DeliveryQuery { account, customer, limit } = parse_query(&uri)?;
        let limit = limit.unwrap_or(DEFAULT_DELIVERIES);
        let (backlog, deliveries) = match (account, customer) {
            (account, None) => (control.backlog(account).await?, control.deliveries(account, limit).await?),
            (None, Some(customer)) => {
                (control.webhook_backlog(customer).await?, control.webhook_deliveries(customer, limit).await?)
            }
            (Some(_), Some(_)) => {
                let message = "cannot be combined with `account`: a delivery belongs to one of the two";
                return Err(ControlError::invalid("customer", message));
            }
        };
        let accounts = control.accounts().await?;
        let id = |number| accounts.iter().find(|account| account.number == number).map(|account| account.id);
        let deliveries = deliveries.iter().map(|delivery| DeliveryAttempt::new(delivery, id)).collect();
        let Backlog { waiting, dropped } = backlog;
        Ok((StatusCode::OK, json!(Deliveries { deliveries, waiting, dropped })))
    };
    respond(list.await)
}
