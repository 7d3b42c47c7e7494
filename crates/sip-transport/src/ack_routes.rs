//! Where the ACK of an answered INVITE goes.
//!
//! The library reads the dialog out of each answer several times, and out of each ACK, and parses `From` and `To` as
//! URIs for that. The transaction of an answer that is sent past it is entered here.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rsipstack::sip::{Header, Headers, Host, HostWithPort, Method, Request, Uri, Version};
use rsipstack::transaction::transaction::{TransactionEvent, TransactionEventSender};
use rsipstack::transport::SipConnection;

use crate::arrival::Arrival;
use crate::head::Head;
use crate::name_addr::tag_of;

/// The transactions that wait for the ACK of their answer. They are found by a keyed hash of the dialog and the `CSeq`
/// number, so that no peer can construct two with the same one.
#[derive(Clone, Default)]
pub struct AckRoutes(Arc<Routes>);

#[derive(Default)]
struct Routes {
    key: RandomState,
    waiting: Mutex<HashMap<u64, TransactionEventSender>>,
}

/// The entry of a transaction, which is removed when this is dropped.
#[must_use = "the transaction receives its ACK for as long as this is held"]
pub struct AckRoute {
    routes: AckRoutes,
    hash: u64,
}

impl AckRoutes {
    /// Enters a transaction that waits for an ACK with this `Call-ID`, the tags in its `From` and `To`, and the number
    /// in its `CSeq`.
    pub fn enter(
        &self,
        call_id: &str,
        (from, to): (&str, &str),
        number: u32,
        transaction: TransactionEventSender,
    ) -> AckRoute {
        let hash = self.hash(call_id, (from, to), number);
        self.lock().insert(hash, transaction);
        AckRoute { routes: self.clone(), hash }
    }

    /// Passes an ACK without a body to the transaction that waits for it. Nothing else of it is read than what finds
    /// that. Returns false if there is none, or if it is no ACK: then it must be parsed.
    pub(crate) fn pass_unread(&self, head: &Head<'_>, arrival: &Arrival) -> bool {
        if head.method().is_none_or(|method| method != b"ACK") {
            return false;
        }
        let Some(waiting) = self.waiting_for(head) else { return false };
        // A transaction that has just ended needs no ACK.
        let _ended = waiting.send(TransactionEvent::Received(unread(arrival.source.ip()).into(), None));
        true
    }

    /// The transaction that waits for an ACK.
    fn waiting_for(&self, head: &Head<'_>) -> Option<TransactionEventSender> {
        let [call_id, from, to, sequence] =
            head.first_values([["Call-ID", "i"], ["From", "f"], ["To", "t"], ["CSeq", ""]]);
        let (call_id, from, to, sequence) = (call_id?, from?, to?, sequence?);
        let call_id = std::str::from_utf8(&call_id).ok()?;
        let (from, to) = (std::str::from_utf8(&from).ok()?, std::str::from_utf8(&to).ok()?);
        let sequence = std::str::from_utf8(&sequence).ok()?;
        let hash = self.hash(call_id, (tag_of(from)?, tag_of(to)?), number_in(sequence)?);
        self.lock().get(&hash).cloned()
    }

    /// Passes an ACK to the transaction that waits for it. Returns it if there is none.
    pub(crate) fn pass(&self, ack: Request, connection: &SipConnection) -> Option<Request> {
        let waiting = self.hash_of(&ack).and_then(|hash| self.lock().get(&hash).cloned());
        let Some(waiting) = waiting else { return Some(ack) };
        // A transaction that has just ended needs no ACK.
        let _ended = waiting.send(TransactionEvent::Received(ack.into(), Some(connection.clone())));
        None
    }

    /// The hash of what an ACK names; `None` if it lacks a part of it.
    fn hash_of(&self, ack: &Request) -> Option<u64> {
        let (mut call_id, mut from, mut to, mut sequence) = (None, None, None, None);
        for header in ack.headers.iter() {
            let place = match header {
                Header::CallId(_) => &mut call_id,
                Header::From(_) => &mut from,
                Header::To(_) => &mut to,
                Header::CSeq(_) => &mut sequence,
                _ => continue,
            };
            if place.is_none() {
                *place = Some(header.value().trim_start());
            }
        }
        Some(self.hash(call_id?, (tag_of(from?)?, tag_of(to?)?), number_in(sequence?)?))
    }

