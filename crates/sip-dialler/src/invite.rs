//! The client transaction of an INVITE (RFC 3261 §17.1.1, RFC 6026), without the ACK of a 2xx.

use std::time::Duration;

use rsipstack::sip::{Header, Method, Request, Response};

use super::Inner;
use super::connect::{Hop, NoWay};
use super::dialog::value;

/// An INVITE that was sent.
pub(crate) struct Invite {
    pub request: Request,
    pub hop: Hop,
    pub sequence: u32,
    /// How long to wait before it is repeated once more.
    interval: Duration,
    /// When it is repeated, on the clock's stopwatch. Never over a reliable transport.
    repeat_at: Option<Duration>,
    /// When it is given up.
    give_up_at: Option<Duration>,
}

impl Invite {
    /// Sends it. An error says that there is no way to the far end.
    pub(crate) async fn send(
        inner: &Inner,
        request: Request,
        hop: Hop,
        sequence: u32,
    ) -> Result<Self, NoWay> {
        hop.send(&request.to_bytes()).await?;
        let (now, t1) = (inner.clock.stopwatch(), inner.config.t1);
        Ok(Self {
            repeat_at: (!hop.is_reliable()).then_some(now + t1),
            give_up_at: Some(now + t1 * 64),
            interval: t1,
            request,
            hop,
            sequence,
        })
    }

    /// When there is something to do.
    pub(crate) fn next(&self) -> Option<Duration> {
        [self.repeat_at, self.give_up_at].into_iter().flatten().min()
    }

    /// Does what is to be done by now; gives whether it is given up.
    pub(crate) async fn on_time(&mut self, now: Duration) -> bool {
        if self.give_up_at.is_some_and(|at| at <= now) {
            return true;
        }
        if let Some(at) = self.repeat_at.filter(|at| *at <= now) {
            self.interval *= 2;
            self.repeat_at = Some(at + self.interval);
            if let Err(why) = self.hop.send(&self.request.to_bytes()).await {
                tracing::debug!(%why, "an INVITE was not repeated");
            }
        }
        false
    }

    /// Something was heard: the far end has it, and takes its time.
    pub(crate) fn heard(&mut self) {
        (self.repeat_at, self.give_up_at) = (None, None);
    }

    /// It arrived, or is not wanted any more: it is given up at its time, and not repeated until then.
    pub(crate) fn fall_silent(&mut self) {
        self.repeat_at = None;
    }

    /// The ACK of a refusal, which belongs to this transaction.
    pub(crate) fn acknowledgement(&self, refusal: &Response) -> Request {
        let to = value(&refusal.headers, "To").unwrap_or_default();
        self.belonging(Method::Ack, Some(to))
    }

    /// The request that cancels it.
    pub(crate) fn cancel(&self) -> Request {
        self.belonging(Method::Cancel, None)
    }

    /// A request with the INVITE's own branch.
    fn belonging(&self, method: Method, to: Option<&str>) -> Request {
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
