//! Traces of a server, at a collector on loopback: `cargo test -p trunk-server --features opentelemetry --test traces`.

#![allow(unreachable_pub, reason = "nothing outside this binary can reach it")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]
// The receiver serves this test alone.
#![allow(clippy::disallowed_methods)]

mod otlp;
mod receiver;
mod server;
#[allow(dead_code, reason = "other tests use the rest of it")]
#[path = "../it/support/wire.rs"]
mod wire;

use std::time::Duration;

use serde_json::{Value, json};

use receiver::{Manner, Receiver};
use server::{Server, program};

/// Maximum time for every step.
const DEADLINE: Duration = Duration::from_secs(30);

/// Waits for a future. Returns its output.
async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    let outcome = tokio::time::timeout(DEADLINE, future).await;
    outcome.unwrap_or_else(|_| panic!("{what} took longer than {} seconds", DEADLINE.as_secs()))
}

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "b7ad6b7169203331";

/// A collector, and a server that exports to it without a delay.
async fn traced(manner: Manner) -> (Receiver, Server) {
    let collector = Receiver::start(manner).await;
    let server = Server::start(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url("").as_str()),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=canary-tenant"),
        ("OTEL_BSP_SCHEDULE_DELAY", "20"),
    ])
    .await;
    (collector, server)
}

#[tokio::test]
async fn a_request_has_a_span_with_route_status_account_and_id_below_the_span_that_it_names() {
    let (mut collector, server) = traced(Manner::Answers(200)).await;
    let accounts = server.control("GET", "/accounts", &Value::Null).await;
    let account = accounts["accounts"][0]["id"].as_str().unwrap();
    let unknown = "/v3/voice_out_trunks/11111111-1111-4111-8111-111111111111";
    let parent = format!("traceparent: 00-{TRACE}-{PARENT}-01\r\n");
    assert_eq!(server.ask("GET", unknown, &parent, &Value::Null).await.status, 404);
    let span = collector.span(|span| span.name == "GET /v3/voice_out_trunks/{id}").await;
    assert_eq!((span.trace.as_str(), span.parent.as_str()), (TRACE, PARENT));
    assert_eq!((span.kind, span.has_failed, span.service.as_str()), (2, false, "trunk-server"));
    for (name, value) in [
        ("http.request.method", "GET"),
        ("http.route", "/v3/voice_out_trunks/{id}"),
        ("http.response.status_code", "404"),
        ("listener", "api"),
        ("account.id", account),
        ("request.id", "fixed"),
    ] {
        assert_eq!(span.attribute(name), value, "{name} of {span:?}");
    }
    let export = &collector.received[0];
    assert!(export.head.starts_with("post /v1/traces http/1.1"), "{}", export.head);
    assert_eq!(export.header("content-type"), Some("application/x-protobuf"));
    assert_eq!(export.header("x-tenant"), Some("canary-tenant"));
}

#[tokio::test]
async fn a_request_for_prices_has_the_account_of_its_token() {
    let (mut collector, server) = traced(Manner::Answers(200)).await;
    let accounts = server.control("GET", "/accounts", &Value::Null).await;
    let account = accounts["accounts"][0]["id"].as_str().unwrap();
    let answer = server.ask("POST", "/token", "", &json!({ "aud": "api-vout.didww.com" })).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let minted: Value = serde_json::from_slice(&answer.body).unwrap();
    let bearer = format!("Authorization: Bearer {}\r\n", minted["access_token"].as_str().unwrap());
    // The target names the host, whatever the header has.
    let prices = "http://api-vout.localhost/v3/lookup/prices?filter%5Bnumber%5D=447700900123";
    let answer = server.ask("GET", prices, &bearer, &Value::Null).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let span = collector.span(|span| span.name == "GET /v3/lookup/prices").await;
    assert_eq!(span.attribute("account.id"), account);
}

#[tokio::test]
async fn a_request_that_names_no_span_or_none_that_can_be_read_begins_a_trace() {
    let (mut collector, server) = traced(Manner::Answers(200)).await;
    let zeros = format!("traceparent: 00-{}-{PARENT}-01\r\n", "0".repeat(32));
    let twice = format!("traceparent: 00-{TRACE}-{PARENT}-01\r\n").repeat(2);
    for (number, headers) in ["", "traceparent: nonsense\r\n", &zeros, &twice].into_iter().enumerate() {
        assert_eq!(server.ask("GET", "/v3/dids", headers, &Value::Null).await.status, 200);
        while collector.spans().iter().filter(|span| span.name == "GET /v3/dids").count() <= number {
            collector.next().await;
        }
    }
    for span in collector.spans() {
        assert_eq!(span.parent, "", "{span:?}");
        assert_ne!(span.trace, TRACE);
    }
}

