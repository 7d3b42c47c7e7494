//! A request that came in: its headers as they were received, and the responses to it.
//!
//! Nothing of the library's is held longer than it is needed. What waits for an ACK is thousands at a time, so no
//! future of the library's is kept while nothing happens: they are several kilobytes each.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use rsipstack::dialog::DialogId;
use rsipstack::sip::prelude::HeadersExt as _;
use rsipstack::sip::{Header, Headers, Method, Response, Scheme, SipMessage, StatusCode, Transport, Version};
use rsipstack::transaction::transaction::{Transaction, TransactionEvent};
use rsipstack::transport::{SipAddr, SipConnection};

use super::{Dialog, Own};
use crate::shares::Share;
use sip_transport::address::entries;
use sip_transport::body::{BodyRefusal, session_description};
use sip_transport::{Arrival, tag_of};

/// A request that came in, with its transaction.
pub(crate) struct Incoming {
    transaction: Box<Transaction>,
    arrival: Arrival,
    /// Its place among those that are worked on.
    share: Option<Share>,
    own: Arc<Own>,
    acknowledgement: Option<Acknowledgement>,
    /// Whether its dialog got its tag from us.
    begins: bool,
}

/// What an ACK brought.
#[derive(Debug)]
pub(crate) struct Acknowledgement {
    /// Where it came from, where that is known.
    pub(crate) source: Option<IpAddr>,
    /// The session description in it.
    pub(crate) description: Result<Option<Vec<u8>>, BodyRefusal>,
}

/// What happens to an INVITE after it was answered, or before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Happened {
    /// The caller confirmed the final response.
    Acknowledged,
    /// The caller gave up; the library has said 200 to that.
    Cancelled,
    /// The transaction is over: it was confirmed, or its time ran out.
    Over,
}

