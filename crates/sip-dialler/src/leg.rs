//! The owner's interface to a call: the parameters with which it is placed, and the events that it reports.

use didww_types::Secret;
use service_base::mailbox::Receiver;
use tokio_util::sync::CancellationToken;
use trunk_rules::carrier::Codec;

use crate::egress::Egress;
use crate::tries::{Tries, Try};

/// A username and a password for carriers that require digest authentication.
#[derive(Debug, Clone)]
pub struct SipCredentials {
    /// The digest username, which the carrier assigned.
    pub username: String,
    /// The digest password. It is sent only as part of a hash.
    pub password: Secret,
}

/// The destination, the caller and the headers of a call.
#[derive(Debug, Clone)]
pub struct Invitation {
    /// `sip:0011+15551234#@host[:port][;transport=udp|tcp|tls]` or a `sips:` URI. It is sent unchanged.
    pub uri: String,
    /// The display name of `From`; empty for none.
    pub from_display: String,
    /// The user part of `From`.
    pub from_user: String,
    /// Further headers. A header that would break the request or that belongs to the dialog is left out.
    pub headers: Vec<(String, String)>,
    /// The codecs of the offer, the preferred one first; empty for those of
    /// [`DiallerConfig::codecs`](crate::DiallerConfig::codecs).
    pub codecs: Vec<Codec>,
    /// The addresses that the call may be sent to.
    pub egress: Egress,
    /// The credentials for digest challenges; without them, a challenge ends the call.
    pub credentials: Option<SipCredentials>,
}

/// An event of a call. Each kind is reported at most once, and `Ended` is the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LegEvent {
    /// The far end rings (180).
    Ringing,
    /// The call makes progress (183).
    Progress,
    /// The far end has answered.
    Answered,
    /// The call has ended; no event follows.
    Ended(LegEnd),
}

/// How a call ended, and on whose side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LegEnd {
    /// The far end refused it with this final response, 300 to 699. An answer without usable media counts as
    /// 488.
    Refused(u16),
    /// No final response arrived, or the host could not be reached.
    NoResponse,
    /// No port for media was free on this machine, so that nothing was sent.
    NoPort,
    /// It was not answered within [`ring_timeout`](crate::DiallerConfig::ring_timeout).
    RingTimeout,
    /// It was hung up on this side before the answer.
    Cancelled,
    /// The far end hung up.
    HungUp,
    /// It was hung up on this side after the answer because the far end no longer took part: the session expired, or a
    /// refresh of it was not answered, or the 200 to a re-INVITE was not acknowledged.
    Expired,
    /// It was hung up on this side after the answer.
    HungUpByUs,
}

/// A call that is being placed or is established. Dropping it hangs up.
#[derive(Debug)]
pub struct Leg {
    pub(crate) events: Receiver<LegEvent>,
    pub(crate) hang_up: CancellationToken,
    pub(crate) tries: Tries,
}

impl Leg {
    /// The next event; `None` after the end. Cancel-safe.
    pub async fn next(&mut self) -> Option<LegEvent> {
        self.events.recv().await
    }

    /// The attempts so far, at most 8, in their order. The records are complete when the end was reported; after an
    /// answer only the statement about media changes.
    pub fn tries(&self) -> Vec<Try> {
        self.tries.snapshot()
    }

    /// Ends the call with a CANCEL before the answer, with a BYE after it. Further calls of this method have
    /// no effect.
    pub fn hang_up(&self) {
        self.hang_up.cancel();
    }
}

impl Drop for Leg {
    fn drop(&mut self) {
        self.hang_up.cancel();
    }
}
