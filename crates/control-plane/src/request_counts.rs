//! The numbers and durations of the requests that the listeners answered.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use http_listener::{DURATION_BOUNDS, RequestCounts, RouteCounts};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use crate::respond::respond;
use crate::route::Route;
use crate::{Control, ControlError};

/// The requests of one listener since it started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct ListenerCounts {
    /// The listener: `api`, `control`, `tokens`, `voice_in_prices`, `voice_out_prices` or `sms_prices`.
    pub listener: String,
    /// The routes that had requests.
    pub routes: Vec<CountedRoute>,
}

/// The requests of one route.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct CountedRoute {
    /// The route, such as `/v3/dids/{id}`, or `other` for all other paths.
    pub route: String,
    /// The numbers of requests by method and class of status.
    pub requests: Vec<CountedRequests>,
    /// Number of requests that took at most as long as the bound at the same place and longer than the one before; the
    /// last one has no bound.
    pub durations: Vec<u64>,
    /// The sum of all durations, in microseconds.
    pub total_us: u64,
}

/// The requests of a route with one method and one class of statuses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct CountedRequests {
    /// The HTTP method, or `other` for uncommon ones.
    pub method: String,
    /// The class of the status, such as `2xx`.
    pub status: String,
    /// Number of requests since the start.
    pub count: u64,
}

impl CountedRoute {
    fn new(counts: RouteCounts<'_>) -> Self {
        let requests = counts.requests.into_iter().map(|(method, status, count)| CountedRequests {
            method: method.to_owned(),
            status: status.to_owned(),
            count,
        });
        Self {
            route: counts.route.to_owned(),
            requests: requests.collect(),
            durations: counts.durations,
            total_us: u64::try_from(counts.total.as_micros()).unwrap_or(u64::MAX),
        }
    }
}

impl Control {
    /// Sets the counted requests of the listeners; by default there are none.
    #[must_use]
    pub fn with_request_counts(mut self, counts: Vec<Arc<RequestCounts>>) -> Self {
        self.request_counts = counts;
        self
    }

    /// Returns the requests of each listener since the start, with their durations: the time from the end of a
    /// request's headers until its response is made. Those of the listener for metrics are not counted.
    ///
    /// # Errors
    /// If the server counts none.
    pub fn request_counts(&self) -> Result<Vec<ListenerCounts>, ControlError> {
        if self.request_counts.is_empty() {
            return Err(ControlError::NotFound("count of requests".to_owned()));
        }
        let of_listener = |counts: &Arc<RequestCounts>| ListenerCounts {
            listener: counts.listener().to_owned(),
            routes: counts.routes().map(CountedRoute::new).collect(),
        };
        Ok(self.request_counts.iter().map(of_listener).collect())
    }
}

/// The routes of the counts.
pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::get(
            "/request_counts",
            "Counts the requests and their durations since the start.",
            show_counts,
        )
        .answers::<Counted>(200)
        .errors(&[404]),
    ]
}

/// The requests since the start.
#[derive(Serialize, JsonSchema)]
struct Counted {
    /// The upper bounds of the durations, in microseconds, ascending.
    bounds_us: Vec<u64>,
    listeners: Vec<ListenerCounts>,
}

async fn show_counts(State(control): State<Control>) -> Response {
    let counts = control.request_counts();
    respond(
        counts.map(|listeners| {
            (StatusCode::OK, json!(Counted { bounds_us: DURATION_BOUNDS.to_vec(), listeners }))
        }),
    )
}
