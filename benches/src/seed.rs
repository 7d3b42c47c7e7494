//! Databases with many trunks, written directly through the store.

use std::path::{Path, PathBuf};

use didww_types::{Resource as _, Secret, Timestamp, resources::VoiceOutTrunk};
use serde_json::{Map, Value};
use trunk_server::account::KeyDigest;
use trunk_server::config::{Config, Database};
use trunk_server::store::{Accounts as _, Change, Engine as _, Scope, SqliteStore, Writes as _};
use trunk_server::{Ids, Server};

use crate::Outcome;
use crate::trunk::{KEY, VERSION};

/// Number of trunks in one write.
const TRUNKS_PER_WRITE: u64 = 5_000;

/// The body of a request that creates a trunk.
pub(crate) fn body(name: &str) -> String {
    format!(
        r#"{{"data":{{"type":"voice_out_trunks","attributes":{{"name":"{name}","on_cli_mismatch_action":"reject_call","authentication_method":{{"type":"credentials_and_ip","attributes":{{"allowed_sip_ips":["203.0.113.0/24"]}}}}}}}}}}"#
    )
}

/// The name of trunk `number`.
pub(crate) fn name(number: u64) -> String {
    format!("trunk {number}")
}

/// The database with this number of trunks in one account; created if it does not exist.
pub(crate) fn database(folder: &Path, trunks: u64) -> Outcome<PathBuf> {
    let file = folder.join(format!("trunks-{trunks}.db"));
    if file.exists() {
        return Ok(file);
    }
    std::fs::create_dir_all(folder)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let (first, attributes) = first_trunk(&file).await?;
        let store = SqliteStore::open(&file)?;
        let account = store.account_by_key(KeyDigest::of(KEY)).await?.ok_or("the account does not exist")?;
        let scope = Scope { account: account.number, spec: VoiceOutTrunk::SPEC };
        let (ids, start) = (Ids::system(), first.as_unix_millis());
        let mut number = 1;
        while number < trunks {
            let end = trunks.min(number + TRUNKS_PER_WRITE);
            let insert = |number: u64| {
                let mut attributes = attributes.clone();
                let created_at = Timestamp::from_unix_millis(start.saturating_add_unsigned(number));
                attributes.insert("name".to_owned(), Value::String(name(number)));
                give_username(&mut attributes, number);
                attributes.insert("created_at".to_owned(), Value::String(created_at.to_string()));
                Change::Insert {
                    scope,
                    id: ids.record(created_at),
                    created_at,
                    attributes,
                    links: Vec::new(),
                    meta: None,
                }
            };
            store.commit((number..end).map(insert).collect()).await?;
            number = end;
        }
        store.close().await?;
        Ok(file)
    })
}

/// Sets a digest username that no other trunk has.
fn give_username(attributes: &mut Map<String, Value>, number: u64) {
    let method = attributes.get_mut("authentication_method").and_then(|method| method.get_mut("attributes"));
    if let Some(method) = method.and_then(Value::as_object_mut) {
        method.insert("username".to_owned(), Value::String(format!("caller{number:010}")));
    }
}

/// Starts a server that creates the account and one trunk. Returns the trunk's time of creation and its
/// attributes.
async fn first_trunk(file: &Path) -> Outcome<(Timestamp, Map<String, Value>)> {
    let mut config = Config::default();
    "127.0.0.1:0".clone_into(&mut config.listen);
    config.control_listen = None;
    config.database = Database::File(file.to_owned());
    config.api_key = Some(Secret::new(KEY.to_owned()));
    let server = Server::builder(config).start().await?;
    let url = format!("{}/voice_out_trunks", server.base_url());
    let answer = post(&url, &name(0)).await?;
    server.stop().await?;
    let attributes = answer.pointer("/data/attributes").and_then(Value::as_object);
    let attributes = attributes.ok_or_else(|| format!("no trunk was made: {answer}"))?.clone();
    let created_at = attributes.get("created_at").and_then(Value::as_str).ok_or("a trunk has no time")?;
    Ok((created_at.parse()?, attributes))
}

/// Creates a trunk with this name over HTTP. Returns the answer.
pub(crate) async fn post(url: &str, name: &str) -> Outcome<Value> {
    let request = reqwest::Client::new()
        .post(url)
        .header("Api-Key", KEY)
        .header("X-DIDWW-API-Version", VERSION)
        .header("Content-Type", didww_types::MEDIA_TYPE)
        .body(body(name));
    Ok(serde_json::from_slice(&request.send().await?.bytes().await?)?)
}
