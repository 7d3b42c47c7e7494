//! RFC 4475, section 3: each message by its name, in the order of the RFC.

use super::{answered, expanded, final_answer, ignored, open, over_udp, refused_without_an_end};
use crate::sip::edge::DEADLINE;
use crate::sip::message::Message;
use crate::sip::uac::Uac;

/// An INVITE that is well-formed and whose number is none: the rules of the trunk refuse it, not the parser.
async fn reaches_the_rules(name: &str) {
    let answer = answered(name, 484).await;
    let why = answer.header("X-Refusal").unwrap_or_default();
    assert!(why.starts_with("check=number;"), "{name}: {answer:?}");
}

// 3.1.1: valid messages.

#[tokio::test]
async fn wsinv() {
    // Its To has a tag, so it belongs to a dialog, and there is none.
    let answer = answered("wsinv", 481).await;
    let squeezed: String = answer.header("To").unwrap().split_whitespace().collect();
    assert_eq!(squeezed, "sip:vivekg@chair-dnrc.example.com;tag=1918181833n");
}

#[tokio::test]
async fn intmeth() {
    let answer = answered("intmeth", 501).await;
    assert!(answer.header("Allow").is_some_and(|allow| allow.contains("INVITE")), "{answer:?}");
}

#[tokio::test]
async fn esc01() {
    reaches_the_rules("esc01").await;
}

#[tokio::test]
async fn escnull() {
    // The edge is no registrar.
    answered("escnull", 405).await;
}

#[tokio::test]
async fn esc02() {
    // Escapes are for URIs: the method is not REGISTER.
    let answer = answered("esc02", 501).await;
    assert!(answer.header("Allow").is_some(), "{answer:?}");
}

#[tokio::test]
async fn lwsdisp() {
    answered("lwsdisp", 200).await;
}

#[tokio::test]
async fn longreq() {
    reaches_the_rules("longreq").await;
}

#[tokio::test]
async fn dblreq() {
    let (edge, _trunk) = open().await;
    // Over UDP, the bytes after the first request are neither a part of it nor a request.
    assert_eq!(over_udp(&edge, "dblreq").await.code(), 405);
    assert_eq!(edge.counts().await, [0, 0, 0]);
    // In a stream, it is the next request.
    let (edge, _trunk) = open().await;
    let mut uac = Uac::tcp(&edge).await;
    uac.send(expanded("dblreq")).await;
    let mut answers: Vec<Message> = Vec::new();
    while answers.len() < 2 {
        answers.push(final_answer(&mut uac, "dblreq").await);
    }
    answers.sort_by_key(Message::code);
    let codes: Vec<_> = answers.iter().map(|answer| (answer.method(), answer.code())).collect();
    assert_eq!(codes, [("INVITE", 400), ("REGISTER", 405)], "the INVITE has no Contact");
}

#[tokio::test]
async fn semiuri() {
    answered("semiuri", 200).await;
}

#[tokio::test]
async fn transports() {
    let answer = answered("transports", 200).await;
    let transports: Vec<&str> = answer.headers("Via").map(|via| via.split(' ').next().unwrap()).collect();
    let sent = ["UDP", "SCTP", "TLS", "UNKNOWN", "TCP"].map(|name| format!("SIP/2.0/{name}"));
    assert_eq!(transports, sent, "as they were sent, in their order");
}

#[tokio::test]
async fn mpart01() {
    answered("mpart01", 405).await;
}

#[tokio::test]
async fn unreason() {
    ignored("unreason").await;
}

#[tokio::test]
async fn noreason() {
    ignored("noreason").await;
}

// 3.1.2: invalid messages.

#[tokio::test]
async fn badinv01() {
    answered("badinv01", 400).await;
}

#[tokio::test]
async fn clerr() {
    let (edge, _trunk) = open().await;
    assert_eq!(over_udp(&edge, "clerr").await.code(), 400);
    // In a stream, its body may still arrive.
    let (edge, _trunk) = open().await;
    let mut uac = Uac::tcp(&edge).await;
    let body = vec![b'x'; 9_999 - 154];
    uac.send(expanded("clerr")).await;
    uac.send(body).await;
    let answer = final_answer(&mut uac, "clerr").await;
    assert_eq!(answer.method(), "INVITE", "{answer:?}");
}

#[tokio::test]
async fn ncl() {
    refused_without_an_end("ncl").await;
}

#[tokio::test]
async fn scalar02() {
    answered("scalar02", 400).await;
}

#[tokio::test]
async fn scalarlg() {
    ignored("scalarlg").await;
}

