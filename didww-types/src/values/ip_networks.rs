//! Lists of addresses and subnets.

use std::net::IpAddr;
use std::str::FromStr;

use ipnetwork::IpNetwork;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::values::ValueError;
use crate::{Attribute, Flaw, Kind, Violation};

const MOST: usize = 60;
const RIGHT: &str = "IPv4 or IPv6 addresses or subnets such as 203.0.113.5 or 2001:db8::/32, at most 60";

/// At most 60 IPv4 or IPv6 addresses or subnets, in the order given.
///
/// They are written as the API writes them: a single address gets `/32` or `/128`, and the host bits of a
/// subnet are cleared.
///
/// ```
/// use didww_types::values::IpNetworks;
/// let networks = IpNetworks::parse(["192.168.1.1", "203.0.113.77/24", "2001:db8::1"])?;
/// assert_eq!(networks.texts(), ["192.168.1.1/32", "203.0.113.0/24", "2001:db8::1/128"]);
/// assert!(IpNetworks::parse(["localhost"]).is_err());
/// # Ok::<(), didww_types::values::ValueError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize)]
#[serde(transparent)]
pub struct IpNetworks(Vec<String>);

impl IpNetworks {
    /// Takes networks, normalises them and checks their number.
    pub fn new(networks: impl IntoIterator<Item = IpNetwork>) -> Result<Self, ValueError> {
        Self::checked(networks.into_iter().map(|network| normalised(network).to_string()).collect())
    }

    /// Parses, normalises and counts.
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
        if networks.len() > MOST {
            return Err(error(format!("of {} entries", networks.len()), Violation::TooMany(MOST)));
        }
        Ok(Self(networks))
    }

    /// The networks as the wire writes them.
    pub fn texts(&self) -> &[String] {
        &self.0
    }

    /// The networks that this crate can parse; an answer may hold others.
    pub fn networks(&self) -> impl Iterator<Item = IpNetwork> + '_ {
        self.0.iter().filter_map(|text| normalised_network(text))
    }

    /// Whether an address lies in one of the networks.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.networks().any(|network| network.contains(address))
    }
}

fn error(given: String, violation: Violation) -> ValueError {
    ValueError { what: "list of networks", given, violation, right: RIGHT }
}

fn normalised(network: IpNetwork) -> IpNetwork {
    // The prefix comes from a valid network, so the pair is one too.
    IpNetwork::new(network.network(), network.prefix()).unwrap_or(network)
}

/// Parses an address or a subnet and clears its host bits; `None` when the text is neither.
pub fn normalised_network(text: &str) -> Option<IpNetwork> {
    // `IpNetwork` reads a dotted mask (`10.0.0.0/255.0.0.0`), which the API does not know.
    let plain = text.split_once('/').is_none_or(|(_, mask)| {
        !mask.is_empty() && mask.len() <= 3 && mask.bytes().all(|b| b.is_ascii_digit())
    });
    if !plain {
        return None;
    }
    IpNetwork::from_str(text).ok().map(normalised)
}

impl<'de> Deserialize<'de> for IpNetworks {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::<Vec<String>>::deserialize(deserializer).map(|texts| Self(texts.unwrap_or_default()))
    }
}

impl Attribute for IpNetworks {
    const KIND: Kind = Kind::List { of: &Kind::Text { max: Some(43), pattern: None }, max: Some(MOST) };

    fn admit(sent: &Value) -> Result<Value, Vec<Flaw>> {
        let Value::Array(items) = sent else {
            return Err(if sent.is_null() { Violation::Blank } else { Violation::Invalid }.into());
        };
        if items.len() > MOST {
            return Err(Violation::TooMany(MOST).into());
        }
        let networks: Option<Vec<Value>> = items
            .iter()
            .map(|item| item.as_str().and_then(normalised_network).map(|n| Value::String(n.to_string())))
            .collect();
        networks.map(Value::Array).ok_or_else(|| Violation::Invalid.into())
    }
}
