//! Why media is refused, and the response to it.

use crate::carrier::{Cause, SdpError, Settings, Warning};

/// Why an offer or an answer is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MediaRefusal {
    /// The SDP cannot be parsed.
    #[error(transparent)]
    Unparsable(#[from] SdpError),
    /// The offer contains no audio stream with a port other than 0.
    #[error("the offer has no audio stream with a port")]
    NoAudio,
    /// The transport profile does not match the media encryption mode.
    #[error("profile {0} does not match the trunk's media_encryption_mode")]
    Profile(String),
    /// The offer contains no usable key.
    #[error("the offer has no a=crypto line with AES_CM_128_HMAC_SHA1_80 or _32 and a complete key")]
    NoKey,
    /// The offer lacks the attributes that DTLS needs.
    #[error("the offer has no a=fingerprint and a=setup")]
    NoFingerprint,
    /// The offer contains no accepted codec.
    #[error("none of the codecs {0} is accepted")]
    NoCodec(String),
    /// The trunk's media encryption mode is not implemented.
    #[error("DTLS-SRTP media is not implemented; dtls_signalling_only admits such calls without media")]
    DtlsNotImplemented,
    /// The edge's own offer received no answer.
    #[error("the offer was not answered")]
    NoAnswer,
    /// The answer refuses the offered stream, or has none.
    #[error("the answer refuses the audio stream that was offered")]
    StreamRefused,
}

impl MediaRefusal {
    /// The disconnect cause of a call with this refusal.
    pub const fn cause(&self) -> Cause {
        match self {
            Self::Unparsable(_) => Cause::SdpUnparsable,
            Self::NoCodec(_) => Cause::CodecsNotMatched,
            Self::DtlsNotImplemented => Cause::DtlsNotImplemented,
            _ => Cause::NoSuitableMedia,
        }
    }

    /// The warning of the response that refuses the offer (RFC 3261 §20.43).
    pub fn warning(&self) -> Warning {
        match self {
            Self::Unparsable(SdpError::Line(line)) if line.starts_with("c=") => {
                Warning::NETWORK_ADDRESS_FORMAT
            }
            Self::Profile(_) | Self::DtlsNotImplemented => Warning::TRANSPORT_PROTOCOL,
            Self::NoAudio | Self::StreamRefused => Warning::MEDIA_TYPE,
            Self::NoCodec(_) => Warning::MEDIA_FORMAT,
            Self::NoKey | Self::NoFingerprint => Warning::ATTRIBUTE,
            Self::Unparsable(_) | Self::NoAnswer => Warning::MISCELLANEOUS,
        }
    }

    /// The response code for the refused offer.
    pub const fn code(&self, settings: &Settings) -> u16 {
        match self {
            Self::Unparsable(_) => settings.sdp_reject_code,
            Self::NoCodec(_) => settings.codec_reject_code,
            _ => settings.media_profile_reject_code,
        }
    }
}
