//! Outbound configs: a customer's own, and the platform's view of all.

use serde_json::{Value, json};

use super::caller::Caller;
use super::refusal::*;
use super::stage::*;
use crate::sip::edge::scratch;

const OWN_CONFIG: &str = "/outbound_config";
const ALL_CONFIGS: &str = "/outbound_configs";

/// A server, and an admin of a new customer.
async fn fresh() -> (Stage, uuid::Uuid, Caller) {
    let stage = Stage::start().await;
    let customer = stage.customer("fresh").await;
    let admin = stage.agent(customer, ADMIN).await;
    (stage, customer, admin)
}

#[tokio::test]
async fn case_9_a_fresh_customer_has_an_empty_config() {
    let (_stage, customer, admin) = fresh().await;
    let answer = admin.get(OWN_CONFIG).await;
    let config = answer.ok();
    assert_eq!(config["destination_whitelist"], json!([]));
    let (id, at, updated) = (&config["id"], instant(&config["tm_create"]), instant(&config["tm_update"]));
    assert_eq!(at, updated);
    assert_eq!(
        answer.text,
        format!(
            r#"{{"id":{id},"customer_id":"{customer}","name":"","detail":"","destination_whitelist":[],"codecs":"","default_outgoing_source_number_id":"{ZERO}","tm_create":"{at}","tm_update":"{at}","tm_delete":null}}"#
        )
    );
}

#[tokio::test]
async fn case_10_managers_and_agents_do_not_see_it() {
    let (stage, customer, _) = fresh().await;
    for permission in [MANAGER, AGENT, MANAGER | AGENT] {
        let caller = stage.agent(customer, permission).await;
        caller.get(OWN_CONFIG).await.refused(&permission_denied());
        caller.put(OWN_CONFIG, &json!({ "name": "x" })).await.refused(&permission_denied());
    }
}

#[tokio::test]
async fn case_11_a_customer_without_a_config_is_told_so() {
    let (stage, _, admin) = fresh().await;
    let id = admin.get(OWN_CONFIG).await.id();
    stage.sa.delete(&format!("{ALL_CONFIGS}/{id}")).await.ok();
    admin.get(OWN_CONFIG).await.refused(&not_found());
    admin.put(OWN_CONFIG, &json!({ "name": "x" })).await.refused(&not_found());
}

/// A config without its timestamps.
fn timeless(mut config: Value) -> Value {
    for name in ["tm_create", "tm_update", "tm_delete"] {
        config[name].take();
    }
    config
}

#[tokio::test]
async fn case_12_a_change_leaves_the_rest() {
    let (_stage, _, admin) = fresh().await;
    let named = json!({ "name": "Main", "detail": "All of it", "codecs": "PCMU" });
    let before = admin.put(OWN_CONFIG, &named).await.ok();
    let after = admin.put(OWN_CONFIG, &json!({ "destination_whitelist": ["us", "gb"] })).await.ok();
    let mut expected = timeless(before.clone());
    expected["destination_whitelist"] = json!(["us", "gb"]);
    assert_eq!(timeless(after.clone()), expected);
    assert_eq!(after["tm_create"], before["tm_create"]);
    assert!(cursor(&after["tm_update"]) > cursor(&before["tm_update"]));
    assert_eq!(admin.get(OWN_CONFIG).await.ok(), after);
    // An empty body is a change too, of the timestamp alone.
    let again = admin.put(OWN_CONFIG, &json!({})).await.ok();
    assert_eq!(timeless(again.clone()), timeless(after.clone()));
    assert!(cursor(&again["tm_update"]) > cursor(&after["tm_update"]));
}

#[tokio::test]
async fn case_13_null_changes_nothing_and_an_empty_list_empties() {
    let (stage, customer, admin) = fresh().await;
    let number = stage.number(customer, US).await;
    let full = json!({
        "name": "n", "detail": "d", "destination_whitelist": ["us"], "codecs": "PCMU",
        "default_outgoing_source_number_id": number,
    });
    let before = admin.put(OWN_CONFIG, &full).await.ok();
    assert_eq!(before["default_outgoing_source_number_id"], json!(number));
    let nulls = json!({ "destination_whitelist": null, "codecs": null, "name": null, "detail": null });
    assert_eq!(timeless(admin.put(OWN_CONFIG, &nulls).await.ok()), timeless(before));
    let empty = json!({
        "name": "", "detail": "", "destination_whitelist": [], "codecs": "",
        "default_outgoing_source_number_id": ZERO,
    });
    let after = admin.put(OWN_CONFIG, &empty).await.ok();
    for (name, value) in empty.as_object().unwrap() {
        assert_eq!(&after[name], value, "{name}");
    }
}

