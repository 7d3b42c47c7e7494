//! A fault: which requests it takes, and what happens to them.

use std::time::Duration;

use http::{HeaderValue, Method, StatusCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The longest delay of an answer, and the longest pause between two pieces of a body, in milliseconds.
pub const MAX_DELAY_MS: u64 = 60_000;
/// The longest text of a filter or a media type, in bytes.
const MAX_TEXT_BYTES: usize = 1_024;
/// The longest body that takes the place of an API's own error, in bytes.
const MAX_BODY_BYTES: usize = 16 << 10;
/// Bytes of a body that are sent before it is cut, if the fault names no number.
const DEFAULT_BYTES_BEFORE_CUT: u64 = 10;
/// Bytes of each piece of a slow body, if the fault names no number.
const DEFAULT_PIECE_BYTES: u64 = 16;
/// The pause before each piece of a slow body, if the fault names none, in milliseconds.
const DEFAULT_PAUSE_MS: u64 = 100;

/// What happens to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Effect {
    /// It is answered with `status`, and with the API's own error unless there is a `body`. A callback counts as answered so,
    /// and is not sent.
    Status,
    /// It is answered late; a callback is sent late.
    Delay,
    /// The body of the answer comes in pieces of `bytes`, each after a pause of `pause_ms`.
    SlowBody,
    /// Of the body of the answer, `bytes` are sent; then the connection ends.
    CutBody,
    /// The connection is closed without an answer. Over HTTP/2, the stream is reset.
    Close,
    /// The connection is reset without an answer. Over HTTP/2, the stream is.
    Reset,
    /// The answer names `content_type` as its media type; its body stays as it is.
    ContentType,
    /// A callback is not sent, and counts as delivered, so that it is not repeated.
    Lose,
}

/// Whose requests a fault takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Target {
    /// Requests of clients to the public listeners.
    #[default]
    Requests,
    /// Callbacks and webhooks that the server sends.
    Callbacks,
}

/// A fault. It takes the requests that all of its filters match; a filter that is absent matches all.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Fault {
    /// What happens to a request.
    pub effect: Effect,
    /// Whose requests: those of clients by default.
    #[serde(default)]
    pub target: Target,
    /// The account whose key or token a request to DIDWW's API has, or whose trunk a callback is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<Uuid>,
    /// The method, such as `POST`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// The path without its query, such as `/v3/dids/*`, in which `*` is any text; for a callback, the path of its URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The type of records, such as `voice_out_trunks`: what follows `/v3/`, or `/v1.0/`, in the path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// The first request that is taken, counted from 1 among those that the filters match.
    #[serde(default = "one")]
    #[schemars(range(min = 1))]
    pub first: u64,
    /// Maximum number of requests that are taken; no limit by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub times: Option<u64>,
    /// The probability, from 0 to 1, with which a request is taken; 1 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1))]
    pub probability: Option<f64>,
    /// Decides on what is random: the same seed makes the same choices, in the order of the requests.
    #[serde(default)]
    pub seed: u64,
    /// The status, 200 to 599, of the effect `status`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 200, max = 599))]
    pub status: Option<u16>,
    /// The body of the effect `status`, at most 16 KiB; the API's own error by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// The media type of the effect `content_type`, or of `body`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// How late the answer is, whatever the effect, in milliseconds of real time; at most a minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 60_000))]
    pub delay_ms: Option<u64>,
    /// Makes the delay random, from `delay_ms` to this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 60_000))]
    pub delay_up_to_ms: Option<u64>,
    /// The bytes of each piece of a slow body (16 by default), or before the cut of a body (10 by default).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// The pause before each piece of a slow body, in milliseconds; 100 by default, and at most a minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 60_000))]
    pub pause_ms: Option<u64>,
    /// Whether a request has its effect although its answer is lost: with the effects `status`, `close` and `reset`.
    #[serde(default)]
    pub serve: bool,
}

const fn one() -> u64 {
    1
}

/// Why a fault is not valid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{field}` {message}")]
pub struct FaultError {
    /// The member.
    pub field: &'static str,
    /// What is wrong with it, as the continuation of a sentence that begins with the member.
    pub message: String,
}

