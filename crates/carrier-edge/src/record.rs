//! Call records: the JSON that is stored, published to subscribers and shown by the control API.

mod running;

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::{Arc, OnceLock};

use didww_types::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tokio::sync::broadcast;
use trunk_rules::carrier::{Cause, Charge, Rate, Refusal, TrunkTerms, Warning};
use trunk_store::{RunningCall, StoredCall};
use uuid::Uuid;

use super::attempt::Parts;
use super::call_state::{CallState, Origin};
use super::ending_sentence::ending_sentence;
use super::hung_up_by::HungUpBy;
use super::media_report::MediaReport;
use super::stored_text::stored_text;

pub(crate) use running::running_json;

/// The record of a call or of a refused attempt, with the members of DIDWW's streamed records and a few more.
/// An unknown value is null, never absent.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct CallRecord {
    /// The id of the call and of this record.
    pub id: Uuid,
    /// When the INVITE arrived, by the server's clock.
    pub time_start: Timestamp,
    /// When the call was answered; null if it never was, or the caller never acknowledged the answer.
    pub time_connect: Option<Timestamp>,
    /// When the call ended, or the attempt was answered with a refusal.
    pub time_end: Timestamp,
    /// Seconds from the answer to the end, rounded up.
    pub duration: u64,
    /// Billed seconds: `duration` rounded up to the billing intervals.
    pub billing_duration: u64,
    /// True if the call was answered and the caller acknowledged the answer.
    pub success: bool,
    /// The caller number that the called party was shown; null for a refused attempt.
    pub src_number: Option<String>,
    /// The caller number that the caller sent.
    pub original_src_number: String,
    /// The number as the caller dialled it, including a tech prefix.
    pub dst_number: String,
    /// `outbound` or `emergency`; null for a refused attempt.
    pub call_type: Option<&'static str>,
    /// The name of the trunk.
    pub trunk_name: String,
    /// The id of the trunk.
    pub trunk_id: String,
    /// The `Call-ID` of the dialog, at most 256 characters.
    pub call_id: String,
    /// The `User-Agent` header of the INVITE, at most 256 characters.
    pub user_agent: Option<String>,
    /// The `P-Charge-Info` header of the INVITE: the caller's note for billing.
    pub p_charge_info: Option<String>,
    /// The address that the INVITE came from.
    pub source_ip: String,
    /// The port that the INVITE came from.
    pub source_port: u16,
    /// The transport of the INVITE: `udp`, `tcp` or `tls`.
    pub source_protocol: &'static str,
    /// The point of presence: the configured server name.
    pub pop: String,
    /// The rate in US dollars per minute; null if the call is free.
    pub rate: Option<String>,
    /// The price of the call in US dollars.
    pub price: String,
    /// The minimum of billed seconds.
    pub initial_billing_interval: Option<u32>,
    /// The seconds of each further billing interval.
    pub next_billing_interval: Option<u32>,
    /// The SIP response code of the disconnect; 200 after an ordinary hang-up.
    pub disconnect_code: u16,
    /// The text of the disconnect cause.
    pub disconnect_reason: String,
    /// The number of the disconnect cause, as in [`Cause::id`].
    pub disconnect_cause: u16,
    /// Who ended the call: `caller`, `far_end`, `server`, `operator` or `timer`; null for a refused attempt.
    pub hung_up_by: Option<&'static str>,
    /// The check that refused the attempt; null for an admitted call.
    pub check: Option<&'static str>,
    /// What the trunk's configuration requires in that check.
    pub configured: Option<String>,
    /// What the attempt contained instead.
    pub received: Option<String>,
    /// Why the attempt was refused or the call ended, in words: the same as in the log, the recent attempts,
    /// `X-Refusal` and `explain`.
    pub explanation: String,
    /// RTP packets that were dropped because their source is not in `allowed_rtp_ips`, or not the caller's host.
    pub rtp_dropped: u64,
    /// The first 8 sources of dropped packets.
    pub rtp_dropped_from: Vec<String>,
    /// RTP packets received from allowed sources.
    pub rtp_received: u64,
    /// RTP packets that were echoed to the caller.
    pub rtp_sent: u64,
    /// RTP packets from allowed sources that were dropped because they exceeded the codec's packet rate or
    /// the limit of media that all calls together send.
    pub rtp_excess: u64,
    /// The media of the call; null for a refused attempt, and for a call whose server died.
    pub media: Option<MediaReport>,
    /// Why the call had no audio: a sentence that begins with `no audio, because`; null if it had audio, or
    /// was not answered.
    pub no_audio: Option<String>,
}

/// The charge of an answered call when it ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FinalCharge {
    pub(crate) charge: Charge,
    /// True if the caller acknowledged the answer.
    pub(crate) is_acknowledged: bool,
    /// True if the call's row in the store states that it must be charged.
    pub(crate) survives: bool,
}

