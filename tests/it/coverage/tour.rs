//! The tour of a type in a version: its verbs in the order in which a record meets them, and between them its
//! relationships and lists.

use std::collections::BTreeSet;

use didww_types::{ApiVersion, ResourceSpec, Verb};
use serde_json::{Value, json};

use super::demands::{method, request, verbs};
use super::document::Record;
use super::world::World;
use super::{lists, relationships};
use crate::support::fixture::Fixture;
use crate::support::world::{UNKNOWN, no_route, none_of_type, not_found, refused};

/// Calls everything that a type has in a version, and everything that it lacks. Returns the requests that were sent.
pub async fn run(spec: &'static ResourceSpec, version: ApiVersion, fixture: &Fixture) -> BTreeSet<String> {
    let world = World::start(version).await;
    let has = |verb| spec.has_at(verb, version) && spec.exists_in(version);
    for verb in verbs(spec).filter(|verb| !has(*verb)) {
        refuse(&world, spec, verb).await;
    }
    if has(Verb::Create) {
        create(&world, spec).await;
    }
    if ![Verb::List, Verb::Get, Verb::Update, Verb::Delete].into_iter().any(has) {
        if spec.exists_in(version) {
            relationships::run(&world, spec, UNKNOWN).await;
        }
        return world.journal.sent();
    }
    let ids = [world.create(spec).await, world.create(spec).await];
    if has(Verb::Update) {
        update(&world, spec, &ids[0], fixture).await;
    }
    if has(Verb::Get) {
        read(&world, spec, &ids[0]).await;
    }
    relationships::run(&world, spec, &ids[0]).await;
    if has(Verb::List) {
        lists::run(&world, spec, &ids).await;
    }
    if has(Verb::Delete) {
        if let Some(release) = fixture.release_body(version) {
            let body = world.body(spec, Some(ids[0].as_str()), release).await;
            let path = format!("/{}/{}", spec.path_at(version), ids[0]);
            world.expect_status(&world.send("DELETE", &path, None).await, 422);
            world.expect_status(&world.send("PATCH", &path, Some(&body)).await, 200);
        }
        delete(&world, spec, &ids[0]).await;
    }
    world.journal.sent()
}

fn path(world: &World, spec: &ResourceSpec, verb: Verb, id: &str) -> (&'static str, String) {
    let (method, _) = method(verb);
    let request = request(spec, verb, world.version).replace("{id}", id);
    (method, request.trim_start_matches(method).trim_start().to_owned())
}

/// A verb that the type lacks in the version is answered like an unknown path.
async fn refuse(world: &World, spec: &ResourceSpec, verb: Verb) {
    let (method, path) = path(world, spec, verb, UNKNOWN);
    let body = world.body(spec, Some(UNKNOWN), &json!({})).await;
    let body = (method != "GET").then_some(&body);
    refused(&world.send(method, &path, body).await, &[no_route()]);
}

async fn create(world: &World, spec: &'static ResourceSpec) {
    let body = world.create_body(spec).await;
    let answer = match spec.form {
        Some(form) => world.upload(spec, form, &body["data"]["attributes"]).await,
        None => world.send("POST", &format!("/{}", spec.path_at(world.version)), Some(&body)).await,
    };
    let record = world.document::<Record>(&answer, 201).data;
    world.check(spec, &record, &[]);
    check_written(world, spec, &record, &body).await;
}

async fn update(world: &World, spec: &'static ResourceSpec, id: &str, fixture: &Fixture) {
    let body = world.body(spec, Some(id), fixture.update_body(world.version)).await;
    let path = format!("/{}/{id}", spec.path_at(world.version));
    let answer = world.send("PATCH", &path, Some(&body)).await;
    let record = world.document::<Record>(&answer, 200).data;
    assert_eq!(record.id, id, "{world}");
    world.check(spec, &record, &[]);
    check_written(world, spec, &record, &body).await;
}

/// Attributes that answers show in another form than requests have.
const SHOWN_OTHERWISE: &[(&str, &str)] = &[("orders", "items")];

/// Checks that a record shows what a body sent, in the answer and when it is read again.
async fn check_written(world: &World, spec: &'static ResourceSpec, record: &Record, body: &Value) {
    for (name, sent) in body["data"]["attributes"].as_object().into_iter().flatten() {
        if SHOWN_OTHERWISE.contains(&(spec.name, name)) {
            continue;
        }
        let shown = record.attributes.as_ref().and_then(|attributes| attributes.get(name));
        if spec.attribute(name).is_some_and(|attribute| !attribute.is_shown_in(world.version)) {
            assert_eq!(shown, None, "{world}: {name}");
            continue;
        }
        assert!(shown.is_some_and(|shown| contains(shown, sent)), "{world}: {name} is {shown:?}, not {sent}");
    }
    if !spec.has_at(Verb::Get, world.version) {
        return;
    }
    let read = read(world, spec, &record.id).await;
    assert_eq!(read, *record, "{world}: what was written is read");
    for (name, sent) in body["data"]["relationships"].as_object().into_iter().flatten() {
        if spec.relationship(name).is_some_and(|one| one.write_only) {
            continue;
        }
        let path = format!("/{}/{}", spec.path_at(world.version), record.id);
        let (path, place) = if spec.unrouted {
            (format!("{path}?include={name}"), format!("/data/relationships/{name}/data"))
        } else {
            (format!("{path}/relationships/{name}"), "/data".to_owned())
        };
        assert_eq!(world.get(&path).await.at(&place), sent["data"], "{world}");
    }
}

async fn read(world: &World, spec: &'static ResourceSpec, id: &str) -> Record {
    let (_, path) = path(world, spec, Verb::Get, id);
    let answer = world.get(&path).await;
    let record = world.document::<Record>(&answer, 200).data;
    assert_eq!(record.id, id, "{world}");
    world.check(spec, &record, &[]);
    record
}

/// Whether a value is the one that was sent. An object may have further members, which the service sets.
fn contains(shown: &Value, sent: &Value) -> bool {
    match (shown, sent) {
        (Value::Object(shown), Value::Object(sent)) => {
            sent.iter().all(|(name, value)| shown.get(name).is_some_and(|shown| contains(shown, value)))
        }
        _ => shown == sent,
    }
}

/// Types whose records stay when they are deleted: they are canceled.
const CANCELED: &[&str] = &["emergency_calling_services", "orders"];

async fn delete(world: &World, spec: &'static ResourceSpec, id: &str) {
    let path = format!("/{}/{id}", spec.path_at(world.version));
    let answer = world.send("DELETE", &path, None).await;
    world.expect_status(&answer, 204);
    if CANCELED.contains(&spec.name) {
        read(world, spec, id).await;
        world.expect_refusal(&world.send("DELETE", &path, None).await, 422, "100");
        return;
    }
    if spec.has_at(Verb::Get, world.version) {
        let gone = if spec.unknown_by_type { none_of_type(spec.name) } else { not_found(id) };
        refused(&world.get(&path).await, &[gone]);
    }
    let again = world.send("DELETE", &path, None).await;
    refused(&again, &[not_found(id)]);
}
