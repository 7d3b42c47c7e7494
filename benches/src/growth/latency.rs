//! Latency against load, up to twice what the server can serve.

use crate::Outcome;
use crate::chart::Series;
use crate::measure::{CONNECTIONS, creates, first};
use crate::open_load::{Pace, Requests};
use crate::plan::Plan;
use crate::rounds::median;
use crate::seed;
use crate::trunk::Trunk;

/// The load as a share of the peak.
const SHARES: [f64; 9] = [0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.2, 1.5, 2.0];

/// The median and the 99.9th percentile of two kinds of requests, in milliseconds.
pub(super) fn of_load(plan: &Plan) -> Outcome<Vec<Series>> {
    let trunk = Trunk::start(&seed::database(&plan.work.join("latency"), 50)?)?;
    let one = first(&trunk.trunks())?;
    let path = one.strip_prefix(trunk.base.trim_end_matches("/v3")).ok_or("a trunk has another host")?;
    let path = path.to_owned();
    let gets = Requests::of(&trunk.base, move |_| ("GET", path.clone(), String::new()))?;
    let mut lines = Vec::new();
    for (names, requests) in [
        (["GET of one trunk, median", "GET of one trunk, 99.9 %"], gets),
        (["durable POST, median", "durable POST, 99.9 %"], creates(&trunk)?),
    ] {
        let peaks = (0..3).map(|_| requests.send(CONNECTIONS, Pace::Closed, plan.turn).map(|load| load.rate));
        let peak = median(peaks.collect::<Outcome<Vec<f64>>>()?);
        let [mut middle, mut late] = names.map(|name| Series { name, points: Vec::new() });
        for share in SHARES {
            eprintln!("{}: {share} of {peak:.0}/s …", middle.name);
            let answered = requests.send(CONNECTIONS, Pace::Open(peak * share), plan.turn * 2)?;
            middle.points.push((share, answered.within((1, 2))));
            late.points.push((share, answered.within((999, 1_000))));
        }
        lines.extend([middle, late]);
    }
    Ok(lines)
}
