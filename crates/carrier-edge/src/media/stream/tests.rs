use serde_json::{Value, json};
use service_base::net::Use;
use trunk_rules::carrier::{MediaHost, OwnOffer, Settings, negotiate};

use super::*;
use crate::test_trunk::trunk;

const CALLER: &str = "127.0.0.9:4000";

fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn now() -> Timestamp {
    Timestamp::from_unix_millis(0)
}

fn media(payload_type: u8) -> Media {
    let sdp = format!("v=0\r\nc=IN IP4 127.0.0.9\r\nm=audio 4000 RTP/AVP {payload_type}\r\n");
    let settings = Settings::default();
    negotiate(&trunk(&json!({})).media_encryption_mode, &settings, Some(sdp.as_bytes())).unwrap().unwrap()
}

struct Stage {
    stream: Stream,
    facts: Arc<SharedFacts>,
    own: OwnSockets,
    all_calls: Budget,
}

impl Stage {
    /// A call from the caller's address whose SDP names `offered`.
    fn of(offered: &str, further: &Value) -> Self {
        let own = OwnSockets::default();
        let signalling = at(CALLER).ip();
        let facts = Arc::new(SharedFacts::new(true));
        let parts = (Arc::clone(&facts), now());
        let mut stream = Stream::new(signalling, trunk(further), own.clone(), 0x0102_0304_0506_0708, parts);
        let named =
            Media { host: MediaHost::Address(at(offered).ip()), port: at(offered).port(), ..media(8) };
        stream.apply(&named, Some(at(offered)), now());
        Self { stream, facts, own, all_calls: Budget::new(1_000_000, 1_000_000) }
    }

    /// The echo of a packet, and its destination.
    fn hears(
        &mut self,
        mut packet: Vec<u8>,
        from: &str,
        stopwatch: Duration,
    ) -> Option<(Vec<u8>, SocketAddr)> {
        let target = self.stream.receive(&mut packet, at(from), now(), stopwatch, &self.all_calls)?;
        Some((packet, target))
    }

    /// The sentence about missing audio.
    fn no_audio(&self) -> Option<String> {
        trunk_rules::carrier::no_audio(&self.stream.trunk.rtp, at(CALLER).ip(), &self.facts.lock())
    }

    /// The ping of a call that is answered now.
    fn ping(&mut self) -> Option<([u8; 14], SocketAddr)> {
        self.stream.answered(now());
        self.stream.ping()
    }

    fn echoes(&mut self, from: &str) -> Option<SocketAddr> {
        self.hears(packet(1), from, Duration::ZERO).map(|(_, target)| target)
    }
}

fn packet(sequence: u8) -> Vec<u8> {
    let mut packet = vec![0x80, 8, 0, sequence, 0, 0, 9, 9, 0xca, 0x11, 0xe4, 0x00];
    packet.extend([0xd5; 160]);
    packet
}

#[test]
fn an_echo_bears_our_own_source_and_numbers_and_is_as_long_as_what_came() {
    let mut stage = Stage::of(CALLER, &json!({}));
    let (ping, _) = stage.ping().unwrap();
    let (first, target) = stage.hears(packet(200), CALLER, Duration::ZERO).unwrap();
    let (second, _) = stage.hears(packet(7), CALLER, Duration::ZERO).unwrap();
    assert_eq!((first.len(), target), (packet(200).len(), at(CALLER)));
    for sent in [&first, &second] {
        assert_eq!(sent[8..12], ping[8..12], "one source");
        assert_ne!(sent[8..12], packet(1)[8..12], "not the caller's");
        assert_eq!((&sent[4..8], &sent[12..]), (&packet(1)[4..8], &packet(1)[12..]));
    }
    let number = |packet: &[u8]| u16::from_be_bytes([packet[2], packet[3]]);
    assert_eq!((number(&first) - number(&ping), number(&second) - number(&first)), (1, 1));
    assert_eq!((first[1], second[1]), (0x88, 8), "the first is marked");
}

#[test]
fn nothing_is_sent_to_special_addresses_whatever_an_sdp_names_and_whatever_comes() {
    for special in
        ["169.254.169.254:4000", "224.0.0.1:4000", "255.255.255.255:4000", "0.0.0.0:4000", "127.0.0.9:53"]
    {
        for symmetric in [false, true] {
            let mut stage = Stage::of(special, &json!({ "force_symmetric_rtp": symmetric }));
            assert_eq!(stage.ping(), None, "{special}");
            for _ in 0..20 {
                assert_eq!(stage.echoes(special), None, "{special}");
            }
            assert_eq!(stage.facts.lock().sent.packets, 0);
            assert!(stage.no_audio().is_some());
        }
    }
}

