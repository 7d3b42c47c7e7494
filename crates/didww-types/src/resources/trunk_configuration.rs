//! Where an inbound trunk sends its calls: the nested object `configuration` of `voice_in_trunks`.

use serde_json::Value;

use super::{
    Codec, DiversionInjectMode, DiversionRelayPolicy, MediaEncryptionMode, NetworkProtocolPriority,
    ReroutingCode, RxDtmfFormat, SstRefreshMethod, StirShakenMode, TransportProtocol, TxDtmfFormat,
};
use crate::merged_attributes::merged_attributes;
use crate::polymorphic::{parts, polymorphic, whole};
use crate::values::{
    DistinctList, FailoverTime, ForwardNumber, HopCount, InboundRtpTimeout, RtpSource, SessionTime, SipHost,
    SipPort, SipTimerB, SipUser,
};
use crate::{ApiVersion, Attribute, Flaw, Kind, Patch, Secret, UnknownVariant, Violation};

wire_core::string_enum! {
    /// The types of configurations, as the filter `configuration.type` names them.
    TrunkConfigurationType {
        /// Calls go to a SIP host.
        Sip = "sip_configurations",
        /// Calls go to a telephone number.
        Pstn = "pstn_configurations",
        /// Calls go to a host over IAX2. Only trunks that an older version created have it.
        Iax2 = "iax2_configurations",
        /// Calls go to a host over H.323. Only trunks that an older version created have it.
        H323 = "h323_configurations",
    }
}

/// As a filter: a type that does not exist matches nothing, and is not refused.
impl Attribute for TrunkConfigurationType {
    const KIND: Kind = Kind::Text { max: None, pattern: None };

    fn validate(sent: &Value) -> Result<Value, Vec<Flaw>> {
        String::validate(sent)
    }
}

/// The destination of a trunk's calls. An update changes the attributes that it contains; the type cannot be changed.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
#[expect(clippy::large_enum_variant, reason = "most trunks are of the largest variant")]
pub enum TrunkConfiguration {
    /// Calls go to a SIP host.
    Sip(SipConfiguration),
    /// Calls go to a telephone number.
    Pstn(PstnConfiguration),
    /// Calls go to a host over IAX2, before 2026-04-16.
    Iax2(Iax2Configuration),
    /// Calls go to a host over H.323, before 2026-04-16.
    H323(H323Configuration),
    /// A type that this crate does not declare. It is sent exactly as it was read.
    Unknown(UnknownVariant),
}

polymorphic! {
    TrunkConfiguration {
        Sip(SipConfiguration) = "sip_configurations",
        Pstn(PstnConfiguration) = "pstn_configurations",
        Iax2(Iax2Configuration) = "iax2_configurations",
        H323(H323Configuration) = "h323_configurations",
    }
}

/// Codecs in the order of preference, each once.
pub type Codecs = DistinctList<Codec, 1, 13>;

/// Reasons for which a call is routed to the next trunk, without repetitions.
pub type ReroutingCodes = DistinctList<ReroutingCode, 0, 47>;

/// Addresses and subnets from which media is accepted, at most 10, each once.
pub type RtpSources = DistinctList<RtpSource, 0, 10>;

