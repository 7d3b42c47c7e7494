//! One entry of the rings: what happened to an attempt, and why.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::Arc;

use didww_types::Timestamp;
use rsipstack::sip::Transport;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use trunk_rules::carrier::{Challenge, TrunkTerms};

/// What happened to an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum AttemptOutcome {
    /// The call passed all checks.
    Admitted,
    /// The call was refused by a check, or before the checks.
    Refused,
    /// The call was challenged: it had no digest, or a wrong one.
    Challenged,
    /// The caller did not repeat its INVITE with a digest.
    ChallengeUnanswered,
    /// A message could not be parsed.
    Unreadable,
    /// A message had more bytes than are accepted.
    Oversized,
    /// An admitted call ended.
    Ended,
}

/// An entry of the rings of recent attempts. An attempt can have several, with the same `call_id`. An unknown value is
/// null.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct AttemptEvent {
    /// Counts the entries since the start of the server, from 1.
    pub number: u64,
    /// When it happened, by the server's clock.
    pub time: Timestamp,
    /// Whether the attempt was admitted, refused or challenged, or how else it ended.
    pub outcome: AttemptOutcome,
    /// The `Call-ID`, at most 256 characters; empty if the message has none. Control characters are replaced.
    pub call_id: String,
    /// The address and the port that the message came from.
    pub source: SocketAddr,
    /// The transport of the message: `udp`, `tcp` or `tls`.
    pub transport: &'static str,
    /// The id of the trunk, if the attempt names one.
    pub trunk_id: Option<String>,
    /// The name of the trunk.
    pub trunk_name: Option<String>,
    /// The number of the account that owns the attempt. The control API shows the account's id instead.
    #[serde(skip)]
    pub account: Option<i64>,
    /// The name of the check that failed.
    pub check: Option<&'static str>,
    /// The number of the disconnect cause.
    pub cause: Option<u16>,
    /// The SIP response code; null if there was no response, 200 for an admitted call.
    pub code: Option<u16>,
    /// The reason in words, the same as in the log, the call record, `X-Refusal` and `explain`.
    pub explanation: String,
    /// For a call that ended: why it had no audio, as in its record.
    pub no_audio: Option<String>,
}

/// The limit of characters of a `Call-ID` in an entry.
const MAX_CALL_ID_CHARS: usize = 256;
/// The approximate bytes of an entry without its texts.
const FIXED_BYTES: usize = 256;

impl AttemptEvent {
    /// The approximate size in memory.
    pub(super) fn bytes(&self) -> usize {
        let optional = [&self.trunk_id, &self.trunk_name, &self.no_audio];
        let optional: usize = optional.into_iter().flatten().map(String::len).sum();
        FIXED_BYTES + self.call_id.len() + self.explanation.len() + optional
    }
}

/// The message that an event concerns.
#[derive(Debug, Clone)]
pub(crate) struct Message<'a> {
    pub(crate) call_id: Cow<'a, str>,
    pub(crate) source: SocketAddr,
    pub(crate) transport: &'static str,
}

/// The check, the cause and the response code of an event.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Reason {
    pub(crate) check: Option<&'static str>,
    pub(crate) cause: Option<u16>,
    pub(crate) code: Option<u16>,
}

/// The data of an entry, without its number and time.
#[derive(Debug)]
pub(crate) struct Facts<'a> {
    pub(crate) message: Message<'a>,
    pub(crate) outcome: AttemptOutcome,
    pub(crate) trunk: Option<&'a Arc<TrunkTerms>>,
    /// Whether the sender proved that it may use the trunk, so that the event belongs to the trunk's account.
    pub(crate) is_proven: bool,
    pub(crate) reason: Reason,
    pub(crate) explanation: Explanation<'a>,
    pub(crate) no_audio: Option<String>,
}

/// The sentence of an event, which is written only if the event is entered: of a flood few are.
#[derive(Debug)]
pub(crate) enum Explanation<'a> {
    Text(Cow<'a, str>),
    OfChallenge(&'a Challenge),
}

impl From<String> for Explanation<'_> {
    fn from(text: String) -> Self {
        Self::Text(Cow::Owned(text))
    }
}

impl<'a> From<&'a str> for Explanation<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

impl Explanation<'_> {
    fn into_text(self) -> String {
        match self {
            Self::Text(text) => text.into_owned(),
            Self::OfChallenge(challenge) => challenge.explanation(),
        }
    }
}

impl Facts<'_> {
    /// The number of the account that owns the event.
    pub(super) fn owner(&self) -> Option<i64> {
        self.trunk.filter(|_| self.is_proven).map(|trunk| trunk.account.parse().unwrap_or_default())
    }

    /// The entry of the account that is its [`owner`](Self::owner). Its number is that of the moment at which it is
    /// entered.
    pub(super) fn into_event(self, account: Option<i64>, time: Timestamp) -> AttemptEvent {
        let Self { message, outcome, trunk, reason, explanation, no_audio, .. } = self;
        AttemptEvent {
            number: 0,
            time,
            outcome,
            call_id: printable(message.call_id),
            source: message.source,
            transport: message.transport,
            trunk_id: trunk.map(|trunk| trunk.id.to_string()),
            trunk_name: trunk.map(|trunk| trunk.name.to_string()),
            account,
            check: reason.check,
            cause: reason.cause,
            code: reason.code,
            explanation: explanation.into_text(),
            no_audio,
        }
    }
}

/// The `Call-ID` of an entry. Nearly every one is plain and short, and copied at once.
fn printable(call_id: Cow<'_, str>) -> String {
    let is_plain = |byte: u8| byte == b' ' || byte.is_ascii_graphic();
    if call_id.len() <= MAX_CALL_ID_CHARS && call_id.bytes().all(is_plain) {
        return call_id.into_owned();
    }
    let shown = |character: char| if character.is_control() { '?' } else { character };
    call_id.chars().take(MAX_CALL_ID_CHARS).map(shown).collect()
}

/// The name of a transport in records and entries.
pub(crate) const fn transport_name(transport: Transport) -> &'static str {
    match transport {
        Transport::Tcp => "tcp",
        Transport::Tls => "tls",
        _ => "udp",
    }
}
