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

/// A pass over all trunks that is in progress. Another reader of all trunks can [show](Self::look_at) them to it: with a
/// million trunks a read of all of them takes more than a second.
#[derive(Debug)]
pub struct TrunkPass {
    /// The maximum number of open trunks that are listed.
    limit: usize,
    total: usize,
    /// The first open trunks, with the numbers of their accounts.
    open: Vec<(i64, Uuid, &'static str)>,
    /// The numbers of the accounts that have a trunk with a callback URL.
    with_url: BTreeSet<i64>,
}

impl TrunkPass {
    /// Begins a pass. `limit` is the maximum number of open trunks that are listed; the total counts all of them.
    pub const fn new(limit: usize) -> Self {
        Self { limit, total: 0, open: Vec::new(), with_url: BTreeSet::new() }
    }

    /// Looks at the next trunk, in the order of the creation of all trunks.
    pub fn look_at(&mut self, stored: &StoredRecord) {
        let StoredRecord { account, record, .. } = stored;
        if let Some(notice) = Rulebook::DIDWW.notice(record.kind, &record.attributes) {
            self.total += 1;
            if self.open.len() < self.limit {
                self.open.push((*account, record.id, notice));
            }
        }
        if has_callback_url(&record.attributes) {
            self.with_url.insert(*account);
        }
    }
}

impl Control {
    /// Visits the trunks of all accounts. `limit` is the maximum number of open trunks that are listed; the total
    /// counts all of them.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn survey_trunks(&self, limit: usize) -> Result<TrunkSurvey, ControlError> {
        let mut pass = TrunkPass::new(limit);
        for_each_record(&*self.core.store, VoiceOutTrunk::SPEC, |stored| pass.look_at(&stored)).await?;
        self.survey_of(pass).await
    }

    /// Returns the results of a pass that has looked at every trunk.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn survey_of(&self, pass: TrunkPass) -> Result<TrunkSurvey, ControlError> {
        let TrunkPass { total, open, with_url, .. } = pass;
        let (mut ids, mut unsigned_accounts) = (BTreeMap::new(), Vec::new());
        for account in self.accounts().await? {
            ids.insert(account.number, account.id);
            if with_url.contains(&account.number)
                && self.core.store.enabled_callback_secret(account.number).await?.is_none()
            {
                unsigned_accounts.push(account.id);
            }
        }
        let named = |(account, trunk, notice): (i64, Uuid, &'static str)| {
            let account = ids.get(&account).copied().unwrap_or_default();
            OpenTrunk { account, trunk, notice }
        };
        let trunks = open.into_iter().map(named).collect();
        Ok(TrunkSurvey { open: OpenTrunks { total, trunks }, unsigned_accounts })
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
