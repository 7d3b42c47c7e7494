//! The addresses that a call may be sent to.

use std::net::IpAddr;

use service_base::net::is_own_address;
use service_base::public_address::not_public;

/// The addresses that a call may be sent to. It also applies to the contacts, routes and media addresses of
/// its far end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Egress {
    /// Any address, and the host map applies. For hosts that the operator has configured.
    Anywhere,
    /// Only public addresses, and names of the host map are refused. For hosts that a customer has chosen.
    Public,
}

/// The reason why an address is not public or belongs to this machine; `None` for any other address.
pub(crate) fn not_public_reason(address: IpAddr) -> Option<&'static str> {
    not_public(address).or_else(|| is_own_address(address).then_some("one of this machine"))
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn addresses_that_are_not_public_have_a_reason() {
        assert_eq!(not_public_reason(Ipv4Addr::new(10, 0, 0, 1).into()), Some("private"));
        assert_eq!(
            not_public_reason(Ipv4Addr::new(192, 168, 0, 1).to_ipv6_mapped().into()),
            Some("an IPv4 address in IPv6 form")
        );
        assert_eq!(not_public_reason(Ipv4Addr::new(8, 8, 8, 8).into()), None);
    }
}
