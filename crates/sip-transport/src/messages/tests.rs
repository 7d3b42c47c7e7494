//! The log as its users see it: ownership, bounds, and the renderings.

use proptest::prelude::*;

use super::calls::MessageLogLimits;
use super::*;

const EDGE: &str = "192.0.2.1:5060";

fn log_of(limits: MessageLogLimits) -> (Arc<MessageLog>, Tap) {
    let log = MessageLog::new(limits, Clock::system());
    let tap = Tap::new(Some(Arc::clone(&log)), "edge");
    (log, tap)
}

fn message(start: &str, call_id: &str, further: &str) -> Vec<u8> {
    format!("{start}\r\nCall-ID: {call_id}\r\n{further}").into_bytes()
}

fn invite(call_id: &str) -> Vec<u8> {
    message("INVITE sip:442079460018@192.0.2.1 SIP/2.0", call_id, "User-Agent: PBX\r\n\r\n")
}

fn received(tap: &Tap, bytes: &[u8], source: &str) {
    let (source, local) = (source.parse().unwrap(), EDGE.parse().unwrap());
    tap.received(bytes, &Arrival { source, local, transport: Transport::Udp }, false);
}

fn sent(tap: &Tap, bytes: &[u8], to: &str) {
    tap.sent(bytes, [EDGE.parse().unwrap(), to.parse().unwrap()], Transport::Udp, tap.moment());
}

#[test]
fn messages_are_found_by_their_call_id_in_order_with_their_secrets_masked() {
    let (log, tap) = log_of(MessageLogLimits::default());
    received(
        &tap,
        &message("INVITE sip:x SIP/2.0", "a/b", "Authorization: Digest response=\"ab\"\r\n\r\n"),
        "198.51.100.9:5060",
    );
    sent(&tap, &message("SIP/2.0 200 OK", "a/b", "\r\n"), "198.51.100.9:5060");
    received(&tap, b"\r\n\r\n", "198.51.100.9:5060");
    received(&tap, &message("OPTIONS sip:x SIP/2.0", "other", "\r\n"), "198.51.100.9:5060");
    let found = log.of("a/b").unwrap();
    let text = found.text();
    assert!(text.contains("Digest response=\"00\""), "{text}");
    assert!(text.contains("received by edge 192.0.2.1:5060 from 198.51.100.9:5060 over UDP, "), "{text}");
    assert!(text.contains("sent by edge 192.0.2.1:5060 to 198.51.100.9:5060 over UDP"), "{text}");
    assert_eq!((found.messages.len(), found.omitted, log.of("c").is_none()), (2, 0, true));
}

#[test]
fn a_secret_is_stored_and_nothing_that_reads_the_log_shows_it() {
    let (log, tap) = log_of(MessageLogLimits::default());
    let further = "Contact: <sip:a:secret@h>\r\n\r\n";
    received(&tap, &message("INVITE sip:x SIP/2.0", "a", further), "198.51.100.9:5060");
    let is_masked = |message: &Message| String::from_utf8_lossy(&message.bytes).contains("<sip:a:000000@h>");
    let recent = log.recent(1, is_masked);
    let recent = recent.into_iter().map(|(_, message)| message);
    let found = [log.of("a").unwrap(), log.of_stack("a", "edge").unwrap()];
    let read: Vec<Message> = found.into_iter().flat_map(|found| found.messages).chain(recent).collect();
    assert!(read.len() == 3 && read.iter().all(is_masked), "{read:?}");
    let shown = format!("{log:?}");
    let digits = format!("{:?}", b"secret");
    assert!(shown.contains("length") && !shown.contains(digits.trim_matches(['[', ']'])), "{shown}");
}

#[test]
fn a_cut_message_ends_with_a_whole_line() {
    let text = format!("INVITE sip:x SIP/2.0\r\n{}\r\n", "Contact: <sip:a:secret@h>\r\n".repeat(400));
    let kept = first_bytes(text.as_bytes());
    assert!(kept.len() > 8_100 && kept.len() <= 8_192 && kept.ends_with(b"secret@h>\r\n"), "{}", kept.len());
    assert_eq!(first_bytes(b"INVITE"), b"INVITE");
}

