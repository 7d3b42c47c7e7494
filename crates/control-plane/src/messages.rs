//! The SIP messages of a recent call: as JSON, text, a ladder diagram or a capture file; and the newest of all calls.
//!
//! Secrets and dialled digits were masked when the messages were captured. The number of stored messages is bounded
//! (`sip_transport::MessageLog`), so a response has at most about 1 MiB.

use std::borrow::Cow;
use std::net::IpAddr;

use axum::extract::{Path, State};
use axum::response::Response;
use carrier_edge::CallMessages;
use didww_types::Timestamp;
use http::{HeaderValue, StatusCode, Uri, header};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::respond::{parse_query, respond, respond_apart};
use crate::route::Route;
use crate::{Control, ControlError};

/// Number of messages that are listed if the request has no `limit`, and the maximum.
const DEFAULT_LISTED: usize = 100;
const MAX_LISTED: usize = 1_000;
/// Maximum number of characters of a first line that are listed.
const MAX_LINE: usize = 400;

impl Control {
    /// Returns the stored SIP messages with this `Call-ID`, of the carrier edge and of the dialler alike. Their `text`,
    /// `ladder` and `capture_file` render them.
    ///
    /// # Errors
    /// If no messages with this `Call-ID` are stored: none came, they were displaced by later ones, or the server
    /// stores none.
    pub fn messages(&self, call_id: &str) -> Result<CallMessages, ControlError> {
        let found = self.messages.as_ref().and_then(|messages| messages.of(call_id));
        found.ok_or_else(|| ControlError::NotFound(format!("stored message with the Call-ID {call_id}")))
    }
}

/// A stored SIP message of any call, by its first line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct RecentMessage {
    /// The `Call-ID` of the message, by which its call's messages are read.
    pub call_id: String,
    /// When it was sent or received.
    pub at: Timestamp,
    /// The SIP stack: that of the carrier edge, or of the dialler.
    pub stack: String,
    /// Whether the server sent or received it.
    pub direction: String,
    /// The peer's address and port.
    pub remote: String,
    /// The transport: `UDP`, `TCP` or `TLS`.
    pub transport: String,
    /// The length of the whole message.
    pub bytes: usize,
    /// Its first line, at most 400 characters.
    pub line: String,
}

/// Selects messages: those that have all of the values.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct RecentMessages {
    /// The IP address of the peer.
    pub peer: Option<IpAddr>,
    /// A text that the first line has, such as `INVITE` or `403`.
    pub line: Option<String>,
    /// Maximum number of messages, 100 by default and at most 1,000.
    pub limit: Option<usize>,
}

impl Control {
    /// Returns the newest stored SIP messages of all calls, newest first, each by its first line. It examines all
    /// stored messages, so an asynchronous task must call it on a thread for blocking work.
    ///
    /// # Errors
    /// If the server stores none.
    pub fn recent_messages(&self, query: &RecentMessages) -> Result<Vec<RecentMessage>, ControlError> {
        let none = || ControlError::NotFound("store of SIP messages".to_owned());
        let messages = self.messages.as_ref().ok_or_else(none)?;
        let peer = query.peer.map(|peer| peer.to_canonical());
        let most = query.limit.unwrap_or(DEFAULT_LISTED).min(MAX_LISTED);
        let found = messages.recent(most, |message| {
            peer.is_none_or(|peer| message.remote.ip().to_canonical() == peer)
                && query.line.as_ref().is_none_or(|text| first_line(&message.bytes).contains(text.as_str()))
        });
        let shown = found.into_iter().map(|(call_id, message)| RecentMessage {
            call_id: call_id.to_string(),
            at: message.at,
            stack: message.stack.to_owned(),
            direction: message.direction.name().to_owned(),
            remote: message.remote.to_string(),
            transport: message.transport.to_owned(),
            bytes: message.length,
            line: first_line(&message.bytes).chars().take(MAX_LINE).collect(),
        });
        Ok(shown.collect())
    }
}

