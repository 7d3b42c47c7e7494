//! Providers: their stored attributes, their health, and setting one up with a carrier's trunk.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinSet;
use trunk_server::Clock;
use trunk_server::config::Database;

use super::caller::Caller;
use super::carrier::Carrier;
use super::refusal::*;
use super::stage::*;
use crate::sip::edge::{DEADLINE, scratch, until};
use crate::sip::message::Message;
use crate::support::api::Api;
use crate::support::binary::Binary;
use crate::support::engine;

/// A body with every member.
fn full() -> Value {
    json!({
        "type": "sip", "hostname": "carrier.example.com", "tech_prefix": "0011", "tech_postfix": "#",
        "tech_headers": { "X-A": "1" }, "name": "A", "detail": "The first", "codecs": "PCMU",
    })
}

#[tokio::test]
async fn case_22_a_provider_begins_unknown() {
    let stage = Stage::start().await;
    let answer = stage.sa.post("/providers", &full()).await;
    let (id, at) = (answer.id(), answer.at("/tm_create"));
    let at = instant(&at);
    assert_eq!(
        answer.text,
        format!(
            r##"{{"id":"{id}","type":"sip","hostname":"carrier.example.com","tech_prefix":"0011","tech_postfix":"#","tech_headers":{{"X-A":"1"}},"name":"A","detail":"The first","metadata":{{}},"codecs":"PCMU","health_status":"unknown","health_checked_at":null,"tm_create":"{at}","tm_update":null,"tm_delete":null}}"##
        )
    );
    assert_eq!(stage.sa.get(&format!("/providers/{id}")).await.text, answer.text);
}

#[tokio::test]
async fn case_23_nothing_is_required() {
    let stage = Stage::start().await;
    for body in [json!({}), json!({ "tech_headers": null, "codecs": null })] {
        let made = stage.sa.post("/providers", &body).await.ok();
        for name in ["type", "hostname", "tech_prefix", "tech_postfix", "name", "detail", "codecs"] {
            assert_eq!(made[name], "", "{name}");
        }
        assert_eq!((&made["tech_headers"], &made["metadata"]), (&json!({}), &json!({})));
    }
}

#[tokio::test]
async fn case_24_header_values_are_texts() {
    let stage = Stage::start().await;
    let words = "tech_headers values must be strings.";
    for headers in [json!({ "X": 1 }), json!({ "X": "a", "Y": null }), json!({ "X": { "a": "b" } })] {
        let answer = stage.sa.post("/providers", &json!({ "tech_headers": headers })).await;
        answer.refused(&invalid(words));
    }
    let id = stage.provider("h").await;
    let path = format!("/providers/{id}");
    stage.sa.put(&path, &json!({ "tech_headers": { "X": true } })).await.refused(&invalid(words));
    for text in [r#"{"tech_headers":"X: 1"}"#, r#"{"tech_headers":[]}"#, r#"{"hostname":5}"#] {
        stage.sa.send("POST", "/providers", text).await.refused(&invalid_body());
        stage.sa.send("PUT", &path, text).await.refused(&invalid_body());
    }
    assert_eq!(stage.sa.get("/providers").await.rows().len(), 1);
}

#[tokio::test]
async fn case_25_codecs_are_put_in_order_or_refused() {
    let stage = Stage::start().await;
    for (sent, kept) in [
        ("PCMU, PCMA", "PCMU,PCMA"),
        ("", ""),
        (" opus ,G722", "opus,G722"),
        ("no such codec;at all", "no such codec;at all"),
    ] {
        let made = stage.sa.post("/providers", &json!({ "codecs": sent })).await.ok();
        assert_eq!(made["codecs"], kept);
    }
    let longest = "A".repeat(255);
    assert_eq!(stage.sa.post("/providers", &json!({ "codecs": longest })).await.ok()["codecs"], longest);
    let count = stage.sa.get("/providers").await.rows().len();
    let too_long = format!("{longest},\r\n(");
    for (sent, detail) in [
        ("PCMU,,PCMA", "codecs must not contain empty list elements (double comma)"),
        (",", "codecs must not contain empty list elements (double comma)"),
        ("PCMU,(,\r\n", "codecs must not contain CRLF characters"),
        ("PCMU,,(", "codecs must not contain parentheses"),
        ("a)", "codecs must not contain parentheses"),
        (too_long.as_str(), "codecs string exceeds 255 characters"),
    ] {
        let answer = stage.sa.post("/providers", &json!({ "codecs": sent })).await;
        answer.refused(&invalid_codecs(detail));
    }
    assert_eq!(stage.sa.get("/providers").await.rows().len(), count);
}