/// How an admitted call ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ending {
    /// The number of the disconnect cause in the record.
    pub(crate) cause: u16,
    /// The SIP response code, which the record states beside the cause.
    pub(crate) code: u16,
    /// The text of the disconnect cause.
    pub(crate) reason: &'static str,
    /// The side that ended the call.
    pub(crate) by: HungUpBy,
    /// The warning of a response that refuses media.
    pub(crate) warning: Option<Warning>,
    /// The sentence of this ending, if its cause alone does not state the reason.
    pub(crate) why: Option<Box<str>>,
}

impl Ending {
    pub(crate) const fn new(cause: u16, code: u16, reason: &'static str, by: HungUpBy) -> Self {
        Self { cause, code, reason, by, warning: None, why: None }
    }
}

/// The `call_type` of an admitted call.
fn call_type_of(call_state: &CallState) -> &'static str {
    if call_state.is_emergency { "emergency" } else { "outbound" }
}

/// The ending of a call whose server process died.
fn lost_ending() -> Ending {
    let lost = Cause::ServerLost;
    Ending::new(lost.id(), lost.code(), lost.text(), HungUpBy::Server)
}

impl CallRecord {
    fn base(pop: &str, origin: Origin, call_id: &str, trunk: &TrunkTerms, ended: Timestamp) -> Self {
        Self {
            id: origin.id,
            time_start: origin.started,
            time_connect: None,
            time_end: ended,
            duration: 0,
            billing_duration: 0,
            success: false,
            src_number: None,
            original_src_number: String::new(),
            dst_number: String::new(),
            call_type: None,
            trunk_name: trunk.name.to_string(),
            trunk_id: trunk.id.to_string(),
            call_id: stored_text(call_id).into_owned(),
            user_agent: origin.user_agent.map(Into::into),
            p_charge_info: origin.p_charge_info.map(Into::into),
            source_ip: origin.source.ip().to_string(),
            source_port: origin.source.port(),
            source_protocol: origin.protocol,
            pop: pop.to_owned(),
            rate: None,
            price: "0".to_owned(),
            initial_billing_interval: None,
            next_billing_interval: None,
            disconnect_code: 0,
            disconnect_reason: String::new(),
            disconnect_cause: 0,
            hung_up_by: None,
            check: None,
            configured: None,
            received: None,
            explanation: String::new(),
            rtp_dropped: 0,
            rtp_dropped_from: Vec::new(),
            rtp_received: 0,
            rtp_sent: 0,
            rtp_excess: 0,
            media: None,
            no_audio: None,
        }
    }

    /// The record of a refused attempt that was answered at `ended`.
    pub(crate) fn of_refusal(
        pop: &str,
        origin: Origin,
        parts: &Parts<'_>,
        trunk: &TrunkTerms,
        refusal: &Refusal,
        ended: Timestamp,
    ) -> Self {
        let caller = trunk_rules::carrier::Caller::of_header(parts.from().as_bytes()).text().into_owned();
        Self {
            original_src_number: caller,
            dst_number: refusal.dialled.clone(),
            disconnect_code: refusal.code,
            disconnect_reason: refusal.cause.text().to_owned(),
            disconnect_cause: refusal.cause.id(),
            check: Some(refusal.check.name()),
            configured: Some(refusal.configured.clone()),
            received: Some(refusal.received.clone()),
            explanation: refusal.explanation.clone(),
            ..Self::base(pop, origin, parts.call_id(), trunk, ended)
        }
    }

    /// The record of an admitted call that ended at `ended`, with its final charge if it was answered.
    pub(crate) fn of_call(
        pop: &str,
        call_state: &CallState,
        ending: &Ending,
        (ended, over): (Timestamp, Option<FinalCharge>),
    ) -> Self {
        // Without an acknowledged answer the call was never connected.
        let connected = call_state.connected().filter(|_| over.is_some_and(|over| over.is_acknowledged));
        let charge = over.map_or(Charge::NOTHING, |over| over.charge);
        Self {
            time_connect: connected,
            duration: charge.duration,
            billing_duration: charge.billed,
            success: connected.is_some(),
            src_number: Some(call_state.cli.presented.clone()),
            original_src_number: call_state.cli.original.clone(),
            dst_number: call_state.dialled.to_string(),
            call_type: Some(call_type_of(call_state)),
            rate: call_state.rate.map(|rate| rate.per_minute.to_string()),
            price: charge.price.to_string(),
            initial_billing_interval: call_state.rate.map(|rate| rate.initial_interval.get()),
            next_billing_interval: call_state.rate.map(|rate| rate.next_interval.get()),
            disconnect_code: ending.code,
            disconnect_reason: ending.reason.to_owned(),
            disconnect_cause: ending.cause,
            hung_up_by: Some(ending.by.name()),
            explanation: ending_sentence(ending),
            ..Self::base(pop, call_state.origin.clone(), &call_state.key.call_id, &call_state.trunk, ended)
        }
    }

