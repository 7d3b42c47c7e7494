use std::collections::HashMap;
use std::net::SocketAddr;

use didww_types::Secret;
use proptest::prelude::*;
use trunk_rules::carrier::{DigestChallenge, PasswordHash};
use trunk_store::{Record, StoredRecord};
use uuid::Uuid;

use super::*;
use crate::attempts::AttemptQuery;
use crate::call_state::Origin;
use crate::digest_guesses::DigestAttempt;
use crate::test_trunk::admitted;

const START: i64 = 1_767_225_600_000;
const REALM: &str = "out.didww.com";

/// A filter with two trunks: one allows every address and `203.0.113.0/24` with credentials, the other one
/// `198.50.0.0/15` by address alone.
pub(super) fn front() -> Front {
    front_of(NodeMark::default())
}

/// The filter of a node with this mark.
fn front_of(mark: NodeMark) -> Front {
    let clock = Clock::system();
    clock.freeze(Some(Timestamp::from_unix_millis(START)));
    let trunks = Trunks::new(REALM.to_owned(), Vec::new());
    let methods = [
        (
            "credentials_and_ip",
            r#"["0.0.0.0/0","::/0","203.0.113.0/24"]"#,
            r#""username":"user","password":"secret","#,
        ),
        ("ip_only", r#"["198.50.0.0/15"]"#, ""),
    ];
    for (at, (kind, networks, further)) in methods.into_iter().enumerate() {
        let attributes = format!(
            r#"{{"name":"Trunk {at}","status":"active","on_cli_mismatch_action":"send_original_cli","capacity_limit":null,
            "threshold_reached":false,"threshold_amount":"3000.0","media_encryption_mode":"disabled","rtp_timeout":30,
            "default_dst_action":"allow_all","dst_prefixes":[],"force_symmetric_rtp":false,"rtp_ping":false,
            "callback_url":null,"external_reference_id":null,"allowed_rtp_ips":null,"allow_any_did_as_cli":false,
            "emergency_enable_all":false,"created_at":"2026-04-08T06:57:33.304Z","authentication_method":{{"type":"{kind}",
            "attributes":{{{further}"allowed_sip_ips":{networks},"tech_prefix":null}}}}}}"#
        );
        let id = Uuid::from_u128(at as u128 + 1);
        let record = Record { number: 1, id, kind: "voice_out_trunks", revision: 0, attributes, meta: None };
        trunks.insert_stored(&StoredRecord { account: 1, record, links: Vec::new() });
    }
    let front = Front::new(
        (clock, Ids::seeded(7)),
        (Arc::default(), Arc::default()),
        Arc::new(trunks),
        (Arc::default(), Arc::new(MergedRequests::new([1, 2]))),
        Settings::default(),
        "trunk-server".to_owned(),
        (NonceKey::new(&[7; 32]), mark),
    );
    assert_eq!(front.trunks.read().index.len(), 2);
    front
}

pub(super) fn arrival(source: &str) -> Arrival {
    let source = SocketAddr::new(source.parse().unwrap(), 5060);
    Arrival { source, local: "192.0.2.1:5060".parse().unwrap(), transport: Transport::Udp }
}

fn request(method: &str, call: usize, further: &str) -> String {
    format!(
        "{method} sip:442079460018@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP host;branch=z9hG4bK{call}\r\n\
         From: <sip:a@host>;tag={call}\r\nTo: <sip:442079460018@192.0.2.1>\r\nCall-ID: {call}@host\r\nCSeq: 1 {method}\r\n\
         {further}Content-Length: 0\r\n\r\n"
    )
}

fn reply(front: &Front, bytes: &str, source: &str) -> Option<String> {
    match front.check(bytes.as_bytes(), &arrival(source)) {
        FilterAction::Reply(answer) => Some(String::from_utf8(answer).unwrap()),
        FilterAction::Replies(answers) => Some(String::from_utf8(answers.concat()).unwrap()),
        FilterAction::Pass => Some("passed".to_owned()),
        FilterAction::Drop => None,
    }
}

