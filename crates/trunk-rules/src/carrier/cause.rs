//! Disconnect causes, which distinguish refusals where the wire shows only 403 or 480.
//!
//! Ids, codes and texts are those of the open-source switch whose ids DIDWW's agree with; DIDWW's own list is
//! not available. Each cause has a default response code; the code that is sent is a setting.

macro_rules! causes {
    ($($(#[$doc:meta])* $name:ident = $id:literal, $code:literal, $text:literal;)+) => {
        /// A disconnect cause: the number and the text that call records state for the end of a call.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Cause {
            $($(#[$doc])* $name,)+
        }

        impl Cause {
            /// All causes, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The numeric id in call records.
            pub const fn id(self) -> u16 {
                match self { $(Self::$name => $id),+ }
            }

            /// The default SIP response code of the cause.
            pub const fn code(self) -> u16 {
                match self { $(Self::$name => $code),+ }
            }

            /// The text in call records.
            pub const fn text(self) -> &'static str {
                match self { $(Self::$name => $text),+ }
            }
        }
    };
}

causes! {
    /// The digest is missing or wrong.
    Unauthorized = 57, 401, "Unauthorized";
    /// The callee's side responded 403.
    Forbidden = 59, 403, "Forbidden";
    /// The callee's side responded 486.
    BusyHere = 90, 486, "Busy Here";
    /// The callee declined the call.
    Decline = 106, 603, "Decline";
    /// No trunk allows the source address and tech prefix.
    NoCustomer = 110, 403, "Cant find customer or customer locked";
    /// The rate card has no prefix for the destination.
    NoDestinationPrefix = 111, 404, "Cant find destination prefix";
    /// The destination is known, but no route leads to it.
    NoRoutes = 113, 404, "No routes";
    /// No accepted RTP arrived within the trunk's RTP timeout.
    RtpTimeout = 125, 200, "Rtp timeout";
    /// The final response was never acknowledged.
    NoAck = 126, 200, "NoAck";
    /// The session timer expired: no refresh of the session succeeded in time (RFC 4028).
    SessionTimeout = 128, 200, "Session Timeout";
    /// The callee's side never responded.
    TransactionTimeout = 130, 408, "SIP transaction timeout";
    /// No media port is free.
    NoFreePorts = 134, 500, "No Free RTP ports";
    /// The offer contains no supported codec.
    CodecsNotMatched = 140, 488, "Codecs not matched";
    /// The offer contains no stream that the media encryption mode accepts.
    NoSuitableMedia = 142, 500, "No suitable media";
    /// The trunk's media encryption mode is not implemented. The id is this project's: the switch has none
    /// for it.
    DtlsNotImplemented = 9142, 488, "DTLS-SRTP media is not implemented";
    /// The INVITE is malformed. The ids of this cause and the next four are this project's and equal the
    /// response codes.
    BadRequest = 400, 400, "Bad request";
    /// The caller accepts no session description in the response.
    NotAcceptable = 406, 406, "No acceptable body";
    /// The body has an unsupported type or encoding.
    UnsupportedMediaType = 415, 415, "Body not understood";
    /// The INVITE requires an unsupported extension.
    BadExtension = 420, 420, "Extension not supported";
    /// The session interval is too short.
    IntervalTooSmall = 422, 422, "Session interval too small";
    /// The caller cancelled before a destination was chosen.
    CanceledBeforeRouting = 146, 487, "Canceled before routing completed";
    /// The offer cannot be parsed.
    SdpUnparsable = 1500, 500, "SDP parsing failed";
    /// The callee did not answer in time.
    RingingTimeout = 1505, 487, "Ringing timeout";
    /// All channels of the trunk are in use.
    Overloaded = 1507, 480, "Trunk overloaded";
    /// The account has no balance left.
    NoBalance = 8000, 403, "Not enough customer balance";
    /// The trunk's destination rule refuses the number.
    DestinationBlacklisted = 8001, 403, "Destination number blacklisted";
    /// The trunk's CLI rule refuses the caller number.
    SourceBlacklisted = 8002, 403, "Source number blacklisted";
    /// The trunk is blocked, by a user or because it reached its spending threshold.
    RejectedByAuthRecord = 8004, 403, "Rejected by Auth record";
    /// The trunk was deleted while the call was being admitted.
    GatewayDisabled = 8005, 403, "Origination gateway is disabled";
    /// The dialled text is not a number.
    NumberMalformed = 8007, 484, "Destination number malformed";
    /// The limit on calls per second is exceeded.
    CpsLimit = 8012, 480, "CPS limit";
    /// The call was in progress when its trunk's spending reached the threshold. From here on the ids are
    /// this project's.
    ThresholdReached = 9001, 200, "Threshold reached";
    /// The call was in progress when the server process ended unexpectedly.
    ServerLost = 9002, 200, "Server lost";
    /// The charge of the call cannot be stored.
    NotRecorded = 9003, 503, "Calls cannot be recorded";
    /// The source has too many unacknowledged answers.
    Unacknowledged = 9004, 503, "Too many unacknowledged answers";
    /// The call was in progress when its trunk was deleted.
    TrunkDeleted = 9005, 200, "Trunk deleted";
}

/// Returns the reason phrase for a response code, from RFC 3261 and its extensions.
pub const fn reason_phrase(code: u16) -> &'static str {
    match code {
        300 => "Multiple Choices",
        301 => "Moved Permanently",
        302 => "Moved Temporarily",
        305 => "Use Proxy",
        380 => "Alternative Service",
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
        413 => "Request Entity Too Large",
        414 => "Request-URI Too Long",
        415 => "Unsupported Media Type",
        416 => "Unsupported URI Scheme",
        420 => "Bad Extension",
        421 => "Extension Required",
        422 => "Session Interval Too Small",
        423 => "Interval Too Brief",
        428 => "Use Identity Header",
        433 => "Anonymity Disallowed",
        438 => "Invalid Identity Header",
        469 => "Bad Info Package",
        480 => "Temporarily Unavailable",
        481 => "Call/Transaction Does Not Exist",
        482 => "Loop Detected",
        483 => "Too Many Hops",
        484 => "Address Incomplete",
        485 => "Ambiguous",
        486 => "Busy Here",
        487 => "Request Terminated",
        488 => "Not Acceptable Here",
        491 => "Request Pending",
        493 => "Undecipherable",
        500 => "Server Internal Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Server Time-out",
        505 => "Version Not Supported",
        513 => "Message Too Large",
        580 => "Precondition Failure",
        600 => "Busy Everywhere",
        603 => "Decline",
        604 => "Does Not Exist Anywhere",
        607 => "Unwanted",
        608 => "Rejected",
        _ if code < 400 => "Redirection",
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

    #[test]
    fn a_redirection_is_no_failure_and_each_code_of_rfc_3261_has_its_phrase() {
        let phrases = [302, 399, 485, 502, 499, 599, 699].map(reason_phrase);
        let expected = [
            "Moved Temporarily",
            "Redirection",
            "Ambiguous",
            "Bad Gateway",
            "Request Failure",
            "Server Failure",
            "Global Failure",
        ];
        assert_eq!(phrases, expected);
        let numbered =
            [300, 301, 305, 380, 402, 410, 413, 414, 421, 423, 482, 484, 493, 501, 513, 600, 604, 606];
        let of_class = ["Redirection", "Request Failure", "Server Failure", "Global Failure"];
        assert!(numbered.iter().all(|code| !of_class.contains(&reason_phrase(*code))));
    }
}
