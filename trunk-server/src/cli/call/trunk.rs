//! The trunk that a test call uses, as the API shows it to its owner.

use didww_types::{API_KEY_HEADER, Secret, VERSION_HEADER};
use http::{HeaderName, StatusCode};
use serde_json::{Value, json};
use sip_dialler::SipCredentials;

use super::error::CallError;
use crate::cli::exchange::{bearer, exchange};

/// The version of the API whose attributes are read.
const API_VERSION: &str = "2026-04-16";

/// The properties of a trunk that a call needs.
pub(super) struct Trunk {
    /// `None` for a trunk that accepts calls by address alone.
    pub(super) credentials: Option<SipCredentials>,
    pub(super) tech_prefix: Option<String>,
    /// The number of a DID of the account, if it has one.
    pub(super) did: Option<String>,
}

/// Finds the trunk with this name or id among the first 1,000 of the account.
pub(super) async fn find(listen: &str, key: &str, name: &str) -> Result<Trunk, CallError> {
    let all = get(listen, key, "/v3/voice_out_trunks?page%5Bsize%5D=1000").await?;
    let trunks = all.pointer("/data").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let is_it = |trunk: &&Value| {
        let text = |pointer| trunk.pointer(pointer).and_then(Value::as_str);
        text("/id") == Some(name) || text("/attributes/name") == Some(name)
    };
    let mut found = trunks.iter().filter(is_it);
    let trunk = found.next().ok_or_else(|| CallError::Named(format!("the account has no trunk {name}")))?;
    if found.next().is_some() {
        return Err(CallError::Named(format!("the account has several trunks named {name}; give an id")));
    }
    let text = |member: &str| {
        let pointer = format!("/attributes/authentication_method/attributes/{member}");
        trunk.pointer(&pointer).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned)
    };
    let credentials = text("username").zip(text("password"));
    let credentials =
        credentials.map(|(username, password)| SipCredentials { username, password: Secret::from(password) });
    let tech_prefix = text("tech_prefix");
    let dids = get(listen, key, "/v3/dids?page%5Bsize%5D=1").await?;
    let did = dids.pointer("/data/0/attributes/number").and_then(Value::as_str).map(str::to_owned);
    Ok(Trunk { credentials, tech_prefix, did })
}

async fn get(listen: &str, key: &str, path: &str) -> Result<Value, CallError> {
    let headers = [
        (HeaderName::from_static(API_KEY_HEADER), key.to_owned()),
        (HeaderName::from_static(VERSION_HEADER), API_VERSION.to_owned()),
    ];
    let failed = |why: String| CallError::Api { at: listen.to_owned(), why };
    let (mut status, mut answer) = exchange(listen, path, &headers, None).await.map_err(failed)?;
    // An account whose version needs tokens refuses the key without a body.
    if status == StatusCode::UNAUTHORIZED && answer.is_null() {
        let token = token(listen, key).await.map_err(failed)?;
        (status, answer) = exchange(listen, path, &bearer(Some(&token)), None).await.map_err(failed)?;
    }
    if status.is_success() {
        return Ok(answer);
    }
    let detail = answer.pointer("/errors/0/detail").and_then(Value::as_str).unwrap_or_default();
    Err(failed(format!("it responded {status} {detail}")))
}

/// Mints a token that reads, at the address of the API.
async fn token(listen: &str, key: &str) -> Result<String, String> {
    let headers = [(HeaderName::from_static(API_KEY_HEADER), key.to_owned())];
    let body = json!({ "aud": "api.didww.com", "scope": "read", "api_version": API_VERSION });
    let (status, answer) = exchange(listen, "/token", &headers, Some(&body)).await?;
    let token = answer.get("access_token").and_then(Value::as_str).map(str::to_owned);
    token.ok_or_else(|| format!("it minted no access token: its token service responded {status}"))
}
