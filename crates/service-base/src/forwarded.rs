//! The client address of a request that came through proxies, from `Forwarded` (RFC 7239) or
//! `X-Forwarded-For`.
//!
//! Each hop appends the address that it received the request from, and any client can send these headers
//! itself. So only entries that a trusted proxy wrote count: the list is read from its end, and the first
//! address that is not a trusted proxy's is the client's. Entries before it are not read. If a hop is
//! obfuscated, `unknown` or not an address, the proxy that reported it counts as the client. The functions
//! here keep no state.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use didww_types::values::IpNetworks;
use http::{HeaderMap, HeaderName, header};
use ipnetwork::IpNetwork;

/// The maximum number of hops that are read, from the end of the list. The last one read counts as the
/// client.
const MAX_HOPS: usize = 32;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The client address of a request: that of the peer, or that reported by trusted proxies. The listener adds
/// it to the extensions of every request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Client(pub IpAddr);

impl Client {
    /// Reads the client address from a request's extensions; `0.0.0.0` if no listener set one, as in a test
    /// of a router.
    pub fn of(extensions: &http::Extensions) -> IpAddr {
        extensions.get::<Self>().map_or(IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), |Self(address)| *address)
    }
}

/// Which header the trusted proxies write.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProxyHeader {
    /// The one that the request has. If it has both, the client may have sent one of them, so both are
    /// ignored.
    #[default]
    Either,
    /// `X-Forwarded-For`; a `Forwarded` of the client is ignored.
    XForwardedFor,
    /// `Forwarded` (RFC 7239); an `X-Forwarded-For` of the client is ignored.
    Forwarded,
}

/// The trusted proxies and the header that they write; no proxies by default. Clones share the list.
#[derive(Debug, Clone, Default)]
pub struct Proxies {
    networks: Arc<[IpNetwork]>,
    header: ProxyHeader,
}

impl Proxies {
    /// Trusts every proxy in these networks to write this header.
    pub fn new(networks: &IpNetworks, header: ProxyHeader) -> Self {
        Self { networks: networks.networks().collect(), header }
    }

    /// Returns whether a peer is a trusted proxy.
    pub fn trusts(&self, peer: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(peer.to_canonical()))
    }

    /// The client address of a request that this peer sent. An IPv4-mapped IPv6 address is returned as IPv4.
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let peer = peer.to_canonical();
        if !self.trusts(peer) {
            return peer;
        }
        let has = |name| headers.contains_key(name);
        let header = match (self.header, has(header::FORWARDED), has(X_FORWARDED_FOR)) {
            (ProxyHeader::Either, true, true) | (_, false, false) => return peer,
            (ProxyHeader::Either, true, false) => ProxyHeader::Forwarded,
            (ProxyHeader::Either, false, true) => ProxyHeader::XForwardedFor,
            (named, ..) => named,
        };
        let mut client = peer;
        for hop in hops(header, headers) {
            let Some(address) = hop else { return client };
            client = address;
            if !self.trusts(address) {
                break;
            }
        }
        client
    }
}

/// The hops of a request, the newest first; `None` for a hop without a readable address.
fn hops(header: ProxyHeader, headers: &HeaderMap) -> Vec<Option<IpAddr>> {
    let mut hops = Vec::new();
    let name = if header == ProxyHeader::Forwarded { header::FORWARDED } else { X_FORWARDED_FOR };
    let lines: Vec<_> = headers.get_all(name).iter().collect();
    for line in lines.into_iter().rev() {
        // Bytes that are not text, which a client can send, make their own hop unreadable and no other.
        let line = String::from_utf8_lossy(line.as_bytes());
        let is_forwarded = header == ProxyHeader::Forwarded;
        let mut rest = Some(&*line);
        while let Some(list) = rest {
            if hops.len() == MAX_HOPS {
                return hops;
            }
            let element;
            (rest, element) = if is_forwarded { last_element(list) } else { last_entry(list) };
            hops.push(if is_forwarded { forwarded_for(element) } else { parse_node(element.trim()) });
        }
    }
    hops
}

/// Splits off the last entry of a list without quoted strings.
fn last_entry(list: &str) -> (Option<&str>, &str) {
    list.rsplit_once(',').map_or((None, list), |(rest, last)| (Some(rest), last))
}

/// Splits off the last element of a list: it begins after the last comma with a balanced number of quotation marks
/// after it. The list is read from its end here as well: a client that leaves a quotation mark open would otherwise
/// quote the element that a trusted proxy appends, and its own address would count.
fn last_element(list: &str) -> (Option<&str>, &str) {
    let mut quoted = false;
    for (at, byte) in list.bytes().enumerate().rev() {
        match byte {
            b'"' => quoted ^= !is_escaped(list, at),
            b',' if !quoted => {
                return (list.get(..at), list.get(at + 1..).unwrap_or_default());
            }
            _ => {}
        }
    }
    (None, list)
}

/// Whether an odd number of backslashes is before this position.
fn is_escaped(text: &str, at: usize) -> bool {
    let before = text.get(..at).unwrap_or_default();
    (before.len() - before.trim_end_matches('\\').len()) % 2 == 1
}

