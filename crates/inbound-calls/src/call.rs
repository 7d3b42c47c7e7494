//! A call from its first INVITE to its end. Each call has one task, which alone writes its record.

use std::sync::Arc;
use std::time::Duration;

use didww_types::resources::{ReroutingCode, TrunkConfiguration};
use didww_types::values::{CliPrefix, RingingTimeout};
use didww_types::{Patch, Timestamp};
use service_base::log_limiter::LogLimiter;
use sip_dialler::{Dialler, Egress, Invitation, Leg, LegEnd, LegEvent, SipCredentials, Try};
use tracing::Span;
use trunk_rules::inbound::{
    AttemptEnd, Destination, Ending, Next, Refused, caller_number, destination, next,
};
use trunk_store::StoreError;

use crate::capacity_place::{CapacityPlace, NoPlace};
use crate::live_calls::Slot;
use crate::record::{InboundAttempt, InboundCall, InboundStatus};
use crate::route::{Trunk, limit};
use crate::shared::Shared;
use crate::span;
use crate::stored;

/// The delay before the end of a call is written again after the store failed.
const WRITE_RETRY_DELAY: Duration = Duration::from_secs(1);
/// Limits the lines about calls that cannot be written. The end of each is written again every second.
static UNWRITTEN: LogLimiter = LogLimiter::new("inbound calls could not be written");

/// The text for the last attempt of a call, after which none follows.
const LAST: &str = "the call ended with this attempt";

/// A call whose record is stored, with the trunks that are tried.
pub(crate) struct Call {
    pub(crate) shared: Arc<Shared>,
    pub(crate) dialler: Arc<Dialler>,
    pub(crate) record: InboundCall,
    pub(crate) slot: Slot,
    /// The places in the capacity of the account, the DID and the group.
    pub(crate) places: Vec<CapacityPlace>,
    /// The trunks in the order in which they are tried; at least one.
    pub(crate) trunks: Vec<Trunk>,
}

/// The state of a call's task.
struct Running {
    shared: Arc<Shared>,
    dialler: Arc<Dialler>,
    record: InboundCall,
    slot: Slot,
    /// The revision of the stored record.
    revision: i64,
    /// Whether the store has no live record of the call any more.
    is_removed: bool,
    /// When the call is hung up because of its duration.
    deadline: Timestamp,
    /// The index of the present trunk's first attempt.
    first: usize,
    /// The end of the present attempt that this side caused: an answer that crosses it changes nothing.
    caused_end: Option<Result<AttemptEnd, Ending>>,
    /// The span of the call, until its end is written.
    span: Span,
}

/// Runs a call to its end.
pub(crate) async fn run(call: Call) {
    let Call { shared, dialler, record, slot, places, trunks } = call;
    let deadline = record.time_start.after(shared.config.longest_call);
    let span = span::begin(&record);
    let mut running = Running {
        shared,
        dialler,
        record,
        slot,
        revision: 0,
        is_removed: false,
        deadline,
        first: 0,
        caused_end: None,
        span,
    };
    let ending = running.dial(&trunks).await;
    // Freed before the end is written: a client that reads the end may place the next call at once, and a slow store
    // must not occupy places without calls. Each call waits for the write of its own beginning, so few calls can have
    // ended unwritten.
    drop(places);
    running.slot.free();
    running.end(ending).await;
}

impl Running {
    /// Tries the trunks in their order until one answers, and follows the call to its end.
    async fn dial(&mut self, trunks: &[Trunk]) -> Ending {
        let mut ending = Ending::Refused(Refused::NotRouted);
        for (position, trunk) in trunks.iter().enumerate() {
            // The hang-up may have been requested while the record was written: no other trunk must be called then.
            if let Some(by_server) = self.slot.hang_up.requested_by_server() {
                return hung_up(by_server, false);
            }
            self.first = self.record.attempts.len();
            let end = match Box::pin(self.attempt(trunk)).await {
                Ok(end) => end,
                Err(ending) => {
                    self.conclude(LAST);
                    return ending;
                }
            };
            if let Some(by_server) = self.slot.hang_up.requested_by_server() {
                self.conclude(LAST);
                return hung_up(by_server, false);
            }
            ending = Ending::Unanswered(end);
            let followed = next(end, rerouting_codes(trunk), position + 1 == trunks.len());
            self.conclude(&followed.to_string());
            if followed != Next::NextTrunk {
                return ending;
            }
            self.record.status = InboundStatus::Dialling;
            self.save().await;
        }
        ending
    }

