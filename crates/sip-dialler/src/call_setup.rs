//! The setup of a call, until it is answered, refused or cancelled.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rsipstack::sip::{Header, Headers, Method, Response};
use rsipstack::transaction::transaction::Transaction;
use service_base::log_limiter::LogLimiter;
use sip_transport::body::session_description;
use sip_transport::session_timer::{Session, TimerHeaders};
use sip_transport::tag_of;

use crate::call::{AnsweredCall, Call, Cancellation, MAX_END_ROUND_TRIPS, STRAY_ROUND_TRIPS, SetupOutcome};
use crate::dialog::Dialog;
use crate::dialogs::Inbound;
use crate::digest::Answers;
use crate::headers::{is_sent_by, lists, remote_tag, sequence, value};
use crate::hop::{Hop, Unreachable};
use crate::inspection::has_offer;
use crate::invite::Invite;
use crate::leg::{LegEnd, LegEvent};
use crate::media::{Media, described};
use crate::origin::Line;
use crate::outcome::Outcome;
use crate::responses::finish_in_background;
use crate::stack::ALLOW;
use crate::stopwatch::sleep_until;
use crate::transaction::request_response;
use crate::tries::{Try, transport_name};

/// Counts calls without a media port, which are logged as a sum.
static NO_PORT: LogLimiter = LogLimiter::new("calls were not placed: no port for media was free");

/// The outcome of an INVITE to one address.
enum Attempt {
    Answered(Box<AnsweredCall>),
    Ended(LegEnd),
    /// Another address of the host may succeed; if there is none, the call ends like this.
    NextAddress(LegEnd),
    /// The INVITE is repeated with a digest.
    Retry,
}

/// The code of a call whose answer accepts none of the offered media.
const NOT_ACCEPTABLE_HERE: u16 = 488;

impl Call {
    /// Resolves the host, and sends the INVITE to its addresses in turn.
    pub(crate) async fn set_up(&mut self) -> SetupOutcome {
        let network = Arc::clone(&self.origin.network);
        let targets = network.resolver.targets(&self.target, &network.ids);
        let addresses = match self.unless_cancelled(targets).await {
            Ok(Ok(addresses)) => addresses,
            Ok(Err(why)) => {
                self.begin_try(None);
                self.tries.conclude(&Outcome::NoAddress(why.to_string()));
                return SetupOutcome::Ended(LegEnd::NoResponse);
            }
            Err(end) => {
                self.begin_try(None);
                self.conclude_unfinished(end);
                return SetupOutcome::Ended(end);
            }
        };
        let mut last = LegEnd::NoResponse;
        let (transport, name) = (self.target.transport, self.target.host.clone());
        for address in addresses {
            self.begin_try(Some(address));
            // The nonces of one server mean nothing to another, whose first challenge is no refusal of the password.
            self.answers = Answers::default();
            let hop = network.connector.hop_to(&network.stack, transport, address, &name);
            let hop = match self.unless_cancelled(hop).await {
                Ok(Ok(hop)) => hop,
                Ok(Err(why)) => {
                    self.tries.conclude(&Outcome::Unreachable(why.to_string()));
                    continue;
                }
                Err(end) => {
                    self.conclude_unfinished(end);
                    return SetupOutcome::Ended(end);
                }
            };
            if !self.open_media(&hop).await {
                if NO_PORT.admits((), self.shared.clock.now()) {
                    tracing::warn!("a call was not placed: no port for media is free");
                }
                self.tries.conclude(&Outcome::NoMediaPort);
                return SetupOutcome::Ended(LegEnd::NoPort);
            }
            loop {
                match self.attempt(&hop).await {
                    Attempt::Answered(answered) => return SetupOutcome::Answered(answered),
                    Attempt::Ended(end) => {
                        self.conclude_unfinished(end);
                        return SetupOutcome::Ended(end);
                    }
                    Attempt::NextAddress(end) => {
                        self.conclude_unfinished(end);
                        last = end;
                        break;
                    }
                    Attempt::Retry if self.hang_up.is_cancelled() => {
                        self.conclude_unfinished(LegEnd::Cancelled);
                        return SetupOutcome::Ended(LegEnd::Cancelled);
                    }
                    Attempt::Retry => {}
                }
            }
        }
        SetupOutcome::Ended(last)
    }

