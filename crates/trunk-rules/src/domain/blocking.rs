//! The blocking of a trunk, by a write of its owner or by its spending, which can reach the threshold.
//!
//! Both decide by [`decide_block_change`], and store the state and notify the callback URL in the same way.

use didww_types::callback::TrunkEvent;
use didww_types::resources::{VoiceOutTrunk, VoiceOutTrunkPartial, VoiceOutTrunkStatus};
use didww_types::values::{CallbackUrl, Money, ThresholdAmount};
use didww_types::{DecodeError, Id, Partial as _, Resource as _, Timestamp};
use rust_decimal::Decimal;

use super::draft::Draft;
use super::{Event, Links, RecordChange, WriteContext, WriteOutcome};
use crate::carrier::{BlockChange, BlockState, SpendEvent, decide_block_change};

/// Sets the status that an owner's update results in, and whether the callback URL is notified of it. A new trunk has
/// spent nothing and was never open, so its creation is not notified.
pub(super) fn apply(context: &WriteContext<'_>, draft: &mut Draft<VoiceOutTrunk>) -> Result<(), DecodeError> {
    let Some(trunk) = &draft.before else { return Ok(()) };
    let before = BlockState::of(trunk);
    let status = draft.changes.status.as_ref().unwrap_or(&trunk.status);
    let requested = BlockState { blocked: *status != VoiceOutTrunkStatus::Active, ..before };
    let limit = draft.changes.threshold_amount.unwrap_or(trunk.threshold_amount);
    let limit_changed = (limit != trunk.threshold_amount).then_some(SpendEvent::LimitChanged);
    // A requested status takes precedence over a threshold in the same request. So activation is applied
    // after the new threshold, and a manual block before it: a manual block is never lifted by ageing.
    let events = match (before.blocked, requested.blocked) {
        (false, true) => [Some(SpendEvent::BlockedByHand), limit_changed],
        (true, false) => [limit_changed, Some(SpendEvent::Activated)],
        _ => [limit_changed, None],
    };
    let (mut after, mut is_notified) = (before, false);
    for event in events.into_iter().flatten() {
        let spent = trunk.meta.spent_amount.amount();
        let manual = context.callback_on_manual_block;
        if let Some(change) = decide_block_change(after, event, amount(limit), spent, manual) {
            after = change.state;
            is_notified |= change.callback;
        }
    }
    // A threshold that would re-open the trunk does not overrule a block that the same request states.
    if draft.changes.status.is_some() && requested.blocked && !after.blocked {
        after = BlockState { blocked: true, threshold_reached: false };
        is_notified = false;
    }
    if after != requested {
        set(&mut draft.changes, after);
    }
    if is_notified {
        let url = draft.changes.callback_url.as_ref().unwrap_or(&trunk.callback_url);
        draft.events.extend(event(&trunk.id, url.as_ref(), after, context.now)?);
    }
    Ok(())
}

/// The outcome of a decision on the spending of a trunk.
#[derive(Debug, Default)]
pub struct SpendingOutcome {
    /// The changes to the trunk, and the event for its callback URL.
    pub outcome: WriteOutcome,
    /// The trunk's new state, if the spending blocked or re-opened it.
    pub change: Option<BlockChange>,
}

/// Decides what `event` does to a trunk that has spent `spent` US dollars in the last 24 hours: the amount in its meta,
/// and its blocking. Nothing changes if the trunk shows both already.
///
/// # Errors
/// Only when a value cannot be serialised.
pub fn decide_spending(
    trunk: &VoiceOutTrunk,
    event_of_spending: SpendEvent,
    spent: Decimal,
    callback_on_manual_block: bool,
    now: Timestamp,
) -> Result<SpendingOutcome, DecodeError> {
    let before = BlockState::of(trunk);
    let limit = amount(trunk.threshold_amount);
    let change = decide_block_change(before, event_of_spending, limit, spent, callback_on_manual_block);
    let mut meta = trunk.meta.clone();
    meta.spent_amount = Money::new(spent);
    if change.is_none() && meta == trunk.meta {
        return Ok(SpendingOutcome::default());
    }
    let mut changes = VoiceOutTrunkPartial::empty();
    let mut events = Vec::new();
    if let Some(change) = change {
        set(&mut changes, change.state);
        if change.callback {
            events.extend(event(&trunk.id, trunk.callback_url.as_ref(), change.state, now)?);
        }
    }
    let update = RecordChange::Update {
        spec: VoiceOutTrunk::SPEC,
        id: trunk.id.as_str().to_owned(),
        attributes: changes.attributes()?,
        links: Links::new(),
        meta: Some(serde_json::to_string(&meta).map_err(|error| DecodeError::new("meta", error))?),
    };
    Ok(SpendingOutcome { outcome: WriteOutcome { changes: vec![update], events }, change })
}

