//! The routes of the control listener for customers of the communication platform.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::Response;
use didww_types::Secret;
use http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;
use voipbin_platform::{AccessKey, Agent, CallTry, Customer, Flow, Number, OpenProvider, Provider};

use crate::answers::Deleted;
use crate::customers::{CUSTOMER_ADMIN, CustomerPatch, NewAccessKey, NewCustomer, TokenKind};
use crate::respond::{Outcome, parse_body, parse_id, respond};
use crate::route::Route;
use crate::{Control, ControlError};

/// The routes of customers and their records, and of providers.
pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::get("/customers", "Lists the customers, newest first.", list).answers::<CustomerList>(200),
        Route::post("/customers", "Creates a customer and its empty outbound config.", create)
            .body::<CustomerPatch>()
            .answers::<Customer>(201)
            .errors(&[409, 422]),
        Route::get("/customers/{id}", "Returns one customer.", show).answers::<Customer>(200).errors(&[404]),
        Route::patch("/customers/{id}", "Changes a customer from the next request and call on.", update)
            .body::<CustomerPatch>()
            .answers::<Customer>(200)
            .errors(&[404, 409, 422]),
        Route::delete(
            "/customers/{id}",
            "Deletes a customer with all that belongs to it but its calls.",
            remove,
        )
        .answers::<Deleted>(200)
        .errors(&[404, 409]),
        Route::get("/customers/{id}/agents", "Lists the agents of a customer.", list_agents)
            .answers::<AgentList>(200)
            .errors(&[404]),
        Route::post("/customers/{id}/agents", "Creates an agent, who can log in.", create_agent)
            .body::<AgentBody>()
            .answers::<Agent>(201)
            .errors(&[404, 409, 422]),
        Route::get("/customers/{id}/accesskeys", "Lists the access keys of a customer.", list_keys)
            .answers::<AccessKeyList>(200)
            .errors(&[404]),
        Route::post("/customers/{id}/accesskeys", "Creates an access key.", create_key)
            .body::<AccessKeyBody>()
            .answers::<NewKeyAnswer>(201)
            .errors(&[404, 409, 422]),
        Route::delete("/customers/{id}/accesskeys/{key}", "Removes an access key.", remove_key)
            .answers::<Deleted>(200)
            .errors(&[404, 409]),
        Route::get("/customers/{id}/numbers", "Lists the phone numbers of a customer.", list_numbers)
            .answers::<PhoneNumberList>(200)
            .errors(&[404]),
        Route::post("/customers/{id}/numbers", "Adds a phone number as a source of calls.", add_number)
            .body::<NumberBody>()
            .answers::<Number>(201)
            .errors(&[404, 409, 422]),
        Route::delete("/customers/{id}/numbers/{number}", "Removes a phone number.", remove_number)
            .answers::<Deleted>(200)
            .errors(&[404, 409]),
        Route::post("/customers/{id}/tokens", "Creates a token that the login does not issue.", create_token)
            .body::<TokenBody>()
            .answers::<Token>(201)
            .errors(&[404, 422]),
        Route::get("/customers/{id}/flows", "Lists the flows of a customer.", list_flows)
            .answers::<FlowList>(200)
            .errors(&[404]),
        Route::get(
            "/customers/{id}/calls/{call}/tries",
            "Lists what a call tried at carriers, oldest first.",
            list_tries,
        )
        .answers::<TryList>(200)
        .errors(&[404]),
        Route::get("/providers", "Lists the providers with their health, newest first.", list_providers)
            .answers::<ProviderList>(200),
        Route::get(
            "/providers/open",
            "Lists the providers whose trunk at the carrier takes calls from any address.",
            list_open_providers,
        )
        .answers::<OpenProviderList>(200),
        Route::post("/providers/probe", "Checks the health of every provider now.", probe)
            .answers::<Probed>(200),
    ]
}

/// The customers, newest first.
#[derive(Serialize, JsonSchema)]
struct CustomerList {
    customers: Vec<Customer>,
}

/// Agents of a customer, newest first.
#[derive(Serialize, JsonSchema)]
struct AgentList {
    agents: Vec<Agent>,
}

/// Access keys of a customer, newest first, without the keys themselves.
#[derive(Serialize, JsonSchema)]
struct AccessKeyList {
    accesskeys: Vec<AccessKey>,
}

