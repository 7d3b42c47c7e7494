//! The ACKs of a call. They are kept as long as a final response may be retransmitted because its ACK was
//! lost.

use rsipstack::sip::Request;

use crate::hop::Hop;

/// Maximum number of ACKs that are kept, the newest ones: each refresh of a long call has one. Further forks are not
/// acknowledged.
const MAX_ACKS: usize = 8;

struct Ack {
    sequence: u32,
    tag: Box<str>,
    message: Box<[u8]>,
    hop: Hop,
    /// Whether it acknowledges refusals alone, because it belongs to the transaction of its INVITE.
    of_refusal: bool,
}

/// The ACKs that a call has sent.
#[derive(Default)]
pub(crate) struct Acks(Vec<Ack>);

impl Acks {
    /// Sends an ACK for a `CSeq` number and a remote tag, and keeps it for retransmission.
    pub(crate) async fn send(&mut self, sequence: u32, tag: &str, request: &Request, hop: &Hop) {
        let ack = Ack::new(sequence, tag, request, hop);
        ack.send().await;
        self.add(ack);
    }

    /// Keeps the ACK of a refusal that may still arrive, for an INVITE that nothing waits for any more.
    pub(crate) fn expect_refusal(&mut self, sequence: u32, tag: &str, request: &Request, hop: &Hop) {
        self.add(Ack { of_refusal: true, ..Ack::new(sequence, tag, request, hop) });
    }

    fn add(&mut self, ack: Ack) {
        if self.is_full() {
            self.0.remove(0);
        }
        // Most calls have exactly one, which is kept for half a minute.
        self.0.reserve_exact(1);
        self.0.push(ack);
    }

    /// Sends the ACK for a response with this code, `CSeq` number and remote tag, and returns whether there is one.
    pub(crate) async fn resend(&self, code: u16, sequence: u32, tag: &str) -> bool {
        let fits =
            |ack: &&Ack| ack.sequence == sequence && *ack.tag == *tag && (code >= 300 || !ack.of_refusal);
        let known = self.0.iter().find(fits);
        if let Some(ack) = known {
            ack.send().await;
        }
        known.is_some()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.0.len() >= MAX_ACKS
    }
}

impl Ack {
    fn new(sequence: u32, tag: &str, request: &Request, hop: &Hop) -> Self {
        let message = request.to_bytes().into();
        Self { sequence, tag: tag.into(), message, hop: Hop::clone(hop), of_refusal: false }
    }

    async fn send(&self) {
        if let Err(why) = self.hop.send(&self.message).await {
            // The response will be retransmitted, and the ACK with it.
            tracing::debug!(%why, "an ACK was not sent");
        }
    }
}
