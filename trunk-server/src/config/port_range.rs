//! A range of ports in the configuration file: `[FROM, TO]`.

use serde::{Deserialize, Deserializer, Serialize};

/// The first and the last of a range of ports, whose order and size the setting checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct PortRange(pub(super) u16, pub(super) u16);

impl<'de> Deserialize<'de> for PortRange {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let ports = Vec::<u16>::deserialize(deserializer)?;
        let [first, last] = ports.as_slice() else {
            let expected = "give two ports in brackets, such as [20000, 29999]";
            return Err(serde::de::Error::custom(expected));
        };
        Ok(Self(*first, *last))
    }
}
