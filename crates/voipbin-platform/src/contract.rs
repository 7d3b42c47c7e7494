//! Declares the requests and responses of each operation of the API, and the `OpenAPI` document of all of them.
//!
//! An operation that is added to [`Operation`] needs an arm in [`declare`], or the crate does not compile: there is no
//! handler without a declaration. The types of bodies and answers are those that the handlers decode and encode; the
//! reasons of errors are those of [`voipbin_types::ErrorReason`]. After a change, run
//! `UPDATE_DOCS=1 cargo test -p trunk-tests --test it docs`, which writes `trunk-server/openapi/voipbin.json`.

use std::sync::LazyLock;

use http::Method;
use http_contract::{Contract, Header, Operation as Declared, Security};
use schemars::JsonSchema;
use serde_json::Value;
use uuid::Uuid;
use voipbin_types::{
    AccessKey, AccessKeyCreate, AccessKeyUpdate, Call, CallCreate, CallsCreated, Customer, CustomerBody,
    ErrorEnvelope, Flow, FlowBody, Login, LoginBody, Number, NumberBody, NumberFlows, OutboundConfig,
    OutboundConfigCreate, OutboundConfigPatch, Page, Provider, ProviderBody, ProviderCall,
    ProviderCallCreate, ProviderLogin, ProviderSetup, Route, RouteCreate, RouteUpdate, SupportMetadata,
};

use crate::api::timelines::Events;
use crate::endpoints::{ENDPOINTS, Endpoint, Needs, Operation};
use crate::entity::json_text;
use crate::sip_analysis::SipAnalysis;

/// The statuses with which every operation can refuse: a parameter or a body that is not valid, credentials,
/// permission, an id that does not exist, too many requests, a failure, and a store that accepts no work.
const COMMON_ERRORS: &[u16] = &[400, 401, 403, 404, 429, 500, 503];

/// The parameters of every list.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "a schema alone: `query` reads the parameters")]
struct PageQuery {
    /// The number of records on a page, 1 to 100. Any other number counts as 100.
    page_size: Option<i64>,
    /// The `next_page_token` of the page before: a timestamp. Records that were created earlier are listed.
    page_token: Option<String>,
}

/// The parameters of lists of the records of all customers.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "a schema alone: `query` reads the parameters")]
struct CustomerQuery {
    #[schemars(flatten)]
    page: PageQuery,
    /// Lists only the records of this customer.
    customer_id: Option<Uuid>,
}

/// The parameters of the list of provider calls.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "a schema alone: `query` reads the parameters")]
struct ProviderQuery {
    #[schemars(flatten)]
    page: PageQuery,
    /// Lists only the calls through this provider.
    provider_id: Option<Uuid>,
}

/// The parameters of lists of events.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "a schema alone: `query` reads the parameters")]
struct EventQuery {
    /// The number of events on a page, 1 to 1000. Any other number counts as 100.
    page_size: Option<i64>,
    /// The `next_page_token` of the page before: a timestamp. Earlier events are listed.
    page_token: Option<String>,
}

/// The parameters of the events of an activeflow: one of the ids.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "a schema alone: `query` reads the parameters")]
struct ActiveflowQuery {
    #[schemars(flatten)]
    page: EventQuery,
    /// The id of the activeflow.
    activeflow_id: Option<Uuid>,
    /// A call that runs the activeflow.
    call_id: Option<Uuid>,
}

/// The record of an event.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "a schema alone: `timelines` writes the records")]
#[schemars(untagged)]
enum Subject {
    /// The call after the event.
    Call(Box<Call>),
    /// The flow after the event.
    Flow(Box<Flow>),
}

/// The text of the document. Requests for it need no credentials, so it is built once.
pub(crate) static OPENAPI_TEXT: LazyLock<String> = LazyLock::new(|| json_text(&openapi()));

/// Builds the `OpenAPI` document of the API below `/v1.0`, and of the login.
pub fn openapi() -> Value {
    let description = "VoIPBIN's outbound side, as trunk-server serves it: compatible with VoIPBIN and not affiliated with \
                       it. Every success is 200. A token is sent as a bearer, an access key as a cookie or in the query.";
    let contract = Contract::new::<ErrorEnvelope>("trunk-server /v1.0", "/v1.0", description)
        .version("1.0")
        .security(Security::Bearer)
        .security(Security::Cookie("accesskey"))
        .security(Security::Query("accesskey"))
        .header(Header::IDEMPOTENCY_KEY)
        .errors(COMMON_ERRORS);
    let declared: Vec<Declared> = ENDPOINTS.iter().map(declare).chain([log_in()]).collect();
    contract.document(&declared)
}

