//! The time of a request with a large database, against a small one.

use reqwest::Client;
use tokio::runtime::{Builder, Runtime};

use crate::Outcome;
use crate::plan::Plan;
use crate::report::{Row, Target};
use crate::rounds::{compare, median};
use crate::seed;
use crate::stopwatch::Stopwatch;
use crate::trunk::{KEY, Trunk, VERSION};

/// Requests in a turn.
const REQUESTS_PER_TURN: u64 = 200;

pub(crate) fn first_page(plan: &Plan, name: &'static str) -> Outcome<Row> {
    beside(plan, name, |_, _| String::new(), Target::AtMost(1.5, 1.1))
}

pub(crate) fn by_name(plan: &Plan, name: &'static str) -> Outcome<Row> {
    // Each request filters by another name, spread over the whole index.
    let query =
        |records: u64, request: u64| format!("?filter[name]={}", seed::name(request * 7_919 % records));
    beside(plan, name, query, Target::AtMost(1.2, 1.1))
}

fn beside(plan: &Plan, name: &'static str, query: fn(u64, u64) -> String, target: Target) -> Outcome<Row> {
    let (small, large) = plan.records;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let servers = [large, small]
        .map(|records| seed::database(&plan.work, records).and_then(|file| Trunk::start(&file)));
    let [with_large, with_small] = servers;
    let (with_large, with_small) = (with_large?, with_small?);
    let client = Client::new();
    let turn = |trunk: &Trunk, records: u64| {
        median_of(&runtime, &client, &trunk.trunks(), |request| query(records, request))
    };
    turn(&with_large, large)?;
    turn(&with_small, small)?;
    let compared = compare(plan.rounds * 2, || turn(&with_large, large), || turn(&with_small, small))?;
    Ok(Row::times(name, &compared, 0, target))
}

/// The median time of a request, in seconds.
fn median_of(runtime: &Runtime, client: &Client, url: &str, query: impl Fn(u64) -> String) -> Outcome<f64> {
    let mut times = Vec::new();
    for request in 0..REQUESTS_PER_TURN {
        let url = format!("{url}{}", query(request));
        let watch = Stopwatch::start();
        let size = runtime.block_on(async {
            let request = client.get(&url).header("Api-Key", KEY).header("X-DIDWW-API-Version", VERSION);
            request.send().await?.error_for_status()?.bytes().await.map(|body| body.len())
        })?;
        times.push(watch.seconds());
        if size < 1_000 {
            return Err(format!("{url} found nothing").into());
        }
    }
    Ok(median(times))
}
