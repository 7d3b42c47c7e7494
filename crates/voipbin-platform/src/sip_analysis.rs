//! The SIP messages of a call as the platform's `sip-analysis` shows them, and the media statistics that a BYE reports.
//!
//! Bounds: [`MAX_MESSAGES`] of a call are shown, the oldest that are stored.

use std::net::{IpAddr, SocketAddr};

use schemars::JsonSchema;
use serde::Serialize;
use sip_dialler::{CallMessages, Message};
use voipbin_types::Timestamp;

use crate::timestamps::from_clock;

/// Maximum number of messages that are shown.
const MAX_MESSAGES: usize = 50;

/// A captured message, before it is written as the API sends it.
pub(crate) struct Captured {
    pub(crate) at: Timestamp,
    pub(crate) source: SocketAddr,
    pub(crate) destination: SocketAddr,
    /// The text of the message, as it was stored.
    pub(crate) raw: String,
}

/// The analysis of a call, as the API sends it.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct SipAnalysis {
    sip_messages: Vec<SipMessage>,
    rtcp_stats: Option<RtcpStats>,
}

/// A SIP message.
#[derive(Debug, Serialize, JsonSchema)]
struct SipMessage {
    timestamp: Timestamp,
    /// The method of a request, or the code of a response.
    method: String,
    src_ip: IpAddr,
    src_port: u16,
    dst_ip: IpAddr,
    dst_port: u16,
    raw: String,
}

/// The statistics of a call's media: jitter in milliseconds, round-trip time in microseconds.
#[derive(Debug, Default, Clone, Copy, PartialEq, Serialize, JsonSchema)]
struct RtcpStats {
    mos: f64,
    jitter: u64,
    packet_loss_pct: f64,
    rtt: u64,
    rtp_bytes: u64,
    rtp_packets: u64,
    rtp_errors: u64,
    rtcp_bytes: u64,
    rtcp_packets: u64,
    rtcp_errors: u64,
}

impl SipAnalysis {
    /// The analysis of messages, which are in the order of their times. Messages between two private networks are left
    /// out, as on the running platform; statistics are read from those too.
    pub(crate) fn of(messages: Vec<Captured>) -> Self {
        let mut reports = messages.iter().rev().filter(|message| message.raw.starts_with("BYE "));
        let rtcp_stats = reports.find_map(|bye| header(&bye.raw, "X-RTP-Stat")).and_then(RtcpStats::read);
        let shown = messages
            .into_iter()
            .filter(|message| !is_private(message.source.ip()) || !is_private(message.destination.ip()));
        let sip_messages = shown.take(MAX_MESSAGES).map(SipMessage::from).collect();
        Self { sip_messages, rtcp_stats }
    }
}

impl From<&Message> for Captured {
    fn from(message: &Message) -> Self {
        let [source, destination] = message.ends();
        let raw = String::from_utf8_lossy(&message.bytes).into_owned();
        Self { at: from_clock(message.at), source, destination, raw }
    }
}

/// Leaves out the messages between two private networks, as the running platform does.
pub(crate) fn without_private(mut found: CallMessages) -> CallMessages {
    found.messages.retain(|message| !message.ends().iter().all(|end| is_private(end.ip())));
    found
}

impl From<Captured> for SipMessage {
    fn from(captured: Captured) -> Self {
        let Captured { at, source, destination, raw } = captured;
        let mut words = raw.split(' ');
        let first = words.next().unwrap_or_default();
        let method = if first.starts_with("SIP/") { words.next().unwrap_or_default() } else { first };
        Self {
            timestamp: at,
            method: method.to_owned(),
            src_ip: source.ip(),
            src_port: source.port(),
            dst_ip: destination.ip(),
            dst_port: destination.port(),
            raw,
        }
    }
}

/// Whether an address is in one of the private networks of RFC 1918.
fn is_private(address: IpAddr) -> bool {
    matches!(address, IpAddr::V4(address) if address.is_private())
}

/// The value of a header in a message's text.
fn header<'a>(raw: &'a str, name: &str) -> Option<&'a str> {
    let head = raw.split("\r\n\r\n").next().unwrap_or_default();
    let mut fields = head.split("\r\n").skip(1).filter_map(|line| line.split_once(':'));
    fields.find(|(known, _)| known.trim_end().eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}

impl RtcpStats {
    /// Reads `MOS=4.1;Jitter=2;PacketLossPct=0.5;RTT=900;RTPStat=RTP: 1 bytes, 2 packets, 3 errors; RTCP: …`. Any part
    /// may be missing; `None` if none can be read.
    fn read(text: &str) -> Option<Self> {
        let mut stats = Self::default();
        let mut has_any = false;
        for part in text.split(';') {
            let part = part.trim().trim_start_matches("RTPStat=").trim();
            let read = match part.split_once(['=', ':']) {
                Some(("MOS", value)) => set(&mut stats.mos, value),
                Some(("Jitter", value)) => set(&mut stats.jitter, value),
                Some(("PacketLossPct", value)) => set(&mut stats.packet_loss_pct, value),
                Some(("RTT", value)) => set(&mut stats.rtt, value),
                Some(("RTP", counts)) => {
                    read_counts(counts, [&mut stats.rtp_bytes, &mut stats.rtp_packets, &mut stats.rtp_errors])
                }
                Some(("RTCP", counts)) => read_counts(
                    counts,
                    [&mut stats.rtcp_bytes, &mut stats.rtcp_packets, &mut stats.rtcp_errors],
                ),
                _ => false,
            };
            has_any |= read;
        }
        has_any.then_some(stats)
    }
}

