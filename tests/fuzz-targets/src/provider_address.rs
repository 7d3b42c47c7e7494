//! Where a provider or a destination of the communication platform is: host names, SIP URIs, and the lists beside them.

use trunk_rules::outbound::{
    ProviderHost, SipUri, can_be_added, canonical_host, carrier_headers, config_codecs, host_and_port,
    provider_codecs, read_whitelist,
};
use trunk_server::voipbin::SipGateway;

/// Hosts, URIs and lists.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let seeds = [
        "sip.example.com",
        "sips:[2001:db8::1]:5061;transport=tls",
        "SIP:192.0.2.1:5060;transport=TCP",
        "2001:db8::1",
        "sip:442079460018@example.com:5060;transport=udp?Subject=x",
        "sip:a:b@[::ffff:192.0.2.1];lr",
        "PCMU,G729-ab,opus",
        "gb,US,de",
        "X-Header: a value",
    ];
    seeds.map(|seed| seed.as_bytes().to_vec()).into()
}

/// The URI of a provider leads to its host, and every normal form stays as it is.
pub fn provider_address(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Ok(host) = ProviderHost::parse(&text) {
        let uri = host.uri("442");
        let parsed = SipUri::parse(&uri).unwrap_or_else(|| panic!("{uri}"));
        assert_eq!((parsed.host, parsed.port, parsed.secure), (host.host, host.port, host.secure));
        assert!(parsed.parameter("Transport").is_some());
        let again = ProviderHost::parse(&uri[uri.find('@').unwrap() + 1..]);
        assert_eq!(again.map(|again| (again.host, again.port)), Ok((host.host, host.port)));
    }
    if let Some(uri) = SipUri::parse(&text) {
        assert_eq!(format!("{}{}", uri.who, uri.rest), text);
        assert!(!uri.host.is_empty() && uri.port != Some(0));
    }
    if let Some((host, port)) = host_and_port(&text) {
        assert!(text.contains(host) && port != Some(0));
        let canonical = canonical_host(host);
        assert_eq!(canonical_host(&canonical), canonical);
    }
    let _well_formed = config_codecs(&text);
    if let Ok(codecs) = provider_codecs(&text) {
        assert_eq!(provider_codecs(&codecs), Ok(codecs.clone()));
    }
    let entries: Vec<&str> = text.split(',').collect();
    if let Ok(countries) = read_whitelist(&entries) {
        let codes: Vec<&str> = countries.iter().map(|country| country.as_str()).collect();
        assert_eq!(read_whitelist(&codes), Ok(countries.clone()));
    }
    let (name, value) = text.split_once(": ").unwrap_or((&text, ""));
    let sent = carrier_headers([(name, value)]);
    assert!(sent.is_empty() || (can_be_added(name, value) && !value.contains(['\r', '\n', '\0'])));
    if let Ok(gateway) = text.parse::<SipGateway>() {
        assert_eq!(gateway.to_string().parse::<SipGateway>(), Ok(gateway));
    }
}
