//! The checks of a call, one after the other; the first that fails decides.

mod select;

use std::borrow::Cow;
use std::sync::Arc;

use didww_types::Timestamp;
use didww_types::values::Money;
use rust_decimal::Decimal;

use self::select::select;
use super::cli::presentation_is_restricted;
use super::index::Entry;
use super::{
    Admitted, Attempt, Caller, Cause, Channel, Channels, Check, Checks, Cli, CliHeader, CliRefusal,
    DestinationRefusal, Digits, EmergencyCall, Full, Identified, Media, MediaRefusal, Nonces, Rate, RateCard,
    Refusal, Settings, TrunkIndex, TrunkTerms, Verdict, has_room, negotiate, normalise, reason_phrase,
    user_part,
};

/// The money of trunks at the moment of a call.
pub trait Funds {
    /// What a trunk spent, with what is held for calls that are up, where that is too much for one call more. Its
    /// status may not say so yet.
    fn exhausted(&self, trunk: &TrunkTerms) -> Option<Money>;

    /// Whether what a call of the trunk costs can be written.
    fn are_recorded(&self, trunk: &TrunkTerms) -> bool;
}

/// The world as a call meets it.
#[derive(Clone, Copy)]
pub struct Snapshot<'a> {
    /// All trunks, with their channels in use.
    pub trunks: &'a TrunkIndex,
    /// The settings of the edge.
    pub settings: &'a Settings,
    /// Who knows the nonces.
    pub nonces: &'a dyn Nonces,
    /// The rates. Without a card every destination has a route, and none a price.
    pub rates: Option<&'a RateCard>,
    /// Who knows the money. Without it a trunk's status alone counts.
    pub funds: Option<&'a dyn Funds>,
    /// The moment.
    pub now: Timestamp,
    /// A random word, for `randomize_cli`.
    pub random: u64,
}

/// Decides about a call without taking a channel: to explain, or where channels are counted elsewhere.
pub fn admit(snapshot: &Snapshot<'_>, attempt: &Attempt<'_>) -> Verdict {
    let hold = |channels: &Channels, limit| has_room(channels.held(), limit);
    match judge(snapshot, attempt, hold) {
        Ok((admitted, ())) => Verdict::Admitted(Box::new(admitted)),
        Err(verdict) => verdict,
    }
}

/// Decides about a call and, if it is admitted, takes its channel in the same step. The channel is given
/// back when it is dropped.
pub fn admit_and_hold(snapshot: &Snapshot<'_>, attempt: &Attempt<'_>) -> (Verdict, Option<Channel>) {
    match judge(snapshot, attempt, Channels::take) {
        Ok((admitted, channel)) => (Verdict::Admitted(Box::new(admitted)), Some(channel)),
        Err(verdict) => (verdict, None),
    }
}

/// Decides only whose call it is, by address, tech prefix and digest: what is asked before anything is kept of a caller
/// that nobody knows. An error is the challenge or refusal that [`admit`] would give.
pub fn identify(snapshot: &Snapshot<'_>, attempt: &Attempt<'_>) -> Result<Identified, Verdict> {
    let dialled = user_part(attempt.request_uri).unwrap_or_default();
    select(snapshot, attempt, &dialled).map(|(_, identified, _)| identified)
}

/// What is known of a call whose trunk was found.
struct Call<'a> {
    snapshot: &'a Snapshot<'a>,
    attempt: &'a Attempt<'a>,
    trunk: &'a Arc<TrunkTerms>,
    /// What was dialled, tech prefix and all.
    dialled: &'a [u8],
    /// What was dialled after the tech prefix.
    number: &'a [u8],
    caller: Caller<'a>,
    emergency: Option<EmergencyCall>,
    passed: Checks,
}

