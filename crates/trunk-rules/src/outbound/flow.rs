//! Runs the actions of a request on an answered call, as a small state machine.
//!
//! It waits where an action takes time, follows `goto`, and ends. It is not a media platform: actions that
//! need one, or an agent, a queue, a conference or a model, are accepted and complete at once, and a
//! condition that only such a platform can evaluate counts as true.

mod action;
mod estimate;

use std::time::Duration;

use uuid::Uuid;
use voipbin_types::{ActionBody, HangupReason};

use action::Behaviour;
pub use action::FlowError;

/// The maximum number of actions that one call runs; a flow that exceeds it is ended. No real flow is that
/// long.
pub const MAX_STEPS: u32 = 1_000;

/// A list of validated actions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flow {
    nodes: Box<[Node]>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Node {
    id: Uuid,
    next_id: Uuid,
    behaviour: Behaviour,
}

/// The position of a call in its flow.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cursor {
    /// The index of the next action; `None` after the last.
    next: Option<usize>,
    /// How often each `goto` still jumps; `None` for one that has not run yet.
    loops_left: Vec<Option<u64>>,
    steps: u32,
}

/// The effect of an action on the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// The call is answered, unless it already is.
    Answer,
    /// The action takes this long, as far as the duration can be known.
    Takes(Duration),
    /// The action completes at once.
    AtOnce,
}

/// The next thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// An action becomes the call's current one.
    Run {
        /// Its index in the actions that the flow was created from.
        index: usize,
        /// Its effect on the call.
        effect: Effect,
    },
    /// The call is hung up.
    HangUp {
        /// The index of the `hangup` action; `None` at the end of the flow.
        index: Option<usize>,
        /// The reason that the action names. The call record states `normal` regardless.
        reason: HangupReason,
    },
}

impl Flow {
    /// Validates actions in their order; the first invalid one is the error.
    pub fn new(actions: &[ActionBody]) -> Result<Self, FlowError> {
        let node = |action: &ActionBody| {
            Ok(Node { id: action.id, next_id: action.next_id, behaviour: Behaviour::of(action)? })
        };
        Ok(Self { nodes: actions.iter().map(node).collect::<Result<_, _>>()? })
    }

    /// Returns the position before the first action.
    pub fn start(&self) -> Cursor {
        Cursor { next: Some(0), loops_left: vec![None; self.nodes.len()], steps: 0 }
    }

    /// Returns the next action. Calling it again means that the previous action is complete.
    pub fn step(&self, cursor: &mut Cursor) -> Next {
        let end = Next::HangUp { index: None, reason: HangupReason::Normal };
        while let Some(index) = cursor.next {
            let Some(node) = self.nodes.get(index).filter(|_| cursor.steps < MAX_STEPS) else { break };
            cursor.steps += 1;
            cursor.next = self.after(index, node);
            match &node.behaviour {
                Behaviour::Answer => return Next::Run { index, effect: Effect::Answer },
                Behaviour::Takes(duration) => return Next::Run { index, effect: Effect::Takes(*duration) },
                Behaviour::AtOnce => return Next::Run { index, effect: Effect::AtOnce },
                Behaviour::Goto { target, loop_count } => {
                    if let Some(left) = cursor.loops_left.get_mut(index) {
                        let times = left.unwrap_or(*loop_count);
                        *left = Some(times.saturating_sub(1));
                        if times > 0 {
                            cursor.next = self.find(*target);
                        }
                    }
                }
                Behaviour::Stop => break,
                Behaviour::Hangup(reason) => {
                    cursor.next = None;
                    return Next::HangUp { index: Some(index), reason: reason.clone() };
                }
            }
        }
        cursor.next = None;
        end
    }

    fn after(&self, index: usize, node: &Node) -> Option<usize> {
        if node.next_id.is_nil() { Some(index + 1) } else { self.find(node.next_id) }
    }

