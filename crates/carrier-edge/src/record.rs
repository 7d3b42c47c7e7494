//! What a call leaves behind.

use std::sync::Arc;

use didww_types::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value, json};
use trunk_rules::carrier::{Cause, Charge, Rate, Refusal, TrunkTerms};
use uuid::Uuid;

use super::Inner;
use super::attempt::Parts;
use super::facts::{Facts, Origin};
use super::media::Traffic;
use super::spend::Over;
use super::stack::Incoming;
use trunk_store::{RunningCall, StoredCall};

/// The record of a call or of a refused attempt, with the members of DIDWW's streamed records and a few more.
/// What is not known is null, never absent.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct CallRecord {
    /// The record's id.
    pub id: Uuid,
    /// When the INVITE came.
    pub time_start: Timestamp,
    /// When it was answered; null when it never was, or the caller never acknowledged it.
    pub time_connect: Option<Timestamp>,
    /// When it was over.
    pub time_end: Timestamp,
    /// Seconds that it was up, a begun second counted whole.
    pub duration: u64,
    /// Seconds that are billed.
    pub billing_duration: u64,
    /// Whether it was answered, and the caller acknowledged that.
    pub success: bool,
    /// The caller number that was shown.
    pub src_number: Option<String>,
    /// The caller number that was sent.
    pub original_src_number: String,
    /// What was dialled, tech prefix and all.
    pub dst_number: String,
    /// `local`, `international` or `emergency`.
    pub call_type: Option<&'static str>,
    /// The trunk's name.
    pub trunk_name: String,
    /// The trunk's id.
    pub trunk_id: String,
    /// The dialog's `Call-ID`.
    pub call_id: String,
    /// What the caller's software says of itself.
    pub user_agent: Option<String>,
    /// The caller's own note for billing.
    pub p_charge_info: Option<String>,
    /// Where it came from.
    pub source_ip: String,
    /// From which port.
    pub source_port: u16,
    /// Over which transport, `udp`, `tcp` or `tls`.
    pub source_protocol: &'static str,
    /// The point of presence.
    pub pop: String,
    /// US dollars a minute.
    pub rate: Option<String>,
    /// US dollars.
    pub price: String,
    /// Seconds that are billed at least.
    pub initial_billing_interval: Option<u32>,
    /// Seconds of each further step.
    pub next_billing_interval: Option<u32>,
    /// The disconnect code, a SIP response.
    pub disconnect_code: u16,
    /// Why it ended, in words.
    pub disconnect_reason: String,
    /// The cause's number in the edge's table.
    pub disconnect_cause: u16,
    /// The check that refused it.
    pub check: Option<&'static str>,
    /// What is configured there.
    pub configured: Option<String>,
    /// What came instead.
    pub received: Option<String>,
    /// RTP packets dropped because of their source, and some of the sources.
    pub rtp_dropped: u64,
    /// Where these came from.
    pub rtp_dropped_from: Vec<String>,
    /// RTP packets that came from allowed sources.
    pub rtp_received: u64,
    /// RTP packets that were sent back.
    pub rtp_sent: u64,
    /// RTP packets of allowed sources that were dropped because they came too fast.
    pub rtp_excess: u64,
}

/// How an admitted call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ending {
    pub cause: u16,
    pub code: u16,
    pub reason: &'static str,
}

