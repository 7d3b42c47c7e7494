//! Compares the journal with the requests that a test expects, and reports near misses.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::expected::Expected;
use crate::journal::{Journal, Snapshot, Stored};

/// Maximum number of expectations in one comparison.
pub const MAX_EXPECTED: usize = 50;
/// Maximum number of near misses that are reported for one expectation.
const MAX_NEAR: usize = 5;

/// The requests that a test expects in the journal.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Expectations {
    /// The expected requests, at most 50.
    pub requests: Vec<Expected>,
    /// Whether the requests must be in this order. Other requests may be in between.
    #[serde(default)]
    pub in_order: bool,
    /// Compares only the entries after the one with this number.
    #[serde(default)]
    pub after: u64,
}

/// The result of comparing the journal with the expectations.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct Report {
    /// Whether all expectations are met.
    pub passed: bool,
    /// The result for each expectation, in the same order.
    pub requests: Vec<Found>,
    /// Whether there are requests in the expected order; null if none is expected.
    pub in_order: Option<bool>,
    /// Number of entries that the journal dropped to make room, which could not be compared.
    pub dropped: u64,
}

/// The result for one expectation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct Found {
    /// Whether the number of matching requests is as expected.
    pub passed: bool,
    /// The expected requests, in words.
    pub expected: String,
    /// The expected number of requests, in words.
    pub wanted: String,
    /// Number of matching requests.
    pub found: u64,
    /// If there are too few: at most five requests that differ least, the most similar first.
    pub near_misses: Vec<NearMiss>,
}

/// A request that differs little from an expected one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct NearMiss {
    /// The number of its entry in the journal.
    pub number: u64,
    /// The HTTP method of the request.
    pub method: String,
    /// The path of the request.
    pub path: String,
    /// The HTTP status of the response; null if there was none.
    pub status: Option<u16>,
    /// The differences, each in one sentence.
    pub differences: Vec<String>,
}

impl Journal {
    /// Compares the entries with the expectations. Only the first [`MAX_EXPECTED`] expectations are compared.
    pub fn verify(&self, expectations: &Expectations) -> Report {
        let Snapshot { entries, dropped, .. } = self.after(expectations.after);
        let regarded = expectations.requests.get(..MAX_EXPECTED).unwrap_or(&expectations.requests);
        let (mut requests, mut previous, mut are_in_order) = (Vec::new(), 0, true);
        for expected in regarded {
            let (mut numbers, mut nearest) = (Vec::new(), Nearest::default());
            for entry in &entries {
                match expected.differences(entry) {
                    (differences, _) if differences.is_empty() => numbers.push(entry.number),
                    // A request that differs in every member is not a near miss.
                    (differences, compared) if differences.len() < compared => {
                        nearest.add(entry, differences);
                    }
                    _ => {}
                }
            }
            match numbers.iter().find(|number| **number > previous) {
                Some(number) => previous = *number,
                // Requests that need not be there have no place in the order.
                None if numbers.is_empty() && expected.takes(0) => {}
                None => are_in_order = false,
            }
            requests.push(found(expected, numbers.len() as u64, nearest));
        }
        let in_order = expectations.in_order.then_some(are_in_order);
        let passed = requests.iter().all(|found| found.passed) && in_order != Some(false);
        Report { passed, requests, in_order, dropped }
    }

    /// Waits until the journal is as expected, at most for a time. Returns the last report.
    pub async fn wait(self: &Arc<Self>, expectations: &Expectations, longest: Duration) -> Report {
        let deadline = tokio::time::sleep(longest);
        tokio::pin!(deadline);
        let expectations = Arc::new(expectations.clone());
        loop {
            let last = self.last();
            let report = self.verify_apart(&expectations).await;
            if report.passed {
                return report;
            }
            tokio::select! {
                () = self.added_after(last) => {}
                () = &mut deadline => return report,
            }
        }
    }
}

impl Journal {
    /// As [`verify`](Self::verify), on a thread for blocking work: up to 64 MB of bodies are masked, read and compared.
    async fn verify_apart(self: &Arc<Self>, expectations: &Arc<Expectations>) -> Report {
        let (journal, of) = (Arc::clone(self), Arc::clone(expectations));
        let verified = tokio::task::spawn_blocking(move || journal.verify(&of)).await;
        // The task is lost only when the runtime stops.
        verified.unwrap_or_else(|_| self.verify(expectations))
    }
}

