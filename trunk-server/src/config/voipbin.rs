//! The configuration of the communication platform: its super admin, and the `[voipbin]` table of the file.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use didww_types::Secret;
use didww_types::values::IpNetworks;
use serde::{Deserialize, Serialize};
use trunk_rules::outbound::host_and_port;
use voipbin_platform::{PlatformConfig, SipGatewayError};

use super::error::ConfigError;
use super::port_range::PortRange;

/// The configuration of the communication platform.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct VoipbinConfig {
    /// Username and password of a super admin that the start creates or updates.
    pub admin: Option<(String, Secret)>,
    /// The settings of the platform itself, from the `[voipbin]` table.
    pub platform: PlatformConfig,
    table: VoipbinTable,
}

/// The keys of the table. An absent key keeps its default.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct VoipbinTable {
    sip_bind: Option<IpAddr>,
    source_networks: Option<Vec<String>>,
    sip_gateway: Option<String>,
    rtp_ports: Option<PortRange>,
    ring_timeout: Option<u64>,
    longest_call: Option<u64>,
    probe_interval: Option<u64>,
    allow_private_destinations: Option<bool>,
    ip_rate: Option<(u32, u32)>,
    customer_rate: Option<(u32, u32)>,
    login_rate: Option<(u32, u32)>,
    calls: Option<usize>,
    calls_per_customer: Option<usize>,
    keep_months: Option<u32>,
    webhooks_waiting: Option<u64>,
    webhook_age: Option<u64>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    hosts: BTreeMap<String, String>,
}

impl VoipbinConfig {
    pub(super) fn new(admin: Option<Secret>, table: VoipbinTable) -> Result<Self, ConfigError> {
        let admin = admin.map(|text| parse_admin(&text)).transpose()?;
        let mut platform = PlatformConfig::default();
        table.apply(&mut platform)?;
        Ok(Self { admin, platform, table })
    }

    /// Returns a secret if an admin is configured, for a caller that prints only whether there is one.
    pub(super) fn admin_secret(&self) -> Option<Secret> {
        self.admin.as_ref().map(|(_, password)| password.clone())
    }

    /// Renders the table as TOML; `None` if every key has its default.
    pub(super) fn to_toml(&self) -> Option<String> {
        #[derive(Serialize)]
        struct File<'a> {
            voipbin: &'a VoipbinTable,
        }
        if self.table == VoipbinTable::default() {
            return None;
        }
        toml::to_string(&File { voipbin: &self.table }).ok()
    }
}

/// Parses `USERNAME:PASSWORD`. The error does not contain the text.
fn parse_admin(text: &Secret) -> Result<(String, Secret), ConfigError> {
    let expected = "give USERNAME:PASSWORD, such as admin:secret";
    match text.expose().split_once(':') {
        Some((username, password)) if !username.trim().is_empty() && !password.is_empty() => {
            Ok((username.to_owned(), Secret::new(password)))
        }
        _ => Err(ConfigError::value("voipbin-admin", "(hidden)", expected)),
    }
}

impl VoipbinTable {
    fn apply(&self, platform: &mut PlatformConfig) -> Result<(), ConfigError> {
        platform.sip_bind = self.sip_bind;
        if let Some(networks) = &self.source_networks {
            let parsed = IpNetworks::parse(networks).ok().filter(|_| !networks.is_empty());
            let expected = "give 1 to 60 addresses or networks, such as [\"203.0.113.7\"]";
            platform.source_networks = Some(parsed.ok_or_else(|| {
                ConfigError::value("voipbin.source_networks", networks.join(", "), expected)
            })?);
        }
        let gateway = |text: &String| {
            text.parse().map_err(|_| ConfigError::value("voipbin.sip_gateway", text, SipGatewayError::RIGHT))
        };
        platform.sip_gateway = self.sip_gateway.as_ref().map(gateway).transpose()?;
        if let Some(ports) = self.rtp_ports {
            platform.rtp_ports = ports.checked("voipbin.rtp_ports")?;
        }
        let seconds = |value: Option<u64>, default| value.map_or(default, Duration::from_secs);
        platform.ring_timeout = seconds(self.ring_timeout, platform.ring_timeout);
        platform.longest_call = seconds(self.longest_call, platform.longest_call);
        platform.probe_interval = seconds(self.probe_interval, platform.probe_interval);
        platform.allow_private_destinations =
            self.allow_private_destinations.unwrap_or(platform.allow_private_destinations);
        platform.ip_rate = self.ip_rate.unwrap_or(platform.ip_rate);
        platform.customer_rate = self.customer_rate.unwrap_or(platform.customer_rate);
        platform.login_rate = self.login_rate.unwrap_or(platform.login_rate);
        platform.calls = self.calls.unwrap_or(platform.calls);
        platform.calls_per_customer = self.calls_per_customer.or(platform.calls_per_customer);
        if let Some(months) = self.keep_months {
            if months > 1_200 {
                let expected = "give 1 to 1200 months, or 0 for ever";
                return Err(ConfigError::value("voipbin.keep_months", months.to_string(), expected));
            }
            platform.keep_months = months;
        }
        platform.webhooks_waiting = self.webhooks_waiting;
        platform.webhook_age = self.webhook_age.map(Duration::from_secs);
        for (name, destination) in &self.hosts {
            if name.is_empty() || !is_destination(destination) {
                let expected = "give host names and where they are: \"edge\", an address, or HOST:PORT";
                return Err(ConfigError::value("voipbin.hosts", format!("{name} = {destination}"), expected));
            }
        }
        platform.hosts.clone_from(&self.hosts);
        Ok(())
    }
}

