//! What happens before a call is answered: whether it may be, and that it is charged from then on.

use std::sync::Arc;

use didww_types::Timestamp;
use trunk_rules::carrier::{Cause, reason_phrase};

use super::{CANCELLED, Call, ending};
use crate::record::Ending;
use crate::stack::{Happened, Incoming};

impl Call<'_> {
    /// Has the call charged, and returns the moment from which on it is: the answer goes out then. Where it must not be
    /// answered, the INVITE is, and the ending says why.
    pub(super) async fn charge(&mut self, request: &mut Incoming) -> Result<Timestamp, Ending> {
        let (inner, facts) = (self.inner, Arc::clone(&self.registered.facts));
        if !facts.is_heard {
            let now = inner.core.clock.now();
            self.unacknowledged = inner.unacknowledged.take(facts.origin.source.ip(), now);
            if self.unacknowledged.is_none() {
                return Err(self.refuse_answer(request, Cause::Unacknowledged).await);
            }
        }
        let charging = inner.spend.answered(inner, &facts, inner.core.clock.now());
        tokio::pin!(charging);
        let charged = tokio::select! {
            biased;
            happened = request.happened() => {
                if happened == Happened::Cancelled {
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

    async fn refuse_answer(&self, request: &mut Incoming, cause: Cause) -> Ending {
        let code = match cause {
            Cause::RejectedByAuthRecord => self.inner.config.settings.blocked_code,
            cause => cause.code(),
        };
        request.respond(code, reason_phrase(code), &[], "").await;
        Ending { code, ..ending(cause) }
    }

    /// The caller acknowledged the answer, or showed in another way that it heard it.
    pub(super) fn acknowledged(&mut self, answered: Timestamp) {
        if let Some(place) = self.unacknowledged.take() {
            place.acknowledged(self.inner.core.clock.now());
        }
        self.inner.spend.acknowledged(self.inner, &self.registered.facts, answered);
    }
}
