//! Checks whether a carrier's host responds, with a single OPTIONS request that is not retransmitted.

use std::net::SocketAddr;
use std::sync::Arc;

use rsipstack::sip::{Method, Transport};
use trunk_rules::outbound::host_and_port;

use crate::config::ProbeError;
use crate::dialogs::Inbound;
use crate::egress::Egress;
use crate::leg::Invitation;
use crate::origin::{Line, Origin};
use crate::shared::Shared;
use crate::uri::Target;

/// The port, unless the host map states another one.
const DEFAULT_PORT: u16 = 5060;
/// The user part of `From` and `To`.
const USER: &str = "healthcheck";

/// Sends the request, and returns the code of the first response. Any code means that the host is reachable.
pub(crate) async fn probe(shared: &Shared, hostname: &str) -> Result<u16, ProbeError> {
    let network = &shared.network;
    let code = async {
        // An IPv6 address needs brackets in a URI, which the name may already have.
        let host = match host_and_port(hostname) {
            _ if hostname.parse::<std::net::Ipv6Addr>().is_ok() => hostname.to_owned(),
            Some((host, None)) => host.to_owned(),
            Some((_, Some(_))) => return Err(ProbeError::Port),
            None => return Err(ProbeError::Unresolved),
        };
        let bracketed = if host.contains(':') { format!("[{host}]") } else { host.clone() };
        let uri = format!("sip:{USER}@{bracketed}");
        if Target::parse(&uri, Egress::Anywhere).is_none() {
            return Err(ProbeError::Unresolved);
        }
        let (address, port) =
            network.resolver.host(&host, Egress::Anywhere).await.ok_or(ProbeError::Unresolved)?;
        let address = SocketAddr::new(address, port.unwrap_or(DEFAULT_PORT));
        let hop = network.connector.hop_to(&network.stack, Transport::Udp, address, &host).await;
        let hop = hop.map_err(|_unreachable| ProbeError::Unsent)?;
        let invitation = Invitation {
            uri: uri.clone(),
            from_display: String::new(),
            from_user: USER.to_owned(),
            headers: Vec::new(),
            egress: Egress::Anywhere,
            credentials: None,
        };
        let origin = Origin::new(Arc::clone(network), &invitation, false);
        let mut inbox = shared.dialogs.open(&origin.call_id);
        let to = format!("<{uri}>");
        let line = Line { method: Method::Options, uri: &uri, to: &to, sequence: 1, routes: &[] };
        let request = origin.request(&line, &hop, vec![origin.contact(&hop)], String::new());
        hop.send(&request.to_bytes()).await.map_err(|_unreachable| ProbeError::Unsent)?;
        loop {
            if let Inbound::Response(response) = inbox.next().await {
                return Ok(response.status_code.code());
            }
        }
    };
    let code = tokio::time::timeout(shared.config.probe_timeout, code);
    let code = network.stack.token().run_until_cancelled(code).await;
    code.and_then(Result::ok).unwrap_or(Err(ProbeError::Silent))
}
