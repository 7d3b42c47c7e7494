//! The settings of one listener, and the parts of the server that its connections use.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use service_base::clock::Clock;
use service_base::descriptors::{Descriptors, Share};
use service_base::forwarded::{Proxies, origin};
use tls_identity::Identity;

use crate::intercept::Intercept;
use crate::limits::Limits;
use crate::request_counts::RequestCounts;

/// The maximum number of connections of one address without a configured limit.
const DEFAULT_MAX_PER_ADDRESS: usize = 256;

/// The settings of a listener, and the parts of the server that it uses.
#[derive(Debug, Clone)]
pub struct ListenerContext {
    /// The limits on connections and requests.
    pub limits: Limits,
    /// The trusted proxies, which report the addresses of their clients.
    pub proxies: Proxies,
    /// The budget that each connection takes a file descriptor from.
    pub descriptors: Descriptors,
    /// The listener's share of the descriptors.
    pub share: Share,
    /// The clock, whose stopwatch measures how long connections are half open or idle.
    pub clock: Clock,
    /// The certificate; with one, the listener serves TLS alone, and HTTP/2 beside HTTP/1.1.
    pub tls: Option<Arc<Identity>>,
    /// Counts the requests; `None` if no listener shows the counts.
    pub counts: Option<Arc<RequestCounts>>,
    /// The interceptor that requests pass before they reach the router; `None` for a listener without one.
    pub intercept: Option<Arc<dyn Intercept>>,
}

impl ListenerContext {
    /// One without settings, for tests.
    #[cfg(test)]
    pub(crate) fn plain() -> Self {
        Self {
            limits: Limits::default(),
            proxies: Proxies::default(),
            descriptors: Descriptors::new(service_base::descriptors::open_files()),
            share: Share::Api,
            clock: Clock::system(),
            tls: None,
            counts: None,
            intercept: None,
        }
    }

    /// The network whose connections a peer's connection counts among. `None` for a peer without a limit.
    pub(crate) fn origin(&self, peer: IpAddr) -> Option<IpAddr> {
        let local = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
        let is_exempt = self.limits.connections_per_address.is_none() && local.contains(&peer.to_canonical());
        (!is_exempt && !self.proxies.trusts(peer)).then(|| origin(peer))
    }

    /// The maximum number of connections of one network. Without a setting it leaves half of the listener's to others,
    /// also where few connections or open files are allowed.
    pub(crate) fn connections_per_origin(&self) -> usize {
        let all = self.limits.connections.min(self.descriptors.max_for(self.share));
        let default = DEFAULT_MAX_PER_ADDRESS.min(all / 2).max(1);
        self.limits.connections_per_address.unwrap_or(default)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_without_a_limit_of_its_own_leaves_half_of_the_connections_to_others() {
        let of = |connections, connections_per_address, open_files| {
            let context = ListenerContext {
                limits: Limits { connections, connections_per_address, ..Limits::default() },
                descriptors: Descriptors::new(open_files),
                ..ListenerContext::plain()
            };
            context.connections_per_origin()
        };
        let many = 1 << 20;
        assert_eq!(of(10_000, None, many), 256);
        assert_eq!((of(64, None, many), of(1, None, many)), (32, 1));
        assert_eq!(of(10_000, None, 1_024), 210, "the API can have 420 of the open files");
        assert_eq!(of(64, Some(64), many), 64, "a setting is kept");
    }
}
