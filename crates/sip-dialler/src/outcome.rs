//! The outcome of an attempt at a carrier as one sentence: the same in the attempt's record, in the log and in
//! `docs/why.md`.

use std::fmt;

/// The outcome of an attempt. A `String` is the reason, from this server or a library.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// The called URI is not supported.
    NoUri,
    /// The host has no address that may be used. The text is a whole sentence.
    NoAddress(String),
    /// No connection to the carrier could be made.
    Unreachable(String),
    /// No port is free for the call's media.
    NoMediaPort,
    /// The INVITE could not be written to the carrier's connection.
    NotSent(String),
    /// No response arrived within these seconds.
    NoResponse(u64),
    /// The carrier closed the connection before it responded.
    ConnectionClosed,
    /// The carrier closed the connection after a provisional response, and cannot open another one for its answer.
    ConnectionLost,
    /// The carrier stopped responding, and no more exact outcome is known.
    Silent,
    /// The carrier refused the call with this code.
    Refused(u16),
    /// A challenge with this code, and the call has no credentials.
    NoCredentials(u16),
    /// A challenge with this code that repeats one which the call answered.
    WrongCredentials(u16),
    /// A challenge with this code and no supported scheme or algorithm.
    NoDigest(u16),
    /// An answer with this code that no media can follow.
    NoMedia(u16, String),
    /// The callee did not answer within these seconds.
    NotAnswered(u64),
    /// The call was hung up here before an answer.
    HungUp,
    /// The carrier answered the call.
    Answered,
    /// The dialler stopped while the call was being placed.
    Stopped,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoUri => f.write_str("the called URI is not a supported SIP URI"),
            Self::NoAddress(why) => f.write_str(why),
            Self::Unreachable(why) => write!(f, "the carrier cannot be reached: {why}"),
            Self::NoMediaPort => f.write_str("no port for media is free here"),
            Self::NotSent(why) => write!(f, "the INVITE was not sent: {why}"),
            Self::NoResponse(seconds) => write!(f, "no response to the INVITE within {seconds} seconds"),
            Self::ConnectionClosed => f.write_str("the connection was closed before a response"),
            Self::ConnectionLost => f.write_str(
                "the connection was closed before the answer, which no other one can bring over TLS",
            ),
            Self::Silent => f.write_str("the carrier did not respond"),
            Self::Refused(code) => write!(f, "the carrier refused the call with {code}"),
            Self::NoCredentials(code) => {
                write!(f, "the carrier demands credentials with {code}, and the call has none")
            }
            Self::WrongCredentials(code) => write!(f, "the carrier refused the credentials with {code}"),
            Self::NoDigest(code) => {
                write!(f, "the carrier answered {code} without a digest challenge that is supported")
            }
            Self::NoMedia(code, why) => {
                write!(f, "the carrier answered {code} without usable media, so the call was hung up: {why}")
            }
            Self::NotAnswered(seconds) => write!(f, "the call was not answered within {seconds} seconds"),
            Self::HungUp => f.write_str("the call was hung up here before an answer"),
            Self::Answered => f.write_str("the carrier answered the call"),
            Self::Stopped => f.write_str("the dialler stopped"),
        }
    }
}

impl Outcome {
    /// One of each kind, with the default limits and typical codes, for documents and their tests. Reasons are `…`.
    pub fn samples() -> [Self; 20] {
        let why = || "…".to_owned();
        [
            Self::NoUri,
            Self::NoAddress(crate::resolve::NoAddress::Unresolved.to_string()),
            Self::NoAddress(crate::resolve::NoAddress::Mapped.to_string()),
            Self::NoAddress(crate::resolve::NoAddress::NotPublic("…").to_string()),
            Self::Unreachable(why()),
            Self::NoMediaPort,
            Self::NotSent(why()),
            Self::NoResponse(32),
            Self::ConnectionClosed,
            Self::ConnectionLost,
            Self::Silent,
            Self::Refused(503),
            Self::NoCredentials(401),
            Self::WrongCredentials(401),
            Self::NoDigest(401),
            Self::NoMedia(200, why()),
            Self::NotAnswered(60),
            Self::HungUp,
            Self::Answered,
            Self::Stopped,
        ]
    }
}