/// A server with a carrier that answers, and a provider there that is known to be healthy.
async fn healthy() -> (Stage, Carrier, String) {
    let carrier = Carrier::start().await;
    let stage = Stage::hosting(&[("carrier.example.com", carrier.at)]).await;
    let id = stage.provider_with(full()).await;
    stage.control().probe_providers().await.unwrap();
    (stage, carrier, format!("/providers/{id}"))
}

#[tokio::test]
async fn case_26_a_put_replaces_everything_and_keeps_the_health_of_a_host() {
    let (stage, _carrier, path) = healthy().await;
    let before = stage.sa.get(&path).await.ok();
    assert_eq!(before["health_status"], "healthy");
    let body = json!({ "type": "sip", "hostname": "carrier.example.com", "tech_prefix": "9" });
    let after = stage.sa.put(&path, &body).await.ok();
    for name in ["name", "detail", "codecs", "tech_postfix"] {
        assert_eq!(after[name], "", "{name}");
    }
    assert_eq!((&after["tech_headers"], &after["tech_prefix"]), (&json!({}), &json!("9")));
    assert_eq!(after["health_status"], "healthy");
    assert_eq!(after["health_checked_at"], before["health_checked_at"]);
    assert_eq!(after["tm_create"], before["tm_create"]);
    instant(&after["tm_update"]);
    let moved =
        json!({ "hostname": "elsewhere.example.com", "health_status": "healthy", "metadata": { "a": 1 } });
    let moved = stage.sa.put(&path, &moved).await.ok();
    assert_eq!((&moved["health_status"], &moved["health_checked_at"]), (&json!("unknown"), &Value::Null));
    assert_eq!(moved["metadata"], json!({}));
    assert!(cursor(&moved["tm_update"]) > cursor(&after["tm_update"]));
    assert_eq!(stage.sa.get(&path).await.ok(), moved);
}

#[tokio::test]
async fn a_hostname_that_calls_could_not_be_dialled_with_is_refused_at_once() {
    let stage = Stage::start().await;
    let id = stage.provider("carrier.example.com").await;
    let path = format!("/providers/{id}");
    let before = stage.sa.get(&path).await.text;
    for (hostname, part) in [
        ("sip:1@uas.test", "user part"),
        ("uas.test;lr", "\"lr\""),
        ("uas.test;transport=ws", "\"ws\""),
        ("sips:uas.test;transport=udp", "TLS"),
        ("tel:+15551234", "\"tel:\""),
        ("uas.test:0", "from 1 to 65535"),
        ("a b", "neither a host name nor an IP address"),
        ("[::1", "neither a host name nor an IP address"),
        ("sip:", "empty"),
    ] {
        let body = json!({ "hostname": hostname });
        for answer in [stage.sa.post("/providers", &body).await, stage.sa.put(&path, &body).await] {
            let message = answer.refused_somehow("INVALID_ARGUMENT", "INVALID_ARGUMENT");
            assert!(message.starts_with("hostname ") && message.contains(part), "{hostname}: {message}");
        }
    }
    assert_eq!(stage.sa.get(&path).await.text, before);
    assert_eq!(stage.sa.get("/providers").await.column("id"), [id]);
}

