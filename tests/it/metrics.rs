//! The metrics of a running server: their text is well formed, has what the list declares and nothing else, and follows
//! what happens.

#![allow(clippy::float_cmp, reason = "the values are whole numbers, or one value read twice")]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::json;
use trunk_server::metrics::{CATALOGUE, CONTENT_TYPE, Kind, Metric};

use crate::sip::edge::{ANSWERS_AT_ONCE, Edge, until};
use crate::sip::uac::Call;
use crate::support::api::{Api, http_client};
use crate::support::binary::Binary;

/// A rate of one US dollar a second, and a listener for metrics.
const CONFIG: &str = "metrics_listen = \"127.0.0.1:0\"\n\
                      [[sip.rates]]\nprefix = \"999\"\nper_minute = \"60\"\n";

/// The samples of a scrape: their names with their labels, and their values.
#[derive(Debug, Default)]
struct Samples(Vec<(String, BTreeMap<String, String>, f64)>);

impl Samples {
    /// Reads the metrics of a server. Its text must be well formed.
    async fn of(binary: &Binary) -> Self {
        let url = url(binary);
        let answer = http_client().get(url).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["content-type"], CONTENT_TYPE);
        Self::parse(&answer.text().await.unwrap())
    }

    fn parse(text: &str) -> Self {
        let (mut samples, mut family, mut seen) = (Self::default(), None, BTreeSet::new());
        let text = text.strip_suffix("# EOF\n").expect("the text is complete");
        for line in text.lines() {
            if let Some(help) = line.strip_prefix("# HELP ") {
                let (name, help) = help.split_once(' ').unwrap();
                assert!(seen.insert(name.to_owned()), "{name} has two parts");
                let metric = declared(name).unwrap_or_else(|| panic!("{name} is not in the list"));
                assert_eq!(help, metric.help);
                family = Some(metric);
            } else if let Some(kind) = line.strip_prefix("# TYPE ") {
                let metric = family.unwrap();
                let word = match metric.kind {
                    Kind::Counter => "counter",
                    Kind::Gauge => "gauge",
                    Kind::Histogram => "histogram",
                    _ => "info",
                };
                assert_eq!(kind, format!("{} {word}", family_of(metric)));
            } else {
                samples.add(line, family.expect("a sample has a family before it"));
            }
        }
        samples
    }

    fn add(&mut self, line: &str, metric: &Metric) {
        let (name, value) = line.rsplit_once(' ').unwrap();
        let (name, labels) = name.split_once('{').map_or((name, ""), |(name, labels)| {
            (name, labels.strip_suffix('}').expect("the labels have an end"))
        });
        let suffixes: &[&str] =
            if metric.kind == Kind::Histogram { &["_bucket", "_sum", "_count"] } else { &[""] };
        assert!(suffixes.iter().any(|suffix| name == format!("{}{suffix}", metric.name)), "{name}");
        let labels = labels_of(labels);
        let le = name.ends_with("_bucket").then_some("le");
        let wanted: BTreeSet<&str> = metric.labels.iter().copied().chain(le).collect();
        assert_eq!(labels.keys().map(String::as_str).collect::<BTreeSet<_>>(), wanted, "{name}");
        let value: f64 = value.parse().unwrap();
        assert!(value >= 0.0, "{line}");
        let is_new = self.0.iter().all(|(other, of_other, _)| (other.as_str(), of_other) != (name, &labels));
        assert!(is_new, "{line} is there twice");
        self.0.push((name.to_owned(), labels, value));
    }

    /// The value of the samples with this name and at least these labels, added up.
    fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let has = |of: &BTreeMap<String, String>| labels.iter().all(|(name, value)| of[*name] == *value);
        self.0.iter().filter(|(other, of, _)| other == name && has(of)).map(|(.., value)| value).sum()
    }

    fn count(&self, name: &str) -> usize {
        self.0.iter().filter(|(other, ..)| other == name).count()
    }
}

/// The name by which the text introduces a metric.
fn family_of(metric: &Metric) -> &'static str {
    let name = metric.name;
    name.strip_suffix("_total").or_else(|| name.strip_suffix("_info")).unwrap_or(name)
}