/// The answer to a challenge, as a header line.
fn authorization(challenge: &str, password: &str) -> String {
    let line = challenge.lines().find_map(|line| line.strip_prefix("WWW-Authenticate: ")).unwrap();
    let challenge = DigestChallenge::parse(line.as_bytes()).unwrap();
    let hash = PasswordHash::new("user", REALM, &Secret::new(password));
    let answer = challenge.answer("user", &hash, "INVITE", "sip:442079460018@192.0.2.1", "c");
    format!("Authorization: {answer}\r\n")
}

#[test]
fn a_source_that_a_trunk_identifies_passes_and_every_other_one_is_unknown() {
    let front = front();
    assert_eq!(reply(&front, &request("INVITE", 1, ""), "203.0.113.5").unwrap(), "passed");
    assert_eq!(reply(&front, "anything at all", "203.0.113.5").unwrap(), "passed");
    assert_eq!(reply(&front, "\r\n\r\n", "203.0.113.5").unwrap(), "\r\n");
    assert_eq!(reply(&front, "\r\n\r\n", "203.0.114.5"), None);
    for keep_alive in ["\r\n", "\0\0\0\0", ""] {
        assert_eq!(reply(&front, keep_alive, "203.0.113.5"), None, "it is no unreadable message");
    }
    assert!(
        front.identifies("::ffff:203.0.113.5".parse().unwrap())
            && !front.identifies("203.0.114.5".parse().unwrap())
    );
}

#[test]
fn an_unknown_source_is_challenged_without_details_of_trunks_and_passes_with_the_right_digest() {
    let front = front();
    let challenge = reply(&front, &request("INVITE", 1, ""), "8.8.8.8").unwrap();
    assert!(
        challenge.starts_with("SIP/2.0 401 Unauthorized\r\n") && !challenge.contains("X-Refusal"),
        "{challenge}"
    );
    assert!(challenge.contains("Via: SIP/2.0/UDP host;branch=z9hG4bK1;received=8.8.8.8\r\n"), "{challenge}");
    let again = reply(&front, &request("INVITE", 1, ""), "8.8.8.8").unwrap();
    let to = |text: &str| text.lines().find(|line| line.starts_with("To: ")).unwrap().to_owned();
    assert_eq!(to(&challenge), to(&again), "the same request gets the same tag");
    assert!(to(&challenge).contains(";tag="));

    let wrong = request("INVITE", 2, &authorization(&challenge, "wrong"));
    assert!(reply(&front, &wrong, "8.8.8.8").unwrap().starts_with("SIP/2.0 401"));
    let right = request("INVITE", 3, &authorization(&challenge, "secret"));
    assert!(
        reply(&front, &right, "8.8.4.4").unwrap().starts_with("SIP/2.0 401"),
        "the nonce was given to another"
    );
    assert_eq!(reply(&front, &right, "8.8.8.8").unwrap(), "passed");
    assert_eq!(reply(&front, &request("INVITE", 4, ""), "8.8.8.8").unwrap(), "passed", "it is known now");
    front.clock.advance(std::time::Duration::from_hours(1));
    assert!(reply(&front, &request("INVITE", 5, ""), "8.8.8.8").unwrap().starts_with("SIP/2.0 401"));
}

