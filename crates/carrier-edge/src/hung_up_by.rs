//! The side that ended a call.

/// The side, or the reason on the edge's side, that ended an admitted call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HungUpBy {
    /// The caller: BYE, or CANCEL before the answer.
    Caller,
    /// The called party: it hung up, or refused the call.
    FarEnd,
    /// The edge: a threshold, a limit, media that cannot be agreed on, or a stop.
    Server,
    /// An operator, over the control API.
    Operator,
    /// A time limit: silence, the session timer, ringing, or an answer without ACK.
    Timer,
}

impl HungUpBy {
    /// The name in call records, such as `far_end`.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Caller => "caller",
            Self::FarEnd => "far_end",
            Self::Server => "server",
            Self::Operator => "operator",
            Self::Timer => "timer",
        }
    }
}
