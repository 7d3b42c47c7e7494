//! The acknowledgements of a call, kept as long as a final response may come again because one was lost.

use rsipstack::sip::Request;

use super::connect::Hop;

/// Most that are kept. A proxy that forks further than this is acknowledged once.
const MOST: usize = 8;

struct Ack {
    sequence: u32,
    tag: Box<str>,
    message: Box<[u8]>,
    hop: Hop,
}

#[derive(Default)]
pub(crate) struct Acks(Vec<Ack>);

impl Acks {
    /// Sends one, and keeps it.
    pub(crate) async fn send(&mut self, sequence: u32, tag: &str, request: &Request, hop: &Hop) {
        let message = request.to_bytes().into();
        let ack = Ack { sequence, tag: tag.into(), message, hop: Hop::clone(hop) };
        ack.send().await;
        if self.0.len() < MOST {
            // Most calls have one, and it is kept for half a minute.
            self.0.reserve_exact(1);
            self.0.push(ack);
        }
    }

    /// Sends one again; gives whether there was one.
    pub(crate) async fn again(&self, sequence: u32, tag: &str) -> bool {
        let known = self.0.iter().find(|ack| ack.sequence == sequence && *ack.tag == *tag);
        if let Some(ack) = known {
            ack.send().await;
        }
        known.is_some()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.0.len() >= MOST
    }
}

impl Ack {
    async fn send(&self) {
        if let Err(why) = self.hop.send(&self.message).await {
            // The response comes again, and so does this.
            tracing::debug!(%why, "an ACK was not sent");
        }
    }
}
