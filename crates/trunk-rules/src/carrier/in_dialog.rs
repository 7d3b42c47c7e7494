//! Authenticates requests inside a dialog.
//!
//! Every hop on the path sees the tags of a dialog, so a request from an address other than the dialog's is
//! authenticated like a new call: a trunk with credentials requires a digest, and the address must be allowed
//! as well. This applies to every method. A request from the dialog's own address is accepted; its port may
//! change.

use std::net::IpAddr;
use std::sync::Arc;

use super::digest::verify_chosen;
use super::network::Address;
use super::{
    Attempt, Authentication, Challenge, Check, Checks, DigestRefusal, Nonces, Settings, SignedRequest,
    TrunkTerms, reason_phrase,
};

/// The decision on a request inside a dialog.
#[derive(Debug)]
pub enum InDialog {
    /// The request is the caller's. Contains the nonce and the nonce count if a digest was verified.
    Accepted(Option<(Box<[u8]>, u32)>),
    /// The request must be repeated with a digest.
    Challenged(Box<Challenge>),
    /// The request is refused, for this reason.
    Refused(&'static str),
}

/// Decides on a request inside a dialog. `trunk` is the trunk of the call, `peer` the address that the call
/// came from.
pub fn admit_in_dialog(
    settings: &Settings,
    nonces: &dyn Nonces,
    trunk: &Arc<TrunkTerms>,
    peer: IpAddr,
    attempt: &Attempt<'_>,
) -> InDialog {
    let source = Address::of(attempt.source);
    if source == Address::of(peer) {
        return InDialog::Accepted(None);
    }
    let is_allowed = trunk.allows_source(source);
    let digest = match &trunk.authentication {
        Authentication::Credentials { username, password } => {
            let request = SignedRequest { method: attempt.method, body: attempt.body };
            let own = |named: &[u8]| (named == username.as_bytes()).then_some(((), password));
            let sent = attempt.credentials.chosen().map_err(DigestRefusal::from);
            match sent.and_then(|sent| verify_chosen(sent, request, settings, nonces, own)) {
                Ok(accepted) => Some((accepted.nonce.into(), accepted.count)),
                Err(refusal) => {
                    let code = settings.challenge_code;
                    return InDialog::Challenged(Box::new(Challenge {
                        code,
                        phrase: reason_phrase(code),
                        failure: refusal.failure,
                        stale: refusal.stale && settings.stale_flag,
                        trunk: Some(Arc::clone(trunk)),
                        passed: Checks::of([Check::Source, Check::TechPrefix]),
                    }));
                }
            }
        }
        Authentication::Address => None,
        Authentication::Twilio(sid) => {
            if attempt.twilio_account_sid.map(<[u8]>::trim_ascii) != Some(sid.as_bytes()) {
                return InDialog::Refused(
                    "the request comes from another address and does not name the trunk's Twilio account",
                );
            }
            // A Twilio trunk may have no allowed addresses: the account SID alone identifies it.
            if trunk.networks.is_empty() {
                return InDialog::Accepted(None);
            }
            None
        }
        Authentication::Nobody => return InDialog::Refused("the request comes from another address"),
    };
    if is_allowed {
        InDialog::Accepted(digest)
    } else {
        InDialog::Refused("the request comes from another address, which the trunk does not allow")
    }
}
