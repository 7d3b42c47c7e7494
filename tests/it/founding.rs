//! The documents that the project began with: their requests are sent again, and the answers compared with
//! the documented ones.
//!
//! The records that a document names are put into the database before the server starts, under the document's
//! ids, so that requests are sent byte for byte.

use std::path::Path;

use didww_types::Features;
use didww_types::resources::{Did, VoiceOutTrunk};
use didww_types::{ApiVersion, DefaultValue, Feature, Resource, ResourceSpec, Timestamp};
use http::Method;
use serde_json::{Map, Value, json};
use tempfile::TempDir;
use trunk_server::account::{Account, ApiKey, KeyDigest};
use trunk_server::config::{Config, Database};
use trunk_server::control::RecordMembers;
use trunk_server::store::{Accounts as _, Change, Engine as _, Scope, SqliteStore, Writes as _};
use trunk_server::{Clock, Control, Server};
use uuid::Uuid;

use crate::support::api::{Answer, Api, NEW, OLD, TOKENS};
use crate::support::world::*;

fn fixture(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn document(name: &str) -> Value {
    serde_json::from_str(&fixture(name)).unwrap()
}

/// A server with records whose ids a document names.
struct Stage {
    server: Server,
    api: Api,
    account: Uuid,
    /// Deleted with the stage, after the server.
    _folder: TempDir,
}

/// A record that exists when the server starts: its type, id, attributes and links.
struct StoredRecord {
    spec: &'static ResourceSpec,
    id: &'static str,
    attributes: Value,
    links: Vec<(&'static str, Vec<&'static str>)>,
}

impl StoredRecord {
    fn did(id: &'static str) -> Self {
        Self { spec: Did::SPEC, id, attributes: json!({ "number": "37061498222" }), links: Vec::new() }
    }

    /// Sets a different number: no two DIDs may share one.
    fn numbered(mut self, number: &str) -> Self {
        self.attributes["number"] = json!(number);
        self
    }

    fn trunk(id: &'static str) -> Self {
        let body = credentials(&format!("Trunk {id}"));
        let mut attributes = body["data"]["attributes"].clone();
        let inner = attributes.pointer_mut("/authentication_method/attributes").unwrap();
        *inner = json!({
            "allowed_sip_ips": ["192.168.1.1/32"], "tech_prefix": null, "username": "u", "password": "p",
        });
        Self { spec: VoiceOutTrunk::SPEC, id, attributes, links: Vec::new() }
    }

    /// A record from an answer of a version.
    fn shown(spec: &'static ResourceSpec, version: ApiVersion, id: &'static str, resource: &Value) -> Self {
        let mut attributes = resource["attributes"].as_object().unwrap().clone();
        spec.to_canonical(version, &mut attributes);
        Self { spec, id, attributes: Value::Object(attributes), links: Vec::new() }
    }

    fn linked(mut self, relationship: &'static str, ids: &[&'static str]) -> Self {
        self.links.push((relationship, ids.to_vec()));
        self
    }

    fn change(self, account: i64) -> Change {
        let default = |attribute: &didww_types::AttributeSpec| {
            (attribute.name.to_owned(), attribute.default.map_or(Value::Null, DefaultValue::to_json))
        };
        let mut attributes: Map<String, Value> = self.spec.attributes.iter().map(default).collect();
        attributes.extend(self.attributes.as_object().unwrap().clone());
        let created = attributes["created_at"].as_str().unwrap_or("2021-12-02T07:17:40.125Z").to_owned();
        attributes.insert("created_at".to_owned(), json!(created));
        let uuids = |ids: Vec<&str>| ids.into_iter().map(|id| id.parse().unwrap()).collect();
        Change::Insert {
            scope: Scope { account, spec: self.spec },
            id: self.id.parse().unwrap(),
            created_at: created.parse().unwrap(),
            attributes,
            links: self.links.into_iter().map(|(name, ids)| (name, uuids(ids))).collect(),
            meta: None,
        }
    }
}

