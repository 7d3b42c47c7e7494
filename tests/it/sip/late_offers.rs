//! Calls without an offer in the INVITE, encryption, and the versions of session descriptions.

use serde_json::{Value, json};

use super::edge::{ANSWERS_AT_ONCE, Edge, RINGS_THEN_ANSWERS, Trunk, source};
use super::media::hears_its_echo;
use super::message::Message;
use super::uac::{Call, Uac};
use crate::docs::why::assert_has_sentence;

const KEY: &str = "d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj";

async fn trunk_with(edge: &Edge, mode: &str) -> Trunk {
    let trunk = edge.trunk(json!({ "media_encryption_mode": mode })).await;
    edge.ip_only(&trunk, &["127.0.0.0/8"]).await;
    trunk
}

/// Places a call without an offer. Returns the call, the edge's offer and its response.
async fn offered(edge: &Edge) -> (Call, String, Message) {
    let mut call = Call::new(edge, ANSWERS_AT_ONCE).await;
    let own = std::mem::take(&mut call.offer);
    let answer = call.attempt().await;
    assert_eq!(answer.code(), 200, "{answer:?}");
    (call, own, answer)
}

fn crypto(tag: u8) -> String {
    format!("a=crypto:{tag} AES_CM_128_HMAC_SHA1_80 inline:{KEY}\r\n")
}

#[tokio::test]
async fn a_call_without_an_offer_is_offered_what_its_trunk_demands() {
    let edge = Edge::start().await;
    for (mode, profile, encrypted) in
        [("disabled", "RTP/AVP", false), ("zrtp", "RTP/AVP", false), ("srtp_sdes", "RTP/SAVP", true)]
    {
        let trunk = trunk_with(&edge, mode).await;
        let (mut call, own, offer) = offered(&edge).await;
        let audio = offer.media().1;
        assert!(audio.ends_with(&format!(" {profile} 8 0 101")), "{mode}: {audio}");
        let key = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:";
        assert_eq!(offer.body.contains(key), encrypted, "{mode}: {}", offer.body);
        call.acknowledgement = own.replace("RTP/AVP", profile);
        if encrypted {
            call.acknowledgement += &crypto(1);
        }
        call.acknowledge().await;
        assert_eq!(call.request("UPDATE", &[], "").await.code(), 200, "it is up");
        call.hang_up().await;
        assert_eq!(edge.record(&trunk, 1).await["disconnect_reason"], "Bye");
        edge.api.delete(&format!("/voice_out_trunks/{}", trunk.id)).await;
    }
}

/// Checks that the record of a call that was ended for its answer, the recent attempts and both lines of the log have
/// one sentence, which begins so.
async fn assert_ended_because(edge: &Edge, call: &Call, record: &Value, beginning: &str) {
    let why = record["explanation"].as_str().unwrap();
    assert!(why.starts_with(beginning), "{why} is not: {beginning}");
    assert_has_sentence(why);
    let stated = format!("why=\"{why}\"");
    edge.logs(&[" ended ", &call.id, &stated]).await;
    edge.logs(&[" WARN ", "no media were agreed on", &call.id, &stated]).await;
    let entry = edge.control.get(&format!("/attempts?call_id={}&outcome=ended", call.id)).await;
    assert_eq!(entry.at("/attempts/0/explanation"), why, "{}", entry.text);
}

const NOT_OFFERED: &str = "the caller's answer has the profile";
const NO_KEY: &str = "the caller's answer has no a=crypto line with tag 1";
const NOT_ANSWERED: &str = "the caller did not answer the offer: its ACK has no session description";
const NO_CODEC: &str = "the caller's answer has none of the codecs that were offered to it, but ";

