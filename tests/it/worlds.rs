//! Worlds: files that fill a server, and the scenarios that ship with the program.

use didww_types::ApiVersion;
use http::Method;
use serde_json::{Value, json};
use trunk_server::control::{
    ControlError, LoadedWorld, NewAccount, SaveOptions, World as WorldFile, scenario,
};
use trunk_server::edge::Question;
use trunk_server::{TestServer, TestServerBuilder};

use crate::docs::pages::{blocks, read as page};
use crate::support::api::{Answer, Api, NEW, http_client};
use crate::support::binary::{Binary, command};
use crate::support::engine;
use crate::support::records::Records;
use crate::support::world::*;

/// A server without any account.
async fn empty() -> TestServer {
    let server = engine::builder().control_listener().start().await;
    server.control().delete_account(server.account()).await.unwrap();
    server
}

/// A client of the account of a loaded world at this position, whose key is the random one of the load.
fn client(server: &TestServer, loaded: &LoadedWorld, position: usize) -> Api {
    let key = loaded.accounts[position].api_key.as_ref().unwrap();
    Api::new(server.base_url(), key.expose()).at(Some(NEW))
}

/// A world in JSON.
fn read(world: Value) -> WorldFile {
    WorldFile::from_json(&world.to_string()).unwrap()
}

async fn load(server: &TestServer, world: Value) -> Result<LoadedWorld, ControlError> {
    server.control().load_world(&read(world), None).await
}

async fn save(server: &TestServer, options: SaveOptions) -> String {
    server.control().save_world(options).await.unwrap().to_json()
}

/// An outbound trunk of a world.
fn trunk(name: &str) -> Value {
    let method = json!({ "type": "credentials_and_ip", "attributes": { "allowed_sip_ips": ["10.0.0.1"] } });
    json!({ "label": name, "attributes": { "name": name, "on_cli_mismatch_action": "reject_call",
        "authentication_method": method } })
}

/// A world of one account with these trunks.
fn with_trunks(account: &str, trunks: &[&str]) -> Value {
    let trunks: Vec<Value> = trunks.iter().map(|name| trunk(name)).collect();
    json!({ "accounts": [{ "name": account, "records": { "voice_out_trunks": trunks } }] })
}

/// A server whose account has a record of every type that a world contains.
async fn with_every_type() -> World {
    let builder = engine::builder().control_listener();
    let builder = engine::granted().fold(builder, TestServerBuilder::feature);
    let world = World::of(builder).await;
    let version = ApiVersion::NEWEST;
    let api = world.api.at(Some(version.as_str()));
    Records::of(&world.server, world.server.account(), api, version).create_each().await;
    world
}

#[tokio::test]
async fn a_saved_world_with_every_type_loads_into_an_empty_server_and_saves_as_the_same_bytes() {
    let (first, second) = (with_every_type().await, empty().await);
    let everything = SaveOptions::default().secrets().all_shared();
    let saved = save(&first.server, everything).await;
    for kind in
        ["voice_out_trunks", "voice_in_trunks", "dids", "did_groups", "countries", "balances", "identities"]
    {
        assert!(saved.contains(&format!("\"{kind}\": [")), "no {kind} in {saved}");
    }
    let loaded = second.control().load_world(&WorldFile::from_json(&saved).unwrap(), None).await.unwrap();
    assert!(loaded.accounts[0].is_new && loaded.records > 20, "{loaded:?}");
    assert_eq!(save(&second, everything).await, saved);
    // The key of the first server is one of the second: both store its digest alone.
    let api = Api::new(second.base_url(), first.server.api_key()).at(Some(NEW));
    let (one, other) = (first.api.at(Some(NEW)).get(TRUNKS).await, api.get(TRUNKS).await);
    assert_eq!(
        one.at("/data/0/attributes/authentication_method"),
        other.at("/data/0/attributes/authentication_method")
    );
    assert_eq!(one.at("/data/0/id"), other.at("/data/0/id"));
    let path = "/emergency_requirements";
    let (one, other) = (first.api.at(Some(NEW)).get(path).await, api.get(path).await);
    let prices = json!({ "setup_price": "1.5", "monthly_price": "2.5" });
    assert_eq!((one.at("/data/0/meta"), other.at("/data/0/meta")), (prices.clone(), prices));
}

