//! The client's address in `Forwarded` and `X-Forwarded-For`.

use std::net::IpAddr;

use didww_types::values::IpNetworks;
use http::header::FORWARDED;
use http::{HeaderMap, HeaderName, HeaderValue};
use service_base::forwarded::{Proxies, ProxyHeader, origin};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Lists of hops.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let seeds = [
        "for=198.51.100.7;proto=https;by=10.0.0.1, for=\"[2001:db8::7]:4711\"",
        "for=203.0.113.1;host=\"a, for=203.0.113.2;\", for=198.51.100.7",
        "for=_hidden, for=unknown",
        "203.0.113.1, [2001:db8::7]:_p,10.0.0.5",
        "for=1.2.3.4;by=\"",
        "for=\"\\\"",
    ];
    seeds.map(|seed| seed.as_bytes().to_vec()).into()
}

/// What a client sends does not change which address counts: that which the trusted proxy appended, or that of the peer
/// if the peer is no proxy.
pub fn forwarded(data: &[u8]) {
    let networks = IpNetworks::parse(["10.0.0.0/24"]).unwrap();
    let (proxy, stranger) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([192, 0, 2, 9]));
    for (header, name, appended) in [
        (ProxyHeader::Forwarded, FORWARDED, "for=198.51.100.7"),
        (ProxyHeader::Forwarded, FORWARDED, "proto=https;for=\"198.51.100.7:4711\""),
        (ProxyHeader::XForwardedFor, X_FORWARDED_FOR, "198.51.100.7"),
        (ProxyHeader::Either, FORWARDED, "for=\"[::ffff:198.51.100.7]\""),
    ] {
        let proxies = Proxies::new(&networks, header);
        let Ok(sent) = HeaderValue::from_bytes(data) else { return };
        let mut headers = HeaderMap::new();
        headers.append(&name, sent);
        assert_eq!(proxies.client(stranger, &headers), stranger);
        let client = proxies.client(proxy, &headers);
        assert_eq!(client, client.to_canonical());
        assert_eq!(origin(origin(client)), origin(client));
        headers.append(&name, HeaderValue::from_static(appended));
        assert_eq!(proxies.client(proxy, &headers).to_string(), "198.51.100.7", "on a line of its own");
        let list = [data, b", ", appended.as_bytes()].concat();
        headers.insert(&name, HeaderValue::from_bytes(&list).unwrap());
        assert_eq!(proxies.client(proxy, &headers).to_string(), "198.51.100.7", "on the same line");
    }
}
