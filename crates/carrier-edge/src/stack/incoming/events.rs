//! The events of a request's transaction: copies of it, its ACK, its CANCEL, and its end.

use std::net::IpAddr;

use rsipstack::sip::prelude::HeadersExt as _;
use rsipstack::sip::{Method, Request, SipMessage, Transport, Uri};
use rsipstack::transaction::transaction::{Transaction, TransactionEvent};
use sip_transport::{Arrival, source_of_unread_ack, tag_of};

use super::repetition::Repetition;
use super::{Incoming, Received, is_copied};
use crate::stack::invite_event::{Acknowledgement, InviteEvent};
use crate::stack::kept_answer;
use crate::stack::named_headers::NamedHeaders;

/// The most bytes of the headers of a refused INVITE that are kept until its ACK, apart from their names.
const MAX_KEPT_BYTES: usize = 16_384;

impl Incoming {
    /// Waits until a refusal needs no more repetition: it was acknowledged, its time ran out, or it was sent
    /// over a stream, which loses nothing. Returns true unless the time ran out. The library answers later
    /// repetitions of the request from its own memory.
    ///
    /// If too many refusals of the source wait, or the headers of the request are very long, the response is not
    /// repeated, and the decision on a repeated request is made again.
    pub(crate) async fn wait_refusal_delivered(&mut self) -> bool {
        if self.0.arrival.transport != Transport::Udp {
            return true;
        }
        if let Some(slot) = self.0.slot.take() {
            self.0.slot = slot.of_refusal();
            if self.0.slot.is_none() {
                self.0.transaction.last_response = None;
                return true;
            }
        }
        self.shorten_request();
        let kept = self.headers().iter().map(|header| header.value().len());
        if kept.sum::<usize>() > MAX_KEPT_BYTES {
            self.0.transaction.last_response = None;
            return true;
        }
        self.wait_acknowledged().await
    }

    /// Drops what is not needed of a request that is refused: a response to a CANCEL needs the headers that every
    /// response repeats. Anybody can send INVITEs with the address of a known source, and each is kept for 32 seconds.
    fn shorten_request(&mut self) {
        let Received { transaction: Transaction { original, .. }, named_headers, .. } = &mut *self.0;
        original.headers.0.retain(is_copied);
        original.headers.0.shrink_to_fit();
        (original.body, original.uri) = (Vec::new(), Uri::default());
        *named_headers = NamedHeaders::of(&original.headers);
    }

    /// Loses each ACK from now on, so that the final response is repeated until its time runs out.
    pub(crate) fn lose_acknowledgements(&mut self) {
        self.0.loses_acknowledgements = true;
    }

    /// Waits until the final response was acknowledged, the time for that ran out or the endpoint ended; until then the
    /// transaction repeats it. Returns true if it was acknowledged.
    pub(crate) async fn wait_acknowledged(&mut self) -> bool {
        // Its timers no longer run then: a task would wait for ever.
        self.0.ends_with_endpoint = true;
        loop {
            match self.next_event().await {
                InviteEvent::Acknowledged => return true,
                InviteEvent::Terminated => return false,
                InviteEvent::Cancelled => {}
            }
        }
    }

    /// Whether an ACK ends the wait for one; `None` if the library handles it. One that is not read carries the local tag
    /// and the number of this request, by which it was found.
    fn is_acknowledged_by(&mut self, ack: &Request, source: Option<IpAddr>, is_unread: bool) -> Option<bool> {
        if self.0.loses_acknowledgements {
            return Some(false);
        }
        if !self.0.ends_with_ack && !self.awaits_ack_directly() {
            // One that is not read is a copy.
            return is_unread.then_some(false);
        }
        let is_ours = is_unread || (self.carries_local_tag(ack) && self.has_number_of(ack));
        // The library would wait for copies of the ACK of a challenge. The transaction is dropped, so it is not asked.
        if is_ours && !self.0.ends_with_ack {
            self.take_ack(ack, source);
        }
        Some(is_ours)
    }

