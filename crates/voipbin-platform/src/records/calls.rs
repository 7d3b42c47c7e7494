//! Calls. A call that has not ended is written by its own task alone (see `engine`).

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use trunk_store::DocumentKind;
use uuid::Uuid;
use voipbin_types::{ActionBody, Call, CallStatus, Timestamp};

use crate::entity::{Entity, Kind};

/// The [`Kind`] of calls.
pub(crate) struct Calls;

/// The private part of a call.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct CallPrivate {
    /// The actions that run once the call is answered. Not stored: the flow is, and no call outlives its
    /// server.
    #[serde(skip)]
    pub(crate) actions: Arc<[ActionBody]>,
    /// Whether the caller's number is hidden.
    pub(crate) anonymous: bool,
    /// The providers to try, in this order; empty for a call to a SIP URI.
    pub(crate) providers: Vec<Uuid>,
    /// The index in `providers` of the current attempt.
    pub(crate) current: usize,
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
        let mut keys = vec![("customer", call.customer.to_string())];
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
}
