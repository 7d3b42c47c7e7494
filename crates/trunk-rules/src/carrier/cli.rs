//! The caller number (CLI) that a call presents.
//!
//! The check uses `From`. `P-Asserted-Identity` is passed on but proves nothing, and `Remote-Party-ID` is
//! ignored.

use std::borrow::Cow;

use didww_types::Timestamp;
use didww_types::resources::OnCliMismatchAction;

use super::account_dids::Link;
use super::callers::Callers;
use super::uri::text_of;
use super::{AccountDids, CallerSet, Digits, address_uri, normalise, user_part};

/// The caller number as the customer sent it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller<'a> {
    text: Cow<'a, [u8]>,
    /// The normalised number; `None` if the text is not a number, such as `anonymous`.
    pub number: Option<Digits>,
}

impl<'a> Caller<'a> {
    /// Parses a `From`-like header value.
    pub fn of_header(value: &'a [u8]) -> Self {
        let text = user_part(address_uri(value)).unwrap_or_default();
        let number = normalise(&text).ok();
        Self { text, number }
    }

    /// Parses the value of an identity header (RFC 3325 §9.1), which may contain a `sip:` and a `tel:` URI of the
    /// same caller, separated by a comma. The first one with a number counts, else the first one.
    pub fn of_identity(value: &'a [u8]) -> Self {
        let mut identities = identities(value).map(Self::of_header);
        let first = identities.next().unwrap_or_else(|| Self::of_header(value));
        if first.number.is_some() {
            return first;
        }
        identities.find(|caller| caller.number.is_some()).unwrap_or(first)
    }

    /// The user part as text of at most 256 characters; invalid UTF-8 and control characters are replaced.
    pub fn text(&self) -> Cow<'_, str> {
        text_of(&self.text)
    }
}

/// Splits a header value at the commas outside of quoted text and angle brackets.
fn identities(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    let (mut is_quoted, mut is_escaped, mut is_in_brackets) = (false, false, false);
    value.split(move |byte| {
        let was_escaped = std::mem::take(&mut is_escaped);
        match byte {
            _ if was_escaped => {}
            b'\\' if is_quoted => is_escaped = true,
            b'"' => is_quoted = !is_quoted,
            b'<' if !is_quoted => is_in_brackets = true,
            b'>' if !is_quoted => is_in_brackets = false,
            b',' => return !is_quoted && !is_in_brackets,
            _ => {}
        }
        false
    })
}

/// The handling of a call whose caller number is not one of the trunk's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CliAction {
    /// The call continues with the number that the customer sent.
    SendOriginal,
    /// The call is refused: only the trunk's own numbers can call.
    Reject,
    /// The call continues with the default DID, or the trunk's first DID if no default is usable.
    Replace,
    /// The call continues with a random DID of the trunk.
    Randomize,
}

impl CliAction {
    /// Converts the API's value. An unknown action refuses the call.
    pub fn of(action: &OnCliMismatchAction) -> Self {
        match action {
            OnCliMismatchAction::SendOriginalCli => Self::SendOriginal,
            OnCliMismatchAction::ReplaceCli => Self::Replace,
            OnCliMismatchAction::RandomizeCli => Self::Randomize,
            _ => Self::Reject,
        }
    }

    /// The action's name in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SendOriginal => "send_original_cli",
            Self::Reject => "reject_call",
            Self::Replace => "replace_cli",
            Self::Randomize => "randomize_cli",
        }
    }
}

/// The caller numbers of an admitted call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cli {
    /// The number that the customer sent: `original_src_number` of the call record.
    pub original: String,
    /// The number that is presented, as digits if it is a number: `src_number` of the call record.
    pub presented: String,
    /// The mismatch action that was applied; `None` if the number was the trunk's own.
    pub action: Option<CliAction>,
    /// Whether a number in `Diversion` satisfied the check.
    pub diverted: bool,
    /// Whether the caller requested privacy.
    pub restricted: bool,
}

impl Cli {
    /// Whether `From` is forwarded unchanged.
    pub const fn is_unchanged(&self) -> bool {
        !matches!(self.action, Some(CliAction::Replace | CliAction::Randomize))
    }
}

/// Why a caller number is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CliRefusal {
    /// The mismatch action is to refuse the call.
    Mismatch,
    /// The mismatch action is to present another number, but the trunk has none.
    NothingToShow,
}

