//! The JSON API of the control listener, which `docs/control.md` documents.
//!
//! A body has at most 4 MiB and must arrive within `Limits::body_deadline`.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use didww_types::resources::DidFeature;
use didww_types::values::IpNetworks;
use didww_types::{ApiVersion, Feature, Secret, Timestamp};
use http::{StatusCode, Uri};
use http_listener::idempotency::Idempotency;
use http_listener::{BodyError, BodyLimits, Limits, health_router, read_body};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json};
use service_base::clock::Clock;
use service_base::guessing::GuessLimiter;
use service_core::Core;
use trunk_store::Backlog;
use trunk_store::account::Environment;
use uuid::Uuid;

use crate::answers::{
    self, Accounts, ClockState, Deleted, Deliveries, DeliveryAttempt, Did, Dids, Keys, NewKey, StoredRecord,
    Updated, UpdatedTrunk,
};
use crate::auth::{Authenticator, ControlAuth, authenticate};
use crate::idempotency;
use crate::respond::{Outcome, parse_body, parse_id, parse_query, refused, respond};
use crate::route::{Route, document, router};
use crate::trunks::{OPEN_TRUNK, OpenTrunk};
use crate::{AccountPatch, Control, ControlError, DidPatch, NewAccount, NewDid, RecordMembers};

/// Builds the router of the control listener: the control API below `/control/v1`, and the health endpoints.
pub fn control_router(control: Control, auth: ControlAuth, limits: Limits) -> Router {
    let guesses = GuessLimiter::new("control tokens", limits.guesses);
    let authenticator = Authenticator { auth, guesses, clock: control.clock().clone() };
    let health = health_router(Arc::clone(&control.core));
    let operations = Operations {
        limits: BodyLimits { max_bytes: MAX_BODY_BYTES, ..limits.body() },
        core: Arc::clone(&control.core),
        idempotency: Idempotency::default(),
    };
    let routes = router(routes()).with_state(control);
    routes
        .merge(health)
        .fallback(async || {
            respond(Err(ControlError::NotFound("such path; docs/control.md lists them".to_owned())))
        })
        .method_not_allowed_fallback(async || {
            refused(StatusCode::METHOD_NOT_ALLOWED, "this path has other methods; docs/control.md lists them")
        })
        .layer(from_fn_with_state(Arc::new(operations), run_operation))
        .layer(from_fn_with_state(Arc::new(authenticator), authenticate))
}

/// Every route, in the order of the document.
fn routes() -> Vec<Route> {
    let mut routes = account_routes();
    routes.extend(super::callback_secrets::routes());
    routes.extend(server_routes().into_iter().chain(super::token_keys::routes()));
    #[cfg(feature = "sip")]
    routes.extend(super::calls::routes().into_iter().chain(super::attempts::routes()));
    #[cfg(feature = "voipbin")]
    routes.extend(super::customer_routes::routes());
    routes
}

/// The routes of accounts and of what belongs to them.
fn account_routes() -> Vec<Route> {
    vec![
        Route::get("/accounts", "Lists the accounts, oldest first.", list_accounts).answers::<Accounts>(200),
        Route::post("/accounts", "Creates an account with its first API key.", create_account)
            .body::<AccountBody>()
            .answers::<answers::NewAccount>(201)
            .errors(&[409, 422]),
        Route::get("/accounts/{id}", "Returns one account.", show_account)
            .answers::<answers::Account>(200)
            .errors(&[404]),
        Route::patch("/accounts/{id}", "Changes an account from the next request on.", update_account)
            .body::<AccountBody>()
            .answers::<answers::Account>(200)
            .errors(&[404, 409, 422]),
        Route::delete("/accounts/{id}", "Deletes an account with its keys and records.", delete_account)
            .answers::<Deleted>(200)
            .errors(&[404]),
        Route::get("/accounts/{id}/keys", "Lists the API keys of an account.", list_keys)
            .answers::<Keys>(200)
            .errors(&[404]),
        Route::post("/accounts/{id}/keys", "Adds an API key to an account.", add_key)
            .body::<KeyBody>()
            .answers::<NewKey>(201)
            .errors(&[404, 409, 422]),
        Route::patch(
            "/accounts/{id}/keys/{key}",
            "Sets where an API key may be used from the next request on.",
            update_key,
        )
        .body::<KeyChange>()
        .answers::<answers::Key>(200)
        .errors(&[404, 422]),
        Route::delete(
            "/accounts/{id}/keys/{key}",
            "Removes an API key from the next request on.",
            remove_key,
        )
        .answers::<Deleted>(200)
        .errors(&[404]),
        Route::post("/accounts/{id}/dids", "Adds DIDs to an account, one or all of a list.", add_dids)
            .body::<DidsBody>()
            .answers::<Dids>(201)
            .errors(&[404, 409, 422]),
        Route::patch("/accounts/{id}/dids/{did}", "Changes what the owner of a DID cannot.", update_did)
            .body::<DidPatchBody>()
            .answers::<Updated>(200)
            .errors(&[404, 409, 422]),
        Route::post(
            "/accounts/{id}/trunks/{trunk}/ip_only",
            "Lets a trunk accept by address alone.",
            make_ip_only,
        )
        .body::<IpOnlyBody>()
        .answers::<UpdatedTrunk>(200)
        .errors(&[404, 409, 422]),
        Route::post("/accounts/{id}/records/{type}", "Stores a record of an account.", put_owned_record)
            .text_parameter("type")
            .body::<RecordBody>()
            .answers::<StoredRecord>(200)
            .answers::<StoredRecord>(201)
            .errors(&[404, 409, 422]),
    ]
}

