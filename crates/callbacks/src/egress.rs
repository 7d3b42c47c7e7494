//! Restricts callbacks to other machines on the public internet.
//!
//! Every client with an API key can set callback URLs, so a callback must not reach services that only this
//! machine can reach. This includes the public addresses of the machine itself: a firewall in front of them does not
//! see its own packets. A host is refused if any of its addresses is.

use std::net::{IpAddr, SocketAddr};

use service_base::net::OwnSockets;
use service_base::public_address::not_public;
use url::{Host, Url};

/// Checks URLs and addresses before a request is sent to them.
#[derive(Debug, Clone)]
pub(crate) struct EgressFilter {
    /// Whether 127.0.0.0/8, `::1` and the public addresses of this machine are allowed.
    pub allow_loopback: bool,
    /// The sockets of this process, with the address that it advertises.
    pub own: OwnSockets,
}

/// Why a URL or its host is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Forbidden {
    /// The text is not an http or https URL with a host.
    #[error("the callback URL is not an http or https URL with a host")]
    Url,
    /// The port is below 1024 and not a standard port of HTTP.
    #[error("port {0} is not allowed: callbacks are sent to 80, 443 and 1024 to 65535")]
    Port(u16),
    /// The host has an address that is not on the public internet, or is this machine's.
    #[error("{address} is not allowed: it is {what}")]
    Address {
        /// The first address of the host that callbacks must not reach.
        address: IpAddr,
        /// The special purpose of the address, such as "private".
        what: &'static str,
    },
    /// The host's name resolves to no address.
    #[error("the host has no address")]
    NoAddress,
}

impl EgressFilter {
    /// Parses a URL and checks its scheme, its port, and its host if that is an address. The parser converts
    /// decimal, octal and hexadecimal hosts to addresses first. A host name is checked when it is resolved.
    pub(crate) fn check_url(&self, text: &str) -> Result<Url, Forbidden> {
        let url = Url::parse(text).map_err(|_| Forbidden::Url)?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(Forbidden::Url);
        }
        match url.host() {
            Some(Host::Ipv4(address)) => self.check_address(IpAddr::V4(address))?,
            Some(Host::Ipv6(address)) => self.check_address(IpAddr::V6(address))?,
            Some(Host::Domain(name)) if !name.is_empty() => {}
            _ => return Err(Forbidden::Url),
        }
        match url.port_or_known_default() {
            Some(80 | 443 | 1024..) => Ok(url),
            Some(port) => Err(Forbidden::Port(port)),
            None => Err(Forbidden::Url),
        }
    }

    /// Checks that a host has addresses and that all of them are allowed.
    pub(crate) fn check_addresses(&self, addresses: &[SocketAddr]) -> Result<(), Forbidden> {
        if addresses.is_empty() {
            return Err(Forbidden::NoAddress);
        }
        addresses.iter().try_for_each(|address| self.check_address(address.ip()))
    }

    fn check_address(&self, address: IpAddr) -> Result<(), Forbidden> {
        if self.allow_loopback && address.is_loopback() {
            return Ok(());
        }
        let of_this_machine =
            || (!self.allow_loopback && self.own.is_near(address)).then_some("one of this machine");
        not_public(address)
            .or_else(of_this_machine)
            .map_or(Ok(()), |what| Err(Forbidden::Address { address, what }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(allow_loopback: bool) -> EgressFilter {
        EgressFilter { allow_loopback, own: OwnSockets::default() }
    }

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
            assert!(filter(false).check_url(url).is_ok(), "{url}");
        }
    }

    #[test]
    fn the_flag_allows_loopback_and_nothing_else() {
        for url in
            ["http://127.0.0.1:8080/", "http://[::1]:8080/", "http://0x7f.1/", "http://127.255.255.254/"]
        {
            assert!(filter(false).check_url(url).is_err(), "{url}");
            assert!(filter(true).check_url(url).is_ok(), "{url}");
        }
        for url in
            ["http://10.0.0.1/", "http://[::ffff:127.0.0.1]/", "http://0.0.0.0/", "http://169.254.169.254/"]
        {
            assert!(filter(true).check_url(url).is_err(), "{url}");
        }
    }

    #[test]
    fn a_host_with_one_private_address_among_public_ones_is_refused() {
        let public = SocketAddr::from(([8, 8, 8, 8], 0));
        let private = SocketAddr::from(([10, 0, 0, 1], 0));
        assert_eq!(filter(false).check_addresses(&[public]), Ok(()));
        assert!(filter(false).check_addresses(&[public, private]).is_err());
        assert_eq!(filter(false).check_addresses(&[]), Err(Forbidden::NoAddress));
    }

    #[test]
    fn a_public_address_of_this_machine_is_refused_like_loopback() {
        let own = OwnSockets::default();
        own.advertise(IpAddr::from([8, 8, 4, 4]));
        let public_only = EgressFilter { allow_loopback: false, own: own.clone() };
        let refused = public_only.check_url("http://8.8.4.4:8081/control/v1/accounts").unwrap_err();
        assert_eq!(refused.to_string(), "8.8.4.4 is not allowed: it is one of this machine");
        assert!(public_only.check_addresses(&[SocketAddr::from(([8, 8, 4, 4], 0))]).is_err());
        assert!(public_only.check_url("http://8.8.8.8:8081/").is_ok());
        let with_loopback = EgressFilter { allow_loopback: true, own };
        assert!(with_loopback.check_url("http://8.8.4.4:8081/").is_ok());
    }
}
