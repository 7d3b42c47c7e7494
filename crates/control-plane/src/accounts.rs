//! Accounts and their API keys.

use std::sync::Arc;

use didww_types::Features;
use didww_types::values::IpNetworks;
use didww_types::{ApiVersion, Feature, Patch, Secret};
use service_core::{Retries, exports, files, price_plans};
use trunk_store::account::{Account, ApiKey, Environment, KeyDigest, MAX_RATE_LIMIT};
use uuid::Uuid;

use crate::{Control, ControlError, stock};

/// An account to create, with the members that its creator can choose.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct NewAccount {
    /// A unique name for display; if it is empty, `account ID`.
    pub name: String,
    /// The API version of requests that name no newer one. Default: 2021-12-15.
    pub version: ApiVersion,
    /// The features of the account. Default: outbound.
    pub features: Vec<Feature>,
    /// Maximum number of requests per second of each key, up to 100,000. 0 is no limit; `None` is the server's default.
    pub rate_limit: Option<u32>,
    /// Maximum number of records of each type. 0 is no limit; `None` is the server's default.
    pub record_quota: Option<u64>,
    /// The first API key; if `None`, a random one.
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
    /// Creates an account with this name, the outbound feature, version 2021-12-15 and the server's default limits.
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// Sets the API version of requests that name no newer one.
    #[must_use]
    pub fn version(mut self, version: ApiVersion) -> Self {
        self.version = version;
        self
    }

    /// Adds a feature to the default ones.
    #[must_use]
    pub fn feature(mut self, feature: Feature) -> Self {
        self.features.push(feature);
        self
    }

    /// Sets the first API key: 1 to 255 visible ASCII characters.
    #[must_use]
    pub fn api_key(mut self, key: impl Into<Secret>) -> Self {
        self.api_key = Some(key.into());
        self
    }

    /// Sets the maximum number of requests per second of each key; 0 is no limit.
    #[must_use]
    pub fn rate_limit(mut self, per_second: u32) -> Self {
        self.rate_limit = Some(per_second);
        self
    }

    /// Sets the maximum number of records of each type; 0 is no limit.
    #[must_use]
    pub fn record_quota(mut self, records: u64) -> Self {
        self.record_quota = Some(records);
        self
    }
}

/// A key to add to an account.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct NewKey {
    /// The key; if `None`, a random one.
    pub api_key: Option<Secret>,
    /// The addresses and networks from which the key may be used; if `None`, from anywhere.
    pub addresses: Option<IpNetworks>,
    /// The environment that the key belongs to; if `None`, the server's.
    pub environment: Option<Environment>,
}

impl NewKey {
    /// A key with this text.
    pub fn named(key: impl Into<Secret>) -> Self {
        Self { api_key: Some(key.into()), ..Self::default() }
    }

    /// Sets where the key may be used.
    #[must_use]
    pub fn addresses(mut self, addresses: IpNetworks) -> Self {
        self.addresses = Some(addresses);
        self
    }

    /// Sets the environment that the key belongs to.
    #[must_use]
    pub fn environment(mut self, environment: Environment) -> Self {
        self.environment = Some(environment);
        self
    }
}

/// Changes to an account. A field that is `None` or kept leaves the value unchanged.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct AccountPatch {
    /// The new name; unique and not blank.
    pub name: Option<String>,
    /// The new API version of requests that name no newer one.
    pub version: Option<ApiVersion>,
    /// The new features, which replace the existing ones.
    pub features: Option<Vec<Feature>>,
    /// The new maximum number of requests per second of each key; cleared, the server's default applies.
    pub rate_limit: Patch<u32>,
    /// The new maximum number of records of each type; cleared, the server's default applies. Existing records remain
    /// even if there are more.
    pub record_quota: Patch<u64>,
}

/// The account with these changes.
fn changed(account: &Account, patch: &AccountPatch) -> Result<Account, ControlError> {
    let mut account = account.clone();
    if let Some(rate_limit) = patch.rate_limit.as_sent() {
        check_rate(rate_limit.copied())?;
        account.rate_limit = rate_limit.copied();
    }
    if let Some(record_quota) = patch.record_quota.as_sent() {
        account.record_quota = record_quota.copied();
    }
    if let Some(name) = &patch.name {
        if name.trim().is_empty() {
            return Err(ControlError::invalid("name", "must not be empty"));
        }
        account.name.clone_from(name);
    }
    account.version = patch.version.unwrap_or(account.version);
    if let Some(features) = &patch.features {
        account.features = Features::of(features.iter().copied());
    }
    Ok(account)
}

/// Checks that a secret that a request names is 1 to 255 visible ASCII characters.
pub(crate) fn check_text(field: &'static str, secret: &Secret) -> Result<(), ControlError> {
    let text = secret.expose();
    if (1..=255).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(());
    }
    Err(ControlError::invalid(field, "must be 1 to 255 visible ASCII characters without spaces"))
}

