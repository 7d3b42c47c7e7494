//! Counts the requests of a listener and their durations, by route, method and class of status.
//!
//! The routes are those of the listener, and a path that is none of them counts as `other`: no client can add
//! one. Counting takes no lock. Each thread adds to one of [`SHARDS`] sets of counters, so that threads do not contend
//! for them; a reader adds the sets up. There are hundreds of routes, of which few are ever requested, so a set has the
//! counters of a route from its first request on.

mod routes;

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{LazyLock, OnceLock};
use std::time::Duration;

use http::{Method, StatusCode};

use routes::Routes;

/// The name of all paths outside the declared routes, and of methods without a name of their own.
pub(crate) const OTHER: &str = "other";

/// Upper bounds of the ranges in which durations are counted, in microseconds. Longer ones are counted after the last.
pub const DURATION_BOUNDS: [u64; 14] = [
    500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
    5_000_000, 10_000_000,
];

/// The methods that are counted apart.
const METHODS: [&str; 8] = ["GET", "POST", "PATCH", "PUT", "DELETE", "OPTIONS", "HEAD", OTHER];
/// The classes of statuses, by the first digit of a status.
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];
/// Counters of a route's requests: one for each method and class.
const REQUESTS: usize = METHODS.len() * CLASSES.len();
/// Sets of counters. More threads than these share them.
const SHARDS: usize = 8;
/// Counters of a route's durations: one for each bound, one for longer ones, and the sum in microseconds.
const DURATIONS: usize = DURATION_BOUNDS.len() + 2;

/// The requests of one listener since it started.
#[derive(Debug)]
pub struct RequestCounts {
    listener: &'static str,
    /// Made when they are first needed, so that a start does not wait for them.
    routes: LazyLock<Routes, MakeRoutes>,
    shards: [OnceLock<Shard>; SHARDS],
}

type MakeRoutes = Box<dyn FnOnce() -> Routes + Send>;

/// A declared route, or that of all other paths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Route(usize);

/// The counters of each route.
type Shard = Box<[OnceLock<Box<Counters>>]>;

/// The counters of a route.
#[derive(Debug)]
struct Counters {
    /// By method and class.
    requests: [AtomicU64; REQUESTS],
    durations: [AtomicU64; DURATIONS],
}

impl Counters {
    fn new() -> Self {
        let zero = |_| AtomicU64::new(0);
        Self { requests: std::array::from_fn(zero), durations: std::array::from_fn(zero) }
    }
}

/// The requests of one route. A route without requests has none.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RouteCounts<'a> {
    /// The route's template, such as `/v3/dids/{id}`, or `other`.
    pub route: &'a str,
    /// Method, class of the status such as `2xx`, and number of requests, which is not zero.
    pub requests: Vec<(&'static str, &'static str, u64)>,
    /// Number of requests whose duration is within each of [`DURATION_BOUNDS`] and above the one before, and above all.
    pub durations: Vec<u64>,
    /// The sum of all durations.
    pub total: Duration,
}

impl RequestCounts {
    /// Counters for a listener that has this name in the metrics. `templates` returns those of its paths, of which each
    /// has segments such as `{id}` for any text; it is called once, when they are first needed.
    pub fn new(listener: &'static str, templates: impl FnOnce() -> Vec<String> + Send + 'static) -> Self {
        let make: MakeRoutes = Box::new(move || Routes::new(templates()));
        Self { listener, routes: LazyLock::new(make), shards: std::array::from_fn(|_| OnceLock::new()) }
    }

    /// Returns the name of the listener in the metrics.
    pub fn listener(&self) -> &'static str {
        self.listener
    }

    /// Makes the routes now, so that the first request does not wait for them.
    pub fn make_routes(&self) {
        let _made = LazyLock::force(&self.routes);
    }

    /// Finds the route of a path.
    pub(crate) fn route(&self, path: &str) -> Route {
        Route(self.routes.find(path))
    }

    /// The template of a route, such as `/v3/dids/{id}`, or `other`.
    pub(crate) fn template(&self, Route(route): Route) -> &str {
        self.routes.names().get(route).map_or(OTHER, String::as_str)
    }

    /// Counts a request that was answered after this time.
    pub(crate) fn count(&self, Route(route): Route, method: usize, status: StatusCode, took: Duration) {
        let class = usize::from(status.as_u16() / 100).clamp(1, CLASSES.len()) - 1;
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bound = DURATION_BOUNDS.partition_point(|bound| *bound < micros);
        let Some(counters) = self.counters(own_shard(), route) else { return };
        let add = |counter: Option<&AtomicU64>, by: u64| {
            if let Some(counter) = counter {
                counter.fetch_add(by, Ordering::Relaxed);
            }
        };
        add(counters.requests.get(method * CLASSES.len() + class), 1);
        add(counters.durations.get(bound), 1);
        add(counters.durations.last(), micros);
    }

    /// The counters of a route in a set, which are made if this is the first request.
    fn counters(&self, shard: usize, route: usize) -> Option<&Counters> {
        let none = || std::iter::repeat_with(OnceLock::new).take(self.routes.names().len()).collect();
        let of_routes = self.shards.get(shard)?.get_or_init(none);
        let counters: &Counters = of_routes.get(route)?.get_or_init(|| Box::new(Counters::new()));
        Some(counters)
    }

    /// Returns the routes that had requests, in the order of their declaration.
    pub fn routes(&self) -> impl Iterator<Item = RouteCounts<'_>> {
        self.routes.names().iter().enumerate().filter_map(|(index, route)| {
            let durations = self.sums(index, |counters| &counters.durations);
            let (total, durations) = durations.split_last()?;
            if durations.iter().all(|count| *count == 0) {
                return None;
            }
            let requests = self.sums(index, |counters| &counters.requests);
            let named = METHODS.into_iter().flat_map(|method| CLASSES.map(|class| (method, class)));
            let requests = named.zip(requests).filter(|(_, count)| *count > 0);
            Some(RouteCounts {
                route,
                requests: requests.map(|((method, class), count)| (method, class, count)).collect(),
                durations: durations.to_vec(),
                total: Duration::from_micros(*total),
            })
        })
    }

    /// Adds up counters of a route in all sets.
    fn sums<const N: usize>(&self, route: usize, of: impl Fn(&Counters) -> &[AtomicU64; N]) -> [u64; N] {
        let mut sums = [0_u64; N];
        for shard in self.shards.iter().filter_map(OnceLock::get) {
            let Some(counters) = shard.get(route).and_then(OnceLock::get) else { continue };
            let counters: &Counters = counters;
            for (sum, counter) in sums.iter_mut().zip(of(counters)) {
                *sum = sum.wrapping_add(counter.load(Ordering::Relaxed));
            }
        }
        sums
    }
}