fn declared(family: &str) -> Option<&'static Metric> {
    CATALOGUE.iter().find(|metric| family_of(metric) == family)
}

/// Labels such as `a="x",b="y"`; the escapes of the format are undone.
fn labels_of(mut text: &str) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::new();
    while !text.is_empty() {
        let (name, rest) = text.split_once("=\"").unwrap();
        let (mut value, mut characters) = (String::new(), rest.char_indices());
        let end = loop {
            match characters.next().unwrap() {
                (end, '"') => break end,
                (_, '\\') => value.push(match characters.next().unwrap().1 {
                    'n' => '\n',
                    escaped @ ('"' | '\\') => escaped,
                    other => panic!("no escape: {other}"),
                }),
                (_, character) => value.push(character),
            }
        };
        assert!(labels.insert(name.to_owned(), value).is_none(), "{name} is there twice");
        text = &rest[end + 1..];
        text = text.strip_prefix(',').unwrap_or(text);
    }
    labels
}

fn url(binary: &Binary) -> String {
    let line = binary.greeting.lines().find_map(|line| line.trim().strip_prefix("Metrics:"));
    line.expect("the greeting says where the metrics are").trim().to_owned()
}

#[tokio::test]
async fn calls_and_requests_are_in_the_metrics_with_the_labels_of_the_list_and_nothing_else_is() {
    let edge = Edge::with_config(CONFIG).await;
    edge.freeze().await;
    let trunk = edge.trunk(json!({ "name": "A \"quoted\" \\ trunk", "rtp_timeout": 600 })).await;
    let blocked = edge.trunk(json!({ "name": "Blocked", "status": "blocked" })).await;
    let balances = format!("/accounts/{}/records/balances", edge.account);
    let money = json!({ "attributes": { "balance": "50.25", "credit": "7.0" } });
    edge.control_request(&balances, "POST", &money).await;
    let mut call = Call::up(&edge, &trunk, ANSWERS_AT_ONCE).await;
    assert_eq!(Call::new(&edge, ANSWERS_AT_ONCE).await.place(&blocked).await.code(), 403);
    edge.advance(10).await;
    let samples = until("10 seconds are charged", async || {
        let samples = Samples::of(&edge.binary).await;
        (samples.sum("didww_voice_out_trunk_active_calls_price", &[]) >= 10.0).then_some(samples)
    })
    .await;

    let of_trunk = [("trunk_id", trunk.id.as_str()), ("trunk_name", "A \"quoted\" \\ trunk")];
    assert_eq!(samples.sum("didww_voice_out_trunk_active_calls_count", &of_trunk), 1.0);
    assert_eq!(
        samples.count("didww_voice_out_trunk_active_calls_count"),
        1,
        "the blocked one has no activity"
    );
    let spent = samples.sum("didww_voice_out_trunk_last24h_price", &of_trunk);
    assert_eq!(spent, samples.sum("didww_voice_out_trunk_active_calls_price", &of_trunk));
    assert_eq!(samples.sum("didww_balance", &[("account_id", edge.account.as_str())]), 50.25);
    assert_eq!(samples.count("didww_balance"), 1);
    assert_eq!(samples.sum("trunk_server_calls_active", &[]), 1.0);
    assert_eq!(samples.sum("trunk_server_call_attempts_total", &[("outcome", "admitted")]), 1.0);
    assert_eq!(samples.sum("trunk_server_calls_refused_total", &[("check", "status")]), 1.0);
    assert_eq!(samples.sum("trunk_server_calls_refused_total", &[]), 1.0);
    let created =
        [("listener", "api"), ("route", "/v3/voice_out_trunks"), ("method", "POST"), ("status", "2xx")];
    assert_eq!(samples.sum("trunk_server_http_requests_total", &created), 2.0);
    let advanced = [("listener", "control"), ("route", "/control/v1/clock/advance")];
    assert_eq!(samples.sum("trunk_server_http_request_duration_seconds_count", &advanced), 1.0);
    for name in ["trunk_server_store_writable", "trunk_server_nodes_alive", "trunk_server_ready"] {
        assert_eq!(samples.sum(name, &[]), 1.0, "{name}");
    }
    assert!(samples.sum("trunk_server_store_commits_total", &[]) >= 3.0);
    assert_eq!(samples.sum("trunk_server_database_away", &[]), 0.0);
    assert_eq!(samples.sum("trunk_server_scrape_errors", &[]), 0.0);
    assert_eq!(samples.sum("trunk_server_build_info", &[("version", env!("CARGO_PKG_VERSION"))]), 1.0);

    let served: BTreeSet<&str> = samples.0.iter().map(|(name, ..)| name.as_str()).collect();
    // Jobs have no sample before the first one ran.
    let names = CATALOGUE.iter().map(|metric| metric.name).filter(|name| *name != "trunk_server_jobs_total");
    let absent: Vec<&str> = names
        .filter(|name| !served.contains(name) && !served.contains(format!("{name}_bucket").as_str()))
        .collect();
    assert_eq!(absent, [""; 0]);

    call.hang_up().await;
    let samples = until("the call is over", async || {
        let samples = Samples::of(&edge.binary).await;
        (samples.sum("trunk_server_calls_active", &[]) == 0.0).then_some(samples)
    })
    .await;
    assert_eq!(samples.sum("didww_voice_out_trunk_active_calls_price", &[]), 0.0);
    assert_eq!(samples.sum("didww_voice_out_trunk_last24h_price", &of_trunk), spent);
}