    /// Calls a trunk and follows the call: to the end of the attempt without an answer, or (the error) to that of the
    /// call.
    async fn attempt(&mut self, trunk: &Trunk) -> Result<AttemptEnd, Ending> {
        let prefix = trunk.stored.cli_prefix.as_ref().map_or("", CliPrefix::as_str);
        let format = trunk.stored.cli_format.as_ref();
        let begun = InboundAttempt {
            voice_in_trunk: trunk.id,
            trunk_name: trunk.stored.name.clone(),
            cli: caller_number(&self.record.from, &self.record.to, format, prefix),
            ..InboundAttempt::default()
        };
        let to = match destination(&trunk.stored.configuration, &self.record.to) {
            Ok(to) => to,
            Err(why) => {
                self.record.attempts.push(InboundAttempt { outcome: Some(why.to_string()), ..begun });
                return Ok(AttemptEnd::NotDialled);
            }
        };
        let begun = InboundAttempt { uri: Some(to.uri.clone()), ..begun };
        let capacity = limit(trunk.stored.capacity_limit);
        // A slow database must not keep a caller from hanging up.
        let taken = tokio::select! {
            biased;
            () = self.slot.hang_up.requested() => {
                let by_server = self.slot.hang_up.requested_by_server().unwrap_or_default();
                return Err(hung_up(by_server, false));
            }
            taken = self.shared.enter(trunk.id, capacity) => taken,
        };
        let place = match taken {
            Ok(place) => place,
            Err(no_place) => {
                let end = match no_place {
                    NoPlace::Full => AttemptEnd::Full(capacity.unwrap_or_default()),
                    NoPlace::NotCounted => AttemptEnd::NotCounted,
                };
                self.record.attempts.push(InboundAttempt { outcome: Some(end.to_string()), ..begun });
                return Ok(end);
            }
        };
        let mut leg = self.dialler.call(invitation(to, &begun.cli, prefix));
        let end = self.follow(&mut leg, trunk, &begun).await;
        self.note(&leg, &begun);
        drop(place);
        if let (Some(Ok(given_up)), Some(last)) = (self.caused_end.take(), self.record.attempts.last_mut()) {
            // The dialler does not know why the call was hung up.
            last.outcome = Some(given_up.to_string());
        }
        end
    }

    /// Follows the call of one trunk to its end.
    async fn follow(
        &mut self,
        leg: &mut Leg,
        trunk: &Trunk,
        begun: &InboundAttempt,
    ) -> Result<AttemptEnd, Ending> {
        let (clock, hang_up) = (self.shared.core.clock.clone(), Arc::clone(&self.slot.hang_up));
        let now = clock.now();
        let rings = ringing_timeout(trunk.stored.ringing_timeout, self.shared.config.ring_timeout);
        let ring_until = now.after(rings);
        let mut respond_until = response_timeout(trunk).map(|time| now.after(time));
        let mut is_answered = false;
        loop {
            let of_attempt = [Some(ring_until), respond_until].into_iter().flatten().filter(|_| !is_answered);
            let due = of_attempt.chain([self.deadline]).min().unwrap_or(self.deadline);
            let is_open = self.caused_end.is_none();
            tokio::select! {
                biased;
                event = leg.next() => match event {
                    // Many PBXs announce early media with 183, and send no 180.
                    Some(LegEvent::Ringing | LegEvent::Progress)
                        if is_open && self.record.status == InboundStatus::Dialling =>
                    {
                        self.note(leg, begun);
                        self.record.status = InboundStatus::Ringing;
                        self.save().await;
                    }
                    Some(LegEvent::Answered) if is_open => {
                        is_answered = true;
                        self.note(leg, begun);
                        self.record.status = InboundStatus::Answered;
                        self.record.time_connect = Some(clock.now());
                        self.record.voice_in_trunk = Some(trunk.id);
                        self.save().await;
                    }
                    Some(LegEvent::Ringing | LegEvent::Progress | LegEvent::Answered) => {}
                    Some(LegEvent::Ended(end)) => {
                        return self.caused_end.unwrap_or_else(|| ended(end, is_answered));
                    }
                    None => return self.caused_end.unwrap_or(Err(Ending::Stopped(is_answered))),
                },
                () = hang_up.requested(), if is_open => {
                    let by_server = hang_up.requested_by_server().unwrap_or_default();
                    self.caused_end = Some(Err(hung_up(by_server, is_answered)));
                    leg.hang_up();
                }
                () = clock.sleep_until(due), if is_open => {
                    let now = clock.now();
                    if self.deadline <= now {
                        self.caused_end = Some(Err(Ending::TooLong(is_answered)));
                    } else if ring_until <= now {
                        self.caused_end = Some(Ok(AttemptEnd::RingingTimeout));
                    } else if has_response(leg) {
                        respond_until = None;
                    } else {
                        self.caused_end = Some(Ok(AttemptEnd::NoResponse));
                    }
                    if self.caused_end.is_some() {
                        leg.hang_up();
                    }
                }
            }
        }
    }

