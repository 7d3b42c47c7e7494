//! Whether a digest proves that the caller knows a trunk's password (RFC 2617, RFC 7616, RFC 8760).
//!
//! The hash is over the parameters byte for byte as they were sent. The digest URI is not compared with the
//! Request-URI: proxies on the way rewrite the one and not the other.

use std::borrow::Cow;

use didww_types::Secret;
use md5::Md5;
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

use super::authorization::{Credentials, HeaderFlaw, Parameter};
use super::challenge::DigestChallenge;
use super::uri::hex_value;
use super::{NonceState, Nonces, Settings};

/// A hash that digests can be made with. Its session variant is accepted wherever it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// MD5, which every SIP client speaks.
    Md5,
    /// SHA-256.
    Sha256,
}

impl Algorithm {
    /// The name in a challenge.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha256 => "SHA-256",
        }
    }

    const fn hex_length(self) -> usize {
        match self {
            Self::Md5 => 32,
            Self::Sha256 => 64,
        }
    }

    pub(super) fn named(text: &[u8]) -> Option<(Self, bool)> {
        let (name, session) = match text.len().checked_sub(5).and_then(|at| text.split_at_checked(at)) {
            Some((name, end)) if end.eq_ignore_ascii_case(b"-sess") => (name, true),
            _ => (text, false),
        };
        let algorithm = [Self::Md5, Self::Sha256]
            .into_iter()
            .find(|algorithm| name.eq_ignore_ascii_case(algorithm.name().as_bytes()))?;
        Some((algorithm, session))
    }
}

/// What a digest protects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Qop {
    /// Method and URI.
    Auth,
    /// The body as well.
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

/// Username, realm and password hashed: all that checking a digest needs. It is as good as the password
/// within its realm, so `Debug` hides it.
#[derive(Clone)]
pub struct PasswordHash {
    md5: [u8; 16],
    sha256: [u8; 32],
}

impl PasswordHash {
    /// Hashes once, so that no call has to.
    pub fn new(username: &str, realm: &str, password: &Secret) -> Self {
        let parts = [username.as_bytes(), b":", realm.as_bytes(), b":", password.expose().as_bytes()];
        Self { md5: hash::<Md5>(&parts).into(), sha256: hash::<Sha256>(&parts).into() }
    }

    /// The header value that a client with the password would send for this request, with MD5: what an
    /// explanation needs to get past the digest without the password itself.
    pub fn authorization(&self, username: &str, realm: &str, nonce: &str, method: &str, uri: &str) -> String {
        DigestChallenge::plain(realm, nonce).answer(username, self, method, uri, "0a4f113b")
    }

    pub(super) fn of(&self, algorithm: Algorithm) -> &[u8] {
        match algorithm {
            Algorithm::Md5 => &self.md5,
            Algorithm::Sha256 => &self.sha256,
        }
    }
}

impl std::fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PasswordHash(hidden)")
    }
}

/// The request that a digest is about.
#[derive(Debug, Clone, Copy)]
pub struct SignedRequest<'a> {
    /// Its method.
    pub method: &'a [u8],
    /// Its body, hashed only with `auth-int`.
    pub body: &'a [u8],
}

/// Why a digest is not accepted. Each is answered with a challenge, never with a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DigestFailure {
    /// There was no header: the first INVITE of every client.
    #[error("no digest was sent")]
    NoHeader,
    /// No header could be read.
    #[error("the header cannot be read: {0}")]
    Unparsable(#[from] HeaderFlaw),
    /// The algorithm is not offered.
    #[error("the algorithm is not one that was offered")]
    UnsupportedAlgorithm,
    /// The quality of protection is not offered.
    #[error("the qop is not one that was offered")]
    UnsupportedQop,
    /// The realm is another one; often it is the host's name.
    #[error("the realm is not the one that was sent; clients must not put the host's name there")]
    RealmMismatch,
    /// The response has a length that the algorithm never gives.
    #[error("the response has {received} characters; the algorithm gives {expected}")]
    ResponseLength {
        /// Characters that came.
        received: usize,
        /// Characters that the algorithm gives.
        expected: usize,
    },
    /// No trunk has the username: a typing error, or it was regenerated.
    #[error("no trunk has this username; credentials may have been regenerated")]
    UserUnknown,
    /// The nonce was never sent by this service.
    #[error("the nonce is not one of this service")]
    NonceForeign,
    /// The nonce is too old.
    #[error("the nonce expired")]
    NonceExpired,
    /// The nonce count is not eight hexadecimal digits.
    #[error("nc is not eight hexadecimal digits")]
    NonceCountUnparsable,
    /// The nonce count did not grow; only asked for in strict mode.
    #[error("nc did not grow since this nonce was last used")]
    NonceCountReplayed,
    /// The response is wrong: most often the password is.
    #[error("the response does not match; the password is wrong or was regenerated")]
    ResponseMismatch,
}

