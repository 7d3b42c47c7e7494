//! What the rules are asked about an INVITE: its headers, as raw as the library leaves them.

use trunk_rules::carrier::{Attempt, Settings};

use super::inspection::{self, NotSupported};
use super::stack::Incoming;

/// The parts of an INVITE that an [`Attempt`] is made of.
pub(crate) struct Parts<'a> {
    request: &'a Incoming,
    uri: String,
    from: &'a str,
    credentials: Vec<&'a [u8]>,
    sdp: Option<&'a [u8]>,
    not_supported: Option<NotSupported>,
}

/// The header that names a Twilio account; no page of DIDWW's does.
pub(crate) const TWILIO_HEADER: &str = "X-Twilio-AccountSid";

impl<'a> Parts<'a> {
    pub(crate) fn of(request: &'a Incoming, settings: &Settings) -> Self {
        Self {
            request,
            uri: request.request_uri(),
            from: request.value("From").unwrap_or_default(),
            credentials: request.values(settings.credentials_header()).map(str::as_bytes).collect(),
            // One that cannot be read is not supported.
            sdp: request.description().unwrap_or_default(),
            not_supported: inspection::not_supported(request),
        }
    }

    /// What `From` said, for the log and the record.
    pub(crate) fn from(&self) -> &'a str {
        self.from
    }

    /// The header that a refusal of what is not supported carries.
    pub(crate) fn header(&self) -> Option<inspection::Header> {
        self.not_supported.as_ref()?.header.clone()
    }

    pub(crate) fn attempt(&self) -> Attempt<'_> {
        let Self { request, .. } = self;
        let bytes = |name| request.value(name).map(str::as_bytes);
        Attempt {
            credentials: &self.credentials,
            twilio_account_sid: bytes(TWILIO_HEADER),
            asserted_identity: bytes("P-Asserted-Identity"),
            preferred_identity: bytes("P-Preferred-Identity"),
            diversion: bytes("Diversion"),
            privacy: bytes("Privacy"),
            body: request.body(),
            sdp: self.sdp,
            flaw: self.not_supported.as_ref().map(NotSupported::flaw),
            ..Attempt::new(request.source().ip(), self.uri.as_bytes(), self.from.as_bytes())
        }
    }
}