impl Incoming {
    pub(super) fn new(transaction: Transaction, own: Arc<Own>) -> Self {
        let mut transaction = Box::new(transaction);
        let nowhere = SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), 0);
        let arrival = Arrival::of(&transaction.original);
        let arrival =
            arrival.unwrap_or(Arrival { source: nowhere, local: nowhere, transport: Transport::Udp });
        // Responses go to where the request came from. The library would read that out of the `Via` each time.
        transaction.destination =
            Some(SipAddr { r#type: Some(arrival.transport), addr: arrival.source.into() });
        Self { transaction, arrival, share: None, own, acknowledgement: None, begins: false }
    }

    /// Holds a place as long as it is there.
    pub(crate) fn hold(&mut self, share: Option<Share>) {
        self.share = share;
    }

    /// Where the packet came from, whatever its headers say.
    pub(crate) fn source(&self) -> SocketAddr {
        self.arrival.source
    }

    /// The address that it was sent to: one of the own ones, also where every one is listened on.
    pub(crate) fn local(&self) -> SocketAddr {
        self.arrival.local
    }

    /// `udp`, `tcp` or `tls`.
    pub(crate) fn transport(&self) -> &'static str {
        match self.arrival.transport {
            Transport::Tcp => "tcp",
            Transport::Tls => "tls",
            _ => "udp",
        }
    }

    pub(crate) fn method(&self) -> &'static str {
        match self.transaction.original.method {
            Method::Invite => "INVITE",
            Method::Ack => "ACK",
            Method::Bye => "BYE",
            Method::Cancel => "CANCEL",
            Method::Options => "OPTIONS",
            Method::Register => "REGISTER",
            Method::Update => "UPDATE",
            Method::PRack => "PRACK",
            _ => "OTHER",
        }
    }

    /// The Request-URI with its user part as it was received.
    pub(crate) fn request_uri(&self) -> String {
        let uri = &self.transaction.original.uri;
        match (&uri.scheme, &uri.auth) {
            // The library escapes the user part once more when it writes it: `%23` would read `%2523`.
            (Some(scheme), Some(auth)) => format!("{scheme}:{}@{}", auth.user, uri.host_with_port),
            _ => uri.to_string(),
        }
    }

    pub(crate) fn body(&self) -> &[u8] {
        &self.transaction.original.body
    }

    pub(crate) fn headers(&self) -> &Headers {
        &self.transaction.original.headers
    }

    /// The session description in the body.
    pub(crate) fn description(&self) -> Result<Option<&[u8]>, BodyRefusal> {
        session_description(self.headers(), self.body())
    }

    /// Whether it is of the version that the edge speaks.
    pub(crate) fn is_of_this_version(&self) -> bool {
        *self.transaction.original.version() == Version::V2
    }

    /// Whether its target is a `sip:`, `sips:` or `tel:` URI.
    pub(crate) fn has_known_scheme(&self) -> bool {
        match &self.transaction.original.uri.scheme {
            Some(Scheme::Other(scheme)) => scheme.eq_ignore_ascii_case("tel"),
            _ => true,
        }
    }

    /// The number and the method of `CSeq`.
    pub(crate) fn sequence(&self) -> Option<(u32, &str)> {
        let mut words = self.value("CSeq")?.split_ascii_whitespace();
        Some((words.next()?.parse().ok()?, words.next()?))
    }

    /// Whether a header lists a word, such as an option tag.
    pub(crate) fn lists(&self, name: &str, word: &str) -> bool {
        let mut listed = self.values(name).flat_map(|value| value.split(','));
        listed.any(|listed| listed.trim().eq_ignore_ascii_case(word))
    }

    /// Where the caller wants further requests of the dialog: `None` when it does not say.
    ///
    /// # Errors
    /// When it says what no request can be sent to.
    pub(crate) fn contact(&self) -> Result<Option<&str>, &'static str> {
        let mut contacts = self.values("Contact").flat_map(entries);
        let Some(contact) = contacts.next() else { return Ok(None) };
        if contacts.next().is_some() {
            return Err("there is more than one contact");
        }
        let uri = uri_of(contact);
        let parsed = rsipstack::sip::Uri::try_from(uri).map_err(|_| "the contact is no URI")?;
        let has_host = !parsed.host_with_port.to_string().is_empty();
        match parsed.scheme {
            Some(Scheme::Sip | Scheme::Sips) if has_host => Ok(Some(uri)),
            _ => Err("the contact is no SIP URI"),
        }
    }

    /// The values of a header as they were received, one for each line. Short names are known by the long ones.
    pub(crate) fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let named = move |header: &&Header| header.name().eq_ignore_ascii_case(name);
        self.transaction.original.headers.iter().filter(named).map(|header| header.value().trim_start())
    }

    pub(crate) fn value<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        self.values(name).next()
    }

    pub(crate) fn call_id(&self) -> &str {
        self.value("Call-ID").unwrap_or_default()
    }

    pub(crate) fn remote_tag(&self) -> Option<&str> {
        tag_of(self.value("From")?)
    }

    pub(crate) fn local_tag(&self) -> Option<&str> {
        tag_of(self.value("To")?)
    }

    pub(crate) fn max_forwards(&self) -> Option<u32> {
        self.value("Max-Forwards")?.trim().parse().ok()
    }

    /// Whether it came without a tag of ours: outside of any dialog.
    pub(crate) fn begins(&self) -> bool {
        self.begins
    }

    /// Gives the dialog its local tag: every later response carries it.
    pub(crate) fn set_local_tag(&mut self, tag: &str) {
        self.begins = true;
        for header in self.transaction.original.headers.iter_mut() {
            if let Header::To(to) = header {
                *to = rsipstack::sip::headers::To::new(format!("{};tag={tag}", to.value()));
            }
        }
    }

    /// Says that the request is being worked on.
    pub(crate) async fn trying(&mut self) {
        let sent = match (&self.transaction.connection, &self.transaction.destination) {
            // By hand: nothing is lost with a datagram that is not repeated, and the way through the transaction
            // copies the message three times.
            (Some(SipConnection::Udp(socket)), Some(peer)) => {
                let mut text = String::with_capacity(512);
                text.push_str("SIP/2.0 100 Trying\r\n");
                for header in self.transaction.original.headers.iter().filter(|header| is_copied(header)) {
                    let _infallible = write!(text, "{}: {}\r\n", header.name(), header.value());
                }
                text.push_str("Content-Length: 0\r\n\r\n");
                socket.send_raw(text.as_bytes(), peer).await
            }
            _ => Box::pin(self.transaction.send_trying()).await,
        };
        if let Err(error) = sent {
            tracing::debug!(%error, "100 was not sent");
        }
    }

    /// Sends a response. A failure to send is the network's, and the caller's timers deal with it.
    pub(crate) async fn respond(&mut self, code: u16, phrase: &str, headers: &[(&str, &str)], body: &str) {
        let response = self.response(code, phrase, headers, body);
        if let Err(error) = Box::pin(self.transaction.respond(response)).await {
            tracing::debug!(code, %error, "a response was not sent");
        }
        if code >= 300 {
            // The library notes where the ACK of a refusal would go, never asks for it, and looks through all such
            // notes whenever it forgets something.
            let tag = |tag: Option<&str>| tag.unwrap_or_default().to_owned();
            let (local_tag, remote_tag) = (tag(self.local_tag()), tag(self.remote_tag()));
            let note = DialogId { call_id: self.call_id().to_owned(), local_tag, remote_tag };
            self.transaction.endpoint_inner.waiting_ack.remove(&note);
        }
    }

    fn response(&self, code: u16, phrase: &str, headers: &[(&str, &str)], body: &str) -> Response {
        // The library takes the phrase of a code from its own table, except for codes that it does not know.
        let status_code =
            if code < 300 { StatusCode::from(code) } else { StatusCode::Other(code, phrase.to_owned()) };
        let original = &self.transaction.original;
        let mut all = Vec::with_capacity(headers.len() + 8);
        all.extend(original.headers.iter().filter(|header| is_copied(header)).cloned());
        all.push(Header::Server(self.own.server_name.as_str().into()));
        let other = |(name, value): &(&str, &str)| Header::Other((*name).to_owned(), (*value).to_owned());
        all.extend(headers.iter().map(other));
        all.push(Header::ContentLength(u32::try_from(body.len()).unwrap_or_default().into()));
        Response {
            status_code,
            wire_reason: None,
            version: Version::V2,
            headers: all.into(),
            body: body.as_bytes().to_vec(),
        }
    }

    /// Sends a final response and sees the transaction to its end.
    pub(crate) async fn finish(mut self, code: u16, phrase: &str, headers: &[(&str, &str)]) {
        self.respond(code, phrase, headers, "").await;
        self.refused().await;
    }

    /// Challenges, and forgets the INVITE once that is confirmed. If it comes again it is challenged again, which
    /// costs less than half a minute of memory for each first INVITE.
    pub(crate) async fn challenge(mut self, code: u16, phrase: &str, headers: &[(&str, &str)]) {
        self.respond(code, phrase, headers, "").await;
        if self.refused().await {
            self.transaction.last_response = None;
        }
    }

    /// Waits until a refusal needs no repetition: it was confirmed, or its time ran out, or it went over a stream,
    /// which loses nothing. Gives whether the caller has it. What comes later the library answers from what it keeps.
    pub(crate) async fn refused(&mut self) -> bool {
        self.arrival.transport != Transport::Udp || self.confirmed().await
    }

    /// Waits until a final response is confirmed or nobody will confirm it: repetitions need the transaction.
    /// Gives whether it was confirmed.
    pub(crate) async fn confirmed(&mut self) -> bool {
        loop {
            match self.happened().await {
                Happened::Acknowledged => return true,
                Happened::Over => return false,
                Happened::Cancelled => {}
            }
        }
    }

    /// What happens next. Safe to give up waiting for.
    pub(crate) async fn happened(&mut self) -> Happened {
        loop {
            if self.transaction.is_terminated() {
                return Happened::Over;
            }
            let Some(event) = self.transaction.tu_receiver.recv().await else { return Happened::Over };
            let source = match &event {
                TransactionEvent::Received(SipMessage::Request(request), _) => {
                    Arrival::of(request).map(|arrival| arrival.source.ip())
                }
                _ => None,
            };
            if let TransactionEvent::Received(SipMessage::Request(request), _) = &event
                && request.method == Method::Cancel
                && source.is_some_and(|source| source != self.arrival.source.ip())
            {
                // The next hop of an INVITE is the only one who can cancel it.
                tracing::debug!(?source, call_id = self.call_id(), "a CANCEL of another address was ignored");
                continue;
            }
            if matches!(event, TransactionEvent::Terminate(_)) {
                // The end was looked for above: this is the mark of an earlier event.
                continue;
            }
            // The library works on an event and would wait for the next one afterwards, in a future of four
            // kilobytes. So the event is given back, and behind it a mark that makes the library come back.
            let Transaction { tu_sender, key, .. } = &*self.transaction;
            let _to_the_receiver_above = tu_sender.send(event);
            let _to_the_receiver_above = tu_sender.send(TransactionEvent::Terminate(key.clone()));
            match Box::pin(self.transaction.receive()).await {
                Some(SipMessage::Request(request)) if request.method == Method::Ack => {
                    // The library goes by the branch, which whoever forged the INVITE knows. Only who heard the
                    // response knows its tag.
                    if !self.is_told(&request) {
                        continue;
                    }
                    let description = session_description(&request.headers, &request.body);
                    let description = description.map(|found| found.map(<[u8]>::to_vec));
                    self.acknowledgement = Some(Acknowledgement { source, description });
                    return Happened::Acknowledged;
                }
                Some(SipMessage::Request(request)) if request.method == Method::Cancel => {
                    return Happened::Cancelled;
                }
                _ => {}
            }
        }
    }

    /// Whether a request names the tag that the responses of this one have.
    fn is_told(&self, request: &rsipstack::sip::Request) -> bool {
        let tag = request.to_header().ok().and_then(|to| tag_of(to.value()));
        tag.is_some() && tag == self.local_tag()
    }

    /// What the ACK brought: the answer to an offer that the final response made.
    pub(crate) fn take_acknowledgement(&mut self) -> Option<Acknowledgement> {
        self.acknowledgement.take()
    }

    /// What is needed to send requests in the dialog that this INVITE makes.
    pub(crate) fn dialog(&self) -> Option<Box<Dialog>> {
        let original = &self.transaction.original;
        Some(Box::new(Dialog {
            endpoint: self.transaction.endpoint_inner.clone(),
            connection: self.transaction.connection.clone()?,
            own: Arc::clone(&self.own),
            source: self.arrival.source,
            local_address: self.arrival.local,
            transport: self.arrival.transport,
            contact: Box::default(),
            target: self.contact().ok()??.into(),
            updates: self.lists("Allow", "UPDATE"),
            sequence: 0,
            call_id: self.call_id().into(),
            routes: self.values("Record-Route").flat_map(entries).map(Into::into).collect(),
            local: original.to_header().ok()?.value().into(),
            remote: original.from_header().ok()?.value().into(),
        }))
    }

    /// Has a dialog's requests go where this one of its caller came from and wants them (RFC 3261 §12.2.2).
    pub(crate) fn retarget(&self, dialog: &mut Dialog) {
        if let Ok(Some(contact)) = self.contact() {
            dialog.target = contact.into();
        }
        if self.value("Allow").is_some() {
            dialog.updates = self.lists("Allow", "UPDATE");
        }
        if let Some(connection) = &self.transaction.connection {
            dialog.connection = connection.clone();
            dialog.source = self.arrival.source;
            dialog.local_address = self.arrival.local;
            dialog.transport = self.arrival.transport;
        }
    }
}

/// Whether a response has this header of its request.
fn is_copied(header: &Header) -> bool {
    matches!(header, Header::Via(_) | Header::CallId(_) | Header::From(_) | Header::To(_) | Header::CSeq(_))
}

/// The URI of a `Contact` or `From` value.
pub(super) fn uri_of(value: &str) -> &str {
    match (value.find('<'), value.find('>')) {
        (Some(from), Some(to)) if from < to => value.get(from + 1..to).unwrap_or_default(),
        _ => value.split(';').next().unwrap_or_default().trim(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_uri_of_a_contact_is_found_with_and_without_brackets() {
        assert_eq!(uri_of("\"A\" <sip:a@b;transport=tcp>;expires=5"), "sip:a@b;transport=tcp");
        assert_eq!(uri_of(" sip:a@b ;expires=5"), "sip:a@b");
        assert_eq!(uri_of("><"), "><");
    }
}
