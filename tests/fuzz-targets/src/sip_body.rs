//! The session description in the body of a SIP message, which can have parts.

use didww_types::resources::MediaEncryptionMode;
use rsipstack::sip::SipMessage;
use sip_transport::Head;
use sip_transport::body::session_description;
use trunk_rules::carrier::{Settings, negotiate};

const START: &[u8] = b"INVITE sip:1@h SIP/2.0\r\n";

/// Bodies with and without parts, behind their headers.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let sdp = "v=0\r\nc=IN IP4 192.0.2.1\r\nm=audio 4000 RTP/AVP 8\r\n";
    let part = |headers: &str, body: &str| format!("--b\r\n{headers}\r\n\r\n{body}\r\n");
    let whole = part("Content-Type: application/sdp", sdp);
    let isup =
        part("Content-Type: application/isup\r\nContent-Disposition: signal;handling=optional", "\u{1}\u{2}");
    let inner = whole.replace("--b", "--c");
    let nested = part("Content-Type: multipart/alternative;boundary=c", &format!("{inner}--c--\r\n"));
    let related = whole.replace("\r\n\r\nv", "\r\nContent-ID: <a@h>\r\n\r\nv");
    [
        format!("Content-Type: application/sdp\r\n\r\n{sdp}"),
        format!("c: Application/SDP ; x=1\r\nContent-Disposition: session;handling=required\r\n\r\n{sdp}"),
        format!("Content-Type: multipart/mixed;boundary=b\r\n\r\n{isup}{whole}--b--\r\n"),
        format!("Content-Type: multipart/mixed; boundary=\"b\"\r\n\r\npreamble\r\n{nested}--b--"),
        format!("Content-Type: multipart/related;boundary=b;start=\"<a@h>\"\r\n\r\n{isup}{related}--b--\r\n"),
        format!("Content-Type: application/sdp\r\nContent-Encoding: gzip\r\n\r\n{sdp}"),
        format!("X: y\r\n\r\n{sdp}"),
    ]
    .map(String::into_bytes)
    .into()
}

/// The input is headers and a body. The found description is a part of the body.
pub fn sip_body(data: &[u8]) {
    let message = [START, data].concat();
    let Some(body) = Head::of(&message).map(|head| head.rest) else { return };
    let Ok(SipMessage::Request(request)) = SipMessage::try_from(&message[..]) else { return };
    match session_description(&request.headers, body) {
        Ok(Some(found)) => {
            let (within, found_at) = (body.as_ptr_range(), found.as_ptr_range());
            assert!(within.start <= found_at.start && found_at.end <= within.end);
            let _media = negotiate(&MediaEncryptionMode::Disabled, &Settings::default(), Some(found));
        }
        Ok(None) => {}
        Err(refusal) => assert!(matches!(refusal.code(), 400 | 415)),
    }
}
