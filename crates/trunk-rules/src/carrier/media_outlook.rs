//! States before a call whether its offer shows that the caller will hear nothing.
//!
//! It decides nothing: where media goes is decided from the packets that arrive (`rtp`).

use std::net::{IpAddr, SocketAddr};

use super::{Direction, Media, MediaHost, Protection, RtpTerms, no_media_to};

/// Returns why the caller will hear nothing, if its offer shows that. `signalling` is the address that the call comes
/// from. A host name in the offer is not resolved, so nothing is known of it.
pub fn no_audio_expected(media: &Media, signalling: IpAddr, terms: &RtpTerms) -> Option<String> {
    match media.direction {
        Direction::SendOnly | Direction::Inactive => {
            return Some("the offer does not receive media (a=sendonly, a=inactive or c=0.0.0.0)".to_owned());
        }
        Direction::SendRecv | Direction::RecvOnly => {}
    }
    match media.protection {
        Protection::Plain => {}
        Protection::Sdes { .. } => {
            return Some("SRTP is received and counted, but not decrypted, so nothing is echoed".to_owned());
        }
        Protection::Dtls { .. } => return Some("DTLS-SRTP media is not implemented".to_owned()),
        Protection::Zrtp => {
            return Some("ZRTP is received and counted, but not decrypted, so nothing is echoed".to_owned());
        }
    }
    let MediaHost::Address(host) = media.host else { return None };
    let (host, signalling) = (host.to_canonical(), signalling.to_canonical());
    if host.is_ipv4() != signalling.is_ipv4() {
        let [named, came] = [host, signalling].map(|ip| if ip.is_ipv4() { "IPv4" } else { "IPv6" });
        return Some(format!(
            "the offer names an {named} address, but the call came over {came}, and so does its media"
        ));
    }
    if !terms.accepts(host) && !terms.force_symmetric {
        return Some(format!("allowed_rtp_ips does not contain {host}, the address in the offer"));
    }
    let flaw = no_media_to(SocketAddr::new(host, media.port), signalling, terms.lists(host));
    match flaw {
        // With symmetric RTP media goes to where it comes from, whatever the offer names.
        Some(flaw) if !terms.force_symmetric => {
            Some(format!("no media is sent to {host} port {}, the address in the offer: {flaw}", media.port))
        }
        _ => None,
    }
}
