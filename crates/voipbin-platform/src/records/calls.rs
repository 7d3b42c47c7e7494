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
}
