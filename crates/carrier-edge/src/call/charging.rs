//! The last step before a call is answered: checks that it may be, and starts to charge for it.

use std::sync::Arc;

use didww_types::Timestamp;
use trunk_rules::carrier::{Cause, reason_phrase};

use super::Call;
use super::endings::{CANCELLED, ending};
use crate::record::Ending;
use crate::stack::{Incoming, InviteEvent};

impl Call<'_> {
    /// Starts to charge for the call. Returns the time of the answer, from which on the call is charged.
    ///
    /// # Errors
    /// The ending of a call that must not be answered; the INVITE then has its final response.
    pub(super) async fn charge(&mut self, request: &mut Incoming) -> Result<Timestamp, Ending> {
        let (inner, call_state) = (self.inner, Arc::clone(&self.registered.call_state));
        if !call_state.has_proved_address {
            let now = inner.core.clock.now();
            let unacknowledged = inner.unacknowledged_answers.take(call_state.origin.source.ip(), now);
            self.unacknowledged = unacknowledged.map(Box::new);
            if self.unacknowledged.is_none() {
                return Err(self.refuse_answer(request, Cause::Unacknowledged).await);
            }
        }
        let charging = inner.billing.answered(inner, &call_state, inner.core.clock.now());
        tokio::pin!(charging);
        let charged = tokio::select! {
            biased;
            invite_event = request.next_event() => {
                self.pending = None;
                if invite_event == InviteEvent::Cancelled {
                    request.respond(487, reason_phrase(487), &[], "").await;
                }
                return Err(CANCELLED);
            }
            charged = &mut charging => charged,
        };
        match charged {
            Ok(()) => Ok(inner.core.clock.now()),
            Err(cause) => Err(self.refuse_answer(request, cause).await),
        }
    }

    /// Sends the final response of a call that must not be answered, and returns its ending.
    async fn refuse_answer(&mut self, request: &mut Incoming, cause: Cause) -> Ending {
        let code = match cause {
            Cause::RejectedByAuthRecord => self.inner.config.settings.blocked_code,
            cause => cause.code(),
        };
        let refused = Ending { code, ..ending(cause) };
        self.respond_with(request, &refused).await;
        refused
    }

    /// Records that the caller acknowledged the answer, or proved in another way that it received it.
    pub(super) fn acknowledged(&mut self, answered: Timestamp) {
        if let Some(account_slot) = self.unacknowledged.take() {
            account_slot.acknowledged(self.inner.core.clock.now());
        }
        self.inner.front.record_call(&self.registered.call_state, true);
        self.inner.billing.acknowledged(self.inner, &self.registered.call_state, answered);
    }
}
