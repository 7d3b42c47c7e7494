//! The cost of an open page of the console for an idle server.

use std::time::Duration;

use crate::Outcome;
use crate::controlled::Controlled;
use crate::plan::Plan;
use crate::processor::seconds;
use crate::report::{Row, Target};
use crate::stopwatch::Stopwatch;

pub(super) const IDLE: &str = "idle console with one open page, processor time in a minute";

/// The paths that the page reads when it is opened, besides the accounts' trunks.
const OPENED: [&str; 5] =
    ["/accounts", "/calls/active", "/calls/counts", "/calls?limit=1000", "/deliveries?limit=1"];

pub(super) fn idle(plan: &Plan, name: &'static str) -> Outcome<Row> {
    let time = if plan.quick { Duration::from_secs(10) } else { Duration::from_mins(1) };
    let server = Controlled::start(&plan.work.join("console.db"), "127.0.0.1:0", &[])?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let without = used(&server, time / 2, || {
        std::thread::sleep(time / 2);
        Ok(())
    })?;
    let (with, events) = runtime.block_on(async {
        let client = reqwest::Client::new();
        let mut stream = client.get(format!("{}/events", server.control)).send().await?.error_for_status()?;
        // The first event comes at once, and says that the subscription has begun.
        stream.chunk().await?.ok_or("the stream of events ended")?;
        for path in OPENED {
            let url = format!("{}{path}", server.control);
            client.get(url).send().await?.error_for_status()?.bytes().await?;
        }
        let (before, watch, mut events) = (seconds(server.process())?, Stopwatch::start(), 0);
        loop {
            let left = time.saturating_sub(watch.elapsed());
            match tokio::time::timeout(left, stream.chunk()).await {
                Ok(chunk) => chunk?.ok_or("the stream of events ended")?,
                Err(_time_is_over) => break,
            };
            events += 1;
        }
        Outcome::Ok((seconds(server.process())? - before, events))
    })?;
    let minutes = time.as_secs_f64() / 60.0;
    Ok(Row {
        name,
        ours: format!("{with:.2} s and {events} events in {} s", time.as_secs()),
        reference: format!("{:.2} s in a minute without", without * 2.0 / minutes),
        figure: with / minutes,
        spread: None,
        unit: " s",
        target: Target::AtMost(0.6, 0.3),
    })
}

/// Processor time that the server uses meanwhile, in seconds.
fn used(server: &Controlled, settled: Duration, meanwhile: impl FnOnce() -> Outcome<()>) -> Outcome<f64> {
    // The work that follows the start has ended by then.
    std::thread::sleep(settled.min(Duration::from_secs(3)));
    let before = seconds(server.process())?;
    meanwhile()?;
    Ok(seconds(server.process())? - before)
}
