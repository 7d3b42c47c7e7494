//! Identifies the trunk of a call by source address, tech prefix and digest.
//!
//! A digest names its trunk, so it is checked before the trunks that allow the source address: half a million
//! of these may allow every address. Three more rules apply. A wrong digest for this realm is challenged
//! again, even if another trunk would accept the address alone, because the caller meant the trunk that it
//! named. A header for another realm is ignored, and does not prevent a match by address. A Twilio account
//! SID identifies its trunk without further checks.

use std::sync::Arc;

use super::super::digest::{Chosen, verify_chosen};
use super::super::index::Entry;
use super::super::network::Address;
use super::super::source_table::Found;
use super::super::uri::lossy_text;
use super::super::{
    Attempt, Authentication, Cause, Challenge, Check, Checks, DigestRefusal, Identified, Refusal,
    SignedRequest, Verdict, reason_phrase, sentence,
};
use super::snapshot::Snapshot;

/// Returns the trunk of a call, how it was identified, and the checks that were passed.
pub(super) fn select<'a>(
    snapshot: &Snapshot<'a>,
    attempt: &Attempt<'_>,
    dialled: &[u8],
) -> Result<(&'a Entry, Identified, Checks), Verdict> {
    let all = Checks::of([Check::Source, Check::TechPrefix, Check::Digest, Check::Trunk]);
    let by_sid = attempt.twilio_account_sid.and_then(|sid| snapshot.trunks.by_twilio_sid(sid));
    if let Some(entry) = by_sid {
        return Ok((entry, Identified::TwilioAccount, all));
    }
    let source = Address::of(attempt.source);
    let sent = attempt.credentials.chosen();
    let for_realm = sent.ok().filter(|sent| sent.is_for_realm);
    let named_trunk =
        for_realm.and_then(|sent| snapshot.trunks.by_username(&sent.credentials.username.text()));
    let allowed = named_trunk
        .is_some_and(|entry| entry.terms.allows_source(source) && entry.terms.allows_dialled(dialled));
    // If the named trunk allows both the address and the prefix, no other trunk needs to be looked up.
    if !allowed {
        match snapshot.trunks.find_source(source, dialled) {
            Found::NoAddress => return Err(unknown_source(snapshot, attempt, dialled)),
            Found::NoPrefix => return Err(unknown_prefix(snapshot, attempt, dialled)),
            Found::Open(slot) if for_realm.is_none() => {
                if let Some(entry) = snapshot.trunks.entry(slot) {
                    return Ok((entry, Identified::Address, all));
                }
            }
            Found::NeedsDigest | Found::Open(_) => {}
        }
    }
    let verified = sent.map_err(DigestRefusal::from);
    let (entry, identified) = match verified.and_then(|sent| verify(snapshot, attempt, sent, named_trunk)) {
        Ok(found) => found,
        Err(refusal) => return Err(challenge(snapshot, &refusal)),
    };
    if allowed {
        Ok((entry, identified, all))
    } else {
        Err(trunk_not_allowed(snapshot, attempt, entry, source, dialled))
    }
}

fn verify<'a>(
    snapshot: &Snapshot<'a>,
    attempt: &Attempt<'_>,
    sent: &Chosen<'_>,
    named_trunk: Option<&'a Entry>,
) -> Result<(&'a Entry, Identified), DigestRefusal<&'a Entry>> {
    let request = SignedRequest { method: attempt.method, body: attempt.body };
    let accepted = verify_chosen(sent, request, snapshot.settings, snapshot.nonces, |_| {
        let entry = named_trunk?;
        match &entry.terms.authentication {
            Authentication::Credentials { password, .. } => Some((entry, password)),
            _ => None,
        }
    })?;
    Ok((accepted.who, Identified::Digest { count: accepted.count }))
}

fn challenge(snapshot: &Snapshot<'_>, refusal: &DigestRefusal<&Entry>) -> Verdict {
    let code = snapshot.settings.challenge_code;
    Verdict::Challenged(Box::new(Challenge {
        code,
        phrase: reason_phrase(code),
        failure: refusal.failure,
        stale: refusal.stale && snapshot.settings.stale_flag,
        trunk: refusal.who.map(|entry| Arc::clone(&entry.terms)),
        passed: Checks::of([Check::Source, Check::TechPrefix]),
    }))
}

fn refuse(
    snapshot: &Snapshot<'_>,
    (check, passed): (Check, &[Check]),
    trunk: Option<&Entry>,
    dialled: &[u8],
    [configured, received, explanation]: [String; 3],
) -> Verdict {
    let code = snapshot.settings.ip_reject_code;
    Verdict::Refused(Box::new(Refusal {
        check,
        cause: Cause::NoCustomer,
        code,
        phrase: snapshot.settings.phrase(Cause::NoCustomer, code),
        trunk: trunk.map(|entry| Arc::clone(&entry.terms)),
        configured,
        received,
        explanation: sentence(&explanation),
        warning: None,
        dialled: lossy_text(dialled),
        passed: Checks::of(passed.iter().copied()),
    }))
}

/// The nearest allowed subnet appears in the log only, because it may belong to another account.
fn unknown_source(snapshot: &Snapshot<'_>, attempt: &Attempt<'_>, dialled: &[u8]) -> Verdict {
    let details = [
        "allowed_sip_ips of any trunk".to_owned(),
        attempt.source.to_string(),
        "no trunk allows the address; NAT, a second way out or IPv6 may have changed it".to_owned(),
    ];
    refuse(snapshot, (Check::Source, &[]), None, dialled, details)
}

fn unknown_prefix(snapshot: &Snapshot<'_>, attempt: &Attempt<'_>, dialled: &[u8]) -> Verdict {
    let details = [
        format!("tech_prefix of a trunk that allows {}", attempt.source),
        lossy_text(dialled),
        "the dialled text begins with none of the tech prefixes of the trunks that allow the address"
            .to_owned(),
    ];
    refuse(snapshot, (Check::TechPrefix, &[Check::Source]), None, dialled, details)
}

fn trunk_not_allowed(
    snapshot: &Snapshot<'_>,
    attempt: &Attempt<'_>,
    entry: &Entry,
    source: Address,
    dialled: &[u8],
) -> Verdict {
    let terms = &entry.terms;
    let details = if terms.allows_source(source) {
        let prefix = &terms.tech_prefix;
        let explanation =
            "the digest is valid, but the dialled text does not begin with the trunk's tech prefix";
        [format!("tech_prefix {prefix}"), lossy_text(dialled), explanation.to_owned()]
    } else {
        let nearest = terms.networks.iter().max_by_key(|network| network.shared_bits(source));
        let nearest = nearest.map_or_else(|| "none".to_owned(), |nearest| nearest.to_string());
        let explanation = "the digest is valid, but the trunk does not allow the address; other trunks do";
        [
            format!("{} allowed_sip_ips, the nearest {nearest}", terms.networks.len()),
            attempt.source.to_string(),
            explanation.to_owned(),
        ]
    };
    let passed = &[Check::Source, Check::TechPrefix, Check::Digest];
    refuse(snapshot, (Check::Trunk, passed), Some(entry), dialled, details)
}
