//! The destination of a trunk's call.

use std::fmt;
use std::net::Ipv6Addr;

use didww_types::resources::{
    Codec, DiversionInjectMode, MediaEncryptionMode, SipConfiguration, TransportProtocol, TrunkConfiguration,
};
use didww_types::{Patch, Secret};

use crate::carrier;
use crate::outbound::SipUri;

/// The placeholder for the called number in the user part of the Request-URI.
const DID: &str = "{DID}";

/// The destination of a call, and the numbers of its INVITE.
#[derive(Debug, Clone, PartialEq)]
pub struct Destination {
    /// The Request-URI of the INVITE.
    pub uri: String,
    /// The user and the password for digest challenges, if the trunk answers them.
    pub credentials: Option<(String, Secret)>,
    /// The codecs of the offer, PCMU or PCMA or both, in the order of the trunk; empty if it has no list.
    pub codecs: Vec<carrier::Codec>,
    /// The user part of `From` that replaces the caller's number.
    pub from_user: Option<String>,
    /// The number of the `Diversion` header, if the trunk requires one.
    pub diverted_from: Option<String>,
}

/// Why a trunk is not dialled.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unreachable {
    /// It leads to a telephone number: this server has no telephone network.
    Pstn,
    /// It is of a type without SIP, which is named.
    OtherType(String),
    /// Its device registers, and no device is registered.
    NotRegistered,
    /// The trunk's configuration has no host.
    NoHost,
    /// It takes neither PCMU nor PCMA, and the server sends nothing else.
    NoCodec,
    /// It demands encrypted media, and the server sends none.
    Encrypted,
    /// Its username, host and port make no SIP URI.
    NoUri,
}

impl fmt::Display for Unreachable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pstn => {
                f.write_str("not dialled: calls of pstn_configurations leave for the telephone network")
            }
            Self::OtherType(kind) => write!(f, "not dialled: calls of {kind} are not sent over SIP"),
            Self::NotRegistered => f.write_str("not dialled: no device is registered for the trunk"),
            Self::NoHost => f.write_str("not dialled: the trunk has no host"),
            Self::NoCodec => f.write_str("not dialled: the trunk takes neither PCMU nor PCMA"),
            Self::Encrypted => f.write_str("not dialled: the trunk demands encrypted media"),
            Self::NoUri => f.write_str("not dialled: the trunk's username, host and port make no SIP URI"),
        }
    }
}

/// Decides on the destination of a trunk's call. `did` is the called number in E.164 form without the plus sign. A
/// trunk without a `username` is called with the number.
///
/// # Errors
/// Why the trunk is not dialled.
pub fn destination(configuration: &TrunkConfiguration, did: &str) -> Result<Destination, Unreachable> {
    let sip = match configuration {
        TrunkConfiguration::Sip(sip) => sip,
        TrunkConfiguration::Pstn(_) => return Err(Unreachable::Pstn),
        other => return Err(Unreachable::OtherType(other.kind().to_owned())),
    };
    if sip.enabled_sip_registration == Some(true) {
        return Err(Unreachable::NotRegistered);
    }
    let mut codecs = Vec::new();
    if let Some(listed) = &sip.codec_ids {
        codecs.extend(listed.as_slice().iter().copied().filter_map(offered));
        if codecs.is_empty() {
            return Err(Unreachable::NoCodec);
        }
    }
    if sip.media_encryption_mode.as_ref().is_some_and(|mode| *mode != MediaEncryptionMode::Disabled) {
        return Err(Unreachable::Encrypted);
    }
    let uri = uri(sip, did)?;
    let credentials = match (&sip.auth_user, &sip.auth_password) {
        (Patch::Set(user), Patch::Set(password)) if sip.auth_enabled == Some(true) => {
            Some((user.clone(), password.clone()))
        }
        _ => None,
    };
    let from_user = filled(&sip.auth_from_user).map(str::to_owned);
    let is_diverted = sip.diversion_inject_mode == Some(DiversionInjectMode::DidNumber);
    let diverted_from = is_diverted.then(|| did.to_owned());
    Ok(Destination { uri, credentials, codecs, from_user, diverted_from })
}

/// A codec of a trunk as offers name it; `None` if this server does not send it.
const fn offered(codec: Codec) -> Option<carrier::Codec> {
    match codec {
        Codec::Pcmu => Some(carrier::Codec::Pcmu),
        Codec::Pcma => Some(carrier::Codec::Pcma),
        _ => None,
    }
}

fn filled(text: &Patch<String>) -> Option<&str> {
    match text {
        Patch::Set(text) if !text.trim().is_empty() => Some(text.trim()),
        _ => None,
    }
}

/// The request URI of a trunk with a host.
fn uri(sip: &SipConfiguration, did: &str) -> Result<String, Unreachable> {
    let host = match &sip.host {
        Patch::Set(host) if !host.as_str().is_empty() => host.as_str(),
        _ => return Err(Unreachable::NoHost),
    };
    // An address of IPv6 may be written without brackets, because the port has an attribute of its own.
    let host = if host.parse::<Ipv6Addr>().is_ok() { format!("[{host}]") } else { host.to_owned() };
    let user = match &sip.username {
        Patch::Set(user) if !user.as_str().is_empty() => user.as_str().replace(DID, did),
        _ => did.to_owned(),
    };
    let port = match sip.port {
        Patch::Set(port) => format!(":{}", port.get()),
        _ => String::new(),
    };
    let transport = match sip.transport_protocol_id {
        Some(TransportProtocol::Tcp) => "tcp",
        Some(TransportProtocol::Tls) => "tls",
        _ => "udp",
    };
    let authority = format!("{host}{port}");
    let uri = format!("sip:{user}@{authority};transport={transport}");
    // The text of the user part must not change the host.
    let is_there = SipUri::parse(&uri).is_some_and(|parsed| {
        parsed.who == format!("sip:{user}@{authority}") && parsed.host == host.trim_matches(['[', ']'])
    });
    if is_there { Ok(uri) } else { Err(Unreachable::NoUri) }
}