#[test]
fn nothing_is_sent_to_our_own_sockets_and_they_may_open_later() {
    let mut stage = Stage::of(CALLER, &json!({}));
    assert_eq!(stage.echoes(CALLER), Some(at(CALLER)));
    for purpose in [Use::EdgeMedia, Use::Other] {
        let entered = stage.own.enter(at(CALLER), purpose);
        assert_eq!((stage.echoes(CALLER), stage.ping()), (None, None), "{purpose:?}");
        drop(entered);
        let everywhere = stage.own.enter(at("0.0.0.0:4000"), purpose);
        assert_eq!((stage.echoes(CALLER), stage.ping()), (None, None), "{purpose:?}");
        drop(everywhere);
        assert_eq!(stage.echoes(CALLER), Some(at(CALLER)));
    }
}

#[test]
fn a_third_party_that_an_sdp_names_gets_nothing_but_a_ping_if_it_is_listed() {
    let victim = "203.0.113.9:4000";
    let mut stage = Stage::of(victim, &json!({}));
    assert_eq!(stage.ping(), None);
    for _ in 0..100 {
        assert_eq!(stage.echoes(CALLER), None);
    }
    let sentence = stage.no_audio().unwrap();
    assert!(sentence.contains(victim) && sentence.contains("force_symmetric_rtp is off"), "{sentence}");
    let mut listed = Stage::of(victim, &json!({ "allowed_rtp_ips": ["203.0.113.0/24"] }));
    assert_eq!(listed.ping().map(|(_, target)| target), Some(at(victim)));
}

#[test]
fn the_ping_waits_for_the_address_that_an_ack_names_and_is_sent_once() {
    let parts = (Arc::new(SharedFacts::new(false)), now());
    let mut stream = Stream::new(at(CALLER).ip(), trunk(&json!({})), OwnSockets::default(), 1, parts);
    stream.answered(now());
    assert_eq!(stream.ping(), None, "the caller has named no address");
    stream.apply(&media(8), Some(at(CALLER)), now());
    assert_eq!(stream.ping().map(|(_, target)| target), Some(at(CALLER)));
    stream.apply(&media(8), Some(at("127.0.0.9:4002")), now());
    assert_eq!(stream.ping(), None, "a call has one");
}

#[test]
fn what_is_no_rtp_is_neither_counted_nor_echoed() {
    let mut stage = Stage::of(CALLER, &json!({}));
    let mut report = packet(1);
    report[1] = 200;
    for other in [Vec::new(), vec![0x80], vec![0; 200], vec![0xff; 200], vec![0x80; 11], report] {
        assert_eq!(stage.hears(other, CALLER, Duration::ZERO), None);
    }
    assert_eq!(stage.facts.lock().received.packets, 0);
    assert_eq!(stage.facts.lock().dropped.not_rtp, 5, "RTCP is no fault");
}

#[test]
fn more_packets_than_the_codec_has_reason_to_send_are_dropped_and_counted() {
    for (payload_type, most) in [(8, 200), (3, 100), (4, 67)] {
        let mut stage = Stage::of(CALLER, &json!({}));
        stage.stream.apply(&media(payload_type), Some(at(CALLER)), now());
        let mut packet = packet(1);
        packet[1] = payload_type;
        let echoed = |stage: &mut Stage, stopwatch| {
            (0..1_000).filter(|_| stage.hears(packet.clone(), CALLER, stopwatch).is_some()).count()
        };
        assert_eq!(echoed(&mut stage, Duration::ZERO), most);
        let facts = stage.facts.lock().clone();
        assert_eq!(
            (facts.received.packets, facts.sent.packets, facts.dropped.rate),
            (1_000, most as u64, 1_000 - most as u64)
        );
        stage.stream.apply(&media(payload_type), Some(at(CALLER)), now());
        assert_eq!(echoed(&mut stage, Duration::ZERO), 0, "an offer that changes nothing refills nothing");
        assert_eq!(echoed(&mut stage, Duration::from_secs(1)), most);
    }
}

