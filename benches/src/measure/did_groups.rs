//! The list of groups of numbers with includes and filters, against a bare answer of the same bytes.

use super::read::{beside_bare, get};
use crate::Outcome;
use crate::controlled::Controlled;
use crate::plan::Plan;
use crate::postgres::rows_read;
use crate::report::{Row, Target};
use crate::stock::{self, Kind, id};

pub(super) const LIST: &str = "list of 50 of 10,000 DID groups, three includes, two filters / bare axum";

/// Number of groups.
const GROUPS: u64 = 10_000;
/// Number of requests of which the rows are counted.
const COUNTED: u32 = 100;

pub(super) fn list(plan: &Plan, name: &'static str) -> Outcome<Row> {
    let file = stock::groups(&plan.work, GROUPS)?;
    let file = file.display().to_string();
    let arguments = ["--reference-data", file.as_str()];
    let query = format!(
        "/did_groups?filter[country.id]={}&filter[features]=voice_out&include=country,city,stock_keeping_units",
        id(Kind::Country, 3)
    );
    let server = Controlled::start(&plan.work.join("did-groups.db"), "off", &arguments)?;
    let url = format!("{}{query}", server.base);
    let found: serde_json::Value = serde_json::from_slice(&get(&url)?)?;
    let count = |name: &str| found.get(name).and_then(serde_json::Value::as_array).map_or(0, Vec::len);
    if count("data") != 50 || count("included") < 3 {
        return Err(format!("{url} found {} groups with {} records", count("data"), count("included")).into());
    }
    let row = beside_bare(plan, name, &url, Target::Reported)?;
    drop(server);
    let rows = rows_read(&arguments, |_| Ok(()), COUNTED, |server, _| server.get(&query).map(drop))?;
    let ours =
        format!("{}, {rows:.0} rows read on PostgreSQL for {} records", row.ours, 50 + count("included"));
    Ok(Row { ours, ..row })
}
