//! The answer to a request as it is kept for half a minute, of an INVITE after the ACK, in case that a copy of the
//! request was delayed.

use rsipstack::sip::{Header, Response};

/// Shortens an answer that the caller has acknowledged, or that needs no ACK: a copy of the request needs only what
/// names the dialog.
///
/// Of an answer that the library itself keeps it reads the `To`, and of its other headers none; so the lines of these
/// are one header. A server that begins many calls a second keeps thousands of answers.
pub(super) fn shorten(response: &mut Response) {
    let (mut to, mut first, mut lines) = (None, None, String::with_capacity(512));
    for header in response.headers.iter() {
        match header {
            Header::To(_) => to = Some(header.clone()),
            Header::Via(_)
            | Header::CallId(_)
            | Header::From(_)
            | Header::CSeq(_)
            | Header::Contact(_)
            | Header::RecordRoute(_) => {
                if first.is_none() {
                    first = Some(header.name().to_owned());
                } else {
                    lines.push_str("\r\n");
                    lines.push_str(header.name());
                    lines.push_str(": ");
                }
                lines.push_str(header.value());
            }
            _ => {}
        }
    }
    lines.push_str("\r\nContent-Length: 0");
    lines.shrink_to_fit();
    let mut kept = Vec::with_capacity(2);
    kept.extend(first.map(|name| Header::Other(name, lines)));
    kept.extend(to);
    response.headers.0 = kept;
    response.body = Vec::new();
}

/// What is kept of an answer to an INVITE that the edge sent past the library: a response with what names the dialog,
/// without the headers that a copy of the request has too.
pub(super) fn own_text(response: &Response) -> String {
    let status = &response.status_code;
    let mut text = format!("SIP/2.0 {} {}\r\n", status.code(), status.text());
    let is_kept = |header: &&Header| matches!(header, Header::To(_) | Header::Contact(_));
    for header in response.headers.iter().filter(is_kept) {
        for part in [header.name(), ": ", header.value(), "\r\n"] {
            text.push_str(part);
        }
    }
    text.push_str("\r\n");
    text
}

/// The same of the text of an answer without a body. Of one that has headers of its own (`is_plain` is false) all are
/// kept that a copy of the request lacks.
pub(super) fn own_lines(answer: &str, is_plain: bool) -> String {
    let mut own = String::with_capacity(answer.len());
    let mut is_kept = true;
    for (at, line) in answer.split_inclusive('\n').enumerate() {
        let is_continued = line.starts_with([' ', '\t']);
        if at > 0 && !is_continued {
            is_kept = match line.split(':').next().unwrap_or_default() {
                "Via" | "Call-ID" | "From" | "CSeq" | "Record-Route" => false,
                "To" | "Contact" | "\r\n" => true,
                _ => !is_plain,
            };
        }
        if is_kept {
            own.push_str(line);
        }
    }
    own
}

#[cfg(test)]
mod tests {
    use rsipstack::sip::SipMessage;

    use super::*;

    #[test]
    fn what_names_the_dialog_stays_and_is_read_as_before() {
        let text = "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP a;branch=z9hG4bKa\r\nVia: SIP/2.0/UDP b\r\nFrom: <sip:a@h>;tag=f\r\n\
                    To: <sip:b@h>;tag=t\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\nServer: edge\r\nContact: <sip:h>\r\n\
                    Record-Route: <sip:r;lr>\r\nContent-Type: application/sdp\r\nContent-Length: 3\r\n\r\nv=0";
        let read = |bytes: &[u8]| match SipMessage::try_from(bytes) {
            Ok(SipMessage::Response(response)) => response,
            _ => panic!("{}", String::from_utf8_lossy(bytes)),
        };
        let mut kept = read(text.as_bytes());
        shorten(&mut kept);
        assert_eq!(kept.headers.len(), 2);
        let again = read(&kept.to_bytes());
        let lines: Vec<(&str, &str)> =
            again.headers.iter().map(|header| (header.name(), header.value())).collect();
        assert_eq!(
            lines,
            [
                ("Via", "SIP/2.0/UDP a;branch=z9hG4bKa"),
                ("Via", "SIP/2.0/UDP b"),
                ("From", "<sip:a@h>;tag=f"),
                ("Call-ID", "c"),
                ("CSeq", "1 INVITE"),
                ("Contact", "<sip:h>"),
                ("Record-Route", "<sip:r;lr>"),
                ("Content-Length", "0"),
                ("To", "<sip:b@h>;tag=t"),
            ]
        );
        assert!(again.body.is_empty() && again.status_code.code() == 200);
    }

    #[test]
    fn of_an_answer_that_the_edge_sent_the_headers_of_the_request_are_left_out() {
        let text = "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP a;branch=z9hG4bKa\r\nFrom: <sip:a@h>;tag=f\r\n\
                    To: <sip:b@h>;tag=t\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\nRecord-Route: <sip:r;lr>\r\n\
                    Contact: <sip:h>\r\nServer: edge\r\nAllow: INVITE\r\n\r\n";
        let Ok(SipMessage::Response(response)) = SipMessage::try_from(text) else { panic!("{text}") };
        let named = "SIP/2.0 200 OK\r\nTo: <sip:b@h>;tag=t\r\nContact: <sip:h>\r\n";
        assert_eq!(own_text(&response), format!("{named}\r\n"));
        assert_eq!(own_lines(text, true), format!("{named}\r\n"));
        assert_eq!(own_lines(text, false), format!("{named}Server: edge\r\nAllow: INVITE\r\n\r\n"));
        let folded = text.replace(";tag=f", "\r\n ;tag=f").replace(";tag=t", "\r\n ;tag=t");
        assert_eq!(own_lines(&folded, true), format!("{named}\r\n").replace(";tag=t", "\r\n ;tag=t"));
    }
}
