//! Polling of a call until it has been answered, or has ended.

use std::time::Duration;

use client_core::now;
use tokio::time::{sleep, timeout_at};
use uuid::Uuid;

use super::Calls;
use crate::Error;
use crate::error::{Awaited, StillUp};
use crate::types::Call;

impl Calls {
    /// Polls a call until it has been answered or has ended, for at most `at_most`, and returns the call.
    /// [`Call::was_answered`] distinguishes the two; a call that ended without an answer has a hangup reason.
    ///
    /// The wait between two requests doubles up to a limit: see
    /// [`ClientBuilder::poll`](crate::ClientBuilder::poll).
    ///
    /// # Errors
    /// Returns [`Error::StillUp`] with the last known state of the call when it still rings at the end of the
    /// time limit; the call itself continues. Otherwise like
    /// [`wait_until_hung_up`](Self::wait_until_hung_up).
    ///
    /// ```
    /// # async fn f(client: &voipbin_client::Client, id: voipbin_client::Uuid) -> Result<(), voipbin_client::Error> {
    /// use std::time::Duration;
    ///
    /// let call = client.calls().wait_until_answered(id, Duration::from_secs(60)).await?;
    /// if call.was_answered() {
    ///     println!("answered at {:?}", call.tm_progressing);
    /// } else {
    ///     println!("not answered: {:?}", call.hangup_reason);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn wait_until_answered(&self, id: Uuid, at_most: Duration) -> Result<Call, Error> {
        self.wait(id, Awaited::Answer, at_most).await
    }

    /// Polls a call until it has ended, for at most `at_most`, and returns the call with its hangup reason.
    ///
    /// The wait between two requests doubles up to a limit: see
    /// [`ClientBuilder::poll`](crate::ClientBuilder::poll).
    ///
    /// # Errors
    /// Returns [`Error::StillUp`] with the last known state of the call when the call has not ended in time;
    /// the call itself continues. Transport errors, rate limits and 5xx statuses are tolerated until then.
    /// Any other error is returned at once.
    ///
    /// ```
    /// # async fn f(client: &voipbin_client::Client, id: voipbin_client::Uuid) -> Result<(), voipbin_client::Error> {
    /// use std::time::Duration;
    /// use voipbin_client::Error;
    ///
    /// match client.calls().wait_until_hung_up(id, Duration::from_secs(120)).await {
    ///     Ok(call) => println!("{:?} by {:?}", call.hangup_reason, call.hangup_by),
    ///     Err(Error::StillUp(_)) => {
    ///         client.calls().hangup(id).await?;
    ///     }
    ///     Err(error) => return Err(error),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn wait_until_hung_up(&self, id: Uuid, at_most: Duration) -> Result<Call, Error> {
        self.wait(id, Awaited::End, at_most).await
    }

    async fn wait(&self, id: Uuid, awaited: Awaited, at_most: Duration) -> Result<Call, Error> {
        let mut last = StillUp { id, awaited, waited: at_most, call: None, error: None };
        // A duration that the clock cannot represent is shortened to 100 years.
        let start = now();
        let deadline = start.checked_add(at_most).unwrap_or(start + Duration::from_hours(24 * 36_525));
        match timeout_at(deadline, self.follow(&mut last)).await {
            Ok(end) => end,
            Err(_) => Err(Error::StillUp(Box::new(last))),
        }
    }

    async fn follow(&self, last: &mut StillUp) -> Result<Call, Error> {
        let mut attempts = 0;
        loop {
            let mut requested_wait = None;
            match self.get(last.id).await {
                Ok(call) if last.awaited.is_reached_by(&call) => return Ok(call),
                Ok(call) => (last.call, last.error) = (Some(call), None),
                Err(error) if error.is_temporary() => {
                    if let Error::RateLimited { retry_after, .. } = &error {
                        requested_wait = *retry_after;
                    }
                    last.error = Some(error);
                }
                Err(error) => return Err(error),
            }
            attempts += 1;
            // The jitter is at least 0.5, so that there is always a wait between two requests.
            let jitter = 0.5 + self.0.channel().jitter() / 2.0;
            let wait = self.0.poll().wait(attempts, jitter);
            sleep(requested_wait.map_or(wait, |requested| requested.max(wait))).await;
        }
    }
}
