//! Records to store, complete and canonical.

use didww_types::Features;
use didww_types::resources::{Did, VoiceOutTrunk};
use didww_types::{ApiVersion, Feature, Resource as _, ResourceSpec, Secret, Timestamp};
use serde_json::{Map, Value, json};
use trunk_store::account::{Account, ApiKey, KeyDigest};
use trunk_store::{CallbackSecret, Change, ListQuery, Record, Records, Scope, Writes};
use uuid::Uuid;

/// The trunks of an account.
pub fn trunks(account: i64) -> Scope {
    Scope { account, spec: VoiceOutTrunk::SPEC }
}

/// The DIDs of an account.
pub fn dids(account: i64) -> Scope {
    Scope { account, spec: Did::SPEC }
}

/// An id that is the same in every run.
pub fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

/// The attributes of a trunk: the defaults with these differences.
pub fn trunk(name: &str, differences: &Value) -> Map<String, Value> {
    let method = json!({
        "type": "credentials_and_ip",
        "attributes": { "allowed_sip_ips": ["203.0.113.5/32"], "username": "user", "password": "secret" },
    });
    let fixed =
        json!({ "name": name, "on_cli_mismatch_action": "reject_call", "authentication_method": method });
    complete(VoiceOutTrunk::SPEC, [&fixed, differences])
}

/// The attributes of a DID: the defaults with these differences.
pub fn did(number: &str, differences: &Value) -> Map<String, Value> {
    complete(Did::SPEC, [&json!({ "number": number }), differences])
}

/// The defaults of a type with these differences.
pub fn attributes(spec: &'static ResourceSpec, differences: &Value) -> Map<String, Value> {
    complete(spec, [differences, &json!({})])
}

fn complete(spec: &'static ResourceSpec, differences: [&Value; 2]) -> Map<String, Value> {
    let default = |attribute: &didww_types::AttributeSpec| {
        (attribute.name.to_owned(), attribute.default.map_or(Value::Null, didww_types::DefaultValue::to_json))
    };
    let mut attributes: Map<String, Value> = spec.attributes.iter().map(default).collect();
    for more in differences.into_iter().filter_map(Value::as_object) {
        attributes.extend(more.clone());
    }
    attributes
}

/// An insert at timestamp zero.
pub fn insert(scope: Scope, id: Uuid, attributes: Map<String, Value>) -> Change {
    linked(scope, id, attributes, Vec::new())
}

/// An insert with links.
pub fn linked(
    scope: Scope,
    id: Uuid,
    attributes: Map<String, Value>,
    links: Vec<(&'static str, Vec<Uuid>)>,
) -> Change {
    Change::Insert { scope, id, created_at: Timestamp::from_unix_millis(0), attributes, links, meta: None }
}

/// A replace that leaves the links unchanged.
pub fn replace(scope: Scope, before: Record, attributes: Map<String, Value>) -> Change {
    Change::Replace { scope, before, attributes, links: Vec::new(), meta: None }
}

/// A change that adds or removes members of a relationship.
pub fn members(
    scope: Scope,
    owner: Record,
    relationship: &'static str,
    add: bool,
    members: Vec<Uuid>,
) -> Change {
    Change::Members { scope, owner, relationship, add, members }
}

/// A query for all records, without filters.
pub fn everything(scope: Scope) -> ListQuery {
    ListQuery { scope, linked_from: None, conditions: Vec::new(), order: Vec::new(), offset: 0, limit: 1_000 }
}

/// Commits changes that must succeed.
pub async fn commit(store: &impl Writes, changes: Vec<Change>) -> Vec<Record> {
    store.commit(changes).await.unwrap()
}

/// Reads a record that must exist.
pub async fn found(store: &impl Records, scope: Scope, id: Uuid) -> Record {
    store.find(scope, id).await.unwrap().unwrap_or_else(|| panic!("{} {id} is gone", scope.spec.name))
}

/// An account that is not stored yet.
pub fn account(number: u128, name: &str) -> Account {
    Account {
        number: 0,
        id: id(number),
        name: name.to_owned(),
        version: ApiVersion::V2021_12_15,
        features: Features::of([Feature::Outbound]),
        rate_limit: None,
        record_quota: None,
        created_at: Timestamp::from_unix_millis(0),
    }
}

/// A key that is not stored yet.
pub fn key(number: u128, secret: &str) -> ApiKey {
    ApiKey {
        id: id(number),
        digest: KeyDigest::of(secret),
        created_at: Timestamp::from_unix_millis(0),
        addresses: None,
        environment: None,
    }
}

/// A callback secret.
pub fn callback_secret(number: u128, secret: &str, is_enabled: bool) -> CallbackSecret {
    let created_at = Timestamp::from_unix_millis(i64::try_from(number).unwrap());
    CallbackSecret { id: id(number), secret: Secret::new(secret), is_enabled, created_at }
}
