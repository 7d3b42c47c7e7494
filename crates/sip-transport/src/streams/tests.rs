//! Tests of accepted connections.

use std::sync::atomic::{AtomicUsize, Ordering};

use rsipstack::transaction::EndpointBuilder;

use super::*;
use crate::ack_routes::AckRoutes;
use crate::intake::MessageFilter;
use crate::kept_answers::KeptAnswers;
use crate::messages::Tap;
use crate::no_names::transport_layer;
use crate::unreadable::Unreadable;

/// A filter that needs each connection a few times, and counts how often it was asked.
struct Needed {
    times: usize,
    asked: AtomicUsize,
}

impl MessageFilter for Needed {
    fn check(&self, _bytes: &[u8], _arrival: &Arrival) -> FilterAction {
        FilterAction::Drop
    }

    fn unreadable(&self, _bytes: &[u8], _arrival: &Arrival, _why: Unreadable) -> FilterAction {
        FilterAction::Drop
    }

    fn is_needed(&self, _arrival: &Arrival) -> bool {
        self.asked.fetch_add(1, Ordering::Relaxed) < self.times
    }
}

#[tokio::test]
async fn an_idle_connection_stays_open_for_as_long_as_the_filter_needs_it() {
    let (token, filter) =
        (CancellationToken::new(), Arc::new(Needed { times: 3, asked: AtomicUsize::new(0) }));
    let endpoint = EndpointBuilder::new()
        .with_transport_layer(transport_layer(token.clone()))
        .with_cancel_token(token.clone())
        .build();
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    let listener = Listener {
        socket,
        identity: None,
        places: ConnectionSlots::new(Connections::default(), Clock::system()),
        common: Intake {
            endpoint: endpoint.inner.clone(),
            filter: Some(Arc::clone(&filter) as Arc<dyn MessageFilter>),
            transactions: None,
            acks: AckRoutes::default(),
            answers: KeptAnswers::default(),
            inspector: None,
            limits: Limits { idle_timeout: Duration::from_millis(20), ..Limits::default() },
            tap: Tap::new(None, "test"),
        },
        token: token.clone(),
        clock: Clock::system(),
        refused: Arc::new(RefusedConnections::new()),
        descriptors: Descriptors::new(1_024),
    };
    tokio::spawn(listener.serve());
    let mut stream = TcpStream::connect(address).await.unwrap();
    assert_eq!(stream.read(&mut [0; 1]).await.unwrap(), 0, "it is closed in the end");
    assert_eq!(filter.asked.load(Ordering::Relaxed), 4);
    token.cancel();
}
