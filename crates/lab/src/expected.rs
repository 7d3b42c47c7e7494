//! Requests that a test expects, and how an entry of the journal differs from them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::faults::is_for;
use crate::journal::Stored;
use crate::{mask, pattern};

/// The longest value that a difference quotes, in characters.
const MAX_QUOTED: usize = 80;

/// Expected requests, and their number. An absent member is not compared.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Expected {
    /// The account whose key or token the request has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<Uuid>,
    /// The HTTP method, such as `POST`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// The path, in which `*` is any text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The type of the records: the segment of the path after `/v3/` or `/v1.0/`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// Parameters of the query, without escapes. There may be others.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub query: BTreeMap<String, String>,
    /// Members of the body, at any depth. There may be others; lists are compared item by item. Secrets cannot be
    /// compared: they are `(hidden)`.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub body: Map<String, Value>,
    /// The HTTP status of the response.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The exact number of requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// The smallest number of requests: 1 if neither this nor `count` nor `at_most` is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_least: Option<u64>,
    /// The greatest number of requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most: Option<u64>,
}

impl Expected {
    /// At least one request with this method, to this path, in which `*` is any text.
    pub fn new(method: impl Into<String>, path: impl Into<String>) -> Self {
        Self { method: Some(method.into()), path: Some(path.into()), ..Self::default() }
    }

    /// Whether this number of requests is as expected.
    pub(crate) fn takes(&self, number: u64) -> bool {
        let (least, most) = self.bounds();
        (least..=most).contains(&number)
    }

    /// Whether more requests than this number are expected.
    pub(crate) fn needs_more_than(&self, number: u64) -> bool {
        number < self.bounds().0
    }

    fn bounds(&self) -> (u64, u64) {
        let least = self.count.or(self.at_least).unwrap_or(u64::from(self.at_most.is_none()));
        (least, self.count.or(self.at_most).unwrap_or(u64::MAX))
    }

    /// Describes the expected number of requests in words.
    pub(crate) fn wanted(&self) -> String {
        match self.bounds() {
            (least, most) if least == most => format!("exactly {least}"),
            (0, most) => format!("at most {most}"),
            (least, u64::MAX) => format!("at least {least}"),
            (least, most) => format!("{least} to {most}"),
        }
    }

    /// Describes the expected requests in words.
    pub(crate) fn described(&self) -> String {
        let method = self.method.as_deref().unwrap_or("any method");
        let path = self.path.as_deref().unwrap_or("*");
        let resource = self.resource.as_ref().map(|resource| format!(" for {resource}")).unwrap_or_default();
        format!("{method} {path}{resource}")
    }

    /// Whether the method, the path, the type of records, the account and the status of an entry are as expected.
    pub(crate) fn matches(&self, entry: &Stored) -> bool {
        self.method.as_ref().is_none_or(|method| method.eq_ignore_ascii_case(entry.method.as_str()))
            && self.path.as_ref().is_none_or(|path| pattern::matches(path, entry.path()))
            && self.resource.as_ref().is_none_or(|resource| is_for(entry.path(), resource))
            && self.account.is_none_or(|account| entry.account == Some(account))
            && self.status.is_none_or(|status| entry.status == Some(status))
    }

