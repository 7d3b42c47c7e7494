//! The hosts that a destination of type `sip` may not name.
//!
//! A call to a SIP URI is not asked for a whitelisted country, a number of one's own or a route. Carriers trust the
//! address that calls come from, so a URI at a carrier's host would be a call through its trunk without any of the
//! three. Hosts are compared as they are named: what a name resolves to is not known here.

use std::collections::BTreeSet;

use super::sip_uri::{canonical_host, host_and_port};

/// Hosts that are reached through providers alone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClosedHosts {
    /// Each stands for every name below it, too.
    mapped: BTreeSet<String>,
    places: BTreeSet<String>,
    providers: BTreeSet<String>,
}

/// Why a host is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Closed {
    /// The configuration says where it is, or that another one is there.
    #[error("it is in the host map of the configuration")]
    Mapped,
    /// A provider has it.
    #[error("it is the host of a provider")]
    Provider,
}

impl ClosedHosts {
    /// The hosts of a configuration's map, names and places (`host` or `host:port`), and those of providers, as their
    /// records say (with a port and a transport, if they do).
    pub fn new<'a>(
        map: impl IntoIterator<Item = (&'a str, &'a str)>,
        providers: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let host = |text: &str| canonical_host(host_and_port(text).map_or(text, |(host, _)| host));
        let (mapped, places) = map.into_iter().map(|(name, at)| (canonical_host(name), host(at))).unzip();
        let hostname = |text: &'a str| text.split(';').next().map(host);
        let providers = providers.into_iter().filter_map(hostname).filter(|host| !host.is_empty()).collect();
        Self { mapped, places, providers }
    }

    /// Whether a host is closed, and why.
    pub fn closes(&self, host: &str) -> Option<Closed> {
        let host = canonical_host(host);
        let mut names =
            std::iter::successors(Some(host.as_str()), |name| name.split_once('.').map(|(_, above)| above));
        if self.places.contains(&host) || names.any(|name| self.mapped.contains(name)) {
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
            ],
        )
    }

    #[test]
    fn what_the_map_names_is_closed_with_all_below_it_and_where_it_leads() {
        for host in
            ["out.didww.com", "nyc.us.OUT.didww.com.", "sbc.example.net", "127.0.0.1", "2001:db8:0::9"]
        {
            assert_eq!(hosts().closes(host), Some(Closed::Mapped), "{host}");
        }
        for host in ["didww.com", "xout.didww.com", "127.0.0.2"] {
            assert_eq!(hosts().closes(host), None, "{host}");
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
        ] {
            assert_eq!(hosts().closes(host), Some(Closed::Provider), "{host}");
        }
        for host in ["sub.carrier.example.com", "example.com", "198.51.100.8", "", "."] {
            assert_eq!(hosts().closes(host), None, "{host}");
        }
    }

    #[test]
    fn nothing_is_closed_where_there_is_nothing() {
        assert_eq!(ClosedHosts::default().closes("carrier.example.com"), None);
        assert_eq!(ClosedHosts::new([], [""]).closes("carrier.example.com"), None);
    }
}
