//! The media of calls in records, in the list of active calls and in the log, and why a call has no audio.

use std::net::{Ipv4Addr, SocketAddr};

use serde_json::{Value, json};
use tokio::net::UdpSocket;

use super::edge::{ANSWERS_AT_ONCE, Edge, Trunk, credentials, source, until};
use super::media::{hears_its_echo, looked_at, packet};
use super::uac::{Call, Uac, offer};
use crate::docs::why::assert_has_row;

const KEY: &str = "d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj";

/// Places a call and sends packets. Checks that the active call, the record, the recent attempts and the log have the
/// same sentence with these words, and that the page about failed calls has a row for it. Returns the record.
async fn states(edge: &Edge, trunk: &Trunk, mut call: Call, packets: &[Vec<u8>], words: &[&str]) -> Value {
    let (at, _) = call.place(trunk).await.media();
    states_at(edge, trunk, call, at, packets, words).await
}

/// The same for a call that was placed before, and whose media goes to this address of the edge.
async fn states_at(
    edge: &Edge,
    trunk: &Trunk,
    mut call: Call,
    at: SocketAddr,
    packets: &[Vec<u8>],
    words: &[&str],
) -> Value {
    for packet in packets {
        call.media.send_to(packet, at).await.unwrap();
    }
    let live = until("the packets are counted", async || {
        let live = edge.active().await.into_iter().find(|live| live["call_id"] == call.id.as_str())?;
        let media = &live["media"];
        let counted = ["/packets_received", "/dropped/source", "/dropped/not_rtp"];
        let counted: u64 = counted.iter().map(|name| media.pointer(name).unwrap().as_u64().unwrap()).sum();
        (counted == packets.len() as u64 && !live["time_connect"].is_null()).then_some(live)
    })
    .await;
    let sentence = live["no_audio"].as_str().unwrap_or_else(|| panic!("{live}")).to_owned();
    assert!(sentence.starts_with("no audio, because "), "{sentence}");
    assert!(words.iter().all(|word| sentence.contains(word)), "{sentence} lacks one of {words:?}");
    call.hang_up().await;
    let record = edge.record(trunk, 1).await;
    assert_eq!(record["no_audio"], sentence.as_str(), "{record}");
    assert_eq!(record["media"], live["media"]);
    let ended = edge.control.get(&format!("/attempts?call_id={}&outcome=ended", call.id)).await;
    assert_eq!(ended.at("/attempts/0/no_audio"), sentence.as_str(), "{}", ended.text);
    edge.logs(&[" ended ", &call.id, &format!("no_audio=\"{sentence}\"")]).await;
    assert_has_row(&sentence);
    record
}

fn packets(count: u16) -> Vec<Vec<u8>> {
    (0..count).map(packet).collect()
}

async fn new_call(edge: &Edge) -> Call {
    Call::new(edge, ANSWERS_AT_ONCE).await
}

#[tokio::test]
async fn a_private_address_in_the_description_is_named_with_where_media_comes_from() {
    let edge = Edge::start().await;
    let trunk = edge.trunk(json!({})).await;
    let mut call = new_call(&edge).await;
    call.offer = offer("10.11.12.13:4000".parse().unwrap());
    let from = call.media.local_addr().unwrap().to_string();
    let words = ["the private address 10.11.12.13:4000", from.as_str(), "force_symmetric_rtp is off"];
    let record = states(&edge, &trunk, call, &packets(3), &words).await;
    assert_eq!(
        (&record["media"]["sdp_address"], &record["media"]["first_source"]),
        (&json!("10.11.12.13:4000"), &json!(from))
    );
}

#[tokio::test]
async fn ipv6_media_of_a_call_over_ipv4_and_the_reverse_are_named() {
    let edge = Edge::start().await;
    let trunk = edge.trunk(json!({})).await;
    let mut call = new_call(&edge).await;
    call.offer = offer("[2001:db8::5]:4000".parse().unwrap());
    states(&edge, &trunk, call, &packets(4), &["c=IN IP6 2001:db8::5", "the call comes over IPv4"]).await;
    let trunk = edge.trunk(json!({})).await;
    let mut call = new_call(&edge).await;
    call.offer = offer("[2001:db8::5]:4000".parse().unwrap());
    states(&edge, &trunk, call, &[], &["no RTP packet arrived", "c=IN IP6 2001:db8::5"]).await;

    let edge = Edge::with_arguments(&["--sip-listen", "[::1]:0"]).await;
    let trunk = edge.trunk(json!({ "authentication_method": credentials(&["::1/128"], None) })).await;
    let mut call = Call::over(Uac::udp_over_ipv6(&edge).await, &edge, ANSWERS_AT_ONCE).await;
    call.offer = offer("192.0.2.5:4000".parse().unwrap());
    states(&edge, &trunk, call, &packets(2), &["c=IN IP4 192.0.2.5", "the call comes over IPv6"]).await;
}