#[test]
fn other_requests_of_an_unknown_source_are_answered_briefly_or_not_at_all() {
    let front = front();
    for (method, code) in [
        ("OPTIONS", "200 OK"),
        ("REGISTER", "405 Method Not Allowed"),
        ("INFO", "481 Call/Transaction Does Not Exist"),
        ("BYE", "481 Call/Transaction Does Not Exist"),
        ("NEW", "501 Not Implemented"),
    ] {
        let answer = reply(&front, &request(method, 1, ""), "2001:db8::1").unwrap();
        assert!(answer.starts_with(&format!("SIP/2.0 {code}\r\n")), "{method}: {answer}");
        assert!(!answer.contains("Warning"), "{answer}");
    }
    assert!(
        reply(&front, &request("INVITE", 1, "Max-Forwards: 0\r\n"), "8.8.8.8").unwrap().contains(" 483 ")
    );
    for silent in ["ACK", "CANCEL"] {
        assert_eq!(reply(&front, &request(silent, 1, ""), "8.8.8.8"), None);
    }
    assert_eq!(reply(&front, "SIP/2.0 200 OK\r\nVia: x\r\n\r\n", "8.8.8.8"), None);
    assert_eq!(front.counts().unreadable, 0, "a response from an unknown source is no unreadable message");
    assert_eq!(reply(&front, "nonsense", "8.8.8.8"), None);
}

#[test]
fn a_call_lets_its_ack_pass_from_every_address_and_keeps_its_connection_open() {
    let front = front();
    let tagged = |method: &str| request(method, 1, "").replacen(">\r\nCall-ID", ">;tag=ours\r\nCall-ID", 1);
    let passes = |method: &str| reply(&front, &tagged(method), "8.8.8.8").as_deref() == Some("passed");
    let key = DialogKey { call_id: "1@host".into(), remote_tag: "1".into(), local_tag: "ours".into() };
    let origin = Origin {
        id: Uuid::nil(),
        started: Timestamp::from_unix_millis(START),
        source: "203.0.113.5:5060".parse().unwrap(),
        protocol: "tcp",
        user_agent: None,
        p_charge_info: None,
    };
    assert!(!passes("ACK") && !front.is_needed(&arrival("203.0.113.5")));
    let mut call = front.calls.register(CallState::new(key, origin, 1, admitted(None), false));
    assert!(passes("ACK") && passes("BYE") && !passes("CANCEL"));
    assert_eq!(reply(&front, &request("ACK", 1, ""), "8.8.8.8"), None, "it has not the tag of the answer");
    assert!(front.is_needed(&arrival("203.0.113.5")) && !front.is_needed(&arrival("203.0.113.6")));
    let moved = Arrival { source: "203.0.113.5:5070".parse().unwrap(), ..arrival("203.0.113.5") };
    assert!(!front.is_needed(&moved), "another connection of the same host");
    call.moved_to(moved.source, "tls");
    assert!(front.is_needed(&moved) && !front.is_needed(&arrival("203.0.113.5")));
    let in_progress = front.calls.need(arrival("203.0.113.5").source, "tcp");
    assert!(front.is_needed(&arrival("203.0.113.5")), "the answer of a request goes there");
    drop(in_progress);
    drop(call);
    assert!(!passes("ACK") && !front.is_needed(&arrival("203.0.113.5")));
}

#[test]
fn beside_many_refusals_that_nothing_acknowledged_few_calls_without_a_digest_are_let_in() {
    let front = front();
    let source = "203.0.113.5".parse().unwrap();
    let subnet = front.trunks.read().index.naming(source);
    let is_let_in = |call: usize, further: &str| {
        reply(&front, &request("INVITE", call, further), "203.0.113.5").as_deref() == Some("passed")
    };
    let refused: Vec<_> = (0..request_slots::SLOT_LIMITS.of_source)
        .map(|_| front.request_slots.take(source, subnet).unwrap().of_refusal().unwrap())
        .collect();
    let passed = (0..2_000).filter(|call| is_let_in(*call, "")).count();
    // A source has two buckets of 200, and they drain meanwhile.
    assert!((400..800).contains(&passed), "{passed}");
    assert!(is_let_in(1, "Authorization: Digest username=\"user\"\r\n"));
    drop(refused);
    assert!(is_let_in(1, ""));
}