/// The caller numbers that a trunk may present.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CliRule {
    action: CliAction,
    callers: Callers,
    default: Option<Link>,
}

impl CliRule {
    pub(super) const fn new(action: CliAction, callers: Callers, default: Option<Link>) -> Self {
        Self { action, callers, default }
    }

    /// What happens to a call whose caller number is not one of the trunk's.
    pub const fn action(&self) -> CliAction {
        self.action
    }

    /// The numbers that the trunk may present. `dids` are those of the account, by which the trunk was prepared.
    pub const fn callers<'a>(&'a self, dids: &'a AccountDids) -> CallerSet<'a> {
        CallerSet::new(dids, &self.callers)
    }

    /// Checks a caller number. `dids` are those of the account, by which the trunk was prepared; `diversion` is the
    /// number in `Diversion`, if it may satisfy the check; `random` selects the number for `randomize_cli`.
    pub fn check(
        &self,
        dids: &AccountDids,
        caller: &Caller<'_>,
        diversion: Option<Digits>,
        now: Timestamp,
        random: u64,
    ) -> Result<Cli, CliRefusal> {
        let callers = self.callers(dids);
        let allowed = |number: Option<Digits>| number.filter(|number| callers.contains(*number, now));
        let matched = allowed(caller.number).is_some();
        let diverted = !matched && allowed(diversion).is_some();
        let action = (!matched && !diverted).then_some(self.action);
        let shown = match action {
            None | Some(CliAction::SendOriginal) => caller.number,
            Some(CliAction::Reject) => return Err(CliRefusal::Mismatch),
            Some(CliAction::Replace) => {
                let default = self.default.and_then(|link| dids.linked(link)).map(|did| did.number);
                Some(allowed(default).or_else(|| callers.first(now)).ok_or(CliRefusal::NothingToShow)?)
            }
            Some(CliAction::Randomize) => Some(callers.any(now, random).ok_or(CliRefusal::NothingToShow)?),
        };
        let original = caller.text().into_owned();
        let presented = shown.map_or_else(|| original.clone(), |number| number.to_string());
        Ok(Cli { original, presented, action, diverted, restricted: false })
    }
}