    /// Begins the record of an attempt at an address.
    fn begin_try(&self, target: Option<SocketAddr>) {
        self.tries.begin(Try {
            host: self.target.host.clone(),
            target,
            transport: transport_name(self.target.transport),
            call_id: self.origin.call_id.clone(),
            ..Try::default()
        });
    }

    /// States the outcome of the current attempt as the end of the call states it, unless a more exact one was stated.
    fn conclude_unfinished(&self, end: LegEnd) {
        let seconds = self.shared.config.ring_timeout.as_secs();
        let outcome = match end {
            LegEnd::Refused(code) => Outcome::Refused(code),
            LegEnd::NoResponse => Outcome::Silent,
            LegEnd::NoPort => Outcome::NoMediaPort,
            LegEnd::RingTimeout => Outcome::NotAnswered(seconds),
            LegEnd::Cancelled => Outcome::HungUp,
            LegEnd::HungUp | LegEnd::Expired | LegEnd::HungUpByUs => Outcome::Answered,
        };
        self.tries.conclude(&outcome);
    }

    /// Waits for a future until the call is hung up or has not been answered in time.
    async fn unless_cancelled<T>(&self, future: impl Future<Output = T>) -> Result<T, LegEnd> {
        tokio::select! {
            biased;
            () = self.hang_up.cancelled() => Err(LegEnd::Cancelled),
            () = self.shared.clock.sleep_until(self.ring_until) => Err(LegEnd::RingTimeout),
            done = future => Ok(done),
        }
    }

    /// Binds a media port if there is none yet, and returns whether there is one.
    async fn open_media(&mut self, hop: &Hop) -> bool {
        if self.media.is_none() {
            let shared = &self.shared;
            let (bind, advertised) = (shared.config.listen, hop.local.ip());
            self.media = Media::open(&shared.ports, bind, advertised, shared.network.ids.word()).await;
        }
        self.media.is_some()
    }

    /// Sends the INVITE to one address and waits for the outcome.
    async fn attempt(&mut self, hop: &Hop) -> Attempt {
        self.early.clear();
        self.preview = None;
        self.invite_hop = Some(hop.clone());
        let mut invite = match self.invite(hop).await {
            Ok(invite) => invite,
            Err(why) => {
                self.tries.conclude(&Outcome::NotSent(why.to_string()));
                return Attempt::NextAddress(LegEnd::NoResponse);
            }
        };
        let sent_at = self.shared.clock.now();
        self.tries.update(|current| _ = current.sent_at.get_or_insert(sent_at));
        let (mut has_responded, is_only_connection) = (false, !hop.can_be_answered_over_another());
        let clock = self.shared.clock.clone();
        loop {
            if let Some(end) = self.continue_cancellation(&mut invite, has_responded) {
                return Attempt::Ended(end);
            }
            let cancellation = self.cancellation.as_ref();
            let cancellation_timer = cancellation.and_then(|cancellation| {
                cancellation.abandon_at.into_iter().chain([cancellation.report_at]).min()
            });
            let next_timer = [invite.next_timer(), cancellation_timer].into_iter().flatten().min();
            let is_wanted = cancellation.is_none();
            tokio::select! {
                biased;
                () = self.hang_up.cancelled(), if is_wanted => {
                    self.cancel(LegEnd::Cancelled, &mut invite, has_responded);
                }
                inbound = self.inbox.next() => match inbound {
                    Inbound::Request(request) => Box::pin(self.early_request(*request)).await,
                    Inbound::Response(response) => {
                        let is_current =
                            sequence(&response.headers).is_some_and(|(number, _)| number == invite.sequence);
                        if is_current && !invite.hop.is_open() {
                            Box::pin(self.reconnect(&mut invite)).await;
                        }
                        match response.status_code.code() {
                            _ if !is_current => self.stray_response(&response).await,
                            // It answers the request of another sender.
                            _ if !is_sent_by(&response, hop.local) => {}
                            0..200 => {
                                has_responded = true;
                                invite.stop_timers();
                                Box::pin(self.provisional(&response, &invite)).await;
                            }
                            200..300 => return Box::pin(self.answered(&response, &invite)).await,
                            _ => return Box::pin(self.refused(&response, &invite)).await,
                        }
                    }
                },
                () = hop.closed(), if is_only_connection || !has_responded => {
                    let closed = if has_responded { Outcome::ConnectionLost } else { Outcome::ConnectionClosed };
                    self.tries.conclude(&closed);
                    return self.unanswered();
                }
                () = clock.sleep_until(self.ring_until), if is_wanted => {
                    self.cancel(LegEnd::RingTimeout, &mut invite, has_responded);
                }
                () = sleep_until(&clock, next_timer) => {
                    if Box::pin(invite.on_timer(clock.stopwatch())).await {
                        let seconds = (self.shared.config.t1 * STRAY_ROUND_TRIPS).as_secs();
                        self.tries.conclude(&Outcome::NoResponse(seconds));
                        return self.unanswered();
                    }
                }
            }
        }
    }

