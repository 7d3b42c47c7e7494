//! The cost of a first build of the SDK. The step `--build` measures the server's too, which takes much longer.

use crate::Outcome;
use crate::first_build;
use crate::plan::Plan;
use crate::report::Row;

pub(super) fn client(plan: &Plan, _name: &'static str) -> Outcome<Row> {
    first_build::client(plan)
}

pub(super) fn client_crates(_plan: &Plan, _name: &'static str) -> Outcome<Row> {
    first_build::client_crates()
}
