//! Writes with their answers, and the comparison of a database with them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use didww_types::Resource as _;
use didww_types::resources::VoiceOutTrunk;
use http::Method;
use serde_json::{Value, json};
use trunk_server::store::{Engine as _, for_each_record};

use crate::support::api::Api;

/// The answer to a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The write was acknowledged.
    Done,
    /// The write was refused.
    Refused,
    /// The outcome is unknown, or there was no answer.
    Unknown,
}

/// By name, the states that a trunk may be in; `None` means no trunk.
#[derive(Debug, Default)]
pub struct Ledger(BTreeMap<String, Vec<Option<String>>>);

impl Ledger {
    /// Records the answer to a write of a trunk.
    pub fn note(&mut self, name: &str, after: Option<&str>, answer: Answer) {
        let states = self.0.entry(name.to_owned()).or_insert_with(|| vec![None]);
        let after = after.map(str::to_owned);
        match answer {
            Answer::Done => *states = vec![after],
            Answer::Refused => {}
            Answer::Unknown => states.push(after),
        }
    }
}

/// Reproducible random numbers (splitmix64).
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % sides
    }
}

/// Sends a write. Returns status, `Retry-After` and body, or `None` without a complete answer.
async fn send(api: &Api, method: Method, path: &str, body: &Value) -> Option<(u16, Option<String>, String)> {
    let request = api.request(method, path);
    let request = if body.is_null() { request } else { request.body(body.to_string()) };
    let answer = request.send().await.ok()?;
    let retry = answer.headers().get("Retry-After").map(|value| value.to_str().unwrap().to_owned());
    let status = answer.status().as_u16();
    Some((status, retry, answer.text().await.ok()?))
}

fn meant(answer: Option<&(u16, Option<String>, String)>) -> Answer {
    match answer {
        Some((200..300, _, _)) => Answer::Done,
        Some((503, _, text)) if text.contains("is not known") => Answer::Unknown,
        Some(_) => Answer::Refused,
        None => Answer::Unknown,
    }
}

/// Sends a request that creates a trunk.
pub async fn post(api: &Api, name: &str) -> Option<(u16, Option<String>, String)> {
    let method =
        json!({ "type": "credentials_and_ip", "attributes": { "allowed_sip_ips": ["203.0.113.5"] } });
    let attributes =
        json!({ "name": name, "on_cli_mismatch_action": "reject_call", "authentication_method": method });
    let body = json!({ "data": { "type": "voice_out_trunks", "attributes": attributes } });
    send(api, Method::POST, "/voice_out_trunks", &body).await
}

/// Creates a trunk, and classifies the answer.
pub async fn create(api: &Api, name: &str) -> Answer {
    meant(post(api, name).await.as_ref())
}

async fn create_with_id(api: &Api, name: &str) -> (Answer, Option<String>) {
    let answer = post(api, name).await;
    let id = answer.as_ref().and_then(|(_, _, text)| {
        serde_json::from_str::<Value>(text).ok()?["data"]["id"].as_str().map(str::to_owned)
    });
    (meant(answer.as_ref()), id)
}

async fn block(api: &Api, id: &str) -> Answer {
    let attributes = json!({ "status": "blocked" });
    let body = json!({ "data": { "type": "voice_out_trunks", "id": id, "attributes": attributes } });
    meant(send(api, Method::PATCH, &format!("/voice_out_trunks/{id}"), &body).await.as_ref())
}

async fn delete(api: &Api, id: &str) -> Answer {
    meant(send(api, Method::DELETE, &format!("/voice_out_trunks/{id}"), &Value::Null).await.as_ref())
}

/// The names of all trunks, sorted.
pub async fn names(api: &Api) -> Vec<String> {
    let listed = api.get("/voice_out_trunks?page[size]=1000&sort=name").await.at("/data");
    let trunks = listed.as_array().unwrap().iter();
    trunks.map(|trunk| trunk["attributes"]["name"].as_str().unwrap().to_owned()).collect()
}

/// Sends a fixed sequence of a few writes of every kind.
pub async fn fixed(api: &Api) -> Ledger {
    let mut ledger = Ledger::default();
    let mut made = Vec::new();
    for name in ["a", "b"] {
        let (answer, id) = create_with_id(api, name).await;
        ledger.note(name, Some("active"), answer);
        made.push(id);
    }
    if let [Some(id), _] = made.as_slice() {
        ledger.note("a", Some("blocked"), block(api, id).await);
    }
    if let [_, Some(id)] = made.as_slice() {
        ledger.note("b", None, delete(api, id).await);
    }
    ledger.note("c", Some("active"), create(api, "c").await);
    ledger
}

/// Four writers, each with its own trunks, write until the server is gone. Returns the ledger and the number
/// of acknowledged writes.
pub async fn work(api: &Api, seed: u64) -> (Ledger, usize) {
    let kept = Arc::new(Mutex::new((Ledger::default(), 0)));
    let writers = (0..4).map(|writer| {
        let (api, kept) = (api.clone(), Arc::clone(&kept));
        tokio::spawn(async move {
            let mut dice = Dice(seed ^ (writer << 32));
            let mut own: Vec<(String, String)> = Vec::new();
            let note = |name: &str, after: Option<&str>, answer: Answer| {
                let mut kept = kept.lock().unwrap();
                kept.0.note(name, after, answer);
                kept.1 += usize::from(answer == Answer::Done);
                answer == Answer::Done
            };
            for number in 0..2_000 {
                let went_well = if own.is_empty() || dice.roll(3) > 0 {
                    let name = format!("{writer}-{number}");
                    let (answer, id) = create_with_id(&api, &name).await;
                    own.extend(id.map(|id| (name.clone(), id)));
                    note(&name, Some("active"), answer)
                } else {
                    let which = usize::try_from(dice.roll(own.len() as u64)).unwrap();
                    if dice.roll(2) == 0 {
                        let (name, id) = own.swap_remove(which);
                        note(&name, None, delete(&api, &id).await)
                    } else {
                        let (name, id) = &own[which];
                        note(name, Some("blocked"), block(&api, id).await)
                    }
                };
                if !went_well {
                    break;
                }
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    let mut kept = kept.lock().unwrap();
    (std::mem::take(&mut kept.0), kept.1)
}

/// Compares the contents of a database with the acknowledged writes.
pub async fn compare(database: &Path, ledger: &Ledger, what: &str) {
    let store = super::opened(database, what);
    let mut there = BTreeMap::new();
    for_each_record(&store, VoiceOutTrunk::SPEC, |stored| {
        let attributes = stored.record.attributes().unwrap();
        let text = |name: &str| attributes[name].as_str().unwrap().to_owned();
        there.insert(text("name"), text("status"));
    })
    .await
    .unwrap();
    store.close().await.unwrap();
    for (name, states) in &ledger.0 {
        let found = there.remove(name);
        assert!(states.contains(&found), "{what}: {name} is {found:?} and should be one of {states:?}");
    }
    assert!(there.is_empty(), "{what}: no create of {there:?} is known");
}
