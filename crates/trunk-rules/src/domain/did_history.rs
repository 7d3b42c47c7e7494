//! The entries that changes of a DID add to its history.

use didww_types::resources::{Did, DidHistory, DidHistoryAction, DidHistoryMethod};
use didww_types::values::BillingCycles;
use didww_types::{Resource as _, Timestamp};
use serde_json::{Map, Value, json};

use super::{RecordChange, Rules};

impl Rules for DidHistory {
    /// The members of `meta` that staff can set.
    const INITIAL_META: Option<&'static str> = Some("{\"from\":\"\",\"to\":\"\"}");
    const MAY_LACK_META: bool = true;

    /// Only entries about the number of renewals have a `meta`, which is stored.
    fn meta(_attributes: &str) -> Option<&'static str> {
        None
    }
}

/// An entry of the history, which is stored in the transaction of the change that it describes.
#[derive(Debug, Clone, PartialEq)]
pub struct HistoryEntry {
    /// The attributes of the record, in canonical form.
    pub attributes: Map<String, Value>,
    /// The `meta` object as JSON text.
    pub meta: Option<String>,
}

impl HistoryEntry {
    /// An entry about the DID with this number.
    pub fn new(number: &str, action: &DidHistoryAction, method: &DidHistoryMethod, at: Timestamp) -> Self {
        let attributes = [
            ("did_number", json!(number)),
            ("action", json!(action)),
            ("method", json!(method)),
            ("created_at", json!(at)),
        ];
        let attributes = attributes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Self { attributes, meta: None }
    }

    /// The change that stores the entry beside those of a request.
    pub fn change(self) -> RecordChange {
        RecordChange::Note { spec: DidHistory::SPEC, attributes: self.attributes, meta: self.meta }
    }
}

/// The attributes of a DID whose changes its history lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DidTerms {
    /// Whether the DID is released at the end of the paid period.
    pub terminated: bool,
    /// The number of renewals that are left; `None` means no limit.
    pub billing_cycles_count: Option<i64>,
}

impl DidTerms {
    /// The terms of a stored DID.
    pub fn of(did: &Did) -> Self {
        let billing_cycles_count = did.billing_cycles_count.map(BillingCycles::get);
        Self { terminated: did.terminated, billing_cycles_count }
    }
}

/// The entries about a change of the terms of the DID with this number; none if the terms are unchanged.
pub fn history_of(
    number: &str,
    before: DidTerms,
    after: DidTerms,
    method: &DidHistoryMethod,
    at: Timestamp,
) -> Vec<HistoryEntry> {
    let mut entries = Vec::new();
    if before.terminated != after.terminated {
        let action = if after.terminated { DidHistoryAction::Canceled } else { DidHistoryAction::Restored };
        entries.push(HistoryEntry::new(number, &action, method, at));
    }
    if before.billing_cycles_count != after.billing_cycles_count {
        let text = |count: Option<i64>| count.map_or_else(|| "empty".to_owned(), |count| count.to_string());
        let meta =
            json!({ "from": text(before.billing_cycles_count), "to": text(after.billing_cycles_count) });
        let action = DidHistoryAction::BillingCyclesCountChanged;
        let entry = HistoryEntry::new(number, &action, method, at);
        entries.push(HistoryEntry { meta: Some(meta.to_string()), ..entry });
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_term_that_changes_has_an_entry_and_one_that_stays_has_none() {
        let terms = |terminated, billing_cycles_count| DidTerms { terminated, billing_cycles_count };
        let of = |before, after| {
            let entries =
                history_of("1202", before, after, &DidHistoryMethod::Api3, Timestamp::from_unix_millis(0));
            entries
                .into_iter()
                .map(|entry| (entry.attributes["action"].clone(), entry.meta))
                .collect::<Vec<_>>()
        };
        let kept = terms(false, None);
        assert!(of(kept, kept).is_empty());
        assert_eq!(of(kept, terms(true, None)), [(json!("canceled"), None::<String>)]);
        assert_eq!(of(terms(true, Some(3)), terms(false, Some(3))), [(json!("restored"), None::<String>)]);
        let changed = json!("billing_cycles_count_changed");
        let meta = Some(r#"{"from":"empty","to":"0"}"#.to_owned());
        assert_eq!(of(kept, terms(true, Some(0))), [(json!("canceled"), None), (changed, meta)]);
    }

    #[test]
    fn an_entry_has_the_number_the_method_and_the_time() {
        let at = Timestamp::from_unix_millis(0);
        let entry = HistoryEntry::new("1202", &DidHistoryAction::Removed, &DidHistoryMethod::System, at);
        let expected = json!({
            "did_number": "1202", "action": "removed", "method": "system", "created_at": "1970-01-01T00:00:00.000Z"
        });
        assert_eq!((json!(entry.attributes), entry.meta), (expected, None));
    }
}
