//! Addresses that media must not be sent to, depending on where a call comes from.
//!
//! A caller names an address in its SDP, and nothing proves that the address is its own. So media is never
//! sent to unspecified, multicast, reserved or infrastructure addresses, and to a private or loopback address
//! only if the call itself comes from an address that is at least as local. The sockets of this machine are
//! not known here: the sender must exclude them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Services that answer arbitrary senders listen on ports below this one.
const MIN_MEDIA_PORT: u16 = 1024;

const FORBIDDEN_V4: &[(Ipv4Addr, u32, &str)] = &[
    (Ipv4Addr::UNSPECIFIED, 8, "this network"),
    (Ipv4Addr::new(168, 63, 129, 16), 32, "a cloud provider's internal service"),
    (Ipv4Addr::new(169, 254, 0, 0), 16, "link-local, including cloud metadata services"),
    (Ipv4Addr::new(192, 0, 0, 0), 24, "reserved for IETF protocol assignments"),
    (Ipv4Addr::new(192, 88, 99, 0), 24, "a 6to4 relay"),
    (Ipv4Addr::new(224, 0, 0, 0), 4, "multicast"),
    (Ipv4Addr::new(240, 0, 0, 0), 4, "reserved or broadcast"),
];

const FORBIDDEN_V6: &[(Ipv6Addr, u32, &str)] = &[
    (Ipv6Addr::UNSPECIFIED, 128, "unspecified"),
    (Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96, "an IPv4 address behind NAT64"),
    (Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, 0, 0), 48, "an IPv4 address behind a local NAT64"),
    (Ipv6Addr::new(0x100, 0, 0, 0, 0, 0, 0, 0), 64, "discard-only"),
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 32, "an IPv4 address behind Teredo"),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16, "an IPv4 address behind 6to4"),
    (Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0), 32, "a cloud provider's internal service"),
    (Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10, "link-local"),
    (Ipv6Addr::new(0xfec0, 0, 0, 0, 0, 0, 0, 0), 10, "site-local"),
    (Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0), 8, "multicast"),
];

const PRIVATE_V4: &[(Ipv4Addr, u32)] = &[
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
];

const UNIQUE_LOCAL: Ipv6Addr = Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0);

/// The scope of an address. An address may receive media of calls from the same scope or a more local one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Scope {
    Public,
    /// In a private network or behind a carrier-grade NAT.
    Private,
    Loopback,
}

/// Returns why media must not be sent to an address, or `None` if it may be. `signalling` is the address that
/// the call comes from; `is_listed` is whether the trunk's owner listed the address. A listed address may
/// be private, but listing does not permit the addresses that are forbidden for every call.
pub fn no_media_to(address: SocketAddr, signalling: IpAddr, is_listed: bool) -> Option<&'static str> {
    let ip = address.ip().to_canonical();
    if address.port() < MIN_MEDIA_PORT {
        return Some("a port below 1024");
    }
    let forbidden = match ip {
        IpAddr::V4(ip) => FORBIDDEN_V4.iter().find(|row| contains_v4(row.0, row.1, ip)).map(|row| row.2),
        IpAddr::V6(ip) => FORBIDDEN_V6.iter().find(|row| contains_v6(row.0, row.1, ip)).map(|row| row.2),
    };
    forbidden.or_else(|| {
        let is_more_local = !is_listed && scope(ip) > scope(signalling.to_canonical());
        is_more_local.then_some("a more local address than the one that the call comes from")
    })
}

/// Whether an address is in a private network, behind a carrier-grade NAT, or loopback.
pub(super) fn is_private(address: IpAddr) -> bool {
    scope(address.to_canonical()) > Scope::Public
}

fn scope(address: IpAddr) -> Scope {
    let is_private = match address {
        _ if address.is_loopback() => return Scope::Loopback,
        IpAddr::V4(address) => PRIVATE_V4.iter().any(|row| contains_v4(row.0, row.1, address)),
        IpAddr::V6(address) => contains_v6(UNIQUE_LOCAL, 7, address),
    };
    if is_private { Scope::Private } else { Scope::Public }
}