#[test]
fn what_an_unknown_source_sent_and_cannot_be_read_is_answered_where_an_answer_can_be_addressed() {
    let front = front();
    let whole = request("OPTIONS", 1, "");
    let blank = whole.replacen(" SIP/2.0\r\n", " SIP/2.0 \r\n", 1);
    let cut_off = whole.split_once("Content-Length").unwrap().0;
    let without = |name: &str| {
        let line = whole.split_inclusive("\r\n").find(|line| line.starts_with(name)).unwrap();
        whole.replace(line, "")
    };
    for bad in [blank.as_str(), cut_off, &without("From"), &without("To")] {
        let answer = reply(&front, bad, "8.8.8.8").unwrap();
        assert!(answer.starts_with("SIP/2.0 400 Bad Request\r\n"), "{answer}");
        assert!(
            answer.contains("branch=z9hG4bK1;received=8.8.8.8") && answer.len() <= 2 * bad.len(),
            "{answer}"
        );
    }
    assert_eq!(reply(&front, &without("Via"), "8.8.8.8").as_deref().map(|answer| &answer[..11]), None);
    assert_eq!(front.counts().unreadable, 4);
    let entries = front.attempts.list(&AttemptQuery::default());
    let why: Vec<&str> = entries.iter().map(|entry| entry.explanation.as_str()).collect();
    assert!(why[3].starts_with("the first line") && why[2].contains("no empty line"), "{why:?}");
    assert!(why[..2].iter().all(|why| why.contains("From")), "{why:?}");
    assert_eq!((&*entries[3].call_id, entries[3].code), ("1@host", Some(400)));
}

#[test]
fn an_unknown_caller_without_a_tag_is_challenged_like_any_other() {
    let front = front();
    let untagged = request("INVITE", 1, "").replace(";tag=1", "");
    assert!(reply(&front, &untagged, "8.8.8.8").unwrap().starts_with("SIP/2.0 401"));
}

#[test]
fn calls_to_a_trunk_that_allows_many_addresses_without_a_digest_pass_at_the_rate_of_answers() {
    let front = front();
    let passed = (0..1_000).filter(|call| {
        reply(&front, &request("INVITE", *call, ""), "198.51.100.1").as_deref() == Some("passed")
    });
    assert!((40..=70).contains(&passed.count()), "a burst, and what drains meanwhile");
    assert_eq!(reply(&front, &request("ACK", 0, ""), "198.51.100.1").unwrap(), "passed", "it is one of them");
    assert_eq!(reply(&front, &request("CANCEL", 0, ""), "198.51.100.1").unwrap(), "passed");
    assert_eq!(reply(&front, &request("ACK", 999, ""), "198.51.100.1"), None);
    assert_eq!(reply(&front, &request("ACK", 0, ""), "198.51.100.2"), None);
}

#[test]
fn answers_to_unknown_sources_go_on_while_a_tester_has_frozen_the_clock() {
    let front = front();
    let answered = || {
        let replies = (0..200).filter_map(|call| reply(&front, &request("OPTIONS", call, ""), "8.8.8.8"));
        replies.count()
    };
    assert!((1..100).contains(&answered()));
    // Each of the two buckets of a prefix drains by one in 200 milliseconds.
    std::thread::sleep(Duration::from_millis(250));
    assert!(answered() > 0);
}

#[test]
fn guessing_gets_rare_and_the_right_digest_of_a_source_that_proved_itself_is_always_verified() {
    let front = front();
    let challenge = reply(&front, &request("INVITE", 0, ""), "8.8.8.8").unwrap();
    let (right, wrong) = (authorization(&challenge, "secret"), authorization(&challenge, "guess"));
    assert_eq!(reply(&front, &request("INVITE", 1, &right), "8.8.8.8").unwrap(), "passed");
    let other = reply(&front, &request("INVITE", 0, ""), "9.9.9.9").unwrap();
    let guess = authorization(&other, "guess");
    let heard = (0..500).filter(|call| reply(&front, &request("INVITE", *call, &guess), "9.9.9.9").is_some());
    assert!(heard.count() <= 21);
    let truth = authorization(&other, "secret");
    assert_eq!(
        reply(&front, &request("INVITE", 1, &truth), "9.9.9.9"),
        None,
        "a digest beyond the limit is not verified"
    );
    // Both the username and the address of the first source are under attack.
    let digest = |_| {
        front.count_wrong(DigestAttempt {
            source: "8.8.8.8".parse().unwrap(),
            username: b"user",
            is_bound: true,
            now: front.clock.now(),
            running: front.clock.stopwatch(),
        })
    };
    assert!((0..500).filter(|at| digest(*at)).count() < 30);
    assert!(front.may_verify(DigestAttempt {
        source: "8.8.8.8".parse().unwrap(),
        username: b"user",
        is_bound: true,
        now: front.clock.now(),
        running: front.clock.stopwatch(),
    }));
    assert!(reply(&front, &request("INVITE", 2, &wrong), "8.8.8.8").is_some(), "it goes the ordinary way");
    assert!(front.counts().guesses_unanswered > 500);
}

