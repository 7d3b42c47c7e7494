//! Checks whether a carrier's host responds, with a single OPTIONS request that is not retransmitted.

use std::sync::Arc;

use rsipstack::sip::Method;
use trunk_rules::outbound::{ProviderHost, SipTransport};

use crate::config::ProbeError;
use crate::dialogs::Inbound;
use crate::egress::Egress;
use crate::leg::Invitation;
use crate::origin::{Line, Origin};
use crate::shared::Shared;
use crate::uri::Target;

/// The user part of `From` and `To`.
const USER: &str = "healthcheck";

/// Sends the request to a provider's hostname, to the first of the addresses that a call would try, and returns the
/// code of the first response. Any code means that the host is reachable.
pub(crate) async fn probe(shared: &Shared, hostname: &str) -> Result<u16, ProbeError> {
    let network = &shared.network;
    let code = async {
        let provider = ProviderHost::parse(hostname).map_err(|_refused| ProbeError::Hostname)?;
        let (scheme, parameter) = match provider.transport {
            _ if provider.secure => ("sips", ""),
            SipTransport::Udp => ("sip", ""),
            SipTransport::Tcp => ("sip", ";transport=tcp"),
            SipTransport::Tls => ("sip", ";transport=tls"),
        };
        let to = format!("<{scheme}:{USER}@{}>", provider.authority());
        let uri = format!("{scheme}:{USER}@{}{parameter}", provider.authority());
        let target = Target::parse(&uri, Egress::Anywhere).ok_or(ProbeError::Hostname)?;
        let found = network.resolver.probed(&target, &network.ids).await.ok();
        let address = found.and_then(|found| found.first().copied()).ok_or(ProbeError::Unresolved)?;
        let hop = network.connector.hop_to(&network.stack, target.transport, address, &target.host).await;
        let hop = hop.map_err(|_unreachable| ProbeError::Unsent)?;
        let invitation = Invitation {
            uri: uri.clone(),
            from_display: String::new(),
            from_user: USER.to_owned(),
            headers: Vec::new(),
            codecs: Vec::new(),
            egress: Egress::Anywhere,
            credentials: None,
        };
        let origin = Origin::new(Arc::clone(network), &invitation, provider.secure);
        let mut inbox = shared.dialogs.open(&origin.call_id);
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