impl Fault {
    /// A fault without filters: it takes all requests of clients.
    pub const fn new(effect: Effect) -> Self {
        Self {
            effect,
            target: Target::Requests,
            account: None,
            method: None,
            path: None,
            resource: None,
            first: 1,
            times: None,
            probability: None,
            seed: 0,
            status: None,
            body: None,
            content_type: None,
            delay_ms: None,
            delay_up_to_ms: None,
            bytes: None,
            pause_ms: None,
            serve: false,
        }
    }

    /// Answers with a status, and with the API's own error.
    pub const fn status(status: u16) -> Self {
        let mut fault = Self::new(Effect::Status);
        fault.status = Some(status);
        fault
    }

    /// Answers late.
    pub fn delay(by: Duration) -> Self {
        Self::new(Effect::Delay).late(by)
    }

    /// Closes the connection without an answer.
    pub const fn close() -> Self {
        Self::new(Effect::Close)
    }

    /// Resets the connection without an answer.
    pub const fn reset() -> Self {
        Self::new(Effect::Reset)
    }

    /// Sends this many bytes of the answer's body, and ends the connection.
    pub const fn cut_body(bytes: u64) -> Self {
        let mut fault = Self::new(Effect::CutBody);
        fault.bytes = Some(bytes);
        fault
    }

    /// Sends the answer's body in pieces of this many bytes, each after a pause.
    pub fn slow_body(bytes: u64, pause: Duration) -> Self {
        let mut fault = Self::new(Effect::SlowBody);
        fault.bytes = Some(bytes);
        fault.pause_ms = Some(millis(pause));
        fault
    }

    /// Names another media type than that of the answer's body.
    pub fn content_type(media_type: impl Into<String>) -> Self {
        let mut fault = Self::new(Effect::ContentType);
        fault.content_type = Some(media_type.into());
        fault
    }

    /// Does not send a callback, which counts as delivered.
    pub const fn lost_callback() -> Self {
        let mut fault = Self::new(Effect::Lose);
        fault.target = Target::Callbacks;
        fault
    }

    /// Takes callbacks and webhooks that the server sends, instead of requests of clients.
    #[must_use]
    pub const fn of_callbacks(mut self) -> Self {
        self.target = Target::Callbacks;
        self
    }

    /// Takes only requests of an account, or callbacks of its trunks.
    #[must_use]
    pub const fn account(mut self, account: Uuid) -> Self {
        self.account = Some(account);
        self
    }

    /// Takes only requests with this method.
    #[must_use]
    pub fn method(mut self, method: impl Into<String>) -> Self {
        self.method = Some(method.into());
        self
    }

    /// Takes only requests to this path, in which `*` is any text.
    #[must_use]
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// Takes only requests for records of this type.
    #[must_use]
    pub fn resource(mut self, resource: impl Into<String>) -> Self {
        self.resource = Some(resource.into());
        self
    }

    /// Takes the n-th matching request alone, counted from 1.
    #[must_use]
    pub const fn nth(mut self, n: u64) -> Self {
        self.first = n;
        self.times = Some(1);
        self
    }

    /// Takes at most this many requests.
    #[must_use]
    pub const fn times(mut self, times: u64) -> Self {
        self.times = Some(times);
        self
    }

    /// Takes each matching request with this probability, as the seed decides.
    #[must_use]
    pub const fn probability(mut self, probability: f64, seed: u64) -> Self {
        self.probability = Some(probability);
        self.seed = seed;
        self
    }

    /// Makes the answer late as well.
    #[must_use]
    pub fn late(mut self, by: Duration) -> Self {
        self.delay_ms = Some(millis(by));
        self
    }

    /// Makes the answer late by a random time between two bounds, as the seed decides.
    #[must_use]
    pub fn late_between(mut self, from: Duration, to: Duration) -> Self {
        self.delay_ms = Some(millis(from));
        self.delay_up_to_ms = Some(millis(to));
        self
    }

    /// Lets the request have its effect, and loses only its answer.
    #[must_use]
    pub const fn after_serving(mut self) -> Self {
        self.serve = true;
        self
    }

