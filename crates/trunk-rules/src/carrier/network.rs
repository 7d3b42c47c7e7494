//! IPv4 and IPv6 addresses and subnets in one form, which hashes and compares alike.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnetwork::IpNetwork;

/// An address. IPv4 addresses occupy the topmost 32 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Address {
    v6: bool,
    bits: u128,
}

/// A subnet. Ordered by family and base; a shorter mask comes before a longer one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Subnet {
    v6: bool,
    /// In the order of the network, which compares like the number, and takes no room for its alignment.
    base: [u8; 16],
    length: u8,
}

const fn mask(length: u8) -> u128 {
    if length == 0 { 0 } else { u128::MAX << (128 - if length > 128 { 128 } else { length as u32 }) }
}

impl Address {
    /// An IPv4-mapped address (`::ffff:192.0.2.1`, as a dual-stack socket reports it) becomes its IPv4
    /// address.
    pub(super) fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(v4) => Self { v6: false, bits: u128::from(u32::from(v4)) << 96 },
            IpAddr::V6(v6) => Self { v6: true, bits: u128::from(v6) },
        }
    }

    pub(super) const fn is_v6(self) -> bool {
        self.v6
    }

    /// The bits of an IPv4 address.
    pub(super) fn v4(self) -> Option<u32> {
        if self.v6 { None } else { u32::try_from(self.bits >> 96).ok() }
    }

    /// The subnet with the given mask length that contains the address.
    pub(super) const fn subnet(self, length: u8) -> Subnet {
        Subnet::new(self.v6, self.bits & mask(length), length)
    }
}

impl Subnet {
    const fn new(v6: bool, base: u128, length: u8) -> Self {
        Self { v6, base: base.to_be_bytes(), length }
    }

    const fn base(self) -> u128 {
        u128::from_be_bytes(self.base)
    }

    /// Clears the host bits, so that equal subnets are equal as values.
    pub(super) fn of(network: IpNetwork) -> Self {
        match network {
            // A subnet of IPv4-mapped addresses is an IPv4 subnet.
            IpNetwork::V6(v6) if v6.ip().to_ipv4_mapped().is_some() && v6.prefix() >= 96 => {
                Address::of(network.ip()).subnet(v6.prefix() - 96)
            }
            IpNetwork::V6(v6) => Self::new(true, u128::from(v6.ip()) & mask(v6.prefix()), v6.prefix()),
            IpNetwork::V4(v4) => Address::of(network.ip()).subnet(v4.prefix()),
        }
    }

    /// A subnet of IPv4 addresses, whose host bits are zero.
    pub(super) fn of_v4(base: u32, length: u8) -> Self {
        Self::new(false, u128::from(base) << 96, length)
    }

    /// The base and the length of a subnet of IPv4 addresses.
    pub(super) fn v4(self) -> Option<(u32, u8)> {
        if self.v6 { None } else { Some((u32::try_from(self.base() >> 96).ok()?, self.length)) }
    }

    pub(super) const fn contains(self, address: Address) -> bool {
        self.v6 == address.v6 && self.base() == address.bits & mask(self.length)
    }

    /// Whether the subnet is narrow enough to identify the user of an address in it: `/16` or narrower for
    /// IPv4, `/32` or narrower for IPv6, which is the allocation of one network operator; or any part of the
    /// private, loopback or carrier-grade NAT ranges, which belong to one site. A wider subnet identifies no
    /// one: a sender of forged source addresses can find one within it.
    pub(super) fn identifies_source(self) -> bool {
        const PRIVATE: [([u8; 4], u8); 3] = [([10, 0, 0, 0], 8), ([127, 0, 0, 0], 8), ([100, 64, 0, 0], 10)];
        let min_length = if self.v6 { 32 } else { 16 };
        let lies_in = |(base, length): ([u8; 4], u8)| {
            let private = Address::of(IpAddr::from(base)).subnet(length);
            self.length >= length && self.base() & mask(length) == private.base()
        };
        let is_unique_local = self.v6 && self.length >= 7 && self.base() >> 121 == 0xfc >> 1;
        self.length >= min_length || is_unique_local || (!self.v6 && PRIVATE.into_iter().any(lies_in))
    }

