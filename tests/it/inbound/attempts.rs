//! The order of attempts, and their members in the record.

use std::net::UdpSocket;
use std::time::Duration;

use serde_json::{Value, json};
use trunk_server::inbound::{InboundCall, InboundStatus};

use super::place::*;
use crate::outbound::sipp_carrier::{Sipp, Steps};

/// The id of a trunk's reason to reroute a busy call, and another one.
const BUSY: i64 = 90;
const NOT_FOUND: i64 = 60;

/// A trunk's attributes with this priority.
fn priority(number: u32) -> Value {
    json!({ "priority": number })
}

/// The outcome of each attempt, and the next step after it.
fn tried(call: &InboundCall) -> Vec<(&str, &str)> {
    let texts = call.attempts.iter().map(|attempt| (attempt.outcome.as_deref(), attempt.next.as_deref()));
    texts.map(|(outcome, next)| (outcome.unwrap_or_default(), next.unwrap_or_default())).collect()
}

#[tokio::test]
async fn a_busy_trunk_is_followed_by_the_one_of_the_next_priority() {
    let place = Place::start().await;
    let busy = Sipp::start(&Steps::invited().refused(486), 1);
    let free = Sipp::start(&Steps::invited().answered().hung_up(), 1);
    let codes = json!({ "rerouting_disconnect_code_ids": [BUSY] });
    let second = place.trunk_of(&free.host(), priority(2), json!({})).await;
    let first = place.trunk_of(&busy.host(), priority(1), codes).await;
    let group = place.grouped(&[&second, &first], json!({})).await;
    let placed = place.call().await;
    let answered = place.wait_for(placed.id, InboundStatus::Answered).await;
    assert_eq!(answered.voice_in_trunk.unwrap().to_string(), second);
    assert_eq!(answered.voice_in_trunk_group.unwrap().to_string(), group);
    place.control.end_inbound_call(placed.id).await.unwrap();
    let ended = place.wait_for(placed.id, InboundStatus::Ended).await;
    assert_eq!(
        tried(&ended),
        [
            ("the carrier refused the call with 486", "the next trunk was tried"),
            ("the carrier answered the call", "the call ended with this attempt"),
        ]
    );
    let trunks: Vec<String> =
        ended.attempts.iter().map(|attempt| attempt.voice_in_trunk.to_string()).collect();
    assert_eq!(trunks, [first, second]);
    busy.went_as_written().await;
    free.went_as_written().await;
}

#[tokio::test]
async fn a_response_that_the_trunk_does_not_list_ends_the_call() {
    let place = Place::start().await;
    let busy = Sipp::start(&Steps::invited().refused(486), 1);
    let other = UdpSocket::bind("127.0.0.1:0").unwrap();
    let codes = json!({ "rerouting_disconnect_code_ids": [NOT_FOUND] });
    let first = place.trunk_of(&busy.host(), priority(1), codes).await;
    let host = other.local_addr().unwrap().to_string();
    let second = place.trunk_of(&host, priority(2), json!({})).await;
    place.grouped(&[&first, &second], json!({})).await;
    let ended = place.called().await;
    assert_eq!(ending(&ended), (486, "callee", "the trunk refused the call with 486"));
    let next = "the reason is not among the trunk's rerouting_disconnect_code_ids";
    assert_eq!(tried(&ended), [("the carrier refused the call with 486", next)]);
    busy.went_as_written().await;
    hears_nothing(&other);
}

/// Checks that nothing was sent to a socket.
fn hears_nothing(socket: &UdpSocket) {
    socket.set_nonblocking(true).unwrap();
    let heard = socket.recv_from(&mut [0; 64]);
    assert!(heard.is_err(), "{heard:?}");
}

