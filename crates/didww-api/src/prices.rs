//! The price services: look-ups of prices, and the price files, at hosts of their own.
//!
//! A request has an access token for its service; scope and version of the token make no difference. The plans are
//! those of the configuration and of the table that rates calls. They are the same for every account and do not change
//! while the server runs, except those of outbound calls that single accounts have of their own.
//!
//! A look-up reads the whole plan once, which the operator wrote. A file is compressed when it is first requested.

mod file;
mod own_plans;
mod plan;
mod query;
pub(crate) mod services;
mod target;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use didww_types::prices::{PRICES, PriceRow};
use didww_types::{ErrorCode, Timestamp};
use http::request::Parts;
use http::{Method, Request, StatusCode};
use http_listener::{Exchange, cors};
use serde::Serialize;
use trunk_rules::prices;

use crate::authentication::authenticate_for_prices;
use crate::headers::{self, REQUEST_IDS};
use crate::jsonapi::ApiError;
use crate::negotiate;
use crate::prices::file::PriceFile;
use crate::prices::plan::Plan;
use crate::prices::query::{Accepted, Filters};
use crate::prices::target::Target;
use crate::refused::refused;
use crate::state::Api;

pub(crate) use services::PriceService;
pub(crate) use target::{Domain, domains};

/// The number of seconds after which a file that could not be served may be requested again.
const SERVING_PAUSE: u64 = 60;

/// The filters of look-ups of inbound calls.
const OF_VOICE_IN: Accepted =
    Accepted { number: "number", country: Some("src_country_iso"), by_number: true };
/// The filters of look-ups of outbound calls.
const OF_VOICE_OUT: Accepted = Accepted { number: "number", country: None, by_number: true };
/// The filters of look-ups of text messages.
const OF_SMS: Accepted =
    Accepted { number: "dst_number", country: Some("dst_country_iso"), by_number: false };

/// The filters of the look-ups of a plan.
pub(crate) const fn accepted(domain: Domain) -> &'static Accepted {
    match domain {
        Domain::VoiceIn => &OF_VOICE_IN,
        Domain::VoiceOut => &OF_VOICE_OUT,
        Domain::SmsOut(_) | Domain::SmsIn => &OF_SMS,
    }
}

/// The answer to a request.
enum Answer {
    /// Nothing, for a preflight of a browser.
    Empty,
    /// The prices of a look-up.
    Document(String),
    /// A file, and when the plan was assigned to the account.
    File(PriceFile, Timestamp),
}

/// Builds the router of a price service with a listener of its own.
pub fn price_router(api: Arc<Api>, service: PriceService) -> Router {
    Router::new().fallback(handle).with_state((api, service))
}

async fn handle(State((api, service)): State<(Arc<Api>, PriceService)>, request: Request<Body>) -> Response {
    respond(&api, service, request).await
}

/// The templates of the paths that a price service serves, for its metrics.
pub fn price_paths() -> Vec<String> {
    target::paths()
}

/// Serves a request to a price service and logs its outcome. A request at its own listener that names another host than
/// the configured one receives 404.
pub(crate) async fn respond(api: &Arc<Api>, service: PriceService, request: Request<Body>) -> Response {
    let is_elsewhere = !api.prices.takes(service, &request);
    let (exchange, _body) = Exchange::begin(request, &api.core, &REQUEST_IDS);
    let parts = &exchange.parts;
    let outcome = if is_elsewhere {
        Err(ApiError::no_path("the request names another host than that of the price service"))
    } else if cors::is_preflight(parts) && Target::parse(service, parts.uri.path()).is_some() {
        Ok(Answer::Empty)
    } else {
        exchange.run(Box::pin(serve(api, service, parts))).await
    };
    let runtime = exchange.runtime(&api.core);
    let (method, path, request_id) = (&parts.method, parts.uri.path(), &exchange.request_id);
    let mut response = match outcome {
        Ok(answer) => {
            tracing::debug!(%method, path, ?service, request_id, ?runtime, "request for prices");
            match answer {
                Answer::Empty => headers::respond(StatusCode::OK, Bytes::new(), parts, runtime),
                Answer::Document(text) => headers::respond(StatusCode::OK, Bytes::from(text), parts, runtime),
                Answer::File(file, assigned_at) => file.respond(assigned_at, parts, runtime),
            }
        }
        Err(error) => refused(api, &exchange, runtime, &error),
    };
    cors::allow_origin(parts, &mut response);
    exchange.finish(response)
}

async fn serve(api: &Api, service: PriceService, parts: &Parts) -> Result<Answer, ApiError> {
    let is_read = matches!(parts.method, Method::GET | Method::HEAD);
    let target = Target::parse(service, parts.uri.path()).filter(|_| is_read);
    let no_path = || ApiError::no_path("the price service has no such path, or not with this method");
    let target = target.ok_or_else(no_path)?;
    let account = authenticate_for_prices(api, parts, service.audience()).await?;
    let services = &api.prices;
    // A plan is assigned to an account from its creation on.
    let call = Call { assigned_at: account.created_at, parts };
    let filters = accepted(target.domain);
    match target.domain {
        Domain::VoiceIn if target.is_file => call.file(services.voice_in.as_ref()).await,
        Domain::VoiceIn => call.look_up(services.voice_in.as_ref(), filters, |plan, filters| {
            prices::voice_in(plan, filters.number.as_deref().unwrap_or_default(), filters.country)
        }),
        Domain::VoiceOut => {
            let own = api.core.price_plans.of(account.number);
            let found = services.voice_out_of(&account, own).await;
            let (plan, assigned_at) = found.map_err(|error| ApiError::internal(error.to_string()))?;
            let call = Call { assigned_at, ..call };
            if target.is_file {
                return call.file(plan.as_ref()).await;
            }
            call.look_up(plan.as_ref(), filters, |plan, filters| {
                prices::voice_out(plan, filters.number.as_deref().unwrap_or_default())
            })
        }
        Domain::SmsOut(traffic) if target.is_file => call.file(services.sms_out(traffic)).await,
        Domain::SmsOut(traffic) => call.look_up(services.sms_out(traffic), filters, |plan, filters| {
            prices::sms_out(plan, filters.number.as_deref(), filters.country)
        }),
        Domain::SmsIn if target.is_file => call.file(services.sms_in.as_ref()).await,
        Domain::SmsIn => call.look_up(services.sms_in.as_ref(), filters, |plan, filters| {
            prices::sms_in(plan, filters.number.as_deref(), filters.country)
        }),
    }
}