/// Declares the login, which is the only operation beside the versioned paths.
fn log_in() -> Declared {
    Declared::new(Method::POST, "/auth/login", "Returns a token for a username and a password.")
        .description(
            "The token is also in the cookie `token`. A wrong username, a wrong password and a body that cannot be read \
             are refused alike: with 400 and no body.",
        )
        .apart()
        .body::<LoginBody>()
        .answers::<Login>(200)
        .answers_empty(400)
        .errors(&[429, 500, 503])
}

/// Declares the requests and responses of an endpoint.
#[expect(clippy::too_many_lines, reason = "a table with one arm for each endpoint")]
fn declare(endpoint: &Endpoint) -> Declared {
    // The methods of `ENDPOINTS` are names of methods.
    let method = Method::from_bytes(endpoint.method.as_bytes()).unwrap_or_default();
    let needs = match endpoint.needs {
        Needs::SuperAdmin => "The caller must be a super admin of the platform.",
        Needs::CustomerAdmin => "The caller must be an admin of the customer.",
        Needs::CustomerAdminOrManager => "The caller must be an admin or a manager of the customer.",
    };
    let declared = |summary| Declared::new(method, endpoint.path, summary).description(needs);
    match endpoint.operation {
        Operation::OwnConfig => {
            declared("Returns the outbound config of the caller's customer.").answers::<OutboundConfig>(200)
        }
        Operation::UpdateOwnConfig => declared("Changes the outbound config of the caller's customer.")
            .body::<OutboundConfigPatch>()
            .answers::<OutboundConfig>(200)
            .errors(&[409]),
        Operation::ListConfigs => declared("Lists the outbound configs, newest first.")
            .query::<CustomerQuery>()
            .answers::<Page<OutboundConfig>>(200),
        Operation::CreateConfig => declared("Creates the outbound config of a customer that has none.")
            .body::<OutboundConfigCreate>()
            .answers::<OutboundConfig>(200)
            .errors(&[409]),
        Operation::GetConfig => declared("Returns one outbound config.").answers::<OutboundConfig>(200),
        Operation::UpdateConfig => declared("Changes an outbound config.")
            .body::<OutboundConfigPatch>()
            .answers::<OutboundConfig>(200)
            .errors(&[409]),
        Operation::DeleteConfig => {
            declared("Deletes an outbound config.").answers::<OutboundConfig>(200).errors(&[409])
        }
        Operation::ListProviders => {
            declared("Lists the providers, newest first.").query::<PageQuery>().answers::<Page<Provider>>(200)
        }
        Operation::CreateProvider => {
            declared("Creates a provider.").body::<ProviderBody>().answers::<Provider>(200).errors(&[409])
        }
        Operation::SetUpProvider => declared("Creates what is needed at a carrier, and a provider for it.")
            .body::<ProviderSetup>()
            .answers::<Provider>(200)
            .errors(&[409]),
        Operation::GetProvider => declared("Returns one provider.").answers::<Provider>(200),
        Operation::UpdateProvider => declared("Replaces every member of a provider.")
            .body::<ProviderBody>()
            .answers::<Provider>(200)
            .errors(&[409]),
        Operation::DeleteProvider => declared("Deletes a provider.").answers::<Provider>(200).errors(&[409]),
        Operation::SetCredentials => declared("Replaces the SIP credentials of a provider.")
            .body::<ProviderLogin>()
            .answers::<Provider>(200)
            .errors(&[409]),
        Operation::ForgetCredentials => {
            declared("Forgets the SIP credentials of a provider.").answers::<Provider>(200).errors(&[409])
        }
        Operation::ListRoutes => {
            declared("Lists the routes, newest first.").query::<CustomerQuery>().answers::<Page<Route>>(200)
        }
        Operation::CreateRoute => {
            declared("Creates a route.").body::<RouteCreate>().answers::<Route>(200).errors(&[409])
        }
        Operation::GetRoute => declared("Returns one route.").answers::<Route>(200),
        Operation::UpdateRoute => declared("Replaces every member of a route but its customer.")
            .body::<RouteUpdate>()
            .answers::<Route>(200)
            .errors(&[409]),
        Operation::DeleteRoute => declared("Deletes a route.").answers::<Route>(200).errors(&[409]),
        Operation::ListProviderCalls => declared("Lists the provider calls, newest first.")
            .query::<ProviderQuery>()
            .answers::<Page<ProviderCall>>(200),
        Operation::CreateProviderCall => declared("Places calls through one provider.")
            .body::<ProviderCallCreate>()
            .answers::<ProviderCall>(200)
            .errors(&[402, 409]),
        Operation::GetProviderCall => declared("Returns one provider call.").answers::<ProviderCall>(200),
        Operation::DeleteProviderCall => {
            declared("Deletes the record of a provider call; its calls continue.")
                .answers::<ProviderCall>(200)
                .errors(&[409])
        }
        Operation::ListCalls => declared("Lists the calls of the caller's customer, newest first.")
            .query::<PageQuery>()
            .answers::<Page<Call>>(200),
        Operation::CreateCalls => declared("Places calls through the routes of the caller's customer.")
            .body::<CallCreate>()
            .answers::<CallsCreated>(200)
            .errors(&[402, 409]),
        Operation::GetCall => declared("Returns one call.").answers::<Call>(200).errors(&[409]),
        Operation::DeleteCall => {
            declared("Hangs up a call and deletes its record.").answers::<Call>(200).errors(&[409])
        }
        Operation::HangUpCall => declared("Hangs up a call.").answers::<Call>(200).errors(&[409]),
        Operation::ListEvents => declared("Lists the events of a call or of a kept flow, newest first.")
            .text_parameter("resource_type")
            .query::<EventQuery>()
            .answers::<Events<'static, Subject>>(200)
            .errors(&[409]),
        Operation::AnalyseSip => {
            declared("Returns the SIP messages of the last attempt of a call, oldest first.")
                .answers::<SipAnalysis>(200)
        }
        Operation::CaptureFile => {
            declared("Returns the SIP messages of the last attempt of a call as a capture file.")
                .answers_with(200, "application/vnd.tcpdump.pcap")
        }
        Operation::AggregateEvents => {
            declared("Lists the events of the call that runs an activeflow, newest first.")
                .query::<ActiveflowQuery>()
                .answers::<Events<'static, Subject>>(200)
        }
        Operation::ListFlows => declared("Lists the kept flows of the caller's customer, newest first.")
            .query::<PageQuery>()
            .answers::<Page<Flow>>(200),
        Operation::CreateFlow => declared("Creates a flow, which is kept until it is deleted.")
            .body::<FlowBody>()
            .answers::<Flow>(200),
        Operation::GetFlow => declared("Returns one flow.").answers::<Flow>(200),
        Operation::UpdateFlow => declared("Replaces every member of a flow.")
            .body::<FlowBody>()
            .answers::<Flow>(200)
            .errors(&[409]),
        Operation::DeleteFlow => declared("Deletes a flow, and removes it from the numbers that name it.")
            .answers::<Flow>(200)
            .errors(&[409]),
        Operation::RegenerateDirectHash => {
            declared("Replaces the direct hash of a flow.").answers::<Flow>(200).errors(&[409])
        }
        Operation::ListNumbers => declared("Lists the numbers of the caller's customer, newest first.")
            .query::<PageQuery>()
            .answers::<Page<Number>>(200),
        Operation::GetNumber => declared("Returns one number.").answers::<Number>(200),
        Operation::UpdateNumber => declared("Replaces every writable member of a number but its metadata.")
            .body::<NumberBody>()
            .answers::<Number>(200)
            .errors(&[409]),
        Operation::UpdateNumberFlows => declared("Replaces both flows of a number.")
            .body::<NumberFlows>()
            .answers::<Number>(200)
            .errors(&[409]),
        Operation::UpdateNumberMetadata => declared("Replaces the metadata of a number.")
            .body::<SupportMetadata>()
            .answers::<Number>(200)
            .errors(&[409]),
        Operation::OwnCustomer => {
            declared("Returns the caller's customer, with the secret that its webhooks are signed with.")
                .answers::<Customer>(200)
        }
        Operation::UpdateOwnCustomer => {
            declared("Replaces what describes the caller's customer, and where its webhooks go.")
                .body::<CustomerBody>()
                .answers::<Customer>(200)
                .errors(&[409])
        }
        Operation::UpdateOwnMetadata => declared("Replaces the metadata of the caller's customer.")
            .body::<SupportMetadata>()
            .answers::<Customer>(200)
            .errors(&[409]),
        Operation::ListAccessKeys => {
            declared("Lists the access keys of the caller's customer, newest first.")
                .query::<PageQuery>()
                .answers::<Page<AccessKey>>(200)
        }
        Operation::CreateAccessKey => {
            declared("Creates an access key. Its answer alone contains the key, as `token`.")
                .body::<AccessKeyCreate>()
                .answers::<AccessKey>(200)
        }
        Operation::GetAccessKey => {
            declared("Returns one access key.").answers::<AccessKey>(200).errors(&[409])
        }
        Operation::UpdateAccessKey => declared("Replaces the name and the note of an access key.")
            .body::<AccessKeyUpdate>()
            .answers::<AccessKey>(200)
            .errors(&[409]),
        Operation::DeleteAccessKey => {
            declared("Deletes an access key, which ends at once.").answers::<AccessKey>(200).errors(&[409])
        }
    }
}
