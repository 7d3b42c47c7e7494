//! What the rules are asked about an INVITE: its headers, as raw as the library leaves them.

use trunk_rules::carrier::{Attempt, Settings};

use super::stack::Incoming;

/// The parts of an INVITE that an [`Attempt`] is made of.
pub(super) struct Parts<'a> {
    request: &'a Incoming,
    uri: String,
    from: &'a str,
    credentials: Vec<&'a [u8]>,
    has_sdp: bool,
}

/// The header that names a Twilio account; no page of DIDWW's does.
pub(super) const TWILIO_HEADER: &str = "X-Twilio-AccountSid";

const SDP: &str = "application/sdp";

impl<'a> Parts<'a> {
    pub(super) fn of(request: &'a Incoming, settings: &Settings) -> Self {
        let is_sdp = |kind: &str| kind.get(..SDP.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(SDP));
        Self {
            request,
            uri: request.request_uri(),
            from: request.value("From").unwrap_or_default(),
            credentials: request.values(settings.credentials_header()).map(str::as_bytes).collect(),
            has_sdp: !request.body().is_empty() && request.value("Content-Type").is_none_or(is_sdp),
        }
    }

    /// What `From` said, for the log and the record.
    pub(super) fn from(&self) -> &'a str {
        self.from
    }

    pub(super) fn attempt(&self) -> Attempt<'_> {
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
            sdp: self.has_sdp.then(|| request.body()),
            ..Attempt::new(request.source().ip(), self.uri.as_bytes(), self.from.as_bytes())
        }
    }
}