    /// Whether the request reaches its API.
    pub(crate) fn is_served(&self) -> bool {
        self.serve || !matches!(self.effect, Effect::Status | Effect::Close | Effect::Reset)
    }

    /// The bounds of the delay.
    pub(crate) fn delays(&self) -> (Duration, Duration) {
        let from = self.delay_ms.unwrap_or(0);
        let to = self.delay_up_to_ms.unwrap_or(from);
        (Duration::from_millis(from), Duration::from_millis(to))
    }

    /// Bytes of the body that are sent before its cut.
    pub(crate) fn bytes_before_cut(&self) -> usize {
        usize::try_from(self.bytes.unwrap_or(DEFAULT_BYTES_BEFORE_CUT)).unwrap_or(usize::MAX)
    }

    /// Bytes of each piece of a slow body, and the pause before it.
    pub(crate) fn pieces(&self) -> (usize, Duration) {
        let bytes = usize::try_from(self.bytes.unwrap_or(DEFAULT_PIECE_BYTES)).unwrap_or(usize::MAX);
        (bytes, Duration::from_millis(self.pause_ms.unwrap_or(DEFAULT_PAUSE_MS)))
    }

    /// Checks the members, and that each belongs to the effect.
    ///
    /// # Errors
    /// The first member that is not valid.
    pub fn check(&self) -> Result<(), FaultError> {
        let wrong = |field, message: &str| Err::<(), _>(FaultError { field, message: message.to_owned() });
        let is_callback = self.target == Target::Callbacks;
        match (self.effect, is_callback) {
            (Effect::Lose, false) => {
                return wrong("effect", "is for callbacks alone: set `target` to `callbacks`");
            }
            (Effect::Status | Effect::Delay | Effect::Lose, _) | (_, false) => {}
            (_, true) => return wrong("effect", "must be status, delay or lose for callbacks"),
        }
        if is_callback && self.resource.is_some() {
            return wrong("resource", "is not for callbacks, which have the path of their URL alone");
        }
        let texts =
            [("path", &self.path), ("resource", &self.resource), ("content_type", &self.content_type)];
        for (field, text) in texts {
            if text.as_ref().is_some_and(|text| text.is_empty() || text.len() > MAX_TEXT_BYTES) {
                return wrong(field, "must have 1 to 1,024 bytes");
            }
        }
        if self.method.as_ref().is_some_and(|method| {
            method.len() > MAX_TEXT_BYTES || Method::from_bytes(method.as_bytes()).is_err()
        }) {
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
        self.check_effect()
    }

    fn check_effect(&self) -> Result<(), FaultError> {
        let wrong = |field, message: &str| Err::<(), _>(FaultError { field, message: message.to_owned() });
        let has_status = self.effect == Effect::Status;
        let is_valid = |status| StatusCode::from_u16(status).is_ok() && (200..=599).contains(&status);
        if has_status != self.status.is_some_and(is_valid) {
            return wrong("status", "must be 200 to 599 with the effect `status`, and absent with others");
        }
        if self.body.is_some() && !has_status {
            return wrong("body", "belongs to the effect `status`");
        }
        if self.body.as_ref().is_some_and(|body| body.len() > MAX_BODY_BYTES) {
            return wrong("body", "must have at most 16 KiB");
        }
        match (&self.content_type, self.effect) {
            (None, Effect::ContentType) => return wrong("content_type", "is missing"),
            (Some(text), Effect::ContentType | Effect::Status) if HeaderValue::from_str(text).is_ok() => {}
            (Some(_), Effect::ContentType | Effect::Status) => {
                return wrong("content_type", "must be the value of a header");
            }
            (Some(_), _) => {
                return wrong("content_type", "belongs to the effects `content_type` and `status`");
            }
            (None, _) => {}
        }
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
        let loses_answers = matches!(self.effect, Effect::Status | Effect::Close | Effect::Reset);
        if self.serve && (self.target == Target::Callbacks || !loses_answers) {
            return wrong("serve", "is for requests, with the effects `status`, `close` and `reset`");
        }
        Ok(())
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
