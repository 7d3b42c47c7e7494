//! The media of a call as records and the list of active calls show it.

use std::fmt;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use schemars::JsonSchema;
use serde::Serialize;
use trunk_rules::carrier::{AgreedMedia, Dtmf, MediaFacts};

/// The facts of a call's media, which the call updates with each packet, and the control API reads.
#[derive(Debug)]
pub(crate) struct SharedFacts(Mutex<MediaFacts>);

impl SharedFacts {
    /// `keeps_digits` is whether the DTMF digits themselves are kept.
    pub(crate) fn new(keeps_digits: bool) -> Self {
        Self(Mutex::new(MediaFacts { dtmf: Dtmf::new(keeps_digits), ..MediaFacts::default() }))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, MediaFacts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The media of a call.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct MediaReport {
    /// The selected codec, such as `PCMA`; null before a session description was agreed on.
    pub codec: Option<&'static str>,
    /// The RTP payload type of the codec, 0 to 127.
    pub payload_type: Option<u8>,
    /// The transport profile, such as `RTP/AVP` or `RTP/SAVP`.
    pub profile: Option<&'static str>,
    /// `none`, `sdes`, `dtls` or `zrtp`.
    pub encryption: Option<&'static str>,
    /// `sendrecv`, `sendonly`, `recvonly` or `inactive`, from the caller's point of view.
    pub direction: Option<&'static str>,
    /// The edge's address and port.
    pub local: Option<String>,
    /// The caller's host and port in its session description.
    pub sdp_address: Option<String>,
    /// The address and port that the first packet came from.
    pub first_source: Option<String>,
    /// RTP packets from allowed sources.
    pub packets_received: u64,
    /// Their bytes, with the RTP headers.
    pub bytes_received: u64,
    /// RTP packets that were echoed to the caller.
    pub packets_sent: u64,
    /// Their bytes, with the RTP headers.
    pub bytes_sent: u64,
    /// Audio packets that are missing in the sequence numbers.
    pub packets_lost: u64,
    /// The interarrival jitter of the received audio in milliseconds; null without audio.
    pub jitter_ms: Option<f64>,
    /// Received packets that were dropped, by reason.
    pub dropped: DroppedReport,
    /// SRTP packets whose authentication tag does not match the caller's key.
    pub unauthenticated: u64,
    /// The keys that the caller pressed (DTMF).
    pub dtmf: DtmfReport,
}

/// Packets that were dropped, by reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct DroppedReport {
    /// The source is not in `allowed_rtp_ips`, or is another host than the caller's once that is known.
    pub source: u64,
    /// The data was not RTP.
    pub not_rtp: u64,
    /// The payload type was not agreed on.
    pub payload_type: u64,
    /// The codec's packet rate was exceeded.
    pub rate: u64,
    /// The limit of media of all calls together was exceeded.
    pub all_calls: u64,
    /// The echo would have been sent to a socket of this server.
    pub own_socket: u64,
}

/// Received DTMF. The digits can be PINs or card numbers, so they are not printed for debugging.
#[derive(Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct DtmfReport {
    /// Keys in telephone events (RFC 4733).
    pub telephone_events: u32,
    /// Keys in SIP INFO requests.
    pub info: u32,
    /// The first 64 keys; null unless `dtmf_digits` is set.
    pub digits: Option<String>,
}

impl fmt::Debug for DtmfReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DtmfReport")
            .field("telephone_events", &self.telephone_events)
            .field("info", &self.info)
            .finish_non_exhaustive()
    }
}

