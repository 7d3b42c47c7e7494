//! Which part of a body is the session description, and which bodies are refused.

use proptest::prelude::*;

use super::*;

const SDP: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\n";
const ISUP: &str = "Content-Type: application/ISUP;version=itu-t92+\r\n";

fn read(headers: &[(&str, &str)], body: &str) -> Result<Option<String>, BodyRefusal> {
    let header = |(name, value): &(&str, &str)| match *name {
        "Content-Type" => Header::ContentType((*value).into()),
        "Content-Encoding" => Header::ContentEncoding((*value).into()),
        "Content-Disposition" => Header::ContentDisposition((*value).into()),
        other => panic!("{other}"),
    };
    let headers: Headers = headers.iter().map(header).collect::<Vec<_>>().into();
    let found = session_description(&headers, body.as_bytes())?;
    Ok(found.map(|found| String::from_utf8(found.to_vec()).unwrap()))
}

fn multipart(kind: &str, parts: &[&str]) -> Result<Option<String>, BodyRefusal> {
    let mut body = "This is the preamble.\r\n".to_owned();
    for part in parts {
        body.extend(["--b\r\n", part, "\r\n"]);
    }
    body.push_str("--b--\r\nThe epilogue, with --b\r\n");
    read(&[("Content-Type", &format!("{kind};boundary=b"))], &body)
}

#[expect(clippy::unnecessary_wraps, reason = "it is compared with what was read")]
fn described() -> Result<Option<String>, BodyRefusal> {
    Ok(Some(SDP.to_owned()))
}

fn kind_refused(kind: &str) -> Result<Option<String>, BodyRefusal> {
    Err(BodyRefusal::Type(kind.to_owned()))
}

#[test]
fn a_body_with_more_than_16_parts_is_refused_also_if_its_end_is_missing() {
    let part = "--b\r\nContent-Disposition: x;handling=optional\r\n\r\na\r\n";
    let kind = [("Content-Type", "multipart/mixed;boundary=b")];
    for end in ["", "--b--\r\n"] {
        assert_eq!(read(&kind, &(part.repeat(MAX_PARTS) + end)), Ok(None));
        assert_eq!(read(&kind, &(part.repeat(MAX_PARTS + 1) + end)).unwrap_err().code(), 400);
    }
}

#[test]
fn a_description_is_the_body_whatever_the_letters_and_parameters_of_its_type() {
    for kind in ["application/sdp", "Application/SDP;charset=utf-8", "application/sdp ; x=y"] {
        assert_eq!(read(&[("Content-Type", kind)], SDP), described(), "{kind}");
    }
    assert_eq!(read(&[("Content-Type", "application/sdp")], ""), Ok(None));
    assert_eq!(read(&[], SDP), described(), "a body without a type that begins like a description");
    assert_eq!(read(&[], "hello"), kind_refused("none"));
    assert_eq!(read(&[("Content-Type", "application/sdpx")], SDP), kind_refused("application/sdpx"));
    let twice = [("Content-Type", "application/sdp"), ("Content-Type", "text/plain")];
    assert_eq!(read(&twice, SDP).unwrap_err().code(), 400);
}

#[test]
fn an_unsupported_encoding_or_disposition_is_refused_with_the_supported_ones() {
    let with = |name, value| read(&[("Content-Type", "application/sdp"), (name, value)], SDP);
    assert_eq!(with("Content-Encoding", "Identity"), described());
    let gzip = with("Content-Encoding", "identity, gzip").unwrap_err();
    assert_eq!((gzip.code(), gzip.header()), (415, Some(("Accept-Encoding", "identity"))));
    assert_eq!(with("Content-Disposition", "session"), described());
    assert_eq!(with("Content-Disposition", "Session;handling=required"), described());
    assert_eq!(with("Content-Disposition", "early-session").unwrap_err().code(), 415);
    assert_eq!(with("Content-Disposition", "early-session; handling = \"Optional\""), Ok(None));
    let text = read(&[("Content-Type", "text/plain")], "hello").unwrap_err();
    assert_eq!((text.code(), text.header()), (415, Some(("Accept", ACCEPT))));
    let optional = [("Content-Type", "text/plain"), ("Content-Disposition", "render;handling=optional")];
    assert_eq!(read(&optional, "hello"), Ok(None));
}

