//! Lists of IP addresses and subnets.

use std::net::IpAddr;
use std::str::FromStr;

use ipnetwork::IpNetwork;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::values::ValueError;
use crate::{Attribute, Flaw, Kind, Violation};

const MAX_NETWORKS: usize = 60;
const VALID_FORM: &str = "IPv4 or IPv6 addresses or subnets such as 203.0.113.5 or 2001:db8::/32, at most 60";

/// At most 60 IPv4 or IPv6 addresses or subnets, in the order given.
///
/// The constructors normalise the entries as DIDWW does: `/32` or `/128` is appended to a single address, and
/// the host bits of a subnet are cleared. `null` is decoded as the empty list.
///
/// ```
/// # use didww_types as didww_client;
/// use didww_client::values::IpNetworks;
/// let networks = IpNetworks::parse(["192.168.1.1", "203.0.113.77/24", "2001:db8::1"])?;
/// assert_eq!(networks.texts(), ["192.168.1.1/32", "203.0.113.0/24", "2001:db8::1/128"]);
/// assert!(IpNetworks::parse(["localhost"]).is_err());
/// # Ok::<(), didww_types::values::ValueError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize)]
#[serde(transparent)]
pub struct IpNetworks(Vec<String>);

impl IpNetworks {
    /// Creates a list from addresses or parsed networks and normalises them.
    ///
    /// # Errors
    /// Returns an error for more than 60 networks.
    pub fn new<N: Into<IpNetwork>>(networks: impl IntoIterator<Item = N>) -> Result<Self, ValueError> {
        Self::checked(networks.into_iter().map(|network| normalised(network.into()).to_string()).collect())
    }

    /// Creates a list from texts and normalises them.
    ///
    /// # Errors
    /// Returns an error for more than 60 entries, and for a text that is neither an address nor a subnet.
    pub fn parse<S: AsRef<str>>(texts: impl IntoIterator<Item = S>) -> Result<Self, ValueError> {
        let networks: Result<Vec<String>, ValueError> = texts
            .into_iter()
            .map(|text| {
                normalised_network(text.as_ref())
                    .map(|network| network.to_string())
                    .ok_or_else(|| error(text.as_ref().to_owned(), Violation::Invalid))
            })
            .collect();
        Self::checked(networks?)
    }

    fn checked(networks: Vec<String>) -> Result<Self, ValueError> {
        if networks.len() > MAX_NETWORKS {
            return Err(error(format!("{} entries", networks.len()), Violation::TooMany(MAX_NETWORKS)));
        }
        Ok(Self(networks))
    }

    /// The networks as they are written on the wire.
    pub fn texts(&self) -> &[String] {
        &self.0
    }

    /// The networks as they are written on the wire, one after the other.
    pub fn iter(&self) -> std::slice::Iter<'_, String> {
        self.0.iter()
    }

    /// The number of networks.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no networks.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The parsed networks. Entries from a response that cannot be parsed are left out.
    pub fn networks(&self) -> impl Iterator<Item = IpNetwork> + '_ {
        self.0.iter().filter_map(|text| normalised_network(text))
    }

    /// Whether an address is in one of the networks. Entries that cannot be parsed contain no address.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.networks().any(|network| network.contains(address))
    }

    /// Whether one of the networks is that of all addresses, of IPv4 or of IPv6.
    pub fn has_every_address(&self) -> bool {
        self.networks().any(|network| network.prefix() == 0)
    }
}

impl<'a> IntoIterator for &'a IpNetworks {
    type Item = &'a String;
    type IntoIter = std::slice::Iter<'a, String>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl From<IpNetwork> for IpNetworks {
    fn from(network: IpNetwork) -> Self {
        Self(vec![normalised(network).to_string()])
    }
}

impl From<IpAddr> for IpNetworks {
    fn from(address: IpAddr) -> Self {
        Self::from(IpNetwork::from(address))
    }
}

impl FromStr for IpNetworks {
    type Err = ValueError;

    /// Parses addresses and subnets between which there are commas, as in a setting.
    fn from_str(text: &str) -> Result<Self, ValueError> {
        Self::parse(text.split(',').map(str::trim))
    }
}

