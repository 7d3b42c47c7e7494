//! Events that are sent in one request, and the records of its attempts.

use std::collections::HashMap;

use didww_types::Timestamp;
use rust_decimal::Decimal;
use trunk_store::{Attempted, Delivery, EventForm, Owner, PendingEvent};
use uuid::Uuid;

use crate::policy::{Policy, policy};
use crate::schedule::retry_delay;
use crate::send::{Outcome, without_secrets};

/// Consecutive events of one subject to one URL, the oldest first. A single event if its form is not batched.
#[derive(Debug)]
pub(crate) struct Batch {
    /// The kind of request, and its account or customer.
    pub form: EventForm,
    /// The trunk or call that the events are about.
    pub subject: Uuid,
    /// The URL that receives the request.
    pub url: String,
    events: Vec<PendingEvent>,
}

/// Makes the next batch of each subject, in the order of their first events. Later events of a subject that
/// need another request are left out.
pub(crate) fn batches(due: Vec<PendingEvent>) -> Vec<Batch> {
    let mut batches: Vec<Batch> = Vec::new();
    let mut indices: HashMap<Uuid, Option<usize>> = HashMap::new();
    for pending in due {
        let subject = pending.event.subject;
        match indices.get_mut(&subject) {
            None => {
                indices.insert(subject, Some(batches.len()));
                let (form, url) = (pending.event.form.clone(), pending.event.url.clone());
                batches.push(Batch { form, subject, url, events: vec![pending] });
            }
            Some(index) => {
                match index.and_then(|index| batches.get_mut(index)) {
                    Some(batch) if batch.accepts(&pending) => batch.events.push(pending),
                    // It needs another request, and no later event of the subject may overtake it.
                    _ => *index = None,
                }
            }
        }
    }
    batches
}