fn judge<C>(
    snapshot: &Snapshot<'_>,
    attempt: &Attempt<'_>,
    hold: impl FnOnce(&Channels, Option<u32>) -> Result<C, Full>,
) -> Result<(Admitted, C), Verdict> {
    let dialled = user_part(attempt.request_uri).unwrap_or_default();
    let (Entry { terms: trunk, channels }, identified, passed) = select(snapshot, attempt, &dialled)?;
    // Exactly once: what follows may look like the prefix again.
    let number = dialled.strip_prefix(trunk.tech_prefix.as_bytes()).unwrap_or(&dialled);
    let caller = caller(snapshot.settings, attempt);
    let emergency = snapshot.settings.emergency.find(number, caller.number);
    let mut call = Call { snapshot, attempt, trunk, dialled: &dialled, number, caller, emergency, passed };
    call.request()?;
    call.status()?;
    call.recording()?;
    let destination = call.destination()?;
    call.emergency()?;
    call.destination_rule(destination)?;
    let cli = call.cli()?;
    let rate = call.route(destination)?;
    let media = call.media()?;
    let channel = call.capacity(channels, hold)?;
    let admitted = Admitted {
        trunk: Arc::clone(trunk),
        identified,
        dialled: text(&dialled),
        destination,
        cli,
        emergency,
        media,
        rate,
        passed: call.passed,
    };
    Ok((admitted, channel))
}

fn caller<'a>(settings: &Settings, attempt: &Attempt<'a>) -> Caller<'a> {
    let identity = match settings.cli_header {
        CliHeader::From => None,
        CliHeader::Identity => attempt.preferred_identity.or(attempt.asserted_identity),
    };
    Caller::of_header(identity.unwrap_or(attempt.from))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Why a call is refused, in words.
struct Because {
    configured: Cow<'static, str>,
    received: String,
    explanation: Cow<'static, str>,
}

