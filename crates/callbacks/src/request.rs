//! The HTTP requests of callbacks and webhooks, independent of how they are sent.

use std::collections::BTreeMap;

use bytes::Bytes;
use didww_types::callback::{Payload, sign};
use didww_types::{SIGNATURE_HEADER, Secret};
use http::{Method, StatusCode};
use trunk_store::StatusMethod;
use url::form_urlencoded;

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";
/// The header with a webhook's signature.
const WEBHOOK_SIGNATURE_HEADER: &str = "x-voipbin-signature";

/// A request to a receiver. Redirects can change it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    /// The HTTP method, which a redirect can change.
    pub method: Method,
    /// The URL, exactly as configured.
    pub url: String,
    /// The media type of the body.
    pub content_type: &'static str,
    /// The body; `None` after a redirect that does not repeat it, and if the parameters are in the URL.
    pub body: Option<Bytes>,
    /// The name and value of the signature's header; `None` if the customer has no secret, and without a
    /// body.
    pub signature: Option<(&'static str, String)>,
}

impl Request {
    /// A trunk's callback: a JSON array of events, signed with a callback secret.
    ///
    /// # Errors
    /// If the body is not a JSON array of objects.
    pub(crate) fn callback(secret: &Secret, url: &str, body: String) -> Result<Self, String> {
        let payload = Payload::from_json(body.as_bytes())
            .map_err(|_| "the stored event is not a JSON object".to_owned())?;
        // The signature covers the URL as configured, not as the parser normalises it.
        let signature = Some((SIGNATURE_HEADER, sign(secret, url, &payload)));
        let (url, body) = (url.to_owned(), Some(body.into()));
        Ok(Self { method: Method::POST, url, content_type: JSON, body, signature })
    }

    /// A callback about the status of a record: parameters in the query or in a form, signed with a callback secret.
    ///
    /// # Errors
    /// If the event is not a JSON object of texts.
    pub(crate) fn parameters(
        secret: &Secret,
        method: StatusMethod,
        url: &str,
        event: &str,
    ) -> Result<Self, String> {
        let parameters: BTreeMap<String, String> =
            serde_json::from_str(event).map_err(|_| "the stored event has no parameters".to_owned())?;
        let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(&parameters).finish();
        let (method, url, body) = match method {
            StatusMethod::Get => (Method::GET, with_query(url, &form), None),
            StatusMethod::Post => (Method::POST, url.to_owned(), Some(form.into())),
        };
        // The signature covers the parameters, and those in the URL as a part of the URL too.
        let signature = Some((SIGNATURE_HEADER, sign(secret, &url, &Payload::Parameters(parameters))));
        Ok(Self { method, url, content_type: FORM, body, signature })
    }

    /// A customer's webhook, with the signature that was made when the event was stored.
    ///
    /// # Errors
    /// If the method is not a method of HTTP, or is CONNECT.
    pub(crate) fn webhook(
        method: &str,
        url: &str,
        signature: Option<&str>,
        body: String,
    ) -> Result<Self, String> {
        let parsed = Method::from_bytes(method.as_bytes()).ok();
        // CONNECT requests a tunnel and not a resource.
        let method = parsed
            .filter(|method| method != Method::CONNECT)
            .ok_or_else(|| format!("{method:?} is not the method of a webhook: POST, PUT or GET is"))?;
        let signature = signature.map(|signature| (WEBHOOK_SIGNATURE_HEADER, signature.to_owned()));
        let (url, body) = (url.to_owned(), Some(body.into()));
        Ok(Self { method, url, content_type: JSON, body, signature })
    }

    /// Changes the request for a redirect's target. 307 and 308 repeat the request. The others request the
    /// target with GET, as HTTP clients do (RFC 9110 §15.4), or with HEAD if that was the method, without the
    /// body and its signature.
    pub(crate) fn redirect(&mut self, status: StatusCode) {
        if matches!(status, StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT) {
            return;
        }
        if self.method != Method::HEAD {
            self.method = Method::GET;
        }
        (self.body, self.signature) = (None, None);
    }
}

