//! Metrics of the server itself: its uptime, its store, its events and its jobs.

use service_core::Core;
use service_core::counts::Tries;
use trunk_store::{Load, StoreError, WriteHealth};

use crate::catalogue::{
    BUILD, DELIVERIES, EVENTS_DROPPED, EVENTS_WAITING, JOBS, NODES, READY, START_TIME, STORE_AWAY,
    STORE_COMMITS, STORE_READS_RUNNING, STORE_READS_WAITING, STORE_WAITING, STORE_WRITABLE, UPTIME,
};
use crate::scrape::Scrape;
use crate::values::{STORE_TIMEOUT, count, number};

pub(crate) async fn read(core: &Core, version: &'static str, scrape: &mut Scrape) {
    let uptime = core.clock.stopwatch();
    scrape.add(&BUILD, &[version], 1.0);
    scrape.set(&UPTIME, uptime.as_secs_f64());
    scrape.set(&START_TIME, core.clock.started().as_secs_f64());
    scrape.set(&READY, f64::from(u8::from(core.is_ready())));

    for (kind, counter) in [("callback", &core.counts.callbacks), ("webhook", &core.counts.webhooks)] {
        let Tries { done, failed } = counter.read();
        scrape.add(&DELIVERIES, &[kind, "delivered"], count(done));
        scrape.add(&DELIVERIES, &[kind, "failed"], count(failed));
    }
    for (kind, Tries { done, failed }) in core.counts.jobs() {
        scrape.add(&JOBS, &[kind, "done"], count(done));
        scrape.add(&JOBS, &[kind, "failed"], count(failed));
    }

    let Load { waiting, commits, reads_waiting, reads_running, .. } = core.store.load();
    scrape.set(&STORE_WAITING, count(waiting));
    scrape.set(&STORE_COMMITS, count(commits));
    scrape.set(&STORE_READS_WAITING, count(reads_waiting));
    scrape.set(&STORE_READS_RUNNING, count(reads_running));
    let (is_writable, is_away) = {
        let health = core.store.write_health();
        let health = health.borrow();
        (*health == WriteHealth::Writable, *health == WriteHealth::Away)
    };
    scrape.set(&STORE_WRITABLE, f64::from(u8::from(is_writable)));
    scrape.set(&STORE_AWAY, f64::from(u8::from(is_away)));

    match in_time(core.store.backlog(None)).await {
        Some(backlog) => {
            scrape.set(&EVENTS_WAITING, count(backlog.waiting));
            scrape.set(&EVENTS_DROPPED, count(backlog.dropped));
        }
        None => scrape.miss(),
    }
    if !core.store.is_shared() {
        scrape.set(&NODES, 1.0);
    } else if let Some(nodes) = in_time(core.store.nodes()).await {
        scrape.set(&NODES, number(nodes.iter().filter(|node| node.heir.is_none()).count()));
    } else {
        scrape.miss();
    }
}

/// The result of a query to the database; `None` if it fails or takes longer than [`STORE_TIMEOUT`].
pub(crate) async fn in_time<T>(query: impl Future<Output = Result<T, StoreError>>) -> Option<T> {
    match tokio::time::timeout(STORE_TIMEOUT, query).await {
        Ok(Ok(answer)) => Some(answer),
        Ok(Err(error)) => {
            tracing::debug!(%error, "a part of the metrics could not be read");
            None
        }
        Err(_) => None,
    }
}
