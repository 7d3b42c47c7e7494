//! The addresses from which media is accepted, as they can be written from 2026-04-16 on.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::values::{IpNetworks, distinct_networks};
use crate::{Attribute, Flaw, Kind, Violation};

/// 1 to 60 IPv4 or IPv6 addresses or subnets, none of them twice, and none that contains every address. Media from any
/// address is permitted by null.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RtpNetworks(pub IpNetworks);

impl Attribute for RtpNetworks {
    const KIND: Kind = IpNetworks::KIND;

    fn validate(sent: &Value) -> Result<Value, Vec<Flaw>> {
        let networks = distinct_networks(sent)?;
        let is_any = |text: &str| text.ends_with("/0");
        match networks.as_array().map(Vec::as_slice) {
            Some([]) => Err(Violation::Blank.into()),
            Some(texts) if texts.iter().filter_map(Value::as_str).any(is_any) => {
                Err(Violation::Invalid.into())
            }
            _ => Ok(networks),
        }
    }
}