#[tokio::test]
async fn a_hostname_with_a_scheme_a_port_or_a_transport_is_called_and_checked_as_it_states() {
    let mut carrier = Carrier::start().await;
    let stage = Stage::hosting(&[("carrier.example.com", carrier.at)]).await;
    stage.allow().await;
    for (hostname, authority) in [
        ("sip:carrier.example.com", "carrier.example.com".to_owned()),
        (&format!("sip:{};transport=udp", carrier.at), carrier.at.to_string()),
        (&carrier.at.to_string(), carrier.at.to_string()),
    ] {
        let id = stage.provider(hostname).await;
        assert_eq!(
            stage.sa.get(&format!("/providers/{id}")).await.at("/hostname"),
            hostname,
            "stored as sent"
        );
        stage.control().probe_providers().await.unwrap();
        assert_eq!(stage.sa.get(&format!("/providers/{id}")).await.at("/health_status"), "healthy");
        let call = first_call(&stage.place(&id, US).await);
        let mut incoming = carrier.call().await;
        assert_eq!(incoming.uri(), format!("sip:{US}@{authority};transport=udp"));
        incoming.refuse(486).await;
        call_ends(&stage.sa, &call).await;
        // A SIP destination at this host is closed, however the provider names it.
        let body = json!({ "source": tel(US_TOO), "destinations": [at(&format!("sip:bob@{authority}"))] });
        assert_eq!(stage.sa.post("/calls", &body).await.status, 400);
    }
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let hostname = format!("{};transport=tcp", listener.local_addr().unwrap());
    let id = stage.provider(&hostname).await;
    let _call = stage.place(&id, US).await;
    let (stream, _) = tokio::time::timeout(DEADLINE, listener.accept()).await.expect("a connection").unwrap();
    let mut line = String::new();
    let mut reader = tokio::io::BufReader::new(stream);
    tokio::time::timeout(DEADLINE, reader.read_line(&mut line)).await.expect("an INVITE").unwrap();
    assert_eq!(line.trim_end(), format!("INVITE sip:{US}@{hostname} SIP/2.0"));
}

#[tokio::test]
async fn case_27_an_id_that_is_none_is_invalid() {
    let stage = Stage::start().await;
    for id in ["xyz", ZERO, "c3947e93-4a3b-4080-b9d3-cbcc633ab80", "c3947e93"] {
        let path = format!("/providers/{id}");
        stage.sa.get(&path).await.refused(&invalid_id());
        stage.sa.put(&path, &json!({})).await.refused(&invalid_id());
        stage.sa.delete(&path).await.refused(&invalid_id());
        // Before the body is parsed.
        stage.sa.send("PUT", &path, "x").await.refused(&invalid_id());
    }
    let id = stage.provider("h").await;
    let forms = [id.to_uppercase(), id.replace('-', ""), format!("%7B{id}%7D"), format!("urn:uuid:{id}")];
    for form in forms {
        let answer = stage.sa.get(&format!("/providers/{form}")).await;
        assert_eq!(answer.status, 200, "{form}: {}", answer.text);
        assert_eq!(answer.id(), id);
    }
}

#[tokio::test]
async fn case_28_whether_a_provider_is_there_is_said_before_who_may_see_it() {
    let stage = Stage::start().await;
    let key = stage.key(stage.admin, None).await;
    let (unknown, existing) = (format!("/providers/{UNKNOWN}"), stage.provider("h").await);
    let existing = format!("/providers/{existing}");
    stage.sa.get(&unknown).await.refused(&no_provider());
    key.get(&unknown).await.refused(&no_provider());
    key.get(&existing).await.refused(&permission_denied());
    // For a change, the permission is checked first.
    key.put(&unknown, &json!({})).await.refused(&permission_denied());
    key.delete(&unknown).await.refused(&permission_denied());
    key.send("PUT", &unknown, "x").await.refused(&invalid_body());
    stage.sa.put(&unknown, &json!({})).await.refused(&no_provider());
    stage.sa.delete(&unknown).await.refused(&no_provider());
}

#[tokio::test]
async fn case_29_a_deleted_provider_is_in_no_list_and_can_be_read() {
    let stage = Stage::start().await;
    let (kept, id) = (stage.provider("a").await, stage.provider("b").await);
    let path = format!("/providers/{id}");
    let deleted = stage.sa.delete(&path).await.ok();
    instant(&deleted["tm_delete"]);
    assert_eq!(deleted["tm_update"], deleted["tm_delete"]);
    assert_eq!(stage.sa.get(&path).await.ok(), deleted);
    assert_eq!(stage.sa.get("/providers").await.column("id"), [kept]);
    let changed = stage.sa.put(&path, &json!({ "name": "late" })).await.ok();
    assert_eq!((&changed["name"], &changed["tm_delete"]), (&json!("late"), &deleted["tm_delete"]));
    let again = stage.sa.delete(&path).await.ok();
    assert!(cursor(&again["tm_delete"]) > cursor(&deleted["tm_delete"]));
    assert_eq!(again["tm_update"], again["tm_delete"]);
}