#[tokio::test]
async fn a_world_is_saved_without_its_secrets_unless_they_are_asked_for() {
    let (first, second) = (with_every_type().await, empty().await);
    let trunk = first.api.at(Some(NEW)).get(TRUNKS).await;
    let password = trunk.at("/data/0/attributes/authentication_method/attributes/password");
    let password = password.as_str().unwrap();
    let (open, masked) = (
        save(&first.server, SaveOptions::default().secrets()).await,
        save(&first.server, SaveOptions::default()).await,
    );
    assert!(open.contains(password) && open.contains("\"sha256\""));
    assert!(
        !masked.contains(password) && !masked.contains("\"keys\"") && masked.contains("(hidden)"),
        "{masked}"
    );
    second.control().load_world(&WorldFile::from_json(&masked).unwrap(), None).await.unwrap();
    assert_eq!(save(&second, SaveOptions::default()).await, masked);
    // Hidden values are generated again, and are not the placeholder.
    let again = save(&second, SaveOptions::default().secrets()).await;
    assert!(!again.contains("(hidden)") && !again.contains(password), "{again}");
}

#[tokio::test]
async fn text_message_trunks_keep_their_credentials_and_are_saved_without_them() {
    let (first, second) = (empty().await, empty().await);
    let of = |name: &str, kind: &str, attributes: Value| {
        json!({ "label": name, "attributes": { "name": name, "updated_at": "2026-11-19T00:00:00.000Z",
            "configuration": { "type": kind, "attributes": attributes } } })
    };
    let secrets = ["planted-password", "planted-header", "planted-parameter", "planted-token"];
    let trunks = [
        of("Out", "http_out", json!({ "auth_name": "user", "auth_password": secrets[0] })),
        of(
            "In",
            "http_in",
            json!({ "url": format!("https://example.com/sms?token={}", secrets[3]), "http_method": "get",
                "headers": { "X-Auth": secrets[1] }, "query_parameters": { "api_key": secrets[2] } }),
        ),
    ];
    let file = json!({ "accounts": [{ "name": "one", "records": { "sms_trunks": trunks } }] });
    load(&first, file).await.unwrap();
    let open = save(&first, SaveOptions::default().secrets()).await;
    second.control().load_world(&WorldFile::from_json(&open).unwrap(), None).await.unwrap();
    assert_eq!(save(&second, SaveOptions::default().secrets()).await, open);
    let masked = save(&first, SaveOptions::default()).await;
    for secret in secrets {
        assert!(open.contains(secret), "{secret} is not in {open}");
        assert!(!masked.contains(secret), "{secret} is in {masked}");
    }
}

#[tokio::test]
async fn a_text_message_trunk_that_is_written_by_hand_has_what_one_of_the_api_has() {
    let server = empty().await;
    let url = "https://example.com/sms";
    let kinds = [
        ("http_in", json!({ "url": url, "http_method": "get" })),
        ("http_out", json!({})),
        ("smpp_esme", json!({ "server_location": "fra" })),
        (
            "smpp_smsc",
            json!({ "host": "smpp.example.com", "system_id": "id", "password": "pw", "server_location": "fra" }),
        ),
    ];
    let attributes = |kind: &str, nested: &Value| {
        let configuration = json!({ "type": kind, "attributes": nested });
        json!({ "name": format!("by hand {kind}"), "configuration": configuration })
    };
    let trunks: Vec<Value> =
        kinds.iter().map(|(kind, nested)| json!({ "attributes": attributes(kind, nested) })).collect();
    let file = json!({ "accounts": [{ "name": "one", "records": { "sms_trunks": trunks } }] });
    let loaded = load(&server, file).await.unwrap();
    let api = client(&server, &loaded, 0).at(Some(ApiVersion::NEWEST.as_str()));
    for (kind, nested) in &kinds {
        let mut body = attributes(kind, nested);
        body["name"] = json!(format!("by the API {kind}"));
        let created = api.post("/sms_trunks", &resource("sms_trunks", body)).await;
        assert_eq!(created.status, 201, "{}", created.text);
        let loaded = api.get(&format!("/sms_trunks?filter[name]=by%20hand%20{kind}")).await;
        let same = |attributes: Value| {
            let mut attributes = attributes;
            let members = attributes.as_object_mut().unwrap();
            members.retain(|name, _| !["name", "created_at", "updated_at"].contains(&name.as_str()));
            // Generated anew for each trunk.
            let nested = attributes["configuration"]["attributes"].as_object_mut().unwrap();
            for (name, value) in nested {
                if ["auth_name", "auth_password", "system_id", "password"].contains(&name.as_str()) {
                    *value = json!(value.as_str().unwrap().is_empty());
                }
            }
            attributes
        };
        assert_eq!(same(loaded.at("/data/0/attributes")), same(created.at("/data/attributes")), "{kind}");
    }
}

