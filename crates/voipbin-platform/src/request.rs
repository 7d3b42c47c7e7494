//! An authorised request, and the functions that endpoints share: ids and bodies, rate limits, pages of lists.

use std::hash::Hash;
use std::sync::Arc;

use axum::body::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::error::Category;
use service_base::limiter::Limiter;
use service_base::rate::Rate;
use trunk_rules::outbound::Permission;
use trunk_store::{Document, RateSubject, StoreError};
use uuid::Uuid;
use voipbin_types::from_json;

use crate::caller::Caller;
use crate::entity::{Entity, Kind, json_text, public_json_of};
use crate::error::{ApiError, ApiResult};
use crate::platform::Platform;
use crate::query::{QueryParams, next_token};

/// A request whose caller is authenticated and within its rate limits.
pub(crate) struct RequestContext {
    pub(crate) platform: Arc<Platform>,
    pub(crate) caller: Caller,
    /// The id in the path, as the client sent it; empty for a path without an id.
    pub(crate) id: String,
    pub(crate) query: QueryParams,
    pub(crate) body: Bytes,
}

impl RequestContext {
    /// The id in the path, for resources that report a wrong one as `INVALID_ID`.
    ///
    /// # Errors
    /// When it is not a UUID, or is the nil UUID.
    pub(crate) fn text_id(&self) -> Result<Uuid, ApiError> {
        self.path_id().filter(|id| !id.is_nil()).ok_or_else(ApiError::invalid_id)
    }

    /// The id in the path, for resources that report a wrong one as `INVALID_REQUEST_PARAMETER`.
    ///
    /// # Errors
    /// When it is not a UUID.
    pub(crate) fn typed_id(&self) -> Result<Uuid, ApiError> {
        self.path_id().ok_or_else(|| ApiError::invalid_parameter("id"))
    }

    /// The id in the path, in any textual form of a UUID. Clients escape braces in a path, in either case.
    fn path_id(&self) -> Option<Uuid> {
        let id = self.id.replace("%7B", "{").replace("%7b", "{").replace("%7D", "}").replace("%7d", "}");
        Uuid::try_parse(&id).ok()
    }

    /// Decodes the body.
    ///
    /// # Errors
    /// When it is empty, is not JSON, or does not have the shape of `T`.
    pub(crate) fn decode_body<T: DeserializeOwned>(&self) -> Result<T, ApiError> {
        from_json(&self.body)
            .map_err(|error| ApiError::invalid_json().because(flaw_of::<T>(&error, &self.body)))
    }

    /// Requires an admin or a manager of a customer.
    ///
    /// # Errors
    /// When the caller is neither.
    pub(crate) fn require_admin_or_manager(&self, customer: Uuid) -> Result<(), ApiError> {
        self.caller.require(Permission::CUSTOMER_ADMIN.or(Permission::CUSTOMER_MANAGER), customer)
    }
}

/// Where a body is wrong, for the log. It states no value, which can be a secret.
fn flaw_of<T: DeserializeOwned>(error: &serde_json::Error, body: &[u8]) -> String {
    let (line, column) = (error.line(), error.column());
    let what = match error.classify() {
        Category::Data => {
            let mut deserializer = serde_json::Deserializer::from_slice(body);
            let wrong = serde_path_to_error::deserialize::<_, T>(&mut deserializer).err();
            let path = wrong.map_or_else(|| ".".to_owned(), |wrong| wrong.path().to_string());
            format!("a member is missing or has another type at `{path}`")
        }
        Category::Eof => "the JSON text ends too early".to_owned(),
        Category::Syntax | Category::Io => "the body is no JSON".to_owned(),
    };
    format!("{what}, line {line}, column {column}")
}

/// A page of a list, and the token of the next one.
pub(crate) fn page(documents: &[Document]) -> ApiResult {
    let texts = documents.iter().map(public_json_of).collect::<Result<Vec<_>, _>>()?;
    Ok(format!("{{\"result\":[{}],\"next_page_token\":\"{}\"}}", texts.join(","), next_token(documents)))
}

/// Like [`page`], for records that the API does not send as they are stored.
pub(crate) fn page_of<K: Kind, T: Serialize>(
    documents: &[Document],
    shown: impl Fn(&Entity<K>) -> T,
) -> ApiResult {
    let text = |document: &Document| -> Result<String, StoreError> {
        Ok(json_text(&shown(&Entity::from_document(document)?)))
    };
    let texts = documents.iter().map(text).collect::<Result<Vec<_>, _>>()?;
    Ok(format!("{{\"result\":[{}],\"next_page_token\":\"{}\"}}", texts.join(","), next_token(documents)))
}

/// Counts a request against the rate limit of a key on this node: requests per second, and burst. Zero means no limit.
///
/// # Errors
/// When the limit is exceeded; `limited_by` names it in the response.
pub(crate) fn check_rate<K: Eq + Hash + Clone>(
    limiter: &Limiter<K>,
    key: K,
    (per_second, burst): (u32, u32),
    platform: &Platform,
    limited_by: &str,
) -> Result<(), ApiError> {
    limiter
        .admit(key, Rate::per_second(per_second, burst), platform.timestamps.now().as_unix_micros())
        .map_err(|wait| ApiError::rate_limited(limited_by, wait))
}

/// Counts a request against the rate limit of a caller's customer, which all nodes share. Tokens that a customer hands
/// out are counted apart, so that they do not use up the requests of its own agents and access keys.
///
/// # Errors
/// When the limit is exceeded.
pub(crate) async fn check_customer_rate(platform: &Platform, caller: &Caller) -> Result<(), ApiError> {
    let (per_second, burst) = platform.config.customer_rate;
    let subject = match caller {
        Caller::Member { customer, .. } => RateSubject::Customer(*customer),
        Caller::Delegate { customer } => RateSubject::Delegates(*customer),
        Caller::Direct { customer } => RateSubject::DirectTokens(*customer),
    };
    let rate = Rate::per_second(per_second, burst);
    let now = || platform.timestamps.now().as_unix_micros();
    let admitted = platform.customer_limiter.admit(subject, rate, now).await;
    admitted.map_err(|wait| ApiError::rate_limited("customer", wait))
}
