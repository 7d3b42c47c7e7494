//! What the forms of events differ in, each form as a row.

use std::time::Duration;

use http::StatusCode;

use super::Settings;
use trunk_store::EventForm;

/// How the requests of a form are made.
#[derive(Debug)]
pub(crate) struct Policy {
    /// Whether consecutive events of one subject go in one request, as a JSON array.
    pub batched: bool,
    /// The waits between attempts. There is one attempt more than there are waits.
    pub waits: &'static [Duration],
    /// Which answers mean that the events were told.
    pub told: fn(StatusCode) -> bool,
    /// Most redirects that are followed, one more being a failure; none when a redirect is an answer like others.
    pub redirects: Option<usize>,
    /// Longest time from the look-up of the host to the last answer's status.
    pub timeout: fn(&Settings) -> Duration,
}

/// As DIDWW documents a trunk's callbacks. That no redirect is followed is inferred.
static TRUNK: Policy = Policy {
    batched: true,
    waits: &[
        Duration::from_mins(1),
        Duration::from_mins(10),
        Duration::from_mins(30),
        Duration::from_hours(1),
        Duration::from_hours(3),
        Duration::from_hours(6),
        Duration::from_hours(12),
        Duration::from_hours(24),
        Duration::from_hours(48),
    ],
    told: |status| status.is_success(),
    redirects: None,
    timeout: |settings| settings.timeout,
};

/// As the communication platform tells its customers.
static WEBHOOK: Policy = Policy {
    batched: false,
    waits: &[Duration::from_secs(1); 2],
    told: |status| status.as_u16() < 500,
    redirects: Some(3),
    timeout: |settings| settings.webhook_timeout,
};

/// The policy of a form.
pub(crate) fn policy(form: &EventForm) -> &'static Policy {
    match form {
        EventForm::Trunk { .. } => &TRUNK,
        EventForm::Webhook { .. } => &WEBHOOK,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(policy: &Policy) -> Vec<u16> {
        let told = |status: &u16| (policy.told)(StatusCode::from_u16(*status).unwrap());
        [200, 204, 299, 304, 400, 404, 429, 499, 500, 503, 599].into_iter().filter(told).collect()
    }

    #[test]
    fn a_trunks_callback_needs_success_and_a_webhook_anything_but_a_servers_error() {
        assert_eq!(told(&TRUNK), [200, 204, 299]);
        assert_eq!(told(&WEBHOOK), [200, 204, 299, 304, 400, 404, 429, 499]);
    }

    #[test]
    fn a_trunks_callback_is_repeated_for_three_days_and_twenty_three_hours_and_a_webhook_for_two_seconds() {
        let minutes = 1 + 10 + 30 + 60 * (1 + 3 + 6 + 12 + 24 + 48);
        assert_eq!(TRUNK.waits.iter().sum::<Duration>(), Duration::from_mins(minutes));
        assert_eq!(WEBHOOK.waits.iter().sum::<Duration>(), Duration::from_secs(2));
        assert_eq!((TRUNK.waits.len(), WEBHOOK.waits.len()), (9, 2));
    }
}