impl Control {
    /// Returns all accounts, oldest first.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn accounts(&self) -> Result<Vec<Arc<Account>>, ControlError> {
        Ok(self.core.store.accounts().await?)
    }

    /// Creates an account with its first API key. Returns both.
    ///
    /// # Errors
    /// If the name or the key is taken, the key is not valid, or the rate limit is too high.
    pub async fn create_account(&self, new: NewAccount) -> Result<(Arc<Account>, Secret), ControlError> {
        let key = new.api_key.unwrap_or_else(|| self.core.ids.api_key());
        self.check_key(&key).await?;
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
        let first = ApiKey {
            id: self.core.ids.record(now),
            digest: KeyDigest::of(key.expose()),
            created_at: now,
            addresses: None,
            environment: Some(self.environment),
        };
        let account = self.core.store.create_account(account, first).await?;
        Ok((account, key))
    }

    /// Changes an account with effect from the next request.
    ///
    /// # Errors
    /// If there is no such account, the name is blank or taken, or the rate limit is too high.
    pub async fn update_account(&self, id: Uuid, patch: AccountPatch) -> Result<Arc<Account>, ControlError> {
        // Changes by this server take turns, so that only those by other servers can conflict.
        let _turn = self.account_changes.lock().await;
        let decide = |before: &Arc<Account>| changed(before, &patch);
        let save = |before: Arc<Account>, after: Account| self.core.store.save_account(before, after);
        Retries::REQUEST.change(|| self.account(id), decide, save).await
    }

    /// Deletes an account with its keys, records and rates. Calls to its DIDs hang up, and the numbers that it had
    /// ordered are in stock again.
    ///
    /// # Errors
    /// If there is no such account.
    pub async fn delete_account(&self, id: Uuid) -> Result<(), ControlError> {
        let account = self.account(id).await?;
        self.end_calls_to_dids(Some(id)).await?;
        files::forget_all(&self.core, id).await?;
        stock::clear(&self.core, account.number, true).await?;
        // Files that were uploaded or exported meanwhile, and calls that found their DID before it was deleted.
        files::forget_all(&self.core, id).await?;
        exports::parts::forget_all(&self.core, id).await?;
        price_plans::forget(&*self.core.store, id).await?;
        self.end_calls_to_dids(Some(id)).await
    }

    /// Adds a key to an account, a random one if `key` is `None`. Returns its id and the key.
    ///
    /// # Errors
    /// If there is no such account, or the key is taken or not valid.
    pub async fn add_key(&self, account: Uuid, key: Option<Secret>) -> Result<(Uuid, Secret), ControlError> {
        self.add_key_with(account, NewKey { api_key: key, ..NewKey::default() }).await
    }

    /// Adds a key to an account, with limits of its use. Returns its id and the key.
    ///
    /// # Errors
    /// If there is no such account, the key is taken or not valid, or the list of addresses is empty.
    pub async fn add_key_with(&self, account: Uuid, new: NewKey) -> Result<(Uuid, Secret), ControlError> {
        let account = self.account(account).await?;
        let key = new.api_key.unwrap_or_else(|| self.core.ids.api_key());
        self.check_key(&key).await?;
        let now = self.core.clock.now();
        let id = self.core.ids.record(now);
        let added = ApiKey {
            id,
            digest: KeyDigest::of(key.expose()),
            created_at: now,
            addresses: new.addresses.map(checked_addresses).transpose()?,
            environment: Some(new.environment.unwrap_or(self.environment)),
        };
        self.core.store.add_key(account.number, added).await?;
        Ok((id, key))
    }

    /// Sets where a key may be used, with effect from the next request; `None` means anywhere. Tokens that were minted
    /// with the key before keep the earlier limits.
    ///
    /// # Errors
    /// If there is no such account or key, or the list is empty.
    pub async fn set_key_addresses(
        &self,
        account: Uuid,
        key: Uuid,
        addresses: Option<IpNetworks>,
    ) -> Result<(), ControlError> {
        let number = self.account(account).await?.number;
        let addresses = addresses.map(checked_addresses).transpose()?;
        if self.core.store.set_key_addresses(number, key, addresses).await? {
            Ok(())
        } else {
            Err(ControlError::NotFound(format!("key {key}")))
        }
    }

    /// Returns the keys of an account, oldest first.
    ///
    /// # Errors
    /// If there is no such account.
    pub async fn keys(&self, account: Uuid) -> Result<Vec<ApiKey>, ControlError> {
        Ok(self.core.store.keys(self.account(account).await?.number).await?)
    }

    /// Removes a key with effect from the next request.
    ///
    /// # Errors
    /// If there is no such account or key.
    pub async fn remove_key(&self, account: Uuid, key: Uuid) -> Result<(), ControlError> {
        let number = self.account(account).await?.number;
        if self.core.store.remove_key(number, key).await? {
            Ok(())
        } else {
            Err(ControlError::NotFound(format!("key {key}")))
        }
    }

    /// Returns the account that a key belongs to, if any.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn account_of_key(&self, key: &Secret) -> Result<Option<Arc<Account>>, ControlError> {
        Ok(self.core.store.account_by_key(KeyDigest::of(key.expose())).await?)
    }

    /// Checks that a new key fits into a header and that no account has it.
    async fn check_key(&self, key: &Secret) -> Result<(), ControlError> {
        check_text("api_key", key)?;
        if self.account_of_key(key).await?.is_some() {
            return Err(ControlError::invalid("api_key", "has already been taken"));
        }
        Ok(())
    }
}

/// Refuses an empty list, with which the key could not be used; it is probably a mistake of a script.
pub(crate) fn checked_addresses(addresses: IpNetworks) -> Result<Arc<IpNetworks>, ControlError> {
    if addresses.texts().is_empty() {
        let message = "must have at least one address or network; null allows every address";
        return Err(ControlError::invalid("allowed_addresses", message));
    }
    Ok(Arc::new(addresses))
}

/// Refuses a rate limit that is too high.
pub(crate) fn check_rate(limit: Option<u32>) -> Result<(), ControlError> {
    if limit.is_some_and(|limit| limit > MAX_RATE_LIMIT) {
        let message = format!(
            "must be at most {MAX_RATE_LIMIT} requests a second, or 0 for no limit, or null for the server's own"
        );
        return Err(ControlError::invalid("rate_limit", message));
    }
    Ok(())
}
