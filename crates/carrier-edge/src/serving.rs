//! Accepts requests, and serves each by its method.

use std::sync::Arc;

use sip_transport::body::ACCEPT;
use trunk_rules::carrier::reason_phrase;

use super::inner::Inner;
use super::invite::Ready;
use super::stack::{ALLOW, Incoming, IncomingRequests, SUPPORTED, Stack};
use super::{call, diagnosis, in_dialog, in_order, inspection, invite};

/// Accepts requests until the SIP stack stops.
pub(crate) async fn accept_requests(inner: Arc<Inner>, stack: Arc<Stack>, mut incoming: IncomingRequests) {
    while let Some(request) = incoming.next().await {
        // A source without a free slot loses the request, as a datagram may be lost: its sender repeats it.
        let Some(request) = inner.front.assign_slot(request) else { continue };
        let (inner, stack) = (Arc::clone(&inner), Arc::clone(&stack));
        let is_of_call = request.local_tag().is_some() && in_dialog::names_call(&inner, &request);
        let serving = async move {
            // Its future is dropped before the call runs: a task has the memory of the largest future in it.
            let ready = Box::pin(serve(&inner, &stack, request)).await;
            let Some(Ready { start, slot }) = ready else { return };
            Box::pin(call::run(&inner, &stack, start)).await;
            drop(slot);
        };
        if is_of_call {
            // One that overtook another would make it out of order (RFC 3261 §12.2.2).
            in_order::begin_at_once(serving);
        } else {
            tokio::spawn(serving);
        }
    }
}

/// Refuses a request that cannot be served whatever its sender. An INVITE that would start a call is traced.
async fn refuse(inner: &Inner, request: Incoming, code: u16, why: &str) {
    if request.method() == "INVITE" && request.starts_dialog() {
        return Box::pin(diagnosis::refuse_unchecked(inner, request, code, why)).await;
    }
    request.finish_once(code, reason_phrase(code), &[]).await;
}

const TOO_MANY_HOPS: &str = "Max-Forwards is 0: the request passed too many proxies, or runs in a loop";

/// Serves a request until its transaction has ended, or returns the call that it begins. The future of a call is not
/// part of this one. Futures that few requests need are boxed.
async fn serve<'a>(inner: &'a Arc<Inner>, stack: &Arc<Stack>, mut request: Incoming) -> Option<Ready<'a>> {
    if request.method() == "ACK" {
        // This ACK matches no INVITE transaction, and an ACK is never answered.
        return None;
    }
    let starts_dialog = request.local_tag().is_none();
    if starts_dialog {
        request.set_local_tag(&inner.core.ids.tag());
    }
    if request.local_tag().is_none() || request.remote_tag().is_none() {
        // Without both tags, later requests could not be matched to the dialog.
        Box::pin(refuse(inner, request, 400, inspection::NOT_AN_ADDRESS)).await;
        return None;
    }
    if let Some((code, why)) = inspection::malformed(&request) {
        Box::pin(refuse(inner, request, code, why)).await;
        return None;
    }
    if request.max_forwards() == Ok(Some(0)) {
        Box::pin(refuse(inner, request, 483, TOO_MANY_HOPS)).await;
        return None;
    }
    match request.method() {
        "INVITE" if starts_dialog => return invite::serve(inner, stack, request).await,
        "INVITE" | "UPDATE" | "BYE" | "PRACK" | "INFO" => Box::pin(in_dialog::serve(inner, request)).await,
        // A proxy or a PBX asks by such a request whether the call still exists (RFC 3261 §12.2.2).
        "OPTIONS" if !starts_dialog && !in_dialog::names_call(inner, &request) => {
            Box::pin(in_dialog::refuse_without_call(inner, request)).await;
        }
        "OPTIONS" => {
            if let Some(why) = inspection::not_supported(&request) {
                Box::pin(why.refuse(request)).await;
                return None;
            }
            let headers = [("Allow", ALLOW), ("Accept", ACCEPT), ("Supported", SUPPORTED)];
            Box::pin(request.finish_once(200, "OK", &headers)).await;
        }
        "REGISTER" => {
            let hint = "outbound trunks do not register; send INVITEs";
            let warning = format!("399 {} \"{hint}\"", inner.config.server_name);
            let source = request.source();
            if inner.log_sums.registrations.admits(source.ip(), inner.core.clock.now()) {
                tracing::info!(%source, hint, "REGISTER refused");
            }
            let headers = [("Allow", ALLOW), ("Warning", &warning)];
            Box::pin(request.finish_once(405, "Method Not Allowed", &headers)).await;
        }
        _ => Box::pin(request.finish_once(405, "Method Not Allowed", &[("Allow", ALLOW)])).await,
    }
    None
}
