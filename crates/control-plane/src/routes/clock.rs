//! The routes of the server's clock.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use didww_types::Timestamp;
use http::StatusCode;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use service_base::clock::Clock;

use crate::answers::ClockState;
use crate::respond::{parse_body, respond};
use crate::route::Route;
use crate::{Control, ControlError};

/// The routes of the clock.
pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::get("/clock", "Returns the server's time.", show_clock).answers::<ClockState>(200),
        Route::post("/clock/freeze", "Stops the clock, at a given time or now.", freeze_clock)
            .body::<FreezeBody>()
            .answers::<ClockState>(200)
            .errors(&[422]),
        Route::post("/clock/advance", "Moves the clock forward.", advance_clock)
            .body::<AdvanceBody>()
            .answers::<ClockState>(200)
            .errors(&[422]),
        Route::post("/clock/resume", "Lets the clock run again.", resume_clock).answers::<ClockState>(200),
    ]
}

fn clock_json(control: &Control) -> Value {
    json!(ClockState { now: control.clock().now(), frozen: control.clock().is_frozen() })
}

async fn show_clock(State(control): State<Control>) -> Response {
    respond(Ok((StatusCode::OK, clock_json(&control))))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct FreezeBody {
    at: Option<Timestamp>,
}

async fn freeze_clock(State(control): State<Control>, body: Bytes) -> Response {
    respond(parse_body::<FreezeBody>(&body).and_then(|body| {
        if body.at.is_some_and(|at| !Clock::can_be_set_to(at)) {
            return Err(ControlError::invalid("at", "must be in the years 1970 to 8999"));
        }
        control.clock().freeze(body.at);
        Ok((StatusCode::OK, clock_json(&control)))
    }))
}

/// Maximum number of seconds by which one request advances the clock: 100 years.
const MAX_ADVANCE_SECONDS: u64 = 100 * 365 * 24 * 3600;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct AdvanceBody {
    /// The number of seconds to advance by, at most 100 years.
    #[schemars(range(max = 3_153_600_000_u64))]
    seconds: u64,
}

async fn advance_clock(State(control): State<Control>, body: Bytes) -> Response {
    respond(parse_body::<AdvanceBody>(&body).and_then(|body| {
        if body.seconds > MAX_ADVANCE_SECONDS {
            let message = format!("must be at most {MAX_ADVANCE_SECONDS}, which is 100 years");
            return Err(ControlError::invalid("seconds", message));
        }
        let by = Duration::from_secs(body.seconds);
        if !Clock::can_be_set_to(control.clock().now().after(by)) {
            return Err(ControlError::invalid("seconds", "must not lead beyond the year 8999"));
        }
        control.clock().advance(by);
        Ok((StatusCode::OK, clock_json(&control)))
    }))
}

async fn resume_clock(State(control): State<Control>) -> Response {
    control.clock().resume();
    respond(Ok((StatusCode::OK, clock_json(&control))))
}
