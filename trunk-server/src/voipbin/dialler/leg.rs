//! One call, from its first request to the last that may still come for it.

use std::sync::Arc;
use std::time::Duration;

use didww_types::Timestamp;
use rsipstack::sip::{Header, Method, Response};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::acks::Acks;
use super::connect::Hop;
use super::dialog::{Dialog, remote_tag, sequence};
use super::incoming::finish_alone;
use super::media::Media;
use super::origin::{Origin, given};
use super::registry::{Inbound, Inbox};
use super::setup::{Early, Leaving, Outcome};
use super::uri::Target;
use super::{Inner, Invitation, LegEnd, LegEvent};

/// The work of a call.
pub(super) struct Call {
    pub(super) inner: Arc<Inner>,
    pub(super) origin: Arc<Origin>,
    pub(super) target: Target,
    /// What is called, as it was given.
    pub(super) uri: String,
    /// The given headers.
    pub(super) headers: Vec<Header>,
    pub(super) inbox: Inbox,
    /// Nothing is told after the end.
    events: Option<mpsc::Sender<LegEvent>>,
    pub(super) hang_up: CancellationToken,
    pub(super) acks: Acks,
    /// When it stops ringing.
    pub(super) ring_until: Timestamp,
    pub(super) leaving: Option<Leaving>,
    pub(super) early: Vec<Early>,
    pub(super) media: Option<Media>,
    /// The number of the last INVITE outside of a dialog.
    pub(super) sequence: u32,
    /// The digests that the INVITE carries.
    pub(super) authorizations: Vec<Authorization>,
    /// Whether a nonce was too old once.
    pub(super) refreshed_nonce: bool,
    /// The last INVITE's way, where late responses are acknowledged from.
    pub(super) way: Option<Hop>,
    /// Until when a final response may come again, on the clock's stopwatch.
    pub(super) late_until: Duration,
    told: Told,
}

/// The answer to a challenge.
pub(super) struct Authorization {
    /// Whether a proxy asked for it.
    pub(super) proxy: bool,
    pub(super) realm: String,
    pub(super) header: Header,
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
pub(super) async fn run(
    inner: Arc<Inner>,
    invitation: Invitation,
    events: mpsc::Sender<LegEvent>,
    hang_up: CancellationToken,
) {
    let counted = Counted::new(&inner.running);
    let Some(target) = Target::parse(&invitation.uri) else {
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
    call.linger();
    drop(counted);
}

impl Call {
    async fn live(&mut self) -> LegEnd {
        // Each part of a call's life has its own place on the heap, and gives it back.
        match Box::pin(self.set_up()).await {
            Outcome::Over(end) => end,
            Outcome::Up(up) => Box::pin(self.talk(*up)).await,
        }
    }

    /// Tells an event, once.
    pub(super) fn tell(&mut self, event: LegEvent) {
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
    pub(super) fn digests(&self) -> Vec<Header> {
        self.authorizations.iter().map(|authorization| authorization.header.clone()).collect()
    }

    /// Acknowledges a final response that came again. One of another dialog, which a fork made after the call was
    /// answered or given up, is acknowledged and hung up.
    pub(super) async fn late(&mut self, response: &Response) {
        if let Some(way) = &self.way {
            let late = Late { origin: &self.origin, uri: &self.uri, way, digests: self.digests() };
            late.response(&mut self.acks, response).await;
        }
    }

    /// What may still come for a call that is over: final responses whose ACK was lost, and answers of forks.
    fn linger(self) {
        let digests = self.digests();
        let Self { inner, origin, uri, mut inbox, mut acks, way, late_until, .. } = self;
        let left = late_until.saturating_sub(inner.clock.stopwatch());
        let Some(way) = way.filter(|_| !left.is_zero()) else { return };
        let ended = inner.stack.token().clone();
        tokio::spawn(async move {
            let over = tokio::time::sleep(left);
            tokio::pin!(over);
            let late = Late { origin: &origin, uri: &uri, way: &way, digests };
            loop {
                tokio::select! {
                    biased;
                    () = ended.cancelled() => return,
                    inbound = inbox.next() => match inbound {
                        Inbound::Response(response) => late.response(&mut acks, &response).await,
                        Inbound::Request(request) => {
                            // Both may hang up at the same time.
                            let bye = request.original.method == Method::Bye;
                            let (code, phrase) =
                                if bye { (200, "OK") } else { (481, "Call/Transaction Does Not Exist") };
                            finish_alone(*request, code, phrase, Vec::new());
                        }
                        Inbound::Answer(_) => {}
                    },
                    () = &mut over => return,
                }
            }
        });
    }
}

/// What is needed to deal with a late response.
struct Late<'a> {
    origin: &'a Arc<Origin>,
    uri: &'a str,
    way: &'a Hop,
    digests: Vec<Header>,
}

impl Late<'_> {
    async fn response(&self, acks: &mut Acks, response: &Response) {
        let code = response.status_code.code();
        let Some((number, _)) = sequence(&response.headers) else { return };
        if code < 200 || acks.again(number, remote_tag(response)).await || code >= 300 || acks.is_full() {
            return;
        }
        let dialog = Dialog::of(self.origin, response, self.way, self.uri, number).await;
        let ack = dialog.request(self.origin, Method::Ack, number, self.digests.clone(), String::new());
        acks.send(number, remote_tag(response), ack, &dialog.hop).await;
        // Hung up, whether it is waited for or not.
        let _bye = dialog.bye(self.origin);
    }
}