impl MediaReport {
    pub(crate) fn of(facts: &MediaFacts) -> Self {
        let agreed = facts.agreed.as_ref();
        let dropped = facts.dropped;
        Self {
            codec: agreed.map(|agreed| agreed.codec.name()),
            payload_type: agreed.map(|agreed| agreed.payload_type),
            profile: agreed.map(|agreed| agreed.profile.name()),
            encryption: agreed.map(|agreed| agreed.encryption.name()),
            direction: agreed.map(|agreed| agreed.direction.name()),
            local: facts.local.map(|local| local.to_string()),
            sdp_address: agreed.map(AgreedMedia::named_address),
            first_source: facts
                .first_source
                .map(|source| SocketAddr::new(source.ip().to_canonical(), source.port()).to_string()),
            packets_received: facts.received.packets,
            bytes_received: facts.received.bytes,
            packets_sent: facts.sent.packets,
            bytes_sent: facts.sent.bytes,
            packets_lost: facts.reception.lost(),
            // A thousandth of a millisecond is finer than the clock of any codec.
            jitter_ms: facts.reception.jitter_millis().map(|jitter| (jitter * 1_000.0).round() / 1_000.0),
            dropped: DroppedReport {
                source: dropped.source,
                not_rtp: dropped.not_rtp,
                payload_type: dropped.payload_type,
                rate: dropped.rate,
                all_calls: dropped.all_calls,
                own_socket: dropped.own_socket,
            },
            unauthenticated: facts.unauthenticated,
            dtmf: DtmfReport {
                telephone_events: facts.dtmf.telephone_events,
                info: facts.dtmf.info,
                digits: facts.dtmf.digits.as_deref().map(str::to_owned),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::{Value, json};
    use trunk_rules::carrier::{Codec, Direction, Dropped, Encryption, Flow, MediaHost, Profile};

    use super::*;

    #[test]
    fn each_member_of_a_report_is_the_fact_that_it_names() {
        let mut facts = MediaFacts {
            local: Some("198.51.100.7:16384".parse().unwrap()),
            agreed: Some(AgreedMedia {
                host: MediaHost::Address("192.0.2.1".parse().unwrap()),
                port: 4_000,
                address: Some("192.0.2.1:4000".parse().unwrap()),
                direction: Direction::SendOnly,
                codec: Codec::Pcma,
                payload_type: 8,
                profile: Profile::Savp,
                encryption: Encryption::Sdes,
                is_removed: false,
            }),
            received: Flow { packets: 1, bytes: 2 },
            sent: Flow { packets: 3, bytes: 4 },
            first_source: Some("[::ffff:192.0.2.9]:4002".parse().unwrap()),
            dropped: Dropped {
                source: 5,
                not_rtp: 6,
                payload_type: 7,
                rate: 8,
                all_calls: 9,
                own_socket: 10,
            },
            checked: 11,
            unauthenticated: 12,
            dtmf: Dtmf::new(true),
            ..MediaFacts::default()
        };
        (facts.dtmf.telephone_events, facts.dtmf.info, facts.dtmf.digits) = (13, 14, Some("5#".into()));
        // Two packets are missing, and the last one is ten milliseconds late: 80 units of the clock, of which a
        // sixteenth is jitter.
        for (sequence, timestamp, arrival) in [(1, 0, 0), (4, 480, 70)] {
            facts.reception.count(1, sequence, timestamp, Duration::from_millis(arrival), 8_000);
        }
        let expected = json!({
            "codec": "PCMA", "payload_type": 8, "profile": "RTP/SAVP", "encryption": "sdes", "direction": "sendonly",
            "local": "198.51.100.7:16384", "sdp_address": "192.0.2.1:4000", "first_source": "192.0.2.9:4002",
            "packets_received": 1, "bytes_received": 2, "packets_sent": 3, "bytes_sent": 4,
            "packets_lost": 2, "jitter_ms": 0.625,
            "dropped": {
                "source": 5, "not_rtp": 6, "payload_type": 7, "rate": 8, "all_calls": 9, "own_socket": 10,
            },
            "unauthenticated": 12,
            "dtmf": { "telephone_events": 13, "info": 14, "digits": "5#" },
        });
        assert_eq!(serde_json::to_value(MediaReport::of(&facts)).unwrap(), expected);
    }

    #[test]
    fn without_media_a_report_has_no_codec_no_jitter_and_no_packets() {
        let report = serde_json::to_value(MediaReport::of(&MediaFacts::default())).unwrap();
        for name in ["codec", "direction", "sdp_address", "first_source", "jitter_ms"] {
            assert_eq!(report[name], Value::Null, "{name}");
        }
        assert_eq!((&report["packets_received"], &report["packets_lost"]), (&json!(0), &json!(0)));
    }
}
