//! The parts of an INVITE that the rules use, as received.

use std::net::IpAddr;

use super::{Cause, SentDigest};

/// A call attempt. Header values are the bytes after the colon, as received.
// No `Debug`: it contains a digest and possibly media keys.
#[derive(Clone, Copy)]
pub struct Attempt<'a> {
    /// The socket's peer address. No header is used for it.
    pub source: IpAddr,
    /// The request method, which the digest covers; `INVITE` for a new call.
    pub method: &'a [u8],
    /// The Request-URI. The dialled number is read from it and not from `To`.
    pub request_uri: &'a [u8],
    /// The value of the `From` header.
    pub from: &'a [u8],
    /// The digest among the values of [`Settings::credentials_header`](super::Settings::credentials_header).
    pub credentials: &'a SentDigest<'a>,
    /// The value of `X-Twilio-AccountSid`. No DIDWW page names this header; it is inferred.
    pub twilio_account_sid: Option<&'a [u8]>,
    /// The values of `P-Asserted-Identity`, separated by commas.
    pub asserted_identity: Option<&'a [u8]>,
    /// The values of `P-Preferred-Identity`, separated by commas.
    pub preferred_identity: Option<&'a [u8]>,
    /// The topmost value of `Diversion`.
    pub diversion: Option<&'a [u8]>,
    /// The value of `Privacy` (RFC 3323); `None` without the header.
    pub privacy: Option<&'a [u8]>,
    /// The whole body, which a digest with `auth-int` covers.
    pub body: &'a [u8],
    /// The SDP offer in the body; `None` for a late offer (RFC 3261 §13.2.1).
    pub sdp: Option<&'a [u8]>,
    /// Why the request cannot be answered; `None` if it can.
    pub flaw: Option<Flaw<'a>>,
}

/// Why an INVITE cannot be answered, regardless of its sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flaw<'a> {
    /// The disconnect cause. Its own code is the response code.
    pub cause: Cause,
    /// The values that the edge accepts, for the `configured` value of the refusal.
    pub configured: &'a str,
    /// The value that the request contains instead.
    pub received: &'a str,
    /// Why the INVITE cannot be answered, and how to correct it, in one sentence.
    pub explanation: &'a str,
}

impl<'a> Attempt<'a> {
    /// Returns an INVITE with only the mandatory parts.
    pub const fn new(source: IpAddr, request_uri: &'a [u8], from: &'a [u8]) -> Self {
        Self {
            source,
            method: b"INVITE",
            request_uri,
            from,
            credentials: SentDigest::NONE,
            twilio_account_sid: None,
            asserted_identity: None,
            preferred_identity: None,
            diversion: None,
            privacy: None,
            body: b"",
            sdp: None,
            flaw: None,
        }
    }
}