    /// Replaces the present trunk's attempts by the dialler's present record of them.
    fn note(&mut self, leg: &Leg, begun: &InboundAttempt) {
        let attempts = &mut self.record.attempts;
        attempts.truncate(self.first);
        attempts.extend(leg.tries().into_iter().map(|tried| begun.clone().with(tried)));
        self.first = self.first.saturating_sub(self.record.drop_oldest());
    }

    /// Sets the text that states what followed the present trunk's last attempt.
    fn conclude(&mut self, followed: &str) {
        let Some((last, others)) =
            self.record.attempts.get_mut(self.first..).and_then(<[InboundAttempt]>::split_last_mut)
        else {
            return;
        };
        last.next = Some(followed.to_owned());
        for other in others {
            other.next = Some("the next address of the host was tried".to_owned());
        }
    }

    /// Writes the record. Returns true if nothing is left to write.
    async fn save(&mut self) -> bool {
        if self.is_removed {
            return true;
        }
        let mut written = self.write().await;
        if written == Err(StoreError::Conflict) {
            // No other task writes a live record. If there is one, an earlier write of this task was committed although
            // its outcome was unknown.
            let stored = stored::live_revision(&self.shared.core, self.record.id).await;
            written = match stored {
                Ok(Some(revision)) => {
                    self.revision = revision;
                    self.write().await
                }
                Ok(None) => Err(StoreError::Conflict),
                Err(error) => Err(error),
            };
        }
        match written {
            Ok(()) => self.revision += 1,
            Err(StoreError::Conflict) => {
                // A reset removed the record, or its end is written: the call must not continue without one.
                self.is_removed = true;
                self.slot.hang_up.as_server();
            }
            Err(error) => {
                if UNWRITTEN.admits(self.record.id, self.shared.core.clock.now()) {
                    tracing::error!(%error, call = %self.record.id, "an inbound call could not be written");
                }
                return false;
            }
        }
        true
    }

    async fn write(&self) -> Result<(), StoreError> {
        let core = &self.shared.core;
        let change = stored::put(&self.record, core.store.node(), Some(self.revision))?;
        core.commit(vec![change]).await.map(|_| ())
    }

    /// Writes the end of the call, and retries until that succeeds: until then the call is live for all clients.
    async fn end(mut self, ending: Ending) {
        self.record.end(ending, self.shared.core.clock.now());
        span::record_end(&self.span, &self.record);
        log(&self.record);
        while !self.save().await {
            if !self.shared.core.is_ready() {
                // The server stops. Its next start ends the record.
                return;
            }
            tokio::time::sleep(WRITE_RETRY_DELAY).await;
        }
    }
}

