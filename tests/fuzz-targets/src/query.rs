//! Query strings of list requests.

use didww_types::{ApiVersion, QueryPairs, REGISTRY, encode_component};

/// A query for each filter, sort criterion and include that is declared.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let mut queries = vec![
        "page[number]=2&page[size]=100&sort=-created_at,name".to_owned(),
        "page%5Bnumber%5D=1&filter%5Bname%5D=a%2Cb%22c&+=%2B&%=%zz&=&&a".to_owned(),
        "fields[voice_out_trunks]=name,dids&include=dids.did_group".to_owned(),
    ];
    for spec in REGISTRY {
        let filters = spec.filters_at(ApiVersion::NEWEST);
        queries.extend(filters.map(|filter| format!("filter[{}]=a,\"b,c\"", filter.name)));
        queries
            .extend(spec.relationships_at(ApiVersion::NEWEST).map(|known| format!("include={}", known.name)));
    }
    queries.into_iter().map(String::into_bytes).collect()
}

/// A parsed query that is encoded parses to the same query again.
pub fn query(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let QueryPairs(pairs) = QueryPairs::parse(&text);
    assert!(pairs.len() <= text.split('&').count());
    let encoded: Vec<String> = pairs
        .iter()
        .map(|(name, value)| format!("{}={}", encode_component(name), encode_component(value)))
        .collect();
    let encoded = encoded.join("&");
    assert!(encoded.is_ascii());
    assert_eq!(QueryPairs::parse(&encoded).0, pairs);
}
