//! The event of a customer's webhook.

use didww_types::{Secret, Timestamp};
use serde_json::Value;
use trunk_store::{EventForm, NewEvent};
use uuid::Uuid;
use voipbin_types::sign;

/// The receiver of a customer's webhooks, and the secret that signs them.
#[derive(Debug, Clone, Copy)]
pub struct Webhook<'a> {
    /// The id of the customer that owns the events.
    pub customer: Uuid,
    /// The URL that receives the events: the customer's `webhook_uri`.
    pub uri: &'a str,
    /// The customer's `webhook_method`; if it is empty, POST is used.
    pub method: &'a str,
    /// The customer's signing secret; if it is empty or `None`, events are not signed.
    pub secret: Option<&'a Secret>,
}

impl Webhook<'_> {
    /// Makes an event of a type such as `call_created`. The caller stores it in the transaction of the change
    /// that it reports.
    ///
    /// `data` is the resource in JSON, in the form that the API returns to its owner; it is not validated.
    /// The events of one `subject`, a call, are delivered in the order in which they are stored. The event is
    /// signed here, so a later change of the secret only affects later events.
    pub fn event(&self, kind: &str, subject: Uuid, data: &str, now: Timestamp) -> NewEvent {
        let body = format!(r#"{{"type":{},"data":{data}}}"#, Value::from(kind));
        let secret = self.secret.filter(|secret| !secret.expose().is_empty());
        let form = EventForm::Webhook {
            customer: self.customer,
            method: if self.method.is_empty() { "POST" } else { self.method }.to_owned(),
            signature: secret.map(|secret| sign(secret, body.as_bytes())),
        };
        NewEvent { form, subject, url: self.uri.to_owned(), body, created_at: now }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_holds_the_resource_unchanged_and_no_secret() {
        let (customer, subject) = (Uuid::from_u128(5), Uuid::from_u128(7));
        let secret = Secret::new("hunter2");
        let webhook =
            Webhook { customer, uri: "https://example.com/hooks", method: "PUT", secret: Some(&secret) };
        let now = Timestamp::from_unix_millis(1_000);
        let event = webhook.event("call_hangup", subject, r#"{"id": 1.0, "a":"é"}"#, now);
        assert_eq!(event.body, r#"{"type":"call_hangup","data":{"id": 1.0, "a":"é"}}"#);
        let signed = Some(sign(&secret, event.body.as_bytes()));
        assert_eq!(event.form, EventForm::Webhook { customer, method: "PUT".to_owned(), signature: signed });
        assert_eq!((event.subject, event.url.as_str(), event.created_at), (subject, webhook.uri, now));
        assert!(!format!("{webhook:?}{event:?}").contains("hunter2"));
    }

    #[test]
    fn without_method_and_secret_an_event_is_posted_unsigned() {
        let empty = Secret::new("");
        for secret in [None, Some(&empty)] {
            let webhook = Webhook { customer: Uuid::nil(), uri: "http://example.com/", method: "", secret };
            let event = webhook.event("call_created", Uuid::nil(), "{}", Timestamp::from_unix_millis(0));
            let (customer, method) = (Uuid::nil(), "POST".to_owned());
            assert_eq!(event.form, EventForm::Webhook { customer, method, signature: None });
        }
    }
}