    /// The outcome without a final response.
    fn unanswered(&self) -> Attempt {
        match &self.cancellation {
            Some(cancellation) => Attempt::Ended(cancellation.end),
            None => Attempt::NextAddress(LegEnd::NoResponse),
        }
    }

    /// Sends an INVITE with the next `CSeq` number, an offer, and the credentials of earlier challenges.
    async fn invite(&mut self, hop: &Hop) -> Result<Invite, Unreachable> {
        self.sequence += 1;
        let to = format!("<{}>", self.target.to);
        let line =
            Line { method: Method::Invite, uri: &self.uri, to: &to, sequence: self.sequence, routes: &[] };
        let mut further = vec![
            self.origin.contact(hop),
            Header::Allow(ALLOW.into()),
            Header::Supported("100rel, timer".into()),
        ];
        further.extend(self.digests());
        further.extend(self.headers.iter().cloned());
        let codecs = &self.codecs;
        let offer = self.media.as_mut().map(|media| media.offer(codecs)).unwrap_or_default();
        let request = self.origin.request(&line, hop, further, offer);
        if let Some(address) = hop.address() {
            let (stack, call_id) = (&self.origin.network.stack, &self.origin.call_id);
            stack.assign_messages(call_id, address.ip(), &self.target.host);
        }
        Invite::send(&self.shared, request, hop.clone(), self.sequence).await
    }

    /// Opens another connection for what follows a response that arrived after that of its INVITE was closed.
    async fn reconnect(&mut self, invite: &mut Invite) {
        if let Some(hop) = self.origin.reconnected(&invite.hop).await {
            invite.hop = Hop::clone(&hop);
            self.invite_hop = Some(hop);
        }
    }

    /// Begins the cancellation of the call. `end` is the reported end of the leg.
    fn cancel(&mut self, end: LegEnd, invite: &mut Invite, has_responded: bool) {
        invite.stop_retransmissions();
        let (now, t1) = (self.shared.clock.stopwatch(), self.shared.config.t1);
        // Without a response no CANCEL can be sent, so that nothing else is waited for than a response on its way.
        let report_at =
            if has_responded { now + t1 * MAX_END_ROUND_TRIPS } else { now.max(invite.sent_at + t1) };
        self.cancellation = Some(Cancellation { end, report_at, abandon_at: None });
    }

    /// Sends the CANCEL of a cancelled call once a response has arrived (RFC 3261 §9.1), and reports the end
    /// if its confirmation takes too long. Returns the end when the INVITE is abandoned.
    fn continue_cancellation(&mut self, invite: &mut Invite, has_responded: bool) -> Option<LegEnd> {
        let (now, t1) = (self.shared.clock.stopwatch(), self.shared.config.t1);
        let timeout = t1 * STRAY_ROUND_TRIPS;
        let cancellation = self.cancellation.as_mut()?;
        let end = cancellation.end;
        if has_responded && cancellation.abandon_at.is_none() {
            cancellation.abandon_at = Some(now + timeout);
            cancellation.report_at = cancellation.report_at.max(now + t1 * MAX_END_ROUND_TRIPS);
            let (cancel, mut hop) = (invite.cancel(), invite.hop.clone());
            // The response to the CANCEL is ignored: only the final response to the INVITE ends the call.
            let origin = Arc::clone(&self.origin);
            self.origin.network.stack.spawn(async move {
                if !hop.is_open()
                    && let Some(again) = origin.reconnected(&hop).await
                {
                    hop = again;
                }
                let _ignored = request_response(&origin.network.stack, cancel, &hop).await;
            });
        }
        if cancellation.abandon_at.is_some_and(|at| at <= now) {
            self.stray_until = now + timeout;
            return Some(end);
        }
        if cancellation.report_at <= now {
            cancellation.report_at = Duration::MAX;
            // The records are complete when the end is reported.
            self.conclude_unfinished(end);
            self.report(LegEvent::Ended(end));
        }
        None
    }

