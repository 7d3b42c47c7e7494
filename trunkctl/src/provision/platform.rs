//! Providers and routes of the communication platform: identified by their names, and never deleted, because they
//! cannot have a mark.

use std::collections::{HashMap, HashSet};

use futures_util::TryStreamExt as _;
use serde_json::{Map, Value};
use voipbin_client::types::{BASIC, Provider, ProviderBody, Route, RouteCreate, RouteUpdate};
use voipbin_client::{Client, Error, Uuid};

use super::action::{Action, Change, Operation, Request, pending};
use super::part::{Part, PartEntry};
use super::plan::Plan;
use crate::exit::{Exit, Failure};
use crate::mask::HIDDEN;
use crate::near::is_like;

/// The member of a route that can be the placeholder of a provider.
pub(super) const PROVIDER_ID: &str = "provider_id";

/// Converts an error of the platform's client.
pub(super) fn failure(error: &Error) -> Failure {
    let exit = match error {
        Error::Unauthorized(_) | Error::Forbidden(_) => Exit::Denied,
        Error::NotFound(_) => Exit::NotFound,
        Error::Invalid(_) | Error::Conflict(_) | Error::PaymentRequired(_) => Exit::Invalid,
        Error::RateLimited { .. } | Error::Transport(_) => Exit::Unavailable,
        Error::NotSent(_) => Exit::Usage,
        _ => Exit::Failed,
    };
    Failure::new(exit, error.to_string())
}

/// Compares declared providers and routes with those that exist.
///
/// # Errors
/// The failures of requests. Invalid values are added to `problems`.
pub(super) async fn compare(
    client: &Client,
    entries: &[PartEntry],
    plan: &mut Plan,
    problems: &mut Vec<String>,
) -> Result<(), Failure> {
    let providers: Vec<Provider> =
        client.providers().list().stream().try_collect().await.map_err(|error| failure(&error))?;
    let ids = provider_ids(entries, &providers);
    let has_routes = entries.iter().any(|entry| entry.part == Part::Routes);
    let routes: Vec<Route> = if has_routes {
        client.routes().list().stream().try_collect().await.map_err(|error| failure(&error))?
    } else {
        Vec::new()
    };
    for entry in entries {
        let compared = match entry.part {
            Part::Providers => provider(entry, entries, &providers),
            Part::Routes => route(entry, entries, &routes, &ids),
        };
        match compared {
            Ok(compared) => {
                if compared.id.is_some() {
                    *plan.existing.entry(entry.part.as_str()).or_default() += 1;
                }
                match compared.action(entry) {
                    Some(action) => plan.actions.push(action),
                    None => plan.unchanged += 1,
                }
            }
            Err(problem) => problems.push(format!("  {}.{}: {problem}", entry.part, entry.key)),
        }
    }
    Ok(())
}

/// The id that a route's `provider` stands for; none for a name that several providers have.
fn provider_ids(entries: &[PartEntry], providers: &[Provider]) -> HashMap<String, Option<String>> {
    let mut ids: HashMap<String, Option<String>> = HashMap::new();
    for provider in providers {
        let id = Some(provider.id.to_string());
        ids.entry(provider.name.clone()).and_modify(|several| *several = None).or_insert(id);
    }
    for entry in entries.iter().filter(|entry| entry.part == Part::Providers) {
        // One that is not the only one is a problem of its own.
        let Ok(existing) = existing_provider(entry, entries, providers) else { continue };
        let id = existing
            .map_or_else(|| pending(entry.part.as_str(), &entry.key), |provider| provider.id.to_string());
        ids.insert(entry.key.clone(), Some(id));
    }
    ids
}

/// The bodies of a record before and after.
struct Compared {
    id: Option<String>,
    before: Map<String, Value>,
    after: Map<String, Value>,
}

impl Compared {
    fn action(self, entry: &PartEntry) -> Option<Action> {
        let mut changes = Vec::new();
        for (member, after) in &self.after {
            let before = self.before.get(member).unwrap_or(&Value::Null);
            let is_set = self.id.is_some() || !is_empty(after);
            if before != after && is_set {
                let before = self.id.as_ref().map(|_| shown(member, before));
                changes.push(Change { member: member.clone(), before, after: shown(member, after) });
            }
        }
        let operation = if self.id.is_some() { Operation::Update } else { Operation::Create };
        if operation == Operation::Update && changes.is_empty() {
            return None;
        }
        let request = Request::Part { part: entry.part, body: self.after };
        let (kind, key) = (entry.part.as_str(), entry.key.clone());
        Some(Action { operation, kind, key, id: self.id, changes, request })
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::String(text) => text.is_empty(),
        Value::Object(members) => members.is_empty(),
        other => other.is_null(),
    }
}

