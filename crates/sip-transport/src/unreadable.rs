//! Why a message cannot be read, and the response that states it.

use crate::framing::FramingError;
use crate::head::Head;
use crate::stateless::Reply;

/// Why a message cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unreadable {
    /// Its end cannot be determined, or it ends too early.
    #[error(transparent)]
    Framing(#[from] FramingError),
    /// The start line is neither that of a request nor that of a response (RFC 3261 §7.1, §7.2).
    #[error("the first line is not a method, a URI and a version with one space between them")]
    StartLine,
    /// The version is not SIP/2.0 (§21.5.7).
    #[error("the version is not SIP/2.0")]
    Version,
    /// The method is not known (§21.5.2).
    #[error("the method is not known")]
    Method,
    /// The Request-URI has another scheme (§8.2.2.1).
    #[error("the Request-URI is not a sip:, sips: or tel: URI")]
    Scheme,
    /// A `Via` value has no protocol, transport or host.
    #[error("a Via value is malformed or missing")]
    Via,
    /// Another header that the transaction needs is missing or malformed, or the Request-URI is malformed.
    #[error("the Request-URI or one of From, To, Call-ID and CSeq is malformed or missing")]
    Syntax,
}

impl Unreadable {
    /// The response to a request that cannot be read.
    pub fn reply(self) -> Reply<'static> {
        match self {
            Self::Version => Reply::new(505, "Version Not Supported"),
            Self::Method => Reply::new(501, "Not Implemented"),
            Self::Scheme => Reply::new(416, "Unsupported URI Scheme"),
            _ => Reply::new(400, "Bad Request"),
        }
    }

    /// The reason why the library cannot parse a message. The start line is checked first (§8.2.1, §8.2.2.1).
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let Some(head) = Head::of(bytes) else { return Self::Framing(FramingError::Headless) };
        let Some([method, uri, version]) = head.request() else { return Self::StartLine };
        let is_known = is_upper_case(method)
            && std::str::from_utf8(method)
                .is_ok_and(|method| method.parse::<rsipstack::sip::Method>().is_ok());
        let scheme = uri.split(|byte| *byte == b':').next().unwrap_or_default();
        let is_scheme = [&b"sip"[..], b"sips", b"tel"].iter().any(|known| scheme.eq_ignore_ascii_case(known));
        if !version.eq_ignore_ascii_case(b"SIP/2.0") {
            Self::Version
        } else if !is_known {
            Self::Method
        } else if !is_scheme && uri.contains(&b':') {
            Self::Scheme
        } else {
            Self::Syntax
        }
    }
}

/// Whether a method can be one that the library knows. It would accept `invite` for `INVITE`, although methods
/// are case-sensitive (RFC 3261 §7.1).
pub(crate) fn is_upper_case(method: &[u8]) -> bool {
    !method.iter().any(u8::is_ascii_lowercase)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unsupported_start_line_determines_the_code() {
        let code = |line: &str| {
            let bytes = format!("{line}\r\nVia: SIP/2.0/UDP a\r\n\r\n");
            Unreadable::of(bytes.as_bytes()).reply().code
        };
        assert_eq!(code("NEWMETHOD sip:x SIP/2.0"), 501);
        assert_eq!(code("invite sip:x SIP/2.0"), 501);
        assert_eq!(code("INVITE sip:x SIP/7.0"), 505);
        assert_eq!(code("INVITE soap.beep://x SIP/2.0"), 416);
        assert_eq!(code("INVITE sip: SIP/2.0"), 400);
        assert_eq!(code("INVITE"), 400);
    }
}
