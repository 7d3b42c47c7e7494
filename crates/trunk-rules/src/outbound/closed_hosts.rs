//! Hosts that a destination of type `sip` must not name.
//!
//! A call to a SIP URI needs no whitelisted country, no number of the customer's own and no route. Carriers
//! trust the source address of calls, so a URI at a carrier's host would be a call through the platform's
//! trunk that evades all three checks. Hosts are compared by name; no name is resolved here.

use std::collections::BTreeSet;

use super::provider_host::ProviderHost;
use super::sip_uri::{canonical_host, host_and_port};

/// The port of a URI without one, at a host that is an address.
const DEFAULT_PORT: u16 = 5060;

/// Hosts that can be reached only through providers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClosedHosts {
    /// Names in the configuration's host map. Each includes all its subdomains.
    map_names: BTreeSet<String>,
    map_hosts: BTreeSet<String>,
    providers: BTreeSet<String>,
    /// Addresses of which only this port is closed.
    ports: BTreeSet<(String, u16)>,
}

/// Why a host is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Closed {
    /// The host is in the configuration's host map, as a name or as an address.
    #[error("it is in the host map of the configuration")]
    Mapped,
    /// The host and port are those of the server's own edge.
    #[error("it is this server's own edge")]
    Edge,
    /// The host belongs to a provider.
    #[error("it is the host of a provider")]
    Provider,
}

impl ClosedHosts {
    /// Builds the set. `map` is the configuration's host map: names and their addresses (`host` or
    /// `host:port`). `providers` are the hostnames of provider records; one that cannot be dialled closes the text
    /// before its first semicolon.
    pub fn new<'a>(
        map: impl IntoIterator<Item = (&'a str, &'a str)>,
        providers: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let host = |text: &str| canonical_host(host_and_port(text).map_or(text, |(host, _)| host));
        let (map_names, map_hosts) =
            map.into_iter().map(|(name, at)| (canonical_host(name), host(at))).unzip();
        let hostname = |text: &'a str| match ProviderHost::parse(text) {
            Ok(read) => canonical_host(read.host),
            Err(_) => host(text.split(';').next().unwrap_or_default()),
        };
        let providers = providers.into_iter().map(hostname).filter(|host| !host.is_empty()).collect();
        Self { map_names, map_hosts, providers, ports: BTreeSet::new() }
    }

    /// Closes the server's own edge: its name, and of its address (`host:port`) this port alone, since other programs
    /// of the same machine may be called.
    #[must_use]
    pub fn with_edge(mut self, name: &str, address: &str) -> Self {
        self.map_names.insert(canonical_host(name));
        if let Some((host, port)) = host_and_port(address) {
            self.ports.insert((canonical_host(host), port.unwrap_or(DEFAULT_PORT)));
        }
        self
    }

    /// Returns why a host and port are closed; `None` if they are not.
    pub fn closes(&self, host: &str, port: Option<u16>) -> Option<Closed> {
        let host = canonical_host(host);
        if self.ports.contains(&(host.clone(), port.unwrap_or(DEFAULT_PORT))) {
            return Some(Closed::Edge);
        }
        let mut names =
            std::iter::successors(Some(host.as_str()), |name| name.split_once('.').map(|(_, parent)| parent));
        if self.map_hosts.contains(&host) || names.any(|name| self.map_names.contains(name)) {
            return Some(Closed::Mapped);
        }
        self.providers.contains(&host).then_some(Closed::Provider)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts() -> ClosedHosts {
        ClosedHosts::new(
            [("Out.didww.com", "127.0.0.1:5060"), ("sbc.example.net.", "[2001:db8::9]:5070")],
            [
                "carrier.example.com",
                "Other.example.org.:5080;transport=tcp",
                "198.51.100.7:5060",
                "",
                "[2001:DB8::7]",
                "sips:Secure.example.org:5061",
            ],
        )
    }

    #[test]
    fn names_in_the_map_are_closed_with_their_subdomains_and_their_addresses() {
        for host in
            ["out.didww.com", "nyc.us.OUT.didww.com.", "sbc.example.net", "127.0.0.1", "2001:db8:0::9"]
        {
            assert_eq!(hosts().closes(host, None), Some(Closed::Mapped), "{host}");
        }
        for host in ["didww.com", "xout.didww.com", "127.0.0.2"] {
            assert_eq!(hosts().closes(host, None), None, "{host}");
        }
    }

    #[test]
    fn a_providers_host_is_closed_in_whatever_form_it_is_named() {
        for host in [
            "CARRIER.example.com",
            "carrier.example.com.",
            "other.example.org",
            "198.51.100.7",
            "2001:db8::7",
            "secure.example.org",
        ] {
            assert_eq!(hosts().closes(host, None), Some(Closed::Provider), "{host}");
        }
        for host in ["sub.carrier.example.com", "example.com", "198.51.100.8", "", "."] {
            assert_eq!(hosts().closes(host, None), None, "{host}");
        }
    }

    #[test]
    fn of_the_edges_address_only_its_port_is_closed() {
        let hosts = ClosedHosts::default().with_edge("edge.localhost", "127.0.0.1:5070");
        assert_eq!(hosts.closes("127.0.0.1", Some(5070)), Some(Closed::Edge));
        assert_eq!(hosts.closes("Edge.localhost.", Some(9)), Some(Closed::Mapped));
        for (host, port) in [("127.0.0.1", None), ("127.0.0.1", Some(5071)), ("127.0.0.2", Some(5070))] {
            assert_eq!(hosts.closes(host, port), None, "{host} {port:?}");
        }
        let hosts = ClosedHosts::default().with_edge("edge.localhost", "[2001:db8::1]:5060");
        assert_eq!(hosts.closes("[2001:DB8:0::1]", None), Some(Closed::Edge));
    }

    #[test]
    fn an_empty_set_closes_nothing() {
        assert_eq!(ClosedHosts::default().closes("carrier.example.com", None), None);
        assert_eq!(ClosedHosts::new([], [""]).closes("carrier.example.com", None), None);
    }
}
