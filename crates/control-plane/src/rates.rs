//! The rates of outbound calls of single accounts, in place of those of the server.
//!
//! They decide what the calls of an account cost, which destinations have a route, and what the price service for
//! outbound calls answers to it. A call keeps the rate that it began with.

use std::num::NonZeroU32;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::Response;
use didww_types::Timestamp;
use didww_types::values::Money;
use http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use service_core::price_plans::{self, AccountRate, StoredPlan};
use service_core::{AttemptError, Retries};
use trunk_store::{Document, StoreError};
use uuid::Uuid;

use crate::answers::Deleted;
use crate::respond::{parse_body, parse_id, respond};
use crate::route::Route;
use crate::{Control, ControlError};

impl Control {
    /// Returns the rates of an account's outbound calls; `None` if it has those of the server.
    ///
    /// # Errors
    /// If there is no such account, or the store fails.
    pub async fn rates(&self, account: Uuid) -> Result<Option<Vec<AccountRate>>, ControlError> {
        Ok(self.stored_rates(account).await?.and_then(|(_, plan)| plan.rates))
    }

    /// Sets the rates of an account's outbound calls in place of those of the server, 1 to 10,000 of them. They are the
    /// whole table: a destination without a rate has no route. They hold for calls that begin from then on, and other
    /// servers of the database have them a second later.
    ///
    /// # Errors
    /// If there is no such account, or a rate is not valid: nothing was changed then.
    pub async fn set_rates(&self, account: Uuid, rates: Vec<AccountRate>) -> Result<(), ControlError> {
        price_plans::check(&rates).map_err(|message| ControlError::invalid("rates", message))?;
        self.put_rates(account, Some(rates)).await
    }

    /// Returns an account to the rates of the server.
    ///
    /// # Errors
    /// If there is no such account, or it has no rates of its own.
    pub async fn remove_rates(&self, account: Uuid) -> Result<(), ControlError> {
        self.put_rates(account, None).await
    }

    async fn put_rates(&self, id: Uuid, rates: Option<Vec<AccountRate>>) -> Result<(), ControlError> {
        let rates = &rates;
        let stored: Result<(), ControlError> = Retries::REQUEST
            .run(|| async move {
                let account = self.account(id).await?;
                let before = price_plans::stored(&*self.core.store, &account).await?;
                let has_own = before.as_ref().is_some_and(|(_, plan)| plan.rates.is_some());
                if rates.is_none() && !has_own {
                    return Err(AttemptError::Other(no_rates(id)));
                }
                let now = self.core.clock.now();
                let change = price_plans::change(&account, before.as_ref(), rates.clone(), now)?;
                match self.core.commit(vec![change]).await {
                    Ok(_) => Ok(()),
                    // Another server of the database stored the account's first ones meanwhile.
                    Err(StoreError::Taken(_)) => Err(AttemptError::Store(StoreError::Conflict)),
                    Err(error) => Err(AttemptError::Store(error)),
                }
            })
            .await;
        stored?;
        self.use_stored_rates().await;
        Ok(())
    }

    /// Loads the stored rates of accounts, for calls and requests that begin later. If that fails, the task that
    /// follows the store's changes tries again.
    pub(crate) async fn use_stored_rates(&self) {
        if let Err(error) = self.core.price_plans.refresh(&*self.core.store).await {
            tracing::warn!(%error, "the stored rates of accounts will be used later");
        }
    }

    async fn stored_rates(&self, account: Uuid) -> Result<Option<(Document, StoredPlan)>, ControlError> {
        let account = self.account(account).await?;
        Ok(price_plans::stored(&*self.core.store, &account).await?)
    }
}

fn no_rates(account: Uuid) -> ControlError {
    ControlError::NotFound(format!("table of rates of the account {account}: it has the rates of the server"))
}