/// Splits a text at a separator outside of quoted strings.
fn split(text: &str, at: u8) -> Vec<&str> {
    let (mut parts, mut start, mut quoted, mut escaped) = (Vec::new(), 0, false, false);
    for (index, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ if byte == at && !quoted => {
                parts.extend(text.get(start..index));
                start = index + 1;
            }
            _ => {}
        }
    }
    parts.extend(text.get(start..));
    parts
}

/// The address in the `for` parameter of one element of `Forwarded`.
fn forwarded_for(element: &str) -> Option<IpAddr> {
    let pair = |pair: &'_ str| {
        let (name, value) = pair.split_once('=')?;
        name.trim().eq_ignore_ascii_case("for").then(|| unquoted(value.trim()))
    };
    // RFC 7239 §4 allows each parameter once; two contradict each other.
    let mut found = split(element, b';').into_iter().filter_map(pair);
    let value = found.next()?;
    if found.next().is_some() { None } else { parse_node(&value) }
}

fn unquoted(value: &str) -> String {
    let Some(inner) = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')) else {
        return value.to_owned();
    };
    let (mut text, mut letters) = (String::with_capacity(inner.len()), inner.chars());
    while let Some(letter) = letters.next() {
        // A quoted pair (RFC 9110 §5.6.4) stands for its second character.
        text.extend(if letter == '\\' { letters.next() } else { Some(letter) });
    }
    text
}

/// Parses a node identifier: an address with or without a port, IPv6 in brackets or bare. Returns `None` for
/// `unknown` and obfuscated identifiers.
fn parse_node(text: &str) -> Option<IpAddr> {
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse::<Ipv6Addr>().ok().map(IpAddr::V6);
    // An obfuscated port, as in `192.0.2.1:_p`, leaves the address readable.
    let obfuscated_port = || {
        let (host, port) = text.rsplit_once(':')?;
        let host = port.starts_with('_').then_some(host)?;
        host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host).parse().ok()
    };
    let address = text
        .parse()
        .ok()
        .or_else(|| text.parse::<SocketAddr>().ok().map(|socket| socket.ip()))
        .or_else(bracketed)
        .or_else(obfuscated_port)?;
    Some(address.to_canonical())
}