#[test]
fn the_newest_messages_of_all_calls_are_listed_first() {
    let (log, tap) = log_of(MessageLogLimits::default());
    for call in ["a", "b", "c"] {
        received(&tap, &invite(call), "198.51.100.9:5060");
        sent(&tap, &message("SIP/2.0 403 Forbidden", call, "\r\n"), "198.51.100.9:5060");
    }
    let listed = |most, selects: fn(&Message) -> bool| {
        let found = log.recent(most, selects);
        found.iter().map(|(call, message)| (call.to_string(), message.direction)).collect::<Vec<_>>()
    };
    let of = |call: &str, direction| (call.to_owned(), direction);
    let all = listed(100, |_| true);
    assert_eq!((all.len(), &all[0]), (6, &of("c", Direction::Sent)));
    assert_eq!(listed(2, |_| true), [of("c", Direction::Sent), of("c", Direction::Received)]);
    assert_eq!(
        listed(2, |message| message.direction == Direction::Received),
        [of("c", Direction::Received), of("b", Direction::Received)]
    );
    assert!(listed(0, |_| true).is_empty());
}

#[test]
fn a_call_that_is_used_again_is_kept_longer_than_one_that_is_not() {
    // Six records of an address.
    let limits = MessageLogLimits { unowned: 24 << 10, address: 24 << 10, ..MessageLogLimits::default() };
    let (log, tap) = log_of(limits);
    let use_calls = |calls: &[&str]| {
        for call in calls {
            received(&tap, &invite(call), "198.51.100.9:5060");
        }
        let mut kept = log.call_ids();
        kept.sort();
        kept.concat()
    };
    assert_eq!(use_calls(&["a", "b", "c", "d", "e", "f"]), "abcdef");
    assert_eq!(use_calls(&["a", "g"]), "acdefg", "the first one was used again");
    assert_eq!(use_calls(&["d", "c", "h"]), "acdfgh");
    assert_eq!(use_calls(&["i", "j"]), "cdghij", "each goes in its turn");
}

#[test]
fn the_newest_of_thousands_of_messages_are_those_of_all_when_sorted() {
    let (log, tap) = log_of(MessageLogLimits::default());
    for _ in 0..50 {
        for host in 0..60 {
            received(&tap, &invite(&format!("call {host}")), &format!("198.51.100.{host}:5060"));
        }
    }
    let times = |most| -> Vec<Duration> {
        log.recent(most, |_| true).into_iter().map(|(_, message)| message.elapsed).collect()
    };
    let all = times(usize::MAX);
    assert!(all.len() == 3_000 && all.is_sorted_by(|newer, older| newer >= older));
    for most in [1, 10, 1_000, 2_999] {
        assert!(times(most) == all[..most], "the newest {most}");
    }
}

#[test]
fn messages_are_stored_while_others_are_selected_and_are_not_listed_before_the_next_time() {
    let (log, tap) = log_of(MessageLogLimits::default());
    for call in ["a", "b"] {
        received(&tap, &invite(call), "198.51.100.9:5060");
    }
    let found = log.recent(100, |_| {
        let is_free = log.calls.try_lock().is_ok();
        if is_free {
            for call in ["a", "b", "c"] {
                received(&tap, &invite(call), "198.51.100.9:5060");
            }
        }
        is_free
    });
    assert_eq!(found.len(), 2);
    assert_eq!(log.recent(100, |_| true).len(), 8);
}

#[test]
fn a_dropped_message_is_kept_only_beside_others_of_its_call() {
    let (log, tap) = log_of(MessageLogLimits::default());
    let arrival = Arrival {
        source: "198.51.100.9:5060".parse().unwrap(),
        local: EDGE.parse().unwrap(),
        transport: Transport::Udp,
    };
    let ack = message("ACK sip:x SIP/2.0", "a", "\r\n");
    tap.received(&ack, &arrival, true);
    assert!(log.of("a").is_none());
    received(&tap, &invite("a"), "198.51.100.9:5060");
    tap.received(&ack, &arrival, true);
    assert_eq!(log.of("a").unwrap().messages.len(), 2);
}

