//! Offers and answers of a call (RFC 3264).

use std::net::IpAddr;
use std::sync::Arc;

use rsipstack::sip::{Header, Method};
use rsipstack::transaction::transaction::Transaction;
use trunk_rules::carrier::{reason_phrase, taken_out};

use super::incoming::{finish_alone, respond, see_off};
use super::leg::Call;
use super::media::described;
use super::registry::Inbound;
use super::stack::ALLOW;
use sip_transport::body::session_description;

impl Call {
    /// Takes the answer to an offer of ours, and returns true if it fits. One that does not fit leaves the
    /// media where it was.
    pub(crate) async fn take_answer(&mut self, answer: &[u8]) -> bool {
        let carrier = self.carrier();
        match (described(answer), self.media.as_mut(), carrier) {
            (Ok(Some(described)), Some(media), Some(carrier)) => {
                media.follow(&self.inner, self.origin.reach, carrier, &described).await;
                true
            }
            (Err(why), _, _) => {
                tracing::info!(%why, "a carrier's answer does not fit our offer; media goes nowhere new");
                false
            }
            _ => false,
        }
    }

    /// Where the carrier is that was dialled.
    fn carrier(&self) -> Option<IpAddr> {
        Some(self.way.as_ref()?.address()?.ip())
    }

    /// Answers a request that may bring a new offer, or ask for one.
    pub(crate) async fn renegotiate(&mut self, mut request: Transaction, further: Vec<Header>) {
        let invites = request.original.method == Method::Invite;
        let carrier = self.carrier();
        let (Some(media), Some(way), Some(carrier)) = (self.media.as_mut(), self.way.as_ref(), carrier)
        else {
            return finish_alone(request, 500, "Server Internal Error", Vec::new());
        };
        let offer = match session_description(&request.original.headers, &request.original.body) {
            Ok(offer) => offer.unwrap_or_default(),
            Err(why) => {
                tracing::info!(%why, "a new offer of the carrier was refused; the call stays as it is");
                let header =
                    why.header().map(|(name, value)| Header::Other(name.to_owned(), value.to_owned()));
                let code = why.code();
                return finish_alone(request, code, reason_phrase(code), header.into_iter().collect());
            }
        };
        let (body, offers) = match described(offer) {
            Ok(Some(offer)) => {
                media.follow(&self.inner, self.origin.reach, carrier, &offer).await;
                (media.answer(&offer), false)
            }
            Ok(None) if invites => (media.offer(), true),
            Ok(None) => (String::new(), false),
            Err(_) if let Some(lines) = taken_out(offer) => {
                media.taken_out();
                (media.answer_taken_out(&lines), false)
            }
            Err(why) => {
                tracing::info!(%why, "a new offer of the carrier was refused; the call stays as it is");
                return finish_alone(request, 488, "Not Acceptable Here", Vec::new());
            }
        };
        let mut headers = vec![self.origin.contact(way), Header::Allow(ALLOW.into())];
        headers.extend(further);
        respond(&mut request, 200, "OK", headers, body).await;
        let (registry, call_id) = (Arc::clone(&self.inner.registry), self.origin.call_id.clone());
        tokio::spawn(async move {
            let answer = see_off(request).await;
            if offers && !answer.is_empty() {
                // A call that is over, or flooded, needs none.
                let _lost = registry.deliver(&call_id, Inbound::Answer(answer));
            }
        });
    }
}
