//! The task of a call, from its first request until its end is reported.

use std::sync::Arc;
use std::time::Duration;

use didww_types::Timestamp;
use rsipstack::sip::{Header, Response};
use service_base::awaited::Awaited;
use service_base::mailbox::Sender;
use sip_transport::session_timer::Session;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use trunk_rules::carrier::Codec;

use crate::acks::Acks;
use crate::dialog::Dialog;
use crate::dialogs::Inbox;
use crate::digest::Answers;
use crate::early_dialog::EarlyDialog;
use crate::hop::Hop;
use crate::inspection::RemoteSequences;
use crate::leg::{Invitation, LegEnd, LegEvent};
use crate::media::Media;
use crate::origin::{Origin, custom_headers};
use crate::outcome::Outcome;
use crate::responses::Completion;
use crate::shared::Shared;
use crate::stray_responses::{StrayResponses, handle_stray};
use crate::tries::{Tries, Try};
use crate::uri::Target;

/// How many round trips the end of a call may take before it is reported without waiting longer.
pub(crate) const MAX_END_ROUND_TRIPS: u32 = 4;

/// How many round trips a final response may be retransmitted for (64 T1, RFC 3261 §13.3.1.4 and §17.2.1),
/// and how many a cancelled INVITE is waited for (§9.1).
pub(crate) const STRAY_ROUND_TRIPS: u32 = 64;

/// The state of a call.
pub(crate) struct Call {
    pub(crate) shared: Arc<Shared>,
    pub(crate) origin: Arc<Origin>,
    pub(crate) target: Target,
    /// The called URI as it was given.
    pub(crate) uri: String,
    /// The headers of the invitation.
    pub(crate) headers: Vec<Header>,
    /// The codecs of our offers.
    pub(crate) codecs: Vec<Codec>,
    pub(crate) inbox: Inbox,
    /// `None` after the end was reported.
    events: Option<Sender<LegEvent>>,
    pub(crate) hang_up: CancellationToken,
    pub(crate) acks: Acks,
    /// When the call is cancelled because it was not answered.
    pub(crate) ring_until: Timestamp,
    pub(crate) cancellation: Option<Cancellation>,
    pub(crate) early: Vec<EarlyDialog>,
    /// The last session description of an unreliable provisional response, and the tag of its sender: the answer, if
    /// the 2xx of the same sender has none.
    pub(crate) preview: Option<(Box<str>, Vec<u8>)>,
    pub(crate) media: Option<Media>,
    /// The last re-INVITE that was answered with 200, until its ACK.
    pub(crate) reinvite: Option<AnsweredReinvite>,
    /// The `CSeq` number of the last INVITE outside of a dialog.
    pub(crate) sequence: u32,
    /// The digests that the INVITE carries.
    pub(crate) answers: Answers,
    /// The numbers of the far end's requests.
    pub(crate) remote_sequences: RemoteSequences,
    /// The hop of the last INVITE, over which stray responses are acknowledged.
    pub(crate) invite_hop: Option<Hop>,
    /// Until when a final response may be retransmitted, on the clock's stopwatch.
    pub(crate) stray_until: Duration,
    pub(crate) tries: Tries,
    reported: Reported,
}

/// A re-INVITE of the far end that was answered with 200.
pub(crate) struct AnsweredReinvite {
    /// True if the 200 carries an offer of ours, which the ACK may answer.
    pub(crate) offers: bool,
    /// The end of its transaction.
    pub(crate) completion: Awaited<Completion>,
}

/// A call that is cancelled while its INVITE is pending.
#[derive(Debug)]
pub(crate) struct Cancellation {
    pub(crate) end: LegEnd,
    /// When the end is reported even if the far end has not confirmed it, on the clock's stopwatch.
    pub(crate) report_at: Duration,
    /// When the INVITE is abandoned, on the clock's stopwatch; set when the CANCEL was sent.
    pub(crate) abandon_at: Option<Duration>,
}

/// The outcome of a call's setup.
pub(crate) enum SetupOutcome {
    Answered(Box<AnsweredCall>),
    Ended(LegEnd),
}

/// The result of a successful setup.
pub(crate) struct AnsweredCall {
    pub(crate) dialog: Dialog,
    pub(crate) session: Option<Session>,
    /// Whether the far end supports UPDATE.
    pub(crate) supports_update: bool,
}

/// The events that were reported, since each is reported once.
#[derive(Debug, Default)]
struct Reported {
    ringing: bool,
    progress: bool,
    answered: bool,
}

/// Counts a call as active until it is dropped.
struct ActiveCall<'a>(&'a watch::Sender<usize>);

impl<'a> ActiveCall<'a> {
    fn new(count: &'a watch::Sender<usize>) -> Self {
        count.send_modify(|count| *count += 1);
        Self(count)
    }
}