impl Stage {
    async fn set(props: Vec<StoredRecord>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("records.db");
        let store = SqliteStore::open(&file).unwrap();
        let (account, at) = (Uuid::from_u128(1), Timestamp::from_unix_millis(0));
        let new = Account {
            number: 0,
            id: account,
            name: "founding".to_owned(),
            version: ApiVersion::V2017_09_18,
            features: Features::of(Feature::ALL),
            rate_limit: None,
            record_quota: None,
            created_at: at,
        };
        let key = ApiKey {
            id: Uuid::from_u128(2),
            digest: KeyDigest::of("founding"),
            created_at: at,
            addresses: None,
            environment: None,
        };
        let saved = store.create_account(new, key).await.unwrap();
        let changes: Vec<Change> = props.into_iter().map(|prop| prop.change(saved.number)).collect();
        store.commit(changes).await.unwrap();
        store.close().await.unwrap();
        drop(store);
        let mut config = Config::default();
        "127.0.0.1:0".clone_into(&mut config.listen);
        config.control_listen = None;
        config.database = Database::File(file);
        let server = Server::builder(config).clock(Clock::system()).start().await.unwrap();
        let api = Api::new(server.base_url(), "founding");
        Self { server, api, account, _folder: folder }
    }

    fn control(&self) -> Control {
        self.server.control()
    }

    /// Stores a pool, and a DID that was terminated. Returns the body of a shared capacity group of both.
    async fn group_of_an_ended_did(&self) -> Value {
        let put = async |kind: &str, members: RecordMembers| {
            self.control().put_record(Some(self.account), kind, None, members).await.unwrap().to_string()
        };
        let pool = RecordMembers::default().attribute("name", "Standard");
        let pool = put("capacity_pools", pool).await;
        let did = RecordMembers::default().attribute("number", "37061498299").attribute("terminated", true);
        let did = put("dids", did).await;
        let group = resource("shared_capacity_groups", json!({ "name": "Shared" }));
        linking(linking(group, "capacity_pool", identifier("capacity_pools", &pool)), "dids", dids(&[&did]))
    }

    /// Sets the account's features.
    async fn features(&self, features: &[Feature]) {
        let mut patch = trunk_server::control::AccountPatch::default();
        patch.features = Some(features.to_vec());
        self.control().update_account(self.account, patch).await.unwrap();
    }

    /// Sends the bytes of a fixture.
    async fn send(&self, method: Method, path: &str, version: &str, name: &str) -> Answer {
        self.api.at(Some(version)).send(method, path, &fixture(name)).await
    }

    /// Replaces the recorded service's address by this server's.
    fn here(&self, text: &str) -> String {
        ["https://api.didww.com/v3", "https://sandbox-api.didww.com/v3"]
            .into_iter()
            .fold(text.to_owned(), |text, there| text.replace(there, self.api.base()))
    }
}

/// The recorded answer with this answer's generated values: id, credentials, time and the links' ids.
fn generated(recorded: &str, answer: &Answer) -> Value {
    let before: Value = serde_json::from_str(recorded).unwrap();
    let id = before["data"]["id"].as_str().unwrap();
    let mut expected: Value = serde_json::from_str(&recorded.replace(id, &answer.id())).unwrap();
    for pointer in [
        "/data/attributes/created_at",
        "/data/attributes/username",
        "/data/attributes/password",
        "/data/attributes/authentication_method/attributes/username",
        "/data/attributes/authentication_method/attributes/password",
    ] {
        let Some(value) = expected.pointer_mut(pointer) else { continue };
        let ours = answer.at(pointer);
        assert!(ours.as_str().is_some_and(|text| !text.is_empty()), "{pointer} is {ours}");
        *value = ours;
    }
    expected
}

const FOUNDING_DID: &str = "7a6c177d-a054-4c75-9b4c-b1596ed6fa25";

