//! Another account's records are invisible: every request about them is answered as for an absent record.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use didww_types::{Access, ApiVersion, REGISTRY, ResourceSpec, Verb, find};
use http::Method;
use serde_json::{Value, json};
use trunk_server::TestServerBuilder;
use trunk_server::control::{NewAccount, NewDid};
use uuid::Uuid;

use crate::support::api::{Answer, Api, NEW, OLD};
use crate::support::engine;
use crate::support::fixture::Fixture;
use crate::support::records::Records;
use crate::support::world::*;

/// Two accounts on one server.
struct Neighbours {
    world: World,
    other: Api,
    /// The id of the other account.
    account: Uuid,
    /// A trunk of the other account, linked to its DID.
    trunk: String,
    did: String,
    /// A trunk of this account.
    own: String,
}

impl Neighbours {
    async fn meet() -> Self {
        let builder = engine::builder().control_listener();
        let builder = engine::granted().fold(builder, TestServerBuilder::feature);
        let world = World::of(builder).await;
        let account = engine::granted().fold(NewAccount::named("other"), NewAccount::feature);
        let (account, key) = world.server.control().create_account(account).await.unwrap();
        let other = world.api.with_key(Some(key.expose()));
        let did = NewDid::new("37061498222").emergency();
        let did = world.server.control().add_did(account.id, did).await.unwrap().to_string();
        let mut body = replacing("A", &did);
        for name in ["dids", "emergency_dids"] {
            body = linking(body, name, dids(&[&did]));
        }
        let created = other.post(TRUNKS, &body).await;
        assert_eq!(created.status, 201, "{}", created.text);
        let (trunk, own) = (created.id(), world.trunk("A").await);
        Self { world, other, account: account.id, trunk, did, own }
    }

    /// Makes records of the other account, at the newest version.
    fn records(&self) -> Records {
        let (server, version) = (&self.world.server, ApiVersion::NEWEST);
        Records::of(server, self.account, self.other.at(Some(version.as_str())), version)
    }

    /// Everything that the other account can read of its own records.
    async fn theirs(&self) -> String {
        let mut texts = String::new();
        for spec in REGISTRY.iter().filter(|spec| spec.has(Verb::List) && !spec.global) {
            let version: ApiVersion = NEW.parse().unwrap();
            let version = if spec.exists_in(version) { version } else { ApiVersion::NEWEST };
            let mut path = format!("/{}?page[size]=100", spec.name);
            let includes = spec.relationships_at(version).filter(|one| find(one.target).is_some());
            let includes: Vec<&str> = includes.map(|one| one.name_at(version)).collect();
            if !includes.is_empty() {
                write!(path, "&include={}", includes.join(",")).unwrap();
            }
            let answer = self.other.at(Some(version.as_str())).get(&path).await;
            assert_eq!(answer.status, 200, "{path}: {}", answer.text);
            texts.push_str(&answer.text);
        }
        texts
    }
}

/// Makes a record of every type whose records belong to an account. Returns their ids, by type.
async fn of_every_type(records: &Records) -> BTreeMap<&'static str, String> {
    let mut ids = BTreeMap::new();
    for spec in REGISTRY.iter().filter(|spec| !spec.global) {
        ids.insert(spec.name, records.create(spec).await);
    }
    ids
}

/// An answer with the requested id replaced, so that answers for two ids can be compared.
fn seen(answer: &Answer, id: &str) -> (u16, String) {
    (answer.status, answer.text.replace(id, "ID"))
}

/// Every request about one record of a type: method, path and body, each with the id.
fn requests(
    spec: &'static ResourceSpec,
    version: ApiVersion,
    id: &str,
    did: &str,
) -> Vec<(Method, String, Value)> {
    let one = format!("/{}/{id}", spec.path_at(version));
    let mut all = Vec::new();
    for method in [Method::GET, Method::HEAD, Method::PATCH, Method::PUT, Method::DELETE] {
        all.push((method, one.clone(), update(spec.name, id, json!({}))));
    }
    all.push((Method::GET, format!("{one}?include=bogus"), Value::Null));
    all.push((Method::PATCH, one.clone(), update(spec.name, id, json!({ "capacity_limit": -1 }))));
    for relationship in spec.relationships_at(version) {
        let member = identifier(relationship.target_at(version), did);
        let linkage = json!({ "data": if relationship.many { json!([member]) } else { member } });
        let path = format!("{one}/relationships/{}", relationship.name_at(version));
        for method in [Method::GET, Method::POST, Method::PATCH, Method::PUT, Method::DELETE] {
            all.push((method, path.clone(), linkage.clone()));
        }
        all.push((Method::GET, format!("{one}/{}", relationship.name), Value::Null));
    }
    all
}

