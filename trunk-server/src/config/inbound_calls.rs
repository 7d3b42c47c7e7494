//! The `[inbound_calls]` table of the configuration file.

use std::net::IpAddr;
use std::time::Duration;

use inbound_calls::InboundConfig;
use serde::{Deserialize, Serialize};

use super::error::ConfigError;
use super::port_range::PortRange;

/// The configuration of calls to DIDs.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct InboundCallsConfig {
    /// The settings of the calls themselves.
    pub calls: InboundConfig,
    table: InboundCallsTable,
}

/// The keys of the table. An absent key keeps its default.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct InboundCallsTable {
    sip_bind: Option<IpAddr>,
    rtp_ports: Option<PortRange>,
    allow_private_destinations: Option<bool>,
    ring_timeout: Option<u64>,
    longest_call: Option<u64>,
    calls: Option<usize>,
    calls_per_account: Option<usize>,
    keep_months: Option<u32>,
}

impl InboundCallsConfig {
    pub(super) fn new(table: InboundCallsTable) -> Result<Self, ConfigError> {
        let mut calls = InboundConfig::default();
        table.apply(&mut calls)?;
        Ok(Self { calls, table })
    }

    /// Renders the table as TOML; `None` if every key has its default.
    pub(super) fn to_toml(&self) -> Option<String> {
        #[derive(Serialize)]
        struct File<'a> {
            inbound_calls: &'a InboundCallsTable,
        }
        if self.table == InboundCallsTable::default() {
            return None;
        }
        toml::to_string(&File { inbound_calls: &self.table }).ok()
    }
}

impl InboundCallsTable {
    fn apply(&self, calls: &mut InboundConfig) -> Result<(), ConfigError> {
        calls.sip_bind = self.sip_bind;
        if let Some(ports) = self.rtp_ports {
            calls.rtp_ports = ports.checked("inbound_calls.rtp_ports")?;
        }
        calls.allow_private_destinations =
            self.allow_private_destinations.unwrap_or(calls.allow_private_destinations);
        calls.ring_timeout = self.ring_timeout.map_or(calls.ring_timeout, Duration::from_secs);
        calls.longest_call = self.longest_call.map_or(calls.longest_call, Duration::from_secs);
        calls.calls = self.calls.unwrap_or(calls.calls);
        calls.calls_per_account = self.calls_per_account.unwrap_or(calls.calls_per_account);
        if let Some(months) = self.keep_months {
            if months > 1_200 {
                let expected = "give 1 to 1200 months, or 0 for ever";
                return Err(ConfigError::value("inbound_calls.keep_months", months.to_string(), expected));
            }
            calls.keep_months = months;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<InboundCallsConfig, String> {
        let table: InboundCallsTable = toml::from_str(text).map_err(|error| error.message().to_owned())?;
        InboundCallsConfig::new(table).map_err(|error| error.to_string())
    }

    #[test]
    fn a_table_overrides_the_defaults_and_is_printed_again() {
        let text =
            "rtp_ports = [20000, 20100]\nallow_private_destinations = true\nring_timeout = 5\ncalls = 7\n";
        let config = read(text).unwrap();
        assert_eq!((config.calls.rtp_ports.clone(), config.calls.calls), (20_000..20_100, 7));
        assert_eq!(config.calls.ring_timeout, Duration::from_secs(5));
        assert!(config.calls.allow_private_destinations);
        assert!(!InboundConfig::default().allow_private_destinations);
        let printed = config.to_toml().unwrap();
        assert!(printed.starts_with("[inbound_calls]\n") && printed.contains("calls = 7"), "{printed}");
        assert_eq!(read("").unwrap().to_toml(), None);
    }

    #[test]
    fn an_error_names_the_wrong_key() {
        for (text, named) in [
            ("rtp_ports = [80, 90]", "rtp_ports"),
            ("keep_months = 1201", "keep_months"),
            ("host = 1", "host"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(named), "{text}: {error}");
        }
    }
}