impl Drop for ActiveCall<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

/// Runs a call from its invitation to its end.
pub(crate) async fn run(
    shared: Arc<Shared>,
    invitation: Invitation,
    events: Sender<LegEvent>,
    hang_up: CancellationToken,
    tries: Tries,
) {
    let active = ActiveCall::new(&shared.active_calls);
    let Some(target) = Target::parse(&invitation.uri, invitation.egress) else {
        tracing::warn!("a call was not placed: its URI is not a supported SIP URI");
        tries.begin(Try::default());
        tries.conclude(&Outcome::NoUri);
        // The owner of the call may have dropped it.
        let _dropped = events.try_send(LegEvent::Ended(LegEnd::NoResponse));
        return;
    };
    let origin = Arc::new(Origin::new(Arc::clone(&shared.network), &invitation, target.secure));
    let mut call = Call {
        inbox: shared.dialogs.open(&origin.call_id),
        ring_until: shared.clock.now().after(shared.config.ring_timeout),
        shared: Arc::clone(&shared),
        origin,
        target,
        uri: invitation.uri,
        headers: custom_headers(&invitation.headers),
        codecs: if invitation.codecs.is_empty() { shared.config.codecs.clone() } else { invitation.codecs },
        events: Some(events),
        hang_up,
        acks: Acks::default(),
        cancellation: None,
        early: Vec::new(),
        preview: None,
        media: None,
        reinvite: None,
        sequence: 0,
        answers: Answers::default(),
        remote_sequences: RemoteSequences::default(),
        invite_hop: None,
        stray_until: Duration::ZERO,
        tries,
        reported: Reported::default(),
    };
    let end = call.run_to_end().await;
    call.tries.conclude(&Outcome::Stopped);
    call.report(LegEvent::Ended(end));
    call.retire();
    drop(active);
}

impl Call {
    async fn run_to_end(&mut self) -> LegEnd {
        let network = Arc::clone(&self.origin.network);
        let phases = async {
            // Each phase is boxed, so that its memory is freed when it ends.
            match Box::pin(self.set_up()).await {
                SetupOutcome::Ended(end) => end,
                SetupOutcome::Answered(answered) => Box::pin(self.run_established(*answered)).await,
            }
        };
        match network.stack.token().run_until_cancelled(phases).await {
            Some(end) => end,
            None if self.reported.answered => LegEnd::HungUpByUs,
            None => LegEnd::Cancelled,
        }
    }

    /// Reports an event, unless it was reported before.
    pub(crate) fn report(&mut self, event: LegEvent) {
        let reported = match event {
            LegEvent::Ringing => &mut self.reported.ringing,
            LegEvent::Progress => &mut self.reported.progress,
            LegEvent::Answered => &mut self.reported.answered,
            LegEvent::Ended(_) => return self.report_end(event),
        };
        if let (false, Some(events)) = (std::mem::replace(reported, true), &self.events) {
            // The owner of the call may have dropped it.
            let _dropped = events.try_send(event);
        }
    }

    fn report_end(&mut self, end: LegEvent) {
        if let Some(events) = self.events.take() {
            let _dropped = events.try_send(end);
        }
    }

    /// The digest headers of the INVITE.
    pub(crate) fn digests(&self) -> Vec<Header> {
        self.answers.headers()
    }

    /// Sets the time until which a final response to the last INVITE may be retransmitted.
    pub(crate) fn expect_stray_responses(&mut self) {
        self.stray_until = self.shared.clock.stopwatch() + self.shared.config.t1 * STRAY_ROUND_TRIPS;
    }

    /// Handles a response that does not belong to the pending INVITE.
    pub(crate) async fn stray_response(&mut self, response: &Response) {
        if let Some(hop) = &self.invite_hop {
            let digests = self.digests();
            // Boxed, because it is large and rarely needed: it must not enlarge the state of every call.
            Box::pin(handle_stray(&self.origin, &self.uri, hop, &digests, &mut self.acks, response)).await;
        }
    }

    /// Closes the media, and keeps the state that handles stray responses.
    fn retire(self) {
        let digests = self.digests().into();
        let Self { shared, origin, uri, inbox, acks, invite_hop, stray_until, media, .. } = self;
        if let Some(media) = media {
            media.close(&shared.ports);
        }
        if let Some(hop) = invite_hop.filter(|_| {
            stray_until > shared.clock.stopwatch() && !shared.network.stack.token().is_cancelled()
        }) {
            let acks = tokio::sync::Mutex::new(acks);
            inbox.retire(StrayResponses { origin, uri: uri.into(), hop, digests, acks }, stray_until);
        }
    }
}