#[tokio::test]
async fn a_call_whose_answer_does_not_fit_the_offer_is_ended_and_its_record_says_so() {
    let edge = Edge::start().await;
    for (mode, answers) in [
        (
            "srtp_sdes",
            vec![
                ("RTP/AVP", String::new(), "No suitable media", NOT_OFFERED),
                ("RTP/AVP", crypto(1), "No suitable media", NOT_OFFERED),
                ("RTP/SAVP", String::new(), "No suitable media", NO_KEY),
                ("RTP/SAVP", crypto(2), "No suitable media", NO_KEY),
            ],
        ),
        (
            "disabled",
            vec![
                ("RTP/SAVP", crypto(1), "No suitable media", NOT_OFFERED),
                ("", String::new(), "No suitable media", NOT_ANSWERED),
                ("codec", String::new(), "Codecs not matched", NO_CODEC),
                (
                    "off",
                    String::new(),
                    "No suitable media",
                    "the caller's answer refuses the audio stream that was offered to it",
                ),
                (
                    "text",
                    String::new(),
                    "SDP parsing failed",
                    "the caller's answer cannot be parsed: the body does not begin with v=0",
                ),
            ],
        ),
    ] {
        let trunk = trunk_with(&edge, mode).await;
        for (count, (profile, further, reason, why)) in answers.into_iter().enumerate() {
            let (mut call, own, _) = offered(&edge).await;
            call.acknowledgement = match profile {
                "" => String::new(),
                "text" => "hello".to_owned(),
                "off" => {
                    let (before, rest) = own.split_once("m=audio ").unwrap();
                    let (_, rest) = rest.split_once(' ').unwrap();
                    format!("{before}m=audio 0 {rest}")
                }
                "codec" => {
                    own.replace("RTP/AVP 8 0 101", "RTP/AVP 18").replace("a=rtpmap:8 PCMA/8000\r\n", "")
                }
                profile => own.replace("RTP/AVP", profile) + &further,
            };
            call.acknowledge().await;
            let bye = call.hung_up().await;
            assert!(bye.header("Reason").is_some_and(|text| text.contains(reason)), "{bye:?}");
            let record = edge.record(&trunk, count + 1).await;
            assert_eq!(
                (&record["disconnect_reason"], &record["disconnect_code"]),
                (&json!(reason), &json!(488)),
                "{mode} {profile}: {record}"
            );
            assert_ended_because(&edge, &call, &record, why).await;
        }
        edge.api.delete(&format!("/voice_out_trunks/{}", trunk.id)).await;
    }
}

#[tokio::test]
async fn an_answer_in_an_ack_that_cannot_be_read_or_is_from_another_address_ends_the_call_with_that_reason() {
    let edge = Edge::start().await;
    let trunk = edge.trunk(json!({})).await;
    let mut other = Uac::udp(&edge).await;
    // The address of the other sender is known, by another trunk.
    let known = edge.trunk(json!({})).await;
    edge.ip_only(&known, &[&format!("{}/32", other.local.ip())]).await;
    let own = source();
    edge.ip_only(&trunk, &[&format!("{own}/32")]).await;
    for (count, is_foreign) in [false, true].into_iter().enumerate() {
        let mut call = Call::over(Uac::udp_from(&edge, own).await, &edge, ANSWERS_AT_ONCE).await;
        call.acknowledgement = std::mem::take(&mut call.offer);
        let answer = call.attempt().await;
        assert_eq!(answer.code(), 200, "{answer:?}");
        let why = if is_foreign {
            call.acknowledge_from(&mut other).await;
            let source = other.local.ip();
            format!(
                "the caller did not answer the offer: its ACK came from {source}, which the trunk does not allow"
            )
        } else {
            call.content = vec!["Content-Type: text/plain".to_owned()];
            call.acknowledge().await;
            "the caller did not answer the offer: its ACK cannot be read: the body, ".to_owned()
        };
        call.hung_up().await;
        let record = edge.record(&trunk, count + 1).await;
        assert_eq!(record["disconnect_reason"], "No suitable media", "{record}");
        assert_ended_because(&edge, &call, &record, &why).await;
    }
}

