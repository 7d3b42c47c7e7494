//! The requests of a listener.

use http_listener::{DURATION_BOUNDS, RequestCounts};

use crate::catalogue::{REQUEST_DURATION, REQUESTS};
use crate::scrape::Scrape;
use crate::values::count;

pub(crate) fn read(counts: &RequestCounts, scrape: &mut Scrape) {
    let listener = counts.listener();
    for of_route in counts.routes() {
        for (method, status, requests) in &of_route.requests {
            scrape.add(&REQUESTS, &[listener, of_route.route, method, status], count(*requests));
        }
        let bounds = DURATION_BOUNDS.iter().map(|micros| count(*micros) / 1e6).chain([f64::INFINITY]);
        let bounds = bounds.zip(of_route.durations).collect();
        scrape.add_durations(
            &REQUEST_DURATION,
            &[listener, of_route.route],
            bounds,
            of_route.total.as_secs_f64(),
        );
    }
}