#[test]
fn a_flood_of_unknown_calls_displaces_no_message_of_a_trunk_and_fills_a_fixed_memory() {
    let limits = MessageLogLimits::default();
    let (log, tap) = log_of(limits);
    received(&tap, &invite("owned"), "198.51.100.9:5060");
    tap.assign("owned", "198.51.100.9".parse().unwrap(), "trunk");
    received(&tap, &invite("quiet"), "198.51.100.10:5060");
    for call in 0..20_000 {
        received(&tap, &invite(&format!("flood-{call}")), "198.51.100.66:5060");
        // A stranger can learn a Call-ID, and send messages with it.
        received(&tap, &invite("owned"), &format!("203.0.113.{}:5060", call % 200));
    }
    assert!(log.occupied() <= limits.unowned + limits.record, "{}", log.occupied());
    let owned = log.of("owned").unwrap();
    assert!(owned.messages.iter().any(|message| message.remote.ip().to_string() == "198.51.100.9"));
    assert!(log.of("quiet").is_some(), "another address's flood displaced it");
    assert!(log.of("flood-0").is_none() && log.of("flood-19999").is_some());
}

#[test]
fn one_trunk_displaces_no_messages_of_another() {
    let limits = MessageLogLimits::of(0);
    let (log, tap) = log_of(limits);
    let source = "198.51.100.9".parse().unwrap();
    for call in 0..10_000 {
        let (small, large) = (format!("small-{call}"), format!("large-{call}"));
        if call < 100 {
            received(&tap, &invite(&small), "198.51.100.9:5060");
            tap.assign(&small, source, "small");
        }
        received(&tap, &invite(&large), "198.51.100.9:5060");
        tap.assign(&large, source, &format!("large {}", call % 6));
    }
    assert!(log.occupied() <= limits.all + limits.record, "{}", log.occupied());
    assert!((0..100).all(|call| log.of(&format!("small-{call}")).is_some()));
    assert!(log.of("large-0").is_none() && log.of("large-9999").is_some());
}

#[test]
fn of_a_long_call_the_first_and_the_last_messages_are_kept() {
    let (log, tap) = log_of(MessageLogLimits::default());
    for number in 0..1_000 {
        let further = format!("CSeq: {number} INVITE\r\n\r\n");
        received(&tap, &message("INVITE sip:x SIP/2.0", "a", &further), "198.51.100.9:5060");
    }
    let found = log.of("a").unwrap();
    let has = |number: u32| found.text().contains(&format!("CSeq: {number} "));
    assert_eq!((found.messages.len(), found.omitted), (64, 936));
    assert!(has(0) && has(31) && !has(32) && !has(967) && has(968) && has(999));
    assert!(found.ladder().contains("936 messages between these are not stored"));
}

#[test]
fn a_large_message_is_cut_and_its_record_stays_within_its_bound() {
    let limits = MessageLogLimits::default();
    let (log, tap) = log_of(limits);
    for number in 0..100 {
        let body = format!("CSeq: {number} INVITE\r\n\r\n{}", "x\r\n".repeat(20_000));
        received(&tap, &message("INVITE sip:x SIP/2.0", "a", &body), "198.51.100.9:5060");
    }
    assert!(log.occupied() <= limits.record + 8_192, "{}", log.occupied());
    let found = log.of("a").unwrap();
    assert!(found.messages.iter().all(|message| message.is_cut() && message.bytes.len() <= 8_192));
    assert!(found.text().contains("(the rest of the message is not stored)"));
}

