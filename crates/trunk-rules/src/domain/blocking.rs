//! The effect of an owner's write on a trunk's blocking, which is manual or by the threshold.

use didww_types::values::Money;
use rust_decimal::Decimal;
use serde_json::{Map, Value};

use super::draft::Draft;
use super::{WriteContext, WriteKind};
use crate::carrier::{BlockState, SpendEvent, decide_block_change};

/// Sets the status, and whether the callback URL is notified of it. A new trunk has spent nothing and was
/// never open, so its creation is not notified.
pub(super) fn apply(context: &WriteContext<'_>, draft: &mut Draft) {
    let WriteKind::Update(stored) = context.kind else { return };
    let before = gate(stored);
    let blocked_after = gate(&draft.attributes).blocked;
    let limit = amount(&draft.attributes, "threshold_amount");
    let limit_changed = (limit != amount(stored, "threshold_amount")).then_some(SpendEvent::LimitChanged);
    // A requested status takes precedence over a threshold in the same request. So activation is applied
    // after the new threshold, and a manual block before it: a manual block is never lifted by ageing.
    let events = match (before.blocked, blocked_after) {
        (false, true) => [Some(SpendEvent::BlockedByHand), limit_changed],
        (true, false) => [limit_changed, Some(SpendEvent::Activated)],
        _ => [limit_changed, None],
    };
    let spent = amount(context.meta, "spent_amount").unwrap_or_default();
    let mut after = before;
    for event in events.into_iter().flatten() {
        let Some(change) = decide_block_change(after, event, limit, spent, context.callback_on_manual_block)
        else {
            continue;
        };
        after = change.gate;
        if change.callback {
            draft.notice = Some(after);
        }
    }
    let status = if after.blocked { "blocked" } else { "active" };
    draft.attributes.insert("status".to_owned(), Value::String(status.to_owned()));
    draft.attributes.insert("threshold_reached".to_owned(), Value::Bool(after.threshold_reached));
}

fn gate(attributes: &Map<String, Value>) -> BlockState {
    BlockState {
        blocked: attributes.get("status").and_then(Value::as_str) == Some("blocked"),
        threshold_reached: attributes.get("threshold_reached") == Some(&Value::Bool(true)),
    }
}

fn amount(members: &Map<String, Value>, name: &str) -> Option<Decimal> {
    members.get(name)?.as_str()?.parse().ok().map(Money::amount)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use didww_types::resources::VoiceOutTrunk;
    use didww_types::{ApiVersion, Features, Resource as _, Secret, Timestamp};
    use serde_json::json;

    use crate::carrier::BlockState;
    use crate::domain::{Credentials, WriteContext, WriteKind, WriteOutcome, decide_write};

    const OPEN: BlockState = BlockState { blocked: false, threshold_reached: false };
    const BY_SPENDING: BlockState = BlockState { blocked: true, threshold_reached: true };
    const BY_HAND: BlockState = BlockState { blocked: true, threshold_reached: false };

    /// Writes attributes to a trunk in the given state, with a threshold of 10 dollars of which 10 are spent.
    /// Returns its state afterwards, and the notification.
    fn write(was: BlockState, sent: &serde_json::Value, manual: bool) -> (BlockState, Option<BlockState>) {
        let before = json!({
            "name": "T", "threshold_amount": "10.0", "threshold_reached": was.threshold_reached,
            "status": if was.blocked { "blocked" } else { "active" },
        });
        let fresh = Credentials { username: String::new(), password: Secret::new("") };
        let meta = json!({ "spent_amount": "10.0" });
        let context = WriteContext {
            kind: WriteKind::Update(before.as_object().unwrap()),
            version: ApiVersion::V2026_04_16,
            features: Features::NONE,
            now: Timestamp::from_unix_millis(0),
            sent: sent.as_object().unwrap(),
            links: &BTreeMap::new(),
            fresh: &fresh,
            meta: meta.as_object().unwrap(),
            callback_on_manual_block: manual,
        };
        let Ok(WriteOutcome::Store { attributes, notice, .. }) = decide_write(VoiceOutTrunk::SPEC, &context)
        else {
            panic!("refused")
        };
        (super::gate(&attributes), notice)
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
        let sent = json!({ "status": "active", "threshold_amount": "1.0" });
        assert_eq!(write(BY_SPENDING, &sent, false), (OPEN, Some(OPEN)));
        let sent = json!({ "status": "active", "threshold_amount": "20.0" });
        assert_eq!(write(BY_SPENDING, &sent, false), (OPEN, Some(OPEN)));
        assert_eq!(write(BY_HAND, &json!({ "threshold_amount": "20.0" }), false), (BY_HAND, None));
    }
}
