//! Events that go out in one request, and what is noted of it.

use std::collections::HashMap;

use didww_types::Timestamp;
use rust_decimal::Decimal;
use uuid::Uuid;

use super::policy::{Policy, policy};
use super::schedule::wait_after;
use super::send::{Outcome, without_userinfo};
use trunk_store::{Attempted, Delivery, EventForm, Owner, PendingEvent};

/// Consecutive events of one subject to one URL, oldest first; a single one when its form is told alone.
#[derive(Debug)]
pub(crate) struct Batch {
    /// How they are told.
    pub form: EventForm,
    /// The trunk or call.
    pub subject: Uuid,
    /// Where they are told.
    pub url: String,
    events: Vec<PendingEvent>,
}

/// The next batch of each subject, in the order of their first events. What goes by another request waits its turn.
pub(crate) fn batches(due: Vec<PendingEvent>) -> Vec<Batch> {
    let mut batches: Vec<Batch> = Vec::new();
    let mut places: HashMap<Uuid, Option<usize>> = HashMap::new();
    for pending in due {
        let subject = pending.event.subject;
        match places.get_mut(&subject) {
            None => {
                places.insert(subject, Some(batches.len()));
                let (form, url) = (pending.event.form.clone(), pending.event.url.clone());
                batches.push(Batch { form, subject, url, events: vec![pending] });
            }
            Some(place) => {
                match place.and_then(|place| batches.get_mut(place)) {
                    Some(batch) if batch.takes(&pending) => batch.events.push(pending),
                    // Another request: nothing later of this subject may overtake it.
                    _ => *place = None,
                }
            }
        }
    }
    batches
}

impl Batch {
    /// How its request is made.
    pub(crate) fn policy(&self) -> &'static Policy {
        policy(&self.form)
    }

    /// Whose events.
    pub(crate) fn owner(&self) -> Owner {
        self.form.owner()
    }

    /// Whether a later event of its subject goes in the same request.
    fn takes(&self, later: &PendingEvent) -> bool {
        self.policy().batched && self.form == later.event.form && self.url == later.event.url
    }

    /// The request's body: a JSON array, or the event where there is one alone.
    pub(crate) fn body(&self) -> String {
        let bodies: Vec<&str> = self.events.iter().map(|pending| pending.event.body.as_str()).collect();
        let bodies = bodies.join(",");
        if self.policy().batched { format!("[{bodies}]") } else { bodies }
    }

    /// How many events it has.
    pub(crate) fn len(&self) -> usize {
        self.events.len()
    }

    /// What is to be noted. After a failure, events that had their last attempt are given up; the others wait as
    /// long as the oldest of them has to, for none may overtake it.
    pub(crate) fn noted(
        &self,
        outcome: &Outcome,
        at: Timestamp,
        now: Timestamp,
        factor: Decimal,
    ) -> Vec<Attempted> {
        let note = |events: &[&PendingEvent], again_at: Option<Timestamp>| {
            let first = events.first()?;
            Some(Attempted {
                numbers: events.iter().map(|pending| pending.number).collect(),
                delivery: Delivery {
                    owner: self.owner(),
                    subject: self.subject,
                    url: without_userinfo(&self.url),
                    events: u32::try_from(events.len()).unwrap_or(u32::MAX),
                    attempt: first.attempts.saturating_add(1),
                    at,
                    status: outcome.status,
                    error: outcome.error.clone(),
                },
                again_at,
            })
        };
        let waits = self.policy().waits;
        let wait = |pending: &PendingEvent| wait_after(waits, pending.attempts.saturating_add(1), factor);
        if outcome.error.is_none() {
            return note(&self.events.iter().collect::<Vec<_>>(), None).into_iter().collect();
        }
        let (again, over): (Vec<_>, Vec<_>) = self.events.iter().partition(|event| wait(event).is_some());
        let again_at = again.first().and_then(|first| wait(first)).map(|wait| now.after(wait));
        [note(&over, None), note(&again, again_at)].into_iter().flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use trunk_store::NewEvent;

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
    fn webhooks_go_alone_and_the_next_of_their_call_waits() {
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
            let noted = batch.noted(&Outcome::failed("no"), at, at, Decimal::ONE).remove(0);
            assert_eq!(noted.delivery.owner, Owner::Customer(Uuid::from_u128(5)));
            noted.again_at.map(Timestamp::as_unix_millis)
        };
        assert_eq!([0, 1, 2].map(again), [Some(2_000), Some(2_000), None]);
    }

    #[test]
    fn a_tenth_failure_gives_up_what_had_it_and_keeps_the_rest() {
        let due = vec![
            pending(1, 7, "http://u:p@a/", 9),
            pending(2, 7, "http://u:p@a/", 3),
            pending(3, 7, "http://u:p@a/", 0),
        ];
        let at = Timestamp::from_unix_millis(1_000);
        let noted = batches(due)[0].noted(&Outcome::failed("no"), at, at, Decimal::ONE);
        assert_eq!((noted[0].numbers.as_slice(), noted[0].again_at), ([1].as_slice(), None));
        assert_eq!(noted[0].delivery.attempt, 10);
        let in_an_hour = Some(Timestamp::from_unix_millis(3_601_000));
        assert_eq!((noted[1].numbers.as_slice(), noted[1].again_at), ([2, 3].as_slice(), in_an_hour));
        assert_eq!((noted[1].delivery.attempt, noted[1].delivery.url.as_str()), (4, "http://a/"));
    }

    #[test]
    fn a_success_is_noted_once_for_all() {
        let due = vec![pending(1, 7, "http://a/", 9), pending(2, 7, "http://a/", 0)];
        let at = Timestamp::from_unix_millis(0);
        let outcome = Outcome { status: Some(204), error: None };
        let noted = batches(due)[0].noted(&outcome, at, at, Decimal::ONE);
        assert_eq!(noted.len(), 1);
        assert_eq!((noted[0].numbers.len(), noted[0].again_at), (2, None));
    }
}
