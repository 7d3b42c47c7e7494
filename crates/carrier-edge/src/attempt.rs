//! The parts of an INVITE that the rules decide on: its headers as received, as far as the library preserves
//! them.

use sip_transport::as_received;
use trunk_rules::carrier::{Attempt, SentDigest, Settings};

use super::inspection::{self, NotSupported};
use super::stack::Incoming;

/// The parts of an INVITE that an [`Attempt`] is made of.
pub(crate) struct Parts<'a> {
    request: &'a Incoming,
    uri: &'a str,
    from: &'a str,
    digest: SentDigest<'a>,
    /// The values of `P-Asserted-Identity` and `P-Preferred-Identity`, which may have several lines.
    identities: [Option<String>; 2],
    sdp: Option<&'a [u8]>,
    not_supported: Option<NotSupported>,
}

/// The header with a Twilio account SID. DIDWW's documentation does not name it.
pub(crate) const TWILIO_HEADER: &str = "X-Twilio-AccountSid";

/// The digest among the headers of a request with credentials.
pub(crate) fn sent_digest<'a>(request: &'a Incoming, settings: &Settings) -> SentDigest<'a> {
    SentDigest::of(request.values(settings.credentials_header()).map(str::as_bytes), settings)
}

impl<'a> Parts<'a> {
    pub(crate) fn of(request: &'a Incoming, digest: SentDigest<'a>) -> Self {
        // A description that cannot be read is reported by `inspection`.
        let (sdp, refused) = match request.description() {
            Ok(found) => (found, None),
            Err(why) => (None, Some(why)),
        };
        Self {
            request,
            uri: request.request_uri(),
            from: as_received(request.value("From").unwrap_or_default()),
            digest,
            identities: ["P-Asserted-Identity", "P-Preferred-Identity"].map(|name| {
                let values: Vec<&str> = request.values(name).collect();
                (!values.is_empty()).then(|| values.join(", "))
            }),
            sdp,
            not_supported: inspection::not_supported_by_invite(request, refused.as_ref()),
        }
    }

    /// The value of `Call-ID`, by which logs and records name the call.
    pub(crate) fn call_id(&self) -> &'a str {
        self.request.call_id()
    }

    /// The value of `From`, for the log and the record.
    pub(crate) fn from(&self) -> &'a str {
        self.from
    }

    /// The header that the refusal of an unsupported request carries.
    pub(crate) fn header(&self) -> Option<inspection::Header> {
        self.not_supported.as_ref()?.header.clone()
    }

    pub(crate) fn attempt(&self) -> Attempt<'_> {
        let Self { request, identities: [asserted, preferred], .. } = self;
        let bytes = |name| request.value(name).map(str::as_bytes);
        Attempt {
            credentials: &self.digest,
            twilio_account_sid: bytes(TWILIO_HEADER),
            asserted_identity: asserted.as_deref().map(str::as_bytes),
            preferred_identity: preferred.as_deref().map(str::as_bytes),
            diversion: bytes("Diversion"),
            privacy: bytes("Privacy"),
            body: request.body(),
            sdp: self.sdp,
            flaw: self.not_supported.as_ref().map(NotSupported::flaw),
            ..Attempt::new(request.source().ip(), self.uri.as_bytes(), self.from.as_bytes())
        }
    }
}