#[tokio::test]
async fn a_call_in_which_no_packet_arrived_names_the_address_that_waited() {
    let edge = Edge::start().await;
    let trunk = edge.trunk(json!({})).await;
    let call = new_call(&edge).await;
    let record = states(&edge, &trunk, call, &[], &["no RTP packet arrived at 127.0.0.1:", "rtp_ping"]).await;
    assert_eq!(
        (&record["media"]["first_source"], &record["media"]["jitter_ms"]),
        (&json!(null), &json!(null))
    );
}

#[tokio::test]
async fn packets_from_addresses_that_are_not_allowed_are_named() {
    let edge = Edge::start().await;
    let trunk = edge.trunk(json!({ "allowed_rtp_ips": ["192.0.2.0/24"] })).await;
    let call = new_call(&edge).await;
    let from = call.media.local_addr().unwrap().ip().to_string();
    let words = ["all 3 RTP packets", "allowed_rtp_ips does not contain", &from];
    let record = states(&edge, &trunk, call, &packets(3), &words).await;
    assert_eq!((&record["media"]["dropped"]["source"], &record["rtp_dropped"]), (&json!(3), &json!(3)));
}

#[tokio::test]
async fn a_description_that_carries_no_audio_is_named() {
    let edge = Edge::start().await;
    for (attribute, sent, words) in [
        ("a=inactive\r\n", 2, "is inactive"),
        ("a=sendonly\r\n", 2, "does not receive"),
        ("a=recvonly\r\n", 0, "sends nothing"),
    ] {
        let trunk = edge.trunk(json!({})).await;
        let mut call = new_call(&edge).await;
        call.offer.push_str(attribute);
        let record = states(&edge, &trunk, call, &packets(sent), &[words]).await;
        assert_eq!(record["media"]["direction"], attribute[2..].trim_end());
    }
    let trunk = edge.trunk(json!({})).await;
    let mut call = new_call(&edge).await;
    call.offer = call.offer.replace(&format!("c=IN IP4 {}", call.uac.local.ip()), "c=IN IP4 0.0.0.0");
    states(&edge, &trunk, call, &packets(2), &["on hold", "unspecified"]).await;
}

#[tokio::test]
async fn packets_of_another_payload_type_are_named_with_the_agreed_one() {
    let edge = Edge::start().await;
    let trunk = edge.trunk(json!({})).await;
    let other = packets(5).into_iter().map(|mut packet| {
        packet[1] = 18;
        packet
    });
    let words = ["all 5 RTP packets", "such as 18", "the agreed 8 (PCMA)"];
    let record = states(&edge, &trunk, new_call(&edge).await, &other.collect::<Vec<_>>(), &words).await;
    assert_eq!(record["media"]["dropped"]["payload_type"], 5);
}

#[tokio::test]
async fn srtp_that_cannot_be_authenticated_is_named_and_so_is_data_that_is_not_rtp() {
    let edge = Edge::start().await;
    let trunk = edge.trunk(json!({ "media_encryption_mode": "srtp_sdes" })).await;
    let mut call = new_call(&edge).await;
    call.offer = call.offer.replace("RTP/AVP", "RTP/SAVP")
        + &format!("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}\r\n");
    let words = ["4 SRTP packets cannot be authenticated", "a=crypto"];
    let record = states(&edge, &trunk, call, &packets(4), &words).await;
    let media = &record["media"];
    assert_eq!(
        (&media["profile"], &media["encryption"], &media["unauthenticated"]),
        (&json!("RTP/SAVP"), &json!("sdes"), &json!(4))
    );
    let trunk = edge.trunk(json!({})).await;
    let garbage = [b"hello, are you there?".to_vec()];
    states(&edge, &trunk, new_call(&edge).await, &garbage, &["data that is not RTP arrived (packets: 1)"])
        .await;
}

#[tokio::test]
async fn dtls_that_is_signalled_alone_is_named_whether_packets_come_or_not() {
    let edge = Edge::with_config("[sip]\ndtls_signalling_only = true\n").await;
    for sent in [0, 3] {
        let trunk = edge.trunk(json!({ "media_encryption_mode": "srtp_dtls" })).await;
        let mut call = new_call(&edge).await;
        call.offer = call.offer.replace("RTP/AVP", "UDP/TLS/RTP/SAVP")
            + "a=setup:actpass\r\na=fingerprint:sha-256 4A:AD:B9:B1\r\n";
        let words = ["no audio, because DTLS-SRTP media is not implemented"];
        let record = states(&edge, &trunk, call, &packets(sent), &words).await;
        let media = &record["media"];
        assert_eq!(
            (&media["profile"], &media["encryption"]),
            (&json!("UDP/TLS/RTP/SAVP"), &json!("dtls")),
            "{record}"
        );
    }
}

