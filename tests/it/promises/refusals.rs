//! A refused request leaves every row of the database as it was, and so does a read; a repeated update or deletion has
//! the effect of one.

use didww_types::{ApiVersion, REGISTRY, ResourceSpec};
use http::Method;
use serde_json::{Value, json};
use trunk_server::config::Database;
use trunk_server::{Clock, control, voipbin};

use super::filed::{Filed, Rows};
use crate::support::api::{Answer, Api, NEW};
use crate::support::world::*;
use crate::voipbin::stage::Stage;

/// The first version of a type, and the two that differ most from it.
fn versions(spec: &ResourceSpec) -> Vec<ApiVersion> {
    let mut versions = vec![spec.since, ApiVersion::V2026_04_16, ApiVersion::NEWEST];
    versions.retain(|version| spec.exists_in(*version));
    versions.dedup();
    versions
}

/// Requests about a type of which none is valid: method, path and body.
fn wrong_requests(spec: &ResourceSpec, version: ApiVersion, own: &str) -> Vec<(Method, String, String)> {
    let (all, one) = (format!("/{}", spec.name), format!("/{}/{own}", spec.name));
    let nowhere = format!("/{}/{UNKNOWN}", spec.name);
    let mut bodies: Vec<String> =
        ["{", "[]", "{}", r#"{"data":null}"#, r#"{"data":[]}"#].map(str::to_owned).into();
    bodies.push(update("bogus", own, json!({})).to_string());
    bodies.push(update(spec.name, own, json!({ "bogus": 1 })).to_string());
    for attribute in spec.attributes {
        let wrong: Value = [(attribute.name, json!({ "no": ["such", "value"] }))].into_iter().collect();
        bodies.push(update(spec.name, own, wrong).to_string());
    }
    let mut requests = Vec::new();
    for relationship in spec.relationships_at(version) {
        let name = relationship.name_at(version);
        let path = format!("{one}/relationships/{name}");
        for kind in [relationship.target_at(version), "bogus"] {
            let member = identifier(kind, UNKNOWN);
            let linkage = if relationship.many { json!([member]) } else { member };
            bodies.push(linking(update(spec.name, own, json!({})), name, linkage.clone()).to_string());
            for method in [Method::POST, Method::PATCH] {
                requests.push((method, path.clone(), json!({ "data": linkage }).to_string()));
            }
        }
        requests.push((Method::DELETE, path, "{".to_owned()));
    }
    for body in bodies {
        requests.push((Method::POST, all.clone(), body.clone()));
        requests.push((Method::PATCH, one.clone(), body));
    }
    let empty = update(spec.name, UNKNOWN, json!({})).to_string();
    requests.push((Method::PATCH, one, empty.clone()));
    for method in [Method::PATCH, Method::PUT, Method::DELETE] {
        requests.push((method.clone(), nowhere.clone(), empty.clone()));
        requests.push((method, all.clone(), empty.clone()));
    }
    requests
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_row_is_changed_by_a_refused_request() {
    let filed = Filed::start().await;
    let (mut refused, mut accepted) = (0, Vec::new());
    for spec in REGISTRY {
        for version in versions(spec) {
            let api = filed.api.at(Some(version.as_str()));
            for (method, path, body) in wrong_requests(spec, version, filed.own(spec)) {
                let answer = api.send(method.clone(), &path, &body).await;
                assert!(answer.status < 500, "{method} {path} at {version}: {}", answer.text);
                if answer.status < 400 {
                    accepted.push(format!("{method} {path} {body} at {version}"));
                    filed.rows.note();
                } else {
                    refused += 1;
                    filed.rows.is_unchanged(&format!("{method} {path} {body} at {version}: {}", answer.text));
                }
            }
        }
    }
    for spec in REGISTRY {
        for version in versions(spec) {
            // A guess of a key is counted. With a wrong one, no token is minted.
            let keys = if version.uses_tokens() { vec![None] } else { vec![None, Some("wrong")] };
            for key in keys {
                let (path, api) = (format!("/{}/{}", spec.name, filed.own(spec)), filed.api.with_key(key));
                let answer = api.at(Some(version.as_str())).delete(&path).await;
                assert!((400..500).contains(&answer.status), "DELETE {path} at {version}: {}", answer.text);
                filed.rows.is_unchanged(&format!("DELETE {path} at {version} with the key {key:?}"));
                refused += 1;
            }
        }
    }
    println!("{refused} requests were refused, {} accepted", accepted.len());
    assert!(refused > 500, "{refused} refused, accepted: {accepted:#?}");
    filed.stop().await;
}

/// The writing operations of a document, with ids that nothing has and each of these bodies. Those that are meant to
/// have an effect without a body are left out.
fn wrong_operations(document: &Value, bodies: &[&'static str]) -> Vec<(String, String, &'static str)> {
    let needs_no_body =
        |path: &str| ["/reset", "/clock", "/providers/probe"].iter().any(|p| path.starts_with(p));
    let mut operations = Vec::new();
    for (template, methods) in document["paths"].as_object().unwrap() {
        // A name in braces is an id or a type.
        let filled = |part: &str| if part.starts_with('{') { UNKNOWN.to_owned() } else { part.to_owned() };
        let path: Vec<String> = template.split('/').map(filled).collect();
        for method in ["post", "put", "patch", "delete"] {
            if methods.get(method).is_some() && !needs_no_body(template) {
                operations.extend(bodies.iter().map(|body| (method.to_uppercase(), path.join("/"), *body)));
            }
        }
    }
    operations
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_row_is_changed_by_a_refused_request_to_the_platform_or_the_control_api() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("promises.db");
    let clock = Clock::system();
    clock.freeze(None);
    let stage = Stage::with_clock(clock, |config| {
        config.database = Database::File(database.clone());
        config.control_listen = Some("127.0.0.1:0".to_owned());
        config.sip = None;
    })
    .await;
    let at = stage.server.control_address().unwrap();
    let control = Api::new(format!("http://{at}/control/v1"), "").with_key(None).at(None);
    let rows = Rows::of(&database);
    let mut refused = 0;
    let mut look = |what: String, status: u16| {
        // Requests that need the edge, which is off, are refused with 503.
        assert_ne!(status, 500, "{what}");
        if status < 400 {
            rows.note();
        } else {
            refused += 1;
            rows.is_unchanged(&format!("{what}: {status}"));
        }
    };
    for (method, path, body) in wrong_operations(&voipbin::openapi(), &["{", "[]"]) {
        let path = path.strip_prefix("/v1.0").unwrap_or(&path);
        let answer = stage.sa.send(&method, path, body).await;
        look(format!("{method} {path} {body}"), answer.status);
        let answer = stage.anonymous().send(&method, path, body).await;
        look(format!("{method} {path} {body} without a credential"), answer.status);
    }
    for (method, path, body) in wrong_operations(&control::openapi(), &["{", "[]", r#"{"bogus":1}"#]) {
        let answer = control.send(method.parse().unwrap(), &path, body).await;
        look(format!("{method} {path} {body}"), answer.status);
    }
    println!("{refused} requests were refused");
    assert!(refused > 80, "{refused}");
    stage.server.stop().await.unwrap();
}

/// The store alone detects these, after it has written a part of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_row_is_changed_by_a_request_that_only_the_store_refuses() {
    let filed = Filed::start().await;
    let one = format!("{TRUNKS}/{}", filed.trunk);
    let linked = |body| linking(body, "dids", dids(&[&filed.did]));
    let taken = update("voice_out_trunks", &filed.trunk, json!({ "name": "B", "status": "blocked" }));
    for (method, path, body) in [
        (Method::POST, TRUNKS, linked(credentials("A"))),
        (Method::PATCH, one.as_str(), linked(taken.clone())),
        (Method::PUT, one.as_str(), linked(taken)),
    ] {
        let answer = filed.api.send(method.clone(), path, &body.to_string()).await;
        assert_eq!(answer.status, 422, "{method} {path}: {}", answer.text);
        filed.rows.is_unchanged(&format!("{method} {path}"));
    }
    // Of requests at once that want the same name, one has an effect.
    let same = credentials("C");
    let many = futures_util::future::join_all((0..16).map(|_| filed.api.post(TRUNKS, &same))).await;
    assert_eq!(many.iter().filter(|answer| answer.status == 201).count(), 1);
    assert_eq!(many.iter().filter(|answer| answer.status == 422).count(), 15);
    assert_eq!(filed.api.get(TRUNKS).await.at("/meta/total_records"), 3);
    filed.stop().await;
}

/// Everything that a trunk shows, in every version.
async fn shown(filed: &Filed) -> Vec<(u16, String)> {
    let mut shown = Vec::new();
    for version in TRUNK_VERSIONS {
        let api = filed.api.at(Some(version));
        for path in [format!("{TRUNKS}/{}?include=dids", filed.trunk), TRUNKS.to_owned(), DIDS.to_owned()] {
            let answer = api.get(&path).await;
            shown.push((answer.status, answer.text));
        }
    }
    shown
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_writes_nothing_and_a_repeated_update_or_deletion_has_one_effect() {
    let filed = Filed::start().await;
    for spec in REGISTRY {
        for version in versions(spec) {
            let api = filed.api.at(Some(version.as_str()));
            let one = format!("/{}/{}", spec.name, filed.own(spec));
            let mut paths = vec![format!("/{}", spec.name), one.clone()];
            for relationship in spec.relationships_at(version) {
                let name = relationship.name_at(version);
                paths.extend([format!("{one}/{name}"), format!("{one}/relationships/{name}")]);
            }
            for path in paths {
                for method in [Method::GET, Method::HEAD] {
                    let first = api.send(method.clone(), &path, "").await;
                    let second = api.send(method.clone(), &path, "").await;
                    assert_eq!((first.status, &first.text), (second.status, &second.text), "{method} {path}");
                    filed.rows.is_unchanged(&format!("{method} {path} at {version}"));
                }
            }
        }
    }

    let api = filed.api.at(Some(NEW));
    let one = format!("{TRUNKS}/{}", filed.trunk);
    let members = format!("{one}/relationships/dids");
    let linkage = json!({ "data": dids(&[&filed.did]) }).to_string();
    let change = patch(&filed.trunk, json!({ "status": "blocked", "capacity_limit": 7 })).to_string();
    let rename = patch(&filed.trunk, json!({ "name": "renamed" })).to_string();
    let is_success = |answer: &Answer| (200..300).contains(&answer.status);
    for (method, path, body) in [
        (Method::PATCH, &one, &change),
        (Method::PUT, &one, &rename),
        (Method::DELETE, &members, &linkage),
        (Method::POST, &members, &linkage),
        (Method::PATCH, &members, &linkage),
    ] {
        let first = api.send(method.clone(), path, body).await;
        assert!(is_success(&first), "{method} {path}: {}", first.text);
        let after_one = shown(&filed).await;
        for _ in 0..2 {
            let again = api.send(method.clone(), path, body).await;
            assert_eq!((again.status, &again.text), (first.status, &first.text), "{method} {path}");
            assert_eq!(shown(&filed).await, after_one, "{method} {path}");
        }
    }
    assert_eq!(api.delete(&one).await.status, 204);
    filed.rows.note();
    for _ in 0..2 {
        refused(&api.delete(&one).await, &[not_found(&filed.trunk)]);
        filed.rows.is_unchanged("a deletion of what is deleted");
    }
    filed.stop().await;
}
