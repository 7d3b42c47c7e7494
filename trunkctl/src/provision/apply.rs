//! Carries out a plan.
//!
//! Requests run in parallel; those that refer to a record that the plan creates wait for it, and deletions come
//! last. After a failure no further request is sent. Repeating the command makes a new plan of the remaining
//! differences.

use std::collections::{BTreeSet, HashMap, VecDeque};

use didww_client::{Client, Error, Method, ResourceSpec, TransportKind, encode_component};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use serde_json::Value;

use super::action::{Action, Operation, Request, identifiers, is_pending, pending};
use super::clients::Clients;
use super::plan::Plan;
use super::platform::{PROVIDER_ID, PartRequest};
use crate::resource::Body;
use crate::service_error::failure_of;
use crate::terminal::{Interrupts, Progress, note};

/// The outcome of an action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The action is done; contains the id of the record.
    Done(String),
    /// The service refused the request: nothing changed.
    Refused(String),
    /// No complete response arrived: the record may have changed.
    Unclear(String),
    /// The request was not sent, because of an earlier failure.
    NotBegun,
}

/// The outcome of a plan: each of its actions, in their order.
#[derive(Debug, Clone)]
pub struct Applied {
    /// The actions with their outcomes.
    pub actions: Vec<(Action, Outcome)>,
}

impl Applied {
    /// The actions whose outcome matches `is`.
    pub fn those(&self, is: impl Fn(&Outcome) -> bool) -> Vec<&(Action, Outcome)> {
        self.actions.iter().filter(|(_, outcome)| is(outcome)).collect()
    }

    /// Whether every action is done.
    pub fn is_complete(&self) -> bool {
        self.actions.iter().all(|(_, outcome)| matches!(outcome, Outcome::Done(_)))
    }
}

/// The settings of applying a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Maximum number of concurrent requests, at least 1.
    pub parallel: usize,
    /// Whether further requests are sent after a failure.
    pub keeps_going: bool,
}

/// Carries out a plan. Ctrl-C stops it like a failure: it waits for the requests in progress. Ctrl-C again abandons
/// these: with their retries, they can take minutes.
pub async fn apply(clients: &Clients, plan: Plan, pace: Pace) -> Applied {
    let progress = Progress::start("apply");
    progress.of(u64::try_from(plan.actions.len()).ok());
    let is_deletion =
        |index: &usize| plan.actions.get(*index).is_some_and(|action| action.operation == Operation::Delete);
    let (deletions, changes): (Vec<usize>, Vec<usize>) = (0..plan.actions.len()).partition(is_deletion);
    let mut run = Run {
        clients,
        actions: &plan.actions,
        pace,
        progress,
        outcomes: vec![None; plan.actions.len()],
        created: HashMap::new(),
        waiting: HashMap::new(),
        missing: HashMap::new(),
        begun: BTreeSet::new(),
        interrupts: Interrupts::take(),
        stops: false,
        is_interrupted: false,
    };
    run.carry_out(changes).await;
    // A record may be deleted only when nothing refers to it any more.
    run.carry_out(deletions).await;
    let outcomes =
        run.outcomes.into_iter().map(|outcome| outcome.unwrap_or(Outcome::NotBegun)).collect::<Vec<_>>();
    Applied { actions: plan.actions.into_iter().zip(outcomes).collect() }
}

/// A plan that is being carried out.
struct Run<'a> {
    clients: &'a Clients,
    actions: &'a [Action],
    pace: Pace,
    progress: Progress,
    /// The outcome of each action that ended.
    outcomes: Vec<Option<Outcome>>,
    /// The ids of created records, by their placeholders in bodies.
    created: HashMap<String, String>,
    /// The actions that wait for a record, by its placeholder in bodies.
    waiting: HashMap<String, Vec<usize>>,
    /// The number of records for which an action waits.
    missing: HashMap<usize, usize>,
    /// The actions whose requests are in progress.
    begun: BTreeSet<usize>,
    interrupts: Interrupts,
    /// Whether no further action is begun.
    stops: bool,
    /// Whether Ctrl-C was pressed.
    is_interrupted: bool,
}

