//! Applies an injected fault of the lab to an admitted call.

use lab::CallFault;

use crate::call_state::CallState;
use crate::far_end::{Outcome, Then};
use crate::inner::Inner;

/// The injected fault that applies to a call, if one does.
pub(super) async fn of(inner: &Inner, call_state: &CallState) -> Option<CallFault> {
    let lab = &inner.config.lab;
    if !lab.takes_calls() {
        return None;
    }
    let account = if lab.names_accounts() {
        let accounts = inner.core.store.accounts().await.unwrap_or_default();
        accounts.iter().find(|known| known.number == call_state.account()).map(|known| known.id)
    } else {
        None
    };
    lab.call(account, call_state.trunk_uuid(), &call_state.destination.to_string())
}

/// Changes the called party's behaviour by a fault. Returns it with the sentence that describes it.
pub(super) fn applied(fault: Option<&CallFault>, mut plan: Outcome) -> (Outcome, String) {
    let Some(fault) = fault else {
        let sentence = plan.admitted_sentence();
        return (plan, sentence);
    };
    if let Some(code) = fault.refusal {
        plan = Outcome { ring: fault.delay, early_media: false, then: Then::Refuse(code) };
    } else {
        plan.ring = plan.ring.saturating_add(fault.delay);
        if fault.is_never_answered {
            plan.then = Then::NoAnswer;
        }
    }
    let sentence = format!("{}; fault {} of the lab takes the call", plan.admitted_sentence(), fault.id);
    (plan, sentence)
}
