//! How requests are made and repeated, for each form of event.

use std::time::Duration;

use http::StatusCode;
use trunk_store::EventForm;

use crate::settings::Settings;

/// The rules for the requests of one form of event.
#[derive(Debug)]
pub(crate) struct Policy {
    /// Whether consecutive events of one subject are sent in one request, as a JSON array.
    pub batched: bool,
    /// The delays between attempts. There is one attempt more than there are delays.
    pub retry_delays: &'static [Duration],
    /// Returns whether a response status means that the events were delivered.
    pub is_delivered: fn(StatusCode) -> bool,
    /// The maximum number of redirects that are followed; a further one is a failure. `None` if redirects are
    /// not followed and are judged by their status alone.
    pub redirects: Option<usize>,
    /// The longest time from the look-up of the host to the last response's status.
    pub timeout: fn(&Settings) -> Duration,
}

/// The callbacks of trunks, as documented by DIDWW: 200 to 298 is a success. That redirects are not followed is
/// inferred.
const TRUNK: Policy = Policy {
    batched: true,
    retry_delays: &[
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
    is_delivered: |status| matches!(status.as_u16(), 200..=298),
    redirects: None,
    timeout: |settings| settings.timeout,
};

/// The callbacks about the status of a record, as documented by DIDWW: as those of trunks, each alone.
static STATUS: Policy = Policy { batched: false, ..TRUNK };

/// The webhooks of the communication platform's customers.
static WEBHOOK: Policy = Policy {
    batched: false,
    retry_delays: &[Duration::from_secs(1); 2],
    is_delivered: |status| status.as_u16() < 500,
    redirects: Some(3),
    timeout: |settings| settings.webhook_timeout,
};

/// The policy for a form of event.
pub(crate) fn policy(form: &EventForm) -> &'static Policy {
    match form {
        EventForm::Trunk { .. } => &TRUNK,
        EventForm::Status { .. } => &STATUS,
        EventForm::Webhook { .. } => &WEBHOOK,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_callback_about_a_status_is_repeated_as_those_of_trunks_and_sent_alone() {
        assert_eq!(delivered(&STATUS), [200, 204, 298]);
        assert_eq!((STATUS.retry_delays, STATUS.redirects), (TRUNK.retry_delays, None));
        assert_eq!([TRUNK.batched, STATUS.batched], [true, false]);
    }

    fn delivered(policy: &Policy) -> Vec<u16> {
        let is_delivered = |status: &u16| (policy.is_delivered)(StatusCode::from_u16(*status).unwrap());
        [200, 204, 298, 299, 304, 400, 404, 429, 499, 500, 503, 599]
            .into_iter()
            .filter(is_delivered)
            .collect()
    }

    #[test]
    fn a_trunks_callback_needs_success_and_a_webhook_anything_but_a_servers_error() {
        assert_eq!(delivered(&TRUNK), [200, 204, 298]);
        assert_eq!(delivered(&WEBHOOK), [200, 204, 298, 299, 304, 400, 404, 429, 499]);
    }

    #[test]
    fn a_trunks_callback_is_repeated_for_three_days_and_twenty_three_hours_and_a_webhook_for_two_seconds() {
        let minutes = 1 + 10 + 30 + 60 * (1 + 3 + 6 + 12 + 24 + 48);
        assert_eq!(TRUNK.retry_delays.iter().sum::<Duration>(), Duration::from_mins(minutes));
        assert_eq!(WEBHOOK.retry_delays.iter().sum::<Duration>(), Duration::from_secs(2));
        assert_eq!((TRUNK.retry_delays.len(), WEBHOOK.retry_delays.len()), (9, 2));
    }
}
