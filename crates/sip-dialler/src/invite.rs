//! The client transaction of an INVITE (RFC 3261 §17.1.1, RFC 6026), without the ACK of a 2xx.

use std::time::Duration;

use rsipstack::sip::{Header, Method, Request, Response};

use crate::headers::value;
use crate::hop::{Hop, Unreachable};
use crate::shared::Shared;

/// An INVITE that was sent.
pub(crate) struct Invite {
    pub(crate) request: Request,
    pub(crate) hop: Hop,
    /// When it was sent first, on the clock's stopwatch.
    pub(crate) sent_at: Duration,
    /// The `CSeq` number, which ACK and CANCEL share with their INVITE.
    pub(crate) sequence: u32,
    /// The delay before the next retransmission (timer A), which doubles each time.
    interval: Duration,
    /// When it is retransmitted next, on the clock's stopwatch. `None` over a reliable transport.
    retransmit_at: Option<Duration>,
    /// When it times out (timer B), on the clock's stopwatch.
    times_out_at: Option<Duration>,
}

impl Invite {
    /// Sends an INVITE. The error is the reason why it could not be sent.
    pub(crate) async fn send(
        shared: &Shared,
        request: Request,
        hop: Hop,
        sequence: u32,
    ) -> Result<Self, Unreachable> {
        hop.send(&request.to_bytes()).await?;
        let (now, t1) = (shared.clock.stopwatch(), shared.config.t1);
        Ok(Self {
            retransmit_at: (!hop.is_reliable()).then_some(now + t1),
            times_out_at: Some(now + t1 * 64),
            interval: t1,
            sent_at: now,
            request,
            hop,
            sequence,
        })
    }

    /// The time of the next timer.
    pub(crate) fn next_timer(&self) -> Option<Duration> {
        [self.retransmit_at, self.times_out_at].into_iter().flatten().min()
    }

    /// Handles the timers that are due, and returns whether the INVITE has timed out.
    pub(crate) async fn on_timer(&mut self, now: Duration) -> bool {
        if self.times_out_at.is_some_and(|at| at <= now) {
            return true;
        }
        if let Some(at) = self.retransmit_at.filter(|at| *at <= now) {
            self.interval *= 2;
            self.retransmit_at = Some(at + self.interval);
            if let Err(why) = self.hop.send(&self.request.to_bytes()).await {
                tracing::debug!(%why, "an INVITE was not retransmitted");
            }
        }
        false
    }

    /// Stops all timers after a provisional response, which may be followed by a final one at any time.
    pub(crate) fn stop_timers(&mut self) {
        (self.retransmit_at, self.times_out_at) = (None, None);
    }

    /// Stops retransmissions, while the timeout remains.
    pub(crate) fn stop_retransmissions(&mut self) {
        self.retransmit_at = None;
    }

    /// The ACK of a final response other than 2xx, which belongs to this transaction.
    pub(crate) fn ack(&self, refusal: &Response) -> Request {
        let to = value(&refusal.headers, "To").unwrap_or_default();
        self.same_transaction(Method::Ack, Some(to))
    }

    /// The ACK of a refusal of an INVITE inside a dialog, which has the tag of the far end already.
    pub(crate) fn ack_in_dialog(&self) -> Request {
        self.same_transaction(Method::Ack, None)
    }

    /// The CANCEL of this transaction.
    pub(crate) fn cancel(&self) -> Request {
        self.same_transaction(Method::Cancel, None)
    }

    /// A request with the INVITE's branch, route and number.
    fn same_transaction(&self, method: Method, to: Option<&str>) -> Request {
        let mut headers: Vec<Header> = self
            .request
            .headers
            .iter()
            .filter(|header| {
                matches!(
                    header,
                    Header::Via(_)
                        | Header::MaxForwards(_)
                        | Header::Route(_)
                        | Header::From(_)
                        | Header::To(_)
                        | Header::CallId(_)
                        | Header::UserAgent(_)
                )
            })
            .cloned()
            .collect();
        for header in &mut headers {
            if let (Header::To(value), Some(to)) = (header, to) {
                *value = to.into();
            }
        }
        headers.push(Header::CSeq(format!("{} {method}", self.sequence).into()));
        headers.push(Header::ContentLength(0.into()));
        Request {
            method,
            uri: self.request.uri.clone(),
            headers: headers.into(),
            version: rsipstack::sip::Version::V2,
            body: Vec::new(),
        }
    }
}