#[tokio::test]
async fn encrypted_media_that_is_only_counted_is_named() {
    let edge = Edge::start().await;
    let trunk = edge.trunk(json!({ "media_encryption_mode": "zrtp" })).await;
    let call = new_call(&edge).await;
    let record =
        states(&edge, &trunk, call, &packets(3), &["is encrypted", "neither decrypted nor echoed"]).await;
    assert_eq!(record["media"]["encryption"], "zrtp", "{record}");
}

#[tokio::test]
async fn media_that_would_go_to_a_socket_of_the_server_is_named() {
    let edge = Edge::start().await;
    let trunk = edge.trunk(json!({})).await;
    // The caller is on the server's own address, so that its packets come from the host that it names.
    let mut call = Call::over(Uac::udp_from(&edge, Ipv4Addr::LOCALHOST).await, &edge, ANSWERS_AT_ONCE).await;
    call.offer = offer(edge.sip);
    let record = states(&edge, &trunk, call, &packets(3), &["a socket of this server"]).await;
    let media = &record["media"];
    assert_eq!(
        (&media["dropped"]["own_socket"], &media["sdp_address"]),
        (&json!(3), &json!(edge.sip.to_string())),
        "{record}"
    );
}

#[tokio::test]
async fn packets_beyond_the_limit_of_media_are_named_with_their_number() {
    let edge = Edge::with_config("[sip]\nmedia_bytes_per_second = 1500\n").await;
    let trunk = edge.trunk(json!({})).await;
    // Each is longer than what all calls together may send in a second.
    let long = packets(3).into_iter().map(|mut packet| {
        packet.resize(1_600, 0xd5);
        packet
    });
    let words = ["the limit of media was reached: 0 packets exceeded the codec's rate, 3 that of all calls"];
    let record = states(&edge, &trunk, new_call(&edge).await, &long.collect::<Vec<_>>(), &words).await;
    assert_eq!(
        (&record["media"]["dropped"]["all_calls"], &record["rtp_excess"]),
        (&json!(3), &json!(3)),
        "{record}"
    );
}

#[tokio::test]
async fn a_stream_that_the_caller_removed_is_named() {
    let edge = Edge::start().await;
    let trunk = edge.trunk(json!({})).await;
    let mut call = new_call(&edge).await;
    let port = call.media.local_addr().unwrap().port();
    // A stream that had carried audio in both directions would have the reason of that time.
    let removed = call.offer.replace(&format!("m=audio {port}"), "m=audio 0");
    call.offer.push_str("a=inactive\r\n");
    let (at, _) = call.place(&trunk).await.media();
    let answer = call.request("INVITE", &[], &removed).await;
    assert!(answer.code() == 200 && answer.body.contains("m=audio 0 "), "{answer:?}");
    states_at(&edge, &trunk, call, at, &[], &["the caller removed its audio stream (m=audio 0)"]).await;
}

#[tokio::test]
async fn an_address_to_which_nothing_is_sent_is_named_with_the_reason() {
    let edge = Edge::start().await;
    for (attributes, at, words) in [
        (
            json!({}),
            "224.0.0.1:4000",
            &["nothing is sent to 224.0.0.1:4000: multicast", "RTP comes from 127."][..],
        ),
        (json!({}), "127.0.0.1:53", &["nothing is sent to 127.0.0.1:53: a port below 1024"]),
        (
            json!({}),
            "203.0.113.9:4000",
            &["the session description names the address 203.0.113.9:4000, RTP comes from 127."],
        ),
        (
            json!({ "allowed_rtp_ips": ["127.0.0.0/8"] }),
            "203.0.113.9:4000",
            &["the session description names 203.0.113.9:4000, which allowed_rtp_ips does not contain"],
        ),
    ] {
        let trunk = edge.trunk(attributes).await;
        let mut call = new_call(&edge).await;
        call.offer = offer(at.parse().unwrap());
        states(&edge, &trunk, call, &packets(2), words).await;
    }
}

#[tokio::test]
async fn packets_that_are_too_few_to_learn_an_address_from_are_named() {
    let edge = Edge::start().await;
    // Packets of 250 ms would be enough.
    edge.freeze().await;
    let trunk = edge.trunk(json!({ "force_symmetric_rtp": true })).await;
    let mut call = new_call(&edge).await;
    call.offer = offer("203.0.113.9:4000".parse().unwrap());
    let words = ["too few of the 4 RTP packets came from one address"];
    states(&edge, &trunk, call, &packets(4), &words).await;
}

