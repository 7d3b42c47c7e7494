//! Calls. A call that has not ended is written by its own task alone (see `engine`).

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use trunk_store::DocumentKind;
use uuid::Uuid;
use voipbin_types::{ActionBody, Call, CallStatus, Timestamp};

use crate::entity::{Entity, Kind};
use crate::records::call_events::CallEvent;
use crate::records::call_tries::{Attempted, CallTry};

/// The [`Kind`] of calls: how their documents are stored and found.
pub struct Calls;

/// The private part of a call.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct CallPrivate {
    /// The actions that run once the call is answered. Not stored: the flow is, and no call outlives its
    /// server.
    #[serde(skip)]
    pub(crate) actions: Arc<[ActionBody]>,
    /// The node that runs the call.
    #[serde(default)]
    pub(crate) node: i64,
    /// Whether the caller's number is hidden.
    pub(crate) anonymous: bool,
    /// The providers to try, in this order; empty for a call to a SIP URI.
    pub(crate) providers: Vec<Uuid>,
    /// The routes that led to these providers; nil where the request named the provider.
    #[serde(default)]
    pub(crate) routes: Vec<Uuid>,
    /// The index in `providers` of the current attempt.
    pub(crate) current: usize,
    /// The attempts at carriers, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) tries: Vec<CallTry>,
    /// The events, oldest first. A call of an earlier release has none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) events: Vec<CallEvent>,
}

impl CallPrivate {
    /// The provider and the route of the current attempt.
    pub(crate) fn attempted(&self) -> Attempted {
        let route = self.routes.get(self.current).copied().filter(|route| !route.is_nil());
        Attempted { provider: self.providers.get(self.current).copied(), route }
    }
}

impl Kind for Calls {
    const KIND: DocumentKind = DocumentKind::Call;
    type Public = Call;
    type Private = CallPrivate;

    const KEYS_ARE_FIXED: bool = true;

    fn is_live(call: &Entity<Self>) -> bool {
        call.public.status != CallStatus::Hangup
    }

    fn keys(call: &Entity<Self>) -> Vec<(&'static str, String)> {
        let activeflow = call.public.activeflow_id.to_string();
        let mut keys = vec![("customer", call.customer.to_string()), ("activeflow", activeflow)];
        if !call.public.flow_id.is_nil() {
            keys.push(("flow", call.public.flow_id.to_string()));
        }
        keys
    }
}

impl Entity<Calls> {
    /// Marks the call as deleted at this time. The caller writes it.
    pub(crate) fn mark_deleted(&mut self, at: Timestamp) {
        self.deleted = true;
        (self.public.tm_update, self.public.tm_delete) = (Some(at), Some(at));
    }

    /// Adopts what the store has after a write of this call's task conflicted: the deletion mark that another node has
    /// set, or an earlier write of the task itself, which was committed although its outcome was unknown. Returns false
    /// if there is nothing of this, or if the stored call has ended.
    pub(crate) fn adopt(&mut self, stored: &Self) -> bool {
        let is_newer = stored.revision > self.revision && Calls::is_live(stored);
        if is_newer {
            self.revision = stored.revision;
            self.deleted |= stored.deleted;
            self.public.tm_delete = self.public.tm_delete.or(stored.public.tm_delete);
        }
        is_newer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(revision: i64, status: CallStatus) -> Entity<Calls> {
        let public = Call { status, ..Call::default() };
        let at = Timestamp::from_unix_micros(1);
        let mut call = Entity::<Calls>::new(Uuid::nil(), Uuid::nil(), at, public, CallPrivate::default());
        call.revision = Some(revision);
        call
    }

    #[test]
    fn a_write_without_a_known_outcome_and_a_deletion_mark_are_adopted_and_an_end_is_not() {
        let mut own = call(3, CallStatus::Progressing);
        assert!(own.adopt(&call(4, CallStatus::Ringing)), "an earlier write was committed");
        assert_eq!((own.revision, own.deleted), (Some(4), false));
        assert_eq!(own.public.status, CallStatus::Progressing);
        let mut marked = call(5, CallStatus::Progressing);
        let at = Timestamp::from_unix_micros(9);
        marked.mark_deleted(at);
        assert!(own.adopt(&marked));
        assert_eq!((own.revision, own.deleted, own.public.tm_delete), (Some(5), true, Some(at)));
        assert!(!own.adopt(&marked), "the same conflict again has another cause");
        assert!(!own.adopt(&call(6, CallStatus::Hangup)), "another node has ended it");
    }
}