/// A request whose sender is known.
struct Call<'a> {
    assigned_at: Timestamp,
    parts: &'a Parts,
}

impl Call<'_> {
    async fn file<P: PriceRow + Send + Sync + 'static>(
        &self,
        plan: Option<&Arc<Plan<P>>>,
    ) -> Result<Answer, ApiError> {
        let plan = plan.ok_or_else(no_plan)?;
        let file = plan.file().await.map_err(|error| ApiError::internal(error.to_string()))?;
        if file.content.is_none() {
            return Err(serving_failure());
        }
        Ok(Answer::File(file, self.assigned_at))
    }

    fn look_up<P: Serialize>(
        &self,
        plan: Option<&Arc<Plan<P>>>,
        accepted: &Accepted,
        find: impl Fn(&[P], &Filters) -> Vec<usize>,
    ) -> Result<Answer, ApiError> {
        negotiate::accept(&self.parts.headers)?;
        let filters = query::read(self.parts.uri.query().unwrap_or_default(), accepted)?;
        let plan = plan.ok_or_else(no_plan)?;
        let places = find(&plan.prices, &filters);
        if places.is_empty() {
            return Err(no_price());
        }
        document(plan, &places).map(Answer::Document)
    }
}

/// Renders the prices at these places of a plan.
fn document<P: Serialize>(plan: &Plan<P>, places: &[usize]) -> Result<String, ApiError> {
    #[derive(Serialize)]
    struct Row<'a, P> {
        id: String,
        #[serde(rename = "type")]
        kind: &'static str,
        attributes: &'a P,
    }
    #[derive(Serialize)]
    struct Meta {
        total_records: usize,
    }
    #[derive(Serialize)]
    struct Document<'a, P> {
        data: Vec<Row<'a, P>>,
        meta: Meta,
    }
    let row = |place: &usize| {
        let (id, attributes) = (plan.ids.get(*place)?, plan.prices.get(*place)?);
        Some(Row { id: id.to_string(), kind: PRICES, attributes })
    };
    let data: Vec<Row<'_, P>> = places.iter().filter_map(row).collect();
    let document = Document { meta: Meta { total_records: data.len() }, data };
    serde_json::to_string(&document).map_err(|error| ApiError::internal(error.to_string()))
}

/// 404: there is no plan of this kind.
fn no_plan() -> ApiError {
    let text = "No price plan is assigned to the account.";
    ApiError::new(ErrorCode::PricePlanNotAssigned, "Price plan not assigned", text)
}

/// 404: the plan covers neither the number nor the country.
fn no_price() -> ApiError {
    ApiError::new(ErrorCode::PriceNotFound, "Price not found", "The price plan has no price for the request.")
}

/// 503: the file could not be made.
fn serving_failure() -> ApiError {
    let text = "The price file cannot be served now.";
    let error = ApiError::new(ErrorCode::ServingFailure, "Serving failure", text);
    ApiError { retry_after: Some(SERVING_PAUSE), ..error.because("the price file could not be compressed") }
}

#[cfg(test)]
mod tests {
    use didww_types::prices::SmsInPrice;
    use didww_types::values::Money;

    use super::*;

    #[test]
    fn a_document_has_ids_types_attributes_and_their_number_and_nothing_else() {
        let price = SmsInPrice {
            source_prefix: None,
            source_number_length_min: 1,
            source_number_length_max: 15,
            destination_prefix: Some("44".to_owned()),
            destination_number_length_min: 12,
            destination_number_length_max: 12,
            country: Some("United Kingdom".to_owned()),
            price: Money::default(),
        };
        let at = Timestamp::from_unix_millis(0);
        let plan = Plan::new("a.csv.gz", vec![price], |_| "key".to_owned(), at).unwrap();
        let expected = format!(
            "{{\"data\":[{{\"id\":\"{}\",\"type\":\"prices\",\"attributes\":{{\"source_prefix\":null,\
             \"source_number_length_min\":1,\"source_number_length_max\":15,\"destination_prefix\":\"44\",\
             \"destination_number_length_min\":12,\"destination_number_length_max\":12,\
             \"country\":\"United Kingdom\",\"price\":\"0.0\"}}}}],\"meta\":{{\"total_records\":1}}}}",
            plan.ids[0]
        );
        assert_eq!(document(&plan, &[0]).unwrap(), expected);
    }

    #[test]
    fn a_file_that_could_not_be_made_is_answered_503_with_a_pause() {
        let error = serving_failure();
        assert_eq!((error.status(), error.retry_after), (StatusCode::SERVICE_UNAVAILABLE, Some(60)));
        assert!(error.body().contains("\"code\":\"serving_failure\""), "{}", error.body());
    }
}
