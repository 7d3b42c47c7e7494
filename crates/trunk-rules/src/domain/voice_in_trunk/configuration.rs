//! The rules of the configuration of an inbound trunk: its type, its defaults, and combinations of its attributes.

use didww_types::resources::{
    Codec, Codecs, DiversionInjectMode, DiversionRelayPolicy, MediaEncryptionMode, NetworkProtocolPriority,
    ReroutingCode, RxDtmfFormat, SipConfiguration, SstRefreshMethod, StirShakenMode, TransportProtocol,
    TrunkConfiguration, TxDtmfFormat, VoiceInTrunk,
};
use didww_types::values::{FailoverTime, HopCount, InboundRtpTimeout, SessionTime, SipTimerB};
use didww_types::{Patch, Resource as _, Violation};
use serde_json::Value;

use crate::domain::draft::Draft;
use crate::domain::{Refusal, WriteContext};

const CONFIGURATION: &str = VoiceInTrunk::SPEC.attribute_name("configuration");

/// Decides on the configuration of a request: merges it into the stored one, or into the defaults of a new trunk.
pub(super) fn decide(context: &WriteContext<'_>, draft: &mut Draft<VoiceInTrunk>) {
    if let Some(name) = not_allowed(context) {
        draft.refusals.push(Refusal::member_at("", name, Violation::ParamNotAllowed));
        return;
    }
    let Some(sent) = draft.changes.configuration.take() else { return };
    let before = draft.before.as_ref().map(|trunk| &trunk.configuration);
    let is_corrected = context.version.has_corrected_rules();
    let refuse_type = |violation| Refusal::member_at(format!("{}/type", pointer()), "type", violation);
    if before.is_some_and(|before| before.kind() != sent.kind()) {
        draft.refusals.push(refuse_type(Violation::NotAllowedForUpdate));
        return;
    }
    let is_ended = matches!(sent, TrunkConfiguration::Iax2(_) | TrunkConfiguration::H323(_));
    if is_ended && before.is_none() && is_corrected {
        let refusal = refuse_type(Violation::NotIncluded);
        draft.refusals.push(refusal.because("the type ended with 2022-05-10"));
        return;
    }
    if let TrunkConfiguration::Sip(sent) = &sent
        && is_corrected
    {
        draft.refusals.extend(cleared(sent).map(|name| refuse(name, Violation::Blank)));
    }
    let merged = match (before.cloned(), sent) {
        (Some(TrunkConfiguration::Sip(mut stored)), TrunkConfiguration::Sip(sent)) => {
            stored.merge(sent);
            TrunkConfiguration::Sip(stored)
        }
        (None, TrunkConfiguration::Sip(sent)) => {
            let mut new = defaults();
            new.merge(sent);
            TrunkConfiguration::Sip(new)
        }
        (Some(TrunkConfiguration::Pstn(mut stored)), TrunkConfiguration::Pstn(sent)) => {
            stored.merge(sent);
            TrunkConfiguration::Pstn(stored)
        }
        (Some(TrunkConfiguration::Iax2(mut stored)), TrunkConfiguration::Iax2(sent)) => {
            stored.merge(sent);
            TrunkConfiguration::Iax2(stored)
        }
        (Some(TrunkConfiguration::H323(mut stored)), TrunkConfiguration::H323(sent)) => {
            stored.merge(sent);
            TrunkConfiguration::H323(stored)
        }
        (_, sent) => sent,
    };
    let merged = match merged {
        TrunkConfiguration::Sip(mut sip) => {
            register(context, &mut sip);
            if is_corrected {
                sip_rules(&sip, draft);
            }
            TrunkConfiguration::Sip(sip)
        }
        TrunkConfiguration::Pstn(pstn) => {
            if is_corrected && !is_set(&pstn.dst) {
                draft.refusals.push(refuse("dst", Violation::Blank));
            }
            TrunkConfiguration::Pstn(pstn)
        }
        other => other,
    };
    draft.changes.configuration = Some(merged);
}

fn pointer() -> String {
    format!("/data/attributes/{CONFIGURATION}")
}