merged_attributes! {
    /// The attributes of a `sip_configurations`. Each one that is absent keeps its value, or in a new trunk receives
    /// its default.
    SipConfiguration {
        /// The user part of the request URI; `{DID}` in it is replaced by the called number.
        username: Patch<SipUser>,
        /// The host of the request URI. Null with registration, and required without it.
        host: Patch<SipHost>,
        /// The port; null to find it by DNS (SRV). Null with registration.
        port: Patch<SipPort>,
        /// The codecs, in the order of preference.
        codec_ids: Option<Codecs>,
        /// How key presses are received.
        rx_dtmf_format_id: Patch<RxDtmfFormat>,
        /// How key presses are sent.
        tx_dtmf_format_id: Patch<TxDtmfFormat>,
        /// Whether the address that the host resolves to is put into the request URI.
        resolve_ruri: Option<bool>,
        /// Whether digest challenges are answered.
        auth_enabled: Option<bool>,
        /// The user for digest challenges. Required with `auth_enabled`, and null without it.
        auth_user: Patch<String>,
        /// The password for digest challenges. Required with `auth_enabled`, and null without it.
        auth_password: Patch<Secret>,
        /// The user part of the From header.
        auth_from_user: Patch<String>,
        /// The host of the From header.
        auth_from_domain: Patch<String>,
        /// Whether session timers are used.
        sst_enabled: Option<bool>,
        /// The shortest session time, in seconds.
        sst_min_timer: Patch<SessionTime>,
        /// The longest session time, in seconds.
        sst_max_timer: Patch<SessionTime>,
        /// Whether a refusal of a refresh with 501 is ignored.
        sst_accept_501: Option<bool>,
        /// The time for which an INVITE without an answer is repeated, in milliseconds.
        sip_timer_b: Patch<SipTimerB>,
        /// The time after which the next address of the host is tried, in milliseconds. At most `sip_timer_b`.
        dns_srv_failover_timer: Patch<FailoverTime>,
        /// Whether an empty RTP packet is sent once a call is answered.
        rtp_ping: Patch<bool>,
        /// The time without RTP after which a call is ended, in seconds.
        rtp_timeout: Option<InboundRtpTimeout>,
        /// Whether media is sent to the address from which media arrives.
        force_symmetric_rtp: Patch<bool>,
        /// Whether RTCP is left out of this.
        symmetric_rtp_ignore_rtcp: Patch<bool>,
        /// The reasons for which a call is routed to the next trunk.
        rerouting_disconnect_code_ids: Patch<ReroutingCodes>,
        /// The requested session interval, in seconds, between the shortest and the longest one.
        sst_session_expires: Patch<SessionTime>,
        /// The request that refreshes a session.
        sst_refresh_method_id: Option<SstRefreshMethod>,
        /// The transport of the SIP requests.
        transport_protocol_id: Option<TransportProtocol>,
        /// How often a call may be transferred.
        max_transfers: Option<HopCount>,
        /// How often a call may be redirected.
        max_30x_redirects: Option<HopCount>,
        /// The encryption of media.
        media_encryption_mode: Option<MediaEncryptionMode>,
        /// The form in which the attestation of the caller is sent.
        stir_shaken_mode: Option<StirShakenMode>,
        /// The addresses from which media is accepted; null is no restriction.
        allowed_rtp_ips: Patch<RtpSources>,
        /// The family of IP addresses that calls are sent to.
        network_protocol_priority: Option<NetworkProtocolPriority>,
        /// Whether a device registers with the service and receives calls there, with credentials that the service
        /// generates.
        enabled_sip_registration: Option<bool>,
        /// Whether the request URI has the called number. Only with registration.
        use_did_in_ruri: Option<bool>,
        /// The treatment of the `Diversion` headers of a call.
        diversion_relay_policy: Option<DiversionRelayPolicy>,
        /// The `Diversion` header that is added.
        diversion_inject_mode: Option<DiversionInjectMode>,
        /// Whether the caller's name is looked up.
        cnam_lookup: Option<bool>,
        /// The user with which a device registers, which the service generates. Requests do not contain it.
        incoming_auth_username: Patch<String>,
        /// The password with which a device registers, which the service generates. Requests do not contain it.
        incoming_auth_password: Patch<Secret>,
    }
}

merged_attributes! {
    /// The attributes of a `pstn_configurations`.
    PstnConfiguration {
        /// The telephone number, in E.164 form without the plus sign.
        dst: Patch<ForwardNumber>,
    }
}

merged_attributes! {
    /// The attributes of an `iax2_configurations`.
    Iax2Configuration {
        /// The extension that is called.
        dst: Patch<String>,
        /// The host that is called.
        host: Patch<SipHost>,
        /// The port; null is the default one.
        port: Patch<SipPort>,
        /// The user with which calls are authenticated.
        auth_user: Patch<String>,
        /// The password with which calls are authenticated.
        auth_password: Patch<Secret>,
        /// The codecs, in the order of preference.
        codec_ids: Option<Codecs>,
    }
}