impl Call<'_> {
    fn refuse(&self, check: Check, cause: Cause, code: u16, because: Because) -> Verdict {
        Verdict::Refused(Box::new(Refusal {
            check,
            cause,
            code,
            phrase: phrase(self.snapshot.settings, cause, code),
            trunk: Some(Arc::clone(self.trunk)),
            configured: because.configured.into_owned(),
            received: because.received,
            explanation: because.explanation.into_owned(),
            dialled: text(self.dialled),
            passed: self.passed,
        }))
    }

    /// Whether this call skips what emergency calls skip.
    const fn bypasses(&self) -> bool {
        self.emergency.is_some() && self.snapshot.settings.emergency_bypass
    }

    /// An INVITE that cannot be answered is refused once its owner is known: whoever may not call learns no more.
    fn request(&mut self) -> Result<(), Verdict> {
        if let Some(flaw) = self.attempt.flaw {
            let because = Because {
                configured: flaw.configured.to_owned().into(),
                received: flaw.received.to_owned(),
                explanation: flaw.explanation.to_owned().into(),
            };
            return Err(self.refuse(Check::Request, flaw.cause, flaw.cause.code(), because));
        }
        self.passed.add(Check::Request);
        Ok(())
    }

    fn status(&mut self) -> Result<(), Verdict> {
        let trunk = self.trunk;
        let no_spending = trunk.threshold.is_some_and(|threshold| threshold.amount() <= Decimal::ZERO);
        let reached = trunk.gate.blocked && trunk.gate.threshold_reached;
        let by_hand = trunk.gate.blocked && !reached;
        let held = self.snapshot.funds.and_then(|funds| funds.exhausted(trunk));
        let spent_too_much = reached || held.is_some();
        if by_hand || ((spent_too_much || no_spending) && !self.bypasses()) {
            let threshold = || trunk.threshold.map_or("null".to_owned(), |threshold| threshold.to_string());
            let because = if by_hand {
                Because {
                    configured: "status blocked".into(),
                    received: "threshold_reached false".to_owned(),
                    explanation: "the trunk was blocked by hand; set its status to active".into(),
                }
            } else {
                let explanation = if spent_too_much {
                    "the spending of the last 24 hours reached threshold_amount; wait, raise it or set the status to active"
                } else {
                    "a threshold_amount of zero allows no spending; raise it"
                };
                Because {
                    configured: format!("threshold_amount {}", threshold()).into(),
                    received: format!("spent_amount {}", held.unwrap_or(trunk.spent)),
                    explanation: explanation.into(),
                }
            };
            let code = self.snapshot.settings.blocked_code;
            return Err(self.refuse(Check::Status, Cause::RejectedByAuthRecord, code, because));
        }
        self.passed.add(Check::Status);
        Ok(())
    }

    /// A call whose price could not be kept is not let in, unless somebody's life may depend on it.
    fn recording(&mut self) -> Result<(), Verdict> {
        let is_recorded = self.snapshot.funds.is_none_or(|funds| funds.are_recorded(self.trunk));
        if self.emergency.is_none() && !is_recorded {
            let because = Because {
                configured: self.trunk.threshold.map_or("threshold_amount null".into(), |threshold| {
                    format!("threshold_amount {threshold}").into()
                }),
                received: "nothing can be written".to_owned(),
                explanation:
                    "the server cannot write what calls cost; its operator must make room, or restart it"
                        .into(),
            };
            return Err(self.refuse(
                Check::Recording,
                Cause::NotRecorded,
                Cause::NotRecorded.code(),
                because,
            ));
        }
        self.passed.add(Check::Recording);
        Ok(())
    }

    fn destination(&mut self) -> Result<Digits, Verdict> {
        let destination = match self.emergency {
            Some(call) => Ok(call.number),
            None => normalise(self.number),
        };
        let destination = destination.map_err(|error| {
            let because = Because {
                configured: "country code, area code and subscriber number".into(),
                received: text(self.number),
                explanation: error.to_string().into(),
            };
            self.refuse(
                Check::Number,
                Cause::NumberMalformed,
                self.snapshot.settings.bad_number_code,
                because,
            )
        })?;
        self.passed.add(Check::Number);
        Ok(destination)
    }

    fn emergency(&mut self) -> Result<(), Verdict> {
        let allowed = |number| self.trunk.allows_emergency_from(number, self.snapshot.now);
        if self.emergency.is_some() && !self.caller.number.is_some_and(allowed) {
            let because = Because {
                configured: format!("{} emergency numbers", self.trunk.emergency_callers().len()).into(),
                received: self.caller.text().into_owned(),
                explanation: "an emergency call must show a DID of emergency_dids; it is never replaced"
                    .into(),
            };
            let code = self.snapshot.settings.cli_reject_code;
            return Err(self.refuse(Check::Emergency, Cause::SourceBlacklisted, code, because));
        }
        self.passed.add(Check::Emergency);
        Ok(())
    }

    fn destination_rule(&mut self, destination: Digits) -> Result<(), Verdict> {
        if self.bypasses() {
            return Ok(());
        }
        if let Err(refusal) = self.trunk.destinations.check(destination) {
            let (configured, explanation) = match refusal {
                DestinationRefusal::Excepted(prefix) => (
                    format!("allow_all except {prefix}"),
                    "dst_prefixes are exceptions: with allow_all they are refused",
                ),
                DestinationRefusal::NotListed(count) => (
                    format!("reject_all except {count} prefixes"),
                    "with reject_all only the numbers of dst_prefixes can be called",
                ),
            };
            let because = Because {
                configured: configured.into(),
                received: destination.to_string(),
                explanation: explanation.into(),
            };
            let code = self.snapshot.settings.dst_reject_code;
            return Err(self.refuse(Check::Destination, Cause::DestinationBlacklisted, code, because));
        }
        self.passed.add(Check::Destination);
        Ok(())
    }

    fn cli(&mut self) -> Result<Cli, Verdict> {
        let restricted = self.attempt.privacy.is_some_and(presentation_is_restricted);
        if self.emergency.is_some() {
            let original = self.caller.text().into_owned();
            let presented = self.caller.number.map_or_else(|| original.clone(), |number| number.to_string());
            return Ok(Cli { original, presented, action: None, diverted: false, restricted });
        }
        let diversion = self
            .attempt
            .diversion
            .filter(|_| self.snapshot.settings.diversion_satisfies_cli)
            .and_then(|value| Caller::of_header(value).number);
        let (now, random) = (self.snapshot.now, self.snapshot.random);
        let cli = self.trunk.cli.check(&self.caller, diversion, now, random).map_err(|refusal| {
            let because = self.cli_because(refusal);
            self.refuse(Check::Cli, Cause::SourceBlacklisted, self.snapshot.settings.cli_reject_code, because)
        })?;
        self.passed.add(Check::Cli);
        Ok(Cli { restricted, ..cli })
    }

    fn cli_because(&self, refusal: CliRefusal) -> Because {
        let rule = &self.trunk.cli;
        let asserted = self.attempt.asserted_identity.map(Caller::of_header).and_then(|caller| caller.number);
        let asserted = asserted.filter(|number| rule.callers().contains(*number, self.snapshot.now));
        let explanation: Cow<'static, str> = match (refusal, asserted) {
            (CliRefusal::NothingToShow, _) => "the trunk has no DID to show instead".into(),
            (CliRefusal::Mismatch, Some(number)) if self.snapshot.settings.cli_header == CliHeader::From => {
                format!("From is what is checked, and P-Asserted-Identity has {number}; put it into From")
                    .into()
            }
            (CliRefusal::Mismatch, _) if self.caller.number.is_none() => {
                "From holds no number; put a DID of the trunk there, not a username or anonymous".into()
            }
            (CliRefusal::Mismatch, _) => "the number is none of the trunk's DIDs that can be used now".into(),
        };
        Because {
            configured: format!("{} with {} numbers", rule.action().name(), rule.callers().len()).into(),
            received: self.caller.text().into_owned(),
            explanation,
        }
    }

    fn route(&mut self, destination: Digits) -> Result<Option<Rate>, Verdict> {
        if self.emergency.is_some() {
            return Ok(None);
        }
        let rate = match self.snapshot.rates.map(|card| card.find(destination)) {
            None => None,
            Some(Some((_, rate))) => Some(rate),
            Some(None) => {
                let because = Because {
                    configured: "the rate card".into(),
                    received: destination.to_string(),
                    explanation: "there is no rate for the destination".into(),
                };
                let code = self.snapshot.settings.no_route_code;
                return Err(self.refuse(Check::Route, Cause::NoDestinationPrefix, code, because));
            }
        };
        self.passed.add(Check::Route);
        Ok(rate)
    }

    fn media(&mut self) -> Result<Option<Media>, Verdict> {
        let settings = self.snapshot.settings;
        let mode = &self.trunk.media_encryption_mode;
        let media = negotiate(mode, settings, self.attempt.sdp).map_err(|refusal| {
            let received = match &refusal {
                MediaRefusal::Profile(profile) => profile.clone(),
                MediaRefusal::NoCodec(codecs) => codecs.clone(),
                _ => "the offer".to_owned(),
            };
            let because = Because {
                configured: format!("media_encryption_mode {mode}").into(),
                received,
                explanation: refusal.to_string().into(),
            };
            self.refuse(Check::Media, refusal.cause(), refusal.code(settings), because)
        })?;
        self.passed.add(Check::Media);
        Ok(media)
    }

    fn capacity<C>(
        &mut self,
        channels: &Channels,
        hold: impl FnOnce(&Channels, Option<u32>) -> Result<C, Full>,
    ) -> Result<C, Verdict> {
        let limit = if self.bypasses() { None } else { self.trunk.capacity };
        let channel = hold(channels, limit).map_err(|full| {
            let because = Because {
                configured: format!("capacity_limit {}", full.limit).into(),
                received: format!("{} calls in progress", full.held),
                explanation: "all channels are in use; end calls or raise capacity_limit".into(),
            };
            let code = self.snapshot.settings.capacity_reject_code;
            self.refuse(Check::Capacity, Cause::Overloaded, code, because)
        })?;
        if !self.bypasses() {
            self.passed.add(Check::Capacity);
        }
        Ok(channel)
    }
}

fn phrase(settings: &Settings, cause: Cause, code: u16) -> &'static str {
    if settings.engine_reason_phrase { cause.text() } else { reason_phrase(code) }
}

#[cfg(test)]
mod tests;
