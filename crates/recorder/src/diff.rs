//! Finds the differences between two responses, except those that are expected between two services.
//!
//! - Two ids at the same place count as the same record, and are equal everywhere from then on.
//! - Two times at the same place count as equal.
//! - Of two URLs, the scheme and the host do not count.
//! - Hidden secrets are equal, and so are the ids of requests (`request_id`).

use std::collections::BTreeSet;
use std::fmt;

use didww_types::Timestamp;
use serde_json::Value;
use url::Url;

use crate::known_ids::{KnownIds, is_id};

/// Maximum number of characters of a value that is shown.
const MAX_SHOWN: usize = 200;
/// Members whose values do not count.
const IGNORED: [&str; 1] = ["request_id"];

/// A place where an answer differs from the recorded one.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Difference {
    /// The name of the file.
    pub file: String,
    /// The method and the path of the request.
    pub request: String,
    /// The place: `status`, `content-type`, or a JSON pointer of the body.
    pub place: String,
    /// The recorded value; at most 200 characters.
    pub recorded: String,
    /// The value of the other service; at most 200 characters.
    pub answered: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, request, place, recorded, answered } = self;
        write!(f, "{file}: {request}: {place}\n  recorded: {recorded}\n  answered: {answered}")
    }
}

/// A place with two values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) at: String,
    pub(crate) recorded: String,
    pub(crate) answered: String,
}

/// The places where two bodies differ. Records which ids correspond to each other.
pub(crate) fn differences(recorded: &Value, answered: &Value, ids: &mut KnownIds) -> Vec<Place> {
    let mut places = Vec::new();
    compare("", recorded, answered, ids, &mut places);
    places
}

/// A value as it is shown.
pub(crate) fn shown(value: Option<&Value>) -> String {
    let text = value.map_or_else(|| "nothing".to_owned(), Value::to_string);
    let end = text.char_indices().nth(MAX_SHOWN);
    match end {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

fn compare(at: &str, recorded: &Value, answered: &Value, ids: &mut KnownIds, places: &mut Vec<Place>) {
    match (recorded, answered) {
        (Value::Object(one), Value::Object(other)) => {
            let names: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
            for name in names.into_iter().filter(|name| !IGNORED.contains(&name.as_str())) {
                let at = format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
                match (one.get(name), other.get(name)) {
                    (Some(one), Some(other)) => compare(&at, one, other, ids, places),
                    (one, other) => places.push(place(&at, one, other)),
                }
            }
        }
        (Value::Array(one), Value::Array(other)) => {
            if one.len() != other.len() {
                let items = |list: &[Value]| format!("{} items", list.len());
                places.push(Place { at: at.to_owned(), recorded: items(one), answered: items(other) });
            }
            for (index, (one, other)) in one.iter().zip(other).enumerate() {
                compare(&format!("{at}/{index}"), one, other, ids, places);
            }
        }
        (Value::String(one), Value::String(other)) => {
            // An id that already corresponds to another id is a different record.
            if !is_same(one, other, ids) {
                places.push(place(at, Some(recorded), Some(answered)));
            }
        }
        (one, other) if one == other => {}
        (one, other) => places.push(place(at, Some(one), Some(other))),
    }
}

fn place(at: &str, recorded: Option<&Value>, answered: Option<&Value>) -> Place {
    Place { at: at.to_owned(), recorded: shown(recorded), answered: shown(answered) }
}

/// Whether two texts count as equal.
fn is_same(recorded: &str, answered: &str, ids: &mut KnownIds) -> bool {
    if is_id(recorded) && is_id(answered) {
        return ids.learn(recorded, answered);
    }
    let is_time = |text: &str| text.parse::<Timestamp>().is_ok();
    if is_time(recorded) && is_time(answered) {
        return true;
    }
    let recorded = ids.replace(recorded);
    if recorded == answered {
        return true;
    }
    let without_host = |text: &str| {
        let url = Url::parse(text).ok().filter(Url::has_host)?;
        Some((url.path().to_owned(), url.query().map(str::to_owned)))
    };
    match (without_host(&recorded), without_host(answered)) {
        (Some(one), Some(other)) => one == other,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ONE: &str = "6d6e0d4f-7c1c-4f6a-9b7c-0a3b4f3c2d10";
    const OTHER: &str = "c3947e93-4a3b-4080-b9d3-cbcc633ab808";

    fn places(recorded: &Value, answered: &Value) -> Vec<String> {
        let found = differences(recorded, answered, &mut KnownIds::default());
        found.into_iter().map(|place| place.at).collect()
    }

    #[test]
    fn ids_times_hosts_and_request_ids_do_not_count() {
        let of = |id: &str, host: &str, time: &str, request: &str| {
            json!({ "data": { "id": id, "attributes": { "created_at": time, "name": "A" },
                "links": { "self": format!("https://{host}/v3/dids/{id}?a=1") } }, "request_id": request })
        };
        let recorded = of(ONE, "api.didww.com", "2026-04-08T06:57:33.304Z", "r1");
        assert!(places(&recorded, &of(OTHER, "127.0.0.1:80", "2026-11-29T18:00:00.000Z", "r2")).is_empty());
    }

    #[test]
    fn values_members_and_lengths_count_and_so_does_the_id_of_another_record() {
        let recorded = json!({ "a": 1, "b": [1, 2], "c": null, "d": "x", "e/f": true });
        let answered = json!({ "a": 2, "b": [1], "d": "y", "e/f": true, "g": 0 });
        assert_eq!(places(&recorded, &answered), ["/a", "/b", "/c", "/d", "/g"]);
        assert_eq!(places(&json!([ONE, ONE]), &json!([OTHER, ONE])), ["/1"]);
        assert_eq!(places(&json!("2026-04-08T06:57:33.304Z"), &json!("soon")), [""]);
        assert_eq!(places(&json!({ "e/f": 1 }), &json!({ "e/f": 2 })), ["/e~1f"]);
    }

    #[test]
    fn a_long_value_is_cut() {
        let text = shown(Some(&json!("é".repeat(500))));
        assert_eq!(text.chars().count(), MAX_SHOWN + 1);
        assert_eq!(shown(None), "nothing");
    }
}
