//! Verifies that a digest proves knowledge of a trunk's password (RFC 2617, RFC 7616, RFC 8760).
//!
//! The digest is computed over the parameters byte for byte as sent. The digest URI is not compared with the
//! Request-URI: proxies on the path rewrite the Request-URI but not the digest URI.

use std::borrow::Cow;

use md5::Md5;
use sha2::Sha256;

use super::authorization::{Credentials, HeaderFlaw, Parameter};
use super::digest_response::{Algorithm, Hex, hash, is_same, response};
use super::uri::hex_value;
use super::{NonceState, Nonces, PasswordHash, Settings};

/// The quality of protection (qop): the parts of a request that a digest covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Qop {
    /// The method and the URI.
    Auth,
    /// The method, the URI and the body.
    AuthInt,
}

impl Qop {
    /// The name in a challenge.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::AuthInt => "auth-int",
        }
    }
}

/// The request that a digest covers.
#[derive(Debug, Clone, Copy)]
pub struct SignedRequest<'a> {
    /// The method of the request that carries the digest, such as `INVITE`.
    pub method: &'a [u8],
    /// The request body; hashed only for `auth-int`.
    pub body: &'a [u8],
}

/// Why a digest is not accepted. Every failure is answered with a challenge, never with a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DigestFailure {
    /// The request had no such header, as in the first INVITE of every client.
    #[error("no digest was sent")]
    NoHeader,
    /// None of the headers can be parsed.
    #[error("the header cannot be read: {0}")]
    Unparsable(#[from] HeaderFlaw),
    /// The algorithm was not offered.
    #[error("the algorithm is not one that was offered")]
    UnsupportedAlgorithm,
    /// The quality of protection was not offered.
    #[error("the qop is not one that was offered")]
    UnsupportedQop,
    /// The realm is not the one in the challenge; often it is the host name.
    #[error("the realm is not the one that was sent; clients must not replace it with the host name")]
    RealmMismatch,
    /// The response has a length that the algorithm never produces.
    #[error("the response has {received} characters; the algorithm produces {expected}")]
    ResponseLength {
        /// The number of characters received.
        received: usize,
        /// The number of characters that the algorithm produces.
        expected: usize,
    },
    /// No trunk has this username: it is misspelt, or the credentials were regenerated.
    #[error("no trunk has this username; credentials may have been regenerated")]
    UserUnknown,
    /// The nonce was not issued by this service.
    #[error("the nonce is not one of this service")]
    NonceForeign,
    /// The nonce has expired; a challenge with a new one and `stale=true` can follow.
    #[error("the nonce expired")]
    NonceExpired,
    /// The nonce count is not eight hexadecimal digits.
    #[error("nc is not eight hexadecimal digits")]
    NonceCountUnparsable,
    /// The nonce count did not increase. Checked in strict mode only.
    #[error("nc did not increase since the nonce was last used")]
    NonceCountReplayed,
    /// The response does not match, most often because the password is wrong.
    #[error("the response does not match; the password is wrong or was regenerated")]
    ResponseMismatch,
}

impl DigestFailure {
    /// Whether the failure may be an attempt to guess credentials; such failures count towards the limit on
    /// guesses. For the other failures no password was compared.
    pub const fn is_guess(self) -> bool {
        matches!(self, Self::UserUnknown | Self::ResponseMismatch | Self::NonceExpired)
    }
}

/// A digest that proves knowledge of the password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Authenticated<'a, T> {
    /// The value that `find` returned for the username.
    pub who: T,
    /// The nonce as sent, whose count the calling code keeps under `strict_nc`.
    pub nonce: &'a [u8],
    /// The nonce count; zero if the client sent none.
    pub count: u32,
}

/// A digest that proves nothing, and how far it was verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DigestRefusal<T> {
    /// Why the digest was not accepted.
    pub failure: DigestFailure,
    /// The value that `find` returned for the username, if verification got that far.
    pub who: Option<T>,
    /// Whether the digest was correct except for the age of its nonce.
    pub stale: bool,
}

impl<T> From<DigestFailure> for DigestRefusal<T> {
    fn from(failure: DigestFailure) -> Self {
        Self { failure, who: None, stale: false }
    }
}

/// The digest of a request: the one of its headers that counts, parsed. What a request claims is read from it before
/// the digest is verified, so that no header is parsed twice.
// No `Debug`: a digest allows offline password guessing.
#[derive(Clone, Copy)]
pub struct SentDigest<'a>(Result<Chosen<'a>, DigestFailure>);

