//! Properties of all trunks, lists, bodies and queries.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::time::Duration;

use http::Method;
use proptest::collection::{btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Map, Value, json};
use tokio::runtime::Runtime;

use crate::support::api::{Answer, Api, NEW, OLD};
use crate::support::world::*;

/// Tests a property a bounded number of times against one server.
fn check<S: Strategy>(cases: u32, strategy: &S, property: impl AsyncFn(&World, S::Value)) {
    let runtime = Runtime::new().unwrap();
    let world = runtime.block_on(World::start());
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 200, ..Config::default() };
    let outcome = TestRunner::new(config).run(strategy, |value| {
        runtime.block_on(property(&world, value));
        Ok(())
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
}

fn json_of<S>(strategy: S) -> BoxedStrategy<Value>
where
    S: Strategy + 'static,
    S::Value: Into<Value>,
{
    strategy.prop_map(Into::into).boxed()
}

/// From `least` to three different addresses.
fn networks(least: usize) -> impl Strategy<Value = Vec<String>> {
    distinct(any::<[u8; 4]>().prop_map(|[a, b, c, d]| format!("{a}.{b}.{c}.{d}/32")), least)
}

/// From `least` to three different texts.
fn distinct(of: impl Strategy<Value = String>, least: usize) -> impl Strategy<Value = Vec<String>> {
    btree_set(of, least..4).prop_map(|set| set.into_iter().collect())
}

/// Valid values of an attribute, in the form that answers show.
fn right(name: &str) -> BoxedStrategy<Value> {
    match name {
        "name" => json_of("[^\\s\\p{Cc}]{1,20}"),
        "on_cli_mismatch_action" => json_of(select(vec!["send_original_cli", "reject_call"])),
        "status" => json_of(select(vec!["active", "blocked"])),
        "media_encryption_mode" => json_of(select(vec!["disabled", "srtp_sdes", "srtp_dtls", "zrtp"])),
        "default_dst_action" => json_of(select(vec!["allow_all", "reject_all"])),
        "capacity_limit" => json_of(option::of(1..=32_767_i64)),
        "threshold_amount" => {
            json_of((0..100_000_u32, 0..10_u32).prop_map(|(whole, tenth)| format!("{whole}.{tenth}")))
        }
        "allowed_rtp_ips" => json_of(option::of(networks(1))),
        "allowed_sip_ips" => json_of(networks(0)),
        "dst_prefixes" => json_of(distinct("[0-9]{1,15}".prop_map(|text| text), 0)),
        "callback_url" => json_of(option::of("https?://[a-z]{1,8}\\.example/[a-z0-9?=&%#]{0,12}")),
        "external_reference_id" => json_of(option::of("[^\\p{Cc}]{0,40}")),
        "rtp_timeout" => json_of(30..=600_i64),
        _ => json_of(any::<bool>()),
    }
}

const COMMON: [&str; 13] = [
    "name",
    "on_cli_mismatch_action",
    "status",
    "media_encryption_mode",
    "default_dst_action",
    "capacity_limit",
    "threshold_amount",
    "allowed_rtp_ips",
    "dst_prefixes",
    "callback_url",
    "allow_any_did_as_cli",
    "force_symmetric_rtp",
    "rtp_ping",
];

/// Some attributes of a version, with valid values.
fn some(version: &str) -> BoxedStrategy<Map<String, Value>> {
    let own: &[&str] = if version >= NEW {
        &["external_reference_id", "rtp_timeout", "emergency_enable_all"]
    } else {
        &["allowed_sip_ips"]
    };
    let each: Vec<BoxedStrategy<Option<(String, Value)>>> = COMMON
        .iter()
        .chain(own)
        .map(|name| {
            let name = (*name).to_owned();
            option::of(right(&name).prop_map(move |value| (name.clone(), value))).boxed()
        })
        .collect();
    each.prop_map(|chosen| chosen.into_iter().flatten().collect()).boxed()
}

fn a_version_with_attributes() -> impl Strategy<Value = (&'static str, Map<String, Value>, Map<String, Value>)>
{
    select(&TRUNK_VERSIONS[..]).prop_flat_map(|version| (Just(version), some(version), some(version)))
}

#[test]
fn an_update_keeps_what_it_does_not_name() {
    check(60, &a_version_with_attributes(), async |world, (version, create, change)| {
        world.server.control().reset(Some(world.server.account())).await.unwrap();
        let api = world.api.at(Some(version));
        let least = if version >= NEW { credentials("A") } else { flat("A") };
        let created = api.post(TRUNKS, &with(least, Value::Object(create.clone()))).await;
        assert_eq!(created.status, 201, "{}", created.text);
        for (name, value) in &create {
            assert_eq!(created.at("/data/attributes").get(name), Some(value), "{name} as it was sent");
        }
        let path = format!("{TRUNKS}/{}", created.id());
        assert_eq!(api.get(&path).await.text, created.text, "read as it was made");
        let before = TRUNK_VERSIONS.map(|version| (version, world.api.at(Some(version))));
        let mut shown = Vec::new();
        for (_, other) in &before {
            shown.push(other.get(&path).await.json());
        }
        let changed = api.patch(&path, &patch(&created.id(), Value::Object(change.clone()))).await;
        assert_eq!(changed.status, 200, "{}", changed.text);
        let mut expected = created.json();
        expected["data"]["attributes"].as_object_mut().unwrap().extend(change.clone());
        assert_eq!(changed.json(), expected);
        assert_eq!(api.get(&path).await.text, changed.text);
        for ((other, api), before) in before.iter().zip(shown) {
            let after = api.get(&path).await.json();
            for (name, value) in before["data"]["attributes"].as_object().unwrap() {
                let moved = name == "authentication_method" && change.contains_key("allowed_sip_ips");
                if !change.contains_key(name) && !moved {
                    assert_eq!(&after["data"]["attributes"][name], value, "{name} as {other} shows it");
                }
            }
        }
    });
}

/// A set of trunks, and the parameters of a list of them.
#[derive(Debug, Clone)]
struct Question {
    trunks: Vec<(String, bool, bool, Option<String>)>,
    sort: Vec<(&'static str, bool)>,
    filters: Vec<(&'static str, String)>,
    size: usize,
}

const SORTS: [&str; 5] =
    ["name", "created_at", "allow_any_did_as_cli", "threshold_reached", "external_reference_id"];

fn question() -> impl Strategy<Value = Question> {
    let trunk = ("[a-cA-C%_]{0,3}", any::<bool>(), any::<bool>(), option::of("[xy]{0,2}"));
    let sort = subsequence(&SORTS[..], 0..=3).prop_shuffle().prop_flat_map(|names| {
        let directions = vec(any::<bool>(), names.len());
        (Just(names), directions).prop_map(|(names, down)| names.into_iter().zip(down).collect())
    });
    let filter = prop_oneof![
        (Just("name"), "[a-cA-C]{0,2}(0|1|2|3)(,[a-c]{0,2}(4|5|6)){0,2}"),
        (Just("name_contains"), "[a-cA-C%_0-9]{0,2}(,[a-c]){0,2}"),
        (Just("allow_any_did_as_cli"), "true|false"),
        (Just("status"), "active|blocked"),
        (Just("external_reference_id"), "[xy]{0,2}"),
        (Just("on_cli_mismatch_action"), "send_original_cli|reject_call|reject_call,send_original_cli"),
        (Just("threshold_reached"), "true|false"),
        (Just("authentication_method.type"), "twilio|credentials_and_ip|twilio,credentials_and_ip"),
    ];
    (vec(trunk, 0..14), sort, vec(filter, 0..3), 1..6_usize)
        .prop_map(|(trunks, sort, filters, size)| Question { trunks, sort, filters, size })
}

/// Whether a trunk matches a filter.
fn belongs(trunk: &Value, filter: &str, value: &str) -> bool {
    let attributes = &trunk["attributes"];
    let text = |name: &str| match &attributes[name] {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    };
    match filter {
        "name_contains" => value.split(',').any(|part| !part.is_empty() && text("name").contains(part)),
        "authentication_method.type" => {
            value.split(',').any(|part| attributes["authentication_method"]["type"] == part)
        }
        "external_reference_id" => text(filter) == value,
        _ => value.split(',').any(|part| text(filter) == part),
    }
}

/// The order of two trunks by a criterion; null and empty values come last.
fn order(one: &Value, other: &Value, name: &str) -> Ordering {
    let key = |trunk: &Value| match &trunk["attributes"][name] {
        Value::String(text) if !text.is_empty() => (false, text.clone()),
        Value::Bool(flag) => (false, u8::from(*flag).to_string()),
        _ => (true, String::new()),
    };
    key(one).cmp(&key(other))
}

fn records(answer: &Answer) -> Vec<Value> {
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.at("/data").as_array().unwrap().clone()
}

fn ids(records: &[Value]) -> Vec<String> {
    records.iter().map(|record| record["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn pages_of_any_list_neither_skip_nor_repeat() {
    check(40, &question(), async |world, question| {
        world.server.control().reset(Some(world.server.account())).await.unwrap();
        let clock = world.server.control().clock().clone();
        clock.freeze(None);
        let mut made = Vec::new();
        for (number, (name, any, blocked, reference)) in question.trunks.iter().enumerate() {
            let attributes = json!({
                "allow_any_did_as_cli": any,
                "status": if *blocked { "blocked" } else { "active" },
                "on_cli_mismatch_action": if any == blocked { "reject_call" } else { "send_original_cli" },
                "external_reference_id": reference,
            });
            let name = format!("{name}{number}");
            let sid = json!({ "twilio_account_sid": format!("AC{number:032x}") });
            let method = json!({ "authentication_method": { "type": "twilio", "attributes": sid } });
            let body = credentials(&name);
            let body = if number % 3 == 0 { with(body, method) } else { body };
            made.push(world.created(&with(body, attributes)).await.at("/data"));
            clock.advance(Duration::from_millis(u64::from(*any)));
        }
        let direction = |down: bool| if down { "-" } else { "" };
        let sort: Vec<String> =
            question.sort.iter().map(|(name, down)| format!("{}{name}", direction(*down))).collect();
        let mut query = format!("sort={}", sort.join(","));
        // If a filter is repeated, the last one counts.
        let mut filters = question.filters.clone();
        filters.reverse();
        let mut seen = BTreeSet::new();
        filters.retain(|(name, _)| seen.insert(*name));
        for (name, value) in &filters {
            query = format!("{query}&filter[{name}]={}", value.replace('%', "%25"));
        }
        let expected: BTreeSet<String> = made
            .iter()
            .filter(|trunk| {
                filters.iter().all(|(name, value)| blank(name, value) || belongs(trunk, name, value))
            })
            .map(|trunk| trunk["id"].as_str().unwrap().to_owned())
            .collect();
        if filters.iter().any(|(name, value)| blank(name, value)) {
            return;
        }
        let whole = world.api.get(&format!("{TRUNKS}?{query}&page[size]=1000")).await;
        let all = records(&whole);
        assert_eq!(ids(&all).into_iter().collect::<BTreeSet<_>>(), expected, "{query}");
        assert_eq!((all.len(), whole.at("/meta/total_records")), (expected.len(), json!(expected.len())));
        for pair in all.windows(2) {
            let by = question.sort.iter().map(|(name, down)| {
                let ordering = order(&pair[0], &pair[1], name);
                if *down { ordering.reverse() } else { ordering }
            });
            let ordering = by.fold(Ordering::Equal, Ordering::then);
            assert_ne!(ordering, Ordering::Greater, "{query}: {} before {}", pair[0], pair[1]);
        }
        let mut path = format!("{TRUNKS}?{query}&page[size]={}", question.size);
        let mut walked = Vec::new();
        loop {
            let page = world.api.get(&path).await;
            assert_eq!(page.at("/meta/total_records"), all.len());
            walked.extend(records(&page));
            let Value::String(next) = page.at("/links/next") else { break };
            path = next.strip_prefix(world.api.base()).unwrap().to_owned();
        }
        assert_eq!(ids(&walked), ids(&all), "{query}");
    });
}

/// Whether the model does not cover a filter's value: an empty text between commas.
fn blank(name: &str, value: &str) -> bool {
    name == "name_contains" && value.split(',').any(str::is_empty)
}

/// Any JSON, with a preference for names and values of the API.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        json_of(any::<bool>()),
        json_of(any::<i64>()),
        json_of(any::<f64>().prop_filter("JSON has no infinity", |float| float.is_finite())),
        json_of(".{0,12}"),
        json_of(select(vec![
            "dids",
            "voice_out_trunks",
            UNKNOWN,
            "active",
            "192.168.1.1",
            "twilio",
            "1e999"
        ])),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        let name = prop_oneof![
            select(vec!["data", "type", "id", "attributes", "relationships", "dids", "name"])
                .prop_map(str::to_owned),
            ".{0,6}"
        ];
        prop_oneof![
            json_of(vec(inner.clone(), 0..4)),
            vec((name, inner), 0..4).prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Every position in a document, as JSON pointers.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                let name = name.replace('~', "~0").replace('/', "~1");
                places(member, &format!("{at}/{name}"), found);
            }
        }
        Value::Array(items) => {
            for (place, item) in items.iter().enumerate() {
                places(item, &format!("{at}/{place}"), found);
            }
        }
        _ => {}
    }
}

/// A valid body in which some positions hold another value, or a text that was truncated or is not JSON.
#[derive(Debug, Clone)]
enum Damage {
    Replace(Vec<(prop::sample::Index, Value)>),
    Whole(Value),
    Cut(prop::sample::Index),
    Text(String),
}

fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        6 => vec((any::<prop::sample::Index>(), any_json()), 1..3).prop_map(Damage::Replace),
        1 => any_json().prop_map(Damage::Whole),
        1 => any::<prop::sample::Index>().prop_map(Damage::Cut),
        1 => ".{0,40}".prop_map(Damage::Text),
    ]
}

impl Damage {
    fn done_to(self, mut body: Value) -> String {
        match self {
            Self::Replace(replacements) => {
                for (place, value) in replacements {
                    let mut found = Vec::new();
                    places(&body, "", &mut found);
                    let chosen = place.get(found.as_slice());
                    *body.pointer_mut(chosen).expect("it was found in this body") = value;
                }
                body.to_string()
            }
            Self::Whole(value) => value.to_string(),
            Self::Cut(place) => {
                let text = body.to_string();
                let end = place.index(text.len());
                text.chars().take(end).collect()
            }
            Self::Text(text) => text,
        }
    }
}

#[test]
fn no_body_makes_the_server_fail_and_a_refused_one_changes_nothing() {
    let strategy = (0..10_usize, select(&[NEW, OLD][..]), damage());
    check(220, &strategy, async |world, (which, version, damage)| {
        world.server.control().reset(Some(world.server.account())).await.unwrap();
        let (did, trunk) = (world.emergency_did("37061498222").await, world.trunk("A").await);
        let (one, number) = (format!("{TRUNKS}/{trunk}"), format!("{DIDS}/{did}"));
        let full = json!({
            "capacity_limit": 5, "threshold_amount": "1.5", "dst_prefixes": ["23"], "allowed_rtp_ips": ["10.0.0.1"],
            "callback_url": "https://example.com/x", "status": "active", "allow_any_did_as_cli": false,
        });
        let least = if version >= NEW { credentials("B") } else { flat("B") };
        let linked = |body| linking(body, "dids", dids(&[&did]));
        let linkage = json!({ "data": dids(&[&did]) });
        let (method, path, body) = match which {
            0 | 1 => (Method::POST, TRUNKS.to_owned(), linked(with(least, full))),
            2 | 3 => (Method::PATCH, one.clone(), linked(patch(&trunk, full))),
            4 => (Method::PUT, one.clone(), patch(&trunk, json!({ "name": "B" }))),
            5 => (Method::POST, ROTATION.to_owned(), rotation(&trunk)),
            6 => {
                let body = update("dids", &did, json!({ "capacity_limit": 1, "billing_cycles_count": 2 }));
                (Method::PATCH, number, linking(body, "voice_in_trunk", Value::Null))
            }
            7 => (Method::POST, format!("{one}/relationships/dids"), linkage),
            8 => (Method::PATCH, format!("{one}/relationships/dids"), linkage),
            _ => (Method::DELETE, format!("{one}/relationships/dids"), linkage),
        };
        let before = world.dump().await;
        let sent = damage.done_to(body);
        let answer = world.api.at(Some(version)).send(method.clone(), &path, &sent).await;
        assert!(answer.status < 500, "{method} {path} with {sent}: {}", answer.text);
        if answer.status >= 400 {
            refusal_headers(&answer);
            assert_eq!(world.dump().await, before, "{method} {path} with {sent} was refused");
        } else {
            // Every version can show an accepted trunk.
            for version in TRUNK_VERSIONS {
                assert_eq!(world.api.at(Some(version)).get(TRUNKS).await.status, 200, "{sent}");
            }
        }
    });
}

/// A query: any text, or pairs of known names with known and unknown values.
fn query() -> impl Strategy<Value = String> {
    let names = [
        "sort",
        "include",
        "filter",
        "fields",
        "page",
        "page[number]",
        "page[size]",
        "page[",
        "filter[]",
        "filter[name]",
        "filter[name_contains]",
        "filter[id]",
        "filter[status]",
        "filter[default_did.id]",
        "filter[authentication_method.type]",
        "filter[external_reference_id]",
        "filter[number]",
        "filter[order.id]",
        "filter[billing_cycles_count]",
        "filter[did_group.features]",
        "filter[emergency_enabled]",
        "fields[voice_out_trunks]",
        "fields[dids]",
        "fields[orders]",
    ];
    let values = [
        "",
        "name",
        "-name",
        "created_at,-name",
        "dids",
        "dids.did_group",
        "dids,emergency_dids",
        "true",
        "active",
        "1",
        "0",
        "-1",
        "1000",
        "18446744073709551615",
        "18446744073709551616",
        UNKNOWN,
        "twilio",
        "%00",
        "%",
        "%ff",
        "'",
        "\"",
        ",",
        ",,",
        "a,,b",
        "emergency",
        "*",
        "%27%20OR%201=1",
        "number,-expires_at",
        "null",
    ];
    let pair =
        (select(names.to_vec()), prop_oneof![select(values.to_vec()).prop_map(str::to_owned), "[!-~]{0,12}"])
            .prop_map(|(name, value)| format!("{name}={value}"));
    prop_oneof![3 => vec(pair, 1..4).prop_map(|pairs| pairs.join("&")), 1 => "[ -~]{0,40}", 1 => ".{0,20}"]
}

#[test]
fn no_query_makes_the_server_fail() {
    let strategy = (0..5_usize, select(&TRUNK_VERSIONS[..]), query());
    check(400, &strategy, async |world, (which, version, query)| {
        let api: Api = world.api.at(Some(version));
        if world.api.get(TRUNKS).await.at("/meta/total_records") == 0 {
            let did = world.emergency_did("37061498222").await;
            world.created(&linking(credentials("A"), "dids", dids(&[&did]))).await;
        }
        let trunk = world.api.get(TRUNKS).await.at("/data/0/id").as_str().unwrap().to_owned();
        let path = match which {
            0 => TRUNKS.to_owned(),
            1 => DIDS.to_owned(),
            2 => format!("{TRUNKS}/{trunk}"),
            3 => format!("{TRUNKS}/{trunk}/dids"),
            _ => format!("{TRUNKS}/{trunk}/relationships/dids"),
        };
        // A fragment would not be sent.
        let query = query.replace('#', "%23");
        let answer = api.get(&format!("{path}?{query}")).await;
        assert!(matches!(answer.status, 200 | 400), "{path}?{query}: {} {}", answer.status, answer.text);
        if answer.status == 400 {
            refusal_headers(&answer);
        }
    });
}
