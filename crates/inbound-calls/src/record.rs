//! The record of a call, as it is stored and as the control API shows it.

use didww_types::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sip_dialler::Try;
use trunk_rules::inbound::Ending;
use uuid::Uuid;

/// Maximum number of attempts that are kept of a call: beyond that the oldest one is dropped.
pub const MAX_ATTEMPTS: usize = 40;

/// The state of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum InboundStatus {
    /// An INVITE was sent to a trunk.
    Dialling,
    /// A trunk responded that the call is ringing or in progress.
    Ringing,
    /// A trunk's side has answered.
    Answered,
    /// The call has ended or was refused.
    Ended,
}

/// A call to a DID. An unknown value is null, never absent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct InboundCall {
    /// The id of the call and of this record.
    pub id: Uuid,
    /// The account that owns the DID; null if the called number is none.
    pub account: Option<Uuid>,
    /// The id of the DID.
    pub did: Option<Uuid>,
    /// The caller's number as it was received.
    pub from: String,
    /// The called number in E.164 form without the plus sign.
    pub to: String,
    /// The state of the call.
    pub status: InboundStatus,
    /// When the call was placed.
    pub time_start: Timestamp,
    /// When a trunk's side answered.
    pub time_connect: Option<Timestamp>,
    /// When the call ended; null before.
    pub time_end: Option<Timestamp>,
    /// Seconds from the answer to the end, rounded up; 0 before the end and without an answer.
    pub duration: u64,
    /// The group of trunks that the DID is routed to.
    pub voice_in_trunk_group: Option<Uuid>,
    /// The name of that group when the call was placed.
    pub voice_in_trunk_group_name: Option<String>,
    /// The name of the group of DIDs with which the DID shared channels when the call was placed.
    pub shared_capacity_group_name: Option<String>,
    /// The id of the trunk that answered; null without an answer.
    pub voice_in_trunk: Option<Uuid>,
    /// The SIP response code that the caller received: 200 after an answer.
    pub disconnect_code: Option<u16>,
    /// Who ended the call: `caller`, `callee` (the trunk's side) or `server`.
    pub disconnect_initiator: Option<String>,
    /// Why the call ended or was refused, as a sentence.
    pub reason: Option<String>,
    /// The attempts at trunks, in their order.
    pub attempts: Vec<InboundAttempt>,
}

/// An attempt at one address of a trunk's host, or at a trunk that was not dialled.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct InboundAttempt {
    /// The id of the trunk.
    pub voice_in_trunk: Uuid,
    /// The name of the trunk when it was tried.
    pub trunk_name: String,
    /// The caller number that was sent to the trunk.
    pub cli: String,
    /// The request URI; null if the trunk has none.
    pub uri: Option<String>,
    /// The address and port that the INVITE was sent to; null if there is none that may be used.
    pub target: Option<String>,
    /// `udp`, `tcp` or `tls`; null if the trunk was not dialled.
    pub transport: Option<String>,
    /// The `Call-ID` of the INVITE.
    pub call_id: Option<String>,
    /// When the first INVITE was sent.
    pub sent_at: Option<Timestamp>,
    /// When the first provisional response arrived.
    pub first_provisional_at: Option<Timestamp>,
    /// When the final response arrived.
    pub final_at: Option<Timestamp>,
    /// The code of the final response.
    pub code: Option<u16>,
    /// The reason phrase of the final response, without control characters.
    pub reason_phrase: String,
    /// The value of its `Reason` header (RFC 3326), without control characters.
    pub reason_header: Option<String>,
    /// The number of digest challenges that were answered.
    pub challenges: u8,
    /// Where media are sent, or why they are not; null before an answer.
    pub media: Option<String>,
    /// The outcome as a sentence; null while the attempt is in progress.
    pub outcome: Option<String>,
    /// Why another trunk or address was tried next, or why none was; null while the attempt or the answered call is in
    /// progress.
    pub next: Option<String>,
}

impl InboundAttempt {
    /// Adds the dialler's record of an attempt to the members that identify the trunk.
    pub(crate) fn with(self, tried: Try) -> Self {
        Self {
            target: tried.target.map(|target| target.to_string()),
            transport: Some(tried.transport.to_owned()).filter(|name| !name.is_empty()),
            call_id: Some(tried.call_id).filter(|id| !id.is_empty()),
            sent_at: tried.sent_at,
            first_provisional_at: tried.first_provisional_at,
            final_at: tried.final_at,
            code: tried.code,
            reason_phrase: tried.phrase,
            reason_header: tried.reason,
            challenges: tried.challenges,
            media: tried.media,
            outcome: tried.outcome,
            ..self
        }
    }
}

