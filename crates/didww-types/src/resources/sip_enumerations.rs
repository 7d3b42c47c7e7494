//! The enumerations of the `sip_configurations` of inbound trunks.

use crate::enumeration::{integer_enum, string_enum};

integer_enum! {
    /// The transport of the SIP requests.
    TransportProtocol {
        /// UDP.
        Udp = 1,
        /// TCP.
        Tcp = 2,
        /// TLS.
        Tls = 3,
    }
}

integer_enum! {
    /// How key presses are received.
    RxDtmfFormat {
        /// RTP events of RFC 2833.
        Rfc2833 = 1,
        /// SIP INFO, of either form.
        SipInfo = 2,
        /// RTP events or SIP INFO.
        Either = 3,
    }
}

integer_enum! {
    /// The format of DTMF.
    TxDtmfFormat {
        /// DTMF is not sent.
        Disabled = 0,
        /// RTP events of RFC 2833.
        Rfc2833 = 1,
        /// SIP INFO with `application/dtmf-relay`.
        SipInfoRelay = 2,
        /// SIP INFO with `application/dtmf`.
        SipInfo = 4,
    }
}

integer_enum! {
    /// The request that refreshes a session.
    SstRefreshMethod {
        /// INVITE.
        Invite = 1,
        /// UPDATE.
        Update = 2,
        /// UPDATE, and INVITE if UPDATE is refused.
        UpdateThenInvite = 3,
    }
}

integer_enum! {
    /// The codecs of inbound trunks, by DIDWW's ids.
    Codec {
        /// Telephone events (RFC 2833), for DTMF.
        TelephoneEvent = 6,
        /// G.723.
        G723 = 7,
        /// G.729.
        G729 = 8,
        /// PCMU.
        Pcmu = 9,
        /// PCMA.
        Pcma = 10,
        /// Speex.
        Speex = 12,
        /// GSM.
        Gsm = 13,
        /// G.726, 32 kbit/s.
        G726At32 = 14,
        /// G.721.
        G721 = 15,
        /// G.726, 24 kbit/s.
        G726At24 = 16,
        /// G.726, 40 kbit/s.
        G726At40 = 17,
        /// G.726, 16 kbit/s.
        G726At16 = 18,
        /// L16.
        L16 = 19,
    }
}

string_enum! {
    /// The family of IP addresses that calls are sent to.
    NetworkProtocolPriority {
        /// Only IPv4.
        ForceIpv4 = "force_ipv4",
        /// Only IPv6.
        ForceIpv6 = "force_ipv6",
        /// IPv4 or IPv6.
        Any = "any",
        /// IPv4 first.
        PreferIpv4 = "prefer_ipv4",
        /// IPv6 first.
        PreferIpv6 = "prefer_ipv6",
    }
}

string_enum! {
    /// The form in which the attestation of the caller (STIR/SHAKEN) is sent.
    StirShakenMode {
        /// Nothing is sent.
        Disabled = "disabled",
        /// The `Identity` header is passed on unchanged.
        Original = "original",
        /// P-Asserted-Identity, the attestation and the origination id.
        Pai = "pai",
        /// The original `Identity` header, and the headers of `pai`.
        OriginalPai = "original_pai",
        /// `P-Stir-Verstat` and the attestation.
        Verstat = "verstat",
    }
}

string_enum! {
    /// The treatment of the `Diversion` headers of a call.
    DiversionRelayPolicy {
        /// The headers are removed.
        None = "none",
        /// The headers are passed on unchanged.
        AsIs = "as_is",
        /// The headers are passed on with SIP URIs.
        Sip = "sip",
        /// The headers are passed on with tel URIs.
        Tel = "tel",
    }
}

string_enum! {
    /// The `Diversion` header that is added.
    DiversionInjectMode {
        /// No header is added.
        None = "none",
        /// One `Diversion` header with the DID.
        DidNumber = "did_number",
    }
}

/// The reason for which a call is routed to the next trunk: DIDWW's id of a SIP response code, or of a timeout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ReroutingCode(i64);

impl ReroutingCode {
    /// The id of the reason that no one answered within `ringing_timeout`.
    pub const RINGING_TIMEOUT: Self = Self(1505);

    /// The ids with their response codes.
    const IDS: [(i64, u16); 46] = [
        (56, 400),
        (57, 401),
        (58, 402),
        (59, 403),
        (60, 404),
        (64, 408),
        (65, 409),
        (66, 410),
        (67, 412),
        (68, 413),
        (69, 414),
        (70, 415),
        (71, 416),
        (72, 417),
        (73, 420),
        (74, 421),
        (75, 422),
        (76, 423),
        (77, 424),
        (78, 428),
        (79, 429),
        (80, 433),
        (81, 436),
        (82, 437),
        (83, 438),
        (84, 480),
        (86, 482),
        (87, 483),
        (88, 484),
        (89, 485),
        (90, 486),
        (91, 487),
        (92, 488),
        (96, 494),
        (97, 500),
        (98, 501),
        (99, 502),
        (100, 503),
        (101, 504),
        (102, 505),
        (103, 513),
        (104, 580),
        (105, 600),
        (106, 603),
        (107, 604),
        (108, 606),
    ];

    /// The reason for a SIP response code; `None` for a code that DIDWW does not list.
    pub fn of_status(status: u16) -> Option<Self> {
        Self::IDS.iter().find(|(_, known)| *known == status).map(|(id, _)| Self(*id))
    }

    /// The SIP response code; `None` for a time that ran out, and for an unknown id.
    pub fn status(self) -> Option<u16> {
        Self::IDS.iter().find(|(id, _)| *id == self.0).map(|(_, status)| *status)
    }

    /// The id on the wire.
    pub const fn get(self) -> i64 {
        self.0
    }

    /// Every reason, in the order of the ids.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::IDS.into_iter().map(|(id, _)| Self(id)).chain([Self::RINGING_TIMEOUT])
    }
}

impl serde::Serialize for ReroutingCode {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(self.0)
    }
}

impl<'de> serde::Deserialize<'de> for ReroutingCode {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        crate::tolerant::integer(deserializer).map(Self)
    }
}

impl crate::Attribute for ReroutingCode {
    const KIND: crate::Kind = crate::Kind::Integer { min: 56, max: 1505 };

    fn validate(sent: &serde_json::Value) -> Result<serde_json::Value, Vec<crate::Flaw>> {
        let sent = crate::values::validate_integer(sent, i64::MIN, i64::MAX)?;
        let is_known = Self::all().any(|known| sent.as_i64() == Some(known.0));
        if is_known { Ok(sent) } else { Err(crate::Violation::NotIncluded.into()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_47_reasons_to_try_the_next_trunk() {
        assert_eq!(ReroutingCode::all().count(), 47);
        assert_eq!(ReroutingCode::of_status(486).map(ReroutingCode::get), Some(90));
        assert_eq!(ReroutingCode::RINGING_TIMEOUT.status(), None);
    }
}