#[tokio::test]
async fn a_proof_of_a_world_proves_an_identity_or_an_address() {
    let (first, second) = (empty().await, empty().await);
    let proof = |kind: &str, entity: &str| {
        let relationships = json!({ "proof_type": kind, "entity": entity });
        json!({ "label": entity, "relationships": relationships })
    };
    let kind = |label: &str, of: &str| {
        let attributes = json!({ "name": "Passport", "entity_type": of });
        json!({ "label": label, "attributes": attributes })
    };
    let world = json!({
        "shared": {
            "countries": [{ "label": "land", "attributes": { "name": "Germany", "prefix": "49", "iso": "DE" } }],
            "proof_types": [kind("of a person", "Personal"), kind("of an address", "Address")],
        },
        "accounts": [{ "name": "one", "records": {
            "proofs": [proof("of a person", "ada"), proof("of an address", "home")],
            "identities": [{ "label": "ada", "attributes": { "identity_type": "personal", "first_name": "Ada",
                "last_name": "Lovelace", "phone_number": "442071234567" } }],
            "addresses": [{ "label": "home", "relationships": { "identity": "ada", "country": "land" },
                "attributes": { "city_name": "Berlin", "postal_code": "10115", "address": "Long Street 1" } }],
        } }],
    });
    let loaded = load(&first, world).await.unwrap();
    let list = client(&first, &loaded, 0).get("/proofs?include=entity").await;
    let kinds: Vec<Value> =
        (0..2).map(|n| list.at(&format!("/data/{n}/relationships/entity/data/type"))).collect();
    assert!(kinds.contains(&json!("identities")) && kinds.contains(&json!("addresses")), "{}", list.text);
    let saved = save(&first, SaveOptions::default()).await;
    second.control().load_world(&WorldFile::from_json(&saved).unwrap(), None).await.unwrap();
    assert_eq!(save(&second, SaveOptions::default()).await, saved);
    let mut incomplete: Value = serde_json::from_str(&saved).unwrap();
    incomplete["accounts"][0]["records"].as_object_mut().unwrap().remove("addresses");
    incomplete["accounts"][0]["name"] = json!("two");
    let refusal = load(&empty().await, incomplete).await.unwrap_err().to_string();
    assert!(refusal.contains("none of the identities or addresses"), "{refusal}");
}

/// A world with a customer who can call Great Britain through a carrier.
fn with_platform() -> Value {
    json!({
        "platform": {
            "providers": [{ "label": "carrier", "name": "Carrier", "hostname": "sip.example.com", "username": "user",
                "password": "planted-password", "tech_headers": { "X-Auth": "planted-header" },
                "metadata": { "trunk": "T", "portal": { "password": "planted-note" } } }],
            "customers": [{ "label": "shop", "name": "Shop", "balance": "12.5",
                "webhook_uri": "https://example.com/hook", "webhook_secret": "planted-secret",
                "outbound_config": { "destination_whitelist": ["GB"] } },
                { "label": "frozen", "name": "Frozen", "frozen": true }],
            "routes": [{ "customer": "shop", "provider": "carrier", "target": "+44", "priority": 1 },
                { "provider": "carrier", "target": "all", "priority": 9 }],
        },
        "accounts": [{ "name": "one" }],
    })
}

