//! Where a callback may go: to the public internet, and nowhere else.
//!
//! Whoever has an API key chooses the URLs, so they must not lead to what only this machine can reach. All
//! addresses of a host must be allowed, not one of them.

use std::net::{IpAddr, SocketAddr};

use url::{Host, Url};

use service_base::public_address::not_public;

/// Decides about URLs and addresses.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Guard {
    /// Whether this machine's own addresses are allowed, on every port.
    pub allow_loopback: bool,
}

/// Why a callback does not go where it should.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Forbidden {
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

impl Guard {
    /// Reads a URL whose scheme and port are allowed and whose host, if it is an address, is allowed too. The
    /// parser has turned decimal, octal and hexadecimal hosts into addresses by then.
    pub(crate) fn url(self, text: &str) -> Result<Url, Forbidden> {
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
    pub(crate) fn addresses(self, found: &[SocketAddr]) -> Result<(), Forbidden> {
        if found.is_empty() {
            return Err(Forbidden::NoAddress);
        }
        found.iter().try_for_each(|found| self.address(found.ip()))
    }

    fn address(self, address: IpAddr) -> Result<(), Forbidden> {
        if self.allow_loopback && address.is_loopback() {
            return Ok(());
        }
        not_public(address).map_or(Ok(()), |what| Err(Forbidden::Address { address, what }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
