//! Resolves hosts (RFC 3263): first by the host map, then by SRV records, then by A or AAAA records.
//!
//! NAPTR is not used: the transport is stated in the URI or is UDP.
//!
//! The [`Egress`] of a call is enforced here, on the addresses that are dialled: the owner of a name can
//! return another address for every query.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use hickory_resolver::config::{
    ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolverConfig, ResolverOpts,
};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::RData;
use hickory_resolver::{ResolverBuilder, TokioResolver};
use rsipstack::sip::Transport;
use service_base::ids::Ids;
use service_base::net::OwnSockets;
use tokio::sync::Semaphore;
use trunk_rules::inbound::{Rank, in_order};
use trunk_rules::outbound::{canonical_host, host_and_port};

use crate::config::{DiallerConfig, DiallerError};
use crate::egress::{Egress, not_public_reason};
use crate::of_file::OfFile;
use crate::uri::Target;

/// The file with the name servers of the system. It changes with the network, and may be written after the start.
const SYSTEM_NAMES: &str = "/etc/resolv.conf";
/// Maximum duration of all lookups for one request.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(5);
/// Timeout of one query to one name server.
const QUERY_TIMEOUT: Duration = Duration::from_secs(2);
/// Maximum number of requests whose lookups run at the same time, because each query may use a socket: of those to hosts
/// that the operator configured, and of those to hosts that customers chose, whose name servers may answer slowly.
/// Further requests wait, within their own timeout. Probes and media hosts are not counted, because their
/// number is limited elsewhere.
const MAX_CONCURRENT_LOOKUPS: usize = 32;
/// Maximum number of addresses that are tried for one request.
const MAX_ADDRESSES: usize = 4;

/// Why a host cannot be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoAddress {
    #[error("the host is in the host map, which calls to SIP URIs must not use")]
    Mapped,
    #[error("the host has no address")]
    Unresolved,
    #[error("the host has an address that is {0}, which calls to SIP URIs must not reach")]
    NotPublic(&'static str),
}

/// The host map and the DNS resolver.
pub(crate) struct Resolver {
    hosts: BTreeMap<String, (String, Option<u16>)>,
    allow_private: bool,
    own: OwnSockets,
    names: Names,
    of_family: fn(&IpAddr) -> bool,
    /// The permits of lookups of hosts that the operator configured.
    lookup_permits: Semaphore,
    /// The permits of lookups of hosts that customers chose.
    public_lookup_permits: Semaphore,
}

/// The name servers that are asked.
enum Names {
    Configured(TokioResolver),
    /// Those of the system. Without any, the resolver of the system is used, without SRV.
    System(OfFile<TokioResolver>),
}

impl Names {
    fn new(config: &DiallerConfig) -> Result<Self, DiallerError> {
        let strategy =
            if config.listen.is_ipv4() { LookupIpStrategy::Ipv4Only } else { LookupIpStrategy::Ipv6Only };
        if config.name_servers.is_empty() {
            return Ok(Self::System(OfFile::new(Path::new(SYSTEM_NAMES), move || of_system(strategy))));
        }
        let servers = config.name_servers.iter().map(name_server).collect();
        let servers = ResolverConfig::from_parts(None, Vec::new(), servers);
        let mut builder = TokioResolver::builder_with_config(servers, TokioRuntimeProvider::default());
        *builder.options_mut() = ResolverOpts::default();
        build(builder, strategy).map(Self::Configured).map_err(DiallerError::Names)
    }

    fn current(&self) -> Option<TokioResolver> {
        match self {
            Self::Configured(names) => Some(names.clone()),
            Self::System(names) => names.current(),
        }
    }
}

/// The resolver that asks the name servers of the system, if it has any.
fn of_system(strategy: LookupIpStrategy) -> Option<TokioResolver> {
    let builder = TokioResolver::builder(TokioRuntimeProvider::default()).map_err(|why| why.to_string());
    match builder.and_then(|builder| build(builder, strategy)) {
        Ok(names) => Some(names),
        Err(why) => {
            tracing::warn!(why, "the system has no name servers; carriers are resolved without SRV");
            None
        }
    }
}

fn build(
    mut builder: ResolverBuilder<TokioRuntimeProvider>,
    strategy: LookupIpStrategy,
) -> Result<TokioResolver, String> {
    let options = builder.options_mut();
    options.timeout = QUERY_TIMEOUT;
    options.attempts = 1;
    options.ip_strategy = strategy;
    builder.build().map_err(|why| why.to_string())
}