#[tokio::test]
async fn the_communication_platform_is_loaded_and_saved_without_its_secrets_unless_they_are_asked_for() {
    let (first, second) = (empty().await, empty().await);
    let loaded = load(&first, with_platform()).await.unwrap();
    assert_eq!(loaded.records, 5);
    let names = async |server: &TestServer| {
        let customers = server.control().customers().await.unwrap().into_iter();
        customers.map(|customer| (customer.name, customer.balance.to_string())).collect::<Vec<_>>()
    };
    let expected =
        [("Frozen", "1000.0"), ("Shop", "12.5")].map(|(name, had)| (name.to_owned(), had.to_owned()));
    assert_eq!(names(&first).await, expected);
    let listed = json!(first.control().providers().await.unwrap()).to_string();
    assert!(listed.contains("\"trunk\":\"T\"") && !listed.contains("planted"), "{listed}");
    let open = save(&first, SaveOptions::default().secrets()).await;
    let masked = save(&first, SaveOptions::default()).await;
    for secret in ["planted-password", "planted-header", "planted-note", "planted-secret"] {
        assert!(open.contains(secret), "{secret} is not in {open}");
        assert!(!masked.contains(secret), "{secret} is in {masked}");
    }
    assert!(open.contains("\"gb\"") && open.contains("\"frozen\": true"), "{open}");
    second.control().load_world(&WorldFile::from_json(&open).unwrap(), None).await.unwrap();
    assert_eq!(save(&second, SaveOptions::default().secrets()).await, open);
    // Hidden values keep their stored values, and a second load changes nothing.
    second.control().load_world(&WorldFile::from_json(&masked).unwrap(), None).await.unwrap();
    assert_eq!(save(&second, SaveOptions::default().secrets()).await, open);
    load(&first, with_platform()).await.unwrap();
    assert_eq!(save(&first, SaveOptions::default().secrets()).await, open);
    let third = empty().await;
    third.control().load_world(&WorldFile::from_json(&masked).unwrap(), None).await.unwrap();
    assert_eq!(save(&third, SaveOptions::default()).await, masked);
    let new = save(&third, SaveOptions::default().secrets()).await;
    assert!(!new.contains("(hidden)") && !new.contains("planted"), "{new}");
    assert_eq!(names(&third).await, expected);
}

#[tokio::test]
async fn a_platform_that_is_wrong_leaves_nothing_and_belongs_to_no_account() {
    let server = empty().await;
    let with = |pointer: &str, value: Value| {
        let mut world = with_platform();
        *world.pointer_mut(pointer).unwrap() = value;
        world
    };
    for (pointer, value, why) in [
        (
            "/platform/routes/0/provider",
            json!("nowhere"),
            "has a route to `+44` with `nowhere`, which is no provider",
        ),
        ("/platform/routes/0/customer", json!(UNKNOWN), "which is no customer"),
        ("/platform/routes/1/target", json!("everywhere"), "valid: `all`, or a calling code"),
        (
            "/platform/providers/0/hostname",
            json!("user@sip.example.com"),
            "has a wrong `hostname` of provider",
        ),
        ("/platform/customers/0/outbound_config/destination_whitelist", json!(["xx"]), "`outbound_config`"),
        ("/platform/customers/0/webhook_uri", json!("ftp://example.com"), "`webhook_uri`"),
        ("/platform/customers/0/webhook_uri", json!("https://example.com/\0"), "`webhook_uri`"),
        (
            "/platform/customers/0",
            json!({ "label": "shop", "name": "Shop", "webhook_method": "PO\0ST" }),
            "control characters in the `webhook_method` of customer `Shop`",
        ),
        ("/platform/customers/1/label", json!("shop"), "has two customers"),
    ] {
        let refusal = load(&server, with(pointer, value)).await.unwrap_err().to_string();
        assert!(refusal.contains(why), "{pointer}: {refusal}");
        assert!(server.control().accounts().await.unwrap().is_empty(), "{pointer}");
        assert!(server.control().customers().await.unwrap().is_empty(), "{pointer}");
    }
    let (account, _) = server.control().create_account(NewAccount::named("there")).await.unwrap();
    let into = server.control().load_world(&read(with_platform()), Some(account.id)).await.unwrap_err();
    assert!(into.to_string().contains("belongs to no account"), "{into}");
}

#[tokio::test]
async fn a_provider_whose_host_changes_loses_the_secrets_of_the_former_one() {
    let server = empty().await;
    load(&server, with_platform()).await.unwrap();
    let mut masked: Value = serde_json::from_str(&save(&server, SaveOptions::default()).await).unwrap();
    masked["platform"]["providers"][0]["hostname"] = json!("sip.example.org");
    load(&server, masked).await.unwrap();
    let open = save(&server, SaveOptions::default().secrets()).await;
    assert!(open.contains("sip.example.org") && open.contains("planted-secret"), "{open}");
    for former in ["planted-password", "planted-header", "planted-note"] {
        assert!(!open.contains(former), "{former} is in {open}");
    }
    assert!(!open.contains("(hidden)"), "{open}");
}

