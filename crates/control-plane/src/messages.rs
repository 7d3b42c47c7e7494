//! The SIP messages of a recent call: as JSON, text, a ladder diagram or a capture file.
//!
//! Secrets and dialled digits were masked when the messages were captured. The number of stored messages is bounded
//! (`sip_transport::MessageLog`), so a response has at most about 1 MiB.

use axum::extract::{Path, State};
use axum::response::Response;
use carrier_edge::CallMessages;
use http::{HeaderValue, StatusCode, Uri, header};
use serde::Deserialize;
use serde_json::{Value, json};

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

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MessagesQuery {
    #[serde(default)]
    format: Format,
}

#[derive(Default, Deserialize)]
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
        Format::Json => respond(Ok((StatusCode::OK, messages_json(&found)))),
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

fn messages_json(found: &CallMessages) -> Value {
    let messages: Vec<Value> = found
        .messages
        .iter()
        .map(|message| {
            json!({
                "at": message.at,
                "stack": message.stack,
                "direction": message.direction.name(),
                "local": message.local.to_string(),
                "remote": message.remote.to_string(),
                "transport": message.transport,
                "bytes": message.length,
                "cut": message.is_cut(),
                "text": String::from_utf8_lossy(&message.bytes),
            })
        })
        .collect();
    json!({ "call_id": found.call_id, "messages": messages, "omitted": found.omitted })
}
