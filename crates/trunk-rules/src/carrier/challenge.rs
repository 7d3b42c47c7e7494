//! The client's answer to a digest challenge (RFC 2617, RFC 7616, RFC 8760).
//!
//! The answer covers the method and the URI only. A challenge that requires `auth-int` is not answered.

use std::fmt::Write as _;

use md5::Md5;
use sha2::Sha256;

use super::authorization::{HeaderFlaw, Parameter, parameters};
use super::digest_response::{Algorithm, PasswordHash, hash, response};

/// A digest challenge that can be answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DigestChallenge {
    realm: String,
    nonce: String,
    opaque: Option<String>,
    /// `None` if the challenge names no algorithm, which means MD5.
    algorithm: Option<Algorithm>,
    session: bool,
    has_qop: bool,
    stale: bool,
}

/// Why a challenge cannot be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChallengeFlaw {
    /// The header value cannot be parsed.
    #[error("the challenge cannot be read: {0}")]
    Unparsable(#[from] HeaderFlaw),
    /// The algorithm is neither MD5 nor SHA-256, nor a session variant of one.
    #[error("the challenge's algorithm is neither MD5 nor SHA-256")]
    Algorithm,
    /// The challenge does not offer `qop=auth`.
    #[error("the challenge does not offer qop=auth")]
    Qop,
    /// The response contained no challenge.
    #[error("there is no challenge to answer")]
    Missing,
}

impl DigestChallenge {
    /// Parses the value of a `WWW-Authenticate` or `Proxy-Authenticate` header.
    pub fn parse(value: &[u8]) -> Result<Self, ChallengeFlaw> {
        let [realm, nonce, opaque, algorithm, qop, stale] =
            parameters(value, ["realm", "nonce", "opaque", "algorithm", "qop", "stale"])?;
        let text = |parameter: Parameter<'_>| String::from_utf8_lossy(parameter.raw()).into_owned();
        let (algorithm, session) = match algorithm {
            None => (None, false),
            Some(named) => {
                let (algorithm, session) = Algorithm::named(&named.text()).ok_or(ChallengeFlaw::Algorithm)?;
                (Some(algorithm), session)
            }
        };
        if let Some(qop) = qop {
            let offered = qop.text();
            let mut offered = offered.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
            if !offered.any(|qop| qop.eq_ignore_ascii_case(b"auth")) {
                return Err(ChallengeFlaw::Qop);
            }
        }
        Ok(Self {
            realm: text(realm.ok_or(HeaderFlaw::Missing("realm"))?),
            nonce: text(nonce.ok_or(HeaderFlaw::Missing("nonce"))?),
            opaque: opaque.map(text),
            algorithm,
            session,
            has_qop: qop.is_some(),
            stale: stale.is_some_and(|stale| stale.text().eq_ignore_ascii_case(b"true")),
        })
    }

    /// Returns the first challenge that can be answered: servers list them by preference (RFC 8760). If none
    /// can, the error is that of the first.
    pub fn choose<'a>(values: impl IntoIterator<Item = &'a [u8]>) -> Result<Self, ChallengeFlaw> {
        let mut first = ChallengeFlaw::Missing;
        for value in values {
            match Self::parse(value) {
                Ok(challenge) => return Ok(challenge),
                Err(flaw) if first == ChallengeFlaw::Missing => first = flaw,
                Err(_) => {}
            }
        }
        Err(first)
    }

    pub(super) fn md5_with_qop(realm: &str, nonce: &str) -> Self {
        let (realm, nonce) = (realm.to_owned(), nonce.to_owned());
        let algorithm = Some(Algorithm::Md5);
        Self { realm, nonce, opaque: None, algorithm, session: false, has_qop: true, stale: false }
    }

    /// The realm, unescaped, as a password is hashed with it.
    pub fn realm(&self) -> String {
        String::from_utf8_lossy(&Parameter::of(self.realm.as_bytes()).text()).into_owned()
    }

    /// Whether only the nonce had expired, so that the same password is worth another attempt.
    pub const fn is_stale(&self) -> bool {
        self.stale
    }

    /// Returns the header value that answers the challenge, for the first request with its nonce. `cnonce`
    /// should be random and must contain no quotes.
    pub fn answer(
        &self,
        username: &str,
        password: &PasswordHash,
        method: &str,
        uri: &str,
        cnonce: &str,
    ) -> String {
        const COUNT: &str = "00000001";
        let algorithm = self.algorithm.unwrap_or(Algorithm::Md5);
        let count_and_qop = self.has_qop.then_some((COUNT.as_bytes(), b"auth".as_slice()));
        // Without the hash, no answer to this challenge is accepted.
        let (secret, nonce) = (password.of(algorithm).unwrap_or_default(), self.nonce.as_bytes());
        let request = [method.as_bytes(), b":", uri.as_bytes()];
        let digest = match algorithm {
            Algorithm::Md5 => {
                let request_hash = hash::<Md5>(&request);
                response::<Md5>(secret, nonce, cnonce.as_bytes(), self.session, count_and_qop, &request_hash)
            }
            Algorithm::Sha256 => {
                let request_hash = hash::<Sha256>(&request);
                response::<Sha256>(
                    secret,
                    nonce,
                    cnonce.as_bytes(),
                    self.session,
                    count_and_qop,
                    &request_hash,
                )
            }
        };
        let digest = String::from_utf8_lossy(digest.text());
        let (username, realm, nonce) = (escape_quotes(username), &self.realm, &self.nonce);
        let mut value = format!(
            "Digest username=\"{username}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{uri}\", \
             response=\"{digest}\""
        );
        if let Some(algorithm) = self.algorithm {
            let session = if self.session { "-sess" } else { "" };
            let _infallible = write!(value, ", algorithm={}{session}", algorithm.name());
        }
        if self.has_qop {
            let _infallible = write!(value, ", qop=auth, nc={COUNT}");
        }
        if self.has_qop || self.session {
            let _infallible = write!(value, ", cnonce=\"{cnonce}\"");
        }
        if let Some(opaque) = &self.opaque {
            let _infallible = write!(value, ", opaque=\"{opaque}\"");
        }
        value
    }
}