#[tokio::test]
async fn case_30_a_page_has_at_most_a_hundred() {
    let stage = Stage::start().await;
    for number in 0..101 {
        stage.provider(format!("h{number}")).await;
    }
    for query in ["", "?page_size=0", "?page_size=500", "?page_size=-3", "?page_size=101", "?page_size=100"] {
        assert_eq!(stage.sa.get(&format!("/providers{query}")).await.rows().len(), 100, "{query}");
    }
    assert_eq!(stage.sa.get("/providers?page_size=7").await.rows().len(), 7);
    for list in ["/providers", "/routes", "/providercalls", "/outbound_configs", "/calls"] {
        for query in ["page_size=abc", "page_size=", "page_size=1.5", "page_size=1&page_size=2"] {
            let answer = stage.sa.get(&format!("{list}?{query}")).await;
            answer.refused(&invalid_parameter("page_size"));
        }
    }
}

#[tokio::test]
async fn case_31_pages_follow_each_other_by_the_time_of_creation() {
    let stage = Stage::start().await;
    let mut ids = Vec::new();
    for number in 0..3 {
        ids.insert(0, stage.provider(format!("h{number}")).await);
    }
    let first = stage.sa.get("/providers?page_size=2").await;
    assert_eq!(first.column("id"), ids[..2]);
    let token = first.at("/next_page_token").as_str().unwrap().to_owned();
    assert_eq!(token, cursor(&first.rows()[1]["tm_create"]));
    let second = stage.sa.get(&format!("/providers?page_size=2&page_token={token}")).await;
    assert_eq!(second.column("id"), ids[2..]);
    let last = second.at("/next_page_token").as_str().unwrap().to_owned();
    assert_eq!(last, cursor(&second.rows()[0]["tm_create"]));
    let end = stage.sa.get(&format!("/providers?page_size=2&page_token={last}")).await;
    assert_eq!(end.text, r#"{"result":[],"next_page_token":""}"#);
    // The older format of an instant, with its space escaped in two ways.
    let older = token.replace('T', "%20").replace('Z', "");
    for older in [older.clone(), older.replace("%20", "+")] {
        let page = stage.sa.get(&format!("/providers?page_token={older}")).await;
        assert_eq!(page.column("id"), ids[2..]);
    }
    for list in ["/providers", "/routes", "/providercalls", "/outbound_configs", "/calls"] {
        let answer = stage.sa.get(&format!("{list}?page_token=yesterday")).await;
        assert_eq!(answer.status, 400, "{list}: {}", answer.text);
    }
}

#[tokio::test]
async fn case_59_a_host_that_answers_anything_is_healthy_and_one_that_does_not_is_not() {
    let (mut well, ill) = (Carrier::start().await, Carrier::start().await);
    well.options(404);
    ill.options(0);
    let stage = Stage::hosting(&[("well.example.com", well.at), ("ill.example.com", ill.at)]).await;
    let [well_id, ill_id, nowhere] = [
        stage.provider("well.example.com").await,
        stage.provider("ill.example.com").await,
        stage.provider("").await,
    ];
    let deleted = stage.provider("ill.example.com").await;
    stage.sa.delete(&format!("/providers/{deleted}")).await.ok();
    assert_eq!(stage.control().probe_providers().await.unwrap(), 3, "a deleted one is left alone");
    let shown = async |id: &str| stage.sa.get(&format!("/providers/{id}")).await.ok();
    for (id, status) in [(&well_id, "healthy"), (&ill_id, "unhealthy"), (&nowhere, "unhealthy")] {
        let provider = shown(id).await;
        assert_eq!(provider["health_status"], status);
        instant(&provider["health_checked_at"]);
        instant(&provider["tm_update"]);
    }
    assert_eq!(shown(&deleted).await["health_status"], "unknown");
    let asked = well.asked().await;
    assert_eq!(asked.start, "OPTIONS sip:healthcheck@well.example.com SIP/2.0");
    assert_eq!(asked.header("Max-Forwards"), Some("70"));
    assert_eq!(asked.header("Content-Length"), Some("0"));
    assert!(asked.header("From").unwrap().contains("sip:healthcheck@"), "{asked:?}");
    assert!(asked.header("Contact").is_some());
    // The result of the next health check replaces it.
    ill.options(200);
    stage.control().probe_providers().await.unwrap();
    assert_eq!(shown(&ill_id).await["health_status"], "healthy");
}

/// Answers every SIP request with 200.
async fn answer_requests(listener: TcpListener) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(answer_on(stream));
    }
}

