//! Accounts and their keys.

use std::sync::Arc;

use didww_types::Features;
use didww_types::{ApiVersion, Feature, Patch, Secret};
use uuid::Uuid;

use super::{Control, ControlError};
use trunk_store::account::{Account, ApiKey, KeyDigest, MAX_RATE_LIMIT};

/// An account to be made.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct NewAccount {
    /// A name for people; unique. One is made up when it is empty.
    pub name: String,
    /// The version that serves it when a request names no newer one; 2021-12-15 unless told otherwise.
    pub version: ApiVersion,
    /// What it has; the outbound plan unless told otherwise.
    pub features: Vec<Feature>,
    /// Requests per second of each of its keys, at most 100,000; 0 is no limit, and none is the server's own.
    pub rate_limit: Option<u32>,
    /// Most records of a type; 0 is no limit, and none is the server's own.
    pub record_quota: Option<u64>,
    /// Its first key; a random one when there is none.
    pub api_key: Option<Secret>,
}

impl Default for NewAccount {
    fn default() -> Self {
        Self {
            name: String::new(),
            version: ApiVersion::V2021_12_15,
            features: vec![Feature::Outbound],
            rate_limit: None,
            record_quota: None,
            api_key: None,
        }
    }
}

impl NewAccount {
    /// An account with the outbound plan, at 2021-12-15, with the server's own limits.
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// With another version.
    #[must_use]
    pub fn version(mut self, version: ApiVersion) -> Self {
        self.version = version;
        self
    }

    /// With one more feature.
    #[must_use]
    pub fn feature(mut self, feature: Feature) -> Self {
        self.features.push(feature);
        self
    }

    /// With this key.
    #[must_use]
    pub fn api_key(mut self, key: impl Into<Secret>) -> Self {
        self.api_key = Some(key.into());
        self
    }

    /// With a limit of requests per second.
    #[must_use]
    pub fn rate_limit(mut self, per_second: u32) -> Self {
        self.rate_limit = Some(per_second);
        self
    }

    /// With so many records of a type at most.
    #[must_use]
    pub fn record_quota(mut self, records: u64) -> Self {
        self.record_quota = Some(records);
        self
    }
}

/// Changes to an account; what is none stays.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct AccountPatch {
    /// Another name.
    pub name: Option<String>,
    /// Another version.
    pub version: Option<ApiVersion>,
    /// Exactly these features.
    pub features: Option<Vec<Feature>>,
    /// Another limit of requests per second, or the server's own.
    pub rate_limit: Patch<u32>,
    /// Another quota of records of a type, or the server's own. Records that are there stay.
    pub record_quota: Patch<u64>,
}

impl Control {
    /// Every account, oldest first.
    pub fn accounts(&self) -> Vec<Arc<Account>> {
        self.core.store.accounts()
    }

    /// Makes an account and its first key.
    ///
    /// # Errors
    /// When the name or the key is taken, or the key is no key.
    pub async fn create_account(&self, new: NewAccount) -> Result<(Arc<Account>, Secret), ControlError> {
        let key = new.api_key.unwrap_or_else(|| self.core.ids.api_key());
        self.check_key(&key)?;
        check_rate(new.rate_limit)?;
        let now = self.core.clock.now();
        let id = self.core.ids.record(now);
        let name = if new.name.is_empty() { format!("account {id}") } else { new.name };
        let account = Account {
            number: 0,
            id,
            name,
            version: new.version,
            features: Features::of(new.features),
            rate_limit: new.rate_limit,
            record_quota: new.record_quota,
            created_at: now,
        };
        let first = ApiKey { id: self.core.ids.record(now), secret: key.clone(), created_at: now };
        let account = self.core.store.create_account(account, first).await?;
        Ok((account, key))
    }

    /// Changes an account, from the next request on.
    ///
    /// # Errors
    /// When there is no such account or the name is taken.
    pub async fn update_account(&self, id: Uuid, patch: AccountPatch) -> Result<Arc<Account>, ControlError> {
        let mut account = (*self.account(id)?).clone();
        if let Some(rate_limit) = patch.rate_limit.as_sent() {
            check_rate(rate_limit.copied())?;
            account.rate_limit = rate_limit.copied();
        }
        if let Some(record_quota) = patch.record_quota.as_sent() {
            account.record_quota = record_quota.copied();
        }
        if let Some(name) = patch.name {
            if name.trim().is_empty() {
                return Err(ControlError::invalid("name", "must not be empty"));
            }
            account.name = name;
        }
        account.version = patch.version.unwrap_or(account.version);
        account.features = patch.features.map_or(account.features, Features::of);
        Ok(self.core.store.save_account(account).await?)
    }

    /// Deletes an account with its keys and records.
    ///
    /// # Errors
    /// When there is no such account.
    pub async fn delete_account(&self, id: Uuid) -> Result<(), ControlError> {
        let account = self.account(id)?;
        Ok(self.core.store.reset(Some(account.number), true).await?)
    }

    /// Gives an account another key: this one, or a random one.
    ///
    /// # Errors
    /// When there is no such account, or the key is taken or no key.
    pub async fn add_key(&self, account: Uuid, key: Option<Secret>) -> Result<(Uuid, Secret), ControlError> {
        let account = self.account(account)?;
        let key = key.unwrap_or_else(|| self.core.ids.api_key());
        self.check_key(&key)?;
        let now = self.core.clock.now();
        let id = self.core.ids.record(now);
        let added = ApiKey { id, secret: key.clone(), created_at: now };
        self.core.store.add_key(account.number, added).await?;
        Ok((id, key))
    }

    /// The keys of an account, oldest first.
    ///
    /// # Errors
    /// When there is no such account.
    pub async fn keys(&self, account: Uuid) -> Result<Vec<ApiKey>, ControlError> {
        Ok(self.core.store.keys(self.account(account)?.number).await?)
    }

    /// Takes a key away, from the next request on.
    ///
    /// # Errors
    /// When there is no such account or key.
    pub async fn remove_key(&self, account: Uuid, key: Uuid) -> Result<(), ControlError> {
        let number = self.account(account)?.number;
        if self.core.store.remove_key(number, key).await? {
            Ok(())
        } else {
            Err(ControlError::NotFound(format!("key {key}")))
        }
    }

    /// The account that has a key.
    pub fn account_of_key(&self, key: &Secret) -> Option<Arc<Account>> {
        self.core.store.account_by_key(KeyDigest::of(key.expose()))
    }

    /// A key must fit into a header, and no two accounts may share one.
    fn check_key(&self, key: &Secret) -> Result<(), ControlError> {
        let text = key.expose();
        if text.is_empty() || text.len() > 255 || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(ControlError::invalid(
                "api_key",
                "must be 1 to 255 visible ASCII characters without spaces",
            ));
        }
        if self.account_of_key(key).is_some() {
            return Err(ControlError::invalid("api_key", "has already been taken"));
        }
        Ok(())
    }
}

fn check_rate(limit: Option<u32>) -> Result<(), ControlError> {
    if limit.is_some_and(|limit| limit > MAX_RATE_LIMIT) {
        let message = format!(
            "must be at most {MAX_RATE_LIMIT} requests a second, or 0 for no limit, or null for the server's own"
        );
        return Err(ControlError::invalid("rate_limit", message));
    }
    Ok(())
}
