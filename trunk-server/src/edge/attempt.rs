//! What the rules are asked about an INVITE: its headers, as raw as the library leaves them.

use trunk_rules::carrier::{Attempt, Settings};

use super::stack::Incoming;

/// The parts of an INVITE, held so that an [`Attempt`] can point into them.
pub(super) struct Parts {
    source: std::net::IpAddr,
    uri: String,
    from: String,
    credentials: Vec<String>,
    twilio_account_sid: Option<String>,
    asserted_identity: Option<String>,
    preferred_identity: Option<String>,
    diversion: Option<String>,
    privacy: Option<String>,
    body: Vec<u8>,
    has_sdp: bool,
}

/// The header that names a Twilio account; no page of DIDWW's does.
pub(super) const TWILIO_HEADER: &str = "X-Twilio-AccountSid";

impl Parts {
    pub(super) fn of(request: &Incoming, settings: &Settings) -> Self {
        let has_sdp = !request.body().is_empty()
            && request
                .value("Content-Type")
                .is_none_or(|kind| kind.to_ascii_lowercase().starts_with("application/sdp"));
        Self {
            source: request.source().ip(),
            uri: request.request_uri(),
            from: request.value("From").unwrap_or_default(),
            credentials: request.values(settings.credentials_header()),
            twilio_account_sid: request.value(TWILIO_HEADER),
            asserted_identity: request.value("P-Asserted-Identity"),
            preferred_identity: request.value("P-Preferred-Identity"),
            diversion: request.value("Diversion"),
            privacy: request.value("Privacy"),
            body: request.body().to_vec(),
            has_sdp,
        }
    }

    /// What `From` and, where there is one, `P-Asserted-Identity` said, for the log.
    pub(super) fn from(&self) -> &str {
        &self.from
    }

    pub(super) fn ask<T>(&self, ask: impl FnOnce(&Attempt<'_>) -> T) -> T {
        fn bytes(text: Option<&String>) -> Option<&[u8]> {
            text.map(String::as_bytes)
        }
        let credentials: Vec<&[u8]> = self.credentials.iter().map(String::as_bytes).collect();
        ask(&Attempt {
            credentials: &credentials,
            twilio_account_sid: bytes(self.twilio_account_sid.as_ref()),
            asserted_identity: bytes(self.asserted_identity.as_ref()),
            preferred_identity: bytes(self.preferred_identity.as_ref()),
            diversion: bytes(self.diversion.as_ref()),
            privacy: bytes(self.privacy.as_ref()),
            body: &self.body,
            sdp: self.has_sdp.then_some(self.body.as_slice()),
            ..Attempt::new(self.source, self.uri.as_bytes(), self.from.as_bytes())
        })
    }
}
