//! Limits the log lines that callers can cause, and sums up the excess.

use didww_types::Timestamp;
use service_base::log_limiter::LogLimiter;

/// Log lines that callers can cause. The first ones of a minute are written, the others are summed up.
#[derive(Debug)]
pub(crate) struct LogSums {
    pub(crate) admitted: LogLimiter,
    pub(crate) ended: LogLimiter,
    pub(crate) challenged: LogLimiter,
    pub(crate) unanswered: LogLimiter,
    pub(crate) refused: LogLimiter,
    pub(crate) refused_in_call: LogLimiter,
    pub(crate) refused_refreshes: LogLimiter,
    pub(crate) unrecorded: LogLimiter,
    pub(crate) registrations: LogLimiter,
    pub(crate) media: LogLimiter,
}

impl LogSums {
    pub(crate) const fn new() -> Self {
        Self {
            admitted: LogLimiter::routine("calls were admitted"),
            ended: LogLimiter::routine("calls ended"),
            challenged: LogLimiter::new("attempts were challenged again"),
            unanswered: LogLimiter::new("challenges were not answered"),
            refused: LogLimiter::new("attempts were refused"),
            refused_in_call: LogLimiter::new("requests inside calls were refused"),
            refused_refreshes: LogLimiter::new("refreshes of sessions were refused"),
            unrecorded: LogLimiter::new("trunks had refusals that were not recorded"),
            registrations: LogLimiter::new("registrations were refused"),
            media: LogLimiter::new("calls had problems with their media"),
        }
    }

    pub(crate) fn write_log_summaries(&self, now: Timestamp) {
        let Self {
            admitted,
            ended,
            challenged,
            unanswered,
            refused,
            refused_in_call,
            refused_refreshes,
            unrecorded,
            registrations,
            media,
        } = self;
        let ordinary = [admitted, ended, challenged, unanswered];
        let refusals = [refused, refused_in_call, refused_refreshes];
        for kind in ordinary.into_iter().chain(refusals).chain([unrecorded, registrations, media]) {
            kind.write_due_summary(now);
        }
    }
}
