//! What happens to an INVITE transaction after its INVITE.

use std::net::IpAddr;

use rsipstack::sip::Request;
use sip_transport::body::{BodyRefusal, session_description};

/// The content of a received ACK.
#[derive(Debug)]
pub(crate) struct Acknowledgement {
    /// The source address, if it is known.
    pub(crate) source: Option<IpAddr>,
    /// The session description in its body.
    pub(crate) description: Result<Option<Vec<u8>>, BodyRefusal>,
}

impl Acknowledgement {
    pub(super) fn of(ack: &Request, source: Option<IpAddr>) -> Self {
        let description = session_description(&ack.headers, &ack.body);
        Self { source, description: description.map(|found| found.map(<[u8]>::to_vec)) }
    }
}

/// An event of an INVITE transaction, before or after its final response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InviteEvent {
    /// The caller acknowledged the final response.
    Acknowledged,
    /// The caller cancelled the INVITE. The library has answered the CANCEL with 200.
    Cancelled,
    /// The transaction ended: the final response was acknowledged, or the time for that ran out.
    Terminated,
}
