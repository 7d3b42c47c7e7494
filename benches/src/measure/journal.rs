//! The cost of a journal and metrics for a request: the same read, with both and without.

use crate::load::load;
use crate::plan::Plan;
use crate::report::{Row, Target};
use crate::rounds::compare;
use crate::trunk::Trunk;
use crate::{Outcome, seed};

use super::read::{first, warm_up};

/// The name of the row.
pub(super) const READ: &str = "GET with metrics and journal / GET without";

pub(super) fn read(run: &Plan, name: &'static str) -> Outcome<Row> {
    let further = ["--journal", "1000", "--metrics-listen", "127.0.0.1:0"];
    let with = Trunk::with(&seed::database(&run.work.join("journal"), 50)?, &further)?;
    let without = Trunk::start(&seed::database(&run.work, 50)?)?;
    let (url, plain) = (first(&with.trunks())?, first(&without.trunks())?);
    warm_up(&url)?;
    warm_up(&plain)?;
    let turn = |url: &str| Ok(load(url, run.turn, None)?.rate);
    let compared = compare(run.rounds, || turn(&url), || turn(&plain))?;
    Ok(Row::rates(name, &compared, Target::AtLeast(0.95, 1.0)))
}