/// A new access key, which is shown only here.
#[derive(Serialize, JsonSchema)]
struct NewKeyAnswer {
    #[serde(flatten)]
    key: AccessKey,
    /// The access key, in clear text.
    accesskey: String,
}

/// Phone numbers of a customer, newest first.
#[derive(Serialize, JsonSchema)]
struct PhoneNumberList {
    numbers: Vec<Number>,
}

/// Flows of a customer, newest first.
#[derive(Serialize, JsonSchema)]
struct FlowList {
    flows: Vec<Flow>,
}

/// The attempts of a call at carriers, oldest first: at most 20 attempts, the last ones.
#[derive(Serialize, JsonSchema)]
struct TryList {
    tries: Vec<CallTry>,
}

/// A token of the platform.
#[derive(Serialize, JsonSchema)]
struct Token {
    token: String,
}

/// The providers, newest first.
#[derive(Serialize, JsonSchema)]
struct ProviderList {
    providers: Vec<Provider>,
}

/// The providers whose trunk accepted calls from any address when the carrier's API was last queried, newest first.
#[derive(Serialize, JsonSchema)]
struct OpenProviderList {
    /// At most 1,000 of them.
    open_providers: Vec<OpenProvider>,
    /// The number of all of them.
    total: usize,
}

/// The number of providers that were probed.
#[derive(Serialize, JsonSchema)]
struct Probed {
    probed: usize,
}

fn customer_id(id: &str) -> Result<Uuid, ControlError> {
    parse_id(id, "customer")
}

async fn list(State(control): State<Control>) -> Response {
    respond(
        async { Ok((StatusCode::OK, json!(CustomerList { customers: control.customers().await? }))) }.await,
    )
}

async fn create(State(control): State<Control>, body: Bytes) -> Response {
    let create = async {
        let body: CustomerPatch = parse_body(&body)?;
        let mut new = NewCustomer::named(body.name.unwrap_or_default());
        new.status = body.status.unwrap_or(new.status);
        new.identity_verified = body.identity_verified.unwrap_or(new.identity_verified);
        new.balance = body.balance.unwrap_or(new.balance);
        new.rtp_debug = body.rtp_debug.unwrap_or(new.rtp_debug);
        new.webhook_uri = body.webhook_uri.unwrap_or_default();
        new.webhook_method = body.webhook_method.unwrap_or_default();
        new.webhook_secret = body.webhook_secret;
        Ok((StatusCode::CREATED, json!(control.create_customer(new).await?)))
    };
    respond(create.await)
}

async fn show(State(control): State<Control>, Path(id): Path<String>) -> Response {
    respond(
        customer_id(&id)
            .and_then(|id| control.customer(id))
            .map(|customer| (StatusCode::OK, json!(customer))),
    )
}

async fn update(State(control): State<Control>, Path(id): Path<String>, body: Bytes) -> Response {
    let change = async {
        let patch: CustomerPatch = parse_body(&body)?;
        Ok((StatusCode::OK, json!(control.update_customer(customer_id(&id)?, patch).await?)))
    };
    respond(change.await)
}

async fn remove(State(control): State<Control>, Path(id): Path<String>) -> Response {
    let delete = async {
        control.delete_customer(customer_id(&id)?).await?;
        Ok((StatusCode::OK, json!(Deleted { deleted: id })))
    };
    respond(delete.await)
}

