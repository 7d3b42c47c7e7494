//! States why a call has no audio, if that is certain from the facts of its media.
//!
//! The sentences are the same in call records, in live calls, in the log and in explanations. The callee of a
//! call is simulated and echoes what it receives, so audio flows in both directions or in none.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};

use super::media_address::{is_private, no_media_to};
use super::media_facts::{AgreedMedia, Encryption, MediaFacts};
use super::{Direction, MediaHost, RtpTerms, sentence};

/// Limit of addresses that a sentence names.
const MAX_NAMED: usize = 3;

/// Why an answered call has no audio, as a sentence that begins with `no audio, because`. `None` if audio was
/// echoed, or before a session description was agreed on. `signalling` is the address that the call comes
/// from.
pub fn no_audio(terms: &RtpTerms, signalling: IpAddr, facts: &MediaFacts) -> Option<String> {
    // A hold explains nothing if audio could flow before it, and did not.
    let agreed = facts.before_hold.as_deref().or(facts.agreed.as_ref())?;
    if facts.sent.packets > 0 {
        return None;
    }
    let signalling = signalling.to_canonical();
    let why = of_direction(agreed).unwrap_or_else(|| {
        if facts.received.packets == 0 {
            nothing_received(terms, signalling, agreed, facts)
        } else {
            nothing_sent(terms, signalling, agreed, facts)
        }
    });
    Some(because(&why))
}

/// Why a call with this session description cannot have audio, before any packet: for an explanation of an
/// offer. `None` if it can, which does not mean that it will.
pub fn no_audio_with(terms: &RtpTerms, signalling: IpAddr, agreed: &AgreedMedia) -> Option<String> {
    let signalling = signalling.to_canonical();
    let why = of_direction(agreed)
        .or_else(|| of_encryption(agreed))
        .or_else(|| of_address(terms, signalling, agreed))?;
    Some(because(&why))
}

/// A session description can name any host, so its text is made harmless as in every [`sentence`].
fn because(why: &str) -> String {
    sentence(&format!("no audio, because {why}"))
}

fn of_direction(agreed: &AgreedMedia) -> Option<String> {
    let is_unspecified = matches!(&agreed.host, MediaHost::Address(address) if address.is_unspecified());
    Some(match agreed.direction {
        _ if agreed.is_removed => "the caller removed its audio stream (m=audio 0)".to_owned(),
        Direction::SendRecv => return None,
        Direction::SendOnly | Direction::Inactive if is_unspecified => {
            "the caller put the call on hold: c= names the unspecified address".to_owned()
        }
        Direction::SendOnly => "the caller does not receive: its session description is sendonly".to_owned(),
        Direction::Inactive => "the caller's session description is inactive".to_owned(),
        Direction::RecvOnly => {
            "the caller sends nothing: its session description is recvonly, and the simulated callee echoes what \
             it receives"
                .to_owned()
        }
    })
}

fn of_encryption(agreed: &AgreedMedia) -> Option<String> {
    match agreed.encryption {
        Encryption::None => None,
        Encryption::Sdes | Encryption::Zrtp => Some(
            "the media is encrypted: its packets are counted, and neither decrypted nor echoed".to_owned(),
        ),
        Encryption::Dtls => Some("DTLS-SRTP media is not implemented".to_owned()),
    }
}

/// Why media cannot go to the address of the session description, which matters without symmetric RTP.
fn of_address(terms: &RtpTerms, signalling: IpAddr, agreed: &AgreedMedia) -> Option<String> {
    if terms.force_symmetric {
        return None;
    }
    let named = agreed.named_address();
    if let MediaHost::Address(address) = &agreed.host
        && address.to_canonical().is_ipv4() != signalling.is_ipv4()
    {
        let (of_media, of_call) = if signalling.is_ipv4() { ("IP6", "IPv4") } else { ("IP4", "IPv6") };
        return Some(format!(
            "the session description names c=IN {of_media} {address}, the call comes over {of_call}, and \
             force_symmetric_rtp is off"
        ));
    }
    let Some(address) = agreed.address else {
        return Some(format!("the name in c= has no address of the call's family: {named}"));
    };
    let is_listed = terms.lists(address.ip());
    if let Some(why) = no_media_to(address, signalling, is_listed) {
        return Some(if is_private(address.ip()) && !is_private(signalling) {
            format!(
                "the session description names the private address {named}, the call comes from the public address \
                 {signalling}, and force_symmetric_rtp is off"
            )
        } else {
            format!("nothing is sent to {named}: {why}")
        });
    }
    (!terms.accepts(address.ip())).then(|| {
        format!(
            "the session description names {named}, which allowed_rtp_ips does not contain, and \
             force_symmetric_rtp is off"
        )
    })
}

