//! The facts of a call's media: the agreed session description, and the packets that were received and sent.
//!
//! The values are collected where packets are handled; this module only names them.

use std::net::{IpAddr, SocketAddr};

use super::{Codec, Direction, Dtmf, Media, MediaHost, Profile, Protection, Reception};

/// The kind of encryption that a session description agreed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encryption {
    /// Unencrypted RTP, in the clear on the network.
    None,
    /// SRTP with keys in the session description.
    Sdes,
    /// SRTP with keys negotiated by DTLS.
    Dtls,
    /// ZRTP.
    Zrtp,
}

impl Encryption {
    /// The name in call records, such as `sdes`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Sdes => "sdes",
            Self::Dtls => "dtls",
            Self::Zrtp => "zrtp",
        }
    }
}

/// The media that the last session description of the caller agreed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgreedMedia {
    /// The host of the `c=` line.
    pub host: MediaHost,
    /// The port of the `m=` line.
    pub port: u16,
    /// The host's address and the port; `None` if the name has no address, or puts the call on hold.
    pub address: Option<SocketAddr>,
    /// The direction, from the caller's point of view.
    pub direction: Direction,
    /// The codec in which audio arrives and is sent back.
    pub codec: Codec,
    /// The RTP payload type that the descriptions assign to the codec.
    pub payload_type: u8,
    /// The transport profile of the stream, such as `RTP/SAVP`.
    pub profile: Profile,
    /// How the stream is encrypted, and where its keys come from.
    pub encryption: Encryption,
    /// Whether the caller removed the stream from the call (`m=audio 0`).
    pub is_removed: bool,
}

impl AgreedMedia {
    /// Describes an accepted description; `address` is the resolved address of its host and port.
    pub fn of(media: &Media, address: Option<SocketAddr>) -> Self {
        Self {
            host: media.host.clone(),
            port: media.port,
            address,
            direction: media.direction,
            codec: media.codec,
            payload_type: media.payload_type,
            profile: media.profile,
            encryption: match media.protection {
                Protection::Plain => Encryption::None,
                Protection::Sdes { .. } => Encryption::Sdes,
                Protection::Dtls { .. } => Encryption::Dtls,
                Protection::Zrtp => Encryption::Zrtp,
            },
            is_removed: false,
        }
    }

    /// Host and port as the description names them: `192.0.2.1:4000`, `[2001:db8::1]:4000`,
    /// `media.example.com:4000`.
    pub fn named_address(&self) -> String {
        match &self.host {
            MediaHost::Address(address) => SocketAddr::new(*address, self.port).to_string(),
            MediaHost::Name(name) => format!("{name}:{}", self.port),
        }
    }
}

/// Packets, and their bytes without the headers of IP and UDP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Flow {
    /// The number of packets, which stops at the greatest `u64`.
    pub packets: u64,
    /// The sum of their lengths.
    pub bytes: u64,
}

impl Flow {
    /// Counts a packet whose length is in bytes, without the headers of IP and UDP.
    pub fn count(&mut self, length: usize) {
        self.packets = self.packets.saturating_add(1);
        self.bytes = self.bytes.saturating_add(u64::try_from(length).unwrap_or(u64::MAX));
    }
}

/// Packets that were neither processed nor echoed, by reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Dropped {
    /// The source is not in `allowed_rtp_ips`, or is a stranger's: another host than the caller's once that is known.
    pub source: u64,
    /// The data was not RTP.
    pub not_rtp: u64,
    /// The payload type was not agreed on (RFC 3550 §5.1: unknown types are ignored).
    pub payload_type: u64,
    /// The packets exceeded the rate of the codec.
    pub rate: u64,
    /// All calls together exceeded the limit of media.
    pub all_calls: u64,
    /// They would have been sent to a socket of this server.
    pub own_socket: u64,
}

/// The facts of a call's media so far.
#[derive(Debug, Clone, Default)]
pub struct MediaFacts {
    /// The edge's media address, as its session descriptions name it.
    pub local: Option<SocketAddr>,
    /// The last agreed description; `None` before the first answer.
    pub agreed: Option<AgreedMedia>,
    /// The last agreed description with audio in both directions, if it is not `agreed` itself: the one before a hold.
    /// Boxed, because every call has these facts, and few are held.
    pub before_hold: Option<Box<AgreedMedia>>,
    /// RTP packets from allowed sources.
    pub received: Flow,
    /// Packets that were sent back to the caller.
    pub sent: Flow,
    /// The source of the first RTP packet from an allowed source.
    pub first_source: Option<SocketAddr>,
    /// Packets that were neither processed nor echoed, counted by reason.
    pub dropped: Dropped,
    /// Some of the sources that are not allowed, and of strangers. A slice, because every call has these facts, and few
    /// have such sources.
    pub dropped_from: Box<[IpAddr]>,
    /// The first payload type that was not agreed on.
    pub other_payload_type: Option<u8>,
    /// SRTP packets whose authentication tag was checked.
    pub checked: u64,
    /// SRTP packets whose authentication tag does not match the caller's key.
    pub unauthenticated: u64,
    /// Loss and jitter of the received audio.
    pub reception: Reception,
    /// DTMF of the caller, in RTP and in INFO requests. Digits are kept only if a setting permits it.
    pub dtmf: Dtmf,
}

impl MediaFacts {
    /// Records a description that was accepted. The last one with audio in both directions is kept beside it.
    pub fn agree(&mut self, agreed: AgreedMedia) {
        if agreed.direction == Direction::SendRecv {
            self.before_hold = None;
        } else {
            self.keep_two_way();
        }
        self.agreed = Some(agreed);
    }

    /// Records that the caller removed its stream.
    pub fn remove_stream(&mut self) {
        self.keep_two_way();
        if let Some(agreed) = &mut self.agreed {
            (agreed.direction, agreed.is_removed) = (Direction::Inactive, true);
        }
    }

    /// Keeps the agreed description, which is about to be replaced, if it has audio in both directions.
    fn keep_two_way(&mut self) {
        let two_way = self.agreed.as_ref().filter(|agreed| agreed.direction == Direction::SendRecv);
        if let Some(two_way) = two_way {
            self.before_hold = Some(Box::new(two_way.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each call has them. With a lock and the counters of an `Arc` they take 384 bytes, a size of the allocator.
    #[test]
    fn the_facts_of_a_call_are_small() {
        let size = size_of::<MediaFacts>();
        assert!(size <= 384 - 24, "{size}");
    }
}