#[test]
fn packets_of_strangers_use_up_nothing_of_the_callers_and_are_no_keys_of_it() {
    for symmetric in [false, true] {
        let mut stage = Stage::of(CALLER, &json!({ "force_symmetric_rtp": symmetric }));
        stage.stream.telephone_events = [Some(101), None];
        assert_eq!(stage.echoes(CALLER), Some(at(CALLER)));
        for sequence in 0..250 {
            assert_eq!(stage.hears(packet(sequence), "198.51.100.66:4000", Duration::ZERO), None);
            let mut key = vec![0x80, 101, 0, sequence, 0, 0, 0, sequence, 0, 0, 0, 7];
            key.extend([5, 0x0a, 0, 160]);
            assert_eq!(stage.hears(key, "198.51.100.67:4000", Duration::ZERO), None);
        }
        assert_eq!(stage.echoes(CALLER), Some(at(CALLER)), "the rate of the codec is the caller's");
        let facts = stage.facts.lock();
        assert_eq!((facts.received.packets, facts.sent.packets, facts.dtmf.telephone_events), (2, 2, 0));
        assert_eq!((facts.dropped.source, facts.dropped_from.len(), facts.dropped.rate), (500, 2, 0));
    }
}

#[test]
fn all_calls_together_send_no_more_than_the_node_may() {
    let mut stage = Stage::of(CALLER, &json!({}));
    stage.all_calls = Budget::new(1_720, 1_720);
    let sent = (0..100).filter(|_| stage.echoes(CALLER).is_some()).count();
    assert_eq!(sent, 10, "of 172 bytes each");
    assert_eq!(stage.facts.lock().dropped.all_calls, 90);
}

#[test]
fn a_stream_that_was_taken_out_is_silent_and_may_be_until_it_comes_back() {
    let mut stage = Stage::of(CALLER, &json!({}));
    assert!(stage.stream.silent_until().is_some());
    stage.stream.remove_stream(now());
    assert_eq!((stage.echoes(CALLER), stage.stream.silent_until()), (None, None));
    stage.stream.apply(&media(8), Some(at(CALLER)), now());
    assert_eq!(stage.echoes(CALLER), Some(at(CALLER)));
    assert!(stage.stream.silent_until().is_some());
}

#[test]
fn packets_of_a_type_that_was_not_agreed_on_are_dropped_and_comfort_noise_is_not() {
    let mut stage = Stage::of(CALLER, &json!({}));
    let of_type = |stage: &mut Stage, payload_type: u8| {
        let mut packet = packet(1);
        packet[1] = payload_type;
        stage.hears(packet, CALLER, Duration::ZERO).is_some()
    };
    assert!(!of_type(&mut stage, 18) && !of_type(&mut stage, 0));
    assert!(stage.no_audio().unwrap().contains("such as 18"));
    assert!(of_type(&mut stage, 13) && of_type(&mut stage, 8) && of_type(&mut stage, 0x80 | 8));
    let facts = stage.facts.lock();
    assert_eq!((facts.dropped.payload_type, facts.sent.packets), (2, 3));
}

#[test]
fn packets_and_bytes_are_counted_in_both_directions_with_their_first_source_and_losses() {
    let mut stage = Stage::of(CALLER, &json!({}));
    for sequence in [1, 2, 5] {
        stage.hears(packet(sequence), CALLER, Duration::from_millis(20));
    }
    let facts = stage.facts.lock();
    assert_eq!((facts.received.packets, facts.received.bytes), (3, 3 * 172));
    assert_eq!(facts.sent, facts.received);
    assert_eq!((facts.first_source, facts.reception.lost()), (Some(at(CALLER)), 2));
}

#[test]
fn a_few_sources_of_packets_that_are_dropped_are_named_and_all_packets_are_counted() {
    let mut stage = Stage::of(CALLER, &json!({ "allowed_rtp_ips": ["192.0.2.0/24"] }));
    for from in (10..30).flat_map(|host| [format!("127.0.0.{host}:4000"), format!("127.0.0.{host}:4002")]) {
        assert_eq!(stage.echoes(&from), None, "{from}");
    }
    let facts = stage.facts.lock();
    let named: Box<[IpAddr]> = (10..18).map(|host| IpAddr::from([127, 0, 0, host])).collect();
    assert_eq!((facts.dropped.source, &facts.dropped_from), (40, &named));
    assert_eq!((facts.received.packets, facts.first_source), (0, None));
}

