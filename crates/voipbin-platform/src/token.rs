//! Tokens: what a caller is, signed by this server.
//!
//! They are JSON Web Tokens with HMAC-SHA256 and nothing else: no other algorithm is ever looked at.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use didww_types::Secret;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use uuid::Uuid;

use super::moment::Moment;

/// The head of every token.
const HEAD: &str = r#"{"alg":"HS256","typ":"JWT"}"#;

/// What a token says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Claims {
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentClaim>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub direct: Option<DirectClaim>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aud: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer_id: Option<Uuid>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sub: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jti: Option<String>,
    /// When it ends, as `YYYY-MM-DDTHH:MM:SS.ffffffZ`; compared as text.
    pub expire: String,
}

/// Who logged in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AgentClaim {
    pub id: Uuid,
    pub customer_id: Uuid,
    pub username: String,
    pub permission: u16,
}

/// Whom a direct token belongs to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DirectClaim {
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

    /// What somebody who logged in is.
    pub fn agent(agent: AgentClaim, end: Moment) -> Self {
        let kind = Some("agent".to_owned());
        Self { kind, agent: Some(agent), expire: end.to_page_token(), ..Self::EMPTY }
    }

    /// A token for one thing.
    pub fn direct(direct: DirectClaim, end: Moment) -> Self {
        let kind = Some("direct".to_owned());
        Self { kind, direct: Some(direct), expire: end.to_page_token(), ..Self::EMPTY }
    }

    /// A token of somebody who acts for a customer for a while.
    pub fn delegate(customer: Uuid, subject: Uuid, id: Uuid, end: Moment) -> Self {
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

/// Whom a delegate's token is made for.
pub(crate) const AUDIENCE: &str = "voipbin-api";

fn signature(secret: &Secret, signed: &str) -> Hmac<Sha256> {
    // A key of any length will do.
    #[expect(clippy::expect_used, reason = "HMAC takes keys of every length")]
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()).expect("HMAC takes any key");
    mac.update(signed.as_bytes());
    mac
}

/// Writes a token.
pub fn sign(secret: &Secret, claims: &Claims) -> String {
    // Texts and ids alone: nothing in it can fail to be written.
    let claims = serde_json::to_string(claims).unwrap_or_default();
    let signed = format!("{}.{}", BASE64.encode(HEAD), BASE64.encode(claims));
    let signature = BASE64.encode(signature(secret, &signed).finalize().into_bytes());
    format!("{signed}.{signature}")
}

/// Reads a token, if this server signed it and its time has not run out.
pub(crate) fn verify(secret: &Secret, token: &str, now: Moment) -> Option<Claims> {
    #[derive(Deserialize)]
    struct Head {
        alg: String,
    }
    let (signed, given) = token.rsplit_once('.')?;
    let (head, claims) = signed.split_once('.')?;
    let given = BASE64.decode(given).ok()?;
    signature(secret, signed).verify_slice(&given).ok()?;
    let head: Head = serde_json::from_slice(&BASE64.decode(head).ok()?).ok()?;
    if head.alg != "HS256" {
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
        Claims { expire: expire.to_owned(), ..Claims::agent(agent, Moment::from_unix_micros(0)) }
    }

    #[test]
    fn a_token_says_what_was_signed_until_its_time_runs_out() {
        let (secret, now) = (Secret::new("s"), Moment::from_unix_micros(1_000_000));
        let token = sign(&secret, &claims("1970-01-01T00:00:01.000001Z"));
        assert_eq!(verify(&secret, &token, now), Some(claims("1970-01-01T00:00:01.000001Z")));
        assert_eq!(verify(&secret, &token, Moment::from_unix_micros(1_000_001)), None, "its time ran out");
        assert_eq!(verify(&Secret::new("t"), &token, now), None, "another server's");
        assert_eq!(verify(&secret, &token[1..], now), None);
        assert_eq!(verify(&secret, "", now), None);
    }

    #[test]
    fn no_other_algorithm_is_believed() {
        let (secret, now) = (Secret::new("s"), Moment::from_unix_micros(0));
        let body = BASE64.encode(serde_json::to_string(&claims("2")).unwrap());
        let unsigned = format!("{}.{body}.", BASE64.encode(r#"{"alg":"none"}"#));
        assert_eq!(verify(&secret, &unsigned, now), None);
        let signed = format!("{}.{body}", BASE64.encode(r#"{"alg":"none"}"#));
        let mac = BASE64.encode(signature(&secret, &signed).finalize().into_bytes());
        assert_eq!(verify(&secret, &format!("{signed}.{mac}"), now), None);
    }
}