/// The routes of records without an account, callbacks, the clock and the document.
fn server_routes() -> Vec<Route> {
    vec![
        Route::get("/openapi.json", "Returns this document.", show_document).answers::<Value>(200),
        Route::post("/records/{type}", "Stores a record that belongs to no account.", put_global_record)
            .text_parameter("type")
            .body::<RecordBody>()
            .answers::<StoredRecord>(200)
            .answers::<StoredRecord>(201)
            .errors(&[404, 409, 422]),
        Route::get("/trunks/open", "Lists the trunks that take calls from any address.", list_open_trunks)
            .answers::<answers::OpenTrunks>(200),
        Route::get(
            "/deliveries",
            "Lists attempts to deliver callbacks and webhooks, newest first.",
            list_deliveries,
        )
        .query::<DeliveryQuery>()
        .answers::<Deliveries>(200)
        .errors(&[404, 422]),
        Route::post("/reset", "Deletes every record of one account or of all.", reset)
            .body::<ResetBody>()
            .answers::<answers::Reset>(200)
            .errors(&[404, 409, 422]),
        Route::get("/clock", "Returns the server's time.", show_clock).answers::<ClockState>(200),
        Route::post("/clock/freeze", "Stops the clock, at a given time or now.", freeze_clock)
            .body::<FreezeBody>()
            .answers::<ClockState>(200)
            .errors(&[422]),
        Route::post("/clock/advance", "Moves the clock forward.", advance_clock)
            .body::<AdvanceBody>()
            .answers::<ClockState>(200)
            .errors(&[422]),
        Route::post("/clock/resume", "Lets the clock run again.", resume_clock).answers::<ClockState>(200),
    ]
}

/// Builds the `OpenAPI` document of the control API.
pub fn openapi() -> Value {
    document(&routes())
}

async fn show_document() -> Response {
    respond(Ok((StatusCode::OK, openapi())))
}

/// Maximum number of bytes of a body: enough for ten thousand DIDs with descriptions.
const MAX_BODY_BYTES: usize = 4 << 20;

/// What the operations of the listener have in common.
#[derive(Debug)]
struct Operations {
    limits: BodyLimits,
    core: Arc<Core>,
    /// The requests with an idempotency key that are in progress.
    idempotency: Idempotency,
}

/// Reads the body within its limits, then runs the handler with it.
async fn run_operation(State(operations): State<Arc<Operations>>, request: Request, next: Next) -> Response {
    let limits = operations.limits;
    let (parts, body) = request.into_parts();
    let bytes = match read_body(body, limits).await {
        Ok(bytes) => bytes,
        Err(error) => return unread(&error, limits),
    };
    let key = match idempotency::key(&parts) {
        Ok(key) => key,
        Err(refusal) => return idempotency::refuse(&refusal),
    };
    // The handler runs in a task of its own: a client that disconnects must not cancel an operation between its write
    // and what follows the write.
    let operation = tokio::spawn(async move {
        let Some(key) = key else { return next.run(Request::from_parts(parts, Body::from(bytes))).await };
        idempotency::run(&operations.idempotency, &operations.core, &key, parts, bytes, next).await
    });
    operation.await.unwrap_or_else(|_| {
        refused(StatusCode::INTERNAL_SERVER_ERROR, "the operation failed; the log contains the cause")
    })
}

