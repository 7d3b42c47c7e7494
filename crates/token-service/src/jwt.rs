//! Signs and verifies JSON Web Tokens with HMAC-SHA256.
//!
//! The library's own backends would add a second TLS library, or a crate with an open advisory; so it is built without
//! one, and calls ring, which TLS uses already. A token with another algorithm, including `none`, is refused before its
//! key is looked up.

use std::sync::LazyLock;

use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{ErrorKind, Result as JwtResult};
use jsonwebtoken::signature::{Error as SignatureError, Signer, Verifier};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, decode_header, encode};
use ring::hmac;
use trunk_store::TokenKey;
use uuid::Uuid;

use crate::claims::Claims;

/// The algorithm of every token.
const ALGORITHM: Algorithm = Algorithm::HS256;

/// Signatures by ring. Only symmetric keys are used, so there are no utilities for other keys.
static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: |algorithm, key| Ok(Box::new(Mac::of(*algorithm, key.as_bytes())?)),
    verifier_factory: |algorithm, key| Ok(Box::new(Mac::of(*algorithm, key.try_get_as_bytes()?)?)),
    key_utils: KeyUtils::new_unimplemented(),
};

/// Only the signature is verified here. Times are compared with the server's clock, which tests can advance, and
/// audiences with that of the calling service.
static SIGNATURE_ONLY: LazyLock<Validation> = LazyLock::new(|| {
    let mut validation = Validation::new(ALGORITHM);
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    validation
});

/// Makes the library use ring. A program that embeds the server and installed another provider before keeps its own.
pub(crate) fn install() {
    let _other = PROVIDER.install_default();
}

/// Signs claims.
///
/// # Errors
/// If the provider of an embedding program does not have the algorithm.
pub(crate) fn sign(claims: &Claims, key: &TokenKey) -> JwtResult<String> {
    let header = Header { kid: Some(key.id.to_string()), ..Header::new(ALGORITHM) };
    encode(&header, claims, &EncodingKey::from_secret(&key.secret)?)
}

/// Returns the id of the key that a token names. Nothing about the token is verified.
pub(crate) fn key_id(token: &str) -> Option<Uuid> {
    decode_header(token).ok()?.kid?.parse().ok()
}

/// Returns the claims of a token that was signed with a key; `None` if it was not, or is malformed.
pub(crate) fn verify(token: &str, key: &TokenKey) -> Option<Claims> {
    let key = DecodingKey::from_secret(&key.secret).ok()?;
    decode(token, &key, &SIGNATURE_ONLY).ok().map(|token| token.claims)
}

/// The message authentication code of a key.
struct Mac(hmac::Key);

impl Mac {
    fn of(algorithm: Algorithm, secret: &[u8]) -> JwtResult<Self> {
        if algorithm != ALGORITHM {
            return Err(ErrorKind::InvalidAlgorithm.into());
        }
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, secret)))
    }
}

impl Signer<Vec<u8>> for Mac {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, SignatureError> {
        Ok(hmac::sign(&self.0, message).as_ref().to_vec())
    }
}

impl JwtSigner for Mac {
    fn algorithm(&self) -> Algorithm {
        ALGORITHM
    }
}

impl Verifier<Vec<u8>> for Mac {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), SignatureError> {
        hmac::verify(&self.0, message, signature).map_err(|_| SignatureError::new())
    }
}

impl JwtVerifier for Mac {
    fn algorithm(&self) -> Algorithm {
        ALGORITHM
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
    use didww_types::{ApiVersion, Timestamp};
    use trunk_store::account::Environment;

    use super::*;
    use crate::claims::{API_AUDIENCE, Scope};

    fn key(number: u8) -> TokenKey {
        TokenKey {
            id: Uuid::from_u128(number.into()),
            secret: [number; 32],
            created_at: Timestamp::from_unix_millis(0),
        }
    }

    fn claims() -> Claims {
        Claims {
            jti: Uuid::from_u128(1),
            sub: Uuid::from_u128(2),
            key: Uuid::from_u128(3),
            aud: vec![API_AUDIENCE.to_owned()],
            scope: Scope::Read,
            api_version: ApiVersion::NEWEST,
            env: Environment::Sandbox,
            ips: Some(vec!["192.0.2.0/24".parse().unwrap()]),
            iat: 1,
            exp: 2,
        }
    }

    #[test]
    fn a_token_has_its_claims_and_its_key_and_no_other_key_verifies_it() {
        install();
        let token = sign(&claims(), &key(7)).unwrap();
        assert_eq!(key_id(&token), Some(key(7).id));
        assert_eq!(verify(&token, &key(7)), Some(claims()));
        assert_eq!(verify(&token, &key(8)), None);
        for end in 0..token.len() {
            assert_eq!(verify(&token[..end], &key(7)), None, "cut at {end}");
        }
    }

    #[test]
    fn a_signature_is_the_one_that_rfc_7515_computes() {
        // Appendix A.1 of the RFC: its header, payload and key.
        let secret = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
        let secret = BASE64.decode(secret).unwrap();
        let signed = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
        let mac = Mac::of(ALGORITHM, &secret).unwrap();
        let signature = BASE64.encode(mac.try_sign(signed.as_bytes()).unwrap());
        assert_eq!(signature, "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
    }

    #[test]
    fn no_other_algorithm_is_accepted() {
        install();
        let token = sign(&claims(), &key(7)).unwrap();
        let claims = token.split('.').nth(1).unwrap();
        let kid = key(7).id;
        for header in [
            format!(r#"{{"alg":"none","kid":"{kid}"}}"#),
            format!(r#"{{"alg":"HS512","kid":"{kid}"}}"#),
            format!(r#"{{"alg":"RS256","kid":"{kid}"}}"#),
            format!(r#"{{"kid":"{kid}"}}"#),
        ] {
            let signed = format!("{}.{claims}", BASE64.encode(&header));
            let mac = Mac::of(ALGORITHM, &key(7).secret).unwrap().try_sign(signed.as_bytes()).unwrap();
            for signature in [String::new(), BASE64.encode(mac)] {
                assert_eq!(verify(&format!("{signed}.{signature}"), &key(7)), None, "{header}");
            }
        }
    }
}