    fn find(&self, id: Uuid) -> Option<usize> {
        if id.is_nil() { None } else { self.nodes.iter().position(|node| node.id == id) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn action(id: u128, kind: &str, option: Value) -> ActionBody {
        let Value::Object(option) = option else { panic!("an option is an object") };
        let option = option.into_iter().collect();
        ActionBody { id: Uuid::from_u128(id), next_id: Uuid::nil(), kind: kind.into(), option }
    }

    fn name(id: u128) -> String {
        Uuid::from_u128(id).to_string()
    }

    /// Runs the flow to its end, which must exist, and returns every step.
    fn run(actions: &[ActionBody]) -> Vec<Next> {
        let flow = Flow::new(actions).unwrap();
        let mut cursor = flow.start();
        let mut steps = Vec::new();
        loop {
            let next = flow.step(&mut cursor);
            let is_end = matches!(next, Next::HangUp { .. });
            steps.push(next);
            assert!(steps.len() <= MAX_STEPS as usize + 1);
            if is_end {
                assert_eq!(
                    flow.step(&mut cursor),
                    Next::HangUp { index: None, reason: HangupReason::Normal }
                );
                return steps;
            }
        }
    }

    fn takes(index: usize, millis: u64) -> Next {
        Next::Run { index, effect: Effect::Takes(Duration::from_millis(millis)) }
    }

    const END: Next = Next::HangUp { index: None, reason: HangupReason::Normal };

    #[test]
    fn a_verification_call_answers_talks_and_hangs_up() {
        let talk = json!({"text": "This is a provider verification call.", "language": "en-US"});
        let steps =
            run(&[action(0, "answer", json!({})), action(0, "talk", talk), action(0, "hangup", json!({}))]);
        assert_eq!(steps[0], Next::Run { index: 0, effect: Effect::Answer });
        let Next::Run { index: 1, effect: Effect::Takes(length) } = steps[1] else { panic!("{steps:?}") };
        assert!((2..5).contains(&length.as_secs()), "{length:?}");
        assert_eq!(steps[2], Next::HangUp { index: Some(2), reason: HangupReason::Normal });
    }

    #[test]
    fn a_call_without_actions_is_hung_up_at_once() {
        assert_eq!(run(&[]), [END]);
    }

    #[test]
    fn a_hangup_names_its_reason_and_ends_the_flow() {
        let steps = run(&[action(0, "hangup", json!({"reason": "busy"})), action(0, "answer", json!({}))]);
        assert_eq!(steps, [Next::HangUp { index: Some(0), reason: HangupReason::Busy }]);
    }

    #[test]
    fn a_goto_leads_back_as_often_as_it_says_and_then_on() {
        let steps = run(&[
            action(5, "sleep", json!({"duration": 10})),
            action(6, "goto", json!({"target_id": name(5), "loop_count": 2})),
            action(7, "sleep", json!({"duration": 20})),
        ]);
        assert_eq!(steps, [takes(0, 10), takes(0, 10), takes(0, 10), takes(2, 20), END]);
    }

    #[test]
    fn a_goto_without_a_count_passes_and_one_to_nowhere_ends_the_flow() {
        let beep = || action(0, "sleep", json!({"duration": 1}));
        let goto = |option| action(6, "goto", option);
        assert_eq!(run(&[goto(json!({"target_id": name(6)})), beep()]), [takes(1, 1), END]);
        assert_eq!(run(&[goto(json!({"target_id": name(1), "loop_count": 1})), beep()]), [END]);
    }

    #[test]
    fn a_goto_that_names_itself_for_ever_comes_to_an_end() {
        let forever = json!({"target_id": name(6), "loop_count": u64::MAX});
        assert_eq!(run(&[action(6, "goto", forever)]), [END]);
    }

    #[test]
    fn a_run_has_a_thousand_steps_and_not_one_more() {
        let beep = || action(0, "sleep", json!({"duration": 1}));
        let ran = |count: usize| run(&vec![beep(); count]).len() - 1;
        assert_eq!([ran(999), ran(1_000), ran(1_001)], [999, 1_000, 1_000]);
        // A `goto` is a step, too.
        let round = json!({"target_id": name(5), "loop_count": 2_000});
        let mut first = beep();
        first.id = Uuid::from_u128(5);
        assert_eq!(run(&[first, action(6, "goto", round)]).len() - 1, 500);
    }

    #[test]
    fn next_id_overrides_the_order_and_stop_ends_the_flow() {
        let mut first = action(1, "answer", json!({}));
        first.next_id = Uuid::from_u128(3);
        let steps = run(&[
            first,
            action(2, "sleep", json!({"duration": 1})),
            action(3, "stop", json!({})),
            action(4, "answer", json!({})),
        ]);
        assert_eq!(steps, [Next::Run { index: 0, effect: Effect::Answer }, END]);
    }

    fn any_action() -> impl Strategy<Value = ActionBody> {
        let kind = prop_oneof![Just("answer"), Just("sleep"), Just("goto"), Just("queue_join"), Just("goto")];
        (0u128..6, 0u128..8, kind, 0u128..6, 0i64..1_000_000).prop_map(|(id, next, kind, target, count)| {
            ActionBody {
                next_id: if next > 5 { Uuid::nil() } else { Uuid::from_u128(next) },
                ..action(id, kind, json!({"target_id": name(target), "loop_count": count, "duration": 1}))
            }
        })
    }

    proptest! {
        #[test]
        fn every_flow_ends(actions in proptest::collection::vec(any_action(), 0..8)) {
            run(&actions);
        }
    }
}
