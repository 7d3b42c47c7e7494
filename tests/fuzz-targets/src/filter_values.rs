//! Filter values: a line of CSV.

use didww_types::{ApiVersion, REGISTRY, split_values};

/// Lists with and without quotes.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let seeds =
        ["a,b", "\"a,b\",c", "5\" pipe", "a\"\"b", "\"\"\"\"", ",,", "\"a\nb\"\nc", "\"open", "ä,\"ö\"", ""];
    seeds.map(|seed| seed.as_bytes().to_vec()).into()
}

/// Values that the client writes as a line are those that the server reads.
pub fn filter_values(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let split = split_values(&text);
    assert!(!split.is_empty());
    if !text.contains('"') {
        assert_eq!(split.join(","), text);
    }
    let values: Vec<String> = text.split('\n').map(str::to_owned).collect();
    let filters = REGISTRY.iter().flat_map(|spec| spec.filters_at(ApiVersion::NEWEST));
    for filter in filters {
        for version in [ApiVersion::V2021_12_15, ApiVersion::NEWEST] {
            if let Some(line) = filter.text(version, &values) {
                assert_eq!(filter.values(version, &line), values, "{} at {version}", filter.name);
            }
        }
    }
}
