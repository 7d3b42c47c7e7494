//! Shuts a SIP endpoint down, with every transaction that would keep its sockets open.

use rsipstack::transaction::Endpoint;
use rsipstack::transaction::transaction::TransactionEvent;
use rsipstack::transport::SipAddr;

/// Shuts down an endpoint whose token is cancelled, and terminates its transactions. `udp` is the address of
/// its UDP transport. The sockets are closed as soon as the endpoint's tasks observe the cancellation.
pub fn shut_down(endpoint: &Endpoint, udp: Option<&SipAddr>) {
    endpoint.shutdown();
    if let Some(udp) = udp {
        endpoint.inner.transport_layer.del_transport(udp);
    }
    // Their timers no longer run: they would wait forever and keep the endpoint alive.
    let transactions = endpoint.inner.transactions.with_mut(std::mem::take);
    for (key, transaction) in transactions {
        // An error means that the transaction has ended already.
        let _ended = transaction.send(TransactionEvent::Terminate(key));
    }
}
