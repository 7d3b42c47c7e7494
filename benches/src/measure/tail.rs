//! The slowest creates under an open load near the peak.

use std::sync::atomic::{AtomicU64, Ordering};

use super::read::warm_up;
use crate::open_load::{Pace, Requests};
use crate::plan::Plan;
use crate::report::{Row, Target};
use crate::rounds::{median, spread};
use crate::trunk::Trunk;
use crate::{Outcome, seed};

pub(super) const TAIL: &str =
    "durable POST, 512 connections, open load at 80 % of the peak, 99.9th percentile";

/// Number of connections.
pub(crate) const CONNECTIONS: usize = 512;
/// The load as a share of the peak.
const SHARE: f64 = 0.8;

pub(super) fn tail(plan: &Plan, name: &'static str) -> Outcome<Row> {
    let trunk = Trunk::start(&seed::database(&plan.work.join("tail"), 50)?)?;
    warm_up(&trunk.trunks())?;
    let creates = creates(&trunk)?;
    creates.send(CONNECTIONS, Pace::Closed, plan.turn)?;
    // Long enough that a thousandth of the requests is many.
    let turn = if plan.quick { plan.turn } else { plan.turn * 5 };
    let (mut peaks, mut rates, mut middles, mut tails) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..plan.rounds {
        let peak = creates.send(CONNECTIONS, Pace::Closed, plan.turn)?.rate;
        let answered = creates.send(CONNECTIONS, Pace::Open(peak * SHARE), turn)?;
        peaks.push(peak);
        rates.push(answered.rate);
        middles.push(answered.within((1, 2)));
        tails.push(answered.within((999, 1_000)));
    }
    let spread = spread(&tails);
    let figure = median(tails);
    Ok(Row {
        name,
        ours: format!("{figure:.1} ms at {:.0}/s, median {:.1} ms", median(rates), median(middles)),
        reference: format!("peak {:.0}/s", median(peaks)),
        figure,
        spread: Some(spread),
        unit: " ms",
        target: Target::AtMost(50.0, 20.0),
    })
}

/// Requests that each create a trunk. Its name is new, because names are unique within the account.
pub(crate) fn creates(trunk: &Trunk) -> Outcome<Requests> {
    let made = AtomicU64::new(0);
    Requests::of(&trunk.base, move |_| {
        let name = format!("made {}", made.fetch_add(1, Ordering::Relaxed));
        ("POST", "/v3/voice_out_trunks".to_owned(), seed::body(&name))
    })
}