/// The parameters of a digest, and what is asked of them several times.
#[derive(Clone, Copy)]
pub(super) struct Chosen<'a> {
    pub(super) credentials: Credentials<'a>,
    /// Whether the digest is for this realm.
    pub(super) is_for_realm: bool,
    /// The algorithm, and whether it is the session variant; `None` if it was not offered.
    algorithm: Option<(Algorithm, bool)>,
}

impl<'a> Chosen<'a> {
    fn of(credentials: Credentials<'a>, settings: &Settings) -> Self {
        Self {
            is_for_realm: is_for_realm(&credentials, settings),
            algorithm: algorithm(&credentials, settings),
            credentials,
        }
    }

    /// Its place among the headers of a request: the highest one counts.
    fn rank(&self) -> u8 {
        1 + 2 * u8::from(self.is_for_realm) + u8::from(self.algorithm.is_some())
    }
}

impl SentDigest<'static> {
    /// The digest of a request without credentials.
    pub const NONE: &'static Self = &Self(Err(DigestFailure::NoHeader));
}

impl<'a> SentDigest<'a> {
    /// Chooses one of the headers with credentials: one for this realm with an offered algorithm, else one for this
    /// realm, else any that can be parsed. If none can be, the flaw is that of the first header.
    pub fn of(headers: impl IntoIterator<Item = &'a [u8]>, settings: &Settings) -> Self {
        Self(choose(headers, settings))
    }

    /// Whether the request has no header with credentials.
    pub const fn is_absent(&self) -> bool {
        matches!(self.0, Err(DigestFailure::NoHeader))
    }

    /// Returns the username that the request claims, if the digest is for this realm.
    pub fn username(&self) -> Option<Cow<'a, [u8]>> {
        let sent = self.chosen().ok()?;
        sent.is_for_realm.then(|| sent.credentials.username.text())
    }

    /// The nonce, as sent; `None` without a header that can be parsed.
    pub fn nonce(&self) -> Option<&'a [u8]> {
        self.chosen().ok().map(|sent| sent.credentials.nonce.raw())
    }

    /// The parameters of the header, or why none can be used.
    pub(super) fn chosen(&self) -> Result<&Chosen<'a>, DigestFailure> {
        self.0.as_ref().map_err(|failure| *failure)
    }
}

fn choose<'a>(
    headers: impl IntoIterator<Item = &'a [u8]>,
    settings: &Settings,
) -> Result<Chosen<'a>, DigestFailure> {
    let mut best: Result<Chosen<'a>, DigestFailure> = Err(DigestFailure::NoHeader);
    for header in headers {
        match (Credentials::parse(header), &best) {
            (Ok(credentials), best_so_far) => {
                let chosen = Chosen::of(credentials, settings);
                if best_so_far.as_ref().map_or(0, Chosen::rank) < chosen.rank() {
                    best = Ok(chosen);
                }
            }
            (Err(flaw), Err(DigestFailure::NoHeader)) => best = Err(flaw.into()),
            (Err(_), _) => {}
        }
    }
    best
}

/// Whether a digest is for this realm.
fn is_for_realm(credentials: &Credentials<'_>, settings: &Settings) -> bool {
    credentials.realm.text().as_ref() == settings.realm.as_bytes()
}

fn algorithm(credentials: &Credentials<'_>, settings: &Settings) -> Option<(Algorithm, bool)> {
    let (algorithm, session) = credentials
        .algorithm
        .map_or(Some((Algorithm::Md5, false)), |named| Algorithm::named(&named.text()))?;
    settings.algorithms.contains(&algorithm).then_some((algorithm, session))
}

