//! Runs an endpoint of the SIP library.
//!
//! The library would wake the task of its timers whenever one is set or cancelled, and the task would set its sleep
//! again: each call does that several times. Between two looks at the timers the task here ignores such changes.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use rsipstack::transaction::endpoint::EndpointInnerRef;

/// How late the endpoint may look at its timers, the shortest of which takes half a second.
const STEP: Duration = Duration::from_millis(10);

/// Serves an endpoint until its token is cancelled. Its timers, and the events of connections that the library itself
/// opened, are up to 10 milliseconds late; messages that are passed to the endpoint are not.
///
/// # Errors
/// If the endpoint is served already.
pub async fn serve_in_steps(endpoint: EndpointInnerRef) -> rsipstack::Result<()> {
    let mut serving = pin!(endpoint.serve());
    loop {
        let mut was_polled = false;
        // Polls the endpoint once, and waits until anything wakes it.
        let ended = poll_fn(|context| {
            if was_polled {
                return Poll::Ready(None);
            }
            was_polled = true;
            serving.as_mut().poll(context).map(Some)
        })
        .await;
        if let Some(ended) = ended {
            return ended;
        }
        tokio::time::sleep(STEP).await;
    }
}

#[cfg(test)]
mod tests {
    use rsipstack::sip::{Request, SipMessage};
    use rsipstack::transaction::key::{TransactionKey, TransactionRole};
    use rsipstack::transaction::transaction::TransactionEvent;
    use rsipstack::transaction::{EndpointBuilder, TransactionTimer};
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::transport_layer;

    fn key(number: usize) -> TransactionKey {
        let text = format!(
            "OPTIONS sip:a SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK{number}\r\nFrom: <sip:a@h>;tag=a\r\n\
             To: <sip:b@h>\r\nCall-ID: a\r\nCSeq: 1 OPTIONS\r\n\r\n"
        );
        let request: Request = match SipMessage::try_from(text.as_bytes()) {
            Ok(SipMessage::Request(request)) => request,
            _ => panic!("{text}"),
        };
        TransactionKey::from_request(&request, TransactionRole::Server).unwrap()
    }

    #[tokio::test]
    async fn timers_expire_whenever_they_were_set_and_the_end_is_noticed() {
        let token = CancellationToken::new();
        let endpoint = EndpointBuilder::new()
            .with_transport_layer(transport_layer(token.clone()))
            .with_cancel_token(token.clone())
            .build();
        let serving = tokio::spawn(serve_in_steps(endpoint.inner.clone()));
        let (sender, mut events) = tokio::sync::mpsc::unbounded_channel();
        for number in 0..20 {
            endpoint.inner.transactions.insert(key(number), sender.clone());
            let timer = TransactionTimer::TimerK(key(number));
            endpoint.inner.timers.timeout(Duration::from_millis(1), timer);
            // Others are set while the endpoint waits, and cancelled.
            let other = TransactionTimer::TimerD(key(number));
            let other = endpoint.inner.timers.timeout(Duration::from_hours(1), other);
            assert!(endpoint.inner.timers.cancel(other).is_some());
            let event = events.recv().await;
            assert!(matches!(event, Some(TransactionEvent::Timer(TransactionTimer::TimerK(_)))));
        }
        token.cancel();
        assert!(serving.await.unwrap().is_ok());
    }
}