/// Renders why a body was not read.
fn unread(error: &BodyError, BodyLimits { max_bytes, deadline }: BodyLimits) -> Response {
    match error {
        BodyError::TooLong => {
            let error = format!("the body must have at most {max_bytes} bytes");
            refused(StatusCode::PAYLOAD_TOO_LARGE, &error)
        }
        BodyError::TooSlow => {
            let error = format!("the body did not arrive within {} seconds", deadline.as_secs_f64());
            refused(StatusCode::REQUEST_TIMEOUT, &error)
        }
        BodyError::Broken(cause) => {
            let error = format!("the body did not arrive completely: {cause}");
            refused(StatusCode::BAD_REQUEST, &error)
        }
    }
}

fn version(text: &str) -> Result<ApiVersion, ControlError> {
    text.parse()
        .map_err(|error: didww_types::UnknownVersion| ControlError::invalid("version", error.to_string()))
}

fn features(names: &[String]) -> Result<Vec<Feature>, ControlError> {
    let known = Feature::ALL.map(Feature::as_str).join(", ");
    names
        .iter()
        .map(|name| {
            let found = Feature::ALL.into_iter().find(|feature| feature.as_str() == name);
            found.ok_or_else(|| ControlError::invalid("features", format!("`{name}` is not one of {known}")))
        })
        .collect()
}

/// A member of a body that distinguishes absent, null and a value.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
enum Member<T> {
    #[default]
    Absent,
    Present(Option<T>),
}

impl<T> Member<T> {
    /// The value; `None` if the member is null or absent.
    fn value(self) -> Option<T> {
        if let Self::Present(value) = self { value } else { None }
    }
}

impl<T: JsonSchema> JsonSchema for Member<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        Option::<T>::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Option::<T>::json_schema(generator)
    }
}

