//! Digest authentication: challenges, the headers that answer them, and nonces.

use std::time::Duration;

use didww_types::{Secret, Timestamp};
use trunk_rules::carrier::{
    Algorithm, Credentials, DigestChallenge, NonceKey, NonceState, PasswordHash, SentDigest, Settings,
    SignedRequest, verify_digest,
};

const USERNAME: &str = "a \"user\\name\"";

/// Challenges and answers of both algorithms.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let mut seeds: Vec<Vec<u8>> = [
        "Digest realm=\"out.didww.com\", nonce=\"0123\", algorithm=MD5, qop=\"auth,auth-int\", opaque=\"a\\\"b\"",
        "digest stale=TRUE , realm=r,nonce=n,algorithm=SHA-256-sess",
        "Digest nonce=\"\", realm=\"\", qop=auth",
        "Digest username=\"u\", realm=\"out.didww.com\", nonce=\"n\", uri=\"sip:h\", response=\"00\", \
         qop=auth, nc=00000001, \
         cnonce=\"c\"",
        "Basic dTpw",
    ]
    .map(|seed| seed.as_bytes().to_vec())
    .into();
    let challenge = DigestChallenge::parse(&seeds[0]).unwrap();
    let hash = PasswordHash::new("u", "out.didww.com", &Secret::new("p"));
    seeds.push(challenge.answer("u", &hash, "INVITE", "sip:1@h", "c").into_bytes());
    seeds.push(nonce().into_bytes());
    seeds
}

fn nonce_key() -> NonceKey {
    NonceKey::new(&[7; 32])
}

fn nonce() -> String {
    nonce_key().issue(Timestamp::from_unix_millis(1_000), 42)
}

/// Every challenge that is read can be answered with the right password, and no nonce but ours is ours.
pub fn digest(data: &[u8]) {
    let request = SignedRequest { method: b"INVITE", body: b"" };
    let fresh = |_: &[u8]| NonceState::Fresh;
    if let Ok(challenge) = DigestChallenge::parse(data) {
        let realm = challenge.realm();
        let settings = Settings {
            realm: realm.clone(),
            algorithms: vec![Algorithm::Md5, Algorithm::Sha256],
            ..Settings::default()
        };
        let hash = PasswordHash::new(USERNAME, &realm, &Secret::new("secret"));
        let answer = challenge.answer(USERNAME, &hash, "INVITE", "sip:442@h", "0a4f113b");
        assert!(Credentials::parse(answer.as_bytes()).is_ok(), "{answer}");
        let headers = [answer.as_bytes()];
        let claimed = SentDigest::of(headers, &settings).username();
        assert_eq!(claimed.as_deref(), Some(USERNAME.as_bytes()), "{answer}");
        let find = |name: &[u8]| (name == USERNAME.as_bytes()).then_some(((), &hash));
        let outcome = verify_digest(&headers, request, &settings, &fresh, find);
        assert!(outcome.is_ok(), "{answer}: {:?}", outcome.err().map(|refusal| refusal.failure));
        let other = PasswordHash::new(USERNAME, &realm, &Secret::new("another"));
        assert!(verify_digest(&headers, request, &settings, &fresh, |_| Some(((), &other))).is_err());
    }
    let settings = Settings::default();
    if let Ok(credentials) = Credentials::parse(data) {
        for parameter in [credentials.username, credentials.realm, credentials.nonce, credentials.response] {
            assert!(parameter.text().len() <= parameter.raw().len());
        }
        let hash = PasswordHash::new("u", &settings.realm, &Secret::new("not p"));
        assert!(verify_digest(&[data], request, &settings, &fresh, |_| Some(((), &hash))).is_err());
    }
    let state = nonce_key().verify(data, Timestamp::from_unix_millis(2_000), Duration::from_mins(5));
    assert_eq!(state != NonceState::Foreign, data == nonce().as_bytes());
}
