//! Answers to digest challenges.

use rsipstack::sip::{Header, Response};
use trunk_rules::carrier::{DigestChallenge, PasswordHash};

use crate::headers::values;
use crate::origin::Origin;

/// The header that answers a challenge; `None` without credentials or without a supported challenge.
pub(crate) fn authorization(origin: &Origin, response: &Response, method: &str, uri: &str) -> Option<Header> {
    let credentials = origin.credentials.as_ref()?;
    let challenge = challenge(response)?;
    let password = PasswordHash::new(&credentials.username, &challenge.realm(), &credentials.password);
    let text = challenge.answer(&credentials.username, &password, method, uri, &origin.network.ids.tag());
    Some(if response.status_code.code() == 407 {
        Header::ProxyAuthorization(text.into())
    } else {
        Header::Authorization(text.into())
    })
}

/// The supported challenge of a 401 or 407; `None` for other responses.
pub(crate) fn challenge(response: &Response) -> Option<DigestChallenge> {
    let name = match response.status_code.code() {
        401 => "WWW-Authenticate",
        407 => "Proxy-Authenticate",
        _ => return None,
    };
    match DigestChallenge::choose(values(&response.headers, name).map(str::as_bytes)) {
        Ok(challenge) => Some(challenge),
        Err(why) => {
            tracing::info!(%why, "a digest challenge of the carrier is not supported");
            None
        }
    }
}