/// A carrier may authenticate its customer by a header, so values of headers are not shown.
fn shown(member: &str, value: &Value) -> Value {
    match value {
        Value::Object(members) if member == "tech_headers" => {
            members.keys().map(|name| (name.clone(), Value::from(HIDDEN))).collect::<Map<_, _>>().into()
        }
        other => other.clone(),
    }
}

fn object(value: impl serde::Serialize) -> Map<String, Value> {
    match serde_json::to_value(value) {
        Ok(Value::Object(members)) => members,
        _ => Map::new(),
    }
}

/// The only record with the name of an entry.
fn only<'a, T>(key: &str, found: impl Iterator<Item = &'a T>) -> Result<Option<&'a T>, String> {
    let mut found = found;
    match (found.next(), found.next()) {
        (Some(_), Some(_)) => Err(format!("several have the name `{key}`: declare one by its id")),
        (only, _) => Ok(only),
    }
}

/// The id that a key is, in the form in which ids are printed.
fn id_of(key: &str) -> Option<Uuid> {
    key.parse::<Uuid>().ok().filter(|id| id.to_string() == key)
}

fn known(entry: &PartEntry) -> Result<(), String> {
    let members = entry.part.members();
    match entry.members.keys().find(|name| !members.contains(&name.as_str())) {
        None => Ok(()),
        Some(name) => {
            let like: Vec<&str> = members.iter().copied().filter(|known| is_like(known, name)).collect();
            let right = if like.is_empty() { members.join(", ") } else { like.join(", ") };
            Err(format!("{} have no member {name}; valid: {right}", entry.part))
        }
    }
}

/// The name that an entry has for its record, if it is another one than its key.
fn renamed(entry: &PartEntry) -> Option<&str> {
    entry.members.get("name").and_then(Value::as_str).filter(|name| *name != entry.key && !name.is_empty())
}

/// Whether the key of an entry is the name or the id of a record.
fn is_key_of(entry: &PartEntry, name: &str, id: Uuid) -> bool {
    entry.key == name || id_of(&entry.key) == Some(id)
}

/// The provider of an entry: the one with its key as the id or the name, else the one that has been renamed, unless
/// that is another entry's by its key.
fn existing_provider<'a>(
    entry: &PartEntry,
    entries: &[PartEntry],
    providers: &'a [Provider],
) -> Result<Option<&'a Provider>, String> {
    let is_of = |entry: &PartEntry, found: &Provider| {
        entry.part == Part::Providers && is_key_of(entry, &found.name, found.id)
    };
    match (only(&entry.key, providers.iter().filter(|found| is_of(entry, found)))?, renamed(entry)) {
        (None, Some(name)) => {
            let is_free = |found: &&Provider| !entries.iter().any(|other| is_of(other, found));
            only(name, providers.iter().filter(|found| found.name == name).filter(is_free))
        }
        (existing, _) => Ok(existing),
    }
}

fn provider(entry: &PartEntry, entries: &[PartEntry], providers: &[Provider]) -> Result<Compared, String> {
    known(entry)?;
    let existing = existing_provider(entry, entries, providers)?;
    let before = match existing {
        Some(provider) => object(ProviderBody::from(provider.clone())),
        None => object(ProviderBody::sip(entry.key.as_str(), "")),
    };
    let mut after = before.clone();
    after.extend(entry.members.clone());
    // Decoded as by the service, so that a member of the wrong type is found here.
    let body: ProviderBody =
        serde_json::from_value(Value::Object(after)).map_err(|error| error.to_string())?;
    if body.hostname.is_empty() {
        return Err("hostname: can't be blank; valid: the SIP host of the carrier".to_owned());
    }
    Ok(Compared { id: existing.map(|provider| provider.id.to_string()), before, after: object(body) })
}

