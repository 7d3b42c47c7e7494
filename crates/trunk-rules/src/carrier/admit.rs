//! Runs the checks of a call in order; the first that fails decides.

mod select;
mod snapshot;

use std::borrow::Cow;
use std::sync::Arc;

use rust_decimal::Decimal;

use self::select::select;
pub use self::snapshot::{Funds, Rates, Snapshot};
use super::cli::presentation_is_restricted;
use super::index::Entry;
use super::offer_summary::offer_summary;
use super::uri::{lossy_text, text_within};
use super::{
    AccountDids, Admitted, Attempt, Caller, Cause, Channel, Channels, Check, Checks, Cli, CliHeader,
    CliRefusal, DestinationRefusal, Digits, EmergencyCall, Full, Identified, Media, MediaRefusal, Rate,
    Refusal, Settings, TrunkTerms, Verdict, has_room, negotiate, normalise, sentence, user_part,
};

/// Decides on a call without taking a channel: for explanations, or when the caller of this function counts
/// channels itself.
pub fn admit(snapshot: &Snapshot<'_>, attempt: &Attempt<'_>) -> Verdict {
    let check_only = |channels: &Channels, limit| has_room(channels.held(), limit);
    match run_checks(snapshot, attempt, check_only) {
        Ok((admitted, ())) => Verdict::Admitted(admitted),
        Err(verdict) => verdict,
    }
}

/// Decides on a call and, if it is admitted, takes a channel in the same atomic step. Dropping the channel
/// releases it.
pub fn admit_and_hold(snapshot: &Snapshot<'_>, attempt: &Attempt<'_>) -> (Verdict, Option<Channel>) {
    match run_checks(snapshot, attempt, Channels::take) {
        Ok((admitted, channel)) => (Verdict::Admitted(admitted), Some(channel)),
        Err(verdict) => (verdict, None),
    }
}

/// Identifies the trunk of a call by address, tech prefix and digest, and runs no further check. The edge
/// calls it before it keeps any state for an unauthenticated caller. The error is the challenge or refusal
/// that [`admit`] would return.
pub fn identify(snapshot: &Snapshot<'_>, attempt: &Attempt<'_>) -> Result<Identified, Verdict> {
    let dialled = user_part(attempt.request_uri).unwrap_or_default();
    select(snapshot, attempt, &dialled).map(|(_, identified, _)| identified)
}

/// A call whose trunk was identified, while its checks run.
struct Call<'a> {
    snapshot: &'a Snapshot<'a>,
    attempt: &'a Attempt<'a>,
    trunk: &'a Arc<TrunkTerms>,
    /// The DIDs of its account.
    dids: &'a AccountDids,
    /// The dialled text, including the tech prefix.
    dialled: &'a [u8],
    /// The dialled text after the tech prefix.
    number: &'a [u8],
    caller: Caller<'a>,
    /// The header that the caller number was taken from.
    caller_header: &'static str,
    emergency: Option<EmergencyCall>,
    passed: Checks,
}

fn run_checks<C>(
    snapshot: &Snapshot<'_>,
    attempt: &Attempt<'_>,
    take_channel: impl FnOnce(&Channels, Option<u32>) -> Result<C, Full>,
) -> Result<(Box<Admitted>, C), Verdict> {
    let dialled = user_part(attempt.request_uri).unwrap_or_default();
    let (Entry { terms: trunk, channels }, identified, passed) = select(snapshot, attempt, &dialled)?;
    // The prefix is removed once only: the rest may begin with the same characters again.
    let number = dialled.strip_prefix(trunk.tech_prefix.as_bytes()).unwrap_or(&dialled);
    let (caller_header, caller) = caller(snapshot.settings, attempt);
    let emergency = snapshot.settings.emergency.find(number, caller.number);
    let dialled = &*dialled;
    let dids = snapshot.trunks.dids(&trunk.account);
    let mut call =
        Call { snapshot, attempt, trunk, dids, dialled, number, caller, caller_header, emergency, passed };
    call.request()?;
    call.status()?;
    call.recording()?;
    let destination = call.destination()?;
    call.emergency()?;
    call.destination_rule(destination)?;
    let cli = call.cli()?;
    let rate = call.route(destination)?;
    let media = call.media()?;
    let channel = call.capacity(channels, take_channel)?;
    // Boxed here, because its hundreds of bytes would be copied on each way out.
    let admitted = Box::new(Admitted {
        trunk: Arc::clone(trunk),
        identified,
        dialled: lossy_text(dialled),
        destination,
        cli,
        emergency,
        media,
        rate,
        passed: call.passed,
    });
    Ok((admitted, channel))
}

