//! The handler of every API request: authentication, limits, negotiation, the operation, and the response.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use didww_types::{ErrorCode, ErrorObject, find_path};
use http::{HeaderValue, Request, StatusCode, header};

use http_listener::idempotency::IDEMPOTENCY_REPLAYED;
use http_listener::{BodyError, BodyLimits, Exchange, OverTls, Panicked, cors, named_authority, read_body};
use service_core::audit::{Actor, with_actor};
use token_service::{Scope, is_token_path, respond_to_token_request};
use trunk_store::{Asker, IdempotencyScope, NO_ACCOUNT};

use crate::authentication::{Caller, authenticate, nobody, requested_version};
use crate::download::Download;
use crate::headers::REQUEST_IDS;
use crate::idempotency::{self, KeyedReply};
use crate::jsonapi::{self, ApiError, Operation, QueryParams, Reply, RequestContext, Target, too_big};
use crate::on_behalf::OnBehalf;
use crate::prices::{self, PriceService};
use crate::refused::{error_response, refused};
use crate::state::Api;
use crate::{headers, negotiate};

/// Serves a request and logs its outcome. The token service serves `/token` on every host, unless it has a listener of
/// its own. A price service serves the requests to its host. Any other path outside `/v3/` receives 404.
pub(crate) async fn handle(State(api): State<Arc<Api>>, request: Request<Body>) -> Response {
    // A program that addresses a price service by its host uses one address for tokens and prices.
    if api.tokens.is_beside_the_api() && is_token_path(request.uri().path()) {
        return Box::pin(respond_to_token_request(&api.tokens, request)).await;
    }
    // Requests that the server itself makes for an owner name the API's address, which can be the host of a price
    // service.
    let is_of_a_client = request.extensions().get::<OnBehalf>().is_none();
    if let Some(service) = PriceService::of_request(&api.prices, &request).filter(|_| is_of_a_client) {
        return Box::pin(prices::respond(&api, service, request)).await;
    }
    let (exchange, body) = Exchange::begin(request, &api.core, &REQUEST_IDS);
    let mut file = None;
    let outcome = match Requested::of(&exchange.parts) {
        Requested::File(download) => {
            exchange.run(Box::pin(download.open(&api, &exchange.parts))).await.map(|open| {
                file = Some(open);
                Reply::empty()
            })
        }
        Requested::Preflight => Ok(Reply::empty()),
        // Boxed, because the router moves the future of this handler several times.
        Requested::Operation(target) => {
            exchange.run(Box::pin(serve(&api, &exchange.parts, target, body))).await
        }
    };
    let runtime = exchange.runtime(&api.core);
    let Exchange { parts, request_id, .. } = &exchange;
    let (method, path) = (&parts.method, parts.uri.path());
    let mut response = match outcome {
        Ok(Reply { status, body, content_type, replayed, tag }) => {
            tracing::debug!(%method, path, status = status.as_u16(), request_id, ?runtime, replayed, "request");
            let mut response = headers::respond_tagged(status, body, tag, parts, runtime);
            if let Some(content_type) = content_type {
                response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
            }
            if let Some(file) = file {
                file.fill(&api, parts, &mut response);
            }
            if replayed {
                response.headers_mut().insert(IDEMPOTENCY_REPLAYED, HeaderValue::from_static("true"));
            }
            response
        }
        Err(error) => refused(&api, &exchange, runtime, &error),
    };
    cors::allow_origin(parts, &mut response);
    exchange.finish(response)
}

/// Builds the API's response with this status, for an injected fault: the error that the API has for it in the version
/// that the request names, or else an error with only the status and its name.
pub fn refusal(parts: &http::request::Parts, status: StatusCode) -> Response {
    let error = match status {
        StatusCode::UNAUTHORIZED if requested_version(parts).uses_tokens() => ApiError::invalid_token(),
        StatusCode::UNAUTHORIZED => {
            ApiError::new(ErrorCode::Unauthorized, "Unauthorized", "Authorization failed")
        }
        StatusCode::FORBIDDEN => ApiError::forbidden(),
        StatusCode::NOT_FOUND => ApiError::no_route(),
        StatusCode::TOO_MANY_REQUESTS if requested_version(parts).uses_tokens() => ApiError::over_budget(1),
        StatusCode::TOO_MANY_REQUESTS => ApiError::too_many_requests(),
        StatusCode::INTERNAL_SERVER_ERROR => ApiError::internal("an injected fault"),
        StatusCode::SERVICE_UNAVAILABLE => ApiError::busy("an injected fault"),
        other => {
            let name = Some(other.canonical_reason().unwrap_or("Error").to_owned());
            ApiError::from_object(ErrorObject {
                status: Some(other.as_str().to_owned()),
                title: name.clone(),
                detail: name,
                ..ErrorObject::default()
            })
        }
    };
    error_response(&error, parts, Duration::ZERO)
}