impl Resolver {
    pub(crate) fn new(config: &DiallerConfig) -> Result<Self, DiallerError> {
        let mut hosts = BTreeMap::new();
        for (name, location) in &config.hosts {
            let (host, port) = host_and_port(location)
                .ok_or_else(|| DiallerError::Names(format!("{location} is neither a host nor host:port")))?;
            hosts.insert(canonical_host(name), (host.to_owned(), port));
        }
        let of_family = if config.listen.is_ipv4() { IpAddr::is_ipv4 } else { IpAddr::is_ipv6 };
        Ok(Self {
            hosts,
            allow_private: config.allow_private,
            own: config.own.clone(),
            names: Names::new(config)?,
            of_family,
            lookup_permits: Semaphore::new(MAX_CONCURRENT_LOOKUPS),
            public_lookup_permits: Semaphore::new(MAX_CONCURRENT_LOOKUPS),
        })
    }

    /// The addresses of a URI's host, the preferred one first; never empty.
    ///
    /// # Errors
    /// The host has no address, or one of its addresses is not allowed.
    pub(crate) async fn targets(&self, target: &Target, ids: &Ids) -> Result<Vec<SocketAddr>, NoAddress> {
        let permits = match target.egress {
            Egress::Anywhere => &self.lookup_permits,
            Egress::Public => &self.public_lookup_permits,
        };
        self.find(target, ids, Some(permits), MAX_ADDRESSES).await
    }

    /// The first of them, for a probe, which waits for no permit, and takes none from calls. Further hosts of the SRV
    /// records are not looked up, because a probe has no more time than the lookups alone may take.
    ///
    /// # Errors
    /// As [`Self::targets`].
    pub(crate) async fn probed(&self, target: &Target, ids: &Ids) -> Result<Vec<SocketAddr>, NoAddress> {
        self.find(target, ids, None, 1).await
    }

    async fn find(
        &self,
        target: &Target,
        ids: &Ids,
        permits: Option<&Semaphore>,
        most: usize,
    ) -> Result<Vec<SocketAddr>, NoAddress> {
        let mapped = self.mapped(&target.host);
        if mapped.is_some() && target.egress == Egress::Public {
            return Err(NoAddress::Mapped);
        }
        let (host, port) = mapped.map_or((target.host.as_str(), None), |(host, port)| (host, port));
        let port = port.or(target.port);
        let default_port = if target.transport == Transport::Tls { 5061 } else { 5060 };
        let mut found: Vec<SocketAddr> = Vec::new();
        let lookup = async {
            // An address needs no lookup.
            let is_address = host.parse::<IpAddr>().is_ok();
            let _permit = match permits {
                Some(permits) if !is_address => Some(permits.acquire().await),
                _ => None,
            };
            if !is_address && port.is_none() {
                let records = self.srv_records(host, target).await;
                if let Some(records) = records {
                    return self.add_srv_addresses(records, ids, most, &mut found).await;
                }
            }
            let port = port.unwrap_or(default_port);
            let addresses = self.addresses(host).await.into_iter();
            found.extend(addresses.map(|address| SocketAddr::new(address, port)));
        };
        // The addresses that were found in time are used: a further host of the SRV records may not resolve.
        let _elapsed = tokio::time::timeout(LOOKUP_TIMEOUT, lookup).await;
        if found.is_empty() {
            return Err(NoAddress::Unresolved);
        }
        // A single disallowed address refuses the host: it is presumably an attack.
        if let Some(why) = found.iter().find_map(|address| self.refused(target.egress, address.ip())) {
            return Err(NoAddress::NotPublic(why));
        }
        found.truncate(most);
        Ok(found)
    }

    /// The first address of a host, and its port in the host map; `None` if it has none or it is not allowed.
    pub(crate) async fn host(&self, name: &str, egress: Egress) -> Option<(IpAddr, Option<u16>)> {
        let mapped = self.mapped(name).filter(|_| egress == Egress::Anywhere);
        let (host, port) = mapped.unwrap_or((name, None));
        let found = tokio::time::timeout(LOOKUP_TIMEOUT, self.addresses(host)).await.ok()?;
        let address = found.into_iter().next()?;
        self.allows(egress, name, address).then_some((address, port))
    }

    /// Whether a call may be sent to an address of a host. A refusal is logged.
    pub(crate) fn allows(&self, egress: Egress, host: &str, address: IpAddr) -> bool {
        let why = self.refused(egress, address);
        if let Some(why) = why {
            tracing::info!(host, %address, why, "nothing is sent to a non-public address for a call to a SIP URI");
        }
        why.is_none()
    }