#[tokio::test]
async fn the_same_holds_for_a_re_invite_without_an_offer() {
    let edge = Edge::start().await;
    let trunk = trunk_with(&edge, "srtp_sdes").await;
    let mut call = Call::new(&edge, ANSWERS_AT_ONCE).await;
    call.offer = call.offer.replace("RTP/AVP", "RTP/SAVP") + &crypto(1);
    let answer = call.attempt().await;
    assert_eq!(answer.code(), 200);
    call.acknowledge().await;
    call.acknowledgement = call.offer.clone();
    let offer = call.request("INVITE", &[], "").await;
    assert!(
        offer.media().1.ends_with("RTP/SAVP 8 0 101") && offer.body.contains("a=crypto:1 "),
        "{}",
        offer.body
    );
    assert_eq!(call.request("UPDATE", &[], "").await.code(), 200, "that was answered well");
    call.acknowledgement = call.offer.replace("RTP/SAVP", "RTP/AVP");
    assert_eq!(call.request("INVITE", &[], "").await.code(), 200);
    call.hung_up().await;
    assert_eq!(edge.record(&trunk, 1).await["disconnect_reason"], "No suitable media");
}

#[tokio::test]
async fn a_re_invite_without_an_offer_is_offered_the_streams_and_the_codec_of_the_call() {
    let edge = Edge::start().await;
    let trunk = trunk_with(&edge, "disabled").await;
    let mut call = Call::new(&edge, ANSWERS_AT_ONCE).await;
    call.offer = call
        .offer
        .replace("m=audio", "m=video 5004 RTP/AVP 97\r\nm=audio")
        .replace("RTP/AVP 8 0 101", "RTP/AVP 18 101")
        + "a=fmtp:18 annexb=no\r\n";
    assert_eq!(call.attempt().await.code(), 200);
    call.acknowledge().await;
    call.acknowledgement = call.offer.clone();
    let offer = call.request("INVITE", &[], "").await;
    assert_eq!(offer.code(), 200);
    let lines: Vec<&str> = offer.body.lines().filter(|line| line.starts_with("m=")).collect();
    assert_eq!(lines[0], "m=video 0 RTP/AVP 97", "a session has never fewer streams than before");
    assert!(lines.len() == 2 && lines[1].ends_with(" RTP/AVP 18 8 0 101"), "{lines:?}");
    assert!(offer.body.contains("\r\na=fmtp:18 annexb=no\r\n"), "{}", offer.body);
    assert_eq!(call.request("UPDATE", &[], "").await.code(), 200, "the answer fits");
    call.hang_up().await;
    assert_eq!(edge.record(&trunk, 1).await["disconnect_reason"], "Bye");
}

#[tokio::test]
async fn a_stream_that_the_answer_of_a_caller_leaves_out_stays_in_later_offers() {
    let edge = Edge::start().await;
    let trunk = trunk_with(&edge, "disabled").await;
    let mut call = Call::new(&edge, ANSWERS_AT_ONCE).await;
    call.acknowledgement = call.offer.clone();
    call.offer = call.offer.replace("m=audio", "m=video 5004 RTP/AVP 97\r\nm=audio");
    assert_eq!(call.attempt().await.code(), 200);
    call.acknowledge().await;
    for _ in 0..3 {
        let offer = call.request("INVITE", &[], "").await;
        assert_eq!(offer.code(), 200, "the answer to the one before came with its ACK");
        let lines: Vec<&str> = offer.body.lines().filter(|line| line.starts_with("m=")).collect();
        assert_eq!((lines.len(), lines[0]), (2, "m=video 0 RTP/AVP 97"), "{}", offer.body);
    }
    call.hang_up().await;
    assert_eq!(edge.record(&trunk, 1).await["disconnect_reason"], "Bye");
}