/// Writes the log's line of a call that ended, and one of each attempt.
pub(crate) fn log(call: &InboundCall) {
    for tried in &call.attempts {
        tracing::info!(
            call = %call.id,
            trunk = %tried.voice_in_trunk,
            target = tried.target.as_deref().unwrap_or("-"),
            transport = tried.transport.as_deref().unwrap_or("-"),
            call_id = tried.call_id.as_deref().unwrap_or("-"),
            code = tried.code.unwrap_or_default(),
            outcome = tried.outcome.as_deref().unwrap_or("-"),
            next = tried.next.as_deref().unwrap_or("-"),
            "an inbound call was tried at a trunk"
        );
    }
    tracing::info!(
        call = %call.id,
        to = ?call.to,
        code = call.disconnect_code.unwrap_or_default(),
        initiator = call.disconnect_initiator.as_deref().unwrap_or("-"),
        reason = call.reason.as_deref().unwrap_or("-"),
        "an inbound call ended"
    );
}

/// How long a trunk may ring: for its own time if it has one, however long the server's is.
fn ringing_timeout(of_trunk: Option<RingingTimeout>, of_server: Duration) -> Duration {
    let seconds = of_trunk.map(|time| u64::try_from(time.get()).unwrap_or_default());
    seconds.map_or(of_server, Duration::from_secs)
}

/// How long a trunk may take for its first response (timer B).
fn response_timeout(trunk: &Trunk) -> Option<Duration> {
    let TrunkConfiguration::Sip(sip) = &trunk.stored.configuration else { return None };
    match sip.sip_timer_b {
        Patch::Set(millis) => Some(Duration::from_millis(u64::try_from(millis.get()).unwrap_or_default())),
        Patch::Keep | Patch::Clear => None,
    }
}

/// Whether a trunk has responded to an INVITE of a call at all.
fn has_response(leg: &Leg) -> bool {
    let responded = |tried: &Try| tried.first_provisional_at.is_some() || tried.final_at.is_some();
    leg.tries().iter().any(responded)
}

/// The response codes after which the next trunk is called. Without a list there are none.
fn rerouting_codes(trunk: &Trunk) -> &[ReroutingCode] {
    match &trunk.stored.configuration {
        TrunkConfiguration::Sip(sip) => match &sip.rerouting_disconnect_code_ids {
            Patch::Set(codes) => codes.as_slice(),
            Patch::Keep | Patch::Clear => &[],
        },
        _ => &[],
    }
}

/// The INVITE to a trunk. A customer chose the host, which must not be a service that only this machine can reach.
/// `prefix` is the beginning of `cli`, unless the caller has no number.
fn invitation(to: Destination, cli: &str, prefix: &str) -> Invitation {
    let Destination { uri, credentials, codecs, from_user, diverted_from } = to;
    let header =
        |name: &str, number: &str, prefix: &str| Some((name.to_owned(), identity(&uri, number, prefix)?));
    let asserted = from_user.is_some().then(|| header("P-Asserted-Identity", cli, prefix)).flatten();
    let diversion = diverted_from.and_then(|number| header("Diversion", &number, ""));
    Invitation {
        from_display: String::new(),
        from_user: from_user.unwrap_or_else(|| cli.to_owned()),
        headers: asserted.into_iter().chain(diversion).collect(),
        codecs,
        egress: Egress::Public,
        credentials: credentials.map(|(username, password)| SipCredentials { username, password }),
        uri,
    }
}

/// A number that begins with a prefix as an address at the host of the trunk; `None` for a caller without a number.
fn identity(uri: &str, number: &str, prefix: &str) -> Option<String> {
    let bare = number.strip_prefix(prefix).unwrap_or(number);
    let is_number = !bare.is_empty() && bare.bytes().all(|byte| byte.is_ascii_digit() || byte == b'+');
    // The only character of a prefix that a URI must escape.
    let number = number.replace('#', "%23");
    let host = trunk_rules::outbound::SipUri::parse(uri)?.host;
    // An IPv6 address has brackets in a URI.
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    is_number.then(|| format!("<sip:{number}@{host}>"))
}

