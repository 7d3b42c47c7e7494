//! A re-INVITE of the caller that was answered with 200, until its ACK.

use service_base::awaited::Awaited;

use crate::stack::{Acknowledgement, Incoming};

/// The last such re-INVITE.
pub(super) struct AnsweredReinvite {
    /// True if the 200 carries an offer of the edge, which the ACK must answer.
    pub(super) offers: bool,
    /// Its ACK; `None` if none arrives. Until then the 200 is repeated.
    acknowledgement: Awaited<Option<Acknowledgement>>,
}

impl AnsweredReinvite {
    pub(super) fn new(mut request: Incoming, offers: bool) -> Self {
        let acknowledgement = Awaited::new(async move {
            let _is_acknowledged = request.wait_acknowledged().await;
            request.take_acknowledgement()
        });
        Self { offers, acknowledgement }
    }
}

/// Waits for the end of a re-INVITE's transaction, forever if there is none. Cancel safe.
pub(super) fn acknowledgement(
    reinvite: Option<&mut AnsweredReinvite>,
) -> impl Future<Output = Option<Acknowledgement>> {
    Awaited::result_of(reinvite.map(|reinvite| &mut reinvite.acknowledgement))
}
