//! An entry of the journal: as it is stored, in few allocations, and as it is shown, with its secrets hidden.

use std::collections::BTreeMap;
use std::fmt;

use didww_types::{Timestamp, names_secret};
use http::{HeaderMap, HeaderValue, Method, header};
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::IgnoredAny;
use uuid::Uuid;

use super::texts::Texts;
use crate::mask;

/// Number of bytes of memory of an entry, not counting its texts.
const FIXED_BYTES: usize = 320;

/// Maximum number of bytes of the shown text of a body: hiding secrets can make it longer.
const MAX_SHOWN_BYTES: usize = 2 * MAX_BODY_BYTES;
/// Maximum number of bytes that are kept of a body.
pub const MAX_BODY_BYTES: usize = 16 << 10;
/// Maximum number of bytes that are kept of a query.
pub(super) const MAX_QUERY_BYTES: usize = 4 << 10;

/// An entry as it is kept: unmasked, because most entries are dropped without having been read, and hiding the secrets
/// of each would cost every request too much. So only [`shown`](Self::shown) and the methods that comparisons use,
/// which hide secrets, return a text other than the method and the path.
pub(crate) struct Stored {
    pub(crate) number: u64,
    pub(crate) time: Timestamp,
    pub(crate) account: Option<Uuid>,
    pub(crate) method: Method,
    pub(super) has_query: bool,
    pub(super) texts: Texts,
    pub(super) request_body: RawBody,
    pub(crate) status: Option<u16>,
    pub(super) response_body: RawBody,
    pub(super) micros: u64,
    pub(super) fault: Option<u64>,
}

impl Default for Stored {
    fn default() -> Self {
        Self {
            number: 0,
            time: Timestamp::from_unix_millis(0),
            account: None,
            method: Method::GET,
            has_query: false,
            texts: Texts::default(),
            request_body: RawBody::default(),
            status: None,
            response_body: RawBody::default(),
            micros: 0,
            fault: None,
        }
    }
}

impl fmt::Debug for Stored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { number, method, status, .. } = self;
        write!(f, "{number} {method} {} {status:?}", self.path())
    }
}

/// The properties of a body. Its start is among the texts of the entry.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct RawBody {
    /// The length of the whole body.
    pub(super) bytes: u64,
    pub(super) form: Form,
}

impl RawBody {
    /// Its length alone.
    fn brief(self) -> JournalBody {
        JournalBody { bytes: self.bytes, text: None, is_cut: false }
    }

    /// The body with this start, as it is shown.
    fn shown(self, start: &[u8]) -> JournalBody {
        let Self { bytes, form } = self;
        let is_cut = bytes > start.len() as u64;
        let text = match form {
            _ if start.is_empty() => None,
            Form::Parameters if is_form(start) => Some(shown_form(&String::from_utf8_lossy(start), is_cut)),
            // Some clients send JSON with the media type of a form.
            Form::Json | Form::Parameters if is_json(start) => Some(mask::json(start)),
            // In a text of neither form, secrets would not be found.
            Form::Json | Form::Parameters | Form::Other => None,
        };
        JournalBody { bytes, text: text.map(|text| shortened(text, MAX_SHOWN_BYTES)), is_cut }
    }
}

/// A form or a query with its secrets hidden, complete or truncated.
fn shown_form(text: &str, is_cut: bool) -> String {
    if is_cut { mask::start_of_form(text) } else { mask::form(text) }
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
        // The type of almost every body has this ending, which one comparison finds.
        if media_type.ends_with(b"json") || has(b"json") {
            Self::Json
        } else if has(b"x-www-form-urlencoded") {
            Self::Parameters
        } else {
            Self::Other
        }
    }
}

/// A text of at most this many bytes.
fn shortened(mut text: String, most: usize) -> String {
    let length = start_of_text(&text, most).len();
    text.truncate(length);
    text
}

/// The start of a text, of at most this many bytes.
pub(super) fn start_of_text(text: &str, most: usize) -> &str {
    let longest = most.min(text.len());
    let end = (0..=longest).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    text.get(..end).unwrap_or_default()
}