/// Whether a `Privacy` header requests withholding the caller's identity. Such a call is accepted, and its number
/// is checked like any other.
pub fn presentation_is_restricted(privacy: &[u8]) -> bool {
    privacy.split(|byte| matches!(byte, b';' | b',')).map(<[u8]>::trim_ascii).any(|wish| {
        [&b"id"[..], b"user", b"header", b"critical"].iter().any(|known| wish.eq_ignore_ascii_case(known))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::carrier::DidFacts;
    use didww_types::Id;
    use didww_types::resources::Did;
    use proptest::prelude::*;

    const NOW: Timestamp = Timestamp::from_unix_millis(0);
    const OWN: [&str; 3] = ["442011111111", "442022222222", "442033333333"];

    /// A rule, and the DIDs of the account: those of the trunk, and the default one. The id of each is its number.
    fn rule(action: CliAction, own: &[&str], default: Option<&str>) -> (AccountDids, CliRule) {
        let dids = AccountDids::new(own.iter().copied().chain(default).map(|number| DidFacts {
            id: number.into(),
            number: number.to_owned(),
            eligible: true,
            emergency_enabled: false,
            expires_at: Some(Timestamp::from_unix_millis(1)),
        }));
        let ids: Vec<Id<Did>> = own.iter().map(|number| (*number).into()).collect();
        let default = default.and_then(|number| dids.link(&number.into()));
        let rule = CliRule::new(action, Callers::Own(dids.links(&ids)), default);
        (dids, rule)
    }

    type Numbers = Result<(String, String), CliRefusal>;

    /// Returns the numbers sent and presented.
    fn check((dids, rule): &(AccountDids, CliRule), from: &str, random: u64) -> Numbers {
        let from = format!("<sip:{from}@customer.example>;tag=1");
        rule.check(dids, &Caller::of_header(from.as_bytes()), None, NOW, random)
            .map(|cli| (cli.original, cli.presented))
    }

    #[expect(clippy::unnecessary_wraps, reason = "it is compared with what the rule returns")]
    fn both(original: &str, presented: &str) -> Numbers {
        Ok((original.to_owned(), presented.to_owned()))
    }

    #[test]
    fn a_matching_cli_is_passed_whatever_the_mismatch_action_is() {
        for action in [CliAction::SendOriginal, CliAction::Reject, CliAction::Replace, CliAction::Randomize] {
            let rule = rule(action, &OWN, Some(OWN[2]));
            for written in ["442022222222", "+442022222222", "00442022222222"] {
                assert_eq!(check(&rule, written, 7), both(written, OWN[1]), "{action:?}");
            }
        }
    }

    #[test]
    fn send_original_cli_passes_a_foreign_number_on() {
        let rule = rule(CliAction::SendOriginal, &OWN, None);
        assert_eq!(check(&rule, "+15550100", 0), both("+15550100", "15550100"));
        assert_eq!(check(&rule, "anonymous", 0), both("anonymous", "anonymous"));
    }

    #[test]
    fn reject_call_refuses_a_foreign_number_and_an_anonymous_caller() {
        let rule = rule(CliAction::Reject, &OWN, None);
        assert_eq!(check(&rule, "15550100", 0), Err(CliRefusal::Mismatch));
        assert_eq!(check(&rule, "anonymous", 0), Err(CliRefusal::Mismatch));
        assert_eq!(check(&rule, "44201111111", 0), Err(CliRefusal::Mismatch), "part of a number");
    }

    #[test]
    fn replace_cli_takes_the_default_did_if_it_is_allowed_and_else_the_first() {
        assert_eq!(check(&rule(CliAction::Replace, &OWN, Some(OWN[2])), "1555", 9), both("1555", OWN[2]));
        assert_eq!(check(&rule(CliAction::Replace, &OWN, None), "1555", 9), both("1555", OWN[0]));
        assert_eq!(check(&rule(CliAction::Replace, &OWN, Some("331")), "1555", 9), both("1555", OWN[0]));
    }

    #[test]
    fn randomize_cli_takes_the_number_that_the_random_number_selects() {
        let rule = rule(CliAction::Randomize, &OWN, Some(OWN[0]));
        for (random, own) in (0..).zip(OWN) {
            assert_eq!(check(&rule, "1555", random), both("1555", own));
        }
    }

    #[test]
    fn with_an_empty_set_every_number_mismatches_and_none_can_replace_it() {
        for (action, outcome) in [
            (CliAction::SendOriginal, both("1555", "1555")),
            (CliAction::Reject, Err(CliRefusal::Mismatch)),
            (CliAction::Replace, Err(CliRefusal::NothingToShow)),
            (CliAction::Randomize, Err(CliRefusal::NothingToShow)),
        ] {
            assert_eq!(check(&rule(action, &[], None), "1555", 0), outcome, "{action:?}");
        }
    }

    #[test]
    fn a_did_in_diversion_satisfies_the_check_and_from_goes_on_as_it_is() {
        let (dids, rule) = rule(CliAction::Reject, &OWN, None);
        let caller = Caller::of_header(b"sip:+15550100@h");
        let cli = rule.check(&dids, &caller, OWN[0].parse().ok(), NOW, 0).unwrap();
        assert!(cli.diverted && cli.is_unchanged() && cli.presented == "15550100");
        assert_eq!(rule.check(&dids, &caller, "331".parse().ok(), NOW, 0), Err(CliRefusal::Mismatch));
    }

    #[test]
    fn privacy_restricts_the_presentation_and_none_does_not() {
        for wish in ["id", "user;id", "Header", "critical", "session; id"] {
            assert!(presentation_is_restricted(wish.as_bytes()), "{wish}");
        }
        for wish in ["none", "", "session", "identity"] {
            assert!(!presentation_is_restricted(wish.as_bytes()), "{wish}");
        }
    }

    proptest! {
        #[test]
        fn a_call_that_goes_on_under_a_replacing_rule_shows_a_number_of_the_set(
            from in "[0-9a-z+]{0,16}", random in any::<u64>(), replace in any::<bool>()
        ) {
            let action = if replace { CliAction::Replace } else { CliAction::Randomize };
            let (_, presented) = check(&rule(action, &OWN, None), &from, random).unwrap();
            prop_assert!(OWN.contains(&presented.as_str()));
        }
    }
}
