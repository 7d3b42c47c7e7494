//! Whose call it is: source address, tech prefix and digest.
//!
//! A digest names its trunk, so it is looked at before the crowd of trunks that allow an address: half a
//! million may allow everybody. Three more decisions stand here. A digest for this realm that is wrong is
//! challenged again even where another trunk would take the address alone, for the caller meant that one.
//! A header for another realm is nobody's business here, and does not hinder a trunk that goes by address.
//! A Twilio account SID names its trunk outright.

use std::sync::Arc;

use super::super::authorization::Credentials;
use super::super::digest::{choose, is_ours, verify_chosen};
use super::super::index::Entry;
use super::super::network::Address;
use super::super::source_table::Found;
use super::super::{
    Attempt, Authentication, Cause, Challenge, Check, Checks, DigestRefusal, Identified, Refusal,
    SignedRequest, Verdict, reason_phrase,
};
use super::{Snapshot, phrase, text};

/// Finds the trunk of a call, how it was found, and the checks that were passed on the way.
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
    let sent = choose(attempt.credentials, snapshot.settings);
    let ours = sent.as_ref().ok().filter(|sent| is_ours(sent, snapshot.settings));
    let named = ours.and_then(|sent| snapshot.trunks.by_username(&sent.username.text()));
    let allowed =
        named.is_some_and(|entry| entry.terms.allows_source(source) && entry.terms.allows_dialled(dialled));
    // The trunk that is named allows both: then some trunk does, and no other one matters.
    if !allowed {
        match snapshot.trunks.find_source(source, dialled) {
            Found::NoAddress => return Err(unknown_source(snapshot, attempt, dialled)),
            Found::NoPrefix => return Err(unknown_prefix(snapshot, attempt, dialled)),
            Found::Open(slot) if ours.is_none() => {
                if let Some(entry) = snapshot.trunks.entry(slot) {
                    return Ok((entry, Identified::Address, all));
                }
            }
            Found::NeedsDigest | Found::Open(_) => {}
        }
    }
    let verified = sent.as_ref().map_err(|failure| DigestRefusal::from(*failure));
    let (entry, identified) = match verified.and_then(|sent| verify(snapshot, attempt, sent, named)) {
        Ok(found) => found,
        Err(refusal) => return Err(challenge(snapshot, &refusal)),
    };
    if allowed {
        Ok((entry, identified, all))
    } else {
        Err(not_a_candidate(snapshot, attempt, entry, source, dialled))
    }
}

fn verify<'a>(
    snapshot: &Snapshot<'a>,
    attempt: &Attempt<'_>,
    sent: &Credentials<'_>,
    named: Option<&'a Entry>,
) -> Result<(&'a Entry, Identified), DigestRefusal<&'a Entry>> {
    let request = SignedRequest { method: attempt.method, body: attempt.body };
    let accepted = verify_chosen(sent, request, snapshot.settings, snapshot.nonces, |_| {
        let entry = named?;
        match &entry.terms.authentication {
            Authentication::Credentials { password, .. } => Some((entry, password)),
            _ => None,
        }
    })?;
    let identified = Identified::Digest { nonce: accepted.nonce.into(), count: accepted.count };
    Ok((accepted.who, identified))
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
        phrase: phrase(snapshot.settings, Cause::NoCustomer, code),
        trunk: trunk.map(|entry| Arc::clone(&entry.terms)),
        configured,
        received,
        explanation,
        dialled: text(dialled),
        passed: Checks::of(passed.iter().copied()),
    }))
}

/// The nearest allowed subnet is for the log alone: it may be of another account.
fn unknown_source(snapshot: &Snapshot<'_>, attempt: &Attempt<'_>, dialled: &[u8]) -> Verdict {
    let words = [
        "allowed_sip_ips of any trunk".to_owned(),
        attempt.source.to_string(),
        "no trunk allows the address; NAT, a second way out or IPv6 may have changed it".to_owned(),
    ];
    refuse(snapshot, (Check::Source, &[]), None, dialled, words)
}

fn unknown_prefix(snapshot: &Snapshot<'_>, attempt: &Attempt<'_>, dialled: &[u8]) -> Verdict {
    let words = [
        format!("tech_prefix of a trunk that allows {}", attempt.source),
        text(dialled),
        "what was dialled begins with no tech prefix of the trunks that allow the address".to_owned(),
    ];
    refuse(snapshot, (Check::TechPrefix, &[Check::Source]), None, dialled, words)
}

fn not_a_candidate(
    snapshot: &Snapshot<'_>,
    attempt: &Attempt<'_>,
    entry: &Entry,
    source: Address,
    dialled: &[u8],
) -> Verdict {
    let terms = &entry.terms;
    let words = if terms.allows_source(source) {
        let prefix = &terms.tech_prefix;
        let explanation =
            "the digest is right, but the dialled text does not begin with the trunk's tech prefix";
        [format!("tech_prefix {prefix}"), text(dialled), explanation.to_owned()]
    } else {
        let nearest = terms.networks.iter().max_by_key(|network| network.shared_bits(source));
        let nearest = nearest.map_or_else(|| "nobody".to_owned(), ToString::to_string);
        let explanation = "the digest is right, but the trunk does not allow the address; other trunks do";
        [
            format!("{} allowed_sip_ips, the nearest {nearest}", terms.networks.len()),
            attempt.source.to_string(),
            explanation.to_owned(),
        ]
    };
    let passed = &[Check::Source, Check::TechPrefix, Check::Digest];
    refuse(snapshot, (Check::Trunk, passed), Some(entry), dialled, words)
}