    /// Adds the facts of the call's media.
    pub(crate) fn with_media(self, call_state: &CallState) -> Self {
        let facts = call_state.media.lock();
        let (media, dropped) = (MediaReport::of(&facts), facts.dropped);
        Self {
            rtp_dropped: dropped.source,
            rtp_dropped_from: facts.dropped_from.iter().map(ToString::to_string).collect(),
            rtp_received: media.packets_received,
            rtp_sent: media.packets_sent,
            rtp_excess: dropped.rate.saturating_add(dropped.all_calls),
            media: Some(media),
            no_audio: call_state.no_audio(&facts),
            ..self
        }
    }

    /// The record, except for its end, that an answered call has if this server dies. The call's row stores it as
    /// [`running_json`], without making it.
    #[cfg(test)]
    pub(crate) fn of_running(pop: &str, call_state: &CallState) -> Self {
        Self::of_call(pop, call_state, &lost_ending(), (call_state.origin.started, None))
    }

    pub(crate) fn to_json(&self) -> Option<String> {
        serde_json::to_string(self).ok()
    }

    pub(crate) fn to_stored(&self, account: i64) -> Option<StoredCall> {
        Some(StoredCall {
            id: self.id,
            account,
            trunk: self.trunk_id.parse().ok()?,
            ended_at: self.time_end,
            cause: self.disconnect_cause,
            code: self.disconnect_code,
            source: self.src_number.clone().unwrap_or_else(|| self.original_src_number.clone()),
            destination: self.dst_number.clone(),
            price: self.price.clone(),
            call_id: Some(self.call_id.clone()),
            attributes: self.to_json()?,
        })
    }

    /// Sends the record to the subscribers, if there are any.
    pub(crate) fn publish(self: Box<Self>, records: &OnceLock<broadcast::Sender<Arc<Self>>>) {
        if let Some(records) = records.get() {
            let _no_subscriber = records.send(Arc::from(self));
        }
    }
}

/// The members of a call's row that contain its rate.
#[derive(Deserialize)]
struct OwnRate {
    rate: Option<String>,
    initial_billing_interval: Option<NonZeroU32>,
    next_billing_interval: Option<NonZeroU32>,
}

/// The stored record of a call whose server died, as written when the call was answered.
pub(crate) struct LostRecord(Map<String, Value>);

impl LostRecord {
    pub(crate) fn read(attributes: &str) -> Option<Self> {
        serde_json::from_str(attributes).ok().map(running::completed).map(Self)
    }

    /// The rate of a call, as [`rate`](Self::rate) returns it, without parsing the rest of its record: it is read for
    /// each call of another node.
    pub(crate) fn rate_of(attributes: &str) -> Option<Rate> {
        let own: OwnRate = serde_json::from_str(attributes).ok()?;
        Some(Rate {
            per_minute: own.rate?.parse().ok()?,
            initial_interval: own.initial_billing_interval?,
            next_interval: own.next_billing_interval?,
        })
    }

    /// A member that is a text.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str()
    }

    /// The address and port that the INVITE came from.
    pub(crate) fn source(&self) -> Option<SocketAddr> {
        let port = u16::try_from(self.0.get("source_port")?.as_u64()?).ok()?;
        Some(SocketAddr::new(self.text("source_ip")?.parse().ok()?, port))
    }

    /// The rate of the call; `None` if it is free.
    pub(crate) fn rate(&self) -> Option<Rate> {
        let interval = |name: &str| u32::try_from(self.0.get(name)?.as_u64()?).ok()?.try_into().ok();
        Some(Rate {
            per_minute: self.text("rate")?.parse().ok()?,
            initial_interval: interval("initial_billing_interval")?,
            next_interval: interval("next_billing_interval")?,
        })
    }

    /// Completes the record with its end: the last time at which the call is known to have been active.
    pub(crate) fn into_stored(
        mut self,
        call: &RunningCall,
        ended: Timestamp,
        charge: Charge,
    ) -> Option<StoredCall> {
        let ended_at = ended;
        let connected = call.acknowledged.then_some(call.answered_at);
        for (name, value) in [
            ("time_connect", json!(connected)),
            ("time_end", json!(ended)),
            ("success", json!(call.acknowledged)),
            ("duration", json!(charge.duration)),
            ("billing_duration", json!(charge.billed)),
            ("price", json!(charge.price.to_string())),
        ] {
            self.0.insert(name.to_owned(), value);
        }
        let lost = Cause::ServerLost;
        let source = self.text("src_number").or(self.text("original_src_number")).unwrap_or_default();
        // A row of an earlier release may have longer texts.
        let stored = |text: &str| stored_text(text).into_owned();
        Some(StoredCall {
            id: call.id,
            account: call.account,
            trunk: call.trunk,
            ended_at,
            cause: lost.id(),
            code: lost.code(),
            source: stored(source),
            destination: stored(self.text("dst_number").unwrap_or_default()),
            price: charge.price.to_string(),
            call_id: self.text("call_id").map(stored),
            attributes: serde_json::to_string(&self.0).ok()?,
        })
    }
}
