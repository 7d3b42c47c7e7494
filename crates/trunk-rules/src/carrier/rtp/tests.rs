//! Which media is accepted, where media is sent, and when silence ends a call.

use std::collections::HashMap;

use super::*;
use proptest::prelude::*;

const OFFERED: &str = "192.0.2.1:4000";
const REAL: &str = "203.0.113.9:4711";
const SIGNALLING: &str = "192.0.2.1";

fn terms(allowed: &[&str], force_symmetric: bool) -> RtpTerms {
    RtpTerms { ping: true, ..RtpTerms::for_tests(allowed, force_symmetric) }
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_unix_millis(millis)
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn path_to(offered: &str, signalling: &str) -> RtpPath {
    let mut path = RtpPath::new(signalling.parse().unwrap(), at(0));
    path.negotiated(Some(address(offered)), Direction::SendRecv, at(0));
    path
}

fn path() -> RtpPath {
    path_to(OFFERED, SIGNALLING)
}

#[test]
fn media_from_an_address_that_is_not_allowed_is_dropped_and_does_not_break_the_silence() {
    let (terms, mut path) = (terms(&["192.0.2.0/24"], false), path());
    assert_eq!(path.receive(&terms, address(REAL), at(29_000)), Heard::Dropped);
    assert!(path.is_over(&terms, at(30_000)));
    let mapped = address("[::ffff:192.0.2.200]:1");
    assert_eq!(path.receive(&terms, mapped, at(29_000)), Heard::Taken);
    assert!(!path.is_over(&terms, at(30_000)) && path.is_over(&terms, at(59_000)));
}

#[test]
fn media_of_strangers_does_not_keep_up_a_call_whose_caller_is_gone() {
    let stranger = address("198.51.100.66:6000");
    for force_symmetric in [false, true] {
        let (terms, mut path) = (terms(&[], force_symmetric), path());
        assert_eq!(path.receive(&terms, stranger, at(10_000)), Heard::Taken);
        assert!(!path.is_over(&terms, at(30_000)), "the caller may send from another host than it names");
        path.receive(&terms, address(OFFERED), at(31_000));
        for millis in (32_000..61_000).step_by(1_000) {
            assert_eq!(path.receive(&terms, stranger, at(millis)), Heard::Taken);
        }
        assert!(path.is_over(&terms, at(61_000)));
    }
    // The owner of the trunk listed this one.
    let (terms, mut path) = (terms(&["192.0.2.0/24", "198.51.100.0/24"], true), path());
    path.receive(&terms, address(OFFERED), at(0));
    path.receive(&terms, stranger, at(29_000));
    assert!(!path.is_over(&terms, at(30_000)));
}

#[test]
fn without_allowed_addresses_media_is_taken_from_anywhere() {
    assert_eq!(path().receive(&terms(&[], false), address("[2001:db8::1]:9"), at(1)), Heard::Taken);
}

#[test]
fn without_symmetric_rtp_media_goes_to_the_offered_address_once_media_came_from_there() {
    let (terms, mut path) = (terms(&[], false), path());
    for millis in 0..1_000 {
        assert_eq!(path.receive(&terms, address(REAL), at(millis)), Heard::Taken);
    }
    assert_eq!(path.target(), None);
    let offered = address(OFFERED);
    assert_eq!(path.receive(&terms, offered, at(1_000)), Heard::ToEcho(offered));
    assert_eq!(path.receive(&terms, address(REAL), at(1_001)), Heard::Taken, "an echo goes back or nowhere");
}

#[test]
fn a_phone_may_send_from_another_port_than_the_one_it_receives_on() {
    let (terms, mut path) = (terms(&[], false), path());
    let heard = path.receive(&terms, address("192.0.2.1:4998"), at(0));
    assert_eq!(heard, Heard::ToEcho(address(OFFERED)));
}

#[test]
fn symmetric_rtp_latches_after_a_few_packets_or_a_quarter_of_a_second() {
    let terms = terms(&[], true);
    let mut by_count = path();
    for packet in 1..=LATCH_PACKETS {
        assert_eq!(by_count.target(), None, "packet {packet}");
        by_count.receive(&terms, address(REAL), at(0));
    }
    assert_eq!(by_count.target(), Some(address(REAL)));
    for _ in 0..20 {
        by_count.receive(&terms, address("198.51.100.66:6000"), at(1));
    }
    assert_eq!(by_count.target(), Some(address(REAL)), "it is latched");
    let mut by_time = path();
    by_time.receive(&terms, address(REAL), at(0));
    by_time.receive(&terms, address(REAL), at(LATCH_MILLIS));
    assert_eq!(by_time.target(), Some(address(REAL)));
}

#[test]
fn another_port_of_the_latched_host_replaces_one_that_has_been_silent() {
    let (terms, mut path) = (terms(&[], true), path());
    let (first, second) = (address(REAL), address("203.0.113.9:4713"));
    for _ in 0..LATCH_PACKETS {
        path.receive(&terms, first, at(0));
    }
    for millis in (20..REBIND_MILLIS).step_by(20) {
        path.receive(&terms, second, at(millis));
        assert_eq!(path.target(), Some(first));
    }
    path.receive(&terms, first, at(REBIND_MILLIS));
    path.receive(&terms, second, at(2 * REBIND_MILLIS - 1));
    assert_eq!(path.target(), Some(first), "it was heard again");
    let other_host = address("198.51.100.66:4711");
    path.receive(&terms, other_host, at(2 * REBIND_MILLIS));
    assert_eq!(path.target(), Some(first));
    assert_eq!(path.receive(&terms, second, at(2 * REBIND_MILLIS)), Heard::ToEcho(second));
}

#[test]
fn media_from_the_host_of_the_signalling_replaces_what_strangers_sent_before_and_is_not_replaced_by_them() {
    let (stranger, caller) = (address("198.51.100.66:6000"), address(REAL));
    // The caller is behind address translation: it offers a private address.
    let terms = terms(&[], true);
    let mut path = path_to("10.0.0.7:4000", "203.0.113.9");
    for _ in 0..LATCH_PACKETS {
        path.receive(&terms, stranger, at(0));
    }
    assert_eq!(path.target(), Some(stranger));
    for packet in 1..=LATCH_PACKETS {
        assert_ne!(path.target(), Some(caller), "packet {packet}");
        path.receive(&terms, caller, at(1));
        path.receive(&terms, stranger, at(1));
    }
    assert_eq!(path.target(), Some(caller));
    for millis in 0..1_000 {
        path.receive(&terms, stranger, at(millis));
    }
    assert_eq!(path.target(), Some(caller));

    // Media that comes from the offered host stays there, whatever the host of the signalling sends.
    let mut path = path_to("198.51.100.66:4000", "203.0.113.9");
    for packet in 0..2 * LATCH_PACKETS {
        path.receive(&terms, if packet < LATCH_PACKETS { stranger } else { caller }, at(0));
    }
    assert_eq!(path.target(), Some(stranger));
}

#[test]
fn media_from_the_offered_address_ends_the_learning_at_once() {
    let (terms, mut path) = (terms(&[], true), path());
    for _ in 0..LATCH_PACKETS {
        path.receive(&terms, address(REAL), at(0));
    }
    path.receive(&terms, address(OFFERED), at(1));
    assert_eq!(path.target(), Some(address(OFFERED)));
    for millis in 0..1_000 {
        path.receive(&terms, address(REAL), at(millis));
    }
    assert_eq!(path.target(), Some(address(OFFERED)));
}

#[test]
fn nothing_is_learned_from_an_address_that_is_not_allowed() {
    let (terms, mut path) = (terms(&["192.0.2.0/24"], true), path());
    for millis in 0..1_000 {
        path.receive(&terms, address(REAL), at(millis));
    }
    assert_eq!(path.target(), None);
}

#[test]
fn the_learned_address_is_kept_by_an_offer_that_changes_nothing_and_by_no_other() {
    let (terms, mut path) = (terms(&[], true), path());
    for _ in 0..LATCH_PACKETS {
        path.receive(&terms, address(REAL), at(0));
    }
    path.negotiated(Some(address(OFFERED)), Direction::SendRecv, at(1));
    assert_eq!(path.target(), Some(address(REAL)));
    path.negotiated(Some(address("192.0.2.1:5000")), Direction::SendRecv, at(2));
    assert_eq!(path.target(), None);
}

#[test]
fn nothing_is_sent_to_forbidden_addresses_whatever_names_them_and_whatever_comes_from_them() {
    for named in ["169.254.169.254:4000", "224.0.0.1:4000", "10.0.0.1:4000", "127.0.0.1:4000", "192.0.2.1:53"]
    {
        for force_symmetric in [false, true] {
            let (terms, mut path) = (terms(&[], force_symmetric), path_to(named, "192.0.2.77"));
            assert_eq!(path.ping_target(&terms), None, "{named}");
            for millis in 0..10 {
                assert_eq!(path.receive(&terms, address(named), at(millis)), Heard::Taken, "{named}");
            }
            assert_eq!(path.target(), None, "{named}");
        }
    }
}

#[test]
fn the_ping_goes_to_where_the_signalling_comes_from_or_to_a_listed_address() {
    let open = terms(&[], false);
    assert_eq!(path().ping_target(&open), Some(address(OFFERED)));
    assert_eq!(path_to(OFFERED, "::ffff:192.0.2.1").ping_target(&open), Some(address(OFFERED)));
    assert_eq!(path_to(REAL, SIGNALLING).ping_target(&open), None, "it may be any third party");
    let listing = terms(&["203.0.113.0/24"], false);
    assert_eq!(path_to(REAL, SIGNALLING).ping_target(&listing), Some(address(REAL)));
    let silent = RtpTerms { ping: false, ..open };
    assert_eq!(path().ping_target(&silent), None);
}

#[test]
fn nothing_is_sent_to_a_peer_that_does_not_receive_and_nothing_expected_of_one_that_does_not_send() {
    let terms = terms(&[], false);
    for (direction, sends, expects) in [
        (Direction::SendRecv, true, true),
        (Direction::SendOnly, false, false),
        (Direction::RecvOnly, true, false),
        (Direction::Inactive, false, false),
    ] {
        let mut path = path();
        path.negotiated(Some(address(OFFERED)), direction, at(10_000));
        let heard = path.receive(&terms, address(OFFERED), at(11_000));
        assert_eq!(heard == Heard::ToEcho(address(OFFERED)), sends, "{direction:?}");
        assert_eq!(path.ping_target(&terms).is_some(), sends, "{direction:?}");
        assert_eq!(path.is_over(&terms, at(1_000_000)), expects, "{direction:?}");
        path.negotiated(Some(address(OFFERED)), Direction::SendRecv, at(1_000_000));
        assert_eq!(path.target(), Some(address(OFFERED)), "it goes on where it was");
        let since = if expects { 11_000 } else { 1_000_000 };
        assert_eq!(path.silent_until(&terms), Some(at(since + 30_000)), "{direction:?}");
    }
}

#[test]
fn the_ping_is_a_marked_rtp_packet_with_two_zero_bytes() {
    let packet = ping_packet(8, 0x0102, 3, 4);
    assert_eq!(packet, [0x80, 0x88, 1, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0]);
}

/// An event in the life of a media path.
#[derive(Debug, Clone)]
enum Step {
    Packet { host: u8, port: u16, bytes: u64, later: i64 },
    Offer { host: u8, port: u16, direction: u8 },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0u8..5, 1_023u16..1_027, 12u64..200, 0i64..300)
            .prop_map(|(host, port, bytes, later)| Step::Packet { host, port, bytes, later }),
        1 => (0u8..5, 1_023u16..1_027, 0u8..6)
            .prop_map(|(host, port, direction)| Step::Offer { host, port, direction }),
    ]
}

