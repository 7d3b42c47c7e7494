//! The offers and answers of a call, in both directions (RFC 3264).

use std::net::SocketAddr;
use std::sync::Arc;

use sip_transport::body::BodyRefusal;
use sip_transport::sdp;
use trunk_rules::carrier::{
    Agreed, Direction, Media, MediaRefusal, OwnOffer, Protection, Removed, negotiate, sentence, taken_out,
};

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

    /// The ending of a call whose caller gave no usable answer to an offer of the edge. `why` is the sentence of the
    /// log and of the record.
    fn no_media(&self, refusal: &MediaRefusal, why: &str) -> Ending {
        let why = sentence(why);
        if self.may_warn() {
            let (why, call_id): (&str, &str) = (&why, &self.registered.call_state.key.call_id);
            tracing::warn!(why, call_id, "no media were agreed on; the call is ended");
        }
        let cause = refusal.cause();
        let ended = Ending::new(cause.id(), 488, cause.text(), HungUpBy::Server);
        Ending { warning: Some(refusal.warning()), why: Some(why.into()), ..ended }
    }

    /// The ending of a call whose caller sent no session description in answer to an offer of the edge.
    fn unanswered(&mut self, why: &str) -> Ending {
        self.sdp_state.awaits_answer = false;
        self.no_media(&MediaRefusal::NoAnswer, &format!("the caller did not answer the offer: {why}"))
    }

    /// The edge's session description: the answer to an offer, or an offer of its own without one.
    pub(super) fn description(&mut self, offered: Option<&Media>) -> String {
        match offered {
            Some(media) => self.answer_to(media),
            None => self.offer(Direction::SendRecv),
        }
    }

    /// Makes an offer; the call waits for its answer from now on. `direction` is that from the edge's point of view.
    pub(super) fn offer(&mut self, direction: Direction) -> String {
        let Some(at) = self.media.as_ref().map(crate::media::Endpoint::address) else { return String::new() };
        self.sdp_state.awaits_answer = true;
        let mode = &self.registered.call_state.trunk.media_encryption_mode;
        let SdpState { identity, srtp_key, agreed, removed, .. } = &mut self.sdp_state;
        let settings = &self.inner.config.settings;
        let offer = OwnOffer { direction, ..OwnOffer::new(mode, settings, agreed.as_deref()) };
        let offer = match removed.as_deref() {
            Some(removed) => removed.restored(offer),
            None => offer,
        };
        let key = srtp_key.get_or_insert_with(|| self.inner.core.ids.media_key().into());
        sdp::own_offer(identity, at, &offer, key)
    }

    /// Makes the offer of a session refresh, which changes nothing: a call on hold stays there, and audio that the
    /// caller removed stays removed.
    pub(super) fn refresh_offer(&mut self) -> String {
        let at = self.media.as_ref().map(crate::media::Endpoint::address);
        let direction = self.sdp_state.direction.reversed();
        match (self.sdp_state.disabled_lines(), at) {
            (Some(lines), Some(at)) => {
                self.sdp_state.awaits_answer = true;
                sdp::answer_taken_out(&mut self.sdp_state.identity, &lines, at)
            }
            _ => self.offer(direction),
        }
    }

    /// Applies the answer to the offer of a session refresh.
    ///
    /// # Errors
    /// As [`Self::answered_offer`].
    pub(super) async fn answered_refresh(
        &mut self,
        answer: Result<Option<Vec<u8>>, BodyRefusal>,
    ) -> Result<(), Ending> {
        if self.sdp_state.disabled_lines().is_some() {
            // An answer cannot add a stream to an offer without one (RFC 3264 §6).
            self.sdp_state.awaits_answer = false;
            return Ok(());
        }
        self.answered_offer("response", answer, false).await
    }

    fn answer_to(&mut self, media: &Media) -> String {
        let Some(at) = self.media.as_ref().map(crate::media::Endpoint::address) else { return String::new() };
        let mode = &self.registered.call_state.trunk.media_encryption_mode;
        self.sdp_state.agreed = Agreed::of(media, mode, &self.inner.config.settings);
        self.sdp_state.removed = None;
        self.sdp_state.direction = media.direction;
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
            && let Some(at) = self.remove_audio(&lines)
        {
            return Ok(sdp::answer_taken_out(&mut self.sdp_state.identity, &lines, at));
        }
        let Some(media) = negotiated? else { return Ok(String::new()) };
        if let Some(endpoint) = self.media.as_mut() {
            endpoint.apply(self.inner, &media, self.inner.core.clock.now()).await;
        }
        Ok(self.answer_to(&media))
    }

    /// Removes the audio, as a description with these `m=` values demands. Returns the address of the call's media; `None`
    /// without one.
    fn remove_audio(&mut self, lines: &[String]) -> Option<SocketAddr> {
        let endpoint = self.media.as_mut()?;
        endpoint.remove_stream(self.inner.core.clock.now());
        self.sdp_state.direction = Direction::Inactive;
        self.sdp_state.removed = Some(Box::new(Removed::of(lines)));
        Some(endpoint.address())
    }

    /// Removes the audio if an answer disables its stream. Returns true if it does.
    fn removes_audio(&mut self, answer: Option<&[u8]>) -> bool {
        answer.and_then(taken_out).is_some_and(|lines| self.remove_audio(&lines).is_some())
    }

    /// Applies the caller's answer to an offer of the edge. `message` names what carries it: an ACK, a PRACK or a
    /// response. `is_first` is true if the call has no session yet: later, an answer may refuse the audio stream, and the
    /// call goes on without (RFC 3264 §6 and §8.2).
    ///
    /// # Errors
    /// The ending of the call if the answer is missing or does not match the offer.
    pub(super) async fn answered_offer(
        &mut self,
        message: &str,
        answer: Result<Option<Vec<u8>>, BodyRefusal>,
        is_first: bool,
    ) -> Result<(), Ending> {
        let answer = match answer {
            Ok(answer) => answer,
            Err(why) => return Err(self.unanswered(&format!("its {message} cannot be read: {why}"))),
        };
        self.sdp_state.awaits_answer = false;
        let call_state = Arc::clone(&self.registered.call_state);
        let mode = &call_state.trunk.media_encryption_mode;
        let settings = &self.inner.config.settings;
        let offer = OwnOffer::new(mode, settings, self.sdp_state.agreed.as_deref());
        let offer = match self.sdp_state.removed.as_deref() {
            Some(removed) => removed.restored(offer),
            None => offer,
        };
        let media = match offer.take_answer(mode, answer.as_deref()) {
            Ok(media) => media,
            // The audio that the caller removed stays removed.
            Err(MediaRefusal::StreamRefused) if self.sdp_state.removed.is_some() => return Ok(()),
            Err(MediaRefusal::StreamRefused) if !is_first && self.removes_audio(answer.as_deref()) => {
                return Ok(());
            }
            Err(refusal) => return Err(self.no_media(&refusal, &flaw_of_answer(message, &refusal))),
        };
        self.sdp_state.agreed = Agreed::of(&media, mode, settings);
        self.sdp_state.removed = None;
        self.sdp_state.direction = media.direction;
        if let Some(endpoint) = self.media.as_mut() {
            endpoint.apply(self.inner, &media, self.inner.core.clock.now()).await;
        }
        Ok(())
    }

    /// Applies the answer in an ACK, if the call waits for one. `is_first` is true for the ACK of the first answer, and false
    /// for that of a re-INVITE.
    ///
    /// # Errors
    /// As [`Self::answered_offer`].
    pub(super) async fn acknowledged_offer(
        &mut self,
        ack: Option<Acknowledgement>,
        is_first: bool,
    ) -> Result<(), Ending> {
        if !self.sdp_state.awaits_answer {
            return Ok(());
        }
        // An ACK cannot be challenged. From an address that the trunk does not allow, it must not redirect
        // media.
        let Some(ack) = ack else { return Err(self.unanswered("its ACK did not arrive")) };
        let call_state = &self.registered.call_state;
        let own = call_state.origin.source.ip().to_canonical();
        let foreign = ack.source.filter(|source| *source != own && !call_state.trunk.allows(*source));
        if let Some(source) = foreign {
            let why = format!("its ACK came from {source}, which the trunk does not allow");
            return Err(self.unanswered(&why));
        }
        self.answered_offer("ACK", ack.description, is_first).await
    }
}

/// What is wrong with the caller's answer to an offer of the edge. The texts of a [`MediaRefusal`] are those of offers.
fn flaw_of_answer(message: &str, refusal: &MediaRefusal) -> String {
    match refusal {
        MediaRefusal::NoAnswer => {
            format!("the caller did not answer the offer: its {message} has no session description")
        }
        MediaRefusal::Unparsable(why) => format!("the caller's answer cannot be parsed: {why}"),
        MediaRefusal::NoAudio | MediaRefusal::StreamRefused => {
            "the caller's answer refuses the audio stream that was offered to it".to_owned()
        }
        MediaRefusal::Profile(profile) => {
            format!("the caller's answer has the profile {profile}, which was not offered to it")
        }
        MediaRefusal::NoKey => {
            "the caller's answer has no a=crypto line with tag 1, AES_CM_128_HMAC_SHA1_80 and a complete key"
                .to_owned()
        }
        MediaRefusal::NoFingerprint => "the caller's answer has no a=fingerprint and a=setup".to_owned(),
        MediaRefusal::NoCodec(codecs) => {
            format!("the caller's answer has none of the codecs that were offered to it, but {codecs}")
        }
        MediaRefusal::DtlsNotImplemented => refusal.to_string(),
    }
}
