//! Messages as a capture file in the format pcapng, which Wireshark and tshark open.
//!
//! Messages were captured above the transport layer, so the packets are rebuilt: each message is one UDP
//! datagram, also if it came over TCP or TLS, and a comment of the packet states that. Checksums are valid.
//! A packet also states its direction, and its interface is the SIP stack.
//!
//! The format: <https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-03.html>.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use super::message::{CallMessages, Direction, Message};

/// The link type of packets that begin with an IP header.
const LINKTYPE_RAW: u16 = 101;
const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const INTERFACE_DESCRIPTION: u32 = 1;
const ENHANCED_PACKET: u32 = 6;
/// Options: the end of the options, a comment, the name of an interface, and the direction of a packet.
const END_OF_OPTIONS: u16 = 0;
const COMMENT: u16 = 1;
const INTERFACE_NAME: u16 = 2;
const PACKET_FLAGS: u16 = 2;
/// The number of UDP in IP headers.
const UDP: u8 = 17;
const UDP_HEADER_BYTES: usize = 8;
const IPV4_HEADER_BYTES: usize = 20;
const IPV6_HEADER_BYTES: usize = 40;
/// The largest payload of an IPv4 packet with UDP. No message is longer by more than a few bytes.
const MAX_PAYLOAD_BYTES: usize = 65_507;

impl CallMessages {
    /// The messages as a capture file. It has no more secrets than they have.
    pub fn capture_file(&self) -> Vec<u8> {
        let mut file = Vec::new();
        let mut section = Vec::new();
        section.extend(0x1a2b_3c4d_u32.to_le_bytes());
        section.extend(1_u16.to_le_bytes());
        section.extend(0_u16.to_le_bytes());
        // The length of the section is not stated.
        section.extend(u64::MAX.to_le_bytes());
        push_block(&mut file, SECTION_HEADER, section);
        let mut stacks: Vec<&str> = Vec::new();
        for message in &self.messages {
            if !stacks.contains(&message.stack) {
                stacks.push(message.stack);
                let mut interface = Vec::new();
                interface.extend(LINKTYPE_RAW.to_le_bytes());
                interface.extend(0_u16.to_le_bytes());
                // No limit of the captured length.
                interface.extend(0_u32.to_le_bytes());
                push_option(&mut interface, INTERFACE_NAME, message.stack.as_bytes());
                push_option(&mut interface, END_OF_OPTIONS, &[]);
                push_block(&mut file, INTERFACE_DESCRIPTION, interface);
            }
        }
        let start = self.messages.first();
        for message in &self.messages {
            let Some(first) = start else { break };
            // The server's clock may stand still, or count milliseconds alone.
            let since = message.elapsed.saturating_sub(first.elapsed).as_micros();
            let at = u64::try_from(first.at.as_unix_millis()).unwrap_or_default().saturating_mul(1_000);
            let at = at.saturating_add(u64::try_from(since).unwrap_or_default());
            let interface = stacks.iter().position(|stack| *stack == message.stack);
            push_block(&mut file, ENHANCED_PACKET, packet_block(message, at, interface.unwrap_or_default()));
        }
        file
    }
}

/// Writes a block: its type, its length before and after its content, and padding.
fn push_block(file: &mut Vec<u8>, kind: u32, mut content: Vec<u8>) {
    pad(&mut content);
    let length = u32::try_from(content.len() + 12).unwrap_or(u32::MAX).to_le_bytes();
    file.extend(kind.to_le_bytes());
    file.extend(length);
    file.append(&mut content);
    file.extend(length);
}

fn push_option(content: &mut Vec<u8>, code: u16, value: &[u8]) {
    pad(content);
    content.extend(code.to_le_bytes());
    content.extend(u16::try_from(value.len()).unwrap_or_default().to_le_bytes());
    content.extend(value);
    pad(content);
}

fn pad(content: &mut Vec<u8>) {
    content.resize(content.len().next_multiple_of(4), 0);
}

fn packet_block(message: &Message, at: u64, interface: usize) -> Vec<u8> {
    let (packet, length) = packet(message);
    let mut content = Vec::with_capacity(packet.len() + 64);
    content.extend(u32::try_from(interface).unwrap_or_default().to_le_bytes());
    let [a, b, c, d, high @ ..] = at.to_le_bytes();
    content.extend(high);
    content.extend([a, b, c, d]);
    for length in [packet.len(), length] {
        content.extend(u32::try_from(length).unwrap_or_default().to_le_bytes());
    }
    content.extend(packet);
    let (inbound, outbound) = (1_u32, 2_u32);
    let flags = if message.direction == Direction::Received { inbound } else { outbound };
    push_option(&mut content, PACKET_FLAGS, &flags.to_le_bytes());
    if message.transport != "UDP" {
        let comment =
            format!("{} over {}; the UDP header was made up", message.direction.name(), message.transport);
        push_option(&mut content, COMMENT, comment.as_bytes());
    }
    push_option(&mut content, END_OF_OPTIONS, &[]);
    content
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