    /// The differences of a request; empty if it is an expected one. Also returns the number of compared members.
    pub(crate) fn differences(&self, request: &Stored) -> (Vec<String>, usize) {
        let mut compared = Compared::default();
        if let Some(method) = &self.method {
            let is_equal = method.eq_ignore_ascii_case(request.method.as_str());
            compared.note(is_equal, || format!("the method is {}, not {method}", request.method));
        }
        if let Some(path) = &self.path {
            compared.note(pattern::matches(path, request.path()), || {
                format!("the path is {}, not {path}", quoted(request.path()))
            });
        }
        if let Some(resource) = &self.resource {
            compared.note(is_for(request.path(), resource), || {
                format!("the path {} is not for {resource}", quoted(request.path()))
            });
        }
        if let Some(account) = self.account {
            let text = || request.account.map_or_else(|| "none".to_owned(), |id| id.to_string());
            compared.note(request.account == Some(account), || {
                format!("the account is {}, not {account}", text())
            });
        }
        if let Some(status) = self.status {
            let text = || request.status.map_or_else(|| "none".to_owned(), |status| status.to_string());
            compared
                .note(request.status == Some(status), || format!("the status is {}, not {status}", text()));
        }
        self.compare_query(request, &mut compared);
        if !self.body.is_empty() {
            // Texts are parsed only where the rest is as expected, or nearly.
            let difference = if compared.differences.len() > 1 {
                Some("the body was not compared".to_owned())
            } else {
                self.body_difference(request)
            };
            compared.compared += 1;
            compared.differences.extend(difference);
        }
        (compared.differences, compared.compared)
    }

    fn compare_query(&self, request: &Stored, compared: &mut Compared) {
        if self.query.is_empty() {
            return;
        }
        let pairs: Vec<(String, String)> = request
            .shown_query()
            .unwrap_or_default()
            .split('&')
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .map(|(name, value)| (mask::decoded(name), mask::decoded(value)))
            .collect();
        for (name, value) in &self.query {
            let values: Vec<&str> =
                pairs.iter().filter(|(other, _)| other == name).map(|(_, value)| value.as_str()).collect();
            compared.note(values.contains(&value.as_str()), || match values.first() {
                Some(other) => format!("the parameter {name} is {}, not {}", quoted(other), quoted(value)),
                None => format!("the query has no {name}"),
            });
        }
    }

    fn body_difference(&self, request: &Stored) -> Option<String> {
        let body = request.shown_body();
        if body.is_cut {
            return Some("the journal has only the start of the body".to_owned());
        }
        let Some(text) = &body.text else { return Some("the request has no body of JSON".to_owned()) };
        match serde_json::from_str::<Value>(text) {
            Ok(Value::Object(members)) => members_differ(&self.body, &members, "body"),
            _ => Some("the body is not a JSON object".to_owned()),
        }
    }
}

/// The comparison of a request so far: the differences, and the number of compared members.
#[derive(Default)]
struct Compared {
    differences: Vec<String>,
    compared: usize,
}

impl Compared {
    fn note(&mut self, is_equal: bool, difference: impl FnOnce() -> String) {
        self.compared += 1;
        if !is_equal {
            self.differences.push(difference());
        }
    }
}

/// The first member that is not as expected.
fn members_differ(expected: &Map<String, Value>, actual: &Map<String, Value>, at: &str) -> Option<String> {
    expected.iter().find_map(|(name, expected)| {
        let at = format!("{at}.{name}");
        match actual.get(name) {
            Some(actual) => values_differ(expected, actual, &at),
            None => Some(format!("{at} is missing")),
        }
    })
}

/// The first part of a value that is not as expected.
fn values_differ(expected: &Value, actual: &Value, at: &str) -> Option<String> {
    match (expected, actual) {
        (Value::Object(expected), Value::Object(actual)) => members_differ(expected, actual, at),
        (Value::Array(expected), Value::Array(actual)) => {
            if expected.len() != actual.len() {
                return Some(format!("{at} has {} items, not {}", actual.len(), expected.len()));
            }
            let mut items = expected.iter().zip(actual).enumerate();
            items.find_map(|(index, (expected, actual))| {
                values_differ(expected, actual, &format!("{at}[{index}]"))
            })
        }
        _ if expected == actual => None,
        _ => {
            let (actual, expected) = (quoted(&actual.to_string()), quoted(&expected.to_string()));
            Some(format!("{at} is {actual}, not {expected}"))
        }
    }
}