impl<T> From<Member<T>> for didww_types::Patch<T> {
    fn from(member: Member<T>) -> Self {
        match member {
            Member::Absent => Self::Keep,
            Member::Present(value) => value.into(),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Member<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::deserialize(deserializer).map(Self::Present)
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct AccountBody {
    name: Option<String>,
    version: Option<String>,
    features: Option<Vec<String>>,
    #[serde(default)]
    rate_limit: Member<u32>,
    #[serde(default)]
    record_quota: Member<u64>,
    api_key: Option<Secret>,
}

async fn list_accounts(State(control): State<Control>) -> Response {
    let list = async {
        let accounts = control.accounts().await?;
        let accounts = accounts.iter().map(|account| answers::Account::from(&**account)).collect();
        Ok((StatusCode::OK, json!(Accounts { accounts })))
    };
    respond(list.await)
}

async fn create_account(State(control): State<Control>, body: Bytes) -> Response {
    respond(async { new_account(&control, parse_body(&body)?).await }.await)
}

async fn new_account(control: &Control, body: AccountBody) -> Outcome {
    let mut new = NewAccount::named(body.name.unwrap_or_default());
    if let Some(text) = body.version {
        new.version = version(&text)?;
    }
    if let Some(names) = body.features {
        new.features = features(&names)?;
    }
    new.rate_limit = body.rate_limit.value();
    new.record_quota = body.record_quota.value();
    new.api_key = body.api_key;
    let (account, key) = control.create_account(new).await?;
    let created = answers::NewAccount { account: (&*account).into(), api_key: key.expose().to_owned() };
    Ok((StatusCode::CREATED, json!(created)))
}

async fn show_account(State(control): State<Control>, Path(id): Path<String>) -> Response {
    let show = async {
        let account = control.account(parse_id(&id, "account")?).await?;
        Ok((StatusCode::OK, json!(answers::Account::from(&*account))))
    };
    respond(show.await)
}

async fn update_account(State(control): State<Control>, Path(id): Path<String>, body: Bytes) -> Response {
    let change = async {
        let body: AccountBody = parse_body(&body)?;
        if body.api_key.is_some() {
            return Err(ControlError::invalid("api_key", "is added with POST to the account's keys"));
        }
        let patch = AccountPatch {
            name: body.name,
            version: body.version.as_deref().map(version).transpose()?,
            features: body.features.as_deref().map(features).transpose()?,
            rate_limit: body.rate_limit.into(),
            record_quota: body.record_quota.into(),
        };
        let account = control.update_account(parse_id(&id, "account")?, patch).await?;
        Ok((StatusCode::OK, json!(answers::Account::from(&*account))))
    };
    respond(change.await)
}

async fn delete_account(State(control): State<Control>, Path(id): Path<String>) -> Response {
    let delete = async {
        control.delete_account(parse_id(&id, "account")?).await?;
        Ok((StatusCode::OK, json!(Deleted { deleted: id })))
    };
    respond(delete.await)
}

async fn list_keys(State(control): State<Control>, Path(id): Path<String>) -> Response {
    let list = async {
        let keys = control.keys(parse_id(&id, "account")?).await?;
        Ok((StatusCode::OK, json!(Keys { keys: keys.iter().map(Into::into).collect() })))
    };
    respond(list.await)
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct KeyBody {
    /// The key; without it, a random one.
    api_key: Option<Secret>,
    /// The addresses and networks from which the key may be used, at most 60; without them, from anywhere.
    allowed_addresses: Option<Vec<String>>,
    /// `production` or `sandbox`; without it, the server's.
    environment: Option<String>,
}

fn environment(name: &str) -> Result<Environment, ControlError> {
    let unknown = || ControlError::invalid("environment", "must be production or sandbox");
    Environment::named(name).ok_or_else(unknown)
}

/// Parses the networks from which a key may be used.
fn addresses(texts: &[String]) -> Result<IpNetworks, ControlError> {
    IpNetworks::parse(texts).map_err(|error| ControlError::invalid("allowed_addresses", error.to_string()))
}

async fn add_key(State(control): State<Control>, Path(id): Path<String>, body: Bytes) -> Response {
    let add = async {
        let body: KeyBody = parse_body(&body)?;
        let new = crate::NewKey {
            api_key: body.api_key,
            addresses: body.allowed_addresses.as_deref().map(addresses).transpose()?,
            environment: body.environment.as_deref().map(environment).transpose()?,
        };
        let (id, key) = control.add_key_with(parse_id(&id, "account")?, new).await?;
        Ok((StatusCode::CREATED, json!(NewKey { id, api_key: key.expose().to_owned() })))
    };
    respond(add.await)
}

/// Changes to an API key. A member that is absent leaves the value unchanged.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct KeyChange {
    /// The addresses and networks from which the key may be used, at most 60; null is anywhere.
    #[serde(default)]
    allowed_addresses: Member<Vec<String>>,
}

async fn update_key(
    State(control): State<Control>,
    Path((id, key)): Path<(String, String)>,
    body: Bytes,
) -> Response {
    let update = async {
        let (account, id) = (parse_id(&id, "account")?, parse_id(&key, "key")?);
        if let KeyChange { allowed_addresses: Member::Present(texts) } = parse_body(&body)? {
            let addresses = texts.as_deref().map(addresses).transpose()?;
            control.set_key_addresses(account, id, addresses).await?;
        }
        let key = control.keys(account).await?.into_iter().find(|key| key.id == id);
        let key = key.ok_or_else(|| ControlError::NotFound(format!("key {id}")))?;
        Ok((StatusCode::OK, json!(answers::Key::from(&key))))
    };
    respond(update.await)
}

async fn remove_key(State(control): State<Control>, Path((id, key)): Path<(String, String)>) -> Response {
    let remove = async {
        control.remove_key(parse_id(&id, "account")?, parse_id(&key, "key")?).await?;
        Ok((StatusCode::OK, json!(Deleted { deleted: key })))
    };
    respond(remove.await)
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct DidBody {
    number: String,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    emergency_enabled: bool,
    #[serde(default)]
    expires_at: Option<Timestamp>,
    /// The id of its DID group.
    #[serde(default)]
    did_group: Option<Uuid>,
    /// What the number can be used for, if no DID group is named.
    #[serde(default)]
    features: Option<Vec<String>>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct DidList {
    dids: Vec<DidBody>,
}

/// The schema of the body of [`add_dids`], which decodes one of the two by the presence of `dids`.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "a schema alone")]
enum DidsBody {
    One(DidBody),
    List(DidList),
}

impl From<DidBody> for NewDid {
    fn from(body: DidBody) -> Self {
        let DidBody { number, description, emergency_enabled, expires_at, did_group, features } = body;
        let features =
            features.map(|texts| texts.iter().map(|text| DidFeature::from(text.as_str())).collect());
        Self { number, description, emergency_enabled, expires_at, did_group, features }
    }
}

async fn add_dids(State(control): State<Control>, Path(id): Path<String>, body: Bytes) -> Response {
    let add = async {
        let value: Value = parse_body(&body)?;
        let parse = |error: serde_json::Error| ControlError::invalid("body", error.to_string());
        let dids = if value.get("dids").is_some() {
            serde_json::from_value::<DidList>(value).map_err(parse)?.dids
        } else {
            vec![serde_json::from_value::<DidBody>(value).map_err(parse)?]
        };
        let numbers: Vec<String> = dids.iter().map(|did| did.number.clone()).collect();
        let ids = control.add_dids(parse_id(&id, "account")?, dids.into_iter().map(NewDid::from)).await?;
        let number = |number: String| number.trim_start_matches('+').to_owned();
        let dids = ids.into_iter().zip(numbers).map(|(id, text)| Did { id, number: number(text) }).collect();
        Ok((StatusCode::CREATED, json!(Dids { dids })))
    };
    respond(add.await)
}

/// The members of a relationship: null, an id, or a list of ids.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
enum Related {
    One(Option<Uuid>),
    Many(Vec<Uuid>),
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RecordBody {
    id: Option<Uuid>,
    #[serde(default)]
    attributes: Map<String, Value>,
    #[serde(default)]
    relationships: BTreeMap<String, Related>,
    #[serde(default)]
    meta: Map<String, Value>,
}

async fn put_owned_record(
    State(control): State<Control>,
    Path((id, kind)): Path<(String, String)>,
    body: Bytes,
) -> Response {
    let put = async { put_record(&control, Some(parse_id(&id, "account")?), &kind, &body).await };
    respond(put.await)
}

async fn put_global_record(
    State(control): State<Control>,
    Path(kind): Path<String>,
    body: Bytes,
) -> Response {
    respond(put_record(&control, None, &kind, &body).await)
}

async fn put_record(control: &Control, account: Option<Uuid>, kind: &str, body: &Bytes) -> Outcome {
    let RecordBody { id, attributes, relationships, meta } = parse_body(body)?;
    let ids = |related| match related {
        Related::One(id) => id.into_iter().collect(),
        Related::Many(ids) => ids,
    };
    let relationships = relationships.into_iter().map(|(name, related)| (name, ids(related))).collect();
    let members = RecordMembers { attributes, relationships, meta };
    let stored = control.store_record(account, kind, id, members).await?;
    let status = if stored.is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, json!(StoredRecord { id: stored.id, kind: kind.to_owned() })))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct DidPatchBody {
    emergency_enabled: Option<bool>,
    blocked: Option<bool>,
    awaiting_registration: Option<bool>,
    expires_at: Option<Timestamp>,
}

async fn update_did(
    State(control): State<Control>,
    Path((id, did)): Path<(String, String)>,
    body: Bytes,
) -> Response {
    let change = async {
        let DidPatchBody { emergency_enabled, blocked, awaiting_registration, expires_at } =
            parse_body(&body)?;
        let patch = DidPatch { emergency_enabled, blocked, awaiting_registration, expires_at };
        control.update_did(parse_id(&id, "account")?, parse_id(&did, "DID")?, patch).await?;
        Ok((StatusCode::OK, json!(Updated { updated: did })))
    };
    respond(change.await)
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct IpOnlyBody {
    allowed_sip_ips: Vec<String>,
}

async fn make_ip_only(
    State(control): State<Control>,
    Path((id, trunk)): Path<(String, String)>,
    body: Bytes,
) -> Response {
    let change = async {
        let body: IpOnlyBody = parse_body(&body)?;
        let networks = IpNetworks::parse(&body.allowed_sip_ips)
            .map_err(|error| ControlError::invalid("allowed_sip_ips", error.to_string()))?;
        control.make_ip_only(parse_id(&id, "account")?, parse_id(&trunk, "trunk")?, &networks).await?;
        let is_open = networks.networks().any(|network| network.prefix() == 0);
        let warning = is_open.then_some(OPEN_TRUNK);
        Ok((StatusCode::OK, json!(UpdatedTrunk { updated: trunk, warning })))
    };
    respond(change.await)
}

/// Maximum number of open trunks in a listing.
const MAX_OPEN_TRUNKS: usize = 1_000;

async fn list_open_trunks(State(control): State<Control>) -> Response {
    let list = async {
        let open = control.open_trunks(MAX_OPEN_TRUNKS).await?;
        let trunk = |open: &OpenTrunk| answers::OpenTrunk {
            account: open.account,
            trunk: open.trunk,
            warning: open.notice,
        };
        let open_trunks = open.trunks.iter().map(trunk).collect();
        Ok((StatusCode::OK, json!(answers::OpenTrunks { open_trunks, total: open.total })))
    };
    respond(list.await)
}

/// Number of attempts that are listed if the request has no `limit`.
const DEFAULT_DELIVERIES: u64 = 100;

/// Selects the deliveries of one account, of one customer, or all.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct DeliveryQuery {
    account: Option<Uuid>,
    customer: Option<Uuid>,
    limit: Option<u64>,
}

async fn list_deliveries(State(control): State<Control>, uri: Uri) -> Response {
    let list = async {
        let DeliveryQuery { account, customer, limit } = parse_query(&uri)?;
        let limit = limit.unwrap_or(DEFAULT_DELIVERIES);
        let (backlog, deliveries) = match (account, customer) {
            (account, None) => (control.backlog(account).await?, control.deliveries(account, limit).await?),
            (None, Some(customer)) => {
                (control.webhook_backlog(customer).await?, control.webhook_deliveries(customer, limit).await?)
            }
            (Some(_), Some(_)) => {
                let message = "cannot be combined with `account`: a delivery belongs to one of the two";
                return Err(ControlError::invalid("customer", message));
            }
        };
        let accounts = control.accounts().await?;
        let id = |number| accounts.iter().find(|account| account.number == number).map(|account| account.id);
        let deliveries = deliveries.iter().map(|delivery| DeliveryAttempt::new(delivery, id)).collect();
        let Backlog { waiting, dropped } = backlog;
        Ok((StatusCode::OK, json!(Deliveries { deliveries, waiting, dropped })))
    };
    respond(list.await)
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ResetBody {
    account: Option<String>,
}

async fn reset(State(control): State<Control>, body: Bytes) -> Response {
    let reset = async {
        let body: ResetBody = parse_body(&body)?;
        let account = body.account.as_deref().map(|id| parse_id(id, "account")).transpose()?;
        control.reset(account).await?;
        Ok((
            StatusCode::OK,
            json!(answers::Reset { reset: body.account.unwrap_or_else(|| "all".to_owned()) }),
        ))
    };
    respond(reset.await)
}

fn clock_json(control: &Control) -> Value {
    json!(ClockState { now: control.clock().now(), frozen: control.clock().is_frozen() })
}

async fn show_clock(State(control): State<Control>) -> Response {
    respond(Ok((StatusCode::OK, clock_json(&control))))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct FreezeBody {
    at: Option<Timestamp>,
}

async fn freeze_clock(State(control): State<Control>, body: Bytes) -> Response {
    respond(parse_body::<FreezeBody>(&body).and_then(|body| {
        if body.at.is_some_and(|at| !Clock::can_be_set_to(at)) {
            return Err(ControlError::invalid("at", "must be in the years 1970 to 8999"));
        }
        control.clock().freeze(body.at);
        Ok((StatusCode::OK, clock_json(&control)))
    }))
}

/// Maximum number of seconds by which one request advances the clock: 100 years.
const MAX_ADVANCE_SECONDS: u64 = 100 * 365 * 24 * 3600;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct AdvanceBody {
    /// At most 100 years.
    #[schemars(range(max = 3_153_600_000_u64))]
    seconds: u64,
}

async fn advance_clock(State(control): State<Control>, body: Bytes) -> Response {
    respond(parse_body::<AdvanceBody>(&body).and_then(|body| {
        if body.seconds > MAX_ADVANCE_SECONDS {
            let message = format!("must be at most {MAX_ADVANCE_SECONDS}, which is 100 years");
            return Err(ControlError::invalid("seconds", message));
        }
        let by = Duration::from_secs(body.seconds);
        if !Clock::can_be_set_to(control.clock().now().after(by)) {
            return Err(ControlError::invalid("seconds", "must not lead beyond the year 8999"));
        }
        control.clock().advance(by);
        Ok((StatusCode::OK, clock_json(&control)))
    }))
}

async fn resume_clock(State(control): State<Control>) -> Response {
    control.clock().resume();
    respond(Ok((StatusCode::OK, clock_json(&control))))
}