#[tokio::test]
async fn the_three_founding_creates_are_answered_as_documented() {
    let stage = Stage::set(vec![StoredRecord::did(FOUNDING_DID)]).await;
    stage.features(&[Feature::Outbound]).await;
    for (name, slip) in [
        ("create_active", None),
        // The page answers with a different name than the request's; see the fixtures' manifest.
        ("create_blocked_with_callback", Some(("/data/attributes/name", "Outbound callback"))),
        ("create_with_dids", None),
    ] {
        let answer = stage.send(Method::POST, TRUNKS, OLD, &format!("founding/{name}.request.json")).await;
        assert_eq!(answer.status, 201, "{name}: {}", answer.text);
        let recorded = stage.here(&fixture(&format!("founding/{name}.response.json")));
        let mut expected = generated(&recorded, &answer);
        if let Some((pointer, right)) = slip {
            assert_ne!(expected.pointer(pointer), Some(&json!(right)), "the slip is gone from the document");
            *expected.pointer_mut(pointer).unwrap() = json!(right);
        }
        assert_eq!(answer.json(), expected, "{name}");
        // The server's JSON is compact; otherwise it equals the document's, member by member in order.
        let spaced: Vec<&str> = recorded.split_whitespace().collect();
        let names = |text: &str| -> Vec<String> {
            text.split('"')
                .skip(1)
                .step_by(2)
                .filter(|word| expected_member(&expected, word))
                .map(str::to_owned)
                .collect()
        };
        assert_eq!(names(&answer.text), names(&spaced.join(" ")), "{name}: the order of the members");
        let id = answer.id();
        let path = format!("{TRUNKS}/{id}");
        assert_eq!(stage.api.at(Some(OLD)).get(&path).await.text, answer.text, "{name} is read back");
    }
    let list = stage.api.get(&format!("{TRUNKS}?filter[name]=Outbound+trunk+100&include=dids")).await;
    assert_eq!(list.at("/data/0/relationships/dids/data"), dids(&[FOUNDING_DID]));
}

/// Whether a word is the name of an attribute, relationship or member of the document.
fn expected_member(document: &Value, word: &str) -> bool {
    let data = &document["data"];
    [document, data, &data["attributes"], &data["relationships"]]
        .iter()
        .any(|object| object.get(word).is_some())
}

const TRUNK_22: &str = "425ce763-a3a9-49b4-af5b-ada1a65c8864";
const OTHER_22: &str = "b7183e37-f660-4d67-87dc-b2d9faa7041d";
const DID_ONE: &str = "7de7f718-4042-4d74-9fe9-863fa1777520";
const DID_TWO: &str = "eeda315a-f016-4945-a3a9-bafc24302cdd";

/// The account as recorded in February 2022.
async fn sandbox_of_2022() -> Stage {
    let version = ApiVersion::V2021_12_15;
    let shown = document("2021-12-15/voice_out_trunks.get_with_dids.response.json");
    let list = document("2021-12-15/voice_out_trunks.list.response.json");
    Stage::set(vec![
        StoredRecord::shown(Did::SPEC, version, DID_ONE, &shown["included"][0]),
        StoredRecord::shown(Did::SPEC, version, DID_TWO, &shown["included"][1]),
        StoredRecord::shown(VoiceOutTrunk::SPEC, version, TRUNK_22, &list["data"][0])
            .linked("default_did", &[DID_ONE])
            .linked("dids", &[DID_TWO, DID_ONE]),
        StoredRecord::shown(VoiceOutTrunk::SPEC, version, OTHER_22, &list["data"][1]),
        StoredRecord::did("7a028c32-e6b6-4c86-bf01-90f901b37012").numbered("37061498223"),
        StoredRecord::trunk("5fc59e7e-79eb-498a-8779-800416b5c68a"),
    ])
    .await
}

#[tokio::test]
async fn what_was_recorded_of_a_trunk_in_2022_is_answered_byte_for_byte() {
    let stage = sandbox_of_2022().await;
    let api = stage.api.at(Some(OLD));
    let path = format!("{TRUNKS}/{TRUNK_22}");
    let shown = api.get(&format!("{path}?include=dids,default_did")).await;
    let recorded = stage.here(&fixture("2021-12-15/voice_out_trunks.get_with_dids.response.json"));
    assert_eq!(shown.text, recorded);
    let changed =
        stage.send(Method::PATCH, &path, OLD, "2021-12-15/voice_out_trunks.update.request.json").await;
    let recorded = stage.here(&fixture("2021-12-15/voice_out_trunks.update.response.json"));
    assert_eq!((changed.status, changed.text), (200, recorded));
}