impl DigestFailure {
    /// Whether a password or a username was tried in vain: what is counted against whoever guesses. The others say
    /// nothing about a password, for none was compared.
    pub const fn is_guess(self) -> bool {
        matches!(self, Self::UserUnknown | Self::ResponseMismatch | Self::NonceExpired)
    }
}

/// The username of the digest that would be looked at, if there is one for this realm.
pub fn claimed_username<'a>(headers: &[&'a [u8]], settings: &Settings) -> Option<Cow<'a, [u8]>> {
    let sent = choose(headers, settings).ok()?;
    is_ours(&sent, settings).then(|| sent.username.text())
}

/// A digest was accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Authenticated<'a, T> {
    /// What the username led to.
    pub who: T,
    /// The nonce, as sent.
    pub nonce: &'a [u8],
    /// The nonce count; zero when the client sent none.
    pub count: u32,
}

/// A digest was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DigestRefusal<T> {
    /// Why.
    pub failure: DigestFailure,
    /// What the username led to, when the check came that far.
    pub who: Option<T>,
    /// Whether everything but the age of the nonce was right.
    pub stale: bool,
}

impl<T> From<DigestFailure> for DigestRefusal<T> {
    fn from(failure: DigestFailure) -> Self {
        Self { failure, who: None, stale: false }
    }
}

/// Chooses among several headers: one for this realm with an algorithm that is offered, then one for this
/// realm, then any that can be read; else tells what is wrong with the first.
pub(super) fn choose<'a>(
    headers: &[&'a [u8]],
    settings: &Settings,
) -> Result<Credentials<'a>, DigestFailure> {
    let mut best: Result<(u8, Credentials<'a>), DigestFailure> = Err(DigestFailure::NoHeader);
    for header in headers {
        match (Credentials::parse(header), &best) {
            (Ok(credentials), best_so_far) => {
                let rank = 1
                    + u8::from(is_ours(&credentials, settings))
                    + u8::from(algorithm(&credentials, settings).is_some());
                if best_so_far.as_ref().map_or(0, |(rank, _)| *rank) < rank {
                    best = Ok((rank, credentials));
                }
            }
            (Err(flaw), Err(DigestFailure::NoHeader)) => best = Err(flaw.into()),
            (Err(_), _) => {}
        }
    }
    best.map(|(_, credentials)| credentials)
}

/// Whether a digest is meant for this realm.
pub(super) fn is_ours(credentials: &Credentials<'_>, settings: &Settings) -> bool {
    credentials.realm.text().as_ref() == settings.realm.as_bytes()
}

fn algorithm(credentials: &Credentials<'_>, settings: &Settings) -> Option<(Algorithm, bool)> {
    let (algorithm, session) = credentials
        .algorithm
        .map_or(Some((Algorithm::Md5, false)), |named| Algorithm::named(&named.text()))?;
    settings.algorithms.contains(&algorithm).then_some((algorithm, session))
}