async fn answer_on(mut stream: TcpStream) {
    let mut bytes = Vec::new();
    while stream.read_buf(&mut bytes).await.is_ok_and(|read| read > 0) {
        while let Some(length) = Message::length(&bytes) {
            let rest = bytes.split_off(length);
            let request = Message::parse(&std::mem::replace(&mut bytes, rest));
            stream.write_all(request.answered("200 OK").as_bytes()).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_health_check_writes_a_line_when_the_health_changes_and_no_other() {
    // Connections are refused until it listens.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let config = scratch(&format!("health-log-{}.toml", std::process::id()));
    let at = socket.local_addr().unwrap();
    let text = format!(
        "[voipbin]\nsip_bind = \"127.0.0.1\"\nprobe_interval = 0\n[voipbin.hosts]\n\"sip.example.com\" = \"{at}\"\n"
    );
    std::fs::write(&config, text).unwrap();
    let file = config.to_str().unwrap();
    let binary = Binary::start(&["--ephemeral", "--voipbin-admin", "root:correct horse", "--config", file]);
    std::fs::remove_file(&config).unwrap();
    let api = binary.base.trim_start_matches("http://").trim_end_matches("/v3").parse().unwrap();
    let caller = Caller::anonymous(api).token(&log_in(api, "root", "correct horse").await);
    let provider = json!({ "hostname": "sip.example.com;transport=tcp" });
    let id = caller.post("/providers", &provider).await.ok()["id"].as_str().unwrap().to_owned();
    let control = Api::new(binary.control.clone().unwrap(), "").with_key(None);
    let probed_as = async |status: &str| {
        for _ in 0..3 {
            assert_eq!(control.post("/providers/probe", &json!({})).await.at("/probed"), 1);
            assert_eq!(caller.get(&format!("/providers/{id}")).await.at("/health_status"), status);
        }
    };
    probed_as("unhealthy").await;
    let carrier = tokio::spawn(answer_requests(socket.listen(8).unwrap()));
    probed_as("healthy").await;
    carrier.abort();
    assert!(carrier.await.unwrap_err().is_cancelled());
    probed_as("unhealthy").await;
    // The line of a later request shows that all lines before it were read.
    assert_eq!(caller.get("/providers/last").await.status, 400);
    until("the last line", async || binary.log().contains("/v1.0/providers/last").then_some(())).await;
    let log = binary.log();
    let lines: Vec<&str> = log.lines().filter(|line| line.contains(&id)).collect();
    let expected = ["a provider does not answer", "a provider answers", "a provider does not answer"];
    assert_eq!(lines.len(), expected.len(), "{log}");
    for (line, words) in lines.iter().zip(expected) {
        assert!(line.contains(words) && line.contains("sip.example.com"), "{line}");
    }
}

#[tokio::test]
async fn each_provider_is_checked_at_its_interval_of_the_servers_clock_which_a_restart_does_not_delay() {
    const INTERVAL: Duration = Duration::from_mins(10);
    let mut carrier = Carrier::start().await;
    let (folder, clock) = (tempfile::tempdir().unwrap(), Clock::system());
    clock.freeze(None);
    let stage = async |interval| {
        let stage = Stage::with_clock(clock.clone(), |config| {
            config.database = Database::File(folder.path().join("checked.db"));
            config.voipbin.platform.probe_interval = interval;
            host(config, &[("carrier.example.com", carrier.at)]);
        });
        stage.await
    };
    // When each provider was checked.
    let checked = async |stage: &Stage, ids: [&str; 2], before: &[Value; 2]| {
        until("the results are stored", async || {
            let shown = async |id: &str| stage.sa.get(&format!("/providers/{id}")).await.ok();
            let shown = [shown(ids[0]).await, shown(ids[1]).await];
            let at = shown.clone().map(|provider| provider["health_checked_at"].clone());
            let is_new =
                |which: usize| at[which] != before[which] && shown[which]["health_status"] == "healthy";
            (is_new(0) && is_new(1)).then_some(at)
        })
        .await
    };
    // One was created while checks were disabled.
    let first = stage(Duration::ZERO).await;
    let older = first.provider("carrier.example.com").await;
    first.server.stop().await.unwrap();
    let second = stage(INTERVAL).await;
    let newer = second.provider("carrier.example.com").await;
    let deleted = second.provider("carrier.example.com").await;
    second.sa.delete(&format!("/providers/{deleted}")).await.ok();
    let ids = [older.as_str(), newer.as_str()];
    clock.advance(INTERVAL);
    let once = checked(&second, ids, &[Value::Null, Value::Null]).await;
    clock.advance(INTERVAL);
    let twice = checked(&second, ids, &once).await;
    second.server.stop().await.unwrap();

    clock.advance(INTERVAL / 2);
    let third = stage(INTERVAL).await;
    clock.advance(INTERVAL / 2);
    checked(&third, ids, &twice).await;
    third.server.stop().await.unwrap();
    for _ in 0..6 {
        carrier.asked().await;
    }
    assert_eq!(carrier.unread_questions(), 0, "a deleted provider is not asked");
}

#[tokio::test]
async fn case_168_a_setup_needs_a_carrier_that_is_known_and_its_key() {
    let stage = Stage::start().await;
    let fine = json!({ "carrier": "didww", "name": "A", "credentials": { "api_key": "k" } });
    for (member, value) in [
        ("carrier", Value::Null),
        ("carrier", json!("")),
        ("carrier", json!("bogus")),
        ("name", Value::Null),
        ("name", json!("")),
        ("credentials", Value::Null),
        ("credentials", json!({})),
        ("credentials", json!({ "api_key": "" })),
    ] {
        let mut body = fine.clone();
        body[member] = value;
        let answer = stage.sa.post("/providers/setup", &body).await;
        assert_eq!(answer.status, 400, "{body}: {}", answer.text);
        let why = if member == "carrier" { "carrier is neither" } else { "is missing" };
        answer.refused_because(why);
    }
    for text in ["", "x", r#"{"carrier":5}"#] {
        stage.sa.send("POST", "/providers/setup", text).await.refused(&invalid_body());
    }
    stage.key(stage.admin, None).await.post("/providers/setup", &fine).await.refused(&permission_denied());
    assert!(stage.sa.get("/providers").await.rows().is_empty());
}

#[tokio::test]
async fn a_setup_makes_a_trunk_at_the_carrier_and_a_provider_that_names_it() {
    let carrier = engine::builder().api_key("carrierkey").version(didww_types::ApiVersion::V2026_04_16);
    let carrier = carrier.start().await;
    let stage = Stage::start().await;
    let body = |key: &str| {
        json!({
            "carrier": "didww", "name": "Main", "detail": "d",
            "credentials": { "api_key": key, "base_url": carrier.base_url() },
        })
    };
    let rejected = stage.sa.post("/providers/setup", &body("wrong")).await;
    rejected.refused(&error(
        "INVALID_ARGUMENT",
        "CARRIER_CREDENTIALS_REJECTED",
        "The carrier rejected the supplied credentials.",
    ));
    assert!(stage.sa.get("/providers").await.rows().is_empty());
    let answer = stage.sa.post("/providers/setup", &body("carrierkey")).await;
    let provider = answer.ok();
    assert_eq!((&provider["name"], &provider["detail"]), (&json!("Main"), &json!("d")));
    let api = crate::support::api::Api::new(carrier.base_url(), "carrierkey");
    let trunks = api.get("/voice_out_trunks").await;
    assert_eq!(trunks.at("/meta/total_records"), 1);
    let trunk = trunks.at("/data/0/id").as_str().unwrap().to_owned();
    assert!(provider["metadata"].to_string().contains(&trunk), "{provider}");
    let method = "/data/0/attributes/authentication_method/attributes";
    for secret in ["username", "password"] {
        let secret = trunks.at(&format!("{method}/{secret}")).as_str().unwrap().to_owned();
        assert!(!answer.text.contains(&secret), "{}", answer.text);
    }
    assert!(!answer.text.contains("carrierkey"));
    // Another provider with the same trunk.
    let mut again = body("carrierkey");
    again["credentials"]["trunk_id"] = json!(trunk);
    let second = stage.sa.post("/providers/setup", &again).await.ok();
    assert!(second["metadata"].to_string().contains(&trunk), "{second}");
    assert_eq!(api.get("/voice_out_trunks").await.at("/meta/total_records"), 1);
    again["credentials"]["trunk_id"] = json!(UNKNOWN);
    let refused = stage.sa.post("/providers/setup", &again).await;
    assert_eq!(refused.status, 400, "{}", refused.text);
    assert_eq!(stage.sa.get("/providers").await.rows().len(), 2);
}