#[tokio::test]
async fn the_recorded_list_of_2022_is_answered_byte_for_byte() {
    let stage = sandbox_of_2022().await;
    let api = stage.api.at(Some(OLD));
    // The third trunk is for the rotation; the recorded account had two.
    assert_eq!(api.delete(&format!("{TRUNKS}/5fc59e7e-79eb-498a-8779-800416b5c68a")).await.status, 204);
    let recorded = stage.here(&fixture("2021-12-15/voice_out_trunks.list.response.json"));
    assert_eq!(api.get(TRUNKS).await.text, recorded);
}

#[tokio::test]
async fn the_recorded_create_of_2022_is_answered_as_then() {
    let stage = sandbox_of_2022().await;
    let answer =
        stage.send(Method::POST, TRUNKS, OLD, "2021-12-15/voice_out_trunks.create.request.json").await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    let recorded = stage.here(&fixture("2021-12-15/voice_out_trunks.create.response.json"));
    assert_eq!(answer.json(), generated(&recorded, &answer));
    assert_eq!(answer.text.len(), recorded.len(), "ids and credentials have the recorded lengths");
}

#[tokio::test]
async fn the_recorded_rotation_is_answered_byte_for_byte() {
    let stage = sandbox_of_2022().await;
    let name = "2021-12-15/voice_out_trunk_regenerate_credentials.create";
    let answer = stage.send(Method::POST, ROTATION, OLD, &format!("{name}.request.json")).await;
    assert_eq!((answer.status, answer.text), (201, fixture(&format!("{name}.response.json"))));
}

#[tokio::test]
async fn the_creates_of_2026_are_answered_as_published() {
    let stage = Stage::set(Vec::new()).await;
    stage.features(&[Feature::Outbound]).await;
    for kind in ["credentials", "twilio"] {
        let name = format!("2026-04-16/voice_out_trunks.create_{kind}");
        let answer = stage.send(Method::POST, TRUNKS, NEW, &format!("{name}.request.json")).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        let recorded = stage.here(&fixture(&format!("{name}.response.json")));
        assert_eq!(answer.json(), generated(&recorded, &answer));
        assert_eq!(
            answer.text.len(),
            recorded.len(),
            "{kind}: ids and credentials have the recorded lengths"
        );
    }
}

#[tokio::test]
async fn the_bodies_of_the_newest_pages_are_answered_as_published() {
    const ID: &str = "457bf47d-446d-41cd-91c3-dfbda7bf0753";
    let stage = Stage::set(vec![StoredRecord::trunk(ID)]).await;
    stage.features(&[Feature::Outbound]).await;
    let minted = stage.api.mint(&document("2026-11-19/token.create.request.json")).await;
    let token = minted.at("/access_token").as_str().unwrap().to_owned();
    let published = fixture("2026-11-19/token.create.response.json").replace("<JWT>", &token);
    assert_eq!((minted.status, &minted.text), (200, &published));

    let name = "2026-11-19/voice_out_trunk_regenerate_credentials.create";
    let answer = stage.send(Method::POST, ROTATION, TOKENS, &format!("{name}.request.json")).await;
    assert_eq!((answer.status, answer.text), (201, fixture(&format!("{name}.response.json"))));

    let name = "2026-11-19/voice_out_trunks.create";
    let answer = stage.send(Method::POST, TRUNKS, TOKENS, &format!("{name}.request.json")).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    let published = stage.here(&fixture(&format!("{name}.response.json")));
    assert_eq!(answer.json(), generated(&published, &answer));
    assert_eq!(answer.text.len(), published.len(), "ids and credentials have the published lengths");
}

#[tokio::test]
async fn an_ip_only_trunk_is_shown_byte_for_byte_as_recorded() {
    const ID: &str = "5a1e7c0b-2f4d-4c53-9d3a-0c8be62f9a10";
    let recorded = document("2026-04-16/voice_out_trunks.get_ip_only.response.json");
    let trunk = StoredRecord::shown(VoiceOutTrunk::SPEC, ApiVersion::NEWEST, ID, &recorded["data"]);
    let stage = Stage::set(vec![trunk]).await;
    stage.features(&[Feature::Outbound]).await;
    let answer = stage.api.get(&format!("{TRUNKS}/{ID}")).await;
    assert_eq!(answer.text, stage.here(&fixture("2026-04-16/voice_out_trunks.get_ip_only.response.json")));
}

