//! Media: accepted sources, targets, and the record of dropped packets.

use std::net::{Ipv4Addr, SocketAddr};

use serde_json::json;
use tokio::net::UdpSocket;

use super::edge::{ANSWERS_AT_ONCE, DEADLINE, Edge, source};
use super::uac::{Call, offer};

/// An RTP packet of G.711 A-law.
pub fn packet(sequence: u16) -> Vec<u8> {
    let mut packet = vec![0x80, 8];
    packet.extend(sequence.to_be_bytes());
    packet.extend((u32::from(sequence) * 160).to_be_bytes());
    packet.extend(0x00c0_ffee_u32.to_be_bytes());
    packet.extend([0xd5; 160]);
    packet
}

/// The next packet at a socket, and its source.
async fn heard(socket: &UdpSocket) -> (Vec<u8>, SocketAddr) {
    let mut buffer = [0; 2048];
    let heard = tokio::time::timeout(DEADLINE, socket.recv_from(&mut buffer)).await;
    let (length, from) = heard.expect("media comes").unwrap();
    (buffer[..length].to_vec(), from)
}

/// Whether a packet is the echo of another: equal except for source, sequence number and marker.
fn is_echo(heard: &[u8], sent: &[u8]) -> bool {
    heard.len() == sent.len()
        && (heard[0], heard[1] & 0x7f) == (sent[0], sent[1] & 0x7f)
        && heard[4..8] == sent[4..8]
        && heard[8..12] != sent[8..12]
        && heard[12..] == sent[12..]
}

/// Sends a packet from a call's socket and waits for its echo there.
pub async fn hears_its_echo(call: &Call, edge: SocketAddr, sequence: u16) {
    call.media.send_to(&packet(sequence), edge).await.unwrap();
    let (echo, from) = heard(&call.media).await;
    assert!(is_echo(&echo, &packet(sequence)), "{echo:?}");
    assert_eq!(from, edge);
}

