//! Whether a carrier's host answers at all: one OPTIONS, not repeated.

use std::net::SocketAddr;
use std::sync::Arc;

use rsipstack::sip::{Method, Transport};
use trunk_rules::outbound::host_and_port;

use super::origin::{Line, Origin};
use super::registry::Inbound;
use super::uri::Target;
use super::{Inner, Invitation, ProbeError, Reach};

/// Where a host is asked that the map gives no other port.
const PORT: u16 = 5060;
/// Who asks, and for whom.
const WHO: &str = "healthcheck";

/// Any response is good, and gives its code.
pub(crate) async fn probe(inner: &Arc<Inner>, hostname: &str) -> Result<u16, ProbeError> {
    let asked = async {
        // An IPv6 address needs brackets in a URI, and may come with them.
        let host = match host_and_port(hostname) {
            _ if hostname.parse::<std::net::Ipv6Addr>().is_ok() => hostname.to_owned(),
            Some((host, None)) => host.to_owned(),
            Some((_, Some(_))) => return Err(ProbeError::Port),
            None => return Err(ProbeError::Unresolved),
        };
        let bracketed = if host.contains(':') { format!("[{host}]") } else { host.clone() };
        let uri = format!("sip:{WHO}@{bracketed}");
        if Target::parse(&uri, Reach::Anywhere).is_none() {
            return Err(ProbeError::Unresolved);
        }
        let (address, port) =
            inner.resolver.host(&host, Reach::Anywhere).await.ok_or(ProbeError::Unresolved)?;
        let address = SocketAddr::new(address, port.unwrap_or(PORT));
        let hop = inner.connect.to(&inner.stack, Transport::Udp, address, &host).await;
        let hop = hop.map_err(|_no_way| ProbeError::Unsent)?;
        let invitation = Invitation {
            uri: uri.clone(),
            from_display: String::new(),
            from_user: WHO.to_owned(),
            headers: Vec::new(),
            reach: Reach::Anywhere,
            credentials: None,
        };
        let origin = Origin::new(Arc::clone(inner), &invitation, false);
        let mut inbox = inner.registry.open(&origin.call_id);
        let to = format!("<{uri}>");
        let line = Line { method: Method::Options, uri: &uri, to: &to, sequence: 1, routes: &[] };
        let request = origin.request(&line, &hop, vec![origin.contact(&hop)], String::new());
        hop.send(&request.to_bytes()).await.map_err(|_no_way| ProbeError::Unsent)?;
        loop {
            if let Inbound::Response(response) = inbox.next().await {
                return Ok(response.status_code.code());
            }
        }
    };
    let asked = tokio::time::timeout(inner.config.probe_timeout, asked);
    let answer = inner.stack.token().run_until_cancelled(asked).await;
    answer.and_then(Result::ok).unwrap_or(Err(ProbeError::Silent))
}
