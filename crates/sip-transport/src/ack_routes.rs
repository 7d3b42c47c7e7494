//! Where the ACK of an answered INVITE goes.
//!
//! The library reads the dialog out of each answer several times, and out of each ACK, and parses `From` and `To` as
//! URIs for that. The transaction of an answer that is sent past it is entered here.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rsipstack::sip::{Header, Method, Request, Uri, Version};
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
        let Some((waiting, ack)) = self.waiting_for(head, arrival) else { return false };
        // A transaction that has just ended needs no ACK.
        let _ended = waiting.send(TransactionEvent::Received(ack.into(), None));
        true
    }

    /// The transaction that waits for an ACK, and the ACK as far as the transaction looks at it.
    fn waiting_for(&self, head: &Head<'_>, arrival: &Arrival) -> Option<(TransactionEventSender, Request)> {
        let [call_id, from, to, sequence] =
            head.first_values([["Call-ID", "i"], ["From", "f"], ["To", "t"], ["CSeq", ""]]);
        let (call_id, from, to, sequence) = (call_id?, from?, to?, sequence?);
        let call_id = std::str::from_utf8(&call_id).ok()?;
        let (from, to) = (std::str::from_utf8(&from).ok()?, std::str::from_utf8(&to).ok()?);
        let sequence = std::str::from_utf8(&sequence).ok()?;
        let hash = self.hash(call_id, (tag_of(from)?, tag_of(to)?), number_in(sequence)?);
        let waiting = self.lock().get(&hash).cloned()?;
        let headers = vec![Header::To(to.into()), Header::CSeq(sequence.into())];
        let mut ack = Request {
            method: Method::Ack,
            uri: Uri::default(),
            headers: headers.into(),
            version: Version::V2,
            body: Vec::new(),
        };
        arrival.mark(&mut ack, b"");
        Some((waiting, ack))
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
    fn an_ack_that_is_not_read_has_what_its_transaction_looks_at() {
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
        assert_eq!((ack.method, Arrival::of(&ack)), (Method::Ack, Some(arrival)));
        let values: Vec<&str> = ack.headers.iter().take(2).map(Header::value).collect();
        assert_eq!((tag_of(values[0]), values[1]), (Some("b"), "7 ACK"));
    }
}