/// The network that counts as one client: an IPv4 address itself, or the /64 of an IPv6 address, because one subscriber
/// usually has a /64.
pub fn origin(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const PEER: &str = "10.0.0.1";

    fn client_at(peer: &str, header: ProxyHeader, lines: &[(&str, &str)]) -> String {
        let networks = IpNetworks::parse(["10.0.0.0/24", "2001:db8:ffff::/48"]).unwrap();
        let proxies = Proxies::new(&networks, header);
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(HeaderName::try_from(*name).unwrap(), HeaderValue::try_from(*value).unwrap());
        }
        proxies.client(peer.parse().unwrap(), &headers).to_string()
    }

    fn of(name: &str, value: &str) -> String {
        client_at(PEER, ProxyHeader::Either, &[(name, value)])
    }

    #[test]
    fn a_peer_that_is_no_trusted_proxy_is_the_client_whatever_it_sends() {
        let lines = [("x-forwarded-for", "198.51.100.7"), ("forwarded", "for=198.51.100.7")];
        for header in [ProxyHeader::Either, ProxyHeader::XForwardedFor, ProxyHeader::Forwarded] {
            assert_eq!(client_at("192.0.2.9", header, &lines), "192.0.2.9");
        }
        assert_eq!(client_at("::ffff:192.0.2.9", ProxyHeader::Either, &lines), "192.0.2.9");
    }

    #[test]
    fn the_rightmost_address_that_is_no_trusted_proxy_is_the_client() {
        for (value, client) in [
            ("198.51.100.7", "198.51.100.7"),
            ("198.51.100.7, 10.0.0.5, 10.0.0.6", "198.51.100.7"),
            ("203.0.113.1, 198.51.100.7,10.0.0.5", "198.51.100.7"),
            ("198.51.100.7:4711", "198.51.100.7"),
            ("2001:db8::7", "2001:db8::7"),
            ("[2001:db8::7]", "2001:db8::7"),
            ("[2001:db8::7]:4711", "2001:db8::7"),
            ("2001:db8::7, 2001:db8:ffff::1", "2001:db8::7"),
            ("::ffff:198.51.100.7", "198.51.100.7"),
            ("198.51.100.7,", PEER),
            ("198.51.100.7, unknown", PEER),
            ("198.51.100.7, unknown, 10.0.0.5", "10.0.0.5"),
            ("10.0.0.7", "10.0.0.7"),
            ("", PEER),
            ("example.com", PEER),
        ] {
            assert_eq!(of("x-forwarded-for", value), client, "{value}");
        }
    }

    #[test]
    fn forwarded_is_read_by_its_grammar() {
        for (value, client) in [
            ("for=198.51.100.7", "198.51.100.7"),
            ("For=198.51.100.7;proto=https;by=10.0.0.1", "198.51.100.7"),
            ("proto=https ; for = 198.51.100.7", "198.51.100.7"),
            ("for=\"198.51.100.7:4711\"", "198.51.100.7"),
            ("for=\"[2001:db8::7]:4711\"", "2001:db8::7"),
            ("for=\"[2001:db8::7]\", for=10.0.0.5", "2001:db8::7"),
            ("for=\"[2001:db8::7]:_port\"", "2001:db8::7"),
            ("for=\"198.51.1\\00.7\"", "198.51.100.7"),
            ("for=203.0.113.1, for=198.51.100.7, for=10.0.0.5", "198.51.100.7"),
            // A comma and a semicolon in quotes separate nothing.
            ("for=203.0.113.1;host=\"a, for=203.0.113.2;\", for=198.51.100.7", "198.51.100.7"),
            ("for=198.51.100.7, for=_hidden", PEER),
            ("for=unknown", PEER),
            ("proto=https", PEER),
            ("for=198.51.100.7;for=198.51.100.8", PEER),
            ("for=\"198.51.100.7", PEER),
        ] {
            assert_eq!(of("forwarded", value), client, "{value}");
        }
    }

    #[test]
    fn several_lines_are_one_list() {
        let lines = [("x-forwarded-for", "203.0.113.1, 198.51.100.7"), ("x-forwarded-for", "10.0.0.5")];
        assert_eq!(client_at(PEER, ProxyHeader::Either, &lines), "198.51.100.7");
        let lines = [("forwarded", "for=203.0.113.1"), ("forwarded", "for=198.51.100.7, for=10.0.0.5")];
        assert_eq!(client_at(PEER, ProxyHeader::Either, &lines), "198.51.100.7");
    }

    #[test]
    fn what_a_client_puts_in_front_of_the_list_or_into_the_other_header_is_ignored() {
        assert_eq!(of("x-forwarded-for", "127.0.0.1, 10.0.0.9, 198.51.100.7"), "198.51.100.7");
        let lines = [("forwarded", "for=203.0.113.1"), ("x-forwarded-for", "198.51.100.7")];
        assert_eq!(client_at(PEER, ProxyHeader::Either, &lines), PEER);
        assert_eq!(client_at(PEER, ProxyHeader::XForwardedFor, &lines), "198.51.100.7");
        assert_eq!(client_at(PEER, ProxyHeader::Forwarded, &lines), "203.0.113.1");
        let alone = [("forwarded", "for=203.0.113.1")];
        assert_eq!(client_at(PEER, ProxyHeader::XForwardedFor, &alone), PEER);
    }

    #[test]
    fn a_quotation_mark_that_a_client_leaves_open_does_not_quote_what_the_proxy_appends() {
        for sent in [
            "for=203.0.113.1;by=\"",
            "for=203.0.113.1;by=\"\\",
            "for=\"",
            "\"",
            "for=203.0.113.1;by=\"a, b",
            "\\",
        ] {
            assert_eq!(of("forwarded", &format!("{sent}, for=198.51.100.7")), "198.51.100.7", "{sent}");
            let appended = "for=\"[2001:db8::7]:4711\"";
            assert_eq!(of("forwarded", &format!("{sent}, {appended}")), "2001:db8::7", "{sent}");
            assert_eq!(of("x-forwarded-for", &format!("{sent}, 198.51.100.7")), "198.51.100.7", "{sent}");
        }
    }

    #[test]
    fn bytes_of_a_client_that_are_no_text_do_not_hide_what_the_proxy_appends() {
        let networks = IpNetworks::parse(["10.0.0.0/24"]).unwrap();
        let proxies = Proxies::new(&networks, ProxyHeader::Either);
        for (name, value, client) in [
            ("x-forwarded-for", &b"\xff, 198.51.100.7"[..], "198.51.100.7"),
            ("forwarded", b"for=203.0.113.1;by=\"\xc3, for=198.51.100.7", "198.51.100.7"),
            ("forwarded", b"for=203.0.113.1, for=198.51.100.7\xe9, for=10.0.0.5", "10.0.0.5"),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(name, HeaderValue::from_bytes(value).unwrap());
            assert_eq!(proxies.client(PEER.parse().unwrap(), &headers).to_string(), client);
        }
    }

    #[test]
    fn only_the_last_32_hops_are_read() {
        let long = format!("198.51.100.7{}", ", 10.0.0.5".repeat(MAX_HOPS));
        assert_eq!(of("x-forwarded-for", &long), "10.0.0.5");
        let fits = format!("198.51.100.7{}", ", 10.0.0.5".repeat(MAX_HOPS - 1));
        assert_eq!(of("x-forwarded-for", &fits), "198.51.100.7");
    }

    #[test]
    fn an_ipv4_address_and_an_ipv6_network_of_64_bits_are_one_client_each() {
        let of = |text: &str| origin(text.parse().unwrap()).to_string();
        assert_eq!(of("198.51.100.7"), "198.51.100.7");
        assert_eq!(of("::ffff:198.51.100.7"), "198.51.100.7");
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
    }
}