fn refuse(name: &str, violation: Violation) -> Refusal {
    Refusal::member_at(format!("{}/attributes/{name}", pointer()), name, violation)
}

/// An attribute of the request that begins after its version, or that only the service sets.
fn not_allowed<'a>(context: &WriteContext<'a>) -> Option<&'a str> {
    let configuration = context.sent.get(CONFIGURATION)?;
    if configuration.get("type").and_then(Value::as_str) != Some("sip_configurations") {
        return None;
    }
    let sent = configuration.get("attributes")?.as_object()?.keys();
    let is_refused = |name: &&str| {
        SipConfiguration::GENERATED.contains(name) || SipConfiguration::since(name) > context.version
    };
    sent.map(String::as_str).find(is_refused)
}

/// The attributes of a request that are null and that the corrected document of 2026-04-16 does not permit to be. A
/// trunk that an older version made can have null in them.
fn cleared(sent: &SipConfiguration) -> impl Iterator<Item = &'static str> + use<> {
    let is_cleared = [
        ("rx_dtmf_format_id", sent.rx_dtmf_format_id == Patch::Clear),
        ("tx_dtmf_format_id", sent.tx_dtmf_format_id == Patch::Clear),
        ("sip_timer_b", sent.sip_timer_b == Patch::Clear),
    ];
    is_cleared.into_iter().filter(|(_, is_cleared)| *is_cleared).map(|(name, _)| name)
}

fn is_set<T>(value: &Patch<T>) -> bool {
    matches!(value, Patch::Set(_))
}

fn is_blank(value: &Patch<String>) -> bool {
    !matches!(value, Patch::Set(text) if !text.trim().is_empty())
}

/// A trunk whose device registers has credentials for it, which stay as long as it registers.
fn register(context: &WriteContext<'_>, sip: &mut SipConfiguration) {
    if sip.enabled_sip_registration != Some(true) {
        (sip.incoming_auth_username, sip.incoming_auth_password) = (Patch::Clear, Patch::Clear);
    } else if !is_set(&sip.incoming_auth_username) {
        sip.incoming_auth_username = Patch::Set(context.fresh.username.clone());
        sip.incoming_auth_password = Patch::Set(context.fresh.password.clone());
    }
}

/// The rules that hold from 2026-04-16 on for the attributes of a SIP configuration, as they are after the request.
fn sip_rules(sip: &SipConfiguration, draft: &mut Draft<VoiceInTrunk>) {
    let mut broken: Vec<(&str, Violation)> = Vec::new();
    let host = match &sip.host {
        Patch::Set(host) if !host.as_str().is_empty() => Some(host),
        _ => None,
    };
    if sip.enabled_sip_registration == Some(true) {
        broken.extend(host.map(|_| ("host", Violation::MustBeBlank)));
        broken.extend(is_set(&sip.port).then_some(("port", Violation::MustBeBlank)));
    } else {
        broken.extend(host.is_none().then_some(("host", Violation::Blank)));
        broken.extend(
            (sip.use_did_in_ruri == Some(true)).then_some(("use_did_in_ruri", Violation::MustBeBlank)),
        );
    }
    let password_is_blank =
        !matches!(&sip.auth_password, Patch::Set(password) if !password.expose().trim().is_empty());
    for (name, blank) in [("auth_user", is_blank(&sip.auth_user)), ("auth_password", password_is_blank)] {
        match (sip.auth_enabled == Some(true), blank) {
            (true, true) => broken.push((name, Violation::Blank)),
            (false, false) => broken.push((name, Violation::MustBeBlank)),
            _ => {}
        }
    }
    session_timers(sip, &mut broken);
    if let (Patch::Set(failover), Patch::Set(timer)) = (sip.dns_srv_failover_timer, sip.sip_timer_b)
        && failover.get() > timer.get()
    {
        broken.push(("dns_srv_failover_timer", Violation::LessOrEqual(timer.get().into())));
    }
    draft.refusals.extend(broken.into_iter().map(|(name, violation)| refuse(name, violation)));
}

