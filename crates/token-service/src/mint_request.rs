//! The body of a request for a token.

use std::time::Duration;

use didww_types::ApiVersion;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::claims::{AUDIENCES, Scope};
use crate::mint_error::MintError;

/// The shortest lifetime of a token.
const MIN_LIFETIME: Duration = Duration::from_mins(1);
/// The lifetime of a token if the request sets none.
const DEFAULT_LIFETIME: Duration = Duration::from_mins(15);
/// The longest lifetime of a token.
pub(crate) const MAX_LIFETIME: Duration = Duration::from_hours(1);

/// Maximum number of audiences that a request may name, repeated ones included.
const MAX_AUDIENCES: usize = 16;

/// The audiences of a token: one, or a list. The response has the same form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub(crate) enum Audiences {
    One(String),
    Many(Vec<String>),
}

impl Audiences {
    pub(crate) fn list(&self) -> Vec<String> {
        match self {
            Self::One(audience) => vec![audience.clone()],
            Self::Many(audiences) => audiences.clone(),
        }
    }
}

/// The parameters of a requested token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MintRequest {
    pub(crate) audiences: Audiences,
    pub(crate) scope: Scope,
    /// `None` means the account's version.
    pub(crate) version: Option<ApiVersion>,
    /// How long the token is valid: 60 to 3600 seconds.
    pub(crate) lifetime: Duration,
}

impl MintRequest {
    /// Parses a body. Members that the service does not know are ignored, and a member that is null counts as absent.
    ///
    /// # Errors
    /// [`MintError::InvalidRequest`] and [`MintError::InvalidScope`].
    pub(crate) fn parse(body: &[u8]) -> Result<Self, MintError> {
        let Ok(Value::Object(body)) = serde_json::from_slice(body) else {
            return Err(invalid("the body must be a JSON object"));
        };
        Ok(Self {
            audiences: audiences(&body)?,
            scope: scope(&body)?,
            version: version(&body)?,
            lifetime: lifetime(&body)?,
        })
    }
}

fn invalid(description: impl Into<String>) -> MintError {
    MintError::InvalidRequest(description.into())
}

fn member<'a>(body: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    body.get(name).filter(|value| !value.is_null())
}

fn audiences(body: &Map<String, Value>) -> Result<Audiences, MintError> {
    let known = |value: &Value| {
        let audience = AUDIENCES.into_iter().find(|known| value.as_str() == Some(known));
        audience
            .map(str::to_owned)
            .ok_or_else(|| invalid(format!("aud must be from {}", AUDIENCES.join(", "))))
    };
    match member(body, "aud") {
        None => Err(invalid("aud is required")),
        Some(Value::Array(list)) if list.is_empty() => Err(invalid("aud must not be empty")),
        Some(Value::Array(list)) if list.len() > MAX_AUDIENCES => Err(invalid("aud has too many members")),
        Some(Value::Array(list)) => Ok(Audiences::Many(list.iter().map(known).collect::<Result<_, _>>()?)),
        Some(one) => Ok(Audiences::One(known(one)?)),
    }
}

/// A scope below `read` that the service does not know is granted as its closest known ancestor, and none of them is
/// known.
fn scope(body: &Map<String, Value>) -> Result<Scope, MintError> {
    match member(body, "scope") {
        None => Ok(Scope::Full),
        Some(Value::String(name)) => match name.as_str() {
            "full" => Ok(Scope::Full),
            "read" => Ok(Scope::Read),
            name if name.strip_prefix("read:").is_some_and(|rest| !rest.is_empty()) => Ok(Scope::Read),
            _ => Err(MintError::InvalidScope),
        },
        Some(_) => Err(invalid("scope must be a string")),
    }
}

fn version(body: &Map<String, Value>) -> Result<Option<ApiVersion>, MintError> {
    let Some(value) = member(body, "api_version") else { return Ok(None) };
    let version = value.as_str().and_then(|date| date.parse().ok());
    version.map(Some).ok_or_else(|| invalid("api_version must be the date of a version, such as 2026-11-19"))
}

/// A lifetime that is too short or too long is not refused, but changed to the nearest permitted one.
fn lifetime(body: &Map<String, Value>) -> Result<Duration, MintError> {
    let Some(sent) = member(body, "expires_in") else { return Ok(DEFAULT_LIFETIME) };
    // As a float, so that a whole number can also have more than 64 bits, or be written as `900.0`.
    let whole = sent.as_f64().filter(|seconds| seconds.fract() == 0.0);
    let seconds = whole.ok_or_else(|| invalid("expires_in must be a whole number of seconds"))?;
    let (least, most) = (MIN_LIFETIME.as_secs_f64(), MAX_LIFETIME.as_secs_f64());
    Ok(Duration::from_secs_f64(seconds.clamp(least, most)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(body: &Value) -> Result<MintRequest, MintError> {
        MintRequest::parse(body.to_string().as_bytes())
    }

    #[test]
    fn a_request_has_defaults_for_all_but_the_audience() {
        let request = parse(&json!({"aud": "api.didww.com", "unknown": 1, "scope": null})).unwrap();
        let audiences = Audiences::One("api.didww.com".to_owned());
        let lifetime = Duration::from_mins(15);
        assert_eq!(request, MintRequest { audiences, scope: Scope::Full, version: None, lifetime });
    }

    #[test]
    fn the_life_is_changed_to_the_nearest_permitted_one() {
        for (sent, seconds) in [
            (json!(-5), 60),
            (json!(5), 60),
            (json!(60), 60),
            (json!(61), 61),
            (json!(3_600), 3_600),
            (json!(999_999), 3_600),
            (json!(u64::MAX), 3_600),
            (json!(900.0), 900),
            (json!(1e30), 3_600),
            (json!(-1e30), 60),
        ] {
            let request = parse(&json!({"aud": "api.didww.com", "expires_in": sent})).unwrap();
            assert_eq!(request.lifetime.as_secs(), seconds, "{sent}");
        }
    }

    #[test]
    fn a_scope_below_read_is_granted_as_read() {
        let scope = |name: &str| parse(&json!({"aud": "api.didww.com", "scope": name})).map(|r| r.scope);
        assert_eq!(
            [scope("full"), scope("read"), scope("read:x:y")],
            [Ok(Scope::Full), Ok(Scope::Read), Ok(Scope::Read)]
        );
        for name in ["write", "", "read:", "readx", "READ", "read full"] {
            assert_eq!(scope(name), Err(MintError::InvalidScope), "{name}");
        }
    }

    #[test]
    fn every_other_body_is_an_invalid_request() {
        for body in [
            json!([]),
            json!({}),
            json!({"aud": null}),
            json!({"aud": []}),
            json!({"aud": 1}),
            json!({"aud": "example.com"}),
            json!({"aud": ["api.didww.com", "example.com"]}),
            json!({"aud": vec!["api.didww.com"; 17]}),
            json!({"aud": "api.didww.com", "scope": ["read"]}),
            json!({"aud": "api.didww.com", "api_version": "2026-11-18"}),
            json!({"aud": "api.didww.com", "api_version": 1}),
            json!({"aud": "api.didww.com", "expires_in": "900"}),
            json!({"aud": "api.didww.com", "expires_in": 1.5}),
            json!({"aud": "api.didww.com", "expires_in": true}),
        ] {
            assert!(matches!(parse(&body), Err(MintError::InvalidRequest(_))), "{body}");
        }
        assert!(matches!(MintRequest::parse(b"aud=api.didww.com"), Err(MintError::InvalidRequest(_))));
        assert!(matches!(MintRequest::parse(b""), Err(MintError::InvalidRequest(_))));
    }
}
