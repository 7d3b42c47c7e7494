//! The accounts of a world: finds existing ones, creates new ones, and changes their settings and keys.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use didww_types::values::{IpNetworks, ValueError};
use didww_types::{ApiVersion, Feature, Features, Patch, Secret};
use service_core::price_plans::AccountRate;
use trunk_store::account::{Account, ApiKey, KeyDigest};
use uuid::Uuid;

use crate::accounts::{check_rate, check_text, checked_addresses};
use crate::world::model::{World, WorldAccount, WorldKey};
use crate::world::naming::invalid;
use crate::world::rates;
use crate::{AccountPatch, Control, ControlError};

/// An account that a load fills.
#[derive(Debug)]
pub(super) struct Target<'w> {
    /// The account, if it exists.
    pub(super) existing: Option<Arc<Account>>,
    pub(super) id: Uuid,
    pub(super) name: String,
    /// The settings of a new account, or those to change; `None` leaves the account as it is.
    settings: Option<&'w WorldAccount>,
    /// The keys that the account does not have yet; at least one for a new account.
    keys: Vec<ApiKey>,
    /// The random key of a new account for which the file has none.
    pub(super) new_key: Option<Secret>,
}

impl Target<'_> {
    /// The id of the account and its rates, if the file has some.
    pub(super) fn rates(&self) -> Option<(Uuid, Vec<AccountRate>)> {
        let settings = self.settings.filter(|settings| !settings.rates.is_empty())?;
        Some((self.id, settings.rates.iter().map(Into::into).collect()))
    }
}