fn nothing_received(
    terms: &RtpTerms,
    signalling: IpAddr,
    agreed: &AgreedMedia,
    facts: &MediaFacts,
) -> String {
    if agreed.encryption == Encryption::Dtls {
        return "DTLS-SRTP media is not implemented".to_owned();
    }
    if facts.dropped.source > 0 {
        return format!(
            "all {} RTP packets came from addresses that allowed_rtp_ips does not contain: {}",
            facts.dropped.source,
            addresses(&facts.dropped_from)
        );
    }
    if facts.dropped.not_rtp > 0 {
        return format!("nothing but data that is not RTP arrived (packets: {})", facts.dropped.not_rtp);
    }
    let local = facts.local.map(|local| format!(" at {local}")).unwrap_or_default();
    let none = format!("no RTP packet arrived{local}");
    if let Some(why) = of_address(terms, signalling, agreed) {
        return format!("{none}, and {why}");
    }
    let hint = if terms.ping { "" } else { "; a caller that waits for a first packet needs rtp_ping" };
    format!("{none}: the caller sent none, or a firewall or NAT dropped them{hint}")
}

fn nothing_sent(terms: &RtpTerms, signalling: IpAddr, agreed: &AgreedMedia, facts: &MediaFacts) -> String {
    let received = facts.received.packets;
    if facts.checked > 0 && facts.unauthenticated == facts.checked {
        return format!(
            "{} SRTP packets cannot be authenticated with the key of the caller's a=crypto line: they have another \
             key or suite, or are not encrypted",
            facts.unauthenticated
        );
    }
    if let Some(other) = facts.other_payload_type.filter(|_| facts.dropped.payload_type == received) {
        let (agreed, codec) = (agreed.payload_type, agreed.codec.name());
        return format!(
            "all {received} RTP packets have another payload type, such as {other}, than the agreed {agreed} ({codec})"
        );
    }
    if let Some(why) = of_encryption(agreed) {
        return why;
    }
    if facts.dropped.own_socket > 0 {
        return "media would go to a socket of this server, so none is sent".to_owned();
    }
    let from = facts.first_source.map(|source| SocketAddr::new(source.ip().to_canonical(), source.port()));
    let from_text = from.map(|from| from.to_string()).unwrap_or_default();
    if terms.force_symmetric {
        let why = from.and_then(|from| no_media_to(from, signalling, terms.lists(from.ip())));
        return match why {
            Some(why) => format!("RTP comes from {from_text}, and nothing is sent there: {why}"),
            None => format!("too few of the {received} RTP packets came from one address to send there"),
        };
    }
    if let Some(why) = of_address(terms, signalling, agreed) {
        return format!("{why}; RTP comes from {from_text}");
    }
    let named = agreed.named_address();
    if agreed.address.map(|address| address.ip().to_canonical()) == from.map(|from| from.ip()) {
        return format!(
            "the limit of media was reached: {} packets exceeded the codec's rate, {} that of all calls",
            facts.dropped.rate, facts.dropped.all_calls
        );
    }
    let kind = if agreed.address.is_some_and(|address| is_private(address.ip())) { "private " } else { "" };
    format!(
        "the session description names the {kind}address {named}, RTP comes from {from_text}, and \
         force_symmetric_rtp is off"
    )
}

fn addresses(all: &[IpAddr]) -> String {
    let mut text = String::new();
    for (place, address) in all.iter().take(MAX_NAMED).enumerate() {
        let separator = if place == 0 { "" } else { ", " };
        let _infallible = write!(text, "{separator}{}", address.to_canonical());
    }
    if all.len() > MAX_NAMED {
        text.push_str(" and others");
    }
    text
}

#[cfg(test)]
mod tests;
