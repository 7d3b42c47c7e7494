//! Handles the session descriptions that a far end sends in a call (RFC 3264).

use std::net::IpAddr;

use rsipstack::sip::{Header, Method};
use rsipstack::transaction::transaction::Transaction;
use service_base::awaited::Awaited;
use sip_transport::body::session_description;
use trunk_rules::carrier::{reason_phrase, taken_out};

use crate::call::{AnsweredReinvite, Call};
use crate::hop::Hop;
use crate::media::described;
use crate::responses::{complete, finish_in_background, respond};
use crate::stack::ALLOW;

/// What the record of a try states while the carrier has removed the audio.
const DISABLED: &str = "no media are sent: the carrier disabled the streams";

impl Call {
    /// Applies the answer to an offer of ours.
    ///
    /// # Errors
    /// Why the answer is not acceptable; the media remain unchanged then.
    pub(crate) async fn apply_answer(&mut self, answer: &[u8]) -> Result<(), String> {
        let carrier = self.carrier();
        match (described(answer), self.media.as_mut(), carrier) {
            (Ok(Some(described)), Some(media), Some(carrier)) => {
                media.agree(&described, true);
                let statement = media.apply(&self.shared, self.origin.egress, carrier, &described).await;
                self.tries.media(&statement);
                Ok(())
            }
            (Ok(None), _, _) => Err("the answer has no session description".to_owned()),
            (Ok(Some(_)), _, _) => Err("there is no media port".to_owned()),
            (Err(why), _, _) => Err(format!("the answer does not fit the offer: {why}")),
        }
    }

    /// Applies the answer to an offer of ours inside the call, which may refuse the audio.
    ///
    /// # Errors
    /// As [`Self::apply_answer`].
    pub(crate) async fn apply_later_answer(&mut self, answer: &[u8]) -> Result<(), String> {
        if let (Some(lines), Some(media)) = (taken_out(answer), self.media.as_mut()) {
            media.remove(&lines, true);
            self.tries.media(DISABLED);
            return Ok(());
        }
        self.apply_answer(answer).await
    }

    /// Applies the answer to the offer of a session refresh.
    ///
    /// # Errors
    /// As [`Self::apply_answer`].
    pub(crate) async fn apply_refresh_answer(&mut self, answer: &[u8]) -> Result<(), String> {
        if self.media.as_ref().is_some_and(|media| media.disabled_lines().is_some()) {
            // An answer cannot add a stream to an offer without one (RFC 3264 §6).
            return Ok(());
        }
        self.apply_later_answer(answer).await
    }

    /// The address of the carrier that the INVITE was sent to.
    fn carrier(&self) -> Option<IpAddr> {
        Some(self.invite_hop.as_ref()?.address()?.ip())
    }

    /// Answers a re-INVITE or an UPDATE, and returns whether it was accepted. Without an offer, the answer to a
    /// re-INVITE contains ours, which its ACK answers. `hop` is that of our own requests of the dialog.
    pub(crate) async fn renegotiate(
        &mut self,
        mut request: Transaction,
        hop: Option<Hop>,
        further: Vec<Header>,
    ) -> bool {
        let is_invite = request.original.method == Method::Invite;
        let carrier = self.carrier();
        let (Some(media), Some(hop), Some(carrier)) = (self.media.as_mut(), hop, carrier) else {
            finish_in_background(request, 500, "Server Internal Error", Vec::new());
            return false;
        };
        let offer = match session_description(&request.original.headers, &request.original.body) {
            Ok(offer) => offer.unwrap_or_default(),
            Err(why) => {
                tracing::info!(%why, "a new offer of the carrier was refused; the call remains unchanged");
                let header =
                    why.header().map(|(name, value)| Header::Other(name.to_owned(), value.to_owned()));
                let code = why.code();
                finish_in_background(request, code, reason_phrase(code), header.into_iter().collect());
                return false;
            }
        };
        let (body, offers) = match described(offer) {
            Ok(Some(offer)) => {
                media.agree(&offer, false);
                let statement = media.apply(&self.shared, self.origin.egress, carrier, &offer).await;
                self.tries.media(&statement);
                (media.answer(&offer), false)
            }
            Ok(None) if is_invite => (media.offer(&self.codecs), true),
            Ok(None) => (String::new(), false),
            Err(_) if let Some(lines) = taken_out(offer) => {
                media.remove(&lines, false);
                self.tries.media(DISABLED);
                (media.answer_disabled(&lines), false)
            }
            Err(why) => {
                tracing::info!(%why, "a new offer of the carrier was refused; the call remains unchanged");
                finish_in_background(request, 488, "Not Acceptable Here", Vec::new());
                return false;
            }
        };
        let mut headers = vec![self.origin.contact(&hop), Header::Allow(ALLOW.into())];
        headers.extend(further);
        respond(&mut request, 200, "OK", headers, body).await;
        if is_invite {
            // One that the far end has not acknowledged yet is repeated in the background.
            let completion = Awaited::new(complete(request));
            self.reinvite = Some(AnsweredReinvite { offers, completion });
        } else {
            tokio::spawn(complete(request));
        }
        true
    }
}