fn hung_up(by_server: bool, is_answered: bool) -> Ending {
    match (by_server, is_answered) {
        (true, _) => Ending::Stopped(is_answered),
        (false, true) => Ending::CallerHungUp,
        (false, false) => Ending::Cancelled,
    }
}

/// The meaning of the end of a leg that this side did not cause.
fn ended(end: LegEnd, is_answered: bool) -> Result<AttemptEnd, Ending> {
    match end {
        LegEnd::Refused(code) => Ok(AttemptEnd::Refused(code)),
        LegEnd::NoResponse => Ok(AttemptEnd::NoResponse),
        LegEnd::NoPort => Ok(AttemptEnd::NoPort),
        LegEnd::RingTimeout => Ok(AttemptEnd::RingingTimeout),
        LegEnd::HungUp => Err(Ending::CalleeHungUp),
        LegEnd::Expired => Err(Ending::SessionExpired),
        LegEnd::Cancelled | LegEnd::HungUpByUs => Err(Ending::Stopped(is_answered)),
    }
}

#[cfg(test)]
mod tests {
    use didww_types::Secret;
    use trunk_rules::carrier::Codec;

    use super::*;

    fn to(from_user: Option<&str>) -> Destination {
        Destination {
            uri: "sip:442079460018@[2001:db8::1]:5070;transport=udp".to_owned(),
            credentials: Some(("alice".to_owned(), Secret::new("secret"))),
            codecs: vec![Codec::Pcma],
            from_user: from_user.map(str::to_owned),
            diverted_from: None,
        }
    }

    #[test]
    fn the_caller_is_the_user_of_from_unless_the_trunk_names_another_one() {
        let plain = invitation(to(None), "442079460999", "");
        assert_eq!((plain.from_user.as_str(), plain.headers.len()), ("442079460999", 0));
        let named = invitation(to(Some("line1")), "+442079460999", "+");
        assert_eq!(named.from_user, "line1");
        let expected = ("P-Asserted-Identity".to_owned(), "<sip:+442079460999@[2001:db8::1]>".to_owned());
        assert_eq!(named.headers, [expected]);
        assert!(invitation(to(Some("line1")), "anonymous", "+").headers.is_empty());
        let prefixed = invitation(to(Some("line1")), "B0#442079460999", "B0#");
        assert_eq!(prefixed.headers[0].1, "<sip:B0%23442079460999@[2001:db8::1]>");
        let diverted = Destination { diverted_from: Some("442079460018".to_owned()), ..to(None) };
        let expected = ("Diversion".to_owned(), "<sip:442079460018@[2001:db8::1]>".to_owned());
        assert_eq!(invitation(diverted, "1", "").headers, [expected]);
    }

    #[test]
    fn an_invite_goes_to_public_addresses_alone_and_has_the_credentials_of_the_trunk() {
        let invited = invitation(to(None), "1", "");
        assert_eq!((invited.egress, invited.codecs), (Egress::Public, vec![Codec::Pcma]));
        assert_eq!(invited.credentials.unwrap().username, "alice");
    }

    #[test]
    fn a_trunk_rings_for_its_own_time_and_without_one_for_that_of_the_server() {
        let (own, server) = (RingingTimeout::new(32).unwrap(), Duration::from_secs(5));
        assert_eq!(ringing_timeout(Some(own), server), Duration::from_secs(32));
        assert_eq!(ringing_timeout(None, server), server);
    }

    #[test]
    fn what_this_side_did_not_end_was_ended_by_the_trunk() {
        assert_eq!(ended(LegEnd::Refused(486), false), Ok(AttemptEnd::Refused(486)));
        assert_eq!(ended(LegEnd::HungUp, true), Err(Ending::CalleeHungUp));
        assert_eq!(ended(LegEnd::Expired, true), Err(Ending::SessionExpired));
        assert_eq!(ended(LegEnd::NoPort, false), Ok(AttemptEnd::NoPort));
        assert_eq!((hung_up(false, true), hung_up(false, false)), (Ending::CallerHungUp, Ending::Cancelled));
        assert_eq!(hung_up(true, true), Ending::Stopped(true));
    }
}
