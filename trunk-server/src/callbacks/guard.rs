//! Where a callback may go: to the public internet, and nowhere else.
//!
//! Whoever has an API key chooses the URLs, so they must not lead to what only this machine can reach. All
//! addresses of a host must be allowed, not one of them. What is allowed of IPv6 is global unicast (`2000::/3`)
//! without its special ranges; what is refused of IPv4 are the special-purpose ranges of the IANA registry and
//! what clouds serve their machines from. Forms that wrap an IPv4 address in an IPv6 one are refused whole.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use url::{Host, Url};

/// Decides about URLs and addresses.
#[derive(Debug, Clone, Copy)]
pub(super) struct Guard {
    /// Whether this machine's own addresses are allowed, on every port.
    pub(super) allow_loopback: bool,
}

/// Why a callback does not go where it should.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Forbidden {
    /// It is not an http or https URL with a host.
    #[error("the callback URL is not an http or https URL with a host")]
    Url,
    /// A port of a service that is not the web.
    #[error("port {0} is not allowed: callbacks go to 80, 443 and 1024 to 65535")]
    Port(u16),
    /// An address that is not of the public internet.
    #[error("{address} is not allowed: it is {what}")]
    Address {
        /// The address.
        address: IpAddr,
        /// What it is.
        what: &'static str,
    },
    /// The host has no address.
    #[error("the host has no address")]
    NoAddress,
}

const V4: &[(Ipv4Addr, u32, &str)] = &[
    (Ipv4Addr::UNSPECIFIED, 8, "this network"),
    (Ipv4Addr::new(10, 0, 0, 0), 8, "private"),
    (Ipv4Addr::new(100, 64, 0, 0), 10, "behind a carrier's NAT"),
    (Ipv4Addr::new(127, 0, 0, 0), 8, "loopback"),
    (Ipv4Addr::new(168, 63, 129, 16), 32, "a cloud's service for its machines"),
    (Ipv4Addr::new(169, 254, 0, 0), 16, "link-local, where clouds keep their metadata"),
    (Ipv4Addr::new(172, 16, 0, 0), 12, "private"),
    (Ipv4Addr::new(192, 0, 0, 0), 24, "kept for protocols"),
    (Ipv4Addr::new(192, 0, 2, 0), 24, "for documentation"),
    (Ipv4Addr::new(192, 88, 99, 0), 24, "a 6to4 relay"),
    (Ipv4Addr::new(192, 168, 0, 0), 16, "private"),
    (Ipv4Addr::new(198, 18, 0, 0), 15, "for benchmarks"),
    (Ipv4Addr::new(198, 51, 100, 0), 24, "for documentation"),
    (Ipv4Addr::new(203, 0, 113, 0), 24, "for documentation"),
    (Ipv4Addr::new(224, 0, 0, 0), 4, "multicast"),
    (Ipv4Addr::BROADCAST, 32, "broadcast"),
    (Ipv4Addr::new(240, 0, 0, 0), 4, "reserved"),
];

const V6: &[(Ipv6Addr, u32, &str)] = &[
    (Ipv6Addr::LOCALHOST, 128, "loopback"),
    (Ipv6Addr::UNSPECIFIED, 128, "unspecified"),
    (Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0), 96, "an IPv4 address in IPv6 form"),
    (Ipv6Addr::UNSPECIFIED, 96, "an IPv4 address in IPv6 form"),
    (Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96, "an IPv4 address behind NAT64"),
    (Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, 0, 0), 48, "an IPv4 address behind a local NAT64"),
    (Ipv6Addr::new(0x100, 0, 0, 0, 0, 0, 0, 0), 64, "for discarding"),
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 32, "an IPv4 address behind Teredo"),
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23, "kept for protocols"),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32, "for documentation"),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16, "an IPv4 address behind 6to4"),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20, "for documentation"),
    (Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7, "private"),
    (Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10, "link-local"),
    (Ipv6Addr::new(0xfec0, 0, 0, 0, 0, 0, 0, 0), 10, "private"),
    (Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0), 8, "multicast"),
];

const GLOBAL: Ipv6Addr = Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0);