    /// Why a call may not be sent to an address; `None` if it may.
    fn refused(&self, egress: Egress, address: IpAddr) -> Option<&'static str> {
        if egress != Egress::Public || self.allow_private {
            return None;
        }
        // Behind NAT the advertised address may lead back to this machine.
        not_public_reason(address).or_else(|| self.own.is_near(address).then_some("one of this machine"))
    }

    /// The entry of the host map for a name, or for its longest parent domain in the map.
    fn mapped(&self, name: &str) -> Option<(&str, Option<u16>)> {
        let name = canonical_host(name);
        let mut domains = std::iter::successors(Some(name.as_str()), |name| Some(name.split_once('.')?.1));
        let (host, port) = domains.find_map(|name| self.hosts.get(name))?;
        Some((host, *port))
    }

    /// The addresses of a host of the own address family.
    async fn addresses(&self, host: &str) -> Vec<IpAddr> {
        let mut found: Vec<IpAddr> = if let Ok(address) = host.parse() {
            vec![address]
        } else if let Some(names) = self.names.current() {
            match names.lookup_ip(host).await {
                Ok(found) => found.iter().collect(),
                Err(why) => {
                    tracing::debug!(host, %why, "a host name has no address");
                    Vec::new()
                }
            }
        } else {
            tokio::net::lookup_host((host, 0))
                .await
                .map(|found| found.map(|address| address.ip()).collect())
                .unwrap_or_default()
        };
        found.retain(self.of_family);
        found
    }

    /// The SRV records of a host for the transport of a URI; `None` if it has none.
    async fn srv_records(&self, host: &str, target: &Target) -> Option<Vec<SrvRecord>> {
        let service = match target.transport {
            Transport::Tls => "_sips._tcp",
            Transport::Tcp => "_sip._tcp",
            _ => "_sip._udp",
        };
        let names = self.names.current()?;
        let found = names.srv_lookup(format!("{service}.{}.", host.trim_end_matches('.'))).await.ok()?;
        let records: Vec<SrvRecord> = found
            .answers()
            .iter()
            .filter_map(|record| match &record.data {
                RData::SRV(srv) => Some(SrvRecord {
                    priority: srv.priority,
                    weight: srv.weight,
                    host: srv.target.to_utf8(),
                    port: srv.port,
                }),
                _ => None,
            })
            .collect();
        (!records.is_empty()).then_some(records)
    }

    /// Adds the addresses of SRV records, in their order, until there are `most`.
    async fn add_srv_addresses(
        &self,
        records: Vec<SrvRecord>,
        ids: &Ids,
        most: usize,
        found: &mut Vec<SocketAddr>,
    ) {
        for record in ordered(records, || ids.word()) {
            // The root as the target means that the service is not available at this domain (RFC 2782).
            if record.host != "." {
                let addresses = self.addresses(&record.host).await;
                found.extend(addresses.into_iter().map(|address| SocketAddr::new(address, record.port)));
            }
            if found.len() >= most {
                break;
            }
        }
    }
}

fn name_server(at: &SocketAddr) -> NameServerConfig {
    let mut connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()];
    for connection in &mut connections {
        connection.port = at.port();
    }
    NameServerConfig::new(at.ip(), true, connections.into())
}

/// An SRV record (RFC 2782): a host and a port, with priority and weight.
#[derive(Debug, Clone, PartialEq, Eq)]
struct SrvRecord {
    priority: u16,
    weight: u16,
    host: String,
    port: u16,
}

/// Orders records by priority, and those of equal priority at random by their weights (RFC 2782).
fn ordered(records: Vec<SrvRecord>, random: impl Fn() -> u64) -> Vec<SrvRecord> {
    let rank = |record: &SrvRecord| Rank { priority: record.priority.into(), weight: record.weight.into() };
    in_order(records, rank, |most| random() % most.saturating_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(priority: u16, weight: u16, port: u16) -> SrvRecord {
        SrvRecord { priority, weight, host: "h".to_owned(), port }
    }

    #[test]
    fn records_are_ordered_by_priority_and_then_at_random_by_weight() {
        let records = || vec![record(20, 0, 3), record(10, 1, 1), record(10, 99, 2)];
        let ports = |random: u64| -> Vec<u16> {
            ordered(records(), || random).into_iter().map(|record| record.port).collect()
        };
        assert_eq!(ports(0), [1, 2, 3]);
        assert_eq!(ports(50), [2, 1, 3]);
        let first = |port| (0..=100).filter(|random| ports(*random).first() == Some(&port)).count();
        assert_eq!((first(1), first(2)), (2, 99));
    }

    #[test]
    fn a_record_of_weight_zero_is_chosen_sometimes() {
        let records = || vec![record(1, 10, 1), record(1, 0, 2)];
        assert_eq!(ordered(records(), || 0).first().map(|record| record.port), Some(2));
        assert_eq!(ordered(records(), || 1).first().map(|record| record.port), Some(1));
    }
}