/// Returns true for `edge`, an IP address, HOST:PORT, and a host name with a dot. A bare word is refused, because it is
/// more likely a misspelt `edge` than a host.
fn is_destination(text: &str) -> bool {
    let port_or_address = |(host, port): (&str, Option<u16>)| {
        !host.contains(char::is_whitespace)
            && (port.is_some() || host.parse::<IpAddr>().is_ok() || host.contains('.'))
    };
    text == "edge" || text.parse::<IpAddr>().is_ok() || host_and_port(text).is_some_and(port_or_address)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(text: &str) -> Result<PlatformConfig, String> {
        let table: VoipbinTable = toml::from_str(text).map_err(|error| error.message().to_owned())?;
        VoipbinConfig::new(None, table).map_err(|error| error.to_string()).map(|config| config.platform)
    }

    #[test]
    fn a_table_overrides_the_defaults() {
        let text = "ring_timeout = 5\nallow_private_destinations = true\ncustomer_rate = [17, 33]\n\
                    sip_gateway = \"sip.example.com:5060\"\n[hosts]\n\"out.didww.com\" = \"edge\"\n";
        let platform = applied(text).unwrap();
        assert_eq!(platform.ring_timeout, Duration::from_secs(5));
        assert!(platform.allow_private_destinations && !PlatformConfig::default().allow_private_destinations);
        assert_eq!(platform.sip_gateway.unwrap().to_string(), "sip.example.com:5060");
        assert_eq!((platform.customer_rate, platform.ip_rate), ((17, 33), (0, 0)));
        let bounds = applied("webhooks_waiting = 0\nwebhook_age = 60").unwrap();
        assert_eq!((platform.webhooks_waiting, bounds.webhooks_waiting), (None, Some(0)));
        assert_eq!((platform.webhook_age, bounds.webhook_age), (None, Some(Duration::from_mins(1))));
        assert_eq!(platform.hosts.get("out.didww.com").map(String::as_str), Some("edge"));
    }

    #[test]
    fn an_error_names_the_wrong_key() {
        for (text, named) in [
            ("rtp_ports = [80, 90]", "rtp_ports"),
            ("source_networks = [\"x\"]", "source_networks"),
            ("source_networks = []", "source_networks"),
            (
                "sip_gateway = \"198.51.100.7:5060\"",
                "voipbin.sip_gateway is `198.51.100.7:5060`; give HOST:PORT",
            ),
            ("host = 1", "host"),
            ("keep_months = 1201", "keep_months"),
            ("[hosts]\n\"a\" = \"\"", "hosts"),
            ("[hosts]\n\"a\" = \"edgy\"", "a = edgy"),
            ("[hosts]\n\"a\" = \"Edge\"", "a = Edge"),
            ("[hosts]\n\"a\" = \"host:0\"", "a = host:0"),
        ] {
            let error = applied(text).unwrap_err();
            assert!(error.contains(named), "{text}: {error}");
        }
    }

    #[test]
    fn no_error_contains_a_password() {
        for text in ["hunter2", ":hunter2", "admin:"] {
            let error = VoipbinConfig::new(Some(Secret::new(text)), VoipbinTable::default()).unwrap_err();
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
        let config = VoipbinConfig::new(Some(Secret::new("admin:a:b")), VoipbinTable::default()).unwrap();
        let (username, password) = config.admin.unwrap();
        assert_eq!((username.as_str(), password.expose()), ("admin", "a:b"));
    }
}
