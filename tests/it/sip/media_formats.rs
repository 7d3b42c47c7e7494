//! Codecs that are passed through, and the `Warning` of refused media (RFC 3261 §20.43).

use serde_json::json;

use super::edge::{ANSWERS_AT_ONCE, DEADLINE, Edge};
use super::media::packet;
use super::uac::Call;

#[tokio::test]
async fn opus_g722_and_ilbc_are_accepted_after_the_documented_codecs_and_echoed_as_they_came() {
    let edge = Edge::start().await;
    let trunk = edge.trunk(json!({})).await;
    for (formats, attributes, payload_type, answered) in [
        (
            "96 9 101 102",
            "a=rtpmap:96 opus/48000/2\r\na=fmtp:96 useinbandfec=1; maxaveragebitrate=32000\r\n\
             a=rtpmap:101 telephone-event/8000\r\na=rtpmap:102 telephone-event/48000\r\n",
            96,
            "RTP/AVP 96 102\r\na=rtpmap:96 opus/48000/2\r\na=fmtp:96 useinbandfec=1; maxaveragebitrate=32000\r\n\
             a=rtpmap:102 telephone-event/48000\r\n",
        ),
        ("9 96", "a=rtpmap:96 opus/48000/2\r\n", 9, "RTP/AVP 9\r\na=rtpmap:9 G722/8000\r\n"),
        (
            "97",
            "a=rtpmap:97 iLBC/8000\r\na=fmtp:97 mode=20\r\n",
            97,
            "RTP/AVP 97\r\na=rtpmap:97 iLBC/8000\r\na=fmtp:97 mode=20\r\n",
        ),
        ("9 18", "a=rtpmap:18 G729a/8000\r\n", 18, "RTP/AVP 18\r\na=rtpmap:18 G729a/8000\r\n"),
        ("9", "a=rtpmap:9 g722/16000\r\n", 9, "RTP/AVP 9\r\na=rtpmap:9 G722/16000\r\n"),
        ("96 9 8", "a=rtpmap:96 opus/48000/2\r\n", 8, "RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\n"),
    ] {
        let mut call = Call::new(&edge, ANSWERS_AT_ONCE).await;
        let head = call.offer.split("RTP/AVP").next().unwrap().to_owned();
        call.offer = format!("{head}RTP/AVP {formats}\r\n{attributes}");
        let answer = call.place(&trunk).await;
        assert!(answer.body.contains(answered), "{formats}: {}", answer.body);
        let mut sent = packet(1);
        sent[1] = payload_type;
        call.media.send_to(&sent, answer.media().0).await.unwrap();
        let mut echo = vec![0; 2048];
        let length =
            tokio::time::timeout(DEADLINE, call.media.recv(&mut echo)).await.expect("an echo").unwrap();
        assert_eq!((echo[1] & 0x7f, &echo[12..length]), (payload_type, &sent[12..]), "{formats}");
        call.hang_up().await;
    }
    let codecs: Vec<_> = {
        edge.record(&trunk, 6).await;
        edge.records(&trunk).await.iter().rev().map(|record| record["media"]["codec"].clone()).collect()
    };
    assert_eq!(codecs, ["opus", "G722", "iLBC", "G729", "G722", "PCMA"]);
}

#[tokio::test]
async fn a_refusal_of_media_has_the_standards_warning() {
    let edge = Edge::start().await;
    let trunk = edge.trunk(json!({})).await;
    for (from, to, code, warning) in [
        ("RTP/AVP", "RTP/SAVP", 488, "302 trunk-server \"Incompatible transport protocol\""),
        ("8 0 101", "99", 488, "305 trunk-server \"Incompatible media format\""),
        ("m=audio", "m=video", 488, "304 trunk-server \"Media type not available\""),
        ("c=IN IP4", "c=ATM NSAP", 500, "301 trunk-server \"Incompatible network address formats\""),
        ("v=0", "v=1", 500, "399 trunk-server \"Miscellaneous warning\""),
    ] {
        let mut call = Call::new(&edge, ANSWERS_AT_ONCE).await;
        call.offer = call.offer.replace(from, to);
        let refused = call.place(&trunk).await;
        assert_eq!((refused.code(), refused.header("Warning")), (code, Some(warning)), "{}", call.offer);
    }
    let mut call = Call::up(&edge, &trunk, ANSWERS_AT_ONCE).await;
    let encrypted = call.offer.replace("RTP/AVP", "RTP/SAVP");
    for method in ["INVITE", "UPDATE"] {
        let refused = call.request(method, &[], &encrypted).await;
        let warning = "302 trunk-server \"Incompatible transport protocol\"";
        assert_eq!((refused.code(), refused.header("Warning")), (488, Some(warning)), "{method}");
    }
    call.hang_up().await;
}