/// Returns the caller number, and the name of the header that contains it.
fn caller<'a>(settings: &Settings, attempt: &Attempt<'a>) -> (&'static str, Caller<'a>) {
    let identity = match settings.cli_header {
        CliHeader::From => None,
        CliHeader::Identity => {
            let preferred = attempt.preferred_identity.map(|value| ("P-Preferred-Identity", value));
            preferred.or(attempt.asserted_identity.map(|value| ("P-Asserted-Identity", value)))
        }
    };
    match identity {
        Some((header, value)) => (header, Caller::of_identity(value)),
        None => ("From", Caller::of_header(attempt.from)),
    }
}

/// The longest received value of a refusal, in characters. It may be a whole header, or the codecs of an offer.
const MAX_RECEIVED_CHARS: usize = 1_024;

/// The details of a refusal, for logs and diagnostic headers.
struct RefusalDetails {
    configured: Cow<'static, str>,
    received: String,
    explanation: Cow<'static, str>,
}

impl Call<'_> {
    fn refuse(&self, check: Check, cause: Cause, code: u16, details: RefusalDetails) -> Verdict {
        Verdict::Refused(Box::new(Refusal {
            check,
            cause,
            code,
            phrase: self.snapshot.settings.phrase(cause, code),
            trunk: Some(Arc::clone(self.trunk)),
            configured: details.configured.into_owned(),
            received: text_within(details.received.as_bytes(), MAX_RECEIVED_CHARS).into_owned(),
            explanation: sentence(&details.explanation),
            warning: None,
            dialled: lossy_text(self.dialled),
            passed: self.passed,
        }))
    }

    /// Whether this call skips the threshold, the destination rule and the capacity limit, as emergency calls
    /// do.
    const fn bypasses_limits(&self) -> bool {
        self.emergency.is_some() && self.snapshot.settings.emergency_bypass
    }

    /// Refuses an INVITE that cannot be answered. This check follows authentication, so that an
    /// unauthenticated peer learns nothing from it.
    fn request(&mut self) -> Result<(), Verdict> {
        if let Some(flaw) = self.attempt.flaw {
            let details = RefusalDetails {
                configured: flaw.configured.to_owned().into(),
                received: flaw.received.to_owned(),
                explanation: flaw.explanation.to_owned().into(),
            };
            return Err(self.refuse(Check::Request, flaw.cause, flaw.cause.code(), details));
        }
        self.passed.add(Check::Request);
        Ok(())
    }

    fn status(&mut self) -> Result<(), Verdict> {
        let trunk = self.trunk;
        let no_spending = trunk.threshold.is_some_and(|threshold| threshold.amount() <= Decimal::ZERO);
        let reached = trunk.block_state.blocked && trunk.block_state.threshold_reached;
        let by_hand = trunk.block_state.blocked && !reached;
        let held = self.snapshot.funds.and_then(|funds| funds.exhausted(trunk));
        let spent_too_much = reached || held.is_some();
        if by_hand || ((spent_too_much || no_spending) && !self.bypasses_limits()) {
            let threshold = || trunk.threshold.map_or("null".to_owned(), |threshold| threshold.to_string());
            let details = if by_hand {
                RefusalDetails {
                    configured: "status blocked".into(),
                    received: "threshold_reached false".to_owned(),
                    explanation: "the trunk was blocked by hand; set its status to active".into(),
                }
            } else {
                let explanation = if spent_too_much {
                    "the spending of the last 24 hours reached threshold_amount; wait, raise it, or set the status to active"
                } else {
                    "a threshold_amount of zero allows no spending; raise it"
                };
                RefusalDetails {
                    configured: format!("threshold_amount {}", threshold()).into(),
                    received: format!("spent_amount {}", held.unwrap_or(trunk.spent)),
                    explanation: explanation.into(),
                }
            };
            let code = self.snapshot.settings.blocked_code;
            return Err(self.refuse(Check::Status, Cause::RejectedByAuthRecord, code, details));
        }
        self.passed.add(Check::Status);
        Ok(())
    }

    /// Refuses a call whose charge could not be stored, unless it is an emergency call.
    fn recording(&mut self) -> Result<(), Verdict> {
        let is_recorded = self.snapshot.funds.is_none_or(|funds| funds.are_recorded(self.trunk));
        if self.emergency.is_none() && !is_recorded {
            let details = RefusalDetails {
                configured: self.trunk.threshold.map_or("threshold_amount null".into(), |threshold| {
                    format!("threshold_amount {threshold}").into()
                }),
                received: "call charges cannot be stored".to_owned(),
                explanation:
                    "the server cannot write call charges; its operator must free disk space, bring its database back or restart it"
                        .into(),
            };
            return Err(self.refuse(
                Check::Recording,
                Cause::NotRecorded,
                Cause::NotRecorded.code(),
                details,
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
            let details = RefusalDetails {
                configured: "country code, area code and subscriber number".into(),
                received: lossy_text(self.number),
                explanation: error.to_string().into(),
            };
            self.refuse(
                Check::Number,
                Cause::NumberMalformed,
                self.snapshot.settings.bad_number_code,
                details,
            )
        })?;
        self.passed.add(Check::Number);
        Ok(destination)
    }

    fn emergency(&mut self) -> Result<(), Verdict> {
        let callers = self.trunk.emergency_callers(self.dids);
        let allowed = |number| callers.contains(number, self.snapshot.now);
        if self.emergency.is_some() && !self.caller.number.is_some_and(allowed) {
            let details = RefusalDetails {
                configured: format!("{} emergency numbers", callers.count()).into(),
                received: self.caller.text().into_owned(),
                explanation: "the caller number of an emergency call must be one of emergency_dids; it is never replaced"
                    .into(),
            };
            let code = self.snapshot.settings.cli_reject_code;
            return Err(self.refuse(Check::Emergency, Cause::SourceBlacklisted, code, details));
        }
        self.passed.add(Check::Emergency);
        Ok(())
    }

    fn destination_rule(&mut self, destination: Digits) -> Result<(), Verdict> {
        if self.bypasses_limits() {
            return Ok(());
        }
        if let Err(refusal) = self.trunk.destinations.check(destination) {
            let (configured, explanation) = match refusal {
                DestinationRefusal::Excepted(prefix) => (
                    format!("allow_all except {prefix}"),
                    "dst_prefixes are exceptions: with allow_all, numbers that begin with one are refused",
                ),
                DestinationRefusal::NotListed(count) => (
                    format!("reject_all except {count} prefixes"),
                    "with reject_all, only numbers that begin with one of dst_prefixes can be called",
                ),
            };
            let details = RefusalDetails {
                configured: configured.into(),
                received: destination.to_string(),
                explanation: explanation.into(),
            };
            let code = self.snapshot.settings.dst_reject_code;
            return Err(self.refuse(Check::Destination, Cause::DestinationBlacklisted, code, details));
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
        let cli =
            self.trunk.cli.check(self.dids, &self.caller, diversion, now, random).map_err(|refusal| {
                let details = self.cli_details(refusal);
                self.refuse(
                    Check::Cli,
                    Cause::SourceBlacklisted,
                    self.snapshot.settings.cli_reject_code,
                    details,
                )
            })?;
        self.passed.add(Check::Cli);
        Ok(Cli { restricted, ..cli })
    }

    fn cli_details(&self, refusal: CliRefusal) -> RefusalDetails {
        let rule = &self.trunk.cli;
        let callers = rule.callers(self.dids);
        let asserted =
            self.attempt.asserted_identity.map(Caller::of_identity).and_then(|caller| caller.number);
        let asserted = asserted.filter(|number| callers.contains(*number, self.snapshot.now));
        let explanation: Cow<'static, str> = match (refusal, asserted) {
            (CliRefusal::NothingToShow, _) => "the trunk has no usable DID to present instead".into(),
            (CliRefusal::Mismatch, Some(number)) if self.snapshot.settings.cli_header == CliHeader::From => {
                format!("From is what is checked, and P-Asserted-Identity has {number}; put it into From")
                    .into()
            }
            (CliRefusal::Mismatch, _) if self.caller.number.is_none() => format!(
                "{} contains no number; put a DID of the trunk there, not a username or anonymous",
                self.caller_header
            )
            .into(),
            (CliRefusal::Mismatch, _) => {
                format!("the number in {} is not one of the trunk's usable DIDs", self.caller_header).into()
            }
        };
        RefusalDetails {
            configured: format!("{} with {} numbers", rule.action().name(), callers.count()).into(),
            received: self.caller.text().into_owned(),
            explanation,
        }
    }

    fn route(&mut self, destination: Digits) -> Result<Option<Rate>, Verdict> {
        if self.emergency.is_some() {
            return Ok(None);
        }
        let rate = match self.snapshot.rates.map(|rates| rates.rate(self.trunk, destination)) {
            None => None,
            Some(Some(rate)) => Some(rate),
            Some(None) => {
                let details = RefusalDetails {
                    configured: "the rate card".into(),
                    received: destination.to_string(),
                    explanation: "the rate card has no rate for the destination".into(),
                };
                let code = self.snapshot.settings.no_route_code;
                return Err(self.refuse(Check::Route, Cause::NoDestinationPrefix, code, details));
            }
        };
        self.passed.add(Check::Route);
        Ok(rate)
    }

    fn media(&mut self) -> Result<Option<Media>, Verdict> {
        let settings = self.snapshot.settings;
        let mode = &self.trunk.media_encryption_mode;
        let media = negotiate(mode, settings, self.attempt.sdp).map_err(|refusal| {
            let (configured, explanation) = match &refusal {
                MediaRefusal::NoCodec(offered) => {
                    let accepted =
                        settings.codecs.iter().map(|codec| codec.name()).collect::<Vec<_>>().join(", ");
                    // The offered ones last: they may be cut.
                    let explanation =
                        format!("the offer has none of the accepted codecs, {accepted}, but {offered}");
                    (format!("codecs {accepted}"), explanation)
                }
                MediaRefusal::Unparsable(_) => ("a session description".to_owned(), refusal.to_string()),
                _ => (format!("media_encryption_mode {mode}"), refusal.to_string()),
            };
            let details = RefusalDetails {
                configured: configured.into(),
                received: offer_summary(&refusal, self.attempt.sdp),
                explanation: explanation.into(),
            };
            let mut verdict = self.refuse(Check::Media, refusal.cause(), refusal.code(settings), details);
            if let Verdict::Refused(refused) = &mut verdict {
                refused.warning = Some(refusal.warning());
            }
            verdict
        })?;
        self.passed.add(Check::Media);
        Ok(media)
    }

    fn capacity<C>(
        &mut self,
        channels: &Channels,
        take_channel: impl FnOnce(&Channels, Option<u32>) -> Result<C, Full>,
    ) -> Result<C, Verdict> {
        let limit = if self.bypasses_limits() { None } else { self.trunk.capacity };
        let channel = take_channel(channels, limit).map_err(|full| {
            let details = RefusalDetails {
                configured: full.configured().into(),
                received: full.received(),
                explanation: Full::EXPLANATION.into(),
            };
            let code = self.snapshot.settings.capacity_reject_code;
            self.refuse(Check::Capacity, Cause::Overloaded, code, details)
        })?;
        if !self.bypasses_limits() {
            self.passed.add(Check::Capacity);
        }
        Ok(channel)
    }
}

#[cfg(test)]
mod tests;
