//! VoIPBIN's outbound side: its customers' calls go out through SIP providers, such as a trunk of the edge.

#[cfg(feature = "sip")]
#[cfg_attr(
    not(test),
    expect(dead_code, reason = "the call engine that places calls with it is not there yet")
)]
pub(crate) mod dialler;
