//! One call, from its first request to the last that may still come for it.

use std::sync::Arc;
use std::time::Duration;

use didww_types::Timestamp;
use rsipstack::sip::{Header, Response};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::acks::Acks;
use super::connect::Hop;
use super::late::{Late, late};
use super::media::Media;
use super::origin::{Origin, given};
use super::prack::Early;
use super::registry::Inbox;
use super::setup::{Leaving, Outcome};
use super::uri::Target;
use super::{Inner, Invitation, LegEnd, LegEvent};
use service_base::mailbox::Sender;

/// The work of a call.
pub(crate) struct Call {
    pub inner: Arc<Inner>,
    pub origin: Arc<Origin>,
    pub target: Target,
    /// What is called, as it was given.
    pub uri: String,
    /// The given headers.
    pub headers: Vec<Header>,
    pub inbox: Inbox,
    /// Nothing is told after the end.
    events: Option<Sender<LegEvent>>,
    pub hang_up: CancellationToken,
    pub acks: Acks,
    /// When it stops ringing.
    pub ring_until: Timestamp,
    pub leaving: Option<Leaving>,
    pub early: Vec<Early>,
    pub media: Option<Media>,
    /// The number of the last INVITE outside of a dialog.
    pub sequence: u32,
    /// The digests that the INVITE carries.
    pub authorizations: Vec<Authorization>,
    /// Whether a nonce was too old once.
    pub refreshed_nonce: bool,
    /// The last INVITE's way, where late responses are acknowledged from.
    pub way: Option<Hop>,
    /// Until when a final response may come again, on the clock's stopwatch.
    pub late_until: Duration,
    told: Told,
}

/// The answer to a challenge.
pub(crate) struct Authorization {
    /// Whether a proxy asked for it.
    pub proxy: bool,
    pub realm: String,
    pub header: Header,
}

/// What was told already: each event comes once.
#[derive(Debug, Default)]
struct Told {
    ringing: bool,
    progress: bool,
    answered: bool,
}

/// Counts a call as long as it is not over.
struct Counted<'a>(&'a watch::Sender<usize>);

impl<'a> Counted<'a> {
    fn new(running: &'a watch::Sender<usize>) -> Self {
        running.send_modify(|running| *running += 1);
        Self(running)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|running| *running -= 1);
    }
}

/// Takes a call from its invitation to its end.
pub(crate) async fn run(
    inner: Arc<Inner>,
    invitation: Invitation,
    events: Sender<LegEvent>,
    hang_up: CancellationToken,
) {
    let counted = Counted::new(&inner.running);
    let Some(target) = Target::parse(&invitation.uri, invitation.reach) else {
        tracing::warn!("a call was not placed: its URI is no SIP URI that can stand in a request");
        // The caller may have gone.
        let _gone = events.try_send(LegEvent::Ended(LegEnd::NoResponse));
        return;
    };
    let origin = Arc::new(Origin::new(Arc::clone(&inner), &invitation, target.secure));
    let mut call = Call {
        inbox: inner.registry.open(&origin.call_id),
        ring_until: inner.clock.now().after(inner.config.ring_timeout),
        inner: Arc::clone(&inner),
        origin,
        target,
        uri: invitation.uri,
        headers: given(&invitation.headers),
        events: Some(events),
        hang_up,
        acks: Acks::default(),
        leaving: None,
        early: Vec::new(),
        media: None,
        sequence: 0,
        authorizations: Vec::new(),
        refreshed_nonce: false,
        way: None,
        late_until: Duration::ZERO,
        told: Told::default(),
    };
    let end = call.live().await;
    call.tell(LegEvent::Ended(end));
    call.leave_behind();
    drop(counted);
}

impl Call {
    async fn live(&mut self) -> LegEnd {
        let inner = Arc::clone(&self.inner);
        let life = async {
            // Each part of a call's life has its own place on the heap, and gives it back.
            match Box::pin(self.set_up()).await {
                Outcome::Over(end) => end,
                Outcome::Up(up) => Box::pin(self.talk(*up)).await,
            }
        };
        match inner.stack.token().run_until_cancelled(life).await {
            Some(end) => end,
            None if self.told.answered => LegEnd::HungUpByUs,
            None => LegEnd::Cancelled,
        }
    }

    /// Tells an event, once.
    pub(crate) fn tell(&mut self, event: LegEvent) {
        let told = match event {
            LegEvent::Ringing => &mut self.told.ringing,
            LegEvent::Progress => &mut self.told.progress,
            LegEvent::Answered => &mut self.told.answered,
            LegEvent::Ended(_) => return self.tell_the_end(event),
        };
        if let (false, Some(events)) = (std::mem::replace(told, true), &self.events) {
            // Whoever placed the call may have gone.
            let _gone = events.try_send(event);
        }
    }

    fn tell_the_end(&mut self, end: LegEvent) {
        if let Some(events) = self.events.take() {
            let _gone = events.try_send(end);
        }
    }

    /// The headers of the digests.
    pub(crate) fn digests(&self) -> Vec<Header> {
        self.authorizations.iter().map(|authorization| authorization.header.clone()).collect()
    }

    /// Deals with a response that is none to the INVITE that is under way.
    pub(crate) async fn late(&mut self, response: &Response) {
        if let Some(way) = &self.way {
            let digests = self.digests();
            // Seldom needed, and large: not a part of every call's state.
            Box::pin(late(&self.origin, &self.uri, way, &digests, &mut self.acks, response)).await;
        }
    }

    /// Leaves behind what is needed for responses that may still come.
    fn leave_behind(self) {
        let digests = self.digests().into();
        let Self { inner, origin, uri, inbox, acks, way, late_until, media, .. } = self;
        if let Some(media) = media {
            media.close(&inner.ports);
        }
        if let Some(way) =
            way.filter(|_| late_until > inner.clock.stopwatch() && !inner.stack.token().is_cancelled())
        {
            let acks = tokio::sync::Mutex::new(acks);
            inbox.retire(Late { origin, uri: uri.into(), way, digests, acks }, late_until);
        }
    }
}
