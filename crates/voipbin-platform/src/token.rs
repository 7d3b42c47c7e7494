//! Tokens: claims about a caller, signed by this server.
//!
//! They are JSON Web Tokens with HMAC-SHA256; a token with any other algorithm is refused.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use didww_types::Secret;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use uuid::Uuid;
use voipbin_types::Timestamp;

/// The header of every token.
const HEADER: &str = r#"{"alg":"HS256","typ":"JWT"}"#;

/// The claims of a token. Its `type` decides which of them are present.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Claims {
    /// `agent`, `direct` or `delegate`. A token without a type is an agent's.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub(crate) kind: Option<String>,
    /// The agent who logged in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) agent: Option<AgentClaim>,
    /// The customer of a direct token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) direct: Option<DirectClaim>,
    /// The audience of a delegate's token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) aud: Option<String>,
    /// The customer that a delegate acts for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) customer_id: Option<Uuid>,
    /// The subject of a delegate's token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sub: Option<String>,
    /// The id of a delegate's token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) jti: Option<String>,
    /// When the token expires, as `YYYY-MM-DDTHH:MM:SS.ffffffZ`; compared as text.
    pub(crate) expire: String,
}

/// The agent of a token that a login returned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct AgentClaim {
    pub(crate) id: Uuid,
    pub(crate) customer_id: Uuid,
    pub(crate) username: String,
    /// The permission bits at the time of the login. The server checks the agent's current ones.
    pub(crate) permission: u16,
}

/// The customer of a direct token.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DirectClaim {
    /// The id of the customer that the token was issued for.
    pub customer_id: Uuid,
}

impl Claims {
    const EMPTY: Self = Self {
        kind: None,
        agent: None,
        direct: None,
        aud: None,
        customer_id: None,
        sub: None,
        jti: None,
        expire: String::new(),
    };

    /// The claims of an agent who logged in. The token expires at `end`.
    pub(crate) fn agent(agent: AgentClaim, end: Timestamp) -> Self {
        let kind = Some("agent".to_owned());
        Self { kind, agent: Some(agent), expire: end.to_page_token(), ..Self::EMPTY }
    }

    /// The claims of a direct token, which no endpoint of this server accepts. The token expires at `end`.
    pub fn direct(direct: DirectClaim, end: Timestamp) -> Self {
        let kind = Some("direct".to_owned());
        Self { kind, direct: Some(direct), expire: end.to_page_token(), ..Self::EMPTY }
    }

    /// The claims of a delegate, who acts for a customer with the permissions of its admin. The token expires
    /// at `end`.
    pub fn delegate(customer: Uuid, subject: Uuid, id: Uuid, end: Timestamp) -> Self {
        Self {
            kind: Some("delegate".to_owned()),
            aud: Some(AUDIENCE.to_owned()),
            customer_id: Some(customer),
            sub: Some(subject.to_string()),
            jti: Some(id.to_string()),
            expire: end.to_page_token(),
            ..Self::EMPTY
        }
    }
}

/// The audience of delegates' tokens. Without it a token is refused.
pub(crate) const AUDIENCE: &str = "voipbin-api";

fn signature(secret: &Secret, signed: &str) -> Hmac<Sha256> {
    #[expect(clippy::expect_used, reason = "HMAC takes keys of every length")]
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()).expect("HMAC takes any key");
    mac.update(signed.as_bytes());
    mac
}

/// A signed token with these claims.
pub fn sign(secret: &Secret, claims: &Claims) -> String {
    // Claims are texts, numbers and ids: encoding them cannot fail.
    let claims = serde_json::to_string(claims).unwrap_or_default();
    let signed = format!("{}.{}", BASE64.encode(HEADER), BASE64.encode(claims));
    let signature = BASE64.encode(signature(secret, &signed).finalize().into_bytes());
    format!("{signed}.{signature}")
}

/// The claims of a token, if it is signed with this secret and has not expired.
pub(crate) fn verify(secret: &Secret, token: &str, now: Timestamp) -> Option<Claims> {
    #[derive(Deserialize)]
    struct Header {
        alg: String,
    }
    let (signed, sent_signature) = token.rsplit_once('.')?;
    let (header, claims) = signed.split_once('.')?;
    let sent_signature = BASE64.decode(sent_signature).ok()?;
    signature(secret, signed).verify_slice(&sent_signature).ok()?;
    let header: Header = serde_json::from_slice(&BASE64.decode(header).ok()?).ok()?;
    if header.alg != "HS256" {
        return None;
    }
    let claims: Claims = serde_json::from_slice(&BASE64.decode(claims).ok()?).ok()?;
    (claims.expire.as_str() > now.to_page_token().as_str()).then_some(claims)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(expire: &str) -> Claims {
        let agent = AgentClaim {
            id: Uuid::from_u128(1),
            customer_id: Uuid::from_u128(2),
            username: "a".to_owned(),
            permission: 1,
        };
        Claims { expire: expire.to_owned(), ..Claims::agent(agent, Timestamp::from_unix_micros(0)) }
    }

    #[test]
    fn a_token_carries_its_claims_until_it_expires() {
        let (secret, now) = (Secret::new("s"), Timestamp::from_unix_micros(1_000_000));
        let token = sign(&secret, &claims("1970-01-01T00:00:01.000001Z"));
        assert_eq!(verify(&secret, &token, now), Some(claims("1970-01-01T00:00:01.000001Z")));
        assert_eq!(verify(&secret, &token, Timestamp::from_unix_micros(1_000_001)), None, "it has expired");
        assert_eq!(verify(&Secret::new("t"), &token, now), None, "another server signed it");
        assert_eq!(verify(&secret, &token[1..], now), None);
        assert_eq!(verify(&secret, "", now), None);
    }

    #[test]
    fn no_other_algorithm_is_accepted() {
        let (secret, now) = (Secret::new("s"), Timestamp::from_unix_micros(0));
        let body = BASE64.encode(serde_json::to_string(&claims("2")).unwrap());
        let unsigned = format!("{}.{body}.", BASE64.encode(r#"{"alg":"none"}"#));
        assert_eq!(verify(&secret, &unsigned, now), None);
        let signed = format!("{}.{body}", BASE64.encode(r#"{"alg":"none"}"#));
        let mac = BASE64.encode(signature(&secret, &signed).finalize().into_bytes());
        assert_eq!(verify(&secret, &format!("{signed}.{mac}"), now), None);
    }
}
