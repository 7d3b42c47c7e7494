//! The handle of the lab, which the components of a server share.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::StatusCode;
use service_base::clock::Clock;
use uuid::Uuid;

use crate::fault::{Effect, Target};
use crate::faults::{Faults, Seen};
use crate::journal::Journal;
use crate::surroundings::Surroundings;

/// The lab of one server: its faults, and its journal if it keeps one. Clones are the same lab.
#[derive(Clone, Default)]
pub struct Lab(Arc<Inner>);

#[derive(Default)]
struct Inner {
    clock: Clock,
    faults: Faults,
    journal: Option<Arc<Journal>>,
    surroundings: OnceLock<Arc<dyn Surroundings>>,
}

impl fmt::Debug for Lab {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The entries of the journal would make the output long.
        f.debug_struct("Lab").field("faults", &self.faults()).finish_non_exhaustive()
    }
}

/// The effect of a fault on a callback, after the delay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CallbackFate {
    /// The callback is sent.
    Sent,
    /// The callback is not sent, and counts as answered with this status.
    Answered(StatusCode),
    /// The callback is not sent, and counts as delivered.
    Lost,
}

impl Lab {
    /// A lab without faults, with a journal of this many entries; without one if that is 0.
    pub fn new(clock: Clock, journal_entries: usize) -> Self {
        let journal = (journal_entries > 0).then(|| Arc::new(Journal::new(journal_entries)));
        Self(Arc::new(Inner { clock, faults: Faults::default(), journal, surroundings: OnceLock::new() }))
    }

    /// Sets the server's [`Surroundings`], once, before the server listens.
    pub fn enter(&self, surroundings: Arc<dyn Surroundings>) {
        // A second call has no effect: a server starts once.
        let _first = self.0.surroundings.set(surroundings);
    }

    /// Returns the faults.
    pub fn faults(&self) -> &Faults {
        &self.0.faults
    }

    /// Returns the journal, if there is one.
    pub fn journal(&self) -> Option<&Arc<Journal>> {
        self.0.journal.as_ref()
    }

    /// Whether a fault names an account, so that the account of a callback has to be found.
    pub fn names_accounts(&self) -> bool {
        self.0.faults.names_accounts()
    }

    /// Finds the fault that applies to a callback or a webhook, and waits for its delay, or until the server stops.
    pub async fn send(&self, account: Option<Uuid>, method: &str, path: &str) -> CallbackFate {
        let Some(strike) =
            self.0.faults.strike(Seen { target: Target::Callbacks, account, trunk: None, method, path })
        else {
            return CallbackFate::Sent;
        };
        self.pause(strike.delay).await;
        let status = strike.fault.status.and_then(|status| StatusCode::from_u16(status).ok());
        match (strike.fault.effect, status) {
            (Effect::Lose, _) => CallbackFate::Lost,
            (Effect::Status, Some(status)) => CallbackFate::Answered(status),
            _ => CallbackFate::Sent,
        }
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.0.clock
    }

    pub(crate) fn surroundings(&self) -> Option<&Arc<dyn Surroundings>> {
        self.0.surroundings.get()
    }

    /// Waits for a time, or until the server stops.
    pub(crate) async fn pause(&self, time: Duration) {
        if time.is_zero() {
            return;
        }
        let stopping = async {
            match self.surroundings() {
                Some(surroundings) => surroundings.stopping().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = tokio::time::sleep(time) => {}
            () = stopping => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::response::Response;
    use http::request::Parts;
    use service_base::boxed::Boxed;

    use super::*;
    use crate::Fault;

    /// A server that stops.
    #[derive(Debug)]
    struct Stopping;

    impl Surroundings for Stopping {
        fn account<'a>(&'a self, _request: &'a mut Parts) -> Boxed<'a, Option<Uuid>> {
            Box::pin(async { None })
        }

        fn refusal(&self, _request: &Parts, _status: StatusCode) -> Response {
            Response::new(Body::empty())
        }

        fn stopping(&self) -> Boxed<'_, ()> {
            Box::pin(async {})
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_delay_of_a_callback_ends_when_the_server_stops() {
        let lab = Lab::default();
        lab.enter(Arc::new(Stopping));
        lab.faults().add(Fault::delay(Duration::from_mins(1)).of_callbacks()).unwrap();
        let began = tokio::time::Instant::now();
        assert_eq!(lab.send(None, "POST", "/hook").await, CallbackFate::Sent);
        assert_eq!(began.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_callback_is_sent_late_or_lost_or_counts_as_answered() {
        let lab = Lab::default();
        let send = async || lab.send(None, "POST", "/hook").await;
        assert_eq!(send().await, CallbackFate::Sent);
        lab.faults().add(Fault::lost_callback().path("/other")).unwrap();
        assert_eq!(send().await, CallbackFate::Sent);
        lab.faults().add(Fault::lost_callback().nth(1)).unwrap();
        lab.faults().add(Fault::status(503).of_callbacks().nth(1)).unwrap();
        lab.faults().add(Fault::delay(Duration::from_secs(5)).of_callbacks()).unwrap();
        assert_eq!(send().await, CallbackFate::Lost);
        assert_eq!(send().await, CallbackFate::Answered(StatusCode::SERVICE_UNAVAILABLE));
        let began = tokio::time::Instant::now();
        assert_eq!(send().await, CallbackFate::Sent);
        assert!(began.elapsed() >= Duration::from_secs(5));
    }
}
