//! Where a host is: the configured map first, then SRV where there is one, then A or AAAA (RFC 3263).
//!
//! NAPTR is not asked: the transport is stated in the URI or is UDP.
//!
//! How far a request may go is seen to here, at the addresses that are dialled: whoever owns a name may have
//! it lead elsewhere with every question.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{
    ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolverConfig, ResolverOpts,
};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::RData;
use rsipstack::sip::Transport;
use tokio::sync::Semaphore;
use trunk_rules::outbound::{canonical_host, host_and_port};

use super::reach::near;
use super::uri::Target;
use super::{DiallerConfig, DiallerError, Reach};
use service_base::ids::Ids;

/// Longest that all lookups for one request may take.
const LOOKUP: Duration = Duration::from_secs(5);
/// One question to one name server.
const QUESTION: Duration = Duration::from_secs(2);
/// Requests whose lookups run at the same time: each may take a socket for every question. Others wait, as
/// long as their own time lasts. Probes are not among them: they are few at a time by themselves.
const AT_ONCE: usize = 32;
/// Most addresses that are tried for one request.
const MOST: usize = 4;

pub(crate) struct Resolver {
    hosts: BTreeMap<String, (String, Option<u16>)>,
    allow_private: bool,
    /// `None` when the system has no name servers to ask: then the system itself is asked, without SRV.
    names: Option<TokioResolver>,
    of_family: fn(&IpAddr) -> bool,
    turns: Semaphore,
}

impl Resolver {
    pub(crate) fn new(config: &DiallerConfig) -> Result<Self, DiallerError> {
        let mut hosts = BTreeMap::new();
        for (name, place) in &config.hosts {
            let (host, port) = host_and_port(place)
                .ok_or_else(|| DiallerError::Names(format!("{place} is neither a host nor host:port")))?;
            hosts.insert(canonical_host(name), (host.to_owned(), port));
        }
        let runtime = TokioRuntimeProvider::default();
        let builder = if config.name_servers.is_empty() {
            TokioResolver::builder(runtime)
        } else {
            let servers = config.name_servers.iter().map(name_server).collect();
            let mut builder = TokioResolver::builder_with_config(
                ResolverConfig::from_parts(None, Vec::new(), servers),
                runtime,
            );
            *builder.options_mut() = ResolverOpts::default();
            Ok(builder)
        };
        let built = builder.and_then(|mut builder| {
            let options = builder.options_mut();
            options.timeout = QUESTION;
            options.attempts = 1;
            options.ip_strategy =
                if config.listen.is_ipv4() { LookupIpStrategy::Ipv4Only } else { LookupIpStrategy::Ipv6Only };
            builder.build()
        });
        let names = match built {
            Ok(names) => Some(names),
            Err(why) if config.name_servers.is_empty() => {
                tracing::warn!(%why, "the system names no name servers; carriers are found without SRV");
                None
            }
            Err(why) => return Err(DiallerError::Names(why.to_string())),
        };
        let of_family = if config.listen.is_ipv4() { IpAddr::is_ipv4 } else { IpAddr::is_ipv6 };
        Ok(Self {
            hosts,
            allow_private: config.allow_private,
            names,
            of_family,
            turns: Semaphore::new(AT_ONCE),
        })
    }

    /// Where requests to a URI go, the best address first; none when it leads nowhere.
    pub(crate) async fn targets(&self, target: &Target, ids: &Ids) -> Vec<SocketAddr> {
        let mapped = self.mapped(&target.host);
        if mapped.is_some() && target.reach == Reach::Public {
            tracing::info!(
                host = target.host,
                "a SIP URI may not name a host of the host map; nothing is sent there"
            );
            return Vec::new();
        }
        let (host, port) = mapped.map_or((target.host.as_str(), None), |(host, port)| (host, port));
        let port = port.or(target.port);
        let usual = if target.transport == Transport::Tls { 5061 } else { 5060 };
        let lookup = async {
            // An address needs no lookup.
            let turn = if host.parse::<IpAddr>().is_ok() { None } else { Some(self.turns.acquire().await) };
            let _turn = turn;
            if host.parse::<IpAddr>().is_err() && port.is_none() {
                let services = self.services(host, target).await;
                if let Some(services) = services {
                    return self.of_services(services, ids).await;
                }
            }
            let port = port.unwrap_or(usual);
            self.addresses(host).await.into_iter().map(|address| SocketAddr::new(address, port)).collect()
        };
        let mut found: Vec<SocketAddr> = tokio::time::timeout(LOOKUP, lookup).await.unwrap_or_default();
        if found.is_empty() {
            tracing::info!(host = target.host, "a carrier's host has no address");
        }
        // One that is out of reach is one too many: its host is not what it seems.
        if !found.iter().all(|address| self.reaches(target.reach, &target.host, address.ip())) {
            found.clear();
        }
        found.truncate(MOST);
        found
    }

    /// The addresses of a bare host, and the port that the map gives it.
    pub(crate) async fn host(&self, name: &str, reach: Reach) -> Option<(IpAddr, Option<u16>)> {
        let mapped = self.mapped(name).filter(|_| reach == Reach::Anywhere);
        let (host, port) = mapped.unwrap_or((name, None));
        let found = tokio::time::timeout(LOOKUP, self.addresses(host)).await.ok()?;
        let address = found.into_iter().next()?;
        self.reaches(reach, name, address).then_some((address, port))
    }

