//! Whether a request inside a dialog is the caller's own.
//!
//! The tags of a dialog are known to everybody on the way, so a request from another address than the dialog's is
//! trusted as little as a new call: with credentials it needs a digest, and the address must be allowed all the same.
//! No method is an exception. From the dialog's own address nothing more is asked; its port may change.

use std::net::IpAddr;
use std::sync::Arc;

use super::digest::verify_digest;
use super::network::Address;
use super::{
    Attempt, Authentication, Challenge, Check, Checks, Nonces, Settings, SignedRequest, TrunkTerms,
    reason_phrase,
};

/// What is done with a request inside a dialog.
#[derive(Debug)]
pub enum InDialog {
    /// It is the caller's. A digest has its nonce and its count with it.
    Accepted(Option<(Box<[u8]>, u32)>),
    /// It needs a digest, or another one.
    Challenged(Box<Challenge>),
    /// It is refused, and why.
    Refused(&'static str),
}

/// Decides about a request inside the dialog of a call of `trunk` that came from `peer`.
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
            match verify_digest(attempt.credentials, request, settings, nonces, own) {
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
                    "it comes from another address and does not name the trunk's account",
                );
            }
            // Such a trunk may have no addresses at all: the account alone names it.
            if trunk.networks.is_empty() {
                return InDialog::Accepted(None);
            }
            None
        }
        Authentication::Nobody => return InDialog::Refused("it comes from another address"),
    };
    if is_allowed {
        InDialog::Accepted(digest)
    } else {
        InDialog::Refused("it comes from another address, which the trunk does not allow")
    }
}
