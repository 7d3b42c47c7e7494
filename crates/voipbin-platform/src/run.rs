//! A call's flow as it runs: which action it is at, and how long that takes.

use std::sync::Arc;
use std::time::Duration;

use didww_types::Timestamp;
use trunk_rules::outbound::{self, Cursor, Effect, Flow, FlowError, Next};
use voipbin_types::ActionBody;

/// What is done next.
pub(crate) enum Turn {
    /// This action begins.
    Begin(ActionBody),
    /// Nothing is due.
    Wait,
    /// There is nothing left to do.
    Over,
}

/// A flow, and how far a call is in it.
pub(crate) struct Run {
    /// Shared with the other calls of the same request.
    actions: Arc<[ActionBody]>,
    flow: Option<Flow>,
    cursor: Cursor,
    due: Option<Timestamp>,
}

/// The actions as the rules read them.
pub(crate) fn flow(actions: &[ActionBody]) -> Result<Flow, FlowError> {
    let read = |action: &ActionBody| outbound::Action {
        id: action.id,
        next_id: action.next_id,
        kind: action.kind.as_str().to_owned(),
        option: action.option.clone().into_iter().collect(),
    };
    Flow::new(&actions.iter().map(read).collect::<Vec<_>>())
}

impl Run {
    pub(crate) fn new(actions: Arc<[ActionBody]>) -> Self {
        // They were checked before the call was made.
        let flow = flow(&actions).ok();
        let cursor = flow.as_ref().map(Flow::start).unwrap_or_default();
        Self { actions, flow, cursor, due: None }
    }

    /// Begins, now.
    pub(crate) fn begin(&mut self, now: Timestamp) {
        self.due = Some(now);
    }

    /// Does nothing more.
    pub(crate) fn end(&mut self) {
        self.due = None;
    }

    /// When there is something to do: nothing before the beginning, and nothing after the end.
    pub(crate) fn due(&self) -> Option<Timestamp> {
        self.due
    }

    /// Takes a turn.
    pub(crate) fn turn(&mut self, now: Timestamp) -> Turn {
        if self.due.is_none_or(|due| due > now) {
            return Turn::Wait;
        }
        self.due = None;
        let Some(flow) = &self.flow else { return Turn::Over };
        match flow.step(&mut self.cursor) {
            Next::HangUp { index, .. } => match index.and_then(|index| self.actions.get(index)) {
                // It is shown as every action is; nothing follows it, so that the next turn is the last.
                Some(action) => {
                    self.due = Some(now);
                    Turn::Begin(action.clone())
                }
                None => Turn::Over,
            },
            Next::Run { index, effect } => {
                let time = if let Effect::Takes(time) = effect { time } else { Duration::ZERO };
                self.due = Some(now.after(time));
                self.actions.get(index).cloned().map_or(Turn::Over, Turn::Begin)
            }
        }
    }
}