/// The routes of the rates of accounts.
pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::get("/accounts/{id}/rates", "Returns the rates of an account that has its own.", show)
            .answers::<Rates>(200)
            .errors(&[404]),
        Route::put("/accounts/{id}/rates", "Sets the rates of an account's outbound calls.", set)
            .body::<RatesBody>()
            .answers::<Rates>(200)
            .errors(&[404, 409, 422]),
        Route::delete("/accounts/{id}/rates", "Returns an account to the rates of the server.", remove)
            .answers::<Deleted>(200)
            .errors(&[404, 409]),
    ]
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RatesBody {
    /// 1 to 10,000 rates, each for another prefix.
    rates: Vec<RateBody>,
}

/// The price of calls to a range of numbers.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RateBody {
    /// The first digits of the numbers, 1 to 15.
    prefix: String,
    /// US dollars a minute as a decimal text, from 0 up.
    per_minute: String,
    /// The first billing interval in seconds.
    #[serde(default = "one")]
    initial_interval: NonZeroU32,
    /// The length of each further billing interval in seconds.
    #[serde(default = "one")]
    next_interval: NonZeroU32,
}

fn one() -> NonZeroU32 {
    NonZeroU32::MIN
}

/// The rates of an account's outbound calls.
#[derive(Serialize, JsonSchema)]
struct Rates {
    /// The rates, in the order in which they were set.
    rates: Vec<ShownRate>,
    /// Since when the account has them; never in the second of the ones before.
    changed_at: Timestamp,
}

/// The price of calls to a range of numbers.
#[derive(Serialize, JsonSchema)]
struct ShownRate {
    /// The first digits of the numbers.
    prefix: String,
    /// US dollars a minute as a decimal text.
    per_minute: String,
    /// The first billing interval in seconds.
    initial_interval: NonZeroU32,
    /// The length of each further billing interval in seconds.
    next_interval: NonZeroU32,
}

impl RateBody {
    fn rate(self) -> Result<AccountRate, ControlError> {
        let Self { prefix, per_minute, initial_interval, next_interval } = self;
        let amount: Money = per_minute.parse().map_err(|_| {
            ControlError::invalid(
                "rates",
                format!("have {per_minute:?} for {prefix}, which is no decimal text"),
            )
        })?;
        Ok(AccountRate { initial_interval, next_interval, ..AccountRate::new(prefix, amount) })
    }
}

impl From<&AccountRate> for ShownRate {
    fn from(rate: &AccountRate) -> Self {
        Self {
            prefix: rate.prefix.clone(),
            per_minute: rate.per_minute.to_string(),
            initial_interval: rate.initial_interval,
            next_interval: rate.next_interval,
        }
    }
}

async fn show(State(control): State<Control>, Path(id): Path<String>) -> Response {
    respond(async { Ok((StatusCode::OK, json!(shown(&control, parse_id(&id, "account")?).await?))) }.await)
}

async fn set(State(control): State<Control>, Path(id): Path<String>, body: Bytes) -> Response {
    let set = async {
        let RatesBody { rates } = parse_body(&body)?;
        let account = parse_id(&id, "account")?;
        let rates: Vec<AccountRate> = rates.into_iter().map(RateBody::rate).collect::<Result<_, _>>()?;
        control.set_rates(account, rates).await?;
        Ok((StatusCode::OK, json!(shown(&control, account).await?)))
    };
    respond(set.await)
}

async fn remove(State(control): State<Control>, Path(id): Path<String>) -> Response {
    let remove = async {
        control.remove_rates(parse_id(&id, "account")?).await?;
        Ok((StatusCode::OK, json!(Deleted { deleted: id })))
    };
    respond(remove.await)
}

/// The rates of an account as they are stored now.
async fn shown(control: &Control, account: Uuid) -> Result<Rates, ControlError> {
    let (_, plan) = control.stored_rates(account).await?.ok_or_else(|| no_rates(account))?;
    let rates = plan.rates.ok_or_else(|| no_rates(account))?;
    Ok(Rates { rates: rates.iter().map(Into::into).collect(), changed_at: plan.changed_at })
}