#[test]
fn wrong_digests_with_a_forged_address_do_not_keep_out_its_owner() {
    let front = front();
    let [own, other] =
        ["8.8.8.8", "9.9.9.9"].map(|source| reply(&front, &request("INVITE", 0, ""), source).unwrap());
    // The sender of a forged address does not receive the nonces that are issued to it, but has its own ones. A
    // username that no trunk has needs none at all.
    let guess = authorization(&other, "guess");
    for forged in [guess.replace("\"user\"", "\"nobody\""), guess] {
        for call in 0..500 {
            let _challenge = reply(&front, &request("INVITE", call, &forged), "8.8.8.8");
        }
    }
    assert!(front.counts().guesses_unanswered > 500);
    let right = request("INVITE", 1, &authorization(&own, "secret"));
    assert_eq!(reply(&front, &right, "8.8.8.8").as_deref(), Some("passed"));
}

#[test]
fn calls_that_strangers_may_place_do_not_push_out_what_a_source_proved() {
    let front = front();
    let challenge = reply(&front, &request("INVITE", 0, ""), "8.8.8.8").unwrap();
    let right = request("INVITE", 1, &authorization(&challenge, "secret"));
    assert_eq!(reply(&front, &right, "8.8.8.8").as_deref(), Some("passed"));
    let (now, forged) = (front.clock.now(), arrival("198.51.100.1"));
    for call in 0..70_000 {
        let bytes = request("INVITE", call, "");
        assert_eq!(front.let_in(&Head::of(bytes.as_bytes()).unwrap(), &forged, now), FilterAction::Pass);
    }
    assert_eq!(front.source_status("8.8.8.8".parse().unwrap(), now), SourceStatus::Proven);
    assert_eq!(reply(&front, &request("ACK", 69_999, ""), "198.51.100.1").as_deref(), Some("passed"));
}

#[test]
fn a_call_makes_a_source_known_only_if_its_address_is_not_forged() {
    let front = front();
    let state_of = |source: &str, protocol: &'static str| {
        let key = DialogKey { call_id: source.into(), remote_tag: "1".into(), local_tag: "ours".into() };
        let origin = Origin {
            id: Uuid::nil(),
            started: Timestamp::from_unix_millis(START),
            source: source.parse().unwrap(),
            protocol,
            user_agent: None,
            p_charge_info: None,
        };
        CallState::new(key, origin, 1, admitted(None), false)
    };
    for (source, protocol, is_acknowledged, status) in [
        ("8.8.8.1:5060", "udp", false, SourceStatus::Unknown),
        ("8.8.8.2:5060", "udp", true, SourceStatus::Proven),
        ("8.8.8.3:5060", "tcp", false, SourceStatus::Proven),
    ] {
        let call_state = state_of(source, protocol);
        front.record_call(&call_state, is_acknowledged);
        let source = call_state.origin.source.ip();
        assert_eq!(front.source_status(source, front.clock.now()), status, "{source}");
    }
    // Nor does one that is active.
    let (forged, whole) = (state_of("8.8.8.4:5060", "udp"), state_of("8.8.8.5:5060", "tcp"));
    let calls = [forged, whole].map(|call_state| front.calls.register(call_state));
    let statuses = calls
        .each_ref()
        .map(|call| front.source_status(call.call_state.origin.source.ip(), front.clock.now()));
    assert_eq!(statuses, [SourceStatus::Unknown, SourceStatus::Proven]);
    drop(calls);
    assert_eq!(front.source_status("8.8.8.5".parse().unwrap(), front.clock.now()), SourceStatus::Unknown);
}