    /// Waits for the next event of the transaction. Cancel safe.
    pub(crate) async fn next_event(&mut self) -> InviteEvent {
        loop {
            if self.0.transaction.is_terminated() {
                return InviteEvent::Terminated;
            }
            let event = match (self.0.behind.pop_front(), self.0.repetition.as_ref().map(Repetition::next)) {
                (Some(event), _) => Some(event),
                (None, None) => self.0.transaction.tu_receiver.recv().await,
                (None, Some(next)) => {
                    let received = self.0.transaction.tu_receiver.recv();
                    if let Ok(event) = tokio::time::timeout_at(next, received).await {
                        event
                    } else {
                        self.repeat_or_end().await;
                        continue;
                    }
                }
            };
            let Some(event) = event else { return InviteEvent::Terminated };
            if self.is_copy_before_ack(&event) {
                // The library would absorb it.
                drop(event);
                self.answer_copy().await;
                continue;
            }
            let source = match &event {
                TransactionEvent::Received(SipMessage::Request(request), _) => {
                    Arrival::of(request).map(|arrival| arrival.source.ip())
                }
                _ => None,
            };
            if let TransactionEvent::Received(SipMessage::Request(request), _) = &event
                && request.method == Method::Cancel
                && source.is_some_and(|source| source != self.0.arrival.source.ip())
            {
                // Only the hop that sent the INVITE can cancel it (RFC 3261 §9.1).
                tracing::debug!(
                    ?source,
                    call_id = self.call_id(),
                    "a CANCEL from another address was ignored"
                );
                continue;
            }
            if let TransactionEvent::Received(SipMessage::Request(request), _) = &event
                && request.method == Method::Ack
            {
                let unread = source_of_unread_ack(request);
                match self.is_acknowledged_by(request, unread.or(source), unread.is_some()) {
                    Some(true) => return InviteEvent::Acknowledged,
                    Some(false) => continue,
                    None => {}
                }
            }
            if matches!(event, TransactionEvent::Terminate(_)) {
                // The marker of an earlier event, see below, or else the end of the endpoint. A real end of the
                // transaction is detected above.
                if self.0.markers == 0 && self.0.ends_with_endpoint {
                    return InviteEvent::Terminated;
                }
                self.0.markers = self.0.markers.saturating_sub(1);
                continue;
            }
            // The library's `receive` handles events until one concerns the caller of it, in a future of four
            // kilobytes. To hold that future only while an event is handled, the event is put back into the
            // queue, followed by a marker on which `receive` returns.
            self.put_back(event);
            match Box::pin(self.0.transaction.receive()).await {
                Some(SipMessage::Request(request)) if request.method == Method::Ack => {
                    // The library matches the ACK by its branch, which the sender of a forged INVITE knows.
                    // The tag proves that the sender received the response.
                    if !self.carries_local_tag(&request) {
                        continue;
                    }
                    self.0.acknowledgement = Some(Acknowledgement::of(&request, source));
                    self.shorten_answer();
                    return InviteEvent::Acknowledged;
                }
                Some(SipMessage::Request(request)) if request.method == Method::Cancel => {
                    return InviteEvent::Cancelled;
                }
                Some(_) => {}
                // It took the marker.
                None => self.0.markers = self.0.markers.saturating_sub(1),
            }
        }
    }

    /// Shortens the answer that the library keeps, which the caller has acknowledged.
    fn shorten_answer(&self) {
        let Transaction { endpoint_inner, key, .. } = &self.0.transaction;
        endpoint_inner.finished_transactions.with_mut(|finished| {
            if let Some(Some(SipMessage::Response(response))) = finished.get_mut(key)
                && response.status_code.code() < 300
            {
                kept_answer::shorten(response);
            }
        });
    }

    /// Puts an event back to the beginning of the queue, followed by a marker. The events behind it are kept apart, since
    /// the library would take them first, among them requests that are ignored here. The results of sending would
    /// each take the memory of an event in the future that calls this.
    fn put_back(&mut self, event: TransactionEvent) {
        let Received {
            transaction: Transaction { tu_receiver, tu_sender, key, .. }, behind, markers, ..
        } = &mut *self.0;
        *markers += 1;
        while let Ok(next) = tu_receiver.try_recv() {
            behind.push_back(next);
        }
        let _to_our_own_receiver = tu_sender.send(event);
        let _to_our_own_receiver = tu_sender.send(TransactionEvent::Terminate(key.clone()));
    }

    /// Returns true if another request carries the local tag of this dialog.
    fn carries_local_tag(&self, request: &rsipstack::sip::Request) -> bool {
        let tag = request.to_header().ok().and_then(|to| tag_of(to.value()));
        tag.is_some() && tag == self.local_tag()
    }

    /// Returns true if an ACK has the `CSeq` number of this request (RFC 3261 §17.1.1.3).
    fn has_number_of(&self, ack: &rsipstack::sip::Request) -> bool {
        let number = |sequence: Option<(u32, &str)>| sequence.map(|(number, _)| number);
        number(NamedHeaders::of(&ack.headers).sequence(&ack.headers)) == number(self.sequence())
    }

    /// Takes the received ACK, with the answer to an offer in the final response. `None` if no ACK arrived.
    pub(crate) fn take_acknowledgement(&mut self) -> Option<Acknowledgement> {
        self.0.acknowledgement.take()
    }
}
