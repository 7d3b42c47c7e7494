//! What a call says about its media, and what it makes of what its caller says (RFC 3264).

use trunk_rules::carrier::{Media, MediaRefusal, Protection, negotiate, own_offer, take_answer, taken_out};

use super::call::Call;
use super::record::Ending;
use super::sdp;
use super::stack::Acknowledgement;

/// What of a call's descriptions stays from one to the next.
pub(crate) struct Speech {
    identity: sdp::Identity,
    /// Our key for SRTP, once one was needed.
    key: Option<Box<str>>,
    /// Whether an offer of ours waits for its answer.
    pub awaits: bool,
}

impl Speech {
    pub(crate) fn new(random: u64) -> Self {
        Self { identity: sdp::Identity::new(random), key: None, awaits: false }
    }
}

impl Call<'_> {
    /// Whether one more log line may say that something is wrong with the media of this caller's.
    pub(crate) fn may_warn(&self) -> bool {
        let source = self.registered.facts.origin.source.ip();
        self.inner.sums.media.admits(source, self.inner.core.clock.now())
    }

    /// How a call ends whose media could not be agreed on after it was answered.
    fn no_media(&self, why: &MediaRefusal) -> Ending {
        let call_id = &self.registered.facts.key.call_id;
        if self.may_warn() {
            tracing::warn!(%why, %call_id, "the answer to an offer does not fit; the call is ended");
        }
        Ending { cause: why.cause().id(), code: 488, reason: why.cause().text() }
    }

    /// What the edge says about its media: the answer to an offer, or an offer of its own.
    pub(crate) fn description(&mut self, offered: Option<&Media>) -> String {
        match offered {
            Some(media) => self.answer_to(media),
            None => self.offer(),
        }
    }

    /// An offer, for whose answer the call waits from now on.
    pub(crate) fn offer(&mut self) -> String {
        let Some(at) = self.media.as_ref().map(super::media::Endpoint::address) else { return String::new() };
        self.speech.awaits = true;
        let (profile, codecs) =
            own_offer(&self.registered.facts.trunk.media_encryption_mode, &self.inner.config.settings);
        let Speech { identity, key, .. } = &mut self.speech;
        let key = key.get_or_insert_with(|| self.inner.core.ids.media_key().into());
        sdp::offer(identity, at, &codecs, profile, key)
    }

    fn answer_to(&mut self, media: &Media) -> String {
        let Some(at) = self.media.as_ref().map(super::media::Endpoint::address) else { return String::new() };
        let Speech { identity, key, .. } = &mut self.speech;
        let key = match media.protection {
            Protection::Sdes { .. } | Protection::Dtls { .. } => {
                key.get_or_insert_with(|| self.inner.core.ids.media_key().into())
            }
            _ => "",
        };
        sdp::answer(identity, media, at, key)
    }

    /// Follows an offer of the caller's, and returns the answer to it.
    pub(crate) async fn renegotiated(&mut self, offer: &[u8]) -> Result<String, MediaRefusal> {
        let mode = &self.registered.facts.trunk.media_encryption_mode;
        let negotiated = negotiate(mode, &self.inner.config.settings, Some(offer));
        if negotiated.is_err()
            && let Some(lines) = taken_out(offer)
            && let Some(endpoint) = self.media.as_mut()
        {
            endpoint.taken_out(self.inner.core.clock.now());
            return Ok(sdp::answer_taken_out(&mut self.speech.identity, &lines, endpoint.address()));
        }
        let Some(media) = negotiated? else { return Ok(String::new()) };
        if let Some(endpoint) = self.media.as_mut() {
            endpoint.negotiated(self.inner, &media, self.inner.core.clock.now()).await;
        }
        Ok(self.answer_to(&media))
    }

    /// Takes the answer to an offer of ours. A call whose answer does not fit, or is missing, has no media and ends.
    pub(crate) async fn answered_offer(&mut self, answer: Option<&[u8]>) -> Result<(), Ending> {
        self.speech.awaits = false;
        let mode = &self.registered.facts.trunk.media_encryption_mode;
        let media =
            take_answer(mode, &self.inner.config.settings, answer).map_err(|why| self.no_media(&why))?;
        if let Some(endpoint) = self.media.as_mut() {
            endpoint.negotiated(self.inner, &media, self.inner.core.clock.now()).await;
        }
        Ok(())
    }

    /// The same for the answer that an ACK brings, or fails to bring.
    pub(crate) async fn acknowledged_offer(&mut self, ack: Option<Acknowledgement>) -> Result<(), Ending> {
        if !self.speech.awaits {
            return Ok(());
        }
        // An ACK is never challenged: from an address that may not call, it moves no media.
        let own = self.registered.facts.origin.source.ip().to_canonical();
        let trusted = ack.filter(|ack| {
            ack.source.is_none_or(|source| source == own || self.registered.facts.trunk.allows(source))
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
