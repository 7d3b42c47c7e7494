//! Callbacks and webhooks: their bodies, and their signatures.

use std::slice::from_ref;

use didww_types::callback::{CallbackError, Payload, Received, receive, sign, trunk_events, verify};
use didww_types::{QueryPairs, Secret};

use crate::fixtures;

/// Recorded callbacks, each behind a URL and a signature.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let head = b"https://example.com/callbacks?a=b\nfe99e416c3547f2f59002403ec856ea386d05b2f\n";
    let mut seeds: Vec<Vec<u8>> = fixtures::files("callbacks", ".json")
        .into_iter()
        .map(|body| [head.as_slice(), &body].concat())
        .collect();
    seeds.push([head.as_slice(), b"id=1&status=completed&type=orders&reject_reason=a%20b"].concat());
    for url in ["http://[2001:db8::1]/x", "https://u:p@h:1#f", "h", "://"] {
        let body = r#"[{"b":null,"a":"text","c":1.50}]"#;
        seeds.push(format!("{url}\nsha256=00\n{body}").into_bytes());
    }
    seeds
}

/// The input is a URL, a signature and a body, each but the last on a line. A signature of ours verifies, and no other
/// text does in its place; the same holds for the body as a form.
pub fn callback_signature(data: &[u8]) {
    let mut parts = data.splitn(3, |byte| *byte == b'\n');
    let mut part = || parts.next().unwrap_or_default();
    let (url, sent, body) = (String::from_utf8_lossy(part()), String::from_utf8_lossy(part()), part());
    let secret = Secret::new("a callback secret");
    if let Ok(payload) = Payload::from_json(body) {
        let ours = sign(&secret, &url, &payload);
        assert_eq!((ours.len(), ours.to_ascii_lowercase()), (40, ours.clone()));
        assert!(verify(&secret, &url, &payload, &ours));
        assert!(!verify(&secret, &url, &payload, &sent) || sent == ours);
        assert!(!verify(&Secret::new("another"), &url, &payload, &ours));
        let events = trunk_events(&secret, &url, body, &ours);
        if let Ok(events) = events {
            let text = serde_json::to_vec(&events).unwrap();
            let again = Payload::from_json(&text).unwrap();
            let signed = sign(&secret, &url, &again);
            assert_eq!(trunk_events(&secret, &url, &text, &signed).unwrap(), events);
        }
    } else {
        assert!(trunk_events(&secret, &url, body, &sent).is_err());
    }
    let form = Received {
        is_get: false,
        query: "",
        media_type: "application/x-www-form-urlencoded",
        body,
        signature: &sent,
    };
    let pairs = QueryPairs::parse(&String::from_utf8_lossy(body)).0.into_iter().collect();
    let ours = sign(&secret, &url, &Payload::Parameters(pairs));
    assert!(receive(&[], &url, form) == Err(CallbackError::Signature));
    let read = receive(from_ref(&secret), &url, Received { signature: &ours, ..form });
    assert!(!matches!(read, Err(CallbackError::Signature)));
    let query = String::from_utf8_lossy(body);
    let get = Received { is_get: true, query: &query, ..form };
    assert!(receive(&[Secret::new("another")], &url, get) == Err(CallbackError::Signature));
    let ours = voipbin_types::sign(&secret, body);
    assert!(voipbin_types::verify(&secret, body, &ours));
    assert!(!voipbin_types::verify(&secret, body, &sent) || sent == ours);
}