merged_attributes! {
    /// The attributes of an `h323_configurations`.
    H323Configuration {
        /// The number that is called.
        dst: Patch<String>,
        /// The host that is called.
        host: Patch<SipHost>,
        /// The port; null is the default one.
        port: Patch<SipPort>,
        /// The codecs, in the order of preference.
        codec_ids: Option<Codecs>,
    }
}

impl SipConfiguration {
    /// Attributes that only the service sets.
    pub const GENERATED: [&str; 2] = ["incoming_auth_username", "incoming_auth_password"];

    /// Calls go to a host, which does not register.
    #[must_use]
    pub fn at_host(mut self, host: SipHost) -> Self {
        self.host = Patch::Set(host);
        (self.enabled_sip_registration, self.use_did_in_ruri) = (Some(false), Some(false));
        self
    }

    /// Calls go to the device that registers, so that there is neither a host nor a port. The request URI has the
    /// called number.
    #[must_use]
    pub fn registered(mut self) -> Self {
        (self.host, self.port) = (Patch::Clear, Patch::Clear);
        (self.enabled_sip_registration, self.use_did_in_ruri) = (Some(true), Some(true));
        self
    }

    /// The first version that has an attribute.
    pub fn since(attribute: &str) -> ApiVersion {
        match attribute {
            "media_encryption_mode" | "stir_shaken_mode" | "allowed_rtp_ips" => ApiVersion::V2021_12_15,
            "network_protocol_priority"
            | "enabled_sip_registration"
            | "use_did_in_ruri"
            | "diversion_relay_policy"
            | "diversion_inject_mode"
            | "cnam_lookup"
            | "incoming_auth_username"
            | "incoming_auth_password" => ApiVersion::V2026_04_16,
            _ => ApiVersion::V2017_09_18,
        }
    }
}

impl TrunkConfiguration {
    /// Calls go to a SIP host.
    pub fn sip(host: SipHost) -> Self {
        Self::Sip(SipConfiguration::default().at_host(host))
    }

    /// Calls go to the device that registers with the credentials that the service generates.
    pub fn sip_registration() -> Self {
        Self::Sip(SipConfiguration::default().registered())
    }

    /// Calls go to a telephone number.
    pub fn pstn(dst: ForwardNumber) -> Self {
        Self::Pstn(PstnConfiguration { dst: Patch::Set(dst), ..PstnConfiguration::default() })
    }

    /// The user and the password with which a device registers; `None` without registration.
    pub fn registration(&self) -> Option<(&str, &Secret)> {
        match self {
            Self::Sip(SipConfiguration {
                incoming_auth_username: Patch::Set(username),
                incoming_auth_password: Patch::Set(password),
                ..
            }) => Some((username.as_str(), password)),
            _ => None,
        }
    }
}

impl Attribute for TrunkConfiguration {
    const KIND: Kind = Kind::Variant(TrunkConfigurationType::TEXTS);

    /// Validates the form and each attribute separately, and removes attributes that only the service sets. Permitted
    /// attributes and rules for combinations, in each version, belong to the trunk.
    fn validate(sent: &Value) -> Result<Value, Vec<Flaw>> {
        let (kind, attributes) = parts(sent)?;
        let mut attributes = attributes.into_owned();
        attributes.retain(|name, _| !SipConfiguration::GENERATED.contains(&name.as_str()));
        let validated = match kind {
            "sip_configurations" => SipConfiguration::validate(&attributes),
            "pstn_configurations" => PstnConfiguration::validate(&attributes),
            "iax2_configurations" => Iax2Configuration::validate(&attributes),
            "h323_configurations" => H323Configuration::validate(&attributes),
            _ => Err(vec![Flaw { pointer: "/type".to_owned(), violation: Violation::NotIncluded }]),
        }?;
        Ok(whole(kind, validated))
    }

    /// Leaves out the credentials, which only the service generates.
    fn to_sent(&self) -> Result<Value, serde_json::Error> {
        let mut sent = serde_json::to_value(self)?;
        if let Some(attributes) = sent.get_mut("attributes").and_then(Value::as_object_mut) {
            attributes.retain(|name, _| !SipConfiguration::GENERATED.contains(&name.as_str()));
        }
        Ok(sent)
    }
}
