//! An entry of the journal: as it is stored, in few allocations, and as it is shown, with its secrets hidden.

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;
use didww_types::{Timestamp, names_secret};
use http::{HeaderMap, HeaderValue, header};
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::IgnoredAny;
use uuid::Uuid;

use crate::mask;

/// Number of bytes of memory of an entry, not counting its texts.
const FIXED_BYTES: usize = 320;

/// Maximum number of bytes of the shown text of a body: hiding secrets can make it longer.
const MAX_SHOWN_BYTES: usize = 2 * MAX_BODY_BYTES;
/// Maximum number of bytes that are kept of a body.
pub const MAX_BODY_BYTES: usize = 16 << 10;

/// An entry as it is stored. Its secrets are not hidden yet: most entries are dropped without having been read, and hiding
/// the secrets of each would make requests too slow. So texts leave this type only through [`shown`](Self::shown) and the
/// methods that comparisons use, which hide secrets.
pub(crate) struct Stored {
    pub(crate) number: u64,
    pub(crate) time: Timestamp,
    pub(crate) account: Option<Uuid>,
    pub(crate) method: Box<str>,
    pub(crate) path: Box<str>,
    pub(super) query: Option<Box<str>>,
    /// Lines `name: value`.
    pub(super) request_headers: String,
    pub(super) request_body: RawBody,
    pub(crate) status: Option<u16>,
    pub(super) response_headers: String,
    pub(super) response_body: RawBody,
    pub(super) micros: u64,
    pub(super) fault: Option<u64>,
}

impl fmt::Debug for Stored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { number, method, path, status, .. } = self;
        write!(f, "{number} {method} {path} {status:?}")
    }
}

/// The first bytes of a body, unmasked, and the form in which its secrets are found.
#[derive(Default)]
pub(super) struct RawBody {
    /// The first bytes, at most [`MAX_BODY_BYTES`].
    pub(super) start: Bytes,
    /// The length of the whole body in bytes.
    pub(super) bytes: u64,
    pub(super) form: Form,
}

impl RawBody {
    /// The body without its text, with its length only.
    fn brief(&self) -> JournalBody {
        JournalBody { bytes: self.bytes, text: None, is_cut: false }
    }

    fn shown(&self) -> JournalBody {
        let Self { start, bytes, form } = self;
        let text = match form {
            _ if start.is_empty() => None,
            Form::Parameters if is_form(start) => Some(mask::form(&String::from_utf8_lossy(start))),
            // Some clients send JSON with the media type of a form.
            Form::Json | Form::Parameters if is_json(start) => Some(mask::json(start)),
            // In a text of neither form, secrets would not be found.
            Form::Json | Form::Parameters | Form::Other => None,
        };
        let is_cut = *bytes > start.len() as u64;
        JournalBody { bytes: *bytes, text: text.map(|text| shortened(text, MAX_SHOWN_BYTES)), is_cut }
    }
}

/// Whether a text is JSON, complete or truncated.
fn is_json(text: &[u8]) -> bool {
    match serde_json::from_slice::<IgnoredAny>(text) {
        Ok(_) => true,
        Err(error) => error.is_eof(),
    }
}

/// Whether a text can be a form: a form escapes these characters, which other formats need.
fn is_form(text: &[u8]) -> bool {
    let is_other = |byte: &u8| byte.is_ascii_whitespace() || b"\"'{}<>".contains(byte);
    !text.trim_ascii_end().iter().any(is_other)
}

/// The format of a body, which decides how its secrets are found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Form {
    #[default]
    Json,
    Parameters,
    /// Another format, in which secrets cannot be found: no bytes of the body are kept.
    Other,
}

impl Form {
    /// The form that the media type of a body states. A body without one is taken for JSON.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let Some(media_type) = headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes) else {
            return Self::Json;
        };
        let has = |word: &[u8]| media_type.windows(word.len()).any(|part| part.eq_ignore_ascii_case(word));
        if has(b"json") {
            Self::Json
        } else if has(b"x-www-form-urlencoded") {
            Self::Parameters
        } else {
            Self::Other
        }
    }
}

/// A text of at most this many bytes.
pub(super) fn shortened(mut text: String, most: usize) -> String {
    if text.len() > most {
        let end = (0..=most).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(end);
    }
    text
}

/// A request and its answer. Secrets are replaced by `(hidden)`.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct JournalEntry {
    /// The number of the entry: those of later ones are greater. A request has one when it ends.
    pub number: u64,
    /// When the request was received, on the server's clock.
    pub time: Timestamp,
    /// The account whose key or token the request has; null without a valid one, and for requests to other APIs than DIDWW's.
    pub account: Option<Uuid>,
    /// The HTTP method, such as `POST`.
    pub method: String,
    /// The path without the query.
    pub path: String,
    /// The query without its question mark; null if there is none.
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
    /// The id of the fault that applied to the request; null if none did.
    pub fault: Option<u64>,
}

/// The body of a request or a response.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct JournalBody {
    /// Its length in bytes.
    pub bytes: u64,
    /// Its text, or the first 16 KiB of it; null if it is empty, or neither JSON nor a form.
    pub text: Option<String>,
    /// Whether the text is shorter than the body.
    pub is_cut: bool,
}