impl Batch {
    /// The policy for its request.
    pub(crate) fn policy(&self) -> &'static Policy {
        policy(&self.form)
    }

    /// The account or customer of the events.
    pub(crate) fn owner(&self) -> Owner {
        self.form.owner()
    }

    /// Returns whether a later event of its subject belongs in the same request.
    fn accepts(&self, later: &PendingEvent) -> bool {
        self.policy().batched && self.form == later.event.form && self.url == later.event.url
    }

    /// The request's body: a JSON array of the events, or the event itself if the form is not batched.
    pub(crate) fn body(&self) -> String {
        let bodies: Vec<&str> = self.events.iter().map(|pending| pending.event.body.as_str()).collect();
        let bodies = bodies.join(",");
        if self.policy().batched { format!("[{bodies}]") } else { bodies }
    }

    /// The number of events in the request, at least one.
    pub(crate) fn len(&self) -> usize {
        self.events.len()
    }

    /// The records of an attempt that started at `at`. After a failure, events that had their last attempt
    /// are abandoned, and all of them if the outcome is final. The others wait as long as the oldest of them, so that
    /// none overtakes it.
    pub(crate) fn records(
        &self,
        outcome: &Outcome,
        at: Timestamp,
        now: Timestamp,
        factor: Decimal,
    ) -> Vec<Attempted> {
        let record = |events: &[&PendingEvent], again_at: Option<Timestamp>| {
            let first = events.first()?;
            Some(Attempted {
                numbers: events.iter().map(|pending| pending.number).collect(),
                delivery: Delivery {
                    owner: self.owner(),
                    subject: self.subject,
                    url: without_secrets(&self.url),
                    events: u32::try_from(events.len()).unwrap_or(u32::MAX),
                    attempt: first.attempts.saturating_add(1),
                    at,
                    status: outcome.status,
                    error: outcome.error.clone(),
                },
                again_at,
            })
        };
        let delays = self.policy().retry_delays;
        let delay = |pending: &PendingEvent| retry_delay(delays, pending.attempts.saturating_add(1), factor);
        if outcome.error.is_none() {
            return record(&self.events.iter().collect::<Vec<_>>(), None).into_iter().collect();
        }
        let (repeated, abandoned): (Vec<_>, Vec<_>) =
            self.events.iter().partition(|event| !outcome.is_final && delay(event).is_some());
        let again_at = repeated.first().and_then(|first| delay(first)).map(|delay| now.after(delay));
        [record(&abandoned, None), record(&repeated, again_at)].into_iter().flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use trunk_store::NewEvent;

    use super::*;

    fn pending(number: i64, subject: u128, url: &str, attempts: u32) -> PendingEvent {
        let event = NewEvent {
            form: EventForm::Trunk { account: 1 },
            subject: Uuid::from_u128(subject),
            url: url.to_owned(),
            body: format!("{{\"id\":\"{number}\"}}"),
            created_at: Timestamp::from_unix_millis(number),
        };
        PendingEvent { number, event, attempts }
    }

    #[test]
    fn events_of_one_trunk_and_url_go_together_and_none_overtakes_another() {
        let due = vec![
            pending(1, 7, "http://a/", 0),
            pending(2, 8, "http://a/", 0),
            pending(3, 7, "http://a/", 0),
            pending(4, 7, "http://b/", 0),
            pending(5, 7, "http://a/", 0),
        ];
        let bodies: Vec<String> = batches(due).iter().map(Batch::body).collect();
        assert_eq!(bodies, [r#"[{"id":"1"},{"id":"3"}]"#, r#"[{"id":"2"}]"#]);
    }

    fn webhook(number: i64, subject: u128, attempts: u32) -> PendingEvent {
        let mut pending = pending(number, subject, "http://a/", attempts);
        let customer = Uuid::from_u128(5);
        pending.event.form = EventForm::Webhook { customer, method: "POST".to_owned(), signature: None };
        pending
    }

    #[test]
    fn webhooks_are_sent_alone_and_the_next_of_their_call_waits() {
        let due = vec![
            webhook(1, 7, 0),
            pending(2, 8, "http://a/", 0),
            webhook(3, 7, 0),
            pending(4, 8, "http://a/", 0),
            webhook(5, 9, 0),
        ];
        let bodies: Vec<String> = batches(due).iter().map(Batch::body).collect();
        assert_eq!(bodies, [r#"{"id":"1"}"#, r#"[{"id":"2"},{"id":"4"}]"#, r#"{"id":"5"}"#]);
    }

    #[test]
    fn a_webhook_is_repeated_twice_a_second_apart() {
        let at = Timestamp::from_unix_millis(1_000);
        let again = |attempts| {
            let batch = batches(vec![webhook(1, 7, attempts)]).remove(0);
            let record = batch.records(&Outcome::failed("no"), at, at, Decimal::ONE).remove(0);
            assert_eq!(record.delivery.owner, Owner::Customer(Uuid::from_u128(5)));
            record.again_at.map(Timestamp::as_unix_millis)
        };
        assert_eq!([0, 1, 2].map(again), [Some(2_000), Some(2_000), None]);
    }

    #[test]
    fn a_tenth_failure_abandons_the_event_that_had_it_and_keeps_the_rest() {
        let due = vec![
            pending(1, 7, "http://u:p@a/", 9),
            pending(2, 7, "http://u:p@a/", 3),
            pending(3, 7, "http://u:p@a/", 0),
        ];
        let at = Timestamp::from_unix_millis(1_000);
        let records = batches(due)[0].records(&Outcome::failed("no"), at, at, Decimal::ONE);
        assert_eq!((records[0].numbers.as_slice(), records[0].again_at), ([1].as_slice(), None));
        assert_eq!(records[0].delivery.attempt, 10);
        let in_an_hour = Some(Timestamp::from_unix_millis(3_601_000));
        assert_eq!((records[1].numbers.as_slice(), records[1].again_at), ([2, 3].as_slice(), in_an_hour));
        assert_eq!((records[1].delivery.attempt, records[1].delivery.url.as_str()), (4, "http://a/"));
    }

    #[test]
    fn events_that_cannot_be_signed_are_dropped_at_the_first_attempt() {
        let at = Timestamp::from_unix_millis(1_000);
        let due = vec![pending(1, 7, "http://a/", 0), pending(2, 7, "http://a/", 0)];
        let records = batches(due)[0].records(&Outcome::dropped("no secret"), at, at, Decimal::ONE);
        assert_eq!(records.len(), 1);
        assert_eq!((records[0].numbers.len(), records[0].again_at), (2, None));
        assert_eq!(records[0].delivery.error.as_deref(), Some("no secret"));
    }

    #[test]
    fn a_success_is_one_record_for_all_events() {
        let due = vec![pending(1, 7, "http://a/", 9), pending(2, 7, "http://a/", 0)];
        let at = Timestamp::from_unix_millis(0);
        let outcome = Outcome::answered(204, None);
        let records = batches(due)[0].records(&outcome, at, at, Decimal::ONE);
        assert_eq!(records.len(), 1);
        assert_eq!((records[0].numbers.len(), records[0].again_at), (2, None));
    }
}