/// Changes that must fail and change nothing.
async fn refused_changes(admin: &Caller, changes: &[(Value, &str)]) {
    admin.put(OWN_CONFIG, &json!({ "destination_whitelist": ["us"], "codecs": "PCMU" })).await.ok();
    let before = admin.get(OWN_CONFIG).await.text;
    for (change, named) in changes {
        let answer = admin.put(OWN_CONFIG, change).await;
        let message = answer.refused_somehow("INVALID_ARGUMENT", "INVALID_ARGUMENT");
        assert!(message.to_lowercase().contains(named), "{change}: {message}");
        assert_eq!(admin.get(OWN_CONFIG).await.text, before, "{change}");
    }
}

#[tokio::test]
async fn case_14_a_whitelist_has_countries_each_once() {
    let (_stage, _, admin) = fresh().await;
    let changes = [
        (json!({ "destination_whitelist": ["zz"] }), "zz"),
        (json!({ "destination_whitelist": ["us", "US"] }), "us"),
        (json!({ "destination_whitelist": [" "] }), "destination_whitelist"),
        (json!({ "destination_whitelist": [""] }), "destination_whitelist"),
        (json!({ "destination_whitelist": ["us", "usa"] }), "usa"),
        (json!({ "destination_whitelist": ["uk"] }), "uk"),
        (json!({ "name": "changed", "destination_whitelist": ["gb", " gb "] }), "gb"),
    ];
    refused_changes(&admin, &changes).await;
    // Every case is accepted, and stored in lower case.
    let kept =
        admin.put(OWN_CONFIG, &json!({ "destination_whitelist": ["US", " Gb ", "xk", "AC"] })).await.ok();
    assert_eq!(kept["destination_whitelist"], json!(["us", "gb", "xk", "ac"]));
}

/// Every country code.
const COUNTRIES: &str = "ac ad ae af ag ai al am ao aq ar as at au aw ax az ba bb bd be bf bg bh bi bj bl bm bn bo bq br bs bt bv bw by bz \
ca cc cd cf cg ch ci ck cl cm cn co cr cu cv cw cx cy cz de dj dk dm do dz ec ee eg eh er es et fi fj fk fm fo fr \
ga gb gd ge gf gg gh gi gl gm gn gp gq gr gs gt gu gw gy hk hm hn hr ht hu id ie il im in io iq ir is it je jm jo jp \
ke kg kh ki km kn kp kr kw ky kz la lb lc li lk lr ls lt lu lv ly ma mc md me mf mg mh mk ml mm mn mo mp mq mr ms mt \
mu mv mw mx my mz na nc ne nf ng ni nl no np nr nu nz om pa pe pf pg ph pk pl pm pn pr ps pt pw py qa re ro rs ru rw \
sa sb sc sd se sg sh si sj sk sl sm sn so sr ss st sv sx sy sz tc td tf tg th tj tk tl tm tn to tr tt tv tw tz ua ug \
um us uy uz va vc ve vg vi vn vu wf ws xk ye yt za zm zw";

#[tokio::test]
async fn exactly_the_listed_countries_are_taken() {
    let (_stage, _, admin) = fresh().await;
    let known: Vec<&str> = COUNTRIES.split_whitespace().collect();
    let all = admin.put(OWN_CONFIG, &json!({ "destination_whitelist": known })).await.ok();
    assert_eq!(all["destination_whitelist"], json!(known));
    let letters = || b'a'..=b'z';
    let pairs = letters().flat_map(|first| letters().map(move |second| [first, second]));
    let unknown: Vec<String> = pairs
        .map(|pair| String::from_utf8(pair.to_vec()).unwrap())
        .filter(|pair| !known.contains(&pair.as_str()))
        .collect();
    assert_eq!(unknown.len() + known.len(), 26 * 26);
    // One invalid code makes the whole list invalid, so each must be sent alone; a sample is enough.
    for code in unknown.iter().step_by(9) {
        let answer = admin.put(OWN_CONFIG, &json!({ "destination_whitelist": [code] })).await;
        assert_eq!(answer.status, 400, "{code}");
    }
}