async fn list_agents(State(control): State<Control>, Path(id): Path<String>) -> Response {
    let list = async {
        let agents = control.agents(customer_id(&id)?).await?;
        Ok((StatusCode::OK, json!(AgentList { agents })))
    };
    respond(list.await)
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct AgentBody {
    username: String,
    password: Secret,
    #[serde(default = "customer_admin")]
    permission: u16,
}

async fn create_agent(State(control): State<Control>, Path(id): Path<String>, body: Bytes) -> Response {
    let create = async {
        let AgentBody { username, password, permission } = parse_body(&body)?;
        let agent = control.create_agent(customer_id(&id)?, &username, password, permission).await?;
        Ok((StatusCode::CREATED, json!(agent)))
    };
    respond(create.await)
}

fn customer_admin() -> u16 {
    CUSTOMER_ADMIN
}

async fn list_keys(State(control): State<Control>, Path(id): Path<String>) -> Response {
    let list = async {
        let accesskeys = control.access_keys(customer_id(&id)?).await?;
        Ok((StatusCode::OK, json!(AccessKeyList { accesskeys })))
    };
    respond(list.await)
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct AccessKeyBody {
    #[serde(default)]
    name: String,
    permission: Option<u16>,
    tm_expire: Option<String>,
}

async fn create_key(State(control): State<Control>, Path(id): Path<String>, body: Bytes) -> Response {
    let create = async {
        let AccessKeyBody { name, permission, tm_expire } = parse_body(&body)?;
        let new = NewAccessKey { name, permission, tm_expire };
        let (key, secret) = control.create_access_key(customer_id(&id)?, new).await?;
        Ok((StatusCode::CREATED, json!(NewKeyAnswer { key, accesskey: secret.expose().to_owned() })))
    };
    respond(create.await)
}

async fn remove_key(State(control): State<Control>, Path((id, key)): Path<(String, String)>) -> Response {
    let remove = async {
        control.delete_access_key(customer_id(&id)?, parse_id(&key, "access key")?).await?;
        Ok((StatusCode::OK, json!(Deleted { deleted: key })))
    };
    respond(remove.await)
}

async fn list_numbers(State(control): State<Control>, Path(id): Path<String>) -> Response {
    let list = async {
        let numbers = control.phone_numbers(customer_id(&id)?).await?;
        Ok((StatusCode::OK, json!(PhoneNumberList { numbers })))
    };
    respond(list.await)
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NumberBody {
    number: String,
    #[serde(rename = "type", default = "normal")]
    kind: String,
    #[serde(default = "active")]
    status: String,
}

fn normal() -> String {
    "normal".to_owned()
}

fn active() -> String {
    "active".to_owned()
}

async fn add_number(State(control): State<Control>, Path(id): Path<String>, body: Bytes) -> Response {
    let add = async {
        let NumberBody { number, kind, status } = parse_body(&body)?;
        let number = control.add_phone_number(customer_id(&id)?, &number, &kind, &status).await?;
        Ok((StatusCode::CREATED, json!(number)))
    };
    respond(add.await)
}

async fn remove_number(
    State(control): State<Control>,
    Path((id, number)): Path<(String, String)>,
) -> Response {
    let remove = async {
        control.remove_phone_number(customer_id(&id)?, parse_id(&number, "phone number")?).await?;
        Ok((StatusCode::OK, json!(Deleted { deleted: number })))
    };
    respond(remove.await)
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum TokenType {
    Direct,
    Delegate,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct TokenBody {
    #[serde(rename = "type")]
    kind: TokenType,
}

async fn create_token(State(control): State<Control>, Path(id): Path<String>, body: Bytes) -> Response {
    let create = || -> Outcome {
        let TokenBody { kind } = parse_body(&body)?;
        let kind = match kind {
            TokenType::Direct => TokenKind::Direct,
            TokenType::Delegate => TokenKind::Delegate,
        };
        let token = control.token(customer_id(&id)?, kind)?;
        Ok((StatusCode::CREATED, json!(Token { token: token.expose().to_owned() })))
    };
    respond(create())
}

async fn list_flows(State(control): State<Control>, Path(id): Path<String>) -> Response {
    let list = async {
        let flows = control.flows(customer_id(&id)?).await?;
        Ok((StatusCode::OK, json!(FlowList { flows })))
    };
    respond(list.await)
}

async fn list_tries(State(control): State<Control>, Path((id, call)): Path<(String, String)>) -> Response {
    let list = async {
        let tries = control.call_tries(customer_id(&id)?, parse_id(&call, "call")?).await?;
        Ok((StatusCode::OK, json!(TryList { tries })))
    };
    respond(list.await)
}

/// Maximum number of open providers in a listing.
const MAX_OPEN_PROVIDERS: usize = 1_000;

async fn list_open_providers(State(control): State<Control>) -> Response {
    let list = async {
        let mut open_providers = control.open_providers().await?;
        let total = open_providers.len();
        open_providers.truncate(MAX_OPEN_PROVIDERS);
        Ok((StatusCode::OK, json!(OpenProviderList { open_providers, total })))
    };
    respond(list.await)
}

async fn list_providers(State(control): State<Control>) -> Response {
    let providers = control.providers().await;
    respond(providers.map(|providers| (StatusCode::OK, json!(ProviderList { providers }))))
}

async fn probe(State(control): State<Control>) -> Response {
    let probe = async {
        let probed = control.probe_providers().await?;
        Ok((StatusCode::OK, json!(Probed { probed })))
    };
    respond(probe.await)
}