#[test]
fn a_port_of_services_that_media_comes_from_is_named_where_rtp_is_symmetric() {
    let mut stage = Stage::of(CALLER, &json!({ "force_symmetric_rtp": true }));
    // Five packets from a port that may receive media would select it.
    for _ in 0..6 {
        assert_eq!(stage.echoes("127.0.0.9:1023"), None);
    }
    let said = stage.no_audio().unwrap();
    let words = "RTP comes from 127.0.0.9:1023, and nothing is sent there: a port below 1024";
    assert!(said.contains(words), "{said}");
    for _ in 0..6 {
        stage.echoes("127.0.0.9:1024");
    }
    assert_eq!(stage.echoes("127.0.0.9:1024"), Some(at("127.0.0.9:1024")));
}

#[test]
fn telephone_events_are_counted_as_keys_and_echoed() {
    let mut stage = Stage::of(CALLER, &json!({}));
    let sdp =
        "v=0\r\nc=IN IP4 127.0.0.9\r\nm=audio 4000 RTP/AVP 8 101\r\na=rtpmap:101 telephone-event/8000\r\n";
    let mode = trunk(&json!({})).media_encryption_mode.clone();
    let media = negotiate(&mode, &Settings::default(), Some(sdp.as_bytes())).unwrap().unwrap();
    stage.stream.apply(&media, Some(at(CALLER)), now());
    for (timestamp, event) in [(1, 5), (1, 5), (2, 11)] {
        let mut packet = vec![0x80, 101, 0, 1, 0, 0, 0, timestamp, 0, 0, 0, 7];
        packet.extend([event, 0x0a, 0, 160]);
        assert!(stage.hears(packet, CALLER, Duration::ZERO).is_some());
    }
    // A header extension comes before the event.
    let mut packet = vec![0x91, 101, 0, 1, 0, 0, 0, 9, 0, 0, 0, 7, 1, 1, 1, 1, 0xbe, 0xde, 0, 1, 2, 2, 2, 2];
    packet.extend([12, 0x0a, 0, 160]);
    assert!(stage.hears(packet, CALLER, Duration::ZERO).is_some());
    let facts = stage.facts.lock();
    assert_eq!((facts.dtmf.telephone_events, facts.dtmf.digits.as_deref()), (3, Some("5#A")));
}

#[test]
fn the_packets_of_a_key_and_comfort_noise_are_not_missing_among_those_of_the_audio() {
    let mut stage = Stage::of(CALLER, &json!({}));
    stage.stream.telephone_events = [Some(101), None];
    for (sequence, payload_type) in (1..).zip([8, 101, 101, 101, 8, 13, 8, 8, 18, 8]) {
        let mut packet = packet(sequence);
        packet[1] = payload_type;
        if sequence != 7 {
            stage.hears(packet, CALLER, Duration::ZERO);
        }
    }
    assert_eq!(stage.facts.lock().reception.lost(), 1, "the seventh");
}

#[test]
fn events_with_the_number_of_our_offer_count_and_are_echoed_with_that_of_its_answer() {
    let mut stage = Stage::of(CALLER, &json!({}));
    let mode = trunk(&json!({})).media_encryption_mode.clone();
    let settings = Settings::default();
    let offer = OwnOffer::new(&mode, &settings, None);
    let sdp =
        "v=0\r\nc=IN IP4 127.0.0.9\r\nm=audio 4000 RTP/AVP 8 96\r\na=rtpmap:96 telephone-event/8000\r\n";
    let answer = offer.take_answer(&mode, Some(sdp.as_bytes())).unwrap();
    stage.stream.apply(&answer, Some(at(CALLER)), now());
    for (timestamp, payload_type) in [(1, 101), (2, 96), (3, 0x80 | 0x65)] {
        let mut packet = vec![0x80, payload_type, 0, 1, 0, 0, 0, timestamp, 0, 0, 0, 7];
        packet.extend([5, 0x0a, 0, 160]);
        let (echo, _) = stage.hears(packet, CALLER, Duration::ZERO).unwrap();
        assert_eq!(echo[1] & 0x7f, 96);
    }
    let facts = stage.facts.lock();
    assert_eq!((facts.dtmf.telephone_events, facts.dropped.payload_type), (3, 0));
}