#[tokio::test]
async fn case_15_codecs_are_names_with_commas_between() {
    let (_stage, _, admin) = fresh().await;
    let longest = "A".repeat(255);
    for codecs in ["PCMU,AMR-WB", "telephone-event", "anything,at,all", "", longest.as_str()] {
        let config = admin.put(OWN_CONFIG, &json!({ "codecs": codecs })).await.ok();
        assert_eq!(config["codecs"], codecs);
    }
    let too_long = "A".repeat(256);
    let wrong =
        ["PCMU;PCMA", "-PCMU", "PCMU-", "AMR--WB", "PCMU, PCMA", "PCMU,", ",", "a/b", "a\r\nb", &too_long];
    let changes: Vec<(Value, &str)> =
        wrong.into_iter().map(|codecs| (json!({ "codecs": codecs }), "codecs")).collect();
    refused_changes(&admin, &changes).await;
}

#[tokio::test]
async fn case_16_a_value_of_another_kind_is_no_body() {
    let (_stage, _, admin) = fresh().await;
    let before = admin.get(OWN_CONFIG).await.text;
    for text in [
        r#"{"codecs":5}"#,
        "x",
        "",
        r#"{"destination_whitelist":"us"}"#,
        r#"{"destination_whitelist":[1]}"#,
        r#"{"name":[]}"#,
        r#"{"detail":{}}"#,
    ] {
        admin.send("PUT", OWN_CONFIG, text).await.refused(&invalid_body());
    }
    assert_eq!(admin.get(OWN_CONFIG).await.text, before);
}

#[tokio::test]
async fn case_17_a_number_is_named_by_its_id() {
    let (stage, customer, admin) = fresh().await;
    for text in ["nope", ""] {
        let body = json!({ "default_outgoing_source_number_id": text });
        admin.put(OWN_CONFIG, &body).await.refused(&invalid_body());
        let id = admin.get(OWN_CONFIG).await.id();
        stage.sa.put(&format!("{ALL_CONFIGS}/{id}"), &body).await.refused(&invalid_body());
    }
    let number = stage.number(customer, US).await;
    let body = json!({ "default_outgoing_source_number_id": number });
    assert_eq!(admin.put(OWN_CONFIG, &body).await.ok()["default_outgoing_source_number_id"], json!(number));
}

#[tokio::test]
async fn the_default_source_is_a_normal_active_number_of_the_customer() {
    let (stage, customer, admin) = fresh().await;
    let control = stage.control();
    let other = stage.customer("other").await;
    let foreign = stage.number(other, US).await;
    let asleep = control.add_phone_number(customer, GB, "normal", "suspended").await.unwrap().id;
    let unreal = control.add_phone_number(customer, US_TOO, "virtual", "active").await.unwrap().id;
    let gone = control.add_phone_number(customer, "+12125550188", "normal", "active").await.unwrap().id;
    control.remove_phone_number(customer, gone).await.unwrap();
    let wrong = [foreign, asleep.to_string(), unreal.to_string(), gone.to_string(), UNKNOWN.to_owned()];
    let changes: Vec<(Value, &str)> =
        wrong.iter().map(|id| (json!({ "default_outgoing_source_number_id": id }), id.as_str())).collect();
    refused_changes(&admin, &changes).await;
}

#[tokio::test]
async fn what_is_wrong_first_is_said_whitelist_before_codecs_before_number() {
    let (_stage, _, admin) = fresh().await;
    let mut body = json!({
        "destination_whitelist": ["zz"], "codecs": "-", "default_outgoing_source_number_id": UNKNOWN,
    });
    for (name, fine) in [
        ("destination_whitelist", json!([])),
        ("codecs", json!("")),
        ("default_outgoing_source_number_id", json!(ZERO)),
    ] {
        let answer = admin.put(OWN_CONFIG, &body).await;
        let message = answer.refused_somehow("INVALID_ARGUMENT", "INVALID_ARGUMENT");
        // The first list's error mentions countries.
        let word = if name == "destination_whitelist" { "zz" } else { name };
        assert!(message.contains(word), "{message}");
        body[name] = fine;
    }
    admin.put(OWN_CONFIG, &body).await.ok();
}

