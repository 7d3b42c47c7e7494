//! Reads the headers of RTP packets (RFC 3550 §5.1), and distinguishes RTCP from RTP.

/// The length of the header without its optional parts, in bytes.
const HEADER_BYTES: usize = 12;

/// The parts of an RTP header that the edge reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RtpHeader {
    /// The payload type, 0 to 127.
    pub payload_type: u8,
    /// The sequence number.
    pub sequence: u16,
    /// The timestamp, in units of the payload type's clock.
    pub timestamp: u32,
    /// The synchronization source (SSRC).
    pub ssrc: u32,
}

impl RtpHeader {
    /// The header of a packet; `None` for RTCP and other data.
    pub fn of(packet: &[u8]) -> Option<Self> {
        let &[first, second, n1, n2, t1, t2, t3, t4, s1, s2, s3, s4, ..] = packet else { return None };
        (first >> 6 == 2 && !is_rtcp(packet)).then(|| Self {
            payload_type: second & 0x7f,
            sequence: u16::from_be_bytes([n1, n2]),
            timestamp: u32::from_be_bytes([t1, t2, t3, t4]),
            ssrc: u32::from_be_bytes([s1, s2, s3, s4]),
        })
    }
}

/// Whether this is an RTCP packet on the same port. It is recognized by its packet types, which RTP does not use
/// (RFC 5761 §4).
pub fn is_rtcp(packet: &[u8]) -> bool {
    matches!(packet, [first, 192..=223, ..] if packet.len() >= 4 && first >> 6 == 2)
}

/// The payload of an RTP packet, after the contributing sources and the extension of its header; `None` if the packet
/// ends before. Padding is not removed.
pub fn rtp_payload(packet: &[u8]) -> Option<&[u8]> {
    let first = *packet.first()?;
    let sources = usize::from(first & 0x0f);
    let rest = packet.get(HEADER_BYTES + 4 * sources..)?;
    if first & 0x10 == 0 {
        return Some(rest);
    }
    let &[_, _, l1, l2, ..] = rest else { return None };
    rest.get(4 + 4 * usize::from(u16::from_be_bytes([l1, l2]))..)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACKET: [u8; 14] = [0x80, 0x88, 1, 2, 0, 0, 0, 3, 0, 0, 0, 4, 7, 9];

    #[test]
    fn the_header_is_read_without_the_marker() {
        let header = RtpHeader { payload_type: 8, sequence: 0x0102, timestamp: 3, ssrc: 4 };
        assert_eq!(RtpHeader::of(&PACKET), Some(header));
        assert_eq!(rtp_payload(&PACKET), Some(&[7, 9][..]));
    }

    #[test]
    fn rtcp_short_packets_and_other_versions_have_no_header() {
        let rtcp = [0x80, 200, 0, 6, 0, 0, 0, 3, 0, 0, 0, 4];
        assert!(is_rtcp(&rtcp) && RtpHeader::of(&rtcp).is_none());
        assert!(!is_rtcp(&PACKET) && !is_rtcp(&rtcp[..3]));
        assert_eq!(RtpHeader::of(&PACKET[..11]), None);
        assert_eq!(RtpHeader::of(&[0; 14]), None);
    }

    #[test]
    fn the_payload_is_behind_sources_and_extension_or_not_there() {
        let mut packet = vec![0x92, 8];
        packet.extend([0; 10 + 8]);
        packet.extend([0xbe, 0xde, 0, 1, 1, 1, 1, 1, 42]);
        assert_eq!(rtp_payload(&packet), Some(&[42][..]));
        for end in 0..packet.len() - 1 {
            assert_eq!(rtp_payload(&packet[..end]), None, "{end}");
        }
    }
}