#[tokio::test]
async fn a_trunk_that_rings_too_long_is_followed_by_the_next_one() {
    let place = Place::start().await;
    let ringing = Sipp::start(&Steps::invited().progress("180 Ringing").cancelled(), 1);
    let declining = Sipp::start(&Steps::invited().refused(603), 1);
    let attributes = json!({ "priority": 1, "ringing_timeout": 20 });
    let first = place.trunk_of(&ringing.host(), attributes, json!({})).await;
    let second = place.trunk_of(&declining.host(), priority(2), json!({})).await;
    place.grouped(&[&first, &second], json!({})).await;
    let placed = place.call().await;
    place.wait_for(placed.id, InboundStatus::Ringing).await;
    place.control.clock().advance(Duration::from_secs(20));
    let ended = place.wait_for(placed.id, InboundStatus::Ended).await;
    assert_eq!(ending(&ended), (603, "callee", "the trunk refused the call with 603"));
    assert_eq!(
        tried(&ended),
        [
            ("the trunk did not answer in time", "the next trunk was tried"),
            ("the carrier refused the call with 603", "no other trunk is left"),
        ]
    );
    ringing.went_as_written().await;
    declining.went_as_written().await;
}

#[tokio::test]
async fn a_trunk_that_does_not_respond_at_all_is_followed_by_the_next_one() {
    let place = Place::start().await;
    let silent = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let busy = Sipp::start(&Steps::invited().refused(486), 1);
    let host = silent.local_addr().unwrap().to_string();
    let first = place.trunk_of(&host, priority(1), json!({ "sip_timer_b": 8_000 })).await;
    let second = place.trunk_of(&busy.host(), priority(2), json!({})).await;
    place.grouped(&[&first, &second], json!({})).await;
    let placed = place.call().await;
    let mut invite = [0; 2_048];
    let heard = tokio::time::timeout(Duration::from_secs(30), silent.recv_from(&mut invite)).await;
    let (length, _) = heard.expect("no INVITE came").unwrap();
    assert!(invite[..length].starts_with(b"INVITE "));
    place.control.clock().advance(Duration::from_secs(8));
    let ended = place.wait_for(placed.id, InboundStatus::Ended).await;
    assert_eq!(
        tried(&ended),
        [
            ("the trunk did not respond", "the next trunk was tried"),
            ("the carrier refused the call with 486", "no other trunk is left"),
        ]
    );
    busy.went_as_written().await;
}

/// Challenges the first INVITE, and expects the answer of this user.
fn challenged(user: &str) -> Steps {
    let challenge = "<send retrans=\"500\"><![CDATA[\nSIP/2.0 401 Unauthorized\n[last_Via:]\n[last_From:]\n\
                     [last_To:];tag=[pid]-[call_number]-401\n[last_Call-ID:]\n[last_CSeq:]\n\
                     WWW-Authenticate: Digest realm=\"pbx\", nonce=\"n1\", qop=\"auth\", algorithm=MD5\n\
                     Content-Length: 0\n\n]]></send>";
    let again = format!(
        "<recv request=\"INVITE\" crlf=\"true\" rrs=\"true\"><action>\
         <ereg regexp=\"username=.{user}.\" search_in=\"hdr\" header=\"Authorization:\" check_it=\"true\" \
         assign_to=\"user\"/></action></recv><Reference variables=\"user\"/>"
    );
    Steps::invited().step(challenge).hears("ACK").step(&again)
}

#[tokio::test]
async fn a_challenge_is_answered_with_the_credentials_of_the_trunk() {
    let place = Place::start().await;
    let sipp = Sipp::start(&challenged("alice").answered().hangs_up(), 1);
    let credentials = json!({ "auth_enabled": true, "auth_user": "alice", "auth_password": "secret" });
    let trunk = place.trunk_of(&sipp.host(), json!({}), credentials).await;
    place.grouped(&[&trunk], json!({})).await;
    let ended = place.called().await;
    assert_eq!(ending(&ended), (200, "callee", "the trunk's side hung up"));
    assert_eq!((ended.attempts[0].challenges, ended.attempts[0].code), (1, Some(200)));
    let record = serde_json::to_string(&ended).unwrap();
    assert!(!record.contains("secret"), "{record}");
    sipp.went_as_written().await;
}

