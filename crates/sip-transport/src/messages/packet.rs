//! Messages as IP packets, for capture files.
//!
//! Messages were captured above the transport layer, so the packets are rebuilt: each message is one UDP datagram, also
//! if it came over TCP or TLS. Checksums are valid.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use super::message::{CallMessages, Message};

/// The link type of packets that begin with an IP header.
pub(super) const LINKTYPE_RAW: u16 = 101;
/// The number of UDP in IP headers.
const UDP: u8 = 17;
const UDP_HEADER_BYTES: usize = 8;
const IPV4_HEADER_BYTES: usize = 20;
const IPV6_HEADER_BYTES: usize = 40;
/// The largest payload of an IPv4 packet with UDP. No message is longer by more than a few bytes.
const MAX_PAYLOAD_BYTES: usize = 65_507;

/// A message as a packet.
pub(super) struct Packet<'a> {
    pub(super) message: &'a Message,
    /// When it was sent or received, in microseconds since 1970.
    pub(super) at: u64,
    /// The bytes, from the IP header.
    pub(super) bytes: Vec<u8>,
    /// The length of the packet if the whole message were stored.
    pub(super) length: usize,
}

impl CallMessages {
    /// The messages as packets, oldest first.
    pub(super) fn packets(&self) -> impl Iterator<Item = Packet<'_>> {
        let first = self.messages.first();
        let started = first.map(|first| u64::try_from(first.at.as_unix_millis()).unwrap_or_default());
        let started = started.unwrap_or_default().saturating_mul(1_000);
        self.messages.iter().map(move |message| {
            // The server's clock may be frozen, and has only milliseconds.
            let since = first.map(|first| message.elapsed.saturating_sub(first.elapsed).as_micros());
            let since = u64::try_from(since.unwrap_or_default()).unwrap_or_default();
            let (bytes, length) = packet(message);
            Packet { message, at: started.saturating_add(since), bytes, length }
        })
    }
}

/// The IP packet with the stored part of a message, and its length with the whole message.
fn packet(message: &Message) -> (Vec<u8>, usize) {
    let [from, to] = message.ends();
    let payload = message.bytes.get(..message.bytes.len().min(MAX_PAYLOAD_BYTES)).unwrap_or_default();
    let whole = UDP_HEADER_BYTES + message.length.clamp(payload.len(), MAX_PAYLOAD_BYTES);
    let (pseudo_header, mut packet, header_length) = match (from.ip(), to.ip()) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            let ends = [source.octets(), destination.octets()].concat();
            let total = u16_of(IPV4_HEADER_BYTES + whole).to_be_bytes();
            let start = [0x45, 0, total[0], total[1], 0, 0, 0x40, 0, 64, UDP];
            let checksum = checksum(&[&start, &ends]).to_be_bytes();
            (ends.clone(), [&start[..], &checksum, &ends].concat(), IPV4_HEADER_BYTES)
        }
        (source, destination) => {
            let octets = |address| match address {
                IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
                IpAddr::V6(address) => Ipv6Addr::octets(&address),
            };
            let ends = [octets(source), octets(destination)].concat();
            let length = u16_of(whole).to_be_bytes();
            let start = [0x60, 0, 0, 0, length[0], length[1], UDP, 64];
            (ends.clone(), [&start[..], &ends].concat(), IPV6_HEADER_BYTES)
        }
    };
    let length = u16_of(whole).to_be_bytes();
    let ports = [port(from), port(to)].concat();
    // A message of which a part is missing has no checksum.
    let is_whole = whole == UDP_HEADER_BYTES + payload.len();
    let sum = checksum(&[&pseudo_header, &[0, UDP], &length, &ports, &length, payload]);
    // A sum of zero is written as its complement, because zero means that there is none (RFC 768).
    let sum = match (is_whole, sum) {
        (false, _) => 0,
        (true, 0) => u16::MAX,
        (true, sum) => sum,
    };
    packet.extend(ports);
    packet.extend(length);
    packet.extend(sum.to_be_bytes());
    packet.extend(payload);
    (packet, header_length + whole)
}

fn port(end: SocketAddr) -> [u8; 2] {
    end.port().to_be_bytes()
}

fn u16_of(length: usize) -> u16 {
    u16::try_from(length).unwrap_or(u16::MAX)
}

/// The checksum of IP and UDP (RFC 1071) over parts, each of which but the last has an even length.
fn checksum(parts: &[&[u8]]) -> u16 {
    let mut sum = 0_u64;
    for pair in parts.iter().flat_map(|part| part.chunks(2)) {
        let [high, low] =
            [pair.first(), pair.get(1)].map(|byte| u64::from(byte.copied().unwrap_or_default()));
        sum += high << 8 | low;
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_the_standard() {
        // The example of RFC 1071 §3, whose sum is ddf2.
        assert_eq!(checksum(&[&[0x00, 0x01, 0xf2, 0x03], &[0xf4, 0xf5, 0xf6, 0xf7]]), !0xddf2);
        assert_eq!(checksum(&[&[0xff, 0xff], &[1]]), !0x0100);
    }
}