#[tokio::test]
async fn a_name_in_the_description_that_has_no_address_is_named_whether_packets_come_or_not() {
    let edge = Edge::start().await;
    for sent in [0, 2] {
        let trunk = edge.trunk(json!({})).await;
        let mut call = new_call(&edge).await;
        // No name below `invalid` has an address (RFC 6761).
        let own = format!("c=IN IP4 {}", call.uac.local.ip());
        assert!(call.offer.contains(&own), "{}", call.offer);
        call.offer = call.offer.replace(&own, "c=IN IP4 media.example.invalid");
        let port = call.media.local_addr().unwrap().port();
        let named =
            format!("the name in c= has no address of the call's family: media.example.invalid:{port}");
        let of_packets =
            if sent == 0 { "no RTP packet arrived at 127.0.0.1:" } else { "; RTP comes from 127." };
        states(&edge, &trunk, call, &packets(sent), &[&named, of_packets]).await;
    }
}

#[tokio::test]
async fn a_call_with_audio_has_its_media_in_the_record_and_no_sentence() {
    let edge = Edge::start().await;
    let trunk = edge.trunk(json!({})).await;
    let mut call = new_call(&edge).await;
    let (at, _) = call.place(&trunk).await.media();
    for sequence in [1, 2, 5, 6] {
        hears_its_echo(&call, at, sequence).await;
    }
    let foreign = UdpSocket::bind((source(), 0)).await.unwrap();
    foreign.send_to(&packet(1), at).await.unwrap();
    looked_at(&mut call, at).await;
    let live = edge.active().await.remove(0);
    assert_eq!(live["no_audio"], json!(null), "{live}");
    call.hang_up().await;
    let record = edge.record(&trunk, 1).await;
    assert_eq!((&record["no_audio"], &record["hung_up_by"]), (&json!(null), &json!("caller")), "{record}");
    let media = &record["media"];
    let own = call.media.local_addr().unwrap().to_string();
    for (name, expected) in [
        ("codec", json!("PCMA")),
        ("payload_type", json!(8)),
        ("profile", json!("RTP/AVP")),
        ("encryption", json!("none")),
        ("direction", json!("sendrecv")),
        ("local", json!(at.to_string())),
        ("sdp_address", json!(own)),
        ("first_source", json!(own)),
        ("packets_received", json!(4)),
        ("bytes_received", json!(4 * 172)),
        ("packets_sent", json!(4)),
        ("bytes_sent", json!(4 * 172)),
        // The foreign packet is none of the caller's: it is dropped, and counts as neither of the two that are missing.
        ("packets_lost", json!(2)),
        ("unauthenticated", json!(0)),
    ] {
        assert_eq!(media[name], expected, "{name}: {record}");
    }
    assert_eq!(media["dropped"]["source"], json!(1), "{record}");
    assert!(media["jitter_ms"].is_number(), "{record}");
    let refused = edge.trunk(json!({ "status": "blocked" })).await;
    assert_eq!(new_call(&edge).await.place(&refused).await.code(), 403);
    let record = edge.record(&refused, 1).await;
    assert_eq!((&record["media"], &record["hung_up_by"]), (&json!(null), &json!(null)), "{record}");
}

#[tokio::test]
async fn an_offer_that_cannot_have_audio_is_explained_before_a_call() {
    let edge = Edge::start().await;
    let trunk = edge.trunk(json!({ "authentication_method": credentials(&["198.51.100.0/24"], None) })).await;
    let question = |sdp: Option<String>| {
        json!({
            "source": "198.51.100.7", "to": ANSWERS_AT_ONCE, "from": "12025550143",
            "username": trunk.username, "sdp": sdp,
        })
    };
    let explained = async |at: &str, further: &str| {
        let sdp = offer(at.parse().unwrap()) + further;
        let answer = edge.explain(&question(Some(sdp))).await;
        assert_eq!(answer["verdict"], "admitted", "{answer}");
        answer["no_audio"].clone()
    };
    for (at, further, words) in [
        ("192.168.1.5:4000", "", "the private address 192.168.1.5:4000"),
        ("[2001:db8::5]:4000", "", "c=IN IP6 2001:db8::5"),
        ("198.51.100.7:4000", "a=inactive\r\n", "is inactive"),
        ("0.0.0.0:4000", "", "on hold"),
    ] {
        let sentence = explained(at, further).await;
        assert!(sentence.as_str().is_some_and(|sentence| sentence.contains(words)), "{sentence}");
        assert_has_row(sentence.as_str().unwrap());
    }
    assert_eq!(explained("198.51.100.7:4000", "").await, json!(null));
    assert_eq!(edge.explain(&question(None)).await["no_audio"], json!(null));
}
