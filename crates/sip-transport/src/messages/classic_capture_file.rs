//! Messages as a capture file in the format that preceded pcapng, which every tool for captures reads and some clients
//! require. It has neither directions nor comments.
//!
//! The format: <https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-05.html>.

use super::message::CallMessages;
use super::packet::LINKTYPE_RAW;

/// The first four bytes of a file whose times are in microseconds.
const MAGIC: u32 = 0xa1b2_c3d4;
/// The version of the format: major and minor.
const VERSION: [u16; 2] = [2, 4];
/// Maximum length of a packet, as the file's header states it.
const MAX_PACKET_BYTES: u32 = 262_144;

impl CallMessages {
    /// The messages as a capture file in the older format, pcap; empty without messages. It has no more secrets than
    /// they have.
    pub fn classic_capture_file(&self) -> Vec<u8> {
        let mut file = Vec::new();
        for packet in self.packets() {
            if file.is_empty() {
                file.extend(MAGIC.to_le_bytes());
                file.extend(VERSION.into_iter().flat_map(u16::to_le_bytes));
                // Reserved.
                file.extend([0; 8]);
                file.extend(MAX_PACKET_BYTES.to_le_bytes());
                file.extend(u32::from(LINKTYPE_RAW).to_le_bytes());
            }
            let (seconds, micros) = (packet.at / 1_000_000, packet.at % 1_000_000);
            let numbers = [seconds, micros, packet.bytes.len() as u64, packet.length as u64];
            for number in numbers {
                // The seconds fit until the year 2106.
                file.extend(u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes());
            }
            file.extend(packet.bytes);
        }
        file
    }
}