#[tokio::test]
async fn paths_and_methods_that_a_client_makes_up_add_no_series() {
    let binary =
        Binary::start(&["--ephemeral", "--api-key", "canary-key", "--metrics-listen", "127.0.0.1:0"]);
    let api = Api::new(&binary.base, "canary-key").at(Some("2026-04-16"));
    for number in 0..50 {
        api.get(&format!("/made_up_{number}")).await;
        api.get(&format!("/dids/{number}")).await;
        api.send(format!("MADE{number}").parse().unwrap(), "/dids", "").await;
    }
    let samples = until("all are counted", async || {
        let samples = Samples::of(&binary).await;
        (samples.sum("trunk_server_http_requests_total", &[]) >= 150.0).then_some(samples)
    })
    .await;
    let of = |route: &str, method: &str| {
        samples.sum("trunk_server_http_requests_total", &[("route", route), ("method", method)])
    };
    assert_eq!((of("other", "GET"), of("/v3/dids/{id}", "GET"), of("/v3/dids", "other")), (50.0, 50.0, 50.0));
    assert_eq!(samples.count("trunk_server_http_requests_total"), 3);
    let buckets = [("route", "other"), ("le", "+Inf")];
    assert_eq!(samples.sum("trunk_server_http_request_duration_seconds_bucket", &buckets), 50.0);
    let text = http_client().get(url(&binary)).send().await.unwrap().text().await.unwrap();
    assert!(!text.contains("canary"), "no secret is a label");
}

#[tokio::test]
async fn metrics_are_served_where_they_are_asked_for_alone() {
    let without = Binary::start(&["--ephemeral"]);
    assert!(!without.greeting.contains("Metrics"));
    let binary = Binary::start(&["--ephemeral", "--metrics-listen", "127.0.0.1:0"]);
    let (api, control) = (binary.base.trim_end_matches("/v3"), binary.control.clone().unwrap());
    for elsewhere in
        [format!("{api}/metrics"), format!("{control}/metrics"), url(&binary).replace("/metrics", "/")]
    {
        let answer = http_client().get(&elsewhere).send().await.unwrap();
        assert_eq!(answer.status(), 404, "{elsewhere}");
    }
    let rebound = http_client().get(url(&binary)).header("Host", "evil.example").send().await.unwrap();
    assert_eq!(rebound.status(), 403, "a web page whose name leads here");
    let twenty = futures_util::future::join_all((0..20).map(|_| Samples::of(&binary)));
    tokio::time::timeout(Duration::from_secs(20), twenty).await.expect("scrapes take turns");
}
