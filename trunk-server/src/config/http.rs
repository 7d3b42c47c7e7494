//! The `[http]` table of the configuration file: trusted proxies, and limits of the listeners of the API and of the
//! control API.

use didww_types::values::IpNetworks;
use http_listener::Limits;
use serde::{Deserialize, Serialize};
use service_base::forwarded::{Proxies, ProxyHeader};

use super::error::ConfigError;

/// The configuration of the HTTP listeners.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct HttpConfig {
    /// The proxies whose headers about the client's address are trusted.
    pub proxies: Proxies,
    table: HttpTable,
}

/// The keys of the table. An absent key keeps its default.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HttpTable {
    trusted_proxies: Option<Vec<String>>,
    proxy_header: Option<ProxyHeader>,
    connections: Option<usize>,
    connections_per_address: Option<usize>,
    control_connections: Option<usize>,
    failures_per_address: Option<u32>,
    failures_per_name: Option<u32>,
}

impl HttpConfig {
    pub(super) fn new(table: HttpTable) -> Result<Self, ConfigError> {
        let expected = "give up to 60 addresses or networks, such as [\"10.0.0.5\", \"192.0.2.0/24\"]";
        let given = table.trusted_proxies.clone().unwrap_or_default();
        let networks = IpNetworks::parse(&given);
        let networks =
            networks.map_err(|_| ConfigError::value("http.trusted_proxies", given.join(", "), expected))?;
        for (name, value) in [
            ("http.connections", table.connections),
            ("http.connections_per_address", table.connections_per_address),
            ("http.control_connections", table.control_connections),
        ] {
            if value == Some(0) {
                return Err(ConfigError::value(name, "0", "give 1 or more"));
            }
        }
        Ok(Self { proxies: Proxies::new(&networks, table.proxy_header.unwrap_or_default()), table })
    }

    /// Applies the table to the limits of the API's listener.
    pub(crate) fn limits(&self, limits: Limits) -> Limits {
        let table = &self.table;
        let mut limits = limits;
        limits.connections = table.connections.unwrap_or(limits.connections);
        limits.connections_per_address = table.connections_per_address.or(limits.connections_per_address);
        limits.guesses.of_source = table.failures_per_address.unwrap_or(limits.guesses.of_source);
        limits.guesses.of_name = table.failures_per_name.unwrap_or(limits.guesses.of_name);
        limits
    }

    /// Applies the table to the limits of the control listener, whose number of connections is a setting of its own.
    pub(crate) fn control_limits(&self, limits: Limits) -> Limits {
        let control_connections = self.table.control_connections.unwrap_or(limits.control_connections);
        let mut limits = self.limits(limits);
        limits.connections = control_connections;
        limits
    }

    /// Renders the table as TOML; `None` if every key has its default.
    pub(super) fn to_toml(&self) -> Option<String> {
        #[derive(Serialize)]
        struct File<'a> {
            http: &'a HttpTable,
        }
        if self.table == HttpTable::default() {
            return None;
        }
        toml::to_string(&File { http: &self.table }).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<HttpConfig, String> {
        let table: HttpTable = toml::from_str(text).map_err(|error| error.message().to_owned())?;
        HttpConfig::new(table).map_err(|error| error.to_string())
    }

    #[test]
    fn a_table_overrides_the_limits() {
        let text = "connections = 7\nconnections_per_address = 3\ncontrol_connections = 5\nfailures_per_name = 0\n\
                    trusted_proxies = [\"10.0.0.5\", \"2001:db8::/32\"]\nproxy_header = \"x-forwarded-for\"";
        let http = read(text).unwrap();
        let (api, control) = (http.limits(Limits::default()), http.control_limits(Limits::default()));
        assert_eq!((api.connections, api.connections_per_address, control.connections), (7, Some(3), 5));
        assert_eq!((api.guesses.of_name, api.guesses.of_source), (0, Limits::default().guesses.of_source));
        assert!(http.proxies.trusts("2001:db8::1".parse().unwrap()));
        assert!(!http.proxies.trusts("10.0.0.6".parse().unwrap()));
        assert!(http.to_toml().unwrap().contains("proxy_header = \"x-forwarded-for\""));
        assert_eq!(read("").unwrap().to_toml(), None);
    }

    #[test]
    fn an_error_names_the_wrong_key() {
        for (text, named) in [
            ("trusted_proxies = [\"proxy.example.com\"]", "http.trusted_proxies is `proxy.example.com`"),
            ("connections = 0", "http.connections"),
            ("connections_per_address = 0", "http.connections_per_address"),
            ("control_connections = 0", "http.control_connections"),
            ("proxy_header = \"via\"", "via"),
            ("proxies = []", "proxies"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(named), "{text}: {error}");
        }
    }
}