#[test]
fn the_description_is_found_beside_parts_that_may_be_ignored() {
    let sdp = format!("Content-Type: application/sdp\r\n\r\n{SDP}");
    let isup = format!("{ISUP}Content-Disposition: signal;\r\n handling=optional\r\n\r\n\x01\x02");
    let location = "Content-ID: <x@y>\r\nContent-Type: application/pidf+xml\r\n\r\n<presence/>";
    for parts in [&[sdp.as_str()][..], &[&sdp, &isup], &[&isup, &sdp], &[&isup, location, &sdp]] {
        assert_eq!(multipart("multipart/mixed", parts), described(), "{parts:?}");
    }
    assert_eq!(multipart("multipart/mixed", &[&isup]), Ok(None));
    let compact = format!("c: application/sdp\r\nContent-Disposition: session\r\n\r\n{SDP}");
    assert_eq!(multipart("Multipart/X-Unknown", &[&compact]), described());
    assert_eq!(multipart("multipart/mixed", &[&format!("\r\n{SDP}")]), described(), "a part without headers");
}

#[test]
fn an_unsupported_part_that_is_required_is_refused() {
    let sdp = format!("Content-Type: application/sdp\r\n\r\n{SDP}");
    for handling in
        ["", "Content-Disposition: signal\r\n", "Content-Disposition: signal;handling=required\r\n"]
    {
        let isup = format!("{ISUP}{handling}\r\n\x01");
        assert_eq!(multipart("multipart/mixed", &[&sdp, &isup]), kind_refused("application/ISUP"));
    }
    assert_eq!(multipart("multipart/mixed", &[&sdp, &sdp]).unwrap_err().code(), 400);
    let encoded = format!("Content-Type: application/sdp\r\nContent-Transfer-Encoding: base64\r\n\r\n{SDP}");
    assert!(matches!(multipart("multipart/mixed", &[&encoded]), Err(BodyRefusal::Encoding(_))));
}

#[test]
fn of_alternatives_the_last_that_is_understood_counts_and_of_related_parts_the_root() {
    let sdp = format!("Content-Type: application/sdp\r\nContent-ID: <sdp@x>\r\n\r\n{SDP}");
    let html = "Content-Type: text/html\r\n\r\n<p>";
    assert_eq!(multipart("multipart/alternative", &[html, &sdp]), described());
    assert_eq!(multipart("multipart/alternative", &[&sdp, html]), described());
    assert_eq!(multipart("multipart/alternative", &[html]), kind_refused("text/html"));
    assert_eq!(multipart("multipart/related", &[&sdp, html]), described());
    assert_eq!(multipart("multipart/related;start=\"<sdp@x>\"", &[html, &sdp]), described());
    assert_eq!(multipart("multipart/related", &[html, &sdp]), kind_refused("text/html"));
}

#[test]
fn multiparts_may_be_nested_once_and_have_sixteen_parts() {
    let inner = format!(
        "Content-Type: multipart/alternative; boundary=\"in;ner\"\r\n\r\n--in;ner\r\nContent-Type: \
         application/sdp\r\n\r\n{SDP}\r\n--in;ner--\r\n"
    );
    assert_eq!(multipart("multipart/mixed", &[&inner]), described());
    let nested = |inside: &str| {
        format!("Content-Type: multipart/mixed;boundary=x\r\n\r\n--x\r\n{inside}\r\n--x--\r\n")
    };
    assert_eq!(multipart("multipart/mixed", &[&nested(&inner)]).unwrap_err().code(), 400);
    let optional = "Content-Type: a/b\r\nContent-Disposition: x;handling=optional\r\n\r\n";
    let sdp = format!("Content-Type: application/sdp\r\n\r\n{SDP}");
    let mut parts = vec![optional; 15];
    parts.push(&sdp);
    assert_eq!(multipart("multipart/mixed", &parts), described());
    parts.push(optional);
    assert_eq!(multipart("multipart/mixed", &parts).unwrap_err().code(), 400);
}

#[test]
fn a_boundary_may_be_quoted_and_a_last_delimiter_missing() {
    let body = format!("--a b\\\r\nContent-Type: application/sdp\n\n{SDP}");
    assert_eq!(
        read(&[("Content-Type", "multipart/mixed; x=\"y;boundary=z\"; Boundary=\"a b\\\\\"")], &body),
        described()
    );
    for kind in ["multipart/mixed", "multipart/mixed;boundary=", "multipart/mixed;boundary=\"\""] {
        assert_eq!(read(&[("Content-Type", kind)], &body).unwrap_err().code(), 400, "{kind}");
    }
    assert_eq!(read(&[("Content-Type", "multipart/mixed;boundary=c")], &body).unwrap_err().code(), 400);
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(
        kind in "(multipart/(mixed|related|alternative)|application/sdp)[;=\"\\\\ a-z]{0,30}(;boundary=b)?",
        body in proptest::collection::vec(any::<u8>(), 0..200),
        lines in proptest::collection::vec("(--b|--b--|[Cc]ontent-[A-Za-z]{2,12}: [ -~]{0,20}|| x)", 0..40)
    ) {
        let headers: Headers = vec![Header::ContentType(kind.as_str().into())].into();
        let _ = session_description(&headers, &body);
        let _ = session_description(&headers, lines.join("\r\n").as_bytes());
    }
}