#[tokio::test]
async fn a_stranger_has_few_requests_sampled_that_the_server_would_not_sample() {
    let mut collector = Receiver::start(Manner::Answers(200)).await;
    let server = Server::start(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url("").as_str()),
        ("OTEL_TRACES_SAMPLER", "parentbased_always_off"),
        ("OTEL_BSP_SCHEDULE_DELAY", "20"),
    ])
    .await;
    let began = std::time::Instant::now();
    let parent = format!("traceparent: 00-{TRACE}-{PARENT}-01\r\n");
    for _ in 0..200 {
        // Those above the limit of requests have spans too.
        server.ask("GET", "/v3/dids", &parent, &Value::Null).await;
    }
    let most = usize::try_from(20 + 20 * (began.elapsed().as_secs() + 1)).unwrap();
    let (code, log) = server.stop().await;
    assert_eq!(code, Some(0), "{log}");
    collector.take_arrived();
    let sent = collector.spans().iter().filter(|span| span.name == "GET /v3/dids").count();
    assert!((20..=most).contains(&sent), "{sent} of 200, at most {most}");
}

#[tokio::test]
async fn no_trace_is_continued_or_named_if_the_environment_has_no_format_for_it() {
    let mut collector = Receiver::start(Manner::Answers(200)).await;
    let mut receiver = Receiver::start(Manner::Answers(503)).await;
    let server = Server::start(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url("").as_str()),
        ("OTEL_PROPAGATORS", "none"),
        ("OTEL_BSP_SCHEDULE_DELAY", "20"),
    ])
    .await;
    let id = server.trunk(&receiver.url("/callback")).await;
    let body =
        json!({ "data": { "type": "voice_out_trunks", "id": id, "attributes": { "status": "blocked" } } });
    let parent = format!("traceparent: 00-{TRACE}-{PARENT}-01\r\n");
    assert_eq!(server.ask("PATCH", &format!("/v3/voice_out_trunks/{id}"), &parent, &body).await.status, 200);
    let span = collector.span(|span| span.name == "PATCH /v3/voice_out_trunks/{id}").await;
    assert_eq!(span.parent, "");
    assert_eq!(receiver.next().await.header("traceparent"), None);
}

#[tokio::test]
async fn an_unknown_path_is_one_of_others_and_a_health_check_has_no_span() {
    let (mut collector, server) = traced(Manner::Answers(200)).await;
    assert_eq!(server.ask("GET", "/readyz", "", &Value::Null).await.status, 200);
    assert_eq!(server.ask("GET", "/canary-path?canary=query", "", &Value::Null).await.status, 404);
    let span = collector.span(|span| span.name == "GET other").await;
    assert_eq!((span.attribute("account.id"), span.attribute("http.route")), ("", "other"));
    assert!(collector.spans().iter().all(|span| !span.name.contains("readyz")));
    assert!(!collector.has_received("canary-path") && !collector.has_received("canary=query"));
}

#[tokio::test]
async fn a_callback_names_the_span_of_its_attempt_which_has_the_host_alone() {
    let (mut collector, server) = traced(Manner::Answers(200)).await;
    let mut receiver = Receiver::start(Manner::Answers(503)).await;
    let id = server.trunk(&receiver.url("/canary-path?token=canary-query")).await;
    let body =
        json!({ "data": { "type": "voice_out_trunks", "id": id, "attributes": { "status": "blocked" } } });
    let path = format!("/v3/voice_out_trunks/{id}");
    assert_eq!(server.ask("PATCH", &path, "", &body).await.status, 200);
    let callback = receiver.next().await;
    let span = collector.span(|span| span.name == "callback trunk").await;
    let named = format!("00-{}-{}-01", span.trace, span.id);
    assert_eq!(callback.header("traceparent"), Some(named.as_str()));
    assert!(callback.header("x-didww-signature").is_some(), "{}", callback.head);
    for (name, value) in [
        ("callback.subject", id.as_str()),
        ("callback.events", "1"),
        ("server.address", "127.0.0.1"),
        ("http.response.status_code", "503"),
    ] {
        assert_eq!(span.attribute(name), value, "{name} of {span:?}");
    }
    assert!(span.has_failed && span.kind == 3, "{span:?}");
}

