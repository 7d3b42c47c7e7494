//! Requests for the records of an account, as its owner would send them to DIDWW's API.
//!
//! The rules of the API apply, because the API serves them: this listener has no second way to read or to change a
//! record. Passwords are left out of the answers, as of every read of this listener.

use std::fmt;
use std::sync::Arc;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::Request;
use axum::response::Response;
use didww_types::{ErrorDocument, MEDIA_TYPE, find};
use futures_util::future::BoxFuture;
use http::{Method, StatusCode, header};
use http_listener::plain_json;
use service_base::forwarded::Client;
use trunk_store::account::Account;

use crate::ControlError;
use crate::respond::{refused, respond, retry_after};
use crate::without_secrets::remove_secrets;

type Serve = dyn Fn(Arc<Account>, Request) -> BoxFuture<'static, Response> + Send + Sync;

/// Serves requests of an account's owner without credentials: DIDWW's API at its newest version.
#[derive(Clone)]
pub struct OwnersApi(Arc<Serve>);

impl OwnersApi {
    /// Wraps the function that serves a request, whose path begins with `/v3`, for an account.
    pub fn new(
        serve: impl Fn(Arc<Account>, Request) -> BoxFuture<'static, Response> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(serve))
    }
}

impl fmt::Debug for OwnersApi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OwnersApi").finish_non_exhaustive()
    }
}

/// Maximum number of bytes of an answer that is passed on: more than the API sends.
const MAX_ANSWER_BYTES: usize = 64 << 20;

/// A request for records of a type.
pub(crate) struct OwnerRequest<'a> {
    pub(crate) method: Method,
    pub(crate) kind: &'a str,
    /// The id of a record, which is not validated.
    pub(crate) record: Option<&'a str>,
    pub(crate) query: Option<&'a str>,
    pub(crate) body: Bytes,
}

/// Sends a request as the owner of an account. A success is passed on as JSON, a refusal as an error of this API, whose
/// text has the details of the refusal.
pub(crate) async fn forward(
    api: &OwnersApi,
    account: Arc<Account>,
    client: Option<Client>,
    owner_request: OwnerRequest<'_>,
) -> Response {
    let mut request = match request(owner_request) {
        Ok(request) => request,
        Err(error) => return respond(Err(error)),
    };
    if let Some(client) = client {
        request.extensions_mut().insert(client);
    }
    let answer = (api.0)(account, request).await;
    let (status, wait) = (answer.status(), answer.headers().get(header::RETRY_AFTER).cloned());
    let Ok(body) = to_bytes(answer.into_body(), MAX_ANSWER_BYTES).await else {
        return refused(StatusCode::INTERNAL_SERVER_ERROR, "the answer of the API was cut off");
    };
    if status.is_success() {
        let Ok(mut document) = serde_json::from_slice(&body) else {
            return refused(StatusCode::INTERNAL_SERVER_ERROR, "the response of the API is not JSON");
        };
        remove_secrets(&mut document);
        return plain_json(status, &document);
    }
    let wait = wait.and_then(|seconds| seconds.to_str().ok()?.parse().ok());
    retry_after(refused(refusal_status(status), &details(&body)), wait)
}

fn request(owner_request: OwnerRequest<'_>) -> Result<Request, ControlError> {
    let OwnerRequest { method, kind, record, query, body } = owner_request;
    let missing = || ControlError::NotFound(format!("type {kind}"));
    let path = find(kind).and_then(|spec| spec.paths().next()).ok_or_else(missing)?;
    let mut target = format!("/v3/{path}");
    if let Some(record) = record {
        let id = uuid::Uuid::try_parse(record)
            .map_err(|_| ControlError::NotFound(format!("record {record} of {kind}")))?;
        target.push('/');
        target.push_str(&id.to_string());
    }
    if let Some(query) = query {
        target.push('?');
        target.push_str(query);
    }
    let request = Request::builder()
        .method(method)
        .uri(target)
        .header(header::ACCEPT, MEDIA_TYPE)
        .header(header::CONTENT_TYPE, MEDIA_TYPE)
        .body(Body::from(body));
    request.map_err(|error| ControlError::invalid("query", error.to_string()))
}

/// The status of this API for a refusal: a value that is not valid is 422.
fn refusal_status(status: StatusCode) -> StatusCode {
    match status {
        StatusCode::NOT_FOUND
        | StatusCode::CONFLICT
        | StatusCode::FORBIDDEN
        | StatusCode::TOO_MANY_REQUESTS => status,
        status if status.is_server_error() => status,
        _ => StatusCode::UNPROCESSABLE_ENTITY,
    }
}

/// The details of an error document, as one sentence.
fn details(body: &[u8]) -> String {
    let errors =
        serde_json::from_slice::<ErrorDocument>(body).map(|document| document.errors).unwrap_or_default();
    let texts: Vec<String> = errors.into_iter().filter_map(|error| error.detail.or(error.title)).collect();
    if texts.is_empty() { "the API refused the request".to_owned() } else { texts.join("; ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_has_the_details_of_the_document() {
        let document = br#"{"errors":[{"title":"a","detail":"name - is taken"},{"title":"Forbidden"}]}"#;
        assert_eq!(details(document), "name - is taken; Forbidden");
        for other in [&b""[..], b"{}", b"no json"] {
            assert_eq!(details(other), "the API refused the request");
        }
    }

    #[test]
    fn a_path_leads_to_a_declared_type_alone() {
        let of = |kind, record| {
            let owner_request = OwnerRequest {
                method: Method::GET,
                kind,
                record,
                query: Some("sort=name"),
                body: Bytes::new(),
            };
            request(owner_request).map(|request| request.uri().to_string())
        };
        let id = "6d6e0d4f-7c1c-4f6a-9b7c-0a3b4f3c2d10";
        assert_eq!(of("dids", Some(id)).unwrap(), format!("/v3/dids/{id}?sort=name"));
        assert_eq!(of("balances", None).unwrap(), "/v3/balance?sort=name");
        for (kind, record) in
            [("../token", None), ("nothing", None), ("dids", Some("../balance")), ("", None)]
        {
            assert!(of(kind, record).is_err(), "{kind} {record:?}");
        }
    }
}