fn amount(threshold: Option<ThresholdAmount>) -> Option<Decimal> {
    threshold.map(|threshold| threshold.money().amount())
}

fn status(state: BlockState) -> VoiceOutTrunkStatus {
    if state.blocked { VoiceOutTrunkStatus::Blocked } else { VoiceOutTrunkStatus::Active }
}

fn set(changes: &mut VoiceOutTrunkPartial, state: BlockState) {
    changes.status = Some(status(state));
    changes.threshold_reached = Some(state.threshold_reached);
}

/// The event that reports a trunk's state to its callback URL, if it has one.
fn event(
    trunk: &Id<VoiceOutTrunk>,
    url: Option<&CallbackUrl>,
    state: BlockState,
    now: Timestamp,
) -> Result<Option<Event>, DecodeError> {
    let Some(url) = url else { return Ok(None) };
    let event = TrunkEvent::new(trunk.clone(), status(state), state.threshold_reached, now);
    let body = serde_json::to_string(&event).map_err(|error| DecodeError::new("event", error))?;
    Ok(Some(Event { subject: trunk.as_str().to_owned(), url: url.with_scheme().into_owned(), body }))
}

#[cfg(test)]
mod tests {
    use didww_types::ApiVersion;
    use serde_json::{Map, Value, json};

    use super::*;
    use crate::domain::{RecordText, Rulebook, WriteKind};

    const OPEN: BlockState = BlockState { blocked: false, threshold_reached: false };
    const BY_SPENDING: BlockState = BlockState { blocked: true, threshold_reached: true };
    const BY_HAND: BlockState = BlockState { blocked: true, threshold_reached: false };

    const URL: &str = "http://example.com/callbacks";
    const ID: &str = "f36d1d17-bd16-42b9-af42-0cfe166bf3ec";

    /// The attributes of a trunk in the given state, with a threshold of 10 dollars.
    fn stored(was: BlockState) -> Map<String, Value> {
        let attributes = json!({
            "name": "T", "threshold_amount": "10.0", "threshold_reached": was.threshold_reached,
            "status": status(was), "callback_url": URL, "on_cli_mismatch_action": "reject_call",
            "created_at": "2017-06-25T08:21:41.795Z",
            "authentication_method": { "type": "credentials_and_ip", "attributes": {} },
        });
        attributes.as_object().unwrap().clone()
    }

    /// The state of a trunk after an outcome, and the state that it notifies the callback URL of.
    fn after(was: BlockState, outcome: &WriteOutcome) -> (BlockState, Option<BlockState>) {
        let mut attributes = stored(was);
        for change in &outcome.changes {
            let RecordChange::Update { id, attributes: changed, .. } = change else { panic!("{change:?}") };
            assert_eq!(id, ID);
            attributes.extend(changed.clone());
        }
        let state = |object: &Map<String, Value>| BlockState {
            blocked: object["status"] == "blocked",
            threshold_reached: object["threshold_reached"] == true,
        };
        let notified = outcome.events.first().map(|event| {
            assert_eq!((event.subject.as_str(), event.url.as_str()), (ID, URL));
            state(serde_json::from_str::<Value>(&event.body).unwrap().as_object().unwrap())
        });
        (state(&attributes), notified)
    }

