//! Answers to digest challenges.

use rsipstack::sip::{Header, Response};
use trunk_rules::carrier::{DigestChallenge, PasswordHash};

use crate::headers::values;
use crate::origin::Origin;
use crate::outcome::Outcome;

/// Maximum number of challenges of different realms that are answered.
const MAX_CHALLENGES: usize = 4;

/// The answers to the challenges of a request: proxies and the far end challenge it one after the other, and each
/// expects its own answer in every repetition.
#[derive(Default)]
pub(crate) struct Answers {
    answers: Vec<Answer>,
    /// Whether a stale nonce was replaced once.
    refreshed_nonce: bool,
}

/// The answer to the challenge of one realm.
struct Answer {
    /// Whether a proxy sent the challenge.
    proxy: bool,
    realm: String,
    header: Header,
}

impl Answers {
    /// The headers of the next repetition of the request.
    pub(crate) fn headers(&self) -> Vec<Header> {
        self.answers.iter().map(|answer| answer.header.clone()).collect()
    }

    /// Adds the answer to a challenge of a request with this method and Request-URI.
    ///
    /// # Errors
    /// Why a repetition cannot succeed. A refused password is not sent again, except once if only the nonce was stale.
    pub(crate) fn add(
        &mut self,
        origin: &Origin,
        response: &Response,
        method: &str,
        uri: &str,
    ) -> Result<(), Outcome> {
        let code = response.status_code.code();
        let challenge = challenge(response).ok_or(Outcome::NoDigest(code))?;
        let header = authorization(origin, response, method, uri).ok_or(Outcome::NoCredentials(code))?;
        let (proxy, realm) = (code == 407, challenge.realm());
        let same = |known: &Answer| known.proxy == proxy && known.realm == realm;
        let is_repeated = self.answers.iter().any(same);
        let may_succeed =
            !is_repeated || challenge.is_stale() && !std::mem::replace(&mut self.refreshed_nonce, true);
        if !may_succeed || self.answers.len() >= MAX_CHALLENGES {
            return Err(Outcome::WrongCredentials(code));
        }
        self.answers.retain(|known| !same(known));
        self.answers.push(Answer { proxy, realm, header });
        Ok(())
    }
}

/// The header that answers a challenge; `None` without credentials or without a supported challenge.
fn authorization(origin: &Origin, response: &Response, method: &str, uri: &str) -> Option<Header> {
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
fn challenge(response: &Response) -> Option<DigestChallenge> {
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
