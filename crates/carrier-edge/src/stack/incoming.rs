//! A received request: its headers as they arrived, and the responses to it.
//!
//! Thousands of requests can wait for an ACK at the same time. The library's futures take several kilobytes
//! each, so none is held while a request waits, and no other object of the library is held longer than
//! needed.

mod direct_answer;
mod events;
pub(super) mod repetition;

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock};

use rsipstack::dialog::DialogId;
use rsipstack::sip::prelude::HeadersExt as _;
use rsipstack::sip::{Header, Headers, Method, Response, SipMessage, StatusCode, Transport, Version};
use rsipstack::transaction::transaction::{Transaction, TransactionEvent};
use rsipstack::transport::{SipAddr, SipConnection};
use sip_transport::address::entries;
use sip_transport::body::{BodyRefusal, session_description};
use sip_transport::{AckRoute, AckRoutes, Arrival, KeptAnswers, uri_of};

use super::Dialog;
use super::dialog::contact_of;
use super::identity::EdgeIdentity;
use super::invite_event::Acknowledgement;
use super::named_headers::NamedHeaders;
use crate::attempts::transport_name;
use crate::peers::Need;
use crate::request_slots::RequestSlot;
use repetition::Repetition;

/// A received request with its server transaction. It is one pointer, because every future that it is passed to
/// contains it twice.
pub(crate) struct Incoming(Box<Received>);

struct Received {
    transaction: Transaction,
    arrival: Arrival,
    named_headers: NamedHeaders,
    /// Events of the transaction that were received and not handled. Each is moved here once, however many wait.
    behind: VecDeque<TransactionEvent>,
    /// The number of markers among the events that are not received, see `put_back`.
    markers: usize,
    /// True if the end of the endpoint ends the wait for events.
    ends_with_endpoint: bool,
    /// Its slot among the requests in progress.
    slot: Option<RequestSlot>,
    /// Its need for its connection.
    need: Option<Need>,
    identity: Arc<EdgeIdentity>,
    acks: AckRoutes,
    answers: KeptAnswers,
    /// Where its ACK goes, once it was answered past the library.
    ack_route: Option<AckRoute>,
    /// The repetitions of its final response, if that was sent past the library, or could not be sent, and is not
    /// acknowledged.
    repetition: Option<Repetition>,
    /// The code and the text of its challenge, if that was sent past the library.
    challenge: Option<(u16, String)>,
    acknowledgement: Option<Acknowledgement>,
    /// True if a fault loses each ACK on its way here.
    loses_acknowledgements: bool,
    /// True if the transaction is dropped once its response was acknowledged.
    ends_with_ack: bool,
    /// True if the request came without a local tag and received one from the edge.
    starts_dialog: bool,
    /// The URI in its `Contact`, or why it has no usable one. Cached, because the URI is parsed to check it.
    contact: OnceLock<Result<Option<Box<str>>, &'static str>>,
}

