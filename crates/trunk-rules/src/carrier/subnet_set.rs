//! The subnets of a list, compact, because each of a million trunks may have one, and searched without a branch for
//! each.

use super::network::{Address, Subnet};

/// Subnets in order, each once.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct SubnetSet {
    v4: Box<[V4]>,
    v6: Box<[Subnet]>,
}

/// A subnet of IPv4 addresses. An address belongs to it if its masked bits are those of the base.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct V4 {
    base: u32,
    mask: u32,
}

impl SubnetSet {
    pub(super) fn new(subnets: impl IntoIterator<Item = Subnet>) -> Self {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for subnet in subnets {
            match subnet.v4() {
                Some((base, length)) => {
                    let host_bits = u32::BITS.saturating_sub(u32::from(length));
                    v4.push(V4 { base, mask: u32::MAX.checked_shl(host_bits).unwrap_or(0) });
                }
                None => v6.push(subnet),
            }
        }
        v4.sort_unstable();
        v4.dedup();
        v6.sort_unstable();
        v6.dedup();
        Self { v4: v4.into(), v6: v6.into() }
    }

    pub(super) fn contains(&self, address: Address) -> bool {
        match address.v4() {
            // Without an early end, several are compared at once.
            Some(bits) => {
                let is_in = |subnet: &V4| bits & subnet.mask == subnet.base;
                self.v4.iter().fold(0, |found, subnet| found | u8::from(is_in(subnet))) != 0
            }
            None => self.v6.iter().any(|subnet| subnet.contains(address)),
        }
    }

    /// The subnets: those of IPv4 first, in the order of their bases, a shorter mask before a longer one.
    pub(super) fn iter(&self) -> impl Iterator<Item = Subnet> + '_ {
        let v4 = self.v4.iter().map(|subnet| {
            Subnet::of_v4(subnet.base, u8::try_from(subnet.mask.count_ones()).unwrap_or_default())
        });
        v4.chain(self.v6.iter().copied())
    }

    pub(super) fn len(&self) -> usize {
        self.v4.len() + self.v6.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.v4.is_empty() && self.v6.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

    use ipnetwork::IpNetwork;

    fn network() -> impl Strategy<Value = IpNetwork> {
        let v4 =
            (any::<u32>(), 0u8..=32).prop_map(|(bits, length)| (IpAddr::V4(Ipv4Addr::from(bits)), length));
        let v6 =
            (any::<u128>(), 0u8..=128).prop_map(|(bits, length)| (IpAddr::V6(Ipv6Addr::from(bits)), length));
        prop_oneof![v4, v6].prop_map(|(address, length)| IpNetwork::new(address, length).unwrap())
    }

    /// Networks that often contain each other, half of them in the form of IPv4-mapped addresses.
    fn overlapping() -> impl Strategy<Value = IpNetwork> {
        let length = prop_oneof![9 => 22u8..=32, 1 => 0u8..=21];
        (0u32..1_024, length, any::<bool>()).prop_map(|(low, length, is_mapped)| {
            let address = Ipv4Addr::from(0xCB00_7000 | low);
            if is_mapped {
                IpNetwork::new(IpAddr::V6(address.to_ipv6_mapped()), length + 96).unwrap()
            } else {
                IpNetwork::new(IpAddr::V4(address), length).unwrap()
            }
        })
    }

    proptest! {
        #[test]
        fn mapped_addresses_and_mapped_networks_are_those_of_ipv4(
            networks in proptest::collection::vec(overlapping(), 0..6), low in 0u32..1_024, is_mapped in any::<bool>()
        ) {
            let v4 = Ipv4Addr::from(0xCB00_7000 | low);
            let plain = |network: &IpNetwork| match network.ip().to_canonical() {
                IpAddr::V4(address) => {
                    let length = if network.is_ipv6() { network.prefix() - 96 } else { network.prefix() };
                    IpNetwork::new(IpAddr::V4(address), length).unwrap()
                }
                IpAddr::V6(_) => *network,
            };
            let expected = networks.iter().any(|network| plain(network).contains(IpAddr::V4(v4)));
            let set = SubnetSet::new(networks.iter().map(|network| Subnet::of(*network)));
            let address = if is_mapped { IpAddr::V6(v4.to_ipv6_mapped()) } else { IpAddr::V4(v4) };
            prop_assert_eq!(set.contains(Address::of(address)), expected);
            prop_assert!(set.v6.is_empty());
        }

        #[test]
        fn it_contains_what_one_of_its_subnets_contains(
            networks in proptest::collection::vec(network(), 0..20),
            near in 0u32..256, other in any::<u32>()
        ) {
            let mut subnets: Vec<Subnet> = networks.iter().map(|network| Subnet::of(*network)).collect();
            let set = SubnetSet::new(subnets.iter().copied().chain(subnets.iter().copied()));
            subnets.sort_unstable();
            subnets.dedup();
            prop_assert_eq!(set.iter().collect::<Vec<_>>(), subnets.clone());
            prop_assert_eq!((set.len(), set.is_empty()), (subnets.len(), subnets.is_empty()));
            let mut addresses = vec![IpAddr::V4(Ipv4Addr::from(other))];
            for network in &networks {
                addresses.push(match network.ip() {
                    IpAddr::V4(v4) => IpAddr::V4(Ipv4Addr::from(u32::from(v4) ^ near)),
                    IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from(u128::from(v6) ^ u128::from(near))),
                });
            }
            for address in addresses {
                let address = Address::of(address);
                let expected = subnets.iter().any(|subnet| subnet.contains(address));
                prop_assert_eq!(set.contains(address), expected);
            }
        }
    }
}
