//! The list of metrics in `docs/operations.md`, its alerts, and the queries of the dashboard, against the declarations.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::Value;
use trunk_server::metrics::{CATALOGUE, Kind, MAX_ACCOUNTS, MAX_TRUNKS, Metric};

use super::pages::{hold_part, read, section};

/// Words of the query language that are no metric.
const WORDS: [&str; 18] = [
    "sum",
    "rate",
    "max",
    "min",
    "by",
    "le",
    "histogram_quantile",
    "increase",
    "topk",
    "bottomk",
    "clamp_min",
    "on",
    "ignoring",
    "group_left",
    "and",
    "or",
    "unless",
    "without",
];

fn table() -> String {
    let mut table = String::from("| metric | kind | labels | meaning |\n| --- | --- | --- | --- |\n");
    for Metric { name, kind, labels, help, .. } in CATALOGUE {
        let labels: Vec<String> = labels.iter().map(|label| format!("`{label}`")).collect();
        let labels = if labels.is_empty() { "–".to_owned() } else { labels.join(", ") };
        let kind = format!("{kind:?}").to_lowercase();
        let _infallible = writeln!(table, "| `{name}` | {kind} | {labels} | {help} |");
    }
    table
}

#[test]
fn the_list_of_metrics_is_that_of_the_declarations() {
    hold_part("docs/operations.md", "metrics", &table());
    for bound in [format!("{MAX_TRUNKS} trunks"), format!("{MAX_ACCOUNTS} accounts")] {
        assert!(read("docs/operations.md").contains(&bound), "{bound}");
    }
}

/// The queries of a dashboard, wherever they stand.
fn queries(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            found.extend(members.get("expr").and_then(Value::as_str).map(str::to_owned));
            members.values().for_each(|member| queries(member, found));
        }
        Value::Array(entries) => entries.iter().for_each(|entry| queries(entry, found)),
        _ => {}
    }
}

/// The names in a query, without texts in quotes, durations in brackets and words of the language.
fn names(query: &str) -> BTreeSet<String> {
    let without_texts: String = query.split('"').step_by(2).collect::<Vec<_>>().join(" ");
    let parts =
        without_texts.split(|character: char| !(character.is_ascii_alphanumeric() || character == '_'));
    let is_name =
        |part: &&str| part.starts_with(|first: char| first.is_ascii_lowercase()) && !WORDS.contains(part);
    parts.filter(is_name).map(str::to_owned).collect()
}

fn has(metric: &Metric, name: &str) -> bool {
    let rest = name.strip_prefix(metric.name);
    match metric.kind {
        Kind::Histogram => matches!(rest, Some("_bucket" | "_sum" | "_count")),
        _ => rest == Some(""),
    }
}

#[test]
fn the_dashboard_asks_for_metrics_and_labels_of_the_list_alone() {
    let dashboard: Value = serde_json::from_str(&read("docs/grafana-dashboard.json")).unwrap();
    let mut found = Vec::new();
    queries(&dashboard, &mut found);
    assert!(found.len() >= 15, "{found:?}");
    let labels: BTreeSet<&str> = CATALOGUE.iter().flat_map(|metric| metric.labels).copied().collect();
    let mut asked = BTreeSet::new();
    for query in &found {
        let mut metrics = Vec::new();
        for name in names(query) {
            match CATALOGUE.iter().find(|metric| has(metric, &name)) {
                Some(metric) => metrics.push(metric),
                None => {
                    assert!(
                        labels.contains(name.as_str()),
                        "`{name}` of `{query}` is no metric and no label"
                    );
                }
            }
        }
        assert!(!metrics.is_empty(), "`{query}` asks for nothing");
        let of_these: BTreeSet<&str> = metrics.iter().flat_map(|metric| metric.labels).copied().collect();
        for label in names(query).iter().filter(|name| labels.contains(name.as_str())) {
            assert!(
                of_these.contains(label.as_str()),
                "`{query}`: none of its metrics has the label `{label}`"
            );
        }
        asked.extend(metrics.iter().map(|metric| metric.name));
    }
    for name in
        ["didww_voice_out_trunk_last24h_price", "trunk_server_database_away", "trunk_server_nodes_alive"]
    {
        assert!(asked.contains(name), "the dashboard does not show {name}");
    }
}

#[test]
fn the_alerts_ask_for_metrics_and_labels_of_the_list_alone() {
    let page = read("docs/operations.md");
    let alerts = section(&page, "### Alerts").split("\n## ").next().unwrap();
    let mut count = 0;
    for row in alerts.lines().filter_map(|line| line.strip_prefix("| `")) {
        let query = row.split('`').next().unwrap();
        let is_known =
            |name: &str| CATALOGUE.iter().any(|metric| has(metric, name) || metric.labels.contains(&name));
        let unknown: Vec<String> = names(query).into_iter().filter(|name| !is_known(name)).collect();
        assert!(unknown.is_empty(), "`{query}` asks for {unknown:?}");
        count += 1;
    }
    assert!(count >= 10, "{count} alerts");
}

#[test]
fn names_of_a_query_are_its_metrics_and_labels() {
    let query = "sum by (route) (rate(a_total{route!=\"other\",le=\"5\"}[5m])) / 2";
    assert_eq!(names(query).into_iter().collect::<Vec<_>>(), ["a_total", "route"]);
}
