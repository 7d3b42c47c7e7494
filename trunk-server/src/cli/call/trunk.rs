//! The trunk that a test call uses, as the API shows it to its owner.

use didww_types::Secret;
use http::HeaderName;
use serde_json::Value;
use sip_dialler::SipCredentials;

use super::CallError;
use crate::cli::exchange::exchange;

/// The version of the API whose attributes are read.
const API_VERSION: &str = "2026-04-16";

/// What a call needs of a trunk.
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
    let trunk = found.next().ok_or_else(|| CallError::Trunk(format!("the account has no trunk {name}")))?;
    if found.next().is_some() {
        return Err(CallError::Trunk(format!("the account has several trunks named {name}; give an id")));
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
        (HeaderName::from_static("api-key"), key.to_owned()),
        (HeaderName::from_static("x-didww-api-version"), API_VERSION.to_owned()),
    ];
    let failed = |why: String| CallError::Api { at: listen.to_owned(), why };
    let (status, answer) = exchange(listen, path, &headers, None).await.map_err(failed)?;
    if status.is_success() {
        return Ok(answer);
    }
    let detail = answer.pointer("/errors/0/detail").and_then(Value::as_str).unwrap_or_default();
    Err(failed(format!("it responded {status} {detail}")))
}