#[tokio::test]
async fn a_caller_that_insists_on_confirming_gets_the_offer_early_and_answers_it_in_its_prack() {
    let edge = Edge::with_config("[[sip.far_end]]\nprefix = \"44\"\nearly_media = true\n").await;
    let trunk = trunk_with(&edge, "disabled").await;
    for fits in [true, false] {
        let mut call = Call::new(&edge, RINGS_THEN_ANSWERS).await;
        let own = std::mem::take(&mut call.offer);
        call.headers.push("Require: 100rel".to_owned());
        call.invite(&[]).await;
        let progress = call.ringing(183).await;
        assert!(progress.media().1.ends_with("RTP/AVP 8 0 101"), "{progress:?}");
        let invite = call.sequence;
        let rack = format!("RAck: {} {invite} INVITE", progress.header("RSeq").unwrap());
        let answer = if fits { own } else { own.replace("RTP/AVP 8 0 101", "RTP/AVP 18") };
        let confirmed = call.request("PRACK", &[&rack], &answer).await;
        let next = call.sequence;
        call.sequence = invite;
        let last = call.answer().await;
        if fits {
            assert_eq!((confirmed.code(), last.code(), last.body.as_str()), (200, 200, ""));
            call.acknowledge().await;
            hears_its_echo(&call, progress.media().0, 1).await;
            call.sequence = next;
            call.hang_up().await;
        } else {
            assert_eq!((confirmed.code(), last.code()), (488, 488));
            let record = edge.record(&trunk, 2).await;
            assert_ended_because(&edge, &call, &record, NO_CODEC).await;
            let stated = format!(";why=\"{}\"", record["explanation"].as_str().unwrap());
            assert!(last.header("X-Refusal").is_some_and(|header| header.ends_with(&stated)), "{last:?}");
        }
    }
    assert_eq!(edge.record(&trunk, 2).await["disconnect_reason"], "Codecs not matched");
}

#[tokio::test]
async fn an_offer_in_a_prack_is_answered_once_the_first_one_was() {
    let edge = Edge::with_config("[[sip.far_end]]\nprefix = \"44\"\nearly_media = true\n").await;
    trunk_with(&edge, "disabled").await;
    let mut call = Call::new(&edge, RINGS_THEN_ANSWERS).await;
    call.headers.push("Supported: 100rel".to_owned());
    call.invite(&[]).await;
    let progress = call.ringing(183).await;
    let invite = call.sequence;
    let early = call.request("INVITE", &[], "").await;
    assert_eq!(
        (early.code(), early.header("Retry-After").is_some()),
        (500, true),
        "the first one is pending"
    );
    let rack = format!("RAck: {} {invite} INVITE", progress.header("RSeq").unwrap());
    let new = call.offer.replace("RTP/AVP 8 0 101", "RTP/AVP 0");
    let confirmed = call.request("PRACK", &[&rack], &new).await;
    assert!(confirmed.code() == 200 && confirmed.media().1.ends_with("RTP/AVP 0"), "{confirmed:?}");
}

#[tokio::test]
async fn encryption_that_is_offered_as_optional_is_taken_where_the_trunk_demands_it() {
    let edge = Edge::start().await;
    trunk_with(&edge, "srtp_sdes").await;
    let mut call = Call::new(&edge, ANSWERS_AT_ONCE).await;
    let plain = call.offer.clone();
    call.offer += &crypto(4);
    let answer = call.attempt().await;
    assert_eq!(answer.code(), 200, "{answer:?}");
    assert!(answer.media().1.contains(" RTP/AVP 8 101"), "{answer:?}");
    assert!(answer.body.contains("a=crypto:4 AES_CM_128_HMAC_SHA1_80 inline:"), "{answer:?}");
    call.acknowledge().await;
    call.hang_up().await;
    let mut call = Call::new(&edge, ANSWERS_AT_ONCE).await;
    call.offer = plain;
    assert_eq!(call.attempt().await.code(), 488);
}

