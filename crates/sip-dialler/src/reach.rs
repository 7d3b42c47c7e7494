//! How far a call may go.

use std::net::IpAddr;

use service_base::net::is_own_address;
use service_base::public_address::not_public;

/// How far a call may go, with everything that its far end names: contacts, routes and media.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Wherever its host leads, by the host map too: the platform's own people named it.
    Anywhere,
    /// To the public internet, and not by the host map: a customer named the host.
    Public,
}

/// What an address is that is neither of the public internet nor somebody else's; none when it is both.
pub(crate) fn near(address: IpAddr) -> Option<&'static str> {
    not_public(address).or_else(|| is_own_address(address).then_some("one of this machine"))
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn what_is_not_public_is_near() {
        assert_eq!(near(Ipv4Addr::new(10, 0, 0, 1).into()), Some("private"));
        assert_eq!(
            near(Ipv4Addr::new(192, 168, 0, 1).to_ipv6_mapped().into()),
            Some("an IPv4 address in IPv6 form")
        );
        assert_eq!(near(Ipv4Addr::new(8, 8, 8, 8).into()), None);
    }
}