impl Incoming {
    pub(super) fn new(
        mut transaction: Transaction,
        identity: Arc<EdgeIdentity>,
        acks: AckRoutes,
        answers: KeptAnswers,
    ) -> Self {
        let unknown = SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), 0);
        let arrival = Arrival::of(&transaction.original);
        let arrival =
            arrival.unwrap_or(Arrival { source: unknown, local: unknown, transport: Transport::Udp });
        // The library would derive it from the `Via` for each response. Over UDP the connection's socket decides which
        // port of the source the responses go to.
        transaction.destination =
            Some(SipAddr { r#type: Some(arrival.transport), addr: arrival.source.into() });
        Self(Box::new(Received {
            named_headers: NamedHeaders::of(&transaction.original.headers),
            transaction,
            arrival,
            behind: VecDeque::new(),
            markers: 0,
            ends_with_endpoint: false,
            slot: None,
            need: None,
            identity,
            acks,
            answers,
            ack_route: None,
            repetition: None,
            challenge: None,
            acknowledgement: None,
            loses_acknowledgements: false,
            ends_with_ack: false,
            starts_dialog: false,
            contact: OnceLock::new(),
        }))
    }

    /// Keeps a slot occupied, and its connection needed, until the request is dropped.
    pub(crate) fn hold_slot(&mut self, slot: Option<RequestSlot>, need: Option<Need>) {
        self.0.slot = slot;
        drop(std::mem::replace(&mut self.0.need, need));
    }

    /// The source address of the packet, independent of the headers.
    pub(crate) fn source(&self) -> SocketAddr {
        self.0.arrival.source
    }

    /// The local address that it was sent to: a concrete one, even if the socket is bound to the unspecified
    /// address.
    pub(crate) fn local(&self) -> SocketAddr {
        self.0.arrival.local
    }

    /// The transport of the request: `udp`, `tcp` or `tls`.
    pub(crate) fn transport(&self) -> &'static str {
        transport_name(self.0.arrival.transport)
    }

    pub(crate) fn method(&self) -> &'static str {
        match self.0.transaction.original.method {
            Method::Invite => "INVITE",
            Method::Ack => "ACK",
            Method::Bye => "BYE",
            Method::Cancel => "CANCEL",
            Method::Options => "OPTIONS",
            Method::Register => "REGISTER",
            Method::Update => "UPDATE",
            Method::PRack => "PRACK",
            Method::Info => "INFO",
            _ => "OTHER",
        }
    }

    /// The Request-URI byte for byte as received, which the library would normalise.
    pub(crate) fn request_uri(&self) -> &str {
        Arrival::request_uri(&self.0.transaction.original).unwrap_or_default()
    }

    pub(crate) fn body(&self) -> &[u8] {
        &self.0.transaction.original.body
    }

    pub(crate) fn headers(&self) -> &Headers {
        &self.0.transaction.original.headers
    }

    /// The session description in the body.
    pub(crate) fn description(&self) -> Result<Option<&[u8]>, BodyRefusal> {
        session_description(self.headers(), self.body())
    }

    /// Returns true if its version is SIP/2.0.
    pub(crate) fn is_of_this_version(&self) -> bool {
        *self.0.transaction.original.version() == Version::V2
    }

    /// The number and the method of `CSeq`.
    pub(crate) fn sequence(&self) -> Option<(u32, &str)> {
        self.0.named_headers.sequence(self.headers())
    }

    /// Returns true if a comma-separated header contains a token, such as an option tag, in any case of
    /// letters.
    pub(crate) fn lists(&self, name: &str, word: &str) -> bool {
        let mut listed = self.values(name).flat_map(|value| value.split(','));
        listed.any(|listed| listed.trim().eq_ignore_ascii_case(word))
    }

    /// The URI in `Contact`, to which further requests of the dialog are sent; `None` without the header.
    ///
    /// # Errors
    /// A reason if there is more than one contact, or it is not a SIP URI with a host.
    pub(crate) fn contact(&self) -> Result<Option<&str>, &'static str> {
        let read = || contact_of(self.headers()).map(|contact| contact.map(Into::into));
        self.0.contact.get_or_init(read).as_ref().map(Option::as_deref).map_err(|why| *why)
    }

    /// Returns true if its dialog is secure, so that the contact of the edge must be a `sips:` URI (RFC 3261 §12.1.1):
    /// clients end a call to such a URI whose other side is not.
    pub(crate) fn is_secure(&self) -> bool {
        let is_sips = |uri: &str| uri.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("sips:"));
        let next = || self.value("Record-Route").or_else(|| self.value("Contact"));
        self.0.arrival.transport == Transport::Tls
            && (is_sips(self.request_uri())
                || next()
                    .and_then(|value| entries(value).into_iter().next())
                    .map(uri_of)
                    .is_some_and(is_sips))
    }

    /// The values of a header as received, one for each line. A compact name is found by its long one.
    pub(crate) fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let named = move |header: &&Header| header.name().eq_ignore_ascii_case(name);
        let headers: &[Header] = if self.0.named_headers.may_have(name) { &self.headers().0 } else { &[] };
        headers.iter().filter(named).map(|header| header.value().trim_start())
    }

    /// The names of its headers, the long one of each, in the order of their lines.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.transaction.original.headers.iter().map(Header::name)
    }

    pub(crate) fn value<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        self.values(name).next()
    }

    pub(crate) fn call_id(&self) -> &str {
        self.0.named_headers.call_id(self.headers()).unwrap_or_default()
    }

    pub(crate) fn remote_tag(&self) -> Option<&str> {
        self.0.named_headers.remote_tag(self.headers())
    }

    pub(crate) fn local_tag(&self) -> Option<&str> {
        self.0.named_headers.local_tag(self.headers())
    }

    /// The value of `Max-Forwards`; `None` without the header.
    ///
    /// # Errors
    /// Its text, if it is not a number.
    pub(crate) fn max_forwards(&self) -> Result<Option<u32>, &str> {
        let value = self.0.named_headers.max_forwards(self.headers()).map(str::trim);
        value.map(|value| value.parse().map_err(|_| value)).transpose()
    }

    /// Returns true if it arrived without a local tag, outside of any dialog.
    pub(crate) fn starts_dialog(&self) -> bool {
        self.0.starts_dialog
    }

    /// Sets the local tag of the dialog, which every later response carries.
    pub(crate) fn set_local_tag(&mut self, tag: &str) {
        let Received { transaction, named_headers, starts_dialog, .. } = &mut *self.0;
        *starts_dialog = true;
        for header in transaction.original.headers.iter_mut() {
            if let Header::To(to) = header {
                *to = rsipstack::sip::headers::To::new(format!("{};tag={tag}", to.value()));
            }
        }
        named_headers.read_local_tag(&transaction.original.headers);
    }

    /// Sends 100 Trying, with the `Timestamp` of the request (RFC 3261 §8.2.6.1).
    pub(crate) async fn trying(&mut self) {
        let transaction = &self.0.transaction;
        let sent = if let (Some(SipConnection::Udp(socket)), Some(peer)) =
            (&transaction.connection, &transaction.destination)
        {
            // Written directly to the socket: a lost 100 does no harm, as the request is repeated, and the library's
            // transaction would copy the message three times.
            let mut text = String::with_capacity(512);
            text.push_str("SIP/2.0 100 Trying\r\n");
            for header in transaction.original.headers.iter().filter(|header| is_copied(header)) {
                for part in [header.name(), ": ", header.value(), "\r\n"] {
                    text.push_str(part);
                }
            }
            for timestamp in self.values("Timestamp") {
                let _infallible = write!(text, "Timestamp: {timestamp}\r\n");
            }
            text.push_str("Content-Length: 0\r\n\r\n");
            socket.send_raw(text.as_bytes(), peer).await
        } else {
            let timestamps: Vec<(&str, &str)> =
                self.values("Timestamp").map(|value| ("Timestamp", value)).collect();
            let trying = self.response(100, "Trying", &timestamps, "");
            Box::pin(self.0.transaction.respond(trying)).await
        };
        if let Err(error) = sent {
            tracing::debug!(%error, "100 was not sent");
        }
    }

    /// Sends a response. A failure to send is logged and otherwise ignored: the caller's timers handle it.
    pub(crate) async fn respond(&mut self, code: u16, phrase: &str, headers: &[(&str, &str)], body: &str) {
        if code >= 200
            && self.can_be_answered_directly()
            && let Some(route) = self.route_ack()
        {
            if self.0.ends_with_ack {
                let challenge = self.text(code, phrase, headers, body);
                return self.challenge_directly(code, challenge, route).await;
            }
            let response = self.response(code, phrase, headers, body);
            return self.answer_invite(response, route).await;
        }
        let response = self.response(code, phrase, headers, body);
        if let Err(error) = Box::pin(self.0.transaction.respond(response)).await {
            tracing::debug!(code, %error, "a response was not sent");
            if code >= 200 {
                self.count_as_lost();
            }
        }
        if code >= 300 && self.0.transaction.original.method == Method::Invite {
            // For each refusal of an INVITE the library stores where its ACK would go. It never uses that entry, and
            // scans all entries whenever it removes a transaction.
            let tag = |tag: Option<&str>| tag.unwrap_or_default().to_owned();
            let (local_tag, remote_tag) = (tag(self.local_tag()), tag(self.remote_tag()));
            let note = DialogId { call_id: self.call_id().to_owned(), local_tag, remote_tag };
            self.0.transaction.endpoint_inner.waiting_ack.remove(&note);
        }
    }

    fn response(&self, code: u16, phrase: &str, headers: &[(&str, &str)], body: &str) -> Response {
        // For a code that the library knows it uses its own reason phrase; `Other` keeps the edge's.
        let status_code =
            if code < 300 { StatusCode::from(code) } else { StatusCode::Other(code, phrase.to_owned()) };
        let original = &self.0.transaction.original;
        let mut all = Vec::with_capacity(headers.len() + 8);
        all.extend(original.headers.iter().filter(|header| is_copied(header)).cloned());
        // The library copies each header of a response twice, and writes each into a text of its own. So the lines that
        // neither it nor `kept_answer` looks for are one header.
        let server_name = self.0.identity.server_name.as_str();
        let further = headers.iter().map(|(name, value)| name.len() + value.len() + 4).sum::<usize>();
        let mut lines = String::with_capacity(server_name.len() + further + 32);
        lines.push_str(server_name);
        for (name, value) in headers {
            match *name {
                "Contact" => all.push(Header::Contact((*value).into())),
                "Record-Route" => all.push(Header::RecordRoute((*value).into())),
                _ => {
                    for part in ["\r\n", *name, ": ", *value] {
                        lines.push_str(part);
                    }
                }
            }
        }
        let _infallible = write!(lines, "\r\nContent-Length: {}", body.len());
        all.push(Header::Server(lines.into()));
        Response {
            status_code,
            wire_reason: None,
            version: Version::V2,
            headers: all.into(),
            body: body.as_bytes().to_vec(),
        }
    }

    /// The text of a response, as the library would write [`response`](Self::response): none of its headers is copied
    /// before.
    fn text(&self, code: u16, phrase: &str, headers: &[(&str, &str)], body: &str) -> String {
        let mut text = String::with_capacity(1_024);
        let known = StatusCode::from(code);
        let _infallible = write!(text, "SIP/2.0 {code} ");
        text.push_str(if code < 300 { known.text() } else { phrase });
        text.push_str("\r\n");
        let mut add = |name: &str, value: &str| {
            for part in [name, ": ", value, "\r\n"] {
                text.push_str(part);
            }
        };
        for header in self.headers().iter().filter(|header| is_copied(header)) {
            add(header.name(), header.value());
        }
        let of_dialog = |name: &str| matches!(name, "Contact" | "Record-Route");
        for (name, value) in headers.iter().filter(|(name, _)| of_dialog(name)) {
            add(name, value);
        }
        add("Server", &self.0.identity.server_name);
        for (name, value) in headers.iter().filter(|(name, _)| !of_dialog(name)) {
            add(name, value);
        }
        let _infallible = write!(text, "Content-Length: {}\r\n\r\n{body}", body.len());
        text
    }

    /// Sends a final response, and keeps the transaction until the response needs no more repetition.
    /// Over a stream, where a request other than INVITE is not repeated, nothing is kept.
    pub(crate) async fn finish(mut self, code: u16, phrase: &str, headers: &[(&str, &str)]) {
        if self.0.transaction.original.method != Method::Invite {
            if self.0.arrival.transport != Transport::Udp {
                return self.send_once(code, phrase, headers).await;
            }
            let response = self.text(code, phrase, headers, "");
            return self.answer(code, &response, headers.is_empty()).await;
        }
        self.respond(code, phrase, headers, "").await;
        self.wait_refusal_delivered().await;
    }

    /// Sends a final response to a request outside of calls, and keeps nothing: a repetition is answered as a new
    /// request. Each answer would be kept for half a minute, and anybody can send such requests from the address of a
    /// known source. An INVITE is finished as usual.
    pub(crate) async fn finish_once(self, code: u16, phrase: &str, headers: &[(&str, &str)]) {
        if self.0.transaction.original.method == Method::Invite {
            return self.finish(code, phrase, headers).await;
        }
        self.send_once(code, phrase, headers).await;
    }

    /// Sends a final response without the library, which therefore keeps nothing of it.
    async fn send_once(self, code: u16, phrase: &str, headers: &[(&str, &str)]) {
        let response = SipMessage::Response(self.response(code, phrase, headers, ""));
        let Transaction { connection, destination, .. } = &self.0.transaction;
        if let Some(connection) = connection
            && let Err(error) = connection.send(response, destination.as_ref()).await
        {
            tracing::debug!(code, %error, "a response was not sent");
        }
    }

    /// Sends a challenge, and drops the stored response once it was acknowledged. A repeated INVITE is then
    /// challenged again, which costs less than keeping every first INVITE in memory for half a minute.
    pub(crate) async fn challenge(mut self, code: u16, phrase: &str, headers: &[(&str, &str)]) {
        self.0.ends_with_ack = true;
        self.respond(code, phrase, headers, "").await;
        if self.wait_refusal_delivered().await || self.0.challenge.is_some() {
            self.0.transaction.last_response = None;
        }
    }

    /// The dialog that this INVITE creates; `None` without a usable contact or connection.
    pub(crate) fn dialog(&self) -> Option<Box<Dialog>> {
        let original = &self.0.transaction.original;
        Some(Box::new(Dialog {
            endpoint: self.0.transaction.endpoint_inner.clone(),
            connection: self.0.transaction.connection.clone()?,
            identity: Arc::clone(&self.0.identity),
            source: self.0.arrival.source,
            local_address: self.0.arrival.local,
            transport: self.0.arrival.transport,
            contact: Arc::default(),
            target: self.contact().ok()??.into(),
            allows_update: self.lists("Allow", "UPDATE"),
            sequence: 0,
            call_id: self.call_id().into(),
            routes: self.values("Record-Route").flat_map(entries).map(Into::into).collect(),
            local: original.to_header().ok()?.value().into(),
            remote: original.from_header().ok()?.value().into(),
        }))
    }

    /// Updates the dialog from a later request of its caller: the contact (RFC 3261 §12.2.2), the methods
    /// that the caller allows, and the source address and connection.
    pub(crate) fn retarget(&self, dialog: &mut Dialog) {
        dialog.retarget(self.headers());
        if self.value("Allow").is_some() {
            dialog.allows_update = self.lists("Allow", "UPDATE");
        }
        if let Some(connection) = &self.0.transaction.connection {
            dialog.connection = connection.clone();
            dialog.source = self.0.arrival.source;
            dialog.local_address = self.0.arrival.local;
            dialog.transport = self.0.arrival.transport;
        }
    }
}

/// Returns true if responses repeat this header of the request (RFC 3261 §8.2.6.2).
fn is_copied(header: &Header) -> bool {
    matches!(header, Header::Via(_) | Header::CallId(_) | Header::From(_) | Header::To(_) | Header::CSeq(_))
}

#[cfg(test)]
mod tests;