/// The customer that the entry of a route names.
fn customer_of(entry: &PartEntry) -> Result<Option<Uuid>, String> {
    let Some(value) = entry.members.get("customer") else { return Ok(None) };
    let text = value.as_str().unwrap_or_default();
    text.parse::<Uuid>().map(Some).map_err(|_| format!("customer: `{text}` is not an id"))
}

/// The route of an entry, found as a provider is, among those of the customer that the entry names.
fn existing_route<'a>(
    entry: &PartEntry,
    entries: &[PartEntry],
    routes: &'a [Route],
) -> Result<Option<&'a Route>, String> {
    let is_of_customer = |entry: &PartEntry, found: &Route| {
        // An entry with a wrong customer is a problem of its own.
        customer_of(entry).unwrap_or_default().is_none_or(|customer| found.customer_id == customer)
    };
    let is_of = |entry: &PartEntry, found: &Route| {
        entry.part == Part::Routes && is_key_of(entry, &found.name, found.id) && is_of_customer(entry, found)
    };
    match (only(&entry.key, routes.iter().filter(|found| is_of(entry, found)))?, renamed(entry)) {
        (None, Some(name)) => {
            let is_meant = |found: &&Route| found.name == name && is_of_customer(entry, found);
            let is_free = |found: &&Route| !entries.iter().any(|other| is_of(other, found));
            only(name, routes.iter().filter(is_meant).filter(is_free))
        }
        (existing, _) => Ok(existing),
    }
}

fn route(
    entry: &PartEntry,
    entries: &[PartEntry],
    routes: &[Route],
    ids: &HashMap<String, Option<String>>,
) -> Result<Compared, String> {
    known(entry)?;
    let customer = customer_of(entry)?;
    let mut members = entry.members.clone();
    members.remove("customer");
    let existing = existing_route(entry, entries, routes)?;
    let provider = match members.remove("provider") {
        None => existing.map(|route| route.provider_id.to_string()),
        Some(value) => {
            let text = value.as_str().unwrap_or_default();
            let id = match ids.get(text) {
                Some(None) => {
                    return Err(format!("provider: several are called `{text}`: name one by its id"));
                }
                Some(known) => known.clone(),
                None => text.parse::<Uuid>().ok().map(|id| id.to_string()),
            };
            Some(id.ok_or_else(|| format!("provider: there is no provider called `{text}`"))?)
        }
    };
    let provider = provider.ok_or("provider: can't be blank; valid: the name of a provider")?;
    let before = match existing {
        Some(route) => object(RouteUpdate::from(route.clone())),
        None => object(RouteUpdate { name: entry.key.clone(), ..RouteUpdate::default() }),
    };
    let mut after = before.clone();
    after.extend(members);
    let body: RouteUpdate =
        serde_json::from_value(Value::Object(after)).map_err(|error| error.to_string())?;
    if body.target.is_empty() {
        return Err("target: can't be blank; valid: a calling code such as +82, or all".to_owned());
    }
    let mut after = object(body);
    after.insert(PROVIDER_ID.to_owned(), Value::from(provider));
    if existing.is_none() {
        let customer = customer.unwrap_or(BASIC);
        after.insert("customer_id".to_owned(), Value::from(customer.to_string()));
    }
    Ok(Compared { id: existing.map(|route| route.id.to_string()), before, after })
}

/// A request for a provider or a route.
pub(super) enum PartRequest {
    CreateProvider(ProviderBody),
    UpdateProvider(Uuid, ProviderBody),
    CreateRoute(RouteCreate),
    UpdateRoute(Uuid, RouteUpdate),
}

impl PartRequest {
    /// Makes the request of an action: an update if there is an `id`, else a creation.
    ///
    /// # Errors
    /// If the service identified a record by a text that is not an id, or the members are not those of the type.
    pub(super) fn new(part: Part, id: Option<&str>, body: Map<String, Value>) -> Result<Self, String> {
        let id = id
            .map(|id| id.parse::<Uuid>().map_err(|error| format!("`{id}` is not an id: {error}")))
            .transpose()?;
        let body = Value::Object(body);
        Ok(match (part, id) {
            (Part::Providers, None) => Self::CreateProvider(decoded(body)?),
            (Part::Providers, Some(id)) => Self::UpdateProvider(id, decoded(body)?),
            (Part::Routes, None) => Self::CreateRoute(decoded(body)?),
            (Part::Routes, Some(id)) => Self::UpdateRoute(id, decoded(body)?),
        })
    }

