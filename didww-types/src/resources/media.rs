//! Enumerations that inbound and outbound trunks share.

use crate::enumeration::string_enum;

string_enum! {
    /// How a trunk's media is encrypted.
    MediaEncryptionMode {
        /// Plain RTP.
        Disabled = "disabled",
        /// SRTP, keys in the SDP (RFC 4568).
        SrtpSdes = "srtp_sdes",
        /// SRTP, keys by DTLS (RFC 5764).
        SrtpDtls = "srtp_dtls",
        /// ZRTP, keys in the media (RFC 6189).
        Zrtp = "zrtp",
    }
}