    pub(super) const fn is_v6(self) -> bool {
        self.v6
    }

    pub(super) const fn length(self) -> u8 {
        self.length
    }

    /// The number of leading bits that an address shares with the subnet, at most its mask length.
    pub(super) fn shared_bits(self, address: Address) -> u32 {
        (self.base() ^ address.bits).leading_zeros().min(u32::from(self.length))
    }

    /// Converts the subnet for display and for other libraries.
    pub(super) fn network(self) -> Option<IpNetwork> {
        let address = if self.v6 {
            IpAddr::V6(Ipv6Addr::from(self.base()))
        } else {
            IpAddr::V4(Ipv4Addr::from(u32::try_from(self.base() >> 96).unwrap_or_default()))
        };
        IpNetwork::new(address, self.length).ok()
    }
}

impl std::fmt::Display for Subnet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.network().map_or(Ok(()), |network| network.fmt(f))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_mapped_address_lies_in_a_subnet_of_ipv4() {
        let subnet = Subnet::of("192.0.2.0/24".parse().unwrap());
        assert!(subnet.contains(Address::of("::ffff:192.0.2.7".parse().unwrap())));
        assert_eq!(Subnet::of("::ffff:192.0.2.0/120".parse().unwrap()), subnet);
        let all_ipv4 = Subnet::of("0.0.0.0/0".parse().unwrap());
        assert_eq!(Subnet::of("::ffff:0:0/96".parse().unwrap()), all_ipv4);
    }

    #[test]
    fn all_addresses_of_one_family_include_none_of_the_other() {
        let all_ipv4 = Subnet::of("0.0.0.0/0".parse().unwrap());
        assert!(all_ipv4.contains(Address::of("203.0.113.1".parse().unwrap())));
        assert!(!all_ipv4.contains(Address::of("2001:db8::1".parse().unwrap())));
    }

    #[test]
    fn a_subnet_identifies_its_users_when_it_is_one_operators_or_one_sites() {
        let identifies = |text: &str| Subnet::of(text.parse().unwrap()).identifies_source();
        for narrow in [
            "192.0.2.1/32",
            "203.0.0.0/16",
            "10.0.0.0/8",
            "127.0.0.0/8",
            "100.64.0.0/10",
            "172.16.0.0/16",
            "2001:db8::/32",
            "::1/128",
            "fc00::/7",
            "fd00::/8",
            "10.0.0.0/12",
        ] {
            assert!(identifies(narrow), "{narrow}");
        }
        for wide in [
            "0.0.0.0/0",
            "0.0.0.0/1",
            "128.0.0.0/1",
            "203.0.0.0/15",
            "8.0.0.0/7",
            "::/0",
            "2000::/3",
            "2001:d00::/24",
            "fc00::/6",
            "126.0.0.0/7",
            "172.16.0.0/12",
            "11.0.0.0/8",
        ] {
            assert!(!identifies(wide), "{wide}");
        }
    }

    proptest! {
        #[test]
        fn it_agrees_with_the_network_library(a in any::<u32>(), b in any::<u32>(), length in 0u8..=32) {
            let network = IpNetwork::new(IpAddr::from(a.to_be_bytes()), length).unwrap();
            let near = a ^ (b >> (length / 2));
            for address in [IpAddr::from(b.to_be_bytes()), IpAddr::from(near.to_be_bytes())] {
                prop_assert_eq!(Subnet::of(network).contains(Address::of(address)), network.contains(address));
            }
        }

        #[test]
        fn it_agrees_with_the_network_library_on_ipv6(a in any::<u128>(), b in any::<u128>(), length in 0u8..=128) {
            let network = IpNetwork::new(IpAddr::from(a.to_be_bytes()), length).unwrap();
            let near = IpAddr::from((a ^ (b >> (length / 2))).to_be_bytes());
            prop_assert_eq!(Subnet::of(network).contains(Address::of(near)), network.contains(near));
        }
    }
}