fn error(given: String, violation: Violation) -> ValueError {
    ValueError { what: "list of networks", given, violation, right: VALID_FORM }
}

fn normalised(network: IpNetwork) -> IpNetwork {
    // The prefix length comes from a valid network of the same family, so it is valid here too.
    IpNetwork::new(network.network(), network.prefix()).unwrap_or(network)
}

/// Parses an address, or a subnet with a prefix length, and clears its host bits; `None` when the text is
/// neither.
pub fn normalised_network(text: &str) -> Option<IpNetwork> {
    // `IpNetwork` also parses a dotted mask such as `10.0.0.0/255.0.0.0`, which the API does not accept.
    let has_valid_mask = text.split_once('/').is_none_or(|(_, mask)| {
        !mask.is_empty() && mask.len() <= 3 && mask.bytes().all(|b| b.is_ascii_digit())
    });
    if !has_valid_mask {
        return None;
    }
    IpNetwork::from_str(text).ok().map(normalised)
}

impl<'de> Deserialize<'de> for IpNetworks {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::<Vec<String>>::deserialize(deserializer).map(|texts| Self(texts.unwrap_or_default()))
    }
}

/// Validates a list as [`IpNetworks`] does, and refuses a network that is in it twice.
pub(crate) fn distinct_networks(sent: &Value) -> Result<Value, Vec<Flaw>> {
    let networks = IpNetworks::validate(sent)?;
    let texts = networks.as_array().map_or(&[][..], Vec::as_slice);
    let is_repeated =
        texts.iter().enumerate().any(|(index, text)| texts.iter().take(index).any(|other| other == text));
    if is_repeated { Err(Violation::Repeated.into()) } else { Ok(networks) }
}

impl Attribute for IpNetworks {
    const KIND: Kind =
        Kind::List { of: &Kind::Text { max: Some(43), pattern: None }, max: Some(MAX_NETWORKS) };

    fn validate(sent: &Value) -> Result<Value, Vec<Flaw>> {
        let Value::Array(items) = sent else {
            return Err(if sent.is_null() { Violation::Blank } else { Violation::Invalid }.into());
        };
        if items.len() > MAX_NETWORKS {
            return Err(Violation::TooMany(MAX_NETWORKS).into());
        }
        let networks: Option<Vec<Value>> = items
            .iter()
            .map(|item| item.as_str().and_then(normalised_network).map(|n| Value::String(n.to_string())))
            .collect();
        networks.map(Value::Array).ok_or_else(|| Violation::Invalid.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_made_of_what_programs_have_at_hand() {
        let address: IpAddr = "203.0.113.7".parse().unwrap();
        assert_eq!(IpNetworks::from(address).texts(), ["203.0.113.7/32"]);
        let network: IpNetwork = "203.0.113.77/24".parse().unwrap();
        assert_eq!(IpNetworks::from(network).texts(), ["203.0.113.0/24"]);
        assert_eq!(IpNetworks::new([address, "2001:db8::1".parse().unwrap()]).unwrap().len(), 2);
        let list: IpNetworks = "203.0.113.7, 10.0.0.0/8".parse().unwrap();
        assert_eq!(list.iter().collect::<Vec<_>>(), ["203.0.113.7/32", "10.0.0.0/8"]);
        assert!("203.0.113.7,".parse::<IpNetworks>().is_err() && "".parse::<IpNetworks>().is_err());
        assert!(IpNetworks::default().is_empty() && (&list).into_iter().count() == 2);
    }

    #[test]
    fn a_network_of_all_addresses_is_recognised_and_no_smaller_one() {
        let has_all = |networks: &[&str]| IpNetworks::parse(networks).unwrap().has_every_address();
        assert!(has_all(&["203.0.113.7/32", "0.0.0.0/0"]) && has_all(&["::/0"]) && has_all(&["10.0.0.0/0"]));
        assert!(!has_all(&["10.0.0.0/10", "203.0.113.0/30", "0.0.0.0", "2001:db8::/40"]) && !has_all(&[]));
    }
}
