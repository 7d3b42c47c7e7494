//! Malformed, truncated and mutated messages: none stops the server, and none leaves a call behind.

use serde_json::json;

use super::edge::{ANSWERS_AT_ONCE, DEADLINE, Edge, Trunk};
use super::message::Message;
use super::uac::{Call, Uac, unique};

/// Reproducible random numbers.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % (end.max(1) as u64)).unwrap()
    }

    /// The bytes, changed at one to four positions.
    fn mutated(&mut self, bytes: &[u8]) -> Vec<u8> {
        const PIECES: [&[u8]; 12] = [
            b"\r\n",
            b"\r\n\r\n",
            b"\0",
            b";",
            b"<",
            b"\"",
            b"%",
            b"%00",
            b"sip:",
            b"\xff\xfe",
            b"99999999999999999999",
            b"-1",
        ];
        let mut bytes = bytes.to_vec();
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len());
            let to = (at + 1 + self.below(24)).min(bytes.len());
            match self.below(6) {
                0 => bytes.truncate(at),
                1 => drop(bytes.drain(at..to)),
                2 => bytes[at] = u8::try_from(self.below(256)).unwrap(),
                3 => drop(bytes.splice(at..at, PIECES[self.below(PIECES.len())].iter().copied())),
                4 => {
                    let copy = bytes[at..to].to_vec();
                    let place = self.below(bytes.len());
                    drop(bytes.splice(place..place, copy));
                }
                _ => {
                    let lines: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at] == b'\n').collect();
                    if let [.., _] = lines[..] {
                        let line = lines[self.below(lines.len())];
                        let end = lines.iter().copied().find(|end| *end > line).unwrap_or(line);
                        drop(bytes.drain(line..end));
                    }
                }
            }
            if bytes.is_empty() {
                bytes.push(b'I');
            }
        }
        bytes
    }
}

/// A trunk with three channels that authenticates by address, so that mutated messages pass as many checks as
/// possible.
async fn open_trunk(edge: &Edge) -> Trunk {
    let trunk = edge.trunk(json!({ "capacity_limit": 3 })).await;
    edge.ip_only(&trunk, &["127.0.0.0/8"]).await;
    trunk
}

/// Checks the server: it answers, it has no call that is not known to a caller, and all channels are free.
async fn is_well(edge: &mut Edge, uac: &mut Uac) {
    assert_eq!(uac.options().await.code(), 200);
    // An earlier message may still become a call after this; only a leak is permanent.
    let up = super::edge::until("all channels are free", async || all_up(edge).await).await;
    assert_eq!(Call::new(edge, ANSWERS_AT_ONCE).await.attempt().await.code(), 480);
    for mut call in up {
        call.hang_up().await;
    }
    edge.calls_up(0).await;
    assert!(edge.binary.runs());
    let log = edge.binary.log();
    let panicked = log.lines().find(|line| line.contains("panicked"));
    assert_eq!(panicked, None);
}

/// Ends unexpected calls, and occupies every channel; `None` if one of them is not free.
async fn all_up(edge: &Edge) -> Option<Vec<Call>> {
    for call in edge.active().await {
        edge.control.delete(&format!("/calls/active/{}", call["id"].as_str().unwrap())).await;
    }
    let mut up: Vec<Call> = Vec::new();
    for _ in 0..3 {
        let mut call = Call::new(edge, ANSWERS_AT_ONCE).await;
        if call.attempt().await.code() != 200 {
            for mut call in up {
                call.hang_up().await;
            }
            return None;
        }
        call.acknowledge().await;
        up.push(call);
    }
    Some(up)
}

/// Receives messages, and ends answered calls, until no more arrive.
async fn settle(uac: &mut Uac) {
    while let Some(message) = uac.receive(DEADLINE / 300).await {
        if message.code() == 200 && message.method() == "INVITE" {
            for method in ["ACK", "BYE"] {
                let sequence = message.sequence() + u32::from(method == "BYE");
                let local = uac.local;
                let head = format!(
                    "{method} sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bK-{}\r\n",
                    unique()
                );
                let kept = ["From", "To", "Call-ID"]
                    .map(|name| format!("{name}: {}\r\n", message.header(name).unwrap_or_default()))
                    .concat();
                let rest =
                    format!("CSeq: {sequence} {method}\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n");
                uac.send(head + &kept + &rest).await;
            }
        }
    }
}

#[tokio::test]
async fn datagrams_that_are_no_sip_change_nothing() {
    let mut edge = Edge::start().await;
    open_trunk(&edge).await;
    let mut uac = Uac::udp(&edge).await;
    let long = vec![b'A'; 60_000];
    let many = format!("OPTIONS sip:x SIP/2.0\r\n{}\r\n", "X: y\r\n".repeat(5_000));
    let endless = format!("INVITE sip:{}@x SIP/2.0\r\n\r\n", "9".repeat(30_000));
    for garbage in [
        &b"\r\n\r\n"[..],
        b"\0",
        b"hello",
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"INVITE",
        b"INVITE sip:x SIP/2.0",
        b"INVITE sip:x SIP/2.0\r\n\r\n",
        b"INVITE sip:x SIP/9.9\r\nVia: x\r\n\r\n",
        b"SIP/2.0 200 OK\r\n\r\n",
        b"SIP/2.0 999999 OK\r\nVia: \r\nFrom: \r\nTo: \r\nCall-ID: \r\nCSeq: \r\n\r\n",
        b"INVITE sip:x SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1\r\nFrom: <\r\nTo: >\r\nCall-ID: \r\nCSeq: INVITE\r\n\r\n",
        b"OPTIONS sip:x SIP/2.0\r\nContent-Length: -5\r\n\r\n",
        b"OPTIONS sip:x SIP/2.0\r\nContent-Length: 99999999999999999999\r\n\r\n",
        b"\xff\xfe\xfd\xfc",
        &[0x80, 8, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0],
        &long,
        many.as_bytes(),
        endless.as_bytes(),
    ] {
        uac.send(garbage).await;
        assert_eq!(uac.options().await.code(), 200, "{}", String::from_utf8_lossy(&garbage[..garbage.len().min(80)]));
    }
    assert_eq!(edge.counts().await[2], 0);
    is_well(&mut edge, &mut uac).await;
}

