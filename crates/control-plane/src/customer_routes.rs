//! The routes of the control listener for customers of the communication platform.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::{delete, get, post};
use didww_types::Secret;
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use crate::customers::{CUSTOMER_ADMIN, CustomerPatch, NewAccessKey, NewCustomer, TokenKind};
use crate::respond::{Outcome, parse_body, parse_id, respond};
use crate::{Control, ControlError};

/// Builds the routes of customers, of what belongs to them, and of providers.
pub(crate) fn routes() -> Router<Control> {
    Router::new()
        .route("/control/v1/customers", get(list).post(create))
        .route("/control/v1/customers/{id}", get(show).patch(update).delete(remove))
        .route("/control/v1/customers/{id}/agents", get(list_agents).post(create_agent))
        .route("/control/v1/customers/{id}/accesskeys", get(list_keys).post(create_key))
        .route("/control/v1/customers/{id}/accesskeys/{key}", delete(remove_key))
        .route("/control/v1/customers/{id}/numbers", get(list_numbers).post(add_number))
        .route("/control/v1/customers/{id}/numbers/{number}", delete(remove_number))
        .route("/control/v1/customers/{id}/tokens", post(create_token))
        .route("/control/v1/customers/{id}/flows", get(list_flows))
        .route("/control/v1/providers/probe", post(probe))
}

fn customer_id(id: &str) -> Result<Uuid, ControlError> {
    parse_id(id, "customer")
}

async fn list(State(control): State<Control>) -> Response {
    respond(async { Ok((StatusCode::OK, json!({ "customers": control.customers().await? }))) }.await)
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
        Ok((StatusCode::OK, json!({ "deleted": id })))
    };
    respond(delete.await)
}

async fn list_agents(State(control): State<Control>, Path(id): Path<String>) -> Response {
    let list = async { Ok((StatusCode::OK, json!({ "agents": control.agents(customer_id(&id)?).await? }))) };
    respond(list.await)
}

async fn create_agent(State(control): State<Control>, Path(id): Path<String>, body: Bytes) -> Response {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct AgentBody {
        username: String,
        password: Secret,
        #[serde(default = "customer_admin")]
        permission: u16,
    }
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
        Ok((StatusCode::OK, json!({ "accesskeys": control.access_keys(customer_id(&id)?).await? })))
    };
    respond(list.await)
}

async fn create_key(State(control): State<Control>, Path(id): Path<String>, body: Bytes) -> Response {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct AccessKeyBody {
        #[serde(default)]
        name: String,
        permission: Option<u16>,
        tm_expire: Option<String>,
    }
    let create = async {
        let AccessKeyBody { name, permission, tm_expire } = parse_body(&body)?;
        let new = NewAccessKey { name, permission, tm_expire };
        let (key, secret) = control.create_access_key(customer_id(&id)?, new).await?;
        let mut value = json!(key);
        if let Some(object) = value.as_object_mut() {
            object.insert("accesskey".to_owned(), json!(secret.expose()));
        }
        Ok((StatusCode::CREATED, value))
    };
    respond(create.await)
}

async fn remove_key(State(control): State<Control>, Path((id, key)): Path<(String, String)>) -> Response {
    let remove = async {
        control.delete_access_key(customer_id(&id)?, parse_id(&key, "access key")?).await?;
        Ok((StatusCode::OK, json!({ "deleted": key })))
    };
    respond(remove.await)
}

async fn list_numbers(State(control): State<Control>, Path(id): Path<String>) -> Response {
    let list =
        async { Ok((StatusCode::OK, json!({ "numbers": control.phone_numbers(customer_id(&id)?).await? }))) };
    respond(list.await)
}

async fn add_number(State(control): State<Control>, Path(id): Path<String>, body: Bytes) -> Response {
    #[derive(Deserialize)]
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
        Ok((StatusCode::OK, json!({ "deleted": number })))
    };
    respond(remove.await)
}

async fn create_token(State(control): State<Control>, Path(id): Path<String>, body: Bytes) -> Response {
    #[derive(Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Kind {
        Direct,
        Delegate,
    }
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct TokenBody {
        #[serde(rename = "type")]
        kind: Kind,
    }
    let create = || -> Outcome {
        let TokenBody { kind } = parse_body(&body)?;
        let kind = match kind {
            Kind::Direct => TokenKind::Direct,
            Kind::Delegate => TokenKind::Delegate,
        };
        let token = control.token(customer_id(&id)?, kind)?;
        Ok((StatusCode::CREATED, json!({ "token": token.expose() })))
    };
    respond(create())
}

async fn list_flows(State(control): State<Control>, Path(id): Path<String>) -> Response {
    let list = async { Ok((StatusCode::OK, json!({ "flows": control.flows(customer_id(&id)?).await? }))) };
    respond(list.await)
}

async fn probe(State(control): State<Control>) -> Response {
    let probe = async { Ok((StatusCode::OK, json!({ "probed": control.probe_providers().await? }))) };
    respond(probe.await)
}
