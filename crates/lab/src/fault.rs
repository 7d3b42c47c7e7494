//! A fault: the requests, callbacks or calls that it applies to, and its effect on them.

mod check;

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The longest delay of a response, and the longest pause between two pieces of a body, in milliseconds.
pub const MAX_DELAY_MS: u64 = 60_000;
/// Number of bytes of a body that are sent before it is cut, unless the fault sets it.
const DEFAULT_BYTES_BEFORE_CUT: u64 = 10;
/// Number of bytes of each piece of a slow body, unless the fault sets it.
const DEFAULT_PIECE_BYTES: u64 = 16;
/// The pause before each piece of a slow body, in milliseconds, unless the fault sets it.
const DEFAULT_PAUSE_MS: u64 = 100;

/// The effect of a fault on a request, a callback or a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Effect {
    /// It is answered with `status`, and with the API's own error unless there is a `body`. A callback counts as
    /// answered so, and is not sent.
    Status,
    /// It is answered late; a callback is sent late.
    Delay,
    /// The body of the response is sent in pieces of `bytes`, each after a pause of `pause_ms`.
    SlowBody,
    /// The first `bytes` bytes of the body are sent; then the connection is closed.
    CutBody,
    /// The connection is closed without an answer. Over HTTP/2, the stream is reset.
    Close,
    /// The connection, or over HTTP/2 the stream, is reset without a response.
    Reset,
    /// The response has the media type `content_type`; its body is not changed.
    ContentType,
    /// A callback is not sent, and counts as delivered, so that it is not repeated.
    Lose,
    /// A call rings and is not answered.
    NoAnswer,
    /// The ACK of an answered call is lost, so the 200 is retransmitted until the call ends because no ACK arrives.
    LostAck,
    /// The caller of an answered call hears nothing: all RTP to it is lost.
    OneWayAudio,
    /// A share `loss` of the RTP to the caller is lost.
    PacketLoss,
}

impl Effect {
    /// Whether the client does not receive the answer of the API, so that the API need not make one.
    fn loses_answer(self) -> bool {
        matches!(self, Self::Status | Self::Close | Self::Reset)
    }
}

/// The kind of events that a fault applies to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Target {
    /// Requests of clients to the public listeners.
    #[default]
    Requests,
    /// Callbacks and webhooks that the server sends.
    Callbacks,
    /// Calls that a trunk of the carrier edge admits.
    Calls,
}

/// A fault. It applies to the requests that all of its filters match; an absent filter matches all.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Fault {
    /// The effect on a request, a callback or a call.
    pub effect: Effect,
    /// The kind of events that it applies to: requests of clients by default.
    #[serde(default)]
    pub target: Target,
    /// The account whose key or token a request to DIDWW's API has, or whose trunk a callback or a call is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<Uuid>,
    /// The HTTP method, such as `POST`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// The path without its query, such as `/v3/dids/*`, in which `*` is any text; for a callback, the path of its URL;
    /// for a call, its destination number in digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The type of the records, such as `voice_out_trunks`: the segment of the path after `/v3/` or `/v1.0/`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// The id of the trunk of a call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trunk: Option<Uuid>,
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
    /// The seed of all random decisions. The same seed repeats the same decisions, in the order of the requests.
    #[serde(default)]
    pub seed: u64,
    /// The status of the effect `status`: 200 to 599; for a call, 300 to 699.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 200, max = 699))]
    pub status: Option<u16>,
    /// The body of the effect `status`, at most 16 KiB; the API's own error by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// The media type of the effect `content_type`, or of `body`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// The delay of the response with any effect, in milliseconds of real time; at most a minute. A call rings longer
    /// by this time, on the server's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 60_000))]
    pub delay_ms: Option<u64>,
    /// The upper bound of a random delay, in milliseconds; `delay_ms` is the lower one.
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
    /// The share of packets that the effect `packet_loss` loses, more than 0 and at most 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1))]
    pub loss: Option<f64>,
    /// Whether the API executes the request although its response is lost: for the effects `status`, `close` and
    /// `reset`.
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
    /// The name of the invalid member.
    pub field: &'static str,
    /// The problem, as the continuation of a sentence that begins with the name of the member.
    pub message: String,
}

impl Fault {
    /// A fault without filters: it applies to all requests of clients.
    pub const fn new(effect: Effect) -> Self {
        Self {
            effect,
            target: Target::Requests,
            account: None,
            method: None,
            path: None,
            resource: None,
            trunk: None,
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
            loss: None,
            serve: false,
        }
    }