    /// Sends it, and returns the id of the record.
    pub(super) async fn send(self, client: &Client) -> Result<String, Error> {
        let id = match self {
            Self::CreateProvider(body) => client.providers().create(body).await?.id,
            Self::UpdateProvider(id, body) => client.providers().update(id, body).await?.id,
            Self::CreateRoute(body) => client.routes().create(body).await?.id,
            Self::UpdateRoute(id, body) => client.routes().update(id, body).await?.id,
        };
        Ok(id.to_string())
    }
}

fn decoded<T: serde::de::DeserializeOwned>(body: Value) -> Result<T, String> {
    serde_json::from_value(body).map_err(|error| error.to_string())
}

/// The providers or routes as members of a declaration, and what is left out, in sentences.
///
/// # Errors
/// The failures of requests.
pub(super) async fn dump(
    client: &Client,
    part: Part,
    notes: &mut Vec<String>,
) -> Result<Map<String, Value>, Failure> {
    let providers: Vec<Provider> =
        client.providers().list().stream().try_collect().await.map_err(|error| failure(&error))?;
    let mut found = Map::new();
    let unique = only_names(providers.iter().map(|provider| provider.name.as_str()));
    if part == Part::Providers {
        for provider in providers {
            let (key, id) = (provider.name.clone(), provider.id.to_string());
            let mut members = object(ProviderBody::from(provider));
            if members.remove("tech_headers").is_some_and(|headers| !is_empty(&headers)) {
                notes.push(format!("providers.{key}: tech_headers may hold secrets and are left out"));
            }
            add(&mut found, if unique.contains(&key) { key } else { id }, members);
        }
        return Ok(found);
    }
    let names = providers.into_iter().filter(|provider| unique.contains(&provider.name));
    let names: HashMap<Uuid, String> = names.map(|provider| (provider.id, provider.name)).collect();
    let routes: Vec<Route> =
        client.routes().list().stream().try_collect().await.map_err(|error| failure(&error))?;
    let unique = only_names(routes.iter().map(|route| route.name.as_str()));
    for route in routes {
        let (key, id) = (route.name.clone(), route.id.to_string());
        let provider = names.get(&route.provider_id).cloned();
        let provider = provider.unwrap_or_else(|| route.provider_id.to_string());
        let customer = route.customer_id;
        let mut members = object(RouteUpdate::from(route));
        members.remove(PROVIDER_ID);
        members.insert("provider".to_owned(), Value::from(provider));
        members.insert("customer".to_owned(), Value::from(customer.to_string()));
        add(&mut found, if unique.contains(&key) { key } else { id }, members);
    }
    Ok(found)
}

/// The names that one record has and no other.
fn only_names<'a>(names: impl Iterator<Item = &'a str>) -> HashSet<String> {
    let mut times: HashMap<&str, usize> = HashMap::new();
    names.filter(|name| !name.is_empty()).for_each(|name| *times.entry(name).or_default() += 1);
    times.into_iter().filter(|(_, times)| *times == 1).map(|(name, _)| name.to_owned()).collect()
}

/// Adds a record by its name, or by its id if it has none or another record has it.
fn add(found: &mut Map<String, Value>, key: String, mut members: Map<String, Value>) {
    members.retain(|_, value| !is_empty(value));
    if members.get("name").and_then(Value::as_str) == Some(key.as_str()) {
        members.remove("name");
    }
    found.insert(key, Value::Object(members));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_sent_as_it_is_meant_is_not_sent() {
        let members = |members: Value| members.as_object().cloned().unwrap_or_default();
        let request = |id, body| PartRequest::new(Part::Providers, id, members(body));
        assert!(
            request(Some("pending:providers:a"), serde_json::json!({}))
                .is_err_and(|error| error.contains("is not an id"))
        );
        assert!(request(None, serde_json::json!({ "name": 1 })).is_err());
        let id = Uuid::nil().to_string();
        let update =
            request(Some(&id), serde_json::json!({ "type": "sip", "hostname": "a.test", "name": "a" }));
        assert!(matches!(update, Ok(PartRequest::UpdateProvider(..))));
    }
}
