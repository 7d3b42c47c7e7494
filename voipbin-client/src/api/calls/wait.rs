//! Following a call to its end.

use std::time::Duration;

use client_core::now;
use tokio::time::{sleep, timeout_at};
use uuid::Uuid;

use super::Calls;
use crate::Error;
use crate::error::StillUp;
use crate::types::Call;

impl Calls {
    /// Asks for a call until it is over, at most for so long, and gives it with its hangup reason.
    ///
    /// The waits between two questions double (see [`ClientBuilder::poll`](crate::ClientBuilder::poll)). A service
    /// that is busy or away for a moment is asked again; what is refused for good is an error at once. When the
    /// time is over the error is [`Error::StillUp`], with the call as it was seen last; the call goes on.
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
        let mut last = StillUp { id, waited: at_most, call: None, error: None };
        // A wait without an end is one of a century.
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
            let mut asked = None;
            match self.get(last.id).await {
                Ok(call) if call.is_over() => return Ok(call),
                Ok(call) => (last.call, last.error) = (Some(call), None),
                Err(error) if error.is_passing() => {
                    if let Error::RateLimited { retry_after, .. } = &error {
                        asked = *retry_after;
                    }
                    last.error = Some(error);
                }
                Err(error) => return Err(error),
            }
            attempts += 1;
            // Half of a wait is fixed, so that no question follows the one before at once.
            let jitter = 0.5 + self.0.channel().jitter() / 2.0;
            let wait = self.0.poll().wait(attempts, jitter);
            sleep(asked.map_or(wait, |asked| asked.max(wait))).await;
        }
    }
}