/// The subject of a request, by its method and its path.
enum Requested {
    /// The download of a file of an account.
    File(Download),
    /// A browser's CORS preflight for one of the API's paths.
    Preflight,
    /// An operation on the target of the path; `None` if it is not one of the API's paths.
    Operation(Option<Target>),
}

impl Requested {
    fn of(parts: &http::request::Parts) -> Self {
        match Target::parse(parts.uri.path()) {
            Some(_) if cors::is_preflight(parts) => Self::Preflight,
            Some(target) => match Download::of(&parts.method, &target) {
                Some(download) => Self::File(download),
                None => Self::Operation(Some(target)),
            },
            None => Self::Operation(None),
        }
    }
}

/// The cause for the log of a 404 for a path that no version has.
const NO_SUCH_PATH: &str =
    "no version has such a path: they begin with /v3/ and the name of a type, such as /v3/voice_out_trunks";

async fn serve(
    api: &Arc<Api>,
    parts: &http::request::Parts,
    target: Option<Target>,
    body: Body,
) -> Result<Reply, ApiError> {
    let target = target.ok_or_else(|| ApiError::no_path(NO_SUCH_PATH))?;
    let Caller { key, scope, version, unheeded_version } = match authenticate(api, parts).await {
        // A request with a wrong credential is served as one without.
        Err(error) if error.status() == StatusCode::UNAUTHORIZED && is_open(&target, parts) => {
            nobody(api, parts).await?
        }
        outcome => outcome?,
    };
    let is_of_anyone = key.account.number == NO_ACCOUNT;
    let (core, rules, base) = (&*api.core, api.rules, link_base(api, parts));
    // Requests of the operator for an owner have no key.
    let actor = if key.id.is_nil() { Actor::Staff } else { Actor::Key(key.id) };
    let (account, rendered, pages) = (key.account, &api.rendered, &api.pages);
    let context = RequestContext { core, rules, account, version, rendered, pages, base };
    let outcome = serve_account(api, context, (scope, actor), parts, target, body).await;
    outcome.map_err(|error| match unheeded_version {
        Some(was_sent) => error.with_version_note(version, was_sent),
        None if is_of_anyone => error.of_anyone(),
        None => error,
    })
}

/// Whether a path is that of a type whose requests need no credential, in the version of a request without one.
fn is_open(target: &Target, parts: &http::request::Parts) -> bool {
    find_path(&target.resource, requested_version(parts)).is_some_and(|spec| spec.open)
}

/// Serves the request of an account that is within its rate limit, with the sender's scope and identity.
async fn serve_account(
    api: &Arc<Api>,
    context: RequestContext<'_>,
    (scope, actor): (Scope, Actor),
    parts: &http::request::Parts,
    target: Target,
    body: Body,
) -> Result<Reply, ApiError> {
    let no_route = || {
        let cause = format!("{} has no such path, or not with this method", context.version);
        ApiError::no_route().because(cause)
    };
    let operation = Operation::new(&context, &parts.method, target).ok_or_else(no_route)?;
    if operation.writes() && scope != Scope::Full {
        return Err(ApiError::insufficient_scope());
    }
    if operation.feature_needed(context.version).is_some_and(|feature| !context.account.features.has(feature))
    {
        return Err(ApiError::forbidden());
    }
    let operation = operation.with_form(|| negotiate::boundary(&parts.headers))?;
    if operation.requires_media_type() {
        negotiate::content_type(&parts.headers)?;
    }
    let form = if let Operation::Upload { form, .. } = &operation { Some(*form) } else { None };
    // Clients that upload a file accept other types.
    if form.is_none() {
        negotiate::accept(&parts.headers)?;
    }
    let params = QueryParams::parse(&context, &operation, parts.uri.query().unwrap_or_default()).await?;
    // The upload counts for as long as its body is in memory.
    let upload = match form {
        Some(_) => {
            let turn = api.uploads.turn(Asker::Account(context.account.number)).await;
            Some(turn.ok_or_else(|| ApiError::busy("too many uploads are waiting"))?)
        }
        None => None,
    };
    let body = if let Some(form) = form {
        let limits = BodyLimits { max_bytes: form.max_body_bytes(), ..api.limits.body() };
        Box::pin(read_body(body, limits)).await.map_err(|error| match error {
            BodyError::TooLong => too_big(form),
            error => unread(error, limits),
        })?
    } else if operation.has_body() {
        let limits = api.limits.body();
        Box::pin(read_body(body, limits)).await.map_err(|error| unread(error, limits))?
    } else {
        Bytes::new()
    };
    match idempotency::key(parts)? {
        None => {
            let reply = perform(api, &context, actor, &operation, &params, &body).await;
            drop(upload);
            reply
        }
        Some(key) => {
            let RequestContext { account, version, base, .. } = context;
            let request = idempotency::identity(parts, version, &body);
            let scope = IdempotencyScope::Account(account.number);
            let handler = {
                let (api, body) = (Arc::clone(api), body.clone());
                async move {
                    let (core, rules) = (&*api.core, api.rules);
                    let (rendered, pages) = (&api.rendered, &api.pages);
                    let context = RequestContext { core, rules, account, version, rendered, pages, base };
                    let reply = perform(&api, &context, actor, &operation, &params, &body).await;
                    // The handler still uses the body after the client has disconnected.
                    drop(upload);
                    KeyedReply(reply)
                }
            };
            let run = api.idempotency.run(&api.core, scope, &key, &request, handler);
            let KeyedReply(reply) = Box::pin(run).await?;
            reply
        }
    }
}