/// Checks the digest of a request. `find` leads from a username to its owner and password hash.
pub fn verify_digest<'a, 'p, T>(
    headers: &[&'a [u8]],
    request: SignedRequest<'_>,
    settings: &Settings,
    nonces: &(impl Nonces + ?Sized),
    find: impl FnOnce(&[u8]) -> Option<(T, &'p PasswordHash)>,
) -> Result<Authenticated<'a, T>, DigestRefusal<T>> {
    verify_chosen(&choose(headers, settings)?, request, settings, nonces, find)
}

pub(super) fn verify_chosen<'a, 'p, T>(
    sent: &Credentials<'a>,
    request: SignedRequest<'_>,
    settings: &Settings,
    nonces: &(impl Nonces + ?Sized),
    find: impl FnOnce(&[u8]) -> Option<(T, &'p PasswordHash)>,
) -> Result<Authenticated<'a, T>, DigestRefusal<T>> {
    let (algorithm, session) = algorithm(sent, settings).ok_or(DigestFailure::UnsupportedAlgorithm)?;
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
    if !is_ours(sent, settings) {
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
    // A foreign nonce says so first; then what the hash still needs.
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
    let right = match algorithm {
        Algorithm::Md5 => matches::<Md5>(&password.md5, sent, session, qop, request),
        Algorithm::Sha256 => matches::<Sha256>(&password.sha256, sent, session, qop, request),
    };
    if expired {
        return refuse(who, DigestFailure::NonceExpired, right);
    }
    if !right {
        return refuse(who, DigestFailure::ResponseMismatch, false);
    }
    // Only a right digest counts, or anybody could use up the counts of a nonce that he saw.
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

fn matches<D: sha2::Digest>(
    password: &[u8],
    sent: &Credentials<'_>,
    session: bool,
    qop: Option<Qop>,
    request: SignedRequest<'_>,
) -> bool {
    let cnonce = sent.cnonce.map_or(&[][..], Parameter::raw);
    let about = if qop == Some(Qop::AuthInt) {
        let body = Hex::of(&hash::<D>(&[request.body]));
        hash::<D>(&[request.method, b":", sent.uri.raw(), b":", body.text()])
    } else {
        hash::<D>(&[request.method, b":", sent.uri.raw()])
    };
    // As the client spelled it: that is what it hashed.
    let spelled: Cow<'_, [u8]> = sent.qop.map(Parameter::text).unwrap_or_default();
    let counted = qop.and(sent.nc).map(|nc| (nc.raw(), &*spelled));
    let expected = response::<D>(password, sent.nonce.raw(), cnonce, session, counted, &about);
    let mut received = [0; 64];
    for (to, from) in received.iter_mut().zip(sent.response.raw()) {
        *to = from.to_ascii_lowercase();
    }
    received.get(..expected.length).is_some_and(|received| received.ct_eq(expected.text()).into())
}

/// The digest itself. `counted` is the nonce count and the quality of protection, where there is one; `about` is
/// the hash of what the digest protects.
pub(super) fn response<D: sha2::Digest>(
    password: &[u8],
    nonce: &[u8],
    cnonce: &[u8],
    session: bool,
    counted: Option<(&[u8], &[u8])>,
    about: &[u8],
) -> Hex {
    let mut secret = Hex::of(password);
    if session {
        secret = Hex::of(&hash::<D>(&[secret.text(), b":", nonce, b":", cnonce]));
    }
    let about = Hex::of(about);
    let digest = match counted {
        Some((count, qop)) => {
            hash::<D>(&[secret.text(), b":", nonce, b":", count, b":", cnonce, b":", qop, b":", about.text()])
        }
        None => hash::<D>(&[secret.text(), b":", nonce, b":", about.text()]),
    };
    Hex::of(&digest)
}

pub(super) fn hash<D: sha2::Digest>(parts: &[&[u8]]) -> sha2::digest::Output<D> {
    let mut hasher = D::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize()
}

/// The hexadecimal text of a hash, without the heap.
pub(super) struct Hex {
    bytes: [u8; 64],
    length: usize,
}

impl Hex {
    fn of(hash: &[u8]) -> Self {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).copied().unwrap_or(b'0');
        let mut bytes = [0; 64];
        for (pair, byte) in bytes.chunks_exact_mut(2).zip(hash) {
            pair.copy_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
        }
        Self { bytes, length: 2 * hash.len() }
    }

    pub(super) fn text(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

#[cfg(test)]
pub(super) mod tests;