    /// Writes attributes to a trunk in the given state, with a threshold of 10 dollars of which 10 are spent.
    /// Returns its state afterwards, and the notification.
    fn write(was: BlockState, sent: &Value, manual: bool) -> (BlockState, Option<BlockState>) {
        let attributes = Value::Object(stored(was)).to_string();
        let meta = Some(r#"{"spent_amount":"10.0"}"#);
        // From 2026-04-16 on, null does not remove a threshold.
        let removes = sent.get("threshold_amount").is_some_and(Value::is_null);
        let version = if removes { ApiVersion::V2022_05_10 } else { ApiVersion::V2026_04_16 };
        let context = WriteContext {
            kind: WriteKind::Update(RecordText { id: ID, attributes: &attributes, meta }),
            version,
            sent: sent.as_object().unwrap(),
            callback_on_manual_block: manual,
            ..WriteContext::of_nothing()
        };
        after(was, &Rulebook::DIDWW.decide_write(VoiceOutTrunk::SPEC, &context).unwrap())
    }

    fn trunk(was: BlockState) -> VoiceOutTrunk {
        let attributes = Value::Object(stored(was)).to_string();
        VoiceOutTrunk::from_texts(Id::new(ID), &attributes, Some(r#"{"spent_amount":"9.5"}"#)).unwrap()
    }

    #[test]
    fn spending_blocks_a_trunk_re_opens_it_and_is_shown() {
        let at = "2017-06-25T08:21:41.795Z".parse().unwrap();
        let decide =
            |was, event, spent: i64| decide_spending(&trunk(was), event, spent.into(), false, at).unwrap();
        let blocked = decide(OPEN, SpendEvent::Charged, 10);
        assert_eq!(after(OPEN, &blocked.outcome), (BY_SPENDING, Some(BY_SPENDING)));
        let RecordChange::Update { meta, .. } = &blocked.outcome.changes[0] else { panic!() };
        assert_eq!(meta.as_deref(), Some(r#"{"spent_amount":"10.0"}"#));
        let documented = include_str!("../../../../fixtures/callbacks/trunk_blocked.json");
        assert_eq!(format!("[{}]", blocked.outcome.events[0].body), documented.trim());

        let opened = decide(BY_SPENDING, SpendEvent::Aged, 9);
        assert_eq!(after(BY_SPENDING, &opened.outcome), (OPEN, Some(OPEN)));
        let shown = decide(OPEN, SpendEvent::Charged, 9);
        assert!(shown.change.is_none());
        assert_eq!(after(OPEN, &shown.outcome), (OPEN, None));
    }

    #[test]
    fn spending_that_is_shown_already_changes_nothing() {
        let spent = Decimal::new(95, 1);
        let at = Timestamp::from_unix_millis(0);
        let decided = decide_spending(&trunk(OPEN), SpendEvent::Charged, spent, false, at).unwrap();
        assert!(decided.outcome.changes.is_empty() && decided.outcome.events.is_empty());
    }

    #[test]
    fn a_trunk_without_a_callback_url_has_no_event() {
        let at = Timestamp::from_unix_millis(0);
        assert_eq!(event(&Id::new(ID), None, BY_SPENDING, at).unwrap(), None);
    }

    #[test]
    fn activating_a_trunk_that_its_threshold_blocked_re_opens_it_and_is_notified() {
        assert_eq!(write(BY_SPENDING, &json!({ "status": "active" }), false), (OPEN, Some(OPEN)));
    }

    #[test]
    fn raising_or_removing_the_threshold_re_opens_and_is_notified() {
        for limit in [json!("10.01"), json!(null), json!(11)] {
            let sent = json!({ "threshold_amount": limit });
            assert_eq!(write(BY_SPENDING, &sent, false), (OPEN, Some(OPEN)), "{sent}");
        }
    }

    #[test]
    fn a_threshold_set_to_the_amount_spent_blocks_and_is_notified() {
        let sent = json!({ "threshold_amount": "9.99" });
        assert_eq!(write(OPEN, &sent, false), (BY_SPENDING, Some(BY_SPENDING)));
    }

    #[test]
    fn a_record_written_back_as_it_was_changes_nothing() {
        for (was, status) in [(OPEN, "active"), (BY_SPENDING, "blocked"), (BY_HAND, "blocked")] {
            let sent = json!({ "status": status, "threshold_amount": "10.0", "name": "Other" });
            assert_eq!(write(was, &sent, true), (was, None));
        }
    }

    #[test]
    fn manual_blocking_and_opening_is_notified_only_where_that_is_set() {
        let (block, open) = (json!({ "status": "blocked" }), json!({ "status": "active" }));
        assert_eq!(write(OPEN, &block, false), (BY_HAND, None));
        assert_eq!(write(OPEN, &block, true), (BY_HAND, Some(BY_HAND)));
        assert_eq!(write(BY_HAND, &open, false), (OPEN, None));
        assert_eq!(write(BY_HAND, &open, true), (OPEN, Some(OPEN)));
    }

    #[test]
    fn a_status_takes_precedence_over_a_threshold_in_the_same_request() {
        let sent = json!({ "status": "blocked", "threshold_amount": "1.0" });
        assert_eq!(write(OPEN, &sent, false), (BY_HAND, None));
        let sent = json!({ "status": "blocked", "threshold_amount": "20.0" });
        assert_eq!(write(BY_SPENDING, &sent, true), (BY_HAND, None));
        let sent = json!({ "status": "active", "threshold_amount": "1.0" });
        assert_eq!(write(BY_SPENDING, &sent, false), (OPEN, Some(OPEN)));
        let sent = json!({ "status": "active", "threshold_amount": "20.0" });
        assert_eq!(write(BY_SPENDING, &sent, false), (OPEN, Some(OPEN)));
        assert_eq!(write(BY_HAND, &json!({ "threshold_amount": "20.0" }), false), (BY_HAND, None));
    }
}