#[tokio::test]
async fn what_all_official_sdks_send_for_emergency_settings_is_done() {
    const ID: &str = "01234567-89ab-cdef-0123-456789abcdef";
    const A: &str = "aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa";
    const B: &str = "bbbbbbbb-bbbb-bbbb-bbbb-bbbbbbbbbbbb";
    let able = |id, number: &str| StoredRecord {
        attributes: json!({ "number": number, "emergency_enabled": true }),
        ..StoredRecord::did(id)
    };
    let stage = Stage::set(vec![StoredRecord::trunk(ID), able(A, "1"), able(B, "2")]).await;
    let path = format!("{TRUNKS}/{ID}");
    let linkage = format!("{path}/relationships/emergency_dids");
    for (name, members, all) in [
        ("update_emergency_dids", dids(&[A, B]), false),
        ("update_emergency_dids_clear", dids(&[]), false),
        ("update_emergency_enable_all", dids(&[A, B]), true),
    ] {
        let name = format!("2026-04-16/voice_out_trunks.{name}.request.json");
        let answer = stage.send(Method::PATCH, &path, NEW, &name).await;
        assert_eq!(answer.status, 200, "{name}: {}", answer.text);
        assert_eq!(answer.at("/data/attributes/emergency_enable_all"), all);
        assert_eq!(stage.api.get(&linkage).await.at("/data"), members, "{name}");
    }
}

#[tokio::test]
async fn the_recorded_updates_of_dids_are_done_or_refused_as_their_records_are_there() {
    const ID: &str = "44957076-778a-4802-b60c-d22db0cda284";
    const OLDER: &str = "9df99644-f1a5-4a3c-99a4-559d758eb96b";
    let stage =
        Stage::set(vec![StoredRecord::did(ID), StoredRecord::did(OLDER).numbered("37061498223")]).await;
    let name = "2026-04-16/dids.update_unassign_emergency.request.json";
    let path = format!("{DIDS}/{ID}?include=emergency_calling_service");
    let answer = stage.send(Method::PATCH, &path, NEW, name).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let recorded: Value =
        serde_json::from_str(&stage.here(&fixture(&name.replace("request", "response")))).unwrap();
    for (name, relationship) in recorded["data"]["relationships"].as_object().unwrap() {
        assert_eq!(answer.at(&format!("/data/relationships/{name}")), *relationship);
    }
    // The account does not have the recorded group.
    let answer = stage
        .send(Method::PATCH, &format!("{DIDS}/{OLDER}"), "2017-09-18", "2017-09-18/dids.update.request.json")
        .await;
    refused(&answer, &[relationship("shared_capacity_group", "is invalid")]);
}

const SHARED: &str = "/shared_capacity_groups";

/// Recorded refusals that no current request can cause, and the reason.
const NOT_PROVOKED: [(&str, &str); 3] = [
    (
        "emergency_not_supported",
        "the same rule of another resource; ours names the relationship emergency_dids",
    ),
    ("insufficient_funds", "an order, which `conformance/orders.rs` makes, is answered with it"),
    ("requirement_not_met", "a check, which `conformance/verifications.rs` makes, is answered with it"),
];

