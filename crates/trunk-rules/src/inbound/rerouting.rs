//! Whether another trunk follows an attempt.

use std::fmt;

use didww_types::resources::ReroutingCode;

/// The response code that represents a final response which never arrived (RFC 3261 §8.1.3.1).
const REQUEST_TIMEOUT: u16 = 408;
/// The response code of a callee that cannot be reached at this time, and of a trunk with its maximum of calls.
const TEMPORARILY_UNAVAILABLE: u16 = 480;
/// The response code of a server without a free port, or without the number of a trunk's calls.
const SERVICE_UNAVAILABLE: u16 = 503;

/// How the attempt at a trunk ended without an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttemptEnd {
    /// The trunk has no destination that can be dialled.
    NotDialled,
    /// The trunk has its maximum of calls, this number.
    Full(u64),
    /// It is not known whether the trunk has its maximum of calls: those of other servers cannot be counted.
    NotCounted,
    /// The callee refused the call with this final response.
    Refused(u16),
    /// There was no final response, or the host could not be reached.
    NoResponse,
    /// No port for media was free on this machine, so that the trunk was not called.
    NoPort,
    /// There was no answer within `ringing_timeout`, or within the server's own limit.
    RingingTimeout,
}

impl AttemptEnd {
    /// The SIP response code that the caller receives, if no other trunk is tried.
    pub const fn code(self) -> u16 {
        match self {
            Self::Refused(code) => code,
            Self::NoResponse => REQUEST_TIMEOUT,
            Self::NotCounted | Self::NoPort => SERVICE_UNAVAILABLE,
            Self::NotDialled | Self::Full(_) | Self::RingingTimeout => TEMPORARILY_UNAVAILABLE,
        }
    }

    /// Whether the next trunk is tried, by the trunk's `rerouting_disconnect_code_ids`: always after a trunk that was
    /// not dialled, and never after a response that DIDWW does not list.
    fn is_rerouted(self, codes: &[ReroutingCode]) -> bool {
        let listed = |code: Option<ReroutingCode>| code.is_some_and(|code| codes.contains(&code));
        match self {
            Self::NotDialled | Self::Full(_) | Self::NotCounted | Self::NoPort => true,
            Self::Refused(code) => listed(ReroutingCode::of_status(code)),
            Self::NoResponse => listed(ReroutingCode::of_status(REQUEST_TIMEOUT)),
            Self::RingingTimeout => listed(Some(ReroutingCode::RINGING_TIMEOUT)),
        }
    }
}

impl fmt::Display for AttemptEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotDialled => f.write_str("the trunk was not dialled"),
            Self::Full(limit) => write!(f, "the trunk has its maximum of calls, {limit}"),
            Self::NotCounted => f.write_str("the calls of other servers to the trunk cannot be counted"),
            Self::Refused(code) => write!(f, "the trunk refused the call with {code}"),
            Self::NoResponse => f.write_str("the trunk did not respond"),
            Self::NoPort => f.write_str("no port for the media of the call is free on this server"),
            Self::RingingTimeout => f.write_str("the trunk did not answer in time"),
        }
    }
}

/// The next step after an attempt that ended without an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// The next trunk is tried.
    NextTrunk,
    /// The call ends: there is no other trunk.
    LastTrunk,
    /// The call ends: the trunk does not list the reason.
    NotListed,
}

impl fmt::Display for Next {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NextTrunk => "the next trunk was tried",
            Self::LastTrunk => "no other trunk is left",
            Self::NotListed => "the reason is not among the trunk's rerouting_disconnect_code_ids",
        })
    }
}

/// Decides on the next step after an attempt. `codes` are the trunk's `rerouting_disconnect_code_ids`.
pub fn next(end: AttemptEnd, codes: &[ReroutingCode], is_last: bool) -> Next {
    if is_last {
        Next::LastTrunk
    } else if end.is_rerouted(codes) {
        Next::NextTrunk
    } else {
        Next::NotListed
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn listing(statuses: &[u16]) -> Vec<ReroutingCode> {
        statuses.iter().filter_map(|status| ReroutingCode::of_status(*status)).collect()
    }

    #[test]
    fn a_response_is_rerouted_if_the_trunk_lists_it() {
        let codes = listing(&[486]);
        assert_eq!(next(AttemptEnd::Refused(486), &codes, false), Next::NextTrunk);
        assert_eq!(next(AttemptEnd::Refused(486), &codes, true), Next::LastTrunk);
        assert_eq!(next(AttemptEnd::Refused(600), &codes, false), Next::NotListed);
        assert_eq!(next(AttemptEnd::Refused(486), &[], false), Next::NotListed);
    }

    #[test]
    fn a_missing_response_counts_as_408_and_a_ringing_timeout_has_an_id_of_its_own() {
        let (timeout, ringing) = (listing(&[408]), vec![ReroutingCode::RINGING_TIMEOUT]);
        assert_eq!(next(AttemptEnd::NoResponse, &timeout, false), Next::NextTrunk);
        assert_eq!(next(AttemptEnd::NoResponse, &ringing, false), Next::NotListed);
        assert_eq!(next(AttemptEnd::RingingTimeout, &ringing, false), Next::NextTrunk);
        assert_eq!(next(AttemptEnd::RingingTimeout, &timeout, false), Next::NotListed);
    }

    #[test]
    fn a_trunk_that_was_not_dialled_is_always_followed_by_the_next_one() {
        let passed_over =
            [AttemptEnd::NotDialled, AttemptEnd::Full(1), AttemptEnd::NotCounted, AttemptEnd::NoPort];
        for end in passed_over {
            assert_eq!(next(end, &[], false), Next::NextTrunk);
        }
    }

    proptest! {
        #[test]
        fn a_trunk_that_lists_every_id_reroutes_each_response_that_has_one(status in 300..700_u16) {
            let all: Vec<ReroutingCode> = ReroutingCode::all().collect();
            let expected =
                if ReroutingCode::of_status(status).is_some() { Next::NextTrunk } else { Next::NotListed };
            prop_assert_eq!(next(AttemptEnd::Refused(status), &all, false), expected);
            prop_assert_eq!(AttemptEnd::Refused(status).code(), status);
        }
    }
}
