//! The parts of an INVITE that the rules look at, as raw as they came.

use std::net::IpAddr;

use super::Cause;

/// A call attempt. Header values are the bytes after the colon, as received.
// No `Debug`: it holds a digest and perhaps media keys.
#[derive(Clone, Copy)]
pub struct Attempt<'a> {
    /// Where the packet came from: the socket's peer, nothing that a header says.
    pub source: IpAddr,
    /// The method that a digest is checked with; `INVITE`.
    pub method: &'a [u8],
    /// The Request-URI. The number is taken from here and not from `To`.
    pub request_uri: &'a [u8],
    /// `From`.
    pub from: &'a [u8],
    /// The values of [`Settings::credentials_header`](super::Settings::credentials_header), one for each line.
    pub credentials: &'a [&'a [u8]],
    /// `X-Twilio-AccountSid`. No page names the header; it is inferred.
    pub twilio_account_sid: Option<&'a [u8]>,
    /// `P-Asserted-Identity`.
    pub asserted_identity: Option<&'a [u8]>,
    /// `P-Preferred-Identity`.
    pub preferred_identity: Option<&'a [u8]>,
    /// `Diversion`, the topmost value.
    pub diversion: Option<&'a [u8]>,
    /// `Privacy`.
    pub privacy: Option<&'a [u8]>,
    /// The whole body, which a digest with `auth-int` protects.
    pub body: &'a [u8],
    /// The offer in the body. None is a late offer.
    pub sdp: Option<&'a [u8]>,
    /// Why it cannot be answered, if it cannot.
    pub flaw: Option<Flaw<'a>>,
}

/// Why an INVITE cannot be answered as it is, whoever sends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flaw<'a> {
    /// The disconnect cause; its own code is the response.
    pub cause: Cause,
    /// What would be right.
    pub configured: &'a str,
    /// What came instead.
    pub received: &'a str,
    /// Why, in words.
    pub explanation: &'a str,
}

impl<'a> Attempt<'a> {
    /// An INVITE with nothing but what every INVITE has.
    pub const fn new(source: IpAddr, request_uri: &'a [u8], from: &'a [u8]) -> Self {
        Self {
            source,
            method: b"INVITE",
            request_uri,
            from,
            credentials: &[],
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
