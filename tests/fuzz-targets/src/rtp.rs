//! RTP and RTCP packets of a call.

use std::time::Duration;

use didww_types::Secret;
use trunk_rules::carrier::{
    Dtmf, MediaFacts, OFFERED_SUITE, Protection, Reception, RtpHeader, SrtpAuthentication, is_rtcp,
    ping_packet, rtp_payload,
};

/// A key and a salt of zeros.
const KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Packets in a row, each behind its length.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let audio = [&ping_packet(8, 1, 160, 7)[..], &[0xd5; 20]].concat();
    let event = [&ping_packet(101, 2, 320, 7)[..12], &[5, 0x80, 0, 160]].concat();
    let extended = [&[0x92, 8, 0, 3], &[0; 16][..], &[0xbe, 0xde, 0, 1, 1, 2, 3, 4, 0xd5]].concat();
    let wrapped = ping_packet(8, 65_535, 480, 7).to_vec();
    let rtcp = vec![0x80, 200, 0, 6, 0, 0, 0, 7, 0, 0, 0, 0];
    let packets = [audio, event, extended, wrapped, rtcp, vec![0x80], Vec::new()];
    let row = |packets: &[Vec<u8>]| packets.iter().flat_map(|packet| framed(packet)).collect::<Vec<u8>>();
    let mut seeds: Vec<Vec<u8>> = packets.iter().map(|packet| row(std::slice::from_ref(packet))).collect();
    seeds.push(row(&packets));
    seeds
}

fn framed(packet: &[u8]) -> Vec<u8> {
    [&[u8::try_from(packet.len()).unwrap_or(u8::MAX)][..], packet].concat()
}

/// The input is packets, each behind its length. Headers and payloads are within their packets, and what is counted of
/// them stays within its limits.
pub fn rtp(data: &[u8]) {
    let (mut reception, mut dtmf, mut facts) = (Reception::default(), Dtmf::new(true), MediaFacts::default());
    let protection = Protection::Sdes {
        tag: 1,
        suite: OFFERED_SUITE,
        key: Secret::new(KEY),
        is_plain: true,
        unencrypted_rtcp: false,
    };
    let mut authentication = SrtpAuthentication::of(&protection).unwrap();
    let (mut rest, mut packets) = (data, 0_u32);
    while let Some((length, tail)) = rest.split_first() {
        let (packet, after) = tail.split_at(tail.len().min(usize::from(*length)));
        rest = after;
        packets += 1;
        authentication.count(packet, &mut facts);
        if let Some(payload) = rtp_payload(packet) {
            assert!(packet.ends_with(payload));
        }
        let Some(header) = RtpHeader::of(packet) else { continue };
        assert!(!is_rtcp(packet) && header.payload_type < 128);
        let RtpHeader { payload_type, sequence, timestamp, ssrc } = header;
        let plain = ping_packet(payload_type, sequence, timestamp, ssrc);
        // A marked packet of these payload types would look like RTCP, which no answer of ours agrees on.
        assert!((64..96).contains(&payload_type) || RtpHeader::of(&plain) == Some(header));
        reception.count(ssrc, sequence, timestamp, Duration::from_millis(20 * u64::from(packets)), 8_000);
        dtmf.event(ssrc, timestamp, rtp_payload(packet));
    }
    assert!(facts.unauthenticated <= facts.checked && facts.checked == u64::from(packets));
    assert!(dtmf.telephone_events <= packets && dtmf.digits.is_some_and(|digits| digits.len() <= 64));
    // Each packet can open a gap of at most this size.
    assert!(reception.lost() <= 3_000 * u64::from(packets));
    assert!(reception.jitter_millis().is_none_or(|jitter| jitter.is_finite() && jitter >= 0.0));
}
