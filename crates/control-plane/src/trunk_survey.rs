//! Finds insecure and misconfigured trunks for the operator, in one pass over all of them: with a million trunks a pass
//! takes seconds.

use std::collections::{BTreeMap, BTreeSet};

use didww_types::Resource as _;
use didww_types::resources::VoiceOutTrunk;
use serde::Deserialize;
use serde::de::IgnoredAny;
use trunk_rules::domain::Rulebook;
use trunk_store::{StoredRecord, for_each_record};
use uuid::Uuid;

use crate::{Control, ControlError};

/// The trunks that take calls from any address.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct OpenTrunks {
    /// The number of all of them.
    pub total: usize,
    /// The first of them in the order of their creation, up to the requested limit.
    pub trunks: Vec<OpenTrunk>,
}

/// A trunk that takes calls from any address.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct OpenTrunk {
    /// The id of its account.
    pub account: Uuid,
    /// The id of the trunk.
    pub trunk: Uuid,
    /// Whether a password protects it, as a sentence.
    pub notice: &'static str,
}

/// The results of a pass over all trunks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TrunkSurvey {
    /// The trunks that take calls from any address.
    pub open: OpenTrunks,
    /// The accounts that have a trunk with a callback URL and no enabled callback secret, oldest first. Their callbacks
    /// are not sent.
    pub unsigned_accounts: Vec<Uuid>,
}

impl Control {
    /// Visits the trunks of all accounts. `limit` is the maximum number of open trunks that are listed; the total
    /// counts all of them.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn survey_trunks(&self, limit: usize) -> Result<TrunkSurvey, ControlError> {
        let (mut ids, mut without_secret) = (BTreeMap::new(), Vec::new());
        for account in self.accounts().await? {
            ids.insert(account.number, account.id);
            if self.core.store.enabled_callback_secret(account.number).await?.is_none() {
                without_secret.push(account.number);
            }
        }
        let (mut open, mut with_url) = (OpenTrunks::default(), BTreeSet::new());
        for_each_record(&*self.core.store, VoiceOutTrunk::SPEC, |stored| {
            open.look_at(&stored, &ids, limit);
            if has_callback_url(&stored.record.attributes) {
                with_url.insert(stored.account);
            }
        })
        .await?;
        without_secret.retain(|account| with_url.contains(account));
        let unsigned_accounts =
            without_secret.iter().filter_map(|account| ids.get(account).copied()).collect();
        Ok(TrunkSurvey { open, unsigned_accounts })
    }
}

impl OpenTrunks {
    fn look_at(&mut self, stored: &StoredRecord, ids: &BTreeMap<i64, Uuid>, limit: usize) {
        let Some(notice) = Rulebook::DIDWW.notice(stored.record.kind, &stored.record.attributes) else {
            return;
        };
        self.total += 1;
        if self.trunks.len() < limit {
            let account = ids.get(&stored.account).copied().unwrap_or_default();
            self.trunks.push(OpenTrunk { account, trunk: stored.record.id, notice });
        }
    }
}

/// Whether a trunk's stored attributes have a callback URL.
fn has_callback_url(attributes: &str) -> bool {
    #[derive(Deserialize)]
    struct Url {
        #[serde(default)]
        callback_url: Option<IgnoredAny>,
    }
    // Most trunks are recognised without decoding them.
    !attributes.contains(r#""callback_url":null"#)
        && serde_json::from_str::<Url>(attributes).is_ok_and(|trunk| trunk.callback_url.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_callback_url_is_found_however_its_member_is_written() {
        assert!(has_callback_url(r#"{"name":"a","callback_url":"https://example.com"}"#));
        assert!(has_callback_url(r#"{"callback_url" : "https://example.com","name":"callback_url"}"#));
        for without in [r#"{"callback_url":null}"#, r#"{"callback_url": null}"#, "{}", "no JSON"] {
            assert!(!has_callback_url(without), "{without}");
        }
    }
}