    /// Reports 180 and 183, and acknowledges a provisional response that requires it (RFC 3262).
    async fn provisional(&mut self, response: &Response, invite: &Invite) {
        let code = response.status_code.code();
        let now = self.shared.clock.now();
        self.tries.update(|current| _ = current.first_provisional_at.get_or_insert(now));
        if self.cancellation.is_none() {
            match code {
                180 => self.report(LegEvent::Ringing),
                183 => self.report(LegEvent::Progress),
                _ => {}
            }
        }
        if code > 100 && lists(&response.headers, "Require", "100rel") {
            self.acknowledge_provisional(response, invite).await;
        } else if let Ok(Some(described)) = session_description(&response.headers, &response.body) {
            self.preview = Some((remote_tag(response).into(), described.to_vec()));
        }
    }

    /// Acknowledges the answer, and hangs up if the call was cancelled or no media was accepted.
    async fn answered(&mut self, response: &Response, invite: &Invite) -> Attempt {
        self.expect_stray_responses();
        self.tries.final_response(response, self.shared.clock.now());
        let tag = remote_tag(response);
        let early =
            self.early.iter().position(|early| early.dialog.tag == tag).map(|at| self.early.swap_remove(at));
        let mut answer = early.as_ref().and_then(|early| early.answer.clone());
        let mut dialog = Dialog::of(&self.origin, response, &invite.hop, &self.uri, invite.sequence).await;
        if let Some(early) = &early {
            // The PRACK requests have used further numbers.
            dialog.continue_from(&early.dialog);
        }
        let ack = dialog.request(&self.origin, Method::Ack, invite.sequence, self.digests(), String::new());
        self.acks.send(invite.sequence, tag, &ack, &dialog.hop).await;
        self.early = Vec::new();
        if let Some(cancellation) = &self.cancellation {
            let end = cancellation.end;
            // The BYE is sent by its own task, even if it takes longer.
            let bye = dialog.bye(&self.origin);
            let _timeout = tokio::time::timeout(self.shared.config.t1 * MAX_END_ROUND_TRIPS, bye).await;
            return Attempt::Ended(end);
        }
        let mut missing = "the answer has no session description".to_owned();
        // The first description of the dialog is the answer, and later ones are ignored (RFC 3261 §13.2.1).
        if answer.is_none() {
            match session_description(&response.headers, &response.body) {
                Ok(described) => answer = described.map(<[u8]>::to_vec),
                Err(why) => missing = why.to_string(),
            }
        }
        // Some carriers leave it out of the 2xx if a provisional response has it (RFC 3261 §13.2.1).
        let preview = self.preview.take().filter(|(sender, _)| **sender == *tag);
        let answer = answer.or_else(|| preview.map(|(_, described)| described));
        let applied = match &answer {
            Some(answer) => self.apply_answer(answer).await,
            None => Err(missing),
        };
        if let Err(why) = applied {
            self.tries.media(&format!("no media: {why}"));
            self.tries.conclude(&Outcome::NoMedia(response.status_code.code(), why));
            let bye = dialog.bye(&self.origin);
            let _timeout = tokio::time::timeout(self.shared.config.t1 * MAX_END_ROUND_TRIPS, bye).await;
            return Attempt::Ended(LegEnd::Refused(NOT_ACCEPTABLE_HERE));
        }
        self.tries.conclude(&Outcome::Answered);
        let terms = TimerHeaders::of(&response.headers).ok().and_then(|timer| timer.agreed());
        let session = terms.map(|terms| Session::new(terms, self.shared.clock.now()));
        let supports_update = lists(&response.headers, "Allow", "UPDATE");
        Attempt::Answered(Box::new(AnsweredCall { dialog, session, supports_update }))
    }

