//! Stores a world.
//!
//! All errors of the file are found before anything is written. The records and rates of all accounts, and the
//! communication platform of the file, are one transaction, and a second one sets the links of DIDs to text message
//! trunks, which refer to DIDs themselves. The store has no transaction for accounts and records together: new accounts
//! are created before the records, and removed if these cannot be stored; settings and keys of existing accounts are
//! changed after them.

mod account;
mod changes;

use std::sync::Arc;

use account::Target;
use service_core::price_plans::AccountRate;
use service_core::{AttemptError, Retries};
use trunk_store::account::Account;
use uuid::Uuid;

use super::loaded::{LoadedAccount, LoadedWorld};
use super::model::World;
use super::naming::{MAX_RECORDS, invalid};
use super::place::{Placed, place};
use super::platform::WorldPlatform;
use crate::{Control, ControlError, renewals};

impl Control {
    /// Stores a world: creates the accounts that do not exist, and stores the records, all of them or none. An existing
    /// record is found by its id, and set to the values of the file; other records stay. With `into`, the account with
    /// this id receives the records of the world's only account, and keeps its settings and keys.
    ///
    /// # Errors
    /// If a value is not valid, a related record does not exist, or a name, a key or a unique value is taken: nothing
    /// was changed then. If the settings of an existing account cannot be stored after the records were, the
    /// message states this.
    pub async fn load_world(&self, world: &World, into: Option<Uuid>) -> Result<LoadedWorld, ControlError> {
        let count = world.record_count();
        if count > MAX_RECORDS {
            return Err(invalid(format!("has {count} records, of which {MAX_RECORDS} fit")));
        }
        let platform = &world.platform;
        if into.is_some() && !platform.is_empty() {
            return Err(invalid("has a `platform`, which belongs to no account; load it without one"));
        }
        let targets = match into {
            Some(id) => vec![self.only_target(world, id).await?],
            None => self.targets(world).await?,
        };
        let ids: Vec<Uuid> = targets.iter().map(|target| target.id).collect();
        let placed = place(world, &ids)?;
        // So that no account is created for a platform that is refused.
        Retries::REQUEST.run(|| async move { self.platform_changes(platform).await.map(drop) }).await?;
        let mut created: Vec<Arc<Account>> = Vec::new();
        if let Err(error) = self.fill(&targets, &placed, platform, &mut created).await {
            return Err(self.undo(&created, error).await);
        }
        self.use_stored_rates().await;
        self.platform_loaded(platform).await.map_err(|error| {
            invalid(format!("was loaded, but its customers are known after the next start only: {error}"))
        })?;
        // The load may have changed the end of a record's period; a new account has no renewals.
        for account in targets.iter().filter_map(|target| target.existing.as_ref()) {
            renewals::decide_now(&self.core, account.number).await.map_err(|error| {
                let name = &account.name;
                invalid(format!("was loaded, but renewals of account `{name}` are late: {error}"))
            })?;
        }
        for target in targets.iter().filter(|target| target.existing.is_some()) {
            self.settle(target).await.map_err(|error| {
                invalid(format!("was loaded, but for settings of account `{}`: {error}", target.name))
            })?;
        }
        let accounts = targets.into_iter().map(|target| {
            LoadedAccount::new(target.id, target.name, target.existing.is_none(), target.new_key)
        });
        Ok(LoadedWorld { accounts: accounts.collect(), records: placed.len() + platform.len() })
    }

    /// Creates the new accounts and stores all records.
    async fn fill(
        &self,
        targets: &[Target<'_>],
        placed: &[Placed<'_>],
        platform: &WorldPlatform,
        created: &mut Vec<Arc<Account>>,
    ) -> Result<(), ControlError> {
        let mut numbers = Vec::with_capacity(targets.len());
        for target in targets {
            match &target.existing {
                Some(account) => numbers.push(account.number),
                None => numbers.push(self.create(target, created).await?),
            }
        }
        let numbers = numbers.as_slice();
        let rates: Vec<(Uuid, Vec<AccountRate>)> = targets.iter().filter_map(Target::rates).collect();
        let rates = rates.as_slice();
        Retries::REQUEST
            .run(|| async move {
                let mut changes = self.world_changes(placed, numbers).await?;
                changes.extend(self.platform_changes(platform).await?);
                changes.extend(self.world_rates(rates).await?);
                if !changes.is_empty() {
                    self.core.commit(changes).await.map_err(changes::refused)?;
                }
                let links = self.world_links(placed, numbers).await?;
                if !links.is_empty() {
                    self.core.commit(links).await.map_err(changes::refused)?;
                }
                Ok::<(), AttemptError<ControlError>>(())
            })
            .await
    }

    /// Removes new accounts whose records could not be stored. Returns the error to report.
    async fn undo(&self, created: &[Arc<Account>], error: ControlError) -> ControlError {
        for account in created {
            if let Err(remains) = self.core.store.reset(Some(account.number), true).await {
                let name = &account.name;
                return invalid(format!(
                    "was not loaded: {error}; the empty account `{name}` remains, because it could not be removed: {remains}"
                ));
            }
        }
        error
    }
}