const fn contains_v4(network: Ipv4Addr, length: u32, address: Ipv4Addr) -> bool {
    (network.to_bits() ^ address.to_bits()).leading_zeros() >= length
}

const fn contains_v6(network: Ipv6Addr, length: u32, address: Ipv6Addr) -> bool {
    (network.to_bits() ^ address.to_bits()).leading_zeros() >= length
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn refused(address: &str, signalling: &str) -> Option<&'static str> {
        no_media_to(address.parse().unwrap(), signalling.parse().unwrap(), false)
    }

    #[test]
    fn unspecified_multicast_reserved_and_infrastructure_addresses_are_refused_for_every_call() {
        for address in [
            "0.0.0.0:4000",
            "0.1.2.3:4000",
            "168.63.129.16:4000",
            "169.254.169.254:4000",
            "192.0.0.8:4000",
            "224.0.0.1:4000",
            "239.255.255.250:4000",
            "255.255.255.255:4000",
            "[::]:4000",
            "[fe80::1]:4000",
            "[ff02::1]:4000",
            "[fd00:ec2::254]:4000",
            "[64:ff9b::a00:1]:4000",
            "[2002:a00:1::1]:4000",
            "[::ffff:169.254.169.254]:4000",
        ] {
            for signalling in ["127.0.0.1", "10.0.0.1", "198.51.100.7"] {
                assert!(refused(address, signalling).is_some(), "{address} for {signalling}");
            }
            let address = address.parse().unwrap();
            assert!(no_media_to(address, address.ip(), true).is_some(), "{address}, listed");
        }
    }

    #[test]
    fn ports_of_services_are_refused() {
        for port in [0, 1, 53, 123, 1023] {
            assert!(refused(&format!("198.51.100.7:{port}"), "198.51.100.7").is_some(), "{port}");
        }
        assert_eq!(refused("198.51.100.7:1024", "198.51.100.7"), None);
    }

    #[test]
    fn a_local_address_is_for_calls_from_an_equally_local_one() {
        for (address, signalling, may) in [
            ("198.51.100.7:4000", "203.0.113.1", true),
            ("10.0.0.2:4000", "192.168.0.1", true),
            ("[fd12::2]:4000", "10.0.0.1", true),
            ("100.64.0.2:4000", "203.0.113.1", false),
            ("10.0.0.2:4000", "203.0.113.1", false),
            ("127.0.0.1:4000", "10.0.0.1", false),
            ("[::1]:4000", "2001:db8::1", false),
            ("[::ffff:10.0.0.2]:4000", "::ffff:203.0.113.1", false),
            ("127.0.0.2:4000", "::ffff:127.0.0.1", true),
            ("10.0.0.2:4000", "127.0.0.1", true),
        ] {
            assert_eq!(refused(address, signalling).is_none(), may, "{address} for {signalling}");
        }
        let private = "10.0.0.2:4000".parse().unwrap();
        assert_eq!(no_media_to(private, "203.0.113.1".parse().unwrap(), true), None, "its owner listed it");
    }

    proptest! {
        #[test]
        fn no_media_goes_to_an_address_that_the_standard_library_classes_as_special(bits: u32, wrapped: bool, listed: bool) {
            let v4 = Ipv4Addr::from_bits(bits);
            let special = v4.is_link_local() || v4.is_broadcast() || v4.is_multicast() || v4.is_unspecified();
            let ip = if wrapped { v4.to_ipv6_mapped().into() } else { IpAddr::V4(v4) };
            if special {
                prop_assert!(no_media_to(SocketAddr::new(ip, 4000), ip, listed).is_some(), "{}", ip);
            }
        }

        #[test]
        fn the_address_of_the_signalling_is_allowed_unless_it_is_forbidden(bits: u32) {
            let v4 = Ipv4Addr::from_bits(bits);
            let forbidden = FORBIDDEN_V4.iter().any(|row| contains_v4(row.0, row.1, v4));
            let refused = no_media_to(SocketAddr::new(v4.into(), 4000), v4.into(), false);
            prop_assert_eq!(refused.is_some(), forbidden);
        }
    }
}