#[test]
fn the_tables_of_the_filter_do_not_grow_with_what_unknown_sources_send() {
    let front = front();
    let began = front.clock.stopwatch();
    for source in 0..50_000_u32 {
        let source = IpAddr::from((source.wrapping_mul(2_654_435_761) | 1 << 24).to_be_bytes());
        let _ = front.check(request("INVITE", 1, "").as_bytes(), &arrival(&source.to_string()));
    }
    let counts = front.counts();
    let seconds = front.clock.stopwatch().saturating_sub(began).as_secs() + 1;
    assert!(counts.unknown_answered <= 5_000 * (1 + seconds), "{counts:?}");
    assert_eq!(counts.dropped, 0);
    assert_eq!(front.request_slots.room("8.8.8.8".parse().unwrap(), None), Room::Ample);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    #[test]
    fn no_unknown_source_receives_more_than_twice_the_bytes_that_it_seems_to_have_sent(
        messages in proptest::collection::vec(
            (
                prop::sample::select(vec!["INVITE", "OPTIONS", "REGISTER", "BYE", "ACK", "CANCEL", "INFO", "X"]),
                prop::sample::select(vec!["8.8.8.8", "8.8.8.9", "9.9.9.9", "2001:db8::1"]),
                prop::sample::select(vec!["", "Max-Forwards: 0\r\n", "Authorization: Digest username=\"user\"\r\n", "X-Long: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n"]),
                0usize..400,
                any::<u8>(),
                1usize..6,
            ),
            1..60,
        ),
    ) {
        let front = front();
        let mut sent = HashMap::<&str, (usize, usize)>::new();
        for (method, source, further, at, byte, repetitions) in messages {
            let mut bytes = request(method, 1, further).into_bytes();
            // Some messages have one byte changed, or are cut off.
            if at < bytes.len() {
                if byte < 200 { bytes[at] = byte } else { bytes.truncate(at) }
            }
            for _ in 0..repetitions {
                let (bytes_in, bytes_out) = sent.entry(source).or_default();
                *bytes_in += bytes.len();
                match front.check(&bytes, &arrival(source)) {
                    FilterAction::Reply(answer) => *bytes_out += answer.len(),
                    FilterAction::Drop => {}
                    FilterAction::Pass | FilterAction::Replies(_) => {
                        prop_assert!(false, "no source has proved itself");
                    }
                }
                let unreadable = front.unreadable(&bytes, &arrival(source), Unreadable::Syntax);
                if let FilterAction::Reply(answer) = unreadable {
                    *bytes_in += bytes.len();
                    *bytes_out += answer.len();
                }
                prop_assert!(*bytes_out <= 2 * *bytes_in, "{source}: {bytes_out} for {bytes_in}");
            }
        }
    }
}

#[test]
fn the_challenge_of_one_node_is_answered_at_another_from_the_same_address_alone() {
    let (one, other) = (front_of(NodeMark::of(1)), front_of(NodeMark::of(2)));
    let now = one.clock.now();
    let [source, another]: [IpAddr; 2] = ["198.51.100.7", "198.51.100.8"].map(|text| text.parse().unwrap());
    let nonce = one.nonce(source, now);
    let bound = |source| BoundNonces { nonces: other.nonces_at(now), binding: other.binding(source) };
    assert_eq!(bound(source).state(nonce.as_bytes()), NonceState::Fresh);
    assert_eq!(bound(another).state(nonce.as_bytes()), NonceState::Expired);
    assert!(one.mark.made(nonce.as_bytes()) && !other.mark.made(nonce.as_bytes()));
}