/// Adds parameters to the query of a URL, which can have one, and a fragment.
fn with_query(url: &str, parameters: &str) -> String {
    let at = url.find('#').unwrap_or(url.len());
    let (before, fragment) = url.split_at(at);
    let separator = match before.split_once('?') {
        None => "?",
        Some((_, query)) if query.is_empty() || query.ends_with('&') => "",
        Some(_) => "&",
    };
    format!("{before}{separator}{parameters}{fragment}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "1dd7a68b-e235-402b-8912-fe73ee14243a";

    fn status(method: StatusMethod, url: &str, event: &str) -> Request {
        Request::parameters(&Secret::new("SOMEAPIKEY"), method, url, event).unwrap()
    }

    #[test]
    fn parameters_are_posted_as_a_form_with_the_recorded_signature() {
        let event = format!(r#"{{"type":"orders","id":"{ID}","status":"completed"}}"#);
        let request = status(StatusMethod::Post, "http://example.com/callbacks", &event);
        let body = format!("id={ID}&status=completed&type=orders");
        assert_eq!(request.body.as_deref(), Some(body.as_bytes()));
        assert_eq!((request.method.as_str(), request.content_type), ("POST", FORM));
        let signature = "fe99e416c3547f2f59002403ec856ea386d05b2f".to_owned();
        assert_eq!(request.signature, Some((SIGNATURE_HEADER, signature)));
        assert!(Request::parameters(&Secret::new("k"), StatusMethod::Post, "http://a/", "[1]").is_err());
    }

    #[test]
    fn parameters_of_a_get_are_in_the_url_and_in_the_recorded_signature() {
        let event = r#"{"id":"7ae7c48f-d48a-499f-9dc1-c9217014b457","reject_reason":"","status":"approved","type":"address_verifications"}"#;
        let request = status(StatusMethod::Get, "http://example.com/callback.php", event);
        assert_eq!((request.method.as_str(), request.body), ("GET", None));
        assert_eq!(
            request.url,
            "http://example.com/callback.php?id=7ae7c48f-d48a-499f-9dc1-c9217014b457&reject_reason=&status=approved\
             &type=address_verifications"
        );
        let signature = "18050028b6b22d0ed516706fba1c1af8d6a8f9d5".to_owned();
        assert_eq!(request.signature, Some((SIGNATURE_HEADER, signature)));
    }

    #[test]
    fn parameters_join_the_query_that_a_url_has_before_its_fragment() {
        for (url, expected) in [
            ("http://a/x", "http://a/x?s=a+%26b"),
            ("http://a/x?", "http://a/x?s=a+%26b"),
            ("http://a/x?y=1", "http://a/x?y=1&s=a+%26b"),
            ("http://a/x?y=1&#top?", "http://a/x?y=1&s=a+%26b#top?"),
            ("http://a/x#top", "http://a/x?s=a+%26b#top"),
        ] {
            assert_eq!(status(StatusMethod::Get, url, r#"{"s":"a &b"}"#).url, expected);
        }
    }

    fn webhook(method: &str) -> Result<Request, String> {
        Request::webhook(method, "http://example.com/", Some("sha256=00"), "{}".to_owned())
    }

    #[test]
    fn a_webhook_can_have_every_method_except_connect() {
        for method in ["POST", "GET", "PUT", "PATCH", "DELETE", "HEAD"] {
            assert_eq!(webhook(method).unwrap().method, method);
        }
        for method in ["", "CONNECT", "PO ST", "GET\r\nX: y"] {
            let error = webhook(method).unwrap_err();
            assert!(error.contains("is not the method of a webhook"), "{error}");
        }
    }

    #[test]
    fn a_redirect_repeats_the_request_or_requests_its_target_with_get() {
        for (method, status, then, repeated) in [
            ("POST", 301, "GET", false),
            ("PUT", 302, "GET", false),
            ("HEAD", 302, "HEAD", false),
            ("GET", 303, "GET", false),
            ("POST", 307, "POST", true),
            ("PUT", 308, "PUT", true),
        ] {
            let mut request = webhook(method).unwrap();
            request.redirect(StatusCode::from_u16(status).unwrap());
            assert_eq!(request.method, then, "{method} {status}");
            assert_eq!((request.body.is_some(), request.signature.is_some()), (repeated, repeated));
        }
    }
}