/// Performs an operation when it is the account's turn. Its arguments are in the future of a request once, and not once
/// for each function that they are passed on to.
async fn perform(
    api: &Api,
    context: &RequestContext<'_>,
    actor: Actor,
    operation: &Operation,
    params: &QueryParams,
    body: &Bytes,
) -> Result<Reply, ApiError> {
    let writes = operation.writes();
    let account = Asker::Account(context.account.number);
    let _turn = if writes {
        let turn = api.writes.turn(account).await;
        Some(turn.ok_or_else(|| ApiError::busy("too many writes are waiting"))?)
    } else if operation.lists() || !params.include.is_empty() {
        // One record can include as many as a page has.
        let turn = api.lists.turn(account).await;
        Some(turn.ok_or_else(|| ApiError::busy("too many lists are waiting"))?)
    } else {
        None
    };
    let performed = jsonapi::perform(context, operation, params, body);
    if writes { Box::pin(with_actor(actor, performed)).await } else { performed.await }
}

/// Returns the beginning of links: the configured public URL, or else the host that the request names, and `/v3`.
fn link_base(api: &Api, parts: &http::request::Parts) -> String {
    if let Some(url) = &api.public_url {
        return format!("{url}/v3");
    }
    let host = named_authority(&parts.headers, &parts.uri).unwrap_or("localhost");
    let scheme = if parts.extensions.get::<OverTls>().is_some() { "https" } else { "http" };
    [scheme, "://", host, "/v3"].concat()
}

/// The error for a body that was not read completely.
fn unread(error: BodyError, limits: BodyLimits) -> ApiError {
    let bad_request = |detail| ApiError::new(ErrorCode::BadRequest, "Bad Request", detail);
    match error {
        BodyError::TooLong => {
            let detail = format!("The request body exceeds {} bytes.", limits.max_bytes);
            ApiError::new(ErrorCode::ContentTooLarge, "Content too large", detail)
        }
        BodyError::Broken(cause) => bad_request(cause),
        BodyError::TooSlow => {
            let seconds = limits.deadline.as_secs_f64();
            bad_request(format!("The request body did not arrive within {seconds} seconds."))
        }
    }
}

impl From<Panicked> for ApiError {
    fn from(_: Panicked) -> Self {
        Self::internal("a handler panicked")
    }
}

#[cfg(test)]
mod tests {
    use didww_types::ApiVersion;
    use http_listener::{Limits, RateLimits};
    use token_service::{TokenService, TokenSettings};

    use super::*;
    use crate::fixture::core_with_account;

    #[tokio::test]
    async fn a_record_with_others_is_read_in_the_turn_of_a_list_and_one_alone_at_once() {
        let (core, account) = core_with_account(ApiVersion::V2022_05_10).await;
        let (core, rates, limits) = (Arc::new(core), Arc::new(RateLimits::new(0)), Limits::default());
        let settings = TokenSettings::default();
        let tokens = TokenService::new(Arc::clone(&core), settings, limits, Arc::clone(&rates));
        let api = Arc::new(Api::new(core, None, limits, rates, Arc::new(tokens)));
        let status = async |query: &str| {
            let uri = format!("/v3/dids/00000000-0000-4000-8000-000000000000{query}");
            let request = Request::get(uri).header("api-key", "key").body(Body::empty()).unwrap();
            handle(State(Arc::clone(&api)), request).await.status().as_u16()
        };
        let mut turns = Vec::new();
        for _ in 0..4 {
            turns.push(api.lists.turn(Asker::Account(account.number)).await.unwrap());
        }
        assert_eq!((status("").await, status("?include=order").await), (404, 503));
        drop(turns);
        assert_eq!(status("?include=order").await, 404);
    }
}