    /// Answers with a status, and with the API's own error.
    pub const fn status(status: u16) -> Self {
        let mut fault = Self::new(Effect::Status);
        fault.status = Some(status);
        fault
    }

    /// Delays the response by this time.
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

    /// Replaces the media type of the response, without changing its body.
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

    /// Applies to callbacks and webhooks that the server sends, instead of requests of clients.
    #[must_use]
    pub const fn of_callbacks(mut self) -> Self {
        self.target = Target::Callbacks;
        self
    }

    /// Loses this share of the RTP packets to the caller, chosen by a seed.
    pub const fn packet_loss(share: f64, seed: u64) -> Self {
        let mut fault = Self::new(Effect::PacketLoss);
        fault.target = Target::Calls;
        fault.loss = Some(share);
        fault.seed = seed;
        fault
    }

    /// Applies to calls that a trunk admits, instead of requests of clients.
    #[must_use]
    pub const fn of_calls(mut self) -> Self {
        self.target = Target::Calls;
        self
    }

    /// Applies only to calls through the trunk with this id.
    #[must_use]
    pub const fn trunk(mut self, trunk: Uuid) -> Self {
        self.trunk = Some(trunk);
        self
    }

    /// Applies only to requests of an account, or to callbacks and calls of its trunks.
    #[must_use]
    pub const fn account(mut self, account: Uuid) -> Self {
        self.account = Some(account);
        self
    }

    /// Applies only to requests with this HTTP method.
    #[must_use]
    pub fn method(mut self, method: impl Into<String>) -> Self {
        self.method = Some(method.into());
        self
    }

    /// Applies only to requests to this path, in which `*` is any text.
    #[must_use]
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// Applies only to requests for records of this type.
    #[must_use]
    pub fn resource(mut self, resource: impl Into<String>) -> Self {
        self.resource = Some(resource.into());
        self
    }

    /// Applies only to the n-th matching request, counted from 1.
    #[must_use]
    pub const fn nth(mut self, n: u64) -> Self {
        self.first = n;
        self.times = Some(1);
        self
    }

    /// Applies to at most this many requests.
    #[must_use]
    pub const fn times(mut self, times: u64) -> Self {
        self.times = Some(times);
        self
    }

    /// Applies to each matching request with this probability, decided by the seed.
    #[must_use]
    pub const fn probability(mut self, probability: f64, seed: u64) -> Self {
        self.probability = Some(probability);
        self.seed = seed;
        self
    }

    /// Delays the response in addition to the effect.
    #[must_use]
    pub fn late(mut self, by: Duration) -> Self {
        self.delay_ms = Some(millis(by));
        self
    }

    /// Delays the response by a random time between two bounds, decided by the seed.
    #[must_use]
    pub fn late_between(mut self, from: Duration, to: Duration) -> Self {
        self.delay_ms = Some(millis(from));
        self.delay_up_to_ms = Some(millis(to));
        self
    }

    /// Lets the API execute the request, and loses only its response.
    #[must_use]
    pub const fn after_serving(mut self) -> Self {
        self.serve = true;
        self
    }

    /// Whether the request reaches its API.
    pub(crate) fn is_served(&self) -> bool {
        self.serve || !self.effect.loses_answer()
    }

    /// The shortest and the longest delay.
    pub(crate) fn delays(&self) -> (Duration, Duration) {
        let from = self.delay_ms.unwrap_or(0);
        let to = self.delay_up_to_ms.unwrap_or(from);
        (Duration::from_millis(from), Duration::from_millis(to))
    }

    /// Number of bytes of the body that are sent before it is cut.
    pub(crate) fn bytes_before_cut(&self) -> usize {
        usize::try_from(self.bytes.unwrap_or(DEFAULT_BYTES_BEFORE_CUT)).unwrap_or(usize::MAX)
    }

    /// The number of bytes of each piece of a slow body, and the pause before it.
    pub(crate) fn pieces(&self) -> (usize, Duration) {
        let bytes = usize::try_from(self.bytes.unwrap_or(DEFAULT_PIECE_BYTES)).unwrap_or(usize::MAX);
        (bytes, Duration::from_millis(self.pause_ms.unwrap_or(DEFAULT_PAUSE_MS)))
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
