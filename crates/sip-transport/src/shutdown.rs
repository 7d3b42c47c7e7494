//! The end of a SIP endpoint, with everything that would keep its sockets.

use rsipstack::transaction::Endpoint;
use rsipstack::transaction::transaction::TransactionEvent;
use rsipstack::transport::SipAddr;

/// Ends an endpoint whose token is cancelled, and everything that waits for it. Its sockets are closed as
/// soon as its tasks have seen it.
pub fn shut_down(endpoint: &Endpoint, udp: Option<&SipAddr>) {
    endpoint.shutdown();
    if let Some(udp) = udp {
        endpoint.inner.transport_layer.del_transport(udp);
    }
    // Nobody runs their timers any more: they would wait for ever, and keep the endpoint.
    let transactions = endpoint.inner.transactions.with_mut(std::mem::take);
    for (key, transaction) in transactions {
        // One that is over is as good.
        let _over = transaction.send(TransactionEvent::Terminate(key));
    }
}