#[tokio::test]
async fn a_world_that_cannot_be_stored_leaves_nothing() {
    let server = empty().await;
    let mut world = with_trunks("one", &["A"]);
    let second = with_trunks("two", &["B", "C"])["accounts"][0].clone();
    world["accounts"].as_array_mut().unwrap().push(second);
    // Two trunks of one account have the same name, which the store finds out last.
    world["accounts"][1]["records"]["voice_out_trunks"][1]["attributes"]["name"] = json!("B");
    let error = load(&server, world.clone()).await.unwrap_err().to_string();
    assert!(error.contains("`name`"), "{error}");
    assert!(server.control().accounts().await.unwrap().is_empty());
    world["accounts"][1]["records"]["voice_out_trunks"][1]["attributes"]["name"] = json!("C");
    assert_eq!(load(&server, world).await.unwrap().records, 3);
}

#[tokio::test]
async fn a_world_of_one_record_more_than_ten_thousand_is_refused() {
    let server = empty().await;
    let names: Vec<String> = (0..10_001).map(|number| format!("T{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let error = load(&server, with_trunks("one", &names)).await.unwrap_err().to_string();
    assert!(error.contains("has 10001 records, of which 10000 fit"), "{error}");
    assert!(server.control().accounts().await.unwrap().is_empty());
}

#[tokio::test]
async fn what_a_relationship_names_must_exist_and_belong_to_the_account() {
    let world = World::start().await;
    let theirs = world.did("37061498222").await;
    let mut file = with_trunks("other", &["A"]);
    file["accounts"][0]["records"]["voice_out_trunks"][0]["relationships"] = json!({ "dids": [theirs] });
    let error = load(&world.server, file).await.unwrap_err().to_string();
    assert!(error.contains(&theirs) && error.contains("none of the dids"), "{error}");
    assert_eq!(world.server.control().accounts().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_world_that_is_loaded_again_changes_its_records_and_no_others() {
    let server = empty().await;
    let first = load(&server, with_trunks("one", &["A", "B"])).await.unwrap();
    let api = client(&server, &first, 0);
    let before = api.get(&format!("{TRUNKS}?sort=name")).await;
    assert_eq!(api.post(TRUNKS, &credentials("C")).await.status, 201);
    let id = before.at("/data/0/id");
    let path = format!("{TRUNKS}/{}", id.as_str().unwrap());
    let changed = api.patch(&path, &patch(id.as_str().unwrap(), json!({ "capacity_limit": 7 }))).await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    let second = load(&server, with_trunks("one", &["A", "B"])).await.unwrap();
    assert!(!second.accounts[0].is_new && second.accounts[0].id == first.accounts[0].id);
    let after = api.get(&format!("{TRUNKS}?sort=name")).await;
    assert_eq!(after.at("/meta/total_records"), 3);
    // The capacity limit is back at its default, and the credentials and the time of creation are those of the first
    // load.
    assert_eq!(after.at("/data/0"), before.at("/data/0"));
}

#[tokio::test]
async fn the_records_of_a_world_can_go_to_an_account_that_exists() {
    let world = World::start().await;
    let account = world.server.account();
    let file = read(with_trunks("another name", &["A"]));
    let loaded = world.server.control().load_world(&file, Some(account)).await.unwrap();
    assert_eq!((loaded.accounts[0].id, loaded.accounts[0].api_key.is_none()), (account, true));
    let trunks = world.api.at(Some(NEW)).get(TRUNKS).await;
    assert_eq!(trunks.at("/data/0/attributes/name"), "A");
    let one = SaveOptions::default().account(account);
    assert!(save(&world.server, one).await.contains("\"name\": \"default\""));
}

/// Sends a world to the control API.
async fn post(server: &TestServer, query: &str, media_type: &str, text: &str) -> Answer {
    let control = server.server().control_address().unwrap();
    let request = http_client()
        .request(Method::POST, format!("http://{control}/control/v1/world{query}"))
        .header("Content-Type", media_type)
        .body(text.to_owned());
    Answer::of(request.send().await.unwrap()).await
}

#[tokio::test]
async fn a_file_is_refused_with_the_line_and_what_would_be_right() {
    let server = empty().await;
    let json = "{\n  \"accounts\": [{\n    \"name\": \"A\",\n    \"records\": { \"dids\": [{ \"attributes\": { \"numbr\": \"1\" } }] }\n  }]\n}";
    let refused = post(&server, "", "application/json", json).await;
    assert_eq!(refused.status, 422, "{}", refused.text);
    for part in ["line 4", "`numbr` is not an attribute of dids", "number"] {
        assert!(refused.text.contains(part), "no {part} in {}", refused.text);
    }
    let toml =
        "[[accounts]]\nname = \"A\"\n[[accounts.records.dids]]\nattributes = { number = \"no number\" }\n";
    let refused = post(&server, "", "application/toml", toml).await;
    assert!(refused.status == 422 && refused.text.contains("`number`"), "{}", refused.text);
    let unknown = post(&server, "", "application/json", "{\"format\":2}").await;
    assert!(unknown.text.contains("format 1"), "{}", unknown.text);
    let twice = "{\"accounts\":[{\"name\":\"A\",\"records\":{\"did_groups\":[]}}]}";
    let misplaced = post(&server, "", "application/json", twice).await;
    assert!(misplaced.text.contains("`shared`"), "{}", misplaced.text);
    assert!(server.control().accounts().await.unwrap().is_empty());
}

#[tokio::test]
async fn the_control_api_loads_toml_and_scenarios_and_saves_what_a_load_understands() {
    let server = empty().await;
    let toml = "[[shared.did_groups]]\nlabel = \"local\"\nattributes = { area_name = \"Washington\" }\n\n\
                [[accounts]]\nname = \"A\"\nversion = \"2026-04-16\"\nkeys = [{ api_key = \"test-key\" }]\n\n\
                [[accounts.records.dids]]\nattributes = { number = \"12025550143\" }\n\
                relationships = { did_group = \"local\" }\n";
    let loaded = post(&server, "", "application/toml", toml).await;
    assert_eq!(loaded.status, 200, "{}", loaded.text);
    assert_eq!((loaded.at("/records"), loaded.at("/accounts/0/api_key")), (json!(2), Value::Null));
    let dids =
        Api::new(server.base_url(), "test-key").at(Some(NEW)).get(&format!("{DIDS}?include=did_group")).await;
    assert_eq!(dids.at("/data/0/attributes/number"), "12025550143");
    assert_eq!(dids.at("/included/0/attributes/area_name"), "Washington");
    let scenario = post(&server, "?scenario=one-trunk", "application/json", "").await;
    assert_eq!(scenario.status, 200, "{}", scenario.text);
    assert!(scenario.at("/accounts/0/api_key").is_string());
    let unknown = post(&server, "?scenario=two-trunks", "application/json", "").await;
    assert!(unknown.status == 422 && unknown.text.contains("one-trunk, "), "{}", unknown.text);
    let control = server.server().control_address().unwrap();
    let saved =
        http_client().get(format!("http://{control}/control/v1/world?secrets=true")).send().await.unwrap();
    let saved = saved.text().await.unwrap();
    assert_eq!(saved, save(&server, SaveOptions::default().secrets()).await);
    let other = empty().await;
    assert_eq!(post(&other, "", "application/json", &saved).await.status, 200);
    assert_eq!(save(&other, SaveOptions::default().secrets()).await, saved);
}

/// A server that was filled with a scenario, and a client of its first account.
async fn of(name: &str) -> (TestServer, Api) {
    let world = scenario(name).unwrap().world().unwrap();
    let server = engine::builder().sip().world(world).start().await;
    let api = Api::new(server.base_url(), server.api_key()).at(Some(NEW));
    (server, api)
}

/// The verdict on a call from this machine, and the check that refuses it.
fn verdict(server: &TestServer, username: Option<&str>, from: &str) -> (&'static str, Option<&'static str>) {
    let question = json!({ "source": "127.0.0.1", "to": "442079460018", "from": from, "username": username });
    let question: Question = serde_json::from_value(question).unwrap();
    let explanation = server.control().explain(&question).unwrap();
    (explanation.verdict, explanation.check)
}

#[tokio::test]
async fn one_trunk_has_an_active_trunk_with_a_password_for_this_machine_and_a_did_as_its_caller_number() {
    let (server, api) = of("one-trunk").await;
    let trunks = api.get(&format!("{TRUNKS}?include=dids")).await;
    assert_eq!(
        (trunks.at("/meta/total_records"), trunks.at("/data/0/attributes/status")),
        (json!(1), json!("active"))
    );
    let method = trunks.at("/data/0/attributes/authentication_method");
    assert_eq!(method["type"], "credentials_and_ip");
    assert_eq!(method["attributes"]["allowed_sip_ips"], json!(["127.0.0.1/32"]));
    assert!(method["attributes"]["password"].as_str().is_some_and(|password| password.len() > 7));
    assert_eq!(trunks.at("/included/0/attributes/number"), "12025550110");
    let username = method["attributes"]["username"].as_str();
    assert_eq!(verdict(&server, username, "12025550110"), ("admitted", None));
    assert_eq!(verdict(&server, username, "12025550199"), ("refused", Some("cli")));
    assert_eq!(verdict(&server, None, "12025550110"), ("challenged", Some("digest")));
}

#[tokio::test]
async fn blocked_by_threshold_has_a_trunk_that_reached_its_threshold() {
    let (server, api) = of("blocked-by-threshold").await;
    let trunk = api.get(TRUNKS).await.at("/data/0/attributes");
    assert_eq!((&trunk["status"], &trunk["threshold_reached"]), (&json!("blocked"), &json!(true)));
    assert_eq!(trunk["threshold_amount"], "10.0");
    let username = trunk["authentication_method"]["attributes"]["username"].as_str();
    assert_eq!(verdict(&server, username, "12025550110"), ("refused", Some("status")));
}

#[tokio::test]
async fn many_trunks_has_pages_and_every_tenth_trunk_is_blocked() {
    let (_server, api) = of("many-trunks").await;
    let all = api.get(TRUNKS).await;
    assert_eq!(all.at("/meta/total_records"), 120);
    assert!(all.at("/links/next").is_string(), "{}", all.text);
    let blocked = api.get(&format!("{TRUNKS}?filter[status]=blocked")).await;
    assert_eq!(blocked.at("/meta/total_records"), 12);
    assert_eq!(blocked.at("/data/0/attributes/name"), "Trunk 010");
}

#[tokio::test]
async fn an_account_of_a_world_without_a_callback_secret_is_named_at_the_start() {
    let mut trunk = trunk("a");
    trunk["attributes"]["callback_url"] = json!("https://example.com/blocked");
    let world = json!({ "accounts": [{ "name": "a", "records": { "voice_out_trunks": [trunk] } }] });
    let server = engine::builder().sip().world(read(world)).start().await;
    let accounts = server.control().accounts().await.unwrap();
    let named = accounts.iter().find(|account| account.name == "a").map(|account| account.id);
    assert_eq!(server.server().unsigned_accounts(), named.as_slice());
}

#[tokio::test]
async fn two_accounts_have_trunks_of_the_same_name_and_different_versions() {
    let server = empty().await;
    let world = scenario("two-accounts").unwrap().world().unwrap();
    let loaded = server.control().load_world(&world, None).await.unwrap();
    for position in 0..2 {
        let trunks = client(&server, &loaded, position).get(TRUNKS).await;
        assert_eq!(
            (trunks.at("/meta/total_records"), trunks.at("/data/0/attributes/name")),
            (json!(1), json!("PBX"))
        );
    }
    let accounts = server.control().accounts().await.unwrap();
    let versions: Vec<&str> = accounts.iter().map(|account| account.version.as_str()).collect();
    assert_eq!(versions, ["2021-12-15", "2026-11-19"]);
}

#[tokio::test]
async fn the_examples_of_the_page_are_worlds_that_say_the_same() {
    let text = page("docs/worlds.md");
    let (json, toml) = (blocks(&text, "json").concat(), blocks(&text, "toml").concat());
    let worlds = [WorldFile::from_json(&json).unwrap(), WorldFile::from_toml(&toml).unwrap()];
    assert_eq!(worlds[0].to_json(), worlds[1].to_json());
    for world in &worlds {
        let server = empty().await;
        let loaded = server.control().load_world(world, None).await.unwrap();
        assert_eq!(loaded.records, world.record_count());
        let api = Api::new(server.base_url(), "test-key").at(Some(NEW));
        let trunks = api.get(&format!("{TRUNKS}?include=dids")).await;
        assert_eq!(trunks.at("/data/0/attributes/name"), "PBX");
        assert_eq!(trunks.at("/included/0/attributes/number"), "12025550110");
    }
}

#[tokio::test]
async fn a_key_of_another_account_is_refused_before_anything_is_stored() {
    let world = World::start().await;
    let (other, key) = world.server.control().create_account(NewAccount::named("other")).await.unwrap();
    let mut file = with_trunks("mine", &["A"]);
    file["accounts"][0]["keys"] = json!([{ "api_key": key.expose() }]);
    let error = load(&world.server, file.clone()).await.unwrap_err().to_string();
    assert!(error.contains("another account has") && !error.contains(key.expose()), "{error}");
    assert_eq!(world.server.control().accounts().await.unwrap().len(), 2);
    let mut twice = with_trunks("one", &["A"]);
    let keys = json!([{ "api_key": "one-key" }, { "api_key": "one-key" }]);
    twice["accounts"][0]["keys"] = keys.clone();
    twice["accounts"].as_array_mut().unwrap().push(json!({ "name": "two", "keys": keys }));
    let error = load(&world.server, twice.clone()).await.unwrap_err().to_string();
    assert!(error.contains("has a key of account `two` that it also has of another"), "{error}");
    assert_eq!(world.server.control().accounts().await.unwrap().len(), 2);
    twice["accounts"].as_array_mut().unwrap().pop();
    assert_eq!(load(&world.server, twice).await.unwrap().accounts[0].api_key, None, "a key twice is one");
    file["accounts"][0]["name"] = json!(other.name);
    let loaded = load(&world.server, file).await.unwrap();
    assert_eq!((loaded.accounts[0].id, loaded.accounts[0].is_new), (other.id, false));
}

#[test]
fn the_program_begins_with_a_world_and_leaves_a_database_that_has_it() {
    let folder = tempfile::tempdir().unwrap();
    let (file, database) = (folder.path().join("world.toml"), folder.path().join("trunk.db"));
    std::fs::write(&file, "[[accounts]]\nname = \"A\"\n[[accounts.records.voice_out_trunks]]\n[accounts.records.\
        voice_out_trunks.attributes]\nname = \"PBX\"\non_cli_mismatch_action = \"reject_call\"\nauthentication_method = \
        { type = \"ip_only\", attributes = { allowed_sip_ips = [\"10.0.0.1\"] } }\n").unwrap();
    let (file, database) = (file.to_str().unwrap(), database.to_str().unwrap());
    let arguments = ["--world", file, "--database", database, "--api-key", "test-key"];
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for change in [Some("changed"), None] {
        let binary = Binary::start(&arguments);
        runtime.block_on(async {
            let api = Api::new(binary.base.clone(), "test-key").at(Some(NEW));
            let trunks = api.get(TRUNKS).await;
            assert_eq!(trunks.at("/meta/total_records"), 1, "{}", trunks.text);
            let name = trunks.at("/data/0/attributes/name");
            assert_eq!(name, if change.is_some() { "PBX" } else { "changed" });
            if let Some(name) = change {
                let id = trunks.at("/data/0/id");
                let body = patch(id.as_str().unwrap(), json!({ "name": name }));
                let path = format!("{TRUNKS}/{}", id.as_str().unwrap());
                assert_eq!(api.patch(&path, &body).await.status, 200);
            }
        });
    }
}

#[test]
fn the_configured_key_stays_that_of_the_account_that_the_file_names() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("world.json");
    let arguments = ["--ephemeral", "--world", file.to_str().unwrap(), "--api-key", "test-key"];
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let digest = "62af8704764faf8ea82fc61ce9c4c3908b6cb97d463a634e9e587d7c885db0ef";
    for key in [json!({ "api_key": "test-key" }), json!({ "sha256": digest })] {
        let mut world = with_trunks("first", &["A"]);
        world["accounts"].as_array_mut().unwrap().push(json!({ "name": "second", "keys": [key] }));
        std::fs::write(&file, world.to_string()).unwrap();
        let binary = Binary::start(&arguments);
        runtime.block_on(async {
            let trunks = Api::new(binary.base.clone(), "test-key").at(Some(NEW)).get(TRUNKS).await;
            assert_eq!(trunks.at("/meta/total_records"), 0, "{}", trunks.text);
        });
    }
}

#[test]
fn a_world_that_is_wrong_stops_the_start_with_its_file_and_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("world.json");
    std::fs::write(&file, "{\n  \"acounts\": []\n}\n").unwrap();
    let alone = ["--listen", "127.0.0.1:0", "--control-listen", "off", "--sip-listen", "off", "--ephemeral"];
    let output = command().args(alone).arg("--world").arg(&file).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    for part in ["world.json", "line 2", "unknown field `acounts`", "`accounts`"] {
        assert!(said.contains(part), "no {part} in {said}");
    }
    let output = command().args(alone).args(["--scenario", "one-trunks"]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(2) && said.contains("give one of one-trunk,"), "{said}");
}
