//! Injected faults: their methods and their routes.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;
use lab::{Fault, FaultState};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use crate::respond::{parse_body, respond};
use crate::route::Route;
use crate::{Control, ControlError};

impl Control {
    /// Sets a fault of this node, after those that are set. A request is affected by the first fault that applies to
    /// it.
    ///
    /// # Errors
    /// If it is not valid, or 100 are set.
    pub fn add_fault(&self, fault: Fault) -> Result<FaultState, ControlError> {
        let added = self.lab.faults().add(fault);
        let id = added.map_err(|error| ControlError::invalid(error.field, error.message))?;
        self.fault(id)
    }

    /// Returns the faults of this node with the number of requests that each affected, the oldest first.
    pub fn faults(&self) -> Vec<FaultState> {
        self.lab.faults().list()
    }

    /// Returns one fault.
    ///
    /// # Errors
    /// If there is none with this number.
    pub fn fault(&self, id: u64) -> Result<FaultState, ControlError> {
        self.lab.faults().get(id).ok_or_else(|| absent(id))
    }

    /// Removes a fault, and returns its last state.
    ///
    /// # Errors
    /// If there is none with this number.
    pub fn remove_fault(&self, id: u64) -> Result<FaultState, ControlError> {
        self.lab.faults().remove(id).ok_or_else(|| absent(id))
    }

    /// Removes all faults, and returns their number.
    pub fn remove_faults(&self) -> usize {
        self.lab.faults().clear()
    }
}

fn absent(id: impl std::fmt::Display) -> ControlError {
    ControlError::NotFound(format!("fault {id}"))
}

/// The routes of faults.
pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::post("/faults", "Sets a fault.", add_fault)
            .body::<Fault>()
            .answers::<FaultState>(201)
            .errors(&[422]),
        Route::get("/faults", "Lists the faults with what each of them took.", list_faults)
            .answers::<FaultList>(200),
        Route::get("/faults/{fault}", "Returns a fault with what it took.", show_fault)
            .text_parameter("fault")
            .answers::<FaultState>(200)
            .errors(&[404]),
        Route::delete("/faults/{fault}", "Removes a fault.", remove_fault)
            .text_parameter("fault")
            .answers::<FaultState>(200)
            .errors(&[404]),
        Route::delete("/faults", "Removes all faults.", remove_faults).answers::<RemovedFaults>(200),
    ]
}

/// The faults that are set, the oldest first.
#[derive(Serialize, JsonSchema)]
struct FaultList {
    faults: Vec<FaultState>,
}

/// The number of removed faults.
#[derive(Serialize, JsonSchema)]
struct RemovedFaults {
    removed: usize,
}

async fn add_fault(State(control): State<Control>, body: Bytes) -> Response {
    let added = parse_body::<Fault>(&body).and_then(|fault| control.add_fault(fault));
    respond(added.map(|state| (StatusCode::CREATED, json!(state))))
}

async fn list_faults(State(control): State<Control>) -> Response {
    respond(Ok((StatusCode::OK, json!(FaultList { faults: control.faults() }))))
}

async fn show_fault(State(control): State<Control>, Path(id): Path<String>) -> Response {
    respond(number(&id).and_then(|id| control.fault(id)).map(|state| (StatusCode::OK, json!(state))))
}

async fn remove_fault(State(control): State<Control>, Path(id): Path<String>) -> Response {
    respond(number(&id).and_then(|id| control.remove_fault(id)).map(|state| (StatusCode::OK, json!(state))))
}

async fn remove_faults(State(control): State<Control>) -> Response {
    respond(Ok((StatusCode::OK, json!(RemovedFaults { removed: control.remove_faults() }))))
}

/// The number of a fault in a path.
fn number(text: &str) -> Result<u64, ControlError> {
    text.parse().map_err(|_| absent(text))
}