/// Sets a number from its text, and returns whether it could be read.
fn set<T: std::str::FromStr>(number: &mut T, text: &str) -> bool {
    text.trim().parse().map(|read| *number = read).is_ok()
}

/// Reads `1 bytes, 2 packets, 3 errors`, and returns whether any number could be read.
fn read_counts(text: &str, [bytes, packets, errors]: [&mut u64; 3]) -> bool {
    let mut has_any = false;
    for part in text.split(',') {
        has_any |= match part.trim().split_once(' ') {
            Some((count, "bytes")) => set(bytes, count),
            Some((count, "packets")) => set(packets, count),
            Some((count, "errors")) => set(errors, count),
            _ => false,
        };
    }
    has_any
}

#[cfg(test)]
mod tests {
    use super::*;

    fn captured(second: i64, raw: &str, ends: [&str; 2]) -> Captured {
        let [source, destination] = ends.map(|end| end.parse().unwrap());
        Captured {
            at: Timestamp::from_unix_micros(second * 1_000_000 + 120_000),
            source,
            destination,
            raw: raw.to_owned(),
        }
    }

    const PUBLIC: [&str; 2] = ["198.51.100.1:5060", "10.0.0.7:5070"];

    #[test]
    fn a_message_has_its_method_or_its_code_and_its_two_ends() {
        let analysis = SipAnalysis::of(vec![
            captured(0, "INVITE sip:1@h SIP/2.0\r\n\r\n", PUBLIC),
            captured(1, "SIP/2.0 486 Busy Here\r\n\r\n", ["[::1]:5060", "198.51.100.1:5060"]),
        ]);
        let json = serde_json::to_value(&analysis).unwrap();
        assert_eq!(json["rtcp_stats"], serde_json::Value::Null);
        assert_eq!(
            json["sip_messages"],
            serde_json::json!([
                {"timestamp": "1970-01-01T00:00:00.12Z", "method": "INVITE", "src_ip": "198.51.100.1", "src_port": 5060,
                 "dst_ip": "10.0.0.7", "dst_port": 5070, "raw": "INVITE sip:1@h SIP/2.0\r\n\r\n"},
                {"timestamp": "1970-01-01T00:00:01.12Z", "method": "486", "src_ip": "::1", "src_port": 5060,
                 "dst_ip": "198.51.100.1", "dst_port": 5060, "raw": "SIP/2.0 486 Busy Here\r\n\r\n"},
            ])
        );
    }

    #[test]
    fn the_oldest_fifty_messages_are_shown_and_none_between_two_private_networks() {
        let private = ["192.168.1.1:5060", "10.0.0.7:5060"];
        let messages = (0..60).flat_map(|second| {
            [
                captured(second, "OPTIONS sip:h SIP/2.0\r\n\r\n", private),
                captured(second, "ACK sip:h SIP/2.0\r\n\r\n", PUBLIC),
            ]
        });
        let shown = SipAnalysis::of(messages.collect()).sip_messages;
        assert_eq!((shown.len(), shown[0].method.as_str()), (50, "ACK"));
        assert_eq!(shown[49].timestamp, Timestamp::from_unix_micros(49_120_000));
    }

    #[test]
    fn statistics_are_read_from_the_last_bye_that_reports_them() {
        let bye = "BYE sip:h SIP/2.0\r\nx-rtp-stat: MOS=4.1;Jitter=2;PacketLossPct=0.5;RTT=900;RTPStat=RTP: 16 bytes, \
                   2 packets, 1 errors; RTCP: 3 bytes, 4 packets, 5 errors\r\n\r\n";
        let messages =
            [bye, "BYE sip:h SIP/2.0\r\n\r\n"].map(|raw| captured(0, raw, ["10.0.0.1:1", "10.0.0.2:2"]));
        let analysis = SipAnalysis::of(messages.into());
        assert!(analysis.sip_messages.is_empty());
        let expected = RtcpStats {
            mos: 4.1,
            jitter: 2,
            packet_loss_pct: 0.5,
            rtt: 900,
            rtp_bytes: 16,
            rtp_packets: 2,
            rtp_errors: 1,
            rtcp_bytes: 3,
            rtcp_packets: 4,
            rtcp_errors: 5,
        };
        assert_eq!(analysis.rtcp_stats, Some(expected));
        assert_eq!(RtcpStats::read("MOS=bad;nonsense"), None);
        assert_eq!(RtcpStats::read("RTT=7").map(|stats| stats.rtt), Some(7));
    }
}
