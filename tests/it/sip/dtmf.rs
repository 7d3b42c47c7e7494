//! DTMF by INFO and by telephone events, in records.

use serde_json::{Value, json};

use super::edge::{ANSWERS_AT_ONCE, Edge};
use super::media::looked_at;
use super::message::Message;
use super::uac::Call;

async fn info(call: &mut Call, content_type: &str, body: &str) -> Message {
    call.content = vec![format!("Content-Type: {content_type}")];
    call.request("INFO", &[], body).await
}

/// The packets of a telephone event, with its end repeated.
fn event(number: u8, timestamp: u8) -> [Vec<u8>; 4] {
    [(0, 0), (0, 160), (0x80, 160), (0x80, 160)].map(|(end, duration)| {
        let mut packet = vec![0x80, 101, 0, timestamp, 0, 0, 0, timestamp, 0, 0xc0, 0xff, 0xee];
        packet.extend([number, end | 0x0a, 0, duration]);
        packet
    })
}

/// A call that sends 1 and # by INFO, and 5, 5 and * by telephone events. Returns the DTMF of its record.
async fn keys(edge: &Edge) -> Value {
    let trunk = edge.trunk(json!({})).await;
    let mut call = Call::new(edge, ANSWERS_AT_ONCE).await;
    let answer = call.place(&trunk).await;
    assert!(answer.body.contains("a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\n"), "{answer:?}");
    let (at, _) = answer.media();
    for (number, timestamp) in [(5, 1), (5, 2), (10, 3)] {
        for packet in event(number, timestamp) {
            call.media.send_to(&packet, at).await.unwrap();
        }
    }
    looked_at(&mut call, at).await;
    assert_eq!(info(&mut call, "application/dtmf-relay", "Signal=1\r\nDuration=160\r\n").await.code(), 200);
    assert_eq!(info(&mut call, "application/dtmf", "#").await.code(), 200);
    call.hang_up().await;
    edge.record(&trunk, 1).await["media"]["dtmf"].clone()
}

#[tokio::test]
async fn keys_are_counted_by_their_method_and_recorded_themselves_only_if_the_operator_wants_it() {
    let edge = Edge::start().await;
    assert_eq!(keys(&edge).await, json!({ "telephone_events": 3, "info": 2, "digits": null }));
    let edge = Edge::with_config("[sip]\ndtmf_digits = true\n").await;
    assert_eq!(keys(&edge).await, json!({ "telephone_events": 3, "info": 2, "digits": "55*1#" }));
}

#[tokio::test]
async fn an_info_that_is_not_dtmf_is_refused_with_what_is_understood_and_the_call_goes_on() {
    let edge = Edge::start().await;
    let trunk = edge.trunk(json!({})).await;
    let mut call = Call::up(&edge, &trunk, ANSWERS_AT_ONCE).await;
    let refused = info(&mut call, "application/media_control+xml", "<media_control/>").await;
    assert_eq!(
        (refused.code(), refused.header("Accept")),
        (415, Some("application/dtmf-relay, application/dtmf"))
    );
    assert_eq!(info(&mut call, "application/dtmf-relay", "Duration=160").await.code(), 400);
    let package = call.request("INFO", &["Info-Package: conference"], "").await;
    assert_eq!((package.code(), package.header("Recv-Info").is_some()), (469, true), "{package:?}");
    assert_eq!(call.request("INFO", &[], "").await.code(), 200, "a client that keeps its session alive");
    call.hang_up().await;
    assert_eq!(edge.record(&trunk, 1).await["media"]["dtmf"]["info"], 0);
}