#[tokio::test]
async fn a_job_and_a_call_have_spans_and_none_has_a_secret_or_a_number() {
    let (mut collector, server) = traced(Manner::Answers(200)).await;
    let id = server.trunk("http://127.0.0.1:1/canary-path").await;
    let placed = server.call().await;
    assert!(placed.status.success(), "{}", String::from_utf8_lossy(&placed.stdout));
    let call = collector.span(|span| span.name == "call through a trunk").await;
    for (name, value) in [
        ("trunk.id", id.as_str()),
        ("network.transport", "udp"),
        ("call.is_answered", "true"),
        ("call.disconnect_code", "200"),
        ("call.hung_up_by", "caller"),
    ] {
        assert_eq!(call.attribute(name), value, "{name} of {call:?}");
    }
    server.control("POST", "/clock/advance", &json!({ "seconds": 40 * 24 * 3600 })).await;
    let job = collector.span(|span| span.name.starts_with("job ")).await;
    assert_eq!(format!("job {}", job.attribute("job.kind")), job.name);
    assert!(!job.has_failed && job.kind == 1, "{job:?}");
    let (code, _) = server.stop().await;
    assert_eq!(code, Some(0));
    collector.take_arrived();
    for secret in ["canary-api-key", "canary-control", "canary-callback", "canary-path", "442079460018"] {
        assert!(!collector.has_received(secret), "{secret} in {:?}", collector.spans());
    }
}

#[tokio::test]
async fn spans_that_wait_are_exported_when_the_server_stops() {
    let mut collector = Receiver::start(Manner::Answers(200)).await;
    let variables = [("OTEL_BSP_SCHEDULE_DELAY", "3600000"), ("OTEL_SERVICE_NAME", "trunks of a test")];
    let setting = [("TRUNK_SERVER_OTLP_ENDPOINT", collector.url("/"))];
    let setting = setting.iter().map(|(name, value)| (*name, value.as_str()));
    let server = Server::start(&variables.into_iter().chain(setting).collect::<Vec<_>>()).await;
    assert_eq!(server.ask("GET", "/v3/dids", "", &Value::Null).await.status, 200);
    collector.take_arrived();
    assert!(collector.received.is_empty(), "they wait");
    let (code, log) = server.stop().await;
    assert_eq!(code, Some(0), "{log}");
    let span = collector.span(|span| span.name == "GET /v3/dids").await;
    assert_eq!(span.service, "trunks of a test");
    assert!(!log.contains("http.route"), "a span is no part of the log: {log}");
}

#[tokio::test]
async fn a_collector_that_refuses_changes_nothing_but_one_line_of_the_log() {
    let (mut collector, server) = traced(Manner::Answers(400)).await;
    for _ in 0..3 {
        assert_eq!(server.ask("GET", "/v3/dids", "", &Value::Null).await.status, 200);
        collector.next().await;
    }
    let (code, log) = server.stop().await;
    assert_eq!(code, Some(0), "{log}");
    let lines: Vec<_> = log.lines().filter(|line| line.contains("spans could not be exported")).collect();
    assert_eq!(lines.len(), 1, "{log}");
    assert!(lines[0].contains("answered 400"), "{log}");
}

#[tokio::test]
async fn a_silent_collector_and_a_full_queue_delay_neither_requests_nor_the_stop() {
    let mut collector = Receiver::start(Manner::IsSilent).await;
    let server = Server::start(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url("").as_str()),
        // Longer than any step may take: the stop must not wait for it.
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "3600000"),
        ("OTEL_BSP_SCHEDULE_DELAY", "20"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "4"),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "4"),
    ])
    .await;
    assert_eq!(server.ask("GET", "/v3/dids", "", &Value::Null).await.status, 200);
    collector.next().await;
    for _ in 0..20 {
        assert_eq!(server.ask("GET", "/v3/dids", "", &Value::Null).await.status, 200);
    }
    let (code, log) = server.stop().await;
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("the last spans were not exported"), "{log}");
}

#[tokio::test]
async fn nothing_is_exported_without_a_collector_or_if_the_environment_disables_it() {
    let mut collector = Receiver::start(Manner::Answers(200)).await;
    let url = collector.url("");
    let disabled = [("OTEL_EXPORTER_OTLP_ENDPOINT", url.as_str()), ("OTEL_SDK_DISABLED", "true")];
    for variables in [&[][..], &disabled[..]] {
        let server = Server::start(variables).await;
        assert_eq!(server.ask("GET", "/v3/dids", "", &Value::Null).await.status, 200);
        let (code, log) = server.stop().await;
        assert_eq!(code, Some(0), "{log}");
        assert!(!log.contains("traces are exported"), "{log}");
    }
    collector.take_arrived();
    assert!(collector.received.is_empty());
}

#[tokio::test]
async fn a_collector_that_cannot_be_one_is_refused_at_the_start() {
    for variable in ["TRUNK_SERVER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"] {
        let mut command = program(&[(variable, "http://me:canary@127.0.0.1:4318")]);
        command.args([
            "--ephemeral",
            "--listen",
            "127.0.0.1:0",
            "--control-listen",
            "off",
            "--sip-listen",
            "off",
        ]);
        let output = within("the refusal", command.output()).await.unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("OTEL_EXPORTER_OTLP_HEADERS") && !said.contains("canary"), "{said}");
    }
}
