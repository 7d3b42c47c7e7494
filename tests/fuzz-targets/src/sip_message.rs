//! SIP messages, as the listeners read them, and the stateless responses to them.

use std::net::{Ipv4Addr, SocketAddr};

use rsipstack::sip::{Header, SipMessage, Version};
use sip_transport::body::session_description;
use sip_transport::session_timer::TimerHeaders;
use sip_transport::{
    Head, PlainRequest, Reply, address, body_of_datagram, is_name_addr, masked_line, parse_message, tag_of,
    unfolded, uri_of,
};

use crate::fixtures;

const SOURCE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::new(198, 51, 100, 9)), 5060);

/// What stands around the methods of a request that is read without the library.
const PLAIN: (&str, &str) = (
    "sip:+442079460018@192.0.2.1:5060 SIP/2.0\r\nVia: SIP/2.0/UDP 198.51.100.9:5060;rport;branch=z9hG4bK-1.a\r\n\
     v: SIP/2.0/UDP behind;branch=z9hG4bKb\r\nf: \"A. Caller\" <sip:100@198.51.100.9>;tag=a-1\r\n\
     To: <sip:442079460018@192.0.2.1>\r\nCall-ID: 1@198.51.100.9\r\nCSeq: 7 ",
    "max-forwards: 70\r\nContact: <sip:100@198.51.100.9>\r\nSupported: timer\r\nContent-Length: 4\r\n\r\nbody",
);

/// The messages of RFC 4475 and RFC 5118, and some that this server exchanges.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let mut seeds: Vec<Vec<u8>> =
        fixtures::sip_messages().into_iter().filter(|message| message.len() <= 8_192).collect();
    let common = "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKa;rport\r\nFrom: \"A\" <sip:1@h;x>;tag=a\r\n\
        To: <sip:2@h>\r\n\
        Call-ID: c@h\r\nCSeq: 1 INVITE\r\n";
    for (start, rest) in [
        (
            "INVITE sip:12#442079460018@h SIP/2.0",
            "Authorization: Digest username=\"u\", realm=\"r\", nonce=\"n\", uri=\"sip:h\", response=\"ab\"\r\n\
             Session-Expires: 1800;refresher=uac\r\nMin-SE: 90\r\nSupported: timer\r\nContent-Type: application/sdp\r\n\
             Content-Length: 101\r\n\r\nv=0\r\nc=IN IP4 192.0.2.1\r\nm=audio 4000 RTP/SAVP 8 0 101\r\n\
             a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x\r\n",
        ),
        (
            "SIP/2.0 403 Odd Thing",
            "Reason: Q.850;cause=21\r\nX-Refusal: check=cli\r\nContent-Length: 0\r\n\r\n",
        ),
        ("SIP/2.0 401 Unauthorized", "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\"\r\nl: 0\r\n\r\n"),
        ("INFO sip:x@h SIP/2.0", "Content-Type: application/dtmf-relay\r\nl: 10\r\n\r\nSignal=5\r\n"),
        ("ACK sip:x@[2001:db8:::192.0.2.1] sip/2.0", "m: <sip:a,b@h>, \"x, y\" <sip:c:secret@h>\r\n\r\n"),
    ] {
        seeds.push(format!("{start}\r\n{common}{rest}").into_bytes());
    }
    for method in ["INVITE", "CANCEL"] {
        let (start, rest) = PLAIN;
        let plain = format!("{method} {start}{method}\r\n{rest}").into_bytes();
        // Otherwise nothing would be compared.
        assert!(PlainRequest::of(&plain, &[]).is_some());
        seeds.push(plain);
    }
    seeds
}

/// What is read of a plain request without the library is what the library reads, and it is well-formed. A message that
/// is read, written and read again is the same; a response to any message is one message and has at most
/// as many bytes as it may.
pub fn sip_message(data: &[u8]) {
    for is_datagram in [true, false] {
        match parse_message(data, is_datagram) {
            Ok(message) => {
                read_headers(&message);
                let written = message.to_bytes();
                let again = parse_message(&written, is_datagram).unwrap();
                assert_eq!(comparable(&again), comparable(&message));
            }
            Err(why) => respond(&why.reply(), data),
        }
    }
    if let Some(plain) = PlainRequest::of(data, &[]) {
        compare(&plain, data);
    }
    respond(&Reply::new(403, "Forbidden").useful("X-Refusal", "check=cli"), data);
    if let Ok(body) = body_of_datagram(data) {
        assert!(body.len() <= data.len());
    }
    for head in [Head::of(data), Head::of_cut_off(data)].into_iter().flatten() {
        for (name, value) in head.headers() {
            assert!(!name.contains(&b':'));
            assert_eq!(unfolded(value).len(), value.len());
            assert_eq!(masked_line(value).len(), value.len());
        }
    }
}