#[tokio::test]
async fn every_recorded_refusal_is_provoked_and_is_the_same_to_the_byte() {
    let stage = Stage::set(vec![StoredRecord::did(FOUNDING_DID), StoredRecord::trunk(TRUNK_22)]).await;
    stage.features(&[Feature::Outbound]).await;
    let api = &stage.api;
    let (did, trunk) = (format!("{DIDS}/{FOUNDING_DID}"), format!("{TRUNKS}/{TRUNK_22}"));
    let method = |kind: &str| json!({ "authentication_method": { "type": kind, "attributes": {} } });
    let of_did = |attributes| update("dids", FOUNDING_DID, attributes);
    let to_group = identifier("voice_in_trunk_groups", UNKNOWN);
    let to_group = linking(of_did(json!({})), "voice_in_trunk_group", to_group);
    let limited = trunk_server::control::NewAccount::named("limited").rate_limit(1).api_key("limited");
    stage.control().create_account(limited).await.unwrap();
    stage.control().clock().freeze(None);
    let limited = api.with_key(Some("limited"));
    assert_eq!(limited.get(DIDS).await.status, 200);
    let named = format!("Trunk {TRUNK_22}");
    let oldest = api.at(Some("2017-09-18"));
    let to_former_group = linking(of_did(json!({})), "trunk_group", identifier("trunk_groups", UNKNOWN));
    let ended = stage.group_of_an_ended_did().await;
    let shared = linking(ended.clone(), "dids", dids(&[FOUNDING_DID]));
    let shared = api.post(SHARED, &shared).await;
    let group = resource("voice_in_trunk_groups", json!({ "name": "G" }));
    let of_unknown = linking(group, "voice_in_trunks", json!([identifier("voice_in_trunks", UNKNOWN)]));
    let configuration = json!({ "type": "pstn_configurations", "attributes": { "dst": "12125550101" } });
    let inbound = json!({ "name": "T", "configuration": configuration });
    let from_unknown = linking(resource("voice_in_trunks", inbound), "pop", identifier("pops", UNKNOWN));
    let newest = api.at(Some(TOKENS)).with_key(None);
    let reader = api.token(&json!({ "scope": "read" })).await;
    let deletes = newest.request(Method::DELETE, &trunk).bearer_auth(reader).send().await.unwrap();
    let mut provoked = vec![
        ("dids_shared_capacity", 422, api.post(SHARED, &ended).await),
        ("capacity_group_in_use", 422, api.delete(&format!("{SHARED}/{}", shared.id())).await),
        (
            "capacity_pool_blank",
            422,
            api.post(SHARED, &resource("shared_capacity_groups", json!({ "name": "B" }))).await,
        ),
        ("trunk_ids_invalid", 422, api.post("/voice_in_trunk_groups", &of_unknown).await),
        ("pop_invalid", 422, api.post("/voice_in_trunks", &from_unknown).await),
        ("insufficient_scope", 403, Answer::of(deletes).await),
        ("trunk_group_invalid", 422, oldest.patch(&did, &to_former_group).await),
        ("unauthorized", 401, api.with_key(None).get(TRUNKS).await),
        ("param_not_allowed", 400, api.patch(&did, &of_did(json!({ "capacity_pools_id": UNKNOWN }))).await),
        ("voice_in_trunk_group_invalid", 422, api.patch(&did, &to_group).await),
        ("record_not_found", 404, api.delete(&format!("{TRUNKS}/{UNKNOWN}")).await),
        ("ip_only_create", 422, api.post(TRUNKS, &with(credentials("A"), method("ip_only"))).await),
        ("ip_only_update", 422, api.patch(&trunk, &patch(TRUNK_22, method("ip_only"))).await),
        ("twilio_sid_blank", 422, api.post(TRUNKS, &with(credentials("A"), method("twilio"))).await),
        (
            "credentials_without_addresses",
            422,
            api.post(TRUNKS, &with(credentials("A"), method("credentials_and_ip"))).await,
        ),
        ("name_taken", 422, api.post(TRUNKS, &credentials(&named)).await),
        (
            "capacity_limit_too_large",
            422,
            api.patch(&did, &of_did(json!({ "capacity_limit": 32_768 }))).await,
        ),
        (
            "external_reference_too_long",
            422,
            api.patch(&trunk, &patch(TRUNK_22, json!({ "external_reference_id": "x".repeat(101) }))).await,
        ),
        ("filter_not_allowed", 400, api.get(&format!("{TRUNKS}?filter[bogus]=1")).await),
        ("rate_limited", 429, limited.get(DIDS).await),
    ];
    for (name, status, answer) in &provoked {
        assert_eq!(
            (answer.status, &answer.text),
            (*status, &fixture(&format!("errors/{name}.json"))),
            "{name}"
        );
        refusal_headers(answer);
    }
    let mut known: Vec<String> = provoked.drain(..).map(|(name, ..)| format!("{name}.json")).collect();
    known.extend(NOT_PROVOKED.map(|(name, _)| format!("{name}.json")));
    known.sort();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/errors");
    let mut files: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    assert_eq!(known, files, "each recorded refusal is provoked, or there is a reason why not");
}