/// The shortest session time is not longer than the longest, and the requested one is between them.
fn session_timers(sip: &SipConfiguration, broken: &mut Vec<(&str, Violation)>) {
    let number = |time: Patch<SessionTime>| match time {
        Patch::Set(time) => Some(time.get()),
        _ => None,
    };
    let (min, max) = (number(sip.sst_min_timer), number(sip.sst_max_timer));
    if sip.sst_enabled == Some(true) {
        broken.extend(min.is_none().then_some(("sst_min_timer", Violation::Blank)));
        broken.extend(max.is_none().then_some(("sst_max_timer", Violation::Blank)));
    }
    if let (Some(min), Some(max)) = (min, max)
        && max < min
    {
        broken.push(("sst_max_timer", Violation::GreaterOrEqual(min.into())));
    }
    if let Some(expires) = number(sip.sst_session_expires) {
        if let Some(min) = min.filter(|min| expires < *min) {
            broken.push(("sst_session_expires", Violation::GreaterOrEqual(min.into())));
        } else if let Some(max) = max.filter(|max| expires > *max) {
            broken.push(("sst_session_expires", Violation::LessOrEqual(max.into())));
        }
    }
}

/// The configuration of a new trunk, with the defaults of absent attributes.
pub fn complete_configuration(configuration: TrunkConfiguration) -> TrunkConfiguration {
    match configuration {
        TrunkConfiguration::Sip(sent) => {
            let mut new = defaults();
            new.merge(sent);
            TrunkConfiguration::Sip(new)
        }
        other => other,
    }
}

/// The recorded defaults of a new trunk.
fn defaults() -> SipConfiguration {
    let mut sip = SipConfiguration::default();
    (sip.username, sip.host, sip.port) = (Patch::Clear, Patch::Clear, Patch::Clear);
    let codecs = [Codec::Pcmu, Codec::Pcma, Codec::G729, Codec::G723, Codec::TelephoneEvent];
    sip.codec_ids = Some(Codecs::from_iter(codecs));
    sip.rx_dtmf_format_id = Patch::Set(RxDtmfFormat::Rfc2833);
    sip.tx_dtmf_format_id = Patch::Set(TxDtmfFormat::Rfc2833);
    sip.resolve_ruri = Some(false);
    sip.auth_enabled = Some(false);
    (sip.auth_user, sip.auth_password) = (Patch::Clear, Patch::Clear);
    (sip.auth_from_user, sip.auth_from_domain) = (Patch::Clear, Patch::Clear);
    sip.sst_enabled = Some(false);
    sip.sst_min_timer = SessionTime::new(600).ok().into();
    sip.sst_max_timer = SessionTime::new(900).ok().into();
    sip.sst_accept_501 = Some(true);
    sip.sip_timer_b = SipTimerB::new(8_000).ok().into();
    sip.dns_srv_failover_timer = FailoverTime::new(2_000).ok().into();
    sip.rtp_ping = Patch::Set(false);
    sip.rtp_timeout = InboundRtpTimeout::new(30).ok();
    sip.force_symmetric_rtp = Patch::Set(false);
    sip.symmetric_rtp_ignore_rtcp = Patch::Set(false);
    sip.rerouting_disconnect_code_ids = Patch::Set(ReroutingCode::all().collect());
    sip.sst_session_expires = Patch::Clear;
    sip.sst_refresh_method_id = Some(SstRefreshMethod::Invite);
    sip.transport_protocol_id = Some(TransportProtocol::Udp);
    (sip.max_transfers, sip.max_30x_redirects) = (Some(HopCount::MIN), Some(HopCount::MIN));
    sip.media_encryption_mode = Some(MediaEncryptionMode::Disabled);
    sip.stir_shaken_mode = Some(StirShakenMode::Disabled);
    sip.allowed_rtp_ips = Patch::Clear;
    sip.network_protocol_priority = Some(NetworkProtocolPriority::ForceIpv4);
    (sip.enabled_sip_registration, sip.use_did_in_ruri) = (Some(false), Some(false));
    sip.diversion_relay_policy = Some(DiversionRelayPolicy::None);
    sip.diversion_inject_mode = Some(DiversionInjectMode::None);
    sip.cnam_lookup = Some(false);
    (sip.incoming_auth_username, sip.incoming_auth_password) = (Patch::Clear, Patch::Clear);
    sip
}