    /// Whether an address that a host led to is within reach. One that is not is told of.
    pub(crate) fn reaches(&self, reach: Reach, host: &str, address: IpAddr) -> bool {
        let what = if reach == Reach::Public && !self.allow_private { near(address) } else { None };
        if let Some(what) = what {
            tracing::info!(host, %address, what, "a call to a SIP URI leads where it may not go; nothing is sent there");
        }
        what.is_none()
    }

    /// The place of a name, or of the longest name that it lies below.
    fn mapped(&self, name: &str) -> Option<(&str, Option<u16>)> {
        let name = canonical_host(name);
        let mut above = std::iter::successors(Some(name.as_str()), |name| Some(name.split_once('.')?.1));
        let (host, port) = above.find_map(|name| self.hosts.get(name))?;
        Some((host, *port))
    }

    async fn addresses(&self, host: &str) -> Vec<IpAddr> {
        let mut found: Vec<IpAddr> = match (host.parse(), &self.names) {
            (Ok(address), _) => vec![address],
            (Err(_), Some(names)) => match names.lookup_ip(host).await {
                Ok(found) => found.iter().collect(),
                Err(why) => {
                    tracing::debug!(host, %why, "a host name has no address");
                    Vec::new()
                }
            },
            (Err(_), None) => tokio::net::lookup_host((host, 0))
                .await
                .map(|found| found.map(|address| address.ip()).collect())
                .unwrap_or_default(),
        };
        found.retain(self.of_family);
        found
    }

    /// The SRV records of a host for a transport; `None` when it has none.
    async fn services(&self, host: &str, target: &Target) -> Option<Vec<Service>> {
        let service = match target.transport {
            Transport::Tls => "_sips._tcp",
            Transport::Tcp => "_sip._tcp",
            _ => "_sip._udp",
        };
        let found = self
            .names
            .as_ref()?
            .srv_lookup(format!("{service}.{}.", host.trim_end_matches('.')))
            .await
            .ok()?;
        let services: Vec<Service> = found
            .answers()
            .iter()
            .filter_map(|record| match &record.data {
                RData::SRV(srv) => Some(Service {
                    priority: srv.priority,
                    weight: srv.weight,
                    host: srv.target.to_utf8(),
                    port: srv.port,
                }),
                _ => None,
            })
            .collect();
        (!services.is_empty()).then_some(services)
    }

    async fn of_services(&self, services: Vec<Service>, ids: &Ids) -> Vec<SocketAddr> {
        let mut found = Vec::new();
        for service in ordered(services, || ids.word()) {
            // The root as a target says that the service is not to be had here (RFC 2782).
            if service.host != "." {
                let addresses = self.addresses(&service.host).await;
                found.extend(addresses.into_iter().map(|address| SocketAddr::new(address, service.port)));
            }
            if found.len() >= MOST {
                break;
            }
        }
        found
    }
}

fn name_server(at: &SocketAddr) -> NameServerConfig {
    let mut connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()];
    for connection in &mut connections {
        connection.port = at.port();
    }
    NameServerConfig::new(at.ip(), true, connections.into())
}

/// One SRV record.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Service {
    priority: u16,
    weight: u16,
    host: String,
    port: u16,
}

/// By priority; among equals by chance, as their weights say (RFC 2782).
fn ordered(mut services: Vec<Service>, random: impl Fn() -> u64) -> Vec<Service> {
    // Those without weight first, so that they have a small chance at all.
    services.sort_by_key(|service| (service.priority, Reverse(service.weight == 0)));
    let mut ordered = Vec::with_capacity(services.len());
    while let Some(first) = services.first() {
        let priority = first.priority;
        let equals = || services.iter().take_while(|service| service.priority == priority);
        let total: u64 = equals().map(|service| u64::from(service.weight)).sum();
        let mut left = random() % (total + 1);
        let chosen = equals().position(|service| {
            let weight = u64::from(service.weight);
            let chosen = left <= weight;
            left = left.saturating_sub(weight);
            chosen
        });
        ordered.push(services.remove(chosen.unwrap_or_default()));
    }
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(priority: u16, weight: u16, port: u16) -> Service {
        Service { priority, weight, host: "h".to_owned(), port }
    }

    #[test]
    fn services_are_ordered_by_priority_and_then_by_weight_and_chance() {
        let services = || vec![service(20, 0, 3), service(10, 1, 1), service(10, 99, 2)];
        let ports = |random: u64| -> Vec<u16> {
            ordered(services(), || random).into_iter().map(|service| service.port).collect()
        };
        assert_eq!(ports(0), [1, 2, 3]);
        assert_eq!(ports(50), [2, 1, 3]);
        let first = |port| (0..=100).filter(|random| ports(*random).first() == Some(&port)).count();
        assert_eq!((first(1), first(2)), (2, 99));
    }

    #[test]
    fn a_service_without_weight_is_chosen_now_and_then() {
        let services = || vec![service(1, 10, 1), service(1, 0, 2)];
        assert_eq!(ordered(services(), || 0).first().map(|service| service.port), Some(2));
        assert_eq!(ordered(services(), || 1).first().map(|service| service.port), Some(1));
    }
}