/// A value, cut to [`MAX_QUOTED`] characters.
fn quoted(text: &str) -> String {
    let mut characters = text.chars();
    let start: String = characters.by_ref().take(MAX_QUOTED).collect();
    if characters.next().is_some() { format!("{start}…") } else { start }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn request(body: &Value) -> Stored {
        Stored::of("POST", "/v3/dids").with("filter%5Bname%5D=a+b&page=2", &body.to_string())
    }

    fn expected(value: Value) -> Expected {
        serde_json::from_value(value).unwrap()
    }

    fn differences(value: Value) -> Vec<String> {
        let body = json!({"data":{"type":"dids","attributes":{"n":1,"list":[{"a":1,"b":2}],"x":null}}});
        expected(value).differences(&request(&body)).0
    }

    #[test]
    fn what_is_a_part_of_the_request_is_expected() {
        for value in [
            json!({}),
            json!({"method":"post","path":"/v3/*","resource":"dids","status":200}),
            json!({"query":{"filter[name]":"a b"}}),
            json!({"body":{"data":{"attributes":{"n":1,"x":null}}}}),
            json!({"body":{"data":{"attributes":{"list":[{"b":2}]}}}}),
        ] {
            assert_eq!(differences(value.clone()), [""; 0], "{value}");
        }
    }

    #[test]
    fn a_difference_names_what_is_there_and_what_was_expected() {
        for (value, difference) in [
            (json!({"method":"GET"}), "the method is POST, not GET"),
            (json!({"path":"/v3/did"}), "the path is /v3/dids, not /v3/did"),
            (json!({"resource":"regions"}), "the path /v3/dids is not for regions"),
            (json!({"status":201}), "the status is 200, not 201"),
            (json!({"query":{"page":"3"}}), "the parameter page is 2, not 3"),
            (json!({"query":{"size":"3"}}), "the query has no size"),
            (json!({"body":{"data":{"type":"did"}}}), "body.data.type is \"dids\", not \"did\""),
            (json!({"body":{"data":{"id":"1"}}}), "body.data.id is missing"),
            (
                json!({"body":{"data":{"attributes":{"list":[]}}}}),
                "body.data.attributes.list has 1 items, not 0",
            ),
            (
                json!({"body":{"data":{"attributes":{"list":[{"a":2}]}}}}),
                "body.data.attributes.list[0].a is 1, not 2",
            ),
        ] {
            assert_eq!(differences(value), [difference]);
        }
    }

    #[test]
    fn of_a_long_value_the_start_is_quoted() {
        // The quotation marks of JSON count.
        for (length, quoted) in
            [(78, format!("\"{}\"", "a".repeat(78))), (79, format!("\"{}…", "a".repeat(79)))]
        {
            let request = request(&json!({ "a": "a".repeat(length) }));
            let (differences, _) = expected(json!({ "body": { "a": 1 } })).differences(&request);
            assert_eq!(differences, [format!("body.a is {quoted}, not 1")]);
        }
    }

    #[test]
    fn numbers_are_bounds() {
        let takes = |value: Value| {
            let expected = expected(value);
            let taken: Vec<u64> = (0..4).filter(|number| expected.takes(*number)).collect();
            (taken, expected.wanted())
        };
        assert_eq!(takes(json!({})), (vec![1, 2, 3], "at least 1".to_owned()));
        assert_eq!(takes(json!({"count":0})), (vec![0], "exactly 0".to_owned()));
        assert_eq!(takes(json!({"at_most":1})), (vec![0, 1], "at most 1".to_owned()));
        assert_eq!(takes(json!({"at_least":1,"at_most":2})), (vec![1, 2], "1 to 2".to_owned()));
    }

    #[test]
    fn a_body_that_is_not_whole_is_no_expected_one() {
        let request = request(&json!({"a":1})).cut();
        let (differences, _) = expected(json!({"body":{"a":1}})).differences(&request);
        assert!(differences[0].contains("only the start"));
    }
}