    fn hash(&self, call_id: &str, tags: (&str, &str), number: u32) -> u64 {
        self.0.key.hash_one((call_id, tags, number))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, TransactionEventSender>> {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for AckRoute {
    fn drop(&mut self) {
        self.routes.lock().remove(&self.hash);
    }
}

/// An ACK of which nothing was read but what found its transaction: it has no header, which no received message lacks,
/// and its URI is the source. Nothing of it is allocated.
fn unread(source: IpAddr) -> Request {
    let host_with_port = HostWithPort { host: Host::IpAddr(source), port: None };
    let uri = Uri { scheme: None, auth: None, host_with_port, params: Vec::new(), headers: Vec::new() };
    Request { method: Method::Ack, uri, headers: Headers::default(), version: Version::V2, body: Vec::new() }
}

/// The source of an ACK without a body that was passed to its transaction unread: its dialog and its number are those
/// that the transaction was entered with. `None` for any other request.
pub fn source_of_unread_ack(request: &Request) -> Option<IpAddr> {
    match request.uri.host_with_port.host {
        Host::IpAddr(source) if request.method == Method::Ack && request.headers.0.is_empty() => Some(source),
        _ => None,
    }
}

/// The number in a `CSeq`.
fn number_in(sequence: &str) -> Option<u32> {
    sequence.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use rsipstack::sip::{SipMessage, Transport};

    use super::*;

    fn ack(lines: &str) -> Request {
        let text = format!("ACK sip:1@h SIP/2.0\r\nVia: SIP/2.0/UDP a\r\n{lines}\r\n\r\n");
        match SipMessage::try_from(text.as_bytes()) {
            Ok(SipMessage::Request(request)) => request,
            _ => panic!("{text}"),
        }
    }

    #[test]
    fn an_ack_is_found_by_its_dialog_and_its_number_until_its_route_is_dropped() {
        let routes = AckRoutes::default();
        let (sender, _events) = tokio::sync::mpsc::unbounded_channel();
        let route = routes.enter("id", ("a", "b"), 7, sender);
        let is_found =
            |lines: &str| routes.hash_of(&ack(lines)).is_some_and(|hash| routes.lock().contains_key(&hash));
        let own = "f: \"x;tag=no\" <sip:a@h;tag=no>;tag=a\r\nTo: <sip:b@h>;tag=b\r\ni:  id\r\nCSeq: 7  ACK";
        assert!(is_found(own));
        for (part, other) in [
            ("id", "other"),
            ("7  ACK", "8 ACK"),
            ("7  ACK", "ACK"),
            (";tag=a", ";tag=b"),
            (";tag=b", ";tag=B"),
            (";tag=b", ""),
        ] {
            assert!(!is_found(&own.replace(part, other)), "{part} {other}");
        }
        drop(route);
        assert!(!is_found(own) && routes.lock().is_empty());
    }

    #[test]
    fn an_ack_that_is_not_read_has_its_source_and_no_other_request_is_taken_for_one() {
        let routes = AckRoutes::default();
        let (sender, mut events) = tokio::sync::mpsc::unbounded_channel();
        let _route = routes.enter("id", ("a", "b"), 7, sender);
        let arrival = Arrival {
            source: "192.0.2.1:5060".parse().unwrap(),
            local: "192.0.2.2:5060".parse().unwrap(),
            transport: Transport::Udp,
        };
        let text = |method: &str, tag: &str| {
            format!(
                "{method} sip:1@h SIP/2.0\r\nVia: SIP/2.0/UDP a\r\nf: <sip:a@h>;tag=a\r\nTo: <sip:b@h>\r\n ;tag={tag}\r\n\
                 Call-ID: id\r\nCSeq: 7 {method}\r\n\r\n"
            )
        };
        for (method, tag, passes) in [("ACK", "b", true), ("ACK", "c", false), ("BYE", "b", false)] {
            let text = text(method, tag);
            let head = Head::of(text.as_bytes()).unwrap();
            assert_eq!(routes.pass_unread(&head, &arrival), passes, "{text}");
        }
        let Ok(TransactionEvent::Received(SipMessage::Request(ack), None)) = events.try_recv() else {
            panic!("it was passed")
        };
        assert!(events.try_recv().is_err(), "it alone");
        assert_eq!((ack.method, source_of_unread_ack(&ack)), (Method::Ack, Some(arrival.source.ip())));
        let text = "ACK sip:192.0.2.1 SIP/2.0\r\nTo: <sip:b@h>;tag=b\r\n\r\n";
        let Ok(SipMessage::Request(read)) = SipMessage::try_from(text) else { panic!("{text}") };
        assert_eq!(source_of_unread_ack(&read), None);
    }
}
