//! An admitted call before it runs, the channels that it has, and its first steps.

use std::sync::Arc;

use didww_types::Timestamp;
use service_core::channels::SharedChannel;
use trunk_rules::carrier::{Admitted, Cause, Channel};

use super::sdp_state::SdpState;
use super::{Begun, Call, Held, Setup, fault, span};
use crate::attempt_log;
use crate::call_event::CallEvent;
use crate::call_state::{CallState, DialogKey, Origin};
use crate::calls::StopGuard;
use crate::changes::has_lost_its_trunk;
use crate::diagnosis::refuse_unchecked;
use crate::inner::Inner;
use crate::merged_requests::Pending;
use crate::stack::{Incoming, Stack};

const NO_DIALOG: &str = "the INVITE has no Call-ID, From tag or CSeq that could name its dialog";

/// The channels of a call: among those of its trunk that this node counts, and among those that all nodes share. A stop
/// waits for the call until it is registered, and for as long as it has them.
#[expect(dead_code, reason = "they are held, and given back when they are dropped")]
pub(crate) struct Channels<'a> {
    pub(crate) own: Channel,
    pub(crate) shared: Option<Box<SharedChannel>>,
    pub(crate) stop_guard: StopGuard<'a>,
}

/// An admitted call before it runs.
pub(crate) struct Start<'a> {
    pub(crate) request: Incoming,
    pub(crate) admitted: Box<Admitted>,
    pub(crate) channel: Channels<'a>,
    pub(crate) started: Timestamp,
    /// Its INVITE among the pending ones.
    pub(crate) pending: Pending<'a>,
}

impl<'a> Call<'a> {
    /// Registers an admitted call. Returns `None` if its INVITE names no dialog and was refused.
    ///
    /// The boxes of what the call is made from are freed when this ends: moving a value out of its box does not free
    /// the box.
    pub(super) async fn begin(
        inner: &'a Arc<Inner>,
        stack: &'a Arc<Stack>,
        start: Box<Start<'a>>,
    ) -> Option<Begun<'a>> {
        let Start { request, mut admitted, channel, started, pending } = *start;
        let (Some(key), Some((sequence, _))) = (DialogKey::of(&request), request.sequence()) else {
            drop(channel);
            Box::pin(refuse_unchecked(inner, request, 400, NO_DIALOG)).await;
            return None;
        };
        let offered = admitted.media.take().map(Box::new);
        let call_state = CallState::new(
            key,
            Origin::of(inner.core.ids.record(started), &request, started),
            sequence,
            *admitted,
            inner.config.dtmf_digits,
        );
        let registered = inner.calls.register(call_state);
        let span = span::begin(&registered.call_state);
        if has_lost_its_trunk(inner, &registered.call_state) {
            // The trunk was deleted after it admitted the call, and no later change reports that.
            let _full = registered.call_state.mailbox.put(CallEvent::EndFor(Cause::TrunkDeleted));
        }
        let fault = fault::of(inner, &registered.call_state).await;
        let plan = inner.config.far_end.outcome(registered.call_state.destination);
        let (plan, sentence) = fault::applied(fault.as_ref(), plan);
        attempt_log::admitted(inner, &registered.call_state, sentence);
        let call = Call {
            inner,
            stack,
            registered,
            pending: Some(pending),
            media: None,
            account_slot: None,
            unacknowledged: None,
            paid_until: None,
            sdp_state: SdpState::new(inner.core.ids.word()),
            reinvite: None,
            session: None,
            min_session_interval: 0,
            dialog: None,
            reliable: None,
            pending_refresh: None,
            reconnecting: None,
            byes: Vec::new(),
        };
        let setup = Box::new(Setup { request, offered, plan, fault });
        Some(Begun { held: Held { channel, span }, call, setup })
    }
}
