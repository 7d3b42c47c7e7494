//! An entry of the journal: as it is kept, in few pieces of memory, and as it is shown.

use std::collections::BTreeMap;

use didww_types::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

/// Bytes that an entry takes beside its texts.
const FIXED_BYTES: usize = 320;

/// An entry as it is kept. Its secrets are hidden.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) number: u64,
    pub(crate) time: Timestamp,
    pub(crate) account: Option<Uuid>,
    pub(crate) method: Box<str>,
    pub(crate) path: Box<str>,
    pub(crate) query: Option<Box<str>>,
    /// Lines `name: value`.
    pub(crate) request_headers: String,
    pub(crate) request_body: JournalBody,
    pub(crate) status: Option<u16>,
    pub(crate) response_headers: String,
    pub(crate) response_body: JournalBody,
    pub(crate) micros: u64,
    pub(crate) fault: Option<u64>,
}

/// A request and its answer. Secrets are replaced by `(hidden)`.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct JournalEntry {
    /// The number of the entry: those of later ones are greater. A request has one when it ends.
    pub number: u64,
    /// When the request came, on the server's clock.
    pub time: Timestamp,
    /// The account whose key or token the request has; null without a valid one, and for requests to other APIs than DIDWW's.
    pub account: Option<Uuid>,
    /// The method.
    pub method: String,
    /// The path.
    pub path: String,
    /// The query; null without one.
    pub query: Option<String>,
    /// The headers of the request, by their names in lower case. Values of one name are joined by commas.
    pub request_headers: BTreeMap<String, String>,
    /// The body of the request, as far as it was read.
    pub request_body: JournalBody,
    /// The status of the answer; null if the connection ended before there was one.
    pub status: Option<u16>,
    /// The headers of the answer.
    pub response_headers: BTreeMap<String, String>,
    /// The body of the answer, before a fault that cuts it.
    pub response_body: JournalBody,
    /// The time from the request's head to the answer, in microseconds.
    pub duration_us: u64,
    /// The number of the fault that took the request; null if none did.
    pub fault: Option<u64>,
}

/// A body.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct JournalBody {
    /// Its length in bytes.
    pub bytes: u64,
    /// Its text, or the first 16 KiB of it; null if it is empty, or neither JSON nor a form.
    pub text: Option<String>,
    /// Whether the text is not all of it.
    pub is_cut: bool,
}

impl JournalBody {
    fn size(&self) -> usize {
        self.text.as_ref().map_or(0, String::len)
    }
}

impl Stored {
    /// The bytes that the entry counts for.
    pub(crate) fn size(&self) -> usize {
        let texts = self.method.len() + self.path.len() + self.query.as_ref().map_or(0, |query| query.len());
        let headers = self.request_headers.len() + self.response_headers.len();
        FIXED_BYTES + texts + headers + self.request_body.size() + self.response_body.size()
    }

    /// The entry as it is shown.
    pub(crate) fn shown(&self) -> JournalEntry {
        JournalEntry {
            number: self.number,
            time: self.time,
            account: self.account,
            method: self.method.to_string(),
            path: self.path.to_string(),
            query: self.query.as_ref().map(ToString::to_string),
            request_headers: headers(&self.request_headers),
            request_body: self.request_body.clone(),
            status: self.status,
            response_headers: headers(&self.response_headers),
            response_body: self.response_body.clone(),
            duration_us: self.micros,
            fault: self.fault,
        }
    }
}

fn headers(lines: &str) -> BTreeMap<String, String> {
    let mut headers = BTreeMap::<String, String>::new();
    for (name, value) in lines.lines().filter_map(|line| line.split_once(": ")) {
        headers
            .entry(name.to_owned())
            .and_modify(|values| {
                values.push_str(", ");
                values.push_str(value);
            })
            .or_insert_with(|| value.to_owned());
    }
    headers
}

#[cfg(test)]
impl Stored {
    /// An entry with this method and path alone.
    pub(crate) fn of(method: &str, path: &str) -> Self {
        Self {
            number: 0,
            time: Timestamp::from_unix_millis(0),
            account: None,
            method: method.into(),
            path: path.into(),
            query: None,
            request_headers: String::new(),
            request_body: JournalBody::default(),
            status: Some(200),
            response_headers: String::new(),
            response_body: JournalBody::default(),
            micros: 0,
            fault: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_one_name_are_joined() {
        let headers = headers("accept: a\nvia: x: y\naccept: b\n");
        assert_eq!(
            headers.into_iter().collect::<Vec<_>>(),
            [("accept".to_owned(), "a, b".to_owned()), ("via".to_owned(), "x: y".to_owned())]
        );
    }
}