impl Run<'_> {
    async fn carry_out(&mut self, left: Vec<usize>) {
        let mut ready: VecDeque<usize> = left.into_iter().filter(|index| self.is_ready(*index)).collect();
        let mut running = FuturesUnordered::new();
        loop {
            while !self.stops && running.len() < self.pace.parallel.max(1) {
                let Some(index) = ready.pop_front() else { break };
                let Some(action) = self.actions.get(index) else { break };
                let (clients, request) = (self.clients, self.request(action));
                self.begun.insert(index);
                running.push(async move { (index, send(clients, action, request).await) });
            }
            let finished = tokio::select! {
                finished = running.next() => finished,
                () = self.interrupts.next() => {
                    self.stops = true;
                    if self.is_interrupted {
                        self.abandon();
                        break;
                    }
                    self.is_interrupted = true;
                    note("waiting for the requests in progress; Ctrl-C again abandons them");
                    continue;
                }
            };
            // No request is in progress and none can be sent: the remaining actions are not begun.
            let Some((index, outcome)) = finished else { break };
            self.progress.add(1);
            self.finish(index, outcome, &mut ready);
        }
    }

    /// Ends without the responses of the requests in progress.
    fn abandon(&mut self) {
        for index in std::mem::take(&mut self.begun) {
            if let Some(slot) = self.outcomes.get_mut(index) {
                *slot = Some(Outcome::Unclear("abandoned before its response arrived".to_owned()));
            }
        }
    }

    /// Whether the related records of an action exist. Else it waits for them.
    fn is_ready(&mut self, index: usize) -> bool {
        let Some(action) = self.actions.get(index) else { return false };
        let ids: Vec<&str> = match &action.request {
            Request::Record { body, .. } => body.relationships.values().flat_map(identifiers).collect(),
            Request::Part { body, .. } => body.get(PROVIDER_ID).and_then(Value::as_str).into_iter().collect(),
        };
        let is_missing = |id: &&str| is_pending(id) && !self.created.contains_key(*id);
        let missing: BTreeSet<&str> = ids.into_iter().filter(is_missing).collect();
        if missing.is_empty() {
            return true;
        }
        self.missing.insert(index, missing.len());
        for id in missing {
            self.waiting.entry(id.to_owned()).or_default().push(index);
        }
        false
    }

    /// Keeps the outcome of an action, and adds the actions that can begin after it.
    fn finish(&mut self, index: usize, outcome: Outcome, ready: &mut VecDeque<usize>) {
        self.begun.remove(&index);
        match (&outcome, self.actions.get(index)) {
            (Outcome::Done(id), Some(action)) => {
                let stands_for = pending(action.kind, &action.key);
                for waits in self.waiting.remove(&stands_for).unwrap_or_default() {
                    let Some(missing) = self.missing.get_mut(&waits) else { continue };
                    *missing = missing.saturating_sub(1);
                    if *missing == 0 {
                        ready.push_back(waits);
                    }
                }
                self.created.insert(stands_for, id.clone());
            }
            _ => self.stops |= !self.pace.keeps_going,
        }
        if let Some(slot) = self.outcomes.get_mut(index) {
            *slot = Some(outcome);
        }
    }

    /// The request of an action, with the ids of records that were created before it.
    fn request(&self, action: &Action) -> Request {
        let mut request = action.request.clone();
        match &mut request {
            Request::Record { body, .. } => {
                let links = body.relationships.values_mut();
                links.filter_map(|link| link.get_mut("data")).for_each(|data| self.replace_linkage(data));
            }
            Request::Part { body, .. } => {
                if let Some(id) = body.get_mut(PROVIDER_ID) {
                    self.replace(id);
                }
            }
        }
        request
    }

    fn replace_linkage(&self, data: &mut Value) {
        let members = match data {
            Value::Array(members) => members.as_mut_slice(),
            single => std::slice::from_mut(single),
        };
        members.iter_mut().filter_map(|member| member.get_mut("id")).for_each(|id| self.replace(id));
    }

    fn replace(&self, id: &mut Value) {
        if let Some(created) = id.as_str().and_then(|id| self.created.get(id)) {
            *id = Value::from(created.as_str());
        }
    }
}

async fn send(clients: &Clients, action: &Action, request: Request) -> Outcome {
    match request {
        Request::Record { spec, body } => match clients.didww() {
            Ok(client) => record(client, action, spec, &body).await,
            Err(failure) => Outcome::Refused(failure.text),
        },
        Request::Part { part, body } => match clients.platform() {
            Ok(client) => match PartRequest::new(part, action.id.as_deref(), body) {
                Ok(request) => part_outcome(request.send(client).await),
                Err(problem) => Outcome::Refused(problem),
            },
            Err(failure) => Outcome::Refused(failure.text),
        },
    }
}

fn part_outcome(sent: Result<String, voipbin_client::Error>) -> Outcome {
    sent.map_or_else(
        |error| {
            let is_unclear = match &error {
                voipbin_client::Error::Transport(error) => error.kind != TransportKind::Connect,
                other => other.status().is_some_and(|status| status.is_server_error()),
            };
            failed(is_unclear, error.to_string())
        },
        Outcome::Done,
    )
}

fn failed(is_unclear: bool, text: String) -> Outcome {
    if is_unclear { Outcome::Unclear(text) } else { Outcome::Refused(text) }
}

async fn record(client: &Client, action: &Action, spec: &'static ResourceSpec, body: &Body) -> Outcome {
    let version = client.api_version();
    let document = body.document(spec.name_at(version), action.id.as_deref());
    let collection = format!("/{}", spec.path_at(version));
    let path = format!("{collection}/{}", encode_component(action.id.as_deref().unwrap_or_default()));
    let request = match action.operation {
        Operation::Create => client.raw(Method::POST, &collection).body(&document),
        Operation::Update => client.raw(Method::PATCH, &path).body(&document),
        Operation::Delete => client.raw(Method::DELETE, &path),
    };
    match request.send().await {
        Ok(answer) => {
            let created = || answer.json().ok()?.pointer("/data/id")?.as_str().map(str::to_owned);
            Outcome::Done(action.id.clone().or_else(created).unwrap_or_default())
        }
        // It is gone already: the deletion of an identity deletes its addresses too.
        Err(Error::NotFound(_)) if action.operation == Operation::Delete => {
            Outcome::Done(action.id.clone().unwrap_or_default())
        }
        Err(error) => {
            let is_unclear = match &error {
                Error::Transport(error) => error.kind != TransportKind::Connect,
                other => other.status().is_some_and(|status| status.is_server_error()),
            };
            failed(is_unclear, failure_of(&error, spec, version).text)
        }
    }
}