/// A request and its answer. Secrets are replaced by `(hidden)`.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct JournalEntry {
    /// The number of the entry: those of later ones are greater. A request has one when it ends.
    pub number: u64,
    /// When the request was received, on the server's clock.
    pub time: Timestamp,
    /// The account whose key or token the request has; null without a valid one, and for requests to other APIs than
    /// DIDWW's.
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
        FIXED_BYTES + self.method.as_str().len() + self.texts.size()
    }

    /// The path.
    pub(crate) fn path(&self) -> &str {
        self.texts.path()
    }

    /// The query, with its secrets hidden.
    pub(crate) fn shown_query(&self) -> Option<String> {
        let query = self.texts.query();
        self.has_query.then(|| shown_form(query, query.len() >= MAX_QUERY_BYTES))
    }

    /// The body of the request, with its secrets hidden.
    pub(crate) fn shown_body(&self) -> JournalBody {
        self.request_body.shown(self.texts.request_body())
    }

    /// The entry for readers, with its secrets hidden.
    pub(crate) fn shown(&self) -> JournalEntry {
        JournalEntry {
            request_headers: headers(self.texts.request_headers()),
            request_body: self.shown_body(),
            response_headers: headers(self.texts.response_headers()),
            response_body: self.response_body.shown(self.texts.response_body()),
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
            path: self.path().to_owned(),
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

fn headers(lines: &[u8]) -> BTreeMap<String, String> {
    let mut headers = BTreeMap::<String, String>::new();
    for line in lines.split(|byte| *byte == b'\n') {
        let line = String::from_utf8_lossy(line);
        let Some((name, value)) = line.split_once(": ") else { continue };
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
        let path = self.path().to_owned();
        self.texts.begin(&path, query, &HeaderMap::new());
        self.texts.push_request_body(body.as_bytes());
        self.has_query = true;
        self.request_body = RawBody { bytes: body.len() as u64, form: Form::Json };
        self
    }

    /// The same entry, with a body that is longer than its kept bytes.
    pub(crate) fn cut(mut self) -> Self {
        self.request_body.bytes += 1;
        self
    }

    /// An entry with this method and path alone.
    pub(crate) fn of(method: &str, path: &str) -> Self {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let mut stored = Self { method, status: Some(200), ..Self::default() };
        stored.texts.begin(path, "", &HeaderMap::new());
        stored.texts.shrink();
        stored
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(form: Form, body: &str) -> Option<String> {
        RawBody { bytes: body.len() as u64, form }.shown(body.as_bytes()).text
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
    fn of_a_query_or_a_form_that_was_cut_no_user_of_a_url_is_shown() {
        let url = "u=https%3A%2F%2Fann%3Aplanted";
        let body = RawBody { bytes: 1_000, form: Form::Parameters }.shown(url.as_bytes());
        assert_eq!(body.text.as_deref(), Some("u=(hidden)"));
        let query = format!("{}&{url}", "a".repeat(MAX_QUERY_BYTES - url.len() - 1));
        let shown = Stored::of("GET", "/").with(&query, "").shown_query().unwrap();
        assert!(shown.ends_with("a&u=(hidden)"), "{shown}");
    }

    #[test]
    fn an_entry_counts_for_what_its_headers_take() {
        let mut stored = Stored::of("GET", "/");
        let before = stored.size();
        let long = HeaderValue::from_bytes(&[b'x'; 4_800]).unwrap();
        stored.texts.push_answer(&HeaderMap::from_iter([(header::VIA, long)]), b"");
        assert!(stored.size() >= before + 4_800);
    }

    #[test]
    fn a_media_type_is_known_by_a_word_of_it() {
        let of = |media_type| {
            Form::of(&HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static(media_type))]))
        };
        for json in ["application/vnd.api+json", "application/JSON", "application/json; charset=utf-8"] {
            assert_eq!(of(json), Form::Json, "{json}");
        }
        assert_eq!(of("application/x-www-form-urlencoded"), Form::Parameters);
        assert_eq!((of("text/plain"), Form::of(&HeaderMap::new())), (Form::Other, Form::Json));
    }

    #[test]
    fn a_brief_entry_has_neither_headers_nor_texts_of_bodies() {
        let mut stored = Stored::of("POST", "/v3/dids");
        let accept = HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static("a"))]);
        stored.texts.begin("/v3/dids", "token=t&a=b", &accept);
        stored.texts.push_request_body(br#"{"a":"b"}"#);
        stored.has_query = true;
        stored.request_body.bytes = 9;
        let (brief, shown) = (stored.brief(), stored.shown());
        assert_eq!((brief.request_headers.len(), shown.request_headers.len()), (0, 1));
        assert_eq!((brief.request_body.text, brief.request_body.bytes), (None, 9));
        assert_eq!(shown.request_body.text.as_deref(), Some(r#"{"a":"b"}"#));
        assert_eq!(brief.query.as_deref(), Some("token=(hidden)&a=b"));
    }

    #[test]
    fn headers_of_one_name_are_joined() {
        let headers = headers(b"accept: a\nvia: x: y\naccept: b\nserver: \xff\nx-empty: \n");
        let headers: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(headers, [("accept", "a, b"), ("server", "\u{fffd}"), ("via", "x: y"), ("x-empty", "")]);
    }
}