impl Control {
    /// The account that exists and receives the records of the world's only account.
    pub(super) async fn only_target<'w>(
        &self,
        world: &'w World,
        id: Uuid,
    ) -> Result<Target<'w>, ControlError> {
        let count = world.accounts.len();
        if count != 1 {
            return Err(invalid(format!("has {count} accounts; expected one, to load it into another")));
        }
        let existing = self.account(id).await?;
        let name = existing.name.clone();
        Ok(Target { existing: Some(existing), id, name, settings: None, keys: Vec::new(), new_key: None })
    }

    /// Finds the accounts of a world by their ids or names, and checks their settings and keys.
    pub(super) async fn targets<'w>(&self, world: &'w World) -> Result<Vec<Target<'w>>, ControlError> {
        let known = self.accounts().await?;
        let (mut ids, mut names) = (BTreeSet::new(), BTreeSet::new());
        // The keys of the file with the positions of their accounts.
        let mut digests: HashMap<KeyDigest, usize> = HashMap::new();
        let mut targets = Vec::with_capacity(world.accounts.len());
        for account in &world.accounts {
            let name = &account.name;
            if name.trim().is_empty() {
                return Err(invalid("has an account whose `name` is empty"));
            }
            check_rate(account.rate_limit)?;
            rates::check(name, &account.rates)?;
            let by_id = known.iter().find(|known| account.id == Some(known.id));
            let by_name = known.iter().find(|known| known.name == *name);
            if let (Some(one), Some(other)) = (by_id, by_name)
                && one.id != other.id
            {
                return Err(invalid(format!(
                    "has the account {}, whose `name` `{name}` is another's",
                    one.id
                )));
            }
            let existing = by_id.or(by_name).cloned();
            let new_id = || account.id.unwrap_or_else(|| self.core.ids.record(self.core.clock.now()));
            let id = existing.as_ref().map_or_else(new_id, |existing| existing.id);
            if !ids.insert(id) || !names.insert(name.clone()) {
                return Err(invalid(format!("has the account `{name}` twice")));
            }
            let mut keys = Vec::new();
            for key in &account.keys {
                let Some(key) = self.new_key(name, existing.as_deref(), key).await? else { continue };
                match digests.insert(key.digest, targets.len()) {
                    None => keys.push(key),
                    Some(owner) if owner == targets.len() => {}
                    Some(_) => {
                        let message = format!("has a key of account `{name}` that it also has of another");
                        return Err(invalid(message));
                    }
                }
            }
            let mut new_key = None;
            if existing.is_none() && keys.is_empty() {
                let random = self.core.ids.api_key();
                keys.extend(self.new_key(name, None, &WorldKey::named(random.clone())).await?);
                new_key = Some(random);
            }
            targets.push(Target { existing, id, name: name.clone(), settings: Some(account), keys, new_key });
        }
        Ok(targets)
    }

    /// Checks a key of the file; `None` if the account has it already.
    async fn new_key(
        &self,
        name: &str,
        existing: Option<&Account>,
        key: &WorldKey,
    ) -> Result<Option<ApiKey>, ControlError> {
        let digest = match (&key.api_key, &key.sha256) {
            (Some(key), None) => {
                check_text("api_key", key)?;
                KeyDigest::of(key.expose())
            }
            (None, Some(digest)) => digest.0,
            _ => {
                let right = "valid: one of `api_key` and `sha256`";
                return Err(invalid(format!("has a key of account `{name}` with both or none; {right}")));
            }
        };
        match (self.core.store.account_by_key(digest).await?, existing) {
            (Some(owner), Some(existing)) if owner.number == existing.number => return Ok(None),
            (Some(_), _) => {
                return Err(invalid(format!("has a key of account `{name}` that another account has")));
            }
            (None, _) => {}
        }
        let addresses = match &key.allowed_addresses {
            None => None,
            Some(networks) => {
                let parsed: Result<IpNetworks, ValueError> = IpNetworks::parse(networks.texts());
                let parsed =
                    parsed.map_err(|error| ControlError::invalid("allowed_addresses", error.to_string()))?;
                Some(checked_addresses(parsed)?)
            }
        };
        let now = self.core.clock.now();
        Ok(Some(ApiKey {
            id: self.core.ids.record(now),
            digest,
            created_at: now,
            addresses,
            environment: Some(key.environment.unwrap_or(self.environment)),
        }))
    }

    /// Creates an account with its keys. Returns its number.
    pub(super) async fn create(
        &self,
        target: &Target<'_>,
        created: &mut Vec<Arc<Account>>,
    ) -> Result<i64, ControlError> {
        let Some(settings) = target.settings else { return Err(invalid("has an account without settings")) };
        let features = settings.features.clone().unwrap_or_else(|| vec![Feature::Outbound]);
        let new = Account {
            number: 0,
            id: target.id,
            name: target.name.clone(),
            version: settings.version.unwrap_or(ApiVersion::V2021_12_15),
            features: Features::of(features),
            rate_limit: settings.rate_limit,
            record_quota: settings.record_quota,
            created_at: self.core.clock.now(),
        };
        let mut keys = target.keys.iter();
        let Some(first) = keys.next() else { return Err(invalid("has an account without a key")) };
        let account = self.core.store.create_account(new, first.clone()).await?;
        let number = account.number;
        created.push(account);
        for key in keys {
            self.core.store.add_key(number, key.clone()).await?;
        }
        Ok(number)
    }

    /// Changes the settings that the file names of an account that existed, and adds its keys.
    pub(super) async fn settle(&self, target: &Target<'_>) -> Result<(), ControlError> {
        let (Some(account), Some(settings)) = (&target.existing, target.settings) else { return Ok(()) };
        let patch = AccountPatch {
            name: Some(target.name.clone()).filter(|name| *name != account.name),
            version: settings.version,
            features: settings.features.clone(),
            rate_limit: settings.rate_limit.map_or(Patch::Keep, Patch::Set),
            record_quota: settings.record_quota.map_or(Patch::Keep, Patch::Set),
        };
        self.update_account(account.id, patch).await?;
        for key in &target.keys {
            self.core.store.add_key(account.number, key.clone()).await?;
        }
        Ok(())
    }
}