/// Waits until the edge has read and processed the packets that were sent to a call's media address: none waits in the
/// kernel, and a request of the call is answered after that.
pub async fn looked_at(call: &mut Call, at: SocketAddr) {
    tokio::time::timeout(DEADLINE, async {
        while waiting_bytes(at) > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("the packets are read");
    assert_eq!(call.request("UPDATE", &[], "").await.code(), 200);
}

/// Bytes that the kernel holds for the UDP socket on an IPv4 address, because the process has not read them.
fn waiting_bytes(at: SocketAddr) -> u64 {
    let SocketAddr::V4(at) = at else { panic!("{at} is not IPv4") };
    let local = format!("{:08X}:{:04X}", u32::from_le_bytes(at.ip().octets()), at.port());
    let sockets = std::fs::read_to_string("/proc/net/udp").unwrap();
    let fields = sockets.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let of_socket = fields.filter(|fields| fields.get(1) == Some(&local.as_str()));
    of_socket.map(|fields| u64::from_str_radix(fields[4].split_once(':').unwrap().1, 16).unwrap()).sum()
}

#[tokio::test]
async fn a_caller_hears_itself() {
    let edge = Edge::start().await;
    let trunk = edge.trunk(json!({})).await;
    let mut call = Call::new(&edge, ANSWERS_AT_ONCE).await;
    let (at, audio) = call.place(&trunk).await.media();
    assert!(audio.contains("RTP/AVP 8"), "{audio}");
    assert!(at.port() % 2 == 0 && (16_384..32_768).contains(&at.port()), "{at}");
    for sequence in 0..20 {
        hears_its_echo(&call, at, sequence).await;
    }
    call.hang_up().await;
    let record = edge.record(&trunk, 1).await;
    let counted = ["rtp_received", "rtp_sent", "rtp_dropped", "rtp_excess"].map(|name| record[name].clone());
    assert_eq!(counted, [20, 20, 0, 0].map(|count| json!(count)));
}

#[tokio::test]
async fn a_call_that_came_without_an_offer_is_offered_one_and_hears_itself_at_the_address_of_its_ack() {
    let edge = Edge::start().await;
    let trunk = edge.trunk(json!({})).await;
    let mut call = Call::new(&edge, ANSWERS_AT_ONCE).await;
    call.acknowledgement = std::mem::take(&mut call.offer);
    let (at, audio) = call.place(&trunk).await.media();
    assert!(audio.contains("RTP/AVP 8 0 101"), "{audio}");
    hears_its_echo(&call, at, 1).await;
    call.hang_up().await;
}

#[tokio::test]
async fn a_re_invite_without_an_offer_is_answered_with_one() {
    let edge = Edge::start().await;
    let trunk = edge.trunk(json!({})).await;
    let mut call = Call::new(&edge, ANSWERS_AT_ONCE).await;
    let (at, _) = call.place(&trunk).await.media();
    call.acknowledgement = call.offer.clone();
    let answer = call.request("INVITE", &[], "").await;
    assert_eq!((answer.code(), answer.media().0), (200, at));
    hears_its_echo(&call, at, 1).await;
    call.hang_up().await;
}

#[tokio::test]
async fn media_moves_with_a_re_invite_and_stays_with_one_that_does_not_fit() {
    let edge = Edge::start().await;
    let trunk = edge.trunk(json!({})).await;
    let mut call = Call::new(&edge, ANSWERS_AT_ONCE).await;
    let (at, _) = call.place(&trunk).await.media();
    let encrypted = call.offer.replace("RTP/AVP", "RTP/SAVP");
    assert_eq!(call.request("INVITE", &[], &encrypted).await.code(), 488);
    edge.logs(&["refused in a call", &call.id, "method=\"INVITE\" code=488 "]).await;
    hears_its_echo(&call, at, 1).await;
    let elsewhere = UdpSocket::bind((source(), 0)).await.unwrap();
    let moved = offer(elsewhere.local_addr().unwrap());
    assert_eq!(call.request("INVITE", &[], &moved).await.code(), 200);
    call.media.send_to(&packet(2), at).await.unwrap();
    elsewhere.send_to(&packet(3), at).await.unwrap();
    assert!(is_echo(&heard(&elsewhere).await.0, &packet(3)), "it hears what it says, and nothing of others");
    call.hang_up().await;
}

#[tokio::test]
async fn a_ping_comes_first_where_the_trunk_says_so() {
    let edge = Edge::start().await;
    let trunk = edge.trunk(json!({ "rtp_ping": true })).await;
    let mut call = Call::new(&edge, ANSWERS_AT_ONCE).await;
    let (at, _) = call.place(&trunk).await.media();
    let (ping, from) = heard(&call.media).await;
    assert_eq!((from, ping.len()), (at, 14));
    assert_eq!(
        (ping[0], ping[1], &ping[12..]),
        (0x80, 0x80 | 8, &[0, 0][..]),
        "version, marker, type, payload"
    );
    hears_its_echo(&call, at, 1).await;
    call.hang_up().await;
}

#[tokio::test]
async fn the_ping_of_a_call_without_an_offer_follows_the_ack_that_names_an_address() {
    let edge = Edge::start().await;
    let trunk = edge.trunk(json!({ "rtp_ping": true })).await;
    let mut call = Call::new(&edge, ANSWERS_AT_ONCE).await;
    call.acknowledgement = std::mem::take(&mut call.offer);
    let (at, _) = call.place(&trunk).await.media();
    let (ping, from) = heard(&call.media).await;
    assert_eq!((from, ping.len()), (at, 14));
    hears_its_echo(&call, at, 1).await;
    call.hang_up().await;
}

#[tokio::test]
async fn early_media_are_echoed_before_the_answer() {
    let edge = Edge::start().await;
    edge.freeze().await;
    let trunk = edge.trunk(json!({})).await;
    edge.ip_only(&trunk, &["127.0.0.0/8"]).await;
    let mut call = Call::new(&edge, "9990183").await;
    call.invite(&[]).await;
    let (at, _) = call.ringing(183).await.media();
    hears_its_echo(&call, at, 1).await;
    edge.advance(1).await;
    assert_eq!(call.answer().await.code(), 200);
    call.acknowledge().await;
    hears_its_echo(&call, at, 2).await;
    call.hang_up().await;
    assert_eq!(edge.record(&trunk, 1).await["media"]["packets_lost"], 0);
}

#[tokio::test]
async fn media_are_echoed_before_the_ack_and_to_their_sender_alone() {
    let edge = Edge::start().await;
    let trunk = edge.trunk(json!({})).await;
    edge.ip_only(&trunk, &["127.0.0.0/8"]).await;
    let mut call = Call::new(&edge, ANSWERS_AT_ONCE).await;
    call.invite(&[]).await;
    let (at, _) = call.answer().await.media();
    let stranger = UdpSocket::bind((source(), 0)).await.unwrap();
    stranger.send_to(&packet(1), at).await.unwrap();
    hears_its_echo(&call, at, 2).await;
    assert!(stranger.try_recv(&mut [0; 400]).is_err(), "the call has another address");
    call.acknowledge().await;
    hears_its_echo(&call, at, 3).await;
    call.hang_up().await;
}

#[tokio::test]
async fn without_a_ping_two_peers_that_wait_for_each_other_hear_nothing_until_the_timeout() {
    let edge = Edge::start().await;
    edge.freeze().await;
    let trunk = edge.trunk(json!({})).await;
    let mut call = Call::up(&edge, &trunk, ANSWERS_AT_ONCE).await;
    edge.advance(30).await;
    call.hung_up().await;
    assert!(call.media.try_recv(&mut [0; 64]).is_err(), "the edge never spoke first");
}

#[tokio::test]
async fn packets_from_an_address_that_is_not_allowed_are_dropped_and_counted_in_the_record() {
    let edge = Edge::start().await;
    let mut call = Call::new(&edge, ANSWERS_AT_ONCE).await;
    let own = call.uac.local.ip().to_string();
    let trunk = edge.trunk(json!({ "allowed_rtp_ips": [own] })).await;
    let (at, _) = call.place(&trunk).await.media();
    let foreign = UdpSocket::bind((source(), 0)).await.unwrap();
    for sequence in 0..3 {
        foreign.send_to(&packet(sequence), at).await.unwrap();
    }
    hears_its_echo(&call, at, 7).await;
    let again = call.offer.clone();
    assert_eq!(call.request("INVITE", &[], &again).await.code(), 200);
    foreign.send_to(&packet(3), at).await.unwrap();
    hears_its_echo(&call, at, 8).await;
    call.hang_up().await;
    let record = edge.record(&trunk, 1).await;
    assert_eq!(record["rtp_dropped"], 4, "a new offer does not forget what was dropped: {record}");
    assert_eq!(record["rtp_dropped_from"], json!([foreign.local_addr().unwrap().ip().to_string()]));
}

#[tokio::test]
async fn media_goes_to_the_offered_address_or_to_where_it_comes_from_if_the_trunk_is_symmetric() {
    let edge = Edge::start().await;
    for symmetric in [false, true] {
        let trunk = edge.trunk(json!({ "force_symmetric_rtp": symmetric })).await;
        let mut call = Call::new(&edge, ANSWERS_AT_ONCE).await;
        let (at, _) = call.place(&trunk).await.media();
        let real = UdpSocket::bind((source(), 0)).await.unwrap();
        // Four packets are too few to change the target.
        for sequence in 0..5 {
            real.send_to(&packet(sequence), at).await.unwrap();
        }
        if symmetric {
            assert!(is_echo(&heard(&real).await.0, &packet(4)));
            let other = UdpSocket::bind((source(), 0)).await.unwrap();
            for sequence in 10..20 {
                other.send_to(&packet(sequence), at).await.unwrap();
            }
            real.send_to(&packet(20), at).await.unwrap();
            assert!(is_echo(&heard(&real).await.0, &packet(20)), "nothing of others");
        }
        hears_its_echo(&call, at, 30).await;
        call.hang_up().await;
        assert!(real.try_recv(&mut [0; 64]).is_err(), "nothing else came");
        assert!(call.media.try_recv(&mut [0; 64]).is_err(), "nothing of others");
    }
}

#[tokio::test]
async fn a_third_party_that_an_sdp_names_gets_nothing() {
    let edge = Edge::start().await;
    let trunk = edge.trunk(json!({ "rtp_ping": true })).await;
    let mut call = Call::new(&edge, ANSWERS_AT_ONCE).await;
    let victim = UdpSocket::bind((source(), 0)).await.unwrap();
    call.offer = offer(victim.local_addr().unwrap());
    let (at, _) = call.place(&trunk).await.media();
    for sequence in 0..20 {
        call.media.send_to(&packet(sequence), at).await.unwrap();
    }
    looked_at(&mut call, at).await;
    let back = offer(call.media.local_addr().unwrap());
    assert_eq!(call.request("INVITE", &[], &back).await.code(), 200);
    hears_its_echo(&call, at, 30).await;
    call.hang_up().await;
    assert!(victim.try_recv(&mut [0; 64]).is_err(), "neither a ping nor an echo");
    assert!(call.media.try_recv(&mut [0; 64]).is_err());
}

#[tokio::test]
async fn a_caller_that_hears_nothing_is_said_why() {
    let edge = Edge::start().await;
    let trunk = edge.trunk(json!({})).await;
    let mut call = Call::new(&edge, ANSWERS_AT_ONCE).await;
    call.offer = offer("192.0.2.1:4000".parse().unwrap());
    let (at, _) = call.place(&trunk).await.media();
    call.media.send_to(&packet(1), at).await.unwrap();
    looked_at(&mut call, at).await;
    call.hang_up().await;
    let record = edge.record(&trunk, 1).await;
    assert_eq!((&record["rtp_received"], &record["rtp_sent"]), (&json!(1), &json!(0)), "{record}");
    edge.logs(&["no audio, because", "force_symmetric_rtp is off"]).await;
}

/// Media that a peer directs at this server must not loop, neither within one call nor between two.
#[tokio::test]
async fn media_that_is_aimed_at_this_server_holds_up_nobody() {
    let edge = Edge::start().await;
    let trunk = edge.trunk(json!({ "force_symmetric_rtp": false })).await;
    let http = edge.binary.base.trim_start_matches("http://").trim_end_matches("/v3");
    let services = [edge.sip, http.parse().unwrap()];
    let (mut one, mut two) =
        (Call::new(&edge, ANSWERS_AT_ONCE).await, Call::new(&edge, ANSWERS_AT_ONCE).await);
    let ports = [one.place(&trunk).await.media().0, two.place(&trunk).await.media().0];
    let aims = [[ports[0], ports[1]], [ports[1], ports[0]], services];
    for aim in aims {
        for (call, at) in [(&mut one, aim[0]), (&mut two, aim[1])] {
            assert_eq!(call.request("INVITE", &[], &offer(at)).await.code(), 200);
        }
        for (call, at) in [(&one, ports[0]), (&two, ports[1])] {
            for sequence in 0..3 {
                call.media.send_to(&packet(sequence), at).await.unwrap();
            }
        }
        let well = async {
            assert_eq!(edge.active().await.len(), 2);
            let mut third = Call::new(&edge, ANSWERS_AT_ONCE).await;
            let (at, _) = third.place(&trunk).await.media();
            hears_its_echo(&third, at, 1).await;
            third.hang_up().await;
            edge.calls_up(2).await;
        };
        tokio::time::timeout(DEADLINE, well).await.unwrap_or_else(|_| panic!("it hangs, aimed at {aim:?}"));
    }
    one.hang_up().await;
    two.hang_up().await;
    edge.record(&trunk, 5).await;
    for record in edge.records(&trunk).await {
        let own = record["rtp_sent"].as_u64().unwrap();
        assert!(own <= 1, "only a third call heard itself: {record}");
    }
}

#[tokio::test]
async fn nothing_is_sent_to_a_caller_that_does_not_listen_until_it_does_again() {
    let edge = Edge::start().await;
    let trunk = edge.trunk(json!({})).await;
    let mut call = Call::new(&edge, ANSWERS_AT_ONCE).await;
    let (at, _) = call.place(&trunk).await.media();
    hears_its_echo(&call, at, 1).await;
    let plain = call.offer.clone();
    let nowhere = plain.replace(&format!("c=IN IP4 {}", call.uac.local.ip()), "c=IN IP4 0.0.0.0");
    assert_ne!(nowhere, plain);
    let port = call.media.local_addr().unwrap().port();
    for (offer, answered) in [
        (format!("{plain}a=sendonly\r\n"), "a=recvonly"),
        (format!("{plain}a=inactive\r\n"), "a=inactive"),
        (plain.replace("t=0 0", "t=0 0\r\na=sendonly"), "a=recvonly"),
        (nowhere, "a=recvonly"),
        (plain.replace(&format!("m=audio {port}"), "m=audio 0"), "m=audio 0 RTP/AVP"),
    ] {
        let answer = call.request("INVITE", &[], &offer).await;
        assert_eq!(answer.code(), 200, "{offer}");
        assert!(answer.body.contains(answered), "{offer}\n{}", answer.body);
        for sequence in 2..10 {
            call.media.send_to(&packet(sequence), at).await.unwrap();
        }
        looked_at(&mut call, at).await;
        let answer = call.request("INVITE", &[], &plain).await;
        assert!(answer.body.contains("a=sendrecv"), "{}", answer.body);
        call.media.send_to(&packet(100), at).await.unwrap();
        let (first, _) = heard(&call.media).await;
        assert!(
            is_echo(&first, &packet(100)),
            "the first that comes is of the first after the hold: {offer}"
        );
    }
    call.hang_up().await;
}

#[tokio::test]
async fn a_flood_of_packets_is_echoed_at_the_rate_of_its_codec_and_counted() {
    let edge = Edge::start().await;
    let trunk = edge.trunk(json!({})).await;
    let mut call = Call::new(&edge, ANSWERS_AT_ONCE).await;
    // The codec with the longest packets.
    call.offer = call.offer.replace("RTP/AVP 8 0 101", "RTP/AVP 4");
    let (at, _) = call.place(&trunk).await.media();
    let mut buffer = [0; 2048];
    let (mut sent, mut echoed) = (0, 0);
    // Until an echo is missing.
    loop {
        let mut packet = packet(sent);
        packet[1] = 4;
        call.media.send_to(&packet, at).await.unwrap();
        sent += 1;
        assert!(sent < 5_000, "every packet came back");
        if tokio::time::timeout(DEADLINE / 30, call.media.recv(&mut buffer)).await.is_err() {
            break;
        }
        echoed += 1;
    }
    call.hang_up().await;
    let record = edge.record(&trunk, 1).await;
    assert!(echoed >= 67, "as many at once as in a second: {echoed}");
    assert_eq!((&record["rtp_sent"], &record["rtp_excess"]), (&json!(echoed), &json!(1)), "{record}");
    assert_eq!(record["media"]["dropped"]["rate"], 1, "{record}");
}

#[tokio::test]
async fn what_is_no_rtp_is_not_echoed_and_encrypted_media_is_only_counted() {
    let edge = Edge::start().await;
    let trunk = edge.trunk(json!({ "media_encryption_mode": "srtp_sdes" })).await;
    let mut call = Call::new(&edge, ANSWERS_AT_ONCE).await;
    call.offer = call.offer.replace("RTP/AVP", "RTP/SAVP")
        + "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj\r\n";
    let answer = call.place(&trunk).await;
    assert!(answer.body.contains("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:"), "{}", answer.body);
    call.media.send_to(&packet(1), answer.media().0).await.unwrap();
    call.hang_up().await;
    assert!(call.media.try_recv(&mut [0; 64]).is_err());

    let plain = edge.trunk(json!({})).await;
    let mut call = Call::new(&edge, ANSWERS_AT_ONCE).await;
    let (at, _) = call.place(&plain).await.media();
    for garbage in [&b""[..], b"x", &[0; 12], &[0xff; 200], &[0x88; 2000]] {
        call.media.send_to(garbage, at).await.unwrap();
    }
    let longest = heard(&call.media).await.0;
    assert!(is_echo(&longest, &[0x88; 2000]), "it looks like RTP, so it comes back");
    hears_its_echo(&call, at, 1).await;
    call.hang_up().await;
}

#[tokio::test]
async fn calls_beyond_the_media_ports_are_refused_and_ports_are_used_again() {
    let free = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap().local_addr().unwrap().port();
    let first = free.next_multiple_of(2).min(65_000);
    let edge = Edge::with_config(&format!("[sip]\nrtp_ports = [{first}, {}]\n", first + 4)).await;
    let trunk = edge.trunk(json!({})).await;
    let mut up = Vec::new();
    let refused = loop {
        let mut call = Call::new(&edge, ANSWERS_AT_ONCE).await;
        let answer = call.place(&trunk).await;
        if answer.code() != 200 {
            break answer;
        }
        up.push(call);
        assert!(up.len() <= 2, "there are two ports");
    };
    assert_eq!(refused.code(), 500);
    let record = edge.record(&trunk, 1).await;
    assert_eq!(record["disconnect_reason"], "No Free RTP ports");
    let Some(mut call) = up.pop() else { panic!("other processes took both ports") };
    call.hang_up().await;
    edge.calls_up(up.len()).await;
    edge.record(&trunk, 2).await;
    Call::up(&edge, &trunk, ANSWERS_AT_ONCE).await.hang_up().await;
}