#[tokio::test]
async fn quotbal() {
    answered("quotbal", 400).await;
}

#[tokio::test]
async fn ltgtruri() {
    answered("ltgtruri", 400).await;
}

#[tokio::test]
async fn lwsruri() {
    answered("lwsruri", 400).await;
}

#[tokio::test]
async fn lwsstart() {
    answered("lwsstart", 400).await;
}

#[tokio::test]
async fn trws() {
    answered("trws", 400).await;
}

#[tokio::test]
async fn escruri() {
    answered("escruri", 400).await;
}

#[tokio::test]
async fn baddate() {
    // A server should not refuse it unless the date matters to it.
    reaches_the_rules("baddate").await;
}

#[tokio::test]
async fn regbadct() {
    // The method is inspected first.
    answered("regbadct", 405).await;
}

#[tokio::test]
async fn badaspec() {
    // The RFC permits to ignore the blanks around the address.
    answered("badaspec", 200).await;
}

#[tokio::test]
async fn baddn() {
    // The RFC permits to accept a display name that lacks its quotes.
    answered("baddn", 200).await;
}

#[tokio::test]
async fn badvers() {
    answered("badvers", 505).await;
}

#[tokio::test]
async fn mismatch01() {
    answered("mismatch01", 400).await;
}

#[tokio::test]
async fn mismatch02() {
    answered("mismatch02", 501).await;
}

#[tokio::test]
async fn bigcode() {
    ignored("bigcode").await;
}

// 3.2: transaction layer semantics.

#[tokio::test]
async fn badbranch() {
    answered("badbranch", 200).await;
}

// 3.3: application layer semantics.

#[tokio::test]
async fn insuf() {
    answered("insuf", 400).await;
}

#[tokio::test]
async fn unkscm() {
    answered("unkscm", 416).await;
}

#[tokio::test]
async fn novelsc() {
    answered("novelsc", 416).await;
}

#[tokio::test]
async fn unksm2() {
    // The method is inspected first.
    answered("unksm2", 405).await;
}

#[tokio::test]
async fn bext01() {
    let answer = answered("bext01", 420).await;
    let unsupported: Vec<&str> = answer.headers("Unsupported").flat_map(|value| value.split(", ")).collect();
    for tag in ["nothingSupportsThis", "nothingSupportsThisEither"] {
        assert!(unsupported.contains(&tag), "{answer:?}");
    }
}

#[tokio::test]
async fn invut() {
    let answer = answered("invut", 415).await;
    assert!(answer.header("Accept").is_some_and(|accept| accept.contains("application/sdp")), "{answer:?}");
}

#[tokio::test]
async fn regaut01() {
    answered("regaut01", 405).await;
}

#[tokio::test]
async fn multi01() {
    answered("multi01", 400).await;
}

#[tokio::test]
async fn mcl01() {
    refused_without_an_end("mcl01").await;
}

#[tokio::test]
async fn bcast() {
    ignored("bcast").await;
}

#[tokio::test]
async fn zeromf() {
    // The edge stands where a carrier forwards calls, so it answers as a proxy does (RFC 7332 §4).
    answered("zeromf", 483).await;
}

#[tokio::test]
async fn cparam01() {
    answered("cparam01", 405).await;
}

#[tokio::test]
async fn cparam02() {
    answered("cparam02", 405).await;
}

#[tokio::test]
async fn regescrt() {
    answered("regescrt", 405).await;
}

#[tokio::test]
async fn sdp01() {
    let answer = answered("sdp01", 406).await;
    assert!(answer.header("Accept").is_some(), "{answer:?}");
}

// 3.4: backward compatibility.

#[tokio::test]
async fn inv2543() {
    // What RFC 2543 permits is taken: no tag in From, no branch, no Content-Length, no Max-Forwards. A call
    // whose caller cannot be reached is not, and this message has no Contact.
    let (edge, trunk) = open().await;
    let answer = over_udp(&edge, "inv2543").await;
    assert_eq!(answer.code(), 400, "{answer:?}");
    assert!(answer.header("X-Refusal").is_some_and(|why| why.contains("no contact")), "{answer:?}");
    assert_eq!(answer.header("From"), Some("<sip:+13035551111@ift.client.example.net;user=phone>"));
    assert_eq!(edge.record(&trunk, 1).await["check"], "request");
    // In a stream, a body without a length has no end: it is taken as empty, and the rest as no message.
    let (edge, _trunk) = open().await;
    let mut uac = Uac::tcp(&edge).await;
    uac.send(expanded("inv2543")).await;
    assert!(uac.receive(DEADLINE).await.is_some());
}
