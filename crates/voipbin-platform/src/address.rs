//! Addresses of calls: from the API's form to that of the rules, and back.

use trunk_rules::outbound;
use voipbin_types::Address;

/// An address as the rules read it.
pub(crate) fn to_rules(address: &Address) -> outbound::Address {
    outbound::Address {
        kind: address.kind.as_str().to_owned(),
        target: address.target.clone(),
        target_name: address.target_name.clone(),
        name: address.name.clone(),
        detail: address.detail.clone(),
    }
}

/// An address as the API shows it.
pub(crate) fn from_rules(address: outbound::Address) -> Address {
    Address {
        kind: address.kind.as_str().into(),
        target: address.target,
        target_name: address.target_name,
        name: address.name,
        detail: address.detail,
    }
}
