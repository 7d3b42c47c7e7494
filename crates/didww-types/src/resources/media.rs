//! Enumerations that inbound and outbound trunks share.

use crate::enumeration::string_enum;

string_enum! {
    /// The encryption of a trunk's media.
    MediaEncryptionMode {
        /// Unencrypted RTP (`disabled`), which is the default.
        Disabled = "disabled",
        /// SRTP with keys in the SDP (SDES, RFC 4568).
        SrtpSdes = "srtp_sdes",
        /// SRTP with keys from a DTLS handshake (DTLS-SRTP, RFC 5764).
        SrtpDtls = "srtp_dtls",
        /// SRTP with keys agreed on the media path (ZRTP, RFC 6189).
        Zrtp = "zrtp",
    }
}
