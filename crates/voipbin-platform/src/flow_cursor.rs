//! The position of a call in its flow: which action runs, and when the next one is due.

use std::sync::Arc;
use std::time::Duration;

use didww_types::Timestamp;
use trunk_rules::outbound::{Cursor, Effect, Flow, Next};
use voipbin_types::ActionBody;

/// The next step of a flow.
pub(crate) enum Step {
    /// This action begins now, and is the call's current one.
    Begin(ActionBody),
    /// No action is due yet.
    Wait,
    /// The flow has ended, so that the call is hung up.
    End,
}

/// A flow, and the position of a call in it.
pub(crate) struct FlowCursor {
    /// Shared with the other calls of the same request.
    actions: Arc<[ActionBody]>,
    flow: Option<Flow>,
    cursor: Cursor,
    /// When the next action begins; none before the flow begins and after it ended.
    due: Option<Timestamp>,
}

impl FlowCursor {
    /// The start of a flow, which does not run yet.
    pub(crate) fn new(actions: Arc<[ActionBody]>) -> Self {
        // The actions were checked when the flow was created.
        let flow = Flow::new(&actions).ok();
        let cursor = flow.as_ref().map(Flow::start).unwrap_or_default();
        Self { actions, flow, cursor, due: None }
    }

    /// Starts the flow: its first action is due now.
    pub(crate) fn begin(&mut self, now: Timestamp) {
        self.due = Some(now);
    }

    /// Ends the flow: no further action is due.
    pub(crate) fn end(&mut self) {
        self.due = None;
    }

    /// When the next action is due; none before the flow begins and after it ended.
    pub(crate) fn due(&self) -> Option<Timestamp> {
        self.due
    }

    /// Advances to the next action, if one is due.
    pub(crate) fn step(&mut self, now: Timestamp) -> Step {
        if self.due.is_none_or(|due| due > now) {
            return Step::Wait;
        }
        self.due = None;
        let Some(flow) = &self.flow else { return Step::End };
        match flow.step(&mut self.cursor) {
            Next::HangUp { index, .. } => match index.and_then(|index| self.actions.get(index)) {
                // The hangup is reported like every action. No action follows it: the next step ends the
                // flow.
                Some(action) => {
                    self.due = Some(now);
                    Step::Begin(action.clone())
                }
                None => Step::End,
            },
            Next::Run { index, effect } => {
                let time = if let Effect::Takes(time) = effect { time } else { Duration::ZERO };
                self.due = Some(now.after(time));
                self.actions.get(index).cloned().map_or(Step::End, Step::Begin)
            }
        }
    }
}