#[tokio::test]
async fn a_challenge_of_a_trunk_without_credentials_ends_the_attempt() {
    let place = Place::start().await;
    let sipp = Sipp::start(&Steps::invited().answered_with(401).hears("ACK"), 1);
    place.routed_to(&sipp).await;
    let ended = place.called().await;
    assert_eq!(ending(&ended), (401, "callee", "the trunk refused the call with 401"));
    assert_eq!(ended.attempts[0].challenges, 0);
    sipp.went_as_written().await;
}

#[tokio::test]
async fn the_caller_number_has_the_form_and_the_prefix_of_the_trunk() {
    let place = Place::start().await;
    for (format, prefix, expected) in [
        ("raw", Value::Null, "+442079460999"),
        ("e164", json!("+"), "+442079460999"),
        ("e164", json!("00"), "00442079460999"),
        ("local", json!("0"), "02079460999"),
    ] {
        let sipp = Sipp::start(&Steps::invited().refused(486), 1);
        let attributes = json!({ "cli_format": format, "cli_prefix": prefix });
        let trunk = place.trunk_of(&sipp.host(), attributes, json!({})).await;
        place.route("voice_in_trunk", crate::support::world::identifier("voice_in_trunks", &trunk)).await;
        let ended = place.called().await;
        assert_eq!(ended.attempts[0].cli, expected, "{format}");
        sipp.went_as_written().await;
    }
}

#[tokio::test]
async fn trunks_that_are_no_sip_hosts_are_recorded_and_passed_over() {
    let place = Place::start().await;
    let sipp = Sipp::start(&Steps::invited().refused(486), 1);
    let pstn = json!({ "dst": "442079460999" });
    let pstn = place.trunk(priority(1), "pstn_configurations", pstn).await;
    let registration = json!({ "enabled_sip_registration": true, "use_did_in_ruri": true });
    let registered = place.trunk(priority(2), "sip_configurations", registration).await;
    let host = place.trunk_of(&sipp.host(), priority(3), json!({})).await;
    let group = place.grouped(&[&pstn, &registered, &host], json!({})).await;
    let ended = place.called().await;
    assert_eq!(ended.voice_in_trunk_group.unwrap().to_string(), group);
    assert_eq!(
        tried(&ended),
        [
            (
                "not dialled: calls of pstn_configurations leave for the telephone network",
                "the next trunk was tried"
            ),
            ("not dialled: no device is registered for the trunk", "the next trunk was tried"),
            ("the carrier refused the call with 486", "no other trunk is left"),
        ]
    );
    assert_eq!(ended.attempts[0].uri, None);
    sipp.went_as_written().await;
    place.route("voice_in_trunk", crate::support::world::identifier("voice_in_trunks", &registered)).await;
    let alone = place.called().await;
    assert_eq!(ending(&alone), (480, "server", "the trunk was not dialled"));
}

#[tokio::test]
async fn a_call_is_not_sent_to_an_address_of_this_machine_unless_that_is_permitted() {
    let place = Place::with(|config| config.allow_private_destinations = false).await;
    let own = UdpSocket::bind("127.0.0.1:0").unwrap();
    let trunk = place.trunk_of(&own.local_addr().unwrap().to_string(), json!({}), json!({})).await;
    place.grouped(&[&trunk], json!({})).await;
    let ended = place.called().await;
    assert_eq!(ending(&ended), (408, "callee", "the trunk did not respond"));
    let outcome = ended.attempts[0].outcome.as_deref().unwrap();
    assert!(outcome.contains("which calls to SIP URIs must not reach"), "{outcome}");
    assert_eq!((ended.attempts[0].target.as_deref(), ended.attempts[0].sent_at), (None, None));
    hears_nothing(&own);
}
