//! The `[accounts]` table of the configuration file: the limits of accounts that have none of their own.

use serde::{Deserialize, Serialize};
use trunk_store::account::MAX_RATE_LIMIT;

use super::error::ConfigError;

/// Default maximum number of records of each type in an account.
pub const DEFAULT_RECORD_QUOTA: u64 = 100_000;

/// Default maximum number of requests per second of each key, as documented by DIDWW.
const DEFAULT_RATE_LIMIT: u32 = 20;

/// Default number of months for which the audit is kept: 0, no audit.
const DEFAULT_AUDIT_MONTHS: u32 = 0;
/// The largest number of months for which the audit can be kept.
const MAX_AUDIT_MONTHS: u32 = 1_200;

/// The limits of accounts that have none of their own, and the audit of all accounts. An absent key keeps its default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct AccountsConfig {
    /// Maximum number of records of each type; 0 is no limit. Default: [`DEFAULT_RECORD_QUOTA`].
    pub record_quota: Option<u64>,
    /// Maximum number of requests per second of each key; 0 is no limit. Default: 20, and no limit if the API is served
    /// on loopback.
    pub rate_limit: Option<u32>,
    /// Number of months, including the current one, for which the audit of all changes to records is kept. 0 is no
    /// audit, which is the default.
    pub audit_months: Option<u32>,
}

impl AccountsConfig {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        match self.rate_limit {
            Some(rate) if rate > MAX_RATE_LIMIT => Err(ConfigError::Value {
                name: "accounts.rate_limit",
                given: rate.to_string(),
                expected: "give 1 to 100000 requests a second, or 0 for no limit",
            }),
            _ => self.check_months(),
        }
    }

    fn check_months(&self) -> Result<(), ConfigError> {
        match self.audit_months {
            Some(months) if months > MAX_AUDIT_MONTHS => Err(ConfigError::Value {
                name: "accounts.audit_months",
                given: months.to_string(),
                expected: "give 1 to 1200 months, or 0 for no audit",
            }),
            _ => Ok(()),
        }
    }

    /// Returns the number of months for which the audit is kept; 0 is no audit.
    pub(crate) fn months_of_audit(&self) -> u32 {
        self.audit_months.unwrap_or(DEFAULT_AUDIT_MONTHS)
    }

    /// Returns the maximum number of records of each type, or `None` if there is no limit.
    pub(crate) fn max_records(&self) -> Option<u64> {
        Some(self.record_quota.unwrap_or(DEFAULT_RECORD_QUOTA)).filter(|quota| *quota > 0)
    }

    /// Returns the maximum number of requests per second of each key; 0 is no limit.
    pub(crate) fn max_rate(&self, on_loopback: bool) -> u32 {
        self.rate_limit.unwrap_or(if on_loopback { 0 } else { DEFAULT_RATE_LIMIT })
    }

    /// Renders the table as TOML; `None` if every key has its default.
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
    fn loopback_has_no_rate_limit_unless_one_is_configured() {
        let default = AccountsConfig::default();
        assert_eq!(
            (default.max_rate(true), default.max_rate(false), default.max_records()),
            (0, 20, Some(100_000))
        );
        let configured = AccountsConfig { record_quota: Some(5), rate_limit: Some(7), audit_months: Some(2) };
        assert_eq!(
            (configured.max_rate(true), configured.max_rate(false), configured.max_records()),
            (7, 7, Some(5))
        );
        assert_eq!((default.months_of_audit(), configured.months_of_audit()), (DEFAULT_AUDIT_MONTHS, 2));
        let free = AccountsConfig { record_quota: Some(0), rate_limit: Some(0), audit_months: Some(0) };
        assert_eq!((free.max_rate(true), free.max_rate(false), free.max_records()), (0, 0, None));
        assert!(AccountsConfig { audit_months: Some(1_201), ..free }.check().is_err());
        assert!(AccountsConfig { rate_limit: Some(100_001), ..default }.check().is_err());
    }
}
