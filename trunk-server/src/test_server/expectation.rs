//! A request that a test expects.

use std::sync::{Mutex, PoisonError};

use lab::{Expectations, Expected};
use serde_json::{Map, Value};

/// An expectation of a server in a test, which its methods refine.
#[derive(Debug)]
pub struct Expectation<'a> {
    all: &'a Mutex<Expectations>,
    index: usize,
}

#[allow(clippy::return_self_not_must_use, reason = "the expectation is stored already")]
impl<'a> Expectation<'a> {
    pub(super) fn add(all: &'a Mutex<Expectations>, expected: Expected) -> Self {
        let mut requests = all.lock().unwrap_or_else(PoisonError::into_inner);
        let index = requests.requests.len();
        assert!(index < lab::MAX_EXPECTED, "a server has at most {} expectations", lab::MAX_EXPECTED);
        requests.requests.push(expected);
        drop(requests);
        Self { all, index }
    }

    /// Expects exactly this many requests.
    pub fn times(self, count: u64) -> Self {
        self.change(|expected| expected.count = Some(count))
    }

    /// Expects this many requests or more.
    pub fn at_least(self, count: u64) -> Self {
        self.change(|expected| expected.at_least = Some(count))
    }

    /// Expects this many requests or fewer.
    pub fn at_most(self, count: u64) -> Self {
        self.change(|expected| expected.at_most = Some(count))
    }

    /// Expects a parameter in the query.
    pub fn query(self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.change(|expected| {
            expected.query.insert(name.into(), value.into());
        })
    }

    /// Expects these members in the body, at any depth; others are allowed. A value that is not an object expects none.
    pub fn body(self, body: Value) -> Self {
        let members = if let Value::Object(members) = body { members } else { Map::new() };
        self.change(|expected| expected.body = members)
    }

    /// Expects this HTTP status of the response.
    pub fn status(self, status: u16) -> Self {
        self.change(|expected| expected.status = Some(status))
    }

    fn change(self, change: impl FnOnce(&mut Expected)) -> Self {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(expected) = all.requests.get_mut(self.index) {
            change(expected);
        }
        drop(all);
        self
    }
}
