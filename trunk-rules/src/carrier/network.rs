//! Addresses and subnets of both families in one form, so that they hash and compare alike.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnetwork::IpNetwork;

/// An address; those of IPv4 stand in the topmost 32 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Address {
    v6: bool,
    bits: u128,
}

/// A subnet. The order is by family and base, and a shorter mask comes before a longer one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Block {
    v6: bool,
    base: u128,
    length: u8,
}

const fn mask(length: u8) -> u128 {
    if length == 0 { 0 } else { u128::MAX << (128 - if length > 128 { 128 } else { length as u32 }) }
}

impl Address {
    /// A mapped address (`::ffff:192.0.2.1`, as a dual-stack socket reports it) is the IPv4 one.
    pub(super) fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(v4) => Self { v6: false, bits: u128::from(u32::from(v4)) << 96 },
            IpAddr::V6(v6) => Self { v6: true, bits: u128::from(v6) },
        }
    }

    pub(super) const fn is_v6(self) -> bool {
        self.v6
    }

    /// The subnet of a mask length that the address lies in.
    pub(super) const fn block(self, length: u8) -> Block {
        Block { v6: self.v6, base: self.bits & mask(length), length }
    }
}

impl Block {
    /// Clears the host bits.
    pub(super) fn of(network: IpNetwork) -> Self {
        match network {
            // A subnet of mapped addresses is one of IPv4.
            IpNetwork::V6(v6) if v6.ip().to_ipv4_mapped().is_some() && v6.prefix() >= 96 => {
                Address::of(network.ip()).block(v6.prefix() - 96)
            }
            IpNetwork::V6(v6) => {
                Self { v6: true, base: u128::from(v6.ip()) & mask(v6.prefix()), length: v6.prefix() }
            }
            IpNetwork::V4(v4) => Address::of(network.ip()).block(v4.prefix()),
        }
    }

    pub(super) const fn contains(self, address: Address) -> bool {
        self.v6 == address.v6 && self.base == address.bits & mask(self.length)
    }

    /// Whether a trunk that allows the subnet names who is in it: `/16` or narrower for IPv4, `/32` or narrower for IPv6,
    /// which is what one network operator has; and any part of the private space, loopback and that of carriers' address
    /// translation, which is one site's own. What is wider is a crowd: whoever forges addresses finds one in it.
    pub(super) fn names_sources(self) -> bool {
        const PRIVATE: [([u8; 4], u8); 3] = [([10, 0, 0, 0], 8), ([127, 0, 0, 0], 8), ([100, 64, 0, 0], 10)];
        let narrow = if self.v6 { 32 } else { 16 };
        let lies_in = |(base, length): ([u8; 4], u8)| {
            let around = Address::of(IpAddr::from(base)).block(length);
            self.length >= length && self.base & mask(length) == around.base
        };
        let is_unique_local = self.v6 && self.length >= 7 && self.base >> 121 == 0xfc >> 1;
        self.length >= narrow || is_unique_local || (!self.v6 && PRIVATE.into_iter().any(lies_in))
    }

    pub(super) const fn is_v6(self) -> bool {
        self.v6
    }

    pub(super) const fn length(self) -> u8 {
        self.length
    }

    /// How many leading bits an address shares with the subnet, at most its mask length.
    pub(super) fn shared_bits(self, address: Address) -> u32 {
        (self.base ^ address.bits).leading_zeros().min(u32::from(self.length))
    }

    /// The subnet as text and other programs know it.
    pub(super) fn network(self) -> Option<IpNetwork> {
        let address = if self.v6 {
            IpAddr::V6(Ipv6Addr::from(self.base))
        } else {
            IpAddr::V4(Ipv4Addr::from(u32::try_from(self.base >> 96).unwrap_or_default()))
        };
        IpNetwork::new(address, self.length).ok()
    }
}

impl std::fmt::Display for Block {
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
        let block = Block::of("192.0.2.0/24".parse().unwrap());
        assert!(block.contains(Address::of("::ffff:192.0.2.7".parse().unwrap())));
        assert_eq!(Block::of("::ffff:192.0.2.0/120".parse().unwrap()), block);
        let everybody = Block::of("0.0.0.0/0".parse().unwrap());
        assert_eq!(Block::of("::ffff:0:0/96".parse().unwrap()), everybody);
    }

    #[test]
    fn everybody_of_one_family_is_nobody_of_the_other() {
        let everybody = Block::of("0.0.0.0/0".parse().unwrap());
        assert!(everybody.contains(Address::of("203.0.113.1".parse().unwrap())));
        assert!(!everybody.contains(Address::of("2001:db8::1".parse().unwrap())));
    }

    #[test]
    fn a_subnet_names_who_is_in_it_when_it_is_one_operators_or_one_sites() {
        let names = |text: &str| Block::of(text.parse().unwrap()).names_sources();
        for named in [
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
            assert!(names(named), "{named}");
        }
        for crowd in [
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
            assert!(!names(crowd), "{crowd}");
        }
    }

    proptest! {
        #[test]
        fn it_agrees_with_the_network_library(a in any::<u32>(), b in any::<u32>(), length in 0u8..=32) {
            let network = IpNetwork::new(IpAddr::from(a.to_be_bytes()), length).unwrap();
            let near = a ^ (b >> (length / 2));
            for address in [IpAddr::from(b.to_be_bytes()), IpAddr::from(near.to_be_bytes())] {
                prop_assert_eq!(Block::of(network).contains(Address::of(address)), network.contains(address));
            }
        }

        #[test]
        fn it_agrees_with_the_network_library_on_ipv6(a in any::<u128>(), b in any::<u128>(), length in 0u8..=128) {
            let network = IpNetwork::new(IpAddr::from(a.to_be_bytes()), length).unwrap();
            let near = IpAddr::from((a ^ (b >> (length / 2))).to_be_bytes());
            prop_assert_eq!(Block::of(network).contains(Address::of(near)), network.contains(near));
        }
    }
}
