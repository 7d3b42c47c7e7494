//! Disconnect causes: what tells refusals apart when the wire shows only 403 or 480.
//!
//! Ids, codes and texts are those of the open switch that DIDWW's ids agree with; DIDWW's own list was not
//! to be had. The code here is the cause's own; the one that is sent is a setting.

macro_rules! causes {
    ($($(#[$doc:meta])* $name:ident = $id:literal, $code:literal, $text:literal;)+) => {
        /// A disconnect cause.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Cause {
            $($(#[$doc])* $name,)+
        }

        impl Cause {
            /// All causes.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The id in records.
            pub const fn id(self) -> u16 {
                match self { $(Self::$name => $id),+ }
            }

            /// The SIP response code that the cause has by itself.
            pub const fn code(self) -> u16 {
                match self { $(Self::$name => $code),+ }
            }

            /// The text in records.
            pub const fn text(self) -> &'static str {
                match self { $(Self::$name => $text),+ }
            }
        }
    };
}

causes! {
    /// The digest is missing or wrong.
    Unauthorized = 57, 401, "Unauthorized";
    /// The far end refuses.
    Forbidden = 59, 403, "Forbidden";
    /// The far end is busy.
    BusyHere = 90, 486, "Busy Here";
    /// The far end declines.
    Decline = 106, 603, "Decline";
    /// No trunk allows the address and the prefix.
    NoCustomer = 110, 403, "Cant find customer or customer locked";
    /// Nothing is known of the destination.
    NoDestinationPrefix = 111, 404, "Cant find destination prefix";
    /// The destination is known, and no route leads there.
    NoRoutes = 113, 404, "No routes";
    /// No RTP was accepted for too long.
    RtpTimeout = 125, 200, "Rtp timeout";
    /// The final response was never acknowledged.
    NoAck = 126, 200, "NoAck";
    /// The session timer ran out.
    SessionTimeout = 128, 200, "Session Timeout";
    /// The far end never answered.
    TransactionTimeout = 130, 408, "SIP transaction timeout";
    /// No media port is free.
    NoFreePorts = 134, 500, "No Free RTP ports";
    /// The offer holds no codec that is supported.
    CodecsNotMatched = 140, 488, "Codecs not matched";
    /// The offer holds no stream that the media encryption mode accepts.
    NoSuitableMedia = 142, 500, "No suitable media";
    /// The trunk wants media that is not implemented. The number is ours: the switch has none for it.
    DtlsNotImplemented = 9142, 488, "DTLS-SRTP media is not implemented";
    /// The INVITE is not as it must be. The numbers of this and the next four are ours: the response codes.
    BadRequest = 400, 400, "Bad request";
    /// The caller takes no session description.
    NotAcceptable = 406, 406, "No acceptable body";
    /// The body is of a type or an encoding that is not understood.
    UnsupportedMediaType = 415, 415, "Body not understood";
    /// The INVITE requires an extension that is not supported.
    BadExtension = 420, 420, "Extension not supported";
    /// The session interval is too short.
    IntervalTooSmall = 422, 422, "Session interval too small";
    /// The caller gave up before a destination was chosen.
    CanceledBeforeRouting = 146, 487, "Canceled before routing completed";
    /// The offer cannot be read.
    SdpUnparsable = 1500, 500, "SDP parsing failed";
    /// Nobody answered.
    RingingTimeout = 1505, 487, "Ringing timeout";
    /// The trunk's capacity is in use.
    Overloaded = 1507, 480, "Trunk overloaded";
    /// The account has no money left.
    NoBalance = 8000, 403, "Not enough customer balance";
    /// The destination rule refuses the number.
    DestinationBlacklisted = 8001, 403, "Destination number blacklisted";
    /// The CLI rule refuses the caller.
    SourceBlacklisted = 8002, 403, "Source number blacklisted";
    /// The trunk is blocked.
    RejectedByAuthRecord = 8004, 403, "Rejected by Auth record";
    /// The trunk was deleted while the call was decided.
    GatewayDisabled = 8005, 403, "Origination gateway is disabled";
    /// The dialled text is no number.
    NumberMalformed = 8007, 484, "Destination number malformed";
    /// Too many calls a second.
    CpsLimit = 8012, 480, "CPS limit";
    /// The call was up when its trunk's spending reached the threshold. From here on the ids are the edge's own.
    ThresholdReached = 9001, 200, "Threshold reached";
    /// The call was up when the server died.
    ServerLost = 9002, 200, "Server lost";
    /// What the call costs cannot be written.
    NotRecorded = 9003, 503, "Calls cannot be recorded";
    /// The source leaves too many answers unacknowledged.
    Unacknowledged = 9004, 503, "Too many unacknowledged answers";
}

/// The phrase that RFC 3261 and its extensions give a response code.
pub const fn reason_phrase(code: u16) -> &'static str {
    match code {
        400 => "Bad Request",
        401 => "Unauthorized",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 | 606 => "Not Acceptable",
        407 => "Proxy Authentication Required",
        408 => "Request Timeout",
        410 => "Gone",
        415 => "Unsupported Media Type",
        416 => "Unsupported URI Scheme",
        420 => "Bad Extension",
        422 => "Session Interval Too Small",
        433 => "Anonymity Disallowed",
        480 => "Temporarily Unavailable",
        481 => "Call/Transaction Does Not Exist",
        482 => "Loop Detected",
        483 => "Too Many Hops",
        484 => "Address Incomplete",
        486 => "Busy Here",
        487 => "Request Terminated",
        488 => "Not Acceptable Here",
        491 => "Request Pending",
        500 => "Server Internal Error",
        501 => "Not Implemented",
        503 => "Service Unavailable",
        504 => "Server Time-out",
        505 => "Version Not Supported",
        600 => "Busy Everywhere",
        603 => "Decline",
        604 => "Does Not Exist Anywhere",
        _ if code < 500 => "Request Failure",
        _ if code < 600 => "Server Failure",
        _ => "Global Failure",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_cause_has_an_id_of_its_own() {
        let ids: HashSet<u16> = Cause::ALL.iter().map(|cause| cause.id()).collect();
        assert_eq!(ids.len(), Cause::ALL.len());
    }
}