#[tokio::test]
async fn case_18_the_platforms_view_is_for_super_admins() {
    let (stage, customer, admin) = fresh().await;
    admin.get(ALL_CONFIGS).await.refused(&permission_denied());
    let answer = stage.sa.get(ALL_CONFIGS).await;
    // Those of all customers, the newest first.
    assert_eq!(answer.column("customer_id"), [customer.to_string(), stage.admin.to_string()]);
    assert!(answer.text.starts_with(r#"{"result":[{"id":""#), "{}", answer.text);
    let last = &answer.rows()[1]["tm_create"];
    assert!(answer.text.ends_with(&format!(r#"],"next_page_token":"{}"}}"#, cursor(last))));
    let one = stage.sa.get(&format!("{ALL_CONFIGS}?customer_id={customer}")).await;
    assert_eq!(one.column("customer_id"), [customer.to_string()]);
    let none = stage.sa.get(&format!("{ALL_CONFIGS}?customer_id={UNKNOWN}")).await;
    assert_eq!(none.text, r#"{"result":[],"next_page_token":""}"#);
    stage.sa.get(&format!("{ALL_CONFIGS}?customer_id=zz")).await.refused(&invalid_parameter("customer_id"));
}

#[tokio::test]
async fn case_19_an_id_that_is_none_names_its_parameter() {
    let stage = Stage::start().await;
    let path = format!("{ALL_CONFIGS}/not-a-uuid");
    for answer in
        [stage.sa.get(&path).await, stage.sa.put(&path, &json!({})).await, stage.sa.delete(&path).await]
    {
        answer.refused(&invalid_parameter("id"));
    }
    for id in [ZERO, UNKNOWN] {
        stage.sa.get(&format!("{ALL_CONFIGS}/{id}")).await.refused(&no_config());
        stage.sa.put(&format!("{ALL_CONFIGS}/{id}"), &json!({})).await.refused(&no_config());
        stage.sa.delete(&format!("{ALL_CONFIGS}/{id}")).await.refused(&no_config());
    }
}

#[tokio::test]
async fn case_20_a_deleted_config_is_gone() {
    let (stage, _, admin) = fresh().await;
    let before = admin.get(OWN_CONFIG).await.ok();
    let path = format!("{ALL_CONFIGS}/{}", before["id"].as_str().unwrap());
    let deleted = stage.sa.delete(&path).await.ok();
    instant(&deleted["tm_delete"]);
    assert_eq!(deleted["tm_update"], before["tm_update"], "deleting is no update");
    stage.sa.get(&path).await.refused(&no_config());
    stage.sa.put(&path, &json!({ "name": "x" })).await.refused(&no_config());
    stage.sa.delete(&path).await.refused(&no_config());
    assert!(
        !stage.sa.get(ALL_CONFIGS).await.column("id").contains(&before["id"].as_str().unwrap().to_owned())
    );
}

#[tokio::test]
async fn case_21_a_customer_has_one_config_and_gets_another_after_it_was_deleted() {
    let (stage, customer, admin) = fresh().await;
    stage.sa.post(ALL_CONFIGS, &json!({})).await.refused(&wrong_state());
    // For another customer, if the body names one.
    let body = json!({ "customer_id": customer, "destination_whitelist": ["us"] });
    stage.sa.post(ALL_CONFIGS, &body).await.refused(&wrong_state());
    for _ in 0..2 {
        let first = admin.get(OWN_CONFIG).await.id();
        stage.sa.delete(&format!("{ALL_CONFIGS}/{first}")).await.ok();
        assert_eq!(admin.get(OWN_CONFIG).await.status, 404);
        let second = stage.sa.post(ALL_CONFIGS, &body).await.ok();
        assert_ne!(second["id"], json!(first));
        assert_eq!(admin.get(OWN_CONFIG).await.ok()["id"], second["id"]);
        admin.put(OWN_CONFIG, &json!({ "name": "again" })).await.ok();
        assert_eq!(
            stage.sa.get(&format!("{ALL_CONFIGS}/{first}")).await.status,
            404,
            "the deleted one stays deleted"
        );
        let listed = stage.sa.get(&format!("{ALL_CONFIGS}?customer_id={customer}")).await.rows();
        assert_eq!(listed.len(), 1);
        stage.sa.post(ALL_CONFIGS, &body).await.refused(&wrong_state());
    }
}

#[tokio::test]
async fn a_config_that_an_earlier_release_deleted_makes_room_too() {
    let file = scratch(&format!("config-deleted-{}.db", std::process::id()));
    let database = trunk_server::config::Database::File(file.clone());
    let stage = Stage::with(|config| config.database = database.clone()).await;
    let customer = stage.customer("without").await;
    let id = stage.agent(customer, ADMIN).await.get(OWN_CONFIG).await.id();
    stage.sa.delete(&format!("{ALL_CONFIGS}/{id}")).await.ok();
    stage.server.stop().await.unwrap();
    // An earlier release left the deleted config in its customer's place.
    let connection = rusqlite::Connection::open(&file).unwrap();
    let bytes = uuid::Uuid::parse_str(&id).unwrap().into_bytes();
    let number: i64 =
        connection.query_row("SELECT number FROM document WHERE id = ?1", [bytes], |row| row.get(0)).unwrap();
    let kept = "INSERT INTO document_unique SELECT kind, ?2, ?3, number FROM document WHERE number = ?1";
    assert_eq!(
        connection.execute(kept, rusqlite::params![number, "customer", customer.to_string()]).unwrap(),
        1
    );
    drop(connection);
    let stage = Stage::with(|config| config.database = database.clone()).await;
    stage.sa.post(ALL_CONFIGS, &json!({ "customer_id": customer })).await.ok();
    stage.server.stop().await.unwrap();
    for end in ["", "-wal", "-shm", ".lock"] {
        // If this fails, the file is deleted with the build.
        let _stays = std::fs::remove_file(format!("{}{end}", file.display()));
    }
}

#[tokio::test]
async fn a_config_is_made_where_the_usual_one_is_missing() {
    let file = scratch(&format!("config-missing-{}.db", std::process::id()));
    let database = trunk_server::config::Database::File(file.clone());
    let stage = Stage::with(|config| config.database = database.clone()).await;
    let customer = stage.customer("without").await;
    let id = stage.agent(customer, ADMIN).await.get(OWN_CONFIG).await.id();
    stage.server.stop().await.unwrap();
    // No request can cause this state: an older version of the platform left it.
    let connection = rusqlite::Connection::open(&file).unwrap();
    let bytes = uuid::Uuid::parse_str(&id).unwrap().into_bytes();
    let number: i64 =
        connection.query_row("SELECT number FROM document WHERE id = ?1", [bytes], |row| row.get(0)).unwrap();
    for (table, column) in
        [("document_key", "document"), ("document_unique", "document"), ("document", "number")]
    {
        connection.execute(&format!("DELETE FROM {table} WHERE {column} = ?1"), [number]).unwrap();
    }
    drop(connection);
    let stage = Stage::with(|config| config.database = database).await;
    let admin = stage.agent(customer, ADMIN).await;
    admin.get(OWN_CONFIG).await.refused(&not_found());
    let body = json!({ "customer_id": customer, "name": "Made by hand", "destination_whitelist": ["KR"] });
    let made = stage.sa.post(ALL_CONFIGS, &body).await.ok();
    assert_eq!(made["customer_id"], json!(customer));
    assert_eq!((&made["name"], &made["destination_whitelist"]), (&json!("Made by hand"), &json!(["kr"])));
    assert_eq!(made["tm_update"], made["tm_create"]);
    assert_eq!(admin.get(OWN_CONFIG).await.ok(), made);
    stage.sa.post(ALL_CONFIGS, &body).await.refused(&wrong_state());
    stage.server.stop().await.unwrap();
    for end in ["", "-wal", "-shm", "-commits"] {
        // If this fails, the file is deleted with the build.
        let _stays = std::fs::remove_file(format!("{}{end}", file.display()));
    }
}

#[tokio::test]
async fn the_platform_changes_any_config_by_the_same_rules() {
    let (stage, _, admin) = fresh().await;
    let path = format!("{ALL_CONFIGS}/{}", admin.get(OWN_CONFIG).await.id());
    let changed = stage.sa.put(&path, &json!({ "destination_whitelist": ["KR"], "name": "n" })).await.ok();
    assert_eq!(changed["destination_whitelist"], json!(["kr"]));
    assert_eq!(admin.get(OWN_CONFIG).await.ok(), changed);
    assert_eq!(stage.sa.get(&path).await.ok(), changed);
    let answer = stage.sa.put(&path, &json!({ "destination_whitelist": ["zz"] })).await;
    answer.refused_somehow("INVALID_ARGUMENT", "INVALID_ARGUMENT");
    stage.sa.send("PUT", &path, "").await.refused(&invalid_body());
}

#[tokio::test]
async fn a_deleted_customers_config_goes_with_it() {
    let (stage, customer, admin) = fresh().await;
    let id = admin.get(OWN_CONFIG).await.id();
    stage.control().delete_customer(customer).await.unwrap();
    stage.sa.get(&format!("{ALL_CONFIGS}/{id}")).await.refused(&no_config());
    admin.get(OWN_CONFIG).await.refused(&invalid_credentials());
}
