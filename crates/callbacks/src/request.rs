//! What goes to a receiver, before it is known where its host is.

use bytes::Bytes;
use didww_types::callback::{Payload, sign};
use didww_types::{SIGNATURE_HEADER, Secret};
use http::{Method, StatusCode};

/// The header of a webhook's signature.
const WEBHOOK_SIGNATURE_HEADER: &str = "x-voipbin-signature";

/// A request, as it is made and as redirects change it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    /// How.
    pub method: Method,
    /// Where to, as it was configured.
    pub url: String,
    /// The JSON body.
    pub body: Option<Bytes>,
    /// Name and value of the signature's header.
    pub signature: Option<(&'static str, String)>,
}

impl Request {
    /// A JSON array of a trunk's events, signed with a key.
    pub(crate) fn callback(key: &Secret, url: &str, body: String) -> Result<Self, String> {
        let payload = Payload::from_json(body.as_bytes())
            .map_err(|_| "the stored event is no JSON object".to_owned())?;
        // Signed is the URL as it was configured, not as the parser writes it.
        let signature = Some((SIGNATURE_HEADER, sign(key, url, &payload)));
        Ok(Self { method: Method::POST, url: url.to_owned(), body: Some(body.into()), signature })
    }

    /// A customer's event with the signature that it was given when it was made.
    pub(crate) fn webhook(
        method: &str,
        url: &str,
        signature: Option<&str>,
        body: String,
    ) -> Result<Self, String> {
        let known = Method::from_bytes(method.as_bytes()).ok();
        // CONNECT asks for a tunnel and not for a resource.
        let method = known
            .filter(|method| method != Method::CONNECT)
            .ok_or_else(|| format!("{method:?} is not the method of a webhook: POST, PUT or GET is"))?;
        let signature = signature.map(|signature| (WEBHOOK_SIGNATURE_HEADER, signature.to_owned()));
        Ok(Self { method, url: url.to_owned(), body: Some(body.into()), signature })
    }

    /// What is asked of a redirect's target. 307 and 308 repeat the request; the others ask for the target with GET,
    /// as clients do (RFC 9110 §15.4), without the body and without the signature of it.
    pub(crate) fn redirected(&mut self, status: StatusCode) {
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
    fn a_webhook_takes_every_method_but_one_that_is_none() {
        for method in ["POST", "GET", "PUT", "PATCH", "DELETE", "HEAD"] {
            assert_eq!(webhook(method).unwrap().method, method);
        }
        for method in ["", "CONNECT", "PO ST", "GET\r\nX: y"] {
            let error = webhook(method).unwrap_err();
            assert!(error.contains("is not the method of a webhook"), "{error}");
        }
    }

    #[test]
    fn a_redirect_repeats_the_request_or_asks_for_its_target() {
        for (method, status, then, repeated) in [
            ("POST", 301, "GET", false),
            ("PUT", 302, "GET", false),
            ("HEAD", 302, "HEAD", false),
            ("GET", 303, "GET", false),
            ("POST", 307, "POST", true),
            ("PUT", 308, "PUT", true),
        ] {
            let mut request = webhook(method).unwrap();
            request.redirected(StatusCode::from_u16(status).unwrap());
            assert_eq!(request.method, then, "{method} {status}");
            assert_eq!((request.body.is_some(), request.signature.is_some()), (repeated, repeated));
        }
    }
}
