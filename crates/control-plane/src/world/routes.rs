//! The routes of worlds.

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::loaded::LoadAnswer;
use super::model::World;
use super::save::SaveOptions;
use super::scenarios::{SCENARIOS, scenario};
use crate::respond::{Outcome, parse_query, respond};
use crate::route::Route;
use crate::{Control, ControlError};

/// The routes of worlds.
pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::get("/world", "Returns what is stored as a world.", save)
            .query::<SaveQuery>()
            .answers::<Value>(200)
            .errors(&[404, 422]),
        Route::post("/world", "Stores a world, or one that the program contains.", load)
            .query::<LoadQuery>()
            .body::<Value>()
            .answers::<LoadAnswer>(200)
            .errors(&[404, 409, 422]),
        Route::get("/scenarios", "Lists the worlds that the program contains.", list_scenarios)
            .answers::<Scenarios>(200),
    ]
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct SaveQuery {
    /// The id of the only account that is saved.
    account: Option<Uuid>,
    /// Whether passwords and secrets are saved, and the digests of keys.
    #[serde(default)]
    secrets: bool,
    /// Whether all records are saved that accounts share, and not only those that the accounts' records refer to.
    #[serde(default)]
    all_shared: bool,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct LoadQuery {
    /// The id of the account that receives the records of the world's only account.
    account: Option<Uuid>,
    /// The name of a world that the program contains, instead of a body.
    scenario: Option<String>,
}

/// The worlds that the program contains.
#[derive(Serialize, JsonSchema)]
struct Scenarios {
    scenarios: Vec<ScenarioAnswer>,
}

/// A world that the program contains.
#[derive(Serialize, JsonSchema)]
struct ScenarioAnswer {
    /// The name, such as `one-trunk`.
    name: &'static str,
    /// A sentence that describes the contents.
    description: &'static str,
}

async fn save(State(control): State<Control>, uri: Uri) -> Response {
    match saved(&control, &uri).await {
        Ok(world) => {
            // As the text of the world itself, so that equal worlds are equal bytes.
            let mut response = Response::new(Body::from(world.to_json()));
            let json = HeaderValue::from_static("application/json");
            response.headers_mut().insert(header::CONTENT_TYPE, json);
            response
        }
        Err(error) => respond(Err(error)),
    }
}

async fn saved(control: &Control, uri: &Uri) -> Result<World, ControlError> {
    let SaveQuery { account, secrets, all_shared } = parse_query(uri)?;
    control.save_world(SaveOptions { account, secrets, all_shared }).await
}

async fn load(State(control): State<Control>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    respond(loaded(&control, &uri, &headers, &body).await)
}

async fn loaded(control: &Control, uri: &Uri, headers: &HeaderMap, body: &Bytes) -> Outcome {
    let LoadQuery { account, scenario: named } = parse_query(uri)?;
    let world = match named {
        Some(_) if !body.is_empty() => {
            return Err(ControlError::invalid("scenario", "replaces the body: send one of them"));
        }
        Some(name) => {
            let known: Vec<&str> = SCENARIOS.iter().map(|one| one.name).collect();
            let found = scenario(&name).ok_or_else(|| {
                ControlError::invalid("scenario", format!("`{name}` is none of {}", known.join(", ")))
            })?;
            found.world()
        }
        None => {
            let text = std::str::from_utf8(body)
                .map_err(|_| ControlError::invalid("body", "must be text in UTF-8"))?;
            let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
            let is_toml = kind.is_some_and(|kind| kind.to_ascii_lowercase().contains("toml"));
            if is_toml { World::from_toml(text) } else { World::from_json(text) }
        }
    };
    let world = world.map_err(|error| ControlError::invalid("body", format!("is not a world: {error}")))?;
    let loaded = control.load_world(&world, account).await?;
    Ok((StatusCode::OK, json!(LoadAnswer::from(loaded))))
}

async fn list_scenarios() -> Response {
    let scenarios =
        SCENARIOS.iter().map(|one| ScenarioAnswer { name: one.name, description: one.description });
    respond(Ok((StatusCode::OK, json!(Scenarios { scenarios: scenarios.collect() }))))
}
