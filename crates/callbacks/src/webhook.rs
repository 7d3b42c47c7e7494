//! What a customer is told of a call.

use didww_types::{Secret, Timestamp};
use serde_json::Value;
use uuid::Uuid;
use voipbin_types::sign;

use trunk_store::{EventForm, NewEvent};

/// Who is told, where and how.
#[derive(Debug, Clone, Copy)]
pub struct Webhook<'a> {
    /// The customer's id.
    pub customer: Uuid,
    /// The customer's `webhook_uri`.
    pub uri: &'a str,
    /// The customer's `webhook_method`; an empty one stands for POST.
    pub method: &'a str,
    /// The customer's signing secret; an empty one stands for none.
    pub secret: Option<&'a Secret>,
}

impl Webhook<'_> {
    /// An event of this type, such as `call_created`, to be written together with what it tells of.
    ///
    /// `data` is the resource as its owner reads it, as JSON; it is not looked at. The events of one `subject`, the
    /// call, are told in the order in which they are written. The event is signed here: a secret that is changed
    /// later signs later events.
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
    fn an_event_holds_the_resource_as_it_was_given_and_no_secret() {
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
    fn a_customer_without_method_and_secret_is_told_by_post_and_without_signature() {
        let empty = Secret::new("");
        for secret in [None, Some(&empty)] {
            let webhook = Webhook { customer: Uuid::nil(), uri: "http://example.com/", method: "", secret };
            let event = webhook.event("call_created", Uuid::nil(), "{}", Timestamp::from_unix_millis(0));
            let (customer, method) = (Uuid::nil(), "POST".to_owned());
            assert_eq!(event.form, EventForm::Webhook { customer, method, signature: None });
        }
    }
}