/// The entries that differ least from an expectation, the nearest first, at most [`MAX_NEAR`]. A journal has up to
/// 100,000 entries, so the others are not kept until the end.
#[derive(Default)]
struct Nearest<'a> {
    misses: Vec<(&'a Stored, Vec<String>)>,
}

impl<'a> Nearest<'a> {
    /// Adds an entry that is not older than those before.
    fn add(&mut self, entry: &'a Stored, differences: Vec<String>) {
        // Among equal numbers of differences, the oldest comes first.
        let place = self.misses.partition_point(|(_, nearer)| nearer.len() <= differences.len());
        if place < MAX_NEAR {
            self.misses.insert(place, (entry, differences));
            self.misses.truncate(MAX_NEAR);
        }
    }
}

fn found(expected: &Expected, number: u64, nearest: Nearest<'_>) -> Found {
    let misses = if expected.needs_more_than(number) { nearest.misses } else { Vec::new() };
    Found {
        passed: expected.takes(number),
        expected: expected.described(),
        wanted: expected.wanted(),
        found: number,
        near_misses: misses
            .into_iter()
            .map(|(entry, differences)| NearMiss::new(entry, differences))
            .collect(),
    }
}

impl NearMiss {
    fn new(entry: &Stored, differences: Vec<String>) -> Self {
        Self {
            number: entry.number,
            method: entry.method.to_string(),
            path: entry.path().to_owned(),
            status: entry.status,
            differences,
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.passed { "passed" } else { "failed" })?;
        for Found { passed, expected, wanted, found, near_misses } in &self.requests {
            let sign = if *passed { "+" } else { "-" };
            write!(f, "\n{sign} {expected}: {wanted} expected, {found} found")?;
            for NearMiss { number, method, path, differences, .. } in near_misses {
                write!(f, "\n    near: {number} {method} {path}: {}", differences.join("; "))?;
            }
        }
        if self.in_order == Some(false) {
            f.write_str("\n- they are not in the expected order")?;
        }
        if self.dropped > 0 {
            write!(f, "\n{} older requests were dropped from the journal", self.dropped)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn journal(requests: &[(&str, &str)]) -> Arc<Journal> {
        let journal = Arc::new(Journal::new(100));
        for (method, path) in requests {
            journal.add(Stored::of(method, path));
        }
        journal
    }

    fn expectations(requests: &[(&str, &str)], in_order: bool) -> Expectations {
        let requests = requests.iter().map(|(method, path)| Expected::new(*method, *path)).collect();
        Expectations { requests, in_order, after: 0 }
    }

    #[test]
    fn requests_are_counted_and_the_nearest_are_reported() {
        let journal = journal(&[("GET", "/v3/dids"), ("POST", "/v3/regions"), ("GET", "/v3/regions")]);
        assert!(journal.verify(&expectations(&[("GET", "/v3/dids"), ("GET", "/v3/*")], false)).passed);
        let report = journal.verify(&expectations(&[("POST", "/v3/dids")], false));
        assert!(!report.passed);
        let near: Vec<u64> = report.requests[0].near_misses.iter().map(|miss| miss.number).collect();
        assert_eq!(near, [1, 2], "the third has nothing in common");
        let text = report.to_string();
        assert!(text.contains("- POST /v3/dids: at least 1 expected, 0 found"), "{text}");
        assert!(text.contains("near: 1 GET /v3/dids: the method is GET, not POST"), "{text}");
    }

    #[test]
    fn an_order_is_kept_if_each_comes_after_the_one_before() {
        let journal = journal(&[("GET", "/a"), ("GET", "/b"), ("GET", "/a"), ("GET", "/c")]);
        for (order, is_kept) in [
            (vec![("GET", "/a"), ("GET", "/b"), ("GET", "/c")], true),
            (vec![("GET", "/b"), ("GET", "/a")], true),
            (vec![("GET", "/c"), ("GET", "/a")], false),
            (vec![("GET", "/b"), ("GET", "/b")], false),
        ] {
            let report = journal.verify(&expectations(&order, true));
            assert_eq!((report.in_order, report.passed), (Some(is_kept), is_kept), "{order:?}");
        }
        assert_eq!(journal.verify(&expectations(&[("GET", "/c"), ("GET", "/a")], false)).in_order, None);
    }

    #[test]
    fn a_request_that_need_not_be_there_is_in_order_if_it_is() {
        let journal = journal(&[("GET", "/a"), ("GET", "/b")]);
        let at_most_one = |path: &str| Expected { at_most: Some(1), ..Expected::new("GET", path) };
        for (second, is_kept) in [("/a", false), ("/none", true)] {
            let requests = vec![Expected::new("GET", "/b"), at_most_one(second)];
            let report = journal.verify(&Expectations { requests, in_order: true, after: 0 });
            assert_eq!((report.in_order, report.passed), (Some(is_kept), is_kept), "{second}");
        }
    }

    #[test]
    fn of_too_many_requests_none_came_near() {
        let journal = journal(&[("GET", "/a"), ("GET", "/a"), ("POST", "/a")]);
        let near = |count| {
            let expected = Expected { count: Some(count), ..Expected::new("GET", "/a") };
            let expectations = Expectations { requests: vec![expected], ..Expectations::default() };
            let report = journal.verify(&expectations);
            assert!(!report.passed);
            report.requests[0].near_misses.len()
        };
        assert_eq!((near(1), near(3)), (0, 1));
    }

    #[test]
    fn entries_before_a_number_are_not_regarded() {
        let journal = journal(&[("GET", "/a"), ("GET", "/b")]);
        let mut expectations = expectations(&[("GET", "/a")], false);
        assert!(journal.verify(&expectations).passed);
        expectations.after = 1;
        assert!(!journal.verify(&expectations).passed);
    }

    #[test]
    fn at_most_five_requests_that_came_near_are_reported() {
        let expectations = expectations(&[("POST", "/v3/dids")], false);
        for (requests, reported) in [(5, 5), (6, 5)] {
            let report = journal(&vec![("GET", "/v3/dids"); requests]).verify(&expectations);
            assert_eq!(report.requests[0].near_misses.len(), reported, "{requests}");
        }
    }

    #[test]
    fn a_nearer_request_takes_the_place_of_one_that_is_older_and_less_near() {
        let mut requests = vec![("GET", "/x"); MAX_NEAR + 1];
        requests.extend([("GET", "/v3/dids"), ("POST", "/y")]);
        let expected = Expected { status: Some(200), ..Expected::new("POST", "/v3/dids") };
        let expectations = Expectations { requests: vec![expected], ..Expectations::default() };
        let report = journal(&requests).verify(&expectations);
        let near = &report.requests[0].near_misses;
        assert_eq!(near.iter().map(|miss| miss.number).collect::<Vec<_>>(), [7, 8, 1, 2, 3]);
        let entry = Stored::of("GET", "/x");
        let mut nearest = Nearest::default();
        for _ in 0..100 {
            nearest.add(&entry, vec!["the method is GET".to_owned()]);
            assert!(nearest.misses.len() <= MAX_NEAR, "no more are kept than are reported");
        }
    }

    #[test]
    fn of_too_many_expectations_the_first_are_regarded() {
        let requests = vec![("GET", "/none"); MAX_EXPECTED + 1];
        assert_eq!(journal(&[]).verify(&expectations(&requests, false)).requests.len(), MAX_EXPECTED);
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_ends_with_the_request_or_at_its_end() {
        let journal = journal(&[]);
        let expectations = expectations(&[("GET", "/late")], false);
        let failed = journal.wait(&expectations, Duration::from_secs(5)).await;
        assert!(!failed.passed);
        let waiting = tokio::spawn({
            let (journal, expectations) = (Arc::clone(&journal), expectations.clone());
            async move { journal.wait(&expectations, Duration::from_hours(1)).await }
        });
        journal.add(Stored::of("GET", "/early"));
        journal.add(Stored::of("GET", "/late"));
        assert!(waiting.await.unwrap().passed);
    }
}