#[tokio::test]
async fn whatever_is_asked_of_anothers_record_is_answered_as_of_an_absent_one() {
    let near = Neighbours::meet().await;
    // What was created stays as it is: the jobs that are due later, such as those of orders and exports, do not run.
    near.world.server.control().clock().freeze(None);
    let foreign = of_every_type(&near.records()).await;
    let own_did = near.world.emergency_did("12025550143").await;
    let (theirs, ours) = (near.theirs().await, near.world.dump().await);
    let mut asked = 0;
    // Every account reads the records of global types.
    for spec in REGISTRY.iter().filter(|spec| !spec.global) {
        for version in ApiVersion::ALL.into_iter().filter(|version| spec.exists_in(*version)) {
            let api = near.world.api.at(Some(version.as_str()));
            let foreign = foreign[spec.name].as_str();
            let about = |id: &str| requests(spec, version, id, &own_did);
            for ((method, path, body), (_, absent, absent_body)) in
                about(foreign).into_iter().zip(about(UNKNOWN))
            {
                let there = api.send(method.clone(), &path, &body.to_string()).await;
                let nowhere = api.send(method.clone(), &absent, &absent_body.to_string()).await;
                assert_eq!(seen(&there, foreign), seen(&nowhere, UNKNOWN), "{method} {path} at {version}");
                assert!((400..500).contains(&there.status), "{method} {path}: {}", there.status);
                asked += 1;
            }
        }
    }
    assert!(asked > 200, "only {asked} requests were compared");
    assert_eq!(near.theirs().await, theirs, "the other account lost nothing");
    assert_eq!(near.world.dump().await, ours);
}

#[tokio::test]
async fn anothers_record_cannot_be_named_in_a_body() {
    let near = Neighbours::meet().await;
    // The jobs that are due later, such as those of exports, do not run.
    near.world.server.control().clock().freeze(None);
    let api = near.world.api.at(Some(ApiVersion::NEWEST.as_str()));
    let others = near.records();
    let records = others.of_another(near.world.server.account(), api.clone());
    let (foreign, own) = (of_every_type(&others).await, of_every_type(&records).await);
    let mut bodies = BTreeMap::new();
    for spec in REGISTRY.iter().filter(|spec| spec.has(Verb::Create)) {
        bodies.insert(spec.name, records.create_body(spec).await);
    }
    let (theirs, ours) = (near.theirs().await, near.world.dump().await);
    let mut asked = 0;
    for spec in REGISTRY {
        for relationship in spec.sent_relationships_at(ApiVersion::NEWEST) {
            let Some(target) = find(relationship.target).filter(|target| !target.global) else { continue };
            let (name, foreign) = (relationship.name, foreign[target.name].as_str());
            // The attributes without which the relationship is refused, whatever it names.
            let needed = Fixture::load(spec).unwrap().linked_with.remove(name);
            let linkage = |id: &str| {
                let member = identifier(target.name, id);
                if relationship.many { json!([member]) } else { member }
            };
            if spec.has(Verb::Create) && relationship.create != Access::Never {
                let mut body = bodies[spec.name].clone();
                if let Some(attributes) = &needed {
                    body = with(body, attributes.clone());
                }
                let path = format!("/{}", spec.name);
                let post = async |id: &str| {
                    seen(&api.post(&path, &linking(body.clone(), name, linkage(id))).await, id)
                };
                let refusal = post(foreign).await;
                assert_eq!((refusal.0, &refusal), (422, &post(UNKNOWN).await), "{} {name}", spec.name);
                asked += 1;
            }
            if spec.has(Verb::Update) && relationship.update {
                let id = &own[spec.name];
                let record = format!("/{}/{id}", spec.name);
                let path = format!("{record}/relationships/{name}");
                for method in [Method::POST, Method::PATCH] {
                    let send = async |id: &str| {
                        let body = json!({ "data": linkage(id) }).to_string();
                        seen(&api.send(method.clone(), &path, &body).await, id)
                    };
                    let refusal = send(foreign).await;
                    let expected = if method == Method::POST && !relationship.many { 404 } else { 422 };
                    assert_eq!((refusal.0, &refusal), (expected, &send(UNKNOWN).await), "{method} {path}");
                    asked += 1;
                }
                let body = update(spec.name, id, needed.unwrap_or_else(|| json!({})));
                let refusal = api.patch(&record, &linking(body, name, linkage(foreign))).await;
                assert_eq!(refusal.status, 422, "{}", refusal.text);
            }
        }
    }
    assert!(asked >= 12, "only {asked} bodies were compared");
    assert_eq!(near.theirs().await, theirs);
    assert_eq!(near.world.dump().await, ours);
}