#[tokio::test]
async fn changed_and_cut_off_messages_neither_stop_the_server_nor_leak_a_channel() {
    const MESSAGES: usize = 1_500;
    let mut edge = Edge::start().await;
    open_trunk(&edge).await;
    let mut dice = Dice(7);
    let mut uac = Uac::udp(&edge).await;
    for round in 0..MESSAGES {
        let mut pattern =
            Call::new(&edge, ["9990486", "9990201", "9990180", ANSWERS_AT_ONCE][round % 4]).await;
        pattern.headers.push("Supported: timer, 100rel".to_owned());
        pattern.headers.push("Session-Expires: 90;refresher=uac".to_owned());
        let text = pattern.text(["INVITE", "INVITE", "INVITE", "CANCEL", "BYE", "ACK", "OPTIONS"][round % 7]);
        uac.send(dice.mutated(text.as_bytes())).await;
        if round % 100 == 99 {
            settle(&mut uac).await;
            assert_eq!(uac.options().await.code(), 200, "after {round} messages");
        }
    }
    let [_, _, admitted] = edge.counts().await;
    assert!(admitted > 0, "some of them are still calls");
    is_well(&mut edge, &mut uac).await;
}

#[tokio::test]
async fn changed_offers_are_answered_with_a_verdict() {
    const OFFERS: usize = 400;
    let mut edge = Edge::start().await;
    open_trunk(&edge).await;
    let mut dice = Dice(11);
    let mut uac = Uac::udp(&edge).await;
    let (mut codes, mut call) = (std::collections::BTreeMap::<u16, usize>::new(), None);
    for _ in 0..OFFERS {
        let mut next = Call::over(uac, &edge, "9990486").await;
        let offer = dice.mutated(next.offer.as_bytes());
        next.offer = String::from_utf8_lossy(&offer).into_owned();
        let code = next.attempt().await.code();
        assert!(matches!(code, 486 | 488 | 500), "{code} for {}", next.offer);
        *codes.entry(code).or_default() += 1;
        uac = next.uac;
        call = Some(next.media);
    }
    drop(call);
    assert!(codes.len() == 3, "every verdict came: {codes:?}");
    is_well(&mut edge, &mut uac).await;
}

#[tokio::test]
async fn a_stream_that_talks_nonsense_hurts_nobody_else() {
    let mut edge = Edge::start().await;
    open_trunk(&edge).await;
    let mut well = Uac::tcp(&edge).await;
    let zeros = vec![0; 70_000];
    for garbage in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        &zeros,
        b"INVITE sip:x SIP/2.0\r\nContent-Length: 4000000000\r\n\r\nx",
        b"OPTIONS sip:x SIP/2.0\r\nContent-Length: -1\r\n\r\n",
        b"INVITE sip:x SIP/2.0\r\nVia",
    ] {
        let mut bad = Uac::tcp(&edge).await;
        bad.send(garbage).await;
        assert_eq!(well.options().await.code(), 200);
        drop(bad);
        assert_eq!(well.options().await.code(), 200);
    }
    let text = Call::new(&edge, ANSWERS_AT_ONCE).await.text("OPTIONS");
    let mut slow = Uac::tcp(&edge).await;
    for byte in text.replace("UDP", "TCP").as_bytes().chunks(7) {
        slow.send(byte).await;
    }
    let answer: Option<Message> = slow.receive(DEADLINE).await;
    assert_eq!(answer.map(|message| message.code()), Some(200), "a message may come in pieces");
    is_well(&mut edge, &mut well).await;
}

#[tokio::test]
async fn the_same_invite_again_is_the_same_call() {
    let mut edge = Edge::start().await;
    let trunk = open_trunk(&edge).await;
    let mut call = Call::new(&edge, ANSWERS_AT_ONCE).await;
    call.invite(&[]).await;
    let text = call.sent.clone();
    for _ in 0..20 {
        call.uac.send(&text).await;
    }
    assert_eq!(call.answer().await.code(), 200);
    call.acknowledge().await;
    assert_eq!(edge.counts().await, [0, 0, 1]);
    assert_eq!(edge.active().await.len(), 1);
    call.hang_up().await;
    assert_eq!(edge.record(&trunk, 1).await["success"], true);
    let mut uac = Uac::udp(&edge).await;
    is_well(&mut edge, &mut uac).await;
}

#[tokio::test]
async fn an_invite_whose_dialog_nobody_could_name_takes_no_channel() {
    let mut edge = Edge::start().await;
    open_trunk(&edge).await;
    let mut uac = Uac::udp(&edge).await;
    for broken in ["", "To: <sip:9990200@127.0.0.1;tag\r\n", "To: \r\n"] {
        for _ in 0..3 {
            let text = Call::new(&edge, ANSWERS_AT_ONCE).await.text("INVITE");
            let line = text.lines().find(|line| line.starts_with("To: ")).unwrap();
            uac.send(text.replace(&format!("{line}\r\n"), broken)).await;
        }
        assert_eq!(uac.options().await.code(), 200);
    }
    assert_eq!(edge.counts().await, [0, 0, 0]);
    is_well(&mut edge, &mut uac).await;
}
