//! What accounts may do that nothing else is said of: the `[accounts]` table of the configuration file.

use serde::{Deserialize, Serialize};

use super::ConfigError;
use trunk_store::account::MAX_RATE_LIMIT;

/// Records of a type that an account may have when nothing else is said.
pub const RECORD_QUOTA: u64 = 100_000;

/// What DIDWW documents: requests a second of a key.
const DOCUMENTED_RATE: u32 = 20;

/// What an account may do that has no limits of its own. What is absent keeps its default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct AccountsConfig {
    /// Most records of a type; [`RECORD_QUOTA`] unless told otherwise, and 0 is no limit.
    pub record_quota: Option<u64>,
    /// Requests a second of a key; 20 unless the API is served on loopback, where there is no limit. 0 is no limit.
    pub rate_limit: Option<u32>,
}

impl AccountsConfig {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        match self.rate_limit {
            Some(rate) if rate > MAX_RATE_LIMIT => Err(ConfigError::Value {
                name: "accounts.rate_limit",
                given: rate.to_string(),
                right: "give 1 to 100000 requests a second, or 0 for no limit",
            }),
            _ => Ok(()),
        }
    }

    /// Most records of a type, if there is a limit.
    pub(crate) fn records(&self) -> Option<u64> {
        Some(self.record_quota.unwrap_or(RECORD_QUOTA)).filter(|most| *most > 0)
    }

    /// Requests a second of a key; 0 is no limit.
    pub(crate) fn rate(&self, on_loopback: bool) -> u32 {
        self.rate_limit.unwrap_or(if on_loopback { 0 } else { DOCUMENTED_RATE })
    }

    /// The table as a file would say it; none when it says nothing.
    pub(super) fn to_toml(&self) -> Option<String> {
        #[derive(Serialize)]
        struct File<'a> {
            accounts: &'a AccountsConfig,
        }
        if *self == Self::default() {
            return None;
        }
        toml::to_string(&File { accounts: self }).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_counted_on_loopback_unless_it_is_asked_for() {
        let usual = AccountsConfig::default();
        assert_eq!((usual.rate(true), usual.rate(false), usual.records()), (0, 20, Some(100_000)));
        let told = AccountsConfig { record_quota: Some(5), rate_limit: Some(7) };
        assert_eq!((told.rate(true), told.rate(false), told.records()), (7, 7, Some(5)));
        let free = AccountsConfig { record_quota: Some(0), rate_limit: Some(0) };
        assert_eq!((free.rate(true), free.rate(false), free.records()), (0, 0, None));
        assert!(AccountsConfig { rate_limit: Some(100_001), ..usual }.check().is_err());
    }
}