#[cfg(test)]
mod tests {
    use didww_types::resources::Codecs;
    use didww_types::values::{ForwardNumber, SipHost, SipPort, SipUser};
    use proptest::prelude::*;

    use super::*;

    const NUMBER: &str = "442079460018";

    fn at(host: &str) -> SipConfiguration {
        SipConfiguration::default().at_host(SipHost::new(host).unwrap())
    }

    fn called(sip: SipConfiguration) -> Result<String, Unreachable> {
        destination(&TrunkConfiguration::Sip(sip), NUMBER).map(|destination| destination.uri)
    }

    #[test]
    fn the_request_uri_has_the_number_the_host_the_port_and_the_transport() {
        assert_eq!(called(at("pbx.example.com")).unwrap(), "sip:442079460018@pbx.example.com;transport=udp");
        let mut whole = at("198.51.100.7");
        whole.username = Patch::Set(SipUser::new("line-{DID}#1").unwrap());
        whole.port = SipPort::new(5070).ok().into();
        whole.transport_protocol_id = Some(TransportProtocol::Tls);
        assert_eq!(called(whole).unwrap(), "sip:line-442079460018#1@198.51.100.7:5070;transport=tls");
        let mut other = at("2001:db8::1");
        other.port = SipPort::new(5070).ok().into();
        other.transport_protocol_id = Some(TransportProtocol::Tcp);
        assert_eq!(called(other).unwrap(), "sip:442079460018@[2001:db8::1]:5070;transport=tcp");
        assert_eq!(called(at("[2001:db8::1]")).unwrap(), "sip:442079460018@[2001:db8::1];transport=udp");
    }

    #[test]
    fn what_is_not_a_sip_host_is_not_dialled() {
        let pstn = TrunkConfiguration::pstn(ForwardNumber::new("442079460999").unwrap());
        assert_eq!(destination(&pstn, NUMBER).unwrap_err(), Unreachable::Pstn);
        let registered = TrunkConfiguration::sip_registration();
        assert_eq!(destination(&registered, NUMBER).unwrap_err(), Unreachable::NotRegistered);
        assert_eq!(called(SipConfiguration::default()).unwrap_err(), Unreachable::NoHost);
        assert_eq!(called(at("pbx.example.com:5060:1")).unwrap_err(), Unreachable::NoUri);
    }

    #[test]
    fn a_trunk_that_takes_no_codec_of_the_server_is_not_dialled() {
        let mut sip = at("pbx.example.com");
        sip.codec_ids = Some(Codecs::from_iter([Codec::G729, Codec::TelephoneEvent]));
        assert_eq!(called(sip.clone()).unwrap_err(), Unreachable::NoCodec);
        sip.codec_ids = Some(Codecs::from_iter([Codec::G729, Codec::Pcma]));
        let offered =
            |sip: SipConfiguration| destination(&TrunkConfiguration::Sip(sip), NUMBER).unwrap().codecs;
        assert_eq!(offered(sip.clone()), [carrier::Codec::Pcma]);
        sip.codec_ids = Some(Codecs::from_iter([Codec::Pcma, Codec::G729, Codec::Pcmu]));
        assert_eq!(offered(sip), [carrier::Codec::Pcma, carrier::Codec::Pcmu]);
        assert!(offered(at("pbx.example.com")).is_empty());
    }

    #[test]
    fn a_trunk_that_demands_encrypted_media_is_not_dialled() {
        let mut sip = at("pbx.example.com");
        sip.media_encryption_mode = Some(MediaEncryptionMode::SrtpSdes);
        assert_eq!(called(sip.clone()).unwrap_err(), Unreachable::Encrypted);
        sip.media_encryption_mode = Some(MediaEncryptionMode::Disabled);
        assert!(called(sip).is_ok());
    }

    #[test]
    fn credentials_are_those_of_the_trunk_if_it_answers_challenges() {
        let mut sip = at("pbx.example.com");
        (sip.auth_user, sip.auth_password) =
            (Patch::Set("alice".to_owned()), Patch::Set(Secret::new("secret")));
        sip.auth_from_user = Patch::Set("line 1".to_owned());
        let of = |sip: &SipConfiguration| destination(&TrunkConfiguration::Sip(sip.clone()), NUMBER).unwrap();
        assert!(of(&sip).credentials.is_none());
        sip.auth_enabled = Some(true);
        let destination = of(&sip);
        let (user, password) = destination.credentials.unwrap();
        assert_eq!((user.as_str(), password.expose()), ("alice", "secret"));
        assert_eq!((destination.from_user.as_deref(), destination.diverted_from), (Some("line 1"), None));
        sip.diversion_inject_mode = Some(DiversionInjectMode::DidNumber);
        assert_eq!(of(&sip).diverted_from.as_deref(), Some(NUMBER));
    }

    proptest! {
        #[test]
        fn whatever_the_username_is_the_call_goes_to_the_host(user in "\\PC{0,24}") {
            let mut sip = at("pbx.example.com");
            if let Ok(user) = SipUser::new(user) {
                sip.username = Patch::Set(user);
            }
            if let Ok(uri) = called(sip) {
                prop_assert_eq!(SipUri::parse(&uri).unwrap().host, "pbx.example.com");
            }
        }
    }
}
