//! Validation of faults: each member must have a valid value, and apply to the target and the effect.

use http::{HeaderValue, Method};

use super::{Effect, Fault, FaultError, MAX_DELAY_MS, Target};

/// The longest text of a filter or a media type, in bytes.
const MAX_TEXT_BYTES: usize = 1_024;
/// The longest body that replaces an API's own error, in bytes.
const MAX_BODY_BYTES: usize = 16 << 10;

fn wrong(field: &'static str, message: &str) -> Result<(), FaultError> {
    Err(FaultError { field, message: message.to_owned() })
}

impl Effect {
    /// Whether the effect applies to calls only.
    fn is_of_calls(self) -> bool {
        matches!(self, Self::NoAnswer | Self::LostAck | Self::OneWayAudio | Self::PacketLoss)
    }
}

impl Fault {
    /// Checks the values of the members, and that each applies to the target and the effect.
    ///
    /// # Errors
    /// The first member that is not valid.
    pub fn check(&self) -> Result<(), FaultError> {
        self.check_target()?;
        self.check_filters()?;
        self.check_answer()?;
        self.check_times()
    }

    fn check_target(&self) -> Result<(), FaultError> {
        let effect = self.effect;
        match self.target {
            Target::Requests if effect == Effect::Lose || effect.is_of_calls() => {
                wrong("effect", "is not for requests: set `target` to `callbacks` or `calls`")
            }
            Target::Callbacks if !matches!(effect, Effect::Status | Effect::Delay | Effect::Lose) => {
                wrong("effect", "must be status, delay or lose for callbacks")
            }
            Target::Calls if !matches!(effect, Effect::Status | Effect::Delay) && !effect.is_of_calls() => {
                let expected =
                    "must be status, delay, no_answer, lost_ack, one_way_audio or packet_loss for calls";
                wrong("effect", expected)
            }
            Target::Calls if self.method.is_some() => wrong("method", "is not for calls"),
            Target::Callbacks | Target::Calls if self.resource.is_some() => {
                wrong("resource", "is for requests alone")
            }
            Target::Requests | Target::Callbacks if self.trunk.is_some() => {
                wrong("trunk", "is for calls alone")
            }
            _ => Ok(()),
        }
    }

    fn check_filters(&self) -> Result<(), FaultError> {
        let texts =
            [("path", &self.path), ("resource", &self.resource), ("content_type", &self.content_type)];
        for (field, text) in texts {
            if text.as_ref().is_some_and(|text| text.is_empty() || text.len() > MAX_TEXT_BYTES) {
                return wrong(field, "must have 1 to 1,024 bytes");
            }
        }
        let is_method =
            |text: &String| text.len() <= MAX_TEXT_BYTES && Method::from_bytes(text.as_bytes()).is_ok();
        if !self.method.as_ref().is_none_or(is_method) {
            return wrong("method", "must be a method of HTTP, such as POST");
        }
        if self.first == 0 {
            return wrong("first", "must be at least 1");
        }
        if self.times == Some(0) {
            return wrong("times", "must be at least 1");
        }
        if self.probability.is_some_and(|probability| !(0.0..=1.0).contains(&probability)) {
            return wrong("probability", "must be from 0 to 1");
        }
        Ok(())
    }

    /// Checks the members that replace the response: status, body and media type.
    fn check_answer(&self) -> Result<(), FaultError> {
        let (has_status, is_call) = (self.effect == Effect::Status, self.target == Target::Calls);
        let valid = if is_call { 300..=699 } else { 200..=599 };
        if has_status != self.status.is_some() || self.status.is_some_and(|status| !valid.contains(&status)) {
            let expected = "must be 200 to 599, or 300 to 699 for calls, with the effect `status`, and absent with others";
            return wrong("status", expected);
        }
        if self.body.is_some() && (!has_status || self.target != Target::Requests) {
            return wrong("body", "belongs to the effect `status` of requests");
        }
        if self.body.as_ref().is_some_and(|body| body.len() > MAX_BODY_BYTES) {
            return wrong("body", "must have at most 16 KiB");
        }
        let has_type = has_status || self.effect == Effect::ContentType;
        match &self.content_type {
            None if self.effect == Effect::ContentType => return wrong("content_type", "is missing"),
            Some(_) if !has_type || self.target != Target::Requests => {
                return wrong(
                    "content_type",
                    "belongs to the effects `content_type` and `status` of requests",
                );
            }
            Some(text) if HeaderValue::from_str(text).is_err() => {
                return wrong("content_type", "must be the value of a header");
            }
            _ => {}
        }
        let is_lossy = self.effect == Effect::PacketLoss;
        let is_share = |loss: f64| loss > 0.0 && loss <= 1.0;
        if is_lossy != self.loss.is_some() || self.loss.is_some_and(|loss| !is_share(loss)) {
            let expected =
                "must be above 0 and at most 1 with the effect `packet_loss`, and absent with others";
            return wrong("loss", expected);
        }
        if self.serve && (self.target != Target::Requests || !self.effect.loses_answer()) {
            return wrong("serve", "is for requests, with the effects `status`, `close` and `reset`");
        }
        Ok(())
    }

    /// Checks delays, pauses and numbers of bytes.
    fn check_times(&self) -> Result<(), FaultError> {
        let longest = [self.delay_ms, self.delay_up_to_ms, self.pause_ms].into_iter().flatten().max();
        if longest.is_some_and(|longest| longest > MAX_DELAY_MS) {
            return wrong("delay_ms", "must be at most 60000, as must delay_up_to_ms and pause_ms");
        }
        if self.effect == Effect::Delay && self.delay_ms.is_none() {
            return wrong("delay_ms", "is missing");
        }
        if self.delay_up_to_ms.is_some_and(|up_to| self.delay_ms.is_none_or(|from| from > up_to)) {
            return wrong("delay_up_to_ms", "must be at least `delay_ms`, which it needs");
        }
        match (self.bytes, self.effect) {
            (None, _) | (Some(_), Effect::CutBody) | (Some(1..), Effect::SlowBody) => {}
            (Some(_), Effect::SlowBody) => return wrong("bytes", "must be at least 1"),
            (Some(_), _) => return wrong("bytes", "belongs to the effects `cut_body` and `slow_body`"),
        }
        if self.pause_ms.is_some() && self.effect != Effect::SlowBody {
            return wrong("pause_ms", "belongs to the effect `slow_body`");
        }
        Ok(())
    }
}