#[test]
fn a_ladder_has_a_column_for_each_address_and_an_arrow_for_each_message() {
    let (log, tap) = log_of(MessageLogLimits::default());
    let sdp =
        "Content-Type: application/sdp\r\n\r\nv=0\r\nc=IN IP4 198.51.100.9\r\nm=audio 4000 RTP/AVP 8\r\n";
    let offer = message("INVITE sip:442@192.0.2.1 SIP/2.0", "a", &format!("User-Agent: PBX\r\n{sdp}"));
    received(&tap, &offer, "198.51.100.9:5060");
    received(&tap, &offer, "198.51.100.9:5060");
    sent(&tap, &message("SIP/2.0 403 Forbidden", "a", "X-Refusal: check=cli\r\n\r\n"), "198.51.100.9:5060");
    let ladder = log.of("a").unwrap().ladder();
    let lines: Vec<&str> = ladder.lines().collect();
    let shape = |line: &str| line.get(10..).unwrap_or_default().to_owned();
    assert_eq!(lines[0], "Call-ID a");
    assert!(lines[1].ends_with(" 3 messages over UDP, times in seconds"), "{ladder}");
    assert_eq!(shape(lines[3]), format!("{:<46}192.0.2.1:5060", "198.51.100.9:5060"));
    assert_eq!(shape(lines[4]), format!("{:<46}edge", "PBX"));
    assert_eq!(shape(lines[5]), format!("|-- INVITE sip:442@192.0.2.1 {}>|", "-".repeat(16)));
    assert_eq!(shape(lines[6]), "|    SDP audio 198.51.100.9:4000 PCMA sendrecv");
    assert_eq!(shape(lines[7]), format!("|-- INVITE sip:442@192.0.2.1 (again) {}>|", "-".repeat(8)));
    assert_eq!(shape(lines[8]), format!("|<{} 403 Forbidden --|", "-".repeat(27)));
    assert_eq!(shape(lines[9]), format!("{:<46}|", "|    X-Refusal: check=cli"));
    assert_eq!(lines.len(), 10);
}

#[test]
fn a_message_that_the_server_sends_to_itself_is_one_arrow() {
    let (log, edge) = log_of(MessageLogLimits::default());
    let dialler = Tap::new(Some(Arc::clone(&log)), "dialler");
    let (own, at): (SocketAddr, SocketAddr) =
        ("0.0.0.0:5080".parse().unwrap(), "127.0.0.1:5060".parse().unwrap());
    let source = "127.0.0.1:5080".parse().unwrap();
    dialler.sent(&invite("a"), [own, at], Transport::Tcp, dialler.moment());
    edge.received(&invite("a"), &Arrival { source, local: at, transport: Transport::Tcp }, false);
    let found = log.of("a").unwrap();
    assert_eq!(found.messages.len(), 2);
    let ladder = found.ladder();
    assert_eq!(ladder.matches("INVITE").count(), 1, "{ladder}");
    assert!(ladder.contains("1 message over TCP") && ladder.contains("dialler"), "{ladder}");
}

proptest! {
    // Each series has hundreds of steps, after each of which all sums are checked.
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn no_series_of_messages_exceeds_the_bounds(
        steps in proptest::collection::vec((0..40_u8, 0..12_u8, 0..4_u8, 0..9_000_usize), 1..400),
    ) {
        let limits = MessageLogLimits {
            all: 64 << 10, owner: 24 << 10, unowned: 32 << 10, address: 12 << 10, record: 8 << 10,
        };
        let (log, tap) = log_of(limits);
        for (call, host, owner, size) in steps {
            let (call_id, peer) = (format!("call {call}"), format!("198.51.100.{host}"));
            let body = format!("\r\n{}", "y\r\n".repeat(size / 3));
            received(&tap, &message("INVITE sip:x SIP/2.0", &call_id, &body), &format!("{peer}:5060"));
            if owner > 0 {
                tap.assign(&call_id, peer.parse().unwrap(), &format!("trunk {owner}"));
            }
            let calls = log.lock();
            prop_assert!(calls.is_consistent_within(limits));
        }
        for call_id in log.call_ids() {
            let found = log.of(&call_id).unwrap();
            let _ = (found.text(), found.ladder(), found.capture_file());
        }
    }
}
