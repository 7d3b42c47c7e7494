//! Single values: instants, amounts, networks, versions, and every declared attribute of a resource.

use didww_types::values::{IpNetworks, Money, ThresholdAmount};
use didww_types::{ApiVersion, REGISTRY, Timestamp};
use serde_json::{Value, json};

use crate::fixtures;

/// Texts, and the values of recorded attributes.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let texts = [
        "2026-04-08T08:57:33.304+02:00",
        "2026-04-21 23:15:00.120000",
        "0000-01-01T00:00:00-00:01",
        "9999-12-31T23:59:60.999999999Z",
        "1_000.50",
        "-0.0",
        "79228162514264337593543950335",
        "203.0.113.77/24\n2001:db8::1",
        "::ffff:1.2.3.4/120",
        "2026-11-19",
        "[\"1\",\"1\",\"22\"]",
        "3.5e2",
    ];
    let mut seeds: Vec<Vec<u8>> = texts.map(|text| text.as_bytes().to_vec()).into();
    for document in fixtures::json() {
        let document: Value = serde_json::from_slice(&document).unwrap_or_default();
        let attributes = document.pointer("/data/attributes").and_then(Value::as_object);
        seeds.extend(attributes.into_iter().flatten().map(|(_, value)| value.to_string().into_bytes()));
    }
    seeds.sort();
    seeds.dedup();
    seeds
}

/// A value that is accepted is accepted again in the form in which it is written.
pub fn values(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Ok(at) = text.parse::<Timestamp>() {
        assert_eq!(at.to_string().parse(), Ok(at));
        assert_eq!(Timestamp::from_unix_millis(at.as_unix_millis()), at);
    }
    if let Ok(at) = text.parse::<voipbin_types::Timestamp>() {
        assert_eq!(at.to_string().parse(), Ok(at));
        assert_eq!(at.to_page_token().parse(), Ok(at));
    }
    if let Ok(money) = text.parse::<Money>() {
        assert_eq!(money.to_string().parse::<Money>().unwrap(), money);
    }
    if let Ok(amount) = text.parse::<ThresholdAmount>() {
        assert_eq!(amount.to_string().parse::<ThresholdAmount>().unwrap(), amount);
    }
    if let Ok(networks) = IpNetworks::parse(text.lines()) {
        assert_eq!(IpNetworks::parse(networks.texts()).unwrap(), networks);
        assert_eq!(networks.networks().count(), networks.texts().len());
    }
    if let Ok(version) = text.parse::<ApiVersion>() {
        assert_eq!(version.to_string(), text);
    }
    for sent in [serde_json::from_slice(data).ok(), Some(json!(text))].into_iter().flatten() {
        check_attributes(&sent);
    }
}

fn check_attributes(sent: &Value) {
    for spec in REGISTRY {
        for version in ApiVersion::ALL {
            for attribute in spec.attributes_at(version) {
                let limits = attribute.value_at(version);
                match limits.check(sent) {
                    Ok(value) => assert_eq!(limits.check(&value), Ok(value.clone()), "{}", attribute.name),
                    Err(flaws) => assert!(!flaws.is_empty(), "{}", attribute.name),
                }
            }
        }
    }
}
