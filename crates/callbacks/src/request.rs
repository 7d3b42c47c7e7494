//! The HTTP requests of callbacks and webhooks, independent of how they are sent.

use bytes::Bytes;
use didww_types::callback::{Payload, sign};
use didww_types::{SIGNATURE_HEADER, Secret};
use http::{Method, StatusCode};

/// The header with a webhook's signature.
const WEBHOOK_SIGNATURE_HEADER: &str = "x-voipbin-signature";

/// A request to a receiver. Redirects can change it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    /// The HTTP method, which a redirect can change.
    pub method: Method,
    /// The URL, exactly as configured.
    pub url: String,
    /// The JSON body; `None` after a redirect that does not repeat it.
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
        Ok(Self { method: Method::POST, url: url.to_owned(), body: Some(body.into()), signature })
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
        Ok(Self { method, url: url.to_owned(), body: Some(body.into()), signature })
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

#[cfg(test)]
mod tests {
    use super::*;

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