/// Verifies the digest of a request. `find` maps a username to its owner and password hash.
pub fn verify_digest<'a, 'p, T>(
    headers: &[&'a [u8]],
    request: SignedRequest<'_>,
    settings: &Settings,
    nonces: &(impl Nonces + ?Sized),
    find: impl FnOnce(&[u8]) -> Option<(T, &'p PasswordHash)>,
) -> Result<Authenticated<'a, T>, DigestRefusal<T>> {
    let sent = SentDigest::of(headers.iter().copied(), settings);
    verify_chosen(sent.chosen()?, request, settings, nonces, find)
}

pub(super) fn verify_chosen<'a, 'p, T>(
    chosen: &Chosen<'a>,
    request: SignedRequest<'_>,
    settings: &Settings,
    nonces: &(impl Nonces + ?Sized),
    find: impl FnOnce(&[u8]) -> Option<(T, &'p PasswordHash)>,
) -> Result<Authenticated<'a, T>, DigestRefusal<T>> {
    let (algorithm, session) = chosen.algorithm.ok_or(DigestFailure::UnsupportedAlgorithm)?;
    let sent = &chosen.credentials;
    let qop = match sent.qop.map(Parameter::text) {
        None => None,
        Some(text) => Some(
            settings
                .qop
                .iter()
                .find(|qop| text.eq_ignore_ascii_case(qop.name().as_bytes()))
                .copied()
                .ok_or(DigestFailure::UnsupportedQop)?,
        ),
    };
    if !chosen.is_for_realm {
        return Err(DigestFailure::RealmMismatch.into());
    }
    let (received, expected) = (sent.response.raw().len(), algorithm.hex_length());
    if received != expected {
        return Err(DigestFailure::ResponseLength { received, expected }.into());
    }
    let (who, password) = find(&sent.username.text()).ok_or(DigestFailure::UserUnknown)?;
    let refuse = |who, failure, stale| Err(DigestRefusal { failure, who: Some(who), stale });
    let expired = match nonces.state(sent.nonce.raw()) {
        NonceState::Foreign => return refuse(who, DigestFailure::NonceForeign, false),
        NonceState::Expired => true,
        NonceState::Fresh => false,
    };
    // A foreign nonce is reported first, then the parameters that the hash still needs.
    if sent.cnonce.is_none() && (qop.is_some() || session) {
        return refuse(who, HeaderFlaw::Missing("cnonce").into(), false);
    }
    let count = match (qop, sent.nc) {
        (None, _) => Some(0),
        (Some(_), Some(nc)) => nonce_count(nc.raw()),
        (Some(_), None) => return refuse(who, HeaderFlaw::Missing("nc").into(), false),
    };
    let Some(count) = count else {
        let failure = if expired { DigestFailure::NonceExpired } else { DigestFailure::NonceCountUnparsable };
        return refuse(who, failure, false);
    };
    let Some(password_hash) = password.of(algorithm) else {
        return refuse(who, DigestFailure::UnsupportedAlgorithm, false);
    };
    let is_correct = match algorithm {
        Algorithm::Md5 => response_matches::<Md5>(password_hash, sent, session, qop, request),
        Algorithm::Sha256 => response_matches::<Sha256>(password_hash, sent, session, qop, request),
    };
    if expired {
        return refuse(who, DigestFailure::NonceExpired, is_correct);
    }
    if !is_correct {
        return refuse(who, DigestFailure::ResponseMismatch, false);
    }
    // Only a valid digest is checked: otherwise anyone who saw a nonce could use up its counts.
    if settings.strict_nc && nonces.last_count(sent.nonce.raw()).is_some_and(|last| count <= last) {
        return refuse(who, DigestFailure::NonceCountReplayed, false);
    }
    Ok(Authenticated { who, nonce: sent.nonce.raw(), count })
}

fn nonce_count(nc: &[u8]) -> Option<u32> {
    if nc.len() != 8 {
        return None;
    }
    nc.iter().try_fold(0, |count, digit| Some(count << 4 | u32::from(hex_value(*digit)?)))
}

/// Whether the response equals the one that the password produces, compared in constant time.
fn response_matches<D: sha2::Digest>(
    password: &[u8],
    sent: &Credentials<'_>,
    session: bool,
    qop: Option<Qop>,
    request: SignedRequest<'_>,
) -> bool {
    let cnonce = sent.cnonce.map_or(&[][..], Parameter::raw);
    let request_hash = if qop == Some(Qop::AuthInt) {
        let body = Hex::of(&hash::<D>(&[request.body]));
        hash::<D>(&[request.method, b":", sent.uri.raw(), b":", body.text()])
    } else {
        hash::<D>(&[request.method, b":", sent.uri.raw()])
    };
    // The client hashes the qop as it spells it.
    let qop_as_sent: Cow<'_, [u8]> = sent.qop.map(Parameter::text).unwrap_or_default();
    let count_and_qop = qop.and(sent.nc).map(|nc| (nc.raw(), &*qop_as_sent));
    let expected = response::<D>(password, sent.nonce.raw(), cnonce, session, count_and_qop, &request_hash);
    let mut received = [0; 64];
    for (to, from) in received.iter_mut().zip(sent.response.raw()) {
        *to = from.to_ascii_lowercase();
    }
    received.get(..expected.length).is_some_and(|received| is_same(received, expected.text()))
}

#[cfg(test)]
pub(super) mod tests;