impl Guard {
    /// Reads a URL whose scheme and port are allowed and whose host, if it is an address, is allowed too. The
    /// parser has turned decimal, octal and hexadecimal hosts into addresses by then.
    pub(super) fn url(self, text: &str) -> Result<Url, Forbidden> {
        let url = Url::parse(text).map_err(|_| Forbidden::Url)?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(Forbidden::Url);
        }
        match url.host() {
            Some(Host::Ipv4(address)) => self.address(IpAddr::V4(address))?,
            Some(Host::Ipv6(address)) => self.address(IpAddr::V6(address))?,
            Some(Host::Domain(name)) if !name.is_empty() => {}
            _ => return Err(Forbidden::Url),
        }
        match url.port_or_known_default() {
            Some(80 | 443 | 1024..) => Ok(url),
            Some(port) => Err(Forbidden::Port(port)),
            None => Err(Forbidden::Url),
        }
    }

    /// Whether every address of a host is allowed. One that is not is one too many.
    pub(super) fn addresses(self, found: &[SocketAddr]) -> Result<(), Forbidden> {
        if found.is_empty() {
            return Err(Forbidden::NoAddress);
        }
        found.iter().try_for_each(|found| self.address(found.ip()))
    }

    fn address(self, address: IpAddr) -> Result<(), Forbidden> {
        if self.allow_loopback && address.is_loopback() {
            return Ok(());
        }
        let what = match address {
            IpAddr::V4(address) => V4.iter().find(|row| holds_v4(row.0, row.1, address)).map(|row| row.2),
            IpAddr::V6(address) => V6
                .iter()
                .find(|row| holds_v6(row.0, row.1, address))
                .map(|row| row.2)
                .or_else(|| (!holds_v6(GLOBAL, 3, address)).then_some("not of the public internet")),
        };
        what.map_or(Ok(()), |what| Err(Forbidden::Address { address, what }))
    }
}

fn holds_v4(network: Ipv4Addr, length: u32, address: Ipv4Addr) -> bool {
    (network.to_bits() ^ address.to_bits()).leading_zeros() >= length
}

fn holds_v6(network: Ipv6Addr, length: u32, address: Ipv6Addr) -> bool {
    (network.to_bits() ^ address.to_bits()).leading_zeros() >= length
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CLOSED: Guard = Guard { allow_loopback: false };
    const OPEN: Guard = Guard { allow_loopback: true };

    #[test]
    fn public_addresses_and_names_are_allowed() {
        for url in [
            "http://example.com/callbacks",
            "https://user:pass@example.com/",
            "http://8.8.8.8:8080/a?b=c#d",
            "https://[2606:4700:4700::1111]/",
            "http://93.184.216.34:1024",
            "http://172.32.0.1/",
            "http://100.128.0.1/",
            "http://[2001:4860:4860::8888]:65535/",
        ] {
            assert!(CLOSED.url(url).is_ok(), "{url}");
        }
    }

    #[test]
    fn the_flag_opens_loopback_and_nothing_else() {
        for url in
            ["http://127.0.0.1:8080/", "http://[::1]:8080/", "http://0x7f.1/", "http://127.255.255.254/"]
        {
            assert!(CLOSED.url(url).is_err(), "{url}");
            assert!(OPEN.url(url).is_ok(), "{url}");
        }
        for url in
            ["http://10.0.0.1/", "http://[::ffff:127.0.0.1]/", "http://0.0.0.0/", "http://169.254.169.254/"]
        {
            assert!(OPEN.url(url).is_err(), "{url}");
        }
    }

    #[test]
    fn a_host_with_one_bad_address_among_good_ones_is_refused() {
        let good = SocketAddr::from(([8, 8, 8, 8], 0));
        let bad = SocketAddr::from(([10, 0, 0, 1], 0));
        assert_eq!(CLOSED.addresses(&[good]), Ok(()));
        assert!(CLOSED.addresses(&[good, bad]).is_err());
        assert_eq!(CLOSED.addresses(&[]), Err(Forbidden::NoAddress));
    }

    proptest! {
        #[test]
        fn no_form_that_wraps_an_ipv4_address_passes(bits: u32) {
            let [a, b, c, d] = bits.to_be_bytes();
            let (high, low) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
            for wrapped in [
                Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, high, low),
                Ipv6Addr::new(0, 0, 0, 0, 0, 0, high, low),
                Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low),
                Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, high, low),
                Ipv6Addr::new(0x2002, high, low, 0, 0, 0, 0, 1),
                Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, !high, !low),
                Ipv6Addr::new(0, 0, 0, 0, 0xffff, 0, high, low),
            ] {
                prop_assert!(CLOSED.address(IpAddr::V6(wrapped)).is_err(), "{}", wrapped);
            }
        }

        #[test]
        fn what_the_standard_library_knows_to_be_special_is_refused(bits: u32) {
            let address = Ipv4Addr::from_bits(bits);
            let special = address.is_private() || address.is_loopback() || address.is_link_local()
                || address.is_broadcast() || address.is_documentation() || address.is_multicast()
                || address.is_unspecified();
            if special {
                prop_assert!(CLOSED.address(IpAddr::V4(address)).is_err(), "{}", address);
            }
        }
    }
}