impl Stored {
    /// Number of bytes by which the entry counts towards [`MAX_BYTES`](super::MAX_BYTES).
    pub(crate) fn size(&self) -> usize {
        let texts = self.method.len() + self.path.len() + self.query.as_ref().map_or(0, |query| query.len());
        // Many short headers need less memory than was reserved for them.
        let headers = self.request_headers.capacity() + self.response_headers.capacity();
        FIXED_BYTES + texts + headers + self.request_body.start.len() + self.response_body.start.len()
    }

    /// The query, with its secrets hidden.
    pub(crate) fn shown_query(&self) -> Option<String> {
        self.query.as_deref().map(mask::form)
    }

    /// The body of the request, with its secrets hidden.
    pub(crate) fn shown_body(&self) -> JournalBody {
        self.request_body.shown()
    }

    /// The entry for readers, with its secrets hidden.
    pub(crate) fn shown(&self) -> JournalEntry {
        JournalEntry {
            request_headers: headers(&self.request_headers),
            request_body: self.shown_body(),
            response_headers: headers(&self.response_headers),
            response_body: self.response_body.shown(),
            ..self.brief()
        }
    }

    /// The entry for readers without its headers and the texts of its bodies, which is cheaper.
    pub(crate) fn brief(&self) -> JournalEntry {
        JournalEntry {
            number: self.number,
            time: self.time,
            account: self.account,
            method: self.method.to_string(),
            path: self.path.to_string(),
            query: self.shown_query(),
            request_headers: BTreeMap::new(),
            request_body: self.request_body.brief(),
            status: self.status,
            response_headers: BTreeMap::new(),
            response_body: self.response_body.brief(),
            duration_us: self.micros,
            fault: self.fault,
        }
    }
}

fn headers(lines: &str) -> BTreeMap<String, String> {
    let mut headers = BTreeMap::<String, String>::new();
    for (name, value) in lines.lines().filter_map(|line| line.split_once(": ")) {
        let shown = if names_secret(name) { mask::HIDDEN.to_owned() } else { mask::text(value.as_bytes()) };
        let value = shown.as_str();
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
    /// An entry with this query and this JSON body.
    pub(crate) fn with(mut self, query: &str, body: &str) -> Self {
        self.query = Some(query.into());
        let start = Bytes::from(body.to_owned());
        self.request_body = RawBody { bytes: start.len() as u64, start, form: Form::Json };
        self
    }

    /// The same entry, with a body that is longer than its kept bytes.
    pub(crate) fn cut(mut self) -> Self {
        self.request_body.bytes += 1;
        self
    }

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
            request_body: RawBody::default(),
            status: Some(200),
            response_headers: String::new(),
            response_body: RawBody::default(),
            micros: 0,
            fault: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(form: Form, body: &'static str) -> Option<String> {
        let start = Bytes::from_static(body.as_bytes());
        RawBody { bytes: start.len() as u64, start, form }.shown().text
    }

    #[test]
    fn a_body_whose_media_type_is_wrong_hides_no_less() {
        let json = r#"{"a":"b=c","password":"hunter2"}"#;
        let hidden = r#"{"a":"b=c","password":"(hidden)"}"#;
        assert_eq!(text(Form::Json, json).as_deref(), Some(hidden));
        assert_eq!(text(Form::Parameters, json).as_deref(), Some(hidden));
        assert_eq!(text(Form::Json, r#"{"a":"b=c","pass"#).as_deref(), Some(r#"{"a":"b=c","pass"#));
        let parameters = "a=b&password=hunter2\n";
        assert_eq!(text(Form::Parameters, parameters).as_deref(), Some("a=b&password=(hidden)"));
        for other in [parameters, "{'password':'hunter2'}", "{password:\"hunter2\"}", "password: hunter2"] {
            assert_eq!(text(Form::Json, other), None, "{other}");
        }
        for other in ["{'password':'hunter2'}", "password: hunter2", "<password>hunter2</password>"] {
            assert_eq!(text(Form::Parameters, other), None, "{other}");
        }
    }

    #[test]
    fn an_entry_counts_for_what_its_headers_take() {
        let mut stored = Stored::of("GET", "/");
        let before = stored.size();
        stored.request_headers = String::with_capacity(4_800);
        assert!(stored.size() >= before + 4_800);
    }

    #[test]
    fn a_brief_entry_has_neither_headers_nor_texts_of_bodies() {
        let mut stored = Stored::of("POST", "/v3/dids").with("token=t&a=b", r#"{"a":"b"}"#);
        stored.request_headers = "accept: a\n".to_owned();
        let (brief, shown) = (stored.brief(), stored.shown());
        assert_eq!((brief.request_headers.len(), shown.request_headers.len()), (0, 1));
        assert_eq!((brief.request_body.text, brief.request_body.bytes), (None, 9));
        assert_eq!(shown.request_body.text.as_deref(), Some(r#"{"a":"b"}"#));
        assert_eq!(brief.query.as_deref(), Some("token=(hidden)&a=b"));
    }

    #[test]
    fn headers_of_one_name_are_joined() {
        let headers = headers("accept: a\nvia: x: y\naccept: b\n");
        assert_eq!(
            headers.into_iter().collect::<Vec<_>>(),
            [("accept".to_owned(), "a, b".to_owned()), ("via".to_owned(), "x: y".to_owned())]
        );
    }
}
