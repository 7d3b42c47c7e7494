//! The ids of a recording and the corresponding ids of another service.

use std::collections::BTreeMap;

use uuid::Uuid;

/// Number of characters of an id.
const LENGTH: usize = 36;

/// The ids of a recording, each with the corresponding id of another service.
#[derive(Debug, Default)]
pub(crate) struct KnownIds {
    others: BTreeMap<String, String>,
    recorded: BTreeMap<String, String>,
}

/// Whether a text is an id: a hyphenated UUID.
pub(crate) fn is_id(text: &str) -> bool {
    text.len() == LENGTH && Uuid::try_parse(text).is_ok()
}

impl KnownIds {
    /// Records that two ids correspond to each other. Returns false if one of them corresponds to another id already.
    pub(crate) fn learn(&mut self, recorded: &str, other: &str) -> bool {
        match (self.others.get(recorded), self.recorded.get(other)) {
            (None, None) => {
                self.others.insert(recorded.to_owned(), other.to_owned());
                self.recorded.insert(other.to_owned(), recorded.to_owned());
                true
            }
            (Some(known), _) => known == other,
            (None, Some(_)) => false,
        }
    }

    /// The text with each known id replaced by the corresponding one.
    pub(crate) fn replace(&self, text: &str) -> String {
        let (mut replaced, mut rest) = (String::with_capacity(text.len()), text);
        while let Some(first) = rest.chars().next() {
            let id = rest.get(..LENGTH).filter(|start| is_id(start));
            let end = id.map_or(first.len_utf8(), str::len);
            let (start, after) = rest.split_at(end);
            replaced.push_str(id.and_then(|id| self.others.get(id)).map_or(start, String::as_str));
            rest = after;
        }
        replaced
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "6d6e0d4f-7c1c-4f6a-9b7c-0a3b4f3c2d10";
    const OTHER: &str = "c3947e93-4a3b-4080-b9d3-cbcc633ab808";

    #[test]
    fn a_known_id_is_replaced_wherever_it_stands() {
        let mut ids = KnownIds::default();
        assert!(ids.learn(ONE, OTHER));
        assert!(ids.learn(ONE, OTHER));
        assert!(!ids.learn(ONE, ONE));
        assert!(!ids.learn(OTHER, OTHER), "two records are not one of the other service");
        assert_eq!(ids.replace(&format!("/v3/dids/{ONE}?é={ONE}")), format!("/v3/dids/{OTHER}?é={OTHER}"));
        assert_eq!(ids.replace(OTHER), OTHER);
        assert_eq!(ids.replace("é"), "é");
    }
}