#[tokio::test]
async fn lists_filters_and_includes_show_ones_own_records_alone() {
    let near = Neighbours::meet().await;
    let did = near.world.did("12025550143").await;
    let ids = |answer: &Answer| -> Vec<String> {
        assert_eq!(answer.status, 200, "{}", answer.text);
        let data = answer.at("/data");
        data.as_array().unwrap().iter().map(|record| record["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids(&near.world.api.get(TRUNKS).await), [near.own.as_str()]);
    assert_eq!(ids(&near.other.get(TRUNKS).await), [near.trunk.as_str()]);
    assert_eq!(ids(&near.world.api.get(DIDS).await), [did]);
    for query in
        [format!("filter[id]={}", near.trunk), format!("filter[id]={}&sort=name&include=dids", near.trunk)]
    {
        let answer = near.world.api.get(&format!("{TRUNKS}?{query}")).await;
        assert_eq!((ids(&answer).len(), answer.at("/meta/total_records")), (0, json!(0)), "{query}");
    }
    let foreign = format!("{TRUNKS}?filter[default_did.id]={}", near.did);
    let answer = near.world.api.get(&foreign).await;
    assert_eq!((answer.status, answer.at("/errors/0/code")), (400, json!("107")), "N63");
    assert_eq!(
        near.world.api.get(&foreign.replace(&near.did, UNKNOWN)).await.status,
        400,
        "as one that nobody has"
    );
    assert_eq!(ids(&near.world.api.at(Some(OLD)).get(&foreign).await).len(), 0);
    assert_eq!(ids(&near.world.api.get(&format!("{DIDS}?filter[id]={}", near.did)).await).len(), 0);
    assert_eq!(ids(&near.world.api.get(&format!("{TRUNKS}?filter[name]=A")).await), [near.own.as_str()]);
    let body = patch(&near.own, json!({ "allow_any_did_as_cli": true, "emergency_enable_all": true }));
    let answer =
        near.world.api.patch(&format!("{TRUNKS}/{}?include=dids,emergency_dids", near.own), &body).await;
    assert!(!answer.text.contains(&near.did), "any DID of the account, not of another one");
}

#[tokio::test]
async fn a_name_is_taken_within_its_account_alone() {
    let near = Neighbours::meet().await;
    assert_eq!(near.other.get(&format!("{TRUNKS}/{}", near.trunk)).await.at("/data/attributes/name"), "A");
    assert_eq!(near.world.api.get(&format!("{TRUNKS}/{}", near.own)).await.at("/data/attributes/name"), "A");
}

#[tokio::test]
async fn another_key_of_the_account_sees_the_same_records() {
    let near = Neighbours::meet().await;
    let control = near.world.server.control();
    let (_, key) = control.add_key(near.world.server.account(), None).await.unwrap();
    let api = near.world.api.with_key(Some(key.expose()));
    assert_eq!(api.get(TRUNKS).await.text, near.world.api.get(TRUNKS).await.text);
}

#[tokio::test]
async fn a_key_that_was_taken_away_is_a_wrong_key_from_the_next_request_on() {
    let near = Neighbours::meet().await;
    let (control, account) = (near.world.server.control(), near.world.server.account());
    let (id, key) = control.add_key(account, None).await.unwrap();
    let api = near.world.api.with_key(Some(key.expose()));
    assert_eq!(api.get(TRUNKS).await.status, 200);
    control.remove_key(account, id).await.unwrap();
    for path in [TRUNKS.to_owned(), format!("{TRUNKS}/{}", near.own), DIDS.to_owned()] {
        refused(&api.get(&path).await, &[unauthorised()]);
    }
    refused(&api.delete(&format!("{TRUNKS}/{}", near.own)).await, &[unauthorised()]);
    assert_eq!(near.world.api.get(&format!("{TRUNKS}/{}", near.own)).await.status, 200);
}

#[tokio::test]
async fn a_deleted_account_leaves_nothing_and_its_keys_open_nothing() {
    let near = Neighbours::meet().await;
    let control = near.world.server.control();
    let accounts = control.accounts().await.unwrap();
    let other = accounts.iter().find(|account| account.name == "other").unwrap();
    let ours = near.world.dump().await;
    control.delete_account(other.id).await.unwrap();
    refused(&near.other.get(TRUNKS).await, &[unauthorised()]);
    assert_eq!(near.world.dump().await, ours);
    let account = NewAccount::named("other").api_key("again");
    control.create_account(account).await.unwrap();
    let again = near.world.api.with_key(Some("again"));
    assert_eq!(again.get(TRUNKS).await.at("/meta/total_records"), 0);
    refused(&again.get(&format!("{TRUNKS}/{}", near.trunk)).await, &[not_found(&near.trunk)]);
}
