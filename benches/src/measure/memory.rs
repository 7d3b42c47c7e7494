//! Resident memory after a long mixed load.

use super::read::first;
use crate::load::load;
use crate::plan::Plan;
use crate::report::{Row, Target};
use crate::trunk::Trunk;
use crate::{Outcome, seed};

pub(crate) fn resident(plan: &Plan, name: &'static str) -> Outcome<Row> {
    let trunk = Trunk::start(&seed::database(&plan.work.join("memory"), 50)?)?;
    let url = first(&trunk.trunks())?;
    let idle = trunk.resident()?;
    let requests = mixed_load(plan, &url)?;
    let loaded = trunk.resident()?;
    Ok(Row {
        name,
        ours: format!("{loaded:.1} MB after {requests} requests"),
        reference: format!("{idle:.1} MB before"),
        figure: loaded,
        spread: None,
        unit: " MB",
        target: Target::AtMost(24.0, 16.0),
    })
}

/// Requests a trunk, the list, and creates of trunks, until the plan's number of requests is answered. Returns how many
/// were.
pub(crate) fn mixed_load(plan: &Plan, url: &str) -> Outcome<u64> {
    let script = plan.work.join("mixed.lua");
    std::fs::write(&script, include_str!("mixed.lua"))?;
    let mut requests = 0;
    while requests < plan.requests {
        let turn = load(url, plan.turn, Some(&script))?;
        if turn.requests == 0 {
            return Err("the server answers no more".into());
        }
        requests += turn.requests;
    }
    Ok(requests)
}
