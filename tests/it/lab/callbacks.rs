//! Faults of callbacks: lost, late, or answered with a status that no receiver sent.

use std::time::{Duration, Instant};

use serde_json::json;
use trunk_server::lab::Fault;
use trunk_server::store::Delivery;
use trunk_server::{Clock, TestServer};

use super::trunk;
use crate::support::api::Api;
use crate::support::engine;
use crate::support::receiver::{Answer, Receiver};

/// A server with a frozen clock, and a trunk whose callbacks go to a receiver.
struct Notified {
    server: TestServer,
    api: Api,
    receiver: Receiver,
    trunk: String,
}

impl Notified {
    async fn start() -> Self {
        let clock = Clock::system();
        clock.freeze(Some("2026-04-16T00:00:00.000Z".parse().unwrap()));
        let server = engine::builder().callback_secret("cbsec-0123456789").clock(clock).start().await;
        let api = Api::new(server.base_url(), server.api_key());
        let receiver = Receiver::start(Answer::Status(200)).await;
        let url = json!({ "callback_url": receiver.url("/hook") });
        let trunk = api.post("/voice_out_trunks", &trunk("A", &url)).await.id();
        Self { server, api, receiver, trunk }
    }

    /// Sets the trunk's status, which is an event.
    async fn set(&self, status: &str) {
        let attributes = json!({ "status": status });
        let body =
            json!({ "data": { "id": self.trunk, "type": "voice_out_trunks", "attributes": attributes } });
        let answer = self.api.patch(&format!("/voice_out_trunks/{}", self.trunk), &body).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
    }

    /// The attempts, the newest first, once there are this many.
    async fn attempts(&self, number: usize) -> Vec<Delivery> {
        let look = async {
            loop {
                let attempts =
                    self.server.control().deliveries(Some(self.server.account()), 10).await.unwrap();
                if attempts.len() >= number {
                    return attempts;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), look).await.expect("there were not as many attempts")
    }
}

#[tokio::test]
async fn a_lost_callback_counts_as_delivered_and_the_next_one_comes() {
    let mut notified = Notified::start().await;
    let fault = notified.server.fault(Fault::lost_callback().path("/hook").method("POST").nth(1));
    notified.set("blocked").await;
    let attempts = notified.attempts(1).await;
    assert_eq!((attempts[0].status, &attempts[0].error), (None, &None));
    assert_eq!((notified.server.hits(fault), notified.receiver.untaken()), (1, 0));
    notified.set("active").await;
    let came = notified.receiver.next().await;
    assert!(came.body.contains("active") && !came.body.contains("blocked"), "{}", came.body);
    assert_eq!(notified.receiver.untaken(), 0);
}

#[tokio::test]
async fn a_callback_that_counts_as_refused_is_repeated() {
    let mut notified = Notified::start().await;
    notified.server.fault(Fault::status(503).of_callbacks().account(notified.server.account()).nth(1));
    notified.set("blocked").await;
    let attempts = notified.attempts(1).await;
    assert_eq!((attempts[0].status, attempts[0].error.as_deref()), (Some(503), Some("answered 503")));
    assert_eq!(notified.receiver.untaken(), 0);
    notified.server.control().clock().advance(Duration::from_mins(1));
    let came = notified.receiver.next().await;
    assert!(came.body.contains("blocked"), "{}", came.body);
    let attempts = notified.attempts(2).await;
    assert_eq!((attempts[0].attempt, attempts[0].status), (2, Some(200)));
}

#[tokio::test]
async fn a_late_callback_comes_late_and_one_of_another_account_does_not() {
    let mut notified = Notified::start().await;
    let delay = Duration::from_millis(150);
    let other = notified.server.fault(Fault::lost_callback().account(uuid::Uuid::nil()));
    notified.server.fault(Fault::delay(delay).of_callbacks());
    let began = Instant::now();
    notified.set("blocked").await;
    notified.receiver.next().await;
    assert!(began.elapsed() >= delay);
    assert_eq!(notified.server.hits(other), 0);
}