/// The first line of a message.
fn first_line(bytes: &[u8]) -> Cow<'_, str> {
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    String::from_utf8_lossy(line.trim_ascii_end())
}

/// The route of the newest messages.
pub(crate) fn route() -> Route {
    Route::get("/messages", "Lists the newest stored SIP messages of all calls, newest first.", list_recent)
        .query::<RecentMessages>()
        .answers::<Recent>(200)
        .errors(&[404, 422])
}

/// The selected messages, newest first.
#[derive(Serialize, JsonSchema)]
struct Recent {
    messages: Vec<RecentMessage>,
}

async fn list_recent(State(control): State<Control>, uri: Uri) -> Response {
    respond_apart(move || {
        let messages = control.recent_messages(&parse_query::<RecentMessages>(&uri)?)?;
        Ok((StatusCode::OK, json!(Recent { messages })))
    })
    .await
}

/// Selects the form of the messages.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MessagesQuery {
    /// `text` and `ladder` are answered as plain text, `pcap` as a capture file.
    #[serde(default)]
    format: Format,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Format {
    #[default]
    Json,
    Text,
    Ladder,
    Pcap,
}

pub(crate) async fn show(State(control): State<Control>, Path(call_id): Path<String>, uri: Uri) -> Response {
    let found =
        parse_query(&uri).and_then(|MessagesQuery { format }| Ok((format, control.messages(&call_id)?)));
    let (format, found) = match found {
        Ok(found) => found,
        Err(error) => return respond(Err(error)),
    };
    match format {
        Format::Json => respond(Ok((StatusCode::OK, json!(Messages::new(&found))))),
        Format::Text => file(found.text().into_bytes(), "text/plain; charset=utf-8", None),
        Format::Ladder => file(found.ladder().into_bytes(), "text/plain; charset=utf-8", None),
        Format::Pcap => {
            let disposition = "attachment; filename=\"call.pcapng\"";
            file(found.capture_file(), "application/x-pcapng", Some(disposition))
        }
    }
}

/// Builds a response that is not JSON.
fn file(bytes: Vec<u8>, kind: &'static str, disposition: Option<&'static str>) -> Response {
    let mut response = Response::new(bytes.into());
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    // A browser must not interpret a peer's text as HTML.
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.extend(disposition.map(|value| (header::CONTENT_DISPOSITION, HeaderValue::from_static(value))));
    response
}

/// The stored SIP messages of a call.
#[derive(Serialize, JsonSchema)]
#[expect(clippy::struct_field_names, reason = "the members of the answer have these names")]
pub(crate) struct Messages<'a> {
    /// The `Call-ID` that all of the messages have.
    call_id: &'a str,
    /// The stored messages, oldest first.
    messages: Vec<SipMessage<'a>>,
    /// The number of messages that were dropped because there were too many.
    omitted: u64,
}

/// A stored SIP message.
#[derive(Serialize, JsonSchema)]
struct SipMessage<'a> {
    /// When it was sent or received.
    at: Timestamp,
    /// The SIP stack: that of the carrier edge, or of the dialler.
    stack: &'static str,
    /// Whether the server sent or received it.
    direction: &'static str,
    /// The server's address and port.
    local: String,
    /// The peer's address and port.
    remote: String,
    /// The transport: `udp`, `tcp` or `tls`.
    transport: &'static str,
    /// The length of the whole message.
    bytes: usize,
    /// Whether only the beginning was stored.
    cut: bool,
    /// The stored text, with secrets and dialled digits masked.
    text: Cow<'a, str>,
}

impl<'a> Messages<'a> {
    fn new(found: &'a CallMessages) -> Self {
        let messages = found.messages.iter().map(|message| SipMessage {
            at: message.at,
            stack: message.stack,
            direction: message.direction.name(),
            local: message.local.to_string(),
            remote: message.remote.to_string(),
            transport: message.transport,
            bytes: message.length,
            cut: message.is_cut(),
            text: String::from_utf8_lossy(&message.bytes),
        });
        Self { call_id: &found.call_id, messages: messages.collect(), omitted: found.omitted }
    }
}
