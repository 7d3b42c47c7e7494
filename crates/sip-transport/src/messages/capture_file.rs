//! Messages as a capture file in the format pcapng, which Wireshark and tshark open.
//!
//! A packet ([`packet`](super::packet)) has its direction, and its interface is the SIP stack. A comment states that a
//! message came over TCP or TLS, because its datagram was made up.
//!
//! The format: <https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-03.html>.

use super::message::{CallMessages, Direction};
use super::packet::{LINKTYPE_RAW, Packet};

const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const INTERFACE_DESCRIPTION: u32 = 1;
const ENHANCED_PACKET: u32 = 6;
/// Options: the end of the options, a comment, the name of an interface, and the direction of a packet.
const END_OF_OPTIONS: u16 = 0;
const COMMENT: u16 = 1;
const INTERFACE_NAME: u16 = 2;
const PACKET_FLAGS: u16 = 2;

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
        for packet in self.packets() {
            let interface = stacks.iter().position(|stack| *stack == packet.message.stack);
            push_block(&mut file, ENHANCED_PACKET, packet_block(&packet, interface.unwrap_or_default()));
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

fn packet_block(packet: &Packet<'_>, interface: usize) -> Vec<u8> {
    let Packet { message, at, bytes, length } = packet;
    let mut content = Vec::with_capacity(bytes.len() + 64);
    content.extend(u32::try_from(interface).unwrap_or_default().to_le_bytes());
    let [a, b, c, d, high @ ..] = at.to_le_bytes();
    content.extend(high);
    content.extend([a, b, c, d]);
    for length in [bytes.len(), *length] {
        content.extend(u32::try_from(length).unwrap_or_default().to_le_bytes());
    }
    content.extend(bytes);
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
