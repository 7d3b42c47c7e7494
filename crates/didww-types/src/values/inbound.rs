//! Texts and numbers of inbound trunks and shared capacity.

use serde_json::Value;

use super::{ValueError, bounded_integer::bounded_integer, checked_text, normalised_network};
use crate::{Attribute, Flaw, Kind, Secret, Violation};

checked_text! {
    /// The prefix of the caller's number of an inbound call: at most 7 letters, digits, `+` and `#`.
    CliPrefix, "CLI prefix", "at most 7 of the characters A to Z, a to z, 0 to 9, + and #",
    Kind::Text { max: Some(7), pattern: Some("^[A-Za-z0-9+#]*$") },
    |text| {
        if text.bytes().any(|b| !b.is_ascii_alphanumeric() && b != b'+' && b != b'#') {
            Some(Violation::Invalid)
        } else {
            (text.len() > 7).then_some(Violation::TooLong(7))
        }
    }
}

checked_text! {
    /// A telephone number to which inbound calls are forwarded: 1 to 15 digits, without the plus sign.
    ForwardNumber, "number", "1 to 15 digits",
    Kind::Text { max: Some(15), pattern: Some("^[0-9]+$") },
    |text| {
        if text.is_empty() || text.bytes().any(|b| !b.is_ascii_digit()) {
            Some(Violation::Invalid)
        } else {
            (text.len() > 15).then_some(Violation::TooLong(15))
        }
    }
}

checked_text! {
    /// The user part of a request URI: at most 255 characters without white space and `@`. `{DID}` in it is replaced by
    /// the called number.
    SipUser, "SIP user", "at most 255 characters, none of them white space or @",
    Kind::Text { max: Some(255), pattern: Some(r"^[^\s@]*$") },
    |text| {
        if text.chars().any(|c| c.is_whitespace() || c.is_control() || c == '@') {
            Some(Violation::Invalid)
        } else {
            (text.chars().count() > 255).then_some(Violation::TooLong(255))
        }
    }
}

checked_text! {
    /// The host to which inbound calls are sent: a name or an address of at most 255 characters, without a port.
    SipHost, "host", "at most 255 letters, digits and the characters . - _ : [ ]",
    Kind::Text { max: Some(255), pattern: Some(r"^[A-Za-z0-9.\-_:\[\]]*$") },
    |text| {
        if text.bytes().any(|b| !b.is_ascii_alphanumeric() && !b".-_:[]".contains(&b)) {
            Some(Violation::Invalid)
        } else {
            (text.len() > 255).then_some(Violation::TooLong(255))
        }
    }
}

checked_text! {
    /// An address or a subnet from which media is accepted. It is kept as it is written.
    RtpSource, "address", "an IPv4 or IPv6 address or subnet",
    Kind::Text { max: Some(43), pattern: None },
    |text| normalised_network(text).is_none().then_some(Violation::Invalid)
}

bounded_integer! {
    /// The priority or the weight of an inbound trunk, 0 to 65535. Of two priorities, the lower one is tried first.
    TrunkRank(u32), 0..=65_535, "priority or weight", "0 to 65535"
}

bounded_integer! {
    /// The time for which an inbound call rings before the next trunk is tried, 1 to 32 seconds.
    RingingTimeout(u32), 1..=32, "ringing timeout", "1 to 32 seconds"
}

bounded_integer! {
    /// The number of channels of a group or pool.
    ChannelCount(u32), 0..=2_147_483_647, "number of channels", "0 to 2147483647 channels"
}

bounded_integer! {
    /// A SIP port, 1 to 65535.
    SipPort(u16), 1..=65_535, "port", "1 to 65535"
}

bounded_integer! {
    /// A time of a SIP session timer, from 1 second.
    SessionTime(u32), 1..=2_147_483_647, "session time", "1 to 2147483647 seconds"
}

bounded_integer! {
    /// The time for which an INVITE without an answer is repeated (timer B), 1000 to 64000 milliseconds.
    SipTimerB(u32), 1_000..=64_000, "SIP timer B", "1000 to 64000 milliseconds"
}

bounded_integer! {
    /// The time after which the next address of a host is tried, from 1 millisecond.
    FailoverTime(u32), 1..=64_000, "failover time", "1 to 64000 milliseconds"
}

bounded_integer! {
    /// The time without RTP after which an inbound call is ended, 5 to 600 seconds.
    InboundRtpTimeout(u32), 5..=600, "RTP timeout", "5 to 600 seconds"
}

bounded_integer! {
    /// How often a call may be transferred or redirected, 0 to 8 times.
    HopCount(u32), 0..=8, "number of transfers or redirects", "0 to 8"
}

impl Attribute for Secret {
    const KIND: Kind = Kind::Text { max: Some(255), pattern: None };

    fn validate(sent: &Value) -> Result<Value, Vec<Flaw>> {
        String::validate(sent)
    }
}
