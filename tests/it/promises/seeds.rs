//! The same seed, time and requests produce the same answers in every version.

use didww_types::{ApiVersion, REGISTRY};
use http::Method;
use serde_json::json;
use trunk_server::control::NewDid;
use trunk_server::{Clock, TestServerBuilder};

use crate::support::api::Api;
use crate::support::engine;
use crate::support::world::*;

/// The answers of a server to a fixed sequence of requests. The port, which the system chooses, is left out.
async fn transcript(seed: u64, version: ApiVersion) -> Vec<(u16, String)> {
    let clock = Clock::system();
    clock.freeze(Some("2026-04-08T06:57:33.304Z".parse().unwrap()));
    let builder = engine::builder().seed(seed).clock(clock).version(version);
    let server = engine::granted().fold(builder, TestServerBuilder::feature).start().await;
    let did = server.control().add_did(server.account(), NewDid::new("37061498222")).await.unwrap();
    let base = server.base_url();
    let api = Api::new(base.as_str(), server.api_key()).at(Some(version.as_str()));
    let mut answers = Vec::new();
    let mut request = async |method: Method, path: &str, body: String| {
        let answer = api.send(method, path, &body).await;
        answers.push((answer.status, answer.text.replace(&base, "BASE")));
        answer
    };
    let has_trunks = TRUNK_VERSIONS.contains(&version.as_str());
    if has_trunks {
        let least = if version >= ApiVersion::V2026_04_16 { credentials("A") } else { flat("A") };
        let made =
            request(Method::POST, TRUNKS, linking(least, "dids", dids(&[&did.to_string()])).to_string())
                .await;
        assert_eq!(made.status, 201, "{}", made.text);
        let (id, one) = (made.id(), format!("{TRUNKS}/{}", made.id()));
        request(Method::PATCH, &one, patch(&id, json!({ "status": "blocked" })).to_string()).await;
        request(Method::POST, ROTATION, rotation(&id).to_string()).await;
        request(Method::GET, &format!("{one}?include=dids"), String::new()).await;
        request(Method::POST, TRUNKS, flat("A").to_string()).await;
    }
    request(Method::PATCH, &format!("{DIDS}/{did}"), update("dids", &did.to_string(), json!({})).to_string())
        .await;
    for spec in REGISTRY {
        request(Method::GET, &format!("/{}", spec.name), String::new()).await;
    }
    let account = server.control().account(server.account()).await.unwrap();
    answers.push((0, format!("{} {} {}", account.id, account.name, server.api_key())));
    answers
}

#[tokio::test]
async fn the_same_seed_and_requests_have_the_same_answers_in_every_version() {
    for version in ApiVersion::ALL {
        let first = transcript(7, version).await;
        assert_eq!(first, transcript(7, version).await, "{version}");
        assert_ne!(first, transcript(8, version).await, "{version}");
    }
}