    /// Acknowledges a final response other than 2xx, and decides how to continue.
    async fn refused(&mut self, response: &Response, invite: &Invite) -> Attempt {
        let code = response.status_code.code();
        self.tries.final_response(response, self.shared.clock.now());
        self.acks.send(invite.sequence, remote_tag(response), &invite.ack(response), &invite.hop).await;
        if !invite.hop.is_reliable() {
            self.expect_stray_responses();
        }
        if let Some(cancellation) = &self.cancellation {
            return Attempt::Ended(cancellation.end);
        }
        match code {
            401 | 407 if self.authorize(response) => {
                self.tries.update(|current| current.challenges = current.challenges.saturating_add(1));
                Attempt::Retry
            }
            // Another address of the host may be available (RFC 3263 §4.3).
            503 => Attempt::NextAddress(LegEnd::Refused(code)),
            _ => Attempt::Ended(LegEnd::Refused(code)),
        }
    }

    /// Adds the answer to a challenge to the next INVITE. Returns false if that cannot succeed.
    fn authorize(&mut self, response: &Response) -> bool {
        let added = self.answers.add(&self.origin, response, "INVITE", &self.uri);
        if let Err(why) = &added {
            self.tries.conclude(why);
        }
        added.is_ok()
    }

    /// Answers a request of the far end before its answer.
    async fn early_request(&mut self, request: Transaction) {
        let Some(request) = self.inspected(request) else { return };
        match request.original.method {
            // Our own offer has no answer in its dialog yet (RFC 3311 §5.2).
            Method::Update if has_offer(&request) && !self.has_early_answer(&request) => {
                finish_in_background(request, 491, "Request Pending", Vec::new());
            }
            Method::Update => {
                self.replace_early_answer(&request);
                let headers = request.original.headers.clone();
                if self.renegotiate(request, self.invite_hop.clone(), Vec::new()).await {
                    self.retarget_early(&headers).await;
                }
            }
            Method::Options => finish_in_background(request, 200, "OK", vec![Header::Allow(ALLOW.into())]),
            Method::Bye => finish_in_background(request, 200, "OK", Vec::new()),
            Method::Invite => finish_in_background(request, 491, "Request Pending", Vec::new()),
            _ => finish_in_background(request, 405, "Method Not Allowed", vec![Header::Allow(ALLOW.into())]),
        }
    }

    /// Moves the target of an early dialog as an UPDATE in it demands (RFC 3311 §5.2): later PRACK requests go there.
    async fn retarget_early(&mut self, update: &Headers) {
        let tag = value(update, "From").and_then(tag_of).unwrap_or_default();
        if let Some(early) = self.early.iter_mut().find(|early| early.dialog.tag == tag) {
            early.dialog.retarget(&self.origin, update).await;
        }
    }

    /// Whether the early dialog of a request has the answer to our offer.
    fn has_early_answer(&self, request: &Transaction) -> bool {
        let tag = value(&request.original.headers, "From").and_then(tag_of).unwrap_or_default();
        self.early.iter().any(|early| early.dialog.tag == tag && early.answer.is_some())
    }

    /// Replaces the answer of an early dialog by the offer of an UPDATE in it, unless that is not acceptable: the final
    /// response must not undo the later agreement.
    fn replace_early_answer(&mut self, update: &Transaction) {
        let headers = &update.original.headers;
        let tag = value(headers, "From").and_then(tag_of).unwrap_or_default();
        let Ok(Some(offer)) = session_description(headers, &update.original.body) else { return };
        if !matches!(described(offer), Ok(Some(_))) {
            return;
        }
        if let Some(early) = self.early.iter_mut().find(|early| early.dialog.tag == tag)
            && early.answer.is_some()
        {
            early.answer = Some(offer.to_vec());
        }
    }
}