/// The place of a method among those that are counted.
pub(crate) fn place_of(method: &Method) -> usize {
    let name = method.as_str();
    METHODS.iter().position(|counted| *counted == name).unwrap_or(METHODS.len() - 1)
}

/// The name of a method among those that are counted.
pub(crate) fn name_of(method: &Method) -> &'static str {
    METHODS.get(place_of(method)).copied().unwrap_or(OTHER)
}

/// The shard of this thread. Threads receive them in turn.
fn own_shard() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static OWN: usize = NEXT.fetch_add(1, Ordering::Relaxed) % SHARDS;
    }
    OWN.try_with(|own| *own).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn counts() -> RequestCounts {
        RequestCounts::new("api", || ["/v3/dids", "/v3/dids/{id}"].map(str::to_owned).to_vec())
    }

    fn count(counts: &RequestCounts, method: &Method, path: &str, status: u16, micros: u64) {
        let status = StatusCode::from_u16(status).unwrap();
        counts.count(counts.route(path), place_of(method), status, Duration::from_micros(micros));
    }

    #[test]
    fn requests_are_counted_by_route_method_and_class_and_unknown_paths_together() {
        let counts = counts();
        assert_eq!(counts.routes().count(), 0, "nothing is listed that did not happen");
        count(&counts, &Method::GET, "/v3/dids", 200, 500);
        count(&counts, &Method::GET, "/v3/dids?page", 404, 501);
        count(&counts, &Method::GET, "/v3/dids/1", 200, 11_000_000);
        count(&counts, &Method::GET, "/v3/dids/2", 204, 3);
        count(&counts, &Method::from_bytes(b"BREW").unwrap(), "/v3/dids/2", 501, 3);
        let listed: Vec<_> = counts.routes().collect();
        assert_eq!(
            listed.iter().map(|of| (of.route, of.requests.clone())).collect::<Vec<_>>(),
            [
                ("/v3/dids", vec![("GET", "2xx", 1)]),
                ("/v3/dids/{id}", vec![("GET", "2xx", 2), (OTHER, "5xx", 1)]),
                (OTHER, vec![("GET", "4xx", 1)]),
            ]
        );
        assert_eq!(listed[0].durations[..2], [1, 0], "a bound belongs to what is below it");
        assert_eq!(listed[2].durations[..2], [0, 1]);
        assert_eq!((listed[1].durations[0], listed[1].durations[14]), (2, 1));
        assert_eq!(listed[1].total, Duration::from_micros(11_000_006));
    }

    #[test]
    fn a_route_has_counters_from_its_first_request_on() {
        let counts = counts();
        let made = |counts: &RequestCounts| {
            let shards = counts.shards.iter().filter_map(OnceLock::get);
            shards.flat_map(|shard| shard.iter().filter_map(OnceLock::get)).count()
        };
        assert_eq!(made(&counts), 0);
        assert_eq!(counts.routes().count(), 0);
        count(&counts, &Method::GET, "/v3/dids/1", 200, 1);
        count(&counts, &Method::GET, "/v3/dids/2", 200, 1);
        assert_eq!(made(&counts), 1, "those of one route and one thread");
        counts.count(Route(9), 0, StatusCode::OK, Duration::ZERO);
        assert_eq!((made(&counts), counts.routes().count()), (1, 1), "a route that is not declared has none");
    }

    #[test]
    fn a_path_and_a_method_have_names_that_no_client_can_choose() {
        let counts = counts();
        let template = |path| counts.template(counts.route(path));
        assert_eq!((template("/v3/dids/secret"), template("/secret")), ("/v3/dids/{id}", OTHER));
        assert_eq!(name_of(&Method::PATCH), "PATCH");
        assert_eq!(name_of(&Method::from_bytes(b"SECRET").unwrap()), OTHER);
    }

    #[test]
    fn no_count_of_any_thread_is_lost() {
        let counts = Arc::new(counts());
        let threads: Vec<_> = (0..2 * SHARDS)
            .map(|_| {
                let counts = Arc::clone(&counts);
                std::thread::spawn(move || {
                    (0..1_000).for_each(|_| count(&counts, &Method::POST, "/v3/dids", 201, 1));
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        let listed: Vec<_> = counts.routes().collect();
        assert_eq!(listed[0].requests, [("POST", "2xx", 16_000)]);
        assert_eq!(listed[0].durations.iter().sum::<u64>(), 16_000);
    }
}
