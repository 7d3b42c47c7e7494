//! The cost of an older version of the API: the same read at that version and at the newest.

use std::path::{Path, PathBuf};

use didww_types::ApiVersion;

use super::read::first;
use super::token::token;
use crate::load::load;
use crate::plan::Plan;
use crate::report::{Row, Target};
use crate::rounds::compare;
use crate::trunk::Trunk;
use crate::{Outcome, seed};

pub(super) const OLDER: &str = "GET at 2021-12-15 / GET at the newest version";
pub(super) const FORMER: &str = "GET at 2026-04-16 / GET at the newest version";

pub(super) fn older(plan: &Plan, name: &'static str) -> Outcome<Row> {
    beside_newest(plan, name, ApiVersion::V2021_12_15)
}

pub(super) fn former(plan: &Plan, name: &'static str) -> Outcome<Row> {
    beside_newest(plan, name, ApiVersion::V2026_04_16)
}

fn beside_newest(plan: &Plan, name: &'static str, version: ApiVersion) -> Outcome<Row> {
    let trunk = Trunk::start(&seed::database(&plan.work, 50)?)?;
    let url = first(&trunk.trunks())?;
    let at = script(&plan.work, &trunk, version)?;
    let newest = script(&plan.work, &trunk, ApiVersion::NEWEST)?;
    load(&url, plan.turn, Some(&at))?;
    load(&url, plan.turn, Some(&newest))?;
    let compared = compare(
        plan.rounds,
        || Ok(load(&url, plan.turn, Some(&at))?.rate),
        || Ok(load(&url, plan.turn, Some(&newest))?.rate),
    )?;
    Ok(Row::rates(name, &compared, Target::AtLeast(0.9, 1.0)))
}

/// A script whose requests have a token for a version: the newest one takes no key, so no side has one.
fn script(work: &Path, trunk: &Trunk, version: ApiVersion) -> Outcome<PathBuf> {
    let path = work.join(format!("at-{version}.lua"));
    let headers = format!(
        "wrk.headers[\"Authorization\"] = \"Bearer {}\"\nwrk.headers[\"Api-Key\"] = nil\n\
         wrk.headers[\"X-DIDWW-API-Version\"] = \"{version}\"\n",
        token(&trunk.base, version.as_str())?
    );
    std::fs::write(&path, headers)?;
    Ok(path)
}
