//! The offers and answers of a call, in both directions (RFC 3264).

use sip_transport::sdp;
use trunk_rules::carrier::{Media, MediaRefusal, Protection, negotiate, own_offer, take_answer, taken_out};

use super::Call;
use super::sdp_state::SdpState;
use crate::hung_up_by::HungUpBy;
use crate::record::Ending;
use crate::stack::Acknowledgement;

impl Call<'_> {
    /// Returns true if a log line about a media problem of this caller may be written; others are summed up.
    pub(super) fn may_warn(&self) -> bool {
        let source = self.registered.call_state.origin.source.ip();
        self.inner.log_sums.media.admits(source, self.inner.core.clock.now())
    }

    /// The ending of an answered call for which no media could be agreed on.
    fn no_media(&self, why: &MediaRefusal) -> Ending {
        let call_id = &self.registered.call_state.key.call_id;
        if self.may_warn() {
            let (why, call_id) = (why.to_string(), &**call_id);
            tracing::warn!(why, call_id, "the answer does not match the offer; the call is ended");
        }
        let cause = why.cause();
        let ended = Ending::new(cause.id(), 488, cause.text(), HungUpBy::Server);
        Ending { warning: Some(why.warning()), ..ended }
    }

    /// The edge's session description: the answer to an offer, or an offer of its own without one.
    pub(super) fn description(&mut self, offered: Option<&Media>) -> String {
        match offered {
            Some(media) => self.answer_to(media),
            None => self.offer(),
        }
    }

    /// Makes an offer; the call waits for its answer from now on.
    pub(super) fn offer(&mut self) -> String {
        let Some(at) = self.media.as_ref().map(crate::media::Endpoint::address) else { return String::new() };
        self.sdp_state.awaits_answer = true;
        let (profile, codecs) =
            own_offer(&self.registered.call_state.trunk.media_encryption_mode, &self.inner.config.settings);
        let SdpState { identity, srtp_key, .. } = &mut self.sdp_state;
        let key = srtp_key.get_or_insert_with(|| self.inner.core.ids.media_key().into());
        sdp::offer(identity, at, &codecs, profile, key)
    }

    fn answer_to(&mut self, media: &Media) -> String {
        let Some(at) = self.media.as_ref().map(crate::media::Endpoint::address) else { return String::new() };
        let SdpState { identity, srtp_key, .. } = &mut self.sdp_state;
        let key = match media.protection {
            Protection::Sdes { .. } | Protection::Dtls { .. } => {
                srtp_key.get_or_insert_with(|| self.inner.core.ids.media_key().into())
            }
            _ => "",
        };
        sdp::answer(identity, media, at, key)
    }

    /// Applies a new offer of the caller to the media, and returns the answer.
    ///
    /// # Errors
    /// Why the offer cannot be accepted; the media stays unchanged then.
    pub(super) async fn renegotiated(&mut self, offer: &[u8]) -> Result<String, MediaRefusal> {
        let mode = &self.registered.call_state.trunk.media_encryption_mode;
        let negotiated = negotiate(mode, &self.inner.config.settings, Some(offer));
        if negotiated.is_err()
            && let Some(lines) = taken_out(offer)
            && let Some(endpoint) = self.media.as_mut()
        {
            endpoint.remove_stream(self.inner.core.clock.now());
            return Ok(sdp::answer_taken_out(&mut self.sdp_state.identity, &lines, endpoint.address()));
        }
        let Some(media) = negotiated? else { return Ok(String::new()) };
        if let Some(endpoint) = self.media.as_mut() {
            endpoint.apply(self.inner, &media, self.inner.core.clock.now()).await;
        }
        Ok(self.answer_to(&media))
    }

    /// Applies the caller's answer to an offer of the edge.
    ///
    /// # Errors
    /// The ending of the call if the answer is missing or does not match the offer.
    pub(super) async fn answered_offer(&mut self, answer: Option<&[u8]>) -> Result<(), Ending> {
        self.sdp_state.awaits_answer = false;
        let mode = &self.registered.call_state.trunk.media_encryption_mode;
        let media =
            take_answer(mode, &self.inner.config.settings, answer).map_err(|why| self.no_media(&why))?;
        if let Some(endpoint) = self.media.as_mut() {
            endpoint.apply(self.inner, &media, self.inner.core.clock.now()).await;
        }
        Ok(())
    }

    /// Applies the answer in an ACK, if the call waits for one.
    ///
    /// # Errors
    /// As [`Self::answered_offer`].
    pub(super) async fn acknowledged_offer(&mut self, ack: Option<Acknowledgement>) -> Result<(), Ending> {
        if !self.sdp_state.awaits_answer {
            return Ok(());
        }
        // An ACK cannot be challenged. From an address that the trunk does not allow, it must not redirect
        // media.
        let own = self.registered.call_state.origin.source.ip().to_canonical();
        let trusted = ack.filter(|ack| {
            ack.source.is_none_or(|source| source == own || self.registered.call_state.trunk.allows(source))
        });
        let answer = match trusted.map(|ack| ack.description) {
            Some(Ok(answer)) => answer,
            Some(Err(why)) => {
                tracing::debug!(%why, "the answer to an offer cannot be read");
                None
            }
            None => None,
        };
        self.answered_offer(answer.as_deref()).await
    }
}