#[tokio::test]
async fn a_trunk_with_dtls_is_refused_unless_signalling_alone_is_wanted() {
    let dtls = |call: &Call| {
        call.offer.replace("RTP/AVP", "UDP/TLS/RTP/SAVP")
            + "a=setup:actpass\r\na=fingerprint:sha-256 AB:CD\r\n"
    };
    let edge = Edge::start().await;
    let trunk = trunk_with(&edge, "srtp_dtls").await;
    for late in [false, true] {
        let mut call = Call::new(&edge, ANSWERS_AT_ONCE).await;
        call.offer = if late { String::new() } else { dtls(&call) };
        assert_eq!(call.attempt().await.code(), 488);
    }
    assert_eq!(edge.record(&trunk, 2).await["disconnect_reason"], "DTLS-SRTP media is not implemented");

    let edge = Edge::with_config("[sip]\ndtls_signalling_only = true\n").await;
    trunk_with(&edge, "srtp_dtls").await;
    let mut call = Call::new(&edge, ANSWERS_AT_ONCE).await;
    call.offer = dtls(&call);
    let answer = call.attempt().await;
    assert!(
        answer.code() == 200 && answer.body.contains("a=setup:passive\r\na=fingerprint:sha-256 "),
        "{answer:?}"
    );
    call.acknowledge().await;
    call.hang_up().await;
}

/// The id and the version of a session description.
fn origin(message: &Message) -> (u64, u64) {
    let line = message.body.lines().find_map(|line| line.strip_prefix("o=")).unwrap();
    let words: Vec<&str> = line.split(' ').collect();
    (words[1].parse().unwrap(), words[2].parse().unwrap())
}

#[tokio::test]
async fn a_description_has_the_id_of_its_call_and_a_version_that_grows_with_each_change() {
    let edge = Edge::with_config("[[sip.far_end]]\nprefix = \"44\"\nearly_media = true\n").await;
    trunk_with(&edge, "disabled").await;
    let mut call = Call::new(&edge, RINGS_THEN_ANSWERS).await;
    call.offer = call.offer.replace("t=0 0", "t=3034423619 3042462419");
    let answer = call.attempt().await;
    assert_eq!(answer.code(), 200);
    call.acknowledge().await;
    let progress = call.provisional.last().unwrap().clone();
    assert_eq!(progress.body, answer.body, "what was said is said again");
    assert!(answer.body.contains("\r\ns=-\r\n") && answer.body.contains("\r\nt=3034423619 3042462419\r\n"));
    let (id, first) = origin(&answer);
    let same = call.offer.clone();
    assert_eq!(origin(&call.request("INVITE", &[], &same).await), (id, first), "nothing changed");
    let hold = format!("{same}a=sendonly\r\n");
    assert_eq!(origin(&call.request("INVITE", &[], &hold).await), (id, first + 1));
    assert_eq!(origin(&call.request("UPDATE", &[], &hold).await), (id, first + 1));
    call.acknowledgement = same.clone();
    assert_eq!(
        origin(&call.request("INVITE", &[], "").await),
        (id, first + 2),
        "an offer is of the same session"
    );
    let again = call.request("INVITE", &[], &same).await;
    assert_eq!(again.code(), 200, "the answer to the offer came with its ACK");
    assert_eq!(origin(&again), (id, first + 3));
    assert_eq!(origin(&call.request("UPDATE", &[], &same).await), (id, first + 3));
    call.hang_up().await;
    let mut other = Call::new(&edge, ANSWERS_AT_ONCE).await;
    assert_ne!(origin(&other.attempt().await).0, id);
}

#[tokio::test]
async fn the_key_of_a_call_stays_when_it_is_negotiated_again() {
    let edge = Edge::start().await;
    trunk_with(&edge, "srtp_sdes").await;
    let mut call = Call::new(&edge, ANSWERS_AT_ONCE).await;
    call.offer = call.offer.replace("RTP/AVP", "RTP/SAVP") + &crypto(1);
    let answer = call.attempt().await;
    call.acknowledge().await;
    let again = call.offer.clone();
    assert_eq!(call.request("INVITE", &[], &again).await.body, answer.body);
    call.hang_up().await;
}