impl CallRecord {
    fn begun(inner: &Inner, origin: Origin, call_id: &str, trunk: &TrunkTerms, ended: Timestamp) -> Self {
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
            call_id: call_id.to_owned(),
            user_agent: origin.user_agent.map(Into::into),
            p_charge_info: origin.p_charge_info.map(Into::into),
            source_ip: origin.source.ip().to_string(),
            source_port: origin.source.port(),
            source_protocol: origin.protocol,
            pop: inner.config.server_name.clone(),
            rate: None,
            price: "0".to_owned(),
            initial_billing_interval: None,
            next_billing_interval: None,
            disconnect_code: 0,
            disconnect_reason: String::new(),
            disconnect_cause: 0,
            check: None,
            configured: None,
            received: None,
            rtp_dropped: 0,
            rtp_dropped_from: Vec::new(),
            rtp_received: 0,
            rtp_sent: 0,
            rtp_excess: 0,
        }
    }

    pub(crate) fn of_refusal(
        inner: &Inner,
        request: &Incoming,
        parts: &Parts<'_>,
        trunk: &TrunkTerms,
        refusal: &Refusal,
        started: Timestamp,
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
            ..Self::begun(
                inner,
                Origin::of(inner, request, started),
                request.call_id(),
                trunk,
                inner.core.clock.now(),
            )
        }
    }

    /// The record of a call that was let through and was over at a moment, with what it cost if it was answered.
    pub(crate) fn of_call(
        inner: &Inner,
        facts: &Facts,
        ending: Ending,
        (ended, over): (Timestamp, Option<Over>),
        traffic: &Traffic<'_>,
    ) -> Self {
        let call_type = if facts.is_emergency { "emergency" } else { "outbound" };
        // An answer that the caller never acknowledged connected nobody.
        let connected = facts.connected().filter(|_| over.is_some_and(|over| over.is_acknowledged));
        let charge = over.map_or(Charge::NOTHING, |over| over.charge);
        Self {
            time_connect: connected,
            duration: charge.duration,
            billing_duration: charge.billed,
            success: connected.is_some(),
            src_number: Some(facts.cli.presented.clone()),
            original_src_number: facts.cli.original.clone(),
            dst_number: facts.dialled.to_string(),
            call_type: Some(call_type),
            rate: facts.rate.map(|rate| rate.per_minute.to_string()),
            price: charge.price.to_string(),
            initial_billing_interval: facts.rate.map(|rate| rate.initial_interval.get()),
            next_billing_interval: facts.rate.map(|rate| rate.next_interval.get()),
            disconnect_code: ending.code,
            disconnect_reason: ending.reason.to_owned(),
            disconnect_cause: ending.cause,
            rtp_dropped: traffic.dropped,
            rtp_received: traffic.received,
            rtp_sent: traffic.sent,
            rtp_excess: traffic.excess,
            rtp_dropped_from: traffic.dropped_from.iter().map(ToString::to_string).collect(),
            ..Self::begun(inner, facts.origin.clone(), &facts.key.call_id, &facts.trunk, ended)
        }
    }

    /// The record that a call which is about to be answered has if this server dies, but for its end.
    pub fn of_running(inner: &Inner, facts: &Facts) -> Self {
        let lost = Cause::ServerLost;
        let ending = Ending { cause: lost.id(), code: lost.code(), reason: lost.text() };
        Self::of_call(inner, facts, ending, (facts.origin.started, None), &Traffic::default())
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
            attributes: self.to_json()?,
        })
    }

    /// Tells followers. Nobody may be listening.
    pub fn publish(self: Box<Self>, inner: &Inner) {
        let _nobody = inner.records.send(Arc::from(self));
    }
}

/// The record of a call whose server died, as it wrote it when the call was answered.
pub(crate) struct LostRecord(Map<String, Value>);

impl LostRecord {
    pub(crate) fn read(attributes: &str) -> Option<Self> {
        serde_json::from_str(attributes).ok().map(Self)
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str()
    }

    /// What a minute of it costs and how it is billed; none when it costs nothing.
    pub(crate) fn rate(&self) -> Option<Rate> {
        let interval = |name: &str| u32::try_from(self.0.get(name)?.as_u64()?).ok()?.try_into().ok();
        Some(Rate {
            per_minute: self.text("rate")?.parse().ok()?,
            initial_interval: interval("initial_billing_interval")?,
            next_interval: interval("next_billing_interval")?,
        })
    }

    /// The record with its end: when the call was last known to be up.
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
        Some(StoredCall {
            id: call.id,
            account: call.account,
            trunk: call.trunk,
            ended_at,
            cause: lost.id(),
            code: lost.code(),
            source: source.to_owned(),
            destination: self.text("dst_number").unwrap_or_default().to_owned(),
            price: charge.price.to_string(),
            attributes: serde_json::to_string(&self.0).ok()?,
        })
    }
}
