//! Bodies that are not a plain session description: multiparts, other types, other encodings.

use serde_json::json;

use super::edge::{ANSWERS_AT_ONCE, Edge, Trunk};
use super::media::hears_its_echo;
use super::message::Message;
use super::uac::Call;

/// A trunk that authenticates by address, so that bodies can be tested without a digest.
async fn open_trunk(edge: &Edge) -> Trunk {
    let trunk = edge.trunk(json!({})).await;
    edge.ip_only(&trunk, &["127.0.0.0/8"]).await;
    trunk
}

const ISUP: &str = "Content-Type: application/ISUP;version=nxv3\r\nContent-Disposition: signal;handling=optional\r\n\
                    \r\n\x01\x02\x03";

fn multipart(parts: &[&str]) -> String {
    let mut body = "preamble\r\n".to_owned();
    for part in parts {
        body.extend(["--unique-boundary-1\r\n", part, "\r\n"]);
    }
    body + "--unique-boundary-1--\r\n"
}

fn mixed(call: &mut Call, parts: &[&str]) {
    call.content = vec!["Content-Type: multipart/mixed; boundary=\"unique-boundary-1\"".to_owned()];
    call.offer = multipart(parts);
}

fn sdp_part(call: &Call) -> String {
    format!("Content-Type: application/sdp\r\n\r\n{}", call.offer)
}

async fn with(edge: &Edge, content: &[&str], body: &str) -> Message {
    let mut call = Call::new(edge, ANSWERS_AT_ONCE).await;
    call.content = content.iter().map(|line| (*line).to_owned()).collect();
    call.offer = body.replace("SDP", &call.offer);
    call.attempt().await
}

#[tokio::test]
async fn an_offer_in_a_multipart_body_is_the_offer() {
    let edge = Edge::start().await;
    open_trunk(&edge).await;
    let location = "Content-ID: <a@b>\r\nContent-Type: application/pidf+xml\r\n\r\n<presence/>";
    for further in [&[][..], &[ISUP], &[location, ISUP]] {
        let mut call = Call::new(&edge, ANSWERS_AT_ONCE).await;
        let sdp = sdp_part(&call);
        let parts: Vec<&str> = [sdp.as_str()].iter().chain(further).copied().collect();
        mixed(&mut call, &parts);
        let answer = call.attempt().await;
        assert_eq!(answer.code(), 200, "{answer:?}");
        let (at, audio) = answer.media();
        assert!(audio.ends_with("RTP/AVP 8 101"), "an answer and no offer: {audio}");
        call.acknowledge().await;
        hears_its_echo(&call, at, 1).await;
        call.hang_up().await;
    }
}

#[tokio::test]
async fn a_body_that_must_be_understood_and_is_not_is_refused_with_415() {
    let edge = Edge::start().await;
    let trunk = open_trunk(&edge).await;
    let mut count = 0;
    for (content, body, code, header, value) in [
        (&["Content-Type: text/plain"][..], "hello", 415, "Accept", "application/sdp, multipart/mixed"),
        (
            &["Content-Type: application/sdp", "Content-Encoding: gzip"],
            "SDP",
            415,
            "Accept-Encoding",
            "identity",
        ),
        (
            &["Content-Type: application/sdp", "Content-Disposition: early-session"],
            "SDP",
            415,
            "Accept",
            "application/sdp, multipart/mixed",
        ),
        (
            &["Content-Type: multipart/mixed;boundary=b"],
            "--b\r\nContent-Type: application/sdp\r\n\r\nSDP\r\n--b\r\nContent-Type: application/isup\r\n\r\n\x01\r\n--b--",
            415,
            "Accept",
            "application/sdp, multipart/mixed",
        ),
    ] {
        let answer = with(&edge, content, body).await;
        assert_eq!((answer.code(), answer.header(header)), (code, Some(value)), "{content:?}: {answer:?}");
        assert!(
            answer.header("X-Refusal").is_some_and(|why| why.starts_with("check=request;")),
            "{answer:?}"
        );
        count += 1;
        let record = edge.record(&trunk, count).await;
        assert_eq!((&record["check"], &record["disconnect_code"]), (&json!("request"), &json!(code)));
    }
    let twice = ["Content-Type: application/sdp", "Content-Type: application/sdp"];
    assert_eq!(with(&edge, &twice, "SDP").await.code(), 400);
    assert_eq!(with(&edge, &["Content-Type: multipart/mixed"], "SDP").await.code(), 400);
    for content in [&[][..], &["Content-Type: APPLICATION/SDP;x=y"], &["c: application/sdp"]] {
        assert_eq!(with(&edge, content, "SDP").await.code(), 200, "{content:?}");
    }
    let ignored = ["Content-Type: text/plain", "Content-Disposition: render;handling=optional"];
    assert_eq!(with(&edge, &ignored, "hello").await.code(), 200, "a call without an offer");
}

#[tokio::test]
async fn a_caller_that_takes_no_description_is_refused_with_406() {
    let edge = Edge::start().await;
    open_trunk(&edge).await;
    for (accept, code) in [
        ("Accept: application/isup", 406),
        ("Accept:", 406),
        ("Accept: application/sdp;q=0.0, text/plain", 406),
        ("Accept: application/sdp, application/isup", 200),
        ("Accept: application/*;q=0.5", 200),
        ("Accept: text/plain, */*", 200),
    ] {
        let mut call = Call::new(&edge, ANSWERS_AT_ONCE).await;
        call.headers.push(accept.to_owned());
        assert_eq!(call.attempt().await.code(), code, "{accept}");
    }
}

#[tokio::test]
async fn the_same_holds_for_requests_inside_a_dialog() {
    let edge = Edge::start().await;
    let trunk = open_trunk(&edge).await;
    let mut call = Call::new(&edge, ANSWERS_AT_ONCE).await;
    assert_eq!(call.attempt().await.code(), 200);
    call.acknowledge().await;
    let plain = std::mem::replace(&mut call.content, vec!["Content-Type: text/plain".to_owned()]);
    for method in ["INVITE", "UPDATE"] {
        let answer = call.request(method, &[], "hello").await;
        assert_eq!((answer.code(), answer.header("Accept").is_some()), (415, true), "{answer:?}");
    }
    let sdp = sdp_part(&call);
    mixed(&mut call, &[&sdp, ISUP]);
    let body = call.offer.clone();
    for method in ["INVITE", "UPDATE"] {
        let answer = call.request(method, &[], &body).await;
        assert_eq!(answer.code(), 200, "{answer:?}");
        assert!(answer.media().1.ends_with("RTP/AVP 8 101"), "{answer:?}");
    }
    // The answer to an offer of the edge may be one part of a multipart as well.
    call.acknowledgement = body;
    let offer = call.request("INVITE", &[], "").await;
    assert_eq!(offer.code(), 200);
    assert_eq!(call.request("UPDATE", &[], "").await.code(), 200, "the call goes on");
    hears_its_echo(&call, offer.media().0, 1).await;
    call.content = plain;
    call.hang_up().await;
    assert_eq!(edge.record(&trunk, 1).await["disconnect_reason"], "Bye");
}