proptest! {
    #[test]
    fn no_address_is_sent_more_than_came_from_it_and_one_ping(
        symmetric: bool,
        restricted: bool,
        signalling in 0u8..5,
        steps in proptest::collection::vec(step(), 0..120),
    ) {
        let terms = terms(if restricted { &["10.0.0.0/30"] } else { &[] }, symmetric);
        let ip = |host: u8| IpAddr::from(if host == 4 { [169, 254, 0, 4] } else { [10, 0, 0, host] });
        let mut path = RtpPath::new(ip(signalling), at(0));
        let (mut now, mut pinged) = (0, false);
        let (mut came, mut sent) = (HashMap::<IpAddr, u64>::new(), HashMap::<IpAddr, u64>::new());
        for step in steps {
            match step {
                Step::Offer { host, port, direction } => {
                    let direction = match direction {
                        0 => Direction::SendOnly,
                        1 => Direction::RecvOnly,
                        2 => Direction::Inactive,
                        _ => Direction::SendRecv,
                    };
                    path.negotiated(Some(SocketAddr::new(ip(host), port)), direction, at(now));
                    if let (false, Some(target)) = (pinged, path.ping_target(&terms)) {
                        pinged = true;
                        prop_assert!(target.ip() == ip(signalling) || terms.lists(target.ip()));
                        *sent.entry(target.ip()).or_default() += 14;
                    }
                }
                Step::Packet { host, port, bytes, later } => {
                    now += later;
                    *came.entry(ip(host)).or_default() += bytes;
                    let heard = path.receive(&terms, SocketAddr::new(ip(host), port), at(now));
                    if let Heard::ToEcho(target) = heard {
                        prop_assert!(terms.accepts(target.ip()) && target.port() >= 1_024 && target.ip() != ip(4));
                        *sent.entry(target.ip()).or_default() += bytes;
                    }
                }
            }
        }
        for (address, sent) in sent {
            let came = came.get(&address).copied().unwrap_or_default();
            prop_assert!(sent <= came + 14, "{}: {} for {}", address, sent, came);
        }
    }
}