impl PasswordHash {
    /// Returns the header value that a client with the password would send for this request, with MD5. An
    /// explanation of a call uses it to pass the digest check without the password.
    pub fn authorization(&self, username: &str, realm: &str, nonce: &str, method: &str, uri: &str) -> String {
        DigestChallenge::md5_with_qop(realm, nonce).answer(username, self, method, uri, "0a4f113b")
    }
}

fn escape_quotes(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}

#[cfg(test)]
mod tests {
    use didww_types::Secret;
    use proptest::prelude::*;

    use super::*;
    use crate::carrier::{NonceState, Qop, Settings, SignedRequest, verify_digest};

    fn answered(challenge: &str, user: &str, password: &str, uri: &str) -> String {
        let challenge = DigestChallenge::parse(challenge.as_bytes()).unwrap();
        let hash = PasswordHash::new(user, &challenge.realm(), &Secret::new(password));
        challenge.answer(user, &hash, "INVITE", uri, "0a4f113b")
    }

    #[test]
    fn the_examples_of_rfc_7616_are_answered_as_they_are_there() {
        let challenge = |algorithm: &str| {
            format!(
                "Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", algorithm={algorithm}, \
                 nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", \
                 opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""
            )
        };
        for (algorithm, digest) in [
            ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
            ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
        ] {
            let challenge = DigestChallenge::parse(challenge(algorithm).as_bytes()).unwrap();
            let hash = PasswordHash::new("Mufasa", &challenge.realm(), &Secret::new("Circle of Life"));
            let cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";
            let value = challenge.answer("Mufasa", &hash, "GET", "/dir/index.html", cnonce);
            assert!(value.contains(&format!("response=\"{digest}\"")), "{value}");
            assert!(value.contains(&format!("algorithm={algorithm}")), "{value}");
            assert!(value.ends_with("opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""), "{value}");
        }
    }

    #[test]
    fn a_challenge_without_qop_is_answered_without_a_count() {
        let value = answered("Digest realm=\"r\", nonce=\"n\"", "u", "p", "sip:h");
        assert!(
            !["qop", "nc=", "cnonce", "algorithm", "opaque"].iter().any(|name| value.contains(name)),
            "{value}"
        );
    }

    #[test]
    fn the_first_challenge_that_can_be_answered_is_chosen() {
        let values: [&[u8]; 4] = [
            b"Basic realm=\"r\"",
            b"Digest realm=\"r\", nonce=\"0\", algorithm=SHA-512-256",
            b"Digest realm=\"r\", nonce=\"1\", algorithm=SHA-256, stale=TRUE",
            b"Digest realm=\"r\", nonce=\"2\"",
        ];
        let chosen = DigestChallenge::choose(values).unwrap();
        assert_eq!((chosen.nonce.as_str(), chosen.is_stale()), ("1", true));
        let flaw = |values: &[&'static str]| {
            DigestChallenge::choose(values.iter().map(|value| value.as_bytes())).unwrap_err()
        };
        assert_eq!(flaw(&[]), ChallengeFlaw::Missing);
        assert_eq!(flaw(&["Basic x"]), ChallengeFlaw::Unparsable(HeaderFlaw::Scheme));
        assert_eq!(flaw(&["Digest realm=r, nonce=n, qop=\"auth-int\""]), ChallengeFlaw::Qop);
        assert_eq!(flaw(&["Digest nonce=n"]), ChallengeFlaw::Unparsable(HeaderFlaw::Missing("realm")));
    }

    proptest! {
        #[test]
        fn what_is_answered_is_what_the_edge_accepts(
            user in "[ -~]{1,12}",
            password in "[ -~]{0,12}",
            uri in "sip:[0-9+#%]{1,12}@host",
            algorithm in prop::sample::select(vec!["MD5", "SHA-256", "MD5-sess", "sha-256-sess"]),
            qop in prop::sample::select(vec!["", ", qop=\"auth\"", ", qop=\"auth-int,auth\""]),
        ) {
            let settings =
                Settings { algorithms: vec![Algorithm::Md5, Algorithm::Sha256], qop: vec![Qop::Auth], ..Settings::default() };
            let realm = settings.realm.as_str();
            let challenge = format!("Digest realm=\"{realm}\", nonce=\"n\", algorithm={algorithm}{qop}");
            let value = answered(&challenge, &user, &password, &uri);
            let hash = PasswordHash::new(&user, realm, &Secret::new(password.as_str()));
            let request = SignedRequest { method: b"INVITE", body: b"" };
            let find = |name: &[u8]| (name == user.as_bytes()).then_some(((), &hash));
            let fresh = |_: &[u8]| NonceState::Fresh;
            let verified = verify_digest(&[value.as_bytes()], request, &settings, &fresh, find);
            prop_assert!(verified.is_ok(), "{:?}: {}", verified.err(), value);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..120)) {
            let _ = DigestChallenge::parse(&bytes);
        }
    }
}