impl InboundCall {
    /// A call that is being placed.
    pub(crate) fn new(id: Uuid, from: String, to: String, at: Timestamp) -> Self {
        Self {
            id,
            account: None,
            did: None,
            from,
            to,
            status: InboundStatus::Dialling,
            time_start: at,
            time_connect: None,
            time_end: None,
            duration: 0,
            voice_in_trunk_group: None,
            voice_in_trunk_group_name: None,
            shared_capacity_group_name: None,
            voice_in_trunk: None,
            disconnect_code: None,
            disconnect_initiator: None,
            reason: None,
            attempts: Vec::new(),
        }
    }

    /// Records that the call ended, and why.
    pub(crate) fn end(&mut self, ending: Ending, at: Timestamp) {
        self.status = InboundStatus::Ended;
        self.time_end = Some(at);
        self.duration = self.time_connect.map_or(0, |from| seconds_between(from, at));
        self.disconnect_code = Some(ending.code());
        self.disconnect_initiator = Some(ending.initiator().name().to_owned());
        self.reason = Some(ending.to_string());
    }

    /// Drops the oldest attempts beyond [`MAX_ATTEMPTS`]. Returns how many were dropped.
    pub(crate) fn drop_oldest(&mut self) -> usize {
        let surplus = self.attempts.len().saturating_sub(MAX_ATTEMPTS);
        self.attempts.drain(..surplus);
        surplus
    }
}

/// Whole seconds, rounded up. A clock that was set back counts as no time.
fn seconds_between(from: Timestamp, to: Timestamp) -> u64 {
    let millis = to.as_unix_millis().saturating_sub(from.as_unix_millis());
    u64::try_from(millis).unwrap_or_default().div_ceil(1_000)
}

#[cfg(test)]
mod tests {
    use trunk_rules::inbound::{AttemptEnd, Refused};

    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_unix_millis(millis)
    }

    fn call() -> InboundCall {
        InboundCall::new(Uuid::from_u128(1), "+442079460999".to_owned(), "442079460018".to_owned(), at(0))
    }

    #[test]
    fn a_record_states_who_ended_the_call_and_why() {
        let mut refused = call();
        refused.end(Ending::Refused(Refused::UnknownNumber), at(5));
        assert_eq!((refused.disconnect_code, refused.duration), (Some(404), 0));
        assert_eq!(refused.disconnect_initiator.as_deref(), Some("server"));
        assert_eq!(refused.reason.as_deref(), Some("the called number is not a DID"));
        let mut busy = call();
        busy.end(Ending::Unanswered(AttemptEnd::Refused(486)), at(5));
        assert_eq!(busy.reason.as_deref(), Some("the trunk refused the call with 486"));
        let mut answered = call();
        answered.time_connect = Some(at(1_000));
        answered.end(Ending::CallerHungUp, at(2_001));
        assert_eq!((answered.disconnect_code, answered.duration), (Some(200), 2));
    }

    #[test]
    fn a_record_keeps_the_last_attempts() {
        let mut call = call();
        for number in 0..MAX_ATTEMPTS + 3 {
            call.attempts.push(InboundAttempt { cli: number.to_string(), ..InboundAttempt::default() });
        }
        assert_eq!(call.drop_oldest(), 3);
        assert_eq!((call.attempts.len(), call.attempts[0].cli.as_str()), (MAX_ATTEMPTS, "3"));
    }

    #[test]
    fn a_record_of_before_groups_had_their_names_in_it_is_read() {
        let mut stored = serde_json::to_value(call()).unwrap();
        for member in ["voice_in_trunk_group_name", "shared_capacity_group_name"] {
            assert!(stored.as_object_mut().unwrap().remove(member).is_some(), "{member}");
        }
        assert_eq!(serde_json::from_value::<InboundCall>(stored).unwrap(), call());
    }

    #[test]
    fn a_stored_record_is_read_as_it_was_written() {
        let mut written = call();
        written.attempts.push(InboundAttempt { outcome: Some("a".to_owned()), ..InboundAttempt::default() });
        let text = serde_json::to_string(&written).unwrap();
        assert_eq!(serde_json::from_str::<InboundCall>(&text).unwrap(), written);
    }
}
