//! The SIP messages of a recent call: as JSON, text, a ladder diagram or a capture file.
//!
//! Secrets and dialled digits were masked when the messages were captured. The number of stored messages is bounded
//! (`sip_transport::MessageLog`), so a response has at most about 1 MiB.

use std::borrow::Cow;

use axum::extract::{Path, State};
use axum::response::Response;
use carrier_edge::CallMessages;
use didww_types::Timestamp;
use http::{HeaderValue, StatusCode, Uri, header};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::respond::{parse_query, respond};
use crate::{Control, ControlError};

impl Control {
    /// Returns the stored SIP messages with this `Call-ID`, of the carrier edge and of the dialler alike. Their `text`,
    /// `ladder` and `capture_file` render them.
    ///
    /// # Errors
    /// If no messages with this `Call-ID` are stored: none came, they were displaced by later ones, or the server stores
    /// none.
    pub fn messages(&self, call_id: &str) -> Result<CallMessages, ControlError> {
        let found = self.messages.as_ref().and_then(|messages| messages.of(call_id));
        found.ok_or_else(|| ControlError::NotFound(format!("stored message with the Call-ID {call_id}")))
    }
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
    // A browser must not take a peer's text for a page.
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.extend(disposition.map(|value| (header::CONTENT_DISPOSITION, HeaderValue::from_static(value))));
    response
}

/// The stored SIP messages of a call.
#[derive(Serialize, JsonSchema)]
#[expect(clippy::struct_field_names, reason = "the members of the answer have these names")]
pub(crate) struct Messages<'a> {
    /// The `Call-ID`.
    call_id: &'a str,
    /// The messages, oldest first.
    messages: Vec<SipMessage<'a>>,
    /// The number of messages that were dropped because there were too many.
    omitted: u64,
}

/// One SIP message.
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
    /// `udp`, `tcp` or `tls`.
    transport: &'static str,
    /// The length of the whole message.
    bytes: usize,
    /// Whether only the beginning was stored.
    cut: bool,
    /// What was stored, with secrets and dialled digits masked.
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