/// Compares a plain request with what the library reads of it.
fn compare(plain: &PlainRequest<'_>, data: &[u8]) {
    let Ok(SipMessage::Request(request)) = parse_message(data, true) else {
        panic!("it is read only as plain")
    };
    assert_eq!((request.method.to_string(), request.version), (plain.method.to_owned(), Version::V2));
    assert_eq!(request.uri.to_string(), plain.uri);
    let first =
        |is: fn(&Header) -> bool| request.headers.iter().find(|header| is(header)).unwrap().value().trim();
    assert_eq!(first(|header| matches!(header, Header::Via(_))), plain.via);
    assert_eq!(first(|header| matches!(header, Header::CallId(_))), plain.call_id);
    let sequence = format!("{} {}", plain.number, plain.method);
    assert_eq!(
        first(|header| matches!(header, Header::CSeq(_))).trim_start_matches('0'),
        sequence.trim_start_matches('0')
    );
    let (from, to) =
        (first(|header| matches!(header, Header::From(_))), first(|header| matches!(header, Header::To(_))));
    assert_eq!((tag_of(from), to, tag_of(to)), (Some(plain.remote_tag), plain.to, None));
    assert!(is_name_addr(from) && is_name_addr(to) && plain.number < 1 << 31);
    // The lines that a response repeats begin a response that the library reads.
    let repeated = plain.repeated(&format!("{};tag=b", plain.to), SOURCE);
    let response = format!("SIP/2.0 100 Trying\r\n{repeated}Content-Length: 0\r\n\r\n");
    let Ok(SipMessage::Response(response)) = parse_message(response.as_bytes(), true) else {
        panic!("{response}")
    };
    let names = |headers: &rsipstack::sip::Headers, name: &str| {
        headers.iter().filter(|header| header.name() == name).count()
    };
    for name in ["Via", "From", "To", "Call-ID", "CSeq"] {
        assert_eq!(names(&response.headers, name), names(&request.headers, name), "{name}");
    }
}

/// Method or status code, headers and body: what the library writes as it read it. It writes the standard phrase of a
/// known code, escapes the characters of a URI again, and keeps a blank before a value that begins on the next line.
/// The server keeps the URI as received beside the request.
fn comparable(message: &SipMessage) -> (String, Vec<(&str, &str)>, &[u8]) {
    let (start, headers, body) = match message {
        SipMessage::Request(request) => (request.method.to_string(), &request.headers, &request.body),
        SipMessage::Response(response) => {
            (response.status_code.code().to_string(), &response.headers, &response.body)
        }
    };
    (start, headers.iter().map(|header| (header.name(), header.value().trim())).collect(), body)
}

fn read_headers(message: &SipMessage) {
    let (headers, body) = match message {
        SipMessage::Request(request) => (&request.headers, &request.body),
        SipMessage::Response(response) => (&response.headers, &response.body),
    };
    for header in headers.iter() {
        let value = header.value();
        let entries = address::entries(value);
        assert_eq!(address::entries(&entries.join(",")), entries);
        for entry in entries {
            assert!(tag_of(entry).is_none_or(|tag| !tag.is_empty()));
            assert!(!is_name_addr(entry) || !uri_of(entry).is_empty());
        }
    }
    if let Ok(Some(description)) = session_description(headers, body) {
        assert!(description.len() <= body.len());
    }
    if let Ok(timer) = TimerHeaders::of(headers) {
        let _decision = timer.decide(None);
        if let Some(terms) = timer.agreed() {
            assert!(terms.in_request().starts_with(&terms.interval.to_string()));
        }
    }
}

fn respond(reply: &Reply<'_>, data: &[u8]) {
    let Some(head) = Head::of(data) else { return };
    let most = 2 * data.len();
    let Some(response) = reply.to(&head, SOURCE, "a-tag", most) else { return };
    assert!(response.len() <= most);
    let written = Head::of(&response).unwrap();
    assert_eq!(written.rest, b"", "it is one message");
    assert!(written.start().starts_with(b"SIP/2.0 ") && written.method().is_none());
    assert!(matches!(parse_message(&response, true), Ok(SipMessage::Response(_))));
}
