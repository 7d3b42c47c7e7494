//! A range of ports in the configuration file: `[FROM, TO]`.

use std::ops::Range;

use serde::{Deserialize, Deserializer, Serialize};

use super::error::ConfigError;

/// The first of a range of ports, and the one after the last, before they are checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct PortRange(u16, u16);

impl PortRange {
    /// Returns the ports of the setting with this name.
    ///
    /// # Errors
    /// If the first is below 1024, or there is none.
    pub(super) fn checked(self, name: &'static str) -> Result<Range<u16>, ConfigError> {
        let Self(from, to) = self;
        if from < 1024 || to <= from {
            let expected = "give two ports from 1024 up, the second at least one above the first";
            return Err(ConfigError::value(name, format!("[{from}, {to}]"), expected));
        }
        Ok(from..to)
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_from_1024_up_and_there_is_one() {
        assert_eq!(PortRange(1024, 1025).checked("a.rtp_ports").unwrap(), 1024..1025);
        for wrong in [PortRange(1023, 2000), PortRange(2000, 2000), PortRange(2000, 1999)] {
            let error = wrong.checked("a.rtp_ports").unwrap_err().to_string();
            assert!(error.contains("a.rtp_ports") && error.contains("from 1024 up"), "{error}");
        }
    }
}
