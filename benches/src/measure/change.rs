//! A change of one trunk, against the create of one: both are durable when they are answered.

use std::time::Duration;

use serde_json::Value;

use super::create;
use super::read::get;
use crate::load::load;
use crate::plan::Plan;
use crate::report::{Row, Target};
use crate::rounds::compare;
use crate::trunk::Trunk;
use crate::{Outcome, seed};

pub(super) const CHANGED: &str = "PATCH of one trunk / durable POST";

pub(super) fn changed(plan: &Plan, name: &'static str) -> Outcome<Row> {
    let trunk = Trunk::start(&seed::database(&plan.work.join("change"), 50)?)?;
    let url = trunk.trunks();
    let (change, create) = (plan.work.join("change.lua"), create::script(plan)?);
    let ids: Vec<String> = ids(&url)?.iter().map(|id| format!("\"{id}\"")).collect();
    std::fs::write(&change, include_str!("change.lua").replace("{ids}", &ids.join(", ")))?;
    load(&url, Duration::from_secs(1), Some(&change))?;
    load(&url, Duration::from_secs(1), Some(&create))?;
    let compared = compare(
        plan.rounds,
        || Ok(load(&url, plan.turn, Some(&change))?.rate),
        || Ok(load(&url, plan.turn, Some(&create))?.rate),
    )?;
    Ok(Row::rates(name, &compared, Target::AtLeast(0.8, 1.0)))
}

/// The ids of the first page of a list.
fn ids(trunks: &str) -> Outcome<Vec<String>> {
    let list: Value = serde_json::from_slice(&get(trunks)?)?;
    let data = list.get("data").and_then(Value::as_array).ok_or("a list has no data")?;
    Ok(data.iter().filter_map(|trunk| Some(trunk.get("id")?.as_str()?.to_owned())).collect())
}
