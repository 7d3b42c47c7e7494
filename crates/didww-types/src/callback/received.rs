//! A callback as an HTTP server received it, with its signature checked.

use std::collections::{BTreeMap, BTreeSet};

use super::{Callback, CallbackError, Payload, verify};
use crate::values::with_scheme;
use crate::{QueryPairs, Secret};

const FORM: &str = "application/x-www-form-urlencoded";

/// The parts of a request to a callback URL. It borrows from the request of any HTTP library.
#[derive(Clone, Copy)]
pub struct Received<'a> {
    /// Whether the method is GET, so that the parameters are in the query.
    pub is_get: bool,
    /// The query of the request without its question mark; empty if there is none.
    pub query: &'a str,
    /// The value of `Content-Type`; empty if there is none.
    pub media_type: &'a str,
    /// The body as received.
    pub body: &'a [u8],
    /// The value of the [`SIGNATURE_HEADER`](crate::SIGNATURE_HEADER); empty if there is none.
    pub signature: &'a str,
}

/// Verifies the signature of a callback of any kind, and reads its payload.
///
/// `secrets` are those of which one may have signed it: while a secret is rotated, the new one and the old one. `url`
/// is the callback URL as it was configured, not as it was received, because a proxy may have changed scheme and host.
/// The parameters of a GET are taken from its query, which belongs to the signed URL. If the URL has no path, it may be
/// signed with an empty one or with `/`, since the official SDKs differ in it.
///
/// ```
/// # use didww_types as didww_client;
/// use didww_client::Secret;
/// use didww_client::callback::{Callback, Received, receive};
///
/// let received = Received {
///     is_get: false,
///     query: "",
///     media_type: "application/x-www-form-urlencoded",
///     body: b"id=1dd7a68b-e235-402b-8912-fe73ee14243a&status=completed&type=orders",
///     signature: "fe99e416c3547f2f59002403ec856ea386d05b2f",
/// };
/// let callback = receive(&[Secret::new("SOMEAPIKEY")], "http://example.com/callbacks", received)?;
/// assert!(matches!(callback, Callback::Order(order) if order.status.as_str() == "completed"));
/// # Ok::<(), didww_types::callback::CallbackError>(())
/// ```
///
/// # Errors
/// Returns [`CallbackError::Signature`] unless the signature matches, and [`CallbackError::Body`] when a signed
/// callback cannot be decoded.
pub fn receive(secrets: &[Secret], url: &str, received: Received<'_>) -> Result<Callback, CallbackError> {
    for (url, payload) in readings(url, &received) {
        let is_signed =
            |url: &str| secrets.iter().any(|secret| verify(secret, url, &payload, received.signature));
        if is_signed(&url) || with_root(&url).is_some_and(|url| is_signed(&url)) {
            return Ok(Callback::from_payload(payload)?);
        }
    }
    Err(CallbackError::Signature)
}

/// The URL with the path `/`; `None` if it has a path.
fn with_root(url: &str) -> Option<String> {
    let url = with_scheme(url);
    let (scheme, rest) = url.split_once("://")?;
    let (authority, tail) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    (!tail.starts_with('/')).then(|| format!("{scheme}://{authority}/{tail}"))
}

/// The URL and the payload that the signature may be of.
fn readings(url: &str, received: &Received<'_>) -> Vec<(String, Payload)> {
    if received.is_get {
        let at = url.find('#').unwrap_or(url.len());
        let (before, fragment) = url.split_at(at);
        let (base, configured) = before.split_once('?').unwrap_or((before, ""));
        // No request has the fragment, which is signed all the same.
        let url = format!("{base}?{}{fragment}", received.query);
        let all = parameters(received.query);
        // Whether parameters that the configured URL has itself belong to the payload is not documented.
        let own: BTreeSet<String> =
            QueryPairs::parse(configured).0.into_iter().map(|(name, _)| name).collect();
        let added = all.iter().filter(|(name, _)| !own.contains(*name));
        let added: BTreeMap<String, String> =
            added.map(|(name, value)| (name.clone(), value.clone())).collect();
        return vec![(url.clone(), Payload::Parameters(all)), (url, Payload::Parameters(added))];
    }
    let media_type = received.media_type.split(';').next().unwrap_or_default().trim();
    let payload = if media_type.eq_ignore_ascii_case(FORM) {
        Some(Payload::Parameters(parameters(&String::from_utf8_lossy(received.body))))
    } else {
        Payload::from_json(received.body).ok()
    };
    payload.map(|payload| (url.to_owned(), payload)).into_iter().collect()
}

fn parameters(form: &str) -> BTreeMap<String, String> {
    QueryPairs::parse(form).0.into_iter().collect()
}
