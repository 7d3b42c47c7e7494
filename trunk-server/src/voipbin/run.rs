//! A call's flow as it runs: which action it is at, and how long that takes.

use std::sync::Arc;

use didww_types::Timestamp;
use trunk_rules::outbound::{self, Cursor, Effect, Flow, FlowError, Next};
use voipbin_client::types::ActionBody;

/// What is done next.
pub(super) enum Turn {
    /// This action begins.
    Begin(ActionBody),
    /// The action takes until the run is due.
    Wait,
    /// There is nothing left to do.
    Over,
}

/// A flow, and how far a call is in it.
pub(super) struct Run {
    /// Shared with the other calls of the same request.
    actions: Arc<[ActionBody]>,
    flow: Option<Flow>,
    cursor: Cursor,
    due: Option<Timestamp>,
}

/// The actions as the rules read them.
pub(super) fn flow(actions: &[ActionBody]) -> Result<Flow, FlowError> {
    let read = |action: &ActionBody| outbound::Action {
        id: action.id,
        next_id: action.next_id,
        kind: action.kind.as_str().to_owned(),
        option: action.option.clone().into_iter().collect(),
    };
    Flow::new(&actions.iter().map(read).collect::<Vec<_>>())
}

impl Run {
    pub(super) fn new(actions: Arc<[ActionBody]>) -> Self {
        // They were checked before the call was made.
        let flow = flow(&actions).ok();
        let cursor = flow.as_ref().map(Flow::start).unwrap_or_default();
        Self { actions, flow, cursor, due: None }
    }

    /// When the action that takes time is done.
    pub(super) fn due(&self) -> Option<Timestamp> {
        self.due
    }

    /// Takes a turn.
    pub(super) fn turn(&mut self, now: Timestamp) -> Turn {
        if self.due.is_some_and(|due| due > now) {
            return Turn::Wait;
        }
        self.due = None;
        let Some(flow) = &self.flow else { return Turn::Over };
        match flow.step(&mut self.cursor) {
            Next::HangUp { .. } => Turn::Over,
            Next::Run { index, effect } => {
                if let Effect::Takes(time) = effect {
                    self.due = Some(now.after(time));
                }
                self.actions.get(index).cloned().map_or(Turn::Over, Turn::Begin)
            }
        }
    }
}
